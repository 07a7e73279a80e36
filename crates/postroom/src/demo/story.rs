//! The first act of the demo: eight mails as real programs write them, and where each should end.

use std::net::SocketAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroom_core::{MailState, RecordRef};
use postroom_embedded::demo::{Story, story};
use postroom_mail::client::{Client, Error};
use postroom_tracking::token;
use uuid::Uuid;

/// One mail of the story.
pub struct Letter {
    /// Told to the person who watches.
    pub what: &'static str,
    /// As it stands in the mail, without brackets.
    pub message_id: String,
    pub end: End,
    from: &'static str,
    to: &'static str,
    raw: String,
}

/// Where a mail ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    On(RecordRef),
    /// Filed without a record.
    Queued,
    Review,
    /// Where no mail of the story should be.
    Else(MailState),
}

impl End {
    pub fn of(record: Option<&RecordRef>, state: MailState) -> End {
        match (record, state) {
            (Some(record), _) => End::On(record.clone()),
            (None, MailState::Tracked) => End::Queued,
            (None, MailState::Review) => End::Review,
            (None, state) => End::Else(state),
        }
    }

    /// For the person who watches.
    pub fn told(&self) -> String {
        match self {
            End::On(record) => format!("filed on {}", name(record)),
            End::Queued => "filed without a record, queue item made".into(),
            End::Review => "waits in review".into(),
            End::Else(state) => state.to_string().replace('_', " "),
        }
    }
}

/// A record in words, when the story knows it.
pub fn name(record: &RecordRef) -> String {
    let known = story();
    let names = [
        (&known.case_pump, "case \"Mash pump leaks at the shaft\""),
        (&known.opportunity_pool, "opportunity \"Three pumps for the outdoor pool\""),
        (&known.quote_pool, "quote \"Offer: three pumps for the outdoor pool\""),
        (&known.lead_mira, "lead Mira Costa"),
    ];
    let found = names.iter().find(|(at, _)| *at == record);
    found.map_or_else(|| record.to_string(), |(_, name)| (*name).to_owned())
}

/// Hands one mail to the listener, as a mail server would.
pub async fn send(smtp: SocketAddr, letter: &Letter) -> Result<(), Error> {
    hand_over(smtp, letter.from, letter.to, letter.raw.as_bytes()).await
}

/// The same for any mail.
pub async fn hand_over(smtp: SocketAddr, from: &str, to: &str, raw: &[u8]) -> Result<(), Error> {
    let mut client = Client::connect(smtp).await?;
    for answer in client.send(from, &[to], raw).await? {
        if !answer.is_ok() {
            return Err(Error::Greeting(answer));
        }
    }
    client.quit().await
}

