//! Sends, by v2, and single mails by v2 and the marketing mail service of v3. Nothing here is sent twice.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::marketing::{
    Ask as Part, Behaviour, Campaigns, ContactId, ListId, Lists, Personal, SegmentId, SendId, SendOrder,
    SendTime, Sends, Sent, SingleContent, SingleSend, Split, Traces,
};
use postroom_core::{Code, Fault, Verdict};
use serde_json::{Map, Value, json};

use super::Dotdigital;
use super::contact::needs_v3;
use super::rows::{Document, Members};
use crate::ask::Ask;
use crate::date;
use crate::refusal::Refusal;
use crate::sink::Whole;
use crate::wire::{Piece, Row};

/// Single mails in one call.
const LOT: usize = 100;
const TRIGGERED: &str = "/v2/email/triggered-campaign/batch";
const WRITTEN: &str = "/v2/email/batch";
const MARKETING: &str = "/marketing-email/v3/batch";

#[async_trait]
impl Sends for Dotdigital {
    async fn send(&self, order: &SendOrder) -> Result<Sent, Fault> {
        let route = match (order.when, &order.split) {
            (SendTime::Optimised, None) => "/v2/campaigns/send-time-optimised",
            (SendTime::Optimised, Some(_)) => {
                let text = "a split test needs a time of its own: send now or at a time";
                return Err(Fault::reject(Code::MARKETING_STATE, text));
            }
            _ => "/v2/campaigns/send",
        };
        let ask = Ask::post(route, &[]).json(&send_body(order)?).urgent();
        self.one(ask, sent).await
    }

    async fn send_status(&self, id: &SendId) -> Result<Sent, Fault> {
        self.one(Ask::get("/v2/campaigns/send/{}", &[&id.0]), sent).await
    }

    async fn traces(&self, order: &SendOrder, since: Timestamp) -> Result<Traces, Fault> {
        let mut traces = Traces::default();
        if let Some(campaign) = self.campaign(&order.campaign).await? {
            traces.campaign = campaign.status.as_str().to_owned();
        }
        for list in order.to.lists() {
            if self.list_has_campaign(list, order).await? {
                traces.lists.push(list.clone());
            }
        }
        let people = order.to.people();
        let named = |contact: &Option<ContactId>| {
            people.is_empty() || contact.as_ref().is_some_and(|contact| people.contains(contact))
        };
        let page = self.recipients(&order.campaign, Some(since), &Part::default()).await?;
        // The service's clock has whole seconds in places: a second of grace.
        let from = since - jiff::SignedDuration::from_secs(1);
        let hers = page.rows.iter().filter(|row| named(&row.contact));
        let times: Vec<Timestamp> = hers.filter_map(|row| row.sent_at).filter(|at| *at >= from).collect();
        traces.recipients = times.len() as u64;
        traces.first = times.into_iter().min();
        Ok(traces)
    }

    async fn send_single(&self, mails: &[SingleSend]) -> Vec<Result<(), Fault>> {
        let mut answers: Vec<Option<Result<(), Fault>>> = mails.iter().map(|_| None).collect();
        for route in [TRIGGERED, WRITTEN, MARKETING] {
            let ours: Vec<usize> =
                (0..mails.len()).filter(|at| route_of(&mails[*at].content) == route).collect();
            for lot in ours.chunks(LOT) {
                let mails: Vec<&SingleSend> = lot.iter().map(|at| &mails[*at]).collect();
                let answered = self.send_lot(route, &mails).await;
                for (at, answer) in lot.iter().zip(answered) {
                    answers[*at] = Some(answer);
                }
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unsaid()))).collect()
    }
}

impl Dotdigital {
    async fn list_has_campaign(&self, list: &ListId, order: &SendOrder) -> Result<bool, Fault> {
        let mut part = Part::default();
        loop {
            let page = self.list_campaigns(list, &part).await?;
            if page.rows.contains(&order.campaign) {
                return Ok(true);
            }
            match page.next {
                Some(next) => part = part.after(next),
                None => return Ok(false),
            }
        }
    }

    /// Mails of one kind, in one call; an answer for each.
    async fn send_lot(&self, route: &'static str, mails: &[&SingleSend]) -> Vec<Result<(), Fault>> {
        if route == MARKETING && !self.v3() {
            return mails.iter().map(|_| Err(needs_v3("single mails of marketing campaigns"))).collect();
        }
        let bodies: Value = mails.iter().map(|mail| mail_body(mail)).collect();
        let ask = Ask::post(route, &[]).json(&bodies).urgent();
        let results =
            if route == MARKETING { self.send_marketing(&ask).await } else { self.send_v2(&ask).await };
        match results {
            Ok(results) => (0..mails.len()).map(|index| results.of(index, route)).collect(),
            Err(fault) => {
                let Fault { verdict, code, message, .. } = fault;
                mails.iter().map(|_| Err(Fault::new(verdict, code, message.clone()))).collect()
            }
        }
    }

