//! Bodies that go: only those that nobody refers to, and none that was stored again.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::BodyHash;
use postroom_store::body::{self, Body};
use postroom_store::doomed::{self, Holder, Swept};
use postroom_store::{Error, Store, Tx};

use crate::harness::{Lab, count, on_both};

on_both!(
    what_nobody_holds_is_removed_with_its_pieces,
    what_somebody_holds_stays_and_leaves_the_list,
    what_is_stored_again_is_spared,
    a_body_stored_while_it_is_swept_is_there_afterwards,
);

/// Holds these.
struct Holds(Vec<BodyHash>);

impl Holder for Holds {
    fn held<'t>(
        &'t self,
        _: &'t mut Tx,
        among: &'t [BodyHash],
    ) -> BoxFuture<'t, Result<Vec<BodyHash>, Error>> {
        async move { Ok(self.0.iter().copied().filter(|hash| among.contains(hash)).collect()) }.boxed()
    }
}

async fn put(store: &Store, bytes: &[u8]) -> BodyHash {
    let body = Body::prepare(bytes);
    let hash = body.hash;
    store
        .write("test.put", move |tx| async move { body::put(tx, vec![body]).await }.boxed())
        .await
        .expect("the store works");
    hash
}

async fn doom(store: &Store, hash: BodyHash) {
    let unit = store.write("test.doom", move |tx| async move { doomed::doom(tx, &[hash]).await }.boxed());
    unit.await.expect("the store works");
}

async fn sweep(store: &Store, held: &[BodyHash]) -> Swept {
    let holder: Arc<dyn Holder> = Arc::new(Holds(held.to_vec()));
    doomed::sweep(store, &[holder]).await.expect("the store works")
}

async fn is_there(store: &Store, hash: BodyHash) -> bool {
    body::get(store, vec![hash]).await.is_ok()
}

async fn what_nobody_holds_is_removed_with_its_pieces(lab: Lab) {
    let large: Vec<u8> = (0..700_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let (gone, large, stays) =
        (put(&lab.store, b"one").await, put(&lab.store, &large).await, put(&lab.store, b"two").await);
    doom(&lab.store, gone).await;
    doom(&lab.store, large).await;
    assert_eq!(sweep(&lab.store, &[]).await, Swept { removed: 2, kept: 0 });
    assert!(!is_there(&lab.store, gone).await && !is_there(&lab.store, large).await);
    assert!(is_there(&lab.store, stays).await);
    assert_eq!(count(&lab.store, "body_chunk").await, 0);
    assert_eq!(sweep(&lab.store, &[]).await, Swept::default());
}

async fn what_somebody_holds_stays_and_leaves_the_list(lab: Lab) {
    let hash = put(&lab.store, b"shared").await;
    doom(&lab.store, hash).await;
    doom(&lab.store, hash).await; // by two who shared it
    assert_eq!(sweep(&lab.store, &[hash]).await, Swept { removed: 0, kept: 1 });
    assert_eq!(sweep(&lab.store, &[]).await, Swept::default());
    assert!(is_there(&lab.store, hash).await);
}

async fn what_is_stored_again_is_spared(lab: Lab) {
    let hash = put(&lab.store, b"again").await;
    doom(&lab.store, hash).await;
    put(&lab.store, b"again").await;
    assert_eq!(sweep(&lab.store, &[]).await, Swept::default());
    assert!(is_there(&lab.store, hash).await);
}

/// Whoever stores a body notes it in a table that the sweep's holder reads: in whatever order the two come, a body that is
/// noted is there.
async fn a_body_stored_while_it_is_swept_is_there_afterwards(lab: Lab) {
    struct Notes(BodyHash);
    impl Holder for Notes {
        fn held<'t>(
            &'t self,
            tx: &'t mut Tx,
            _: &'t [BodyHash],
        ) -> BoxFuture<'t, Result<Vec<BodyHash>, Error>> {
            async move {
                let select = postroom_store::sql::Query::select().column("id").from("note").to_owned();
                Ok(tx.query(&select).await?.iter().map(|_| self.0).collect())
            }
            .boxed()
        }
    }
    for turn in 0..60_i64 {
        let hash = put(&lab.store, b"contested").await;
        doom(&lab.store, hash).await;
        let store = lab.store.clone();
        let writer = tokio::spawn(async move {
            let body = Body::prepare(b"contested");
            let unit = store.write("test.put", move |tx| {
                async move {
                    body::put(tx, vec![body]).await?;
                    crate::harness::add_note(tx, turn).await
                }
                .boxed()
            });
            unit.await.map(drop)
        });
        let holder: Arc<dyn Holder> = Arc::new(Notes(hash));
        doomed::sweep(&lab.store, &[holder]).await.expect("the store works");
        writer.await.expect("no panic").expect("the store works");
        assert!(is_there(&lab.store, hash).await, "turn {turn}: a noted body is gone");
        // Nobody holds it in the next turn.
        let clear = postroom_store::sql::Query::delete().from_table("note").to_owned();
        let unit = lab
            .store
            .write("test.clear", move |tx| async move { tx.execute(&clear).await.map(drop) }.boxed());
        let cleared: Result<(), Error> = unit.await;
        cleared.expect("the store works");
    }
}
