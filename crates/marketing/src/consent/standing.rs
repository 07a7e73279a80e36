//! From everything known of an address to one verdict: may it be mailed, and if not, why (marketing-sync.md 9.5).

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::Status;

use super::reason::{Meaning, meaning};

/// A suppression of the address in one account of the service, or one made here that has yet to get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    pub status: Status,
    pub since: Timestamp,
}

/// One record of the CRM with the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub at: RecordRef,
    pub active: bool,
    pub do_not_bulk_email: bool,
    pub do_not_email: bool,
    /// `donotsendmm`: no marketing materials.
    pub do_not_send_materials: bool,
}

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    Marketing,
    /// Something that the person asked for, such as an invoice: it is not marketing, and still stops at `donotemail` and at
    /// addresses that mail does not reach.
    Transactional,
}

/// Everything known of one address, in the transaction that asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    pub suppression: Option<Suppression>,
    /// Every record of the CRM with the address, not only the member of the list.
    pub holders: Vec<Holder>,
    /// The member that the mail is for, when it is for one.
    pub member: Option<RecordRef>,
    /// When the person left the list that the mail goes to.
    pub left_list: Option<Timestamp>,
    /// When the person said no to the preference that the list or campaign belongs to.
    pub declined: Option<Timestamp>,
    /// The service waits for the person's confirmation.
    pub pending: bool,
}

/// Why an address gets no mail. The order is that of weight; the first is the one shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Suppressed(Suppression),
    DoNotEmail(RecordRef),
    DoNotBulkEmail(RecordRef),
    DoNotSendMaterials(RecordRef),
    LeftList(Timestamp),
    Declined(Timestamp),
    PendingOptIn,
    /// The member is inactive, or no record has the address any longer.
    Inactive(Option<RecordRef>),
}

/// Every reason why the address gets no mail of this purpose; none means that it may be mailed.
pub fn blocks(known: &Known, purpose: Purpose) -> Vec<Block> {
    let marketing = purpose == Purpose::Marketing;
    let mut blocks = Vec::new();
    let suppressed = known.suppression.iter().filter(|suppression| stops(suppression, purpose));
    blocks.extend(suppressed.cloned().map(Block::Suppressed));
    let of = |flag: fn(&Holder) -> bool, block: fn(RecordRef) -> Block| {
        known.holders.iter().filter(move |holder| flag(holder)).map(move |holder| block(holder.at.clone()))
    };
    blocks.extend(of(|holder| holder.do_not_email, Block::DoNotEmail));
    if marketing {
        blocks.extend(of(|holder| holder.do_not_bulk_email, Block::DoNotBulkEmail));
        blocks.extend(of(|holder| holder.do_not_send_materials, Block::DoNotSendMaterials));
        blocks.extend(known.left_list.map(Block::LeftList));
        blocks.extend(known.declined.map(Block::Declined));
        blocks.extend(known.pending.then_some(Block::PendingOptIn));
    }
    blocks.extend(inactive(known).map(Block::Inactive));
    blocks
}

/// Any suppression stops marketing, also one whose reason nobody knows.
fn stops(suppression: &Suppression, purpose: Purpose) -> bool {
    match (purpose, meaning(&suppression.status)) {
        (_, Meaning::Open) => false,
        (Purpose::Marketing, _) | (Purpose::Transactional, Meaning::Deliverability) => true,
        (Purpose::Transactional, _) => false,
    }
}

/// The member must be there and active; without one, some record with the address must be.
fn inactive(known: &Known) -> Option<Option<RecordRef>> {
    match &known.member {
        Some(member) => {
            let active = known.holders.iter().any(|holder| holder.active && holder.at == *member);
            (!active).then(|| Some(member.clone()))
        }
        None => (!known.holders.iter().any(|holder| holder.active)).then_some(None),
    }
}

