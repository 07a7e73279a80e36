//! The servers as clients that others wrote see them: Python's imaplib and smtplib.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

mod catcher;
mod domino;
mod dotdigital;
mod faults;
mod python;
