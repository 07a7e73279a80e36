//! The fuzz corpora of the parsers that the mail and the tracking crates have, replayed through the fuzzer's own entry points;
//! each file is cut at each of its bytes, too.

#[path = "../../../../fuzz/src/rules.rs"]
mod rules;

use std::path::Path;

/// What the fuzzer calls with its bytes.
type Entry = fn(&[u8]);

/// The targets by name: how a corpus folder finds its function.
const TARGETS: &[(&str, Entry)] = &[("smtp", rules::smtp), ("imap", rules::imap), ("token", rules::token)];

#[test]
fn every_corpus_is_read_without_a_panic() {
    for (target, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let mut read = 0;
        for entry in folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let data =
                std::fs::read(entry.expect("a folder can be listed").path()).expect("a seed can be read");
            for end in 0..=data.len() {
                run(&data[..end]);
            }
            read += 1;
        }
        assert!(read > 0, "{target} has no seed");
    }
}
