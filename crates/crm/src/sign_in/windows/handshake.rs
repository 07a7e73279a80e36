//! The three messages of a sign-in as headers, with no idea of connections.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_formats::ntlm::Error;
use postroom_formats::ntlm::key::{self, Key, Side};
use postroom_formats::ntlm::message::{self, Person, Surroundings};
use postroom_formats::ntlm::spnego::{Opening, Reply, State};

/// What stands before the token in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Ntlm,
    /// NTLM inside SPNEGO.
    Negotiate,
}

impl Scheme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Scheme::Ntlm => "NTLM",
            Scheme::Negotiate => "Negotiate",
        }
    }
}

/// Why a sign-in cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the CRM's sign-in message is not base64; check that the address is the CRM's")]
    Base64,
    #[error("the CRM's sign-in message cannot be used: {0}")]
    Message(#[from] Error),
    #[error("the CRM did not prove that it knows the password: something between us answers in its place")]
    Server,
}

/// One sign-in.
pub(super) struct Handshake {
    scheme: Scheme,
    surroundings: Surroundings,
    first: Vec<u8>,
    opening: Opening,
    session: Option<Key>,
}

impl Handshake {
    pub fn new(scheme: Scheme, surroundings: Surroundings) -> Self {
        let first = message::negotiate();
        let opening = Opening::new(first.clone());
        Handshake { scheme, surroundings, first, opening, session: None }
    }

    /// The first header.
    pub fn open(&self) -> String {
        match self.scheme {
            Scheme::Ntlm => self.header(&self.first),
            Scheme::Negotiate => self.header(&self.opening.write()),
        }
    }

    /// The second header, which answers the server's challenge.
    pub fn answer(&mut self, person: &Person, challenge: &str) -> Result<String, Broken> {
        let token = STANDARD.decode(challenge).map_err(|_| Broken::Base64)?;
        let second = match self.scheme {
            Scheme::Ntlm => token,
            Scheme::Negotiate => Reply::read(&token)?.token.ok_or(Error::Refused)?,
        };
        let made = message::authenticate(person, &self.surroundings, &self.first, &second)?;
        self.session = Some(made.session);
        Ok(match self.scheme {
            Scheme::Ntlm => self.header(&made.message),
            Scheme::Negotiate => {
                let signature = key::sign(&made.session, Side::Client, &self.opening.mechanisms).to_vec();
                let reply =
                    Reply { token: Some(made.message), signature: Some(signature), ..Reply::default() };
                self.header(&reply.write())
            }
        })
    }

    /// The server's last token, which it may leave out. Its signature proves the server, when there is one.
    pub fn finish(&self, token: Option<&str>) -> Result<(), Broken> {
        let Some(token) = token.filter(|_| self.scheme == Scheme::Negotiate) else { return Ok(()) };
        let reply = Reply::read(&STANDARD.decode(token).map_err(|_| Broken::Base64)?)?;
        if reply.state == Some(State::Rejected) {
            return Err(Error::Refused.into());
        }
        match (reply.signature, &self.session) {
            (Some(signature), Some(session)) => {
                let expected = key::sign(session, Side::Server, &self.opening.mechanisms);
                if key::same(&signature, &expected) { Ok(()) } else { Err(Broken::Server) }
            }
            _ => Ok(()),
        }
    }

    fn header(&self, token: &[u8]) -> String {
        format!("{} {}", self.scheme.name(), STANDARD.encode(token))
    }
}

#[cfg(test)]
mod tests {
    use postroom_formats::ntlm::message::{Authenticate, Challenge, Pairs, TIME};

    use super::*;

    fn person() -> Person {
        Person {
            user: "alice".into(),
            domain: "CONTOSO".into(),
            password: "pw".into(),
            workstation: String::new(),
        }
    }

    fn decode(header: &str, scheme: Scheme) -> Vec<u8> {
        STANDARD.decode(header.strip_prefix(scheme.name()).unwrap().trim()).unwrap()
    }

    /// The server's side of `Negotiate`, whose last token has the signature `change`d.
    fn negotiate(change: impl Fn(&mut Vec<u8>)) -> Result<(), Broken> {
        let mut handshake = Handshake::new(Scheme::Negotiate, Surroundings::default());
        let opening = Opening::read(&decode(&handshake.open(), Scheme::Negotiate)).unwrap();
        let challenge = Challenge::new([7; 8], Pairs::default().with(TIME, vec![0; 8])).write();
        let reply =
            Reply { state: Some(State::Incomplete), chosen: true, token: Some(challenge), signature: None };
        let answer = handshake.answer(&person(), &STANDARD.encode(reply.write())).unwrap();
        let answer = Reply::read(&decode(&answer, Scheme::Negotiate)).unwrap();
        let third = Authenticate::read(&answer.token.unwrap()).unwrap();
        let base = key::verify(&key::owner_key("alice", "CONTOSO", "pw"), &[7; 8], &third.nt).unwrap();
        let session = third.session(&base);
        assert_eq!(answer.signature.unwrap(), key::sign(&session, Side::Client, &opening.mechanisms));
        let mut signature = key::sign(&session, Side::Server, &opening.mechanisms).to_vec();
        change(&mut signature);
        let last = Reply { state: Some(State::Completed), signature: Some(signature), ..Reply::default() };
        handshake.finish(Some(&STANDARD.encode(last.write())))
    }

    #[test]
    fn the_server_must_prove_itself_when_it_signs() {
        assert!(negotiate(|_| ()).is_ok());
        assert!(matches!(negotiate(|signature| signature[5] ^= 1), Err(Broken::Server)));
    }

    #[test]
    fn what_is_no_challenge_is_refused() {
        for bad in ["", "!", "TlRMTVNTUAAB", "oQMKAQI="] {
            for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
                let mut handshake = Handshake::new(scheme, Surroundings::default());
                assert!(handshake.answer(&person(), bad).is_err(), "{bad}");
            }
        }
    }
}
