//! What people did with what they were sent (marketing-sync.md 8).
//!
//! # Design
//!
//! The table `event` is the inbox: what the service tells is stored there under its natural key, in one unit with the mark
//! behind it. What becomes a row of the CRM is told from there ([`tell_crm`]), in lots, so a crash between the two is no loss,
//! and a slow CRM holds up no reading.
//!
//! 1. [`campaigns`]: which campaigns had activity; they are written down as due in the unit that moves the mark.
//! 2. [`streams`]: each stream of each due campaign from its own mark on: the newest event stored, less an overlap. Rows that
//!    come again are known by their keys ([`facts`]); of equal rows each counts. [`machine`] flags what no person did.
//! 3. [`replies`]: of people whose counter rose, as the service tells them by person only.
//! 4. [`follow`]: qualified leads, merges and people who turn up later: what is about them is told again.
//! 5. [`sends`] and [`tell_crm`]: sends made at the service get a row; then every event of a kind that [`settings`] names, with
//!    [`whom`] it is about and all its lookups ([`record`]).
//! 6. [`retention`]: what is too old goes.
//!
//! [`report`] answers what a campaign came to. Opens, page views and replies have no table in the CRM and stay here.

pub mod campaigns;
pub mod facts;
pub mod follow;
pub mod machine;
pub mod record;
pub mod replies;
pub mod report;
pub mod retention;
pub mod rows;
pub mod sends;
pub mod settings;
pub mod streams;
pub mod tell_crm;
pub mod whom;

use postroom_core::{Code, Verdict};

use crate::sync::run::Reject;
use crate::sync::{Halt, Turn};
use campaigns::Due;
pub use settings::{Ip, Kind, Settings};

/// The two flows that read behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Events,
    Roi,
}

impl Flow {
    pub fn as_str(self) -> &'static str {
        match self {
            Flow::Events => "events",
            Flow::Roi => "roi",
        }
    }

    /// The streams of a campaign. Recipients come first: the others ask them when a mail left.
    fn streams(self) -> &'static [Kind] {
        match self {
            Flow::Events => &[Kind::Recipient, Kind::Click, Kind::Open, Kind::PageView, Kind::Social],
            Flow::Roi => &[Kind::Roi],
        }
    }
}

/// The flow of recipients, clicks, opens, page views, replies and social views.
///
/// # Errors
/// Faults of either side; what was stored until then stays.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    read(turn, Flow::Events).await?;
    replies::read(turn).await?;
    turn.engine.read_people().await?;
    follow::run(turn).await?;
    tell_crm::run(turn, Flow::Events.streams()).await?;
    retention::run(turn).await
}

/// The flow of purchases and other marks.
///
/// # Errors
/// As for [`run`].
pub async fn run_roi(turn: &mut Turn) -> Result<(), Halt> {
    read(turn, Flow::Roi).await?;
    turn.engine.read_people().await?;
    tell_crm::run(turn, Flow::Roi.streams()).await
}

async fn read(turn: &mut Turn, flow: Flow) -> Result<(), Halt> {
    let latest = turn.account.service.server_time().await?;
    for due in campaigns::due(turn, flow, latest).await? {
        match campaign(turn, flow, &due, latest).await {
            Ok(()) => campaigns::done(turn, flow, &due).await?,
            // One campaign that the service refuses stops no other, and is not asked for again until it is named again.
            Err(Halt::Fault(fault)) if fault.verdict == Verdict::Reject => {
                let gone = fault.code == Code::MARKETING_NOT_FOUND;
                let what = if gone { "the campaign is gone: " } else { "" };
                let reject = Reject {
                    subject: format!("campaign {}", due.campaign),
                    code: Some(fault.code),
                    reason: format!("{what}{}", fault.message),
                    sent: String::new(),
                    received: due.name.clone(),
                };
                turn.counts.skip("campaigns that were refused", 1);
                turn.reject(vec![reject]).await?;
                campaigns::done(turn, flow, &due).await?;
            }
            Err(halt) => return Err(halt),
        }
    }
    Ok(())
}

async fn campaign(turn: &mut Turn, flow: Flow, due: &Due, latest: jiff::Timestamp) -> Result<(), Halt> {
    let sends = match flow {
        Flow::Events => sends::known(turn, due.campaign).await?,
        Flow::Roi => Vec::new(),
    };
    for kind in flow.streams() {
        streams::read(turn, *kind, due.campaign, latest, &sends).await?;
    }
    Ok(())
}
