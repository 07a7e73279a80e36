//! The contract that Prism judges by is a part of the service's own description: each of its operations, parameters and members
//! stands there, under the same name and with the same type.

use std::collections::BTreeMap;

use serde_json::Value;

const CONTRACT: &str = include_str!("../data/contract.json");
const DESCRIPTION: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../sandbox/tests/data/dotdigital-openapi/openapi.json"
));

/// Deeper, schemas only name each other.
const DEEP: usize = 8;

struct Document(Value);

impl Document {
    fn read(text: &str) -> Self {
        Document(serde_json::from_str(text).unwrap())
    }

    /// What a reference stands for.
    fn of<'d>(&'d self, mut value: &'d Value) -> &'d Value {
        while let Some(reference) = value["$ref"].as_str() {
            value = self.0.pointer(reference.trim_start_matches('#')).unwrap();
        }
        value
    }

    /// Operations by method and path; what a path calls its parameters makes no difference to a request.
    fn operations(&self) -> BTreeMap<(String, String), Vec<&Value>> {
        let mut all: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            let place: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "/{}".to_owned() } else { format!("/{part}") })
                .collect();
            for (method, operation) in methods.as_object().unwrap() {
                all.entry((method.clone(), place.clone())).or_default().push(operation);
            }
        }
        all
    }

    /// The schemas that together or in turn make one.
    fn parts<'d>(&'d self, schema: &'d Value) -> Vec<&'d Value> {
        let schema = self.of(schema);
        let composed =
            ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
        let mut parts: Vec<&Value> = composed.flat_map(|part| self.parts(part)).collect();
        parts.push(schema);
        parts
    }

    /// The types that a value may have by any of these schemas.
    fn kinds(&self, schemas: &[&Value]) -> Vec<String> {
        let parts = schemas.iter().flat_map(|schema| self.parts(schema));
        parts.filter_map(|part| part["type"].as_str().map(str::to_owned)).collect()
    }

    /// What `word` leads to in any of these schemas.
    fn below<'d>(
        &'d self,
        schemas: &[&'d Value],
        find: impl Fn(&'d Value) -> Option<&'d Value>,
    ) -> Vec<&'d Value> {
        schemas.iter().flat_map(|schema| self.parts(schema)).filter_map(find).collect()
    }
}

/// What `ours` has and `theirs` has not. A type more is the overlay's: the service answers an empty text for nothing.
fn missing(
    ours: (&Document, &Value),
    theirs: (&Document, &[&Value]),
    place: &str,
    found: &mut Vec<String>,
    deep: usize,
) {
    let (our_kinds, their_kinds) = (ours.0.kinds(&[ours.1]), theirs.0.kinds(theirs.1));
    let strange = !their_kinds.is_empty() && !our_kinds.is_empty();
    if strange && !our_kinds.iter().any(|kind| their_kinds.contains(kind)) {
        found.push(format!("{place}: {our_kinds:?}, there {their_kinds:?}"));
    }
    if deep == DEEP {
        return;
    }
    for part in ours.0.parts(ours.1) {
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            let their = theirs.0.below(theirs.1, |part| part["properties"].get(name));
            let open = !theirs.0.below(theirs.1, |part| part.get("additionalProperties")).is_empty();
            match their.is_empty() {
                true if !open => found.push(format!("{place} is not described")),
                true => {}
                false => missing((ours.0, schema), (theirs.0, &their), &place, found, deep + 1),
            }
        }
        let items = theirs.0.below(theirs.1, |part| part.get("items"));
        if let Some(our) = part.get("items").filter(|_| !items.is_empty()) {
            missing((ours.0, our), (theirs.0, &items), &format!("{place}[]"), found, deep + 1);
        }
    }
}

fn parameters(document: &Document, operation: &Value) -> Vec<(String, String, bool)> {
    let all = operation["parameters"].as_array().into_iter().flatten().map(|one| document.of(one));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|one| one["in"] != "path")
        .map(|one| (text(&one["in"]), text(&one["name"]), one["required"] == true))
        .collect()
}

/// The schemas of what is sent and of what is answered.
fn bodies(operation: &Value) -> BTreeMap<&'static str, &Value> {
    let of = [("request", "/requestBody/content"), ("answer", "/responses/200/content")];
    of.into_iter()
        .filter_map(|(word, place)| {
            Some((word, operation.pointer(place)?.get("application/json")?.get("schema")?))
        })
        .collect()
}

#[test]
fn the_contract_is_part_of_the_description() {
    let (ours, theirs) = (Document::read(CONTRACT), Document::read(DESCRIPTION));
    let described = theirs.operations();
    let mut found = Vec::new();
    let operations = ours.operations();
    assert!(operations.len() > 90, "{} operations", operations.len());
    for ((method, path), mine) in &operations {
        let Some(there) = described.get(&(method.clone(), path.clone())) else {
            found.push(format!("{method} {path} is not described"));
            continue;
        };
        for mine in mine {
            let known: Vec<_> = there.iter().flat_map(|one| parameters(&theirs, one)).collect();
            let strange = parameters(&ours, mine).into_iter().filter(|one| !known.contains(one));
            found.extend(strange.map(|one| format!("{method} {path}: {one:?} is not described")));
            for (word, schema) in bodies(mine) {
                let their = there.iter().find_map(|one| bodies(one).remove(word));
                let place = format!("{method} {path} {word}");
                match their {
                    Some(their) => missing((&ours, schema), (&theirs, &[their]), &place, &mut found, 0),
                    None => found.push(format!("{place} has no body there")),
                }
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
