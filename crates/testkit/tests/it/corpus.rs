//! Every fuzz corpus is replayed through the fuzzer's own entry points, so that a crash once found stays found.

#[path = "../../../../fuzz/src/formats.rs"]
mod formats;

use std::path::Path;

#[test]
fn every_corpus_is_read_without_a_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in formats::TARGETS {
        let folder = root.join(target);
        let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{target} has no seed");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            let ended = std::panic::catch_unwind(|| run(&data));
            assert!(ended.is_ok(), "{} makes {target} panic", file.display());
        }
    }
}