    async fn send_marketing(&self, ask: &Ask) -> Result<Results, Fault> {
        let mut sink: Members<Results> = Members::new(ask.route);
        self.client.send(ask, &mut sink).await?;
        Ok(sink.document)
    }

    async fn send_v2(&self, ask: &Ask) -> Result<Results, Fault> {
        let mut sink = Whole::default();
        self.client.send(ask, &mut sink).await?;
        // A single mail is answered with nothing, a batch with a row for each.
        let mut results = Results::default();
        for row in serde_json::from_slice::<Vec<Row<'_>>>(&sink.bytes).unwrap_or_default() {
            results.add(&row);
        }
        Ok(results)
    }
}

/// What became of the mails of a call, by their place in it.
#[derive(Default)]
struct Results(std::collections::BTreeMap<usize, Option<String>>);

impl Results {
    fn add(&mut self, row: &Row<'_>) {
        let Ok(index) = usize::try_from(row.int("index").unwrap_or(-1)) else { return };
        let nested = row.rows("failures").first().and_then(|failure| failure.some_text("failureCode"));
        let failed = row.get("status").is_some() && !row.string("status").eq_ignore_ascii_case("sent");
        let code = row.some_text("failureCode").or(nested).or_else(|| failed.then(String::new));
        self.0.insert(index, code);
    }

    fn of(&self, index: usize, route: &str) -> Result<(), Fault> {
        match self.0.get(&index) {
            Some(None) => Ok(()),
            Some(Some(code)) => Err(Refusal::inside(code).fault()),
            // v2 answers a batch of which nothing failed with nothing at all.
            None if self.0.is_empty() && route != MARKETING => Ok(()),
            None => Err(unsaid()),
        }
    }
}

impl Document for Results {
    fn piece(&mut self, piece: Piece<'_>, bytes: &[u8]) -> Option<()> {
        if piece == Piece::ElementOf("results") {
            self.add(&Row::read(bytes).ok()?);
        }
        Some(())
    }
}

fn unsaid() -> Fault {
    let text = "Dotdigital took the mails and does not say what became of this one";
    Fault::new(Verdict::Unknown, Code::MARKETING_UNKNOWN, text)
}

fn route_of(content: &SingleContent) -> &'static str {
    match content {
        SingleContent::Triggered { .. } => TRIGGERED,
        SingleContent::Marketing { .. } => MARKETING,
        SingleContent::Written { .. } => WRITTEN,
    }
}

fn mail_body(mail: &SingleSend) -> Value {
    let mut body = Map::new();
    let marketing = route_of(&mail.content) == MARKETING;
    match &mail.content {
        SingleContent::Triggered { campaign, values } => {
            body.insert("campaignId".to_owned(), campaign.0.into());
            body.insert("personalizationValues".to_owned(), personal(values));
        }
        SingleContent::Marketing { campaign, values } => {
            let content = json!({
                "source": "template", "campaignId": campaign.0, "personalizationValues": personal(values),
            });
            body.insert("content".to_owned(), content);
        }
        SingleContent::Written { subject, html, text } => {
            body.insert("subject".to_owned(), subject.as_str().into());
            body.insert("htmlContent".to_owned(), html.as_str().into());
            body.insert("plainTextContent".to_owned(), text.as_str().into());
        }
    }
    if marketing {
        body.insert("to".to_owned(), mail.to.as_str().into());
        body.insert("metadata".to_owned(), json!({ "reference": mail.reference }));
    } else {
        body.insert("toAddresses".to_owned(), json!([mail.to]));
        body.insert("metadata".to_owned(), mail.reference.as_str().into());
    }
    if let Some(from) = &mail.from {
        body.insert(if marketing { "from" } else { "fromAddress" }.to_owned(), from.as_str().into());
    }
    Value::Object(body)
}

fn personal(values: &Personal) -> Value {
    values.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The body of a send. It never leaves without somebody named: the service takes that for everybody.
fn send_body(order: &SendOrder) -> Result<Value, Fault> {
    let lists = order.to.lists().iter().map(|ListId(id)| *id);
    let lists: Vec<i64> = lists.chain(order.to.segments().iter().map(|SegmentId(id)| *id)).collect();
    let people: Vec<i64> = order.to.people().iter().map(|ContactId(id)| *id).collect();
    if lists.is_empty() && people.is_empty() {
        return Err(Fault::reject(Code::MARKETING_AUDIENCE, "a send to nobody was not made"));
    }
    let mut body = json!({ "campaignId": order.campaign.0, "addressBookIds": lists, "contactIds": people });
    if let SendTime::At(at) = order.when {
        body["sendDate"] = date::write(at).into();
    }
    if let Some(Split { metric, percent, hours }) = &order.split {
        body["splitTestOptions"] =
            json!({ "testMetric": metric.as_str(), "testPercentage": percent, "testPeriodHours": hours });
    }
    Ok(body)
}

fn sent(row: &Row<'_>) -> Option<Sent> {
    Some(Sent { id: SendId(row.some_text("id")?), status: row.word("status"), at: row.moment("sendDate") })
}
