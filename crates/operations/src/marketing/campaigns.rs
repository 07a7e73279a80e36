//! Campaigns of the marketing service: which there are, whom a send would reach, what came of the sends, and test mails.
//!
//! Requests to send are in [`super::sends`]. Nothing here writes to the CRM; a test mail is the only thing that leaves.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{Campaign, CampaignId, CampaignStatus, SingleContent, SingleSend};
use postroom_core::{Code, Fault, Filter, Query, Value, Verdict};
use postroom_marketing::campaigns::look::{self, Seen, Wanted};
use postroom_marketing::consent::gate;
use postroom_marketing::events::report;
use postroom_store::Error;
use uuid::Uuid;

use super::Duty;
use super::reports::{self, CampaignReport};
use super::shown::{AudienceView, CampaignView, ListChoice, TestMail, TestReport};
use super::suppress::{reasons_in, usable};
use crate::{Actor, Operations, audit};

/// Addresses of one call for test mails.
pub const TESTED: usize = 10;

/// Which campaigns are listed: those made last first, account by account.
#[derive(Debug, Clone, Default)]
pub struct CampaignsWanted {
    /// Left out, every account.
    pub account: Option<String>,
    /// Those behind this one: its account and number.
    pub after: Option<(String, i64)>,
    pub limit: u64,
}

