//! A full disk: callers are told, nothing that was acknowledged is lost, and the store goes on once there is room.
//!
//! The test runs again in a mount namespace of its own, with a small file system that ends with it.

use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::FutureExt;
use postroom_core::BodyHash;
use postroom_store::body::{self, Body, CHUNK};
use postroom_store::{Error, Store};
use tokio::task::JoinSet;

use crate::harness::{note, notes_in, open, sqlite_url};

const FOLDER: &str = "POSTROOM_TEST_SMALL_DISK";

#[test]
fn a_full_disk_is_survived() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("a test program knows itself");
    let mut command = Command::new("unshare");
    // Root of a user namespace may mount; so nobody has to be root of the machine.
    command.args(["--user", "--map-root-user", "--mount"]).arg(program);
    command.args(["full::on_a_small_disk", "--exact", "--nocapture"]).env(FOLDER, folder.path());
    let output = command.stdin(Stdio::null()).output().expect("unshare can be started: install util-linux");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "on the small disk:\n{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("1 passed"), "the inner test ran");
}

/// Not a test by itself: the inner half of the one above. Without the variable there is no small disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_disk() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder).status();
    assert!(mount.is_ok_and(|status| status.success()), "a user namespace may mount tmpfs");
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 1_500_000]).expect("there is room for it");
    let store = open(&sqlite_url(&folder.join("store.db"))).await;
    let kept = fill(&store).await;
    let told = crowd(&store).await;
    std::fs::remove_file(ballast).expect("it is there");
    note(&store, 1_000_000).await.expect("there is room again");
    put(&store, 1_000_000).await.expect("for bodies too");
    body::get(&store, kept.clone()).await.expect("what was acknowledged is there, and whole");
    assert!(kept.len() > 1);
    let notes = notes_in(&store).await;
    assert!(told.iter().all(|id| notes.contains(id)), "acknowledged notes are there");
}

async fn put(store: &Store, seed: u64) -> Result<BodyHash, Error> {
    let mut state = seed;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(CHUNK / 2)
    .collect();
    let body = Body::prepare(&noise);
    let hash = body.hash;
    let unit = store.write("test.body", move |tx| async move { body::put(tx, vec![body]).await }.boxed());
    unit.await.map(|()| hash)
}

/// Writes bodies until the disk is full.
async fn fill(store: &Store) -> Vec<BodyHash> {
    let mut kept = Vec::new();
    for seed in 1..100 {
        match put(store, seed).await {
            Ok(hash) => kept.push(hash),
            Err(Error::Full) => return kept,
            Err(other) => panic!("a full disk said {other}"),
        }
    }
    panic!("4 MiB hold no 100 bodies");
}

/// Many writers at once on the full disk: small notes among bodies. Answers the notes that were acknowledged.
async fn crowd(store: &Store) -> Vec<i64> {
    let mut writers = JoinSet::new();
    for id in 0..200_i64 {
        let store = store.clone();
        writers.spawn(async move {
            let written = match id % 4 {
                0 => put(&store, 1_000 + id as u64).await.map(|_| None),
                _ => note(&store, id).await.map(|()| Some(id)),
            };
            match written {
                Ok(told) => told,
                Err(Error::Full) => None,
                Err(other) => panic!("a full disk said {other}"),
            }
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}
