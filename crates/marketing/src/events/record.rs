//! The rows of the CRM that events become (marketing-entities.md 3.3 to 3.6).

use postroom_core::{Record, RecordRef, Value};
use uuid::Uuid;

use super::facts::{Counters, Event, Facts};
use super::settings::Kind;
use super::whom::Whom;
use crate::keys::Key;
use crate::sends::cut;
use crate::solution::options::Set;
use crate::sync::Turn;

/// The longest link that a row takes.
const LINK: usize = 2000;

/// What is known of an event besides itself.
pub struct Around<'a> {
    pub whom: &'a Whom,
    pub send: Option<Uuid>,
    pub list: Option<Uuid>,
}

/// The row of an event; `None` for kinds that the CRM has no table for.
pub fn of(turn: &Turn, event: &Event, around: &Around<'_>) -> Option<Record> {
    let table = event.facts.kind().table()?;
    let id = Key::kept(&event.key).id(table);
    let row = Record::new(RecordRef::new(table, id));
    let row = shared(turn, event, around.whom, row);
    Some(match &event.facts {
        Facts::Recipient(counters) => summary(counters, around, row),
        Facts::Click { ip, agent, keyword } => {
            let url = cut(&event.what, LINK);
            let truncated = url.len() < event.what.len();
            row.with("esc_dateclicked", event.at)
                .with("esc_url", url)
                .with("esc_urlistruncated", truncated)
                .with("esc_keyword", short(keyword, 100))
                .with("esc_ipaddress", short(ip, 45))
                .with("esc_useragent", short(agent, 500))
        }
        Facts::Social { views } => {
            row.with("esc_bookmarkname", cut(&event.what, 100)).with("esc_numviews", number(*views))
        }
        Facts::Roi { kind, value } => {
            let numeric = (kind == "Numeric").then(|| numeric(value)).flatten();
            row.with("esc_markername", cut(&event.what, 100))
                .with("esc_datatype", Set::DataType.of_service(kind))
                .with("esc_value", cut(value, 500))
                .with("esc_numericvalue", numeric.map(Value::Decimal).unwrap_or(Value::Null))
                .with("esc_dateentered", event.at)
        }
        Facts::Open { .. } | Facts::PageView | Facts::Reply { .. } => return None,
    })
}

/// The row of a stored event, as the CRM has it.
pub fn reference(kind: Kind, key: &str) -> Option<RecordRef> {
    kind.table().map(|table| RecordRef::new(table, Key::kept(key).id(table)))
}

fn shared(turn: &Turn, event: &Event, whom: &Whom, row: Record) -> Record {
    let campaign = turn.connected.key.campaign(event.campaign).id("esc_emailcampaign");
    let label = whom.leader().map(|leader| leader.table.as_str()).unwrap_or("contact");
    let label = Set::RecordType.of_service(label);
    row.with("esc_name", cut(&event.address, 200))
        .with("esc_externalkey", event.key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_emailcampaignid", RecordRef::new("esc_emailcampaign", campaign))
        .with("esc_emailaddress", cut(&event.address, 320))
        .with("esc_servicecontactid", event.contact)
        .with("esc_recordtype", label)
        .with("esc_contactid", whom.of("contact"))
        .with("esc_leadid", whom.of("lead"))
        .with("esc_accountid", whom.of("account"))
        .with("esc_lastsyncedon", turn.now())
}

fn summary(counters: &Counters, around: &Around<'_>, row: Record) -> Record {
    row.with("esc_emailsendid", around.send.map(|id| RecordRef::new(super::sends::TABLE, id)))
        .with("esc_listid", around.list.map(|id| RecordRef::new("list", id)))
        .with("esc_datesent", counters.sent)
        .with("esc_datefirstopened", counters.first_opened)
        .with("esc_datelastopened", counters.last_opened)
        .with("esc_firstopenip", short(&counters.first_open_ip, 45))
        .with("esc_numopens", number(counters.opens))
        .with("esc_numviews", number(counters.page_views))
        .with("esc_numclicks", number(counters.clicks))
        .with("esc_numforwards", number(counters.forwards))
        .with("esc_numestimatedforwards", number(counters.estimated_forwards))
        .with("esc_numreplies", number(counters.replies))
        .with("esc_hardbounced", counters.hard_bounced)
        .with("esc_softbounced", counters.soft_bounced)
        .with("esc_unsubscribed", counters.unsubscribed)
}

fn short(text: &Option<String>, most: usize) -> Option<String> {
    text.as_deref().map(|text| cut(text, most))
}

/// A whole number of the CRM has 32 bits.
pub fn number(count: u64) -> i64 {
    i64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// A mark's value as a decimal of four places, when it is one.
fn numeric(value: &str) -> Option<String> {
    let number = crate::fields::Number::of(value.trim())?;
    let text = number.as_str();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().take(4).collect();
    // What the column cannot hold stays in the text.
    let fits = whole.trim_start_matches('-').len() <= 11;
    fits.then(|| if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check =
            |value: &str, expected: Option<&str>| assert_eq!(numeric(value).as_deref(), expected, "{value}");
        check("12.5", Some("12.5"));
        check(" -0.123456 ", Some("-0.1234"));
        check("1e5", None);
        check("999999999999", None);
        check("o'brien", None);
        assert_eq!(number(u64::MAX), i64::from(i32::MAX));
    }
}
