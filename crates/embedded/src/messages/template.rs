//! E-mail templates: InstantiateTemplate and what SendEmailFromTemplate fills in.
//!
//! A template's subject and text hold slugs: `{!contact:firstname;Customer}` is the column of the row, else the text behind
//! the last semicolon. `{!user:…}` is the caller. The stylesheets that the platform's own editor stores are not run: such a
//! template is refused.

use postroom_core::{Content, Crm, Record, RecordRef, Value};

use super::ask::{Ask, table};
use super::{Parameter, Prepared, codes, refuse};
use crate::failure::Failure;

/// A template with its slugs filled.
pub(super) struct Filled {
    pub subject: String,
    pub body: String,
}

pub(super) async fn instantiate(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let template = ask.needed("TemplateId", Some("template"))?;
    let kind = ask.text("ObjectType")?.map(str::to_owned);
    ask.need("ObjectType")?;
    let object = ask.needed("ObjectId", kind.as_deref())?;
    let text = filled(ask, &template, &object).await?;
    let email = Record::new(RecordRef::new("email", uuid::Uuid::nil()))
        .with("subject", text.subject)
        .with("description", text.body);
    Ok(Prepared::answer(vec![("EntityCollection", Parameter::Entities(vec![email]))]))
}

pub(super) async fn filled(
    ask: &Ask<'_>,
    template: &RecordRef,
    object: &RecordRef,
) -> Result<Filled, Failure> {
    let row = ask.row(template, &["subject", "body"]).await?;
    let (subject, body) = (text(ask, row.get("subject")).await?, text(ask, row.get("body")).await?);
    if [&subject, &body].iter().any(|text| text.contains("<xsl:")) {
        let text = "The template is a stylesheet, which is not run here; write its text with slugs such as \
                    {!contact:firstname;Customer}.";
        return Err(refuse(codes::NOT_SUPPORTED, text));
    }
    let mut names: Vec<(String, String)> = slugs(&subject);
    names.extend(slugs(&body));
    let own = columns(&names, &object.table);
    let user = columns(&names, "user");
    let object_row = known(ask, object, &own).await?;
    let user_row = known(ask, &RecordRef::new("systemuser", ask.session.user()), &user).await?;
    let value = |table: &str, column: &str| -> Option<String> {
        let row = match table {
            "user" | "systemuser" => &user_row,
            table if table == object.table => &object_row,
            _ => return None,
        };
        row.get(column).and_then(shown)
    };
    Ok(Filled { subject: fill(&subject, &value, str::to_owned), body: fill(&body, &value, escaped) })
}

async fn text(ask: &Ask<'_>, value: Option<&Value>) -> Result<String, Failure> {
    match value {
        Some(Value::Content(content)) => read(ask, content).await,
        Some(Value::Text(text)) => Ok(text.clone()),
        _ => Ok(String::new()),
    }
}

async fn read(ask: &Ask<'_>, content: &Content) -> Result<String, Failure> {
    let bytes = Crm::read(ask.session.crm(), content).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn columns(names: &[(String, String)], table: &str) -> Vec<String> {
    let same = |name: &str| name == table || table == "user" && name == "systemuser";
    names.iter().filter(|(name, _)| same(name)).map(|(_, column)| column.clone()).collect()
}

/// The row with those of the columns that its table has.
async fn known(ask: &Ask<'_>, at: &RecordRef, columns: &[String]) -> Result<Record, Failure> {
    let table = table(ask.session, &at.table).await?;
    let real: Vec<&str> =
        columns.iter().map(String::as_str).filter(|name| table.column(name).is_some()).collect();
    ask.row(at, &real).await
}

fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::Content(_) => return None,
        Value::Text(text) | Value::Decimal(text) => text.clone(),
        Value::Bool(value) => (if *value { "Yes" } else { "No" }).to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Guid(id) => id.to_string(),
        Value::Time(time) => time.strftime("%Y-%m-%d").to_string(),
        Value::Lookup(at) => at.id.to_string(),
    })
}

/// A slug's inside and what stands behind its closing brace.
fn slug(text: &str) -> Option<(&str, &str)> {
    let (inner, rest) = text.split_once('}')?;
    (inner.len() <= 500).then_some((inner, rest))
}

/// The columns that slugs name: table and column in lower case.
fn slugs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in text.split("{!").skip(1) {
        let Some((inner, _)) = slug(part) else { continue };
        let names = inner.split(';').filter_map(|name| name.split_once(':'));
        found.extend(names.map(|(table, column)| (lower(table), lower(column))));
    }
    found
}

fn lower(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn fill(
    text: &str,
    value: &impl Fn(&str, &str) -> Option<String>,
    escape: impl Fn(&str) -> String,
) -> String {
    let mut parts = text.split("{!");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match slug(part) {
            Some((inner, rest)) => {
                out.push_str(&escape(&chosen(inner, value)));
                out.push_str(rest);
            }
            None => {
                out.push_str("{!");
                out.push_str(part);
            }
        }
    }
    out
}

/// The first alternative that has a value; what is no column stands for itself.
fn chosen(inner: &str, value: &impl Fn(&str, &str) -> Option<String>) -> String {
    let alternatives = inner.split(';').map(|part| match part.split_once(':') {
        Some((table, column)) => value(&lower(table), &lower(column)),
        None => Some(part.to_owned()),
    });
    alternatives.flatten().find(|text| !text.is_empty()).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_filled() {
        let value = |table: &str, column: &str| match (table, column) {
            ("contact", "firstname") => Some("A<na".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("Dear {!contact:firstname;Customer},", "Dear A&lt;na,"),
            ("Dear {!Contact:LastName;Customer},", "Dear Customer,"),
            ("{!contact:lastname;contact:firstname;x}", "A&lt;na"),
            ("{!contact:lastname}", ""),
            ("open {!contact:firstname", "open {!contact:firstname"),
            ("plain", "plain"),
        ] {
            assert_eq!(fill(text, &value, escaped), expected, "{text}");
        }
    }
}
