//! The solution, trials, and tracking tokens.

use utoipa::ToSchema;

/// How the solution stands, and what was or would be done.
#[derive(ToSchema)]
pub struct Solution {
    /// `absent`, `outdated`, `installed`, `newer`, `unmanaged`, `foreign`, `fitting`, `adopted`.
    state: String,
    /// The version that this program brings.
    version: String,
    #[schema(required)]
    registered: Option<RegisteredSolution>,
    /// The CRM's version.
    server: String,
    /// `2011`, `2013`, `2015`, `2016`, `365`.
    generation: String,
    /// Definitions that are there.
    present: u64,
    /// Those that are missing, by name.
    missing: Vec<String>,
    /// What an upgrade puts in the place of what is there, besides.
    replaced: Vec<String>,
    #[schema(required)]
    connector: Option<ConnectorMark>,
    /// Why nothing may be installed, when nothing may.
    #[schema(required)]
    refused: Option<String>,
    clashes: Vec<SolutionClash>,
    /// Other solutions that hold tables of these names, and those tables.
    holders: Vec<String>,
    theirs: Vec<String>,
    /// `installed`, `adopted`, `upgraded`, `unchanged`, `uninstalled`; null when only looking.
    #[schema(required)]
    outcome: Option<String>,
    /// The solution's tables that are there: with uninstalling they go, with their rows.
    tables: Vec<String>,
    dry_run: bool,
}

/// The solution as the CRM has it registered.
#[derive(ToSchema)]
pub struct RegisteredSolution {
    /// GUID.
    id: String,
    unique_name: String,
    version: String,
    managed: bool,
}

/// The connector that works on the organisation.
#[derive(ToSchema)]
pub struct ConnectorMark {
    connector: Connector,
    /// When it last worked.
    #[schema(required)]
    heartbeat: Option<String>,
    /// The version that it installed.
    #[schema(required)]
    version: Option<String>,
}

/// An installation of a connector.
#[derive(ToSchema)]
pub struct Connector {
    id: String,
    name: String,
}

/// What is in the way, and how it differs.
#[derive(ToSchema)]
pub struct SolutionClash {
    what: String,
    found: String,
    wanted: String,
    advice: String,
}

/// The CRM is still at it.
#[derive(ToSchema)]
pub struct SolutionUnderWay {
    text: String,
}

/// What was found.
#[derive(ToSchema)]
pub struct Findings {
    /// Whether all of it is well.
    ok: bool,
    items: Vec<Finding>,
}

/// One thing that was tried.
#[derive(ToSchema)]
pub struct Finding {
    part: String,
    ok: bool,
    /// One sentence.
    said: String,
    /// What to do.
    #[schema(required)]
    r#do: Option<String>,
    /// It was not tried.
    skipped: Option<bool>,
}

/// How the test of a mailbox went.
#[derive(ToSchema)]
pub struct MailboxTest {
    name: String,
    address: String,
    ok: bool,
    steps: Vec<TrialStep>,
    /// The first thing to do.
    #[schema(required)]
    r#do: Option<String>,
}

/// One step of a test.
#[derive(ToSchema)]
pub struct TrialStep {
    name: String,
    ok: bool,
    /// One sentence.
    text: String,
    /// What to do.
    #[schema(required)]
    r#do: Option<String>,
    /// It was not tried.
    skipped: Option<bool>,
}

/// What marks a mail as one about a record.
#[derive(ToSchema)]
pub struct TrackingToken {
    /// For a subject.
    token: String,
    /// Signed, in angle brackets; null where nothing is signed.
    #[schema(required)]
    message_id: Option<String>,
}

/// The tokens of a text.
#[derive(ToSchema)]
pub struct TokensFound {
    /// Whether one of them is good.
    valid: bool,
    tokens: Vec<FoundToken>,
    /// What was a token before somebody cut or changed it.
    damaged: Vec<String>,
}

/// A token that was found.
#[derive(ToSchema)]
pub struct FoundToken {
    /// `seed`, `signed`, `forged`.
    kind: String,
    text: String,
    /// GUID; not of a forged one.
    id: Option<String>,
    /// Of a signed one, the number of its key.
    key: Option<u8>,
    /// `TABLE/GUID`: where mail with it goes.
    #[schema(required)]
    record: Option<String>,
    note: String,
}
