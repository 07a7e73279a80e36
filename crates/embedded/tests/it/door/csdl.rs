//! `$metadata`: well formed, by the rules of the OData schema, and in one voice with definitions and rows.

use std::collections::{HashMap, HashSet};

use postroom_core::Crm;
use postroom_embedded::messages::{Bound, NAMES};
use postroom_formats::xml::{self, Element, Limits};
use serde_json::{Value as Json, json};

use super::DoorBench;
use crate::bench::On;

const EDM: &str = "http://docs.oasis-open.org/odata/ns/edm";
const EDMX: &str = "http://docs.oasis-open.org/odata/ns/edmx";

/// The document as it came, read.
struct Document {
    text: String,
    schema: Element,
}

impl Document {
    async fn of(door: &DoorBench, url: &str) -> Document {
        let answer = door
            .ask(
                "GET",
                url,
                &[("accept", "application/xml"), ("prefer", "odata.include-annotations=\"*\"")],
                "",
            )
            .await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/xml"));
        let root = xml::read(&answer.text, &Limits::default()).unwrap();
        assert!(root.is(EDMX, "Edmx") && root.get("Version") == Some("4.0"));
        let schema = root.find(EDM, "Schema").unwrap().clone();
        assert_eq!(
            (schema.get("Namespace"), schema.get("Alias")),
            (Some("Microsoft.Dynamics.CRM"), Some("mscrm"))
        );
        Document { text: answer.text, schema }
    }

    /// The elements of this kind by name.
    fn all<'d>(&'d self, kind: &'d str) -> HashMap<&'d str, &'d Element> {
        self.schema.each(kind).map(|one| (name(one), one)).collect()
    }

    fn container(&self) -> &Element {
        self.schema.child("EntityContainer").unwrap()
    }

    /// The properties of a type and of its bases.
    fn properties<'d>(&'d self, kind: &'d str, of: &str, element: &'d str) -> HashMap<&'d str, &'d Element> {
        let all = self.all(kind);
        let mut found = HashMap::new();
        let mut next = Some(of.to_owned());
        while let Some(name) = next {
            let one = all.get(name.as_str()).unwrap_or_else(|| panic!("no {kind} {name}"));
            found.extend(one.each(element).map(|one| (self::name(one), one)));
            next = one.get("BaseType").map(|base| base.strip_prefix("mscrm.").unwrap().to_owned());
        }
        found
    }
}

fn name(element: &Element) -> &str {
    element.get("Name").unwrap_or_else(|| panic!("no name: {element:?}"))
}

/// `[A-Za-z_][A-Za-z0-9_]*`, at most 128.
fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= 128 && name.chars().all(letter) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// What may stand in an element, and which attributes it has: those with `!` it must have.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (
        "Schema",
        &["EntityType", "ComplexType", "EnumType", "Function", "Action", "EntityContainer"],
        &["Namespace!", "Alias"],
    ),
    (
        "EntityType",
        &["Key", "Property", "NavigationProperty", "Annotation"],
        &["Name!", "BaseType", "Abstract"],
    ),
    ("ComplexType", &["Property", "NavigationProperty", "Annotation"], &["Name!", "BaseType", "Abstract"]),
    ("EnumType", &["Member"], &["Name!", "IsFlags"]),
    ("Member", &[], &["Name!", "Value"]),
    ("Key", &["PropertyRef"], &[]),
    ("PropertyRef", &[], &["Name!"]),
    ("Property", &["Annotation"], &["Name!", "Type!", "Nullable", "Unicode", "Scale"]),
    (
        "NavigationProperty",
        &["ReferentialConstraint"],
        &["Name!", "Type!", "Partner", "ContainsTarget", "Nullable"],
    ),
    ("ReferentialConstraint", &[], &["Property!", "ReferencedProperty!"]),
    ("Function", &["Parameter", "ReturnType"], &["Name!", "IsBound"]),
    ("Action", &["Parameter", "ReturnType"], &["Name!", "IsBound"]),
    ("Parameter", &[], &["Name!", "Type!", "Nullable"]),
    ("ReturnType", &[], &["Type!", "Nullable"]),
    ("EntityContainer", &["EntitySet", "FunctionImport", "ActionImport"], &["Name!"]),
    ("EntitySet", &["NavigationPropertyBinding"], &["Name!", "EntityType!"]),
    ("NavigationPropertyBinding", &[], &["Path!", "Target!"]),
    ("FunctionImport", &[], &["Name!", "Function!"]),
    ("ActionImport", &[], &["Name!", "Action!"]),
    ("Annotation", &[], &["Term!", "String", "Bool"]),
];

