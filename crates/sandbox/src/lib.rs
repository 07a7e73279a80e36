//! Servers that keep their state in memory and behave, for good and ill, as those that postroom meets: for the demo and
//! for tests.
//!
//! * [`domino`]: the IMAP side of a Domino server.
//! * [`catcher`]: an SMTP server that keeps what it gets.
//! * [`dotdigital`]: the marketing service, with people who act.
//! * [`identity`]: an identity provider like Microsoft's and AD FS, and a Windows sign-in in front of any handler.
//!
//! They listen on loopback only, on a port from the kernel, each on a thread of its own, and end with their value. They
//! are no models of secure or quick servers: no TLS, no disk, no limits but those that a test asks for.

pub mod catcher;
pub mod domino;
pub mod dotdigital;
pub mod identity;
mod line;
mod thread;
