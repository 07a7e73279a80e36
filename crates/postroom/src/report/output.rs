//! Results for a person (a table), for `cut` and `awk` (`--plain`), for a program (`--json`): one value, three forms.
//!
//! A result is a JSON value; columns pick from it, so the forms cannot tell different things.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;

use super::text::{cut, one_line};

/// The form that results are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Human,
    /// Tab-separated, no header.
    Plain,
    /// One document, or one object a line for lists.
    Json,
}

/// How results look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub form: Form,
    /// No progress, no notes.
    pub quiet: bool,
    /// Colours on stdout.
    pub color: bool,
    /// The terminal's width; `None` when stdout is no terminal.
    pub width: Option<usize>,
}

impl Style {
    /// The style for this process: a terminal or not, `NO_COLOR` and `TERM=dumb` as they are set.
    pub fn detect(form: Form, quiet: bool, no_color: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = terminal && !no_color && unset("NO_COLOR") && !dumb;
        let width = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        Style {
            form,
            quiet,
            color,
            width: width.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0),
        }
    }
}

/// One column of a table: its heading and where its value stands (a JSON pointer, RFC 6901).
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub heading: &'static str,
    pub pointer: &'static str,
    /// Never cut: ids must be copyable whole.
    pub whole: bool,
}

impl Column {
    /// A column that may be cut to fit the terminal.
    pub const fn new(heading: &'static str, pointer: &'static str) -> Self {
        Column { heading, pointer, whole: false }
    }

    /// A column of ids.
    pub const fn id(heading: &'static str, pointer: &'static str) -> Self {
        Column { heading, pointer, whole: true }
    }
}

/// Where results and notes go.
pub struct Output {
    style: Style,
    out: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
}

impl Output {
    /// Writes to stdout and stderr.
    pub fn standard(style: Style) -> Self {
        Output { style, out: Box::new(io::BufWriter::new(io::stdout())), notes: Box::new(io::stderr()) }
    }

    /// Writes wherever it is told to.
    #[cfg(test)]
    pub fn new(style: Style, out: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) -> Self {
        Output { style, out, notes }
    }

    pub fn style(&self) -> Style {
        self.style
    }

    pub fn is_json(&self) -> bool {
        self.style.form == Form::Json
    }

    /// A list: a table for a person, else one line an item. A terminal's table never wraps; only columns that are not
    /// ids are cut.
    pub fn list<T: Serialize>(&mut self, columns: &[Column], items: &[T]) -> io::Result<()> {
        let items = items.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        match self.style.form {
            Form::Json => items.iter().try_for_each(|item| writeln!(self.out, "{item}")),
            Form::Plain => items.iter().try_for_each(|item| {
                let cells: Vec<String> = columns.iter().map(|column| cell(item, column)).collect();
                writeln!(self.out, "{}", cells.join("\t"))
            }),
            Form::Human => self.table(columns, &items),
        }
    }

    fn table(&mut self, columns: &[Column], items: &[Value]) -> io::Result<()> {
        if items.is_empty() {
            return self.note("nothing found");
        }
        let rows: Vec<Vec<String>> =
            items.iter().map(|item| columns.iter().map(|column| cell(item, column)).collect()).collect();
        let widths = widths(columns, &rows, self.style.width);
        let headings: Vec<String> = columns.iter().map(|column| column.heading.to_uppercase()).collect();
        let heading = row(&headings, &widths);
        match self.style.color {
            true => writeln!(self.out, "\u{1b}[1m{heading}\u{1b}[0m")?,
            false => writeln!(self.out, "{heading}")?,
        }
        rows.iter().try_for_each(|cells| writeln!(self.out, "{}", row(cells, &widths)))
    }

    /// One thing: names and values for a person, one document for a program.
    pub fn item<T: Serialize>(&mut self, item: &T) -> io::Result<()> {
        let item = serde_json::to_value(item)?;
        if self.style.form == Form::Json {
            return writeln!(self.out, "{item}");
        }
        let mut lines = Vec::new();
        flatten("", &item, &mut lines);
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in lines {
            match self.style.form {
                Form::Plain => writeln!(self.out, "{name}\t{value}")?,
                _ => writeln!(self.out, "{name:<width$}  {value}")?,
            }
        }
        Ok(())
    }

