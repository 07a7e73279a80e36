//! What the server puts into a row by itself: presets, owner, state, organisation, audit columns, and what follows from
//! other columns (full names, numbers, ends of activities).

use jiff::Timestamp;
use postroom_core::{Content, RecordRef, Value};
use uuid::Uuid;

use crate::row::Fields;
use crate::schema::overlay::{AUTO_NUMBERS, type_code};
use crate::schema::{Ownership, Preset, Table};
use crate::seed;

/// What a row refers to, as far as rules need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    pub state: Option<i64>,
    /// The business unit of a user or team.
    pub unit: Option<Uuid>,
    /// The main address of a person or queue.
    pub address: Option<String>,
    /// The primary name.
    pub name: Option<String>,
}

/// The column with a party's main address.
pub(crate) fn main_address(table: &str) -> Option<&'static str> {
    match table {
        "account" | "contact" | "lead" => Some("emailaddress1"),
        "systemuser" => Some("internalemailaddress"),
        "queue" => Some("emailaddress"),
        _ => None,
    }
}

/// A row on its way: what it holds and what is known around it.
pub(crate) struct Draft<'a, F: Fn(&RecordRef) -> Option<Facts>> {
    pub table: &'a Table,
    pub id: Uuid,
    pub fields: &'a mut Fields,
    pub now: Timestamp,
    pub acting: Uuid,
    /// Looks up a row that this one refers to.
    pub facts: F,
}

