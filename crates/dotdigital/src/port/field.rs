//! Data fields, by v2.

use async_trait::async_trait;
use postroom_core::marketing::{DataField, FieldMade, FieldRemoved, FieldValue, Fields, Visibility};
use postroom_core::{Code, Fault};
use serde_json::{Value, json};

use super::Dotdigital;
use crate::ask::Ask;
use crate::client::Trouble;
use crate::wire::{Row, people};

const FIELDS: &str = "/v2/data-fields";

#[async_trait]
impl Fields for Dotdigital {
    async fn fields(&self) -> Result<Vec<DataField>, Fault> {
        self.all(Ask::get(FIELDS, &[]), field).await
    }

    async fn create_field(&self, wanted: &DataField) -> Result<FieldMade, Fault> {
        let ask = Ask::post(FIELDS, &[]).json(&body(wanted)).repeatable();
        match self.try_done(&ask).await {
            Ok(_) => return Ok(FieldMade::Created),
            Err(Trouble::Refused(refusal)) if refusal.already() => {}
            Err(trouble) => return Err(trouble.into()),
        }
        let known = self.fields().await?;
        let known = known.iter().find(|known| known.name.eq_ignore_ascii_case(&wanted.name));
        match known {
            Some(known) if known.kind == wanted.kind => Ok(FieldMade::Existed),
            Some(known) => {
                let text = format!(
                    "the data field {} is there as {}, not as {}: map another one, or delete it in Dotdigital with its values",
                    known.name, known.kind, wanted.kind
                );
                Err(Fault::reject(Code::MARKETING_DUPLICATE, text))
            }
            None => {
                let text = format!("Dotdigital keeps the name {} to itself: choose another", wanted.name);
                Err(Fault::reject(Code::MARKETING_RESERVED, text))
            }
        }
    }

    async fn remove_field(&self, name: &str) -> Result<FieldRemoved, Fault> {
        let ask = Ask::of(http::Method::DELETE, "/v2/data-fields/{}", &[name]).repeatable();
        let answer = self.try_one(&ask, |row| Some(removed(row))).await;
        match answer {
            Ok(removed) => Ok(removed),
            Err(Trouble::Refused(refusal))
                if refusal.code() == Code::MARKETING_FIELD || refusal.missing() =>
            {
                Ok(FieldRemoved::Missing)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// A removal that is refused is a success of HTTP: the body says it.
fn removed(row: &Row<'_>) -> FieldRemoved {
    let uses = row.rows("dependencies");
    match row.flag("result") {
        Some(false) => FieldRemoved::InUse(
            uses.iter().map(|used| format!("{} {}", used.string("type"), used.string("objectId"))).collect(),
        ),
        _ => FieldRemoved::Removed,
    }
}

fn field(row: &Row<'_>) -> Option<DataField> {
    Some(DataField {
        name: row.some_text("name")?,
        kind: row.word("type"),
        visibility: row.word("visibility"),
        default: row
            .get("defaultValue")
            .map(people::field_value)
            .filter(|value| *value != FieldValue::Text(String::new())),
    })
}

fn body(field: &DataField) -> Value {
    let visibility = match &field.visibility {
        Visibility::Other(_) => Visibility::Private,
        known => known.clone(),
    };
    let mut body = json!({
        "name": field.name,
        "type": field.kind.as_str(),
        "visibility": visibility.as_str(),
    });
    if let Some(default) = &field.default {
        body["defaultValue"] = people::v2_value(default);
    }
    body
}
