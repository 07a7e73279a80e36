//! Bodies: content-addressed, compressed where it helps, kept once.
//!
//! A body of one chunk stands in its own row; a larger one has its chunks in `body_chunk`, so that it can be written and
//! read in pieces. Hashing and compressing happen in [`Body::prepare`], outside any transaction.

use std::cell::RefCell;

use bytes::Bytes;
use futures_util::FutureExt;
use postroom_core::BodyHash;
use sea_query::{ColumnDef, Expr, ExprTrait, Index, Query, SelectStatement, Table};
use sha2::{Digest, Sha256};
use zstd::bulk::{Compressor, Decompressor};

use crate::migrate::{Ddl, Migration};
use crate::{Error, Insert, Row, Store, Tx, doomed};

/// The piece in which a large body is compressed, kept and read.
pub const CHUNK: usize = 256 * 1024;
/// zstd's quickest ordinary level: mail is written once and seldom read.
const LEVEL: i32 = 1;
/// Compression must win at least a tenth, or the bytes are kept as they are.
const WORTH: usize = 10;

const PLAIN: i64 = 0;
const ZSTD: i64 = 1;

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { area: "store", number: 1, name: "bodies and counters", statements: tables },
    doomed::MIGRATION,
];

fn tables() -> Vec<Ddl> {
    let bodies = Table::create()
        .table("body")
        .col(ColumnDef::new("hash").binary().not_null().primary_key())
        .col(ColumnDef::new("size").big_integer().not_null())
        .col(ColumnDef::new("chunks").big_integer().not_null())
        .col(ColumnDef::new("codec").big_integer().not_null())
        .col(ColumnDef::new("data").binary())
        .to_owned();
    let chunks = Table::create()
        .table("body_chunk")
        .col(ColumnDef::new("hash").binary().not_null())
        .col(ColumnDef::new("seq").big_integer().not_null())
        .col(ColumnDef::new("codec").big_integer().not_null())
        .col(ColumnDef::new("data").binary().not_null())
        .to_owned();
    let chunk_key =
        Index::create().name("body_chunk_key").table("body_chunk").col("hash").col("seq").unique().to_owned();
    let counters = Table::create()
        .table("counter")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("value").big_integer().not_null())
        .to_owned();
    vec![
        Ddl::CreateTable(bodies),
        Ddl::CreateTable(chunks),
        Ddl::CreateIndex(chunk_key),
        Ddl::CreateTable(counters),
    ]
}

/// A body ready to be written.
#[derive(Debug, Clone)]
pub struct Body {
    pub hash: BodyHash,
    /// Bytes before compression.
    pub size: u64,
    chunks: Vec<(i64, Vec<u8>)>,
}

impl Body {
    /// Hashes and compresses; costs CPU, so call it outside the store.
    pub fn prepare(bytes: &[u8]) -> Body {
        let hash = BodyHash(Sha256::digest(bytes).into());
        let chunks = match bytes.is_empty() {
            true => vec![(PLAIN, Vec::new())],
            false => bytes.chunks(CHUNK).map(compress).collect(),
        };
        Body { hash, size: bytes.len() as u64, chunks }
    }

    /// Bytes it will take in the database.
    pub fn stored_size(&self) -> u64 {
        self.chunks.iter().map(|(_, data)| data.len() as u64).sum()
    }
}

thread_local! {
    // Their tables are larger than most mails: made once a thread, not once a mail.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(LEVEL).expect("zstd has this level"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("zstd needs only memory for this"));
}

fn compress(chunk: &[u8]) -> (i64, Vec<u8>) {
    if !promises(chunk) {
        return (PLAIN, chunk.to_vec());
    }
    match COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(chunk)) {
        Ok(small) if small.len() + chunk.len() / WORTH < chunk.len() => (ZSTD, small),
        _ => (PLAIN, chunk.to_vec()),
    }
}

