//! Access tokens: what a client gets at the token endpoint for its secret. They are JWTs (RFC 7519, HS256) that name the API
//! token behind them, and live an hour at most.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Fault, TokenId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::{Actor, Door, Operations, Role, Scope, audit};

/// How long an access token lives.
const LIFE: SignedDuration = SignedDuration::from_hours(1);
/// The header of every token that we make; one with another header is none of ours.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a client shows to get in.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// `client_credentials`, `password` or `refresh_token`, for the audit trail.
    pub kind: &'static str,
    /// An API token of scope `crm`.
    pub secret: &'a str,
    pub from: IpAddr,
    /// Who gives the token out: the endpoint's address.
    pub issuer: String,
    /// What it is for, as the client named it.
    pub audience: String,
}

/// A way in for a while.
#[derive(Debug, Clone)]
pub struct Access {
    pub token: String,
    pub from: Timestamp,
    pub until: Timestamp,
    pub user: Uuid,
}

/// Why a client gets no access token.
#[derive(Debug)]
pub enum NoAccess {
    /// The secret is none that is known.
    Wrong,
    /// It was one, until it ended or was revoked.
    Ended,
    /// It is for other doors.
    Scope,
    /// The user behind it is disabled, or gone.
    User(String),
    /// Too many wrong ones came from there: seconds to wait.
    TooMany(u64),
    /// It could not be found out.
    Fault(Fault),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    oid: Uuid,
    /// The API token.
    sub: Uuid,
    tid: Uuid,
}

impl Operations {
    /// Gives an access token for a secret. Each try is in the audit trail, but for a flood of wrong ones.
    pub async fn give_access(&self, grant: &Grant<'_>) -> Result<Access, NoAccess> {
        let given = self.access(grant).await;
        let result = if given.is_ok() { "ok" } else { "refused" };
        metrics::counter!("postroom_logins_total", "result" => result).increment(1);
        match given {
            Err(NoAccess::Fault(fault)) => Err(NoAccess::Fault(fault)),
            Err(denied) => self.denied(grant, denied).await,
            Ok((token, access)) => {
                let actor =
                    Actor { name: token.shown_name(), role: Role::Viewer, door: Door::Crm, signed_in: false };
                self.note(&actor, "door.sign_in", token.id.to_string(), grant).await.map(|()| access)
            }
        }
    }

    async fn access(&self, grant: &Grant<'_>) -> Result<(crate::TokenView, Access), NoAccess> {
        let doors = self.0.doors.as_ref().ok_or(NoAccess::Wrong)?;
        let now = self.0.clock.now();
        let token = self.token_by_text(grant.secret).await.map_err(NoAccess::Fault)?;
        let token = token.ok_or(NoAccess::Wrong)?;
        if token.scope != Scope::Crm.as_str() {
            return Err(NoAccess::Scope);
        }
        if !token.is_good(now) {
            return Err(NoAccess::Ended);
        }
        let user = token.user.unwrap_or(doors.port.administrator());
        doors.port.admits(user).await.map_err(|fault| match fault.code {
            postroom_core::Code::API_DENIED => NoAccess::User(fault.message),
            _ => NoAccess::Fault(fault),
        })?;
        let until = token.expires_at.min(now + LIFE);
        let claims = Claims {
            aud: grant.audience.clone(),
            iss: grant.issuer.clone(),
            iat: now.as_second(),
            nbf: now.as_second(),
            exp: until.as_second(),
            oid: user,
            sub: token.id.0,
            tid: doors.port.tenant(),
        };
        let text = write(&doors.settings.key, &claims);
        Ok((token, Access { token: text, from: now, until, user }))
    }

    async fn denied(&self, grant: &Grant<'_>, denied: NoAccess) -> Result<Access, NoAccess> {
        let now = self.0.clock.now();
        let wait = self.0.doors.as_ref().and_then(|doors| doors.attempts.wrong(grant.from, now));
        if let Some(seconds) = wait {
            return Err(NoAccess::TooMany(seconds));
        }
        let actor = Actor { name: "unknown".into(), role: Role::Viewer, door: Door::Crm, signed_in: false };
        self.note(&actor, "door.sign_in_refused", grant.from.to_string(), grant).await?;
        Err(denied)
    }

    async fn note(
        &self,
        actor: &Actor,
        action: &str,
        object: String,
        grant: &Grant<'_>,
    ) -> Result<(), NoAccess> {
        let detail = format!("{} from {}", grant.kind, grant.from);
        let entry = audit::Entry::new(actor, self.0.clock.now(), action, object, &detail);
        self.record_audit(entry).await.map_err(NoAccess::Fault)
    }
}

fn write(key: &[u8; 32], claims: &Claims) -> String {
    let payload = serde_json::to_vec(claims).expect("claims hold nothing that JSON cannot write");
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload));
    let signature = mac(key, &signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The API token behind an access token of ours that is good now.
pub(super) fn read(key: &[u8; 32], text: &str, now: Timestamp) -> Option<TokenId> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    mac(key, signed).verify_slice(&signature).ok()?;
    if URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (claims.exp > now.as_second()).then_some(TokenId(claims.sub))
}

fn mac(key: &[u8; 32], signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn made() -> String {
        let claims = Claims {
            aud: "https://crm.example/".into(),
            iss: "https://crm.example/x/".into(),
            iat: 1000,
            nbf: 1000,
            exp: 4600,
            oid: Uuid::from_u128(1),
            sub: Uuid::from_u128(2),
            tid: Uuid::from_u128(3),
        };
        write(&KEY, &claims)
    }

    #[test]
    fn a_token_reads_back_until_it_ends() {
        assert_eq!(read(&KEY, &made(), at(4599)), Some(TokenId(Uuid::from_u128(2))));
        assert_eq!(read(&KEY, &made(), at(4600)), None);
    }

    #[test]
    fn a_token_of_another_key_or_header_is_none() {
        assert_eq!(read(&[8; 32], &made(), at(1000)), None);
        let made = made();
        let (_, rest) = made.split_once('.').unwrap();
        for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"alg":"HS256"}"#] {
            let other = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(read(&KEY, &other, at(1000)), None);
        }
        for broken in ["", ".", "..", "a.b.c", "prm_00"] {
            assert_eq!(read(&KEY, broken, at(1000)), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_changed_token_is_taken(place in 0_usize..400, letter in "[A-Za-z0-9._-]") {
            let mut text = made();
            let place = place % text.len();
            if text[place..=place] != letter {
                text.replace_range(place..=place, &letter);
                // The last letter of base64 has bits that mean nothing; the decoder refuses those too.
                proptest::prop_assert_eq!(read(&KEY, &text, at(1000)), None);
            }
        }
    }
}
