//! The rules of the mail half: what a mail is, what it names, and where it belongs.
//!
//! # Design
//!
//! * **In**: [`intake::Intake`] is the make of the `Inbox` port. One unit stores the bytes, the `message` row (unique by
//!   [`identity`]), its references, the sighting and the job to file it; then the door may say 250.
//! * **Filing** ([`filing`]) is that job: read, gather, decide, write to the CRM, record, a lot at a time.
//! * **The decision** ([`filing::decide`]) is a pure function of the signals and [`rules::Rules`]; it is stored with its
//!   evidence and never changed. A person's word ([`filing::place`]) is one more decision, and it stands.
//! * **Out** ([`sending`]): mail that the CRM wants sent, from *Pending Send* to an answer for every recipient.
//! * **Stamping** ([`stamping`]): the subject that a mail should carry that a user is sending.
//! * **Watching** ([`watching`]): the books of the mailboxes that are watched.
//! * **Privacy** ([`privacy`]): bodies that age out, and what a person asked to be erased.
//! * **Identity, token, class** ([`identity`], [`token`], [`classify`]) are pure functions of a parsed mail.
//! * **Review** ([`proposals`]): where a mail that cannot be placed may belong. **Writing** ([`writing`]): a mail that a person
//!   writes on our pages, as an activity.
//! * Tables: [`schema`]. Reading them: [`messages`]. Whether they balance: [`verify`]. What would be decided: [`why`].
//!
//! What is absent: no adapter, no socket, no SQL of a CRM. The CRM is the `Crm` port; writing to it is a commit of its own,
//! made repeatable by ids derived from what a row stands for.

pub mod classify;
pub mod display;
mod events;
pub mod filing;
pub mod gather_text;
pub mod identity;
pub mod intake;
mod journal;
pub mod messages;
pub mod prefix;
pub mod privacy;
pub mod proposals;
pub mod rules;
pub mod schema;
pub mod sending;
pub mod settings;
pub mod stamping;
pub mod thread_index;
pub mod token;
pub mod verify;
pub mod watching;
pub mod why;
pub mod writing;

pub use schema::MIGRATIONS;
