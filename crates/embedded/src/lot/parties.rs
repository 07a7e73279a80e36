//! The party rows that the server keeps beside those of a mail: mask 8 for the regarding record, 9 for the owner.

use postroom_core::{RecordRef, Value};
use uuid::Uuid;

use super::{Entry, Key, Lot, Phase};
use crate::row::Fields;
use crate::rules::Refusal;
use crate::schema::Table;

/// `participationtypemask` of the regarding record.
pub(super) const REGARDING: i64 = 8;
/// `participationtypemask` of the owner.
pub(super) const OWNER: i64 = 9;

/// The id of the server's own party row: the same in every run. It begins as the activity's does, so that a mail's rows
/// lie side by side in their index.
pub(super) fn party_id(activity: Uuid, mask: i64) -> Uuid {
    let mut id = *activity.as_bytes();
    id[10..].copy_from_slice(&Uuid::new_v5(&activity, format!("party:{mask}").as_bytes()).as_bytes()[10..]);
    Uuid::from_bytes(id)
}

/// The server's own masks are not for others to write.
pub(super) fn refuse_platform_mask(table: &Table, fields: &Fields) -> Result<(), Refusal> {
    let mask = fields.int(table, "participationtypemask");
    match table.name == "activityparty" && matches!(mask, Some(REGARDING | OWNER)) {
        true => Err(Refusal::Use {
            table: table.name.clone(),
            column: "participationtypemask".into(),
            what: "8 or 9: the server makes the rows of the regarding record and the owner",
        }),
        false => Ok(()),
    }
}

impl Lot {
    /// Brings the two rows in line with their activity.
    pub(super) fn platform_parties(&mut self, activity: Key) {
        let table = self.table(activity);
        let Some(parties) = self.schema.find("activityparty").filter(|_| table.activity) else { return };
        for (mask, column) in [(REGARDING, "regardingobjectid"), (OWNER, "ownerid")] {
            let entry = &self.rows[&activity];
            let wanted = entry.fields.lookup(&table, column).cloned();
            let key = (parties, party_id(activity.1, mask));
            match wanted {
                Some(party) => {
                    self.point_party(key, RecordRef::new(table.name.clone(), activity.1), mask, party)
                }
                None if self.exists(key) => self.remove(key),
                None => {}
            }
        }
    }

    fn point_party(&mut self, key: Key, activity: RecordRef, mask: i64, party: RecordRef) {
        let table = self.table(key);
        let place = |column: &str| table.place(column).expect("the standard table activityparty has it");
        if self.exists(key) {
            let same = self.rows.get(&key).and_then(|entry| entry.fields.get(place("partyid")))
                == Some(&Value::Lookup(party.clone()));
            if !same {
                self.set(key, place("partyid"), Value::Lookup(party));
            }
            return;
        }
        let stored = self.rows.get(&key).is_some_and(|entry| entry.stored);
        let mut fields = Fields::default();
        fields.set(place("activityid"), Value::Lookup(activity));
        fields.set(place("partyid"), Value::Lookup(party));
        fields.set(place("participationtypemask"), Value::Int(mask));
        fields.set(place("instancetypecode"), Value::Int(0));
        fields.set(place("ispartydeleted"), Value::Bool(false));
        self.put(key, Entry { stored, phase: Phase::Fresh, fields, dirty: Vec::new() });
    }
}
