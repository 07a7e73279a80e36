//! Ids that only this installation can have made: signed Message-IDs and reply addresses.
//!
//! `<pr1.PAYLOAD.MAC@domain>` and `r.PAYLOAD.MAC@reply.domain`. PAYLOAD is 140 bits in 28 characters of base32: version
//! (4 bits), key id (4), kind (4), id (128). MAC is 100 bits in 20 characters: HMAC-SHA-256 over the purpose, the
//! installation's id and the payload (`mail-tracking.md` 6.3). The local parts are 53 and 51 octets long (RFC 5321 allows 64).
//!
//! A valid MAC proves that we issued the id, not that this sender may use it: every copy and archive of a mail holds it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::base32;

const VERSION: u8 = 1;
/// The first part of our Message-IDs.
const MESSAGE_ID_TAG: &str = "pr1";
/// The first part of our reply addresses.
const ADDRESS_TAG: &str = "r";
const PAYLOAD_CHARS: usize = 28;
const PAYLOAD_BYTES: usize = 18;
const MAC_CHARS: usize = 20;

/// What the id inside a signed id is an id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An outgoing mail (its activity).
    Message,
    /// A record of the CRM.
    Record,
    /// An outgoing mail, in an address to which only bounces go.
    Bounce,
}

impl Kind {
    fn nibble(self) -> u8 {
        match self {
            Kind::Message => 1,
            Kind::Record => 2,
            Kind::Bounce => 3,
        }
    }

    fn of_nibble(nibble: u8) -> Option<Kind> {
        [Kind::Message, Kind::Record, Kind::Bounce].into_iter().find(|kind| kind.nibble() == nibble)
    }
}

/// What the MAC is for. An id made for one purpose is forged in any other place.
#[derive(Clone, Copy)]
enum Purpose {
    MessageId,
    ReplyAddress,
}

impl Purpose {
    fn text(self) -> &'static [u8] {
        match self {
            Purpose::MessageId => b"postroom message-id",
            Purpose::ReplyAddress => b"postroom reply-address",
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Purpose::MessageId => MESSAGE_ID_TAG,
            Purpose::ReplyAddress => ADDRESS_TAG,
        }
    }
}

/// A signing key. Its `Debug` shows only the id.
#[derive(Clone)]
pub struct Key {
    /// 0 to 15; never given to another secret as long as mail with it may come back.
    pub id: u8,
    pub secret: [u8; 32],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a signer cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no signing key: give at least one")]
    NoKey,
    #[error("key id {0} is out of range: choose a number from 0 to 15")]
    KeyId(u8),
    #[error("key id {0} is given twice: give each key its own number")]
    KeyTwice(u8),
    #[error(
        "{0:?} cannot stand in a Message-ID: write a domain of letters, digits, dots and hyphens, at most 90 long"
    )]
    Domain(String),
}

/// What a Message-ID or an address turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// We made it, with the key of that id.
    Valid { kind: Kind, id: Uuid, key: u8 },
    /// It claims to be ours and is not: altered, or made up.
    Forged,
    /// It makes no claim.
    NotOurs,
}

/// Makes and checks signed ids.
#[derive(Debug, Clone)]
pub struct Signer {
    installation: Uuid,
    keys: Vec<Key>,
    domain: String,
    reply_domain: String,
}

impl Signer {
    /// Signs with the first key; the others, older ones, still verify. `domain` is the installation's lasting mail domain, not a
    /// host's name. Reply addresses are in `reply.` below it unless [`Signer::with_reply_domain`] says otherwise.
    pub fn new(installation: Uuid, keys: Vec<Key>, domain: &str) -> Result<Signer, Error> {
        if keys.is_empty() {
            return Err(Error::NoKey);
        }
        for (place, key) in keys.iter().enumerate() {
            if key.id > 15 {
                return Err(Error::KeyId(key.id));
            }
            if keys[..place].iter().any(|other| other.id == key.id) {
                return Err(Error::KeyTwice(key.id));
            }
        }
        let domain = checked_domain(domain)?;
        let reply_domain = format!("reply.{domain}");
        Ok(Signer { installation, keys, domain, reply_domain })
    }

