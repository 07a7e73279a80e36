//! What a row of the queue says: a pure function of its message type and its payload.
//!
//! Sends say it in the XML that dotMailer's connector for SalesLogix wrote into the queue that this one descends from
//! (`EmailMarketingService/Tasks/CampaignSendData.cs` in dotmailer/saleslogix-connector), with `ExpectedCount` besides, which
//! that one did not ask for. Synchronisations say one id, as there.

use jiff::Timestamp;
use postroom_formats::xml::{self, Element, Limits};
use uuid::Uuid;

use crate::sends::row::SplitAsk;
use crate::solution::options::Set;
use crate::sync::SyncType;

/// Larger than any payload that means something.
const LIMITS: Limits = Limits { bytes: 1 << 20, nodes: 20_000, depth: 8 };

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    Send(Send),
    Single(Single),
    /// One marketing list.
    List(Uuid),
    /// A campaign's totals, and what people did with it.
    Campaign(Uuid),
    /// All of an account; the row's own when none is named.
    Account(Option<Uuid>),
    /// These sync types of the row's account.
    Sync(&'static [SyncType]),
}

/// `CampaignSendData`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Send {
    pub campaign: Uuid,
    pub lists: Vec<Uuid>,
    pub at: Option<Timestamp>,
    pub expected: Option<u64>,
    pub split: Option<SplitAsk>,
    pub new_members: bool,
}

/// `SingleSendData`: a mail to one person, or one person put into a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Single {
    pub campaign: Option<Uuid>,
    pub program: Option<i64>,
    /// The column that names the person, the person's table and id.
    pub person: (&'static str, &'static str, Uuid),
    pub values: Option<String>,
    pub transactional: bool,
}

/// Reads a payload of this message type. The error says what to write.
pub(super) fn read(kind: &str, payload: &str) -> Result<Asked, String> {
    let text = payload.trim().trim_start_matches('\u{feff}').trim();
    match kind {
        "SendEmailCampaign" => send(text, false, false).map(Asked::Send),
        "SendSplitEmailCampaign" => send(text, true, false).map(Asked::Send),
        "SendNewMemberCampaign" => send(text, false, true).map(Asked::Send),
        "Single send" => single(text).map(Asked::Single),
        "SynchroniseEmailAddressBook" => id(text, "list").map(Asked::List),
        "SynchroniseEmailCampaign" => id(text, "esc_emailcampaign").map(Asked::Campaign),
        "SynchroniseEmailAccount" if text.is_empty() => Ok(Asked::Account(None)),
        "SynchroniseEmailAccount" => id(text, "esc_emailaccount").map(Some).map(Asked::Account),
        "SynchroniseAllEmailCampaignHeaders" => Ok(Asked::Sync(&[SyncType::Campaigns])),
        "Sync suppressions" => Ok(Asked::Sync(&[SyncType::Suppressions])),
        "Sync forms" => Ok(Asked::Sync(&[SyncType::Forms])),
        other => Err(format!("nothing is done for the message type {other}")),
    }
}

/// A GUID, with or without braces and the name of its table.
fn id(text: &str, table: &str) -> Result<Uuid, String> {
    let bare = text.strip_prefix(table).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    bare.trim_matches(['{', '}']).parse().map_err(|_| {
        format!(
            "the payload {:?} is no id: write the GUID of a row of {table}, and nothing else",
            shown(text)
        )
    })
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn root(text: &str, name: &str, example: &str) -> Result<Element, String> {
    let wrong = |why: &str| format!("the payload cannot be read ({why}): write {example}");
    // What .NET writes says utf-16 of itself; as a text of the CRM it is none.
    let text = match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start(),
        None => text,
    };
    let root = xml::read(text, &LIMITS).map_err(|error| wrong(&error.to_string()))?;
    match root.name.local == name {
        true => Ok(root),
        false => Err(wrong(&format!("its element is {}, not {name}", root.name.local))),
    }
}

const SEND: &str = "<CampaignSendData><CampaignId>GUID</CampaignId><AddressBookIds><string>GUID of a marketing list</string>\
    </AddressBookIds><SendDate>2016-03-10T08:00:00Z</SendDate><ExpectedCount>482</ExpectedCount></CampaignSendData>";
const SINGLE: &str =
    "<SingleSendData><CampaignId>GUID</CampaignId><ContactId>GUID</ContactId></SingleSendData>";

/// Text of a member that says something.
fn member<'e>(root: &'e Element, name: &str) -> Option<&'e str> {
    root.text_of(name).filter(|text| !text.is_empty())
}

