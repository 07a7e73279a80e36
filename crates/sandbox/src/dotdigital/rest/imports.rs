//! Imports of v2: a CSV file in JSON or multipart, or a collection. Source: dotdigital.md A12.
//!
//! Not here: XLS.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::call::{Answer, Call, Refusal, Reply, accepted, ints, member, ok, text};
use super::{contacts, csv};
use crate::dotdigital::account::contact::Status;
use crate::dotdigital::account::import::{Import, MOST_ACTIVE, Phase, Row};
use crate::dotdigital::account::writing::{Merge, Wanted};

fn merge(word: &str) -> Result<Merge, Refusal> {
    match word {
        "0" | "Overwrite" => Ok(Merge::Overwrite),
        "1" | "OnlyOverwriteIfNotEmpty" => Ok(Merge::IfNotEmpty),
        "2" | "OnlyOverwriteIfContactDataNotPopulated" => Ok(Merge::IfEmpty),
        _ => Err(Refusal::bad("ERROR_PARAMETER_INVALID")),
    }
}

pub(super) fn everybody(call: &mut Call<'_>) -> Answer {
    file(call, None, Merge::Overwrite)
}

pub(super) fn everybody_merged(call: &mut Call<'_>) -> Answer {
    let merge = merge(call.capture(0))?;
    file(call, None, merge)
}

pub(super) fn to_list(call: &mut Call<'_>) -> Answer {
    let list = super::lists::writable(call, 0)?;
    file(call, Some(list), Merge::Overwrite)
}

pub(super) fn to_list_merged(call: &mut Call<'_>) -> Answer {
    let (list, merge) = (super::lists::writable(call, 0)?, merge(call.capture(1))?);
    file(call, Some(list), merge)
}

fn file(call: &mut Call<'_>, list: Option<i32>, merge: Merge) -> Answer {
    let (name, bytes) = upload(call)?;
    if !name.to_lowercase().ends_with(".csv") {
        return Err(Refusal::bad("ERROR_IMPORT_UNSUPPORTED_FORMAT"));
    }
    let table = String::from_utf8(bytes).ok().map(|text| csv::read(&text)).filter(|table| !table.is_empty());
    let Some(mut table) = table else {
        let mut import = Import::new(call.ids.next(), merge, Vec::new(), Vec::new(), call.now);
        import.fate = Phase::InvalidFileFormat;
        return submit(call, import);
    };
    let header = table.remove(0);
    let email = header.iter().position(|name| name.eq_ignore_ascii_case("email"));
    let email = email.ok_or(Refusal::bad("ERROR_NO_EMAIL_COLUMN"))?;
    let rows = table.into_iter().map(|cells| {
        let mut wanted = Wanted { email: cells.get(email).cloned(), ..Wanted::default() };
        wanted.lists.extend(list);
        for (name, cell) in header.iter().zip(&cells) {
            column(call, &mut wanted, name, Value::from(cell.as_str()));
        }
        Row { matches: "email".to_owned(), id: None, wanted, cells }
    });
    let rows = rows.collect();
    submit(call, Import::new(call.ids.next(), merge, header, rows, call.now))
}

/// What a column, or a data field of a collection, means; unknown ones are ignored.
fn column(call: &Call<'_>, wanted: &mut Wanted, name: &str, value: Value) {
    use crate::dotdigital::account::contact::{EmailType, OptIn};
    let word = value.as_str().unwrap_or_default();
    if let Some(preference) = name.strip_prefix("Preference:") {
        let leaf = preference.rsplit(">>").next().unwrap_or(preference).trim();
        let known =
            call.account.preferences.values().find(|known| {
                known.is_preference && (known.public_name == leaf || known.private_name == leaf)
            });
        let yes = value.as_bool().unwrap_or(word.eq_ignore_ascii_case("true"));
        wanted.preferences.extend(known.map(|known| (known.id, yes)));
        return;
    }
    match name.to_lowercase().as_str() {
        "email" | "lastsubscribed" => {}
        "optintype" => wanted.opt_in = OptIn::of(word).or(wanted.opt_in),
        "emailtype" => wanted.email_type = EmailType::of(word).or(wanted.email_type),
        _ if call.account.fields.number(name).is_some() => wanted.fields.push((name.to_owned(), value)),
        _ => {}
    }
}

/// Name and bytes of the file.
fn upload(call: &Call<'_>) -> Result<(String, Vec<u8>), Refusal> {
    if let Some(boundary) = call.content_type.split("boundary=").nth(1) {
        let boundary = boundary.split(';').next().unwrap_or_default().trim_matches('"');
        return csv::part(call.body, boundary).ok_or(Refusal::bad("ERROR_MALFORMED_REQUEST"));
    }
    let body = call.object()?;
    let name = text(&body, "fileName").unwrap_or_default().to_owned();
    let data = text(&body, "data").ok_or(Refusal::bad("ERROR_IMPORT_UNSUPPORTED_FORMAT"))?;
    let bytes = BASE64.decode(data).map_err(|_| Refusal::bad("ERROR_IMPORT_UNSUPPORTED_FORMAT"))?;
    Ok((name, bytes))
}

