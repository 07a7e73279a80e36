//! The configuration as a tree of values that know their place: TOML text to tree, and trees laid over each other.
//!
//! Knows nothing of which keys exist; that is `setting.rs` and the sections. TOML 1.0, <https://toml.io/en/v1.0.0>.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin::{Origin, Place, Problem};

/// Syntax errors told about one file; more would be echoes of the first ones.
const MAX_SYNTAX_ERRORS: usize = 5;

/// Named values. No `Debug`: a secret may stand where it must not.
pub type Table = BTreeMap<String, Node>;

/// A value and where it stands.
#[derive(Clone)]
pub struct Node {
    pub value: Value,
    /// Where the key stands.
    pub key_at: Origin,
    /// Where the value stands.
    pub at: Origin,
}

#[derive(Clone)]
pub enum Value {
    Text(String),
    Integer(i64),
    /// A number that no key takes: with a fraction, or too large.
    Float,
    Bool(bool),
    /// A TOML date or time, as written.
    Moment(String),
    List(Vec<Node>),
    Table(Table),
}

impl Node {
    /// A value from a variable or a flag, whose key and value stand in one place.
    pub fn loose(value: Value, origin: Origin) -> Self {
        Node { value, key_at: origin.clone(), at: origin }
    }

    /// The kind of value in the words of TOML's own text.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Float => "a number with a fraction",
            Value::Bool(_) => "true or false",
            Value::Moment(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Reads one file's text. All syntax errors that make sense are told; none quotes the line, which may hold a secret.
pub fn parse(text: &str, file: &Path) -> Result<Table, Vec<Problem>> {
    let source = Source { text, file: Arc::from(file) };
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(source.table(root.get_ref()));
    }
    let told = errors.iter().take(MAX_SYNTAX_ERRORS);
    Err(told.map(|error| Problem::new("", source.origin(error.span()), message(error))).collect())
}

fn message(error: &toml::de::Error) -> String {
    let first = error.message().lines().next().unwrap_or("not TOML").to_owned();
    format!("not valid TOML: {first}")
}

/// Reads one TOML value typed into a variable or flag: `[ … ]` or `{ … }`.
pub fn parse_value(text: &str, origin: &Origin) -> Option<Node> {
    let parsed = DeValue::parse(text).ok()?;
    let source = Source { text, file: Arc::from(Path::new("")) };
    let mut node = source.node(&(0..0), &parsed);
    relocate(&mut node, origin);
    Some(node)
}

fn relocate(node: &mut Node, origin: &Origin) {
    node.key_at = origin.clone();
    node.at = origin.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| relocate(item, origin)),
        Value::Table(table) => table.values_mut().for_each(|item| relocate(item, origin)),
        _ => {}
    }
}

struct Source<'t> {
    text: &'t str,
    file: Arc<Path>,
}

impl Source<'_> {
    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        let start = span.map_or(0, |span| span.start).min(self.text.len());
        let before = &self.text.as_bytes()[..start];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Origin::File(Place { file: self.file.clone(), line, column })
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (name.to_string(), self.node(&key.span(), value))
        };
        table.iter().map(entry).collect()
    }

    fn node(&self, key: &Range<usize>, value: &Spanned<DeValue<'_>>) -> Node {
        Node {
            value: self.value(value.get_ref()),
            key_at: self.origin(Some(key.clone())),
            at: self.origin(Some(value.span())),
        }
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                // Too large for any key of ours: whoever reads it says what it expects.
                Err(_) => Value::Float,
            },
            DeValue::Float(_) => Value::Float,
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(&item.span(), item)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

/// Adds another file's tree. A key that both have is an error that names both places.
pub fn merge(into: &mut Table, from: Table, prefix: &str, problems: &mut Vec<Problem>) {
    for (name, node) in from {
        let key = join(prefix, &name);
        match (into.get_mut(&name), node) {
            (None, node) => {
                into.insert(name, node);
            }
            (Some(Node { value: Value::Table(mine), .. }), Node { value: Value::Table(theirs), .. }) => {
                merge(mine, theirs, &key, problems);
            }
            (Some(first), second) => {
                let text = format!("{key} is set here and at {}: keep one of them", first.key_at);
                problems.push(Problem::new(key, second.key_at, text));
            }
        }
    }
}

/// Sets one key, whatever stood there: how a variable or a flag wins over the files.
pub fn overlay(table: &mut Table, path: &[String], node: Node) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(name.clone(), node);
        return;
    }
    let origin = node.at.clone();
    let entry = table.entry(name.clone()).or_insert_with(|| Node::loose(Value::Table(Table::new()), origin));
    if !matches!(entry.value, Value::Table(_)) {
        entry.value = Value::Table(Table::new());
    }
    if let Value::Table(inner) = &mut entry.value {
        overlay(inner, rest, node);
    }
}

/// `http` and `listen` make `http.listen`.
pub fn join(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        _ => format!("{prefix}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str, file: &str) -> Table {
        parse(text, Path::new(file)).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn places_count_lines_and_columns() {
        let table = tree("[http]\n  listen = \"x\"\n", "a.toml");
        let Value::Table(http) = &table["http"].value else { panic!("not a table") };
        assert_eq!(http["listen"].key_at.to_string(), "a.toml:2:3");
        assert_eq!(http["listen"].at.to_string(), "a.toml:2:12");
    }

    #[test]
    fn syntax_errors_name_the_line_and_quote_nothing() {
        let problems = parse("[http]\nlisten = hunter2\n", Path::new("a.toml")).err().expect("refused");
        let text = problems[0].to_string();
        assert!(text.starts_with("a.toml:2:"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_same_key_in_two_files_is_an_error_with_both_places() {
        let mut table = tree("[http]\nlisten = \"x\"", "a.toml");
        let mut problems = Vec::new();
        merge(&mut table, tree("[http]\npublic_url = \"y\"\nlisten = \"z\"", "b.toml"), "", &mut problems);
        assert_eq!(problems.len(), 1);
        let text = problems[0].to_string();
        assert!(text.starts_with("b.toml:3:1: http.listen") && text.contains("a.toml:2:1"), "{text}");
    }

    #[test]
    fn overlay_replaces_and_makes_tables() {
        let mut table = tree("[http]\nlisten = \"x\"", "a.toml");
        let origin = Origin::Environment("POSTROOM_HTTP__LISTEN".into());
        let path = ["http".to_owned(), "listen".to_owned()];
        overlay(&mut table, &path, Node::loose(Value::Text("new".into()), origin.clone()));
        let Value::Table(http) = &table["http"].value else { panic!("not a table") };
        assert!(http["listen"].at == origin);
    }
}
