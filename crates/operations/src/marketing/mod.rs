//! The marketing half for people and programs: accounts, runs, and who gets no mail.
//!
//! # Design
//!
//! * Who may do what is one table, [`roles`]: the seed's four roles, read from the CRM, and postroom's own. Each operation asks
//!   it for a [`Duty`] before it looks at anything. [`rows`] asks for the same ones where rows are read and imported as they are.
//! * [`accounts`] and [`sync`] only read and order; the runs themselves are jobs of the server that stays.
//! * [`suppress`] writes opt-outs and lifts them, each with its audit entry in the same unit. Both sides hear of it by the
//!   sync type `suppressions`, which is made due at once.
//! * [`undo`] takes back what a run wrote; [`singles`] shows mails to single people and says what became of lost answers.
//! * [`campaigns`] shows campaigns, audiences and what came of sends, and sends test mails; [`sends`] asks for sends and decides
//!   about them.
//! * [`mapping`], [`lists`], [`forms`] and [`people`] show what stands on both sides, and change it where the CRM's users could
//!   too; what a person may ask to be erased goes with the mail ([`Operations::erase_person`]).
//! * [`views`] is what is shown, the same in every face; [`shown`] and [`reports`] are the same for campaigns and sends.

mod accounts;
mod campaigns;
mod export;
mod forms;
mod lists;
mod mapping;
mod people;
mod reports;
pub mod roles;
mod rows;
mod sends;
mod shown;
mod singles;
mod suppress;
mod sync;
mod undo;
mod views;

use futures_util::future::BoxFuture;
use postroom_core::{Code, Fault};
use postroom_marketing::Engine;
pub use postroom_marketing::solution::roles::Duty;
pub use postroom_marketing::sync::{RunState, SyncType};

pub use accounts::{AccountCheck, CheckStep, trial};
pub use campaigns::{CampaignsWanted, TESTED};
pub use export::ExportForm;
pub use forms::{AnswerGiven, FormDetail, FormView, QuestionView, ResponseView};
pub use lists::{ListChange, ListComparison, ListDetail, ListOrder, ListView, Listing, NAMED};
pub use mapping::{
    CHOICES, DIRECTIONS, EMPTY, FieldPair, MappingChange, MappingOrder, MappingView, SampleView,
};
pub use people::{
    ErasedCount, EventView, LeftView, MarketingErased, PeopleMerged, PersonAccount, PersonRecord, PersonView,
    ProofView, ProofWanted, RecordFields, Tie,
};
pub use reports::{ByWhom, CampaignReport, DayView, GapView, LinkView, MarkView, ServiceFigures, TotalsView};
pub use sends::{SEND_STATES, SendAsk, SendOrderKind, SendsWanted, SplitWish};
pub use shown::{
    AudienceView, CampaignTotals, CampaignView, EvidenceView, ListChoice, Sample, SendChange, SendOrder,
    SendView, TestMail, TestReport,
};
pub use singles::{SINGLE_STATES, SingleAnswer, SingleChange, SingleView, SinglesWanted};
pub use suppress::{Asking, LiftReport, Lifting, SuppressReport, SuppressionsWanted};
pub use sync::{RejectedWanted, RunsWanted};
pub use undo::{LeftWrite, UndoReport};
pub use views::{
    AccountOrder, AccountView, Checked, CountsView, DryRun, EntryView, FieldChangeView, ForeseenView, Reason,
    RefusedLine, RejectedView, Replayed, RunView, SideView, Skipped, SuppressionView, SyncOrder, SyncView,
};

use postroom_store::{Error, Tx};

use crate::{Operations, Parts};

impl Operations {
    /// With what keeps the CRM and the marketing service in step.
    pub fn with_marketing(self, engine: Engine) -> Self {
        let parts = std::sync::Arc::unwrap_or_clone(self.0);
        Operations(std::sync::Arc::new(Parts { marketing: Some(engine), ..parts }))
    }

    /// Whether an account of a marketing service is configured.
    pub fn has_marketing(&self) -> bool {
        self.0.marketing.as_ref().is_some_and(|engine| !engine.accounts.is_empty())
    }

    fn marketing(&self) -> Result<&Engine, Fault> {
        let engine = self.0.marketing.as_ref();
        engine.ok_or_else(|| Fault::bug("this process was put together without its marketing half"))
    }

    /// One unit, taken back when it is only a trial.
    async fn unit<T, F>(&self, step: &'static str, dry_run: bool, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let store = &self.marketing()?.store;
        let done = match dry_run {
            true => store.rehearse(work).await,
            false => store.write(step, work).await,
        };
        Ok(done?)
    }

    /// The engine, once the account is known to be configured.
    fn of_account(&self, name: &str) -> Result<&Engine, Fault> {
        let engine = self.marketing()?;
        match engine.accounts.contains_key(name) {
            true => Ok(engine),
            false => {
                let names: Vec<&str> = engine.accounts.keys().map(String::as_str).collect();
                let text = match names.as_slice() {
                    [] => format!(
                        "no account {name:?}: none is configured; postroom marketing account add NAME makes one"
                    ),
                    _ => format!("no account {name:?}; configured are {}", names.join(", ")),
                };
                Err(Fault::reject(Code::API_NOT_FOUND, text))
            }
        }
    }
}