pub(super) fn collection(call: &mut Call<'_>) -> Answer {
    let body = call.object()?;
    let merge = match member(&body, "mergeOption") {
        None => Merge::Overwrite,
        Some(Value::String(word)) => merge(word)?,
        Some(other) => merge(&other.to_string())?,
    };
    let lists = ints(&body, "addressBookIds")?;
    if let Some(missing) = lists.iter().find(|list| !call.account.lists.contains_key(list)) {
        let text = format!("Address book {missing} was not found");
        return Err(Refusal::because("ERROR_ADDRESSBOOK_NOT_FOUND", text));
    }
    let people = member(&body, "contacts").and_then(Value::as_array).filter(|people| !people.is_empty());
    let people = people.ok_or(Refusal::bad("ERROR_CONTACTS_ARE_NOT_SPECIFIED"))?;
    let mut rows = Vec::with_capacity(people.len());
    for person in people {
        let mut wanted = contacts::wanted(person)?;
        for (name, value) in std::mem::take(&mut wanted.fields) {
            column(call, &mut wanted, &name, value);
        }
        wanted.lists.clone_from(&lists);
        if let Some(consent) = member(person, "consentFields") {
            wanted.consents.push(contacts::consent(&contacts::pairs(Some(consent))?, call.now));
        }
        let cells = vec![wanted.email.clone().unwrap_or_default()];
        rows.push(Row { matches: "email".to_owned(), id: None, wanted, cells });
    }
    let header = vec!["email".to_owned()];
    submit(call, Import::new(call.ids.next(), merge, header, rows, call.now))
}

fn submit(call: &mut Call<'_>, import: Import) -> Answer {
    if call.account.active_imports() >= MOST_ACTIVE {
        return Err(Refusal::bad("ERROR_IMPORT_TOOMANYACTIVEIMPORTS"));
    }
    let id = import.id;
    put(call, import);
    accepted(json!({ "id": id, "status": "NotFinished" }))
}

/// Begins an import under the switches that are on.
pub(super) fn put(call: &mut Call<'_>, mut import: Import) {
    match call.import_fate {
        None => import.stuck = true,
        Some(Phase::Finished) => {}
        Some(fate) => import.fate = fate,
    }
    call.account.imports.insert(import.id, import);
}

pub(super) fn progress(call: &mut Call<'_>) -> Answer {
    let id = super::guid(call, 0)?;
    let import = call.account.imports.get_mut(&id).ok_or(Refusal::absent("ERROR_IMPORT_NOT_FOUND"))?;
    import.polls += 1;
    ok(json!({ "id": id, "status": import.phase.word() }))
}

fn finished<'a>(call: &'a Call<'_>) -> Result<&'a Import, Refusal> {
    let id = super::guid(call, 0)?;
    let import = call.account.imports.get(&id).ok_or(Refusal::absent("ERROR_IMPORT_NOT_FOUND"))?;
    let readable = import.has_report(call.now);
    readable.then_some(import).ok_or(Refusal::absent("ERROR_IMPORT_REPORT_NOT_FOUND"))
}

pub(super) fn report(call: &mut Call<'_>) -> Answer {
    let import = finished(call)?;
    let count = |status| import.refused_as(status);
    let failures = import.refused.iter().filter(|refused| refused.reason == "Failures").count();
    ok(json!({
        "newContacts": import.created.len(),
        "updatedContacts": import.updated.len(),
        "globallySuppressed": count(Status::SharedSuppression),
        "invalidEntries": import.refused.iter().filter(|refused| refused.reason == "Invalid Entries").count(),
        "duplicateEmails": import.duplicates,
        "blocked": 0,
        "unsubscribed": count(Status::Unsubscribed),
        "hardBounced": count(Status::HardBounced),
        "softBounced": 0,
        "ispComplaints": count(Status::IspComplained),
        "mailBlocked": count(Status::MailBlocked),
        "domainSuppressed": count(Status::DomainSuppression),
        "pendingDoubleOptin": count(Status::PendingOptIn),
        "failures": failures,
        "suppressedContacts": count(Status::Suppressed),
    }))
}

pub(super) fn faults(call: &mut Call<'_>) -> Answer {
    let import = finished(call)?;
    let mut out = csv::line(std::iter::once("Reason").chain(import.header.iter().map(String::as_str)));
    for refused in &import.refused {
        let cells = refused.row.cells.iter().map(String::as_str);
        out.push_str(&csv::line(std::iter::once(refused.reason.as_str()).chain(cells)));
    }
    Ok(Reply::Csv(out))
}
