//! ImportSolution and its like (dataverse.md A18, E5, F): what is asked and answered; the work is done in
//! [`crate::solutions`].
//!
//! All is done before the answer, also what is asynchronous: its system job is completed when it is asked for. Whoever gets
//! no answer to an import may ask again: the same file changes nothing the second time. A file that is staged, or exported
//! as a job, is kept in the job's row until somebody deletes that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::{Change, Record, RecordRef};
use postroom_formats::solution::Package;
use uuid::Uuid;

use super::ask::Ask;
use super::system_job::{self, FAILED, SUCCEEDED};
use super::{Parameter, Prepared};
use crate::failure::Failure;
use crate::solutions::{self, Import};

/// `operationtype`: *Execute Async Request*.
const OPERATION: i64 = 54;

pub(super) async fn import(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    run(ask, "CustomizationFile", false).await?;
    Ok(Prepared::default())
}

pub(super) async fn upgrade(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    run(ask, "CustomizationFile", true).await?;
    Ok(Prepared::default())
}

async fn run(ask: &Ask<'_>, file: &str, upgrade: bool) -> Result<Uuid, Failure> {
    let bytes = match ask.get(file) {
        Some(Parameter::Binary(bytes)) if !bytes.is_empty() => bytes.clone(),
        _ => match staged(ask)? {
            Some(upload) => kept(ask, upload, "StageSolutionUploadId").await?,
            None => match ask.need(file)? {
                Parameter::Binary(bytes) => bytes.clone(),
                _ => return Err(ask.unfit(file, "bytes in base64")),
            },
        },
    };
    let job = ask.guid("ImportJobId")?.filter(|id| !id.is_nil()).unwrap_or_else(|| ask.ids.next());
    let holding = !upgrade && ask.flag("HoldingSolution")? == Some(true);
    let convert = ask.flag("ConvertToManaged")? == Some(true);
    solutions::import(ask.session, Import { file: bytes, job, upgrade, holding, convert }).await
}

