//! The published messages (MS-NLMP 4.2.4.3), and messages of ours read back.

use proptest::prelude::*;

use super::*;

pub const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef0000000000000000\
    24002400440000000600701700 00000f53006500720076006500720002000c0044006f006d00610069006e0001000c00530065007200760065007200\
    00000000";

const AUTHENTICATE: &str = "4e544c4d535350000300000018001800 6c00000054005400840000000c000c00480000000800080054000000\
    100010005c00000010001000d8000000358288e20501280a0000000f\
    44006f006d00610069006e0055007300650072004 3004f004d0050005500540045005200\
    86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa\
    68cd0ab851e51c96aabc927bebef6a1c\
    01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000\
    02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000\
    c5dad2544fc9799094ce1ce90bc9d03e";

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn person(password: &str) -> Person {
    Person {
        user: "User".into(),
        domain: "Domain".into(),
        password: password.into(),
        workstation: "COMPUTER".into(),
    }
}

#[test]
fn the_published_challenge() {
    let challenge = Challenge::read(&hex(CHALLENGE)).unwrap();
    assert_eq!(text(&challenge.challenge), "0123456789abcdef");
    assert_eq!(challenge.pairs.get(DOMAIN), Some(&utf16("Domain")[..]));
    assert_eq!(challenge.pairs.get(COMPUTER), Some(&utf16("Server")[..]));
    assert_eq!(challenge.pairs.time(), None);
}

#[test]
fn the_published_authentication() {
    let read = Authenticate::read(&hex(AUTHENTICATE)).unwrap();
    assert_eq!((&*read.user, &*read.domain, &*read.workstation), ("User", "Domain", "COMPUTER"));
    let owner = key::owner_key(&read.user, &read.domain, "Password");
    let base = key::verify(&owner, b"\x01\x23\x45\x67\x89\xab\xcd\xef", &read.nt).unwrap();
    assert_eq!(read.session(&base), [0x55; 16]);
    assert_eq!(read.pairs().unwrap().get(DOMAIN), Some(&utf16("Domain")[..]));
}

/// A challenge like the published one, and with a clock.
fn challenge(clock: Option<u64>) -> Challenge {
    let pairs = Pairs::default().with_text(DOMAIN, "Domain").with_text(COMPUTER, "Server");
    let pairs = match clock {
        Some(clock) => pairs.with(TIME, clock.to_le_bytes().to_vec()),
        None => pairs,
    };
    Challenge::new([1, 2, 3, 4, 5, 6, 7, 8], pairs)
}

fn answer(clock: Option<u64>, password: &str) -> (Vec<u8>, Vec<u8>, Authenticated) {
    let (first, second) = (negotiate(), challenge(clock).write());
    let surroundings = Surroundings {
        challenge: [0xaa; 8],
        session: [0x55; 16],
        time: 7,
        target: "HTTP/crm.example.org".into(),
        certificate_hash: Some(vec![9; 32]),
    };
    let third = authenticate(&person(password), &surroundings, &first, &second).unwrap();
    (first, second, third)
}

#[track_caller]
fn check(clock: Option<u64>, password: &str, believed: bool, whole: bool) {
    let (first, second, third) = answer(clock, password);
    let read = Authenticate::read(&third.message).unwrap();
    assert_eq!((&*read.user, &*read.domain), ("User", "Domain"));
    let owner = key::owner_key("USER", "Domain", "Password");
    let base = key::verify(&owner, &[1, 2, 3, 4, 5, 6, 7, 8], &read.nt);
    assert_eq!(base.is_some(), believed);
    let Some(base) = base else { return };
    assert_eq!(read.session(&base), third.session);
    assert_eq!(Authenticate::intact(&third.session, &first, &second, &third.message), whole);
    let pairs = read.pairs().unwrap();
    assert_eq!(pairs.get(TARGET_NAME), Some(&utf16("HTTP/crm.example.org")[..]));
    assert_eq!(pairs.get(CHANNEL_BINDING), Some(&key::channel_binding(&[9; 32])[..]));
    assert_eq!(pairs.flags(), if whole { HAS_INTEGRITY } else { 0 });
}

#[test]
fn an_answer_is_believed_with_the_right_password_only() {
    check(None, "Password", true, false);
    check(Some(130_000_000_000_000_000), "Password", true, true);
    check(Some(130_000_000_000_000_000), "password", false, false);
}

#[test]
fn a_change_on_the_way_is_seen() {
    let (first, second, third) = answer(Some(1), "Password");
    for at in [60, 75, third.message.len() - 1] {
        let mut changed = third.message.clone();
        changed[at] ^= 1;
        assert!(!Authenticate::intact(&third.session, &first, &second, &changed), "byte {at}");
    }
    let mut other = first.clone();
    other[14] ^= 1;
    assert!(!Authenticate::intact(&third.session, &other, &second, &third.message));
}

#[test]
fn messages_of_the_wrong_kind() {
    assert_eq!(Challenge::read(&negotiate()), Err(Error::Kind(1)));
    assert_eq!(Challenge::read(b"Kerberos"), Err(Error::Signature));
    assert_eq!(read_negotiate(&negotiate()), Ok(()));
    let mut old = challenge(None);
    old.flags &= !TARGET_INFO;
    assert_eq!(Challenge::read(&old.write()), Err(Error::Old));
}

#[test]
fn a_password_is_not_printed() {
    assert!(!format!("{:?}", person("geheim")).contains("geheim"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1_u8..4) {
        let message = [&b"NTLMSSP\0"[..], &[kind, 0, 0, 0], &bytes].concat();
        for message in [&bytes, &message] {
            let _ = Challenge::read(message);
            if let Ok(read) = Authenticate::read(message) {
                let _ = (read.pairs(), read.session(&[0; 16]));
                let _ = Authenticate::intact(&[0; 16], b"", b"", message);
            }
        }
    }

    #[test]
    fn pairs_read_back(all in prop::collection::vec((1_u16..20, prop::collection::vec(any::<u8>(), 0..9)), 0..6)) {
        let pairs = all.into_iter().fold(Pairs::default(), |pairs, (id, value)| pairs.with(id, value));
        prop_assert_eq!(Pairs::read(&pairs.write()), Ok(pairs));
    }
}
