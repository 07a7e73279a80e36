//! The accounts of the service: who each is, whether it can be reached, and its row in the CRM.
//!
//! An account is asked who it is once; region and number never change, as they begin every key.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Code, Fault, Record, RecordRef, Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};

use crate::engine::{Account, Engine};
use crate::keys;
use crate::sends::cut;
use crate::solution::options::Set;
use crate::sync::SyncType;

/// An account that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    pub region: String,
    pub id: i64,
    pub key: keys::Account,
}

/// What is kept of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub name: String,
    pub connected: Option<Connected>,
    pub endpoint: Option<String>,
    /// `connected`, `bad_credentials`, `wrong_region`, `unreachable`, `new`.
    pub state: String,
    pub reason: Option<String>,
    /// Who paused it.
    pub paused: Option<String>,
    pub first_exchange: Option<Timestamp>,
    /// When the last whole exchange of opt-outs began that ended.
    pub exchanged: Option<Timestamp>,
    /// The same by the service's clock: what it is asked for since then.
    pub exchanged_there: Option<Timestamp>,
}

impl Connected {
    fn new(region: String, id: i64) -> Self {
        let key = keys::Account::new(&region, id);
        Connected { region, id, key }
    }

    /// The account's row in the CRM.
    pub fn row(&self) -> RecordRef {
        RecordRef::new("esc_emailaccount", self.key.key().id("esc_emailaccount"))
    }
}

/// What is kept of an account of the configuration.
pub async fn known(tx: &mut Tx, name: &str) -> Result<Known, Error> {
    let columns = [
        "region",
        "service_id",
        "endpoint",
        "state",
        "reason",
        "paused",
        "first_exchange",
        "exchanged",
        "exchanged_there",
    ];
    let by_name = Expr::col("name").eq(name);
    let select = Query::select().columns(columns).from("sync_account").and_where(by_name).to_owned();
    let name = name.to_owned();
    let Some(row) = tx.query_one(&select).await? else {
        return Ok(Known {
            name,
            connected: None,
            endpoint: None,
            state: "new".to_owned(),
            reason: None,
            paused: None,
            first_exchange: None,
            exchanged: None,
            exchanged_there: None,
        });
    };
    let (region, id): (Option<String>, Option<i64>) = (row.at(0)?, row.at(1)?);
    Ok(Known {
        name,
        connected: region.zip(id).map(|(region, id)| Connected::new(region, id)),
        endpoint: row.at(2)?,
        state: row.at(3)?,
        reason: row.at(4)?,
        paused: row.at(5)?,
        first_exchange: row.at(6)?,
        exchanged: row.at(7)?,
        exchanged_there: row.at(8)?,
    })
}

/// Pauses an account in the name of somebody, or lets it go on; false when it stood so already.
pub async fn pause(tx: &mut Tx, name: &str, who: Option<&str>) -> Result<bool, Error> {
    let mut row = Insert::into("sync_account", &["name", "state"]).or_skip();
    row.row([name.into(), "new".into()]);
    tx.insert(&row).await?;
    let other = if who.is_some() { Expr::col("paused").is_null() } else { Expr::col("paused").is_not_null() };
    let mut update = Query::update();
    update.table("sync_account").value("paused", who).and_where(Expr::col("name").eq(name)).and_where(other);
    Ok(tx.execute(&update).await? > 0)
}

