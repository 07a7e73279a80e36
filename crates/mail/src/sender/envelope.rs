//! Which recipients a server is asked for, with which parameters, and their answers in order. What this server can never
//! take is answered here, without asking.

use postroom_core::{Answer, Handed, Outgoing};

use super::offers::Offers;
use super::wire::{is_safe_address, xtext};

/// One mail's recipients and what is known about each.
#[derive(Debug)]
pub(crate) struct Envelope {
    to: Vec<String>,
    answers: Vec<Option<Answer>>,
    /// `MAIL FROM:<…> …`
    pub mail: String,
    /// What RCPT asks to be told of, where it takes the parameters of RFC 3461.
    notify: Option<&'static str>,
}

impl Envelope {
    pub fn new(mail: &Outgoing, offers: &Offers) -> Self {
        let to = mail.to.clone();
        let mut envelope = Envelope {
            answers: vec![None; to.len()],
            to,
            mail: String::new(),
            notify: (offers.dsn && !mail.from.is_empty()).then(|| notify(mail)),
        };
        match sender(mail, offers) {
            Ok(command) => envelope.mail = command,
            Err(refusal) => envelope.settle_open(&refusal),
        }
        for index in envelope.open() {
            if let Err(refusal) = path(&envelope.to[index], offers.utf8) {
                envelope.settle(index, refusal);
            }
        }
        envelope
    }

    /// The recipients without an answer, by place.
    pub fn open(&self) -> Vec<usize> {
        (0..self.to.len()).filter(|&index| self.answers[index].is_none()).collect()
    }

    /// `RCPT TO:<…> …` for a recipient that is open.
    pub fn recipient(&self, index: usize) -> String {
        let to = &self.to[index];
        let path = path(to, true).expect("a recipient that cannot be written is not open");
        let mut command = format!("RCPT TO:<{path}>");
        if let Some(notify) = self.notify {
            command.push_str(&format!(" NOTIFY={notify}"));
            if to.is_ascii() {
                command.push_str(&format!(" ORCPT=rfc822;{}", xtext(to)));
            }
        }
        command
    }

    pub fn settle(&mut self, index: usize, answer: Answer) {
        self.answers[index] = Some(answer);
    }

    /// One answer for all that have none.
    pub fn settle_open(&mut self, answer: &Answer) {
        for slot in self.answers.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(answer.clone());
        }
    }

    /// Every recipient with its answer, in the order of the mail.
    pub fn handed(self) -> Handed {
        let answers =
            self.answers.into_iter().map(|answer| answer.expect("a transaction that ends well answers all"));
        self.to.into_iter().zip(answers).collect()
    }
}

fn notify(mail: &Outgoing) -> &'static str {
    if mail.receipt { "SUCCESS,FAILURE,DELAY" } else { "FAILURE,DELAY" }
}

/// A refusal that we give in the server's stead.
fn ours(code: u16, status: &str, text: &str) -> Answer {
    Answer { code, status: Some(status.to_owned()), text: text.to_owned() }
}

/// The MAIL command, or why no recipient can have this mail.
fn sender(mail: &Outgoing, offers: &Offers) -> Result<String, Answer> {
    let size = mail.raw.len() as u64;
    if offers.size.is_some_and(|most| most > 0 && size > most) {
        let text =
            format!("The mail has {size} bytes; the mail server takes {}", offers.size.unwrap_or_default());
        return Err(ours(552, "5.3.4", &text));
    }
    let from = match mail.from.as_str() {
        "" => String::new(),
        from => path(from, offers.utf8).map_err(|refusal| match refusal.status.as_deref() {
            Some("5.1.3") => ours(553, "5.1.7", "The sender's address cannot be written in SMTP"),
            _ => refusal,
        })?,
    };
    let mut command = format!("MAIL FROM:<{from}>");
    if offers.size.is_some() {
        command.push_str(&format!(" SIZE={size}"));
    }
    if offers.eight_bit && !mail.raw.is_ascii() {
        command.push_str(" BODY=8BITMIME");
    }
    if offers.utf8 && wants_utf8(mail, &from) {
        command.push_str(" SMTPUTF8");
    }
    if offers.dsn && !mail.from.is_empty() {
        command.push_str(" RET=HDRS");
        if let Some(id) = &mail.envelope_id {
            command.push_str(&format!(" ENVID={}", xtext(id)));
        }
    }
    Ok(command)
}

/// Whether the mail should be declared as internationalised (RFC 6531 3.4): an address or a header is. A header alone
/// does not make it impossible elsewhere: servers without SMTPUTF8 have passed such headers on for decades.
fn wants_utf8(mail: &Outgoing, from: &str) -> bool {
    let local = |address: &String| address.rsplit_once('@').is_some_and(|(local, _)| !local.is_ascii());
    let end = memchr::memmem::find(&mail.raw, b"\r\n\r\n").unwrap_or(mail.raw.len());
    let header = &mail.raw[..end];
    !from.is_ascii()
        || mail.to.iter().any(local)
        || (!header.is_ascii() && std::str::from_utf8(header).is_ok())
}

