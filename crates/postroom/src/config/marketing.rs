//! `[marketing]`: the rules of the marketing half, and the accounts of the marketing service.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use postroom_dotdigital::Settings;
use postroom_marketing::sync::SyncType;

use super::secret::SecretRef;
use super::setting::{Check, Leaf, Reading, Setting, nearest, optional, required, section};
use super::tree::{Node, Value, join};
use super::units::Span;
use super::values::{Fingerprint, HttpUrl, from_text};
use super::words::words;

words!(/// What becomes of a send whose outcome nobody knows.
OnUnknown {
    /// It waits for a person; it is never sent again blindly.
    Hold = "hold",
});

words!(/// Which of the service's APIs people go by.
ServiceApi {
    /// People by v3 of REST, everything else by its v2.
    Rest = "rest",
    RestV2 = "rest-v2",
    Soap = "soap",
});

words!(/// What a suppression changes on the CRM's records.
OnSuppressWord {
    Nothing = "nothing",
    BulkEmail = "donotbulkemail",
    Email = "donotemail",
    Both = "both",
});

words!(/// Whose records are kept in step.
ScopeWord {
    /// Members of marketing lists that are activated for e-mail.
    Lists = "lists",
    /// Every active contact, lead and account with an address.
    Everybody = "everybody",
});

words!(/// Kinds of events that have a table in the CRM.
EventKind {
    Recipient = "recipient",
    Click = "click",
    Social = "social",
    Roi = "roi",
});

words!(/// What is kept of IP addresses.
IpWord {
    Keep = "keep",
    Shorten = "shorten",
    Drop = "drop",
});

section! {
    /// The marketing half: lists, campaigns, opt-outs and figures, in step between the CRM and Dotdigital.
    pub struct Marketing {
        /// A send to more people waits until a second person approves it.
        pub approval_over: u32 = Some(5000), "5000";
        /// A send whose outcome nobody knows: "hold" (a person decides; it is never repeated blindly).
        pub on_unknown: OnUnknown = Some(OnUnknown::Hold), "\"hold\"";
        /// Nothing is sent when the last whole exchange of opt-outs began longer ago.
        pub exchange_age: Span = Some(Span::seconds(15 * 60)), "\"15m\"";
        /// A run that would take away or suppress a larger share of the people, in per cent, stops and asks.
        pub guard_share: u32 = Some(10), "10";
        /// So few may go whatever their share.
        pub guard_number: u32 = Some(20), "20";
        /// The share, in per cent, by which the people found for a send may differ from those expected.
        pub tolerance: u32 = Some(0), "0";
        /// How far behind the newest thing seen a stream begins again: the service's rows may come late.
        pub overlap: Span = Some(Span::seconds(10 * 60)), "\"10m\"";
        /// How long after a change of a person the service may show it at the latest, by its own clock; what is older is not read again.
        pub late: Span = Some(Span::seconds(30 * 60)), "\"30m\"";
        /// An import of which nothing was heard for so long is given up, and its people are sent again.
        pub import_age: Span = Some(Span::seconds(24 * 3600)), "\"1d\"";
        /// What runs wrote on the CRM's records is kept for so long, so that `marketing sync undo` can take it back.
        pub undo_age: Span = Some(Span::seconds(30 * 24 * 3600)), "\"30d\"";
        /// Writes that are kept for it at most, over all runs, about 300 bytes each; the oldest runs are forgotten first, and 0 keeps none.
        pub undo_rows: u32 = Some(2_000_000), "2000000";
        /// When a running import is asked about, and how often.
        pub polling: Option<ImportPolling> = optional(), "";
        /// The time zone of windows, as the IANA database names it.
        pub zone: Zone = Some(Zone::utc()), "\"UTC\"";
        /// The accounts by name.
        pub accounts: BTreeMap<String, ServiceAccount> = Some(BTreeMap::new()), "";
    }
}

