//! API tokens: 256 random bits shown once, kept as a hash, scoped, expiring, revocable.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault, TokenId};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Row};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Actor, Door, Operations, Permission, Scope, audit};

/// The longest a token may live.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// `last_used` is written at most this often.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A token at its birth: the only time its text exists here.
#[derive(Debug, Clone, Serialize)]
pub struct NewToken {
    pub id: TokenId,
    pub token: String,
    pub scope: String,
    pub expires_at: Timestamp,
}

/// A token in a list.
#[derive(Debug, Clone, Serialize)]
pub struct TokenView {
    pub id: TokenId,
    pub name: String,
    pub scope: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// The hash under which a secret is kept. Secrets are random, so no salt is needed.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

const COLUMNS: [&str; 7] = ["id", "name", "scope", "created_at", "expires_at", "last_used", "revoked_at"];

fn view(row: &Row) -> Result<TokenView, Error> {
    Ok(TokenView {
        id: TokenId(row.at(0)?),
        name: row.at(1)?,
        scope: row.at(2)?,
        created_at: row.at(3)?,
        expires_at: row.at(4)?,
        last_used: row.at(5)?,
        revoked_at: row.at(6)?,
    })
}

impl Operations {
    pub(crate) fn secret(&self, prefix: &str) -> String {
        let mut bytes = [0; 32];
        (self.0.random)(&mut bytes);
        bytes.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Makes a token that lives for `life`, a year at most. `name` says for whom.
    pub async fn create_token(
        &self,
        actor: &Actor,
        scope: Scope,
        name: &str,
        life: std::time::Duration,
    ) -> Result<NewToken, Fault> {
        actor.needs(Permission::Administer)?;
        let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
        if life > LONGEST || life.is_zero() {
            return Err(Fault::reject(Code::API_INPUT, "a token lives a year at most"));
        }
        let (id, now, token) = (TokenId(self.0.ids.next()), self.0.clock.now(), self.secret("prm_"));
        let expires_at = now + life;
        let mut insert =
            Insert::into("api_token", &["id", "hash", "name", "scope", "created_at", "expires_at"]);
        insert.row([
            id.0.into(),
            hash(&token).into(),
            name.into(),
            scope.as_str().into(),
            now.as_microsecond().into(),
            expires_at.as_microsecond().into(),
        ]);
        let entry = audit::Entry::new(actor, now, "token.create", id, scope.as_str());
        self.insert_audited("operations.token", insert, entry).await?;
        Ok(NewToken { id, token, scope: scope.as_str().into(), expires_at })
    }

    pub async fn list_tokens(&self, actor: &Actor) -> Result<Vec<TokenView>, Fault> {
        actor.needs(Permission::Administer)?;
        let select =
            Query::select().columns(COLUMNS).from("api_token").order_by("id", Order::Desc).to_owned();
        let rows = self.0.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
        let rows: Result<Vec<_>, Error> = rows.and_then(|rows: Vec<Row>| rows.iter().map(view).collect());
        rows.map_err(Fault::from)
    }

    /// Ends a token. Ending it again is no error.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<(), Fault> {
        actor.needs(Permission::Administer)?;
        let now = self.0.clock.now();
        let update = Query::update()
            .table("api_token")
            .value("revoked_at", Expr::col("revoked_at").if_null(now.as_microsecond()))
            .and_where(Expr::col("id").eq(id.0))
            .to_owned();
        let entry = audit::Entry::new(actor, now, "token.revoke", id, "");
        let ids = self.0.ids.clone();
        let found = self
            .0
            .store
            .write("operations.token_revoke", move |tx| {
                async move {
                    let found = tx.execute(&update).await?;
                    audit::append(tx, &ids, now, &entry).await?;
                    Ok::<_, Error>(found)
                }
                .boxed()
            })
            .await
            .map_err(Fault::from)?;
        match found {
            0 => Err(Fault::reject(Code::API_NOT_FOUND, format!("no token {id}"))),
            _ => Ok(()),
        }
    }

    /// Who a bearer token stands for, when it is valid for one of these scopes.
    pub async fn authenticate(&self, token: &str, scopes: &[Scope]) -> Result<Actor, Fault> {
        let refused =
            || Fault::reject(Code::API_TOKEN, "the token is unknown, expired, revoked or of another scope");
        let by_hash = Expr::col("hash").eq(hash(token));
        let select = Query::select().columns(COLUMNS).from("api_token").and_where(by_hash).to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        let found =
            row.and_then(|row: Option<Row>| row.as_ref().map(view).transpose()).map_err(Fault::from)?;
        let (found, now) = (found.ok_or_else(refused)?, self.0.clock.now());
        let scope = scopes.iter().find(|scope| scope.as_str() == found.scope).ok_or_else(refused)?;
        if found.revoked_at.is_some() || found.expires_at <= now {
            return Err(refused());
        }
        if found.last_used.is_none_or(|used| now.duration_since(used) > USED_EVERY) {
            self.token_used(found.id, now).await?;
        }
        let name = if found.name.is_empty() { found.id.to_string() } else { found.name };
        Ok(Actor { name, role: scope.role(), door: Door::Api })
    }

    async fn token_used(&self, id: TokenId, now: Timestamp) -> Result<(), Fault> {
        let update = Query::update()
            .table("api_token")
            .value("last_used", now.as_microsecond())
            .and_where(Expr::col("id").eq(id.0))
            .to_owned();
        let unit = self.0.store.write("operations.token_used", move |tx| {
            async move { tx.execute(&update).await.map(drop) }.boxed()
        });
        unit.await.map_err(|error: Error| Fault::from(error))
    }
}
