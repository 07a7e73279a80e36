//! Could we mail this address on that day, and why: from the ledger alone, so the answer is the same for ever, but for what was
//! learnt since, which is told apart.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::address::normal;
use postroom_store::Error;

use crate::consent::history::{self, Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::engine::Engine;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// In normal form.
    pub address: String,
    pub account: String,
    pub scope: Scope,
    pub on: Timestamp,
    /// From what was known then: what a send of that day had to go by.
    pub then: bool,
    /// From all that is known now about that day.
    pub in_truth: bool,
    /// The entry that decides, of what was known then.
    pub by: Option<Entry>,
    /// For a person.
    pub sentence: String,
    /// Everything that was said, oldest first.
    pub entries: Vec<Entry>,
}

impl Engine {
    /// Whether mail of an account was allowed to go to an address on a day, and why.
    ///
    /// # Errors
    /// The store's; and a refusal when no account has this name.
    pub async fn prove_consent(
        &self,
        account: &str,
        address: &str,
        scope: &Scope,
        on: Timestamp,
    ) -> Result<Proof, Fault> {
        let account = self.named(account)?.name.clone();
        let asked = normal(address);
        let address = asked.clone();
        let read = self.store.read(move |tx| async move { ledger::of(tx, &asked).await }.boxed()).await;
        let said: Result<Vec<Noted>, Error> = read;
        Ok(of(said?, account, address, scope.clone(), on))
    }
}

/// The answer from what was said to this account, or to all.
fn of(said: Vec<Noted>, account: String, address: String, scope: Scope, on: Timestamp) -> Proof {
    let ours = |noted: &Noted| noted.account == account || noted.account.is_empty();
    let entries: Vec<Entry> = said.into_iter().filter(ours).map(|noted| noted.entry).collect();
    let scopes =
        if scope == Scope::Account { vec![Scope::Account] } else { vec![Scope::Account, scope.clone()] };
    let at = |known_by| {
        let mut answers = scopes.iter().map(|scope| history::on(&entries, scope, on, known_by));
        // A no of the account is a no of each of its lists.
        let closed = answers.clone().find(|answer| !answer.open);
        closed.or_else(|| answers.next_back()).expect("there is a scope")
    };
    let (then, truth) = (at(on), at(Timestamp::MAX));
    let sentence = sentence(on, &then, &truth);
    let (open, by, in_truth) = (then.open, then.by.cloned(), truth.open);
    Proof { address, account, scope, on, then: open, in_truth, by, sentence, entries }
}

fn sentence(on: Timestamp, then: &history::Answer<'_>, truth: &history::Answer<'_>) -> String {
    let could = if then.open { "could be mailed" } else { "could not be mailed" };
    let why = match then.by {
        None => "nothing that forbids it was known".to_owned(),
        Some(entry) => because(entry),
    };
    let since = match then.open == truth.open {
        true => String::new(),
        false => format!(
            "; what became known later says otherwise: {}",
            truth.by.map_or_else(|| "nothing forbids it".to_owned(), because)
        ),
    };
    format!("On {on:.0} the address {could}: {why}{since}.")
}

fn because(entry: &Entry) -> String {
    let Entry { at, source, actor, proof, .. } = entry;
    let by = if actor.is_empty() { String::new() } else { format!(", by {actor}") };
    match &entry.said {
        Said::Out(status) => format!("{status} on {at:.0} ({source}{by})"),
        Said::In => format!("consent on {at:.0} ({source}{by}; {proof})"),
    }
}

#[cfg(test)]
mod tests {
    use postroom_core::marketing::Status;

    use super::*;

    fn day(day: u8) -> Timestamp {
        format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn noted(account: &str, scope: Scope, said: Said, on: u8, known: u8) -> Noted {
        let (source, proof) = ("form 1".to_owned(), "response 7".to_owned());
        let (at, known, actor) = (day(on), day(known), String::new());
        let entry = Entry { scope, said, at, known, source, actor, proof };
        Noted { account: account.into(), address: "o'brien+x@example.com".into(), entry }
    }

    #[track_caller]
    fn check(said: &[Noted], scope: Scope, on: u8, then: bool, in_truth: bool) -> String {
        let proof = of(said.to_vec(), "main".into(), "o'brien+x@example.com".into(), scope, day(on));
        assert_eq!((proof.then, proof.in_truth), (then, in_truth), "{}", proof.sentence);
        proof.sentence
    }

    #[test]
    fn then_and_in_truth() {
        let out = Said::Out(Status::Unsubscribed);
        let late = [noted("main", Scope::Account, out.clone(), 5, 9)];
        check(&late, Scope::Account, 4, true, true);
        let sentence = check(&late, Scope::Account, 7, true, false);
        assert!(sentence.contains("later says otherwise: Unsubscribed on 2026-01-05"), "{sentence}");
        check(&late, Scope::Account, 10, false, false);
        // Not this account's, and everybody's.
        check(&[noted("other", Scope::Account, out.clone(), 5, 5)], Scope::Account, 7, true, true);
        check(&[noted("", Scope::Account, out, 5, 5)], Scope::Account, 7, false, false);
    }

    #[test]
    fn a_no_of_the_account_is_one_of_its_lists() {
        let all = [noted("main", Scope::Account, Said::Out(Status::Unsubscribed), 5, 5)];
        check(&all, Scope::List(3), 7, false, false);
        let list = [noted("main", Scope::List(3), Said::Out(Status::Unsubscribed), 5, 5)];
        check(&list, Scope::List(3), 7, false, false);
        check(&list, Scope::Account, 7, true, true);
        let back = [list[0].clone(), noted("main", Scope::List(3), Said::In, 8, 8)];
        let sentence = check(&back, Scope::List(3), 9, true, true);
        assert!(sentence.contains("consent on 2026-01-08") && sentence.contains("response 7"), "{sentence}");
    }
}
