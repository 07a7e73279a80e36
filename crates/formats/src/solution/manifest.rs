//! `solution.xml`: who made the solution, its version, what it is made of and what it needs.

use uuid::Uuid;

use super::tree::{self, braced, descriptions, flag, guid, label, leaf, names, needed, new, wrong};
use super::{Error, Manifest, Missing, Package, Publisher, Root};
use crate::xml::Element;

const FILE: &str = "solution.xml";

/// The fields of an address, in the order of exports. All are empty but the first two and one in the middle.
const ADDRESS: &[&str] = &[
    "AddressNumber",
    "AddressTypeCode",
    "City",
    "County",
    "Country",
    "Fax",
    "FreightTermsCode",
    "ImportSequenceNumber",
    "Latitude",
    "Line1",
    "Line2",
    "Line3",
    "Longitude",
    "Name",
    "PostalCode",
    "PostOfficeBox",
    "PrimaryContactName",
    "ShippingMethodCode",
    "StateOrProvince",
    "Telephone1",
    "Telephone2",
    "Telephone3",
    "TimeZoneRuleVersionNumber",
    "UPSZone",
    "UTCOffset",
    "UTCConversionTimeZoneCode",
];

pub(super) fn read(root: &Element) -> Result<Manifest, Error> {
    let missing = |element| Error::Missing { component: FILE.to_owned(), element };
    let manifest = root.child("SolutionManifest").ok_or_else(|| missing("SolutionManifest"))?;
    let publisher = manifest.child("Publisher").ok_or_else(|| missing("Publisher"))?;
    // Exports of 2011 have no package version but say what they need.
    let package = root.get("SolutionPackageVersion").or_else(|| root.get("minimumversion")).unwrap_or("5.0");
    let version = needed(manifest, "Version", FILE)?;
    if !is_version(version) {
        return Err(wrong(FILE, "Version", version));
    }
    let roots =
        manifest.child("RootComponents").map(|list| list.each("RootComponent").map(read_root).collect());
    let needs = manifest.child("MissingDependencies");
    Ok(Manifest {
        unique_name: unique_name(manifest)?,
        names: label(manifest, "LocalizedNames"),
        descriptions: label(manifest, "Descriptions"),
        version: version.to_owned(),
        managed: matches!(manifest.text_of("Managed"), Some("1")),
        package: package.parse().map_err(|()| wrong(FILE, "SolutionPackageVersion", package))?,
        publisher: read_publisher(publisher)?,
        roots: roots.unwrap_or_else(|| Ok(Vec::new()))?,
        missing: needs
            .map(|list| list.each("MissingDependency").map(read_missing).collect())
            .unwrap_or_default(),
    })
}

/// One to four numbers with points between them.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    (1..=4).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

/// A letter, then letters, digits and `_`.
fn unique_name(of: &Element) -> Result<String, Error> {
    let name = needed(of, "UniqueName", FILE)?;
    let good = name.len() <= 256 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok(name.to_owned()) } else { Err(wrong(FILE, "UniqueName", name)) }
}

fn read_publisher(publisher: &Element) -> Result<Publisher, Error> {
    let text = |name: &str| publisher.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let prefix = needed(publisher, "CustomizationPrefix", FILE)?;
    if !(2..=8).contains(&prefix.len()) || !prefix.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(wrong(FILE, "CustomizationPrefix", prefix));
    }
    Ok(Publisher {
        unique_name: unique_name(publisher)?,
        names: label(publisher, "LocalizedNames"),
        descriptions: label(publisher, "Descriptions"),
        email: text("EMailAddress"),
        website: text("SupportingWebsiteUrl"),
        prefix: prefix.to_owned(),
        option_prefix: tree::number(publisher, "CustomizationOptionValuePrefix", FILE)?.unwrap_or(10_000),
    })
}

pub(super) fn read_root(element: &Element) -> Result<Root, Error> {
    let kind = element.get("type").unwrap_or_default();
    let behavior = element.get("behavior").unwrap_or("0");
    let id = element.get("id").map(|id| guid(id, "RootComponent", FILE)).transpose()?;
    Ok(Root {
        kind: kind.parse().map_err(|_| wrong(FILE, "RootComponent", kind))?,
        schema_name: element.get("schemaName").map(str::to_owned),
        id,
        behavior: behavior.parse().map_err(|_| wrong(FILE, "RootComponent", behavior))?,
    })
}

