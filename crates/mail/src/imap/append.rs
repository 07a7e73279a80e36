//! A copy of a sent mail into the sender's own Sent folder.

use bytes::Bytes;

use super::account::{Account, FolderName};
use super::client::{Client, Patience};
use super::dial::Dialer;
use super::error::Error;
use super::folders::Tree;

/// Adds `raw` to a folder as a mail that was read, and answers its UID where the server tells it (UIDPLUS).
///
/// An error after the bytes went out may mean that the copy is there: a copy more or less in Sent harms nobody, and the
/// watcher takes it for the same mail.
pub async fn append(
    account: &Account,
    dialer: &Dialer,
    folder: &FolderName,
    raw: Bytes,
) -> Result<Option<u32>, Error> {
    let mut client = Client::connect(account, dialer, Patience::default()).await?;
    client.sign_in(&account.auth).await?;
    let tree = Tree::read(&mut client, account).await?;
    let uid = client.append(&tree.find(folder)?.wire, raw).await?;
    client.log_out().await;
    Ok(uid)
}
