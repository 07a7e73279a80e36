//! The envelope of a raw mail in query parameters: `mailbox`, `direction`, `from`, `to` (repeatable), `source`.

use axum::extract::Query;
use http::Uri;
use postroom_core::Direction;

use crate::input;
use crate::problem::Problem;

/// What the query string said.
#[derive(Debug, PartialEq)]
pub(super) struct Given {
    pub mailbox: Option<String>,
    pub direction: Direction,
    pub from: Option<String>,
    pub to: Vec<String>,
    pub source: Option<String>,
}

/// Reads a query string. Unknown parameters, and a second value where one is expected, are refused.
pub(super) fn read(uri: &Uri) -> Result<Given, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    let mut given =
        Given { mailbox: None, direction: Direction::Incoming, from: None, to: Vec::new(), source: None };
    let mut way = None;
    for (name, value) in pairs.0 {
        if value.contains(['\r', '\n', '\0']) {
            return Err(Problem::input(format!("the value of {name} has a line break in it")));
        }
        let place = match name.as_str() {
            "mailbox" => &mut given.mailbox,
            "direction" => &mut way,
            "from" => &mut given.from,
            "source" => &mut given.source,
            "to" => {
                given.to.push(value);
                continue;
            }
            _ => return Err(unknown(&name)),
        };
        if place.replace(value).is_some() {
            return Err(Problem::input(format!("{name} is given twice")));
        }
    }
    let refused = || Problem::input("direction is Inbox or Sent (or incoming, outgoing)");
    given.direction = input::direction(way.as_deref()).ok_or_else(refused)?;
    given.mailbox = given.mailbox.filter(|name| !name.is_empty());
    given.source = given.source.filter(|id| !id.is_empty());
    Ok(given)
}

fn unknown(name: &str) -> Problem {
    Problem::input(format!(
        "{name:?} is no parameter here; known are mailbox, direction, from, to and source"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(query: &str) -> Result<Given, Problem> {
        read(&format!("/agent/v1/messages?{query}").parse().unwrap())
    }

    #[test]
    fn a_whole_envelope() {
        let read =
            given("mailbox=Sales&direction=SENT&from=a@x.example&to=b@y.example&to=c@z.example&source=R:U");
        let read = read.unwrap();
        assert_eq!(read.to, ["b@y.example", "c@z.example"]);
        assert_eq!((read.direction, read.source.as_deref()), (Direction::Outgoing, Some("R:U")));
    }

    #[test]
    fn an_empty_from_is_a_bounce_and_not_nothing() {
        assert_eq!(given("from=").unwrap().from.as_deref(), Some(""));
        assert_eq!(given("").unwrap().from, None);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for query in ["form=a", "from=a&from=b", "direction=up", "to=a%0d%0ab"] {
            assert!(given(query).is_err(), "{query}");
        }
    }
}
