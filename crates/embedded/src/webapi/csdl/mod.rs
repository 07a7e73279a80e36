//! `$metadata`: the CSDL document of every table, every type of definition, and every function and action (dataverse.md
//! A17). Made once for a version of the schema.
//!
//! # Activities
//!
//! On the platform `email` and its like derive from `activitypointer`, and repeat neither key nor properties, as OData
//! demands. Here every table derives from `crmbaseentity` alone and has its own key and all of its properties. Clients that
//! read only what stands within a type (Singer's tap) see activities so, the document stays lawful, and no client asks for
//! the derivation: casts such as `activitypointers/Microsoft.Dynamics.CRM.email` are all that is lost.

mod definitions;
mod messages;
mod operations;
mod tables;

use std::fmt::Write as _;

use bytes::Bytes;
use http::{Method, StatusCode};

pub(crate) use tables::edm as property_type;

use super::call::Call;
use super::{Problem, Reply};
use postroom_core::metadata::Metadata;

/// The alias of the namespace, as types are written.
const ALIAS: &str = "mscrm";

/// Answers `GET $metadata`, with `annotations=true` also what things are called.
pub(crate) fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    if call.method != Method::GET {
        return Err(Problem::method(&call.method));
    }
    if call.path.segments.len() > 1 {
        return Err(Problem::no_resource("$metadata"));
    }
    let wanted = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("annotations") && value.eq_ignore_ascii_case("true")
    };
    let annotated = call.options.others.iter().any(wanted);
    let settings = &call.door.settings;
    let make = || document(&call.metadata, annotated, &|message| settings.knows(message));
    let made = match settings.is_whole() {
        true => call.schema.csdl[usize::from(annotated)].get_or_init(make).clone(),
        false => make(),
    };
    let reply = Reply { body: made, ..Reply::empty(StatusCode::OK) };
    Ok(reply.header("content-type", "application/xml"))
}

/// The whole document; `knows` says which functions and actions there are.
fn document(metadata: &Metadata, annotated: bool, knows: &dyn Fn(&str) -> bool) -> Bytes {
    let mut xml = Xml::default();
    xml.out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    let edmx = "http://docs.oasis-open.org/odata/ns/edmx";
    xml.within("edmx:Edmx", &[("Version", "4.0"), ("xmlns:edmx", edmx)], |xml| {
        if annotated {
            let core = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml";
            xml.within("edmx:Reference", &[("Uri", core)], |xml| {
                xml.empty("edmx:Include", &[("Namespace", "Org.OData.Core.V1"), ("Alias", "Core")]);
            });
        }
        xml.within("edmx:DataServices", &[], |xml| {
            let namespace = postroom_formats::odata::NAMESPACE;
            let edm = "http://docs.oasis-open.org/odata/ns/edm";
            let attributes = [("Namespace", namespace), ("Alias", ALIAS), ("xmlns", edm)];
            xml.within("Schema", &attributes, |xml| {
                tables::types(xml, metadata, annotated);
                definitions::types(xml);
                operations::types(xml, knows);
                messages::types(xml, metadata, knows);
                xml.within("EntityContainer", &[("Name", "System")], |xml| {
                    tables::sets(xml, metadata);
                    definitions::sets(xml);
                    operations::imports(xml, knows);
                    messages::imports(xml, knows);
                });
            });
        });
    });
    Bytes::from(xml.out)
}

/// XML written as it comes: no tree of a document of megabytes.
#[derive(Default)]
struct Xml {
    out: String,
}

impl Xml {
    fn within(&mut self, name: &str, attributes: &[(&str, &str)], inner: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.out.push('>');
        inner(self);
        write!(self.out, "</{name}>").expect("text takes what is written");
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.out.push_str(" />");
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            write!(self.out, " {name}=\"").expect("text takes what is written");
            self.escaped(value);
            self.out.push('"');
        }
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\n' | '\r' | '\t' => self.out.push(' '),
                // Not XML at all.
                control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
                letter => self.out.push(letter),
            }
        }
    }

    /// What a person calls it.
    fn described(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.empty("Annotation", &[("Term", "Org.OData.Core.V1.Description"), ("String", text)]);
        }
    }
}

fn qualified(name: &str) -> String {
    format!("{ALIAS}.{name}")
}

fn collection(name: &str) -> String {
    format!("Collection({name})")
}
