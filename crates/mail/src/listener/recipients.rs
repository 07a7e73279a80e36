//! Which recipients are ours. Everything else is refused at RCPT; but for a listener that takes mail for anybody, and then
//! from named clients only: postroom is never an open relay.

use std::collections::HashSet;
use std::net::IpAddr;

use super::Clients;
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
    /// Those who may send to anybody; then the others are not let in at all.
    clients: Option<Clients>,
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

    /// Every recipient in the world, from these clients; the others are turned away before they say a word. For a
    /// stamping relay between mail servers of the organisation.
    pub fn anyone_from(clients: Clients) -> Self {
        Recipients { clients: Some(clients), ..Recipients::default() }
    }

    /// True when no mail at all could be taken.
    pub fn is_empty(&self) -> bool {
        match &self.clients {
            Some(clients) => clients.is_empty(),
            None => self.domains.is_empty() && self.addresses.is_empty(),
        }
    }

    /// Whether mail is passed on to anybody, rather than kept.
    pub fn is_relay(&self) -> bool {
        self.clients.is_some()
    }

    /// Whether a client at this address may come in.
    pub fn admits(&self, peer: IpAddr) -> bool {
        self.clients.as_ref().is_none_or(|clients| clients.contains(peer))
    }

    /// Whether the forward-path `text` (without brackets) is ours.
    pub fn check(&self, text: &str) -> Result<(), Refusal> {
        if self.is_relay() {
            // Whatever a mail server can write an address of; what it means is for the next hop to say.
            let sound = !text.is_empty() && path::reverse_is_sound(text);
            return if sound { Ok(()) } else { Err(Refusal::Syntax) };
        }
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
    fn a_relay_takes_every_address_from_its_clients() {
        let all = Recipients::anyone_from(Clients::read(["127.0.0.1"]).unwrap());
        assert!(
            all.is_relay()
                && all.admits(IpAddr::from([127, 0, 0, 1]))
                && !all.admits(IpAddr::from([127, 0, 0, 2]))
        );
        for address in
            ["anna@else.example", "a..b.@docomo.example", "x%y@else.example", "\"a b\"@[192.0.2.1]"]
        {
            assert_eq!(all.check(address), Ok(()), "{address}");
        }
        for address in ["", "anna", "@else.example:anna@x.example", "anna@", "a@b c"] {
            assert_eq!(all.check(address), Err(Refusal::Syntax), "{address}");
        }
        assert!(Recipients::anyone_from(Clients::default()).is_empty());
        assert!(Recipients::new(["ours.example"], [""; 0]).admits(IpAddr::from([192, 0, 2, 1])));
    }

    #[test]
    fn nobody_s_server_takes_nothing() {
        let none = Recipients::new([""; 1], [""; 1]);
        assert!(none.is_empty());
        assert_eq!(none.check("postmaster"), Err(Refusal::Relay));
        assert_eq!(none.check("a@b"), Err(Refusal::Relay));
    }
}
