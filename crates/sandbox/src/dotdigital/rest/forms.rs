//! Forms (surveys), programs and enrolments. Source: dotdigital.md A18 and A19.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Refusal, Reply, created, ints, moment, moment_or_null, ok};
use super::csv;
use crate::dotdigital::account::form::{Form, Question, Response};
use crate::dotdigital::account::program::{Enrolment, MOST_ENROLMENTS, Program, ProgramStatus};

/// Lists and contacts of one enrolment.
const MOST_LISTS: usize = 100;

fn form<'a>(call: &'a Call<'_>) -> Result<&'a Form, Refusal> {
    call.account.forms.get(&call.id(0)?).ok_or(Refusal::absent("ERROR_SURVEY_NOT_FOUND"))
}

fn json_of(form: &Form, now: Timestamp) -> Value {
    let done: Vec<_> =
        form.responses.iter().filter_map(|response| Some((response, response.completed?))).collect();
    let within = |hours: i64| {
        done.iter().filter(|(_, at)| now.duration_since(*at) < SignedDuration::from_hours(hours)).count()
    };
    let spent = || done.iter().map(|(response, at)| at.duration_since(response.started).as_secs());
    let target = if form.list.is_some() { "SpecificAddressBook" } else { "AllContacts" };
    json!({
        "id": form.id,
        "name": form.name,
        "url": format!("https://pages.example.com/p/{}", form.id),
        "dateSurveyCreated": moment(form.created),
        "dateSurveyModified": moment(form.modified),
        "state": if form.active { "Active" } else { "Inactive" },
        "firstActiveDate": moment(form.created),
        "lastInactiveDate": null,
        "scheduledStartDate": null,
        "scheduledEndDate": null,
        "confirmationMode": "Text",
        "submissionMode": if form.multiple { "Multiple" } else { "Single" },
        "fieldCount": form.pages.iter().map(|page| page.fields.len()).sum::<usize>(),
        "notifyCreatorOnResponse": false,
        "respondentNotificationType": "None",
        "respondentNotificationCampaignId": null,
        "isAssignedToAddressBook": form.list.is_some(),
        "assignedAddressBookTarget": target,
        "assignedSpecificAddressBookId": form.list,
        "firstResponseDate": moment_or_null(form.responses.iter().map(|response| response.started).min()),
        "lastResponseDate": moment_or_null(form.last()),
        "totalCompleteResponses": done.len(),
        "totalCompleteResponsesInLastDay": within(24),
        "totalCompleteResponsesInLastWeek": within(7 * 24),
        "totalIncompleteResponses": form.responses.len() - done.len(),
        "totalViews": form.responses.len(),
        "totalBounces": 0,
        "timeToCompleteMax": spent().max(),
        "timeToCompleteMin": spent().min(),
        "timeToCompleteTotal": spent().sum::<i64>(),
        "sourceDirectTotal": 0,
        "sourceEmailTotal": form.responses.len(),
        "sourceEmbeddedTotal": 0,
        "sourcePopoverTotal": 0,
        "sourceFacebookTotal": 0,
        "sourceTwitterTotal": 0,
        "sourceGooglePlusTotal": 0,
        "sourceOtherTotal": 0,
    })
}

fn forms(call: &Call<'_>, which: impl Fn(&Form) -> bool) -> Answer {
    let assigned = call.flag("assignedToAddressBookOnly");
    let found = call.account.forms.values().filter(|form| which(form) && (!assigned || form.list.is_some()));
    ok(call.page()?.cut(found).into_iter().map(|form| json_of(form, call.now)).collect())
}

pub(super) fn all(call: &mut Call<'_>) -> Answer {
    forms(call, |_| true)
}

pub(super) fn with_activity_since(call: &mut Call<'_>) -> Answer {
    let since = call.since(0)?;
    forms(call, |form| form.last().is_some_and(|last| last >= since))
}

pub(super) fn one(call: &mut Call<'_>) -> Answer {
    ok(json_of(form(call)?, call.now))
}

fn question(question: &Question) -> Value {
    let (choice, field) = question.other.unwrap_or_default();
    json!({
        "id": question.id,
        "type": question.kind,
        "text": question.text,
        "isRequired": question.required,
        "defaultValue": "",
        "mode": null,
        "choices": question.choices.iter().map(|(id, text)| json!({ "id": id, "text": text })).collect::<Value>(),
        "subFields": question.rows.iter().map(self::question).collect::<Value>(),
        "hasOtherOption": question.other.is_some(),
        "otherOptionChoiceId": choice,
        "otherOptionSubFieldId": 0,
        "otherOptionTextFieldId": field,
        "isAssignedToContactDataField": question.data_field.is_some(),
        "assignedContactDataFieldName": question.data_field,
        "assignedContactDataExistsAction": "OverwriteData",
    })
}

pub(super) fn fields(call: &mut Call<'_>) -> Answer {
    let pages = form(call)?.pages.iter().map(|page| {
        let fields: Value = page.fields.iter().map(question).collect();
        json!({ "id": page.id, "name": page.name, "fields": fields })
    });
    ok(pages.collect())
}