impl Operations {
    /// Campaigns as they were last read.
    pub async fn campaigns(
        &self,
        actor: &Actor,
        wanted: CampaignsWanted,
    ) -> Result<Vec<CampaignView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let names: Vec<String> = match &wanted.account {
            Some(name) => self.of_account(name).map(|_| vec![name.clone()])?,
            None => self.marketing()?.accounts.keys().cloned().collect(),
        };
        let read = self.marketing()?.store.read(move |tx| {
            async move {
                let mut all = Vec::new();
                for name in names {
                    let after = match &wanted.after {
                        Some((account, _)) if *account > name => continue,
                        Some((account, id)) if *account == name => Some(*id),
                        _ => None,
                    };
                    let limit = wanted.limit.saturating_sub(all.len() as u64);
                    let some = Wanted { after, limit, ..Wanted::default() };
                    all.extend(look::campaigns(tx, &name, &some).await?);
                }
                Ok(all)
            }
            .boxed()
        });
        let seen: Result<Vec<Seen>, Error> = read.await;
        Ok(seen?.into_iter().map(CampaignView::from).collect())
    }

    /// One campaign by its number at the service, its row's id in the CRM, or its whole name. The account may be left out
    /// while only one is configured.
    pub async fn campaign(
        &self,
        actor: &Actor,
        account: Option<&str>,
        name: &str,
    ) -> Result<CampaignView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        self.seen(account, name).await.map(CampaignView::from)
    }

    /// What came of a campaign, from what is stored. `ask` makes one call for the service's own figures as they are now;
    /// otherwise, or when it does not answer, those of the last run stand beside ours.
    pub async fn campaign_report(
        &self,
        actor: &Actor,
        account: Option<&str>,
        name: &str,
        ask: bool,
    ) -> Result<CampaignReport, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let engine = self.marketing()?;
        let (seen, now) = (self.seen(account, name).await?, engine.clock.now());
        let mut not_asked = None;
        if ask {
            match engine.reconcile_campaign(&seen.account, seen.id).await {
                Ok((report, summary, _)) => {
                    let asked = Some((summary, now));
                    return Ok(reports::view(seen, report, asked, None));
                }
                Err(fault) if fault.verdict == Verdict::Bug => return Err(fault),
                Err(fault) => not_asked = Some(fault.message),
            }
        }
        let (account, id) = (seen.account.clone(), seen.id);
        let read = engine.store.read(move |tx| async move { report::of(tx, &account, id).await }.boxed());
        let report: Result<report::Report, Error> = read.await;
        let kept = seen.summary.clone().zip(seen.counted);
        Ok(reports::view(seen, report?, kept, not_asked))
    }

    /// Whom a send to lists would reach, who is left out and why, and what it costs. People are read up to now; nothing else is
    /// written. Lists are named by id or by their whole name.
    pub async fn audience(
        &self,
        actor: &Actor,
        account: Option<&str>,
        campaign: &str,
        lists: &[String],
    ) -> Result<AudienceView, Fault> {
        self.needs_duty(actor, Duty::Edit).await?;
        let seen = self.seen(account, campaign).await?;
        let lists = self.list_ids(&seen.account, lists).await?;
        self.preview_of(&seen, &lists).await
    }

    pub(super) async fn preview_of(&self, seen: &Seen, lists: &[Uuid]) -> Result<AudienceView, Fault> {
        let found = self.marketing()?.preview(&seen.account, row_of(seen)?, lists).await?;
        Ok(AudienceView::new(seen, found))
    }

    /// Marketing lists that a campaign of the account can go to, by name.
    pub async fn sendable_lists(&self, actor: &Actor, account: &str) -> Result<Vec<ListChoice>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let filter = Filter::All(vec![self.of_row(account).await?, Filter::eq("statecode", 0)]);
        let query = Query::of("list").select(&["listname", "type"]).filter(filter);
        let rows = self.marketing()?.crm.query(&query).await?;
        let mut lists: Vec<ListChoice> = rows
            .iter()
            .map(|row| ListChoice {
                id: row.at.id,
                name: row.text("listname").unwrap_or_default().to_owned(),
                dynamic: row.get("type").and_then(Value::as_bool) == Some(true),
            })
            .collect();
        lists.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(lists)
    }

    /// Sends a campaign once to each of a few addresses, to look at. A triggered campaign goes as it would to a customer; of
    /// any other its text goes as a single mail, with its blanks unfilled. Who opted out gets none, and nothing is repeated.
    pub async fn test_campaign(
        &self,
        actor: &Actor,
        account: Option<&str>,
        campaign: &str,
        to: &[String],
        dry_run: bool,
    ) -> Result<TestReport, Fault> {
        self.needs_duty(actor, Duty::SendSingle).await?;
        let addresses = addresses(to)?;
        let (engine, seen) = (self.marketing()?, self.seen(account, campaign).await?);
        let service = engine.named(&seen.account)?.service.clone();
        let found = service.campaign(&CampaignId(seen.id)).await?;
        let found = found.ok_or_else(|| unfit("the campaign is not there any more at the service"))?;
        let mut mails = self.admitted(actor, &seen, &addresses, dry_run).await?;
        let going: Vec<usize> = (0..mails.len()).filter(|place| mails[*place].state == "would_go").collect();
        if !dry_run && !going.is_empty() {
            engine.may_work_now().await?;
            let content = content(&found)?;
            let sends: Vec<SingleSend> = going
                .iter()
                .map(|place| SingleSend {
                    to: mails[*place].address.clone(),
                    from: None,
                    content: content.clone(),
                    reference: engine.ids.next().to_string(),
                })
                .collect();
            let answers = service.send_single(&sends).await;
            for (place, answer) in going.into_iter().zip(answers) {
                answered(&mut mails[place], answer);
            }
        }
        Ok(TestReport { account: seen.account, campaign: seen.id, name: seen.name, mails, dry_run })
    }

    /// The gate and the audit entry in one unit, before anything leaves.
    async fn admitted(
        &self,
        actor: &Actor,
        seen: &Seen,
        addresses: &[String],
        dry_run: bool,
    ) -> Result<Vec<TestMail>, Fault> {
        let engine = self.marketing()?;
        let (ids, now, rules) = (engine.ids.clone(), engine.clock.now(), engine.rules.clone());
        let object = format!("campaign {}/{}", seen.account, seen.id);
        let entry = audit::Entry::new(actor, now, "campaign.test", object, &addresses.join(", "));
        let (account, addresses) = (seen.account.clone(), addresses.to_vec());
        let unit = self.unit("operations.campaign_tested", dry_run, move |tx| {
            async move {
                if !gate::is_fresh(tx, &account, &rules, now).await? {
                    return Ok(None);
                }
                let mut mails = Vec::with_capacity(addresses.len());
                for address in addresses {
                    let held = reasons_in(tx, &address, std::slice::from_ref(&account)).await?;
                    let reason = held.into_iter().next().map(|reason| reason.text);
                    let state = if reason.is_some() { "refused" } else { "would_go" };
                    mails.push(TestMail { address, state, text: reason });
                }
                audit::append(tx, &ids, now, &entry).await?;
                Ok(Some(mails))
            }
            .boxed()
        });
        unit.await?.ok_or_else(|| {
            let name = &seen.account;
            unfit(format!(
                "opt-outs are not fresh enough to send: postroom marketing sync run {name} suppressions"
            ))
        })
    }

    /// The account that is meant.
    pub(super) fn the_account(&self, account: Option<&str>) -> Result<String, Fault> {
        let engine = self.marketing()?;
        match account {
            Some(name) => self.of_account(name).map(|_| name.to_owned()),
            None if engine.accounts.len() > 1 => {
                let names: Vec<&str> = engine.accounts.keys().map(String::as_str).collect();
                let text = format!("several accounts are configured; name one of {}", names.join(", "));
                Err(Fault::reject(Code::API_INPUT, text))
            }
            None => self.accounts_of(None).map(|mut all| all.remove(0)),
        }
    }

    /// The campaign that is meant.
    pub(super) async fn seen(&self, account: Option<&str>, name: &str) -> Result<Seen, Fault> {
        let account = self.the_account(account)?;
        let (named, by_row) = (name.to_owned(), Uuid::parse_str(name.trim()).ok());
        let id = match by_row {
            Some(row) => Some(self.number_of(row).await?),
            None => name.trim().parse::<i64>().ok(),
        };
        let read = self.marketing()?.store.read(move |tx| {
            async move {
                let mut wanted = Wanted { id, limit: 2, ..Wanted::default() };
                if id.is_none() {
                    wanted.name = Some(named);
                }
                look::campaigns(tx, &account, &wanted).await
            }
            .boxed()
        });
        let found: Result<Vec<Seen>, Error> = read.await;
        let mut found = found?;
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => {
                let text = format!("several campaigns are called {name:?}; name one by its number");
                Err(Fault::reject(Code::API_INPUT, text))
            }
            (None, _) => {
                let text = format!(
                    "no campaign {name:?}; postroom marketing campaign list shows those that were read"
                );
                Err(Fault::reject(Code::API_NOT_FOUND, text))
            }
        }
    }

    /// The service's number of a campaign's row.
    async fn number_of(&self, row: Uuid) -> Result<i64, Fault> {
        let by_id = Filter::eq("esc_emailcampaignid", row);
        let query = Query::of("esc_emailcampaign").select(&["esc_servicecampaignid"]).filter(by_id);
        let found = self.marketing()?.crm.query(&query).await?.pop();
        found.and_then(|row| row.int("esc_servicecampaignid")).ok_or_else(|| {
            Fault::reject(Code::API_NOT_FOUND, format!("no row of a campaign in the CRM has the id {row}"))
        })
    }

    /// Lists of an account by id or name.
    pub(super) async fn list_ids(&self, account: &str, lists: &[String]) -> Result<Vec<Uuid>, Fault> {
        let mut found: Vec<Uuid> = Vec::with_capacity(lists.len());
        for name in lists {
            let id = match Uuid::parse_str(name.trim()) {
                Ok(id) => id,
                Err(_) => self.list_called(account, name.trim()).await?,
            };
            if !found.contains(&id) {
                found.push(id);
            }
        }
        if found.is_empty() {
            return Err(Fault::reject(Code::API_INPUT, "name at least one list: nobody named means nobody"));
        }
        Ok(found)
    }

    async fn list_called(&self, account: &str, name: &str) -> Result<Uuid, Fault> {
        let filter = Filter::All(vec![self.of_row(account).await?, Filter::eq("listname", name)]);
        let rows =
            self.marketing()?.crm.query(&Query::of("list").select(&["listname"]).filter(filter)).await?;
        match rows.as_slice() {
            [one] => Ok(one.at.id),
            [] => {
                let text =
                    format!("no list {name:?} of the CRM is activated for e-mail with account {account}");
                Err(Fault::reject(Code::API_NOT_FOUND, text))
            }
            _ => {
                let text = format!("several lists are called {name:?}; name one by its id");
                Err(Fault::reject(Code::API_INPUT, text))
            }
        }
    }

    /// The condition of rows that are activated for an account.
    async fn of_row(&self, account: &str) -> Result<Filter, Fault> {
        let engine = self.of_account(account)?;
        let connected = engine.connect(engine.named(account)?).await?;
        let active = Filter::eq("esc_activatedforemail", true);
        Ok(Filter::All(vec![active, Filter::eq("esc_emailaccountid", connected.row().id)]))
    }
}

