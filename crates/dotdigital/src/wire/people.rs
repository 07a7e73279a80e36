//! People as they are written: the bodies of v3 and v2, and reading people of both.

use std::collections::BTreeMap;

use jiff::civil::Date;
use postroom_core::marketing::{
    Channel, Consent, Contact, ContactId, ContactRow, EmailType, FieldValue, ListId, ListMembership, Merge,
    Names, OptIn, Person, PreferenceId,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value, json};

use super::Row;
use super::row::plain;
use crate::date;

/// How v3 calls its own identifiers.
pub(crate) const CONTACT_ID: &str = "contactId";
pub(crate) const EMAIL: &str = "email";
pub(crate) const MOBILE: &str = "mobileNumber";

/// The identifier of v3 that names a person, and its value.
pub(crate) fn identifier(person: &Person) -> (&str, String) {
    let value = match person {
        Person::Id(id) => id.to_string(),
        Person::Email(value) | Person::Mobile(value) | Person::Custom(_, value) => value.clone(),
    };
    (identifier_name(person), value)
}

fn identifier_name(person: &Person) -> &str {
    match person {
        Person::Id(_) => CONTACT_ID,
        Person::Email(_) => EMAIL,
        Person::Mobile(_) => MOBILE,
        Person::Custom(name, _) => name,
    }
}

/// `{"email":"…"}`, with the id as a number.
pub(crate) fn identifier_object(person: &Person) -> Value {
    let (name, value) = identifier(person);
    match person {
        Person::Id(id) => json!({ name: id.0 }),
        _ => json!({ name: value }),
    }
}

/// A value in v3: typed, and null empties the field.
fn v3_value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Clear => Value::Null,
        FieldValue::Text(text) => Value::from(text.as_str()),
        // A decimal that no number of JSON's holds goes as text, which the service reads too.
        FieldValue::Number(text) => match text.parse::<Number>() {
            Ok(number) if number.to_string() == *text => Value::Number(number),
            _ => Value::from(text.as_str()),
        },
        FieldValue::Bool(flag) => Value::from(*flag),
        FieldValue::Moment(moment) => Value::from(date::write(*moment)),
        FieldValue::Day(day) => Value::from(noon(*day)),
    }
}

/// A value in v2: text of any type.
pub(crate) fn v2_value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Number(text) => Value::from(text.as_str()),
        FieldValue::Bool(true) => Value::from("True"),
        FieldValue::Bool(false) => Value::from("False"),
        other => v3_value(other),
    }
}

fn noon(day: Date) -> String {
    format!("{day}T12:00:00Z")
}

/// The words of v3's bodies begin with a small letter: `verifiedDouble`.
fn small(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn identifiers(names: &Names) -> Map<String, Value> {
    let own = [(EMAIL, &names.email), (MOBILE, &names.mobile)];
    let own =
        own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.as_deref()?))));
    own.chain(names.custom.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())))).collect()
}

/// What a person gets, in v3's words; empty parts are left out.
pub(crate) fn v3_body(row: &ContactRow) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("identifiers".to_owned(), Value::Object(identifiers(&row.names)));
    if !row.fields.is_empty() {
        let fields = row.fields.iter().map(|(name, value)| (name.clone(), v3_value(value)));
        body.insert("dataFields".to_owned(), fields.collect::<Map<_, _>>().into());
    }
    body.extend(v3_others(row));
    body
}

/// Everything but identifiers and fields.
fn v3_others(row: &ContactRow) -> Map<String, Value> {
    let mut body = Map::new();
    let mut email = Map::new();
    if let Some(kind) = &row.email_type {
        email.insert("emailType".to_owned(), small(kind.as_str()).into());
    }
    if let Some(opt_in) = &row.opt_in {
        email.insert("optInType".to_owned(), small(opt_in.as_str()).into());
    }
    if !email.is_empty() {
        body.insert("channelProperties".to_owned(), json!({ "email": email }));
    }
    if !row.lists.is_empty() {
        body.insert("lists".to_owned(), row.lists.iter().map(|list| Value::from(list.0)).collect());
    }
    if !row.preferences.is_empty() {
        let one = |(id, chosen): &(PreferenceId, bool)| json!({ "id": id.0, "isOptedIn": chosen });
        body.insert("preferences".to_owned(), row.preferences.iter().map(one).collect());
    }
    if !row.consents.is_empty() {
        body.insert("consentRecords".to_owned(), row.consents.iter().map(v3_consent).collect());
    }
    body
}

