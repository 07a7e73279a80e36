//! People: v3, which knows identifiers, or v2 alone.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use postroom_core::marketing::{
    Ask as Part, Contact, ContactAsk, ContactRow, Contacts, Deletion, DeletionId, Import, ImportId, Include,
    Merge, Page, Parcel, Patched, Person, Preferences, Scope,
};
use postroom_core::{Code, Fault};
use serde_json::{Value, json};

use super::Dotdigital;
use super::list::PAGE;
use super::rows::{Document, Members};
use super::suppression::id_or_email;
use crate::ask::Ask;
use crate::client::Trouble;
use crate::config::Api;
use crate::date;
use crate::wire::{Piece, Row, people, plain};

/// People in one job of v3 that deletes.
const DELETED: usize = 5000;
/// People in one question of v2.
const ASKED: usize = 500;
const PERSON: &str = "/contacts/v3/{}/{}";
const PEOPLE: &str = "/contacts/v3";

#[async_trait]
impl Contacts for Dotdigital {
    async fn contacts(&self, which: &ContactAsk, ask: &Part) -> Result<Page<Contact>, Fault> {
        if self.v3() { self.v3_contacts(which, ask).await } else { self.v2_contacts(which, ask).await }
    }

    async fn find_contacts(
        &self,
        wanted: &[Person],
        include: &Include,
    ) -> Result<Vec<Option<Contact>>, Fault> {
        match self.client.settings.api {
            Api::V3 => self.v3_find(wanted).await,
            Api::V2 => self.v2_find(wanted, include).await,
            Api::Soap => self.soap_find(wanted).await,
        }
    }

    async fn count_contacts(&self) -> Result<u64, Fault> {
        if self.soap() {
            return self.soap_count().await;
        }
        let (_, body) = self.client.whole(&Ask::get("/v2/contacts/count", &[])).await.map_err(Fault::from)?;
        serde_json::from_slice(&body).map_err(|_| crate::sink::unreadable("/v2/contacts/count"))
    }

    async fn patch_contact(&self, row: &ContactRow, merge: Merge) -> Result<Patched, Fault> {
        if self.v3() { self.v3_patch(row, merge).await } else { self.v2_patch(row, merge).await }
    }

    fn pack(&self, row: &ContactRow, parcel: &mut Parcel) -> Result<bool, Fault> {
        self.pack_row(row, parcel)
    }

    async fn import_parcel(&self, parcel: Parcel) -> Result<ImportId, Fault> {
        self.begin_import(parcel).await
    }

    async fn import_status(&self, id: &ImportId) -> Result<Import, Fault> {
        self.read_import(id).await
    }

    async fn delete_contacts(&self, gone: &[Person]) -> Result<DeletionId, Fault> {
        if gone.is_empty() {
            return Err(Fault::bug("a removal of nobody was asked for"));
        }
        if self.v3() { self.v3_delete(gone).await } else { self.v2_delete(gone).await }
    }

    async fn deletion(&self, id: &DeletionId) -> Result<Deletion, Fault> {
        match id.0.split_once('/') {
            Some(("v2", id)) => {
                self.one(Ask::get("/v2/contacts/deletion/{}", &[id]), |row| Some(v2_deletion(row))).await
            }
            Some(("done", counts)) => Ok(done_deletion(counts)),
            _ => self.one(Ask::get("/contacts/v3/delete/{}", &[&id.0]), |row| Some(v3_deletion(row))).await,
        }
    }
}

