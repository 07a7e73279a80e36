//! The versions that the door speaks, and the server that it is.

use postroom_embedded::webapi::{ApiVersion, Settings};
use serde_json::json;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(links_have_the_version_of_the_request, a_server_answers_no_newer_version_than_its_own);

fn at(version: ApiVersion, url: &str) -> String {
    format!("/api/data/v{}/{url}", version.in_url())
}

async fn links_have_the_version_of_the_request(on: On) {
    let door = DoorBench::new(on).await;
    for version in ApiVersion::ALL {
        let root = ROOT.replace("v9.2", &format!("v{}", version.in_url()));
        let made = door.send("POST", &at(*version, "contacts"), json!({"lastname": "Adler"})).await;
        assert_eq!(made.header("odata-entityid"), format!("{root}/contacts({})", made.made()));
        let page = [("prefer", "odata.maxpagesize=1")];
        door.send("POST", &at(*version, "contacts"), json!({"lastname": "Adler"})).await.made();
        let read = door.ask("GET", &at(*version, "contacts?$select=lastname"), &page, "").await;
        assert_eq!(read.json["@odata.context"], format!("{root}/$metadata#contacts(lastname)"));
        assert!(read.json["@odata.nextLink"].as_str().unwrap().starts_with(&format!("{root}/contacts?")));
        let document = door.get(&at(*version, "")).await;
        assert_eq!(document.json["@odata.context"], format!("{root}/$metadata"));
        assert_eq!(door.get(&at(*version, "$metadata")).await.status, 200);
    }
    let within = format!("/contoso{}", at(ApiVersion::V81, "WhoAmI"));
    let context = door.get(&within).await.json["@odata.context"].clone();
    let root = ROOT.replace("/api/data/v9.2", "/contoso/api/data/v8.1");
    assert_eq!(context, format!("{root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"));
}

async fn a_server_answers_no_newer_version_than_its_own(on: On) {
    let mut door = DoorBench::new(on).await;
    for own in ApiVersion::ALL {
        door.be(Settings { version: *own, ..Settings::default() });
        for asked in ApiVersion::ALL {
            let told = door.get(&at(*asked, "RetrieveVersion()")).await;
            match asked <= own {
                true => assert_eq!(told.json["Version"], own.server()),
                false => assert_eq!((told.status, told.text.contains(asked.in_url())), (404, true)),
            }
        }
        let organization = door
            .get(&at(
                *own,
                "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')",
            ))
            .await;
        assert_eq!(organization.json["Detail"]["OrganizationVersion"], own.server());
    }
    for other in ["7.1", "9.3", "10.0", "x"] {
        assert_eq!(door.get(&format!("/api/data/v{other}/WhoAmI")).await.status, 404, "{other}");
    }
}