fn v3_consent(consent: &Consent) -> Value {
    json!({
        "text": consent.text,
        "dateTimeConsented": date::write(consent.at),
        "url": consent.url,
        "ipAddress": consent.ip,
        "userAgent": consent.user_agent,
    })
}

/// A row of v3's import, written without a tree of it: there are millions.
pub(crate) struct ImportRow<'r>(pub &'r ContactRow);

impl Serialize for ImportRow<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let by = self.0.by.as_ref();
        let mut row = to.serialize_map(None)?;
        row.serialize_entry("matchIdentifier", by.map_or(EMAIL, |person| identifier_name(person)))?;
        row.serialize_entry("identifiers", &Identifiers { names: &self.0.names, by })?;
        if !self.0.fields.is_empty() {
            row.serialize_entry("dataFields", &DataFields(&self.0.fields))?;
        }
        for (name, value) in v3_others(self.0) {
            row.serialize_entry(&name, &value)?;
        }
        row.end()
    }
}

struct Identifiers<'r> {
    names: &'r Names,
    by: Option<&'r Person>,
}

impl Serialize for Identifiers<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Names { email, mobile, custom } = self.names;
        let mut all = to.serialize_map(None)?;
        let (mut own_email, mut own_mobile) = (email.as_deref(), mobile.as_deref());
        match self.by {
            Some(Person::Id(id)) => all.serialize_entry(CONTACT_ID, &id.0)?,
            Some(Person::Email(by)) => own_email = own_email.or(Some(by)),
            Some(Person::Mobile(by)) => own_mobile = own_mobile.or(Some(by)),
            Some(Person::Custom(name, value)) if !custom.contains_key(name) => {
                all.serialize_entry(name, value)?
            }
            Some(Person::Custom(..)) | None => {}
        }
        for (name, value) in [(EMAIL, own_email), (MOBILE, own_mobile)] {
            if let Some(value) = value {
                all.serialize_entry(name, value)?;
            }
        }
        for (name, value) in custom {
            all.serialize_entry(name, value)?;
        }
        all.end()
    }
}

struct DataFields<'r>(&'r BTreeMap<String, FieldValue>);

impl Serialize for DataFields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut all = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            match value {
                FieldValue::Text(text) => all.serialize_entry(name, text)?,
                other => all.serialize_entry(name, &v3_value(other))?,
            }
        }
        all.end()
    }
}

pub(crate) fn v3_merge(merge: Merge) -> &'static str {
    match merge {
        Merge::Overwrite => "overwrite",
        Merge::OverwriteIfNotEmpty => "overwriteIfNotEmpty",
        Merge::FillEmpty => "overwriteIfEmpty",
    }
}

/// The same in a query.
pub(crate) fn v3_merge_query(merge: Merge) -> &'static str {
    match merge {
        Merge::Overwrite => "overwrite",
        Merge::OverwriteIfNotEmpty => "overwrite-if-not-empty",
        Merge::FillEmpty => "overwrite-if-empty",
    }
}

pub(crate) fn v2_merge(merge: Merge) -> &'static str {
    match merge {
        Merge::Overwrite => "Overwrite",
        Merge::OverwriteIfNotEmpty => "OnlyOverwriteIfNotEmpty",
        Merge::FillEmpty => "OnlyOverwriteIfContactDataNotPopulated",
    }
}

