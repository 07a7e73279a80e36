//! The solution in the CRM: how it stands there, installing and upgrading it, taking it away.
//!
//! Long work is the CRM's: while it imports, its own job is asked how far it is; when its answer is lost, the job is waited
//! for and the rest is done then.

use std::time::Duration;

use postroom_core::{Code, Crm, Fault, Verdict};
use postroom_marketing::solution::install::{self, Done, Order};
use postroom_marketing::solution::look::{Registered, Standing, State, look};
use postroom_marketing::solution::mark::{Connector, Mark};
use postroom_marketing::solution::plan::Clash;
use postroom_marketing::solution::{Era, VERSION, package};
use serde::Serialize;
use uuid::Uuid;

use crate::{Actor, Operations, Permission, audit};

/// How often an import that is going on is asked after.
const ASK: Duration = Duration::from_secs(2);
/// How often it may be asked after without having moved or ended: an hour's worth.
const PATIENCE: u32 = 1800;

/// What the file of a version holds besides definitions: it comes whole, whatever changed in it.
const REPLACED: &[&str] = &["security roles", "forms", "views", "buttons", "navigation", "app"];

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct SolutionAsk {
    /// The generation that the solution is for; the server's own when it is not said.
    pub era: Option<Era>,
    /// Puts this connector in the place of another one.
    pub take_over: bool,
    pub dry_run: bool,
}

/// How the solution stands, and what was or would be done.
#[derive(Debug, Clone, Serialize)]
pub struct SolutionView {
    pub state: State,
    /// The version that this program brings.
    pub version: &'static str,
    pub registered: Option<Registered>,
    /// The CRM's version, and the generation that it makes.
    pub server: String,
    pub generation: String,
    /// Definitions that are there, and those that are missing, by name: `table esc_form`.
    pub present: usize,
    pub missing: Vec<String>,
    /// What an upgrade puts in the place of what is there, besides the definitions that are missing.
    pub replaced: &'static [&'static str],
    /// The connector that works on the organisation.
    pub connector: Option<Mark>,
    /// Why nothing may be installed, when nothing may.
    pub refused: Option<String>,
    /// Everything that is in the way, and how it differs.
    pub clashes: Vec<Clash>,
    /// Other solutions that hold tables of these names, and those tables: they are never changed nor taken away.
    pub holders: Vec<String>,
    pub theirs: Vec<&'static str>,
    /// `installed`, `adopted`, `upgraded`, `unchanged`, `uninstalled`; nothing when only looking.
    pub outcome: Option<&'static str>,
    /// The solution's tables that are there: with uninstalling they go, with their rows, but for those of other solutions.
    pub tables: Vec<&'static str>,
    pub dry_run: bool,
}

impl SolutionView {
    fn of(standing: &Standing, connector: &Connector, take_over: bool) -> Self {
        let mine = || match take_over {
            true => Ok(()),
            false => connector.may_work(standing.mark.as_ref()),
        };
        let refused = standing.refuses().and_then(|()| mine()).err().map(|fault| fault.message);
        SolutionView {
            state: standing.state(),
            version: VERSION,
            registered: standing.registered.clone(),
            server: standing.server.clone(),
            generation: standing.era.to_string(),
            present: standing.plan.present,
            missing: standing.plan.steps.iter().map(|step| step.name()).collect(),
            replaced: if standing.state() == State::Outdated { REPLACED } else { &[] },
            connector: standing.mark.clone(),
            refused,
            clashes: standing.plan.clashes.clone(),
            holders: standing.holders.clone(),
            theirs: standing.theirs.clone(),
            outcome: None,
            tables: standing.own.iter().copied().filter(|table| !standing.theirs.contains(table)).collect(),
            dry_run: false,
        }
    }
}

/// The solution as a file that a CRM imports.
#[derive(Debug, Clone)]
pub struct SolutionFile {
    /// The name that the CRM would give it.
    pub name: String,
    pub bytes: Vec<u8>,
    pub era: Era,
    pub managed: bool,
}

impl SolutionFile {
    /// For the newest generation when none is named.
    pub fn of(era: Option<Era>, managed: bool) -> Self {
        let era = era.unwrap_or(Era::Dynamics365);
        let (name, bytes) = (package::file_name(era, managed), package::file(era, managed));
        SolutionFile { name, bytes, era, managed }
    }
}

impl Operations {
    /// The solution as a file. It holds nothing of this CRM.
    pub fn solution_file(
        &self,
        actor: &Actor,
        era: Option<Era>,
        managed: bool,
    ) -> Result<SolutionFile, Fault> {
        actor.needs(Permission::Read)?;
        Ok(SolutionFile::of(era, managed))
    }

    /// How the solution stands in the CRM.
    ///
    /// # Errors
    /// Those of reading the CRM.
    pub async fn solution_status(&self, actor: &Actor, ask: &SolutionAsk) -> Result<SolutionView, Fault> {
        actor.needs(Permission::Read)?;
        let standing = look(&*self.0.crm, ask.era).await?;
        Ok(SolutionView::of(&standing, &self.connector(), ask.take_over))
    }

