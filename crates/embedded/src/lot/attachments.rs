//! Attachments that the organisation does not take (see [`Limits`]).
//!
//! A caller is refused. What the port files is not: a mail that came or went is told of without such an attachment, and says
//! so, as it is at other servers; a mail that is still to be sent keeps what its writer gave it.

use std::sync::Arc;

use postroom_core::{Change, ChangeSet, Value};
use postroom_store::{Error, Tx};

use super::{Key, Lot, Phase, Scope, load};
use crate::row::Fields;
use crate::rules::Refusal;
use crate::rules::attachments::{Limits, SETTINGS};
use crate::rules::defaults::{RECEIVED, SENT, size_of};
use crate::schema::{Schema, Table};
use crate::seed;

const ATTACHMENT: &str = "activitymimeattachment";
/// `notifications`: some attachments were not saved.
const ATTACHMENTS_DROPPED: i64 = 1;

/// The organisation's settings, when the sets speak of attachments at all.
pub(super) async fn limits(tx: &mut Tx, schema: &Arc<Schema>, sets: &[ChangeSet]) -> Result<Limits, Error> {
    let attaches = |change: &Change| match change {
        Change::Create(row)
        | Change::CreateNew(row)
        | Change::Update(row)
        | Change::UpdateIf(row, _)
        | Change::Upsert(row) => row.at.table == ATTACHMENT,
        Change::Delete(_) | Change::DeleteIf(..) => false,
    };
    let table = schema.find("organization").map(|place| schema.at(place));
    let Some(table) = table.filter(|_| sets.iter().flat_map(|set| &set.changes).any(attaches)) else {
        return Ok(Limits::default());
    };
    let places: Vec<usize> = SETTINGS.iter().filter_map(|name| table.place(name)).collect();
    let found = load::rows(tx, table, &[seed::ORGANIZATION], &places).await?;
    let [largest, blocked] = SETTINGS;
    let read =
        |(_, fields): &(_, Fields)| Limits::of(fields.int(table, largest), fields.text(table, blocked));
    Ok(found.first().map(read).unwrap_or_default())
}

impl Lot {
    /// Whether a new attachment is left out; refused when it is neither taken nor left out.
    pub(super) fn left_out(
        &mut self,
        scope: &Scope,
        table: &Table,
        fields: &Fields,
    ) -> Result<bool, Refusal> {
        if table.name != ATTACHMENT {
            return Ok(false);
        }
        let Err(refusal) = self.check_file(table, fields) else { return Ok(false) };
        if self.strict {
            return Err(refusal);
        }
        let mail = self.attached_to(table, fields).and_then(|mail| self.key(&mail).ok());
        let Some(mail) = mail.filter(|mail| self.files(scope, *mail)) else { return Ok(false) };
        self.says_so(mail);
        Ok(true)
    }

    /// What a change of an attachment gives it; a caller alone is refused.
    pub(super) fn check_changed_file(&self, table: &Table, given: &Fields) -> Result<(), Refusal> {
        match self.strict && table.name == ATTACHMENT {
            true => self.check_file(table, given),
            false => Ok(()),
        }
    }

    fn check_file(&self, table: &Table, fields: &Fields) -> Result<(), Refusal> {
        let size = fields.named(table, "body").and_then(size_of).unwrap_or(0);
        self.limits.check(fields.text(table, "filename").unwrap_or_default(), size)
    }

    /// Whether the set tells of a mail that came or went. One that is there already was told of before.
    fn files(&self, scope: &Scope, mail: Key) -> bool {
        let made = scope.created.contains(&mail);
        match self.rows.get(&mail) {
            Some(entry) if made && entry.phase == Phase::Fresh => {
                matches!(entry.fields.int(self.schema.at(mail.0), "statuscode"), Some(SENT | RECEIVED))
            }
            _ => made && self.exists(mail),
        }
    }

    fn says_so(&mut self, mail: Key) {
        let fresh = self.rows.get(&mail).is_some_and(|entry| entry.phase == Phase::Fresh);
        if let (true, Some(place)) = (fresh, self.table(mail).place("notifications")) {
            self.touch(mail).fields.set(place, Value::Int(ATTACHMENTS_DROPPED));
        }
    }
}
