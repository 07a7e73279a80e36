//! WhoAmI, RetrieveVersion, RetrieveTimestamp, RetrieveCurrentOrganization, RetrieveTotalRecordCount, SetState, Assign.

use postroom_core::query::{Aggregate, Function};
use postroom_core::{Change, Query, Record, Value};

use super::ask::{Ask, table};
use super::{Parameter, Prepared};
use crate::failure::Failure;
use crate::seed;
use crate::webapi::ApiVersion;

/// The newest server there is; a door that is an older one says so itself.
pub(super) fn version() -> Prepared {
    Prepared::answer(vec![("Version", Parameter::Text(ApiVersion::default().server().to_owned()))])
}

pub(super) async fn who_am_i(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let caller = ask.session.caller().await?;
    Ok(Prepared::answer(vec![
        ("BusinessUnitId", Parameter::Guid(caller.unit)),
        ("UserId", Parameter::Guid(caller.user)),
        ("OrganizationId", Parameter::Guid(seed::ORGANIZATION)),
    ]))
}

/// What changes with every definition.
pub(super) async fn stamp(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let version = ask.session.crm().schema().await?.version;
    Ok(Prepared::answer(vec![("Timestamp", Parameter::Text(version.to_string()))]))
}

/// Without the endpoints: where this CRM is reached only the door knows.
pub(super) async fn organization(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let row = ask.organization(&["name"]).await?;
    let name = row.text("name").unwrap_or_default().to_owned();
    let text = |name: &str, value: &str| (name.to_owned(), Parameter::Text(value.to_owned()));
    let detail = vec![
        ("OrganizationId".to_owned(), Parameter::Guid(seed::ORGANIZATION)),
        text("FriendlyName", &name),
        text("OrganizationVersion", ApiVersion::default().server()),
        text("EnvironmentId", &seed::ORGANIZATION.to_string()),
        text("DatacenterId", ""),
        text("Geo", ""),
        text("TenantId", &seed::ORGANIZATION.to_string()),
        text("UrlName", &name),
        text("UniqueName", &name),
        text("State", "Enabled"),
    ];
    Ok(Prepared::answer(vec![("Detail", Parameter::Members(detail))]))
}

/// The platform answers from a snapshot; here the rows that the caller may read are counted.
pub(super) async fn counts(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let Parameter::List(names) = ask.need("EntityNames")? else {
        return Err(ask.unfit("EntityNames", "a list of table names"));
    };
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for name in names {
        let Parameter::Text(name) = name else {
            return Err(ask.unfit("EntityNames", "a list of table names"));
        };
        let table = table(ask.session, name).await?;
        let count = Aggregate {
            column: table.primary_key.clone(),
            function: Function::Count,
            alias: "count".to_owned(),
        };
        let query = Query { aggregates: vec![count], ..Query::of(name) };
        let rows = ask.session.all(query).await?;
        keys.push(Parameter::Text(name.clone()));
        values.push(Parameter::Int(rows.first().and_then(|row| row.int("count")).unwrap_or(0)));
    }
    let collection = Parameter::Members(vec![
        ("Count".to_owned(), Parameter::Int(keys.len() as i64)),
        ("IsReadOnly".to_owned(), Parameter::Bool(false)),
        ("Keys".to_owned(), Parameter::List(keys)),
        ("Values".to_owned(), Parameter::List(values)),
    ]);
    Ok(Prepared::answer(vec![("EntityRecordCountCollection", collection)]))
}

/// A status of -1 is the one that the state begins with.
pub(super) fn set_state(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let at = ask.needed("EntityMoniker", None)?;
    ask.need("State")?;
    let mut record = Record::new(at).with("statecode", Value::from(ask.int("State")?));
    if let Some(status) = ask.int("Status")?.filter(|status| *status >= 0) {
        record = record.with("statuscode", status);
    }
    Ok(Prepared::of(vec![Change::Update(record)], Vec::new()))
}

pub(super) fn assign(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let (at, owner) = (ask.needed("Target", None)?, ask.needed("Assignee", None)?);
    Ok(Prepared::of(vec![Change::Update(Record::new(at).with("ownerid", owner))], Vec::new()))
}
