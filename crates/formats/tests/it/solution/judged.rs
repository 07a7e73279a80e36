//! What others say of our files.

use std::fs;
use std::path::Path;

use postroom_formats::solution::*;

use super::sample;

#[test]
fn dump() {
    for package in Package::ALL {
        let bytes = write(&sample::solution(*package), *package).unwrap();
        let folder = Path::new("/tmp/solution-out");
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(format!("{package}.zip")), bytes).unwrap();
    }
}
