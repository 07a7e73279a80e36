//! The CRM that a postroom under test works with: its own, or one outside, which another postroom of ours keeps and shows at
//! its doors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{Clock, Content, Crm, Fault, Ids, Secret};
use postroom_crm::sign_in::{Bearer, Connection};
use postroom_crm::soap::{self, Soap};
use postroom_crm::webapi::auth::Fixed;
use postroom_crm::webapi::{self, Bodies, WebApi};
use postroom_embedded::{Embedded, read_content};
use postroom_store::Store;

/// The make of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Embedded,
    /// `[crm] kind = "webapi"`.
    WebApi,
    /// `[crm] kind = "soap"`.
    Soap,
}

impl Make {
    pub fn is_outside(self) -> bool {
        self != Make::Embedded
    }

    /// `[crm] kind`.
    fn kind(self) -> &'static str {
        match self {
            Make::Embedded => "embedded",
            Make::WebApi => "webapi",
            Make::Soap => "soap",
        }
    }
}

/// Where a CRM outside is, as a text that a process hands to another.
#[derive(Debug, Clone)]
pub struct Place {
    pub origin: String,
    pub token: String,
}

impl Place {
    /// `[crm]` of a postroom that works with it; the token is written into `folder`.
    pub fn section(&self, make: Make, folder: &Path) -> String {
        let file = folder.join("crm-token");
        fs::write(&file, &self.token).expect("the folder can be written to");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        let (kind, origin, file) = (make.kind(), &self.origin, file.display());
        format!("[crm]\nkind = \"{kind}\"\norg_url = \"{origin}\"\ntoken = {{ file = \"{file}\" }}\n")
    }

    pub fn write(&self, make: Make) -> String {
        format!("{} {} {}", make.kind(), self.origin, self.token)
    }

    pub fn read(text: &str) -> (Make, Place) {
        let [kind, origin, token] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a kind, an address and a token: {text}")
        };
        let makes = [Make::WebApi, Make::Soap];
        let make = makes.into_iter().find(|make| make.kind() == kind).expect("a kind that is outside");
        (make, Place { origin: origin.to_owned(), token: token.to_owned() })
    }

    /// The port to it.
    pub fn port(&self, make: Make, store: &Store, clock: &Clock) -> Arc<dyn Crm> {
        let client = Connection::default().client().expect("an HTTP client");
        let bearer = Bearer::new(client, Arc::new(Fixed(Secret::new(self.token.as_str()))));
        let bodies = Arc::new(Kept(store.clone()));
        let (bearer, clock, ids) = (Arc::new(bearer), clock.clone(), Ids::random());
        let here = "an address of this machine";
        match make {
            Make::Soap => {
                let settings = soap::Settings::new(&self.origin).expect(here);
                Arc::new(Soap::new(settings, bearer, bodies, clock, ids))
            }
            Make::Embedded | Make::WebApi => {
                let settings = webapi::Settings::new(&self.origin).expect(here);
                Arc::new(WebApi::new(settings, bearer, bodies, clock, ids))
            }
        }
    }
}

struct Kept(Store);

#[async_trait]
impl Bodies for Kept {
    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        read_content(&self.0, content).await
    }
}

/// The embedded CRM in the database of a running postroom, for a look from behind.
pub async fn behind(url: &str) -> Embedded {
    let store = crate::sending::bench::open(url).await;
    Embedded::open(store, Clock::system()).await.expect("it is installed")
}
