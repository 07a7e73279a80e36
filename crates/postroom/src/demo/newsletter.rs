//! The fourth act of the demo: a letter to 500 people. Counted, held, handed over; people act; the numbers and an opt-out come
//! back; and the next letter leaves that person out.

use jiff::SignedDuration;
use postroom_core::marketing::{CampaignDraft, Content, ReplyAction};
use postroom_core::{Change, ChangeSet, Code, Fault, Record, RecordRef, RunId};
use postroom_operations::marketing::{RunsWanted, SendAsk, SendView, SyncType};
use postroom_sandbox::dotdigital::Act;
use uuid::Uuid;

use super::marketing::{INGRID, JONAS, bulk_mail, holder};
use super::stage::{Stage, until};
use super::world::ACCOUNT;
use crate::commands::actor;
use crate::report::CliError;

const LIST: &str = "Pump letter";
const PEOPLE: usize = 500;
/// Members of the organisation's own that are on the list: both have left by now.
const KNOWN: [&str; 2] = [INGRID, JONAS];
/// Of those who are new: marked in the CRM, sharing an address with another one, without an address.
const MARKED: usize = 5;
const SHARING: usize = 3;
const NAMELESS: usize = 2;
/// Who would be mailed at first.
const REACHED: u64 = (PEOPLE - KNOWN.len() - MARKED - SHARING - NAMELESS) as u64;

const FIRST: [&str; 25] = [
    "Agnes", "Bruno", "Carla", "Dario", "Elena", "Fabian", "Greta", "Henrik", "Isabel", "Jakob", "Karin",
    "Leon", "Marta", "Nils", "Olga", "Paul", "Renata", "Stefan", "Teresa", "Ulrich", "Vera", "Walter",
    "Yvonne", "Zoltan", "Amélie",
];
const LAST: [&str; 20] = [
    "Berger", "Costa", "Dubois", "Eriksen", "Fischer", "Gruber", "Horvat", "Ibsen", "Jansen", "Keller",
    "Lindberg", "Moser", "Novak", "Olsen", "Petrov", "Rossi", "Schmid", "Tanner", "Vogel", "Wagner",
];
const SHOP: &str = "https://brunnthal.example/spring";
const MANUAL: &str = "https://brunnthal.example/manuals/seals.pdf";

/// Of those whom the letter reached: how many open it, whose provider opens it first, who clicks, who buys.
const OPENED: usize = 180;
const BY_MACHINES: usize = 60;
const CLICKED: usize = 45;
const BOUGHT: usize = 4;

pub async fn play(stage: &mut Stage<'_>) -> Result<(), CliError> {
    stage.out.text("")?;
    stage.out.text("And a letter to 500 people:")?;
    stage.out.text("")?;
    let members = people(stage).await?;
    let spring = letter(stage, "Spring at Brunnthal").await?;
    counted(stage).await?;
    let first = asked(stage).await?;
    let late = members.get(20).cloned().unwrap_or_default();
    held_then_gone(stage, first, &late).await?;
    let leaver = acted(stage, spring, &members, &late).await?;
    came_back(stage, &leaver).await?;
    next_one(stage, &[&late, &leaver]).await
}

/// The list and its members; answers the addresses of those whom the letter may reach, in their order.
async fn people(stage: &mut Stage<'_>) -> Result<Vec<String>, CliError> {
    stage.scene("17 Marketing has a list of 500 people in the CRM, activated for e-mail, and a letter at the service.")?;
    let row = engine(stage)?.connect(engine(stage)?.named(ACCOUNT)?).await?.row();
    let list = RecordRef::new("list", id("list", 0));
    let head = Record::new(list.clone())
        .with("listname", LIST)
        .with("createdfromcode", 2)
        .with("type", false)
        .with("esc_activatedforemail", true)
        .with("esc_emailaccountid", row);
    let mut members: Vec<RecordRef> = Vec::with_capacity(PEOPLE);
    for address in KNOWN {
        members.push(holder(stage, address).await?);
    }
    let (mut rows, mut reached) = (vec![head], Vec::with_capacity(PEOPLE));
    for number in 0..PEOPLE - KNOWN.len() {
        let (contact, address) = person(number);
        let marked = number < MARKED;
        if !marked && number >= MARKED + SHARING + NAMELESS {
            reached.push(address);
        }
        members.push(contact.at.clone());
        rows.push(contact.with("donotbulkemail", marked));
    }
    rows.extend((0..).zip(&members).map(|(number, member)| {
        Record::new(RecordRef::new("listmember", id("listmember", number)))
            .with("listid", list.clone())
            .with("entityid", member.clone())
    }));
    // In one set: rows refer to rows before them.
    let changes = rows.into_iter().map(Change::Create).collect();
    stage.app.filing.crm.apply(vec![ChangeSet { changes }]).await.pop().expect("an answer for the set")?;
    stage.check(members.len() == PEOPLE, "another number of members", "500 members")?;
    Ok(reached)
}

