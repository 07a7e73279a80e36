//! What goes wrong on the way: nothing is lost, and nothing doubled, whatever the server can.

use std::sync::Arc;

use postroom_core::{Change, ChangeSet, Crm, Filter, Ids, Query, Record, RecordRef};
use postroom_crm::soap::Soap;
use postroom_embedded::soap::{Generation, Settings};

use crate::every_call::side_by_side;
use crate::faults::{answer, check, introduce, known, mail, tell};
use crate::server::{Harm, Mood, On, Server, on_both};

on_both!(limits_are_obeyed, away_and_back, lost_answers_are_looked_for, cut_answers_are_looked_for);

/// Every server that writes sets in another way.
const SERVERS: [Generation; 3] = [Generation::Crm2011, Generation::Crm2011Ur12, Generation::Dataverse];

async fn server(on: On, generation: Generation) -> Server {
    let server = Server::new(on).await;
    server.be(Settings { generation, ..Settings::default() });
    server
}

async fn over_soap(on: On, mood: impl Fn(usize) -> Mood) {
    let client = |server: &Server| Arc::new(server.soap_with(|settings| settings.batch = 12)) as Arc<dyn Crm>;
    for generation in SERVERS {
        check(async || server(on, generation).await, client, &mood, &[2, 3]).await;
    }
}

async fn limits_are_obeyed(on: On) {
    over_soap(on, Mood::Limits).await;
}

async fn away_and_back(on: On) {
    over_soap(on, Mood::Away).await;
}

async fn lost_answers_are_looked_for(on: On) {
    over_soap(on, Mood::Lost).await;
}

async fn cut_answers_are_looked_for(on: On) {
    over_soap(on, Mood::Cut).await;
}

/// One call after the other goes wrong, once, until the story takes fewer calls.
async fn every_call_once(generation: Generation, harm: Harm) {
    let make = async || Lane::new(generation).await;
    side_by_side("story", 3, make, async |lane, nth| lane.told(nth, harm).await).await;
}

/// A server of its own, and a client that has read its definitions.
struct Lane {
    generation: Generation,
    server: Server,
    client: Soap,
    ids: Ids,
    rows: Vec<Record>,
}

impl Lane {
    async fn new(generation: Generation) -> Lane {
        let (server, ids) = (server(On::Sqlite, generation).await, Ids::random());
        let (rows, client) = (known(&server, &ids).await, server.soap());
        introduce(&client).await;
        Lane { generation, server, client, ids, rows }
    }

    fn sets(&self, mark: &str) -> Vec<Vec<Change>> {
        let new = || Record::new(RecordRef::new("contact", self.ids.next())).with("lastname", mark);
        let mut sets = vec![
            vec![Change::Create(new())],
            vec![Change::Create(new()), Change::CreateNew(new())],
            vec![Change::Update(Record::new(self.rows[0].at.clone()).with("jobtitle", mark))],
            mail(&self.ids, 0),
        ];
        if let Some(Change::Create(email)) = sets[3].first_mut() {
            *email = email.clone().with("messageid", mark);
        }
        let answered = answer(&sets[3], mail(&self.ids, 1));
        sets.push(answered);
        sets
    }

    /// Whether the story has an nth call.
    async fn told(&self, nth: usize, harm: Harm) -> bool {
        let mark = format!("Story {nth}");
        let sets = self.sets(&mark);
        let email = match &sets[3][0] {
            Change::Create(email) => email.at.clone(),
            other => panic!("{other:?}"),
        };
        let sets: Vec<ChangeSet> = sets.into_iter().map(|changes| ChangeSet { changes }).collect();
        let before = self.server.calls();
        tell(&self.server, &self.client, Mood::Once(before + nth, harm), &sets).await;
        let count = async |table: &str, filter: Filter| {
            self.server.embedded.query(&Query::of(table).select(&[]).filter(filter)).await.unwrap().len()
        };
        let what = format!("{:?}, {harm:?} at call {nth}", self.generation);
        assert_eq!(count("contact", Filter::eq("lastname", mark.as_str())).await, 3, "{what}");
        assert_eq!(count("contact", Filter::eq("jobtitle", mark.as_str())).await, 1, "{what}");
        let done = Filter::All(vec![Filter::eq("messageid", mark.as_str()), Filter::eq("statuscode", 4)]);
        assert_eq!(count("email", done).await, 1, "{what}");
        let from = Filter::All(vec![
            Filter::eq("activityid", email.clone()),
            Filter::eq("participationtypemask", 1),
        ]);
        assert_eq!(count("activityparty", from).await, 1, "{what}");
        assert_eq!(count("activitymimeattachment", Filter::eq("objectid", email)).await, 1, "{what}");
        self.server.calls() >= before + nth
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_an_old_server_goes_wrong_once() {
    for harm in [Harm::Limit, Harm::Away, Harm::Lost, Harm::Cut] {
        every_call_once(Generation::Crm2011, harm).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_server_with_batches_goes_wrong_once() {
    for harm in [Harm::Limit, Harm::Away, Harm::Lost, Harm::Cut] {
        every_call_once(Generation::Crm2011Ur12, harm).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_new_server_goes_wrong_once() {
    for harm in [Harm::Limit, Harm::Away, Harm::Lost, Harm::Cut] {
        every_call_once(Generation::Dataverse, harm).await;
    }
}