/// The schema's own rules, element by element.
fn check_rules(element: &Element) {
    assert_eq!(element.name.ns.as_str(), EDM, "{element:?}");
    let local = element.name.local.as_str();
    let (_, children, attributes) =
        RULES.iter().find(|(known, ..)| *known == local).unwrap_or_else(|| panic!("{local}"));
    for attribute in &element.attributes {
        let known = |rule: &&&str| rule.trim_end_matches('!') == attribute.name.local;
        assert!(attributes.iter().any(|rule| known(&rule)), "{local} has {}", attribute.name.local);
    }
    for rule in attributes.iter().filter_map(|rule| rule.strip_suffix('!')) {
        assert!(element.get(rule).is_some(), "{local} lacks {rule}: {element:?}");
    }
    if let (Some(name), true) = (element.get("Name"), local != "Annotation") {
        assert!(is_identifier(name), "{local} {name}");
    }
    assert!(
        element.each("Key").count() <= 1
            && (element.child("Key").is_none() || element.children[0].name.local == "Key")
    );
    for child in &element.children {
        assert!(children.contains(&child.name.local.as_str()), "{} in {local}", child.name.local);
        check_rules(child);
    }
}

/// Each name once, and every type that is named is there.
fn check_names(document: &Document) {
    let mut types = HashSet::new();
    let mut overloads = HashSet::new();
    for one in document.schema.children.iter().filter(|one| one.name.local != "EntityContainer") {
        let fresh = types.insert(name(one));
        // Those that are bound differ by what they are bound to.
        let bound = one.child("Parameter").filter(|_| one.get("IsBound") == Some("true"));
        let fresh = bound.map_or(fresh, |bound| overloads.insert((name(one), bound.get("Type"))));
        assert!(fresh, "{} is defined twice", name(one));
    }
    let known = |kind: &str| {
        let kind = kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')).unwrap_or(kind);
        let own = kind.strip_prefix("mscrm.").or_else(|| kind.strip_prefix("Microsoft.Dynamics.CRM."));
        own.map_or_else(|| kind.starts_with("Edm."), |own| types.contains(own))
    };
    let mut stack = vec![&document.schema];
    while let Some(element) = stack.pop() {
        for named in ["Type", "BaseType", "EntityType", "Function", "Action"] {
            if let Some(kind) = element.get(named) {
                assert!(known(kind), "{kind} of {element:?}");
            }
        }
        let mut members = HashSet::new();
        let parts = ["Property", "NavigationProperty", "Member", "Parameter"];
        for part in element.children.iter().filter(|one| parts.contains(&one.name.local.as_str())) {
            assert!(members.insert(name(part)), "{} twice in {}", name(part), name(element));
        }
        stack.extend(&element.children);
    }
    // A type made of another repeats nothing of it.
    for kind in ["EntityType", "ComplexType"] {
        let all = document.all(kind);
        for one in all.values() {
            let Some(base) = one.get("BaseType") else { continue };
            let base = base.strip_prefix("mscrm.").unwrap();
            let inherited = document.properties(kind, base, "Property");
            assert!(
                one.each("Property").all(|own| !inherited.contains_key(name(own))),
                "{} repeats",
                name(one)
            );
            assert!(
                one.child("Key").is_none() || all[base].child("Key").is_none(),
                "{} has two keys",
                name(one)
            );
        }
    }
}

/// Navigation properties lead back, lookups name their column, sets bind what is there.
fn check_links(document: &Document) {
    let entities = document.all("EntityType");
    let sets: HashMap<&str, &str> = document
        .container()
        .each("EntitySet")
        .map(|set| (name(set), set.get("EntityType").unwrap()))
        .collect();
    let target = |navigation: &Element| {
        let kind = navigation.get("Type").unwrap();
        let kind = kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')).unwrap_or(kind);
        kind.strip_prefix("mscrm.").unwrap().to_owned()
    };
    for (own, entity) in &entities {
        for navigation in entity.each("NavigationProperty") {
            let other = target(navigation);
            if let Some(partner) = navigation.get("Partner") {
                let back =
                    entities[other.as_str()].each("NavigationProperty").find(|one| name(one) == partner);
                let back = back.unwrap_or_else(|| panic!("{own}.{}: no {other}.{partner}", name(navigation)));
                assert_eq!(&target(back), own, "{own}.{}", name(navigation));
                assert_eq!(back.get("Partner"), Some(name(navigation)), "{own}.{}", name(navigation));
            }
            if let Some(constraint) = navigation.child("ReferentialConstraint") {
                let has = |entity: &Element, property: &str| {
                    entity.each("Property").any(|one| name(one) == property)
                };
                assert!(has(entity, constraint.get("Property").unwrap()), "{own}.{}", name(navigation));
                assert!(
                    has(entities[other.as_str()], constraint.get("ReferencedProperty").unwrap()),
                    "{own}.{}",
                    name(navigation)
                );
            }
        }
    }
    for set in document.container().each("EntitySet") {
        let kind = sets[name(set)].strip_prefix("Microsoft.Dynamics.CRM.").unwrap();
        let mut bound = HashSet::new();
        for binding in set.each("NavigationPropertyBinding") {
            let path = binding.get("Path").unwrap();
            assert!(bound.insert(path), "{}: {path} twice", name(set));
            let navigation = entities[kind].each("NavigationProperty").find(|one| name(one) == path);
            let other = target(navigation.unwrap_or_else(|| panic!("{kind} has no {path}")));
            let to = sets[binding.get("Target").unwrap()].strip_prefix("Microsoft.Dynamics.CRM.").unwrap();
            let reached =
                document.all("EntityType")[other.as_str()].get("BaseType") == Some(&format!("mscrm.{to}"));
            assert!(to == other || reached, "{kind}.{path}");
        }
    }
}