/// Somebody with a believable name; the first ones are marked, share an address, or have none.
fn person(number: usize) -> (Record, String) {
    let (first, last) = (FIRST[number % FIRST.len()], LAST[number / FIRST.len() % LAST.len()]);
    let of =
        |first: &str, last: &str| format!("{}.{}@kunden.example", first.to_lowercase(), last.to_lowercase());
    let sharing = (MARKED..MARKED + SHARING).contains(&number);
    let nameless = (MARKED + SHARING..MARKED + SHARING + NAMELESS).contains(&number);
    // A colleague's: that of somebody who comes later.
    let owner = if sharing { number + 30 } else { number };
    let plain = FIRST[owner % FIRST.len()].replace('é', "e");
    let address = of(&plain, LAST[owner / FIRST.len() % LAST.len()]);
    let row = Record::new(RecordRef::new("contact", id("contact", number)))
        .with("firstname", first)
        .with("lastname", last);
    let row = if nameless { row } else { row.with("emailaddress1", address.as_str()) };
    (row, address)
}

/// The same in each run, so that a demo that is kept meets its own.
fn id(table: &str, number: usize) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_URL,
        format!("https://brunnthal.example/letter/{table}/{number}").as_bytes(),
    )
}

fn engine<'s>(stage: &Stage<'s>) -> Result<&'s postroom_marketing::Engine, Fault> {
    stage.app.engine.as_ref().ok_or_else(|| Fault::bug("the demo has a marketing half"))
}

/// Somebody writes a campaign at the service; answers its number once the CRM knows it.
async fn letter(stage: &mut Stage<'_>, name: &str) -> Result<i64, CliError> {
    let link = |url: &str, text: &str| format!("<p><a href=\"{url}\">{text}</a></p>");
    let leave = "<a href=\"http://$UNSUB$\">Leave</a>";
    let html = format!("{}{}{leave}", link(SHOP, "New pumps"), link(MANUAL, "How to change a seal"));
    let draft = CampaignDraft {
        name: name.to_owned(),
        subject: "Quiet pumps for a loud spring".to_owned(),
        from_name: "Brunnthal Pumps".to_owned(),
        from: None,
        content: Content { html, text: format!("{SHOP}\n{MANUAL}\nhttp://$UNSUB$") },
        reply_action: ReplyAction::Unset,
        reply_to: None,
    };
    let made = engine(stage)?.named(ACCOUNT)?.service.create_campaign(&draft).await?;
    run(stage, SyncType::Campaigns).await?;
    Ok(made.id.0)
}

/// The dry run: nobody is mailed.
async fn counted(stage: &mut Stage<'_>) -> Result<(), CliError> {
    stage.scene("18 Before anything is sent, the letter is counted.")?;
    run(stage, SyncType::Suppressions).await?;
    let lists = [LIST.to_owned()];
    let found = stage.app.operations.audience(&actor(), None, "Spring at Brunnthal", &lists).await?;
    let instead = format!("{} of {} would get it: {:?}", found.to_send, found.people, found.left_out);
    let told = format!("{REACHED} of {PEOPLE} would get it; nothing is written and nobody is mailed");
    stage.check(found.to_send == REACHED && found.people == PEOPLE as u64, &instead, &told)?;
    let left: Vec<String> = found
        .left_out
        .iter()
        .map(|(reason, number)| format!("{number} {}", reason.replace('_', " ")))
        .collect();
    stage.reason(&format!("Left out: {}. It takes {} calls of the service.", left.join(", "), found.calls))
}

fn ask(campaign: &str, expected: u64, at: Option<jiff::Timestamp>) -> SendAsk {
    SendAsk {
        campaign: campaign.to_owned(),
        lists: vec![LIST.to_owned()],
        expected,
        at,
        ..SendAsk::default()
    }
}