/// A person in v2's words, without consent.
pub(crate) fn v2_body(row: &ContactRow) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("email".to_owned(), row.names.email.clone().unwrap_or_default().into());
    if let Some(opt_in) = &row.opt_in {
        body.insert("optInType".to_owned(), opt_in.as_str().into());
    }
    if let Some(kind) = &row.email_type {
        body.insert("emailType".to_owned(), kind.as_str().into());
    }
    let one = |(name, value): (&String, &FieldValue)| json!({ "key": name, "value": v2_value(value) });
    body.insert("dataFields".to_owned(), row.fields.iter().map(one).collect());
    body
}

/// One consent, in v2's words.
pub(crate) fn v2_consent(consent: &Consent) -> Value {
    let pairs = [
        ("TEXT", consent.text.clone()),
        ("DATETIMECONSENTED", date::write(consent.at)),
        ("URL", consent.url.clone()),
        ("IPADDRESS", consent.ip.clone()),
        ("USERAGENT", consent.user_agent.clone()),
    ];
    pairs.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// A value as it was read. Dates are text until somebody knows the field's type.
pub(crate) fn field_value(value: &RawValue) -> FieldValue {
    match value.get() {
        "null" => FieldValue::Clear,
        "true" => FieldValue::Bool(true),
        "false" => FieldValue::Bool(false),
        text if text.starts_with('"') => FieldValue::Text(plain(value)),
        text => FieldValue::Number(text.to_owned()),
    }
}

/// Identifiers of v3.
pub(crate) fn names(row: &Row<'_>) -> Names {
    let mut names = Names::default();
    for (name, value) in row.members().filter(|(_, value)| value.get() != "null") {
        match name {
            EMAIL => names.email = Some(plain(value)),
            MOBILE => names.mobile = Some(plain(value)),
            CONTACT_ID => {}
            _ => {
                names.custom.insert(name.to_owned(), plain(value));
            }
        }
    }
    names
}

/// A person of v3.
pub(crate) fn v3_contact(row: &Row<'_>) -> Option<Contact> {
    let fields = row.row("dataFields").unwrap_or_default();
    let fields = fields.members().map(|(name, value)| (name.to_owned(), field_value(value)));
    let channels = row.row("channelProperties");
    let email = channels.and_then(|channels| channels.row("email")).map(|email| Channel {
        email_type: email.word::<EmailType>("emailType"),
        opt_in: email.word::<OptIn>("optInType"),
        status: email.word("status"),
    });
    let list = |list: &Row<'_>| {
        Some(ListMembership {
            id: ListId(list.id("id")?),
            name: list.string("name"),
            status: list.word("status"),
        })
    };
    let preference = |one: &Row<'_>| Some((PreferenceId(one.id("id")?), one.is("isOptedIn")));
    Some(Contact {
        id: ContactId(row.id("contactId")?),
        names: names(&row.row("identifiers").unwrap_or_default()),
        status: row.word("status"),
        created: row.moment("created"),
        updated: row.moment("updated"),
        fields: fields.collect(),
        email,
        lists: row.get("lists").map(|_| row.rows("lists").iter().filter_map(list).collect()),
        preferences: row
            .get("preferences")
            .map(|_| row.rows("preferences").iter().filter_map(preference).collect()),
        consents: row
            .get("consentRecords")
            .map(|_| row.rows("consentRecords").iter().filter_map(consent).collect()),
    })
}

fn consent(row: &Row<'_>) -> Option<Consent> {
    Some(Consent {
        text: row.string("text"),
        at: row.moment("dateTimeConsented")?,
        url: row.string("url"),
        ip: row.string("ipAddress"),
        user_agent: row.string("userAgent"),
    })
}