impl Dotdigital {
    async fn v3_contacts(&self, which: &ContactAsk, part: &Part) -> Result<Page<Contact>, Fault> {
        let mut ask = Ask::get(PEOPLE, &[]);
        match &which.scope {
            Scope::Account => {}
            Scope::List(id) => ask = ask.query("~listId", id),
            Scope::Segment(id) => ask = ask.query("~segmentId", id),
        }
        if let Some(since) = which.modified_since {
            ask = ask.query("~modified", format!("gte::{}", date::write(since)));
        }
        let Include { fields, channels, lists, preferences, consents } = &which.include;
        if !fields.is_empty() {
            let all = fields.iter().any(|name| name == Include::ALL_FIELDS);
            ask = ask.query("data-fields", if all { "[[ALL]]".to_owned() } else { fields.join("|") });
        }
        let parts = [
            (*channels, "channelProperties"),
            (*lists, "lists"),
            (*preferences, "preferences"),
            (*consents, "consentRecords"),
        ];
        let parts: Vec<&str> =
            parts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
        if !parts.is_empty() {
            ask = ask.query("include", parts.join("|"));
        }
        ask = ask.query("limit", part.size.clamp(1, self.client.settings.contacts_page.clamp(1, 5000)));
        if let Some(after) = &part.after {
            let marker =
                after.strip_prefix('m').ok_or_else(|| Fault::bug("a place in a reading cannot be read"))?;
            ask = ask.query("marker", marker);
        }
        let mut sink: Members<PeoplePage> = Members::new(PEOPLE);
        self.client.send(&ask, &mut sink).await?;
        let PeoplePage { rows, next } = sink.document;
        // A page without rows ends, whatever it links to.
        let next = next.filter(|_| !rows.is_empty()).map(|marker| format!("m{marker}"));
        Ok(Page { rows, next })
    }

    async fn v2_contacts(&self, which: &ContactAsk, part: &Part) -> Result<Page<Contact>, Fault> {
        let full = !which.include.fields.is_empty();
        let since = which.modified_since.map(date::write);
        let list = match &which.scope {
            Scope::Account => None,
            Scope::List(id) => Some(id.to_string()),
            Scope::Segment(id) => Some(id.to_string()),
        };
        let question = || {
            let ask = match (&list, &since) {
                (None, None) => Ask::get("/v2/contacts", &[]),
                (None, Some(since)) => Ask::get("/v2/contacts/modified-since/{}", &[since]),
                (Some(list), None) => Ask::get("/v2/address-books/{}/contacts", &[list]),
                (Some(list), Some(since)) => {
                    Ask::get("/v2/address-books/{}/contacts/modified-since/{}", &[list, since])
                }
            };
            ask.query("withFullData", full)
        };
        self.page(question, part, PAGE, people::v2_contact).await
    }

    async fn v3_find(&self, wanted: &[Person]) -> Result<Vec<Option<Contact>>, Fault> {
        let one = |person: &Person| {
            let (name, value) = people::identifier(person);
            let ask = Ask::get(PERSON, &[name, &value]);
            async move { self.one_or_none(ask, people::v3_contact).await }
        };
        let questions: Vec<_> = wanted.iter().map(one).collect();
        let answers: Vec<Result<_, Fault>> =
            stream::iter(questions).buffered(self.client.settings.parallel.max(1)).collect().await;
        answers.into_iter().collect()
    }

    async fn v2_find(&self, wanted: &[Person], include: &Include) -> Result<Vec<Option<Contact>>, Fault> {
        const ROUTE: &str = "/v2/contacts/retrieve-collection";
        let mut found: Vec<Option<Contact>> = Vec::with_capacity(wanted.len());
        for lot in wanted.chunks(ASKED) {
            let people = lot.iter().map(id_or_email).collect::<Result<Value, Fault>>()?;
            let body = json!({ "contacts": people, "withFullData": !include.fields.is_empty() });
            let ask = Ask::get(ROUTE, &[]).json(&body);
            let known: Vec<Contact> = self
                .one(ask, |row| Some(row.rows("contacts").iter().filter_map(people::v2_contact).collect()))
                .await?;
            found.extend(lot.iter().map(|person| known.iter().find(|contact| is(contact, person)).cloned()));
        }
        Ok(found)
    }