section! {
    /// When a running import is asked about: at growing intervals, until a later run goes on with it.
    pub struct ImportPolling {
        /// The wait before the first question.
        pub first: Span = Some(Span::seconds(10)), "\"10s\"";
        /// The longest wait between two.
        pub longest: Span = Some(Span::seconds(5 * 60)), "\"5m\"";
        /// Questions about one import in one run.
        pub questions: u32 = Some(30), "30";
    }
}

section! {
    /// What people did with what they were sent: what of it becomes rows of the CRM, for how long, and how much is kept.
    pub struct EventRules {
        /// Kinds that become rows of the CRM; the others stay in postroom's database.
        pub to_crm: Vec<EventKind> = Some(EventKind::ALL.to_vec()), "[\"recipient\", \"click\", \"social\", \"roi\"]";
        /// Rows of the CRM go when the last that is known of them is older; left out, they stay.
        pub keep_in_crm: Option<Span> = optional(), "\"730d\"";
        /// The same for postroom's database; the CRM's rows go with them.
        pub keep: Option<Span> = optional(), "\"1095d\"";
        /// What is kept of IP addresses: "keep", "shorten" (the network only), "drop".
        pub ip: IpWord = Some(IpWord::Keep), "\"keep\"";
        /// Whether user agents are kept. Whether a machine did it is found out in any case.
        pub user_agents: bool = Some(true), "true";
    }
}

section! {
    /// Forms of the service.
    pub struct FormRules {
        /// Questions whose answer is explicit consent to marketing mail: form and question by number, and the choice that means yes.
        pub consent: Vec<ConsentWord> = Some(Vec::new()), "[\"12/34=2\", \"12/35\"]";
    }
}

section! {
    /// An account of Dotdigital. The name is free; it stands in the CRM.
    pub struct ServiceAccount as "main" {
        /// Where the account's API is asked for; the first region answers for all.
        pub url: HttpUrl = Some(HttpUrl(Settings::FIRST_REGION.to_owned())), "\"https://r1-api.dotdigital.com\"";
        /// The API user.
        pub user: String = required(), "\"apiuser-0123456789ab@apiconnector.com\"";
        /// The API user's password.
        pub password: SecretRef = required(), "{ file = \"/etc/postroom/secrets/dotdigital\" }";
        /// "rest" (people by v3, everything else by v2); "rest-v2" for accounts without v3; "soap" where nothing else is allowed.
        pub api: ServiceApi = Some(ServiceApi::Rest), "\"rest\"";
        /// Sync types that run at other intervals than usual; "never" runs only when asked.
        pub every: Every = Some(Every::default()), "{ contacts = \"30m\", scores = \"never\" }";
        /// The hours of the day in which runs begin by themselves, by `[marketing]` zone; left out, all of them.
        pub window: Option<Hours> = optional(), "\"22:00-06:00\"";
        /// What a suppression sets on the CRM's records: "nothing", "donotbulkemail", "donotemail", "both".
        pub on_suppress: OnSuppressWord = Some(OnSuppressWord::BulkEmail), "\"donotbulkemail\"";
        /// Whose records the service is to know: "lists" (members of activated marketing lists) or "everybody".
        pub scope: ScopeWord = Some(ScopeWord::Lists), "\"lists\"";
        /// What people did: what of it the CRM gets, for how long, and how much is kept.
        pub events: Option<EventRules> = optional(), "";
        /// Forms.
        pub forms: Option<FormRules> = optional(), "";
        /// Certificates of a private authority, PEM, believed besides those of the system.
        pub ca_file: Option<PathBuf> = optional(), "\"/etc/postroom/dotdigital-ca.pem\"";
        /// The SHA-256 of the only certificate that is believed.
        pub tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// An HTTP proxy on the way to the service.
        pub proxy: Option<HttpUrl> = optional(), "\"http://proxy.example.org:3128\"";
        /// The user at the proxy.
        pub proxy_username: Option<String> = optional(), "\"postroom\"";
        /// The password at the proxy.
        pub proxy_password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/proxy\" }";
        /// The longest wait for one answer; the service may need two minutes.
        pub timeout: Span = Some(Span::seconds(125)), "\"125s\"";
        /// The longest wait for one of the service's limits within a job; for a longer one the job is put back.
        pub patience: Span = Some(Span::seconds(65)), "\"65s\"";
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    pub fn utc() -> Self {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    pub fn get(&self) -> TimeZone {
        self.zone.clone()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

from_text!(Zone, "a time zone such as \"Europe/Berlin\"", |text| {
    let zone = TimeZone::get(text.trim()).ok()?;
    Some(Zone { name: text.trim().to_owned(), zone })
});

/// A question of a form whose answer is consent: `12/34`, or `12/34=2` with the choice that means yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentWord {
    pub form: i64,
    pub question: i64,
    pub choice: Option<i64>,
}

impl fmt::Display for ConsentWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.form, self.question)?;
        self.choice.map_or(Ok(()), |choice| write!(f, "={choice}"))
    }
}

