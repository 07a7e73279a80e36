//! Style, script and icon, inside the binary. Their names carry a hash of all of them, so a browser may keep them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

const FILES: [(&str, &str, &[u8]); 4] = [
    ("postroom.css", "text/css; charset=utf-8", include_bytes!("../../static/postroom.css")),
    ("postroom.js", "text/javascript; charset=utf-8", include_bytes!("../../static/postroom.js")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_bytes!("../../static/htmx.min.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg")),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|(_, _, bytes)| hash.update(bytes));
    hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
});

/// What stands before each name: `1a2b3c4d5e6f-`.
pub(super) fn version() -> String {
    format!("/assets/{}-", *VERSION)
}

pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let bare = name.strip_prefix(VERSION.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let found = bare.and_then(|bare| FILES.iter().find(|(known, ..)| *known == bare));
    let (_, kind, bytes) = found.ok_or_else(|| Problem::not_found("no such file"))?;
    let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, *bytes).into_response())
}
