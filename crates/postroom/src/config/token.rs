//! `[token]`: what the tracking token in a subject or header may do.

use super::setting::{Check, Reading, optional, section};
use super::values::{HeaderName, TableName};
use super::words::words;

/// The tables that the seed names, in the order in which they are asked (design.md 4.4).
const TABLES: [&str; 9] =
    ["account", "contact", "lead", "opportunity", "incident", "quote", "salesorder", "invoice", "campaign"];

words!(/// How far an unsigned token is trusted.
Trust {
    /// Attach whenever the GUID names a record; a sender that DMARC fails goes to review.
    Seed = "seed",
    /// Attach only when the CRM knows the sender.
    KnownSender = "known_sender",
    /// Only what postroom signed counts; a bare GUID goes to review.
    Signed = "signed",
});

section! {
    /// The tracking token: `CRM: {GUID}:MRC` at the end of a subject.
    pub struct Token {
        /// How far a token that anybody can type is trusted: "seed" attaches when the GUID names a record,
        /// "known_sender" also wants a sender that the CRM knows, "signed" takes only what postroom signed.
        pub trust: Trust = Some(Trust::Seed), "\"seed\"";
        /// A header that carries the record's GUID, set by another program.
        pub header: Option<HeaderName> = optional(), "\"X-CRM-Record\"";
        /// The tables that a GUID may name, in the order in which they win; add custom tables at the end.
        pub tables: Vec<TableName> = Some(default_tables()),
            "[\"account\", \"contact\", \"lead\", \"opportunity\", \"incident\", \"quote\", \"salesorder\", \"invoice\", \"campaign\"]";
    }
}

fn default_tables() -> Vec<TableName> {
    TABLES.map(|name| TableName(name.to_owned())).to_vec()
}

impl Check for Token {
    fn check(&self, cx: &mut Reading) {
        if self.tables.is_empty() {
            cx.refuse(
                "token.tables",
                "token.tables is empty, so no token could ever name a record: leave it out",
            );
        }
        for (at, name) in self.tables.iter().enumerate() {
            if self.tables[..at].contains(name) {
                cx.refuse("token.tables", format!("token.tables names {:?} twice: keep one", name.0));
            }
        }
    }
}