/// Every message stands there as what it is, and with what it takes.
fn check_messages(document: &Document) {
    for message in NAMES {
        let element = if message.function { "Function" } else { "Action" };
        let all: Vec<&Element> =
            document.schema.each(element).filter(|one| name(one) == message.name).collect();
        let overloads = if let Bound::Rows(tables) = message.bound { tables.len() } else { 1 };
        assert_eq!(all.len(), overloads, "{}", message.name);
        for one in all {
            let mut parameters: HashSet<&str> = one.each("Parameter").map(name).collect();
            let bound = ["entity", "entityset"].into_iter().any(|name| parameters.remove(name));
            assert_eq!(bound, message.bound != Bound::No, "{}", message.name);
            let wanted = message.parameters.iter().map(|(name, _)| *name);
            let wanted: HashSet<&str> = wanted.filter(|name| Some(*name) != message.target).collect();
            assert_eq!(parameters, wanted, "{}", message.name);
            assert_eq!(one.child("ReturnType").is_some(), !message.results.is_empty(), "{}", message.name);
        }
        let import = if message.function { "FunctionImport" } else { "ActionImport" };
        let imported = document.container().each(import).any(|one| name(one) == message.name);
        assert_eq!(imported, message.bound == Bound::No, "{}", message.name);
    }
}

#[tokio::test]
async fn the_document_follows_the_rules() {
    let door = DoorBench::new(On::Sqlite).await;
    let columns = json!([{"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Name", "IsPrimaryName": true}]);
    let label = json!({"LocalizedLabels": [{"Label": "A <\"thing\"> & more", "LanguageCode": 1033}]});
    door.send("POST", "EntityDefinitions", json!({"SchemaName": "new_Thing", "Attributes": columns, "DisplayName": label, "HasActivities": true, "HasNotes": true})).await.made();
    let pair = |name: &str, other: &str| json!({"@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata", "SchemaName": name, "Entity1LogicalName": "new_thing", "Entity2LogicalName": other});
    door.send("POST", "RelationshipDefinitions", pair("new_thing_contact", "contact")).await.made();
    door.send("POST", "RelationshipDefinitions", pair("new_thing_thing", "new_thing")).await.made();
    for url in ["$metadata", "$metadata?annotations=true"] {
        let document = Document::of(&door, url).await;
        check_rules(&document.schema);
        check_names(&document);
        check_links(&document);
        let things = document.all("EntityType")["new_thing"];
        assert_eq!(things.child("Key").unwrap().children[0].get("Name"), Some("new_thingid"));
        let said = document.text.contains("A &lt;&quot;thing&quot;&gt; &amp; more");
        assert_eq!(said, url.ends_with("true"), "{url}");
        check_messages(&document);
        // As a client looks for it, by plain text.
        assert!(
            document.text.contains("<EntityType Name=\"contact\"")
                && document.text.contains("<EntitySet Name=\"contacts\"")
        );
    }
    let first = door.get("$metadata").await.text;
    door.send("DELETE", "EntityDefinitions(LogicalName='new_thing')", Json::Null).await;
    let second = door.get("$metadata").await.text;
    assert!(first.contains("new_things") && !second.contains("new_things"));
    door.get("$metadata/contacts").await.refused(404, "0x80060888", "$metadata");
    door.send("POST", "$metadata", Json::Null).await.refused(405, "0x80040203", "POST");
}

