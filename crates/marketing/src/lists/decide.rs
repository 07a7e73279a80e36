//! What is to happen with one address of a list: a pure function of what is so on either side, and of what both sides last
//! agreed on.

use super::here::Action;

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// A member in the CRM has it.
    pub here: bool,
    /// It gets no mail by this list: opted out, left, or no member with it is active.
    pub blocked: bool,
    /// The service waits for the person's confirmation, and nothing else speaks against mail.
    pub pending: bool,
    pub there: bool,
    /// Both sides had it.
    pub agreed: bool,
    /// An active record of the list's kind has it.
    pub known: bool,
    pub dynamic: bool,
    pub action: Action,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Todo {
    Nothing,
    /// Both sides have it: from now on one that goes is one that was taken off.
    Agree,
    /// Neither side has it.
    Forget,
    /// A member whom the service no longer has, and who gets no mail.
    Disagree,
    /// Put on the service's list.
    Add,
    /// Taken off the service's list.
    Drop,
    /// The same because the person gets no mail; nobody is asked about that.
    OptOut,
    /// Taken off the CRM's list.
    Leave,
    /// Put on the CRM's list.
    Join,
    /// Made as a record, and put on the CRM's list.
    Create,
}

impl Todo {
    /// Those that are done after the comparison, in the order in which they are done.
    pub const DONE: [Todo; 6] = [Todo::OptOut, Todo::Drop, Todo::Leave, Todo::Join, Todo::Create, Todo::Add];

    /// As it is kept until it is done.
    pub fn as_str(self) -> &'static str {
        match self {
            Todo::Nothing | Todo::Agree | Todo::Forget | Todo::Disagree => "",
            Todo::Add => "add",
            Todo::Drop => "drop",
            Todo::OptOut => "opt_out",
            Todo::Leave => "leave",
            Todo::Join => "join",
            Todo::Create => "create",
        }
    }
}

pub fn decide(facts: Facts) -> Todo {
    let Facts { here, blocked, pending, there, agreed, .. } = facts;
    match (here, there) {
        // The service itself waits; until the person has answered nobody is added or taken off.
        (true, _) if pending => Todo::Nothing,
        (true, true) if blocked => Todo::OptOut,
        (true, false) if blocked => {
            if agreed {
                Todo::Disagree
            } else {
                Todo::Nothing
            }
        }
        (true, true) if agreed => Todo::Nothing,
        (true, true) => Todo::Agree,
        (true, false) if agreed && !facts.dynamic => Todo::Leave,
        (true, false) => Todo::Add,
        (false, true) => extra(facts),
        (false, false) => Todo::Forget,
    }
}

/// The service has somebody whom the CRM has not.
fn extra(facts: Facts) -> Todo {
    if facts.dynamic || facts.agreed {
        return Todo::Drop;
    }
    match facts.action {
        Action::Ignore => Todo::Nothing,
        Action::Remove => Todo::Drop,
        // Somebody who gets no mail does not become a member.
        _ if facts.blocked => Todo::Nothing,
        Action::OnlyKnown => {
            if facts.known {
                Todo::Join
            } else {
                Todo::Nothing
            }
        }
        Action::CreateUnknown => {
            if facts.known {
                Todo::Join
            } else {
                Todo::Create
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Letters: `h`ere, `t`here, `a`greed, `b`locked, `p`ending, `k`nown, `d`ynamic.
    fn facts(letters: &str, action: Action) -> Facts {
        let has = |letter| letters.contains(letter);
        Facts {
            here: has('h'),
            there: has('t'),
            agreed: has('a'),
            blocked: has('b') || has('p'),
            pending: has('p'),
            known: has('k'),
            dynamic: has('d'),
            action,
        }
    }

    #[track_caller]
    fn check(letters: &str, action: Action, expected: Todo) {
        assert_eq!(decide(facts(letters, action)), expected, "{letters} {action:?}");
    }

    #[test]
    fn both_sides_of_a_static_list() {
        check("h", Action::Ignore, Todo::Add);
        check("ht", Action::Ignore, Todo::Agree);
        check("hta", Action::Ignore, Todo::Nothing);
        check("ha", Action::Ignore, Todo::Leave);
        check("ta", Action::Ignore, Todo::Drop);
        check("a", Action::Ignore, Todo::Forget);
    }

    #[test]
    fn strangers_on_the_services_list() {
        check("t", Action::Ignore, Todo::Nothing);
        check("t", Action::Remove, Todo::Drop);
        check("t", Action::OnlyKnown, Todo::Nothing);
        check("tk", Action::OnlyKnown, Todo::Join);
        check("tk", Action::CreateUnknown, Todo::Join);
        check("t", Action::CreateUnknown, Todo::Create);
        check("tkb", Action::OnlyKnown, Todo::Nothing);
        check("tb", Action::CreateUnknown, Todo::Nothing);
    }

    #[test]
    fn dynamic_lists_go_one_way() {
        check("td", Action::CreateUnknown, Todo::Drop);
        check("had", Action::Ignore, Todo::Add);
    }

    #[test]
    fn who_gets_no_mail() {
        check("hb", Action::Ignore, Todo::Nothing);
        check("htb", Action::Ignore, Todo::OptOut);
        check("htab", Action::Ignore, Todo::OptOut);
        // The service hides whom it suppressed: that is no reason to leave the CRM's list.
        check("hab", Action::Ignore, Todo::Disagree);
        check("hp", Action::Ignore, Todo::Nothing);
        check("htp", Action::Ignore, Todo::Nothing);
    }

    proptest! {
        #[test]
        fn nobody_opted_out_is_added(bits in 0u8..128, action in 0usize..4) {
            let action = [Action::Ignore, Action::Remove, Action::OnlyKnown, Action::CreateUnknown][action];
            let letters: String = "htabpkd".chars().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, letter)| letter).collect();
            let facts = facts(&letters, action);
            let todo = decide(facts);
            prop_assert!(!facts.blocked || !matches!(todo, Todo::Add | Todo::Join | Todo::Create), "{letters} {todo:?}");
            // Nobody is taken off the CRM's list who is not there any more, or by a dynamic list.
            prop_assert!(todo != Todo::Leave || (facts.here && !facts.there && facts.agreed && !facts.dynamic));
        }
    }
}
