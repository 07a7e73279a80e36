//! The import job: a row that says how an import went, with the platform's result document.

use jiff::Timestamp;
use postroom_core::{Change, Fault, Record, RecordRef};
use postroom_formats::solution::{Solution, component};
use postroom_formats::xml::{self, Element};
use uuid::Uuid;

use super::held::{self, Component};
use super::import::Report;
use crate::failure::Failure;
use crate::session::Session;

/// One import on its way.
pub(super) struct Job<'s> {
    session: &'s Session,
    at: RecordRef,
    started: Timestamp,
}

impl<'s> Job<'s> {
    /// The row, before anything else is written.
    pub(super) async fn begin(session: &'s Session, id: Uuid, solution: &Solution) -> Result<Self, Failure> {
        let job = Job { session, at: RecordRef::new("importjob", id), started: session.now() };
        let row = Record::new(job.at.clone())
            .with("name", "Customizations")
            .with("solutionname", solution.manifest.unique_name.as_str())
            .with("startedon", job.started)
            .with("progress", 0.0);
        held::write(session.crm(), session.user(), vec![Change::Upsert(row)]).await?;
        Ok(job)
    }

    pub(super) fn id(&self) -> Uuid {
        self.at.id
    }

    /// How it went.
    pub(super) async fn close(
        &self,
        solution: &Solution,
        done: &Result<Report, Failure>,
    ) -> Result<(), Failure> {
        let now = self.session.now();
        let document = self.document(solution, done, now);
        let row = Record::new(self.at.clone())
            .with("completedon", now)
            .with("progress", if done.is_ok() { 100.0 } else { 0.0 })
            .with("data", xml::write(&document));
        held::write(self.session.crm(), self.session.user(), vec![Change::Update(row)]).await
    }

    fn document(&self, solution: &Solution, done: &Result<Report, Failure>, now: Timestamp) -> Element {
        let manifest = &solution.manifest;
        let nothing = Report::default();
        let (report, error) = match done {
            Ok(report) => (report, None),
            Err(failure) => (&nothing, Some(failure)),
        };
        let result = |error: Option<&Failure>| result(error, now);
        let item = |name: &str, component: &Component| {
            Element::new("", name)
                .attribute("id", component.name.as_str())
                .attribute("LocalizedName", component.name.as_str())
                .attribute("processed", "true")
                .with(result(None))
        };
        let list = |list: &str, name: &str, kinds: &[i32]| {
            let of = report.components.iter().filter(|component| kinds.contains(&component.kind));
            Element::new("", list).with_all(of.map(|component| item(name, component)))
        };
        let head = Element::new("", "solutionManifest")
            .attribute("languagecode", "1033")
            .attribute("id", manifest.unique_name.as_str())
            .attribute("LocalizedName", manifest.names.text().unwrap_or(&manifest.unique_name))
            .attribute("processed", "true")
            .with(result(error))
            .with(Element::leaf("", "UniqueName", manifest.unique_name.as_str()))
            .with(Element::leaf("", "Version", manifest.version.as_str()))
            .with(Element::leaf("", "Managed", if manifest.managed { "1" } else { "0" }));
        let left_out = solution
            .left_out
            .iter()
            .chain(&report.left_out)
            .map(|name| Element::new("", "node").attribute("id", name.as_str()).with(warning(name, now)));
        Element::new("", "importexportxml")
            .attribute("start", self.started.to_string())
            .attribute("stop", now.to_string())
            .attribute("progress", if error.is_none() { "100.00" } else { "0.00" })
            .attribute("processed", "true")
            .with(Element::new("", "solutionManifests").with(head))
            .with(list("entities", "entity", &[component::ENTITY]))
            .with(list("optionSets", "optionSet", &[component::OPTION_SET]))
            .with(list("entityRelationships", "entityRelationship", &[component::RELATIONSHIP]))
            .with(list("securityroles", "securityrole", &[component::ROLE]))
            .with(list("webResources", "webResource", &[component::WEB_RESOURCE]))
            .with(list("appModules", "appModule", &[component::APP_MODULE]))
            .with(list("siteMaps", "siteMap", &[component::SITE_MAP]))
            .with(Element::new("", "nodes").with_all(left_out))
    }
}

fn result(error: Option<&Failure>, now: Timestamp) -> Element {
    let (word, code, text) = match error {
        None => ("success", "0".to_owned(), String::new()),
        Some(Failure::Platform { code, message }) => ("failure", format!("0x{code:08X}"), message.clone()),
        Some(other) => ("failure", format!("0x{:08X}", super::codes::IMPORT), said(other)),
    };
    Element::new("", "result")
        .attribute("result", word)
        .attribute("errorcode", code)
        .attribute("errortext", text)
        .attribute("datetime", now.to_string())
}

/// What the database says is not for the one who imports.
fn said(failure: &Failure) -> String {
    match failure {
        Failure::Refused(refusal) => refusal.to_string(),
        Failure::Denied(error) => error.to_string(),
        Failure::Platform { message, .. } => message.clone(),
        Failure::Store(fault) => {
            Fault::new(fault.verdict, fault.code, "the database did not take it").message
        }
    }
}

fn warning(name: &str, now: Timestamp) -> Element {
    Element::new("", "result")
        .attribute("result", "warning")
        .attribute("errorcode", "0")
        .attribute("errortext", format!("{name} is not kept here and was left out"))
        .attribute("datetime", now.to_string())
}
