//! The port's words where the SOAP API does otherwise than REST v2. What is not here is said in the same requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::stream::{self, StreamExt};
use http::Method;
use jiff::Timestamp;
use postroom_core::marketing::{
    Ask as Part, Campaign, CampaignAsk, Contact, ContactId, ContactRow, DeletionId, FieldValue, Import,
    ImportId, ImportReport, ImportStatus, List, ListId, Merge, Page, Parcel, Person, Suppressed,
};
use postroom_core::{Code, Fault};
use postroom_formats::csv;
use serde_json::Value;

use super::Dotdigital;
use super::contact::named;
use super::list::{LISTS, PAGE, list};
use crate::ask::Ask;
use crate::client::Trouble;
use crate::config::Api;
use crate::sink::unreadable;
use crate::soap::instead;
use crate::wire::{Row, people};

const COUNT: &str = "/v2/address-books/{}/contacts/count";

impl Dotdigital {
    pub(super) fn soap(&self) -> bool {
        self.client.settings.api == Api::Soap
    }

    /// Lists do not say how many people are on them: each is asked for it.
    pub(super) async fn soap_lists(&self, part: &Part) -> Result<Page<List>, Fault> {
        let page = self.page(|| Ask::get(LISTS, &[]), part, PAGE, list).await?;
        let counted = page.rows.into_iter().map(|list| self.counted(list)).collect::<Vec<_>>();
        let counted: Vec<Result<List, Fault>> =
            stream::iter(counted).buffered(self.client.settings.parallel.max(1)).collect().await;
        let rows = counted.into_iter().collect::<Result<_, Fault>>()?;
        Ok(Page { rows, next: page.next })
    }