impl Block {
    /// One sentence for the person who wonders.
    pub fn sentence(&self) -> String {
        match self {
            Block::Suppressed(Suppression { status, since }) => {
                format!("the address is suppressed ({}) since {since}", status)
            }
            Block::DoNotEmail(at) => format!("{at} allows no e-mail (donotemail)"),
            Block::DoNotBulkEmail(at) => format!("{at} allows no bulk e-mail (donotbulkemail)"),
            Block::DoNotSendMaterials(at) => format!("{at} wants no marketing material (donotsendmm)"),
            Block::LeftList(since) => format!("the person left this list on {since}"),
            Block::Declined(since) => format!("the person declined this kind of mail on {since}"),
            Block::PendingOptIn => "the person has not yet confirmed the subscription".to_owned(),
            Block::Inactive(Some(at)) => format!("{at} is inactive or gone"),
            Block::Inactive(None) => "no active record has this address".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn holder(id: u128) -> Holder {
        Holder {
            at: RecordRef::new("contact", Uuid::from_u128(id)),
            active: true,
            do_not_bulk_email: false,
            do_not_email: false,
            do_not_send_materials: false,
        }
    }

    fn member() -> Known {
        Known {
            holders: vec![holder(1)],
            member: Some(RecordRef::new("contact", Uuid::from_u128(1))),
            ..Known::default()
        }
    }

    fn suppressed(status: Status) -> Known {
        let suppression = Suppression { status, since: at("2026-01-01T00:00:00Z") };
        Known { suppression: Some(suppression), ..member() }
    }

    /// Whether marketing and transactional mail may go.
    #[track_caller]
    fn check(known: &Known, marketing: bool, transactional: bool) {
        let may = |purpose| blocks(known, purpose).is_empty();
        assert_eq!(
            (may(Purpose::Marketing), may(Purpose::Transactional)),
            (marketing, transactional),
            "{known:?}"
        );
    }

    #[test]
    fn nothing_against_it() {
        check(&member(), true, true);
        check(&suppressed(Status::Subscribed), true, true);
        check(&suppressed(Status::SoftBounced), true, true);
    }

    #[test]
    fn suppressions() {
        check(&suppressed(Status::Unsubscribed), false, true);
        check(&suppressed(Status::HardBounced), false, false);
        check(&suppressed(Status::Other("Novel".into())), false, true);
    }

    #[test]
    fn the_strictest_record_counts() {
        let flagged = |change: fn(&mut Holder)| {
            let mut other = holder(2);
            change(&mut other);
            Known { holders: vec![holder(1), other], ..member() }
        };
        check(&flagged(|other| other.do_not_bulk_email = true), false, true);
        check(&flagged(|other| other.do_not_send_materials = true), false, true);
        check(&flagged(|other| other.do_not_email = true), false, false);
        // An inactive record's opt-out still counts; its inactivity does not, as it is not the member.
        check(&flagged(|other| (other.active, other.do_not_bulk_email) = (false, true)), false, true);
        check(&flagged(|other| other.active = false), true, true);
    }

    #[test]
    fn one_list_or_kind_of_mail() {
        let when = Some(at("2026-01-01T00:00:00Z"));
        check(&Known { left_list: when, ..member() }, false, true);
        check(&Known { declined: when, ..member() }, false, true);
        check(&Known { pending: true, ..member() }, false, true);
    }

    #[test]
    fn inactive_members() {
        let mut gone = member();
        gone.holders[0].active = false;
        check(&gone, false, false);
        check(&Known { holders: vec![holder(2)], ..member() }, false, false);
        check(&Known { holders: vec![holder(2)], member: None, ..member() }, true, true);
        check(&Known::default(), false, false);
    }

    #[test]
    fn the_weightiest_reason_comes_first() {
        let mut known = suppressed(Status::Unsubscribed);
        known.holders[0].do_not_bulk_email = true;
        let blocks = blocks(&known, Purpose::Marketing);
        assert_eq!(blocks.len(), 2);
        assert_eq!(
            blocks[0].sentence(),
            "the address is suppressed (Unsubscribed) since 2026-01-01T00:00:00Z"
        );
        assert!(blocks[1].sentence().ends_with("allows no bulk e-mail (donotbulkemail)"));
    }
}