    /// The same signer with another domain for reply addresses.
    pub fn with_reply_domain(mut self, domain: &str) -> Result<Signer, Error> {
        self.reply_domain = checked_domain(domain)?;
        Ok(self)
    }

    /// Where replies and bounces to addresses of ours go.
    pub fn reply_domain(&self) -> &str {
        &self.reply_domain
    }

    /// A Message-ID with its angle brackets. The same kind and id give the same text as long as the first key stays.
    pub fn sign_message_id(&self, kind: Kind, id: Uuid) -> String {
        format!("<{}@{}>", self.sign(Purpose::MessageId, kind, id), self.domain)
    }

    /// A reply address, bare.
    pub fn reply_address(&self, kind: Kind, id: Uuid) -> String {
        format!("{}@{}", self.sign(Purpose::ReplyAddress, kind, id), self.reply_domain)
    }

    /// Checks a Message-ID, with or without angle brackets, in any case.
    pub fn verify(&self, message_id: &str) -> Verification {
        self.check(Purpose::MessageId, message_id, &self.domain)
    }

    /// Checks a recipient's address, bare or in angle brackets, in any case.
    pub fn verify_address(&self, address: &str) -> Verification {
        self.check(Purpose::ReplyAddress, address, &self.reply_domain)
    }

    fn sign(&self, purpose: Purpose, kind: Kind, id: Uuid) -> String {
        let key = self.keys.first().expect("checked in `new`: at least one key");
        let payload = pack(key.id, kind, id);
        let mac = self.mac(key, purpose, &payload);
        format!("{}.{}.{}", purpose.tag(), base32::encode(&payload, PAYLOAD_CHARS), mac)
    }

    fn check(&self, purpose: Purpose, text: &str, domain: &str) -> Verification {
        let text = text.trim();
        let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        let claim = text.rsplit_once('@').filter(|(_, of)| of.eq_ignore_ascii_case(domain));
        let Some((tag, rest)) = claim.and_then(|(local, _)| local.split_once('.')) else {
            return Verification::NotOurs;
        };
        if !tag.eq_ignore_ascii_case(purpose.tag()) {
            return Verification::NotOurs;
        }
        self.check_claim(purpose, rest).unwrap_or(Verification::Forged)
    }

    /// `None` when the claim does not hold.
    fn check_claim(&self, purpose: Purpose, rest: &str) -> Option<Verification> {
        let (payload, mac) = rest.split_once('.')?;
        if payload.len() != PAYLOAD_CHARS {
            return None;
        }
        let payload: [u8; PAYLOAD_BYTES] = base32::decode(payload)?.try_into().ok()?;
        let (key_id, kind, id) = unpack(&payload)?;
        let key = self.keys.iter().find(|key| key.id == key_id)?;
        let expected = self.mac(key, purpose, &payload);
        let same: bool = expected.as_bytes().ct_eq(mac.to_ascii_lowercase().as_bytes()).into();
        same.then_some(Verification::Valid { kind, id, key: key_id })
    }

    fn mac(&self, key: &Key, purpose: Purpose, payload: &[u8; PAYLOAD_BYTES]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.secret).expect("HMAC takes keys of any length");
        mac.update(purpose.text());
        mac.update(&[0]);
        mac.update(self.installation.as_bytes());
        mac.update(payload);
        base32::encode(&mac.finalize().into_bytes(), MAC_CHARS)
    }
}

/// Version, key, kind and id as 140 bits, the highest first.
fn pack(key: u8, kind: Kind, id: Uuid) -> [u8; PAYLOAD_BYTES] {
    let mut payload = [0; PAYLOAD_BYTES];
    payload[0] = VERSION << 4 | key;
    payload[1] = kind.nibble() << 4;
    for (place, byte) in id.as_bytes().iter().enumerate() {
        payload[place + 1] |= byte >> 4;
        payload[place + 2] = byte << 4;
    }
    payload
}

