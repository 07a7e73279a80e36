//! A database as the first command of the binary leaves it, made once in this process and copied for every house: what the
//! first start does is shown where that is the matter (`crash::points`, `config`).
//!
//! Not for a house whose CRM is outside: nothing of the embedded CRM is in its database.

use std::fs;
use std::path::Path;

use postroom_testkit::database::Template;

use crate::Place;
use crate::house::wait_for;
use crate::sending::bench;

static INSTALLED: Template = Template::new();

/// A new file with this name.
pub fn sqlite(file: &Path) {
    let copy = wait_for(INSTALLED.sqlite(install));
    fs::copy(copy.path(), file).expect("a file can be copied");
}

/// The URL of a new database in the process's own cluster.
pub fn postgres() -> String {
    wait_for(INSTALLED.postgres(install)).url
}

async fn install(url: String) {
    Place::with(&format!("[storage]\nurl = \"{url}\"\n")).run(&["verify"]).exits(0);
    // A command leaves its write-ahead log behind; who opens and closes the file puts it away.
    drop(bench::open(&url).await);
}
