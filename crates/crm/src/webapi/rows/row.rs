//! One row: its members by name, in whatever order they stand.

use std::borrow::Cow;
use std::fmt;

use postroom_core::Value;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Place, Row, Shape};

/// What readers of one page's rows share.
pub(super) struct Scratch {
    values: Vec<Option<Value>>,
    /// For each property: the one that came behind it. The last entry is for the beginning of a row.
    behind: Vec<usize>,
    /// The property that came last in this row.
    last: usize,
}

impl Scratch {
    pub(super) fn of(shape: &Shape) -> Self {
        let last = shape.properties.len();
        Scratch { values: vec![None; shape.names.len()], behind: vec![0; last + 1], last }
    }
}

pub(super) struct RowSeed<'s, 'r>(pub &'s Shape, pub &'r mut Scratch);

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Row, A::Error> {
        let RowSeed(shape, scratch) = self;
        scratch.last = shape.properties.len();
        let mut tables: Vec<(usize, String)> = Vec::new();
        let (mut id, mut gone, mut deleted) = (None, None, false);
        while let Some(place) = members.next_key_seed(NameSeed(shape, &mut *scratch))? {
            match place {
                Some(Place::Column(place, form)) => {
                    scratch.values[*place] = Some(members.next_value_seed(form)?);
                }
                Some(Place::TableOf(place)) => {
                    if let Some(table) = members.next_value()? {
                        tables.push((*place, table));
                    }
                }
                Some(Place::Key) => {
                    let key: Option<Uuid> = members.next_value()?;
                    id = key;
                    if let Some(place) = shape.key_place {
                        scratch.values[place] = key.map(Value::Guid);
                    }
                }
                Some(Place::Reason) => deleted = members.next_value::<Cow<'de, str>>()? == "deleted",
                Some(Place::Gone) => {
                    gone = members.next_value::<&RawValue>()?.get().trim_matches('"').parse().ok();
                }
                Some(Place::Other) | None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        if let (true, Some(gone)) = (deleted, gone) {
            scratch.values.fill(None);
            return Ok(Row::Gone(gone));
        }
        for (place, table) in tables {
            if let Some(Value::Lookup(to)) = &mut scratch.values[place] {
                to.table = table;
            }
        }
        Ok(Row::There(shape.record(id, &mut scratch.values)))
    }
}

/// The name of a property: what stands under it.
struct NameSeed<'s, 'r>(&'s Shape, &'r mut Scratch);

impl<'de, 's> DeserializeSeed<'de> for NameSeed<'s, '_> {
    type Value = Option<&'s Place>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'s> Visitor<'_> for NameSeed<'s, '_> {
    type Value = Option<&'s Place>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a property")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let NameSeed(shape, scratch) = self;
        let guess = scratch.behind[scratch.last];
        let at = match shape.properties.get(guess) {
            Some((known, _)) if known == name => Some(guess),
            _ => shape.known.get(name).copied(),
        };
        Ok(at.map(|at| {
            scratch.behind[scratch.last] = at;
            scratch.last = at;
            &shape.properties[at].1
        }))
    }
}