    /// A line for a person only: not printed with `--json`, where it would not be JSON.
    pub fn text(&mut self, line: &str) -> io::Result<()> {
        if self.is_json() { Ok(()) } else { writeln!(self.out, "{line}") }
    }

    /// Bytes as they are: a raw message, a script. The form does not matter to them.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// A hint or a warning, to stderr; not with `--quiet`.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        if self.style.quiet { Ok(()) } else { writeln!(self.notes, "{}", one_line(text)) }
    }

    /// Everything written so far leaves.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A column's value on one line; nothing for null.
fn cell(item: &Value, column: &Column) -> String {
    item.pointer(column.pointer).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        // A record is shown as it is typed: TABLE/GUID.
        Value::Object(object) => match (object.get("table"), object.get("id")) {
            (Some(Value::String(table)), Some(Value::String(id))) if object.len() == 2 => {
                one_line(&format!("{table}/{id}"))
            }
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Names of nested values are joined with dots: `record.id`.
fn flatten(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let join = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match value {
        Value::Object(object)
            if !object.is_empty() && (prefix.is_empty() || plain(value).starts_with('{')) =>
        {
            object.iter().for_each(|(name, inner)| flatten(&join(name), inner, out));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(at, inner)| flatten(&join(&at.to_string()), inner, out));
        }
        Value::Array(items) => {
            out.push((prefix.to_owned(), items.iter().map(plain).collect::<Vec<_>>().join(", ")));
        }
        other => out.push((prefix.to_owned(), plain(other))),
    }
}

/// Widths that fit the terminal: the widest column that may be cut gives first.
fn widths(columns: &[Column], rows: &[Vec<String>], terminal: Option<usize>) -> Vec<usize> {
    let widest = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| widest(at).max(column.heading.chars().count()))
        .collect();
    let Some(terminal) = terminal else { return widths };
    let gaps = 2 * columns.len().saturating_sub(1);
    loop {
        let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(terminal);
        let cuttable =
            |at: &usize| !columns[*at].whole && widths[*at] > columns[*at].heading.chars().count().max(8);
        let widest = (0..columns.len()).filter(cuttable).max_by_key(|at| widths[*at]);
        match widest {
            Some(at) if over > 0 => {
                let least = columns[at].heading.chars().count().max(8);
                widths[at] = widths[at].saturating_sub(over).max(least);
            }
            _ => return widths,
        }
    }
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{:<width$}", cut(cell, *width)));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(form: Form, width: Option<usize>, print: impl FnOnce(&mut Output)) -> String {
        let page = Page::default();
        let style = Style { form, quiet: true, color: false, width };
        print(&mut Output::new(style, Box::new(page.clone()), Box::new(Page::default())));
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const COLUMNS: [Column; 2] = [Column::id("id", "/id"), Column::new("subject", "/subject")];

    fn list(form: Form, width: Option<usize>) -> String {
        let items = [json!({"id": "msg_1", "subject": "A long subject\twith a tab"}), json!({"id": "msg_2"})];
        printed(form, width, |out| out.list(&COLUMNS, &items).unwrap())
    }

    #[test]
    fn a_table_has_headings_and_cuts_what_may_be_cut() {
        assert_eq!(list(Form::Human, Some(18)), "ID     SUBJECT\nmsg_1  A long sub…\nmsg_2\n");
    }

    #[test]
    fn an_id_is_never_cut() {
        assert!(list(Form::Human, Some(3)).contains("msg_1  A long …"));
    }

    #[test]
    fn plain_is_tabs_and_no_header() {
        assert_eq!(list(Form::Plain, None), "msg_1\tA long subject\\twith a tab\nmsg_2\t\n");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = list(Form::Json, Some(10));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[1]["id"], "msg_2");
    }

    #[test]
    fn an_item_joins_the_names_of_what_is_inside() {
        let item = json!({"id": "msg_1", "record": {"table": "lead", "id": "7"}, "bounce": {"hard": true}, "to": ["a", "b"]});
        let text = printed(Form::Plain, None, |out| out.item(&item).unwrap());
        assert_eq!(text, "bounce.hard\ttrue\nid\tmsg_1\nrecord\tlead/7\nto\ta, b\n");
    }
}
