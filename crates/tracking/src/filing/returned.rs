//! What delivery reports say about mail of ours goes to the outgoing mail that they are about. A repeat changes nothing, so
//! it is done before the job ends.

use postroom_core::{Class, Fault};
use postroom_formats::dsn::ReportKind;
use postroom_formats::mime;

use super::Filing;
use super::reading::{Failed, Reading, Report};
use crate::sending::reports::{self, About, Reported};

impl Filing {
    pub(super) async fn tell_senders(&self, readings: &[Reading]) -> Result<(), Fault> {
        let reports =
            readings.iter().filter(|reading| matches!(reading.class, Class::Bounce | Class::Receipt));
        for reading in reports {
            let Some((about, told)) = reading.report.as_ref().and_then(told) else { continue };
            reports::reported(&self.store, about, told, self.clock.now()).await?;
        }
        Ok(())
    }
}

fn told(report: &Report) -> Option<(About, Vec<Reported>)> {
    let what = match report.kind? {
        ReportKind::Failure => reports::Report::Failed,
        ReportKind::Delay => reports::Report::Delayed,
        ReportKind::Success | ReportKind::Relayed => reports::Report::Delivered,
        // Of a receipt the reason is the disposition; deleted unread says nothing about delivery that is not known.
        ReportKind::Receipt
            if report.recipients.iter().any(|one| one.reason.eq_ignore_ascii_case("displayed")) =>
        {
            reports::Report::Read
        }
        ReportKind::Feedback | ReportKind::Receipt => return None,
    };
    let about = About {
        envelope_id: report.envelope_id.clone(),
        message_id: report.message_id.as_deref().and_then(mime::normal_message_id),
    };
    let told: Vec<Reported> = report.recipients.iter().map(|failed| one(failed, what)).collect();
    let named = about.envelope_id.is_some() || about.message_id.is_some();
    (named && !told.is_empty()).then_some((about, told))
}

fn one(failed: &Failed, what: reports::Report) -> Reported {
    Reported {
        address: failed.original.clone().unwrap_or_else(|| failed.address.clone()),
        what,
        code: failed.code,
        status: failed.status.clone(),
        text: failed.reason.clone(),
    }
}
