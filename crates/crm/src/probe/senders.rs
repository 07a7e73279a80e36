//! Who else reads or sends the mail of the same mailboxes: server-side synchronisation, the E-mail Router, Outlook. Two of
//! them send each mail twice, or file it twice (protocol-annex.md 8.3).
//!
//! The set-up that works: both delivery methods of the mailbox None, or a profile that is never enabled. The CRM then keeps
//! what users send in *Pending Send*, and postroom sends it.

use postroom_core::{Crm, Fault, Filter, Query, Record, Value};

use super::Step;

/// `incomingemaildeliverymethod`, `outgoingemaildeliverymethod`.
const OUTLOOK: i64 = 1;
const SERVER: i64 = 2;
const FORWARD: i64 = 3;
/// `incomingemailstatus`, `outgoingemailstatus`: the test was passed.
const SUCCESS: i64 = 1;
/// `organization.emailconnectionchannel`: the E-mail Router, which needs no profile and no test.
const ROUTER: i64 = 1;

const COLUMNS: [&str; 9] = [
    "name",
    "emailaddress",
    "incomingemaildeliverymethod",
    "outgoingemaildeliverymethod",
    "enabledforincomingemail",
    "enabledforoutgoingemail",
    "incomingemailstatus",
    "outgoingemailstatus",
    "emailserverprofile",
];

const FIX: &str = "in the CRM (Settings, Email Configuration, Mailboxes) set Incoming Email and Outgoing Email of these mailboxes to None, or deactivate their email server profile; the CRM then leaves outgoing mail in Pending Send and postroom sends it. Or leave these mailboxes to the CRM, and take them out of postroom's configuration";

/// The mailboxes of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Mailboxes {
    /// Addresses in normal form, all that are tracked.
    pub read: Vec<String>,
    /// Whether mail of the CRM leaves through postroom.
    pub sends: bool,
}

/// What the CRM itself does with one mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    reads: Option<&'static str>,
    sends: Option<&'static str>,
}

/// `senders`.
pub(super) async fn step(crm: &dyn Crm, mailboxes: &Mailboxes) -> Step {
    if mailboxes.read.is_empty() {
        return Step::skipped("senders", "no mailbox is configured");
    }
    match found(crm, mailboxes).await {
        Ok((rows, known)) => judged(&rows, known, mailboxes),
        Err(fault) => Step::skipped("senders", format!("the CRM's mailboxes cannot be read: {}", fault.message))
            .with_fix("give the user the privilege to read mailboxes (prvReadMailbox), then check again; or look at their delivery methods by hand"),
    }
}

/// Address and service of each mailbox that the CRM serves, and how many of ours it knows.
async fn found(crm: &dyn Crm, mailboxes: &Mailboxes) -> Result<(Vec<(String, Service)>, usize), Fault> {
    let addresses = || mailboxes.read.iter().map(|address| Value::text(address.as_str())).collect::<Vec<_>>();
    let ours = |column: &str| Filter::In(column.to_owned(), addresses());
    let old = crm.metadata(&["mailbox"]).await.is_err();
    if old {
        // 2011: the methods stand at queues and users.
        let (mut rows, mut known) = (Vec::new(), 0);
        for (table, column) in [("queue", "emailaddress"), ("systemuser", "internalemailaddress")] {
            let columns = [column, "incomingemaildeliverymethod", "outgoingemaildeliverymethod"];
            for row in crm.query(&Query::of(table).select(&columns).filter(ours(column))).await? {
                known += 1;
                let address = row.text(column).unwrap_or_default().to_owned();
                rows.push((address, service(&row, true)));
            }
        }
        return Ok((rows, known));
    }
    let router = channel(crm).await == Some(ROUTER);
    let active = Filter::All(vec![ours("emailaddress"), Filter::eq("statecode", 0)]);
    let boxes = crm.query(&Query::of("mailbox").select(&COLUMNS).filter(active)).await?;
    let known = boxes.len();
    let rows = boxes
        .iter()
        .map(|row| (row.text("emailaddress").unwrap_or_default().to_owned(), service(row, router)));
    Ok((rows.collect(), known))
}

async fn channel(crm: &dyn Crm) -> Option<i64> {
    let query = Query::of("organization").select(&["emailconnectionchannel"]);
    crm.query(&query).await.ok()?.first()?.int("emailconnectionchannel")
}

/// `untested`: whether a method counts without a passed test.
fn service(row: &Record, untested: bool) -> Service {
    let yes = |column: &str| row.get(column).and_then(Value::as_bool) == Some(true);
    let live = |way: &str| {
        untested
            || yes(&format!("enabledfor{way}email")) && row.int(&format!("{way}emailstatus")) == Some(SUCCESS)
    };
    let engine = if untested { "the E-mail Router" } else { "server-side synchronisation" };
    let by = |way: &str| match row.int(&format!("{way}emaildeliverymethod")) {
        Some(OUTLOOK) => Some("Outlook"),
        Some(SERVER) if live(way) => Some(engine),
        Some(FORWARD) if way == "incoming" => Some("a forward mailbox"),
        _ => None,
    };
    Service { reads: by("incoming"), sends: by("outgoing") }
}

fn judged(rows: &[(String, Service)], known: usize, mailboxes: &Mailboxes) -> Step {
    let mut twice = Vec::new();
    for (address, service) in rows {
        if let Some(by) = service.reads {
            twice.push(format!("{by} files the mail of {address} too"));
        }
        if let Some(by) = service.sends.filter(|_| mailboxes.sends) {
            twice.push(format!("{by} sends the mail of {address} too"));
        }
    }
    if !twice.is_empty() {
        return Step::failed("senders", format!("each mail would be there twice: {}", twice.join("; ")), FIX);
    }
    let outside = if mailboxes.sends { "reads or sends" } else { "reads" };
    let text = format!("nothing else {outside} the mail of the {known} of our mailboxes that the CRM knows");
    let step = Step::well("senders", text);
    match known < mailboxes.read.len() {
        true => step.with_fix("addresses that no mailbox, user or queue of the CRM has: give them to one, or their mail has no owner"),
        false => step,
    }
}

#[cfg(test)]
mod tests {
    use postroom_core::RecordRef;
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(columns: &[(&str, Value)], router: bool, expected: (Option<&str>, Option<&str>)) {
        let row = Record::new(RecordRef::new("mailbox", Uuid::nil()));
        let row = columns.iter().fold(row, |row, (name, value)| row.with(*name, value.clone()));
        let found = service(&row, router);
        assert_eq!((found.reads, found.sends), expected, "{columns:?}");
    }

    #[test]
    fn who_serves_a_mailbox() {
        let (into, out) = ("incomingemaildeliverymethod", "outgoingemaildeliverymethod");
        let number = |number: i64| Value::from(number);
        let enabled = ("enabledforoutgoingemail", Value::from(true));
        let passed = ("outgoingemailstatus", number(1));
        let sss = Some("server-side synchronisation");
        check(&[(into, number(0)), (out, number(0))], false, (None, None));
        check(&[(out, number(2)), enabled.clone(), passed.clone()], false, (None, sss));
        check(&[(out, number(2)), passed], false, (None, None));
        check(&[(out, number(2)), enabled], false, (None, None));
        check(&[(out, number(2))], true, (None, Some("the E-mail Router")));
        check(&[(into, number(1)), (out, number(1))], false, (Some("Outlook"), Some("Outlook")));
        check(&[(into, number(3))], false, (Some("a forward mailbox"), None));
    }
}
