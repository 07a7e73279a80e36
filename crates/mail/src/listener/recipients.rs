//! Which recipients are ours. Everything else is refused at RCPT: postroom is never a relay.

use std::collections::HashSet;

use super::path::{self, Problem};

/// The domains and addresses that are taken.
#[derive(Debug, Clone, Default)]
pub struct Recipients {
    /// Every mailbox of these is taken.
    domains: HashSet<String>,
    /// Single mailboxes, whose domain need not be in `domains`.
    addresses: HashSet<String>,
    /// The domains of `addresses`: their other mailboxes are unknown rather than foreign.
    partial: HashSet<String>,
}

/// Why a recipient is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not our domain, or a form that asks to be sent on.
    Relay,
    /// Our domain, but no mailbox of ours.
    Unknown,
    Syntax,
}

impl Recipients {
    /// All mailboxes of `domains`, and the mailboxes `addresses`. Entries that are no domain or address are left out:
    /// they could match nothing.
    pub fn new<D: AsRef<str>, A: AsRef<str>>(
        domains: impl IntoIterator<Item = D>,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut ours = Recipients::default();
        ours.domains.extend(domains.into_iter().filter_map(|domain| normal_domain(domain.as_ref())));
        for address in addresses {
            let Ok(mailbox) = path::forward(address.as_ref().trim()) else { continue };
            let Some(domain) = normal_domain(mailbox.domain) else { continue };
            ours.addresses.insert(format!("{}@{domain}", mailbox.local.to_lowercase()));
            ours.partial.insert(domain);
        }
        ours
    }

    /// True when no mail at all could be taken.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.addresses.is_empty()
    }

    /// Whether the forward-path `text` (without brackets) is ours.
    pub fn check(&self, text: &str) -> Result<(), Refusal> {
        let mailbox = path::forward(text).map_err(|problem| match problem {
            Problem::Routed => Refusal::Relay,
            Problem::Syntax => Refusal::Syntax,
        })?;
        let local = mailbox.local.to_lowercase();
        if mailbox.domain.is_empty() {
            // RFC 5321 4.5.1: the bare postmaster is always ours.
            return if self.is_empty() { Err(Refusal::Relay) } else { Ok(()) };
        }
        let domain = normal_domain(mailbox.domain).ok_or(Refusal::Relay)?;
        if self.domains.contains(&domain) {
            return Ok(());
        }
        match self.partial.contains(&domain) {
            true if local == "postmaster" || self.addresses.contains(&format!("{local}@{domain}")) => Ok(()),
            true => Err(Refusal::Unknown),
            false => Err(Refusal::Relay),
        }
    }
}

/// Lower case, A-labels, no dot at the end.
fn normal_domain(domain: &str) -> Option<String> {
    let bare = domain.trim().trim_end_matches('.');
    let ascii = match bare.is_ascii() {
        true => bare.to_ascii_lowercase(),
        false => idna::domain_to_ascii(bare).ok()?,
    };
    (!ascii.is_empty()).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Result<(), Refusal>) {
        let ours = Recipients::new(
            ["Ours.example", "bücher.example"],
            ["Support@part.example", "\"Hans Maier\"@part.example", "nonsense"],
        );
        assert_eq!(ours.check(address), expected, "{address}");
    }

    #[test]
    fn own_domains_take_every_mailbox() {
        for address in [
            "anna@ours.example",
            "ANNA@OURS.EXAMPLE",
            "x+y@ours.example.",
            "postmaster@ours.example",
            "Postmaster",
        ] {
            check(address, Ok(()));
        }
        check("anna@bücher.example", Ok(()));
        check("anna@xn--bcher-kva.example", Ok(()));
        check("anna@BÜCHER.example", Ok(()));
    }

    #[test]
    fn own_mailboxes_are_taken_and_their_neighbours_not() {
        check("SUPPORT@part.example", Ok(()));
        check("\"support\"@part.example", Ok(()));
        check("\"hans maier\"@PART.example", Ok(()));
        check("PostMaster@part.example", Ok(()));
        check("sales@part.example", Err(Refusal::Unknown));
        check("support+x@part.example", Err(Refusal::Unknown));
    }

    #[test]
    fn nothing_else_is_taken() {
        for address in [
            "anna@else.example",
            "anna@sub.ours.example",
            "anna@notours.example",
            "anna@ours.example.else.example",
            "anna@[127.0.0.1]",
            "postmaster@else.example",
            "@ours.example:anna@else.example",
            "@else.example:anna@ours.example",
            "anna%else.example@ours.example",
            "else.example!anna@ours.example",
            "\"anna@else.example\"@ours.example",
            "anna@else.example@ours.example",
        ] {
            check(address, Err(Refusal::Relay));
        }
        check("anna", Err(Refusal::Syntax));
        check("", Err(Refusal::Syntax));
    }

    #[test]
    fn nobody_s_server_takes_nothing() {
        let none = Recipients::new([""; 1], [""; 1]);
        assert!(none.is_empty());
        assert_eq!(none.check("postmaster"), Err(Refusal::Relay));
        assert_eq!(none.check("a@b"), Err(Refusal::Relay));
    }
}
