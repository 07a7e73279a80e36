//! Signing in to the pages: one-time links and server-side sessions. Cookies and links carry random secrets, kept as hashes.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Row};

use crate::tokens::hash;
use crate::{Actor, Door, Operations, Permission, Role, audit};

const LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);
const IDLE: SignedDuration = SignedDuration::from_mins(30);
const ABSOLUTE: SignedDuration = SignedDuration::from_hours(12);
/// A session's last use is written at most this often.
const USED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A signed-in browser.
#[derive(Debug, Clone)]
pub struct Session {
    pub actor: Actor,
    /// What a form must send back.
    pub csrf: String,
}

impl Operations {
    /// Makes a sign-in link's secret: good once, for an hour.
    pub async fn create_link(&self, actor: &Actor, name: &str, role: Role) -> Result<String, Fault> {
        actor.needs(Permission::Administer)?;
        let (now, secret) = (self.0.clock.now(), self.secret(""));
        let mut insert =
            Insert::into("sign_in_link", &["id", "hash", "name", "role", "created_at", "expires_at"]);
        insert.row([
            self.0.ids.next().into(),
            hash(&secret).into(),
            name.into(),
            role.as_str().into(),
            now.as_microsecond().into(),
            (now + LINK_LIFE).as_microsecond().into(),
        ]);
        let entry = audit::Entry::new(actor, now, "link.create", name, role.as_str());
        self.insert_audited("operations.link", insert, entry).await?;
        Ok(secret)
    }

    /// Turns a link's secret into a session; answers the cookie's secret. A link that was used is dead.
    pub async fn sign_in(&self, secret: &str) -> Result<String, Fault> {
        let (now, cookie, csrf) = (self.0.clock.now(), self.secret(""), self.secret(""));
        let take = Query::update()
            .table("sign_in_link")
            .value("used_at", now.as_microsecond())
            .and_where(Expr::col("hash").eq(hash(secret)))
            .and_where(Expr::col("used_at").is_null())
            .and_where(Expr::col("expires_at").gt(now.as_microsecond()))
            .returning(Query::returning().columns(["name", "role"]))
            .to_owned();
        let (id, kept) = (self.0.ids.next(), hash(&cookie));
        let signed_in = self
            .0
            .store
            .write("operations.sign_in", move |tx| {
                async move {
                    let Some(link) = tx.returning(&take).await?.into_iter().next() else { return Ok(false) };
                    let (name, role): (String, String) = (link.at(0)?, link.at(1)?);
                    let columns = ["id", "hash", "name", "role", "csrf", "created_at", "last_used"];
                    let mut insert = Insert::into("session", &columns);
                    let micros = now.as_microsecond();
                    insert.row([
                        id.into(),
                        kept.into(),
                        name.into(),
                        role.into(),
                        csrf.into(),
                        micros.into(),
                        micros.into(),
                    ]);
                    tx.insert(&insert).await?;
                    Ok::<_, Error>(true)
                }
                .boxed()
            })
            .await
            .map_err(Fault::from)?;
        let result = if signed_in { "ok" } else { "refused" };
        metrics::counter!("postroom_logins_total", "result" => result).increment(1);
        match signed_in {
            true => Ok(cookie),
            false => Err(Fault::reject(Code::API_TOKEN, "the link was used, has expired, or never was one")),
        }
    }

    /// The session of a cookie, while it lives.
    pub async fn session(&self, cookie: &str) -> Result<Option<Session>, Fault> {
        let columns = ["name", "role", "csrf", "created_at", "last_used"];
        let by_hash = || Expr::col("hash").eq(hash(cookie));
        let select = Query::select().columns(columns).from("session").and_where(by_hash()).to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        let Some((session, created, used)) =
            row.and_then(|row: Option<Row>| row.as_ref().map(session_of).transpose()).map_err(Fault::from)?
        else {
            return Ok(None);
        };
        let now = self.0.clock.now();
        if now.duration_since(used) > IDLE || now.duration_since(created) > ABSOLUTE {
            return Ok(None);
        }
        if now.duration_since(used) > USED_EVERY {
            let touch = Query::update()
                .table("session")
                .value("last_used", now.as_microsecond())
                .and_where(by_hash())
                .to_owned();
            let unit = self.0.store.write("operations.session_used", move |tx| {
                async move { tx.execute(&touch).await.map(drop) }.boxed()
            });
            unit.await.map_err(|error: Error| Fault::from(error))?;
        }
        Ok(Some(session))
    }

    /// Ends a session.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), Fault> {
        let delete =
            Query::delete().from_table("session").and_where(Expr::col("hash").eq(hash(cookie))).to_owned();
        let unit = self.0.store.write("operations.sign_out", move |tx| {
            async move { tx.execute(&delete).await.map(drop) }.boxed()
        });
        unit.await.map_err(|error: Error| Fault::from(error))
    }
}

fn session_of(row: &Row) -> Result<(Session, Timestamp, Timestamp), Error> {
    let role: String = row.at(1)?;
    let role = role.parse().unwrap_or(Role::Viewer);
    let actor = Actor { name: row.at(0)?, role, door: Door::Page, signed_in: true };
    Ok((Session { actor, csrf: row.at(2)? }, row.at(3)?, row.at(4)?))
}