    async fn v3_patch(&self, row: &ContactRow, merge: Merge) -> Result<Patched, Fault> {
        let by = named(row)?;
        let (name, value) = people::identifier(&by);
        let mut ask = Ask::of(Method::PATCH, PERSON, &[name, &value])
            .query("merge-option", people::v3_merge_query(merge))
            .json(&Value::Object(people::v3_body(row)))
            .urgent();
        // Consents are added: a repeat would add them again.
        ask.repeatable = row.consents.is_empty();
        let (status, body) = self.client.whole(&ask).await.map_err(Fault::from)?;
        let contact = super::read(&ask, &body, people::v3_contact)?;
        Ok(Patched { contact, created: status == StatusCode::CREATED })
    }

    /// v2 writes the person, then lists and preferences one by one: each may be repeated.
    async fn v2_patch(&self, row: &ContactRow, merge: Merge) -> Result<Patched, Fault> {
        if merge == Merge::FillEmpty {
            return Err(needs_v3("writing one person's empty fields only"));
        }
        let body = Value::Object(people::v2_body(row));
        let with_consent = !row.consents.is_empty();
        let consents: Value =
            row.consents.iter().map(|consent| json!({ "fields": people::v2_consent(consent) })).collect();
        let whole = json!({ "contact": body, "consentFields": consents });
        let ask = match (&row.by, with_consent) {
            (Some(Person::Id(id)), false) => {
                Ask::put("/v2/contacts/{}", &[&id.to_string()]).json(&body).repeatable()
            }
            (Some(Person::Id(id)), true) => {
                Ask::put("/v2/contacts/{}/with-consent", &[&id.to_string()]).json(&whole)
            }
            (None | Some(Person::Email(_)), false) => Ask::post("/v2/contacts", &[]).json(&body).repeatable(),
            (None | Some(Person::Email(_)), true) => Ask::post("/v2/contacts/with-consent", &[]).json(&whole),
            _ => return Err(needs_v3("identifiers besides id and address")),
        };
        let inner = |row: &Row<'_>| match row.row("contact") {
            Some(contact) => people::v2_contact(&contact),
            None => people::v2_contact(row),
        };
        let contact = self.one(ask.urgent(), inner).await?;
        for list in &row.lists {
            let ask = Ask::post("/v2/address-books/{}/contacts", &[&list.to_string()]);
            self.done(ask.json(&body).repeatable().urgent()).await?;
        }
        self.set_preferences(&Person::Id(contact.id.clone()), &row.preferences).await?;
        // v2 does not say whether the person was there.
        Ok(Patched { contact, created: false })
    }

    async fn v3_delete(&self, gone: &[Person]) -> Result<DeletionId, Fault> {
        if gone.len() > DELETED {
            return Err(Fault::bug(format!("at most {DELETED} people are deleted at once")));
        }
        let people: Value = gone.iter().map(people::identifier_object).collect();
        let ask = Ask::post("/contacts/v3/delete", &[]).json(&people).repeatable();
        self.one(ask, |row| row.some_text("deleteId").map(DeletionId)).await
    }

    /// v2 deletes one by one and is done at once; the id says how it went.
    async fn v2_delete(&self, gone: &[Person]) -> Result<DeletionId, Fault> {
        let (mut deleted, mut unknown) = (0, 0);
        for person in gone {
            let Some(name) = self.v2_id(person).await? else {
                unknown += 1;
                continue;
            };
            let ask = Ask::of(Method::DELETE, "/v2/contacts/{}", &[&name]).repeatable();
            match self.try_done(&ask).await {
                Ok(_) => deleted += 1,
                Err(Trouble::Refused(refusal)) if refusal.missing() => unknown += 1,
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(DeletionId(format!("done/{deleted}:{unknown}")))
    }

    /// What v2's paths name a person by: the id, or the address.
    pub(super) async fn v2_name(&self, person: &Person) -> Result<Option<String>, Fault> {
        match person {
            Person::Id(id) => Ok(Some(id.to_string())),
            Person::Email(email) => Ok(Some(email.clone())),
            Person::Mobile(_) | Person::Custom(..) if self.v3() => {
                let found = self.v3_find(std::slice::from_ref(person)).await?;
                Ok(found.into_iter().flatten().next().map(|contact| contact.id.to_string()))
            }
            _ => Err(needs_v3("identifiers besides id and address")),
        }
    }

    /// The same where only the id will do.
    async fn v2_id(&self, person: &Person) -> Result<Option<String>, Fault> {
        match person {
            Person::Email(email) => {
                let ask = Ask::get("/v2/contacts/{}", &[email]);
                let id = self.one_or_none(ask, |row| row.id("id")).await?;
                Ok(id.map(|id| id.to_string()))
            }
            _ => self.v2_name(person).await,
        }
    }
}

/// A page of v3.
#[derive(Default)]
struct PeoplePage {
    rows: Vec<Contact>,
    next: Option<String>,
}

impl Document for PeoplePage {
    fn piece(&mut self, piece: Piece<'_>, bytes: &[u8]) -> Option<()> {
        match piece {
            Piece::ElementOf("_items") => self.rows.push(people::v3_contact(&Row::read(bytes).ok()?)?),
            Piece::Member("_links") => {
                let links = Row::read(bytes).ok()?;
                self.next = links.row("next").and_then(|next| next.some_text("marker"));
            }
            _ => {}
        }
        Some(())
    }
}

/// What finds the person of a row.
pub(super) fn named(row: &ContactRow) -> Result<Person, Fault> {
    let email = || row.names.email.clone().map(Person::Email);
    row.by.clone().or_else(email).ok_or_else(|| {
        Fault::reject(
            Code::MARKETING_DATA,
            "a person without an address and without an identifier cannot be written",
        )
    })
}

fn is(contact: &Contact, person: &Person) -> bool {
    match person {
        Person::Id(id) => contact.id == *id,
        Person::Email(email) => {
            contact.names.email.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(email))
        }
        _ => false,
    }
}

