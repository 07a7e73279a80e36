//! Answers about campaigns and sends.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::RecordRef;

/// A page of campaigns.
#[derive(ToSchema)]
pub struct Campaigns {
    items: Vec<Campaign>,
    #[schema(required)]
    next: Option<String>,
}

/// A campaign as it was last read.
#[derive(ToSchema)]
pub struct Campaign {
    account: String,
    /// The service's number.
    id: i64,
    /// The row `esc_emailcampaign` in the CRM.
    #[schema(required)]
    row: Option<String>,
    name: String,
    subject: String,
    /// The service's word: `Unsent`, `Sending`, `Sent`, `Triggered`, …
    status: String,
    /// It has versions, so a send needs a split.
    split_test: bool,
    #[schema(required)]
    last_sent: Option<String>,
    /// The service shows it no longer.
    gone: bool,
    /// When the figures were asked for.
    #[schema(required)]
    counted: Option<String>,
    #[schema(required)]
    totals: Option<CampaignTotals>,
}

/// The service's totals.
#[derive(ToSchema)]
pub struct CampaignTotals {
    sent: u64,
    unique_opens: u64,
    clickers: u64,
    unsubscribes: u64,
    hard_bounces: u64,
}

/// Whom a send would reach: `people` is `to_send` and everybody left out together.
#[derive(ToSchema)]
pub struct CampaignAudience {
    account: String,
    campaign: i64,
    name: String,
    lists: Vec<String>,
    people: u64,
    to_send: u64,
    /// How many are left out, by the reason.
    left_out: BTreeMap<String, u64>,
    samples: Vec<AudienceSample>,
    samples_left_out: Vec<AudienceSample>,
    /// Calls of the service that the send takes.
    calls: u64,
    /// Until it is handed over, at least.
    seconds: u64,
    needs_approval: bool,
    /// Opt-outs of both sides are fresh; else fewer people may be mailed.
    fresh: bool,
}

/// One person of an audience.
#[derive(ToSchema)]
pub struct AudienceSample {
    record: RecordRef,
    address: String,
    #[schema(required)]
    reason: Option<String>,
}

/// What became of test mails.
#[derive(ToSchema)]
pub struct TestReport {
    account: String,
    campaign: i64,
    name: String,
    mails: Vec<TestMail>,
    dry_run: bool,
}

/// A test mail to one address.
#[derive(ToSchema)]
pub struct TestMail {
    address: String,
    /// `would_go`, `sent`, `refused`, `failed`, `unknown`.
    state: String,
    #[schema(required)]
    text: Option<String>,
}

/// A request to send that was made, or would be.
#[derive(ToSchema)]
pub struct SendOrder {
    /// The request's row in the CRM; null after a dry run.
    #[schema(required)]
    id: Option<String>,
    /// False when the same request was made before.
    changed: bool,
    audience: CampaignAudience,
    dry_run: bool,
}

/// A page of sends, newest request first.
#[derive(ToSchema)]
pub struct Sends {
    items: Vec<Send>,
    #[schema(required)]
    next: Option<String>,
}

/// A decision that was carried out, or would be.
#[derive(ToSchema)]
pub struct SendChange {
    order: String,
    send: Send,
    dry_run: bool,
}

/// One send of a campaign to lists.
#[derive(ToSchema)]
pub struct Send {
    /// The row `esc_emailsend` in the CRM.
    id: String,
    account: String,
    #[schema(required)]
    campaign: Option<i64>,
    name: String,
    lists: Vec<String>,
    /// It goes to whoever joins the lists; each lot of them is a send of its own.
    new_members: bool,
    /// The send to new members that made this one.
    #[schema(required)]
    parent: Option<String>,
    /// `preparing`, `waiting`, `held`, `paused`, `sending`, `unknown`, `sent`, `failed`, `cancelled`.
    state: String,
    /// Where exactly it is.
    step: String,
    /// What holds it, or where it stands, in one sentence.
    text: String,
    /// What may be ordered now.
    orders: Vec<String>,
    people: u64,
    to_send: u64,
    left_out: BTreeMap<String, u64>,
    #[schema(required)]
    expected: Option<u64>,
    #[schema(required)]
    due: Option<String>,
    #[schema(required)]
    asked: Option<String>,
    #[schema(required)]
    asked_by: Option<String>,
    #[schema(required)]
    approved_by: Option<String>,
    #[schema(required)]
    paused_by: Option<String>,
    #[schema(required)]
    decided_by: Option<String>,
    #[schema(required)]
    sent: Option<String>,
    #[schema(required)]
    service_send: Option<String>,
    #[schema(required)]
    evidence: Option<SendEvidence>,
}

