//! The log: one event is one line on stderr. JSON when stderr is no terminal, readable when it is.
//!
//! Fields are those of the product conventions, section 10: `ts`, `level`, `event`, `msg`, then what the event and the
//! spans around it carry (`trace_id`, `mailbox`, `message_id`, `run`, `code`, `dur_ms`, `attempt`, …).
//! What protects persons stands in `pii.rs`: it looks at every text, so a forgotten field cannot leak an address.

mod line;
mod pii;
mod repeats;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use postroom_core::{Clock, Code, Ids};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::config;
use line::{Line, Shape};
pub use pii::HashKey;
use pii::Privacy;
use repeats::Repeats;
use serde_json::Value;

/// Fields whose value is never logged, whoever put it there.
const NEVER: [&str; 8] =
    ["subject", "body", "token", "secret", "password", "authorization", "cookie", "private_key"];

/// Starts logging to stderr for the whole process. The key makes hashed addresses comparable from run to run; without
/// one a key of this run is used. Later calls change nothing.
pub fn install(options: &config::Logs, clock: Clock, key: Option<HashKey>) {
    let stderr = std::io::stderr();
    let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let shape = match stderr.is_terminal() {
        true => Shape::Readable { color: unset("NO_COLOR") },
        false => Shape::Json,
    };
    let key = key.unwrap_or_else(|| HashKey::of_this_run(&Ids::random()));
    let log = Log::new(options, shape, clock, key, Box::new(stderr));
    let subscriber = tracing_subscriber::registry().with(log.with_filter(filter(options.level)));
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        log_panics();
    }
}

/// Our own crates at the level asked for; others only when something is wrong, until everything is asked for.
fn filter(level: config::Level) -> Targets {
    let (ours, theirs) = match level {
        config::Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        config::Level::Warn => (LevelFilter::WARN, LevelFilter::ERROR),
        config::Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        config::Level::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
        config::Level::Trace => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    Targets::new().with_target("postroom", ours).with_default(theirs)
}

/// A panic is a bug of ours and is logged like every other error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(event = "process.panic", code = %Code::INTERNAL, place, "Panicked: {text}");
    }));
}

/// The layer that writes the lines.
struct Log {
    shape: Shape,
    clock: Clock,
    privacy: Privacy,
    repeats: Repeats,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Log {
    fn new(
        options: &config::Logs,
        shape: Shape,
        clock: Clock,
        key: HashKey,
        out: Box<dyn Write + Send>,
    ) -> Self {
        let until = options.pii_until.map(|moment| moment.0);
        let privacy = Privacy { rule: options.pii, until, key };
        Log { shape, clock, privacy, repeats: Repeats::default(), out: Arc::new(Mutex::new(out)) }
    }

    fn write(&self, line: &Line) {
        let mut text = line.render(self.shape);
        text.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written has nowhere to say so.
        drop(out.write_all(text.as_bytes()));
    }
}

/// What a span or event carries, in the order given.
#[derive(Default, Clone)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let value = if NEVER.contains(&name) { Value::from("***") } else { value };
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        match self.0.remove(at).1 {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        self.set(field, Value::from(text));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let metadata = event.metadata();
        let message = own.take("message").unwrap_or_default();
        let Some(repeated) = self.repeats.admit(metadata.callsite(), &message, Instant::now()) else {
            return;
        };
        let name = own.take("event").unwrap_or_else(|| event_name(metadata.target()));
        let mut line = Line::new(self.clock.now(), *metadata.level(), name, message);
        if let Some(scope) = context.event_scope(event) {
            line.span_id = context.current_span().id().map(Id::into_u64);
            for span in scope.from_root() {
                if let Some(Fields(fields)) = span.extensions().get::<Fields>() {
                    fields.iter().for_each(|(name, value)| line.set(name, value.clone()));
                }
            }
        }
        own.0.into_iter().for_each(|(name, value)| line.set(name, value));
        if *metadata.level() == Level::ERROR && !line.has("code") {
            line.set("code", Value::from(Code::INTERNAL.to_string()));
        }
        if repeated > 0 {
            line.set("repeated", Value::from(repeated));
        }
        let now = line.at;
        line.each_text(|text| self.privacy.scrub(text, now));
        self.write(&line);
    }
}

/// The event's name where none is given: `postroom_mail::smtp::session` says `mail.smtp.session`.
fn event_name(target: &str) -> String {
    let bare = target.strip_prefix("postroom_").unwrap_or(target);
    bare.replace("::", ".")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(shape: Shape, pii: config::Pii, emit: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let options = config::Logs { level: config::Level::Info, pii, pii_until: None };
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let log = Log::new(&options, shape, clock, HashKey::new(b"key"), Box::new(page.clone()));
        let subscriber = tracing_subscriber::registry().with(log.with_filter(filter(options.level)));
        tracing::subscriber::with_default(subscriber, emit);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    fn json(pii: config::Pii, emit: impl FnOnce()) -> Vec<Value> {
        let lines = logged(Shape::Json, pii, emit);
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    #[test]
    fn an_event_is_one_line_with_the_agreed_fields() {
        let lines = json(config::Pii::Hash, || {
            let span = tracing::info_span!("job", run = "run_1", attempt = 2);
            let _inside = span.enter();
            tracing::info!(
                event = "mail.accepted",
                mailbox = "support",
                dur_ms = 12,
                "Accepted\na {} mail",
                "new"
            );
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["ts"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(line["level"], "info");
        assert_eq!(line["event"], "mail.accepted");
        assert_eq!(line["msg"], "Accepted\na new mail");
        assert_eq!(
            (&line["run"], &line["attempt"], &line["dur_ms"]),
            (&"run_1".into(), &2.into(), &12.into())
        );
        assert!(line["span_id"].is_string());
    }

    #[test]
    fn a_readable_line_cannot_be_forged() {
        let lines = logged(Shape::Readable { color: false }, config::Pii::Hash, || {
            tracing::warn!(mailbox = "a\nb", "one\nERROR two\u{1b}[2J");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("one\\nERROR two\\u{1b}[2J") && lines[0].contains("mailbox=a\\nb"),
            "{lines:?}"
        );
    }

    #[test]
    fn addresses_are_hashed_wherever_they_stand() {
        let lines = logged(Shape::Json, config::Pii::Hash, || {
            tracing::info!(from = "Anna.Adler@customer.example", "Refused <anna.adler@customer.example>");
        });
        assert!(!lines[0].to_lowercase().contains("adler"), "{lines:?}");
        let hash = lines[0].split("addr_").nth(1).map(|rest| &rest[..16]);
        assert_eq!(
            lines[0].matches(hash.unwrap_or("none")).count(),
            2,
            "the same person is the same word: {lines:?}"
        );
    }

    #[test]
    fn secrets_and_subjects_are_never_logged() {
        let lines = logged(Shape::Json, config::Pii::Full, || {
            tracing::info!(subject = "canary-1", password = "canary-2", token = %"canary-3", "Looked");
        });
        assert!(!lines[0].contains("canary"), "{lines:?}");
    }

    #[test]
    fn an_error_has_a_code() {
        let lines = json(config::Pii::Hash, || tracing::error!("Lost the thread"));
        assert_eq!(lines[0]["code"], "PR-9001");
    }

    #[test]
    fn other_peoples_chatter_is_left_out() {
        let lines = logged(Shape::Json, config::Pii::Hash, || tracing::info!(target: "hyper", "connected"));
        assert!(lines.is_empty(), "{lines:?}");
    }
}