pub(super) fn nobody() -> Fault {
    Fault::reject(
        Code::MARKETING_NOT_FOUND,
        "Dotdigital does not know this person: send the person there first",
    )
}

/// What v2 alone cannot.
pub(super) fn needs_v3(what: &str) -> Fault {
    let text = format!(
        "the account is spoken to by Dotdigital's v2 only, which has no {what}; set api = \"rest\" for it"
    );
    Fault::reject(Code::MARKETING_FEATURE, text)
}

fn v2_deletion(row: &Row<'_>) -> Deletion {
    let status = row.string("status");
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    Deletion { done: is("Completed") || is("Failed"), failed: is("Failed"), ..Deletion::default() }
}

fn done_deletion(counts: &str) -> Deletion {
    let (deleted, unknown) = counts.split_once(':').unwrap_or_default();
    Deletion {
        done: true,
        deleted: deleted.parse().ok(),
        unknown: unknown.parse().ok(),
        ..Deletion::default()
    }
}

fn v3_deletion(row: &Row<'_>) -> Deletion {
    let status = row.string("status");
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    let summary = row.row("summary");
    let count = |name: &str| summary.as_ref().map(|summary| summary.count(name));
    let refused = |failure: &Row<'_>| {
        let names = failure.row("identifier").unwrap_or_default();
        let reasons =
            failure.rows("failures").iter().map(|one| one.string("failureCode")).collect::<Vec<_>>();
        (person(&names), reasons.join(", "))
    };
    Deletion {
        done: is("Finished") || is("Failed"),
        failed: is("Failed"),
        deleted: count("deletedContacts"),
        unknown: count("unknownContacts"),
        refused: row.rows("failures").iter().map(refused).collect(),
    }
}

/// The person that an object of one identifier names.
fn person(row: &Row<'_>) -> Option<Person> {
    let (name, value) = row.members().next()?;
    Some(match name {
        people::CONTACT_ID => Person::Id(postroom_core::marketing::ContactId(value.get().parse().ok()?)),
        people::EMAIL => Person::Email(plain(value)),
        people::MOBILE => Person::Mobile(plain(value)),
        other => Person::Custom(other.to_owned(), plain(value)),
    })
}
