//! Who was erased. An address is known again only by its hash, so that what the service tells later of the time before is not
//! taken in; what a person does afterwards, being there again, is.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use crate::consent::ledger::hashed;

/// Hashes of one statement.
const ASKED: usize = 256;

/// Until when what these addresses did is forgotten; those never erased are left out. Addresses are in normal form.
pub async fn among(
    tx: &mut Tx,
    addresses: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Timestamp>, Error> {
    let any = Query::select().column("id").from("person_erasure").limit(1).to_owned();
    if tx.query_one(&any).await?.is_none() {
        return Ok(HashMap::new());
    }
    let addresses: BTreeSet<&str> = addresses.filter(|address| !address.is_empty()).collect();
    let by_hash: HashMap<String, &str> =
        addresses.into_iter().map(|address| (hashed(address), address)).collect();
    let hashes: Vec<&str> = by_hash.keys().map(String::as_str).collect();
    let mut erased = HashMap::new();
    for some in hashes.chunks(ASKED) {
        let select = Query::select()
            .columns(["hash", "asked"])
            .from("person_erasure")
            .and_where(Expr::col("hash").is_in(some.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            let (hash, asked): (String, Timestamp) = (row.at(0)?, row.at(1)?);
            if let Some(address) = by_hash.get(&hash) {
                let until = erased.entry((*address).to_owned()).or_insert(asked);
                *until = asked.max(*until);
            }
        }
    }
    Ok(erased)
}

/// Whether something that happened at `at` is to be forgotten.
pub fn forgets(erased: &HashMap<String, Timestamp>, address: &str, at: Timestamp) -> bool {
    erased.get(address).is_some_and(|until| at <= *until)
}
