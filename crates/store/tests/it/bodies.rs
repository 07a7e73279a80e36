//! Bodies of every size, kept once, and never handed on damaged.

use futures_util::FutureExt;
use postroom_core::BodyHash;
use postroom_store::body::{self, Body, CHUNK, Reader};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Store};

use crate::harness::{Lab, count, on_both};

on_both! {
    bodies_of_every_size_come_back,
    a_body_is_kept_once,
    a_missing_body_is_named,
    a_damaged_body_is_not_handed_on,
}

/// Bytes that do not compress: a linear congruential generator's upper bits.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 42_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

async fn put(store: &Store, bodies: Vec<Body>) {
    let unit = store.write("test.bodies", move |tx| async move { body::put(tx, bodies).await }.boxed());
    let written: Result<(), Error> = unit.await;
    written.expect("written");
}

async fn stream(store: &Store, hash: BodyHash) -> Result<Vec<Vec<u8>>, Error> {
    let mut reader = Reader::open(store, hash).await?;
    let mut pieces = Vec::new();
    while let Some(piece) = reader.next().await? {
        pieces.push(piece);
    }
    assert_eq!(reader.next().await?, None, "the end stays the end");
    Ok(pieces)
}

async fn bodies_of_every_size_come_back(lab: Lab) {
    let text = b"From: a@example.org\r\nSubject: the same words again and again\r\n\r\n";
    let bodies = [
        vec![],
        vec![7],
        noise(CHUNK - 1),
        noise(CHUNK),
        noise(CHUNK + 1),
        noise(CHUNK * 2),
        noise(5 * 1024 * 1024),
        text.repeat(100_000),
        vec![0; CHUNK * 3],
    ];
    let prepared: Vec<Body> = bodies.iter().map(|bytes| Body::prepare(bytes)).collect();
    assert!(prepared[6].stored_size() == prepared[6].size, "noise is kept as it is");
    assert!(prepared[7].stored_size() < prepared[7].size / 20, "text shrinks");
    let hashes: Vec<BodyHash> = prepared.iter().map(|body| body.hash).collect();
    put(&lab.store, prepared).await;
    assert!(
        body::get(&lab.store, hashes.clone()).await.expect("read") == bodies,
        "whole bodies are the same"
    );
    for (bytes, hash) in bodies.iter().zip(hashes) {
        let pieces = stream(&lab.store, hash).await.expect("read");
        assert!(pieces.iter().all(|piece| piece.len() <= CHUNK));
        assert!(pieces.concat() == *bytes, "a stream of {} bytes is the same", bytes.len());
        assert_eq!(Reader::open(&lab.store, hash).await.expect("there").size, bytes.len() as u64);
    }
}

async fn a_body_is_kept_once(lab: Lab) {
    let (small, large) = (Body::prepare(b"small"), Body::prepare(&noise(CHUNK * 2 + 5)));
    for _ in 0..3 {
        put(&lab.store, vec![small.clone(), large.clone(), small.clone()]).await;
    }
    assert_eq!((count(&lab.store, "body").await, count(&lab.store, "body_chunk").await), (2, 3));
}

async fn a_missing_body_is_named(lab: Lab) {
    let hash = BodyHash([1; 32]);
    assert!(
        matches!(body::get(&lab.store, vec![hash]).await, Err(Error::NoBody(text)) if text == hash.to_string())
    );
    assert!(matches!(Reader::open(&lab.store, hash).await.map(drop), Err(Error::NoBody(_))));
}

/// Changes the stored bytes of `hash` behind the store's back, then reads it both ways.
async fn check_damage(store: &Store, bytes: &[u8], table: &'static str, data: Option<Vec<u8>>) {
    let body = Body::prepare(bytes);
    let hash = body.hash;
    put(store, vec![body]).await;
    let unit = store.write("test.damage", move |tx| {
        async move {
            let by_hash = Expr::col("hash").eq(hash.0.to_vec());
            match data {
                Some(data) => {
                    let mut update = Query::update();
                    tx.execute(update.table(table).value("data", data).and_where(by_hash)).await
                }
                None => {
                    let mut delete = Query::delete();
                    delete.from_table(table).and_where(by_hash).and_where(Expr::col("seq").eq(1_i64));
                    tx.execute(&delete).await
                }
            }
        }
        .boxed()
    });
    let changed: Result<u64, Error> = unit.await;
    assert!(changed.expect("written") > 0);
    let whole = body::get(store, vec![hash]).await;
    assert!(matches!(whole, Err(Error::DamagedBody(_))), "{} bytes", bytes.len());
    let streamed = stream(store, hash).await;
    assert!(matches!(streamed, Err(Error::DamagedBody(_))), "{} bytes", bytes.len());
}

async fn a_damaged_body_is_not_handed_on(lab: Lab) {
    check_damage(&lab.store, b"what was said", "body", Some(b"what was sold".to_vec())).await;
    check_damage(&lab.store, &[b'x'; 1000], "body", Some(b"not zstd".to_vec())).await;
    check_damage(&lab.store, &noise(CHUNK * 2 + 1), "body_chunk", Some(vec![0; 10])).await;
    check_damage(&lab.store, &noise(CHUNK * 3), "body_chunk", None).await;
}
