//! The tree of XML elements: what it refuses, namespaces, canonical form.

use postroom_formats::xml::{Element, Error, Limits, canonical, read, write};
use proptest::prelude::*;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let limits = Limits { bytes: 5_000, nodes: 100, depth: 8 };
    let error = read(text, &limits).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_refused() {
    refused("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type definition");
    refused("<a>&x;</a>", "document type definition");
    refused("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type definition");
    refused(&"<a>".repeat(9), "more than 8 deep");
    refused(&format!("<a>{}</a>", "<b/>".repeat(200)), "more than 100 elements");
    refused(&" ".repeat(6_000), "larger than 5000");
    refused("<p:a/>", "prefix \"p\"");
    refused("<a p:b='1'/>", "prefix \"p\"");
    refused("<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='p:b'/>", "prefix \"p\"");
    refused("<a></b>", "not well formed");
    refused("<a>", "ends within an element");
    refused("<a/><b/>", "second element");
    refused("<a/>x", "text outside");
    refused("", "no element");
    refused("<a b='1' b='2'/>", "not well formed");
    refused("<a>&#0;</a>", "not well formed");
}

#[test]
fn prefixes_count_for_nothing() {
    let limits = Limits::default();
    let a = read("<p:a xmlns:p='urn:x'><p:b c='1'> t </p:b></p:a>", &limits).unwrap();
    let b =
        read("<a xmlns='urn:x'>\n <q:b xmlns:q='urn:x' c='1'><![CDATA[ t ]]></q:b>\n</a>", &limits).unwrap();
    assert_eq!(a, b);
    assert_ne!(a, read("<a xmlns='urn:y'><b c='1'> t </b></a>", &limits).unwrap());
}

#[test]
fn what_xml_cannot_hold_does_not_break_the_message() {
    let text = write(&Element::leaf("", "a", "x\u{1}\0y\r\n").attribute("b", "\u{b}\"\t\n"));
    assert_eq!(text, "<a b=\"\u{fffd}&quot;&#x9;&#xA;\">x\u{fffd}\u{fffd}y&#xD;\n</a>");
    assert_eq!(read(&text, &Limits::default()).unwrap().text, "x\u{fffd}\u{fffd}y\r\n");
}

/// The example of the recommendation's section 2.2, and what the headers of the service look like.
#[test]
fn exclusive_canonical_form() {
    let of =
        |text: &str, ns: &str, local: &str| canonical(text, ns, local, &Limits::default()).unwrap().unwrap();
    let text = "<n0:pdu xmlns:n0='http://a.example' xmlns:n1='http://b.example' xml:lang='fr'><n1:elem2 xmlns:n1='http://b.example' xml:lang='en'><n3:stuff xmlns:n3='ftp://c.example'/></n1:elem2></n0:pdu>";
    assert_eq!(
        of(text, "http://b.example", "elem2"),
        "<n1:elem2 xmlns:n1=\"http://b.example\" xml:lang=\"en\"><n3:stuff xmlns:n3=\"ftp://c.example\"></n3:stuff></n1:elem2>"
    );
    let text = "<s xmlns='urn:d' xmlns:u='urn:u'><u:Timestamp u:Id='_0' a='1'>\r\n<u:Created/><x b='&lt;\"'>&amp;&gt;</x><!-- c --></u:Timestamp></s>";
    assert_eq!(
        of(text, "urn:u", "Timestamp"),
        "<u:Timestamp xmlns:u=\"urn:u\" a=\"1\" u:Id=\"_0\">\n<u:Created></u:Created><x xmlns=\"urn:d\" b=\"&lt;&quot;\">&amp;&gt;</x></u:Timestamp>"
    );
    assert_eq!(canonical("<a/>", "", "b", &Limits::default()), Ok(None));
    assert_eq!(canonical("<!DOCTYPE a><a/>", "", "a", &Limits::default()), Err(Error::Dtd));
}

fn element() -> impl Strategy<Value = Element> {
    let ns = prop::sample::select(vec!["", "urn:a", "urn:b", "http://www.w3.org/2003/05/soap-envelope"]);
    let text = "[a-z<>&\"' \\r\\n\\t]{0,8}";
    let leaf = (ns, "[a-z]{1,4}", text, prop::option::of(text), 0..4u8).prop_map(
        |(ns, name, text, attribute, how)| {
            let leaf = Element::leaf(ns, name, text);
            let leaf = attribute.map_or(leaf.clone(), |value| leaf.attribute_in("urn:c", "v", value));
            match how {
                0 => leaf.plain(),
                1 => leaf.declare("urn:b"),
                2 => leaf.kind("urn:a", "t"),
                _ => leaf,
            }
        },
    );
    leaf.prop_recursive(4, 24, 4, |inner| {
        (inner.clone(), prop::collection::vec(inner, 1..4)).prop_map(|(mut at, children)| {
            at.text = String::new();
            at.with_all(children)
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_as_it_was(element in element()) {
        prop_assert_eq!(read(&write(&element), &Limits::default()), Ok(element));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(<|>|</|/>|a|b|:|xmlns|=|'|\"| |&|;|#|x|!|\\[CDATA\\[|\\]\\]>|<\\?|\\?>|--|\\PC){0,40}") {
        let _ = (read(&text, &Limits::default()), canonical(&text, "", "a", &Limits::default()));
    }
}
