//! Delivery by the server's own `DeliverIncomingEmail`, where the CRM can.

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::{
    Change, Code, Content, Delivered, Delivery, Filter, Importance, IncomingMail, Query, ReasonCode, Record,
    RecordRef,
};

use super::{Bench, Verdict, ensure, holds};

const FILE: &[u8] = &[0, 0xff, b'\r', b'\n', 7];

impl Bench {
    /// Whether the CRM delivers at all; what it cannot is another case.
    async fn delivers(&self) -> Result<bool, String> {
        let can = self.crm.capabilities().await.map_err(|fault| format!("capabilities: {fault}"))?;
        Ok(can.deliver_incoming)
    }

    fn incoming(&self, name: &str, from: &str, to: &str) -> IncomingMail {
        IncomingMail {
            message_id: format!("<{name}.{}@customer.example>", self.mark),
            subject: format!("Offer {name}"),
            from: from.to_owned(),
            to: vec![to.to_owned()],
            cc: Vec::new(),
            bcc: Vec::new(),
            received_on: "2026-11-01T09:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
            submitted_by: from.to_owned(),
            importance: Importance::High,
            body: Content::Bytes(Bytes::from_static(b"<p>Dear Sir,</p>")),
            attachments: Vec::new(),
            in_reply_to: None,
        }
    }

    /// A queue that takes all mail, and its address.
    async fn desk(&self) -> Result<(Record, String), String> {
        let address = self.address("desk");
        let queue = self.queue().with("emailaddress", address.as_str());
        self.create(std::slice::from_ref(&queue)).await?;
        Ok((queue, address))
    }

    /// Deliveries that the CRM must answer.
    async fn hand_in(&self, mails: Vec<IncomingMail>) -> Result<Vec<Delivery>, String> {
        let count = mails.len();
        let answers = self.crm.deliver(mails, false).await;
        ensure!(answers.len() == count, "{count} mails gave {} answers", answers.len());
        answers.into_iter().map(|answer| answer.map_err(|fault| format!("deliver: {fault}"))).collect()
    }

    async fn with_id(&self, mail: &IncomingMail) -> Result<usize, String> {
        let filter = Filter::eq("messageid", mail.message_id.as_str());
        Ok(self.rows(Query::of("email").select(&[]).filter(filter)).await?.len())
    }
}

fn taken(delivery: &Delivery) -> Result<&Delivered, String> {
    match delivery {
        Delivery::Delivered(delivered) => Ok(delivered),
        other => Err(format!("the mail was not delivered: {other:?}")),
    }
}

pub(super) async fn a_crm_that_cannot_deliver_says_so(bench: Bench) -> Verdict {
    if bench.delivers().await? {
        return Ok(());
    }
    let answers = bench.crm.deliver(vec![bench.incoming("a", "a@x.example", "b@x.example")], false).await;
    ensure!(answers.len() == 1, "one mail gave {} answers", answers.len());
    super::refusal("deliver", answers.into_iter().next().unwrap_or(Ok(UNSEEN)), Code::CRM_REFUSED, "rows")
}

const UNSEEN: Delivery = Delivery::Refused(ReasonCode::Unknown);

pub(super) async fn a_mail_is_delivered_with_its_parts(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (queue, desk) = bench.desk().await?;
    let anna = bench.contact("Anna").with("emailaddress1", bench.address("anna"));
    bench.create(std::slice::from_ref(&anna)).await?;
    let file = Record::new(RecordRef::new("activitymimeattachment", bench.ids.next()));
    let file = file.with("filename", "a.bin").with("mimetype", "application/octet-stream");
    let mail = IncomingMail {
        cc: vec![bench.address("who")],
        attachments: vec![file.with("body", Content::Bytes(Bytes::from_static(FILE)))],
        ..bench.incoming("parts", &bench.address("anna"), &desk)
    };
    let answers = bench.hand_in(vec![mail.clone()]).await?;
    let delivered = taken(&answers[0])?;
    ensure!(delivered.new, "a new mail was there already");
    let at = RecordRef::new("email", delivered.email);
    let row = bench.found(&at).await?;
    let wanted = Record::new(at.clone())
        .with("subject", mail.subject.as_str())
        .with("messageid", mail.message_id.as_str())
        .with("directioncode", false)
        .with("prioritycode", 2)
        .with("statecode", 1)
        .with("statuscode", 4);
    holds(&row, &wanted)?;
    ensure!(bench.body(row.get("description")).await? == b"<p>Dear Sir,</p>", "the body is another");
    for (mask, who) in [(1, Some(&anna.at)), (2, Some(&queue.at)), (3, None)] {
        let of = Filter::All(vec![
            Filter::eq("activityid", at.clone()),
            Filter::eq("participationtypemask", mask),
        ]);
        let parties = bench.rows(Query::of("activityparty").filter(of)).await?;
        ensure!(parties.len() == 1, "{} parties of kind {mask}", parties.len());
        ensure!(parties[0].lookup("partyid") == who, "party {mask} is {:?}", parties[0].get("partyid"));
    }
    let of_mail = Filter::eq("objectid", at.clone());
    let files = bench.rows(Query::of("activitymimeattachment").filter(of_mail.clone())).await?;
    ensure!(files.len() == 1, "{} attachments were found", files.len());
    ensure!(bench.body(files[0].get("body")).await? == FILE, "the attachment's bytes are others");
    let items = bench.rows(Query::of("queueitem").filter(of_mail)).await?;
    ensure!(items.len() == 1, "{} queue items were found", items.len());
    Ok(())
}

