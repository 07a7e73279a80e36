//! Answers about people, mappings, lists and forms.

use utoipa::ToSchema;

use super::{ConsentEntry, Message, RecordRef, Run, Suppression};

/// The mappings of an account.
#[derive(ToSchema)]
pub struct Mappings {
    items: Vec<Mapping>,
}

/// Which column goes with a data label.
#[derive(ToSchema)]
pub struct Mapping {
    /// GUID.
    id: String,
    account: String,
    /// `contact`, `lead`, `account`; null when the row names none.
    #[schema(required)]
    table: Option<String>,
    /// Empty when the account has no such label.
    label: String,
    /// The label's type.
    #[schema(required)]
    r#type: Option<String>,
    path: String,
    /// `from_crm`, `to_crm`, `two_way`.
    direction: String,
    /// `send_blank`, `keep_remote`.
    empty: String,
    /// `label`, `value`.
    choices: String,
    valid: bool,
    /// Why it cannot be used.
    #[schema(required)]
    problem: Option<String>,
    /// What may get lost on the way.
    #[schema(required)]
    lossy: Option<String>,
}

/// What became of a mapping, or would become.
#[derive(ToSchema)]
pub struct MappingChange {
    account: String,
    table: String,
    label: String,
    /// `made`, `changed`, `removed`, `unchanged`.
    change: String,
    #[schema(required)]
    lossy: Option<String>,
    dry_run: bool,
}

/// One record with each mapped field on both sides.
#[derive(ToSchema)]
pub struct MappingSample {
    account: String,
    record: RecordRef,
    /// Empty when it has none.
    address: String,
    /// The person's number at the service.
    #[schema(required)]
    contact: Option<i64>,
    /// Why the service could not be asked.
    #[schema(required)]
    fault: Option<String>,
    fields: Vec<FieldPair>,
}

/// One mapped field on both sides.
#[derive(ToSchema)]
pub struct FieldPair {
    label: String,
    path: String,
    direction: String,
    /// What stands in the CRM.
    here: String,
    /// What would be sent.
    #[schema(required)]
    sent: Option<String>,
    /// What the service has.
    #[schema(required)]
    there: Option<String>,
    #[schema(required)]
    same: Option<bool>,
    /// Why nothing is sent.
    #[schema(required)]
    problem: Option<String>,
    #[schema(required)]
    lossy: Option<String>,
}

/// The lists of the accounts.
#[derive(ToSchema)]
pub struct MarketingLists {
    items: Vec<MarketingList>,
}

/// A marketing list that is activated for e-mail.
#[derive(ToSchema)]
pub struct MarketingList {
    /// GUID.
    id: String,
    account: String,
    name: String,
    /// `static`, `dynamic`.
    kind: String,
    /// `contact`, `lead`, `account`.
    members: String,
    /// `healthy`, `waiting`, `catching_up`, `paused`, `needs_you`.
    state: String,
    text: String,
    /// It runs only when asked.
    manual: bool,
    #[schema(required)]
    service_id: Option<i64>,
    #[schema(required)]
    service_name: Option<String>,
    #[schema(required)]
    here: Option<i64>,
    #[schema(required)]
    there: Option<i64>,
    #[schema(required)]
    sent: Option<i64>,
    #[schema(required)]
    rejected: Option<i64>,
    #[schema(required)]
    left_out: Option<i64>,
    #[schema(required)]
    changed: Option<String>,
}

/// A list with the last run of its account's lists.
#[derive(ToSchema)]
pub struct MarketingListDetail {
    #[serde(flatten)]
    list: MarketingList,
    #[schema(required)]
    last_run: Option<Run>,
}

/// What was ordered of a list.
#[derive(ToSchema)]
pub struct ListOrder {
    id: String,
    account: String,
    name: String,
    dry_run: bool,
}

/// What synchronising a list would do.
#[derive(ToSchema)]
pub struct ListComparison {
    id: String,
    account: String,
    name: String,
    here: u64,
    there: u64,
    /// Members who get no mail.
    left_out: u64,
    would_make: bool,
    #[schema(required)]
    problem: Option<String>,
    #[schema(required)]
    question: Option<String>,
    changes: Vec<ListChange>,
}

/// People for whom the same would be done.
#[derive(ToSchema)]
pub struct ListChange {
    /// `add`, `drop`, `opt_out`, `join`, `create`, `leave`.
    what: String,
    text: String,
    number: u64,
    people: Vec<ListedPerson>,
}

/// One of them.
#[derive(ToSchema)]
pub struct ListedPerson {
    address: String,
    #[schema(required)]
    record: Option<RecordRef>,
}

/// The forms of the accounts.
#[derive(ToSchema)]
pub struct Forms {
    items: Vec<Form>,
}

