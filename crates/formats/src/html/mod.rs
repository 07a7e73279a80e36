//! HTML out of mail: cleaned for showing and storing, made from plain text, and read as plain text.
//!
//! Mail HTML is hostile until proven otherwise. It passes three gates: [`scan`] cuts it into tags and text as a browser
//! would (WHATWG HTML section 13.2.5), [`shape`] keeps the known elements and bounds nesting, so that nothing behind it
//! can be made to work more than its size, and [`policy`] lets ammonia rebuild it from an allow-list.
//!
//! Not here: rendering, and links made out of text.

mod policy;
mod scan;
mod shape;
mod text;

pub use text::{from_text, to_text};

/// More HTML than this is cut off before cleaning; no honest mail comes near.
pub const INPUT_LIMIT: usize = 16 * 1024 * 1024;

/// Cleans mail HTML for showing and storing.
///
/// The text stays complete. Scripts, forms, event handlers, remote images and everything else that loads or runs are
/// gone; `cid:` and small-format `data:` images stay; links open apart (`target`, `rel`). The result is a fragment.
/// Time and memory grow with the input only; beyond [`INPUT_LIMIT`] it is cut.
pub fn clean(html: &str) -> String {
    policy::apply(&shape::page(cut(html, INPUT_LIMIT)))
}

/// As [`clean`], with each `cid:` image pointed to where `locate` says the part with that Content-ID is; where it knows
/// none the image loses its source and keeps its `alt`. The id comes decoded, without angle brackets.
pub fn clean_with(html: &str, locate: impl Fn(&str) -> Option<String>) -> String {
    policy::rewrite_cids(&clean(html), locate)
}

/// The head of a text, cut at a character.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