/// A worker that died after the CRM's answer delivers again.
pub(super) async fn a_mail_delivered_again_is_found(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let mail = bench.incoming("again", &bench.address("anna"), &desk);
    let first = bench.hand_in(vec![mail.clone()]).await?;
    let second = bench.hand_in(vec![mail.clone()]).await?;
    let (first, second) = (taken(&first[0])?, taken(&second[0])?);
    ensure!(first.new && !second.new, "new: {}, then {}", first.new, second.new);
    ensure!(first.email == second.email, "it was found as another activity");
    ensure!(bench.with_id(&mail).await? == 1, "it is not there once");
    Ok(())
}

pub(super) async fn a_mail_twice_in_one_lot_is_there_once(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let mail = bench.incoming("twice", &bench.address("anna"), &desk);
    let answers = bench.hand_in(vec![mail.clone(), mail.clone()]).await?;
    let (first, second) = (taken(&answers[0])?, taken(&answers[1])?);
    ensure!(first.email == second.email, "it became two activities");
    ensure!(bench.with_id(&mail).await? == 1, "it is not there once");
    Ok(())
}

/// A Message-ID that two mails use is no reason to take the one for the other.
pub(super) async fn another_mail_with_its_id_is_refused(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let mail = bench.incoming("used", &bench.address("anna"), &desk);
    let other = IncomingMail { from: bench.address("ben"), subject: "Another".into(), ..mail.clone() };
    taken(&bench.hand_in(vec![mail.clone()]).await?[0])?;
    let answers = bench.hand_in(vec![other]).await?;
    ensure!(answers[0] == Delivery::Refused(ReasonCode::Duplicate), "it gave {:?}", answers[0]);
    ensure!(bench.with_id(&mail).await? == 1, "the first is not there alone");
    Ok(())
}

pub(super) async fn what_nobody_takes_is_refused_alone(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let good = |name: &str| bench.incoming(name, &bench.address("anna"), &desk);
    let bad = bench.incoming("bad", &bench.address("anna"), &bench.address("nobody"));
    let answers = bench.hand_in(vec![good("one"), bad.clone(), good("two")]).await?;
    taken(&answers[0])?;
    ensure!(answers[1] == Delivery::Refused(ReasonCode::NoRecipientMatch), "it gave {:?}", answers[1]);
    taken(&answers[2])?;
    ensure!(bench.with_id(&bad).await? == 0, "what was refused is there");
    Ok(())
}

pub(super) async fn a_question_writes_nothing(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let good = bench.incoming("asked", &bench.address("anna"), &desk);
    let bad = bench.incoming("asked-too", &bench.address("anna"), &bench.address("nobody"));
    let ask = || async {
        let answers = bench.crm.deliver(vec![good.clone(), bad.clone()], true).await;
        answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(|fault| format!("the question: {fault}"))
    };
    let refused = Delivery::Refused(ReasonCode::NoRecipientMatch);
    let answers = ask().await?;
    ensure!(answers == [Delivery::Accepted(ReasonCode::AcceptAll), refused.clone()], "it gave {answers:?}");
    ensure!(bench.with_id(&good).await? == 0, "the question wrote the mail");
    let delivered = bench.hand_in(vec![good.clone()]).await?;
    let email = taken(&delivered[0])?.email;
    let there = Delivery::Delivered(Delivered { email, new: false, shortened: false });
    let answers = ask().await?;
    ensure!(answers == [there, refused], "once it is there it gave {answers:?}");
    Ok(())
}

/// A user takes replies only, as users do who never said anything.
pub(super) async fn a_reply_finds_its_parent_in_the_same_lot(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let uma = bench.address("uma");
    let user = bench.user().await?.with("internalemailaddress", uma.as_str());
    bench.must(Change::Create(user)).await?;
    let anna = bench.address("anna");
    let parent = bench.incoming("parent", &anna, &desk);
    let reply =
        IncomingMail { in_reply_to: Some(parent.message_id.clone()), ..bench.incoming("reply", &anna, &uma) };
    let stray = IncomingMail {
        in_reply_to: Some(format!("<nothing.{}@customer.example>", bench.mark)),
        ..bench.incoming("stray", &anna, &uma)
    };
    let answers = bench.hand_in(vec![parent, reply, stray]).await?;
    taken(&answers[0])?;
    taken(&answers[1])?;
    ensure!(answers[2] == Delivery::Refused(ReasonCode::NoRecipientMatch), "it gave {:?}", answers[2]);
    Ok(())
}

pub(super) async fn many_mails_keep_their_order(bench: Bench) -> Verdict {
    if !bench.delivers().await? {
        return Ok(());
    }
    let (_, desk) = bench.desk().await?;
    let anna = bench.address("anna");
    let mails: Vec<IncomingMail> =
        (0..40).map(|number| bench.incoming(&format!("many{number}"), &anna, &desk)).collect();
    let answers = bench.hand_in(mails.clone()).await?;
    for (mail, answer) in mails.iter().zip(&answers) {
        let row = bench.found(&RecordRef::new("email", taken(answer)?.email)).await?;
        let found = row.text("messageid");
        ensure!(found == Some(mail.message_id.as_str()), "{found:?} answers for {}", mail.message_id);
    }
    Ok(())
}
