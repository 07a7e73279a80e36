//! Internet addresses of people who are named otherwise: the makes of [`Directory`].
//!
//! | module | holds |
//! | --- | --- |
//! | `table` | [`Table`]: names from configuration |
//! | `ldap` | [`Ldap`]: Domino's directory, or any other, by LDAP |
//! | `people` | which entry a name means; no socket |
//! | `cache` | [`Cached`]: asks again after a while only |
//!
//! [`Chain`] asks one after the other. The forms of Notes names are `postroom_formats::notes_name`'s.

mod cache;
mod ldap;
mod people;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::{Directory, Fault};

pub use cache::{Ages, Cached};
pub use ldap::{Error, Ldap, Options};
pub use table::Table;

/// The first directory that knows a name answers for it.
pub struct Chain(pub Vec<Arc<dyn Directory>>);

#[async_trait]
impl Directory for Chain {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
        let mut known = HashMap::new();
        let mut left = names.to_vec();
        for directory in &self.0 {
            if left.is_empty() {
                break;
            }
            known.extend(directory.resolve(&left).await?);
            left.retain(|name| !known.contains_key(name));
        }
        Ok(known)
    }
}
