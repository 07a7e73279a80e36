//! ImportSolution and its like (dataverse.md A18, E5, F): what is asked and answered; the work is done in
//! [`crate::solutions`].
//!
//! An import is done before the answer, also the asynchronous one: its system job is completed when it is asked for. Whoever
//! gets no answer may ask again: the same file changes nothing the second time.

use postroom_core::{Change, Record, RecordRef};
use postroom_formats::solution::Package;
use uuid::Uuid;

use super::ask::Ask;
use super::{Parameter, Prepared, codes, refuse};
use crate::failure::Failure;
use crate::solutions::{self, Import};

/// `operationtype`: *Execute Async Request*.
const OPERATION: i64 = 54;
const SUCCEEDED: (i64, i64) = (3, 30);
const FAILED: (i64, i64) = (3, 31);

pub(super) async fn import(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    run(ask, "CustomizationFile", false).await?;
    Ok(Prepared::default())
}

pub(super) async fn upgrade(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    run(ask, "CustomizationFile", true).await?;
    Ok(Prepared::default())
}

async fn run(ask: &Ask<'_>, file: &str, upgrade: bool) -> Result<Uuid, Failure> {
    if ask.flag("ConvertToManaged")? == Some(true) {
        let text = "Unmanaged solutions are not made into managed ones here: delete the unmanaged one first.";
        return Err(refuse(codes::NOT_SUPPORTED, text));
    }
    let Parameter::Binary(bytes) = ask.need(file)? else { return Err(ask.unfit(file, "bytes in base64")) };
    let job = ask.guid("ImportJobId")?.filter(|id| !id.is_nil()).unwrap_or_else(|| ask.ids.next());
    let holding = !upgrade && ask.flag("HoldingSolution")? == Some(true);
    let import = Import { file: bytes.clone(), job, upgrade, holding };
    solutions::import(ask.session, import).await
}

pub(super) async fn promote(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("UniqueName")?;
    let name = ask.text("UniqueName")?.unwrap_or_default();
    let id = solutions::promote(ask.session, name).await?;
    Ok(Prepared::answer(vec![("SolutionId", Parameter::Guid(id))]))
}

/// CloneAsPatch, or CloneAsSolution.
pub(super) async fn clone(ask: &Ask<'_>, patch: bool) -> Result<Prepared, Failure> {
    for name in ["ParentSolutionUniqueName", "DisplayName", "VersionNumber"] {
        ask.need(name)?;
    }
    let text = |name| ask.text(name).map(Option::unwrap_or_default);
    let (parent, label, version) =
        (text("ParentSolutionUniqueName")?, text("DisplayName")?, text("VersionNumber")?);
    let id = match patch {
        true => solutions::patch(ask.session, ask.ids, parent, label, version).await?,
        false => solutions::roll_up(ask.session, parent, label, version).await?,
    };
    Ok(Prepared::answer(vec![("SolutionId", Parameter::Guid(id))]))
}

/// With a system job that tells of it.
pub(super) async fn import_async(ask: &Ask<'_>, upgrade: bool) -> Result<Prepared, Failure> {
    let at = RecordRef::new("asyncoperation", ask.ids.next());
    let started = ask.session.now();
    let done = run(ask, "CustomizationFile", upgrade).await;
    let ((state, status), text) = match &done {
        Ok(_) => (SUCCEEDED, "The solution was imported.".to_owned()),
        // What was refused stands in the job, as the platform has it; the rest is an error of the request.
        Err(Failure::Platform { message, .. }) => (FAILED, message.clone()),
        Err(_) => (FAILED, String::new()),
    };
    let job = match done {
        Ok(job) => job,
        Err(Failure::Platform { .. }) => ask.guid("ImportJobId")?.unwrap_or_default(),
        Err(failure) => return Err(failure),
    };
    let row = Record::new(at.clone())
        .with("name", "Import Solution")
        .with("operationtype", OPERATION)
        .with("startedon", started)
        .with("completedon", ask.session.now())
        .with("message", text)
        .with("statecode", state)
        .with("statuscode", status);
    let row = Change::CreateNew(ask.fitting(row).await?);
    solutions::write(ask.session.crm(), ask.session.user(), vec![row]).await?;
    Ok(Prepared::answer(vec![
        ("AsyncOperationId", Parameter::Guid(at.id)),
        ("ImportJobKey", Parameter::Text(job.to_string())),
    ]))
}

pub(super) async fn export(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("SolutionName")?;
    let name = ask.text("SolutionName")?.unwrap_or_default();
    let managed = ask.flag("Managed")?.unwrap_or(false);
    let package = match ask.text("TargetVersion")?.filter(|version| !version.is_empty()) {
        None => Package::V9_2,
        Some(version) => version.parse().map_err(|()| ask.unfit("TargetVersion", "a version such as 8.2"))?,
    };
    let file = solutions::export(ask.session, name, managed, package).await?;
    Ok(Prepared::answer(vec![("ExportSolutionFile", Parameter::Binary(file.into()))]))
}

pub(super) async fn add_component(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.session.check_misc("prvWriteEntity").await?;
    ask.need("SolutionUniqueName")?;
    let name = ask.text("SolutionUniqueName")?.unwrap_or_default();
    let wanted = || ask.unfit("ComponentId", "a GUID");
    let object = ask.guid("ComponentId")?.ok_or_else(wanted)?;
    let kind = ask.int("ComponentType")?.and_then(|kind| i32::try_from(kind).ok()).unwrap_or(0);
    let alone = ask.flag("DoNotIncludeSubcomponents")?.unwrap_or(false);
    let component = solutions::found(ask.session, kind, object, alone).await?;
    let ids = solutions::add(ask.session, name, vec![component]).await?;
    let id = ids.first().copied().unwrap_or_default();
    Ok(Prepared::answer(vec![("id", Parameter::Guid(id))]))
}

pub(super) async fn remove_component(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.session.check_misc("prvWriteEntity").await?;
    ask.need("SolutionUniqueName")?;
    let name = ask.text("SolutionUniqueName")?.unwrap_or_default();
    let object = match ask.guid("ComponentId")? {
        Some(object) => object,
        None => ask.needed("SolutionComponent", Some("solutioncomponent"))?.id,
    };
    let id = solutions::drop_component(ask.session, name, object).await?;
    Ok(Prepared::answer(vec![("id", Parameter::Guid(id))]))
}