fn read_missing(element: &Element) -> Missing {
    let nothing = new("Required");
    let required = element.child("Required").unwrap_or(&nothing);
    let dependent = element.child("Dependent").unwrap_or(&nothing);
    let text = |of: &Element, name: &str| of.get(name).unwrap_or_default().to_owned();
    let shown = |of: &Element| match of.get("displayName") {
        Some(name) => name.to_owned(),
        None => text(of, "schemaName"),
    };
    Missing {
        kind: text(required, "type"),
        schema_name: required.get("schemaName").map(str::to_owned),
        id: required.get("id").and_then(|id| Uuid::try_parse(id).ok()),
        display_name: shown(required),
        solution: text(required, "solution"),
        needed_by: shown(dependent),
    }
}

pub(super) fn write(manifest: &Manifest, package: Package) -> Element {
    let build = format!("{package}.0.0");
    let mut root = new("ImportExportXml").attribute("version", build);
    root = match package {
        Package::V5_0 => root.attribute("minimumversion", "5.0"),
        package => root.attribute("SolutionPackageVersion", package.to_string()),
    };
    let root = root.attribute("languagecode", "1033").attribute("generatedBy", "CrmLive");
    let roots = manifest.roots.iter().map(|component| write_root("RootComponent", component, package));
    root.declare(crate::xml::XSI).with(
        new("SolutionManifest")
            .with(leaf("UniqueName", manifest.unique_name.as_str()))
            .with(names(&manifest.names))
            .with(descriptions(&manifest.descriptions))
            .with(leaf("Version", manifest.version.as_str()))
            .with(flag("Managed", manifest.managed))
            .with(write_publisher(&manifest.publisher))
            .with(new("RootComponents").with_all(roots))
            .with(new("MissingDependencies").with_all(manifest.missing.iter().map(write_missing))),
    )
}

fn write_publisher(publisher: &Publisher) -> Element {
    let address = |number: u8| {
        new("Address").with_all(ADDRESS.iter().map(|field| match *field {
            "AddressNumber" => leaf(field, number.to_string()),
            "AddressTypeCode" | "ShippingMethodCode" => leaf(field, "1"),
            field => Element::null("", field),
        }))
    };
    new("Publisher")
        .with(leaf("UniqueName", publisher.unique_name.as_str()))
        .with(names(&publisher.names))
        .with(descriptions(&publisher.descriptions))
        .with(Element::maybe("", "EMailAddress", publisher.email.as_deref()))
        .with(Element::maybe("", "SupportingWebsiteUrl", publisher.website.as_deref()))
        .with(leaf("CustomizationPrefix", publisher.prefix.as_str()))
        .with(leaf("CustomizationOptionValuePrefix", publisher.option_prefix.to_string()))
        .with(new("Addresses").with(address(1)).with(address(2)))
}

/// Behaviours came with 2016.
pub(super) fn write_root(name: &str, component: &Root, package: Package) -> Element {
    let mut root = new(name).attribute("type", component.kind.to_string());
    if let Some(name) = &component.schema_name {
        root = root.attribute("schemaName", name);
    }
    if let Some(id) = component.id {
        root = root.attribute("id", braced(id));
    }
    match package >= Package::V8_0 && name == "RootComponent" {
        true => root.attribute("behavior", component.behavior.to_string()),
        false => root,
    }
}

fn write_missing(missing: &Missing) -> Element {
    let mut required = new("Required").attribute("type", missing.kind.as_str());
    if let Some(name) = &missing.schema_name {
        required = required.attribute("schemaName", name);
    }
    if let Some(id) = missing.id {
        required = required.attribute("id", braced(id));
    }
    let required =
        required.attribute("displayName", &missing.display_name).attribute("solution", &missing.solution);
    let dependent = new("Dependent").attribute("displayName", &missing.needed_by);
    new("MissingDependency").with(required).with(dependent)
}
