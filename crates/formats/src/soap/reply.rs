//! What a client reads: answers straight from the text. Rows are most of what a client reads ever, so they become values
//! without a tree of elements, and their columns' names are kept once for a page; what is small is a tree as on the other
//! side.
//!
//! Members may stand in any order, the first of each counts, and what is not asked for (formatted values, related rows) is
//! looked at as XML only. What is no XML that we take is refused wherever it stands, before anything else is.
//!
//! Not here: the server's side, which reads requests as trees ([`super::operation`]). Source: dataverse.md E3 to E5.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use postroom_core::Value;
use uuid::Uuid;

use super::fault::Fault;
use super::names::{SERIALIZATION, SERVICES, SOAP11, SOAP12, XRM_2012, XSD};
use super::operation::Answer;
use super::request::{Response, by_class};
use super::value::{Any, Scalar, boolean, decimal, guid, int, scalar};
use super::{Error, missing};
use crate::xml::Limits;
use crate::xml::pull::again::Stretch;
use crate::xml::pull::{Pull, Tag};

/// What the body of an answer says.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Fault(Fault),
    Said(Said),
}

/// What one message was answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A collection of rows: of `RetrieveMultiple`, as an operation or as a message.
    Rows(Rows),
    /// Of `RetrieveEntityChanges`.
    Changes(Changes),
    /// Of `ExecuteMultiple`.
    Many(Vec<Item>),
    /// Anything else.
    Answer(Answer),
}

/// Rows with where they stand among all that were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns that stand in any of the rows.
    pub names: Vec<String>,
    pub rows: Vec<Row>,
    pub more: bool,
    pub cookie: Option<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Nil in a row that was computed.
    pub id: Uuid,
    /// By the place of the column's name in [`Rows::names`], in the order of the text. Party lists and what else is no single
    /// value stand in no row.
    pub values: Vec<(u32, Value)>,
}

/// A part of a run through a table's changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    pub rows: Rows,
    pub gone: Vec<Uuid>,
    /// `DataToken`
    pub token: String,
}

/// One answer of `ExecuteMultiple`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Which request, from 0.
    pub index: i32,
    pub fault: Option<Fault>,
    pub said: Option<Said>,
}

impl Reply {
    /// Reads a message that a server sent.
    ///
    /// # Errors
    /// What is no XML that we take, no message, or holds a value that is not of its type.
    pub fn read(text: &str, limits: &Limits) -> Result<Reply, Error> {
        let mut pull = Pull::new(text, limits)?;
        match envelope(&mut pull) {
            Err(Error::Xml(error)) => Err(error.into()),
            read => {
                pull.rest()?;
                read
            }
        }
    }
}

fn envelope(pull: &mut Pull<'_>) -> Result<Reply, Error> {
    let root = pull.root()?;
    let ns = root.name.ns.as_str();
    if root.local() != "Envelope" || !(ns == SOAP11 || ns == SOAP12) {
        return Err(missing("Envelope"));
    }
    while let Some(part) = pull.child()? {
        if part.is(ns, "Body") {
            let body = pull.child()?.ok_or_else(|| missing("content in Body"))?;
            return reply(pull, &body);
        }
        pull.skip()?;
    }
    Err(missing("Body"))
}

fn reply(pull: &mut Pull<'_>, body: &Tag) -> Result<Reply, Error> {
    match body.local() {
        "RetrieveMultipleResponse" if body.name.ns == *SERVICES => {
            only(pull, "RetrieveMultipleResult")?;
            Ok(Reply::Said(Said::Rows(rows(pull)?)))
        }
        "ExecuteResponse" if body.name.ns == *SERVICES => {
            let result = only(pull, "ExecuteResult")?;
            Ok(Reply::Said(response(pull, &result)?))
        }
        _ => {
            let body = pull.element(body)?;
            Ok(match Fault::read(&body)? {
                Some(fault) => Reply::Fault(fault),
                None => Reply::Said(Said::Answer(Answer::read(&body)?)),
            })
        }
    }
}

/// Opens the first child of that name.
fn only(pull: &mut Pull<'_>, name: &str) -> Result<Rc<Tag>, Error> {
    while let Some(child) = pull.child()? {
        if child.local() == name {
            return Ok(child);
        }
        pull.skip()?;
    }
    Err(missing(name))
}

/// The text of a leaf without the white space around it; `None` when it is null.
fn leaf<'t>(pull: &mut Pull<'t>, tag: &Tag) -> Result<Option<Cow<'t, str>>, Error> {
    let text = pull.text()?;
    Ok((!tag.nil).then(|| match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }))
}

