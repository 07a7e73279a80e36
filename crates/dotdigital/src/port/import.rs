//! Imports: jobs of v3, or of v2 alone, their states and reports.

use std::collections::HashSet;

use postroom_core::Fault;
use postroom_core::marketing::{
    ContactId, ContactRow, FaultClass, Import, ImportCounts, ImportFault, ImportId, ImportReport,
    ImportStatus, Names, Parcel, Person, Settled,
};
use postroom_formats::csv::Table;
use serde_json::{Value, json};

use super::Dotdigital;
use super::contact::{named, needs_v3};
use super::rows::{Document, Members};
use crate::ask::Ask;
use crate::client::Trouble;
use crate::spool;
use crate::wire::{Piece, Row, people};

const V3: &str = "/contacts/v3/import";
const V3_STATUS: &str = "/contacts/v3/import/{}";
const V2: &str = "/v2/contacts/import-collection";
const V2_STATUS: &str = "/v2/contacts/import/{}";
/// What stands behind the last row.
const END: &str = "]}";

impl Dotdigital {
    pub(super) fn pack_row(&self, row: &ContactRow, parcel: &mut Parcel) -> Result<bool, Fault> {
        if self.soap() {
            return self.soap_pack(row, parcel);
        }
        let v3 = self.v3();
        if parcel.rows == 0 {
            begin(v3, row, parcel);
        } else if !v3 && parcel.first.as_ref().is_some_and(|first| first.lists != row.lists) {
            // A call of v2 has one set of lists for all its people.
            return Ok(false);
        }
        let before = parcel.body.len();
        if parcel.rows > 0 {
            parcel.body.push(b',');
        }
        match v3 {
            true => v3_row(row, &mut parcel.body)?,
            false => parcel.body.extend_from_slice(v2_row(row)?.as_bytes()),
        }
        if parcel.rows > 0 && spool::size(parcel) + END.len() > self.client.settings.import_bytes {
            parcel.body.truncate(before);
            return Ok(false);
        }
        parcel.rows += 1;
        parcel.consents |= !row.consents.is_empty();
        spool::keep_little(parcel)?;
        Ok(true)
    }

    pub(super) async fn begin_import(&self, mut parcel: Parcel) -> Result<ImportId, Fault> {
        if parcel.rows == 0 {
            return Err(Fault::bug("an import of nobody was asked for"));
        }
        if self.soap() {
            return self.soap_import(parcel).await;
        }
        let v3 = self.v3();
        parcel.body.extend_from_slice(END.as_bytes());
        let ask = if v3 { Ask::put(V3, &[]) } else { Ask::post(V2, &[]) };
        let ask = match parcel.put_away.is_some() {
            true => ask.spooled(spool::whole(&mut parcel)?),
            false => ask.body(std::mem::take(&mut parcel.body)),
        };
        let ask = if parcel.consents { ask } else { ask.repeatable() };
        let id = match v3 {
            true => self.one(ask, |row| row.some_text("importId")).await?,
            false => format!("v2/{}", self.one(ask, |row| row.some_text("id")).await?),
        };
        Ok(ImportId(id))
    }

    pub(super) async fn read_import(&self, id: &ImportId) -> Result<Import, Fault> {
        if let Some(id) = id.0.strip_prefix("v2/") {
            return self.read_v2_import(id).await;
        }
        if let Some(ids) = id.0.strip_prefix("soap/") {
            return self.read_soap_import(ids).await;
        }
        let ask = Ask::get(V3_STATUS, &[&id.0]);
        let mut sink: Members<Document3> = Members::new(V3_STATUS);
        self.client.send(&ask, &mut sink).await?;
        let Document3 { status, mut report } = sink.document;
        let finished = status == ImportStatus::Finished;
        // A refused row may be counted by the summary in none of its figures.
        let counted = report.counts.suppressed + report.counts.invalid + report.counts.duplicates;
        let refused = only_refused(&report);
        report.counts.refused = refused.saturating_sub(counted);
        Ok(Import { status, report: finished.then_some(report) })
    }

    pub(super) async fn read_v2_import(&self, id: &str) -> Result<Import, Fault> {
        let status: ImportStatus =
            self.one(Ask::get(V2_STATUS, &[id]), |row| Some(row.word("status"))).await?;
        if status != ImportStatus::Finished {
            return Ok(Import { status, report: None });
        }
        let counts =
            self.one(Ask::get("/v2/contacts/import/{}/report", &[id]), |row| Some(v2_counts(row))).await?;
        let ask = Ask::get("/v2/contacts/import/{}/report-faults", &[id]);
        let faults = match self.client.whole(&ask).await {
            Ok((_, body)) => v2_faults(&body),
            // An import without faults has no report of them.
            Err(Trouble::Refused(refusal)) if refusal.missing() => Vec::new(),
            Err(trouble) => return Err(trouble.into()),
        };
        let report = ImportReport { counts, faults, ..ImportReport::default() };
        Ok(Import { status, report: Some(report) })
    }
}