/// A wrong number is refused; the right one asks for a send that is held.
async fn asked(stage: &mut Stage<'_>) -> Result<Uuid, CliError> {
    stage
        .scene("19 A send to 500 people is asked for, then one to as many as were counted, for tomorrow.")?;
    let operations = &stage.app.operations;
    let wrong = operations.ask_send(&actor(), &ask("Spring at Brunnthal", PEOPLE as u64, None), false).await;
    let refused = wrong.as_ref().is_err_and(|fault| fault.code == Code::MARKETING_AUDIENCE);
    let reason = wrong.err().map(|fault| fault.message).unwrap_or_default();
    stage.check(refused, "it was taken", "refused: another number than was counted")?;
    stage.reason(&reason)?;
    let tomorrow = stage.app.clock.now().checked_add(SignedDuration::from_hours(24)).ok();
    let order = ask("Spring at Brunnthal", REACHED, tomorrow);
    let asked = stage.app.operations.ask_send(&actor(), &order, false).await?;
    let send = asked.id.ok_or_else(|| Fault::bug("what was asked for has an id"))?;
    let held = follow(stage, send, |send| send.state == "waiting").await?;
    stage.check(
        held.to_send == REACHED,
        &held.text,
        "its people are at the service, and it is held here until its time",
    )?;
    Ok(send)
}

/// Somebody leaves while it is held; then its time is now.
async fn held_then_gone(stage: &mut Stage<'_>, send: Uuid, late: &str) -> Result<(), CliError> {
    stage.scene("20 Meanwhile one of them leaves at the service. Then the send's time is set to now.")?;
    let left = stage.world.service.act(1, late, None, Act::Unsubscribe);
    stage.check(left.is_ok(), left.err().unwrap_or_default(), "one person less")?;
    let now = stage.app.clock.now();
    let row = Record::new(RecordRef::new("esc_emailsend", send)).with("esc_scheduledsenddate", now);
    let set = ChangeSet { changes: vec![Change::Update(row)] };
    stage.app.filing.crm.apply(vec![set]).await.pop().expect("an answer for the set")?;
    let gone = follow(stage, send, has_gone).await?;
    let told = format!("handed over once, to {} people", REACHED - 1);
    stage.check(gone.to_send == REACHED - 1, &format!("{}: {}", gone.to_send, gone.text), &told)?;
    mailed(stage, &[late], REACHED - 1).await
}

fn has_gone(send: &SendView) -> bool {
    matches!(send.state, "sending" | "sent")
}

/// The service's own log is the judge: how many the newest campaign went to, and none of those who left. It mails in its own
/// time.
async fn mailed(stage: &mut Stage<'_>, without: &[&str], number: u64) -> Result<(), CliError> {
    let service = &stage.world.service;
    until("the service's mails", async || {
        let log = service.log(1);
        let newest = log.iter().filter(|mail| mail.mailed).filter_map(|mail| mail.campaign).max();
        let went = log.iter().filter(|mail| mail.campaign == newest && mail.mailed).count();
        Ok((went as u64 == number).then_some(()))
    })
    .await?;
    let log = service.log(1);
    let newest = log.iter().filter_map(|mail| mail.campaign).max();
    let hers = || log.iter().filter(|mail| mail.campaign == newest && mail.mailed);
    let wrong = hers().any(|mail| without.contains(&&*mail.email));
    let instead = format!("the service mailed {} people", hers().count());
    let who = if without.len() == 1 { "the one who left" } else { "those who left" };
    let told = format!("the service mailed {number} people, and not {who}");
    stage.check(hers().count() as u64 == number && !wrong, &instead, &told)
}

/// What people do with it; answers who leaves.
async fn acted(
    stage: &mut Stage<'_>,
    campaign: i64,
    members: &[String],
    late: &str,
) -> Result<String, CliError> {
    stage.scene("21 Machines open it at once; then people do, some click, a few buy, and one leaves.")?;
    let campaign = i32::try_from(campaign).ok();
    let service = &stage.world.service;
    let there: Vec<&String> = members.iter().filter(|address| *address != late).collect();
    // What comes sooner after its mail is taken for a machine's, whatever it says of itself.
    let later = service.now().checked_add(SignedDuration::from_secs(2)).unwrap_or(service.now());
    until("people", async || Ok((service.now() > later).then_some(()))).await?;
    let mut wrong = None;
    let mut act = |address: &str, act: Act| wrong = service.act(1, address, campaign, act).err().or(wrong);
    for (number, address) in there.iter().enumerate() {
        if number < BY_MACHINES {
            act(address, Act::Open { machine: true });
        }
        if number < OPENED {
            act(address, Act::Open { machine: false });
        }
        if number < CLICKED {
            let url = if number % 3 == 0 { MANUAL } else { SHOP };
            act(address, Act::Click { url: url.to_owned() });
        }
        if number < BOUGHT {
            act(address, Act::Buy { marker: "Order".to_owned(), value: 199.5.into() });
        }
    }
    let leaver = there.get(100).map(|address| (*address).clone()).unwrap_or_default();
    act(&leaver, Act::Unsubscribe);
    stage.check(wrong.is_none(), wrong.unwrap_or_default(), "done at the service")?;
    Ok(leaver)
}