from_text!(
    ConsentWord,
    "FORM/QUESTION or FORM/QUESTION=CHOICE by their numbers, such as \"12/34=2\"",
    |text| {
        let (form, rest) = text.split_once('/')?;
        let (question, choice) = match rest.split_once('=') {
            Some((question, choice)) => (question, Some(choice.trim().parse().ok()?)),
            None => (rest, None),
        };
        Some(ConsentWord { form: form.trim().parse().ok()?, question: question.trim().parse().ok()?, choice })
    }
);

/// Two times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub from: Time,
    pub to: Time,
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from.hour(), from.minute(), to.hour(), to.minute())
    }
}

from_text!(Hours, "two times of day such as \"22:00-06:00\"", |text| {
    let (from, to) = text.split_once('-')?;
    let time = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let hours = Hours { from: time(from)?, to: time(to)? };
    (hours.from != hours.to).then_some(hours)
});

/// Intervals by sync type; `None` is only when asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Every(pub BTreeMap<SyncType, Option<Span>>);

/// The word for a sync type that does not run by itself.
const NEVER: &str = "never";
/// The shortest interval: a run asks both sides something, even when nothing changed.
const SHORTEST: Span = Span::seconds(30);

impl Every {
    fn one(node: &Node, key: &str, cx: &mut Reading) -> Option<Option<Span>> {
        if matches!(&node.value, Value::Text(text) if text == NEVER) {
            return Some(None);
        }
        let span = Span::read(node, key, cx)?;
        if span < SHORTEST {
            cx.refuse(key, format!("{key} takes {SHORTEST} or more, or \"{NEVER}\", not {span}"));
            return None;
        }
        Some(Some(span))
    }
}

impl Setting for Every {
    fn expects() -> String {
        "a duration for each sync type, such as { contacts = \"30m\" }".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            cx.mismatch(node, key, &Self::expects());
            return None;
        };
        let mut read = BTreeMap::new();
        for (name, node) in table {
            let key = join(key, name);
            cx.origins.insert(key.clone(), node.at.clone());
            match name.parse::<SyncType>() {
                Ok(sync_type) => {
                    read.extend(Self::one(node, &key, cx).map(|every| (sync_type, every)));
                }
                Err(error) => {
                    let near = nearest(name, SyncType::ALL.iter().map(|sync_type| sync_type.as_str()));
                    let hint =
                        near.map_or_else(|| error.to_string(), |near| format!("did you mean {near:?}?"));
                    cx.refuse(&key, format!("there is no sync type {name:?}: {hint}"));
                }
            }
        }
        Some(Every(read))
    }

    fn literal(&self) -> Option<String> {
        let one = |(sync_type, every): (&SyncType, &Option<Span>)| {
            format!("{sync_type} = \"{}\"", every.map_or_else(|| NEVER.to_owned(), |every| every.to_string()))
        };
        let all: Vec<String> = self.0.iter().map(one).collect();
        Some(if all.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", all.join(", ")) })
    }

    fn leaves(&self, key: &str, out: &mut Vec<Leaf>) {
        out.push(Leaf { key: key.to_owned(), literal: self.literal() });
    }
}

