//! The port to a marketing service: the people it may mail, its lists, campaigns and sends, and what people did.
//!
//! # Design
//!
//! * **In the field's words, in no API's.** A *list* is what the service may call an address book. The make knows which API
//!   answers a question; what it cannot is a [`Capabilities`] read when it is connected.
//! * **Rooms.** [`Marketing`] is the sum of small traits, so that a rule is given only what it needs: [`Accounts`],
//!   [`Contacts`], [`Lists`], [`Fields`], [`Suppressions`], [`Campaigns`], [`Behaviour`], [`Sends`], [`Programs`], [`Forms`],
//!   [`Preferences`], [`Scores`]. Words stand in the file of their trait.
//! * **Lots.** Reads come in pages ([`Ask`], [`Page`]), writes of people as imports ([`ImportOrder`]).
//! * **A row may come twice.** Services page by offset while rows come and go. A make reads with an overlap; the reader
//!   knows rows by their key. What was there before the first page and is still there after the last one does come.
//! * **Unknown words are kept.** An enumeration's value that this version does not know is `Other(text)`, never an error.
//!
//! # Repeats and unknown outcomes
//!
//! Each method says what a repeat does. Three kinds exist:
//!
//! * *Reads*, and writes that say a state (rename, remove, unsubscribe, set preferences): repeating does no harm. The make
//!   repeats them itself; a [`Fault`] of theirs is `Retry`, never `Unknown`.
//! * *Writes that make something of the same name* (lists, fields, identifiers): a lost answer is `Unknown`; looking for the
//!   name tells, and the method's text says how.
//! * *Sends, enrolments, challenges*: they reach people. They are made at most once for each call; a lost answer is
//!   `Unknown`, and the look-up ([`Sends::traces`], [`Programs::enrolments`]) is evidence for a person, not a permission to
//!   repeat.
//!
//! The behaviour behind a make is Dotdigital's (developer.dotdigital.com, v2 and v3); the words fit others of its kind.

mod account;
mod behaviour;
mod campaign;
mod contact;
mod field;
mod form;
mod import;
mod list;
mod page;
mod preference;
mod program;
mod score;
mod send;
mod suppression;
mod word;

pub use account::{Account, Accounts, Capabilities, Feature};
pub use behaviour::{
    Behaviour, Click, Open, PageView, Recipient, Reply, ReplyType, RoiDetail, RoiType, SocialView,
};
pub use campaign::{
    Campaign, CampaignAsk, CampaignDraft, CampaignStatus, CampaignType, Campaigns, Content, ReplyAction,
    Summary,
};
pub use contact::{
    Channel, Consent, Contact, ContactAsk, ContactRow, Contacts, Deletion, EmailType, Include,
    ListMembership, ListStatus, Names, OptIn, Patched, Person, Scope, Status,
};
pub use field::{DataField, FieldMade, FieldRemoved, FieldType, FieldValue, Fields, Visibility};
pub use form::{Answer, Choice, Form, FormField, FormPage, FormState, Forms, Response};
pub use import::{
    FaultClass, Import, ImportCounts, ImportFault, ImportOrder, ImportReport, ImportStatus, Merge, Parcel,
    Polling, Settled, Started,
};
pub use list::{List, Lists, MembersAsk, Segment};
pub use page::{
    Ask, CampaignId, ContactId, DeletionId, EnrolmentId, FormId, ImportId, ListId, Page, PreferenceId,
    ProgramId, SegmentId, SendId,
};
pub use preference::{OptInChange, Preference, PreferenceNode, Preferences};
pub use program::{Enrolment, EnrolmentFault, EnrolmentStatus, Program, ProgramStatus, Programs};
pub use score::{Score, Scores};
pub use send::{
    Audience, FromAddress, Personal, SendOrder, SendStatus, SendTime, Sends, Sent, SingleContent, SingleSend,
    Split, SplitMetric, Traces,
};
pub use suppression::{Challenge, Resubscribe, Resubscribed, Suppressed, Suppression, Suppressions};

/// A marketing service's account, whole.
pub trait Marketing:
    Accounts
    + Contacts
    + Lists
    + Fields
    + Suppressions
    + Campaigns
    + Behaviour
    + Sends
    + Programs
    + Forms
    + Preferences
    + Scores
{
}

impl<T> Marketing for T where
    T: Accounts
        + Contacts
        + Lists
        + Fields
        + Suppressions
        + Campaigns
        + Behaviour
        + Sends
        + Programs
        + Forms
        + Preferences
        + Scores
{
}

#[cfg(doc)]
use crate::Fault;
