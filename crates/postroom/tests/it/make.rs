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
use postroom_crm::webapi::auth::Fixed;
use postroom_crm::webapi::{Bodies, Settings, WebApi};
use postroom_embedded::{Embedded, read_content};
use postroom_store::Store;

/// The make of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Embedded,
    /// `[crm] kind = "webapi"`.
    WebApi,
}

/// Where a CRM outside is, as a text that a process hands to another.
#[derive(Debug, Clone)]
pub struct Place {
    pub origin: String,
    pub token: String,
}

impl Place {
    /// `[crm]` of a postroom that works with it; the token is written into `folder`.
    pub fn section(&self, kind: &str, folder: &Path) -> String {
        let file = folder.join("crm-token");
        fs::write(&file, &self.token).expect("the folder can be written to");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        let (origin, file) = (&self.origin, file.display());
        format!("[crm]\nkind = \"{kind}\"\norg_url = \"{origin}\"\ntoken = {{ file = \"{file}\" }}\n")
    }

    pub fn write(&self) -> String {
        format!("{} {}", self.origin, self.token)
    }

    pub fn read(text: &str) -> Place {
        let (origin, token) = text.split_once(' ').expect("an address and a token");
        Place { origin: origin.to_owned(), token: token.to_owned() }
    }

    /// The port to it.
    pub fn web_api(&self, store: &Store, clock: &Clock) -> Arc<dyn Crm> {
        let settings = Settings::new(&self.origin).expect("an address of this machine");
        let client = Connection::default().client().expect("an HTTP client");
        let bearer = Bearer::new(client, Arc::new(Fixed(Secret::new(self.token.as_str()))));
        let bodies = Arc::new(Kept(store.clone()));
        Arc::new(WebApi::new(settings, Arc::new(bearer), bodies, clock.clone(), Ids::random()))
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