/// A form of the service.
#[derive(ToSchema)]
pub struct Form {
    account: String,
    number: i64,
    name: String,
    state: String,
    url: String,
    questions: i64,
    complete: i64,
    incomplete: i64,
    views: i64,
    /// What is made of somebody whom the CRM does not know.
    #[schema(required)]
    makes: Option<String>,
    #[schema(required)]
    created: Option<String>,
    #[schema(required)]
    modified: Option<String>,
    #[schema(required)]
    read: Option<String>,
}

/// A form with its questions and its newest responses.
#[derive(ToSchema)]
pub struct FormDetail {
    #[serde(flatten)]
    form: Form,
    asks: Vec<FormQuestion>,
    responses: Vec<FormResponse>,
}

/// A question.
#[derive(ToSchema)]
pub struct FormQuestion {
    number: i64,
    page: i64,
    text: String,
    kind: String,
    required: bool,
    /// Its answer is consent to marketing mail.
    consent: bool,
    options: Vec<String>,
}

/// A response.
#[derive(ToSchema)]
pub struct FormResponse {
    number: i64,
    account: String,
    form: i64,
    address: String,
    at: String,
    complete: bool,
    #[schema(required)]
    matched: Option<String>,
    /// The record that was made or found.
    #[schema(required)]
    record: Option<RecordRef>,
    told_crm: bool,
    answers: Vec<FormAnswer>,
}

/// An answer.
#[derive(ToSchema)]
pub struct FormAnswer {
    question: String,
    answer: String,
}

/// Everything that is known of an address.
#[derive(ToSchema)]
#[schema(as = PersonView)]
pub struct Person {
    address: String,
    records: Vec<PersonRecord>,
    accounts: Vec<PersonAccount>,
    ties: Vec<PersonTie>,
    suppressions: Vec<Suppression>,
    left: Vec<ListLeft>,
    /// The consent ledger, oldest first.
    entries: Vec<ConsentEntry>,
    events: Vec<PersonEvent>,
    responses: Vec<FormResponse>,
    mail: Vec<Message>,
    #[schema(required)]
    erased: Option<String>,
}

/// A record of the CRM with the address.
#[derive(ToSchema)]
pub struct PersonRecord {
    record: RecordRef,
    name: String,
    active: bool,
    /// Columns that forbid mail.
    forbids: Vec<String>,
}

/// The person at one account.
#[derive(ToSchema)]
pub struct PersonAccount {
    account: String,
    #[schema(required)]
    contact: Option<i64>,
    #[schema(required)]
    status: Option<String>,
    #[schema(required)]
    opt_in: Option<String>,
    lists: Vec<String>,
    #[schema(required)]
    fault: Option<String>,
    /// Why no marketing mail goes there.
    blocks: Vec<String>,
    fields: Vec<RecordFields>,
    #[schema(required)]
    fields_fault: Option<String>,
}

/// The mapped fields of a record.
#[derive(ToSchema)]
pub struct RecordFields {
    record: RecordRef,
    fields: Vec<FieldPair>,
}

/// A record and the person of the service that it stands for.
#[derive(ToSchema)]
pub struct PersonTie {
    account: String,
    record: RecordRef,
    #[schema(required)]
    contact: Option<i64>,
}

/// A list that the person left.
#[derive(ToSchema)]
pub struct ListLeft {
    account: String,
    list: i64,
    active: bool,
    reason: String,
    since: String,
}

/// What the person did.
#[derive(ToSchema)]
pub struct PersonEvent {
    account: String,
    kind: String,
    at: String,
    campaign: i64,
    what: String,
    machine: bool,
}

/// The answers of the accounts.
#[derive(ToSchema)]
pub struct Proofs {
    items: Vec<ConsentProof>,
}

/// Whether an address could be mailed on a day, and why.
#[derive(ToSchema)]
pub struct ConsentProof {
    account: String,
    address: String,
    scope: String,
    on: String,
    /// From what was known then.
    could: bool,
    /// From all that is known now about that day.
    in_truth: bool,
    text: String,
    #[schema(required)]
    by: Option<ConsentEntry>,
    entries: Vec<ConsentEntry>,
}

/// What went from one record to another, or would go.
#[derive(ToSchema)]
pub struct PeopleMerged {
    from: RecordRef,
    into: RecordRef,
    links: u64,
    events: u64,
    responses: u64,
    dry_run: bool,
}

/// What erasing did in the marketing half, or would do.
#[derive(ToSchema)]
pub struct MarketingErasure {
    /// Null while the service goes on with it, and for a trial.
    #[schema(required)]
    done: Option<String>,
    counts: Vec<ErasedCount>,
    /// What was left, and what a person has to do about it.
    remains: Vec<String>,
}

/// Rows of one kind.
#[derive(ToSchema)]
pub struct ErasedCount {
    of: String,
    number: u64,
}
