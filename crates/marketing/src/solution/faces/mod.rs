//! What people see of the solution in the CRM: views, forms, buttons, a place in the navigation, an app.
//!
//! # Design
//!
//! All of it follows from the description of the tables: a view shows the first columns that somebody looks for, a form has
//! what a user fills in first and what the connector tells, read-only, below. Only the buttons and the navigation are lists
//! of their own. Ids are those of [`super::definitions::id`], so an upgrade changes what is there.
//!
//! Not here: dashboards, charts, translations. Sources: the published form, site map and ribbon schemas (9.0.0.2090).

pub mod app;
pub mod forms;
pub mod ribbon;
pub mod views;

use postroom_formats::xml::Element;

use super::Column;
use super::definitions::NAME;

fn new(name: &str) -> Element {
    Element::new("", name)
}

/// `<list><item description="…" languagecode="1033"/></list>`
fn labelled(list: &str, item: &str, text: &str) -> Element {
    new(list).with(new(item).attribute("description", text).attribute("languagecode", "1033"))
}

/// An id as files write it.
fn braced(component: &str) -> String {
    format!("{{{}}}", super::definitions::id(component))
}

/// `esc_name`, where a table is the solution's own.
fn named(own: bool) -> Option<&'static Column> {
    own.then_some(&NAME)
}