/// A leaf that says something.
fn filled<'t>(pull: &mut Pull<'t>, tag: &Tag) -> Result<Option<Cow<'t, str>>, Error> {
    Ok(leaf(pull, tag)?.filter(|text| !text.is_empty()))
}

fn id(pull: &mut Pull<'_>, tag: &Tag) -> Result<Uuid, Error> {
    filled(pull, tag)?.map_or(Ok(Uuid::nil()), |text| guid(&text))
}

/// `OrganizationResponse`
fn response(pull: &mut Pull<'_>, at: &Tag) -> Result<Said, Error> {
    let (mut name, mut results) = (None, None);
    while let Some(member) = pull.child()? {
        match member.local() {
            "ResponseName" if name.is_none() => name = Some(filled(pull, &member)?),
            "Results" if results.is_none() => results = Some(self::results(pull)?),
            _ => pull.skip()?,
        }
    }
    let name = name.flatten().map(Cow::into_owned).or_else(|| by_class(at.kind.as_ref(), "Response"));
    let name = name.ok_or_else(|| missing("ResponseName"))?;
    Ok(match results.unwrap_or_default() {
        (Some(said), _) => said,
        (None, results) => Said::Answer(Answer::Execute(Response { name, results, bare: false })),
    })
}

type Results = (Option<Said>, Vec<(String, Any)>);

/// The values of a response: the first that is rows, changes or many answers, and all others.
fn results(pull: &mut Pull<'_>) -> Result<Results, Error> {
    let (mut large, mut small) = (None, Vec::new());
    while pull.child()?.is_some() {
        let (mut key, mut value) = (None, None);
        while let Some(part) = pull.child()? {
            match part.local() {
                "key" if key.is_none() => key = Some(leaf(pull, &part)?),
                "value" if value.is_none() => value = Some(result(pull, &part)?),
                _ => pull.skip()?,
            }
        }
        let key = key.flatten().ok_or_else(|| missing("key"))?;
        match value.ok_or_else(|| missing("value"))? {
            Found::Large(said) => large = large.or(Some(said)),
            Found::Small(any) => small.push((key.into_owned(), any)),
        }
    }
    Ok((large, small))
}

enum Found {
    Large(Said),
    Small(Any),
}

fn result(pull: &mut Pull<'_>, at: &Tag) -> Result<Found, Error> {
    let kind = at.kind.as_ref().filter(|kind| !at.nil && !plain(kind.ns.as_str()));
    Ok(Found::Large(match kind.map(|kind| (kind.local.as_str(), kind.ns.as_str())) {
        Some(("EntityCollection", _)) => Said::Rows(rows(pull)?),
        Some(("BusinessEntityChanges", _)) => Said::Changes(changes(pull)?),
        // What the class is called on the wire, and in the SDK.
        Some(("OrganizationResponseCollection", XRM_2012) | ("ExecuteMultipleResponseItemCollection", _)) => {
            Said::Many(items(pull)?)
        }
        _ => return Ok(Found::Small(Any::read(&pull.element(at)?)?)),
    }))
}

/// The namespaces whose types are texts.
fn plain(ns: &str) -> bool {
    matches!(ns, XSD | SERIALIZATION)
}

fn items(pull: &mut Pull<'_>) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    while pull.child()?.is_some() {
        let (mut fault, mut index, mut said) = (None, None, None);
        while let Some(member) = pull.child()? {
            match member.local() {
                "Fault" if fault.is_none() => {
                    let detail = pull.element(&member)?;
                    fault = Some((!member.nil).then(|| Fault::of_detail(&detail)).transpose()?);
                }
                "RequestIndex" if index.is_none() => index = Some(leaf(pull, &member)?),
                "Response" if said.is_none() && member.nil => {
                    pull.skip()?;
                    said = Some(None);
                }
                "Response" if said.is_none() => said = Some(Some(response(pull, &member)?)),
                _ => pull.skip()?,
            }
        }
        let index = index.flatten().ok_or_else(|| missing("RequestIndex"))?;
        items.push(Item { index: int(&index)?, fault: fault.flatten(), said: said.flatten() });
    }
    Ok(items)
}

/// `EntityCollection`
fn rows(pull: &mut Pull<'_>) -> Result<Rows, Error> {
    let mut list = List::default();
    let (mut entities, mut more, mut cookie) = (false, None, None);
    while let Some(member) = pull.child()? {
        match member.local() {
            "Entities" if !std::mem::replace(&mut entities, true) => {
                while pull.child()?.is_some() {
                    list.row(pull)?;
                }
            }
            "MoreRecords" if more.is_none() => more = Some(flag(pull, &member)?),
            "PagingCookie" if cookie.is_none() => cookie = Some(filled(pull, &member)?),
            _ => pull.skip()?,
        }
    }
    Ok(list.done(more, cookie))
}

