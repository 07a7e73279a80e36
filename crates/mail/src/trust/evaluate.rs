//! One mail to its [`Verdicts`], in bounded time: what takes longer, or asks for too much, is not known.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::net::NetError;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput,
    SpfResult, dmarc,
};
use tokio::time::timeout;

use super::dns::{Bridge, Dns};
use super::{Outcome, Policy, Verdicts};

/// Signatures and seals in one mail. Each may name another part of the body to be hashed, so many of them are an attack.
const MAX_SIGNATURES: usize = 20;

/// Addresses whose mail is not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network: write 192.0.2.0/24, 2001:db8::/32, or one address")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let bad = || NotANetwork(text.to_owned());
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| bad()))?;
        if bits > all { Err(bad()) } else { Ok(Network { address, bits }) }
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |all: u32, ours: u128, theirs: u128| {
            let host = all - u32::from(self.bits);
            ours.checked_shr(host).unwrap_or(0) == theirs.checked_shr(host).unwrap_or(0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(32, u32::from(ours).into(), u32::from(theirs).into())
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(128, ours.into(), theirs.into()),
            _ => false,
        }
    }
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our name, for SPF's `%{r}` macro.
    pub host: String,
    /// Our own mail servers: what they hand us was sent by others, so their address proves nothing.
    pub trusted: Vec<Network>,
    /// Domains whose ARC seals we believe: mailing lists and forwarders we know.
    pub sealers: Vec<String>,
    /// For one mail, DNS and all. The client waits so long for its answer.
    pub limit: Duration,
}

impl Options {
    pub fn new(host: impl Into<String>) -> Self {
        Options { host: host.into(), trusted: Vec::new(), sealers: Vec::new(), limit: Duration::from_secs(5) }
    }
}

/// Why evaluation cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "no port on 127.0.0.1 is free for the name server inside: check the limits on open files and ports"
    )]
    Bridge(#[source] io::Error),
    #[error("the DNS client cannot start")]
    Resolver(#[source] NetError),
}

/// Who hands a mail over, as the SMTP session knows.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    pub address: IpAddr,
    /// What it called itself.
    pub hello: &'a str,
    /// The reverse-path; empty for a report.
    pub from: &'a str,
}

