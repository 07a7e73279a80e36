//! A mail as the tracking rules write it: the email row, its parties and attachments in one set.

use bytes::Bytes;
use postroom_core::{Change, Content, Filter, Outcome, Query, Record, RecordRef};

use super::{Bench, Verdict, ensure, holds};

/// Any bytes are an attachment.
const PICTURE: &[u8] = &[0x89, b'P', b'N', b'G', 0, 0xff, b'\r', b'\n'];

/// An email regarding `regarding`, with a sender, a recipient that is nobody's, and an attachment.
fn mail(bench: &Bench, sender: &Record, regarding: &RecordRef) -> Vec<Record> {
    let email = bench.email("Offer").with("description", "<p>Dear Sir,</p>");
    let email = email.with("messageid", format!("<{}@customer.example>", bench.mark));
    let email = email.with("statecode", 1).with("statuscode", 4).with("regardingobjectid", regarding.clone());
    let party = |mask: i64| {
        let party = Record::new(RecordRef::new("activityparty", bench.ids.next()));
        party.with("activityid", email.at.clone()).with("participationtypemask", mask)
    };
    let from = party(1).with("partyid", sender.at.clone()).with("addressused", bench.address("anna"));
    let to = party(2).with("addressused", "nobody@ours.example");
    let attachment = Record::new(RecordRef::new("activitymimeattachment", bench.ids.next()));
    let attachment = attachment.with("objectid", email.at.clone()).with("objecttypecode", "email");
    let attachment = attachment.with("filename", "picture.png").with("mimetype", "image/png");
    let attachment = attachment.with("body", Content::Bytes(Bytes::from_static(PICTURE)));
    vec![email, from, to, attachment]
}

pub(super) async fn a_mail_is_written_in_one_set(bench: Bench) -> Verdict {
    let sender = bench.contact("Anna");
    bench.create(std::slice::from_ref(&sender)).await?;
    let rows = mail(&bench, &sender, &sender.at);
    bench.create(&rows).await?;
    let email = &rows[0];
    let row = bench.found(&email.at).await?;
    let state =
        Record::new(email.at.clone()).with("statecode", 1).with("statuscode", 4).with("subject", "Offer");
    holds(&row, &state)?;
    ensure!(bench.body(row.get("description")).await? == b"<p>Dear Sir,</p>", "the description is another");

    let of_mail = Filter::eq("activityid", email.at.clone());
    let from = Filter::All(vec![of_mail, Filter::eq("participationtypemask", 1)]);
    let parties = bench.rows(Query::of("activityparty").filter(from)).await?;
    ensure!(parties.len() == 1, "{} senders were found", parties.len());
    ensure!(
        parties[0].lookup("partyid") == Some(&sender.at),
        "the sender is {:?}",
        parties[0].get("partyid")
    );

    let of_mail = Filter::eq("objectid", email.at.clone());
    let attachments = bench.rows(Query::of("activitymimeattachment").filter(of_mail)).await?;
    ensure!(attachments.len() == 1, "{} attachments were found", attachments.len());
    ensure!(bench.body(attachments[0].get("body")).await? == PICTURE, "the attachment's bytes are others");
    Ok(())
}

/// A worker that died after the CRM's answer writes the same again.
pub(super) async fn writing_a_mail_again_changes_nothing(bench: Bench) -> Verdict {
    let sender = bench.contact("Anna");
    bench.create(std::slice::from_ref(&sender)).await?;
    let rows = mail(&bench, &sender, &sender.at);
    bench.create(&rows).await?;
    let again = rows.iter().cloned().map(Change::Create).collect();
    let outcomes = bench.apply(again).await.map_err(|fault| format!("the second time: {fault}"))?;
    ensure!(outcomes == vec![Outcome::Unchanged; rows.len()], "the second time gave {outcomes:?}");
    // The CRM may add parties of its own, for the regarding record and the owner.
    let masks = Filter::In("participationtypemask".to_owned(), vec![1.into(), 2.into()]);
    let ours = Filter::All(vec![Filter::eq("activityid", rows[0].at.clone()), masks]);
    let found = bench.rows(Query::of("activityparty").filter(ours)).await?;
    ensure!(found.len() == 2, "the mail has {} parties, not two", found.len());
    Ok(())
}

/// A person may correct where a mail was filed, also when it is completed.
pub(super) async fn a_mail_moves_to_another_record(bench: Bench) -> Verdict {
    let (wrong, right) = (bench.contact("Anna"), bench.account());
    bench.create(&[wrong.clone(), right.clone()]).await?;
    let rows = mail(&bench, &wrong, &wrong.at);
    bench.create(&rows).await?;
    let change = Record::new(rows[0].at.clone()).with("regardingobjectid", right.at.clone());
    bench.must(Change::Update(change.clone())).await?;
    holds(&bench.found(&rows[0].at).await?, &change)
}

pub(super) async fn a_large_body_reads_back(bench: Bench) -> Verdict {
    let text = format!("<p>{}</p>", "Grüße aus Köln. ".repeat(20_000));
    let email = bench.email("Long").with("description", text.as_str());
    bench.create(std::slice::from_ref(&email)).await?;
    let row = bench.found(&email.at).await?;
    let found = bench.body(row.get("description")).await?;
    ensure!(found == text.as_bytes(), "{} bytes came back as {}", text.len(), found.len());
    Ok(())
}
