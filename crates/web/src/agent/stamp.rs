//! `POST /agent/v1/stamp`: which subject a mail should carry that a user is about to send.

use axum::Json;
use axum::extract::State;
use postroom_core::RecordRef;
use postroom_operations::StampAsk;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::auth::Agent;
use crate::input;
use crate::problem::Problem;

/// Recipients that are looked at; a mail to more is a mailing and names no single record.
const MOST: usize = 1000;

/// The head of the mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: Vec<String>,
    message_id: Option<String>,
    in_reply_to: Option<String>,
    #[serde(default)]
    references: Vec<String>,
}

/// The subject it should carry, and why.
#[derive(Debug, Serialize)]
pub(super) struct Stamped {
    subject: String,
    record: Option<RecordRef>,
    reason: String,
}

pub(super) async fn stamp(
    State(app): State<App>,
    Agent(actor): Agent,
    input::Json(asked): input::Json<Asked>,
) -> Result<Json<Stamped>, Problem> {
    for (place, list) in [("/to", &asked.to), ("/references", &asked.references)] {
        if list.len() > MOST {
            return Err(Problem::at(place, format!("{} are too many; at most {MOST}", list.len())));
        }
    }
    let ask = StampAsk {
        subject: asked.subject,
        from: asked.from,
        to: asked.to,
        message_id: asked.message_id,
        in_reply_to: asked.in_reply_to,
        references: asked.references,
    };
    let stamp = app.operations.stamp(&actor, ask).await?;
    Ok(Json(Stamped { subject: stamp.subject, record: stamp.record, reason: stamp.reason }))
}
