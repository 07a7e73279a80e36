//! Opt-outs, by v2.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::marketing::{
    Ask as Part, Challenge, ContactId, ListId, Page, Person, Resubscribe, Resubscribed, Status, Suppressed,
    Suppression, Suppressions,
};
use postroom_core::{Code, Fault};
use serde_json::{Value, json};

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::client::Trouble;
use crate::date;
use crate::wire::Row;

/// People in one call that suppresses.
const LOT: usize = 1000;

#[async_trait]
impl Suppressions for Dotdigital {
    async fn suppressions(&self, since: Timestamp, ask: &Part) -> Result<Page<Suppression>, Fault> {
        let since = date::write(since);
        self.page(|| Ask::get("/v2/contacts/suppressed-since/{}", &[&since]).urgent(), ask, PAGE, suppression)
            .await
    }

    async fn unsubscribes(&self, since: Timestamp, ask: &Part) -> Result<Page<Suppression>, Fault> {
        let since = date::write(since);
        self.page(
            || Ask::get("/v2/contacts/unsubscribed-since/{}", &[&since]).urgent(),
            ask,
            PAGE,
            suppression,
        )
        .await
    }

    async fn unsubscribe(&self, email: &str) -> Result<Suppression, Fault> {
        let ask = Ask::post("/v2/contacts/unsubscribe", &[]);
        self.unsubscribed(ask, email, Code::MARKETING_SUPPRESSED).await
    }

    async fn unsubscribe_from_list(&self, list: &ListId, email: &str) -> Result<Suppression, Fault> {
        let ask = Ask::post("/v2/address-books/{}/contacts/unsubscribe", &[&list.to_string()]);
        self.unsubscribed(ask, email, Code::MARKETING_LIST_SUPPRESSED).await
    }

    async fn suppress(&self, people: &[Person]) -> Result<Suppressed, Fault> {
        if self.soap() {
            return self.soap_suppress(people).await;
        }
        let mut all = Suppressed::default();
        for lot in people.chunks(LOT) {
            let body = lot.iter().map(id_or_email).collect::<Result<Value, Fault>>()?;
            let ask = Ask::put("/v2/contacts/suppress-contacts", &[]).json(&body).repeatable().urgent();
            let found = self.one(ask, |row| Some(suppressed(row))).await?;
            all.suppressed.extend(found.suppressed);
            all.not_found.extend(found.not_found);
        }
        Ok(all)
    }

    async fn resubscribe(&self, who: &Resubscribe) -> Result<Resubscribed, Fault> {
        let mut body = json!({ "unsubscribedContact": { "email": who.email } });
        let quiet = matches!(who.challenge, Challenge::None);
        if let Challenge::Ask { locale, return_to } = &who.challenge {
            if let Some(locale) = locale {
                body["preferredLocale"] = locale.as_str().into();
            }
            if let Some(url) = return_to {
                body["returnUrlToUseIfChallenged"] = url.as_str().into();
            }
        }
        let list = who.list.as_ref().map(ListId::to_string).unwrap_or_default();
        let ask = match (&who.list, quiet) {
            (None, false) => Ask::post("/v2/contacts/resubscribe", &[]),
            (None, true) => Ask::post("/v2/contacts/resubscribe-with-no-challenge", &[]).repeatable(),
            (Some(_), false) => Ask::post("/v2/address-books/{}/contacts/resubscribe", &[&list]),
            (Some(_), true) => {
                Ask::post("/v2/address-books/{}/contacts/resubscribe-with-no-challenge", &[&list])
                    .repeatable()
            }
        };
        self.one(ask.json(&body), |row| Some(row.word("status"))).await
    }
}

impl Dotdigital {
    /// Who is out already stays out: the refusal that says so (of the account, or of this list) is success.
    pub(super) async fn unsubscribed(
        &self,
        ask: Ask,
        email: &str,
        already: Code,
    ) -> Result<Suppression, Fault> {
        let ask = ask.json(&json!({ "email": email })).repeatable().urgent();
        let plainly =
            || Suppression { contact: None, email: email.to_owned(), reason: Status::default(), at: None };
        let answer = match self.soap() {
            // Success says nothing more.
            true => self.try_done(&ask).await.map(|_| plainly()),
            false => self.try_one(&ask, suppression).await,
        };
        match answer {
            Ok(found) => Ok(found),
            Err(Trouble::Refused(refusal))
                if refusal.code() == already || refusal.code() == Code::MARKETING_SUPPRESSED =>
            {
                Ok(plainly())
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}

pub(super) fn suppression(row: &Row<'_>) -> Option<Suppression> {
    let person = row.row("suppressedContact").unwrap_or_default();
    let own: Status = person.word("status");
    let reason: Status = row.word("reason");
    Some(Suppression {
        contact: person.id("id").map(ContactId),
        email: person.some_text("email")?,
        reason: if reason == Status::default() { own } else { reason },
        at: row.moment("dateRemoved"),
    })
}

/// v2 names people by id or address.
pub(super) fn id_or_email(person: &Person) -> Result<Value, Fault> {
    match person {
        Person::Id(id) => Ok(json!({ "id": id.0 })),
        Person::Email(email) => Ok(json!({ "email": email })),
        Person::Mobile(_) | Person::Custom(..) => {
            Err(Fault::bug("Dotdigital's v2 names people by id or address only: look the person up first"))
        }
    }
}

fn suppressed(row: &Row<'_>) -> Suppressed {
    let person = |row: &Row<'_>| {
        let id = row.id("id").map(|id| Person::Id(ContactId(id)));
        row.some_text("email").map(Person::Email).or(id)
    };
    let people = |name: &str| row.rows(name).iter().filter_map(person).collect();
    Suppressed { suppressed: people("suppressed"), not_found: people("notFound") }
}