/// A member that is read by `parse`, when it is there.
fn parsed<T: std::str::FromStr>(root: &Element, name: &str, wanted: &str) -> Result<Option<T>, String> {
    let Some(text) = member(root, name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("{name} is {:?}: write {wanted}", shown(text)))
}

fn guid(root: &Element, name: &str, table: &str) -> Result<Option<Uuid>, String> {
    member(root, name).map(|text| id(text, table)).transpose().map_err(|text| format!("{name}: {text}"))
}

fn send(text: &str, wants_split: bool, new_members: bool) -> Result<Send, String> {
    let root = root(text, "CampaignSendData", SEND)?;
    for begun in ["TempAddressBookName", "ImportContactResult", "CampaignSendResult"] {
        if member(&root, begun).is_some() {
            return Err(format!(
                "another connector has begun this send ({begun} is filled), and may have made it: look at the service, then ask \
                 for it by a new row if it was not"
            ));
        }
    }
    let campaign = guid(&root, "CampaignId", "esc_emailcampaign")?;
    let campaign = campaign.ok_or_else(|| format!("the payload names no campaign: write {SEND}"))?;
    let books = root.child("AddressBookIds").into_iter().flat_map(|books| &books.children);
    let mut lists = books.map(|book| id(book.text.trim(), "list")).collect::<Result<Vec<Uuid>, String>>()?;
    lists.sort();
    lists.dedup();
    if lists.is_empty() {
        return Err(format!("the payload names no marketing list in AddressBookIds: write {SEND}"));
    }
    let at = parsed(&root, "SendDate", "a moment with its zone, such as 2016-03-10T08:00:00Z")?;
    let expected = parsed(&root, "ExpectedCount", "a number of people")?;
    let split = split(&root, wants_split)?;
    Ok(Send { campaign, lists, at, expected, split, new_members })
}

fn split(root: &Element, wanted: bool) -> Result<Option<SplitAsk>, String> {
    let percent = parsed::<u32>(root, "TestPercentage", "a share of 1 to 100")?;
    let hours = parsed::<u32>(root, "TestPeriodHours", "a number of hours")?;
    let metric = member(root, "TestMetric");
    let known =
        |metric: &str| Set::SplitMetric.options().iter().find(|known| known.eq_ignore_ascii_case(metric));
    match (wanted, percent, hours, metric) {
        (false, None, None, None) => Ok(None),
        (false, ..) => Err(
            "only SendSplitEmailCampaign takes TestPercentage, TestPeriodHours and TestMetric: choose that \
                            message type, or leave them out"
                .to_owned(),
        ),
        (true, Some(percent @ 1..=100), Some(hours @ 1..), Some(metric)) if known(metric).is_some() => {
            Ok(known(metric).map(|metric| SplitAsk { metric: (*metric).to_owned(), percent, hours }))
        }
        (true, ..) => Err(format!(
            "a split test says TestPercentage (1 to 100), TestPeriodHours, and TestMetric ({})",
            Set::SplitMetric.options().join(", ")
        )),
    }
}

