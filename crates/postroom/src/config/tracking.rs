//! `[tracking]`: rules for placing mail that hold for every mailbox.

use super::setting::{Check, Reading, optional, section};
use super::units::Span;
use super::values::{Domain, Email, Host, RecordName};
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
        /// Who owns the e-mail, lead or contact that neither a mailbox's user, a queue nor a record gives an owner: a user or
        /// a team of the CRM. Left out, the CRM gives it to the user that postroom signs in as.
        pub owner: Option<RecordName> = optional(), "\"systemuser/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"";
        /// The names under which your own mail servers write Authentication-Results (RFC 8601, authserv-id).
        /// Verdicts under other names count for nothing, as anybody can write them.
        pub authserv_ids: Vec<Host> = Some(Vec::new()), "[\"mx.example.org\"]";
        /// Mail from or to these addresses is never tracked.
        pub never_addresses: Vec<Email> = Some(Vec::new()), "[\"lawyer@firm.example\"]";
        /// Mail from or to these domains is never tracked.
        pub never_domains: Vec<Domain> = Some(Vec::new()), "[\"clinic.example\"]";
        /// Your own domains, when mail among them alone shall not be tracked.
        pub internal_domains: Vec<Domain> = Some(Vec::new()), "[\"example.org\"]";
        /// Mail that its sender marked private or confidential is not tracked.
        pub skip_sensitive: bool = Some(false), "false";
        /// How long the body of a mail that is not tracked is kept; its headers and the reason stay.
        pub keep_untracked: Span = Some(Span::seconds(72 * 3600)), "\"72h\"";
    }
}

impl Check for Tracking {
    fn check(&self, cx: &mut Reading) {
        let owner = self.owner.as_ref().map(AsRef::as_ref).unwrap_or_default();
        if !owner.is_empty() && !["systemuser/", "team/"].iter().any(|table| owner.starts_with(table)) {
            let text = format!("tracking.owner is {owner}, which owns nothing: name a systemuser or a team");
            cx.refuse("tracking.owner", text);
        }
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
