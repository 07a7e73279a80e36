//! The user of the embedded CRM that a token acts as, by what people call him.

use postroom_core::query::Comparison;
use postroom_core::{Code, Fault, Filter, Query, Value};
use uuid::Uuid;

use crate::Operations;

/// The columns that name a user, by which `apitoken create --user` finds him.
const NAMES: [&str; 3] = ["fullname", "domainname", "internalemailaddress"];

impl Operations {
    /// The user with this id, full name, domain name or address.
    pub(crate) async fn crm_user(&self, text: &str) -> Result<Uuid, Fault> {
        let text = text.trim();
        let by_name =
            |column: &&str| Filter::Compare((*column).to_owned(), Comparison::Eq, Value::text(text));
        let filter = match Uuid::parse_str(text) {
            Ok(id) => Filter::Compare("systemuserid".into(), Comparison::Eq, Value::from(id)),
            Err(_) => Filter::Any(NAMES.iter().map(by_name).collect()),
        };
        let query = Query { top: Some(2), ..Query::of("systemuser").select(&["fullname"]).filter(filter) };
        let found = self.0.crm.query(&query).await?;
        match found.as_slice() {
            [one] => Ok(one.at.id),
            [] => Err(Fault::reject(
                Code::API_NOT_FOUND,
                format!(
                    "no user of the CRM is called {text:?}; name one by id, full name, domain name or address"
                ),
            )),
            _ => Err(Fault::reject(
                Code::API_INPUT,
                format!("several users of the CRM are called {text:?}; name one by his domain name or id"),
            )),
        }
    }
}