/// Whether a large piece is worth compressing, by a sample from its middle. Attachments in base64 are not: a quarter less
/// to write costs more than writing it.
fn promises(chunk: &[u8]) -> bool {
    const LARGE: usize = 32 * 1024;
    const SAMPLE: usize = 4 * 1024;
    if chunk.len() < LARGE {
        return true;
    }
    let sample = &chunk[(chunk.len() - SAMPLE) / 2..][..SAMPLE];
    let small = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(sample));
    small.is_ok_and(|small| small.len() < SAMPLE * 2 / 3)
}

/// A piece as it was; `room` is the most bytes it can have.
fn expand(codec: i64, data: Vec<u8>, room: u64, hash: BodyHash) -> Result<Vec<u8>, Error> {
    let room = usize::try_from(room).unwrap_or(CHUNK).min(CHUNK);
    match codec {
        ZSTD => DECOMPRESSOR
            .with_borrow_mut(|decompressor| decompressor.decompress(&data, room))
            .map_err(|_| Error::DamagedBody(hash.to_string())),
        _ => Ok(data),
    }
}

/// Writes bodies; those that are there already cost a look, and are not removed by a sweep under way ([`doomed`]).
pub async fn put(tx: &mut Tx, bodies: Vec<Body>) -> Result<(), Error> {
    let hashes: Vec<BodyHash> = bodies.iter().map(|body| body.hash).collect();
    let mut rows = Insert::into("body", &["hash", "size", "chunks", "codec", "data"]).or_skip();
    let mut pieces = Insert::into("body_chunk", &["hash", "seq", "codec", "data"]).or_skip();
    for body in bodies {
        let hash = || body.hash.0.to_vec().into();
        let count = body.chunks.len() as i64;
        if count == 1 {
            let (codec, data) = body.chunks.into_iter().next().expect("counted above");
            rows.row([hash(), (body.size as i64).into(), count.into(), codec.into(), data.into()]);
            continue;
        }
        rows.row([
            hash(),
            (body.size as i64).into(),
            count.into(),
            PLAIN.into(),
            Option::<Vec<u8>>::None.into(),
        ]);
        for (seq, (codec, data)) in body.chunks.into_iter().enumerate() {
            pieces.row([hash(), (seq as i64).into(), codec.into(), data.into()]);
        }
    }
    let fresh = tx.insert(&rows).await?;
    tx.insert(&pieces).await?;
    if fresh == hashes.len() as u64 {
        return Ok(());
    }
    let there = doomed::spare(tx, &hashes).await?;
    if hashes.iter().any(|hash| !there.contains(hash)) {
        // A sweep removed it between the insert that skipped it and the lock.
        tx.insert(&rows).await?;
        tx.insert(&pieces).await?;
    }
    Ok(())
}

/// Reads many small bodies and few large ones in one unit. Missing ones are an error.
pub async fn get(store: &Store, hashes: Vec<BodyHash>) -> Result<Vec<Vec<u8>>, Error> {
    let rows = store
        .read(move |tx| {
            async move {
                let mut found = Vec::with_capacity(hashes.len());
                for hash in hashes {
                    found.push((hash, whole(tx, hash).await?));
                }
                Ok::<_, Error>(found)
            }
            .boxed()
        })
        .await?;
    rows.into_iter().map(|(hash, pieces)| join(hash, pieces)).collect()
}

/// Like [`get`], for who reads bodies that came in a moment ago: those still at hand ([`Store::at_hand`]) cost nothing.
pub async fn take(store: &Store, hashes: Vec<BodyHash>) -> Result<Vec<Bytes>, Error> {
    let mut found: Vec<Option<Bytes>> = hashes.iter().map(|hash| store.recent().take(*hash)).collect();
    let missing: Vec<BodyHash> =
        hashes.into_iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(hash, _)| hash).collect();
    if missing.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let mut read = get(store, missing).await?.into_iter();
    for empty in found.iter_mut().filter(|found| found.is_none()) {
        *empty = read.next().map(Bytes::from);
    }
    Ok(found.into_iter().flatten().collect())
}

