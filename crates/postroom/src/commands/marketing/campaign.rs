//! `postroom marketing campaign …`

use postroom_core::{Code, Fault};
use postroom_operations::Actor;
use postroom_operations::marketing::{
    AudienceView, CampaignReport, CampaignsWanted, SendAsk, SendOrderKind, SendsWanted, SingleAnswer,
    TestReport,
};

use super::single;
use crate::app::App;
use crate::cli::{
    Answer, AudienceArgs, CampaignCommand, CancelArgs, DecideArgs, Globals, InTheNameOf, ReportArgs,
    SendArgs, SendOrderArgs, SendsArgs, TestArgs,
};
use crate::commands::actor;
use crate::report::{CliError, Column, Exit, Output};

const CAMPAIGNS: [Column; 9] = [
    Column::id("id", "/id"),
    Column::new("account", "/account"),
    Column::new("name", "/name"),
    Column::new("status", "/status"),
    Column::new("last sent", "/last_sent"),
    Column::new("sent", "/totals/sent"),
    Column::new("opened by", "/totals/unique_opens"),
    Column::new("clicked by", "/totals/clickers"),
    Column::new("left", "/totals/unsubscribes"),
];

const SENDS: [Column; 7] = [
    Column::id("id", "/id"),
    Column::new("campaign", "/name"),
    Column::new("state", "/state"),
    Column::new("people", "/to_send"),
    Column::new("due", "/due"),
    Column::new("asked by", "/asked_by"),
    Column::new("why", "/text"),
];

pub async fn run(
    app: &App,
    command: &CampaignCommand,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    use CampaignCommand::{
        Approve, Audience, Cancel, Decide, List, Pause, Report, Resume, Send, Sends, Show, Single, Singles,
        Test,
    };
    match command {
        List(arguments) => {
            let (account, limit) = (arguments.account.clone(), most(arguments.limit.get()));
            let wanted = CampaignsWanted { account, after: None, limit };
            out.list(&CAMPAIGNS, &app.operations.campaigns(&actor(), wanted).await?)?;
            Ok(Exit::Done)
        }
        Audience(arguments) => audience(app, arguments, out).await,
        Test(arguments) => test(app, arguments, globals, out).await,
        Send(arguments) => send(app, arguments, out).await,
        Sends(arguments) => sends(app, arguments, out).await,
        Show { id } => {
            out.item(&app.operations.send(&actor(), *id).await?)?;
            Ok(Exit::Done)
        }
        Singles(arguments) => single::list(app, arguments, out).await,
        Single { id } => {
            out.item(&app.operations.single(&actor(), *id).await?)?;
            Ok(Exit::Done)
        }
        Pause(arguments) => order(app, arguments, SendOrderKind::Pause, out).await,
        Resume(arguments) => order(app, arguments, SendOrderKind::Resume, out).await,
        Approve(arguments) => order(app, arguments, SendOrderKind::Approve, out).await,
        Cancel(arguments) => cancel(app, arguments, globals, out).await,
        Decide(arguments) => decide(app, arguments, out).await,
        Report(arguments) => report(app, arguments, out).await,
    }
}

pub(super) fn most(limit: Option<u32>) -> u64 {
    limit.map_or(u64::from(u32::MAX), u64::from)
}

/// Whoever is at the console, or the user of the CRM that is named.
pub(super) async fn in_the_name_of(app: &App, name: &InTheNameOf) -> Result<Actor, Fault> {
    match &name.user {
        Some(user) => app.operations.console_as(user).await,
        None => Ok(actor()),
    }
}

async fn audience(app: &App, arguments: &AudienceArgs, out: &mut Output) -> Result<Exit, CliError> {
    let who = in_the_name_of(app, &arguments.name).await?;
    out.note("reading people up to now …")?;
    let account = arguments.of.account.as_deref();
    let found = app.operations.audience(&who, account, &arguments.campaign, &arguments.lists).await?;
    reach(&found, out)?;
    out.note("nothing was written; postroom marketing campaign send asks for it")?;
    Ok(Exit::Done)
}