impl Engine {
    /// Who the account is: from the store, or asked for once and kept.
    ///
    /// # Errors
    /// The service's; and a refusal when the credentials now lead to another account than before.
    pub async fn connect(&self, account: &Account) -> Result<Connected, Fault> {
        let name = account.name.clone();
        let kept = self.store.read(move |tx| async move { known(tx, &name).await }.boxed()).await;
        let kept: Known = kept.map_err(|error: Error| Fault::from(error))?;
        if let Some(connected) = kept.connected.clone().filter(|_| kept.state == "connected") {
            return Ok(connected);
        }
        let said = account.service.account().await;
        if let Err(fault) = &said {
            self.note_trouble(account, fault).await?;
        }
        let said = said?;
        let connected = Connected::new(region(&said.endpoint), said.id);
        if kept.connected.is_some_and(|before| before != connected) {
            return Err(another_account());
        }
        // The CRM first: once the account is kept as connected, every row may point at its own.
        self.tell_crm(account, &connected, &said).await?;
        self.keep(&account.name, &connected, &said.endpoint).await?;
        Ok(connected)
    }

    /// Who the account is, as it is kept; the service is asked only when it never was.
    ///
    /// # Errors
    /// As [`Engine::connect`], of an account that was never reached.
    pub async fn identity(&self, account: &Account) -> Result<Connected, Fault> {
        let name = account.name.clone();
        let kept = self.store.read(move |tx| async move { known(tx, &name).await }.boxed()).await;
        let kept: Known = kept.map_err(|error: Error| Fault::from(error))?;
        match kept.connected {
            Some(connected) => Ok(connected),
            None => self.connect(account).await,
        }
    }

    async fn keep(&self, name: &str, connected: &Connected, endpoint: &str) -> Result<(), Fault> {
        let (name, connected, endpoint) = (name.to_owned(), connected.clone(), endpoint.to_owned());
        let unit = self.store.write("marketing.account", move |tx| {
            async move {
                let mut row = Insert::into("sync_account", &["name", "state"]).or_skip();
                row.row([name.clone().into(), "new".into()]);
                tx.insert(&row).await?;
                let mut update = Query::update();
                update
                    .table("sync_account")
                    .value("region", connected.region.clone())
                    .value("service_id", connected.id)
                    .value("endpoint", endpoint)
                    .value("state", "connected")
                    .value("reason", Option::<String>::None)
                    .and_where(Expr::col("name").eq(name))
                    .and_where(
                        Expr::col("service_id").is_null().or(Expr::col("service_id").eq(connected.id)),
                    );
                tx.execute(&update).await
            }
            .boxed()
        });
        let kept: Result<u64, Error> = unit.await;
        match kept? {
            0 => Err(another_account()),
            _ => Ok(()),
        }
    }

    /// Notes how an account stands.
    pub async fn note(&self, name: &str, state: &str, reason: Option<String>) -> Result<(), Fault> {
        let (name, state) = (name.to_owned(), state.to_owned());
        let unit = self.store.write("marketing.account_noted", move |tx| {
            async move {
                let mut row = Insert::into("sync_account", &["name", "state"]).or_skip();
                row.row([name.clone().into(), state.clone().into()]);
                tx.insert(&row).await?;
                let mut update = Query::update();
                update
                    .table("sync_account")
                    .value("state", state)
                    .value("reason", reason)
                    .and_where(Expr::col("name").eq(name));
                tx.execute(&update).await.map(drop)
            }
            .boxed()
        });
        let noted: Result<(), Error> = unit.await;
        Ok(noted?)
    }

    /// Notes what keeps an account from working, here and in the CRM's row, where users look. The CRM may be away: then only here.
    pub(crate) async fn note_trouble(&self, account: &Account, fault: &Fault) -> Result<(), Fault> {
        let state = state_of(fault);
        self.note(&account.name, state, Some(fault.message.clone())).await?;
        let name = account.name.clone();
        let kept = self.store.read(move |tx| async move { known(tx, &name).await }.boxed()).await;
        let kept: Known = kept.map_err(|error: Error| Fault::from(error))?;
        let label = match state {
            "bad_credentials" => "Bad credentials",
            "wrong_region" => "Wrong region",
            _ => "Unreachable",
        };
        if let Some(connected) = kept.connected {
            let row = Record::new(connected.row())
                .with("esc_connectionstatus", Set::ConnectionStatus.value(label).expect("a label of the set"))
                .with("esc_lasterror", cut(&fault.message, 4000));
            self.tell_row(row).await;
        }
        Ok(())
    }

