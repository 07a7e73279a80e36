//! Forms: what a user fills in, and below it what the connector tells, read-only.

use postroom_core::metadata::Label;
use postroom_formats::solution::Form;
use postroom_formats::xml::Element;

use super::{braced, labelled, named, new, views};
use crate::solution::definitions::id;
use crate::solution::extended::Extension;
use crate::solution::{By, Column, Era, Kind, Table};

/// The main form of a table of the solution.
pub fn of(table: &Table, era: Era) -> Form {
    let own = table.columns().filter(|column| column.is_in(era));
    let columns: Vec<&Column> = named(true).into_iter().chain(own).collect();
    form(table.name, "Information", table.about, &columns)
}

/// One more main form of a standard table, with what it gains; the table's own forms stay as they are.
pub fn of_extension(extension: &Extension, era: Era) -> Form {
    let primary = match extension.table {
        "contact" | "lead" => FULL_NAME,
        "list" => LIST_NAME,
        _ => PLAIN_NAME,
    };
    let columns: Vec<&Column> =
        std::iter::once(primary).chain(extension.columns.iter().filter(|column| column.is_in(era))).collect();
    form(extension.table, "Email Marketing", "What the e-mail marketing service knows.", &columns)
}

const FULL_NAME: &Column = &Column::new("fullname", "Full Name", Kind::Text(160));
const LIST_NAME: &Column = &Column::new("listname", "Name", Kind::Text(128)).by(By::User);
const PLAIN_NAME: &Column = &Column::new("name", "Name", Kind::Text(160)).by(By::User);

fn form(table: &str, name: &str, about: &str, columns: &[&Column]) -> Form {
    let (asked, told): (Vec<&Column>, Vec<&Column>) =
        columns.iter().copied().partition(|column| column.by != By::Connector || column.name == "esc_name");
    let sections = [("general", "General", asked), ("service", "Email Service", told)];
    let mut sections: Vec<Element> = sections
        .iter()
        .filter(|(.., columns)| !columns.is_empty())
        .map(|(word, label, columns)| section(table, word, label, columns))
        .collect();
    if table == "esc_emailsend" {
        // Above what the connector tells: a send without a list mails nobody.
        sections.insert(1, lists(table));
    }
    let column = new("column").attribute("width", "100%").with(new("sections").with_all(sections));
    let tab = new("tab")
        .attribute("name", "tab_email")
        .attribute("id", braced(&format!("tab:{table}")))
        .attribute("IsUserDefined", "0")
        .with(labelled("labels", "label", "Email Marketing"))
        .with(new("columns").with(column));
    Form {
        id: id(&format!("form:{table}")),
        kind: "main".to_owned(),
        names: Label::english(name),
        descriptions: Label::english(about),
        active: true,
        body: new("form").with(new("tabs").with(tab)),
    }
}

/// The lists of a send, to be added to and taken from.
fn lists(table: &str) -> Element {
    let parameter = |name: &str, value: String| Element::leaf("", name, value);
    let parameters = new("parameters")
        .with(parameter("ViewId", braced(views::LISTS)))
        .with(parameter("IsUserView", "false".to_owned()))
        .with(parameter("RelationshipName", "esc_emailsend_list".to_owned()))
        .with(parameter("TargetEntityType", "list".to_owned()))
        .with(parameter("AutoExpand", "Fixed".to_owned()))
        .with(parameter("RecordsPerPage", "10".to_owned()))
        .with(parameter("EnableQuickFind", "false".to_owned()))
        .with(parameter("EnableViewPicker", "false".to_owned()));
    let control = new("control")
        .attribute("id", "lists")
        .attribute("classid", SUBGRID)
        .attribute("indicationOfSubgrid", "true")
        .with(parameters);
    let cell = new("cell")
        .attribute("id", braced(&format!("cell:{table}.lists")))
        .attribute("rowspan", "6")
        .attribute("colspan", "2")
        .with(labelled("labels", "label", "Marketing Lists"))
        .with(control);
    shell(table, "lists", "Marketing Lists", vec![new("row").with(cell)])
}

fn section(table: &str, word: &str, label: &str, columns: &[&Column]) -> Element {
    // Two cells in a row; what is long has a row of its own.
    let mut rows: Vec<Vec<Element>> = Vec::new();
    let mut open = false;
    for column in columns {
        let long = matches!(column.kind, Kind::Memo(_));
        let cell = cell(table, column, long);
        match rows.last_mut() {
            Some(row) if open && !long => {
                row.push(cell);
                open = false;
            }
            _ => {
                rows.push(vec![cell]);
                open = !long;
            }
        }
    }
    shell(table, word, label, rows.into_iter().map(|cells| new("row").with_all(cells)).collect())
}

fn shell(table: &str, word: &str, label: &str, rows: Vec<Element>) -> Element {
    new("section")
        .attribute("name", format!("section_{word}"))
        .attribute("id", braced(&format!("section:{table}:{word}")))
        .attribute("IsUserDefined", "0")
        .attribute("showlabel", "true")
        .attribute("showbar", "true")
        .attribute("columns", "2")
        .with(labelled("labels", "label", label))
        .with(new("rows").with_all(rows))
}

fn cell(table: &str, column: &Column, long: bool) -> Element {
    let mut cell = new("cell").attribute("id", braced(&format!("cell:{table}.{}", column.name)));
    if long {
        cell = cell.attribute("colspan", "2").attribute("rowspan", "4");
    }
    let mut control = new("control")
        .attribute("id", column.name)
        .attribute("classid", class(column.kind))
        .attribute("datafieldname", column.name);
    // The name of a row that a user makes is the user's.
    if column.by == By::Connector && column.name != "esc_name" {
        control = control.attribute("disabled", "true");
    }
    cell.with(labelled("labels", "label", column.label)).with(control)
}

/// The platform's class of grids in a form.
const SUBGRID: &str = "{E7A81278-8635-4d9e-8D4D-59480B391C5B}";

/// The platform's classes of controls.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Text(_) => "{4273EDBD-AC1D-40d3-9FB2-095C621B552D}",
        Kind::Email => "{ADA2203E-B4CD-49be-9DDF-234642B43B52}",
        Kind::Url(_) => "{71716B6C-711E-476c-8AB8-5D11542BFB47}",
        Kind::Memo(_) => "{E0DECE4B-6FC8-4a8f-A065-082708572369}",
        Kind::Whole => "{C6D124CA-7EDA-4a60-AEA9-7FB8D318B68F}",
        Kind::Decimal(_) => "{C3EFE0C3-0EC6-42be-8349-CBD9079DFD8E}",
        Kind::Double => "{0D2C745A-E5A8-4c8f-BA63-C6D3BB604660}",
        Kind::YesNo(_) => "{67FAC785-CD58-4f9f-ABB3-4B7DDC6ED5ED}",
        Kind::Moment => "{5B773807-9FB2-42db-97C3-7A91EFF8ADFF}",
        Kind::Choice(_) => "{3EF39988-22BB-4f0b-BBBE-64B5A3748AEE}",
        Kind::Lookup(_) => "{270BD3DB-D9AF-4782-9025-509E298DEC0A}",
    }
}
