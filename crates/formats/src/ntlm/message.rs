//! The three messages (MS-NLMP 2.2.1) and the pairs of attributes in them (2.2.2.1).

use std::fmt;

use super::key::{self, Key, Response};
use super::{Error, utf16};

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
const UNICODE: u32 = 0x0000_0001;
const REQUEST_TARGET: u32 = 0x0000_0004;
const SIGN: u32 = 0x0000_0010;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const TARGET_SERVER: u32 = 0x0002_0000;
const EXTENDED: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const VERSION: u32 = 0x0200_0000;
const BITS_128: u32 = 0x2000_0000;
const KEY_EXCHANGE: u32 = 0x4000_0000;
const BITS_56: u32 = 0x8000_0000;

/// Windows 6.1 with revision 15 of NTLM: servers log it, and none acts on it.
const VERSION_FIELD: [u8; 8] = [6, 1, 0, 0, 0, 0, 0, 15];

const FLAGS: u32 = UNICODE
    | REQUEST_TARGET
    | SIGN
    | NTLM
    | ALWAYS_SIGN
    | EXTENDED
    | TARGET_INFO
    | VERSION
    | BITS_128
    | KEY_EXCHANGE
    | BITS_56;

/// `AvId`s.
pub const COMPUTER: u16 = 1;
pub const DOMAIN: u16 = 2;
pub const FLAGS_PAIR: u16 = 6;
pub const TIME: u16 = 7;
pub const TARGET_NAME: u16 = 9;
pub const CHANNEL_BINDING: u16 = 10;

/// In [`FLAGS_PAIR`]: the message has a check over all three.
pub const HAS_INTEGRITY: u32 = 2;
/// Where that check stands in an Authenticate message.
const INTEGRITY_AT: usize = 72;
const PAYLOAD_AT: usize = 88;

/// The pairs of attributes, in their order, without the end mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs(Vec<(u16, Vec<u8>)>);

impl Pairs {
    pub fn read(mut at: &[u8]) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        loop {
            let (head, rest) = at.split_at_checked(4).ok_or(Error::Short("attributes' end"))?;
            let (id, length) = (u16::from_le_bytes([head[0], head[1]]), [head[2], head[3]]);
            if id == 0 {
                return Ok(Pairs(pairs));
            }
            let length = usize::from(u16::from_le_bytes(length));
            let (value, rest) = rest.split_at_checked(length).ok_or(Error::Short("attribute"))?;
            pairs.push((id, value.to_vec()));
            at = rest;
        }
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (id, value) in &self.0 {
            out.extend(id.to_le_bytes());
            out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend(value);
        }
        out.extend([0; 4]);
        out
    }

    pub fn get(&self, id: u16) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, value)| value.as_slice())
    }

    /// With this pair at the end, instead of one of the same id. A value is cut at 65,535 bytes.
    pub fn with(mut self, id: u16, mut value: Vec<u8>) -> Self {
        value.truncate(usize::from(u16::MAX));
        self.0.retain(|(known, _)| *known != id);
        self.0.push((id, value));
        self
    }

    /// The same with a text.
    pub fn with_text(self, id: u16, text: &str) -> Self {
        self.with(id, utf16(text))
    }

    fn number<const N: usize>(&self, id: u16) -> Option<[u8; N]> {
        self.get(id).and_then(|value| value.try_into().ok())
    }

    /// The server's clock, in 100 ns since 1601.
    pub fn time(&self) -> Option<u64> {
        self.number(TIME).map(u64::from_le_bytes)
    }

    pub fn flags(&self) -> u32 {
        self.number(FLAGS_PAIR).map_or(0, u32::from_le_bytes)
    }
}

/// The first message: says what the client can do, and nothing about the user.
pub fn negotiate() -> Vec<u8> {
    let mut out = head(1);
    out.extend(FLAGS.to_le_bytes());
    out.extend([0; 16]); // neither domain nor workstation
    out.extend(VERSION_FIELD);
    out
}

/// Proves that a message is a first one.
pub fn read_negotiate(message: &[u8]) -> Result<(), Error> {
    Fields::of(message, 1).map(|_| ())
}

/// The second message: the server's random number and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub challenge: [u8; 8],
    pub flags: u32,
    pub pairs: Pairs,
}