/// What one mail consists of.
struct Draft {
    what: &'static str,
    name: &'static str,
    end: End,
    from: &'static str,
    to: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// The mails in order. `run` makes their ids this run's own, so that a second run tells the story again.
pub fn letters(now: Timestamp, run: Uuid) -> Vec<Letter> {
    let known = story();
    let id = |name: &str| message_id(name, run);
    let date = date(now);
    let drafts = customer(&known, &id).into_iter().chain(machines(&known, &id)).chain(strangers());
    drafts.map(|draft| letter(&draft, &id(draft.name), &date)).collect()
}

/// The Message-ID of a mail of this run, without brackets.
pub fn message_id(name: &str, run: Uuid) -> String {
    format!("{name}.{}@mail.example", run.simple())
}

/// As it stands in a mail (RFC 5322 section 3.3).
pub fn date(now: Timestamp) -> String {
    jiff::fmt::rfc2822::to_string(&now.to_zoned(TimeZone::UTC))
        .expect("now is a year that RFC 2822 can write")
}

fn letter(draft: &Draft, message_id: &str, date: &str) -> Letter {
    let mut raw = format!("Date: {date}\r\nMessage-ID: <{message_id}>\r\nMIME-Version: 1.0\r\n");
    for (name, value) in &draft.headers {
        raw.push_str(&format!("{name}: {value}\r\n"));
    }
    raw.push_str("\r\n");
    raw.push_str(&draft.body.replace('\n', "\r\n"));
    let (what, end, message_id) = (draft.what, draft.end.clone(), message_id.to_owned());
    Letter { what, message_id, end, from: draft.from, to: draft.to, raw }
}

const PLAIN: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");

fn header(name: &'static str, value: impl Into<String>) -> (&'static str, String) {
    (name, value.into())
}

/// People who write about something.
fn customer(known: &Story, id: &impl Fn(&str) -> String) -> Vec<Draft> {
    let token = token::make(known.case_pump.id);
    vec![
        Draft {
            what: "1  Anna Adler writes about her pump; the token stands in the subject, a photo is attached.",
            name: "anna",
            end: End::On(known.case_pump.clone()),
            from: "anna.adler@adler-brauerei.example",
            to: "support@demo.example",
            headers: vec![
                header("From", "Anna Adler <anna.adler@adler-brauerei.example>"),
                header("To", "Support <support@demo.example>"),
                header("Subject", format!("Re: Your visit on Monday\r\n {token}")),
                header("Content-Type", "multipart/mixed; boundary=\"b1\""),
            ],
            body: "--b1\nContent-Type: text/html; charset=utf-8\n\n<p>Hello In\u{ea}s,</p><p>the mash pump <b>leaks again</b> at the shaft, see the photo.</p>\
                   <p>Anna Adler</p>\n--b1\nContent-Type: image/png; name=\"leak.png\"\nContent-Disposition: attachment; filename=\"leak.png\"\n\
                   Content-Transfer-Encoding: base64\n\n\
                   iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==\n--b1--\n".into(),
        },
        Draft {
            what: "2  Her colleague answers; his program cut the subject, the token is gone. The thread still knows.",
            name: "jonas",
            end: End::On(known.case_pump.clone()),
            from: "jonas.weiss@adler-brauerei.example",
            to: "support@demo.example",
            headers: vec![
                header("From", "=?utf-8?Q?Jonas_Wei=C3=9F?= <jonas.weiss@adler-brauerei.example>"),
                header("To", "support@demo.example"),
                header("Cc", "Anna Adler <anna.adler@adler-brauerei.example>"),
                header("Subject", "AW: Re: Your visit on Mon CRM: {6f1ed0"),
                header("In-Reply-To", format!("<{}>", id("anna"))),
                header("References", format!("<{}>", id("anna"))),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "I have closed the valve. We can wait until Thursday.\n\nJonas\n".into(),
        },
        Draft {
            what: "3  Mira Costa, a lead, writes to the sales queue without any token.",
            name: "mira",
            end: End::Queued,
            from: "mira.costa@costa-oliva.example",
            to: "sales@demo.example",
            headers: vec![
                header("From", "Mira Costa <mira.costa@costa-oliva.example>"),
                header("To", "sales@demo.example"),
                header("Subject", "How soon could you deliver?"),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "We would like to start in March. Is that possible?\n\nMira\n".into(),
        },
        Draft {
            what: "4  Ingrid Solberg accepts the offer; her program encoded the subject, the token with it.",
            name: "ingrid",
            end: End::On(known.quote_pool.clone()),
            from: "ingrid.solberg@fjordbad.example",
            to: "sales@demo.example",
            headers: vec![
                header("From", "Ingrid Solberg <ingrid.solberg@fjordbad.example>"),
                header("To", "sales@demo.example"),
                header("Subject", encoded(&format!("Vi tar tilbudet \u{2013} p\u{e5} bestilling {}", token::make(known.quote_pool.id)))),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "Please go ahead with all three pumps.\n\nIngrid\n".into(),
        },
    ]
}

/// Machines that answer.
fn machines(known: &Story, id: &impl Fn(&str) -> String) -> Vec<Draft> {
    let returned = format!(
        "--b2\nContent-Type: text/plain\n\nThe mail could not be delivered to <mira.costa@costa-oliva.example>: mailbox full\n\
         --b2\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.costa-oliva.example\n\n\
         Final-Recipient: rfc822; mira.costa@costa-oliva.example\nAction: failed\nStatus: 5.2.2\n\
         Diagnostic-Code: smtp; 552 5.2.2 mailbox full\n\n--b2\nContent-Type: text/rfc822-headers\n\n\
         From: tom@demo.example\nTo: mira.costa@costa-oliva.example\nSubject: Our offer {}\nMessage-ID: <offer@demo.example>\n\n--b2--\n",
        token::make(known.lead_mira.id)
    );
    vec![
        Draft {
            what: "5  Anna's out-of-office answer to our confirmation.",
            name: "away",
            end: End::On(known.case_pump.clone()),
            from: "",
            to: "support@demo.example",
            headers: vec![
                header("From", "Anna Adler <anna.adler@adler-brauerei.example>"),
                header("To", "support@demo.example"),
                header("Subject", "Automatic reply: Your visit on Monday"),
                header("Auto-Submitted", "auto-replied"),
                header("In-Reply-To", format!("<{}>", id("jonas"))),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "I am away until Wednesday.\n".into(),
        },
        Draft {
            what: "6  A bounce of Tom's offer to Mira; the token stands only in the returned headers.",
            name: "bounce",
            end: End::On(known.lead_mira.clone()),
            from: "",
            to: "sales@demo.example",
            headers: vec![
                header("From", "Mail Delivery System <MAILER-DAEMON@mx.costa-oliva.example>"),
                header("To", "sales@demo.example"),
                header("Subject", "Undelivered Mail Returned to Sender"),
                header("Auto-Submitted", "auto-replied"),
                header("Content-Type", "multipart/report; report-type=delivery-status; boundary=\"b2\""),
            ],
            body: returned,
        },
    ]
}

/// What cannot be placed safely.
fn strangers() -> Vec<Draft> {
    vec![
        Draft {
            what: "7  A token that names nothing here.",
            name: "foreign",
            end: End::Review,
            from: "s.auer@kettler.example",
            to: "support@demo.example",
            headers: vec![
                header("From", "Silke Auer <s.auer@kettler.example>"),
                header("To", "support@demo.example"),
                header(
                    "Subject",
                    format!(
                        "Re: seal kit {}",
                        token::make(Uuid::from_u128(0x0f3c_17aa_52b1_4e8e_9d4f_0c21_77b6_a001))
                    ),
                ),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "Is this still open?\n".into(),
        },
        Draft {
            what: "8  Somebody nobody knows writes to the front desk.",
            name: "stranger",
            end: End::Review,
            from: "kim.larsen@unknown.example",
            to: "info@demo.example",
            headers: vec![
                header("From", "Kim Larsen <kim.larsen@unknown.example>"),
                header("To", "info@demo.example"),
                header("Subject", "Do you mend old pumps?"),
                header(PLAIN.0, PLAIN.1),
            ],
            body: "Ours is from 1987.\n".into(),
        },
    ]
}

/// RFC 2047 in Q encoding, in words of at most 75 characters.
fn encoded(text: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for letter in text.chars() {
        let mut bytes = [0; 4];
        let code: String = match letter {
            ' ' => "_".into(),
            letter if letter.is_ascii_alphanumeric() => letter.into(),
            letter => letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        if words.last().is_some_and(|word| word.len() + code.len() > 60) {
            words.push(String::new());
        }
        words.last_mut().expect("begins with one").push_str(&code);
    }
    words.iter().map(|word| format!("=?utf-8?Q?{word}?=")).collect::<Vec<_>>().join("\r\n ")
}
