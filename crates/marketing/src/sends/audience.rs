//! Who is mailed by a send, and who is not and why: one function for the preview and for the send itself (S12).
//!
//! Each person counts once. An address that several members have is mailed once: the member whose list comes first, then the
//! active one, then the lowest id stands for it (marketing-sync.md 4.4).

use std::collections::{BTreeMap, HashSet};

use postroom_core::RecordRef;
use postroom_core::address::normal;

use crate::consent::standing::{Block, Known, Purpose, blocks};

/// A member of one of the lists that the send goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub at: RecordRef,
    /// As the record has it; empty when it has none.
    pub address: String,
    /// The place of the member's list among those of the send.
    pub list: usize,
}

/// Why a member is left out. Every member that is not mailed is in exactly one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeftOut {
    NoAddress,
    Invalid,
    /// Another member with the address stands for it.
    Duplicate,
    AlreadySent,
    Suppressed,
    OptedOut,
    LeftList,
    Inactive,
}

/// What a send comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience {
    /// In the order in which they came, with the address in normal form.
    pub mailed: Vec<(RecordRef, String)>,
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Members in all: `mailed` and `left_out` add up to it.
    pub members: u64,
    /// Some of those who are left out for each reason, with the address as the record has it.
    pub samples: Vec<(RecordRef, String, LeftOut)>,
}

/// People who are shown for each reason.
const SHOWN: u64 = 3;

/// Why a send does not go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "nobody would be mailed: {0} members, and all of them are left out; look at the counts for the reasons"
    )]
    Nobody(u64),
    #[error(
        "{found} people would be mailed, and {expected} were expected; correct the lists, or ask again with the number expected"
    )]
    Unexpected { found: u64, expected: u64 },
}

/// Decides over members in the order of their lists. `known` tells what is known of an address (for the member named);
/// `sent` says whether the campaign went to it or the member before, and is asked only when repeats are not allowed.
pub fn audience(
    members: impl IntoIterator<Item = Member>,
    known: impl Fn(&str, &Member) -> Known,
    sent: impl Fn(&str, &Member) -> bool,
) -> Audience {
    let mut members: Vec<Member> = members.into_iter().collect();
    members.sort_by(|a, b| (a.list, &a.at).cmp(&(b.list, &b.at)));
    let mut audience = Audience::default();
    let mut taken: HashSet<String> = HashSet::new();
    let mut records: HashSet<RecordRef> = HashSet::new();
    for member in members {
        // A person on two of the lists is one member.
        if !records.insert(member.at.clone()) {
            continue;
        }
        audience.members += 1;
        let address = normal(&member.address);
        let reason = match () {
            () if address.is_empty() => Some(LeftOut::NoAddress),
            () if !looks_valid(&address) => Some(LeftOut::Invalid),
            () if taken.contains(&address) => Some(LeftOut::Duplicate),
            () if sent(&address, &member) => Some(LeftOut::AlreadySent),
            () => blocks(&known(&address, &member), Purpose::Marketing).first().map(group),
        };
        match reason {
            Some(reason) => {
                let number = audience.left_out.entry(reason).or_default();
                *number += 1;
                if *number <= SHOWN {
                    audience.samples.push((member.at, member.address, reason));
                }
            }
            None => {
                taken.insert(address.clone());
                audience.mailed.push((member.at, address));
            }
        }
    }
    audience
}

impl Audience {
    /// Whether a send to these people may go on. `expected` is the number that whoever asked believes in, with the share of
    /// it that may be missing or more, in percent.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was sent.
    pub fn admit(&self, expected: Option<u64>, tolerance: u64) -> Result<(), Refusal> {
        admit(self.mailed.len() as u64, self.members, expected, tolerance)
    }
}

/// The same over counts that were kept.
///
/// # Errors
/// [`Refusal`].
pub fn admit(found: u64, members: u64, expected: Option<u64>, tolerance: u64) -> Result<(), Refusal> {
    if found == 0 {
        return Err(Refusal::Nobody(members));
    }
    match expected {
        Some(expected) if found.abs_diff(expected) * 100 > expected * tolerance => {
            Err(Refusal::Unexpected { found, expected })
        }
        _ => Ok(()),
    }
}