/// What the service shows of a send whose answer was lost.
#[derive(ToSchema)]
pub struct SendEvidence {
    looked: String,
    /// Whether it was surely made. That nothing is shown proves nothing.
    made: bool,
    recipients: u64,
    #[schema(required)]
    first: Option<String>,
    campaign: String,
}

/// What came of a campaign.
#[derive(ToSchema)]
pub struct CampaignReport {
    campaign: Campaign,
    totals: ReportTotals,
    opens: ByWhom,
    clicks: ByWhom,
    /// Most clicked first.
    links: Vec<ReportLink>,
    /// Each day on which something happened, in UTC.
    days: Vec<ReportDay>,
    /// Purchases and other marks, by name.
    marks: Vec<ReportMark>,
    #[schema(required)]
    service: Option<ServiceFigures>,
    /// Where our rows and the service's figures differ.
    gaps: Vec<ReportGap>,
    /// Why the service was not asked now, though it was to be.
    #[schema(required)]
    not_asked: Option<String>,
}

/// Sums over recipients.
#[derive(ToSchema)]
pub struct ReportTotals {
    sent: u64,
    opens: u64,
    unique_opens: u64,
    clicks: u64,
    clickers: u64,
    page_views: u64,
    forwards: u64,
    replies: u64,
    hard_bounces: u64,
    soft_bounces: u64,
    unsubscribes: u64,
}

/// Events by people, and by machines that open mail before anybody looks.
#[derive(ToSchema)]
pub struct ByWhom {
    people: u64,
    machines: u64,
}

/// Clicks on one link.
#[derive(ToSchema)]
pub struct ReportLink {
    url: String,
    people: u64,
    clicks: u64,
    machine_clicks: u64,
}

/// One day.
#[derive(ToSchema)]
pub struct ReportDay {
    day: String,
    sent: u64,
    opens: u64,
    machine_opens: u64,
    clicks: u64,
    machine_clicks: u64,
}

/// Purchases or other marks of one name.
#[derive(ToSchema)]
pub struct ReportMark {
    name: String,
    people: u64,
    number: u64,
    /// A plain decimal; null when one of the values is no number.
    #[schema(required)]
    sum: Option<String>,
}

/// What the service says.
#[derive(ToSchema)]
pub struct ServiceFigures {
    asked_at: String,
    sent: u64,
    delivered: u64,
    opens: u64,
    unique_opens: u64,
    clicks: u64,
    clickers: u64,
    hard_bounces: u64,
    soft_bounces: u64,
    unsubscribes: u64,
    complaints: u64,
    orders: u64,
    #[schema(required)]
    revenue: Option<String>,
}

/// A figure on which both differ.
#[derive(ToSchema)]
pub struct ReportGap {
    figure: String,
    here: u64,
    service: u64,
}

/// One page of single sends.
#[derive(ToSchema)]
pub struct Singles {
    items: Vec<Single>,
    /// The cursor of the next page.
    #[schema(required)]
    next: Option<String>,
}

/// A mail to one person, or one person put into a program.
#[derive(ToSchema)]
pub struct Single {
    /// The row `esc_emailsinglesend` in the CRM.
    id: String,
    account: String,
    /// `marketing`, `transactional`, `program`.
    kind: String,
    /// `requested`, `intent`, `made`, `done`, `blocked`, `failed`, `unknown`.
    state: String,
    /// Where it stands, and why.
    text: String,
    /// Empty until it is known.
    address: String,
    #[schema(required)]
    record: Option<RecordRef>,
    /// The number of the campaign, or of the program.
    #[schema(required)]
    target: Option<i64>,
    /// When the call was about to be made.
    #[schema(required)]
    intent: Option<String>,
    /// Who said what became of a lost answer.
    #[schema(required)]
    decided_by: Option<String>,
    /// What may be ordered now: `found`, `unsent`.
    orders: Vec<String>,
}

/// A decision that was carried out, or would be.
#[derive(ToSchema)]
pub struct SingleChange {
    order: String,
    single: Single,
    dry_run: bool,
}
