//! Elements as solution files write them: no namespaces, flags as 0 and 1, labels with their language.

use postroom_core::metadata::Label;
use uuid::Uuid;

use super::Error;
use crate::xml::Element;

pub(super) fn new(name: &str) -> Element {
    Element::new("", name)
}

pub(super) fn leaf(name: &str, text: impl Into<String>) -> Element {
    Element::leaf("", name, text)
}

pub(super) fn flag(name: &str, value: bool) -> Element {
    leaf(name, bit(value))
}

pub(super) fn bit(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

/// `<LocalizedNames><LocalizedName description="…" languagecode="1033"/></LocalizedNames>`
pub(super) fn labels(list: &str, item: &str, label: &Label) -> Element {
    let one = |(language, text): &(u32, String)| {
        new(item).attribute("description", text).attribute("languagecode", language.to_string())
    };
    new(list).with_all(label.0.iter().map(one))
}

pub(super) fn names(label: &Label) -> Element {
    labels("LocalizedNames", "LocalizedName", label)
}

pub(super) fn descriptions(label: &Label) -> Element {
    labels("Descriptions", "Description", label)
}

pub(super) fn display_names(label: &Label) -> Element {
    labels("displaynames", "displayname", label)
}

/// The labels in a list that stands in `parent`; a language that is no number is left out.
pub(super) fn label(parent: &Element, list: &str) -> Label {
    let Some(list) = parent.child(list) else { return Label::default() };
    let one = |item: &Element| {
        Some((
            item.get("languagecode")?.parse().ok()?,
            item.get("description").unwrap_or_default().to_owned(),
        ))
    };
    Label(list.children.iter().filter_map(one).collect())
}

pub(super) fn is_set(parent: &Element, name: &str) -> bool {
    matches!(parent.text_of(name), Some("1" | "true" | "True"))
}

/// `{00000000-0000-0000-0000-000000000000}`
pub(super) fn braced(id: Uuid) -> String {
    format!("{{{id}}}")
}

/// The text of an element that must be there.
pub(super) fn needed<'e>(parent: &'e Element, name: &'static str, of: &str) -> Result<&'e str, Error> {
    let missing = || Error::Missing { component: of.to_owned(), element: name };
    parent.text_of(name).filter(|text| !text.is_empty()).ok_or_else(missing)
}

pub(super) fn wrong(of: &str, element: &'static str, value: &str) -> Error {
    Error::Value { component: of.to_owned(), element, value: value.chars().take(80).collect() }
}

/// A GUID with or without braces.
pub(super) fn guid(text: &str, element: &'static str, of: &str) -> Result<Uuid, Error> {
    Uuid::try_parse(text.trim()).map_err(|_| wrong(of, element, text))
}

/// A number; `None` when the element is absent or empty.
pub(super) fn number<N: std::str::FromStr>(
    parent: &Element,
    name: &'static str,
    of: &str,
) -> Result<Option<N>, Error> {
    match parent.text_of(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| wrong(of, name, text)),
    }
}