impl Check for Marketing {
    fn check(&self, cx: &mut Reading) {
        for (key, percent) in [("guard_share", self.guard_share), ("tolerance", self.tolerance)] {
            if percent > 100 {
                let key = format!("marketing.{key}");
                cx.refuse(&key, format!("{key} takes 0 to 100 per cent, not {percent}"));
            }
        }
        if self.exchange_age < Span::seconds(60) {
            let text = format!("marketing.exchange_age takes 60s or more, not {}", self.exchange_age);
            cx.refuse("marketing.exchange_age", text);
        }
        if let Some(polling) = self.polling.as_ref().filter(|polling| polling.first > polling.longest) {
            let text = format!(
                "marketing.polling.first ({}) is longer than marketing.polling.longest ({})",
                polling.first, polling.longest
            );
            cx.refuse("marketing.polling.first", text);
        }
        for (name, account) in &self.accounts {
            account.check(&format!("marketing.accounts.{name}"), self, cx);
        }
    }
}

impl ServiceAccount {
    fn check(&self, key: &str, rules: &Marketing, cx: &mut Reading) {
        if let Err(error) = Settings::new(self.url.as_ref()) {
            cx.refuse(&format!("{key}.url"), format!("{key}.url: {error}"));
        }
        if self.proxy.is_none() && (self.proxy_username.is_some() || self.proxy_password.is_some()) {
            let text = format!("{key}.proxy_username and {key}.proxy_password need {key}.proxy");
            cx.refuse(&format!("{key}.proxy_username"), text);
        }
        if let Some(EventRules { keep_in_crm: Some(there), keep: Some(here), .. }) = &self.events
            && there > here
        {
            let text = format!(
                "{key}.events.keep_in_crm ({there}) is longer than {key}.events.keep ({here}): the CRM's rows go with those here"
            );
            cx.warn(&format!("{key}.events.keep_in_crm"), text);
        }
        let exchange = self.every.0.get(&SyncType::Suppressions).copied();
        let exchange = exchange.unwrap_or_else(|| SyncType::Suppressions.every().and_then(span));
        if exchange.is_none_or(|every| every > rules.exchange_age) {
            let text = format!(
                "{key}.every.suppressions is longer than marketing.exchange_age ({}): sends will often wait",
                rules.exchange_age
            );
            cx.warn(&format!("{key}.every"), text);
        }
    }
}

fn span(of: jiff::SignedDuration) -> Option<Span> {
    std::time::Duration::try_from(of).ok().map(Span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_questions_read_back() {
        let parse = |text: &str| {
            let node = Node::loose(Value::Text(text.to_owned()), crate::config::Origin::Default);
            ConsentWord::read(&node, "consent", &mut Reading::default()).map(|word| word.to_string())
        };
        assert_eq!(parse("12/34=2").as_deref(), Some("12/34=2"));
        assert_eq!(parse(" 12 / 35 ").as_deref(), Some("12/35"));
        for wrong in ["", "12", "12/", "a/b", "12/34=", "12/34=yes"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hours_read_back() {
        let parse = |text: &str| {
            let node = Node::loose(Value::Text(text.to_owned()), crate::config::Origin::Default);
            Hours::read(&node, "window", &mut Reading::default()).map(|hours| hours.to_string())
        };
        assert_eq!(parse("22:00-06:00").as_deref(), Some("22:00-06:00"));
        assert_eq!(parse(" 8:05 - 18:30 ").as_deref(), Some("08:05-18:30"));
        for wrong in ["", "8-18", "8:00", "25:00-06:00", "08:00-08:00", "08:00-18:60"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
