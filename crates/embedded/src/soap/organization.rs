//! Who asks, and where the organisation lives: `WhoAmI`, `RetrieveCurrentOrganization` and Discovery.svc.

use postroom_core::{Crm, Query};
use postroom_formats::soap::discovery::{Organization, Question, write_answer};
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;

use super::call::Call;
use super::stop::Stop;
use crate::seed;
use crate::webapi::codes;

/// The action of a fault of Discovery.svc.
pub(super) const FAULT_ACTION: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Discovery/IDiscoveryService/ExecuteDiscoveryServiceFaultFault";

pub(super) async fn who_am_i(call: &Call<'_>) -> Result<Vec<(String, Any)>, Stop> {
    let caller = call.session.caller().await?;
    let guid = |name: &str, id| (name.to_owned(), Any::Guid(id));
    Ok(vec![
        guid("UserId", caller.user),
        guid("BusinessUnitId", caller.unit),
        guid("OrganizationId", seed::ORGANIZATION),
    ])
}

pub(super) async fn current(call: &Call<'_>) -> Result<Vec<(String, Any)>, Stop> {
    Ok(vec![("Detail".to_owned(), this(call).await?.current())])
}

/// The organisation behind this door, with the URLs under which it was reached.
async fn this(call: &Call<'_>) -> Result<Organization, Stop> {
    // Its name is no secret to whoever may sign in.
    let rows = call.session.crm().query(&Query::of("organization").select(&["name"]).top(1)).await?;
    let name = rows.first().and_then(|row| row.text("name")).unwrap_or("postroom").to_owned();
    let root = format!("{}{}", call.origin, call.place.root);
    let unique: String = match call.place.root.strip_prefix('/') {
        Some(path) if !path.is_empty() => path.to_owned(),
        _ => name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase(),
    };
    let endpoints = [
        ("WebApplication", format!("{root}/")),
        ("OrganizationService", format!("{root}/XRMServices/2011/Organization.svc")),
        ("OrganizationDataService", format!("{root}/XRMServices/2011/OrganizationData.svc")),
    ];
    Ok(Organization {
        endpoints: endpoints.map(|(kind, url)| (kind.to_owned(), url)).into(),
        friendly_name: name,
        id: seed::ORGANIZATION,
        version: call.generation().version().to_owned(),
        state: "Enabled".to_owned(),
        url_name: unique.clone(),
        unique_name: unique,
    })
}

/// What Discovery.svc answers.
pub(super) async fn answer(call: &Call<'_>, question: &Question) -> Result<Element, Stop> {
    let this = this(call).await?;
    if let Question::Organization(name) = question
        && !name.eq_ignore_ascii_case(&this.unique_name)
    {
        let shown: String = name.chars().take(80).collect();
        let text = format!("No organization with the unique name '{shown}' was found");
        return Err(Stop::coded(codes::NOT_FOUND, text));
    }
    Ok(write_answer(question, &[this]))
}

/// Faults of Discovery.svc have a class of their own with the same members.
pub(super) fn name_fault(fault: &mut Element) {
    let detail = fault.children.iter_mut().find(|child| child.name.local.eq_ignore_ascii_case("detail"));
    for class in detail.into_iter().flat_map(|detail| &mut detail.children) {
        if class.name.local == "OrganizationServiceFault" {
            class.name.local = "DiscoveryServiceFault".to_owned();
        }
    }
}
