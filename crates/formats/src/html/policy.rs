//! What a cleaned page may hold: the allow-lists given to ammonia, and the rules for sources, links and styles.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::shape::KEPT;

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(cleaner);

/// Rebuilds a page from the allow-lists.
pub(super) fn apply(html: &str) -> String {
    CLEANER.clean(html).to_string()
}

fn cleaner() -> ammonia::Builder<'static> {
    let generic = ["align", "dir", "lang", "style", "title", "valign"];
    let by_tag = [
        ("a", &["href", "target", "rel"][..]),
        ("img", &["src", "alt", "width", "height", "border"]),
        ("table", &["width", "border", "cellpadding", "cellspacing", "bgcolor", "height", "summary"]),
        ("tr", &["bgcolor", "height"]),
        ("td", &["width", "height", "colspan", "rowspan", "bgcolor", "nowrap"]),
        ("th", &["width", "height", "colspan", "rowspan", "bgcolor", "nowrap", "scope"]),
        ("col", &["span", "width"]),
        ("colgroup", &["span", "width"]),
        ("font", &["color", "face", "size"]),
        ("hr", &["size", "width", "color", "noshade"]),
        ("ol", &["start", "type", "reversed"]),
        ("ul", &["type"]),
        ("li", &["value", "type"]),
        ("blockquote", &["type"]),
        ("time", &["datetime"]),
    ];
    let attributes: HashMap<&str, HashSet<&str>> =
        by_tag.into_iter().map(|(tag, names)| (tag, names.iter().copied().collect())).collect();
    let mut builder = ammonia::Builder::empty();
    builder
        .tags(KEPT.into_iter().collect())
        .clean_content_tags(HashSet::from(["script", "style"]))
        .generic_attributes(HashSet::from(generic))
        .tag_attributes(attributes)
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid", "data"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(filter);
    builder
}

fn filter<'v>(element: &str, attribute: &str, value: &'v str) -> Option<Cow<'v, str>> {
    match (element, attribute) {
        ("img", "src") => is_local_image(value).then_some(Cow::Borrowed(value)),
        (_, "href") => is_link(value).then_some(Cow::Borrowed(value)),
        (_, "style") => Some(style(value)).filter(|style| !style.is_empty()).map(Cow::Owned),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// A part of the mail, or an image inside the page in a format that cannot run or load anything (SVG can).
fn is_local_image(source: &str) -> bool {
    let source = source.trim().to_ascii_lowercase();
    let formats = ["png", "jpeg", "jpg", "gif", "webp", "bmp"];
    source.starts_with("cid:")
        || formats.iter().any(|format| {
            let data = source.strip_prefix("data:image/").and_then(|rest| rest.strip_prefix(format));
            data.is_some_and(|rest| rest.starts_with(';') || rest.starts_with(','))
        })
}

fn is_link(target: &str) -> bool {
    let target = target.trim().to_ascii_lowercase();
    ["http:", "https:", "mailto:", "tel:"].iter().any(|scheme| target.starts_with(scheme))
}

/// Properties that only change how text looks in its place.
const PROPERTIES: [&str; 22] = [
    "color",
    "background-color",
    "text-align",
    "text-decoration",
    "text-transform",
    "text-indent",
    "line-height",
    "letter-spacing",
    "white-space",
    "vertical-align",
    "direction",
    "width",
    "height",
    "max-width",
    "min-width",
    "display",
    "border-collapse",
    "border-spacing",
    "table-layout",
    "word-break",
    "word-wrap",
    "overflow-wrap",
];
const FAMILIES: [&str; 6] = ["font", "margin", "padding", "border", "list-style", "mso-list"];

/// The declarations of a style attribute that stay. A value that could load, run or hide something under a CSS escape
/// goes, and so does a negative margin, which draws one part of the page over another.
fn style(value: &str) -> String {
    let kept = value.split(';').filter(|declaration| is_kept(declaration)).map(str::trim);
    kept.collect::<Vec<_>>().join(";")
}

fn is_kept(declaration: &str) -> bool {
    let Some((property, value)) = declaration.split_once(':') else { return false };
    let property = property.trim().to_ascii_lowercase();
    let value = value.trim().to_ascii_lowercase();
    let family = FAMILIES.iter().any(|family| {
        property.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let known = PROPERTIES.contains(&property.as_str()) || family;
    let negative = property.starts_with("margin") || property == "text-indent";
    known && value.len() <= 200 && !(negative && value.contains('-')) && is_harmless(&value)
}

fn is_harmless(value: &str) -> bool {
    let words = ["url", "expression", "javascript", "import", "image", "behavior", "fixed", "var(", "attr("];
    !value.contains(['\\', '<', '>', '{', '}', '@', '&']) && !words.iter().any(|word| value.contains(word))
}

/// Points `cid:` sources elsewhere, in HTML that came out of [`apply`]: there a quote inside a value is written as a
/// reference, so these bytes are the head of a source and nothing else.
pub(super) fn rewrite_cids(cleaned: &str, locate: impl Fn(&str) -> Option<String>) -> String {
    const HEAD: &str = " src=\"";
    let mut out = String::with_capacity(cleaned.len());
    let mut rest = cleaned;
    while let Some(place) = rest.find(HEAD) {
        let (before, source) = (&rest[..place], &rest[place + HEAD.len()..]);
        let end = source.find('"').unwrap_or(source.len());
        out.push_str(before);
        out.push_str(&source_attribute(&source[..end], &locate));
        rest = source.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn source_attribute(source: &str, locate: impl Fn(&str) -> Option<String>) -> String {
    let source = source.trim();
    let Some(cid) = source.get(..4).filter(|head| head.eq_ignore_ascii_case("cid:")).map(|_| &source[4..])
    else {
        return format!(" src=\"{source}\"");
    };
    let cid = super::text::percent_decoded(&super::text::unescaped(cid));
    let found = locate(cid.trim().trim_start_matches('<').trim_end_matches('>'));
    found.map(|url| format!(" src=\"{}\"", super::text::escaped(&url))).unwrap_or_default()
}
