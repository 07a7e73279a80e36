//! Answers read straight from the text say what the tree says: for what this crate writes, for captures of real servers, for
//! the fuzzers' corpus, and for all of these with holes and signs in them.

use std::path::PathBuf;

use postroom_formats::soap::envelope::Envelope;
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::names::{GENERIC, SOAP11, XRM, XRM_71, XSD};
use postroom_formats::soap::operation::Answer;
use postroom_formats::soap::reply::{Changes, Item, Reply, Row, Rows, Said};
use postroom_formats::soap::request::{Response, ResponseItem};
use postroom_formats::soap::value::{Any, Entity, EntityCollection, EntityReference};
use postroom_formats::soap::{Error, Generation};
use postroom_formats::xml::{self, Element, Limits};
use proptest::prelude::*;

use super::captures::capture;
use super::values::{id, value};

/// The same by way of the tree.
fn by_tree(text: &str, limits: &Limits) -> Result<Reply, Error> {
    let body = Envelope::read(text, limits)?.body;
    Ok(match Fault::read(&body)? {
        Some(fault) => Reply::Fault(fault),
        None => Reply::Said(match Answer::read(&body)? {
            Answer::RetrieveMultiple(rows) => Said::Rows(collection(rows)),
            Answer::Execute(response) => said(response)?,
            answer => Said::Answer(answer),
        }),
    })
}

fn said(response: Response) -> Result<Said, Error> {
    for (_, any) in &response.results {
        match any {
            Any::EntityCollection(rows) => return Ok(Said::Rows(collection(rows.clone()))),
            Any::ResponseItems(items) => {
                return items.iter().cloned().map(item).collect::<Result<_, _>>().map(Said::Many);
            }
            Any::Raw(at) if at.kind.as_ref().is_some_and(|kind| kind.local == "BusinessEntityChanges") => {
                return changes(at).map(Said::Changes);
            }
            _ => {}
        }
    }
    Ok(Said::Answer(Answer::Execute(response)))
}

fn item(item: ResponseItem) -> Result<Item, Error> {
    Ok(Item { index: item.index, fault: item.fault, said: item.response.map(said).transpose()? })
}

fn collection(rows: EntityCollection) -> Rows {
    let mut all = Rows { more: rows.more, cookie: rows.cookie, ..Rows::default() };
    rows.entities.into_iter().for_each(|entity| add(&mut all, entity));
    all
}

fn add(rows: &mut Rows, entity: Entity) {
    let mut values = Vec::new();
    for (name, any) in entity.attributes {
        let place = rows.names.iter().position(|known| *known == name).unwrap_or(rows.names.len());
        if place == rows.names.len() {
            rows.names.push(name);
        }
        values.extend(any.into_value().map(|value| (place as u32, value)));
    }
    rows.rows.push(Row { id: entity.id, values });
}

fn changes(at: &Element) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    for item in at.child("Changes").map(|list| &*list.children).unwrap_or_default() {
        if let Some(entity) = item.child("NewOrUpdatedEntity") {
            add(&mut changes.rows, Entity::read(entity)?);
        } else if let Some(to) = item.child("RemovedItem") {
            changes.gone.push(EntityReference::read(to)?.id);
        }
    }
    let text = |name: &str| at.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned);
    changes.token = text("DataToken").ok_or_else(|| Error::Missing("DataToken".into()))?;
    changes.rows.more =
        text("MoreRecords").map_or(Ok(false), |text| postroom_formats::soap::value::boolean(&text))?;
    changes.rows.cookie = text("PagingCookie");
    Ok(changes)
}

/// Both readers say the same, and refuse the same: what only the tree looks at may be refused by it alone.
#[track_caller]
fn check(text: &str) -> bool {
    let limits = Limits { bytes: 1 << 22, nodes: 200_000, depth: 40 };
    // NaN is not equal to itself.
    match (by_tree(text, &limits), Reply::read(text, &limits)) {
        (Err(Error::Xml(tree)), found) => assert_eq!(found, Err(Error::Xml(tree)), "{text}"),
        (Err(_), Err(Error::Xml(error))) => panic!("{error}: {text}"),
        (Err(_), _) => {}
        (Ok(tree), found) => {
            assert_eq!(format!("{found:?}"), format!("{:?}", Ok::<_, Error>(tree)), "{text}");
            return true;
        }
    }
    false
}

/// Everything that there is to change: captures and the fuzzers' corpus.
fn known() -> Vec<String> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut known = Vec::new();
    for folder in ["tests/data/soap", "../../fuzz/corpus/soap"] {
        for file in std::fs::read_dir(here.join(folder)).unwrap() {
            known.extend(std::fs::read_to_string(file.unwrap().path()));
        }
    }
    known
}