fn response(response: &Response) -> Value {
    let answers = response.answers.iter();
    let answers =
        answers.map(|one| json!({ "fieldId": one.field, "subFieldId": one.row, "value": one.value }));
    json!({
        "id": response.id,
        "email": response.email,
        "started": true,
        "dateStarted": moment(response.started),
        "complete": response.completed.is_some(),
        "dateCompleted": moment_or_null(response.completed),
        "givenAnswers": answers.collect::<Value>(),
    })
}

pub(super) fn responses(call: &mut Call<'_>) -> Answer {
    let page = call.page()?;
    ok(page.slice(&form(call)?.responses).iter().map(response).collect())
}

pub(super) fn responses_since(call: &mut Call<'_>) -> Answer {
    let (page, since) = (call.page()?, call.since(1)?);
    let found = form(call)?.responses.iter().filter(|response| response.changed() >= since);
    ok(page.cut(found).into_iter().map(response).collect())
}

fn program(program: &Program) -> Value {
    json!({
        "id": program.id,
        "name": program.name,
        "status": program.status.word(),
        "dateCreated": moment(program.created),
    })
}

pub(super) fn programs(call: &mut Call<'_>) -> Answer {
    ok(call.page()?.cut(call.account.programs.values()).into_iter().map(program).collect())
}

pub(super) fn one_program(call: &mut Call<'_>) -> Answer {
    let known = call.account.programs.get(&call.id(0)?);
    ok(program(known.ok_or(Refusal::absent("ERROR_PROGRAM_NOT_FOUND"))?))
}

fn enrolment(enrolment: &Enrolment) -> Value {
    json!({
        "id": enrolment.id,
        "programId": enrolment.program,
        "status": if enrolment.done { "Finished" } else { "Processing" },
        "dateCreated": moment(enrolment.created),
        "contacts": enrolment.contacts,
        "addressBooks": enrolment.lists,
    })
}

pub(super) fn enrol(call: &mut Call<'_>) -> Answer {
    let body = call.object()?;
    let id = super::call::int(&body, "programId").unwrap_or(0);
    let known = call.account.programs.get(&id).ok_or(Refusal::absent("ERROR_PROGRAM_NOT_FOUND"))?;
    if known.status != ProgramStatus::Active {
        return Err(Refusal::bad("ERROR_PROGRAM_NOT_ACTIVE"));
    }
    let (contacts, lists) = (ints(&body, "contacts")?, ints(&body, "addressBooks")?);
    if contacts.is_empty() && lists.is_empty() {
        return Err(Refusal::bad("ERROR_ENROLMENT_INVALID"));
    }
    if lists.len() > MOST_LISTS {
        return Err(Refusal::bad("ERROR_ADDRESSBOOK_TOOMANY"));
    }
    let there =
        |list: &i32| call.account.lists.contains_key(list) || call.account.segments.contains_key(list);
    if !lists.iter().all(there) {
        return Err(Refusal::absent("ERROR_ADDRESSBOOK_NOT_FOUND"));
    }
    if !contacts.iter().all(|contact| call.account.contacts.get(*contact).is_some()) {
        return Err(Refusal::absent("ERROR_CONTACT_NOT_FOUND"));
    }
    if call.account.recent_enrolments(call.now) >= MOST_ENROLMENTS {
        return Err(Refusal::bad("ERROR_ENROLMENT_ALLOWANCE_EXCEEDED"));
    }
    let job = Enrolment {
        id: call.ids.next(),
        program: id,
        contacts,
        lists,
        created: call.now,
        polls: 0,
        done: false,
        faults: Vec::new(),
    };
    let answer = enrolment(&job);
    call.account.enrolments.insert(job.id, job);
    created(answer)
}

fn absent() -> Refusal {
    Refusal::absent("ERROR_ENROLMENT_NOT_FOUND")
}

/// One path for a status and for an id.
pub(super) fn enrolments(call: &mut Call<'_>) -> Answer {
    let done = match call.capture(0) {
        "Processing" => false,
        "Finished" => true,
        "NotAvailableInThisVersion" => return Err(Refusal::bad("ERROR_PARAMETER_INVALID")),
        id => {
            let id = Uuid::parse_str(id).map_err(|_| absent())?;
            let job = call.account.enrolments.get_mut(&id).ok_or_else(absent)?;
            job.polls += 1;
            return ok(enrolment(job));
        }
    };
    let mut found: Vec<_> = call.account.enrolments.values().filter(|job| job.done == done).collect();
    found.sort_by_key(|job| (job.created, job.id));
    ok(call.page()?.cut(found).into_iter().map(enrolment).collect())
}

pub(super) fn enrolment_faults(call: &mut Call<'_>) -> Answer {
    let id = Uuid::parse_str(call.capture(0)).map_err(|_| absent())?;
    let job = call.account.enrolments.get(&id).ok_or_else(absent)?;
    if !job.done {
        return Err(Refusal::bad("ERROR_ENROLMENT_IS_PROCESSING"));
    }
    let mut out = "Id,Email,TelephoneNumber,Reason\r\n".to_owned();
    for (contact, email, mobile, reason) in &job.faults {
        out.push_str(&csv::line([contact.to_string().as_str(), email, mobile, reason].into_iter()));
    }
    Ok(Reply::Csv(out))
}
