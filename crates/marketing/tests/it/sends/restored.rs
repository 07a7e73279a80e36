//! Sends after the database was put back: it does not know what went out since.

use jiff::SignedDuration;
use postroom_core::Record;
use postroom_core::marketing::{Audience, CampaignId, ContactId, SendOrder, SendTime};
use postroom_marketing::sends::Decision;
use postroom_marketing::sends::state::State;

use crate::bench::{On, on_all};
use crate::lab::Lab;
use crate::office::ODD;

on_all!(after_a_restore_what_may_have_gone_out_asks);

async fn after_a_restore_what_may_have_gone_out_asks(on: On) {
    let lab = Lab::new(on).await;
    let (campaign, list) = lab.three().await;
    let due = lab.clock.now() + SignedDuration::from_hours(2);
    let lists = std::slice::from_ref(&list);
    let row = |row: Record| row.with("esc_expectedcount", 3).with("esc_scheduledsenddate", due);
    let send = lab.request_by(&lab.crm, 1, &campaign, lists, row).await;
    lab.until(send, State::Due).await;
    let unread = lab.request(2, &lab.campaign("Summer").await, &list, 3).await;
    // The database that was lost had sent it to one of them.
    let one = ContactId(lab.world.person(1, ODD).unwrap().id.into());
    let order = SendOrder {
        campaign: CampaignId(campaign.id),
        to: Audience::new(vec![], vec![], vec![one]).unwrap(),
        when: SendTime::Now,
        split: None,
    };
    lab.account().service.send(&order).await.unwrap();
    let asked = lab.engine.ask_after_restore().await.unwrap();
    assert_eq!((asked.sends, asked.singles), (1, 0));
    lab.advance(SignedDuration::from_hours(3));
    lab.minutes(3).await;
    assert_eq!((lab.shown(send).await.0.as_str(), lab.calls_to_send()), ("Awaiting approval", 1));
    assert_eq!(lab.shown(unread).await.0, "Awaiting approval", "the row was there before");
    lab.engine.decide(send, "anna", Decision::GoOn).await.unwrap();
    lab.minutes(3).await;
    lab.engine.decide(send, "anna", Decision::Expect(2)).await.unwrap();
    lab.until(send, State::Sent).await;
    assert_eq!(lab.mailed(campaign.id).len(), 3);
    lab.judge();
}