/// The blast radius, for people; for programs the value itself.
fn reach(found: &AudienceView, out: &mut Output) -> Result<(), CliError> {
    if out.is_json() {
        return Ok(out.item(found)?);
    }
    out.text(&format!(
        "{} of {} people on {} would get {}",
        found.to_send,
        found.people,
        found.lists.join(", "),
        found.name
    ))?;
    for (reason, number) in &found.left_out {
        let shown: Vec<&str> = found
            .samples_left_out
            .iter()
            .filter(|sample| sample.reason.as_deref() == Some(reason))
            .map(|sample| sample.address.as_str())
            .filter(|address| !address.is_empty())
            .collect();
        let such = if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) };
        out.text(&format!("  {number} left out as {}{such}", reason.replace('_', " ")))?;
    }
    let to: Vec<&str> = found.samples.iter().map(|sample| sample.address.as_str()).collect();
    if !to.is_empty() {
        out.text(&format!("  to, among others: {}", to.join(", ")))?;
    }
    let minutes = found.seconds.div_ceil(60);
    out.text(&format!("  {} calls of the service, {minutes} min at least", found.calls))?;
    if found.needs_approval {
        out.text("  a second person has to approve it")?;
    }
    if !found.fresh {
        out.text("  opt-outs are not fresh: it waits for them, and may go to fewer people")?;
    }
    Ok(())
}

async fn test(
    app: &App,
    arguments: &TestArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let who = in_the_name_of(app, &arguments.name).await?;
    let (account, campaign) = (arguments.of.account.as_deref(), arguments.campaign.as_str());
    let mut done = app.operations.test_campaign(&who, account, campaign, &arguments.to, true).await?;
    if !arguments.dry_run.dry_run {
        let to: Vec<&str> = done
            .mails
            .iter()
            .filter(|mail| mail.state == "would_go")
            .map(|mail| mail.address.as_str())
            .collect();
        arguments.yes.check_count(to.len() as u64)?;
        if !to.is_empty() {
            arguments.yes.confirm(&format!("Send {} once to {}?", done.name, to.join(", ")), globals)?;
        }
        done = app.operations.test_campaign(&who, account, campaign, &arguments.to, false).await?;
    }
    tested(&done, out)
}

fn tested(done: &TestReport, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        out.item(done)?;
    } else {
        for mail in &done.mails {
            let why = mail.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            out.text(&format!("{}: {}{why}", mail.address, mail.state.replace('_', " ")))?;
        }
    }
    let any = |state: &str| done.mails.iter().any(|mail| mail.state == state);
    Ok(match () {
        () if any("unknown") => Exit::Unknown,
        () if !any("refused") && !any("failed") => Exit::Done,
        () if any("sent") || any("would_go") => Exit::PartlyDone,
        () if any("failed") => Exit::Failed,
        () => Exit::Refused,
    })
}

async fn send(app: &App, arguments: &SendArgs, out: &mut Output) -> Result<Exit, CliError> {
    let who = in_the_name_of(app, &arguments.name).await?;
    let ask = SendAsk {
        account: arguments.of.account.clone(),
        campaign: arguments.campaign.clone(),
        lists: arguments.lists.clone(),
        expected: arguments.expect_count,
        at: arguments.at,
        split: arguments.split.clone(),
        new_members: arguments.new_members,
        id: arguments.id,
    };
    let done = app.operations.ask_send(&who, &ask, arguments.dry_run.dry_run).await?;
    if out.is_json() {
        out.item(&done)?;
        return Ok(Exit::Done);
    }
    reach(&done.audience, out)?;
    match done.id {
        None => out.note("nothing was written")?,
        Some(id) if done.changed => {
            out.text(&format!("asked for as {id}"))?;
            out.note(&format!(
                "postroom serve does it; look at it with: postroom marketing campaign show {id}"
            ))?;
        }
        Some(id) => out.text(&format!("{id} was asked for before: nothing changed"))?,
    }
    Ok(Exit::Done)
}

async fn sends(app: &App, arguments: &SendsArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = SendsWanted {
        account: arguments.account.clone(),
        campaign: arguments.campaign,
        state: arguments.state.clone(),
        after: None,
        limit: most(arguments.limit.get()),
    };
    out.list(&SENDS, &app.operations.sends(&actor(), wanted).await?)?;
    Ok(Exit::Done)
}

fn answer(decided: &Answer) -> SendOrderKind {
    match (decided.expect, decided.go_on, decided.found) {
        (Some(number), _, _) => SendOrderKind::Expect(number),
        (None, true, _) => SendOrderKind::GoOn,
        (None, false, true) => SendOrderKind::Found,
        (None, false, false) => SendOrderKind::Unsent,
    }
}

