//! The template engine, with the filters that pages use. Everything is escaped for HTML.

use std::sync::Arc;

use axum::response::Html;
use jiff::Timestamp;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use postroom_core::Fault;
use postroom_operations::{Permission, Session};
use serde::Serialize;
use serde_json::json;

use super::text;
use crate::app::App;
use crate::problem::Problem;

/// All templates, inside the binary.
pub(crate) const TEMPLATES: [(&str, &str); 38] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("today.html", include_str!("../../templates/today.html")),
    ("messages.html", include_str!("../../templates/messages.html")),
    ("message.html", include_str!("../../templates/message.html")),
    ("raw.html", include_str!("../../templates/raw.html")),
    ("body.html", include_str!("../../templates/body.html")),
    ("records.html", include_str!("../../templates/records.html")),
    ("record.html", include_str!("../../templates/record.html")),
    ("shelf.html", include_str!("../../templates/shelf.html")),
    ("review.html", include_str!("../../templates/review.html")),
    ("outgoing.html", include_str!("../../templates/outgoing.html")),
    ("outgoing_mail.html", include_str!("../../templates/outgoing_mail.html")),
    ("mailboxes.html", include_str!("../../templates/mailboxes.html")),
    ("mailbox.html", include_str!("../../templates/mailbox.html")),
    ("sync.html", include_str!("../../templates/sync.html")),
    ("sync_runs.html", include_str!("../../templates/sync_runs.html")),
    ("sync_run.html", include_str!("../../templates/sync_run.html")),
    ("sync_trial.html", include_str!("../../templates/sync_trial.html")),
    ("sync_undo.html", include_str!("../../templates/sync_undo.html")),
    ("mappings.html", include_str!("../../templates/mappings.html")),
    ("lists.html", include_str!("../../templates/lists.html")),
    ("list.html", include_str!("../../templates/list.html")),
    ("people.html", include_str!("../../templates/people.html")),
    ("forms.html", include_str!("../../templates/forms.html")),
    ("form.html", include_str!("../../templates/form.html")),
    ("suppressions.html", include_str!("../../templates/suppressions.html")),
    ("campaigns.html", include_str!("../../templates/campaigns.html")),
    ("campaign.html", include_str!("../../templates/campaign.html")),
    ("campaign_send.html", include_str!("../../templates/campaign_send.html")),
    ("sends.html", include_str!("../../templates/sends.html")),
    ("send.html", include_str!("../../templates/send.html")),
    ("singles.html", include_str!("../../templates/singles.html")),
    ("single.html", include_str!("../../templates/single.html")),
    ("write.html", include_str!("../../templates/write.html")),
    ("find_record.html", include_str!("../../templates/find_record.html")),
    ("sign_in.html", include_str!("../../templates/sign_in.html")),
    ("problem.html", include_str!("../../templates/problem.html")),
];

/// Renders pages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pages(Arc<Environment<'static>>);

impl Pages {
    /// Compiles every template, so that a broken one is found at the start.
    pub fn new() -> Result<Self, Error> {
        let mut engine = Environment::new();
        engine.set_auto_escape_callback(|_| AutoEscape::Html);
        engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        engine.add_filter("visible", |value: Value| text::visible(&plain(&value)));
        engine.add_filter("bytes", text::size);
        engine.add_filter("count", text::count);
        engine.add_filter("words", |word: &str| word.replace('_', " "));
        engine.add_filter("delivery", text::delivery);
        engine.add_filter("path", |part: Value| text::in_path(&plain(&part)));
        engine.add_filter("stamp", |time: &str| {
            time.parse::<Timestamp>().map_or_else(|_| time.to_owned(), text::stamp)
        });
        engine.add_function("ago", |now: &str, time: &str| text::ago(now, time));
        engine.add_global("assets", Value::from_safe_string(super::assets::version()));
        for (name, source) in TEMPLATES {
            engine.add_template(name, source)?;
        }
        Ok(Pages(Arc::new(engine)))
    }

    /// A page that needs nobody signed in.
    pub fn render(&self, name: &str, values: impl Serialize) -> Result<Html<String>, Problem> {
        let rendered = self.0.get_template(name).and_then(|template| template.render(Serde(values)));
        rendered.map(Html).map_err(|error| Fault::bug(format!("template {name}: {error:#}")).into())
    }
}

/// A page for somebody who is signed in.
pub(super) fn page(
    app: &App,
    session: &Session,
    name: &str,
    mut values: serde_json::Value,
) -> Result<Html<String>, Problem> {
    let actor = &session.actor;
    let may = |permission| actor.role.may(permission);
    let common = [
        ("user", json!(actor.name)),
        ("role", json!(actor.role.as_str())),
        ("csrf", json!(session.csrf)),
        ("may_decide", json!(may(Permission::Decide))),
        ("may_open", json!(may(Permission::ReadBodies))),
        ("may_write", json!(may(Permission::WriteRecords))),
        ("marketing", json!(app.operations.has_marketing())),
        ("now", json!(app.clock.now())),
    ];
    for (key, value) in common {
        // A page may know better: who opens a mail is also a matter of its mailbox.
        if values.get(key).is_none() {
            values[key] = value;
        }
    }
    app.pages.render(name, values)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
