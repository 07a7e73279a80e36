//! What a mailbox tells people of itself: a sentence, and a code where something is to be done.

use std::time::Duration;

use postroom_core::{WatchReport, WatchState};
use tokio::time::Instant;

use super::super::client::Client;
use super::super::error::{Error, Remedy};
use super::events;
use super::folder::Trouble;
use super::mailbox::Mailbox;

/// A rescan that met with a refusal.
#[derive(Debug)]
pub struct Unfinished {
    pub order: String,
    /// When it is tried again.
    pub again: Instant,
    pub error: Error,
}

impl Mailbox {
    pub(super) async fn all_is_well(&mut self, client: &Client) {
        events::CaughtUp { mailbox: &self.watched.name }.emit();
        let names: Vec<&str> = self.keepers.iter().map(|keeper| keeper.place.name.as_str()).collect();
        let mut text = format!("Watches {}", names.join(" and "));
        let waiting: usize =
            self.keepers.iter().filter_map(|keeper| Some(keeper.known.as_ref()?.waiting.len())).sum();
        if waiting > 0 {
            text.push_str(&format!("; {waiting} messages could not be read"));
        }
        for error in self.missing.iter().chain(&self.troubles) {
            text.push_str(&format!("; {}", error.sentence()));
        }
        let unread = self.unfinished.as_ref().map(|unfinished| &unfinished.error);
        if let Some(error) = unread {
            text.push_str(&format!("; the rescan is not done and is tried again: {}", error.sentence()));
        }
        let mut errors = self.missing.iter().chain(&self.troubles).chain(unread);
        let code = errors.next().map(|error| error.code().to_string());
        self.report(WatchState::Watching, text, code, traits(client)).await;
    }

    /// Reports a failure; says how long to wait.
    pub(super) async fn failed(&mut self, trouble: Trouble) -> Duration {
        let (name, pauses) = (self.watched.name.clone(), &self.options.pauses);
        let (state, text, code, pause) = match trouble {
            Trouble::Imap(error) => {
                let remedy = error.remedy();
                let (pause, stopped) = match remedy {
                    Remedy::SignIn => self.login.pause(pauses),
                    _ => (self.failures.after(remedy, pauses, &name), remedy == Remedy::Person),
                };
                events::Failed { mailbox: &name, error: &error, pause }.emit();
                let state = if stopped { WatchState::Stopped } else { WatchState::BackingOff };
                (state, error.sentence(), error.code(), pause)
            }
            Trouble::Store(fault) => {
                let pause = self.failures.after(Remedy::Reconnect, pauses, &name);
                events::NotStored { mailbox: &name, fault: &fault, pause }.emit();
                (WatchState::BackingOff, fault.message, fault.code, pause)
            }
        };
        let quirks = self.reported.as_ref().map(|report| report.quirks.clone()).unwrap_or_default();
        self.report(state, text, Some(code.to_string()), quirks).await;
        pause
    }

    /// Writes a report that differs from the last one.
    pub(super) async fn report(
        &mut self,
        state: WatchState,
        text: String,
        code: Option<String>,
        quirks: Vec<String>,
    ) {
        let report = WatchReport { state, text, code, behind: self.behind, quirks };
        if self.reported.as_ref() != Some(&report)
            && self.desk.book.report(&self.watched.name, &report).await.is_ok()
        {
            self.reported = Some(report);
        }
    }
}

/// What a person wants to know of a server: what it can, and what is odd.
pub fn traits(client: &Client) -> Vec<String> {
    const USED: [&str; 7] = ["IDLE", "CONDSTORE", "QRESYNC", "MOVE", "UIDPLUS", "SPECIAL-USE", "NAMESPACE"];
    let missing = USED.iter().filter(|word| !client.can(word)).map(|word| format!("no {word}"));
    missing.chain(client.quirks().iter().map(|quirk| (*quirk).to_owned())).collect()
}
