//! Cleaning of hostile HTML, text to HTML and back, and the cost of hostile shapes.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure is the test's")]

use std::time::{Duration, Instant};

use postroom_formats::html::{clean, clean_with, from_text, to_text};
use proptest::prelude::*;

#[track_caller]
fn check(html: &str, expected: &str) {
    assert_eq!(clean(html), expected, "{html}");
}

#[test]
fn honest_html_stays() {
    check("<p>Hello <b>World</b> &amp; all</p>", "<p>Hello <b>World</b> &amp; all</p>");
    check(
        "<table border=1><tbody><tr><td colspan=2>x</td></tr></tbody></table>",
        "<table border=\"1\"><tbody><tr><td colspan=\"2\">x</td></tr></tbody></table>",
    );
    check("<html><head><title>t</title></head><body>x</body></html>", "x");
    check("<p style=\"color: red; font-size:12pt\">x</p>", "<p style=\"color: red;font-size:12pt\">x</p>");
    check("<o:p>Word</o:p><![if !x]>y<![endif]>", "Wordy");
}

#[test]
fn nothing_runs() {
    check("a<script>alert(1)</script>b", "ab");
    check("a<scr<script>ipt>alert(1)</script>b", "aipt&gt;alert(1)b");
    check("<p onclick=\"x()\" onmouseover=y>z</p>", "<p>z</p>");
    check("<svg><script>alert(1)</script></svg>x", "x");
    check("<math><mi xlink:href=\"javascript:x\">y</mi></math>", "y");
    check("<a href=\"javascript:alert(1)\">x</a>", "<a target=\"_blank\" rel=\"noopener noreferrer\">x</a>");
    check(
        "<a href=\" &#106;avascript:alert(1)\">x</a>",
        "<a target=\"_blank\" rel=\"noopener noreferrer\">x</a>",
    );
    check("<a href=\"data:text/html,x\">x</a>", "<a rel=\"noopener noreferrer\" target=\"_blank\">x</a>");
    check("<iframe src=\"https://x.example\">y</iframe>z", "z");
    check("<form action=\"https://x.example\">a<input value=b><button>c</button></form>", "ac<br>");
    check("<meta http-equiv=refresh content=0><base href=//x.example><link rel=stylesheet href=y>z", "z");
    check(
        "<!-- <p> --><noscript><p title=\"</noscript><img src=x onerror=y>\">z</noscript>",
        "<p title=\"&lt;/noscript&gt;&lt;img src=x onerror=y&gt;\">z</p>",
    );
}

#[test]
fn nothing_is_loaded() {
    check("<img src=\"https://x.example/p.gif\" alt=\"Logo\">", "<img alt=\"Logo\">");
    check("<img src=\"//x.example/p.gif\" srcset=\"https://x.example 2x\">", "<img>");
    check("<img src=\"cid:part1@x.example\">", "<img src=\"cid:part1@x.example\">");
    check("<img src=\"data:image/png;base64,AAAA\">", "<img src=\"data:image/png;base64,AAAA\">");
    check("<img src=\"data:image/svg+xml;base64,AAAA\">", "<img>");
    check("<td background=\"https://x.example/p.gif\">x</td>", " x");
    check(
        "<p style=\"background:url(https://x.example/p.gif);color:red\">x</p>",
        "<p style=\"color:red\">x</p>",
    );
    check("<p style=\"border-image: u\\72l(x)\">x</p>", "<p>x</p>");
    check("<style>@import url(x);</style>y", "y");
    check("<video src=x poster=y>z</video>", "z");
}

#[test]
fn nothing_is_drawn_over_the_page() {
    check(
        "<div style=\"position:fixed;top:0;z-index:9;width:100%\">x</div>",
        "<div style=\"width:100%\">x</div>",
    );
    check(
        "<div style=\"margin-top:-500px;margin-left:4px\">x</div>",
        "<div style=\"margin-left:4px\">x</div>",
    );
    check("<div style=\"width:expression(alert(1))\">x</div>", "<div>x</div>");
}

#[test]
fn links_open_apart() {
    check(
        "<a href=\"https://x.example/?a=1&amp;b=2\">x</a>",
        "<a href=\"https://x.example/?a=1&amp;b=2\" target=\"_blank\" rel=\"noopener noreferrer\">x</a>",
    );
    check(
        "<a href=\"mailto:a@x.example\" target=\"_top\" rel=\"opener\">x</a>",
        "<a href=\"mailto:a@x.example\" target=\"_blank\" rel=\"noopener noreferrer\">x</a>",
    );
}

#[test]
fn cids_are_pointed_elsewhere() {
    let locate = |cid: &str| (cid == "a b@x.example").then(|| "/part?a=\"1\"&b".to_owned());
    let html = "<img alt=\"one\" src=\"CID:a%20b@x.example\"><img src=cid:none alt=two><p title=' src=\"cid:no\"'>x</p>";
    assert_eq!(
        clean_with(html, locate),
        "<img alt=\"one\" src=\"/part?a=&quot;1&quot;&amp;b\"><img alt=\"two\"><p title=\" src=&quot;cid:no&quot;\">x</p>"
    );
}

#[test]
fn text_as_html() {
    assert_eq!(
        from_text("a <b> & \"c\"\nd\n\n\ne"),
        "<p>a &lt;b&gt; &amp; &quot;c&quot;<br>\nd</p>\n<p>e</p>\n"
    );
    assert_eq!(from_text("  x  y\r\n"), "<p>&nbsp;&nbsp;x &nbsp;y</p>\n");
    assert_eq!(from_text("see https://x.example"), "<p>see https://x.example</p>\n");
    assert_eq!(from_text(""), "");
}

