//! People who are opted out here and subscribed there: somebody subscribed again. With consent that is newer, dated and shown,
//! the opt-out is lifted; without, it stays, and the run says so. Whom the service waited for is let in when it waits no more.
//! What the service has not been told yet says nothing.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Consent, Contact, Include, Person, Status};

use crate::suppressions::lift::{self, Yes};
use crate::suppressions::rows::{self, Origin, Row};
use crate::sync::{Halt, Turn};

pub(super) async fn look(turn: &mut Turn, page: &[Contact]) -> Result<(), Halt> {
    let mailable =
        |contact: &&Contact| contact.email.as_ref().is_some_and(|channel| channel.status.mailable());
    let address = |contact: &Contact| normal(contact.names.email.as_deref().unwrap_or_default());
    let addresses: Vec<String> = page.iter().filter(mailable).map(address).collect();
    let account = turn.account.name.clone();
    let known =
        turn.read(move |tx| async move { rows::load(tx, &account, &addresses).await }.boxed()).await?;
    let out = |row: &&Row| row.active && row.told_service;
    let back: Vec<(&Contact, Row)> = page
        .iter()
        .filter(mailable)
        .filter_map(|contact| Some((contact, known.get(&address(contact)).filter(out)?.clone())))
        .collect();
    if back.is_empty() {
        return Ok(());
    }
    let people: Vec<Person> = back.iter().map(|(contact, _)| Person::Id(contact.id.clone())).collect();
    let include = Include { consents: true, ..Include::default() };
    let found = turn.account.service.find_contacts(&people, &include).await?;
    let mut without = 0;
    for ((_, row), found) in back.into_iter().zip(found) {
        let status = found.as_ref().and_then(|found| Some(found.email.as_ref()?.status.clone()));
        let consents = found.and_then(|found| found.consents).unwrap_or_default();
        let newest =
            consents.into_iter().filter(|consent| consent.at > row.since).max_by_key(|consent| consent.at);
        match newest {
            Some(consent) => lift(turn, &row, shown(&consent)).await?,
            None if row.status == Status::PendingOptIn && status == Some(Status::Subscribed) => {
                lift(turn, &row, confirmed(turn.now())).await?;
            }
            None => without += 1,
        }
    }
    turn.counts.skip("subscribed again without newer consent", without);
    Ok(())
}

fn shown(consent: &Consent) -> Yes {
    Yes {
        at: consent.at,
        source: "consent record of the service".to_owned(),
        actor: String::new(),
        proof: [&consent.text, &consent.url, &consent.ip, &consent.user_agent]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// Whom the service waited for and now mails has said yes to it.
fn confirmed(now: Timestamp) -> Yes {
    Yes {
        at: now,
        source: "status at the service".to_owned(),
        actor: String::new(),
        proof: "the service waited for a confirmation, and has the person as subscribed now".to_owned(),
    }
}

async fn lift(turn: &mut Turn, row: &Row, yes: Yes) -> Result<(), Halt> {
    let (ids, now, account, address) =
        (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), row.address.clone());
    let stored = turn.page("marketing.subscribed_again", move |tx, counts| {
        async move {
            let lifted = lift::lift(tx, &ids, now, &account, Origin::Service, &address, &yes).await?;
            if !matches!(lifted, lift::Lifted::Done(_)) {
                counts.skip("subscribed again without newer consent", 1);
            }
            Ok(())
        }
        .boxed()
    });
    Ok(stored.await?)
}
