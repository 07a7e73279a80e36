//! `[tracking]`: rules for placing mail that hold for every mailbox.

use super::setting::{Check, Reading, section};
use super::values::Host;
use super::words::words;

words!(/// The record that mail about a qualified lead goes to.
QualifiedLead {
    Lead = "lead",
    Account = "account",
    Contact = "contact",
    Opportunity = "opportunity",
});

section! {
    /// Rules for placing mail that hold for every mailbox.
    pub struct Tracking {
        /// Where mail about a lead goes once the lead is qualified: to the "lead" itself, or to the "account",
        /// "contact" or "opportunity" made from it (to the lead when there is none).
        pub qualified_lead: QualifiedLead = Some(QualifiedLead::Opportunity), "\"opportunity\"";
        /// The names under which your own mail servers write Authentication-Results (RFC 8601, authserv-id).
        /// Verdicts under other names count for nothing, as anybody can write them.
        pub authserv_ids: Vec<Host> = Some(Vec::new()), "[\"mx.example.org\"]";
    }
}

impl Check for Tracking {
    fn check(&self, cx: &mut Reading) {
        for (at, name) in self.authserv_ids.iter().enumerate() {
            if self.authserv_ids[..at].contains(name) {
                cx.refuse(
                    "tracking.authserv_ids",
                    format!("tracking.authserv_ids names {name} twice: keep one"),
                );
            }
        }
    }
}
