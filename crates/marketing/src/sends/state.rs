//! The life of one send: from the request row to the figures.
//!
//! ```text
//! Requested → Validated → Snapshot → Importing → Imported → Due → Intent → Submitted → Scheduled → Sending → Sent
//! ```
//!
//! A send to new members goes from *Validated* to *Watching* and stays there until it is cancelled: each lot of people who joined
//! is a send of its own, which begins as *Validated*.
//!
//! *Due* is where a send waits for its time, for a second person, or for whoever paused it: it is held here, as the service
//! cannot cancel. Everything before *Intent* may be repeated or given up without anybody having been mailed. *Intent* is
//! stored before the one call that sends; from there on nothing is ever called a second time: a lost answer goes to
//! *Unknown*, evidence of the service leads on, and where it has none a person decides.

use crate::solution::options::Set;

/// Where a send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The row is there; nothing was looked at.
    Requested,
    /// Role, account, campaign and lists are fit, and the expected number of people is known.
    Validated,
    /// It waits for people who join its lists.
    Watching,
    /// Who is to be mailed is written down.
    Snapshot,
    /// The single-use list is being filled.
    Importing,
    /// The service holds the people that were counted, no more and no fewer.
    Imported,
    /// Held until its time, its approval, and nobody's pause.
    Due,
    /// Opt-outs were read again, and the call is about to be made.
    Intent,
    /// The service answered with an id.
    Submitted,
    Scheduled,
    Sending,
    Sent,
    /// The answer to the call was lost.
    Unknown,
    /// Nobody was mailed.
    Failed,
    Cancelled,
}

/// What happens to a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    Fit,
    /// It goes to new members.
    Watches,
    Counted,
    ImportBegun,
    ImportDone,
    /// Nobody is left to be mailed, or the request is unfit.
    Refused,
    Held,
    /// Its time has come, it is approved, nobody paused it, and opt-outs were read again.
    Released,
    /// An opt-out came, or the time moved: who is to be mailed is counted again.
    AudienceChanged,
    Answered,
    /// The service refused: it mailed nobody.
    RefusedByService,
    AnswerLost,
    /// The service shows the send.
    Found,
    /// A person who looked says that it was not made.
    DeclaredUnsent,
    SaidScheduled,
    SaidSending,
    SaidSent,
    SaidCancelled,
    SaidFailed,
    Cancel,
    /// The database came back from a backup: it may have gone out since.
    Restored,
}

impl State {
    pub const ALL: [State; 15] = [
        State::Requested,
        State::Validated,
        State::Watching,
        State::Snapshot,
        State::Importing,
        State::Imported,
        State::Due,
        State::Intent,
        State::Submitted,
        State::Scheduled,
        State::Sending,
        State::Sent,
        State::Unknown,
        State::Failed,
        State::Cancelled,
    ];

    /// The state after an event; `None` when it cannot happen here, which is to be shown and changes nothing.
    pub fn after(self, event: Event) -> Option<State> {
        use Event as E;
        use State as S;
        match (self, event) {
            (S::Requested, E::Fit) => Some(S::Validated),
            (S::Validated, E::Watches) => Some(S::Watching),
            (S::Validated, E::Counted) => Some(S::Snapshot),
            (S::Snapshot, E::ImportBegun) => Some(S::Importing),
            (S::Importing, E::ImportDone) => Some(S::Imported),
            (S::Imported, E::Held) => Some(S::Due),
            (S::Due, E::Released) => Some(S::Intent),
            (S::Snapshot | S::Importing | S::Imported | S::Due, E::AudienceChanged) => Some(S::Validated),
            (before, E::Refused) if before.is_harmless() => Some(S::Failed),
            (before, E::Restored) if before.is_harmless() => Some(S::Requested),
            (before, E::Cancel) if before.is_harmless() => Some(S::Cancelled),
            (S::Intent, E::Answered) | (S::Unknown, E::Found) => Some(S::Submitted),
            (S::Intent, E::RefusedByService) | (S::Unknown, E::DeclaredUnsent) => Some(S::Failed),
            (S::Intent, E::AnswerLost) => Some(S::Unknown),
            (S::Submitted, E::SaidScheduled) => Some(S::Scheduled),
            (S::Submitted | S::Scheduled, E::SaidSending) => Some(S::Sending),
            (S::Submitted | S::Scheduled | S::Sending, E::SaidSent) => Some(S::Sent),
            (S::Submitted | S::Scheduled | S::Sending, E::SaidCancelled) => Some(S::Cancelled),
            (S::Submitted | S::Scheduled | S::Sending, E::SaidFailed) => Some(S::Failed),
            _ => None,
        }
    }

