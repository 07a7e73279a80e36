//! One request: its path, its query, its body, and whether sending it twice does harm.

use bytes::Bytes;
use http::Method;

use crate::spool::Spooled;

/// One request.
pub(crate) struct Ask {
    pub method: Method,
    /// The path's form, for limits and the log: `/v2/contacts/{}`.
    pub route: &'static str,
    pub path: String,
    /// What stands in the route's places, as it is.
    pub parts: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Instead of `body`, when it is large.
    pub spooled: Option<Spooled>,
    /// Whether sending it twice does no harm.
    pub repeatable: bool,
    /// A person waits for it, or it must not wait behind a sync.
    pub urgent: bool,
    /// By REST, also where everything else goes by SOAP.
    pub by_rest: bool,
}

impl Ask {
    fn new(method: Method, route: &'static str, path: String, parts: &[&str]) -> Ask {
        let repeatable = method == Method::GET;
        let (query, body) = (Vec::new(), Bytes::new());
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        Ask {
            method,
            route,
            path,
            parts,
            query,
            body,
            spooled: None,
            repeatable,
            urgent: false,
            by_rest: false,
        }
    }

    /// A request of this method for a path; `{}` in the route stand for the parts, which are escaped.
    pub(crate) fn of(method: Method, route: &'static str, parts: &[&str]) -> Ask {
        let mut path = String::with_capacity(route.len() + 40);
        let mut each = parts.iter();
        for (number, text) in route.split("{}").enumerate() {
            if number > 0 {
                path.push_str(&escaped(each.next().copied().unwrap_or_default()));
            }
            path.push_str(text);
        }
        Ask::new(method, route, path, parts)
    }

    pub(crate) fn get(route: &'static str, parts: &[&str]) -> Ask {
        Ask::of(Method::GET, route, parts)
    }

    pub(crate) fn post(route: &'static str, parts: &[&str]) -> Ask {
        Ask::of(Method::POST, route, parts)
    }

    pub(crate) fn put(route: &'static str, parts: &[&str]) -> Ask {
        Ask::of(Method::PUT, route, parts)
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Ask {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn json(mut self, body: &serde_json::Value) -> Ask {
        self.body = body.to_string().into();
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Ask {
        self.body = body.into();
        self
    }

    pub(crate) fn spooled(mut self, body: Spooled) -> Ask {
        self.spooled = Some(body);
        self
    }

    /// Sending it twice does no harm.
    pub(crate) fn repeatable(mut self) -> Ask {
        self.repeatable = true;
        self
    }

    pub(crate) fn urgent(mut self) -> Ask {
        self.urgent = true;
        self
    }

    pub(crate) fn by_rest(mut self) -> Ask {
        self.by_rest = true;
        self
    }

    pub(crate) fn url(&self, origin: &str) -> String {
        let mut url = format!("{origin}{}", self.path);
        for (number, (name, value)) in self.query.iter().enumerate() {
            url.push(if number == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&escaped(value));
        }
        url
    }
}

/// A part of a path or query. Colons and `@` stay: the service's own examples have them.
fn escaped(text: &str) -> String {
    const SAFE: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b':')
        .remove(b'@');
    percent_encoding::utf8_percent_encode(text, SAFE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_in_paths_and_queries_are_escaped() {
        let check = |part: &str, expected: &str| {
            let ask = Ask::get("/contacts/v3/{}/{}", &["email", part]).query("x", part);
            assert_eq!(ask.url("http://h"), format!("http://h/contacts/v3/email/{expected}?x={expected}"));
        };
        check("ann@x.example", "ann@x.example");
        check("o'brien+x@example.com", "o%27brien%2Bx@example.com");
        check("a/b?c#d%e&f", "a%2Fb%3Fc%23d%25e%26f");
        check("2024-05-01T00:00:00Z", "2024-05-01T00:00:00Z");
        check("josé", "jos%C3%A9");
    }
}
