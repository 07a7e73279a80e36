//! WS-Trust 1.3: a name and password at AD FS for a token, and the signed header of each SOAP call (protocol-annex.md 3.2).

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Fault, Ids, Secret};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::trust::{self, Lifetime, TokenRequest};
use postroom_formats::xml::Element;

use super::refusal::{naming_authority, nonsense, refused};
use super::soap::{call, wrong_clock};
use super::token::Keeper;
use super::transport::ToTokenService;

/// How long a header holds, and how far back it begins, for clocks that differ a little.
const HOLDS: SignedDuration = SignedDuration::from_mins(5);
const BACK: SignedDuration = SignedDuration::from_mins(1);
/// A new token is asked for when less than this is left of the old one, or a fifth of its life.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// What puts a signed header into each SOAP call.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The `o:Security` header of one call, to be sent at once.
    ///
    /// # Errors
    /// [`postroom_core::Verdict::Hold`] for a wrong name or password.
    async fn header(&self) -> Result<Element, Fault>;

    /// The CRM refused the header: the next one is signed with a new token.
    fn refused(&self);
}

/// Signs the SOAP calls to one service of one CRM.
pub struct Claims {
    client: ToTokenService,
    /// `https://sts.example.com/adfs/services/trust/13/usernamemixed`.
    sts: String,
    user: String,
    password: Secret,
    /// The service's address: each service needs a token of its own.
    service: String,
    clock: Clock,
    ids: Ids,
    keeper: Keeper<trust::Token>,
}

impl Claims {
    /// `user` is `DOMAIN\user` or `user@realm`; [`super::policy::token_service`] finds `sts`.
    pub fn new(
        client: reqwest::Client,
        sts: impl Into<String>,
        (user, password): (&str, &Secret),
        service: impl Into<String>,
        clock: Clock,
        ids: Ids,
    ) -> Self {
        Claims {
            client: ToTokenService(client),
            sts: sts.into(),
            user: user.to_owned(),
            password: password.clone(),
            service: service.into(),
            keeper: Keeper::new(clock.clone(), AHEAD),
            clock,
            ids,
        }
    }

    fn lifetime(&self) -> Lifetime {
        let now = self.clock.now();
        Lifetime {
            created: now.checked_sub(BACK).unwrap_or(now),
            expires: now.checked_add(HOLDS).unwrap_or(now),
        }
    }

    /// A new token, and when it ends.
    async fn ask(&self) -> Result<(trust::Token, Timestamp), Fault> {
        let request = TokenRequest {
            user: self.user.clone(),
            password: self.password.expose().to_owned(),
            applies_to: self.service.clone(),
        };
        let id = format!("urn:uuid:{}", self.ids.next());
        let headers = Headers {
            security: Some(request.security(self.lifetime())),
            ..Headers::request(trust::ISSUE, id, self.sts.as_str())
        };
        let envelope = Envelope::new(Soap::V12, headers, request.body());
        let answer = call(&self.client, &self.sts, &envelope, None).await.map_err(naming_authority)?;
        let clock = wrong_clock(&answer, self.clock.now());
        match answer.fault {
            Some(fault) if fault.receiver => Err(Fault::retry(
                postroom_core::Code::CRM_AWAY,
                format!("the token service failed: {}", short(&fault.message)),
            )),
            Some(fault) => Err(refused(&format!(
                "the token service refused the sign-in: check crm.username and crm.password, and that the CRM is a relying party there{clock} (it said: {})",
                short(&fault.message)
            ))),
            None => {
                let mut token =
                    trust::Token::read(&answer.body).map_err(|error| nonsense(&error.to_string()))?;
                // Its life counts from now by our clock, whatever the issuer's shows.
                let life = token.lifetime.expires.duration_since(token.lifetime.created);
                let now = self.clock.now();
                token.lifetime = Lifetime { created: now, expires: now.checked_add(life).unwrap_or(now) };
                let expires = token.lifetime.expires;
                Ok((token, expires))
            }
        }
    }
}

#[async_trait]
impl Signer for Claims {
    async fn header(&self) -> Result<Element, Fault> {
        let token = self.keeper.good(self.ask()).await?;
        Ok(token.sign(self.lifetime()))
    }

    fn refused(&self) {
        self.keeper.forget(|_| true);
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