    /// The word that is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Requested => "requested",
            State::Validated => "validated",
            State::Watching => "watching",
            State::Snapshot => "snapshot",
            State::Importing => "importing",
            State::Imported => "imported",
            State::Due => "due",
            State::Intent => "intent",
            State::Submitted => "submitted",
            State::Scheduled => "scheduled",
            State::Sending => "sending",
            State::Sent => "sent",
            State::Unknown => "unknown",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// A word that nobody knows may have been sent.
    pub fn of(word: &str) -> State {
        State::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(State::Unknown)
    }

    /// Nobody can have been mailed yet.
    pub fn is_harmless(self) -> bool {
        self < State::Intent
    }

    /// Nothing more happens by itself.
    pub fn is_final(self) -> bool {
        matches!(self, State::Sent | State::Failed | State::Cancelled)
    }

    /// What a process that starts again makes of a send that it finds in this state: an intent without an answer may have
    /// been sent.
    pub fn after_restart(self) -> State {
        if self == State::Intent { State::Unknown } else { self }
    }

    /// The value of `esc_sendstatus`.
    pub fn status(self) -> i32 {
        let label = match self {
            State::Requested => "Requested",
            State::Validated | State::Snapshot => "Preparing",
            State::Importing | State::Imported => "Importing recipients",
            State::Watching | State::Due | State::Scheduled => "Scheduled",
            State::Intent | State::Submitted => "Submitting",
            State::Sending => "Sending",
            State::Sent => "Sent",
            State::Unknown => "Needs attention",
            State::Failed => "Failed",
            State::Cancelled => "Cancelled",
        };
        Set::SendStatus.value(label).expect("a label of the set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 21] = [
        Event::Restored,
        Event::Fit,
        Event::Watches,
        Event::Counted,
        Event::ImportBegun,
        Event::ImportDone,
        Event::Refused,
        Event::Held,
        Event::Released,
        Event::AudienceChanged,
        Event::Answered,
        Event::RefusedByService,
        Event::AnswerLost,
        Event::Found,
        Event::DeclaredUnsent,
        Event::SaidScheduled,
        Event::SaidSending,
        Event::SaidSent,
        Event::SaidCancelled,
        Event::SaidFailed,
        Event::Cancel,
    ];

    #[test]
    fn words_read_back() {
        for state in State::ALL {
            assert_eq!(State::of(state.as_str()), state);
        }
        assert_eq!(State::of("novel"), State::Unknown);
    }

    #[test]
    fn the_whole_way() {
        use Event::*;
        let way = [
            Fit,
            Counted,
            ImportBegun,
            ImportDone,
            Held,
            Released,
            Answered,
            SaidScheduled,
            SaidSending,
            SaidSent,
        ];
        let end = way.into_iter().try_fold(State::Requested, State::after);
        assert_eq!(end, Some(State::Sent));
    }

    /// Whatever happens, the call is made at most once: no way leads back from the intent to before it.
    #[test]
    fn the_intent_is_never_reached_twice() {
        let mut reached = vec![State::Intent, State::Intent.after_restart()];
        while let Some((state, event)) = reached
            .iter()
            .flat_map(|state| EVENTS.map(|event| (*state, event)))
            .find(|(state, event)| state.after(*event).is_some_and(|next| !reached.contains(&next)))
        {
            let next = state.after(event).unwrap();
            assert!(!next.is_harmless() && next != State::Intent, "{state:?} {event:?} {next:?}");
            reached.push(next);
        }
        assert!(reached.contains(&State::Sent) && reached.contains(&State::Unknown));
    }

    #[test]
    fn nothing_follows_an_end() {
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            assert!(EVENTS.iter().all(|event| state.after(*event).is_none()), "{state:?}");
        }
    }

    #[test]
    fn unknown_leaves_only_by_evidence_or_a_person() {
        let ways: Vec<_> =
            EVENTS.into_iter().filter(|event| State::Unknown.after(*event).is_some()).collect();
        assert_eq!(ways, [Event::Found, Event::DeclaredUnsent]);
    }

    #[test]
    fn cancelling_is_for_what_is_held_here() {
        for state in State::ALL {
            let cancels = state.after(Event::Cancel).is_some();
            assert_eq!(cancels, state < State::Intent, "{state:?}");
        }
    }
}
