//! Who really sent a mail: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989, tree walk) and ARC (RFC 8617), evaluated
//! where mail arrives by SMTP; and DKIM signing of what leaves. The evaluation is `mail-auth`'s; here is what its results
//! mean to postroom, and its DNS.
//!
//! | module | holds |
//! | --- | --- |
//! | `evaluate` | one mail to [`Verdicts`], in bounded time |
//! | `verdicts` | what was found, and the one word that the rules read |
//! | [`dns`] | the questions asked, as a trait; the system's resolver and a zone in a text |
//! | [`dkim`] | signing |
//!
//! Not here: `Authentication-Results` written by the mail server in front of us (`postroom_formats`), which is believed
//! where mail does not arrive by SMTP; and what follows from a verdict (`postroom-tracking`).

pub mod dkim;
pub mod dns;
mod evaluate;
mod verdicts;

pub use evaluate::{Evaluator, Network, NotANetwork, Options, Peer, StartError};
pub use verdicts::{Outcome, Policy, Verdicts};