/// A person of v2.
pub(crate) fn v2_contact(row: &Row<'_>) -> Option<Contact> {
    let field = |field: &Row<'_>| {
        let value = field.get("value").map_or(FieldValue::Clear, field_value);
        Some((field.some_text("key")?, value))
    };
    let status: postroom_core::marketing::Status = row.word("status");
    Some(Contact {
        id: ContactId(row.id("id")?),
        names: Names { email: row.some_text("email"), mobile: None, custom: BTreeMap::new() },
        status: status.clone(),
        created: row.moment("created"),
        updated: None,
        fields: row.rows("dataFields").iter().filter_map(field).collect(),
        email: Some(Channel { email_type: row.word("emailType"), opt_in: row.word("optInType"), status }),
        lists: None,
        preferences: None,
        consents: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ContactRow {
        let value = |name: &str, value: FieldValue| (name.to_owned(), value);
        ContactRow {
            by: Some(Person::Id(ContactId(7))),
            names: Names { email: Some("o'brien+x@example.com".into()), ..Names::default() },
            fields: BTreeMap::from([
                value("A", FieldValue::Clear),
                value("B", FieldValue::Bool(true)),
                value("D", FieldValue::Day("2024-05-01".parse().unwrap())),
                value("N", FieldValue::Number("-12.5".into())),
                value("P", FieldValue::Number("123456789012345678.123456789".into())),
            ]),
            email_type: Some(EmailType::PlainText),
            opt_in: Some(OptIn::VerifiedDouble),
            lists: vec![ListId(123)],
            preferences: vec![(PreferenceId(4), false)],
            consents: vec![],
        }
    }

    #[test]
    fn people_of_v3() {
        let expected = json!({
            "matchIdentifier": "contactId",
            "identifiers": {"contactId": 7, "email": "o'brien+x@example.com"},
            "dataFields": {"A": null, "B": true, "D": "2024-05-01T12:00:00Z", "N": -12.5, "P": "123456789012345678.123456789"},
            "channelProperties": {"email": {"emailType": "plainText", "optInType": "verifiedDouble"}},
            "lists": [123],
            "preferences": [{"id": 4, "isOptedIn": false}],
        });
        assert_eq!(serde_json::to_value(ImportRow(&row())).unwrap(), expected);
        let plain = ContactRow { names: row().names, ..ContactRow::default() };
        let expected = json!({"matchIdentifier": "email", "identifiers": {"email": "o'brien+x@example.com"}});
        assert_eq!(
            serde_json::to_value(ImportRow(&plain)).unwrap(),
            expected,
            "what is not said is not touched"
        );
    }

    #[test]
    fn people_of_v2() {
        let body = Value::Object(v2_body(&row()));
        assert_eq!(body["optInType"], "VerifiedDouble");
        assert_eq!(body["dataFields"][1], json!({"key": "B", "value": "True"}));
        assert_eq!(body["dataFields"][0], json!({"key": "A", "value": null}));
        assert_eq!(body["dataFields"][3], json!({"key": "N", "value": "-12.5"}));
    }

    #[test]
    fn people_are_read() {
        let text = br#"{"contactId":9,"status":"subscribed","created":"2024-01-01T00:00:00Z","updated":"2024-01-02T00:00:00.5Z","identifiers":{"email":"a@x","mobileNumber":null,"CRM":"1"},"dataFields":{"N":12345678901234567.25,"T":"x","B":false,"E":null},"channelProperties":{"email":{"emailType":"Html","optInType":"Double","status":"hardBounced"}},"lists":[{"id":1,"name":"L","status":"new"}],"extra":1}"#;
        let contact = v3_contact(&Row::read(text).unwrap()).unwrap();
        assert_eq!(contact.fields["N"], FieldValue::Number("12345678901234567.25".into()));
        assert_eq!(contact.fields["E"], FieldValue::Clear);
        assert_eq!(contact.names.custom["CRM"], "1");
        assert_eq!(contact.email.unwrap().opt_in, OptIn::Double);
        assert_eq!(contact.lists.unwrap()[0].status.as_str(), "new");
        assert_eq!((contact.preferences, contact.consents), (None, None));
        let text = br#"{"id":38,"email":"e@x.io","optInType":"Unknown","emailType":"Html","dataFields":[{"key":"N","value":5}],"status":"HardBounced"}"#;
        let contact = v2_contact(&Row::read(text).unwrap()).unwrap();
        assert!(!contact.status.mailable() && contact.fields["N"] == FieldValue::Number("5".into()));
    }
}