    async fn counted(&self, list: List) -> Result<List, Fault> {
        let ask = Ask::get(COUNT, &[&list.id.to_string()]);
        match self.client.whole(&ask).await {
            Ok((_, body)) => {
                let contacts = serde_json::from_slice(&body).map_err(|_| unreadable(COUNT))?;
                Ok(List { contacts, ..list })
            }
            // It went while it was looked at.
            Err(Trouble::Refused(refusal)) if refusal.missing() => Ok(list),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// There is no question for one list.
    pub(super) async fn soap_list(&self, id: &ListId) -> Result<Option<List>, Fault> {
        let mut part = Part::default();
        loop {
            let page = self.page(|| Ask::get(LISTS, &[]), &part, PAGE, list).await?;
            if let Some(list) = page.rows.into_iter().find(|list| list.id == *id) {
                return self.counted(list).await.map(Some);
            }
            match page.next {
                Some(next) => part = part.after(next),
                None => return Ok(None),
            }
        }
    }

    /// One by one, and done at once; the id says how it went.
    pub(super) async fn soap_remove(&self, list: &ListId, gone: &[ContactId]) -> Result<DeletionId, Fault> {
        const ROUTE: &str = "/v2/address-books/{}/contacts/{}";
        let (mut removed, mut unknown) = (0, 0);
        for person in gone {
            let ask = Ask::of(Method::DELETE, ROUTE, &[&list.to_string(), &person.to_string()]).repeatable();
            match self.try_done(&ask).await {
                Ok(_) => removed += 1,
                Err(Trouble::Refused(refusal)) if refusal.missing() => unknown += 1,
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(DeletionId(format!("done/{removed}:{unknown}")))
    }

    /// There is no count: they are counted.
    pub(super) async fn soap_count(&self) -> Result<u64, Fault> {
        let (mut part, mut count) = (Part::default(), 0);
        loop {
            let question = || Ask::get("/v2/contacts", &[]).query("withFullData", false);
            let page = self.page(question, &part, PAGE, |row| row.id("id")).await?;
            count += page.rows.len() as u64;
            match page.next {
                Some(next) => part = part.after(next),
                None => return Ok(count),
            }
        }
    }

    pub(super) async fn soap_find(&self, wanted: &[Person]) -> Result<Vec<Option<Contact>>, Fault> {
        let one = |person: &Person| {
            let name = match person {
                Person::Id(id) => Ok(id.to_string()),
                Person::Email(email) => Ok(email.clone()),
                Person::Mobile(_) | Person::Custom(..) => {
                    Err(instead("identifiers besides id and address", "v3", "rest"))
                }
            };
            async move {
                let ask = Ask::get("/v2/contacts/{}", &[&name?]);
                self.one_or_none(ask, people::v2_contact).await
            }
        };
        let questions: Vec<_> = wanted.iter().map(one).collect();
        let answers: Vec<Result<_, Fault>> =
            stream::iter(questions).buffered(self.client.settings.parallel.max(1)).collect().await;
        answers.into_iter().collect()
    }

    /// There is one way out: each is looked for and unsubscribed.
    pub(super) async fn soap_suppress(&self, people: &[Person]) -> Result<Suppressed, Fault> {
        let mut all = Suppressed::default();
        for (person, known) in people.iter().zip(self.soap_find(people).await?) {
            let email = known.and_then(|contact| contact.names.email);
            let Some(email) = email else {
                all.not_found.push(person.clone());
                continue;
            };
            self.unsubscribed(Ask::post("/v2/contacts/unsubscribe", &[]), &email, Code::MARKETING_SUPPRESSED)
                .await?;
            all.suppressed.push(Person::Email(email));
        }
        Ok(all)
    }

    /// All of them: what is not wanted is left out here. The kind of a campaign is not said.
    pub(super) async fn soap_campaigns(
        &self,
        which: &CampaignAsk,
        part: &Part,
        map: fn(&Row<'_>) -> Option<Campaign>,
    ) -> Result<Page<Campaign>, Fault> {
        if which.kind.is_some() {
            return Err(instead("kinds of campaigns", "REST v2", "rest-v2"));
        }
        let mut page = self.page(|| Ask::get("/v2/campaigns", &[]), part, PAGE, map).await?;
        page.rows.retain(|campaign| which.statuses.is_empty() || which.statuses.contains(&campaign.status));
        Ok(page)
    }

    /// All rows of a report that takes no moment to begin at; those before it are left out here.
    pub(super) async fn soap_report<T: Send>(
        &self,
        ask: impl Fn() -> Ask + Send + Sync,
        since: Option<Timestamp>,
        part: &Part,
        map: fn(&Row<'_>) -> Option<T>,
        at: fn(&T) -> Option<Timestamp>,
    ) -> Result<Page<T>, Fault> {
        let mut page = self.page(ask, part, PAGE, map).await?;
        page.rows.retain(|row| since.is_none_or(|since| at(row).is_none_or(|at| at >= since)));
        Ok(page)
    }

    /// Into a file of rows that have the same lists and the same columns: a column that a row does not have would be emptied
    /// by it.
    pub(super) fn soap_pack(&self, row: &ContactRow, parcel: &mut Parcel) -> Result<bool, Fault> {
        let columns = Columns::of(row, parcel.merge)?;
        let Some(first) = &parcel.first else {
            let names: Vec<&str> = columns.names();
            parcel.body = (csv::row(&names) + &columns.line(row)).into_bytes();
            parcel.first = Some(Box::new(row.clone()));
            parcel.rows = 1;
            return Ok(true);
        };
        if row.lists != first.lists || Columns::of(first, parcel.merge)? != columns {
            return Ok(false);
        }
        let line = columns.line(row);
        // Base64 makes four bytes of three.
        if (parcel.body.len() + line.len()) / 3 * 4 > self.client.settings.import_bytes {
            return Ok(false);
        }
        parcel.body.extend_from_slice(line.as_bytes());
        parcel.rows += 1;
        Ok(true)
    }

    /// One import for each list.
    pub(super) async fn soap_import(&self, parcel: Parcel) -> Result<ImportId, Fault> {
        let lists: Vec<String> =
            parcel.first.iter().flat_map(|first| &first.lists).map(ListId::to_string).collect();
        let asks: Vec<Ask> = match lists.is_empty() {
            true => vec![Ask::post("/v2/contacts/import", &[])],
            false => {
                let one = |list: &String| Ask::post("/v2/address-books/{}/contacts/import", &[list]);
                lists.iter().map(one).collect()
            }
        };
        let data = Value::from(BASE64.encode(parcel.body));
        let mut ids = Vec::with_capacity(asks.len());
        for ask in asks {
            let ask = ask.query("dataType", "CSV").json(&data).repeatable();
            ids.push(self.one(ask, |row| row.some_text("id")).await?);
        }
        Ok(ImportId(format!("soap/{}", ids.join("+"))))
    }

    /// An import for each list is one import: the first one counts the people, and each has faults of its own.
    pub(super) async fn read_soap_import(&self, ids: &str) -> Result<Import, Fault> {
        let mut whole: Option<ImportReport> = None;
        for id in ids.split('+') {
            let Import { status, report } = self.read_v2_import(id).await?;
            let Some(report) = report.filter(|_| status == ImportStatus::Finished) else {
                return Ok(Import { status, report: None });
            };
            match &mut whole {
                None => whole = Some(report),
                Some(whole) => {
                    let new = report.faults.into_iter().filter(|fault| !whole.faults.contains(fault));
                    let new: Vec<_> = new.collect();
                    whole.faults.extend(new);
                }
            }
        }
        Ok(Import { status: ImportStatus::Finished, report: whole })
    }
}

/// What a row says: the columns of a file.
#[derive(Debug, PartialEq)]
struct Columns {
    opt_in: bool,
    email_type: bool,
    fields: Vec<String>,
}

impl Columns {
    fn of(row: &ContactRow, merge: Merge) -> Result<Columns, Fault> {
        named(row)?;
        let by_address = match (&row.by, &row.names.email) {
            (None, Some(_)) => true,
            (Some(Person::Email(by)), Some(email)) => by.eq_ignore_ascii_case(email),
            _ => false,
        };
        if !by_address {
            return Err(instead("import that finds people by anything but their address", "v3", "rest"));
        }
        if !row.consents.is_empty() {
            return Err(instead("records of consent", "REST v2", "rest-v2"));
        }
        if !row.preferences.is_empty() {
            return Err(instead("preferences", "v3", "rest"));
        }
        let said = |value: &FieldValue| match merge {
            Merge::Overwrite => Ok(true),
            Merge::OverwriteIfNotEmpty => Ok(!empty(value)),
            Merge::FillEmpty => Err(instead("import that only fills empty fields", "REST v2", "rest-v2")),
        };
        let mut fields = Vec::with_capacity(row.fields.len());
        for (name, value) in &row.fields {
            if said(value)? {
                fields.push(name.clone());
            }
        }
        Ok(Columns { opt_in: row.opt_in.is_some(), email_type: row.email_type.is_some(), fields })
    }

    fn names(&self) -> Vec<&str> {
        let own = [(true, "Email"), (self.opt_in, "OptInType"), (self.email_type, "EmailType")];
        let own = own.into_iter().filter(|(there, _)| *there).map(|(_, name)| name);
        own.chain(self.fields.iter().map(String::as_str)).collect()
    }

    fn line(&self, row: &ContactRow) -> String {
        let mut cells = vec![row.names.email.clone().unwrap_or_default()];
        cells.extend(row.opt_in.as_ref().map(|word| word.as_str().to_owned()));
        cells.extend(row.email_type.as_ref().map(|word| word.as_str().to_owned()));
        for name in &self.fields {
            let value = row.fields.get(name).map(people::v2_value).unwrap_or_default();
            cells.push(match value {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            });
        }
        csv::row(&cells.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn empty(value: &FieldValue) -> bool {
    match value {
        FieldValue::Clear => true,
        FieldValue::Text(text) => text.is_empty(),
        _ => false,
    }
}