impl Challenge {
    /// As a server writes it.
    pub fn new(challenge: [u8; 8], pairs: Pairs) -> Self {
        Challenge { challenge, flags: FLAGS | TARGET_SERVER, pairs }
    }

    pub fn read(message: &[u8]) -> Result<Self, Error> {
        let fields = Fields::of(message, 2)?;
        let flags = fields.number(20)?;
        if flags & UNICODE == 0 {
            return Err(Error::Old);
        }
        let challenge = fields.bytes(24, 8)?.try_into().map_err(|_| Error::Short("challenge"))?;
        let pairs = match flags & TARGET_INFO {
            // Without pairs there is no version 2.
            0 => return Err(Error::Old),
            _ => Pairs::read(fields.payload(40)?)?,
        };
        Ok(Challenge { challenge, flags, pairs })
    }

    pub fn write(&self) -> Vec<u8> {
        let target = self.pairs.get(COMPUTER).unwrap_or_default();
        let pairs = self.pairs.write();
        let mut out = head(2);
        let mut payload = Payload { at: 56, bytes: Vec::new() };
        payload.field(&mut out, target);
        out.extend(self.flags.to_le_bytes());
        out.extend(self.challenge);
        out.extend([0; 8]);
        payload.field(&mut out, &pairs);
        out.extend(VERSION_FIELD);
        out.extend(payload.bytes);
        out
    }
}

/// Who signs in. The password shows in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub user: String,
    /// Empty for `user@realm`.
    pub domain: String,
    pub password: String,
    pub workstation: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person {:?} of {:?}", self.user, self.domain)
    }
}

/// What the client adds by chance and from its surroundings.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Random; a new one each time.
    pub challenge: [u8; 8],
    /// Random; becomes the session's key.
    pub session: Key,
    /// The client's clock in 100 ns since 1601, for a server that does not tell its own.
    pub time: u64,
    /// `HTTP/host`: the service that is meant.
    pub target: String,
    /// The hash of the server's certificate, over TLS.
    pub certificate_hash: Option<Vec<u8>>,
}

/// The third message and the session's key.
pub struct Authenticated {
    pub message: Vec<u8>,
    pub session: Key,
}

/// Answers a challenge. `first` and `second` are the messages before, as they travelled.
pub fn authenticate(
    person: &Person,
    surroundings: &Surroundings,
    first: &[u8],
    second: &[u8],
) -> Result<Authenticated, Error> {
    let challenge = Challenge::read(second)?;
    if challenge.flags & EXTENDED == 0 {
        return Err(Error::Old);
    }
    let clock = challenge.pairs.time();
    let pairs = answering(&challenge.pairs, surroundings);
    let owner = key::owner_key(&person.user, &person.domain, &person.password);
    let time = clock.unwrap_or(surroundings.time);
    let response = key::respond(
        &owner,
        &challenge.challenge,
        &surroundings.challenge,
        time,
        &pairs.write(),
        clock.is_some(),
    );
    let exchanged = challenge.flags & KEY_EXCHANGE != 0;
    let session = if exchanged { surroundings.session } else { response.session_base };
    let wrapped = if exchanged { key::rc4(&response.session_base, &session) } else { Vec::new() };
    let mut message = write_authenticate(person, &response, &wrapped, challenge.flags & FLAGS);
    if clock.is_some() {
        let check = key::integrity(&session, first, second, &message);
        message[INTEGRITY_AT..PAYLOAD_AT].copy_from_slice(&check);
    }
    Ok(Authenticated { message, session })
}

/// The client's pairs: the server's, and what binds the answer to this service and connection.
fn answering(server: &Pairs, surroundings: &Surroundings) -> Pairs {
    let mut pairs = server.clone();
    if server.time().is_some() {
        pairs = pairs.with(FLAGS_PAIR, (server.flags() | HAS_INTEGRITY).to_le_bytes().to_vec());
    }
    let binding = surroundings.certificate_hash.as_deref().map_or([0; 16], key::channel_binding);
    pairs.with(CHANNEL_BINDING, binding.to_vec()).with_text(TARGET_NAME, &surroundings.target)
}

