//! Which organisations the CRM's user has: a discovery service, signed in to as the configuration says.

use std::sync::Arc;

use postroom_core::{Clock, Code, Ids};
use postroom_crm::sign_in::discovery::{By, Discover, Global, Place, Service2011};
use postroom_crm::sign_in::hosted::Hosted;

use super::sign_in::SignedIn;
use super::{address, connection};
use crate::config::{Crm, CrmSignIn};
use crate::report::CliError;

/// Where to ask: the service that is named, or the one of the server in `crm.org_url`.
pub fn place(crm: &Crm, named: Option<&str>) -> Result<Place, CliError> {
    Ok(match named {
        Some(url) => Place::at(url)?,
        None => Place::of_server(address(crm))?,
    })
}

/// The service there. Asks it nothing yet, but perhaps where to sign in.
pub async fn service(
    crm: &Crm,
    place: Place,
    clock: &Clock,
    ids: &Ids,
) -> Result<Box<dyn Discover>, CliError> {
    let way = crm.way_in();
    if let (Place::Global(_), Some(CrmSignIn::ClientSecret | CrmSignIn::ClientCertificate)) = (&place, way) {
        let text = "the global discovery service takes tokens of users only, not of applications";
        return Err(CliError::new(Code::CRM_SIGN_IN, text).with_action(
            "Look the address up in the Power Platform admin centre (Environments, Environment URL) and set crm.org_url; or give a user's token: crm.sign_in = \"token\"",
        ));
    }
    let connection = connection(crm).await?;
    let signed_in = |url: &str| {
        SignedIn::new(crm.clone(), connection.clone(), url.to_owned(), clock.clone(), ids.clone())
    };
    Ok(match place {
        Place::Global(url) => Box::new(Global { transport: Arc::new(signed_in(&url)), url }),
        Place::Service2011(url) => {
            let signed_in = signed_in(address(crm));
            let by = match way {
                Some(CrmSignIn::WsTrust) => {
                    let claims = Box::new(signed_in.claims(&url).await?);
                    By::Claims { client: connection.client()?, claims }
                }
                _ => By::Transport(Arc::new(signed_in)),
            };
            Box::new(Service2011 { url, by, ids: ids.clone() })
        }
        Place::Hosted(url) => {
            let (user, password) = signed_in(&url).user().await?;
            Box::new(Hosted::new(connection.client()?, url, &user, &password, clock.clone()))
        }
    })
}