#[test]
fn html_as_text() {
    assert_eq!(to_text("<p>Hello <b>World</b></p><p>a &amp; b</p>"), "Hello World\n\na & b");
    assert_eq!(to_text("<style>p{}</style><div>a</div><div>b<br>c</div>"), "a\nb\nc");
    assert_eq!(to_text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"), "a b\nc");
    assert_eq!(to_text("<a href=\"https://x.example\">link</a> <img src=x alt=Logo>"), "link [Logo]");
    assert_eq!(to_text(""), "");
}

/// Runs in a thread with a small stack: recursion on the input's depth would overflow it.
fn on_small_stack(work: impl FnOnce() + Send + 'static) -> Duration {
    let start = Instant::now();
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(work).unwrap().join().unwrap();
    start.elapsed()
}

/// Both ways of reading, on a shape that is hostile to parsers. The limit is generous for a busy machine and a debug
/// build; work that is quadratic in the input takes hours.
#[track_caller]
fn stays_flat(html: String) {
    let took = on_small_stack(move || {
        let cleaned = clean(&html);
        assert!(cleaned.len() <= html.len() * 8 + 100_000, "{} out of {}", cleaned.len(), html.len());
        assert!(to_text(&html).len() <= 1024 * 1024);
    });
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn hostile_shapes_cost_no_more_than_their_size() {
    stays_flat("<div>".repeat(1_000_000));
    stays_flat("<div>".repeat(100_000) + "x" + &"</div>".repeat(100_000));
    stays_flat("<b><div></b>".repeat(50_000));
    stays_flat("<div><table><tr><td></div>".repeat(50_000));
    stays_flat("<table><td>x".repeat(50_000));
    stays_flat((0..50_000).map(|n| format!("<p><font size={n}>x</p>")).collect());
    stays_flat(format!("<p {}>", (0..200_000).map(|n| format!("a{n} ")).collect::<String>()));
    stays_flat("<a href=x>".repeat(100_000));
    stays_flat("</p></br>".repeat(100_000));
    stays_flat("<!--".repeat(500_000));
    stays_flat("<script>".repeat(200_000));
    stays_flat("<".repeat(1_000_000));
    stays_flat("<blockquote><ul><li>".repeat(50_000));
    stays_flat("<svg><style><title><textarea>".repeat(50_000));
}

#[test]
fn long_honest_mail_keeps_its_shape() {
    let html: String =
        (0..5_000).map(|n| format!("<p>Line {n} <font size=\"2\">of</font> many</p>\n")).collect();
    assert_eq!(clean(&html), html);
    assert_eq!(to_text(&html).matches("Line").count(), 5_000);
}

fn fragment() -> impl Strategy<Value = String> {
    let pieces = [
        "<",
        ">",
        "\"",
        "'",
        "=",
        "/",
        "<b>",
        "</b>",
        "<p>",
        "</p>",
        "<table>",
        "<tr><td>",
        "</table>",
        "<script>",
        "</script>",
        "<style>",
        "<img src=",
        "https://x",
        "cid:y",
        "javascript:z",
        " onerror=",
        "<!--",
        "-->",
        "<svg>",
        "<math>",
        "<![CDATA[",
        "<a href=",
        "&lt;",
        "&#60;",
        "<textarea>",
        "</textarea>",
        "<noscript>",
        "\0",
        "é",
        "x",
        " style=\"",
        "url(",
        "<template>",
        "<select>",
        "<plaintext>",
        "<iframe>",
        "<form>",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat())
}

/// The tags of cleaned HTML, one after another: text may say whatever it likes.
fn tags(html: &str) -> String {
    let (mut tags, mut inside, mut quoted) = (String::new(), false, false);
    for sign in html.chars() {
        inside |= sign == '<';
        quoted ^= inside && sign == '"';
        if inside {
            tags.push(sign);
        }
        inside &= quoted || sign != '>';
    }
    tags
}

#[test]
fn text_that_looks_like_a_tag_is_none() {
    let cleaned = clean("<textarea><img src=\"https://x");
    assert_eq!(tags(&cleaned), "", "{cleaned}");
    assert!(tags("<p>a<img src=\"https://x>\" alt=\"\">b</p>").contains("src=\"http"));
}

proptest! {
    #[test]
    fn cleaned_html_is_clean(html in fragment()) {
        let cleaned = clean(&html);
        let lower = cleaned.to_lowercase();
        // In text a `<` is escaped, so these can only be tags.
        for tag in ["<script", "<style", "<iframe", "<form", "<svg", "<object", "<meta", "<link", "<base"] {
            let outside: String = lower.split('"').step_by(2).collect();
            prop_assert!(!outside.contains(tag), "{tag} in {cleaned}");
        }
        let tags = tags(&lower);
        prop_assert!(!tags.contains("src=\"http"), "{cleaned}");
        prop_assert!(!tags.contains("href=\"javascript"), "{cleaned}");
        // Cleaning settles: a link that lost its target in the first pass goes in the second, and that is all.
        let twice = clean(&cleaned);
        prop_assert_eq!(clean(&twice), twice);
    }

    #[test]
    fn nothing_panics(html in any::<String>(), text in fragment()) {
        clean_with(&html, |_| None);
        to_text(&html);
        to_text(&text);
        from_text(&html);
    }

    #[test]
    fn text_survives_the_round_trip(text in "[a-z<>&\"' ]{0,40}(\n[a-z]{1,9}){0,3}") {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let back = to_text(&clean(&from_text(&text))).replace('\u{a0}', " ");
        prop_assert_eq!(words(&back), words(&text));
    }
}
