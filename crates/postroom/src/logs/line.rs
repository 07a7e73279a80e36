//! One log line: what it says, and its two shapes.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use crate::report::one_line;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Json,
    Readable { color: bool },
}

/// One event, ready to be written.
pub(super) struct Line {
    pub at: Timestamp,
    pub span_id: Option<u64>,
    level: Level,
    event: String,
    message: String,
    fields: Vec<(String, Value)>,
}

/// Names that the line itself uses.
const OWN: [&str; 5] = ["ts", "level", "event", "msg", "span_id"];

impl Line {
    pub fn new(at: Timestamp, level: Level, event: String, message: String) -> Self {
        Line { at, level, event, message, span_id: None, fields: Vec::new() }
    }

    /// Sets a field; the innermost wins.
    pub fn set(&mut self, name: &str, value: Value) {
        let name = if OWN.contains(&name) { format!("{name}_") } else { name.to_owned() };
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name, value)),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Passes every text of the line through `change`.
    pub fn each_text(&mut self, change: impl Fn(&str) -> Option<String>) {
        if let Some(changed) = change(&self.message) {
            self.message = changed;
        }
        for (_, value) in &mut self.fields {
            if let Some(changed) = value.as_str().and_then(&change) {
                *value = Value::from(changed);
            }
        }
    }

    /// The line without its end; whatever is in it, it is one line.
    pub fn render(&self, shape: Shape) -> String {
        match shape {
            Shape::Json => self.json(),
            Shape::Readable { color } => self.readable(color),
        }
    }

    fn json(&self) -> String {
        let level = self.level.as_str().to_ascii_lowercase();
        let mut out = format!(
            "{{\"ts\":\"{:.6}\",\"level\":\"{level}\",\"event\":{},\"msg\":{}",
            self.at,
            Value::from(self.event.as_str()),
            Value::from(self.message.as_str())
        );
        if let Some(span_id) = self.span_id {
            write!(out, ",\"span_id\":\"{span_id:016x}\"").expect("writing into a String cannot fail");
        }
        for (name, value) in &self.fields {
            write!(out, ",{}:{value}", Value::from(name.as_str()))
                .expect("writing into a String cannot fail");
        }
        out.push('}');
        out
    }

    fn readable(&self, color: bool) -> String {
        let code = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            _ => "2",
        };
        let level = match color {
            true => format!("\u{1b}[{code}m{:<5}\u{1b}[0m", self.level.as_str()),
            false => format!("{:<5}", self.level.as_str()),
        };
        let mut out =
            format!("{:.3} {level} {}  {}", self.at, one_line(&self.event), one_line(&self.message));
        for (name, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(out, "  {name}={}", one_line(&value)).expect("writing into a String cannot fail");
        }
        out
    }
}