fn unpack(payload: &[u8; PAYLOAD_BYTES]) -> Option<(u8, Kind, Uuid)> {
    if payload[0] >> 4 != VERSION {
        return None;
    }
    let kind = Kind::of_nibble(payload[1] >> 4)?;
    let id: [u8; 16] = std::array::from_fn(|place| payload[place + 1] << 4 | payload[place + 2] >> 4);
    Some((payload[0] & 15, kind, Uuid::from_bytes(id)))
}

fn checked_domain(domain: &str) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let edges = |c: char| c == '.' || c == '-';
    let sound = !domain.is_empty()
        && domain.len() <= 90
        && domain.chars().all(fits)
        && !domain.contains("..")
        && !domain.starts_with(edges)
        && !domain.ends_with(edges);
    match sound {
        true => Ok(domain.to_ascii_lowercase()),
        false => Err(Error::Domain(domain.chars().take(100).collect())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INSTALLATION: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);
    const ID: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_1f0e6e2a9b11);

    fn key(id: u8) -> Key {
        Key { id, secret: [id + 1; 32] }
    }

    fn signer_of(installation: Uuid, keys: &[u8]) -> Signer {
        Signer::new(installation, keys.iter().map(|id| key(*id)).collect(), "crm.example").unwrap()
    }

    fn signer() -> Signer {
        signer_of(INSTALLATION, &[3])
    }

    const VALID: Verification = Verification::Valid { kind: Kind::Message, id: ID, key: 3 };

    #[test]
    fn shape_never_changes() {
        // Mail with these ids is out there: a change here orphans it. The value was computed apart from this code.
        assert_eq!(
            signer().sign_message_id(Kind::Message, ID),
            "<pr1.2cbf3v805aty98p8t30z1sq2n6rh.c9t54eps0vss8d3hxkf6@crm.example>"
        );
    }

    #[test]
    fn limits() {
        let long = Signer::new(INSTALLATION, vec![key(0)], &"a".repeat(90)).unwrap();
        assert!(long.sign_message_id(Kind::Record, ID).len() < 150);
        let address = signer().reply_address(Kind::Bounce, ID);
        assert!(address.ends_with("@reply.crm.example"), "{address}");
        assert!(address.split_once('@').unwrap().0.len() <= 64);
    }

    #[test]
    fn brackets_and_case_do_not_matter() {
        let id = signer().sign_message_id(Kind::Message, ID);
        assert_eq!(signer().verify(&id), VALID);
        assert_eq!(signer().verify(id.trim_matches(['<', '>'])), VALID);
        assert_eq!(signer().verify(&format!(" {} ", id.to_uppercase())), VALID);
    }

    #[test]
    fn bound_to_installation_key_and_purpose() {
        let id = signer().sign_message_id(Kind::Message, ID);
        assert_eq!(signer_of(Uuid::from_u128(2), &[3]).verify(&id), Verification::Forged);
        assert_eq!(signer_of(INSTALLATION, &[4]).verify(&id), Verification::Forged);
        let other_secret =
            Signer::new(INSTALLATION, vec![Key { id: 3, secret: [9; 32] }], "crm.example").unwrap();
        assert_eq!(other_secret.verify(&id), Verification::Forged);
        let as_address = id.replace("<pr1.", "r.").replace("@crm.example>", "@reply.crm.example");
        assert_eq!(signer().verify_address(&as_address), Verification::Forged);
        assert_eq!(signer().verify_address(&signer().reply_address(Kind::Message, ID)), VALID);
    }

    #[test]
    fn old_keys_verify_and_the_first_signs() {
        let old = signer().sign_message_id(Kind::Message, ID);
        let rotated = signer_of(INSTALLATION, &[4, 3]);
        assert_eq!(rotated.verify(&old), VALID);
        let new = rotated.sign_message_id(Kind::Message, ID);
        assert_eq!(rotated.verify(&new), Verification::Valid { kind: Kind::Message, id: ID, key: 4 });
    }

    #[test]
    fn others_make_no_claim() {
        let elsewhere = signer().sign_message_id(Kind::Message, ID).replace("crm.example", "else.example");
        for id in ["", "@", "<>", "pr1.x", "abc@crm.example", "abc.def.ghi@crm.example", &elsewhere] {
            assert_eq!(signer().verify(id), Verification::NotOurs, "{id}");
        }
        for id in ["pr1.@crm.example", "pr1.x.y@crm.example", "pr1.x@crm.example", "pr1.é.é@crm.example"] {
            assert_eq!(signer().verify(id), Verification::Forged, "{id}");
        }
    }

    #[test]
    fn unsound_signers_are_refused() {
        let of = |keys: &[u8], domain: &str| {
            Signer::new(INSTALLATION, keys.iter().map(|id| key(*id)).collect(), domain).unwrap_err()
        };
        assert_eq!(of(&[], "x.example"), Error::NoKey);
        assert_eq!(of(&[16], "x.example"), Error::KeyId(16));
        assert_eq!(of(&[1, 1], "x.example"), Error::KeyTwice(1));
        for domain in ["", "a b", "x.example>", ".x", "x..y", "bücher.example"] {
            assert_eq!(of(&[1], domain), Error::Domain(domain.to_owned()));
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let shown = format!("{:?}", Key { id: 3, secret: [0xAB; 32] });
        assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        prop_oneof![Just(Kind::Message), Just(Kind::Record), Just(Kind::Bounce)]
    }

    proptest! {
        #[test]
        fn round_trip(kind in kinds(), id in any::<u128>(), keys in 0u8..16) {
            let signer = signer_of(INSTALLATION, &[keys]);
            let valid = Verification::Valid { kind, id: Uuid::from_u128(id), key: keys };
            prop_assert_eq!(signer.verify(&signer.sign_message_id(kind, Uuid::from_u128(id))), valid);
            prop_assert_eq!(signer.verify_address(&signer.reply_address(kind, Uuid::from_u128(id))), valid);
        }

        #[test]
        fn any_changed_character_is_not_valid(id in any::<u128>(), place in any::<prop::sample::Index>(), to in any::<char>()) {
            let message_id = signer().sign_message_id(Kind::Message, Uuid::from_u128(id));
            let mut chars: Vec<char> = message_id.trim_matches(['<', '>']).chars().collect();
            let place = place.index(chars.len());
            prop_assume!(!chars[place].eq_ignore_ascii_case(&to));
            chars[place] = to;
            let changed: String = chars.into_iter().collect();
            prop_assert!(!matches!(signer().verify(&changed), Verification::Valid { .. }), "{}", changed);
        }

        #[test]
        fn every_digit_changed_is_not_valid(place in 4usize..53, to in 0usize..36) {
            let message_id = signer().sign_message_id(Kind::Message, ID);
            let mut bytes = message_id.trim_matches(['<', '>']).as_bytes().to_vec();
            let to = b"0123456789abcdefghijklmnopqrstuvwxyz"[to];
            prop_assume!(bytes[place] != to);
            bytes[place] = to;
            prop_assert_eq!(signer().verify(&String::from_utf8(bytes).unwrap()), Verification::Forged);
        }

        #[test]
        fn folded_case_stays_valid(upper in prop::collection::vec(any::<bool>(), 80)) {
            let id = signer().sign_message_id(Kind::Message, ID);
            let folded: String = id.chars().zip(&upper).map(|(c, up)| if *up { c.to_ascii_uppercase() } else { c }).collect();
            prop_assert_eq!(id.len().min(80), folded.len());
            prop_assert_eq!(signer().verify(&folded), VALID);
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,100}") {
            let judged = signer().verify(&text);
            prop_assert!(judged != VALID, "{:?}", judged);
        }
    }
}
