//! How much an answer says about itself: `odata.metadata=none`, `minimal` or `full`, in `Accept` or `$format` (OData JSON 4.0,
//! chapter 3.1).
//!
//! Everything is written as `minimal`, which is what nearly all clients want; the other two are made of that.
//!
//! * `none` leaves out all of `@odata.…` but links to follow, counts and references, which are what was asked for.
//! * [`full`] adds types, addresses and links. What of a type JSON tells by itself (text, yes or no, small numbers, null) is
//!   not repeated, as on the platform.

mod full;

use std::fmt;

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Reply;
use super::call::Call;
use super::json::Json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    None,
    Minimal,
    Full,
}

impl Level {
    /// `$format` counts more than the header. What is not known is as if it were not said.
    fn asked(format: Option<&str>, headers: &HeaderMap) -> Level {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = accepted.flat_map(|value| value.split(','));
        let level = format.map_or_else(|| kinds.find_map(Level::of), Level::of);
        level.unwrap_or(Level::Minimal)
    }

    /// Of one media type; `None` when it is another than JSON.
    fn of(kind: &str) -> Option<Level> {
        let mut parts = kind.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case("application/json"))?;
        let level = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let known =
                ["odata.metadata", "metadata"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
            known.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Some(match level.as_deref() {
            Some("none") => Level::None,
            Some("full") => Level::Full,
            _ => Level::Minimal,
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            Level::None => "application/json; odata.metadata=none",
            Level::Minimal => "application/json; odata.metadata=minimal",
            Level::Full => "application/json; odata.metadata=full",
        }
    }
}

/// The answer at the level that was asked for.
pub(crate) fn apply(call: &Call<'_>, reply: Reply) -> Reply {
    let level = Level::asked(call.options.format.as_deref(), &call.headers);
    let is_json =
        reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if level == Level::Minimal || !is_json {
        return reply;
    }
    let Ok(body) = serde_json::from_slice::<Members>(&reply.body) else { return reply };
    let mut json = Json::default();
    match level {
        Level::Full => full::write(call, &mut json, &body),
        _ => object(&mut json, &body),
    }
    let reply = Reply { body: json.into_bytes().into(), ..reply };
    reply.header("content-type", level.content_type())
}

/// The members of an object in their order, each value as it is written.
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// What of an object is left without metadata.
fn object(json: &mut Json, members: &Members) {
    // A reference is nothing but an address.
    let reference =
        members.0.iter().all(|(name, _)| ["@odata.context", "@odata.id"].contains(&name.as_str()));
    json.object(|json| {
        for (name, raw) in &members.0 {
            if is_kept(name) || reference && name == "@odata.id" {
                json.key(name);
                value(json, raw);
            }
        }
    });
}

fn is_kept(name: &str) -> bool {
    let Some((_, annotation)) = name.split_once('@') else { return true };
    !annotation.starts_with("odata.")
        || ["odata.nextLink", "odata.deltaLink", "odata.count"].contains(&annotation)
}

fn value(json: &mut Json, raw: &RawValue) {
    if let Ok(members) = serde_json::from_str::<Members>(raw.get()) {
        return object(json, &members);
    }
    match serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) {
        Ok(elements) => json.array(|json| elements.iter().for_each(|element| value(json, element))),
        Err(_) => json.number(raw.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read() {
        let check = |format: Option<&str>, accept: &[&str], expected: Level| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            assert_eq!(Level::asked(format, &headers), expected, "{format:?} {accept:?}");
        };
        check(None, &[], Level::Minimal);
        check(None, &["*/*"], Level::Minimal);
        check(None, &["application/json"], Level::Minimal);
        check(None, &["application/json;odata.metadata=full"], Level::Full);
        check(None, &["Application/JSON; OData.Metadata=\"Full\"; charset=utf-8"], Level::Full);
        check(None, &["application/json;metadata=none"], Level::None);
        check(None, &["text/html, application/json;odata.metadata=none, application/json"], Level::None);
        check(None, &["text/html", "application/json;odata.metadata=none"], Level::None);
        check(None, &["application/xml;odata.metadata=full"], Level::Minimal);
        check(None, &["application/json;odata.metadata=verbose"], Level::Minimal);
        check(Some("json"), &["application/json;odata.metadata=full"], Level::Minimal);
        check(Some("application/json;odata.metadata=full"), &["application/json"], Level::Full);
    }
}
