//! What delivery reports say about mail of ours goes to the outgoing mail that they are about. A repeat changes nothing, so
//! it is done before the job ends.

use postroom_core::{Class, Fault};
use postroom_formats::dsn::ReportKind;
use postroom_formats::mime;
use uuid::Uuid;

use super::Filing;
use super::reading::{Failed, Reading, Report};
use crate::sending::reports::{self, About, Reported};

impl Filing {
    pub(super) async fn tell_senders(&self, readings: &[Reading]) -> Result<(), Fault> {
        let reports =
            readings.iter().filter(|reading| matches!(reading.class, Class::Bounce | Class::Receipt));
        for reading in reports {
            let activity = reading.returned_activity();
            let told = reading.report.as_ref().and_then(|report| told(report, activity));
            let Some((about, told)) = told else { continue };
            reports::reported(&self.store, &self.ids, about, told, self.clock.now()).await?;
        }
        Ok(())
    }
}

fn told(report: &Report, activity: Option<Uuid>) -> Option<(About, Vec<Reported>)> {
    let about = About {
        activity,
        envelope_id: report.envelope_id.clone(),
        message_id: report.message_id.as_deref().and_then(mime::normal_message_id),
    };
    let mut told: Vec<Reported> =
        report.recipients.iter().filter_map(|failed| one(failed, report.kind)).collect();
    if report.recipients.is_empty() && activity.is_some() {
        told.extend(report.kind.and_then(nobody));
    }
    let named = about.activity.is_some() || about.envelope_id.is_some() || about.message_id.is_some();
    (named && !told.is_empty()).then_some((about, told))
}

/// What a report says about one address: of several each has its own end.
fn one(failed: &Failed, whole: Option<ReportKind>) -> Option<Reported> {
    let what = what(failed.kind.or(whole)?, &failed.reason)?;
    let text = match &failed.diagnostic {
        Some(words) => format!("{}: {words}", failed.reason),
        None => failed.reason.clone(),
    };
    Some(Reported {
        address: failed.original.clone().unwrap_or_else(|| failed.address.clone()),
        what,
        code: failed.code,
        status: failed.status.clone(),
        hard: failed.hard,
        text,
    })
}

/// A bounce to an address of ours that does not say who failed.
fn nobody(kind: ReportKind) -> Option<Reported> {
    let text = "the report names nobody".to_owned();
    let what = what(kind, "")?;
    Some(Reported { address: String::new(), what, code: None, status: None, hard: false, text })
}

fn what(kind: ReportKind, reason: &str) -> Option<reports::Report> {
    Some(match kind {
        ReportKind::Failure => reports::Report::Failed,
        ReportKind::Delay => reports::Report::Delayed,
        ReportKind::Success | ReportKind::Relayed => reports::Report::Delivered,
        // Of a receipt the reason is the disposition; deleted unread says nothing about delivery that is not known.
        ReportKind::Receipt if reason.eq_ignore_ascii_case("displayed") => reports::Report::Read,
        ReportKind::Feedback | ReportKind::Receipt => return None,
    })
}

#[cfg(test)]
mod tests {
    use postroom_formats::{dsn, mime};

    use super::super::reading::report_of;
    use super::*;

    /// What each recipient of a report is told to have, and of a failure whether it is hard.
    #[track_caller]
    fn check(status: &str, expected: &[&str]) {
        let raw = format!(
            "From: mailer-daemon@x.example\nSubject: Report\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nA report.\n\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n{status}\n--b--\n"
        );
        let mail = mime::Mail::parse(raw.as_bytes(), &mime::Limits::default());
        let report = report_of(dsn::read(&mail).expect("a report"));
        let (_, told) = told(&report, Some(Uuid::nil())).expect("it says something");
        let said: Vec<String> = told
            .iter()
            .map(|one| format!("{} {:?} {} {}", one.address, one.what, one.hard, one.text))
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn each_recipient_has_its_own_end() {
        check(
            "Final-Recipient: rfc822; a@x.example\nAction: delivered\nStatus: 2.0.0\n\n\
             Final-Recipient: rfc822; b@x.example\nAction: failed\nStatus: 5.1.1\n\
             Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
             Final-Recipient: rfc822; c@x.example\nAction: delayed\nStatus: 4.4.1\n",
            &[
                "a@x.example Delivered false delivered",
                "b@x.example Failed true userunknown: 550 5.1.1 no such user",
                "c@x.example Delayed false expired",
            ],
        );
    }
}
