//! Elements to typed values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::{Aliased, Any, Entity, EntityCollection, EntityReference, Relationship};
use crate::soap::names::{SERIALIZATION, XRM_2012, XSD};
use crate::soap::query::{AnyQuery, ColumnSet};
use crate::soap::request::{Request, Response, ResponseItem, Settings};
use crate::soap::{Error, missing, wrong};
use crate::xml::{Element, Name};

/// A whole number of 32 bits.
pub fn int(text: &str) -> Result<i32, Error> {
    text.trim().parse().map_err(|_| wrong("a number of 32 bits", text))
}

/// `true`, `false`, `1` or `0`; .NET's capital letters too.
pub fn boolean(text: &str) -> Result<bool, Error> {
    match text.trim() {
        "true" | "1" | "True" => Ok(true),
        "false" | "0" | "False" => Ok(false),
        other => Err(wrong("true or false", other)),
    }
}

/// A GUID with or without braces.
pub fn guid(text: &str) -> Result<Uuid, Error> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    Uuid::try_parse(bare).map_err(|_| wrong("a GUID", text))
}

/// A time; without an offset it is UTC.
pub fn time(text: &str) -> Result<Timestamp, Error> {
    let text = text.trim();
    let read = text.parse::<Timestamp>().ok();
    let read =
        read.or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp()));
    read.ok_or_else(|| wrong("a time", text))
}

fn long(text: &str) -> Result<i64, Error> {
    text.trim().parse().map_err(|_| wrong("a number of 64 bits", text))
}

fn binary(text: &str) -> Result<Vec<u8>, Error> {
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| wrong("base64", text))
}

fn double(text: &str) -> Result<f64, Error> {
    match text.trim() {
        "INF" => Ok(f64::INFINITY),
        "-INF" => Ok(f64::NEG_INFINITY),
        text => text.parse().map_err(|_| wrong("a number", text)),
    }
}

/// A decimal in plain notation: digits with a sign and a point, no exponent.
pub(crate) fn decimal(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    match plain && digits.matches('.').count() <= 1 && digits != "." {
        true => Ok(text.strip_prefix('+').unwrap_or(text).to_owned()),
        false => Err(wrong("a decimal", text)),
    }
}

impl Any {
    /// Reads a value by its `xsi:type`; one without is text, or an element as it stands.
    pub fn read(at: &Element) -> Result<Any, Error> {
        if at.nil {
            return Ok(Any::Null);
        }
        let Some(kind) = &at.kind else {
            return Ok(match at.children.is_empty() {
                true => Any::String(at.text.clone()),
                false => Any::Raw(at.clone()),
            });
        };
        match kind.ns.as_str() {
            XSD | SERIALIZATION => match scalar(&kind.local) {
                Some(read) => read(&at.text),
                None => Ok(Any::Raw(at.clone())),
            },
            _ => class(&kind.local, at),
        }
    }
}

pub(crate) type Scalar = fn(&str) -> Result<Any, Error>;

/// How the text of a type of XML Schema is read; `None` for a type that is kept as it stands.
pub(crate) fn scalar(kind: &str) -> Option<Scalar> {
    Some(match kind {
        "string" => |text| Ok(Any::String(text.to_owned())),
        "int" | "short" | "byte" | "unsignedByte" | "unsignedShort" => |text| int(text).map(Any::Int),
        "long" | "unsignedInt" => |text| long(text).map(Any::Long),
        "decimal" => |text| decimal(text).map(Any::Decimal),
        "double" | "float" => |text| double(text).map(Any::Double),
        "boolean" => |text| boolean(text).map(Any::Boolean),
        "dateTime" => |text| time(text).map(Any::DateTime),
        "guid" => |text| guid(text).map(Any::Guid),
        "base64Binary" => |text| binary(text).map(Any::Binary),
        _ => return None,
    })
}

fn class(kind: &str, at: &Element) -> Result<Any, Error> {
    Ok(match kind {
        "EntityReference" => Any::EntityReference(EntityReference::read(at)?),
        "OptionSetValue" => Any::OptionSetValue(option(at)?),
        "Money" => Any::Money(decimal(at.text_of("Value").ok_or_else(|| missing("Value"))?)?),
        "OptionSetValueCollection" => Any::OptionSetCollection(list(at, option)?),
        "AliasedValue" => Any::Aliased(Box::new(aliased(at)?)),
        "Entity" => Any::Entity(Box::new(Entity::read(at)?)),
        "EntityCollection" => Any::EntityCollection(EntityCollection::read(at)?),
        "ArrayOfEntity" => Any::Entities(list(at, Entity::read)?),
        "EntityReferenceCollection" | "ArrayOfEntityReference" => {
            Any::References(list(at, EntityReference::read)?)
        }
        "Relationship" => Any::Relationship(Relationship::read(at)?),
        "ArrayOfstring" => Any::Strings(list(at, |item| Ok(item.text.clone()))?),
        "ArrayOfguid" => Any::Guids(list(at, |item| guid(&item.text))?),
        "ArrayOfint" => Any::Ints(list(at, |item| int(&item.text))?),
        "ArrayOfanyType" => Any::Values(list(at, Any::read)?),
        "ColumnSet" => Any::ColumnSet(ColumnSet::read(at)?),
        "QueryExpression" | "FetchExpression" | "QueryByAttribute" => {
            Any::Query(Box::new(AnyQuery::read(at)?))
        }
        "OrganizationRequestCollection" => Any::Requests(list(at, Request::read)?),
        // Two classes have this name: in the namespace of 2012 it holds the answers of ExecuteMultiple.
        "OrganizationResponseCollection" if is_of_2012(at) => {
            Any::ResponseItems(list(at, ResponseItem::read)?)
        }
        "OrganizationResponseCollection" => Any::Responses(list(at, Response::read)?),
        // What the class is called in the SDK.
        "ExecuteMultipleResponseItemCollection" => Any::ResponseItems(list(at, ResponseItem::read)?),
        "ExecuteMultipleSettings" => Any::Settings(Settings::read(at)?),
        kind if kind.ends_with("Request") && at.child("RequestName").is_some() => {
            Any::Request(Box::new(Request::read(at)?))
        }
        _ => Any::Raw(at.clone()),
    })
}