/// The JSON of a value is of the type that the document gives its property.
fn check_value(place: &str, kind: &str, value: &Json) {
    let fits = match kind {
        _ if value.is_null() => true,
        "Edm.Boolean" => value.is_boolean(),
        "Edm.Int32" | "Edm.Int64" => value.is_i64() || value.is_u64(),
        "Edm.Decimal" | "Edm.Double" => value.is_number(),
        "Edm.String" | "Edm.Guid" | "Edm.Binary" => value.is_string(),
        "Edm.DateTimeOffset" => value.as_str().is_some_and(|text| text.ends_with('Z')),
        "Edm.Date" => value.as_str().is_some_and(|text| text.len() == 10),
        kind if kind.starts_with("Collection(") => value.is_array(),
        _ => value.is_object() || value.is_string(),
    };
    assert!(fits, "{place}: {value} is no {kind}");
}

/// Every table, in `EntityDefinitions`, in `$metadata` and as rows: the same names, the same types.
#[tokio::test]
async fn definitions_document_and_rows_agree() {
    let door = DoorBench::new(On::Sqlite).await;
    for answer in door.bench.crm.apply(postroom_embedded::demo::organisation()).await {
        answer.unwrap();
    }
    let document = Document::of(&door, "$metadata").await;
    let sets: HashMap<&str, &str> = document
        .container()
        .each("EntitySet")
        .map(|set| (set.get("EntityType").unwrap(), name(set)))
        .collect();
    let tables = door.get("EntityDefinitions?$expand=Attributes,Keys,ManyToOneRelationships,OneToManyRelationships,ManyToManyRelationships").await;
    let tables = tables.json["value"].as_array().unwrap();
    let mut rows_seen = 0;
    assert_eq!(tables.len(), 67);
    for table in tables {
        let logical = table["LogicalName"].as_str().unwrap();
        let entity = document.all("EntityType")[logical];
        let set = table["EntitySetName"].as_str().unwrap();
        assert_eq!(sets[format!("Microsoft.Dynamics.CRM.{logical}").as_str()], set);
        assert_eq!(
            entity.child("Key").unwrap().children[0].get("Name"),
            table["PrimaryIdAttribute"].as_str()
        );
        let properties: HashMap<&str, &str> =
            entity.each("Property").map(|one| (name(one), one.get("Type").unwrap())).collect();
        let navigations: HashSet<&str> = entity.each("NavigationProperty").map(name).collect();
        check_row(&document, "EntityMetadata", table);
        for column in table["Attributes"].as_array().unwrap() {
            let class =
                column["@odata.type"].as_str().unwrap().strip_prefix("#Microsoft.Dynamics.CRM.").unwrap();
            check_row(&document, class, column);
        }
        for (list, class, member) in [
            (
                "ManyToOneRelationships",
                "OneToManyRelationshipMetadata",
                "ReferencingEntityNavigationPropertyName",
            ),
            (
                "OneToManyRelationships",
                "OneToManyRelationshipMetadata",
                "ReferencedEntityNavigationPropertyName",
            ),
        ] {
            for relation in table[list].as_array().unwrap() {
                check_row(&document, class, relation);
                assert!(navigations.contains(relation[member].as_str().unwrap()), "{logical}: {relation}");
            }
        }
        for relation in table["ManyToManyRelationships"].as_array().unwrap() {
            check_row(&document, "ManyToManyRelationshipMetadata", relation);
        }
        let rows = door.get(&format!("{set}?$top=3")).await;
        assert_eq!(rows.status, 200, "{set}: {}", rows.text);
        for (member, value) in
            rows.json["value"].as_array().unwrap().iter().flat_map(|row| row.as_object().unwrap())
        {
            if member.contains('@') {
                continue;
            }
            rows_seen += 1;
            let kind = properties.get(member.as_str()).unwrap_or_else(|| panic!("{logical} has no {member}"));
            check_value(&format!("{logical}.{member}"), kind, value);
        }
    }
    assert!(rows_seen > 500, "only {rows_seen} values");
}

/// Each member of a definition is declared, and is of its type.
fn check_row(document: &Document, class: &str, row: &Json) {
    let properties = document.properties("EntityType", class, "Property");
    let navigations = document.properties("EntityType", class, "NavigationProperty");
    let mut seen = 0;
    for (member, value) in row.as_object().unwrap().iter().filter(|(member, _)| !member.contains('@')) {
        if navigations.contains_key(member.as_str()) {
            continue;
        }
        let property = properties.get(member.as_str()).unwrap_or_else(|| panic!("{class} has no {member}"));
        check_value(&format!("{class}.{member}"), property.get("Type").unwrap(), value);
        seen += 1;
    }
    assert_eq!(seen, properties.len(), "{class}");
}
