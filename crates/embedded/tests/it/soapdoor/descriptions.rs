//! The descriptions, and Discovery.svc.

use std::collections::BTreeMap;

use postroom_embedded::soap::{Deployment, Generation, Settings};
use postroom_formats::soap::discovery;
use postroom_formats::soap::envelope::Soap;
use postroom_formats::xml::{self, Element, Limits};

use super::*;
use crate::bench::On;

const ORGANIZATION: &str = "/XRMServices/2011/Organization.svc";
const DISCOVERY: &str = "/XRMServices/2011/Discovery.svc";

fn door(generation: Generation, deployment: Deployment) -> Door {
    Door::new(postroom_core::Ids::counted(), Settings { generation, deployment, ..Settings::default() })
}

#[track_caller]
fn get(door: &Door, url: &str) -> String {
    let reply = door.describe(url, ORIGIN).unwrap_or_else(|| panic!("{url} is no description"));
    assert_eq!(reply.status, 200, "{url}");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

fn read(text: &str) -> Element {
    xml::read(text, &Limits::default()).unwrap()
}

/// Class to its members: names and their types, in order.
fn classes(schema: &Element) -> BTreeMap<String, Vec<(String, String)>> {
    fn members(at: &Element, found: &mut Vec<(String, String)>) {
        for child in &at.children {
            if let Some(base) = child.get("base") {
                found.push(("base".into(), local(base)));
            }
            if let (Some(name), Some(kind)) = (child.get("name"), child.get("type")) {
                found.push((name.to_owned(), local(kind)));
            }
            members(child, found);
        }
    }
    fn local(name: &str) -> String {
        name.rsplit(':').next().unwrap().to_owned()
    }
    let named = schema
        .children
        .iter()
        .filter(|child| ["complexType", "simpleType"].contains(&child.name.local.as_str()));
    named
        .map(|class| {
            let mut found = Vec::new();
            members(class, &mut found);
            (class.get("name").unwrap().to_owned(), found)
        })
        .collect()
}

#[test]
fn types_and_order_are_those_of_the_contracts() {
    let door = door(Generation::Dataverse, Deployment::None);
    let mut left_out = 0;
    for number in 0..=20 {
        let own = classes(&read(&get(&door, &format!("{ORGANIZATION}?xsd=xsd{number}"))));
        let contract = std::fs::read_to_string(format!("data/wsdl/organization/xsd{number}.xsd")).unwrap();
        for (name, members) in classes(&read(&contract)) {
            let message = members.iter().any(|(member, kind)| {
                member == "base" && ["OrganizationRequest", "OrganizationResponse"].contains(&kind.as_str())
            });
            match own.get(&name) {
                Some(found) => assert_eq!(*found, members, "{name}"),
                None => {
                    assert!(
                        message || name == "ArrayOfUpsertResponse",
                        "{name} of xsd{number} is not published"
                    );
                    left_out += 1;
                }
            }
            assert!(!(message && own.contains_key(&name)), "{name} is published");
        }
    }
    assert!(left_out > 50, "{left_out}");
}

#[test]
fn everything_named_is_there_in_every_generation() {
    for generation in Generation::ALL {
        let door = door(*generation, Deployment::None);
        for (service, path) in [("Organization", ORGANIZATION), ("Discovery", DISCOVERY)] {
            let root = get(&door, &format!("{path}?wsdl"));
            assert!(root.contains(&format!("<wsdl:service name=\"{service}Service\">")), "{root}");
            let mut waiting = vec![root];
            let (mut seen, mut types) = (std::collections::HashSet::new(), std::collections::HashSet::new());
            let mut texts = Vec::new();
            while let Some(text) = waiting.pop() {
                read(&text);
                for part in text.split("ocation=\"").skip(1) {
                    let url = part.split('"').next().unwrap().replace("&amp;", "&");
                    if url.contains('?') && seen.insert(url.clone()) {
                        waiting.push(get(&door, &url));
                    }
                }
                let schema = read(&text);
                let ns = schema.get("targetNamespace").unwrap_or_default().to_owned();
                let is_type = |child: &&Element| child.name.local.ends_with("Type");
                types.extend(
                    schema
                        .children
                        .iter()
                        .filter(is_type)
                        .filter_map(|child| Some((ns.clone(), child.get("name")?.to_owned()))),
                );
                texts.push(text);
            }
            assert!(seen.len() > 4, "{seen:?}");
            for text in texts {
                check_names(&text, &types, *generation);
            }
            read(&get(&door, &format!("{path}?singleWsdl")));
            assert!(get(&door, &format!("{path}?wsdl=wsdl1")).contains("_policy"));
        }
    }
}

fn check_names(text: &str, types: &std::collections::HashSet<(String, String)>, generation: Generation) {
    let head: std::collections::HashMap<&str, &str> =
        prefixes(text.lines().take(3).collect::<Vec<_>>().join(" ").leak());
    for line in text.lines().filter(|line| line.contains("<xs:")) {
        let own = prefixes(line);
        for name in ["type", "base"] {
            let Some(at) = line.find(&format!(" {name}=\"")) else { continue };
            let value = line[at + name.len() + 3..].split('"').next().unwrap();
            let (prefix, local) = value.split_once(':').unwrap_or(("", value));
            let ns = own.get(prefix).or(head.get(prefix)).copied().unwrap_or_default();
            let known = ns == "http://www.w3.org/2001/XMLSchema"
                || types.contains(&(ns.to_owned(), local.to_owned()));
            assert!(known, "{generation:?}: {line}");
        }
    }
}

fn prefixes(line: &str) -> std::collections::HashMap<&str, &str> {
    line.split("xmlns:")
        .skip(1)
        .filter_map(|part| part.split_once("=\""))
        .map(|(prefix, rest)| (prefix, rest.split('"').next().unwrap()))
        .collect()
}

#[test]
fn older_servers_publish_less() {
    let text = get(&door(Generation::Crm2013, Deployment::None), &format!("{ORGANIZATION}?singleWsdl"));
    for later in ["KeyAttributes", "\"RowVersion\"", "xrm/7.1", "xrm/9.0", "ExceptionRetriable"] {
        assert!(!text.contains(later), "{later}");
    }
    assert!(text.contains("ExecuteMultipleSettings") && text.contains("\"Entity\""));
    let scoped = get(
        &door(Generation::Dataverse, Deployment::None),
        &format!("{ORGANIZATION}?singleWsdl&sdkversion=6.0"),
    );
    assert!(!scoped.contains("KeyAttributes"));
}

#[test]
fn policies() {
    let issuer = "http://sts.example.com/adfs/services/trust".to_owned();
    let of = |deployment| get(&door(Generation::Crm2016, deployment), &format!("{ORGANIZATION}?wsdl=wsdl0"));
    let first = |text: &str, name: &str| {
        fn find(at: &Element, name: &str) -> Option<String> {
            if at.name.local == name {
                return Some(at.text.clone());
            }
            at.children.iter().find_map(|child| find(child, name))
        }
        find(&read(text), name)
    };
    assert_eq!(first(&of(Deployment::None), "Authentication"), None);
    assert_eq!(first(&of(Deployment::ActiveDirectory), "Authentication").as_deref(), Some("ActiveDirectory"));
    let federation = of(Deployment::Federation { issuer: issuer.clone() });
    assert_eq!(first(&federation, "Authentication").as_deref(), Some("Federation"));
    assert_eq!(first(&federation, "Identifier"), Some(issuer.clone()));
    assert!(federation.contains("https://sts.example.com/adfs/services/trust/mex"));
    let online = of(Deployment::Online {
        applies_to: "urn:crmna:dynamics.com".into(),
        issuer: "https://x.accesscontrol.example/".into(),
        endpoint: "https://login.example/RST2.srf".into(),
    });
    assert_eq!(first(&online, "Authentication").as_deref(), Some("LiveId"));
    assert!(online.contains("OnlineFederation") && online.contains("https://login.example/RST2.srf"));
    assert!(door(Generation::Dataverse, Deployment::None).describe("/api/data/v9.2/", ORIGIN).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_says_where() {
    let bench = SoapBench::new(On::Sqlite).await;
    let ask = |question: discovery::Question| envelope(Soap::V12, &xml::write(&question.write()));
    let path = format!("/contoso{DISCOVERY}");
    let answer = bench.post(&path, Soap::V12.content_type(), ask(discovery::Question::Organizations)).await;
    assert!(answer.text.contains("KeyValuePairOfEndpointTypestringztYlk6OT"), "{}", answer.text);
    let found = discovery::read_answer(&answer.envelope().body).unwrap();
    let url = format!("{ORIGIN}/contoso{ORGANIZATION}");
    assert!(found[0].endpoints.contains(&("OrganizationService".into(), url)), "{found:?}");
    assert_eq!(found[0].unique_name, "contoso");
    let other =
        bench.post(&path, Soap::V12.content_type(), ask(discovery::Question::Organization("x".into()))).await;
    assert!(other.text.contains("DiscoveryServiceFault"), "{}", other.text);
    let current = bench.execute("RetrieveCurrentOrganization", "").await;
    assert!(format!("{current:?}").contains("KeyValuePairOfEndpointTypestringyDL0RVHi"));
}