/// Evaluates mails. Shared by all listeners; holds what DNS said.
pub struct Evaluator {
    authenticator: MessageAuthenticator,
    options: Options,
    _bridge: Bridge,
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Evaluator {
    /// Needs a running tokio.
    pub async fn start(dns: Arc<dyn Dns>, options: Options) -> Result<Self, StartError> {
        let bridge = Bridge::start(dns).await.map_err(StartError::Bridge)?;
        let authenticator = MessageAuthenticator(bridge.resolver().map_err(StartError::Resolver)?);
        Ok(Evaluator { authenticator, options, _bridge: bridge })
    }

    /// Never fails: what cannot be found out is not known.
    pub async fn evaluate(&self, peer: Peer<'_>, mail: &[u8]) -> Verdicts {
        let address = peer.address.to_canonical();
        if address.is_loopback() || self.options.trusted.iter().any(|network| network.contains(address)) {
            return Verdicts::skipped("a server of our own handed it over");
        }
        if signatures(mail) > MAX_SIGNATURES {
            return Verdicts::skipped("too many signatures");
        }
        let Some(message) = AuthenticatedMessage::parse(mail) else {
            return Verdicts::skipped("the header cannot be read");
        };
        match timeout(self.options.limit, Box::pin(self.judge(Peer { address, ..peer }, &message))).await {
            Ok(verdicts) => verdicts,
            Err(_) => Verdicts::skipped("DNS did not answer in time"),
        }
    }

    async fn judge(&self, peer: Peer<'_>, message: &AuthenticatedMessage<'_>) -> Verdicts {
        let authenticator = &self.authenticator;
        let (spf, dkim, arc) = tokio::join!(
            Box::pin(self.spf(peer)),
            Box::pin(authenticator.verify_dkim(message)),
            Box::pin(authenticator.verify_arc(message)),
        );
        let mail_from = peer.from.rsplit_once('@').map_or(peer.hello, |(_, domain)| domain);
        let asked = DmarcParameters {
            message,
            dkim_output: &dkim,
            dkim2_output: None,
            rfc5321_mail_from_domain: mail_from,
            spf_output: &spf,
        };
        let dmarc = Box::pin(authenticator.verify_dmarc(asked)).await;
        let from_domain = only_domain(&message.from);
        let aligned = from_domain.as_deref().is_some_and(|from| {
            let signed = dkim.iter().filter(|output| *output.result() == DkimResult::Pass);
            let mut domains =
                signed.filter_map(|output| output.signature()).map(|signature| signature.d.as_str());
            domains.any(|domain| belongs(from, domain))
                || (spf.result() == SpfResult::Pass && belongs(from, mail_from))
        });
        let passed = dmarc.result();
        Verdicts {
            spf: of_spf(&spf),
            dkim: best(&dkim),
            arc: of_dkim(arc.result()),
            policy: match dmarc.policy() {
                dmarc::Policy::Reject => Policy::Reject,
                dmarc::Policy::Quarantine => Policy::Quarantine,
                dmarc::Policy::None | dmarc::Policy::Unspecified => Policy::None,
            },
            // With a record, DMARC's own rules of alignment hold, which know the organisation.
            aligned: if passed == DmarcResult::None { aligned } else { passed == DmarcResult::Pass },
            dmarc: of_dmarc(&passed),
            sealed: self.is_sealed(&arc),
            from_domain,
            skipped: None,
        }
    }

    /// The reverse-path's domain; a report has none, and the name in EHLO stands for it (RFC 7208 2.4).
    async fn spf(&self, peer: Peer<'_>) -> SpfOutput {
        let host = self.options.host.as_str();
        let asked = match peer.from.is_empty() {
            true => SpfParameters::verify_ehlo(peer.address, peer.hello, host),
            false => SpfParameters::verify_mail_from(peer.address, peer.hello, host, peer.from),
        };
        self.authenticator.verify_spf(asked).await
    }

    fn is_sealed(&self, arc: &ArcOutput<'_>) -> bool {
        *arc.result() == DkimResult::Pass
            && arc.sets().last().is_some_and(|set| {
                self.options.sealers.iter().any(|sealer| set.seal.header.d.eq_ignore_ascii_case(sealer))
            })
    }
}

/// How many signatures and seals the header has.
fn signatures(mail: &[u8]) -> usize {
    const NAMES: [&[u8]; 4] = [b"dkim-signature", b"arc-seal", b"arc-message-signature", b"dkim2-signature"];
    let mut count = 0;
    for line in mail.split(|&byte| byte == b'\n') {
        if line.is_empty() || line == b"\r" {
            break;
        }
        let is = |name: &&[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        count += usize::from(NAMES.iter().any(is));
    }
    count
}

/// The domain of all addresses in From, in A-labels.
fn only_domain(from: &[String]) -> Option<String> {
    let mut domains = from.iter().map(|address| {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain)?;
        idna::domain_to_ascii(domain).ok().filter(|domain| !domain.is_empty())
    });
    let first = domains.next()??;
    domains.all(|domain| domain.as_ref() == Some(&first)).then_some(first)
}

/// Whether one domain vouches for the other where no DMARC record says who belongs together: they are the same, or one
/// lies below the other. A top-level domain vouches for nobody.
fn belongs(from: &str, proven: &str) -> bool {
    let Ok(proven) = idna::domain_to_ascii(proven) else { return false };
    let below = |child: &str, parent: &str| {
        parent.contains('.') && child.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
    };
    from == proven || below(from, &proven) || below(&proven, from)
}

fn of_spf(spf: &SpfOutput) -> Outcome {
    match spf.result() {
        SpfResult::Pass => Outcome::Pass,
        SpfResult::Fail | SpfResult::SoftFail => Outcome::Fail,
        SpfResult::Neutral => Outcome::Neutral,
        SpfResult::TempError => Outcome::TempError,
        SpfResult::PermError => Outcome::PermError,
        SpfResult::None => Outcome::None,
    }
}

fn of_dkim(result: &DkimResult) -> Outcome {
    match result {
        DkimResult::Pass => Outcome::Pass,
        DkimResult::Fail(_) => Outcome::Fail,
        DkimResult::Neutral(_) => Outcome::Neutral,
        DkimResult::TempError(_) => Outcome::TempError,
        DkimResult::PermError(_) => Outcome::PermError,
        DkimResult::None => Outcome::None,
    }
}

fn of_dmarc(result: &DmarcResult) -> Outcome {
    match result {
        DmarcResult::Pass => Outcome::Pass,
        DmarcResult::Fail(_) => Outcome::Fail,
        DmarcResult::TempError(_) => Outcome::TempError,
        DmarcResult::PermError(_) => Outcome::PermError,
        DmarcResult::None => Outcome::None,
    }
}

/// One signature that holds is enough; else trouble, which may pass, counts before what will not.
fn best(all: &[DkimOutput<'_>]) -> Outcome {
    let outcomes: Vec<Outcome> = all.iter().map(|output| of_dkim(output.result())).collect();
    let order = [Outcome::Pass, Outcome::TempError, Outcome::Fail, Outcome::Neutral, Outcome::PermError];
    order.into_iter().find(|outcome| outcomes.contains(outcome)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let inside = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(inside("192.0.2.0/24", "192.0.2.255") && !inside("192.0.2.0/24", "192.0.3.0"));
        assert!(inside("192.0.2.7", "192.0.2.7") && !inside("192.0.2.7", "192.0.2.8"));
        assert!(inside("0.0.0.0/0", "203.0.113.1") && !inside("0.0.0.0/0", "2001:db8::1"));
        assert!(inside("::/0", "2001:db8::1") && inside("2001:db8::/32", "2001:db8:1::"));
        assert!(inside("192.0.2.0/24", "::ffff:192.0.2.1"));
        for bad in ["", "192.0.2.0/33", "x/8", "192.0.2.0/", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn domains_that_vouch_for_each_other() {
        assert!(belongs("acme.example", "acme.example") && belongs("acme.example", "ACME.example"));
        assert!(
            belongs("acme.example", "bounce.acme.example") && belongs("sales.acme.example", "acme.example")
        );
        assert!(!belongs("acme.example", "badacme.example") && !belongs("acme.example", "example"));
        assert!(!belongs("acme.example", "other.example") && !belongs("acme.example", ""));
        assert!(belongs("xn--mnchen-3ya.example", "m\u{fc}nchen.example"));
    }

    #[test]
    fn one_domain_in_from() {
        let domain =
            |from: &[&str]| only_domain(&from.iter().map(|&from| from.to_owned()).collect::<Vec<_>>());
        assert_eq!(domain(&["a@x.example", "b@X.example"]).as_deref(), Some("x.example"));
        assert_eq!(domain(&["a@x.example", "b@y.example"]), None);
        assert_eq!(domain(&["a@x.example", "b"]), None);
        assert_eq!(domain(&[]), None);
    }

    #[test]
    fn signatures_are_counted_in_the_header() {
        assert_eq!(signatures(b"DKIM-Signature: a\r\n b\r\nARC-Seal: c\r\n\r\nDKIM-Signature: d\r\n"), 2);
    }
}
