//! Views: the rows of a table that are active, found by a word, chosen from, and shown beside another row.

use postroom_core::metadata::Label;
use postroom_formats::solution::View;
use postroom_formats::xml::Element;

use super::new;
use crate::solution::definitions::id;
use crate::solution::{Column, Kind, Table};

/// Columns of a view beside the name.
const SHOWN: usize = 6;

/// A kind of view: its word in ids, `querytype`, and what it is called.
struct Sort {
    word: &'static str,
    kind: i32,
    name: fn(&Table) -> String,
}

/// The platform expects one of each kind of every table.
const SORTS: &[Sort] = &[
    Sort { word: "active", kind: 0, name: |table| format!("Active {}", table.plural) },
    Sort { word: "inactive", kind: 0, name: |table| format!("Inactive {}", table.plural) },
    Sort { word: "find", kind: 1, name: |table| format!("{} Advanced Find View", table.label) },
    Sort { word: "beside", kind: 2, name: |table| format!("{} Associated View", table.label) },
    Sort { word: "quick", kind: 4, name: |table| format!("Quick Find Active {}", table.plural) },
    Sort { word: "lookup", kind: 64, name: |table| format!("{} Lookup View", table.label) },
];

/// The views of a table of the solution.
pub fn of(table: &Table) -> Vec<View> {
    SORTS.iter().map(|sort| view(table, sort)).collect()
}

/// What the view of [`of_list`] is called in ids.
pub const LISTS: &str = "view:list:email";

/// One more view of the platform's lists: those that mail can be sent to.
pub fn of_list() -> View {
    let columns = ["listname", "createdfromcode", "type", "membercount"];
    let attribute = |name: &str| new("attribute").attribute("name", name);
    let is = |name: &str, value: &str| {
        new("condition").attribute("attribute", name).attribute("operator", "eq").attribute("value", value)
    };
    let fit = new("filter")
        .attribute("type", "and")
        .with(is("statecode", "0"))
        .with(is("esc_activatedforemail", "1"));
    let entity = new("entity")
        .attribute("name", "list")
        .with_all(columns.map(attribute))
        .with(attribute("listid"))
        .with(new("order").attribute("attribute", "listname").attribute("descending", "false"))
        .with(fit);
    View {
        id: id(LISTS),
        names: Label::english("Marketing Lists for E-mail"),
        descriptions: Label::default(),
        kind: 0,
        is_default: false,
        quick_find: false,
        fetch: Some(fetch_of(entity)),
        layout: Some(grid("listid", "listname", &columns)),
    }
}

fn view(table: &Table, sort: &Sort) -> View {
    let shown = shown(table);
    View {
        id: id(&format!("view:{}:{}", table.name, sort.word)),
        names: Label::english((sort.name)(table)),
        descriptions: Label::default(),
        kind: sort.kind,
        is_default: sort.word != "inactive",
        quick_find: sort.kind == 4,
        fetch: Some(fetch(table, sort, &shown)),
        layout: Some(layout(table, &shown)),
    }
}

/// What people look for: what is required first, no long texts, no JSON.
fn shown(table: &Table) -> Vec<&'static Column> {
    let short = |column: &&&'static Column| !matches!(column.kind, Kind::Memo(_));
    let all: Vec<&'static Column> =
        table.columns().filter(|column| column.name != "esc_externalkey").collect();
    let first = all.iter().filter(|column| column.required).filter(short);
    let rest = all.iter().filter(|column| !column.required).filter(short);
    first.chain(rest).take(SHOWN).copied().collect()
}

fn fetch(table: &Table, sort: &Sort, shown: &[&Column]) -> Element {
    let attribute = |name: &str| new("attribute").attribute("name", name);
    let mut entity = new("entity")
        .attribute("name", table.name)
        .with(attribute("esc_name"))
        .with_all(shown.iter().map(|column| attribute(column.name)))
        .with(attribute(&table.id()))
        .with(new("order").attribute("attribute", "esc_name").attribute("descending", "false"));
    // An advanced find begins with everything.
    if sort.kind != 1 {
        let state = if sort.word == "inactive" { "1" } else { "0" };
        let active = new("condition")
            .attribute("attribute", "statecode")
            .attribute("operator", "eq")
            .attribute("value", state);
        entity = entity.with(new("filter").attribute("type", "and").with(active));
    }
    if sort.kind == 4 {
        let searched = std::iter::once("esc_name")
            .chain(shown.iter().filter(|column| text(column)).map(|column| column.name));
        let like = |name: &str| {
            new("condition")
                .attribute("attribute", name)
                .attribute("operator", "like")
                .attribute("value", "{0}")
        };
        let words = new("filter").attribute("type", "or").attribute("isquickfindfields", "1");
        entity = entity.with(words.with_all(searched.map(like)));
    }
    fetch_of(entity)
}

fn fetch_of(entity: Element) -> Element {
    new("fetch")
        .attribute("version", "1.0")
        .attribute("output-format", "xml-platform")
        .attribute("mapping", "logical")
        .with(entity)
}

fn text(column: &Column) -> bool {
    matches!(column.kind, Kind::Text(_) | Kind::Email)
}

fn layout(table: &Table, shown: &[&Column]) -> Element {
    let columns: Vec<&str> =
        std::iter::once("esc_name").chain(shown.iter().map(|column| column.name)).collect();
    grid(&table.id(), "esc_name", &columns)
}

/// The columns of a view; the first is the name.
fn grid(id: &str, name: &str, columns: &[&str]) -> Element {
    let width = |column: &str| if column == name { "200" } else { "125" };
    let cell = |column: &&str| new("cell").attribute("name", *column).attribute("width", width(column));
    let row = new("row").attribute("name", "result").attribute("id", id).with_all(columns.iter().map(cell));
    new("grid")
        .attribute("name", "resultset")
        .attribute("jump", name)
        .attribute("select", "1")
        .attribute("icon", "1")
        .attribute("preview", "1")
        .with(row)
}
