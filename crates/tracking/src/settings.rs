//! Values that belong to the database: the installation's id and signing keys, safe mode.

use futures_util::FutureExt;
use postroom_core::Ids;
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Query};
use postroom_store::{Error, Insert, Store, Tx};
use uuid::Uuid;

use crate::token::Key;

/// The setting that says whether this database came from a backup and has not been reconciled: `on` or `off`.
pub const SAFE_MODE: &str = "safe_mode";

/// What this installation is: made once, at the first start.
#[derive(Debug, Clone)]
pub struct Installation {
    pub id: Uuid,
    pub keys: Vec<Key>,
    /// The right side of signed Message-IDs. It stays when host names change.
    pub domain: String,
}

/// Reads the installation's identity, making it at the first start: `fresh_key` and `domain` are used only then.
pub async fn installation(
    store: &Store,
    ids: &Ids,
    fresh_key: [u8; 32],
    domain: &str,
) -> Result<Installation, Error> {
    let (id, domain) = (ids.next(), domain.to_owned());
    store
        .write("tracking.installation", move |tx| {
            async move {
                let mut insert = Insert::into("setting", &["name", "value"]).or_skip();
                insert.row(["installation".into(), id.to_string().into()]);
                insert.row(["signing_key_1".into(), hex(&fresh_key).into()]);
                insert.row(["signing_domain".into(), domain.into()]);
                tx.insert(&insert).await?;
                let id = get_in(tx, "installation").await?.unwrap_or_default();
                let key = get_in(tx, "signing_key_1").await?.and_then(|text| unhex(&text));
                let domain = get_in(tx, "signing_domain").await?;
                let missing = |name: &str| Error::Statement {
                    sql: "setting".into(),
                    reason: format!("{name} is damaged"),
                };
                Ok(Installation {
                    id: Uuid::parse_str(&id).map_err(|_| missing("installation"))?,
                    keys: vec![Key { id: 1, secret: key.ok_or_else(|| missing("signing_key_1"))? }],
                    domain: domain.ok_or_else(|| missing("signing_domain"))?,
                })
            }
            .boxed()
        })
        .await
}

/// A setting's value.
pub async fn get(store: &Store, name: &'static str) -> Result<Option<String>, Error> {
    store.read(move |tx| async move { get_in(tx, name).await }.boxed()).await
}

/// Sets a value.
pub async fn set(store: &Store, name: &'static str, value: String) -> Result<(), Error> {
    let statement = Query::insert()
        .into_table("setting")
        .columns(["name", "value"])
        .values_panic([name.into(), value.into()])
        .on_conflict(OnConflict::column("name").update_column("value").to_owned())
        .to_owned();
    store
        .write("tracking.setting", move |tx| async move { tx.execute(&statement).await.map(drop) }.boxed())
        .await
}

async fn get_in(tx: &mut Tx, name: &str) -> Result<Option<String>, Error> {
    let by_name = Expr::col("name").eq(name);
    let select = Query::select().column("value").from("setting").and_where(by_name).to_owned();
    tx.query_one(&select).await?.map(|row| row.at(0)).transpose()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