/// An address as it stands on the wire; a domain in letters of the world becomes its A-label, a local part cannot.
fn path(address: &str, utf8: bool) -> Result<String, Answer> {
    let unusable = || ours(553, "5.1.3", "The address cannot be written in SMTP");
    if !is_safe_address(address) {
        return Err(unusable());
    }
    let (local, domain) = address.rsplit_once('@').ok_or_else(unusable)?;
    if !local.is_ascii() {
        return match utf8 {
            true => Ok(address.to_owned()),
            false => {
                Err(ours(553, "5.6.7", "The mail server does not take addresses with letters outside ASCII"))
            }
        };
    }
    match domain.is_ascii() {
        true => Ok(address.to_owned()),
        false => {
            idna::domain_to_ascii(domain).map(|domain| format!("{local}@{domain}")).map_err(|_| unusable())
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn mail(from: &str, to: &[&str], raw: &str) -> Outgoing {
        Outgoing {
            from: from.to_owned(),
            to: to.iter().map(|&to| to.to_owned()).collect(),
            envelope_id: Some("out.1".to_owned()),
            receipt: false,
            raw: Bytes::from(raw.to_owned()),
        }
    }

    fn all() -> Offers {
        Offers { eight_bit: true, utf8: true, dsn: true, size: Some(100), ..Offers::default() }
    }

    #[track_caller]
    fn commands(mail: &Outgoing, offers: &Offers, expected: &[&str]) {
        let envelope = Envelope::new(mail, offers);
        let open = envelope.open();
        let commands: Vec<_> = std::iter::once(envelope.mail.clone())
            .chain(open.iter().map(|&index| envelope.recipient(index)))
            .collect();
        assert_eq!(commands, expected);
    }

    #[test]
    fn only_what_is_offered_is_asked_for() {
        let plain = mail("a@b.example", &["c@d.example"], "S: x\r\n\r\n");
        commands(&plain, &Offers::default(), &["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"]);
        commands(
            &plain,
            &all(),
            &[
                "MAIL FROM:<a@b.example> SIZE=8 RET=HDRS ENVID=out.1",
                "RCPT TO:<c@d.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@d.example",
            ],
        );
        let wanted = Outgoing { receipt: true, ..plain.clone() };
        commands(
            &wanted,
            &all(),
            &[
                "MAIL FROM:<a@b.example> SIZE=8 RET=HDRS ENVID=out.1",
                "RCPT TO:<c@d.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;c@d.example",
            ],
        );
        // A report must not cause a report.
        let report = Outgoing { receipt: true, ..mail("", &["c@d.example"], "S: x\r\n\r\n\u{e4}") };
        commands(&report, &all(), &["MAIL FROM:<> SIZE=10 BODY=8BITMIME", "RCPT TO:<c@d.example>"]);
    }

    #[test]
    fn letters_outside_ascii() {
        let world = mail("a@b.example", &["c@m\u{fc}nchen.example", "\u{e4}@d.example"], "S: x\r\n\r\n");
        commands(
            &world,
            &Offers::default(),
            &["MAIL FROM:<a@b.example>", "RCPT TO:<c@xn--mnchen-3ya.example>"],
        );
        let envelope = Envelope::new(&world, &Offers::default());
        assert_eq!(envelope.answers[1].as_ref().unwrap().status.as_deref(), Some("5.6.7"));
        let utf8 = Offers { utf8: true, ..Offers::default() };
        let envelope = Envelope::new(&world, &utf8);
        assert_eq!((envelope.mail.as_str(), envelope.open().len()), ("MAIL FROM:<a@b.example> SMTPUTF8", 2));
        // The sender's own address refuses all of them.
        let envelope = Envelope::new(&mail("\u{e4}@b.example", &["c@d.example"], ""), &Offers::default());
        assert_eq!(envelope.handed()[0].1.status.as_deref(), Some("5.6.7"));
        // A header in UTF-8 is declared where that is possible, and sent all the same where it is not.
        let header = mail("a@b.example", &["c@d.example"], "Subject: \u{e4}\r\n\r\n");
        assert_eq!(Envelope::new(&header, &utf8).mail, "MAIL FROM:<a@b.example> SMTPUTF8");
        assert_eq!(Envelope::new(&header, &Offers::default()).open().len(), 1);
    }

    #[test]
    fn what_cannot_be_sent_is_not_asked_for() {
        let large = mail("a@b.example", &["c@d.example", "e@f.example"], &"x".repeat(101));
        let handed = Envelope::new(&large, &all()).handed();
        assert!(handed.iter().all(|(_, answer)| answer.code == 552), "{handed:?}");
        let evil = mail("a@b.example", &["c@d.example>\r\nRSET", "e@f.example"], "");
        let envelope = Envelope::new(&evil, &all());
        assert_eq!(envelope.open(), [1]);
        let evil = mail("a@b.example\r\nDATA", &["c@d.example"], "");
        assert_eq!(Envelope::new(&evil, &all()).handed()[0].1.status.as_deref(), Some("5.1.7"));
    }

    proptest! {
        #[test]
        fn answers_keep_the_order_of_the_recipients(codes in proptest::collection::vec(proptest::option::of(200u16..600), 1..30)) {
            let to: Vec<String> = (0..codes.len()).map(|index| format!("r{index}@d.example")).collect();
            let names: Vec<&str> = to.iter().map(String::as_str).collect();
            let mut envelope = Envelope::new(&mail("a@b.example", &names, ""), &Offers::default());
            for (index, code) in codes.iter().enumerate() {
                if let Some(code) = code {
                    envelope.settle(index, Answer { code: *code, status: None, text: String::new() });
                }
            }
            envelope.settle_open(&Answer { code: 999, status: None, text: String::new() });
            let handed = envelope.handed();
            prop_assert!(handed.iter().zip(&to).all(|((got, _), wanted)| got == wanted));
            prop_assert!(handed.iter().zip(&codes).all(|((_, answer), code)| answer.code == code.unwrap_or(999)));
        }
    }
}
