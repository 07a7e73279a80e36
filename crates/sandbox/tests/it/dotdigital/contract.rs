//! The list of operations beside the vendor's OpenAPI file: nothing is answered that the file does not know, and what it knows
//! besides is left out on purpose.

use std::collections::BTreeSet;
use std::path::Path;

use postroom_sandbox::dotdigital::Dotdigital;
use serde_json::Value;

/// What no connector needs, or what is not played (see the module comment of the stand-in).
const LEFT_OUT: &[&str] = &[
    "/cpaas/",
    "/data-firehose/",
    "/events/",
    "/insightData/",
    "/v2/accounts",
    "/v2/document-folders",
    "/v2/ecommerce/",
    "/v2/image-folders",
    "/v2/products/",
    "/v2/sms",
    "/v2/templates",
    "/v2/transactional-data",
];

/// Operations of paths that are played.
const LEFT_OUT_INSIDE: &[&str] = &["/attachments", "/transactional-data"];

pub fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dotdigital-openapi"))
}

/// `{}` for each capture.
fn plain(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn documented() -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(folder().join("openapi.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let methods = ["get", "post", "put", "patch", "delete"];
    let mut all = BTreeSet::new();
    for (path, item) in file["paths"].as_object().unwrap() {
        let found = methods.iter().filter(|method| item.get(method).is_some());
        all.extend(found.map(|method| (method.to_uppercase(), plain(path))));
    }
    all
}

#[test]
fn every_operation_is_played_or_left_out_on_purpose() {
    let played: BTreeSet<_> =
        Dotdigital::operations().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    let documented = documented();
    let invented: Vec<_> = played.difference(&documented).collect();
    assert!(invented.is_empty(), "the file does not know {invented:?}");
    let left_out = |path: &str| {
        LEFT_OUT.iter().any(|start| path.starts_with(start))
            || LEFT_OUT_INSIDE.iter().any(|part| path.contains(part))
    };
    let missing: Vec<_> = documented.difference(&played).filter(|(_, path)| !left_out(path)).collect();
    assert!(missing.is_empty(), "nobody answers {missing:?}");
}
