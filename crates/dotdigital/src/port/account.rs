//! The account: `account-info`, the clock, and what the account has.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{Account, Accounts, Capabilities, Feature};
use serde_json::json;

use super::Dotdigital;
use crate::ask::Ask;
use crate::client::{ACCOUNT_INFO, Trouble};
use crate::date;
use crate::refusal::Refusal;
use crate::sink::unreadable;
use crate::wire::Row;

/// Imports that the service runs at once for an account.
const IMPORTS: usize = 25;
const TIME: &str = "/v2/server-time";

/// What is asked to learn whether a feature is there.
const PROBES: [(Feature, &str, bool); 4] = [
    (Feature::Programs, "/v2/programs", true),
    (Feature::Forms, "/v2/surveys", true),
    (Feature::Preferences, "/v2/preferences", false),
    (Feature::Scores, "/v2/contacts/score", true),
];

#[async_trait]
impl Accounts for Dotdigital {
    async fn account(&self) -> Result<Account, Fault> {
        let client = &self.client;
        let (_, body) = client.whole(&Ask::get(ACCOUNT_INFO, &[])).await.map_err(Fault::from)?;
        let row = Row::read(&body).map_err(|_| unreadable(ACCOUNT_INFO))?;
        let endpoint = client.learn_endpoint(&row)?;
        Ok(account(&row, endpoint))
    }

    async fn server_time(&self) -> Result<Timestamp, Fault> {
        let (_, body) = self.client.whole(&Ask::get(TIME, &[])).await.map_err(Fault::from)?;
        let text: String =
            serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        date::read(&text).ok_or_else(|| unreadable(TIME))
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        let mut missing = Vec::new();
        for (feature, route, paged) in PROBES {
            // It has none of them: there is nothing to ask.
            if self.soap() {
                missing.push(feature);
                continue;
            }
            let ask = Ask::get(route, &[]);
            let ask = if paged { ask.query("select", 1) } else { ask };
            match self.try_done(&ask).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal)) if absent(&refusal) => missing.push(feature),
                Err(trouble) => return Err(trouble.into()),
            }
        }
        let mut custom_identifiers = Vec::new();
        if self.v3() {
            let ask = Ask::get("/configuration/v3/customIdentifiers", &[]);
            custom_identifiers = self.all(ask, |row| row.some_text("name")).await?;
        }
        Ok(Capabilities {
            identifiers: self.v3(),
            custom_identifiers,
            missing,
            import_bytes: self.client.settings.import_bytes,
            imports_at_once: IMPORTS,
        })
    }

    async fn create_identifier(&self, name: &str) -> Result<(), Fault> {
        if !self.v3() {
            return Err(super::contact::needs_v3("identifiers of its own"));
        }
        let ask =
            Ask::post("/configuration/v3/customIdentifiers", &[]).json(&json!({ "name": name })).repeatable();
        self.done_or(ask, Refusal::already).await
    }

    async fn check(&self) -> Result<String, Fault> {
        let account = self.account().await?;
        let clock = self.server_time().await?;
        Ok(format!("account {} ({}) at {}, clock {clock:.0}", account.id, account.name, account.endpoint))
    }

    fn calls(&self) -> u64 {
        self.client.calls()
    }
}

/// Whether the answer to a probe says that the account does not have it.
fn absent(refusal: &Refusal) -> bool {
    matches!(refusal.status, 403 | 404) || refusal.constant == "ERROR_FEATURENOTACTIVE"
}

fn account(row: &Row<'_>, endpoint: String) -> Account {
    let mut account = Account { id: row.int("id").unwrap_or_default(), endpoint, ..Account::default() };
    for property in row.rows("properties") {
        account.properties.insert(property.string("name"), property.string("value"));
    }
    let property = |name: &str| {
        let found = account.properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let number = |name: &str| property(name).and_then(|value| value.parse::<i64>().ok());
    // -1 stands for accounts that have no such limit.
    let calls = |name: &str| number(name).and_then(|calls| u64::try_from(calls).ok());
    Account {
        name: property("Name").unwrap_or_default(),
        time_zone: property("TimeZoneIana"),
        calls_left: calls("ApiCallsRemaining"),
        calls_in_last_hour: calls("ApiCallsInLastHour"),
        sends_left: number("AvailableEmailSendsCredits"),
        ..account
    }
}