fn flag(pull: &mut Pull<'_>, at: &Tag) -> Result<bool, Error> {
    filled(pull, at)?.map_or(Ok(false), |text| boolean(&text))
}

/// `BusinessEntityChanges`
fn changes(pull: &mut Pull<'_>) -> Result<Changes, Error> {
    let (mut list, mut gone) = (List::default(), Vec::new());
    let (mut listed, mut more, mut cookie, mut token) = (false, None, None, None);
    while let Some(member) = pull.child()? {
        match member.local() {
            "Changes" if !std::mem::replace(&mut listed, true) => {
                while pull.child()?.is_some() {
                    gone.extend(change(pull, &mut list)?);
                }
            }
            "DataToken" if token.is_none() => token = Some(filled(pull, &member)?),
            "MoreRecords" if more.is_none() => more = Some(flag(pull, &member)?),
            "PagingCookie" if cookie.is_none() => cookie = Some(filled(pull, &member)?),
            _ => pull.skip()?,
        }
    }
    let token = token.flatten().ok_or_else(|| missing("DataToken"))?.into_owned();
    Ok(Changes { rows: list.done(more, cookie), gone, token })
}

/// One change: a row as it is now, or the id of one that went.
fn change(pull: &mut Pull<'_>, list: &mut List) -> Result<Option<Uuid>, Error> {
    let (mut there, mut gone) = (false, None);
    while let Some(member) = pull.child()? {
        match member.local() {
            "NewOrUpdatedEntity" if !std::mem::replace(&mut there, true) => list.row(pull)?,
            "RemovedItem" if gone.is_none() => gone = Some(reference(pull)?.1),
            _ => pull.skip()?,
        }
    }
    Ok(gone.filter(|_| !there))
}

/// Rows as they come, and the names that were met.
#[derive(Default)]
struct List {
    rows: Rows,
    places: HashMap<String, u32>,
    /// For each column: how its values stood before.
    pairs: Vec<Option<Pair>>,
    width: usize,
}

/// A name with the beginning of its value, as they stood in a row before.
struct Pair {
    head: Stretch,
    value: Rc<Tag>,
    form: Form,
}

impl List {
    /// `Entity`
    fn row(&mut self, pull: &mut Pull<'_>) -> Result<(), Error> {
        let mut values = None;
        let mut id = None;
        while let Some(member) = pull.child()? {
            match member.local() {
                "Attributes" if values.is_none() => values = Some(self.values(pull)?),
                "Id" if id.is_none() => id = Some(self::id(pull, &member)?),
                _ => pull.skip()?,
            }
        }
        let values = values.unwrap_or_default();
        self.width = values.len();
        self.rows.rows.push(Row { id: id.unwrap_or_default(), values });
        Ok(())
    }

    fn values(&mut self, pull: &mut Pull<'_>) -> Result<Vec<(u32, Value)>, Error> {
        let mut values = Vec::with_capacity(self.width);
        let mut next = 0;
        loop {
            let (place, value) = match self.again(pull, next)? {
                Some(found) => found,
                None => match self.pair(pull, next)? {
                    Some(found) => found,
                    None => return Ok(values),
                },
            };
            next = place + 1;
            if let Some(value) = value {
                values.push((place, value));
            }
        }
    }

    /// A value whose name and type stand here as they stood in a row before; columns without a value are left out there.
    fn again(&self, pull: &mut Pull<'_>, next: u32) -> Result<Option<Placed>, Error> {
        for (pair, place) in self.pairs.iter().skip(next as usize).zip(next..).take(NEAR) {
            let Some(pair) = pair.as_ref().filter(|pair| pull.again(&pair.head)) else { continue };
            let value = pair.form.read(pull, &pair.value)?;
            while pull.child()?.is_some() {
                pull.skip()?;
            }
            return Ok(Some((place, value)));
        }
        Ok(None)
    }

    /// The next name with its value, in whatever order they stand; `None` when there is none.
    fn pair(&mut self, pull: &mut Pull<'_>, next: u32) -> Result<Option<Placed>, Error> {
        let mark = pull.mark();
        if pull.child()?.is_none() {
            return Ok(None);
        }
        let (mut key, mut value, mut known) = (None, None, None);
        while let Some(part) = pull.child()? {
            match part.local() {
                "key" if key.is_none() => key = Some(leaf(pull, &part)?),
                "value" if value.is_none() => {
                    let form = Form::of(&part);
                    known = key.as_ref().and_then(|_| pull.since(mark)).map(|head| (head, form));
                    value = Some((form.read(pull, &part)?, part));
                }
                _ => pull.skip()?,
            }
        }
        let key = key.flatten().ok_or_else(|| missing("key"))?;
        let place = self.place(&key, next);
        let (value, tag) = value.ok_or_else(|| missing("value"))?;
        if let Some((head, form)) = known {
            let pairs = &mut self.pairs;
            pairs.resize_with(pairs.len().max(place as usize + 1), || None);
            pairs[place as usize] = Some(Pair { head, value: tag, form });
        }
        Ok(Some((place, value)))
    }

