//! Whom a request row names: nobody is never everybody, and its lists may come after it.

use jiff::SignedDuration;
use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Crm, Record, RecordRef};
use postroom_marketing::sends::state::State;

use crate::bench::{On, on_all};
use crate::lab::Lab;

on_all!(an_empty_list_never_becomes_everyone, lists_may_be_tied_to_a_request_that_stands);

async fn an_empty_list_never_becomes_everyone(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.campaign("Spring").await;
    let names = Names { email: Some("stranger@x.example".to_owned()), ..Names::default() };
    let person = ContactRow { names, ..ContactRow::default() };
    lab.account().service.patch_contact(&person, Default::default()).await.unwrap();
    let empty = lab.list(1, &[]).await;
    let nobody = lab.request(1, &campaign, &empty, 0).await;
    let no_list = lab.request_by(&lab.crm, 2, &campaign, &[], |row| row.with("esc_expectedcount", 0)).await;
    let out = lab.contact(7, "out@x.example").await;
    lab.write(Record::new(out.clone()).with("donotbulkemail", true)).await;
    let all_out = lab.list(2, &[out]).await;
    let all_out = lab.request(3, &campaign, &all_out, 1).await;
    lab.minutes(4).await;
    let (status, error) = lab.shown(no_list).await;
    assert!(status == "Requested" && error.contains("names no list yet"), "{status} {error}");
    lab.advance(SignedDuration::from_mins(60));
    lab.minutes(4).await;
    for (send, why) in
        [(nobody, "nobody would be mailed"), (no_list, "names no list"), (all_out, "nobody would")]
    {
        let (status, error) = lab.shown(send).await;
        assert!(status == "Failed" && error.contains(why), "{status} {error}");
    }
    assert_eq!(lab.calls_to_send(), 0);
}

async fn lists_may_be_tied_to_a_request_that_stands(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let send = lab.request_by(&lab.crm, 1, &campaign, &[], |row| row.with("esc_expectedcount", 3)).await;
    lab.minutes(3).await;
    assert_eq!(lab.shown(send).await.0, "Requested");
    lab.crm.associate("esc_emailsend_list", &RecordRef::new("esc_emailsend", send), &[list]).await.unwrap();
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}
