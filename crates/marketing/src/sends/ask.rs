//! Asking for a send: the request row `esc_emailsend`, as the button in the CRM makes it, in the name of whoever asks.
//!
//! There is this one way of asking. Whether the one who asks may, whether campaign and lists are fit, and how many people it goes
//! to is for the flow to find out, which reads the row.

use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Crm, Fault, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::request::TABLE;
use super::row::SplitAsk;
use crate::solution::options::Set;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SendRequest {
    /// The request row's id: the same again asks once.
    pub id: Uuid,
    /// The campaign's row, and what it is called.
    pub campaign: Uuid,
    pub name: String,
    /// Marketing lists.
    pub lists: Vec<Uuid>,
    /// Not before.
    pub due: Timestamp,
    /// How many people whoever asks believes in. When it is not said, the flow asks.
    pub expected: Option<u64>,
    pub split: Option<SplitAsk>,
    /// It goes to whoever joins the lists from now on.
    pub new_members: bool,
}

impl SendRequest {
    /// Writes the request: the row by `user`, whose name it then bears; its lists, and only then the status that asks, by
    /// postroom's own user (`own`), who may in every organisation. A try that was cut goes on. False when it was asked for
    /// before.
    ///
    /// # Errors
    /// Those of the CRM; a user who may not make such rows is refused.
    pub async fn request(&self, user: &dyn Crm, own: &dyn Crm) -> Result<bool, Fault> {
        let at = RecordRef::new(TABLE, self.id);
        let by_id =
            Query::of(TABLE).select(&["esc_sendstatus"]).filter(Filter::eq("esc_emailsendid", self.id));
        if let Some(known) = own.query(&by_id).await?.pop()
            && known.int("esc_sendstatus") != status("Draft").as_int()
        {
            return Ok(false);
        }
        one(user, Change::Create(self.row(&at))).await?;
        let lists: Vec<RecordRef> = self.lists.iter().map(|list| RecordRef::new("list", *list)).collect();
        own.associate("esc_emailsend_list", &at, &lists).await?;
        one(own, Change::Update(Record::new(at).with("esc_sendstatus", status("Requested")))).await?;
        Ok(true)
    }

    fn row(&self, at: &RecordRef) -> Record {
        let kind = if self.new_members { "New Member" } else { "Campaign Send" };
        let mut row = Record::new(at.clone())
            .with("esc_name", self.name.chars().take(100).collect::<String>())
            .with("esc_emailcampaignid", Value::lookup("esc_emailcampaign", self.campaign))
            .with("esc_scheduledsenddate", self.due)
            .with("esc_sendtype", option(Set::SendType, kind))
            .with("esc_sendstatus", status("Draft"));
        if let Some(expected) = self.expected {
            row = row.with("esc_expectedcount", i64::try_from(expected).unwrap_or(i64::MAX));
        }
        if let Some(split) = &self.split {
            row = row
                .with("esc_issplittestsend", true)
                .with("esc_splittestmetric", option(Set::SplitMetric, &split.metric))
                .with("esc_splittestpercent", i64::from(split.percent))
                .with("esc_splittesthours", i64::from(split.hours));
        }
        row
    }
}

fn option(set: Set, label: &str) -> Value {
    set.value(label).map_or(Value::Null, Value::from)
}

fn status(label: &str) -> Value {
    option(Set::SendStatus, label)
}

/// One change as a set of its own.
pub(crate) async fn one(crm: &dyn Crm, change: Change) -> Result<(), Fault> {
    let mut answers = crm.apply(vec![ChangeSet { changes: vec![change] }]).await;
    answers.pop().unwrap_or_else(|| Err(Fault::bug("the CRM gave no answer for the set"))).map(drop)
}