/// A lost answer may be that of a mail to a single person.
async fn decide(app: &App, arguments: &DecideArgs, out: &mut Output) -> Result<Exit, CliError> {
    let kind = answer(&arguments.answer);
    let of_single = match kind {
        SendOrderKind::Found => Some(SingleAnswer::Found),
        SendOrderKind::Unsent => Some(SingleAnswer::Unsent),
        _ => None,
    };
    if let Some(of_single) = of_single {
        match app.operations.single(&actor(), arguments.order.id).await {
            Ok(_) => return single::decide(app, &arguments.order, of_single, out).await,
            Err(fault) if fault.code == Code::API_NOT_FOUND => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    order(app, &arguments.order, kind, out).await
}

async fn cancel(
    app: &App,
    arguments: &CancelArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let order_args = &arguments.order;
    if !order_args.dry_run.dry_run {
        let who = in_the_name_of(app, &order_args.name).await?;
        let would = app.operations.order_send(&who, order_args.id, SendOrderKind::Cancel, true).await?;
        arguments.yes.check_count(1)?;
        arguments.yes.confirm(&format!("Cancel the send of {}?", would.send.name), globals)?;
    }
    order(app, order_args, SendOrderKind::Cancel, out).await
}

async fn order(
    app: &App,
    arguments: &SendOrderArgs,
    kind: SendOrderKind,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let who = in_the_name_of(app, &arguments.name).await?;
    let done = app.operations.order_send(&who, arguments.id, kind, arguments.dry_run.dry_run).await?;
    match (out.is_json(), done.dry_run) {
        (true, _) => out.item(&done)?,
        (false, true) => out.text(&format!("it would be {}: {}", done.send.state, done.send.text))?,
        (false, false) => out.text(&format!("it is {}: {}", done.send.state, done.send.text))?,
    }
    Ok(Exit::Done)
}

async fn report(app: &App, arguments: &ReportArgs, out: &mut Output) -> Result<Exit, CliError> {
    let account = arguments.of.account.as_deref();
    let found =
        app.operations.campaign_report(&actor(), account, &arguments.campaign, !arguments.stored).await?;
    match out.is_json() {
        true => out.item(&found)?,
        false => figures(&found, out)?,
    }
    if let Some(why) = &found.not_asked {
        out.note(&format!("the service was not asked for its figures of now: {why}"))?;
    }
    Ok(Exit::Done)
}

fn figures(found: &CampaignReport, out: &mut Output) -> Result<(), CliError> {
    let totals = &found.totals;
    out.text(&format!("{} ({})", found.campaign.name, found.campaign.status))?;
    out.text(&format!("  sent          {}", totals.sent))?;
    out.text(&format!(
        "  opened by     {} people; {} opens by people, {} by machines",
        totals.unique_opens, found.opens.people, found.opens.machines
    ))?;
    out.text(&format!(
        "  clicked by    {} people; {} clicks by people, {} by machines",
        totals.clickers, found.clicks.people, found.clicks.machines
    ))?;
    out.text(&format!("  unsubscribed  {}", totals.unsubscribes))?;
    out.text(&format!("  bounced       {} hard, {} soft", totals.hard_bounces, totals.soft_bounces))?;
    if let Some(service) = &found.service {
        let revenue = service.revenue.as_deref().unwrap_or("0");
        out.text(&format!("  orders        {}, revenue {revenue}", service.orders))?;
    }
    for mark in &found.marks {
        let sum = mark.sum.as_ref().map(|sum| format!(", together {sum}")).unwrap_or_default();
        out.text(&format!("  {} {} by {} people{sum}", mark.number, mark.name, mark.people))?;
    }
    for link in &found.links {
        let machines = link.machine_clicks;
        out.text(&format!("  {} clicks ({machines} by machines): {}", link.clicks, link.url))?;
    }
    match (&found.service, found.gaps.is_empty()) {
        (None, _) => out.text("The service has no figures of it yet.")?,
        (Some(_), true) => out.text("The service's own figures say the same.")?,
        (Some(_), false) => {}
    }
    for gap in &found.gaps {
        out.text(&format!("  gap: {} are {} here and {} at the service", gap.figure, gap.here, gap.service))?;
    }
    Ok(())
}
