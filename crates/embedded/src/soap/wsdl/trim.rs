//! The contracts' types without those that a server of a generation does not publish.
//!
//! Left out are the classes derived from requests and responses (real servers publish none, protocol-annex.md 0), the
//! namespaces that came later, members that came later in older ones, and then whatever names something left out. The files
//! have one element to a line and two blanks to a level, as the tool that wrote them does; that is all that is read of them.

use std::collections::{HashMap, HashSet};

use super::super::Generation;

/// A schema: one namespace.
#[derive(Debug)]
pub(super) struct Schema {
    pub number: usize,
    pub namespace: String,
    head: &'static str,
    items: Vec<Item>,
}

/// What stands at the top level of a schema.
#[derive(Debug)]
struct Item {
    lines: Vec<&'static str>,
}

const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// Namespaces by the first generation that has them.
const SINCE: &[(Generation, &[&str])] = &[
    (
        Generation::Crm2011Ur12,
        &[
            "http://schemas.microsoft.com/xrm/2012/Contracts",
            "http://schemas.microsoft.com/xrm/2011/Metadata/Query",
        ],
    ),
    (
        Generation::Crm2013,
        &[
            "http://schemas.microsoft.com/xrm/2013/Metadata",
            "http://schemas.microsoft.com/xrm/2014/Contracts",
        ],
    ),
    (
        Generation::Crm2015Update1,
        &["http://schemas.microsoft.com/xrm/7.1/Contracts", "http://schemas.microsoft.com/xrm/7.1/Metadata"],
    ),
    (
        Generation::Crm2016,
        &[
            "http://schemas.microsoft.com/xrm/8.0",
            "http://schemas.microsoft.com/xrm/8.1/Contracts",
            "http://schemas.microsoft.com/xrm/8.2/Contracts",
        ],
    ),
    (
        Generation::Dataverse,
        &[
            "http://schemas.microsoft.com/xrm/9.0/Contracts",
            "http://schemas.microsoft.com/xrm/9.0/Metadata",
            "http://schemas.datacontract.org/2004/07/Microsoft.Xrm.Sdk",
            "http://schemas.datacontract.org/2004/07/Microsoft.Xrm.Sdk.Metadata",
            "http://schemas.datacontract.org/2004/07/System",
        ],
    ),
];

/// Members by the first generation that has them: class (empty is any), name.
const MEMBERS: &[(Generation, &str, &str)] = &[
    (Generation::Crm2015Update1, "", "RowVersion"),
    (Generation::Dataverse, "", "RecordCountLessThanMarv"),
    (Generation::Dataverse, "BaseServiceFault", "ActivityId"),
    (Generation::Dataverse, "BaseServiceFault", "HelpLink"),
    (Generation::Dataverse, "OrganizationServiceFault", "ExceptionRetriable"),
    (Generation::Dataverse, "OrganizationServiceFault", "ExceptionSource"),
    (Generation::Dataverse, "OrganizationServiceFault", "OriginalException"),
    (Generation::Dataverse, "DiscoveryServiceFault", "ExceptionRetriable"),
    (Generation::Dataverse, "DiscoveryServiceFault", "ExceptionSource"),
    (Generation::Dataverse, "DiscoveryServiceFault", "OriginalException"),
];