#[test]
fn captures_and_corpus_say_the_same() {
    let answers = known().iter().filter(|text| check(text)).count();
    assert!(answers > 15, "{answers} answers among them");
    let rows = |name| match Reply::read(&capture(name), &Limits::default()).unwrap() {
        Reply::Said(Said::Rows(rows)) => rows,
        other => panic!("{other:?}"),
    };
    assert!(rows("retrieve_multiple_result").rows.len() > 1);
    assert!(rows("fetch_xml_response").names.len() > 1);
}

fn envelope(answer: &Answer, generation: Generation) -> String {
    let body = Element::new(SOAP11, "Body").with(answer.write(generation));
    xml::write(&Element::new(SOAP11, "Envelope").with(body))
}

fn row() -> impl Strategy<Value = Entity> {
    let attributes = prop::collection::vec(("(id|name|[a-z_.]{1,9})", value()), 0..6);
    let formatted = prop::collection::vec(("[a-z]{1,5}", "[a-z<&]{0,5}"), 0..3);
    (id(), attributes, formatted).prop_map(|(id, attributes, formatted)| Entity {
        attributes,
        formatted,
        ..Entity::new("contact", id)
    })
}

fn rows() -> impl Strategy<Value = EntityCollection> {
    let cookie = prop::option::of("<cookie page=\"[0-9]\"/>");
    (prop::collection::vec(row(), 0..5), any::<bool>(), cookie).prop_map(|(rows, more, cookie)| {
        EntityCollection { more, cookie, ..EntityCollection::of("contact", rows) }
    })
}

/// `RetrieveEntityChanges`, as servers write it.
fn changed(rows: Vec<Entity>, token: &str, generation: Generation) -> Any {
    let item = |class: &'static str, name: &'static str, mut what: Element| {
        what.kind = None;
        Element::new(XRM_71, "anyType").kind(XRM_71, class).with(what.renamed(XRM_71, name))
    };
    let items = rows.into_iter().enumerate().map(|(number, row)| match number % 3 {
        2 => {
            let gone = Any::EntityReference(EntityReference::new("contact", row.id));
            item("RemovedOrDeletedItem", "RemovedItem", gone.write(XRM_71, "a", generation))
        }
        _ => {
            let row = Any::Entity(Box::new(row));
            item("NewOrUpdatedItem", "NewOrUpdatedEntity", row.write(XRM_71, "a", generation))
        }
    });
    let list = Element::new(XRM_71, "Changes").with_all(items);
    let changes = Element::new(GENERIC, "value").kind(XRM_71, "BusinessEntityChanges").with(list);
    Any::Raw(changes.with(Element::leaf(XRM_71, "DataToken", token)))
}

fn answer() -> impl Strategy<Value = (Answer, Generation)> {
    let generation =
        prop::sample::select(vec![Generation::Crm2011, Generation::Crm2016, Generation::Dataverse]);
    (rows(), prop::collection::vec((any::<bool>(), 0..3i32, rows()), 0..3), 0..5u8, generation).prop_map(
        |(rows, many, which, generation)| {
            let message = |rows| {
                Response::new("RetrieveMultiple").with("EntityCollection", Any::EntityCollection(rows))
            };
            let item = |(bad, index, rows): (bool, i32, EntityCollection)| ResponseItem {
                fault: bad.then(|| Fault::new(-2_147_220_969, "no")),
                index,
                response: (!bad).then(|| message(rows)),
            };
            let answer = match which {
                0 | 1 => Answer::RetrieveMultiple(rows),
                2 => Answer::Execute(message(rows)),
                3 => {
                    let items = many.into_iter().map(item).collect();
                    let response = Response::new("ExecuteMultiple").with("IsFaulted", Any::Boolean(true));
                    Answer::Execute(response.with("Responses", Any::ResponseItems(items)))
                }
                _ => {
                    let changes = changed(rows.entities, "1!x", generation);
                    Answer::Execute(Response::new("RetrieveEntityChanges").with("EntityChanges", changes))
                }
            };
            (answer, generation)
        },
    )
}

/// Puts signs where they hurt, and takes pieces away.
fn hurt(text: &str, other: &str, changes: &[(prop::sample::Index, usize, usize)]) -> String {
    const SIGNS: &[&str] = &[
        "<",
        ">",
        "</",
        "/>",
        "&amp;",
        "&#0;",
        "&x;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<!DOCTYPE a>",
        " ",
        "<x/>",
        " xmlns=''",
        " xmlns:b='urn:b'",
        " xmlns:c=\"http://www.w3.org/2001/XMLSchema\"",
        " i:nil='true'",
        "b:",
        "-1",
        "<b:Id>1</b:Id>",
        "<c:key>k</c:key>",
        "</c:key><c:key>",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, kind) in changes {
        let at = at.index(chars.len() + 1);
        let end = (at + length).min(chars.len());
        match kind % (SIGNS.len() + 3) {
            0 => drop(chars.drain(at..end)),
            1 => drop(chars.splice(at..at, chars[at..end].to_vec())),
            2 => drop(chars.splice(at..end, other.chars().skip(at).take(*length))),
            sign => drop(chars.splice(at..at, SIGNS[sign - 3].chars())),
        }
    }
    chars.into_iter().collect()
}