impl<F: Fn(&RecordRef) -> Option<Facts>> Draft<'_, F> {
    /// Fills a new row.
    pub(crate) fn fill(&mut self) {
        self.ownership();
        self.audit();
        self.organisation();
        self.own_rules();
        self.presets();
        self.full_name();
        self.completed(true);
    }

    /// Sets a column that exists and is empty.
    fn offer(&mut self, column: &str, value: impl Into<Value>) {
        if let Some(place) = self.table.place(column).filter(|place| self.fields.get(*place).is_none()) {
            self.fields.set(place, value.into());
        }
    }

    fn put(&mut self, column: &str, value: impl Into<Value>) {
        if let Some(place) = self.table.place(column) {
            self.fields.set(place, value.into());
        }
    }

    fn presets(&mut self) {
        for place in self.table.presets() {
            if self.fields.get(*place).is_none() {
                let value =
                    match self.table.columns[*place].preset.as_ref().expect("listed because it has one") {
                        Preset::Boolean(value) => Value::Bool(*value),
                        Preset::Number(number) => Value::Int(*number),
                        Preset::Text(text) => Value::Text(text.clone()),
                    };
                self.fields.set(*place, value);
            }
        }
    }

    fn ownership(&mut self) {
        if self.table.ownership == Ownership::User {
            self.offer("ownerid", Value::lookup("systemuser", self.acting));
            self.owner_changed();
        }
    }

    /// The columns that follow from `ownerid`.
    pub(crate) fn owner_changed(&mut self) {
        let Some(owner) = self.fields.lookup(self.table, "ownerid").cloned() else { return };
        let unit = (self.facts)(&owner).and_then(|facts| facts.unit).unwrap_or(seed::BUSINESS_UNIT);
        let is_team = owner.table == "team";
        let of = |wanted: bool| if wanted { Value::Lookup(owner.clone()) } else { Value::Null };
        self.put("owninguser", of(!is_team));
        self.put("owningteam", of(is_team));
        self.put("owningbusinessunit", Value::lookup("businessunit", unit));
    }

    fn audit(&mut self) {
        let user = Value::lookup("systemuser", self.acting);
        let overridden = self.fields.named(self.table, "overriddencreatedon").cloned();
        self.put("createdby", user.clone());
        self.put("createdon", overridden.unwrap_or(Value::Time(self.now)));
        self.put("modifiedby", user);
        self.put("modifiedon", self.now);
    }

    fn organisation(&mut self) {
        if self.table.name != "organization" {
            self.offer("organizationid", Value::lookup("organization", seed::ORGANIZATION));
        }
        if self.table.name != "businessunit" {
            self.offer("businessunitid", Value::lookup("businessunit", seed::BUSINESS_UNIT));
        } else if self.id != seed::BUSINESS_UNIT {
            self.offer("parentbusinessunitid", Value::lookup("businessunit", seed::BUSINESS_UNIT));
        }
        if self.table.has_money() && self.table.name != "transactioncurrency" {
            self.offer("transactioncurrencyid", Value::lookup("transactioncurrency", seed::CURRENCY));
        }
    }

    /// What single tables do by themselves.
    fn own_rules(&mut self) {
        if self.table.activity {
            self.offer("activitytypecode", self.table.name.as_str());
        }
        if let Some((_, column, prefix)) = AUTO_NUMBERS.iter().find(|(table, ..)| *table == self.table.name) {
            self.offer(column, auto_number(prefix, self.id));
        }
        match self.table.name.as_str() {
            "activityparty" => self.party(),
            "activitymimeattachment" => self.attachment(),
            "attachment" => self.file_size(),
            "queueitem" => self.queue_item(),
            "listmember" => {
                let code = self.fields.lookup(self.table, "entityid").and_then(|at| type_code(&at.table));
                self.offer("entitytype", code);
            }
            "list" => {
                let code = self.fields.int(self.table, "createdfromcode");
                self.offer("membertype", code);
            }
            "team" => self.offer("administratorid", Value::lookup("systemuser", self.acting)),
            "systemuser" => {
                // A user's sign-in name is his address unless an administrator says otherwise.
                let address = self.fields.text(self.table, "internalemailaddress").map(str::to_owned);
                self.offer("domainname", address);
            }
            _ => {}
        }
    }

    fn party(&mut self) {
        let party = self.fields.lookup(self.table, "partyid").cloned();
        let address = party.and_then(|at| (self.facts)(&at)).and_then(|facts| facts.address);
        self.offer("addressused", address);
    }

    fn attachment(&mut self) {
        if let Some(owner) = self.fields.lookup(self.table, "objectid").cloned() {
            self.offer("objecttypecode", owner.table.as_str());
            if owner.table != "template" {
                self.offer("activityid", owner);
            }
        } else if let Some(activity) = self.fields.lookup(self.table, "activityid").cloned() {
            self.offer("objecttypecode", activity.table.as_str());
            self.offer("objectid", activity);
        }
        self.file_size();
    }

    pub(crate) fn file_size(&mut self) {
        let size = self.fields.named(self.table, "body").and_then(size_of);
        self.put("filesize", size);
    }

    fn queue_item(&mut self) {
        self.offer("enteredon", self.now);
        let Some(object) = self.fields.lookup(self.table, "objectid").cloned() else { return };
        self.offer("objecttypecode", type_code(&object.table));
        let name = (self.facts)(&object).and_then(|facts| facts.name);
        let title = name.map(|name| name.chars().take(250).collect::<String>());
        self.offer("title", title);
    }

    /// `First Last`, what the organisation's default convention says.
    pub(crate) fn full_name(&mut self) {
        if !["contact", "lead", "systemuser"].contains(&self.table.name.as_str()) {
            return;
        }
        let part = |column: &str| self.fields.text(self.table, column).unwrap_or("");
        let name = [part("firstname"), part("lastname")].join(" ").trim().to_owned();
        let name = if name.is_empty() { Value::Null } else { Value::Text(name) };
        self.put("fullname", name);
    }

    /// An activity that is completed has an end; an outgoing mail that is sent, and one that was received, has a date.
    /// `entered` is true when the row was not in this state and status before.
    pub(crate) fn completed(&mut self, entered: bool) {
        if !self.table.activity || !entered || self.fields.int(self.table, "statecode") != Some(COMPLETED) {
            return;
        }
        self.offer("actualend", self.now);
        let dated = matches!(self.fields.int(self.table, "statuscode"), Some(SENT | RECEIVED));
        if self.table.name == "email" && dated {
            let end = self.fields.named(self.table, "actualend").cloned();
            self.offer("senton", end.unwrap_or(Value::Null));
        }
    }

    /// The columns of every change.
    pub(crate) fn modified(&mut self) {
        self.put("modifiedby", Value::lookup("systemuser", self.acting));
        self.put("modifiedon", self.now);
    }
}

/// `statecode` of an activity that is done.
pub(crate) const COMPLETED: i64 = 1;
/// `statecode` of an activity that was called off.
pub(crate) const CANCELED: i64 = 2;
pub(crate) const SENT: i64 = 3;
pub(crate) const RECEIVED: i64 = 4;

/// The bytes of a file.
pub(crate) fn size_of(value: &Value) -> Option<i64> {
    match value {
        Value::Content(Content::Bytes(bytes)) => Some(bytes.len() as i64),
        Value::Content(Content::MailPart { size, .. } | Content::Stored { size, .. }) => {
            i64::try_from(*size).ok()
        }
        _ => None,
    }
}

/// `CAS-01234-A1B2C3`, made of the row's id: a repeat of the same create gives the same number.
fn auto_number(prefix: &str, id: Uuid) -> String {
    let digest = Uuid::new_v5(&id, prefix.as_bytes()).as_u128();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
    let letter = |place: u32| char::from(letters[(digest >> (32 + place * 8)) as usize % letters.len()]);
    format!("{prefix}-{:05}-{}", digest as u32 % 100_000, (0..6).map(letter).collect::<String>())
}