/// The schemas of a generation; `derived` leaves out classes derived from requests and responses.
pub(super) fn trimmed(files: &[(usize, &'static str)], generation: Generation, derived: bool) -> Vec<Schema> {
    let mut schemas: Vec<Schema> = files.iter().map(|(number, text)| Schema::read(*number, text)).collect();
    schemas.retain(|schema| published(&schema.namespace, generation));
    for schema in &mut schemas {
        schema.items.retain(|item| !(derived && item.is_message()));
        schema.items.iter_mut().for_each(|item| item.without_later(generation));
    }
    while drop_dangling(&mut schemas) {}
    schemas
}

fn published(namespace: &str, generation: Generation) -> bool {
    let since = SINCE.iter().find(|(_, names)| names.contains(&namespace));
    since.is_none_or(|(since, _)| generation >= *since)
}

/// Leaves out what names something that is not there; says whether there was such a thing.
fn drop_dangling(schemas: &mut [Schema]) -> bool {
    let mut known = HashSet::new();
    for schema in &*schemas {
        let named = schema.items.iter().filter_map(|item| Some((item.is_type(), item.name()?)));
        known.extend(named.map(|(of, name)| (of, schema.namespace.clone(), name.to_owned())));
    }
    let namespaces: HashSet<String> = schemas.iter().map(|schema| schema.namespace.clone()).collect();
    let mut dropped = false;
    for schema in schemas {
        let prefixes = prefixes(schema.head);
        let before = schema.items.len();
        schema.items.retain_mut(|item| {
            if let Some(to) = item.import() {
                return namespaces.contains(to);
            }
            match item.prune(&prefixes, &known) {
                Pruned::Nothing => true,
                Pruned::Lines => {
                    dropped = true;
                    true
                }
                Pruned::All => false,
            }
        });
        dropped |= schema.items.len() != before;
    }
    dropped
}

/// Types and (`false`) elements and attributes, by namespace and name: an element may bear a type's name.
type Known = HashSet<(bool, String, String)>;

enum Pruned {
    Nothing,
    Lines,
    All,
}

impl Schema {
    fn read(number: usize, text: &'static str) -> Self {
        let mut lines = text.lines().skip_while(|line| !line.starts_with("<xs:schema"));
        let head = lines.next().unwrap_or_default();
        let mut items: Vec<Item> = Vec::new();
        for line in lines.take_while(|line| !line.starts_with("</xs:schema")) {
            let begins = line.starts_with("  <xs:");
            match items.last_mut().filter(|_| !begins) {
                Some(item) => item.lines.push(line),
                None => items.push(Item { lines: vec![line] }),
            }
        }
        let namespace = attribute(head, "targetNamespace").unwrap_or_default().to_owned();
        Schema { number, namespace, head, items }
    }

    /// The schema with the locations of what it imports.
    pub(super) fn write(&self, location: impl Fn(&str) -> Option<String>) -> String {
        let mut text = format!("{}\n", self.head);
        for item in &self.items {
            if let Some(ns) = item.import() {
                let at = location(ns).map_or_else(String::new, |at| format!(" schemaLocation=\"{at}\""));
                let ns = if ns.is_empty() { String::new() } else { format!(" namespace=\"{ns}\"") };
                text += &format!("  <xs:import{at}{ns} />\n");
                continue;
            }
            for line in &item.lines {
                text += line;
                text.push('\n');
            }
        }
        text + "</xs:schema>\n"
    }
}

impl Item {
    fn first(&self) -> &'static str {
        self.lines.first().copied().unwrap_or_default()
    }

    fn name(&self) -> Option<&'static str> {
        attribute(self.first(), "name")
    }

    fn is_type(&self) -> bool {
        let line = self.first().trim_start();
        line.starts_with("<xs:complexType") || line.starts_with("<xs:simpleType")
    }

    /// The namespace that it imports.
    fn import(&self) -> Option<&'static str> {
        let import = self.first().trim_start().starts_with("<xs:import");
        import.then(|| attribute(self.first(), "namespace").unwrap_or_default())
    }

    /// A class derived from requests or responses.
    fn is_message(&self) -> bool {
        self.lines.iter().filter(|line| line.trim_start().starts_with("<xs:extension")).any(|line| {
            let base = attribute(line, "base").unwrap_or_default();
            ["OrganizationRequest", "OrganizationResponse"]
                .contains(&base.rsplit(':').next().unwrap_or_default())
        })
    }

    fn without_later(&mut self, generation: Generation) {
        let class = self.name().unwrap_or_default();
        let later = |line: &str| {
            let name = attribute(line, "name").unwrap_or_default();
            let member = line.starts_with("    ") && line.trim_start().starts_with("<xs:element");
            member
                && MEMBERS.iter().any(|(since, of, member)| {
                    generation < *since && *member == name && (of.is_empty() || *of == class)
                })
        };
        self.remove(later);
    }

    /// Removes the elements whose first lines are such; says whether there were any.
    fn remove(&mut self, such: impl Fn(&str) -> bool) -> bool {
        let before = self.lines.len();
        let mut kept = Vec::with_capacity(before);
        let mut until: Option<String> = None;
        for line in std::mem::take(&mut self.lines) {
            match &until {
                Some(end) if line.starts_with(end.as_str()) => until = None,
                Some(_) => {}
                None if such(line) => {
                    if !line.ends_with("/>") {
                        let indent = line.len() - line.trim_start().len();
                        until = Some(format!("{}</xs:element>", &line[..indent]));
                    }
                }
                None => kept.push(line),
            }
        }
        self.lines = kept;
        self.lines.len() != before
    }

    fn prune(&mut self, prefixes: &HashMap<&str, &str>, known: &Known) -> Pruned {
        let dangles = |line: &str| names_missing(line, prefixes, known);
        let whole =
            |line: &&&str| !line.starts_with("    ") || line.trim_start().starts_with("<xs:extension");
        if self.lines.iter().filter(whole).any(|line| dangles(line)) {
            return Pruned::All;
        }
        if !self.remove(dangles) {
            return Pruned::Nothing;
        }
        // A list of what is not there is nothing.
        match self.lines.iter().any(|line| line.starts_with("    ") && line.contains("<xs:element")) {
            true => Pruned::Lines,
            false => Pruned::All,
        }
    }
}

/// Whether a line names a type or element that is not there.
fn names_missing(line: &str, prefixes: &HashMap<&str, &str>, known: &Known) -> bool {
    let own = self::prefixes(line);
    ["type", "base", "ref", "itemType"].into_iter().any(|kind| {
        let Some(name) = attribute(line, kind) else { return false };
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let ns = own.get(prefix).or_else(|| prefixes.get(prefix)).copied().unwrap_or_default();
        ns != XSD && !known.contains(&(kind != "ref", ns.to_owned(), local.to_owned()))
    })
}

/// The prefixes that a line declares.
fn prefixes(line: &str) -> HashMap<&str, &str> {
    let mut all = HashMap::new();
    for part in line.split(" xmlns:").skip(1) {
        if let Some((prefix, rest)) = part.split_once("=\"")
            && let Some((ns, _)) = rest.split_once('"')
        {
            all.insert(prefix, ns);
        }
    }
    all
}

/// An attribute of the first element of a line.
fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let at = line.find(&format!(" {name}=\""))? + name.len() + 3;
    line[at..].split('"').next()
}