pub(super) fn unfit(text: impl Into<String>) -> Fault {
    Fault::reject(Code::MARKETING_STATE, text)
}

/// The row in the CRM, which a send needs.
pub(super) fn row_of(seen: &Seen) -> Result<Uuid, Fault> {
    seen.row.ok_or_else(|| unfit("the account was never reached: run postroom marketing account check"))
}

/// Each once, and not too many.
fn addresses(to: &[String]) -> Result<Vec<String>, Fault> {
    let mut addresses: Vec<String> = Vec::with_capacity(to.len());
    for text in to {
        let address = usable(text)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.len() {
        0 => Err(Fault::reject(Code::API_INPUT, "name at least one address")),
        1..=TESTED => Ok(addresses),
        number => {
            let text = format!("{number} addresses are no test: name {TESTED} at most, or send to a list");
            Err(Fault::reject(Code::API_INPUT, text))
        }
    }
}

fn content(campaign: &Campaign) -> Result<SingleContent, Fault> {
    if campaign.status == CampaignStatus::Triggered {
        let values = Default::default();
        return Ok(SingleContent::Marketing { campaign: campaign.id.clone(), values });
    }
    let Some(content) = &campaign.content else {
        return Err(unfit("the service shows no text of this campaign: look at it there"));
    };
    Ok(SingleContent::Written {
        subject: format!("[Test] {}", campaign.subject),
        html: content.html.clone(),
        text: content.text.clone(),
    })
}

fn answered(mail: &mut TestMail, answer: Result<(), Fault>) {
    (mail.state, mail.text) = match answer {
        Ok(()) => ("sent", None),
        Err(fault) if fault.verdict == Verdict::Unknown => ("unknown", Some(fault.message)),
        Err(fault) => ("failed", Some(fault.message)),
    };
}

/// When the service's figures were asked for.
pub(super) type Asked = (postroom_core::marketing::Summary, Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(to: &[&str], expected: Result<usize, &str>) {
        let to: Vec<String> = to.iter().map(|text| (*text).to_owned()).collect();
        let found = addresses(&to).map(|found| found.len());
        match expected {
            Ok(number) => assert_eq!(found.unwrap(), number),
            Err(part) => assert!(found.unwrap_err().message.contains(part)),
        }
    }

    #[test]
    fn few_addresses_each_once() {
        check(&["a@b.example", "A@B.example", "o'brien+x@example.com"], Ok(2));
        check(&[], Err("at least one"));
        check(&["nobody"], Err("no e-mail address"));
        let many: Vec<String> = (0..=TESTED).map(|n| format!("p{n}@x.example")).collect();
        check(&many.iter().map(String::as_str).collect::<Vec<_>>(), Err("are no test"));
    }
}
