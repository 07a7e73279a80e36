//! Sends of campaigns that somebody asked for in the CRM (design.md P6; marketing-sync.md 7).
//!
//! [`state`] is the life of one send, as a machine without effects: what runs it stores each state before it acts on it.
//! [`audience`] decides who is mailed and counts who is not, and why; the same code makes the preview and the send.

pub mod audience;
pub mod state;
