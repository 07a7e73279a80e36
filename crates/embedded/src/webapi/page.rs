//! Pages of rows and the links between them (dataverse.md A9).
//!
//! A `$skiptoken` holds the sort keys of the last row in base64, so a link needs nothing kept here: it works after a restart,
//! on another node, and when its parameters are read and written again by the client. Groups and distinct rows have no such
//! keys; their tokens count the rows before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use postroom_core::Value;
use postroom_core::metadata::{ColumnKind, TableInfo};
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::problem::Problem;
use crate::schema::Schema;
use crate::session::{Page, Start, Window};

/// What a link to the next page carries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Token {
    /// The page's number, from 1.
    pub p: u64,
    /// Sort keys of the row before it.
    pub m: Vec<Option<String>>,
    /// In a run through changes: the version it goes up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<i64>,
    /// Where rows are counted: how many came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<u64>,
    /// How many rows are left of those that were asked for in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l: Option<u64>,
}

impl Token {
    pub(crate) fn read(text: &str) -> Result<Token, Problem> {
        let bad = || Problem::bad("Malformed skip token: follow the nextLink of the page before as it is");
        // Two clients put a slash behind the link.
        let bytes = BASE64.decode(text.trim_end_matches('/')).map_err(|_| bad())?;
        serde_json::from_slice(&bytes).map_err(|_| bad())
    }

    pub(crate) fn write(&self) -> String {
        BASE64.encode(serde_json::to_vec(self).expect("plain data has a JSON form"))
    }

    pub(crate) fn start(&self) -> Start {
        if let Some(before) = self.o {
            return Start::Offset(before);
        }
        Start::After(self.m.iter().map(|mark| mark.clone().map_or(Value::Null, Value::Text)).collect())
    }
}

/// Sort keys as text.
pub(crate) fn marks(values: &[Value]) -> Vec<Option<String>> {
    values.iter().map(mark).collect()
}

fn mark(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Content(_) => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Decimal(text) | Value::Text(text) => Some(text.clone()),
        Value::Guid(id) => Some(id.to_string()),
        Value::Time(time) => Some(time.to_string()),
        Value::Lookup(at) => Some(at.id.to_string()),
    }
}

/// The page that the call asks for. `$top` alone asks for no more pages than one.
pub(crate) fn window(call: &Call<'_>, token: Option<&Token>) -> Window {
    let most = call.door.settings.page;
    let size = call.prefer.max_page_size.map_or(most, |size| size.clamp(1, most));
    Window { size: Some(u64::from(size)), start: token.map_or(Start::First, Token::start) }
}

/// Which page a request asks for, and what comes after it.
pub(crate) struct Turn {
    token: Option<Token>,
    pub window: Window,
    /// No page comes after this one: `$top` asks for no more.
    last: bool,
    /// The rows have no keys.
    counted: bool,
}

impl Turn {
    /// By the request's token, page size and `$top`. The platform ignores `$top` beside a page size, and so does a later page.
    pub(crate) fn read(call: &Call<'_>, top: Option<u64>) -> Result<Turn, Problem> {
        let token = call.options.skip_token.as_deref().map(Token::read).transpose()?;
        let mut window = window(call, token.as_ref());
        let top = top.filter(|_| token.is_none() && call.prefer.max_page_size.is_none());
        let left = token.as_ref().and_then(|token| token.l);
        window.size = window.size.into_iter().chain(top).chain(left).min();
        Ok(Turn { token, window, last: top.is_some(), counted: false })
    }

    /// The same for rows that have no keys.
    pub(crate) fn counted(self) -> Turn {
        let before = self.token.as_ref().and_then(|token| token.o).unwrap_or_default();
        let start = if before == 0 { Start::First } else { Start::Offset(before) };
        Turn { window: Window { start, ..self.window }, counted: true, ..self }
    }

