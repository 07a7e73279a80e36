//! API tokens: 256 random bits shown once, kept as a hash, scoped, expiring, revocable.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault, TokenId};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Row};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

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
    /// The `systemuserid` of the user that it acts as, of scope `crm` or `api`.
    pub user: Option<Uuid>,
    pub expires_at: Timestamp,
}

/// A token in a list.
#[derive(Debug, Clone, Serialize)]
pub struct TokenView {
    pub id: TokenId,
    pub name: String,
    pub scope: String,
    /// The `systemuserid` of the user that it acts as, of scope `crm` or `api`.
    pub user: Option<Uuid>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl TokenView {
    /// Neither revoked nor over.
    pub(crate) fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }

    /// What to call whoever comes with it.
    pub(crate) fn shown_name(&self) -> String {
        if self.name.is_empty() { self.id.to_string() } else { self.name.clone() }
    }
}

/// What to make.
#[derive(Debug, Clone)]
pub struct TokenOrder<'a> {
    pub scope: Scope,
    /// For whom, shown in lists.
    pub name: &'a str,
    /// The user of the CRM to act as, by id, full name, domain name or address. `None` is the administrator for scope `crm`,
    /// and nobody for scope `api`, whose marketing rights are then an operator's.
    pub user: Option<&'a str>,
    /// A year at most.
    pub life: std::time::Duration,
}

/// The hash under which a secret is kept. Secrets are random, so no salt is needed.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

const COLUMNS: [&str; 8] =
    ["id", "name", "scope", "acts_as", "created_at", "expires_at", "last_used", "revoked_at"];

fn view(row: &Row) -> Result<TokenView, Error> {
    Ok(TokenView {
        id: TokenId(row.at(0)?),
        name: row.at(1)?,
        scope: row.at(2)?,
        user: row.at(3)?,
        created_at: row.at(4)?,
        expires_at: row.at(5)?,
        last_used: row.at(6)?,
        revoked_at: row.at(7)?,
    })
}

impl Operations {
    pub(crate) fn secret(&self, prefix: &str) -> String {
        let mut bytes = [0; 32];
        (self.0.random)(&mut bytes);
        bytes.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Makes a token.
    pub async fn create_token(&self, actor: &Actor, order: TokenOrder<'_>) -> Result<NewToken, Fault> {
        let user = self.check_token(actor, &order).await?;
        let life = SignedDuration::try_from(order.life).unwrap_or(SignedDuration::MAX);
        let (id, now, token) = (TokenId(self.0.ids.next()), self.0.clock.now(), self.secret("prm_"));
        let (scope, expires_at) = (order.scope.as_str(), now + life);
        let columns = ["id", "hash", "name", "scope", "acts_as", "created_at", "expires_at"];
        let mut insert = Insert::into("api_token", &columns);
        insert.row([
            id.0.into(),
            hash(&token).into(),
            order.name.into(),
            scope.into(),
            user.into(),
            now.as_microsecond().into(),
            expires_at.as_microsecond().into(),
        ]);
        let detail = user.map_or_else(|| scope.to_owned(), |user| format!("{scope} as {user}"));
        let entry = audit::Entry::new(actor, now, "token.create", id, &detail);
        self.insert_audited("operations.token", insert, entry).await?;
        Ok(NewToken { id, token, scope: scope.into(), user, expires_at })
    }

    /// Whether a token can be made so, and the user that it would act as.
    pub async fn check_token(&self, actor: &Actor, order: &TokenOrder<'_>) -> Result<Option<Uuid>, Fault> {
        actor.needs(Permission::Administer)?;
        let life = SignedDuration::try_from(order.life).unwrap_or(SignedDuration::MAX);
        if life > LONGEST || life.is_zero() {
            return Err(Fault::reject(Code::API_INPUT, "a token lives a year at most"));
        }
        match (order.scope, order.user) {
            (Scope::Crm, Some(user)) => self.crm_user(user).await.map(Some),
            (Scope::Crm, None) => Ok(self.door_administrator()),
            (_, None) => Ok(None),
            (Scope::Api, Some(user)) => self.crm_user(user).await.map(Some),
            (scope @ Scope::Agent, Some(_)) => {
                let text = format!("a token of scope {} acts as nobody in the CRM", scope.as_str());
                Err(Fault::reject(Code::API_INPUT, text))
            }
        }
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
        let found = self.token_by_text(token).await?.ok_or_else(refused)?;
        let now = self.0.clock.now();
        let scope = scopes.iter().find(|scope| scope.as_str() == found.scope).ok_or_else(refused)?;
        if !found.is_good(now) {
            return Err(refused());
        }
        self.touch_token(&found, now).await?;
        Ok(match (scope, found.user) {
            // By the id, which nobody else has: that user's roles in the CRM decide, and the audit trail says who.
            (Scope::Api, Some(user)) => {
                Actor { name: user.to_string(), role: scope.role(), door: Door::Api, signed_in: true }
            }
            _ => Actor { name: found.shown_name(), role: scope.role(), door: Door::Api, signed_in: false },
        })
    }

    /// The token with this text, good or not. It is found by its hash, so the time that takes says nothing about the text.
    pub(crate) async fn token_by_text(&self, text: &str) -> Result<Option<TokenView>, Fault> {
        self.token_where(Expr::col("hash").eq(hash(text))).await
    }

    pub(crate) async fn token_by_id(&self, id: TokenId) -> Result<Option<TokenView>, Fault> {
        self.token_where(Expr::col("id").eq(id.0)).await
    }

    async fn token_where(&self, condition: Expr) -> Result<Option<TokenView>, Fault> {
        let select = Query::select().columns(COLUMNS).from("api_token").and_where(condition).to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        row.and_then(|row: Option<Row>| row.as_ref().map(view).transpose()).map_err(Fault::from)
    }

    /// Remembers that a token was used.
    pub(crate) async fn touch_token(&self, token: &TokenView, now: Timestamp) -> Result<(), Fault> {
        match token.last_used.is_none_or(|used| now.duration_since(used) > USED_EVERY) {
            true => self.token_used(token.id, now).await,
            false => Ok(()),
        }
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
