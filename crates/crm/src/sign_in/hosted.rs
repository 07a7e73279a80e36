//! The 2007 services of a partner's hosting ("SPLA"): organisations and tickets for a name and password
//! (protocol-annex.md 3.1).

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use postroom_core::{Clock, Fault, Secret};
use postroom_formats::soap::crm4::{self, Answer, Organization, Question, Token};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use uuid::Uuid;

use super::caution::Caution;
use super::refusal::{nonsense, refused};
use super::soap::call;
use super::transport::Anonymous;

/// `AuthenticationType` of hosted deployments.
const HOSTED: u8 = 2;
/// A ticket whose end cannot be read is used for this long; a new one is fetched this long before its end.
const LIFE: SignedDuration = SignedDuration::from_hours(1);
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A name and password at one `CrmDiscoveryService.asmx`.
pub struct Hosted {
    client: Anonymous,
    /// `https://host/MSCRMServices/2007/SPLA/CrmDiscoveryService.asmx`.
    url: String,
    user: String,
    password: Secret,
    clock: Clock,
    ticket: Mutex<Option<Ticket>>,
    asking: tokio::sync::Mutex<()>,
    caution: Caution,
}

/// What CrmService and MetadataService take. The ticket shows in no debug output.
#[derive(Clone)]
pub struct Ticket {
    pub organization: Organization,
    ticket: Secret,
    expires: Timestamp,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket for {:?} until {}", self.organization.name, self.expires)
    }
}

impl Ticket {
    /// The header `CrmAuthenticationToken`; `caller` is on whose behalf, nil for nobody else's.
    pub fn token(&self, caller: Uuid) -> Token {
        Token {
            kind: HOSTED,
            ticket: Some(self.ticket.expose().to_owned()),
            organization: self.organization.name.clone(),
            caller,
        }
    }
}

impl Hosted {
    pub fn new(
        client: reqwest::Client,
        url: impl Into<String>,
        user: &str,
        password: &Secret,
        clock: Clock,
    ) -> Self {
        Hosted {
            client: Anonymous(client),
            url: url.into(),
            user: user.to_owned(),
            password: password.clone(),
            caution: Caution::new(clock.clone()),
            clock,
            ticket: Mutex::default(),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The organisations of this user.
    pub async fn organizations(&self) -> Result<Vec<Organization>, Fault> {
        let (user, password) = (self.user.clone(), self.password.expose().to_owned());
        match self.ask(Question::Organizations { user, password }).await? {
            Answer::Organizations(all) => Ok(all),
            Answer::Ticket { .. } => Err(nonsense("it gave a ticket instead of organisations")),
        }
    }

    /// A ticket for an organisation, kept until shortly before its end.
    pub async fn ticket(&self, organization: &str) -> Result<Ticket, Fault> {
        if let Some(ticket) = self.held(organization) {
            return Ok(ticket);
        }
        let _asking = self.asking.lock().await;
        if let Some(ticket) = self.held(organization) {
            return Ok(ticket);
        }
        let (user, password) = (self.user.clone(), self.password.expose().to_owned());
        let question = Question::Ticket { organization: organization.to_owned(), user, password };
        let Answer::Ticket { ticket, organization, expires } = self.ask(question).await? else {
            return Err(nonsense("it gave organisations instead of a ticket"));
        };
        let now = self.clock.now();
        let expires = when(&expires).filter(|at| *at > now).or(now.checked_add(LIFE).ok()).unwrap_or(now);
        let ticket = Ticket { organization, ticket: Secret::new(ticket), expires };
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket.clone());
        Ok(ticket)
    }

    /// The CRM refused the ticket: the next one is new.
    pub fn refused(&self) {
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn held(&self, organization: &str) -> Option<Ticket> {
        let held = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|held| held.organization.name.eq_ignore_ascii_case(organization))?;
        (held.expires.duration_since(self.clock.now()) > AHEAD).then(|| held.clone())
    }

    async fn ask(&self, question: Question) -> Result<Answer, Fault> {
        self.caution.allow()?;
        self.caution.learn(self.ask_now(question).await)
    }

    async fn ask_now(&self, question: Question) -> Result<Answer, Fault> {
        let envelope = Envelope::new(Soap::V11, Headers::default(), question.write());
        let answer = call(&self.client, &self.url, &envelope, Some(crm4::ACTION)).await?;
        if let Some(fault) = answer.fault {
            let said: String = fault.message.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(refused(&format!(
                "the hosted CRM refused the sign-in: check user (DOMAIN\\user), password and organisation (it said: {said})"
            )));
        }
        Answer::read(&answer.body).map_err(|error| nonsense(&error.to_string()))
    }
}

/// A date as .NET writes it in English or in ISO form; UTC unless it says otherwise.
fn when(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let iso = text.parse().ok();
    let plain = || text.parse::<civil::DateTime>().ok();
    let english = || civil::DateTime::strptime("%m/%d/%Y %I:%M:%S %p", text).ok();
    iso.or_else(|| plain().or_else(english)?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::when;

    #[test]
    fn dates_of_tickets() {
        for text in
            ["2026-11-22T04:05:06Z", "2026-11-22T04:05:06", "11/22/2026 4:05:06 AM", "11/22/2026 04:05:06 AM"]
        {
            assert_eq!(
                when(text).map(|at| at.to_string()).as_deref(),
                Some("2026-11-22T04:05:06Z"),
                "{text}"
            );
        }
        assert_eq!(when("tomorrow"), None);
    }
}