    /// Tells the CRM's row that people were brought in step.
    pub(crate) async fn note_synchronised(&self, connected: &Connected) {
        let now = self.clock.now();
        self.tell_row(Record::new(connected.row()).with("esc_lastsynchronised", now)).await;
    }

    async fn tell_row(&self, row: Record) {
        let sets = vec![ChangeSet { changes: vec![Change::Update(row)] }];
        if let Err(fault) = self.crm.apply(sets).await.pop().expect("an answer for each set") {
            tracing::warn!(event = "marketing.account_untold", code = %fault.code, "The CRM did not take how an account stands: {fault}");
        }
    }

    /// The account's row in the CRM, made or brought up to date.
    async fn tell_crm(
        &self,
        account: &Account,
        connected: &Connected,
        said: &postroom_core::marketing::Account,
    ) -> Result<(), Fault> {
        let status = |label| Set::ConnectionStatus.value(label).expect("a label of the set");
        let region = Set::Region.value(&connected.region).map_or(Value::Null, Value::from);
        let row = Record::new(connected.row())
            .with("esc_name", account.name.as_str())
            .with("esc_accountname", account.name.as_str())
            .with("esc_externalkey", connected.key.key().as_str())
            .with("esc_serviceaccountid", connected.id)
            .with("esc_region", region)
            .with("esc_apiendpoint", said.endpoint.as_str())
            .with("esc_connectionstatus", status("Connected"))
            .with("esc_lasterror", Value::Null)
            .with("esc_isdefault", self.accounts.keys().next() == Some(&account.name))
            .with("esc_onsuppress", account.settings.on_suppress.option())
            .with("esc_syncsettings", intervals(account).to_string())
            .with("esc_syncintervalminutes", minutes(account, SyncType::Contacts));
        let sets = vec![ChangeSet { changes: vec![Change::Upsert(row)] }];
        self.crm.apply(sets).await.pop().expect("an answer for each set").map(drop)
    }
}

/// Between two runs by themselves; `None` when it runs only when asked.
fn minutes(account: &Account, sync_type: SyncType) -> Option<i64> {
    account.settings.every(sync_type).map(|every| std::cmp::max(every.as_mins(), 1))
}

/// Minutes between the runs of each sync type, as users see them.
fn intervals(account: &Account) -> serde_json::Value {
    let all =
        SyncType::ALL.iter().map(|sync_type| (sync_type.to_string(), minutes(account, *sync_type).into()));
    serde_json::Value::Object(all.collect())
}

fn another_account() -> Fault {
    let text = "the credentials belong to another account than before; correct them, or give the new account a name of its own";
    Fault::new(Verdict::Hold, Code::MARKETING_SIGN_IN, text)
}

/// `r2` of `https://r2-api.dotdigital.com`; an endpoint that does not say is the first region's.
fn region(endpoint: &str) -> String {
    let host = endpoint.split("//").nth(1).unwrap_or(endpoint);
    match host.split(['-', '.', ':', '/']).next() {
        Some(word @ ("r1" | "r2" | "r3")) => word.to_owned(),
        _ => "r1".to_owned(),
    }
}

/// How an account stands after a fault.
pub fn state_of(fault: &Fault) -> &'static str {
    match fault.code {
        Code::MARKETING_SIGN_IN => "bad_credentials",
        Code::MARKETING_REGION => "wrong_region",
        _ => "unreachable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, expected: &str) {
        assert_eq!(region(endpoint), expected, "{endpoint}");
    }

    #[test]
    fn regions() {
        check("https://r2-api.dotdigital.com", "r2");
        check("https://r3-api.dotmailer.com/v2", "r3");
        check("http://127.0.0.1:4010", "r1");
        check("", "r1");
    }
}