fn single(text: &str) -> Result<Single, String> {
    let root = root(text, "SingleSendData", SINGLE)?;
    let mut people = Vec::new();
    for (name, column, table) in [
        ("ContactId", "esc_contactid", "contact"),
        ("LeadId", "esc_leadid", "lead"),
        ("AccountId", "esc_accountid", "account"),
    ] {
        people.extend(guid(&root, name, table)?.map(|id| (column, table, id)));
    }
    let [person] = people.as_slice() else {
        return Err(format!("the payload is about one ContactId, LeadId or AccountId: write {SINGLE}"));
    };
    let campaign = guid(&root, "CampaignId", "esc_emailcampaign")?;
    let program = parsed(&root, "ProgramId", "the number of a program")?;
    if campaign.is_some() == program.is_some() {
        return Err(format!("the payload names a CampaignId or a ProgramId: write {SINGLE}"));
    }
    Ok(Single {
        campaign,
        program,
        person: *person,
        values: member(&root, "Personalisation").map(str::to_owned),
        transactional: parsed(&root, "Transactional", "true or false")?.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199d9a0-0000-7000-8000-000000000001";

    fn guid_of(text: &str) -> Uuid {
        text.parse().unwrap()
    }

    fn data(inside: &str) -> String {
        format!(
            "<CampaignSendData><CampaignId>{ID}</CampaignId><AddressBookIds><string>{ID}</string></AddressBookIds>{inside}\
             </CampaignSendData>"
        )
    }

    #[track_caller]
    fn check(kind: &str, payload: &str, expected: Asked) {
        assert_eq!(read(kind, payload), Ok(expected), "{payload}");
    }

    #[track_caller]
    fn wrong(kind: &str, payload: &str, says: &str) {
        let text = read(kind, payload).unwrap_err();
        assert!(text.contains(says), "{text}");
    }

    fn send_of(id: &str) -> Send {
        let id = guid_of(id);
        Send { campaign: id, lists: vec![id], at: None, expected: None, split: None, new_members: false }
    }

    #[test]
    fn ids() {
        let id = guid_of(ID);
        check("SynchroniseEmailAddressBook", ID, Asked::List(id));
        check("SynchroniseEmailAddressBook", &format!(" list/{{{ID}}} "), Asked::List(id));
        check("SynchroniseEmailCampaign", ID, Asked::Campaign(id));
        check("SynchroniseEmailAccount", "", Asked::Account(None));
        check("SynchroniseEmailAccount", ID, Asked::Account(Some(id)));
        check("SynchroniseAllEmailCampaignHeaders", "", Asked::Sync(&[SyncType::Campaigns]));
        wrong("SynchroniseEmailAddressBook", "everything", "write the GUID of a row of list");
        wrong("SynchroniseEmailCampaign", "", "write the GUID");
    }

    /// As `XmlSerializer` writes it over a `StringWriter`.
    #[test]
    fn what_the_vendor_s_wizard_wrote() {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<CampaignSendData \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\r\n  \
             <CampaignId>{ID}</CampaignId>\r\n  <AddressBookIds>\r\n    <string>{ID}</string>\r\n  </AddressBookIds>\r\n  \
             <SendDate>2012-09-06T10:00:00.1234567Z</SendDate>\r\n  <TestPercentage>20</TestPercentage>\r\n  \
             <TestPeriodHours>4</TestPeriodHours>\r\n  <TestMetric>opens</TestMetric>\r\n  <ActualDateSent xsi:nil=\"true\" />\r\n  \
             <LastCheckForSendComplete xsi:nil=\"true\" />\r\n</CampaignSendData>"
        );
        let split = SplitAsk { metric: "Opens".to_owned(), percent: 20, hours: 4 };
        let at = "2012-09-06T10:00:00.1234567Z".parse().ok();
        check("SendSplitEmailCampaign", &text, Asked::Send(Send { at, split: Some(split), ..send_of(ID) }));
        let nil = data(
            "<TestPercentage xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/>",
        );
        check("SendEmailCampaign", &nil, Asked::Send(send_of(ID)));
    }

    #[test]
    fn sends() {
        let counted = Send { expected: Some(482), ..send_of(ID) };
        check("SendEmailCampaign", &data("<ExpectedCount>482</ExpectedCount>"), Asked::Send(counted));
        let joined = Send { new_members: true, ..send_of(ID) };
        check("SendNewMemberCampaign", &data(""), Asked::Send(joined));
        wrong("SendEmailCampaign", "", "write <CampaignSendData>");
        wrong("SendEmailCampaign", "<Other/>", "its element is Other");
        wrong("SendEmailCampaign", &data("").replace("string", "b").replace("<b>", "<b>x"), "is no id");
        wrong(
            "SendEmailCampaign",
            &data("").replace(&format!("<string>{ID}</string>"), ""),
            "no marketing list",
        );
        wrong("SendEmailCampaign", &data("<SendDate>2012-09-06T10:00:00</SendDate>"), "with its zone");
        wrong(
            "SendEmailCampaign",
            &data("<TestPercentage>20</TestPercentage>"),
            "only SendSplitEmailCampaign",
        );
        wrong("SendSplitEmailCampaign", &data(""), "a split test says");
        wrong(
            "SendEmailCampaign",
            &data("<TempAddressBookName>Temp</TempAddressBookName>"),
            "another connector",
        );
    }

    #[test]
    fn singles() {
        let text = |inside: &str| format!("<SingleSendData>{inside}</SingleSendData>");
        let contact = format!("<ContactId>{ID}</ContactId>");
        let id = guid_of(ID);
        let program = Single {
            campaign: None,
            program: Some(7),
            person: ("esc_contactid", "contact", id),
            values: None,
            transactional: false,
        };
        check(
            "Single send",
            &text(&format!("{contact}<ProgramId>7</ProgramId>")),
            Asked::Single(program.clone()),
        );
        let mail = Single { campaign: Some(id), program: None, transactional: true, ..program };
        let inside = format!("{contact}<CampaignId>{ID}</CampaignId><Transactional>true</Transactional>");
        check("Single send", &text(&inside), Asked::Single(mail));
        wrong("Single send", &text(&contact), "a CampaignId or a ProgramId");
        wrong("Single send", &text(&format!("{contact}<LeadId>{ID}</LeadId>")), "one ContactId");
    }
}