    /// Where a column's name stands. Most come in the order in which they came before, but for some that have no value.
    fn place(&mut self, name: &str, next: u32) -> u32 {
        let names = &mut self.rows.names;
        let near = names.iter().skip(next as usize).take(NEAR).position(|known| known == name);
        if let Some(near) = near.and_then(|near| u32::try_from(near).ok()) {
            return next + near;
        }
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        // More names than this are more elements than any limit lets through.
        let place = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    fn done(self, more: Option<bool>, cookie: Option<Option<Cow<'_, str>>>) -> Rows {
        let cookie = cookie.flatten().map(Cow::into_owned);
        Rows { more: more.unwrap_or_default(), cookie, ..self.rows }
    }
}

/// Names that are looked at before the whole list is.
const NEAR: usize = 6;

/// A column's place and its value; `None` when it is none, as a party list is.
type Placed = (u32, Option<Value>);

/// How a value stands in its element, by the element's type.
#[derive(Clone, Copy)]
enum Form {
    Null,
    Text,
    Scalar(Scalar),
    Reference,
    Choice,
    Money,
    Aliased,
    /// As a tree.
    Other,
}

impl Form {
    fn of(at: &Tag) -> Form {
        match at.kind.as_ref().map(|kind| (kind.local.as_str(), kind.ns.as_str())) {
            _ if at.nil => Form::Null,
            Some(("string", XSD | SERIALIZATION)) => Form::Text,
            Some((local, XSD | SERIALIZATION)) => scalar(local).map_or(Form::Other, Form::Scalar),
            Some(("EntityReference", _)) => Form::Reference,
            Some(("OptionSetValue", _)) => Form::Choice,
            Some(("Money", _)) => Form::Money,
            Some(("AliasedValue", _)) => Form::Aliased,
            _ => Form::Other,
        }
    }

    fn read(self, pull: &mut Pull<'_>, at: &Tag) -> Result<Option<Value>, Error> {
        Ok(match self {
            Form::Null => {
                pull.skip()?;
                Some(Value::Null)
            }
            Form::Text => Some(Value::Text(pull.text()?.into_owned())),
            Form::Scalar(read) => read(&pull.text()?)?.into_value(),
            Form::Reference => reference(pull).map(|(table, id)| Some(Value::lookup(table, id)))?,
            Form::Choice => Some(Value::Int(i64::from(int(&number(pull)?)?))),
            Form::Money => Some(Value::Decimal(decimal(&number(pull)?)?)),
            Form::Aliased => aliased(pull)?,
            Form::Other => Any::read(&pull.element(at)?)?.into_value(),
        })
    }
}

fn value(pull: &mut Pull<'_>, at: &Tag) -> Result<Option<Value>, Error> {
    Form::of(at).read(pull, at)
}

/// `EntityReference`: what matters of it.
fn reference(pull: &mut Pull<'_>) -> Result<(String, Uuid), Error> {
    let (mut table, mut id) = (None, None);
    while let Some(member) = pull.child()? {
        match member.local() {
            "LogicalName" if table.is_none() => table = Some(filled(pull, &member)?),
            "Id" if id.is_none() => id = Some(self::id(pull, &member)?),
            _ => pull.skip()?,
        }
    }
    Ok((table.flatten().map(Cow::into_owned).unwrap_or_default(), id.unwrap_or_default()))
}

/// The member `Value` of a choice or of money.
fn number<'t>(pull: &mut Pull<'t>) -> Result<Cow<'t, str>, Error> {
    let mut number = None;
    while let Some(member) = pull.child()? {
        match member.local() {
            "Value" if number.is_none() => number = Some(leaf(pull, &member)?),
            _ => pull.skip()?,
        }
    }
    number.flatten().ok_or_else(|| missing("Value"))
}

fn aliased(pull: &mut Pull<'_>) -> Result<Option<Value>, Error> {
    let mut inner = None;
    while let Some(member) = pull.child()? {
        match member.local() {
            "Value" if inner.is_none() => inner = Some(value(pull, &member)?),
            _ => pull.skip()?,
        }
    }
    Ok(inner.unwrap_or(Some(Value::Null)))
}
