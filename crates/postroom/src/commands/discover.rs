//! `postroom crm discover`: for whoever knows the server and the user, and not the organisation's address.

use postroom_core::Code;

use crate::app::App;
use crate::cli::{CrmCommand, DiscoverArgs};
use crate::report::{CliError, Column, Exit, Output};
use crate::wiring::crm::discovery;

const COLUMNS: [Column; 5] = [
    Column::id("name", "/unique_name"),
    Column::id("address", "/web"),
    Column::new("shown as", "/friendly_name"),
    Column::new("version", "/version"),
    Column::new("enabled", "/enabled"),
];

pub async fn run(app: &App, command: &CrmCommand, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        CrmCommand::Discover(arguments) => discover(app, arguments, out).await,
    }
}

async fn discover(app: &App, arguments: &DiscoverArgs, out: &mut Output) -> Result<Exit, CliError> {
    if app.crm.outside().is_none() {
        let text = "[crm] kind is \"embedded\": there is no server outside to ask for organisations";
        return Err(CliError::new(Code::API_CONFLICT, text).with_action(
            "Set [crm] kind, org_url (the server's address is enough) and how to sign in: docs/DYNAMICS.md",
        ));
    }
    let crm = &app.config.crm;
    let place = discovery::place(crm, arguments.at.as_deref())?;
    let url = place.url().to_owned();
    out.note(&format!("asking {url} …"))?;
    let found = discovery::service(crm, place, &app.clock, &app.ids).await?.organizations().await?;
    if found.is_empty() {
        let text = format!("{url} names no organisation for this user");
        return Err(CliError::new(Code::CRM_NOT_FOUND, text).with_action(
            "Add the user to an organisation in the CRM, with a security role, or sign in as another one",
        ));
    }
    out.list(&COLUMNS, &found)?;
    out.note("set [crm] org_url to the address of one of them, then run: postroom check crm")?;
    Ok(Exit::Done)
}