fn group(block: &Block) -> LeftOut {
    match block {
        Block::Suppressed(_) | Block::PendingOptIn => LeftOut::Suppressed,
        Block::DoNotEmail(_) | Block::DoNotBulkEmail(_) | Block::DoNotSendMaterials(_) => LeftOut::OptedOut,
        Block::LeftList(_) | Block::Declined(_) => LeftOut::LeftList,
        Block::Inactive(_) => LeftOut::Inactive,
    }
}

/// What the service would surely refuse; it judges the rest.
fn looks_valid(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let clean = |text: &str| !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    !local.is_empty() && domain.contains('.') && clean(local) && clean(domain) && address.len() <= 320
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::consent::standing::{Holder, Suppression};
    use postroom_core::marketing::Status;

    fn member(id: u128, address: &str, list: usize) -> Member {
        Member { at: RecordRef::new("contact", Uuid::from_u128(id)), address: address.to_owned(), list }
    }

    fn fine(_: &str, member: &Member) -> Known {
        let holder = Holder {
            at: member.at.clone(),
            active: true,
            do_not_bulk_email: false,
            do_not_email: false,
            do_not_send_materials: false,
        };
        Known { holders: vec![holder], member: Some(member.at.clone()), ..Known::default() }
    }

    /// Addresses mailed, and how many were left out for what.
    #[track_caller]
    fn check(audience: &Audience, mailed: &[&str], left_out: &[(LeftOut, u64)]) {
        let addresses: Vec<&str> = audience.mailed.iter().map(|(_, address)| address.as_str()).collect();
        assert_eq!(addresses, mailed);
        assert_eq!(audience.left_out, left_out.iter().copied().collect());
        let all = audience.mailed.len() as u64 + audience.left_out.values().sum::<u64>();
        assert_eq!(all, audience.members, "the counts add up");
        let shown = left_out.iter().map(|(_, number)| (*number).min(SHOWN)).sum::<u64>();
        assert_eq!(audience.samples.len() as u64, shown, "{:?}", audience.samples);
    }

    #[test]
    fn one_mail_for_one_address() {
        let members = [
            member(3, "a@x.example", 1),
            member(2, "A@X.example", 0),
            member(1, "b@x.example", 1),
            // On both lists.
            member(2, "A@X.example", 1),
        ];
        let audience = audience(members, fine, |_, _| false);
        check(&audience, &["a@x.example", "b@x.example"], &[(LeftOut::Duplicate, 1)]);
        assert_eq!(audience.mailed[0].0.id, Uuid::from_u128(2));
    }

    #[test]
    fn left_out() {
        let members = [
            member(1, "", 0),
            member(2, "nobody", 0),
            member(3, "sent@x.example", 0),
            member(4, "out@x.example", 0),
            member(5, "o'brien+x@example.com", 0),
        ];
        let known = |address: &str, member: &Member| {
            let suppression = (address == "out@x.example")
                .then_some(Suppression { status: Status::Unsubscribed, since: Timestamp::UNIX_EPOCH });
            Known { suppression, ..fine(address, member) }
        };
        let audience = audience(members, known, |address, _| address.starts_with("sent"));
        let expected = [
            (LeftOut::NoAddress, 1),
            (LeftOut::Invalid, 1),
            (LeftOut::AlreadySent, 1),
            (LeftOut::Suppressed, 1),
        ];
        check(&audience, &["o'brien+x@example.com"], &expected);
    }

    #[test]
    fn an_empty_audience_never_goes() {
        let none = audience([member(1, "", 0)], fine, |_, _| false);
        assert_eq!(none.admit(None, 100), Err(Refusal::Nobody(1)));
        assert_eq!(audience([], fine, |_, _| false).admit(Some(0), 100), Err(Refusal::Nobody(0)));
    }

    #[test]
    fn as_many_as_expected() {
        let members = (0..10).map(|n| member(n, &format!("p{n}@x.example"), 0));
        let ten = audience(members, fine, |_, _| false);
        assert_eq!(ten.admit(None, 0), Ok(()));
        assert_eq!(ten.admit(Some(10), 0), Ok(()));
        assert_eq!(ten.admit(Some(11), 10), Ok(()));
        assert_eq!(ten.admit(Some(12), 10), Err(Refusal::Unexpected { found: 10, expected: 12 }));
        assert_eq!(ten.admit(Some(9), 10), Err(Refusal::Unexpected { found: 10, expected: 9 }));
    }
}
