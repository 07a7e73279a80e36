//! What an administrator decides about behaviour: which kinds become rows of the CRM, for how long, and how much of a person's
//! machine is kept.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::SignedDuration;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal)+) => {
        /// A kind of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name,)+ }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$name),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text),+ }
            }
        }
    };
}

kinds! {
    /// One person's part in one send, with counters.
    Recipient "recipient"
    Click "click"
    Open "open"
    PageView "page_view"
    Reply "reply"
    /// Views by way of a social network: a total.
    Social "social"
    /// A purchase or another mark.
    Roi "roi"
}

impl Kind {
    /// The table of the CRM; what has none stays here.
    pub fn table(self) -> Option<&'static str> {
        match self {
            Kind::Recipient => Some("esc_emailcampaigncontactsummary"),
            Kind::Click => Some("esc_emailcampaigncontactclick"),
            Kind::Social => Some("esc_socialbookmark"),
            Kind::Roi => Some("esc_emailroidetail"),
            Kind::Open | Kind::PageView | Kind::Reply => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is kept of an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ip {
    #[default]
    Keep,
    /// Only the network: three of four numbers, or the first 48 bits.
    Shorten,
    Drop,
}

impl Ip {
    /// What is left of it.
    pub fn kept(self, ip: Option<String>) -> Option<String> {
        let ip = ip.filter(|ip| !ip.is_empty())?;
        match self {
            Ip::Keep => Some(ip),
            Ip::Drop => None,
            Ip::Shorten => match ip.parse::<IpAddr>().ok()? {
                IpAddr::V4(v4) => {
                    let [a, b, c, _] = v4.octets();
                    Some(format!("{a}.{b}.{c}.0"))
                }
                IpAddr::V6(v6) => {
                    let [a, b, c, ..] = v6.segments();
                    Some(std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string())
                }
            },
        }
    }
}

/// Settings of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Kinds that become rows of the CRM, among those that have a table there. The others stay in the store.
    pub to_crm: BTreeSet<Kind>,
    /// Rows of the CRM go when the last that is known of them is older.
    pub keep_in_crm: Option<SignedDuration>,
    /// The same for what is kept here; the CRM's rows go with it.
    pub keep: Option<SignedDuration>,
    pub ip: Ip,
    /// Whether user agents are kept. Whether a machine did it is found out in any case.
    pub user_agents: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let to_crm = Kind::ALL.iter().copied().filter(|kind| kind.table().is_some()).collect();
        Settings { to_crm, keep_in_crm: None, keep: None, ip: Ip::Keep, user_agents: true }
    }
}

impl Settings {
    /// Whether events of this kind become rows of the CRM.
    pub fn tells(&self, kind: Kind) -> bool {
        kind.table().is_some() && self.to_crm.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ip: &str, shortened: Option<&str>) {
        assert_eq!(Ip::Shorten.kept(Some(ip.to_owned())).as_deref(), shortened, "{ip}");
        assert_eq!(Ip::Drop.kept(Some(ip.to_owned())), None);
    }

    #[test]
    fn networks() {
        check("198.51.100.77", Some("198.51.100.0"));
        check("2001:db8:7:1::9", Some("2001:db8:7::"));
        // What cannot be shortened is not kept.
        check("unknown", None);
        assert_eq!(Ip::Keep.kept(Some(String::new())), None);
    }

    #[test]
    fn only_what_has_a_table_is_told() {
        let all = Settings { to_crm: Kind::ALL.iter().copied().collect(), ..Settings::default() };
        assert!(all.tells(Kind::Click) && !all.tells(Kind::Open));
        assert!(!Settings { to_crm: BTreeSet::new(), ..all }.tells(Kind::Click));
    }
}
