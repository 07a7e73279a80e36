//! The marketing half's pages: what runs, what it could not take over, campaigns and their sends, mappings, lists, people, forms,
//! and who gets no mail.

pub(super) mod campaigns;
pub(super) mod forms;
pub(super) mod lists;
pub(super) mod mapping;
pub(super) mod people;
mod plots;
pub(super) mod sends;
pub(super) mod singles;
pub(super) mod suppressions;
pub(super) mod sync;

use http::StatusCode;
use postroom_core::Fault;
use postroom_operations::Session;

use crate::app::App;
use crate::problem::{self, Problem};

/// What is said in place, so that the rest of a page stays; a refusal of rights is a page of its own.
fn said(fault: Fault) -> Result<String, Problem> {
    match problem::status(&fault) {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::INTERNAL_SERVER_ERROR => {
            Err(fault.into())
        }
        _ => Ok(fault.message),
    }
}

/// The accounts by name.
async fn accounts(app: &App, session: &Session) -> Result<Vec<String>, Problem> {
    let all = app.operations.marketing_accounts(&session.actor).await?;
    Ok(all.into_iter().map(|account| account.name).collect())
}
