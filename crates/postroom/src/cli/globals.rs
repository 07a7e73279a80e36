//! Flags that every command takes, and groups of flags that many share.

use std::path::PathBuf;

use clap::Args;

use crate::config::{SET, Sources, Span};
use crate::report::{CliError, Exit, Form, Style};
use postroom_core::Code;

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global flags")]
pub struct Globals {
    /// The configuration file [searched: $POSTROOM_CONFIG, ./postroom.toml, ~/.config/postroom, /etc/postroom]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key for this run; repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print JSON; lists are JSON Lines
    #[arg(long, global = true, conflicts_with = "plain")]
    pub json: bool,
    /// Print tab-separated values without a header
    #[arg(long, global = true)]
    pub plain: bool,
    /// No progress and no notes
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No colours
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Never ask; what would be asked for fails instead
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Give up after this long
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<Span>,
}

impl Globals {
    pub fn style(&self) -> Style {
        let form = match (self.json, self.plain) {
            (true, _) => Form::Json,
            (_, true) => Form::Plain,
            _ => Form::Human,
        };
        Style::detect(form, self.quiet, self.no_color)
    }

    /// Where the configuration comes from. `-v` and `-q` are the flag form of `logs.level`; an explicit `--set` wins.
    pub fn sources(&self) -> Sources {
        let level = match (self.quiet, self.verbose) {
            (true, _) => Some(("-q", "error")),
            (_, 0) => None,
            (_, 1) => Some(("-v", "debug")),
            _ => Some(("-vv", "trace")),
        };
        let level = level.map(|(flag, level)| (flag.to_owned(), format!("logs.level={level}")));
        let flags = level.into_iter().chain(self.set.iter().map(|set| (SET.to_owned(), set.clone())));
        Sources::from_process(self.config.clone(), flags.collect())
    }
}

/// For whatever writes.
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRun {
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// For whatever cannot be undone.
#[derive(Debug, Clone, Copy, Args)]
pub struct Yes {
    /// Do not ask; needed where nobody can be asked
    #[arg(long)]
    pub yes: bool,
    /// Refuse unless exactly this many are concerned
    #[arg(long, value_name = "N")]
    pub expect_count: Option<u64>,
}

impl Yes {
    /// Refuses when another number is concerned than was expected.
    pub fn check_count(&self, count: u64) -> Result<(), CliError> {
        match self.expect_count {
            Some(expected) if expected != count => {
                let text = format!(
                    "{count} items are concerned, not {expected} as --expect-count says: nothing was done"
                );
                let refused = CliError::new(Code::API_INPUT, text).with_exit(Exit::Refused);
                Err(refused.with_action("Look at the list again, then give the right number"))
            }
            _ => Ok(()),
        }
    }

    /// Asks on a terminal; without one, `--yes` is needed.
    pub fn confirm(&self, question: &str, globals: &Globals) -> Result<(), CliError> {
        use std::io::IsTerminal;
        if self.yes {
            return Ok(());
        }
        let refused = |text: &str| CliError::new(Code::API_INPUT, text).with_exit(Exit::Refused);
        if globals.no_input || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            let error = refused("this cannot be undone and nobody can be asked: nothing was done");
            return Err(error.with_action("Look at what --dry-run says, then run it again with --yes"));
        }
        match ask(question)? {
            true => Ok(()),
            false => Err(refused("answered no: nothing was done").with_action("Nothing")),
        }
    }
}

#[expect(clippy::print_stderr, reason = "a question to the person at the terminal")]
fn ask(question: &str) -> Result<bool, CliError> {
    eprint!("{} [y/N] ", crate::report::one_line(question));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// For every list.
#[derive(Debug, Clone, Copy, Args)]
pub struct Limit {
    /// The most items to print; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

impl Limit {
    /// The limit as a number of items; `None` for all.
    pub fn get(self) -> Option<u32> {
        (self.limit > 0).then_some(self.limit)
    }
}
