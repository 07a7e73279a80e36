//! One request of the Web API over the line, and what comes of its answer.
//!
//! The rules of repeating stand in [`crate::client::line`].

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use postroom_core::{Code, Fault};
use uuid::Uuid;

use super::api::Api;
use super::refusal::Refusal;
use crate::client::line::{Miss, Trouble, retry_after};

/// Whose name a request is made in, by `systemuserid`; every version knows it (dataverse.md A1). A batch says it in its parts,
/// too.
pub(super) const CALLER: &str = "MSCRMCallerID";

/// One request.
pub(crate) struct Ask {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Whether sending it twice does no harm.
    pub repeatable: bool,
    /// Writes in it that stand for themselves elsewhere: a server that needs too long for them gets fewer.
    pub writes: usize,
}

/// A success.
#[derive(Debug)]
pub(crate) struct Reply {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Ask {
    /// A read.
    pub(crate) fn get(url: impl Into<String>) -> Ask {
        Ask {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            repeatable: true,
            writes: 0,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Ask {
        self.headers.push((name, value.into()));
        self
    }
}

impl Api {
    /// Sends it, as often as the rules allow.
    pub(crate) async fn exchange(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let mut tries = self.line.tries();
        loop {
            if let Some(reply) = tries.after(self.once(ask).await).await? {
                return Ok(reply);
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Reply, Miss> {
        let request = request(ask, self.caller).map_err(|fault| Miss::Stop(Trouble::Fault(fault)))?;
        let answer = self.line.exchange(request, ask.repeatable, ask.writes).await?;
        // A batch that stopped at a request that failed answers 400 with the parts.
        let parts =
            header(answer.headers(), "content-type").is_some_and(|kind| kind.starts_with("multipart/"));
        let status = answer.status();
        let (head, body) = answer.into_parts();
        if status.is_success() || parts {
            self.line.lanes.went_well();
            return Ok(Reply { headers: head.headers, body });
        }
        if Refusal::is_cut(&body) {
            // It may be one that says to try again, or that something is there already.
            let fault = Fault::retry(Code::CRM_AWAY, format!("the CRM's refusal ({status}) was cut off"));
            return Err(Miss::lost(fault, ask.repeatable));
        }
        let refusal = Refusal::read(status, &body);
        Err(self.line.refused(refusal, retry_after(&head.headers), ask.repeatable))
    }
}

pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn request(ask: &Ask, caller: Option<Uuid>) -> Result<Request<Bytes>, Fault> {
    let unfit = || Fault::bug("a request to the CRM could not be made");
    // Written as RFC 3986 has it: what people and records are called may hold anything.
    let url = reqwest::Url::parse(&ask.url).map_err(|_| unfit())?;
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(url.as_str())
        .header("accept", "application/json")
        .header("odata-maxversion", "4.0")
        .header("odata-version", "4.0")
        // No proxy answers from its cache (dataverse.md A2).
        .header("if-none-match", "null");
    if let Some(user) = caller {
        request = request.header(CALLER, user.to_string());
    }
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    request.body(ask.body.clone()).map_err(|error| unfit().with_source(error))
}