    /// Installs the solution, or brings it up to date; data stays. `told` hears how many percent of the import are done. A run
    /// that was cut is made again.
    ///
    /// # Errors
    /// Why nothing may be installed, what the CRM says against it; the CRM away.
    pub async fn solution_install(
        &self,
        actor: &Actor,
        ask: &SolutionAsk,
        mut told: impl FnMut(f64),
    ) -> Result<SolutionView, Fault> {
        actor.needs(Permission::Administer)?;
        let crm = &*self.0.crm;
        let connector = self.connector();
        let standing = look(crm, ask.era).await?;
        if ask.dry_run {
            let view = SolutionView::of(&standing, &connector, ask.take_over);
            return Ok(SolutionView { dry_run: true, ..view });
        }
        // What is refused without touching anything needs no entry.
        standing.refuses()?;
        let detail = format!("version {VERSION}, {} definitions missing", standing.plan.steps.len());
        self.audit_solution(actor, "solution.install", &detail).await?;
        let order = self.order(ask);
        let done = match watched(crm, &standing, &order, &mut told).await {
            Err(fault) if fault.verdict == Verdict::Unknown => {
                self.after_loss(ask, &order, fault, &mut told).await?
            }
            done => done?,
        };
        let outcome = match done {
            Done::Installed => "installed",
            Done::Upgraded => "upgraded",
            Done::Adopted => "adopted",
            Done::Unchanged => "unchanged",
        };
        self.audit_solution(actor, "solution.install", outcome).await?;
        let standing = look(crm, ask.era).await?;
        let view = SolutionView::of(&standing, &connector, false);
        Ok(SolutionView { outcome: Some(outcome), ..view })
    }

    /// As [`Self::solution_install`], of a solution that is there.
    ///
    /// # Errors
    /// [`Code::CRM_NOT_FOUND`] when it is not; those of installing it.
    pub async fn solution_upgrade(
        &self,
        actor: &Actor,
        ask: &SolutionAsk,
        told: impl FnMut(f64),
    ) -> Result<SolutionView, Fault> {
        actor.needs(Permission::Administer)?;
        if look(&*self.0.crm, ask.era).await?.state() == State::Absent {
            let text = "the solution is not in this CRM, so there is nothing to upgrade: install it with postroom solution install";
            return Err(Fault::reject(Code::CRM_NOT_FOUND, text));
        }
        self.solution_install(actor, ask, told).await
    }

    /// Takes the solution away with all its rows; the view says how it stood before.
    ///
    /// # Errors
    /// Another connector's mark, an unmanaged solution, what the CRM says against it.
    pub async fn solution_uninstall(&self, actor: &Actor, ask: &SolutionAsk) -> Result<SolutionView, Fault> {
        actor.needs(Permission::Administer)?;
        let crm = &*self.0.crm;
        let standing = look(crm, ask.era).await?;
        let view = SolutionView::of(&standing, &self.connector(), ask.take_over);
        if ask.dry_run {
            return Ok(SolutionView { dry_run: true, ..view });
        }
        let detail = format!("{} tables", view.tables.len());
        self.audit_solution(actor, "solution.uninstall", &detail).await?;
        let gone = install::uninstall(crm, &standing, &self.order(ask)).await?;
        self.audit_solution(actor, "solution.uninstall", if gone { "uninstalled" } else { "was not there" })
            .await?;
        let outcome = if gone { "uninstalled" } else { "unchanged" };
        Ok(SolutionView { outcome: Some(outcome), ..view })
    }

    fn connector(&self) -> Connector {
        Connector { id: self.rules().installation.to_string(), name: self.0.called.to_string() }
    }

    fn order(&self, ask: &SolutionAsk) -> Order {
        Order {
            connector: self.connector(),
            now: self.0.clock.now(),
            job: self.0.ids.next(),
            take_over: ask.take_over,
        }
    }

    async fn audit_solution(&self, actor: &Actor, action: &str, detail: &str) -> Result<(), Fault> {
        let entry = audit::Entry::new(actor, self.0.clock.now(), action, "solution", detail);
        self.record_audit(entry).await
    }

    /// The answer to the import is lost: its job says when it has ended, and then the rest is done.
    async fn after_loss(
        &self,
        ask: &SolutionAsk,
        order: &Order,
        lost: Fault,
        told: &mut impl FnMut(f64),
    ) -> Result<Done, Fault> {
        let crm = &*self.0.crm;
        for _ in 0..PATIENCE {
            match asked(crm, order.job).await {
                // It never began, or it ended: what is there tells.
                None => break,
                Some(progress) if progress.done => break,
                Some(progress) => told(progress.percent),
            }
            tokio::time::sleep(ASK).await;
        }
        let standing = look(crm, ask.era).await?;
        match standing.state() {
            State::Installed => install::install(crm, &standing, order).await.map(|_| Done::Upgraded),
            State::Adopted => install::install(crm, &standing, order).await.map(|_| Done::Adopted),
            _ => Err(Fault::new(
                Verdict::Unknown,
                Code::CRM_AWAY,
                format!("{}; look with: postroom solution status, then run it again", lost.message),
            )),
        }
    }
}

/// The installation, and how far the CRM says it is.
async fn watched(
    crm: &dyn Crm,
    standing: &Standing,
    order: &Order,
    told: &mut impl FnMut(f64),
) -> Result<Done, Fault> {
    // Both are polled all the time: a question that waits for the import's connection would hold up the import.
    let asking = async {
        loop {
            tokio::time::sleep(ASK).await;
            if let Some(progress) = asked(crm, order.job).await {
                told(progress.percent);
            }
        }
    };
    tokio::select! {
        done = install::install(crm, standing, order) => done,
        () = asking => unreachable!("it asks until the import ends"),
    }
}

/// A CRM that does not answer this question is no reason to stop.
async fn asked(crm: &dyn Crm, job: Uuid) -> Option<install::Progress> {
    install::progress(crm, job).await.ok().flatten()
}