fn hurts() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, usize)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..60usize, 0..1000usize), 1..4)
}

proptest! {
    #[test]
    fn what_is_written_says_the_same((answer, generation) in answer(), prefix in "[q-z]{1,3}") {
        let text = envelope(&answer, generation);
        prop_assert!(check(&text), "{}", text);
        let renamed = text.replace("xmlns:b=", &format!("xmlns:{prefix}=")).replace("b:", &format!("{prefix}:"));
        check(&renamed);
    }

    #[test]
    fn what_is_broken_says_the_same((answer, generation) in answer(), changes in hurts(), other in "[a-z<>/: ]{0,80}") {
        check(&hurt(&envelope(&answer, generation), &other, &changes));
    }

    #[test]
    fn what_was_captured_and_is_broken_says_the_same(texts in (prop::sample::select(known()), prop::sample::select(known())), changes in hurts()) {
        check(&hurt(&texts.0, &texts.1, &changes));
    }
}

/// Two rows written by hand: any order, any prefix, members that are nobody's, names in two namespaces.
#[test]
fn any_order_and_any_prefix() {
    let text = format!(
        "<E xmlns='{SOAP11}' xmlns:x='{XRM}'><!-- c --><Body><z:RetrieveMultipleResponse xmlns:z='http://schemas.microsoft.com/xrm/2011/Contracts/Services'>\
         <other><Entities>no</Entities></other><z:RetrieveMultipleResult><x:PagingCookie> c </x:PagingCookie><MoreRecords>1</MoreRecords>\
         <Entities><e><Id>00000000-0000-0000-0000-000000000007</Id><FormattedValues><p><key>n</key><value>x</value></p></FormattedValues>\
         <Attributes><p><value xmlns:j='http://www.w3.org/2001/XMLSchema-instance' j:type='d:int' xmlns:d='{XSD}'>5</value><key> n </key><key>m</key></p></Attributes></e>\
         <e><Attributes><p><key>t</key><value xmlns:j='http://www.w3.org/2001/XMLSchema-instance' xmlns='{XSD}' j:type='string'>a&lt;<![CDATA[b]]></value></p>\
         <p><key>n</key><value xmlns:j='http://www.w3.org/2001/XMLSchema-instance' j:nil='1'/></p></Attributes></e></Entities>\
         <MoreRecords>no</MoreRecords></z:RetrieveMultipleResult></z:RetrieveMultipleResponse></Body></E>"
    )
    .replace("<E ", "<Envelope ")
    .replace("</E>", "</Envelope>");
    assert!(check(&text));
    let Ok(Reply::Said(Said::Rows(rows))) = Reply::read(&text, &Limits::default()) else { panic!("{text}") };
    assert_eq!((rows.more, rows.cookie.as_deref(), rows.rows[0].id.as_u128()), (true, Some("c"), 7));
    assert_eq!(rows.names, ["n", "t"]);
    assert_eq!(rows.rows[0].values, [(0, 5.into())]);
    assert_eq!(rows.rows[1].values, [(1, "a<b".into()), (0, postroom_core::Value::Null)]);
}

/// What is skipped is looked at all the same, and a fault of the XML goes before any other.
#[test]
fn what_is_not_asked_for_is_no_way_in() {
    let whole = |inner: &str, behind: &str| {
        format!("<Envelope xmlns='{SOAP11}'><Header>{inner}</Header><Body><a/></Body>{behind}</Envelope>")
    };
    let refused = |text: String, expected: xml::Error| {
        let limits = Limits { bytes: 5_000, nodes: 100, depth: 8 };
        assert_eq!(Reply::read(&text, &limits), Err(Error::Xml(expected)), "{text}");
    };
    refused(whole("<p:x/>", ""), xml::Error::Prefix("p".into()));
    refused(whole("&x;", ""), xml::Error::Dtd);
    refused(whole("", "&x;"), xml::Error::Dtd);
    refused(whole("", &"<a>".repeat(9)), xml::Error::Depth(8));
    refused(whole(&"<a/>".repeat(99), ""), xml::Error::Nodes(100));
    refused(format!("<!DOCTYPE a>{}", whole("", "")), xml::Error::Dtd);
    refused(" ".repeat(6_000), xml::Error::Bytes(5_000));
    assert!(matches!(Reply::read(&whole("", ""), &Limits::default()), Err(Error::Operation(_))));
}