/// A body that is not what its address says is never handed on as if it were.
fn check(hash: BodyHash, digest: [u8; 32]) -> Result<(), Error> {
    match digest == hash.0 {
        true => Ok(()),
        false => Err(Error::DamagedBody(hash.to_string())),
    }
}

/// Reads one body piece by piece, without ever holding all of it. Damage of any piece shows at the last one at the latest.
pub struct Reader {
    store: Store,
    hash: BodyHash,
    next: i64,
    chunks: i64,
    first: Option<Vec<u8>>,
    hasher: Sha256,
    pub size: u64,
}

impl Reader {
    pub async fn open(store: &Store, hash: BodyHash) -> Result<Reader, Error> {
        let row = store.read(move |tx| async move { tx.query_one(&select_body(hash)).await }.boxed()).await?;
        let row = row.ok_or_else(|| Error::NoBody(hash.to_string()))?;
        let (size, chunks) = (row.at(0)?, row.at(1)?);
        let first = match row.at::<Option<Vec<u8>>>(3)? {
            Some(data) => Some(expand(row.at(2)?, data, size, hash)?),
            None => None,
        };
        Ok(Reader { store: store.clone(), hash, next: 0, chunks, first, hasher: Sha256::new(), size })
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.next == self.chunks {
            return Ok(None);
        }
        let piece = self.piece().await?;
        self.next += 1;
        self.hasher.update(&piece);
        if self.next == self.chunks {
            check(self.hash, self.hasher.finalize_reset().into())?;
        }
        Ok(Some(piece))
    }

    async fn piece(&mut self) -> Result<Vec<u8>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let (hash, seq) = (self.hash, self.next);
        let mut select = select_chunks(hash);
        select.and_where(Expr::col("seq").eq(seq));
        let row = self.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await?;
        let row = row.ok_or_else(|| Error::DamagedBody(hash.to_string()))?;
        expand(row.at(0)?, row.at(1)?, self.size, hash)
    }
}

/// A body's pieces as they are kept: codec and bytes.
struct Pieces {
    size: u64,
    pieces: Vec<(i64, Vec<u8>)>,
}

async fn whole(tx: &mut Tx, hash: BodyHash) -> Result<Pieces, Error> {
    let row = tx.query_one(&select_body(hash)).await?.ok_or_else(|| Error::NoBody(hash.to_string()))?;
    let size = row.at(0)?;
    if let Some(data) = row.at::<Option<Vec<u8>>>(3)? {
        return Ok(Pieces { size, pieces: vec![(row.at(2)?, data)] });
    }
    let piece = |row: &Row| Ok((row.at(0)?, row.at(1)?));
    let pieces = tx.query(&select_chunks(hash)).await?.iter().map(piece).collect::<Result<_, Error>>()?;
    Ok(Pieces { size, pieces })
}

fn join(hash: BodyHash, body: Pieces) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for (codec, data) in body.pieces {
        let piece = expand(codec, data, body.size, hash)?;
        match bytes.is_empty() {
            true => {
                bytes = piece;
                // The size is what a row says; a damaged one must not ask for all memory.
                let rest = usize::try_from(body.size).unwrap_or(0).saturating_sub(bytes.len());
                bytes.reserve_exact(rest.min(512 * CHUNK));
            }
            false => bytes.extend(piece),
        }
    }
    check(hash, Sha256::digest(&bytes).into())?;
    Ok(bytes)
}

fn select_body(hash: BodyHash) -> SelectStatement {
    let by_hash = Expr::col("hash").eq(hash.0.to_vec());
    Query::select().columns(["size", "chunks", "codec", "data"]).from("body").and_where(by_hash).to_owned()
}

fn select_chunks(hash: BodyHash) -> SelectStatement {
    let by_hash = Expr::col("hash").eq(hash.0.to_vec());
    let mut select = Query::select();
    select
        .columns(["codec", "data"])
        .from("body_chunk")
        .and_where(by_hash)
        .order_by("seq", sea_query::Order::Asc);
    select
}