    /// The token of the page after this one.
    pub(crate) fn next(&self, page: &Page) -> Option<Token> {
        let shown = page.records.len() as u64;
        let left = self.token.as_ref().and_then(|token| token.l).map(|left| left.saturating_sub(shown));
        if self.last || !page.more || left == Some(0) {
            return None;
        }
        let before = self.token.as_ref().and_then(|token| token.o).unwrap_or_default();
        Some(Token {
            p: self.token.as_ref().map_or(2, |token| token.p.saturating_add(1)),
            m: if self.counted { Vec::new() } else { marks(&page.last) },
            o: self.counted.then(|| before.saturating_add(shown)),
            l: left,
            u: None,
        })
    }
}

/// The member with the link to the next page of these rows: this request with another token.
pub(crate) fn next(call: &Call<'_>, set: &str, token: &Token) -> (&'static str, String) {
    ("@odata.nextLink", next_link(call, set, &call.query, token))
}

/// The link to the next page: this request with another token.
pub(crate) fn next_link(call: &Call<'_>, set: &str, query: &str, token: &Token) -> String {
    let kept = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && !["$skiptoken", "%24skiptoken"].contains(&name.to_ascii_lowercase().as_str())
    });
    let mut pairs: Vec<&str> = kept.collect();
    let token = format!("$skiptoken={}", token.write());
    pairs.push(&token);
    format!("{}/{set}?{}", call.root, pairs.join("&"))
}

/// Refuses what only the rows of a collection can be asked by, where something else is asked for.
pub(crate) fn plain(call: &Call<'_>) -> Result<(), Problem> {
    let options = &call.options;
    let given = [
        ("fetchXml", options.fetch_xml.is_some()),
        ("savedQuery", options.saved_query.is_some()),
        ("userQuery", options.user_query.is_some()),
        ("$apply", options.apply.is_some()),
        ("$deltatoken", options.delta_token.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Problem::bad(format!(
            "The query parameter '{name}' is only supported for the rows of a collection: an entity set or a \
             collection-valued navigation property"
        ))),
        None => Ok(()),
    }
}

/// The columns to ask for, and which of them are not shown.
pub(crate) struct Columns {
    pub asked: Vec<String>,
    pub hidden: Vec<String>,
}

/// What to select: the columns wanted (or all), the key and the version, the currency of money, and `more` for expansions.
pub(crate) fn columns(
    schema: &Schema,
    table: &TableInfo,
    wanted: Option<&[String]>,
    more: impl IntoIterator<Item = String>,
) -> Columns {
    let stored = schema.table(&table.logical_name).ok();
    let real = |name: &str| stored.is_some_and(|table| table.column(name).is_some());
    let mut asked: Vec<String> = match wanted {
        Some(names) => names.to_vec(),
        None => table
            .columns
            .iter()
            .filter(|column| column.valid_for_read && real(&column.logical_name))
            .filter(|column| !matches!(column.kind, ColumnKind::PartyList { .. } | ColumnKind::Virtual))
            .map(|column| column.logical_name.clone())
            .collect(),
    };
    let money = |name: &String| {
        table.column(name).is_some_and(|column| matches!(column.kind, ColumnKind::Money { .. }))
    };
    let currency = asked.iter().any(money).then_some("transactioncurrencyid");
    for name in [Some(table.primary_id.as_str()), currency].into_iter().flatten() {
        if real(name) && !asked.iter().any(|asked| asked == name) {
            asked.push(name.to_owned());
        }
    }
    let mut hidden = Vec::new();
    for name in std::iter::once("versionnumber".to_owned()).chain(more) {
        if real(&name) && !asked.contains(&name) {
            hidden.push(name.clone());
            asked.push(name);
        }
    }
    Columns { asked, hidden }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_a_client_that_reads_and_writes_them() {
        let token = Token { p: 2, m: vec![Some("ö&=+;\"".into()), None], u: Some(7), ..Token::default() };
        let text = token.write();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        let read = Token::read(&text).unwrap();
        assert_eq!((read.p, read.m, read.u), (2, token.m, Some(7)));
        for bad in ["", "!", "e30", "bnVsbA"] {
            assert!(Token::read(bad).is_err(), "{bad}");
        }
    }
}