/// What stands before the first row.
fn begin(v3: bool, first: &ContactRow, parcel: &mut Parcel) {
    let merge = parcel.merge;
    let head = match v3 {
        true => format!(r#"{{"mergeOption":"{}","contacts":["#, people::v3_merge(merge)),
        false => {
            let lists: Value = first.lists.iter().map(|list| Value::from(list.0)).collect();
            format!(r#"{{"addressBookIds":{lists},"mergeOption":"{}","contacts":["#, people::v2_merge(merge))
        }
    };
    parcel.body = head.into_bytes();
    parcel.first = Some(Box::new(first.clone()));
}

fn v3_row(row: &ContactRow, body: &mut Vec<u8>) -> Result<(), Fault> {
    named(row)?;
    serde_json::to_writer(body, &people::ImportRow(row))
        .map_err(|error| Fault::bug("a person could not be written as JSON").with_source(error))
}

fn v2_row(row: &ContactRow) -> Result<String, Fault> {
    let by_address = match (&row.by, &row.names.email) {
        (None, Some(_)) => true,
        (Some(Person::Email(by)), Some(email)) => by.eq_ignore_ascii_case(email),
        _ => false,
    };
    if !by_address {
        return Err(needs_v3("import that finds people by anything but their address"));
    }
    if !row.preferences.is_empty() {
        return Err(needs_v3("import of preferences by their ids: set them one by one"));
    }
    let mut body = people::v2_body(row);
    if let Some(consent) = row.consents.last() {
        body.insert("consentFields".to_owned(), people::v2_consent(consent));
    }
    if let Some(mobile) = &row.names.mobile {
        body.insert("mobileNumberId".to_owned(), json!(mobile));
    }
    Ok(Value::Object(body).to_string())
}

/// People who were refused and not written: one may be written and still have a fault, and one may have several.
fn only_refused(report: &ImportReport) -> u64 {
    if report.faults.is_empty() {
        return 0;
    }
    let refused: HashSet<&Names> = report.faults.iter().map(|fault| &fault.names).collect();
    let addresses: HashSet<&str> = refused.iter().filter_map(|names| names.email.as_deref()).collect();
    let settled = report.created.iter().chain(&report.updated).filter_map(|settled| settled.email.as_deref());
    let written: HashSet<&str> = settled.filter(|email| addresses.contains(email)).collect();
    let alone = |names: &&&Names| names.email.as_deref().is_none_or(|email| !written.contains(email));
    refused.iter().filter(alone).count() as u64
}

/// The one document that v3 answers with.
#[derive(Default)]
struct Document3 {
    status: ImportStatus,
    report: ImportReport,
}

impl Document for Document3 {
    fn piece(&mut self, piece: Piece<'_>, bytes: &[u8]) -> Option<()> {
        match piece {
            Piece::Member("status") => {
                let text: String = serde_json::from_slice(bytes).ok()?;
                self.status = ImportStatus::from(text.as_str());
            }
            Piece::Member("summary") => {
                let row = Row::read(bytes).unwrap_or_default();
                self.report.counts = ImportCounts {
                    created: row.count("newContacts"),
                    updated: row.count("updatedContacts"),
                    suppressed: row.count("globallySuppressed"),
                    invalid: row.count("invalidEntries"),
                    duplicates: row.count("duplicateIdentifiers"),
                    refused: 0,
                };
            }
            Piece::ElementOf("created") => self.report.created.push(settled(&Row::read(bytes).ok()?)?),
            Piece::ElementOf("updated") => self.report.updated.push(settled(&Row::read(bytes).ok()?)?),
            Piece::ElementOf("failures") => {
                let row = Row::read(bytes).ok()?;
                self.report.faults.extend(v3_faults(&row));
            }
            _ => {}
        }
        Some(())
    }
}

fn settled(row: &Row<'_>) -> Option<Settled> {
    let identifiers = row.row("identifiers").unwrap_or_default();
    Some(Settled { id: ContactId(row.id("contactId")?), email: identifiers.some_text(people::EMAIL) })
}

/// A row's faults; one without any is one that nobody explains.
fn v3_faults(row: &Row<'_>) -> Vec<ImportFault> {
    let identifiers = row.row("identifiers").unwrap_or_default();
    let id = row.id("contactId").or_else(|| identifiers.id(people::CONTACT_ID)).map(ContactId);
    let fault = |reason: String, detail: String| ImportFault {
        class: class(&reason),
        reason,
        id: id.clone(),
        names: people::names(&identifiers),
        detail,
    };
    let failures = row.rows("failures");
    match failures.is_empty() {
        true => vec![fault(String::new(), String::new())],
        false => {
            failures.iter().map(|one| fault(one.string("failureCode"), one.string("description"))).collect()
        }
    }
}

fn v2_counts(row: &Row<'_>) -> ImportCounts {
    let sum = |names: &[&str]| names.iter().map(|name| row.count(name)).sum::<u64>();
    ImportCounts {
        created: row.count("newContacts"),
        updated: row.count("updatedContacts"),
        suppressed: sum(&["globallySuppressed", "unsubscribed", "suppressedContacts"]),
        invalid: row.count("invalidEntries"),
        duplicates: row.count("duplicateEmails"),
        refused: sum(&[
            "blocked",
            "hardBounced",
            "softBounced",
            "ispComplaints",
            "mailBlocked",
            "domainSuppressed",
            "pendingDoubleOptin",
            "failures",
        ]),
    }
}

/// `Reason,email,<fields…>`. The rest of a row is kept with its names, as the detail: it is what a person mends.
fn v2_faults(csv: &[u8]) -> Vec<ImportFault> {
    let table = Table::read(csv);
    let fault = |row: &Vec<String>| {
        let reason = table.cell(row, "Reason").to_owned();
        let email = Some(table.cell(row, "Email").to_owned()).filter(|email| !email.is_empty());
        let others = table.head.iter().zip(row).filter(|(name, value)| {
            !value.is_empty() && !["reason", "email"].contains(&name.to_lowercase().as_str())
        });
        let detail: Vec<String> = others.map(|(name, value)| format!("{name}={value}")).collect();
        ImportFault {
            class: class(&reason),
            reason,
            id: None,
            names: Names { email, ..Names::default() },
            detail: detail.join(", "),
        }
    };
    table.rows.iter().map(fault).collect()
}

/// What a reason is about. The texts come in several spellings: without case, spaces and an area before a colon.
fn class(reason: &str) -> FaultClass {
    let reason = reason.rsplit(':').next().unwrap_or_default();
    let letters: String = reason
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let has = |words: &[&str]| words.iter().any(|word| letters.contains(word));
    match () {
        () if has(&[
            "unsub",
            "suppressedbyyou",
            "complain",
            "optedout",
            "pendingdoubleoptin",
            "pendingoptin",
        ]) =>
        {
            FaultClass::Consent
        }
        () if has(&[
            "bounce",
            "domainsuppress",
            "blocked",
            "nomx",
            "spamtrap",
            "banned",
            "sharedsuppress",
        ]) =>
        {
            FaultClass::Deliverability
        }
        () if has(&["suppress"]) => FaultClass::Consent,
        () if has(&["duplicate", "alreadyexists", "notunique", "nonunique"]) => FaultClass::Duplicate,
        () if has(&[
            "invalid",
            "overflow",
            "notfound",
            "notexist",
            "toolong",
            "badformat",
            "missing",
            "datafield",
        ]) =>
        {
            FaultClass::Data
        }
        () => FaultClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_opt_outs_opt_out() {
        use FaultClass::{Consent, Data, Deliverability, Duplicate, Unknown};
        let check = |reason: &str, expected: FaultClass| assert_eq!(class(reason), expected, "{reason}");
        check("Globally Suppressed", Consent);
        check("GloballySuppressed", Consent);
        check("Unsubscribed", Consent);
        check("Suppressed by you", Consent);
        check("Isp Complaints", Consent);
        check("contacts:contactSuppressed", Consent);
        check("Hard Bounced", Deliverability);
        check("Mail Blocked", Deliverability);
        check("Domain Suppressed", Deliverability);
        check("Blocked", Deliverability);
        check("Duplicate", Duplicate);
        check("contacts:idAlreadyExists", Duplicate);
        check("Invalid Entries", Data);
        check("contacts:invalidEmail", Data);
        check("dataFieldNotFound", Data);
        check("Failures", Unknown);
        check("", Unknown);
        check("Something New", Unknown);
    }

    #[test]
    fn fault_reports_of_v2() {
        let csv = "\u{feff}Reason,email,FIRSTNAME\r\nGlobally Suppressed,o'brien+x@example.com,\"O, B\"\r\nInvalid Entries,,x\r\n";
        let faults = v2_faults(csv.as_bytes());
        assert_eq!(faults[0].names.email.as_deref(), Some("o'brien+x@example.com"));
        assert_eq!((faults[0].class, faults[0].detail.as_str()), (FaultClass::Consent, "FIRSTNAME=O, B"));
        assert_eq!((faults[1].class, faults[1].names.email.as_deref()), (FaultClass::Data, None));
    }
}
