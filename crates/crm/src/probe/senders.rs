//! Who else reads or sends the mail of the same mailboxes: server-side synchronisation, the E-mail Router, Outlook. Two of
//! them send each mail twice, or file it twice (protocol-annex.md 8.3).
//!
//! The set-up that works: both delivery methods of the mailbox None, or a profile that is never enabled. The CRM then keeps
//! what users send in *Pending Send*, and postroom sends it.

use postroom_core::{Crm, Fault, Filter, Query, Record, Value, address};

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
    /// Addresses in normal form that mail leaves from besides.
    pub senders: Vec<String>,
    /// Domains whose every address it may leave from.
    pub domains: Vec<String>,
}

impl Mailboxes {
    fn is_read(&self, address: &str) -> bool {
        self.read.contains(&address::normal(address))
    }

    /// Those whose address in this column is one of ours.
    fn ours(&self, column: &str) -> Filter {
        let addresses = self.read.iter().chain(&self.senders);
        let addresses = addresses.map(|address| Value::text(address.as_str())).collect::<Vec<_>>();
        // In a pattern a low line stands for any letter; one more is found, and looked at again below.
        let domains =
            self.domains.iter().map(|domain| Filter::Like(column.to_owned(), format!("%@{domain}")));
        let named = Filter::In(column.to_owned(), addresses);
        Filter::Any([named].into_iter().chain(domains).collect())
    }

    fn are_ours(&self, address: &str) -> bool {
        let address = address::normal(address);
        let domain = address::domain(&address).unwrap_or_default();
        self.read.contains(&address) || self.senders.contains(&address) || self.domains.contains(&domain)
    }
}

/// What the CRM itself does with one mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    reads: Option<&'static str>,
    sends: Option<&'static str>,
}

/// `senders`.
pub(super) async fn step(crm: &dyn Crm, mailboxes: &Mailboxes) -> Step {
    if mailboxes.read.is_empty() && mailboxes.senders.is_empty() && mailboxes.domains.is_empty() {
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
    let ours = |column: &str| mailboxes.ours(column);
    let old = crm.metadata(&["mailbox"]).await.is_err();
    if old {
        // 2011: the methods stand at queues and users.
        let (mut rows, mut known) = (Vec::new(), 0);
        for (table, column) in [("queue", "emailaddress"), ("systemuser", "internalemailaddress")] {
            let columns = [column, "incomingemaildeliverymethod", "outgoingemaildeliverymethod"];
            for row in crm.query(&Query::of(table).select(&columns).filter(ours(column))).await? {
                let address = row.text(column).unwrap_or_default().to_owned();
                known += usize::from(mailboxes.is_read(&address));
                rows.push((address, service(&row, true)));
            }
        }
        return Ok((rows, known));
    }
    let router = channel(crm).await == Some(ROUTER);
    let active = Filter::All(vec![ours("emailaddress"), Filter::eq("statecode", 0)]);
    let boxes = crm.query(&Query::of("mailbox").select(&COLUMNS).filter(active)).await?;
    let address = |row: &Record| row.text("emailaddress").unwrap_or_default().to_owned();
    let known = boxes.iter().filter(|row| mailboxes.is_read(&address(row))).count();
    let rows = boxes.iter().map(|row| (address(row), service(row, router)));
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
        if let Some(by) = service.reads.filter(|_| mailboxes.is_read(address)) {
            twice.push(format!("{by} files the mail of {address} too"));
        }
        if let Some(by) = service.sends.filter(|_| mailboxes.sends && mailboxes.are_ours(address)) {
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

    use super::super::State;
    use super::*;

    #[track_caller]
    fn check(columns: &[(&str, Value)], router: bool, expected: (Option<&str>, Option<&str>)) {
        let row = Record::new(RecordRef::new("mailbox", Uuid::nil()));
        let row = columns.iter().fold(row, |row, (name, value)| row.with(*name, value.clone()));
        let found = service(&row, router);
        assert_eq!((found.reads, found.sends), expected, "{columns:?}");
    }

    /// What is said of an address whose mail the CRM reads and sends itself.
    #[track_caller]
    fn served(mailboxes: &Mailboxes, address: &str, expected: &[&str]) {
        let sss = Some("server-side synchronisation");
        let step = judged(&[(address.to_owned(), Service { reads: sss, sends: sss })], 1, mailboxes);
        let said: Vec<&str> =
            ["files", "sends"].into_iter().filter(|word| step.text.contains(*word)).collect();
        match expected {
            [] => assert_eq!(step.state, State::Well, "{address}: {}", step.text),
            expected => assert_eq!((step.state, &said[..]), (State::Failed, expected), "{address}"),
        }
    }

    #[test]
    fn who_may_send_counts_as_well_as_what_is_read() {
        let of = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let mailboxes = Mailboxes {
            read: of(&["sales@crm.example"]),
            sends: true,
            senders: of(&["news@crm.example"]),
            domains: of(&["shop.example"]),
        };
        served(&mailboxes, "Sales@crm.example", &["files", "sends"]);
        served(&mailboxes, "News@crm.example", &["sends"]);
        served(&mailboxes, "eva@Shop.example", &["sends"]);
        served(&mailboxes, "eva@crm.example", &[]);
        served(&mailboxes, "eva@xshop.example", &[]);
        let silent = Mailboxes { sends: false, ..mailboxes };
        served(&silent, "news@crm.example", &[]);
        served(&silent, "sales@crm.example", &["files"]);
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