/// The upload that `SolutionParameters` names.
fn staged(ask: &Ask<'_>) -> Result<Option<Uuid>, Failure> {
    let wrong = || ask.unfit("SolutionParameters", "a SolutionParameters with a StageSolutionUploadId");
    let members = match ask.get("SolutionParameters") {
        None => return Ok(None),
        Some(Parameter::Members(members)) => members,
        Some(_) => return Err(wrong()),
    };
    let named = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("StageSolutionUploadId"));
    match named.map(|(_, value)| value) {
        None | Some(Parameter::Null) => Ok(None),
        Some(Parameter::Guid(id)) => Ok(Some(*id)),
        Some(Parameter::Text(text)) => text.parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

/// A file that a system job holds for its owner.
async fn kept(ask: &Ask<'_>, job: Uuid, parameter: &str) -> Result<Bytes, Failure> {
    let row = ask.row(&RecordRef::new("asyncoperation", job), &["data", "operationtype"]).await?;
    let text = match row.int("operationtype") {
        Some(OPERATION) => system_job::stored(ask.session.crm(), row.get("data")).await,
        _ => None,
    };
    let file = text.and_then(|text| BASE64.decode(text).ok()).filter(|file| !file.is_empty());
    file.map(Bytes::from).ok_or_else(|| ask.unfit(parameter, "the id of a file that is kept here"))
}

/// StageSolution: looks at a file and keeps it for an import.
pub(super) async fn stage(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let Parameter::Binary(bytes) = ask.need("CustomizationFile")? else {
        return Err(ask.unfit("CustomizationFile", "bytes in base64"));
    };
    let manifest = solutions::read(bytes.clone()).await?.manifest;
    let job = Told::begin(ask, "Stage Solution");
    job.end(ask, SUCCEEDED, "The solution can be imported.", Some(bytes)).await?;
    let text = |name: &str, text: &str| (name.to_owned(), Parameter::Text(text.to_owned()));
    let details = vec![
        text("SolutionUniqueName", &manifest.unique_name),
        text("SolutionFriendlyName", manifest.names.text().unwrap_or(&manifest.unique_name)),
        text("SolutionVersion", &manifest.version),
        ("IsManaged".to_owned(), Parameter::Bool(manifest.managed)),
        text("PublisherUniqueName", &manifest.publisher.unique_name),
    ];
    let results = Parameter::Members(vec![
        ("StageSolutionUploadId".to_owned(), Parameter::Guid(job.at.id)),
        text("StageSolutionStatus", "Passed"),
        ("SolutionValidationResults".to_owned(), Parameter::List(Vec::new())),
        ("SolutionDetails".to_owned(), Parameter::Members(details)),
    ]);
    Ok(Prepared::answer(vec![("StageSolutionResults", results)]))
}

/// A system job that is completed when it is asked for.
struct Told {
    at: RecordRef,
    name: &'static str,
    started: Timestamp,
}

impl Told {
    fn begin(ask: &Ask<'_>, name: &'static str) -> Self {
        let at = RecordRef::new("asyncoperation", ask.ids.next());
        Told { at, name, started: ask.session.now() }
    }

    /// With the file that it keeps, if it keeps one.
    async fn end(
        &self,
        ask: &Ask<'_>,
        (state, status): (i64, i64),
        message: &str,
        file: Option<&Bytes>,
    ) -> Result<(), Failure> {
        let mut row = Record::new(self.at.clone())
            .with("name", self.name)
            .with("operationtype", OPERATION)
            .with("startedon", self.started)
            .with("completedon", ask.session.now())
            .with("message", message)
            .with("statecode", state)
            .with("statuscode", status);
        if let Some(file) = file {
            row = row.with("data", BASE64.encode(file));
        }
        let row = Change::CreateNew(ask.fitting(row).await?);
        solutions::write(ask.session.crm(), ask.session.user(), vec![row]).await
    }
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
    let told = Told::begin(ask, "Import Solution");
    let done = run(ask, "CustomizationFile", upgrade).await;
    let (standing, text) = match &done {
        Ok(_) => (SUCCEEDED, "The solution was imported."),
        // What was refused stands in the job, as the platform has it; the rest is an error of the request.
        Err(Failure::Platform { message, .. }) => (FAILED, message.as_str()),
        Err(_) => (FAILED, ""),
    };
    let text = text.to_owned();
    let job = match done {
        Ok(job) => job,
        Err(Failure::Platform { .. }) => ask.guid("ImportJobId")?.unwrap_or_default(),
        Err(failure) => return Err(failure),
    };
    told.end(ask, standing, &text, None).await?;
    Ok(Prepared::answer(vec![
        ("AsyncOperationId", Parameter::Guid(told.at.id)),
        ("ImportJobKey", Parameter::Text(job.to_string())),
    ]))
}

pub(super) async fn export(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let file = exported(ask).await?;
    Ok(Prepared::answer(vec![("ExportSolutionFile", Parameter::Binary(file))]))
}

async fn exported(ask: &Ask<'_>) -> Result<Bytes, Failure> {
    ask.need("SolutionName")?;
    let name = ask.text("SolutionName")?.unwrap_or_default();
    let managed = ask.flag("Managed")?.unwrap_or(false);
    let package = match ask.text("TargetVersion")?.filter(|version| !version.is_empty()) {
        None => Package::V9_2,
        Some(version) => version.parse().map_err(|()| ask.unfit("TargetVersion", "a version such as 8.2"))?,
    };
    Ok(solutions::export(ask.session, name, managed, package).await?.into())
}

/// The same as a system job that keeps the file for [`download`].
pub(super) async fn export_async(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let told = Told::begin(ask, "Export Solution");
    match exported(ask).await {
        Ok(file) => told.end(ask, SUCCEEDED, "The solution was exported.", Some(&file)).await?,
        Err(Failure::Platform { message, .. }) => told.end(ask, FAILED, &message, None).await?,
        Err(failure) => return Err(failure),
    }
    let id = Parameter::Guid(told.at.id);
    Ok(Prepared::answer(vec![("AsyncOperationId", id.clone()), ("ExportJobId", id)]))
}

/// DownloadSolutionExportData.
pub(super) async fn download(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("ExportJobId")?;
    let job = ask.guid("ExportJobId")?.unwrap_or_default();
    let file = kept(ask, job, "ExportJobId").await?;
    Ok(Prepared::answer(vec![("ExportSolutionFile", Parameter::Binary(file))]))
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
