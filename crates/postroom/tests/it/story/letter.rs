//! Mail as the story's people write it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{ANNA, DESK};

/// A mail under way to be written.
#[derive(Clone)]
pub struct Letter {
    headers: Vec<(String, String)>,
    body: String,
    id: String,
}

/// A plain mail from Anna to the desk, with a Message-ID of its own.
pub fn letter(subject: &str) -> Letter {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let id = format!("story-{number}@customer.example");
    let letter = Letter { headers: Vec::new(), body: "Hello,\r\nhere is a line.\r\n".into(), id: id.clone() };
    letter
        .header("Date", "Mon, 2 Nov 2026 10:00:00 +0000")
        .header("From", &format!("Anna Adler <{ANNA}>"))
        .header("To", DESK)
        .header("Subject", subject)
        .header("Message-ID", &format!("<{id}>"))
        .header("MIME-Version", "1.0")
        .header("Content-Type", "text/plain; charset=utf-8")
}

impl Letter {
    /// Sets a header; one of that name is replaced.
    pub fn header(mut self, name: &str, value: &str) -> Letter {
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn from(self, address: &str) -> Letter {
        self.header("From", address)
    }

    pub fn to(self, addresses: &str) -> Letter {
        self.header("To", addresses)
    }

    /// An answer to this letter, as good mail programs write it.
    pub fn answering(self, parent: &Letter) -> Letter {
        let references = parent.headers.iter().find(|(name, _)| name == "References");
        let older = references.map(|(_, value)| format!("{value} ")).unwrap_or_default();
        self.header("In-Reply-To", &parent.id()).header("References", &format!("{older}{}", parent.id()))
    }

    /// With this Message-ID, no angle brackets.
    pub fn named(mut self, id: &str) -> Letter {
        self.id = id.to_owned();
        self.header("Message-ID", &format!("<{id}>"))
    }

    pub fn body(mut self, content_type: &str, body: &str) -> Letter {
        self.body = body.replace("\r\n", "\n").replace('\n', "\r\n");
        self.header("Content-Type", content_type)
    }

    /// The Message-ID, in angle brackets.
    pub fn id(&self) -> String {
        format!("<{}>", self.id)
    }

    pub fn raw(&self) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{headers}\r\n{}", self.body).into_bytes()
    }
}