fn write_authenticate(person: &Person, response: &Response, wrapped: &[u8], flags: u32) -> Vec<u8> {
    let mut out = head(3);
    let mut payload = Payload { at: PAYLOAD_AT, bytes: Vec::new() };
    payload.field(&mut out, &response.lm);
    payload.field(&mut out, &response.nt);
    payload.field(&mut out, &utf16(&person.domain));
    payload.field(&mut out, &utf16(&person.user));
    payload.field(&mut out, &utf16(&person.workstation));
    payload.field(&mut out, wrapped);
    out.extend(flags.to_le_bytes());
    out.extend(VERSION_FIELD);
    out.extend([0; 16]); // the check, filled in when it is made
    out.extend(payload.bytes);
    out
}

/// The third message as a server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    pub user: String,
    pub domain: String,
    pub workstation: String,
    /// The proof and what it was made over.
    pub nt: Vec<u8>,
    wrapped: Vec<u8>,
    flags: u32,
}

impl Authenticate {
    pub fn read(message: &[u8]) -> Result<Self, Error> {
        let fields = Fields::of(message, 3)?;
        Ok(Authenticate {
            nt: fields.payload(20)?.to_vec(),
            domain: fields.text(28)?,
            user: fields.text(36)?,
            workstation: fields.text(44)?,
            wrapped: fields.payload(52)?.to_vec(),
            flags: fields.number(60)?,
        })
    }

    /// The pairs with which the client answered.
    pub fn pairs(&self) -> Result<Pairs, Error> {
        Pairs::read(self.nt.get(44..).ok_or(Error::Short("attributes"))?)
    }

    /// The session's key, from the base key that [`key::verify`] gives.
    pub fn session(&self, base: &Key) -> Key {
        let unwrapped: Option<Key> = key::rc4(base, &self.wrapped).try_into().ok();
        unwrapped.filter(|_| self.flags & KEY_EXCHANGE != 0).unwrap_or(*base)
    }

    /// Whether the check over all three messages fits; `message` is this one as it travelled.
    pub fn intact(session: &Key, first: &[u8], second: &[u8], message: &[u8]) -> bool {
        let mut blank = message.to_vec();
        let Some(check) = blank.get_mut(INTEGRITY_AT..PAYLOAD_AT) else { return false };
        let given: Vec<u8> = check.to_vec();
        check.fill(0);
        key::same(&given, &key::integrity(session, first, second, &blank))
    }
}

fn head(kind: u32) -> Vec<u8> {
    [&SIGNATURE[..], &kind.to_le_bytes()].concat()
}

/// The part of a message that its fields point into.
struct Payload {
    at: usize,
    bytes: Vec<u8>,
}

impl Payload {
    fn field(&mut self, out: &mut Vec<u8>, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes();
        let offset = u32::try_from(self.at + self.bytes.len()).unwrap_or(u32::MAX);
        out.extend(length);
        out.extend(length);
        out.extend(offset.to_le_bytes());
        self.bytes.extend(value);
    }
}

struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    fn of(message: &'m [u8], kind: u32) -> Result<Self, Error> {
        let rest = message.strip_prefix(SIGNATURE).ok_or(Error::Signature)?;
        let found = rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or(Error::Short("kind"))?;
        if found == kind { Ok(Fields(message)) } else { Err(Error::Kind(found)) }
    }

    fn bytes(&self, at: usize, length: usize) -> Result<&'m [u8], Error> {
        let end = at.checked_add(length).ok_or(Error::Short("field"))?;
        self.0.get(at..end).ok_or(Error::Short("field"))
    }

    fn number(&self, at: usize) -> Result<u32, Error> {
        let bytes = self.bytes(at, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// What the field at this place points to.
    fn payload(&self, at: usize) -> Result<&'m [u8], Error> {
        let length = self.bytes(at, 2)?;
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        // An empty field may point anywhere.
        if length == 0 {
            return Ok(&[]);
        }
        self.bytes(self.number(at + 4)? as usize, length)
    }

    fn text(&self, at: usize) -> Result<String, Error> {
        let bytes = self.payload(at)?;
        let units: Vec<u16> = bytes
            .chunks(2)
            .map(|pair| u16::from(pair[0]) | u16::from(*pair.get(1).unwrap_or(&0)) << 8)
            .collect();
        String::from_utf16(&units).map_err(|_| Error::Text)
    }
}

#[cfg(test)]
pub(crate) mod tests;
