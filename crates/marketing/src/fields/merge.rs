//! What to do about one field of one person: a three-way merge with a stated winner.
//!
//! *Base* is what both sides had when they last agreed, kept in postroom's own store; without one (a first sync) both sides
//! count as changed. After the step both sides are equal, and that is the next base.

use super::Field;

/// Which way a mapping goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    FromCrm,
    ToCrm,
    TwoWay,
}

/// Who is right when both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Winner {
    #[default]
    Crm,
    Service,
}

/// What an empty value in the CRM means for the service (`esc_emptyrule`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EmptyRule {
    /// It clears the data field.
    #[default]
    SendBlank,
    /// The service keeps what it has, and the CRM keeps its empty value.
    KeepRemote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    pub direction: Direction,
    pub winner: Winner,
    pub empty: EmptyRule,
}

/// The step for one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Both are equal, or the rule lets them differ.
    Nothing,
    /// The service gets the CRM's value. `conflict`: its own change is lost, and is shown.
    ToService { conflict: bool },
    /// The CRM gets the service's value.
    ToCrm { conflict: bool },
}

/// Compares one field of both sides with what they last agreed on.
pub fn step(rule: Rule, base: Option<&Field>, crm: &Field, service: &Field) -> Step {
    if crm == service {
        return Step::Nothing;
    }
    let kept = rule.empty == EmptyRule::KeepRemote && *crm == Field::Null;
    let (crm_changed, service_changed) = (base != Some(crm), base != Some(service));
    let conflict = base.is_some() && crm_changed && service_changed;
    match rule.direction {
        Direction::FromCrm if kept => Step::Nothing,
        Direction::FromCrm => Step::ToService { conflict: service_changed && base.is_some() },
        Direction::ToCrm => Step::ToCrm { conflict: crm_changed && base.is_some() },
        Direction::TwoWay => match (crm_changed, service_changed) {
            (true, false) if kept => Step::Nothing,
            (true, false) => Step::ToService { conflict },
            (false, true) => Step::ToCrm { conflict },
            _ => first_or_both(rule, base, crm, service, kept),
        },
    }
}

/// Both changed. At a first meeting a value beats an empty field, whoever wins otherwise: nobody has cleared anything yet.
fn first_or_both(rule: Rule, base: Option<&Field>, crm: &Field, service: &Field, kept: bool) -> Step {
    let conflict = base.is_some();
    match (base, crm, service) {
        (None, Field::Null, _) => Step::ToCrm { conflict },
        (None, _, Field::Null) => Step::ToService { conflict },
        _ if rule.winner == Winner::Service => Step::ToCrm { conflict },
        _ if kept => Step::Nothing,
        _ => Step::ToService { conflict },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_WAY: Rule =
        Rule { direction: Direction::TwoWay, winner: Winner::Crm, empty: EmptyRule::SendBlank };
    const OUT: Rule = Rule { direction: Direction::FromCrm, ..TWO_WAY };
    const IN: Rule = Rule { direction: Direction::ToCrm, ..TWO_WAY };
    const KEEP: Rule = Rule { empty: EmptyRule::KeepRemote, ..TWO_WAY };
    const SERVICE_WINS: Rule = Rule { winner: Winner::Service, ..TWO_WAY };

    fn field(text: &str) -> Field {
        if text.is_empty() { Field::Null } else { Field::Text(text.to_owned()) }
    }

    /// `base` of "?" is none; an empty text is an empty field.
    #[track_caller]
    fn check(rule: Rule, base: &str, crm: &str, service: &str, expected: Step) {
        let before = (base != "?").then(|| field(base));
        assert_eq!(
            step(rule, before.as_ref(), &field(crm), &field(service)),
            expected,
            "{base} {crm} {service}"
        );
    }

    const OUTWARD: Step = Step::ToService { conflict: false };
    const INWARD: Step = Step::ToCrm { conflict: false };

    #[test]
    fn one_side_changed() {
        check(TWO_WAY, "a", "a", "a", Step::Nothing);
        check(TWO_WAY, "a", "b", "b", Step::Nothing);
        check(TWO_WAY, "a", "b", "a", OUTWARD);
        check(TWO_WAY, "a", "a", "b", INWARD);
    }

    #[test]
    fn what_is_cleared_is_cleared() {
        check(TWO_WAY, "a", "", "a", OUTWARD);
        check(TWO_WAY, "a", "a", "", INWARD);
        check(OUT, "a", "", "a", OUTWARD);
        check(IN, "a", "a", "", INWARD);
        check(KEEP, "a", "", "a", Step::Nothing);
        check(Rule { empty: EmptyRule::KeepRemote, ..OUT }, "a", "", "b", Step::Nothing);
    }

    #[test]
    fn both_changed() {
        check(TWO_WAY, "a", "b", "c", Step::ToService { conflict: true });
        check(SERVICE_WINS, "a", "b", "c", Step::ToCrm { conflict: true });
        check(OUT, "a", "b", "c", Step::ToService { conflict: true });
        check(IN, "a", "b", "c", Step::ToCrm { conflict: true });
        check(TWO_WAY, "a", "", "c", Step::ToService { conflict: true });
        check(KEEP, "a", "", "c", Step::Nothing);
    }

    #[test]
    fn a_first_meeting_clears_nothing() {
        check(TWO_WAY, "?", "", "c", INWARD);
        check(SERVICE_WINS, "?", "b", "", OUTWARD);
        check(TWO_WAY, "?", "b", "c", OUTWARD);
        check(SERVICE_WINS, "?", "b", "c", INWARD);
        check(OUT, "?", "", "c", OUTWARD);
    }

    /// Whatever both sides do, one step makes them equal (unless the rule lets them differ), and the next does nothing.
    #[test]
    fn sides_agree_after_a_step() {
        let values = ["", "a", "b", "c"];
        for rule in [TWO_WAY, OUT, IN, SERVICE_WINS] {
            for base in ["?", "", "a", "b"] {
                for (crm, service) in values.iter().flat_map(|crm| values.map(|service| (*crm, service))) {
                    let before = (base != "?").then(|| field(base));
                    let (mut here, mut there) = (field(crm), field(service));
                    match step(rule, before.as_ref(), &here, &there) {
                        Step::Nothing => {}
                        Step::ToService { .. } => there = here.clone(),
                        Step::ToCrm { .. } => here = there.clone(),
                    }
                    assert_eq!(here, there, "{rule:?} {base} {crm} {service}");
                    assert_eq!(step(rule, Some(&here), &here, &there), Step::Nothing);
                }
            }
        }
    }
}
