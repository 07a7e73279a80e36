//! `$select`, `$filter`, `$orderby`, `$top`, `$count` and `$expand`: what can be asked of a table, and of each table
//! expanded from it.

use super::expr::{Expr, Names, Parser};
use super::lex::Token;
use super::literal::Literal;
use crate::odata::Error;

/// What is asked of one table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// Property names, with slashes where clients write paths; `None` is all of them.
    pub select: Option<Vec<String>>,
    pub filter: Option<Expr>,
    pub order: Vec<OrderBy>,
    pub top: Option<u64>,
    pub count: bool,
    pub expand: Vec<Expand>,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    pub path: Names,
    pub descending: bool,
}

/// One navigation property to follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Expand {
    pub navigation: String,
    /// `nav/$ref`: only the addresses of the rows.
    pub reference: bool,
    pub wanted: Wanted,
    /// The options in its parentheses as they were written, by their names (`$filter`).
    pub written: Vec<(String, String)>,
}

impl Wanted {
    /// Reads the value of one option; false when the name is none of this table's.
    pub(super) fn option(&mut self, name: &str, parser: &mut Parser<'_>) -> Result<bool, Error> {
        match name {
            "$select" => self.select = select(parser)?,
            "$filter" => self.filter = Some(parser.condition()?),
            "$orderby" => self.order = order(parser)?,
            "$top" => self.top = Some(top(parser)?),
            "$count" => self.count = count(parser)?,
            "$expand" => self.expand = expand(parser)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Empty, as some clients send it, and `*` are everything.
fn select(parser: &mut Parser<'_>) -> Result<Option<Vec<String>>, Error> {
    if parser.token == Token::End {
        return Ok(None);
    }
    let (mut names, mut all) = (Vec::new(), false);
    loop {
        if parser.sign('*')? {
            all = true;
        } else {
            names.push(parser.names()?.join("/"));
        }
        if !parser.sign(',')? {
            return Ok((!all).then_some(names));
        }
    }
}

fn order(parser: &mut Parser<'_>) -> Result<Vec<OrderBy>, Error> {
    let mut order = Vec::new();
    loop {
        let path = parser.names()?;
        let descending = match parser.token {
            Token::Word("asc") => parser.take().map(|_| false)?,
            Token::Word("desc") => parser.take().map(|_| true)?,
            _ => false,
        };
        order.push(OrderBy { path, descending });
        if !parser.sign(',')? {
            return Ok(order);
        }
    }
}

fn top(parser: &mut Parser<'_>) -> Result<u64, Error> {
    let number = match &parser.token {
        Token::Literal(Literal::Int(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let fail = || Error::bad("Invalid value for $top query option found. It is a whole number from 0.");
    let number = number.ok_or_else(fail)?;
    parser.take().map(|_| number)
}

fn count(parser: &mut Parser<'_>) -> Result<bool, Error> {
    match parser.token {
        Token::Literal(Literal::Bool(value)) => parser.take().map(|_| value),
        _ => Err(Error::bad("Invalid value for $count query option found. It is either true or false.")),
    }
}

fn expand(parser: &mut Parser<'_>) -> Result<Vec<Expand>, Error> {
    let mut found = Vec::new();
    loop {
        found.push(parser.nested(one)?);
        if !parser.sign(',')? {
            return Ok(found);
        }
    }
}

fn one(parser: &mut Parser<'_>) -> Result<Expand, Error> {
    let navigation = parser.word()?.to_owned();
    let reference = parser.sign('/')?;
    if reference {
        if parser.token != Token::Dollar("$ref") {
            return Err(parser.syntax());
        }
        parser.take()?;
    }
    let (mut wanted, mut written) = (Wanted::default(), Vec::new());
    if parser.sign('(')? {
        while !parser.sign(')')? {
            inner(&mut wanted, &mut written, parser)?;
            if !parser.sign(';')? && parser.token != Token::Sign(')') {
                return Err(parser.syntax());
            }
        }
    }
    Ok(Expand { navigation, reference, wanted, written })
}

/// One `$name=value` within an expansion's parentheses.
fn inner(
    wanted: &mut Wanted,
    written: &mut Vec<(String, String)>,
    parser: &mut Parser<'_>,
) -> Result<(), Error> {
    let Token::Dollar(name) = parser.token else { return Err(parser.syntax()) };
    if written.iter().any(|(known, _)| known == name) {
        return Err(super::repeated(name));
    }
    parser.take()?;
    parser.expect('=')?;
    let start = parser.start();
    if !wanted.option(name, parser)? {
        return Err(Error::bad(format!("The query parameter '{name}' is not supported in $expand.")));
    }
    written.push((name.to_owned(), parser.since(start).trim().to_owned()));
    Ok(())
}