fn is_of_2012(at: &Element) -> bool {
    at.kind.as_ref().is_some_and(|kind| *kind == Name::new(XRM_2012, kind.local.as_str()))
}

fn list<T>(at: &Element, read: impl FnMut(&Element) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    at.children.iter().map(read).collect()
}

fn option(at: &Element) -> Result<i32, Error> {
    int(at.text_of("Value").ok_or_else(|| missing("Value"))?)
}

fn aliased(at: &Element) -> Result<Aliased, Error> {
    let text = |name: &str| at.text_of(name).unwrap_or_default().to_owned();
    let value = at.child("Value").map(Any::read).transpose()?.unwrap_or(Any::Null);
    Ok(Aliased { table: text("EntityLogicalName"), column: text("AttributeLogicalName"), value })
}

/// The members of a collection of `key` and `value` pairs.
pub(crate) fn pairs<T>(
    at: Option<&Element>,
    mut read: impl FnMut(&Element) -> Result<T, Error>,
) -> Result<Vec<(String, T)>, Error> {
    let Some(at) = at else { return Ok(Vec::new()) };
    let pair = |pair: &Element| {
        let key = pair.text_of("key").ok_or_else(|| missing("key"))?;
        let value = pair.child("value").ok_or_else(|| missing("value"))?;
        Ok((key.to_owned(), read(value)?))
    };
    at.children.iter().map(pair).collect()
}

fn id_of(at: &Element) -> Result<Uuid, Error> {
    at.text_of("Id").filter(|id| !id.is_empty()).map_or(Ok(Uuid::nil()), guid)
}

fn text_of(at: &Element, name: &str) -> Option<String> {
    at.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl EntityReference {
    pub fn read(at: &Element) -> Result<Self, Error> {
        Ok(EntityReference {
            table: text_of(at, "LogicalName").unwrap_or_default(),
            id: id_of(at)?,
            name: at.child("Name").filter(|name| !name.nil).map(|name| name.text.clone()),
            keys: pairs(at.child("KeyAttributes"), Any::read)?,
            row_version: text_of(at, "RowVersion"),
        })
    }
}

impl Relationship {
    pub fn read(at: &Element) -> Result<Self, Error> {
        let schema_name = text_of(at, "SchemaName").ok_or_else(|| missing("SchemaName"))?;
        Ok(Relationship { schema_name, role: text_of(at, "PrimaryEntityRole") })
    }
}

impl Entity {
    pub fn read(at: &Element) -> Result<Self, Error> {
        Ok(Entity {
            logical_name: text_of(at, "LogicalName").unwrap_or_default(),
            id: id_of(at)?,
            attributes: pairs(at.child("Attributes"), Any::read)?,
            formatted: pairs(at.child("FormattedValues"), |value| Ok(value.text.clone()))?,
            keys: pairs(at.child("KeyAttributes"), Any::read)?,
            related: related(at.child("RelatedEntities"))?,
            row_version: text_of(at, "RowVersion"),
            state: text_of(at, "EntityState"),
        })
    }
}

fn related(at: Option<&Element>) -> Result<Vec<(String, EntityCollection)>, Error> {
    let Some(at) = at else { return Ok(Vec::new()) };
    let pair = |pair: &Element| {
        let relationship = pair.child("key").ok_or_else(|| missing("key"))?;
        let rows = pair.child("value").ok_or_else(|| missing("value"))?;
        Ok((Relationship::read(relationship)?.schema_name, EntityCollection::read(rows)?))
    };
    at.children.iter().map(pair).collect()
}

impl EntityCollection {
    pub fn read(at: &Element) -> Result<Self, Error> {
        let flag = |name: &str| at.text_of(name).filter(|text| !text.is_empty()).map_or(Ok(false), boolean);
        Ok(EntityCollection {
            entities: at.child("Entities").map_or(Ok(Vec::new()), |rows| list(rows, Entity::read))?,
            table: text_of(at, "EntityName"),
            min_row_version: text_of(at, "MinActiveRowVersion"),
            more: flag("MoreRecords")?,
            cookie: text_of(at, "PagingCookie"),
            total: at.text_of("TotalRecordCount").filter(|text| !text.is_empty()).map_or(Ok(-1), int)?,
            total_exceeded: flag("TotalRecordCountLimitExceeded")?,
        })
    }
}