/// The numbers in the report, and the opt-out in the CRM.
async fn came_back(stage: &mut Stage<'_>, leaver: &str) -> Result<(), CliError> {
    stage.scene("22 The numbers come back, and the opt-out.")?;
    for sync_type in [SyncType::Suppressions, SyncType::Events, SyncType::Roi] {
        run(stage, sync_type).await?;
    }
    let found = stage.app.operations.campaign_report(&actor(), None, "Spring at Brunnthal", true).await?;
    let (opens, clicks) = (found.opens, found.clicks);
    let instead = format!(
        "{} and {} opens, {} clicks, {:?}, gaps {:?}",
        opens.people, opens.machines, clicks.people, found.marks, found.gaps
    );
    let well = opens.people == OPENED as u64
        && opens.machines == BY_MACHINES as u64
        && clicks.people == CLICKED as u64
        && found.marks.iter().any(|mark| mark.sum.as_deref() == Some("798.00"))
        && found.gaps.is_empty();
    let told = format!(
        "{OPENED} opens by people and {BY_MACHINES} by machines, {CLICKED} clicks, {BOUGHT} orders for 798.00, as the service counts them"
    );
    stage.check(well, &instead, &told)?;
    let contact = holder(stage, leaver).await?;
    until("the opt-out in the CRM", async || {
        let flagged = bulk_mail(stage.app, &contact).await? == Some(false);
        Ok(flagged.then_some(()))
    })
    .await?;
    stage.check(true, "", "who left allows no bulk e-mail in the CRM any more")
}

/// The next letter to the same list.
async fn next_one(stage: &mut Stage<'_>, without: &[&str]) -> Result<(), CliError> {
    stage.scene("23 The next letter goes to the same list.")?;
    let name = "Summer at Brunnthal";
    letter(stage, name).await?;
    let expected = REACHED - without.len() as u64;
    let asked = stage.app.operations.ask_send(&actor(), &ask(name, expected, None), false).await?;
    let send = asked.id.ok_or_else(|| Fault::bug("what was asked for has an id"))?;
    follow(stage, send, has_gone).await?;
    mailed(stage, without, expected).await
}

/// Waits until a send stands so. The flow is asked to look each time, as its own minute is long for somebody who watches.
async fn follow(
    stage: &Stage<'_>,
    send: Uuid,
    there: impl Fn(&SendView) -> bool,
) -> Result<SendView, CliError> {
    let operations = &stage.app.operations;
    until("the send", async || {
        operations.sync_now(&actor(), ACCOUNT, SyncType::Sends, false).await?;
        let found = match operations.send(&actor(), send).await {
            Err(fault) if fault.code == Code::API_NOT_FOUND => return Ok(None),
            found => found?,
        };
        match found.state {
            "failed" | "held" | "unknown" => Err(Fault::bug(found.text).into()),
            _ => Ok(there(&found).then_some(found)),
        }
    })
    .await
}

/// Runs a sync type and waits for its end.
async fn run(stage: &Stage<'_>, sync_type: SyncType) -> Result<(), CliError> {
    let last = async || -> Result<Option<(RunId, &'static str)>, CliError> {
        let (account, sync_type) = (Some(ACCOUNT.to_owned()), Some(sync_type));
        let wanted = RunsWanted { account, sync_type, limit: 1, ..RunsWanted::default() };
        Ok(stage.app.operations.runs(&actor(), wanted).await?.pop().map(|run| (run.id, run.state)))
    };
    let before = last().await?.map(|(run, _)| run);
    stage.app.operations.sync_now(&actor(), ACCOUNT, sync_type, false).await?;
    let state = until("the run", async || {
        let found = last().await?.filter(|(run, state)| Some(*run) != before && *state != "running");
        Ok(found.map(|(_, state)| state))
    })
    .await?;
    match state {
        "done" => Ok(()),
        state => Err(Fault::bug(format!("the run of {sync_type} is {state}")).into()),
    }
}
