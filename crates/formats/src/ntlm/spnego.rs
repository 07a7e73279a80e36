//! SPNEGO with NTLM as the only mechanism (RFC 4178, MS-SPNG 2.2.1): the four tokens of `Negotiate`.

use super::Error;

const SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];
const NTLM: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const APPLICATION: u8 = 0x60;

/// Tag of member `n`.
const fn member(n: u8) -> u8 {
    0xa0 | n
}

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Completed,
    Incomplete,
    Rejected,
}

/// The client's first token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The mechanisms as they stand in it: what the signatures are made over.
    pub mechanisms: Vec<u8>,
    /// NTLM's first message.
    pub token: Vec<u8>,
}

impl Opening {
    /// With NTLM alone.
    pub fn new(token: Vec<u8>) -> Self {
        Opening { mechanisms: value(SEQUENCE, &value(OID, NTLM)), token }
    }

    pub fn write(&self) -> Vec<u8> {
        let token = value(OCTETS, &self.token);
        let inner = [value(member(0), &self.mechanisms), value(member(2), &token)].concat();
        let inner = value(member(0), &value(SEQUENCE, &inner));
        value(APPLICATION, &[value(OID, SPNEGO), inner].concat())
    }

    /// Reads a token whose first choice is NTLM.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut outer = Reader(Reader(bytes).expect(APPLICATION, "its outer tag")?);
        if outer.expect(OID, "its mechanism")? != SPNEGO {
            return Err(Error::Spnego("it is of another mechanism"));
        }
        let inner = outer.expect(member(0), "NegTokenInit")?;
        let mut fields = Reader(Reader(inner).expect(SEQUENCE, "its sequence")?);
        let (mut mechanisms, mut token) = (None, None);
        while let Some((tag, content)) = fields.next()? {
            match tag {
                0xa0 => mechanisms = Some(content.to_vec()),
                0xa2 => token = Some(Reader(content).expect(OCTETS, "its token")?.to_vec()),
                _ => {}
            }
        }
        let mechanisms = mechanisms.ok_or(Error::Spnego("it has no mechanisms"))?;
        let list = Reader(&mechanisms).expect(SEQUENCE, "its list of mechanisms")?;
        if Reader(list).expect(OID, "a mechanism")? != NTLM {
            return Err(Error::Refused);
        }
        Ok(Opening { mechanisms, token: token.ok_or(Error::Spnego("it has no token"))? })
    }
}

/// Every other token, of either side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Only the server says it.
    pub state: Option<State>,
    /// Whether it names NTLM as the mechanism chosen.
    pub chosen: bool,
    /// NTLM's message.
    pub token: Option<Vec<u8>>,
    /// The signature over the list of mechanisms.
    pub signature: Option<Vec<u8>>,
}

impl Reply {
    pub fn write(&self) -> Vec<u8> {
        let state = self.state.map(|state| {
            let number = match state {
                State::Completed => 0,
                State::Incomplete => 1,
                State::Rejected => 2,
            };
            value(member(0), &value(ENUMERATED, &[number]))
        });
        let chosen = self.chosen.then(|| value(member(1), &value(OID, NTLM)));
        let token = self.token.as_ref().map(|token| value(member(2), &value(OCTETS, token)));
        let signature = self.signature.as_ref().map(|made| value(member(3), &value(OCTETS, made)));
        let fields: Vec<u8> = [state, chosen, token, signature].into_iter().flatten().flatten().collect();
        value(member(1), &value(SEQUENCE, &fields))
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let inner = Reader(bytes).expect(member(1), "NegTokenResp")?;
        let mut fields = Reader(Reader(inner).expect(SEQUENCE, "its sequence")?);
        let mut reply = Reply::default();
        while let Some((tag, content)) = fields.next()? {
            let octets = || Reader(content).expect(OCTETS, "its octets").map(<[u8]>::to_vec);
            match tag {
                0xa0 => {
                    reply.state = match Reader(content).expect(ENUMERATED, "its state")? {
                        [0] => Some(State::Completed),
                        [1 | 3] => Some(State::Incomplete),
                        [2] => Some(State::Rejected),
                        _ => return Err(Error::Spnego("its state is unknown")),
                    }
                }
                0xa1 => match Reader(content).expect(OID, "its mechanism")? {
                    NTLM => reply.chosen = true,
                    _ => return Err(Error::Refused),
                },
                0xa2 => reply.token = Some(octets()?),
                0xa3 => reply.signature = Some(octets()?),
                _ => {}
            }
        }
        Ok(reply)
    }
}

/// Tag, length and content (X.690, definite lengths).
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let used = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            out.push(0x80 | u8::try_from(used.len()).unwrap_or(8));
            out.extend(used);
        }
    }
    out.extend(content);
    out
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn next(&mut self) -> Result<Option<(u8, &'b [u8])>, Error> {
        let [tag, length, rest @ ..] = self.0 else {
            return if self.0.is_empty() { Ok(None) } else { Err(Error::Spnego("it is cut off")) };
        };
        let (length, rest) = match *length {
            short @ 0..=0x7f => (usize::from(short), rest),
            // A token is never longer than three bytes can say.
            long @ 0x81..=0x83 => {
                let (bytes, rest) = rest
                    .split_at_checked(usize::from(long & 0x7f))
                    .ok_or(Error::Spnego("a length is cut off"))?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return Err(Error::Spnego("a length is too long")),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(Error::Spnego("a value is cut off"))?;
        self.0 = rest;
        Ok(Some((*tag, content)))
    }

    fn expect(&mut self, tag: u8, what: &'static str) -> Result<&'b [u8], Error> {
        match self.next()? {
            Some((found, content)) if found == tag => Ok(content),
            _ => Err(Error::Spnego(what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ntlm::message::tests::{hex, text};

    #[test]
    fn the_opening_is_what_others_send() {
        let opening = Opening::new(b"NTLMSSP\0".to_vec());
        let bytes =
            "6028 06062b0601050502 a01e301c a00e300c060a2b06010401823702020a a20a0408 4e544c4d53535000";
        assert_eq!(text(&opening.write()), bytes.replace(' ', ""));
        assert_eq!(Opening::read(&hex(bytes)), Ok(opening));
    }

    #[test]
    fn long_lengths() {
        for length in [0, 127, 128, 255, 256, 70_000] {
            let opening = Opening::new(vec![7; length]);
            assert_eq!(Opening::read(&opening.write()), Ok(opening), "{length}");
        }
    }

    #[test]
    fn kerberos_is_no_choice_of_ours() {
        let kerberos = hex("60 19 06062b0601050502 a00f300d a00b3009 06072a864886f712 01");
        assert!(Opening::read(&kerberos).is_err());
        let chosen = hex("a10f300d a00b 0a0101");
        assert!(Reply::read(&chosen).is_err());
        let other = value(member(1), &value(SEQUENCE, &value(member(1), &value(OID, &[1, 2, 3]))));
        assert_eq!(Reply::read(&other), Err(Error::Refused));
    }

    proptest! {
        #[test]
        fn replies_read_back(state in 0..4_u8, chosen: bool, token: Option<Vec<u8>>, signature: Option<Vec<u8>>) {
            let state = [Some(State::Completed), Some(State::Incomplete), Some(State::Rejected), None][usize::from(state)];
            let reply = Reply { state, chosen, token, signature };
            prop_assert_eq!(Reply::read(&reply.write()), Ok(reply));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = (Opening::read(&bytes), Reply::read(&bytes));
        }
    }
}
