//! Which list of the CRM stands for which of the service: the rows of `list_link`.

use postroom_core::marketing::ListId;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Row, Tx};
use uuid::Uuid;

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its making was begun; whether the service did it is not known yet.
    Creating,
    Linked,
    /// The service no longer has it.
    Missing,
    /// It cannot be linked, as the list's message says.
    Failed,
}

impl State {
    const ALL: [State; 4] = [State::Creating, State::Linked, State::Missing, State::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Creating => "creating",
            State::Linked => "linked",
            State::Missing => "missing",
            State::Failed => "failed",
        }
    }

    fn of(text: &str) -> State {
        State::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(State::Failed)
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub account: String,
    /// `listid` in the CRM.
    pub list: Uuid,
    pub service: Option<ListId>,
    /// What both are called since they agreed last.
    pub name: String,
    pub visibility: String,
    pub member_table: String,
    pub state: State,
    /// The service's list was made for this one, and may go with it.
    pub made_here: bool,
    /// A hash of what the CRM was told.
    pub told: Vec<u8>,
    /// What both sides looked like when they agreed last; empty when they never did.
    pub fingerprint: String,
}

const COLUMNS: [&str; 10] = [
    "account",
    "list",
    "service",
    "name",
    "visibility",
    "member_table",
    "state",
    "made_here",
    "told",
    "fingerprint",
];

/// The links of an account.
pub async fn all(tx: &mut Tx, account: &str) -> Result<Vec<Link>, Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("list_link")
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    tx.query(&select).await?.iter().map(link).collect()
}

/// The service's list that a list of the CRM stands for, or last stood for.
pub async fn service_of(tx: &mut Tx, account: &str, list: Uuid) -> Result<Option<ListId>, Error> {
    let select = Query::select()
        .column("service")
        .from("list_link")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .to_owned();
    let id: Option<Option<i64>> = tx.query_one(&select).await?.map(|row| row.at(0)).transpose()?;
    Ok(id.flatten().map(ListId))
}

fn link(row: &Row) -> Result<Link, Error> {
    let state: String = row.at(6)?;
    Ok(Link {
        account: row.at(0)?,
        list: row.at(1)?,
        service: row.at::<Option<i64>>(2)?.map(ListId),
        name: row.at(3)?,
        visibility: row.at(4)?,
        member_table: row.at(5)?,
        state: State::of(&state),
        made_here: row.at(7)?,
        told: row.at(8)?,
        fingerprint: row.at(9)?,
    })
}

/// Writes a link as it now is. Fails with [`Error::Conflict`] when another list has the service's already.
pub async fn put(tx: &mut Tx, link: &Link) -> Result<(), Error> {
    remove(tx, &link.account, link.list).await?;
    let mut row = Insert::into("list_link", &COLUMNS);
    row.row([
        link.account.as_str().into(),
        link.list.into(),
        link.service.as_ref().map(|id| id.0).into(),
        link.name.as_str().into(),
        link.visibility.as_str().into(),
        link.member_table.as_str().into(),
        link.state.as_str().into(),
        link.made_here.into(),
        link.told.clone().into(),
        link.fingerprint.as_str().into(),
    ]);
    tx.insert(&row).await.map(drop)
}

async fn remove(tx: &mut Tx, account: &str, list: Uuid) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table("list_link")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list));
    tx.execute(&delete).await.map(drop)
}

/// Forgets what is known of the members, so that all of them are read, and sent, anew.
pub async fn forget_members(tx: &mut Tx, account: &str, list: Uuid) -> Result<(), Error> {
    for table in ["list_member", "list_record"] {
        let mut delete = Query::delete();
        delete
            .from_table(table)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list));
        tx.execute(&delete).await?;
    }
    for side in ["crm", "service"] {
        let mut delete = Query::delete();
        delete
            .from_table("sync_cursor")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("stream").eq(super::stream(list, side)));
        tx.execute(&delete).await?;
    }
    Ok(())
}

/// Forgets the link and everything behind it.
pub async fn forget(tx: &mut Tx, account: &str, list: Uuid) -> Result<(), Error> {
    forget_members(tx, account, list).await?;
    remove(tx, account, list).await
}
