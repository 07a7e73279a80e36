//! Progress of long work, to stderr: a bar on a terminal, a line every ten seconds elsewhere, nothing with `--quiet`.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Style;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Tells how far something is.
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    done: u64,
    started: Instant,
    shown: Shown,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines { next: Instant, out: Box<dyn Write + Send> },
}

impl Progress {
    /// Progress in `what` (plural: "messages"), out of `total` when it is known.
    pub fn start(style: Style, what: &'static str, total: Option<u64>) -> Self {
        let started = Instant::now();
        let stderr = io::stderr();
        let shown = match (style.quiet, stderr.is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar(bar(what, total)),
            (false, false) => Shown::Lines { next: started + LINE_EVERY, out: Box::new(stderr) },
        };
        Progress { what, total, done: 0, started, shown }
    }

    /// `count` more are done.
    pub fn add(&mut self, count: u64) {
        self.done += count;
        let now = Instant::now();
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_position(self.done),
            Shown::Lines { next, out } => {
                if now >= *next {
                    *next = now + LINE_EVERY;
                    let line = line(self.what, self.done, self.total, now - self.started);
                    // A progress line that cannot be written is no reason to stop the work.
                    drop(writeln!(out, "{line}"));
                }
            }
        }
    }

    /// The bar leaves; what came of it is the command's to say.
    pub fn finish(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &'static str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => {
            let template = "{msg} [{bar:30}] {pos}/{len}  {per_sec}  {eta} left";
            (ProgressBar::new(total), template)
        }
        None => (ProgressBar::new_spinner(), "{msg} {pos}  {per_sec}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are right");
    bar.with_style(style.progress_chars("=> ")).with_message(what)
}

/// `messages: 1200/5000 (24 %), 300/s, 13 s left`
fn line(what: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let left = total.saturating_sub(done) as f64 / rate.max(0.001);
            let percent = done.saturating_mul(100) / total;
            format!("{what}: {done}/{total} ({percent} %), {rate:.0}/s, {left:.0} s left")
        }
        None => format!("{what}: {done}, {rate:.0}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_count_total_rate_and_rest() {
        let text = line("messages", 1200, Some(5000), Duration::from_secs(4));
        assert_eq!(text, "messages: 1200/5000 (24 %), 300/s, 13 s left");
        assert_eq!(line("messages", 20, None, Duration::from_secs(10)), "messages: 20, 2/s");
    }

    #[test]
    fn both_bars_can_be_drawn() {
        bar("messages", Some(3)).finish_and_clear();
        bar("messages", None).finish_and_clear();
    }
}
