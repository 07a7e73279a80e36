//! The contract as a WSDL, for clients that are made from one. Written from the table: no prose, one binding over HTTP.

use std::fmt::Write as _;

use super::contract::{Member, OPERATIONS, Operation, TYPES, WORDS, nillable};
use super::{DATA, SERVICE};
use crate::soap::names::{ARRAYS, SERIALIZATION};

/// The WSDL of a service that answers at this address.
pub fn description(address: &str) -> String {
    let mut out = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><wsdl:definitions name="ApiService" targetNamespace="{SERVICE}" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{SERVICE}" xmlns:d="{DATA}" xmlns:ser="{SERIALIZATION}" xmlns:arr="{ARRAYS}"><wsdl:types>"#
    );
    operations(&mut out);
    serialization(&mut out);
    data(&mut out);
    out.push_str("</wsdl:types>");
    for Operation { name, .. } in OPERATIONS {
        for (way, element) in [("Input", ""), ("Output", "Response")] {
            say(
                &mut out,
                format_args!(
                    r#"<wsdl:message name="ApiService_{name}_{way}Message"><wsdl:part name="parameters" element="tns:{name}{element}"/></wsdl:message>"#
                ),
            );
        }
    }
    port(&mut out);
    binding(&mut out);
    let address = address.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    say(
        &mut out,
        format_args!(
            r#"<wsdl:service name="ApiService"><wsdl:port name="Secure_ApiService" binding="tns:Secure_ApiService"><soap:address location="{address}"/></wsdl:port></wsdl:service></wsdl:definitions>"#
        ),
    );
    out
}

fn say(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn schema(out: &mut String, ns: &str, imports: &[&str]) {
    say(out, format_args!(r#"<xs:schema elementFormDefault="qualified" targetNamespace="{ns}">"#));
    for import in imports {
        say(out, format_args!(r#"<xs:import namespace="{import}"/>"#));
    }
}

fn operations(out: &mut String) {
    schema(out, SERVICE, &[DATA, SERIALIZATION]);
    for Operation { name, parameters, result } in OPERATIONS {
        say(out, format_args!(r#"<xs:element name="{name}"><xs:complexType><xs:sequence>"#));
        parameters.iter().for_each(|parameter| member(out, parameter));
        out.push_str("</xs:sequence></xs:complexType></xs:element>");
        say(out, format_args!(r#"<xs:element name="{name}Response"><xs:complexType><xs:sequence>"#));
        if let Some(kind) = result {
            element(out, &format!("{name}Result"), kind, r#" minOccurs="0""#);
        }
        out.push_str("</xs:sequence></xs:complexType></xs:element>");
    }
    out.push_str("</xs:schema>");
}

fn member(out: &mut String, member: &Member) {
    element(out, member.name, member.kind, if member.required { "" } else { r#" minOccurs="0""# });
}

fn element(out: &mut String, name: &str, kind: &str, occurs: &str) {
    let nil = if nillable(kind) { r#" nillable="true""# } else { "" };
    let prefix = match kind {
        "int" | "double" | "boolean" | "string" | "dateTime" | "base64Binary" | "anyType" => "xs",
        "guid" => "ser",
        "ArrayOfint" => "arr",
        _ => "d",
    };
    say(out, format_args!(r#"<xs:element{occurs} name="{name}"{nil} type="{prefix}:{kind}"/>"#));
}

/// The one type of the serializer's own that is used, and the list of numbers.
fn serialization(out: &mut String) {
    schema(out, SERIALIZATION, &[]);
    out.push_str(r#"<xs:simpleType name="guid"><xs:restriction base="xs:string"><xs:pattern value="[\da-fA-F]{8}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{12}"/></xs:restriction></xs:simpleType></xs:schema>"#);
    schema(out, ARRAYS, &[]);
    list(out, "int");
    out.push_str("</xs:schema>");
}

fn list(out: &mut String, item: &str) {
    say(out, format_args!(r#"<xs:complexType name="ArrayOf{item}"><xs:sequence>"#));
    element(out, item, item, r#" minOccurs="0" maxOccurs="unbounded""#);
    out.push_str("</xs:sequence></xs:complexType>");
}

fn data(out: &mut String) {
    schema(out, DATA, &[SERIALIZATION, ARRAYS]);
    for known in TYPES {
        say(out, format_args!(r#"<xs:complexType name="{}"><xs:sequence>"#, known.name));
        known.members.iter().for_each(|one| member(out, one));
        out.push_str("</xs:sequence></xs:complexType>");
    }
    let members = TYPES.iter().flat_map(|known| known.members).map(|member| member.kind);
    let kinds = members.chain(OPERATIONS.iter().filter_map(|operation| operation.result));
    let items = kinds.filter_map(|kind| kind.strip_prefix("ArrayOf")).filter(|item| *item != "int");
    for item in items.collect::<std::collections::BTreeSet<_>>() {
        list(out, item);
    }
    for known in WORDS {
        say(out, format_args!(r#"<xs:simpleType name="{}"><xs:restriction base="xs:string">"#, known.name));
        for word in known.words {
            say(out, format_args!(r#"<xs:enumeration value="{word}"/>"#));
        }
        out.push_str("</xs:restriction></xs:simpleType>");
    }
    out.push_str("</xs:schema>");
}

fn port(out: &mut String) {
    out.push_str(r#"<wsdl:portType name="ApiService">"#);
    for Operation { name, .. } in OPERATIONS {
        say(
            out,
            format_args!(
                r#"<wsdl:operation name="{name}"><wsdl:input message="tns:ApiService_{name}_InputMessage"/><wsdl:output message="tns:ApiService_{name}_OutputMessage"/></wsdl:operation>"#
            ),
        );
    }
    out.push_str("</wsdl:portType>");
}

fn binding(out: &mut String) {
    out.push_str(r#"<wsdl:binding name="Secure_ApiService" type="tns:ApiService"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>"#);
    for operation in OPERATIONS {
        say(
            out,
            format_args!(
                r#"<wsdl:operation name="{}"><soap:operation soapAction="{}" style="document"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>"#,
                operation.name,
                operation.action()
            ),
        );
    }
    out.push_str("</wsdl:binding>");
}
