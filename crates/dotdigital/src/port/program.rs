//! Programs and enrolments, by v2.

use async_trait::async_trait;
use postroom_core::Fault;
use postroom_core::marketing::{
    Ask as Part, Audience, ContactId, Enrolment, EnrolmentFault, EnrolmentId, EnrolmentStatus, ListId, Page,
    Program, ProgramId, Programs, SegmentId,
};
use postroom_formats::csv::Table;
use serde_json::json;

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::client::Trouble;
use crate::wire::Row;

#[async_trait]
impl Programs for Dotdigital {
    async fn programs(&self, ask: &Part) -> Result<Page<Program>, Fault> {
        self.page(|| Ask::get("/v2/programs", &[]), ask, PAGE, program).await
    }

    async fn enrol(&self, program: &ProgramId, who: &Audience) -> Result<Enrolment, Fault> {
        let lists = who.lists().iter().map(|ListId(id)| *id);
        let lists: Vec<i64> = lists.chain(who.segments().iter().map(|SegmentId(id)| *id)).collect();
        let people: Vec<i64> = who.people().iter().map(|ContactId(id)| *id).collect();
        let body = json!({ "programId": program.0, "contacts": people, "addressBooks": lists });
        self.one(Ask::post("/v2/programs/enrolments", &[]).json(&body).urgent(), enrolment).await
    }

    async fn enrolment(&self, id: &EnrolmentId) -> Result<Enrolment, Fault> {
        self.one(Ask::get("/v2/programs/enrolments/{}", &[&id.0]), enrolment).await
    }

    async fn enrolments(&self, status: &EnrolmentStatus, ask: &Part) -> Result<Page<Enrolment>, Fault> {
        self.page(|| Ask::get("/v2/programs/enrolments/{}", &[status.as_str()]), ask, PAGE, enrolment).await
    }

    async fn enrolment_faults(&self, id: &EnrolmentId) -> Result<Option<Vec<EnrolmentFault>>, Fault> {
        let ask = Ask::get("/v2/programs/enrolments/{}/report-faults", &[&id.0]);
        match self.client.whole(&ask).await {
            Ok((_, body)) => Ok(Some(faults(&body))),
            Err(Trouble::Refused(refusal)) if refusal.constant == "ERROR_ENROLMENT_IS_PROCESSING" => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

fn program(row: &Row<'_>) -> Option<Program> {
    Some(Program {
        id: ProgramId(row.id("id")?),
        name: row.string("name"),
        status: row.word("status"),
        created: row.moment("dateCreated"),
    })
}

fn enrolment(row: &Row<'_>) -> Option<Enrolment> {
    Some(Enrolment {
        id: EnrolmentId(row.some_text("id")?),
        program: ProgramId(row.int("programId")?),
        status: row.word("status"),
        created: row.moment("dateCreated"),
        people: row.ints("contacts").into_iter().map(ContactId).collect(),
        lists: row.ints("addressBooks").into_iter().map(ListId).collect(),
    })
}

fn faults(csv: &[u8]) -> Vec<EnrolmentFault> {
    let table = Table::read(csv);
    let fault = |row: &Vec<String>| EnrolmentFault {
        contact: table.cell(row, "Id").parse().ok().map(ContactId),
        email: table.cell(row, "Email").to_owned(),
        reason: table.cell(row, "Reason").to_owned(),
    };
    table.rows.iter().map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let csv = b"Id,Email,TelephoneNumber,Reason\r\n7,o'brien+x@example.com,,AlreadyInProgram\r\n,a@x,,Unsubcribed\r\n";
        let found = faults(csv);
        assert_eq!(found[0].contact, Some(ContactId(7)));
        assert_eq!((found[1].contact.clone(), found[1].reason.as_str()), (None, "Unsubcribed"));
    }
}
