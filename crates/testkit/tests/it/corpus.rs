//! Every fuzz corpus is replayed through the fuzzer's own entry points, so that a crash once found stays found; and each of its
//! files is changed some hundred times, the same way each time, for those who have no fuzzer.

#[path = "../../../../fuzz/src/formats.rs"]
mod formats;

use std::path::{Path, PathBuf};

/// Changed copies of each file.
const CHANGED: u64 = 200;
/// Longer files are changed in their beginning only.
const LONGEST: usize = 20_000;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seed");
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn every_corpus_is_read_without_a_panic() {
    for (target, run) in formats::TARGETS {
        for (file, data) in corpus(target) {
            let ended = std::panic::catch_unwind(|| run(&data));
            assert!(ended.is_ok(), "{} makes {target} panic", file.display());
        }
    }
}

#[test]
fn changed_files_are_read_without_a_panic() {
    for (target, run) in formats::TARGETS {
        let files = corpus(target);
        for (number, (file, data)) in files.iter().enumerate() {
            for seed in 0..CHANGED {
                let other = &files[(number + seed as usize) % files.len()].1;
                let changed = change(data, other, (seed << 8) | number as u64);
                let ended = std::panic::catch_unwind(|| run(&changed));
                let shown = String::from_utf8_lossy(&changed);
                assert!(
                    ended.is_ok(),
                    "{} changed by {seed} makes {target} panic: {shown:?}",
                    file.display()
                );
            }
        }
    }
}

/// Bytes that mean something in one of the formats.
const SIGNS: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n\n",
    b"<",
    b">",
    b"</",
    b"/>",
    b"&#0;",
    b"&amp;",
    b"\"",
    b"'",
    b"''",
    b"(",
    b")",
    b"[",
    b"]",
    b"%00",
    b"%27",
    b"=?utf-8?Q?",
    b"\xff\xfe",
    b"\xc3",
    b"\x80\x80\x80\x80",
    b"\xff\xff\xff\xff",
    b"--",
    b"$",
    b"@",
    b"nil=\"true\"",
    b"xmlns=\"\"",
    b"99999999999999999999",
    b"-1",
    b"1e999",
    b" or ",
    b" and ",
    b"not ",
    b"<!DOCTYPE",
    b"<![CDATA[",
    b"]]>",
];

/// A few changes, told by the seed alone.
fn change(data: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut data = data[..data.len().min(LONGEST)].to_vec();
    for _ in 0..1 + chance.below(5) {
        let at = chance.below(data.len() + 1);
        let end = (at + chance.below(40)).min(data.len());
        match chance.below(8) {
            0 => data.truncate(at),
            1 if at < data.len() => data[at] = chance.below(256) as u8,
            2 => drop(data.drain(at..end)),
            3 => drop(data.splice(at..at, data[at..end].to_vec().repeat(1 + chance.below(6)))),
            4 | 5 => drop(data.splice(at..at, SIGNS[chance.below(SIGNS.len())].iter().copied())),
            6 if at < data.len() => data[at] ^= 1 << chance.below(8),
            _ => {
                let from = chance.below(other.len() + 1);
                let piece = other[from..(from + chance.below(120)).min(other.len())].to_vec();
                drop(data.splice(at..end, piece));
            }
        }
    }
    data
}

/// Numbers that look like chance (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}
