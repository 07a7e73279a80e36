//! `$apply`: `filter(…)/groupby((a,b/c),aggregate($count as n,x with sum as t))` (dataverse.md A11).

use postroom_core::query::Function;

use super::expr::{Expr, Names, Parser};
use super::lex::Token;
use crate::odata::Error;

/// Rows narrowed, then put in groups, then computed over. What the platform cannot do after that is refused when read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Apply {
    /// All of these.
    pub filters: Vec<Expr>,
    pub groups: Vec<Names>,
    pub aggregates: Vec<Aggregation>,
}

/// One computed property.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// `None` for `$count`.
    pub path: Option<Names>,
    pub function: Function,
    pub alias: String,
}

impl Apply {
    pub(super) fn parse(parser: &mut Parser<'_>) -> Result<Apply, Error> {
        let mut apply = Apply::default();
        loop {
            let name = parser.word()?;
            parser.expect('(')?;
            match name {
                "filter" => apply.filters.push(parser.condition()?),
                "aggregate" => apply.aggregates = aggregates(parser)?,
                "groupby" => apply.group(parser)?,
                _ => {
                    return Err(Error::bad(format!(
                        "The transformation '{name}' is not supported in $apply: filter, groupby and aggregate are."
                    )));
                }
            }
            parser.expect(')')?;
            if name != "filter" {
                return Ok(apply);
            }
            if !parser.sign('/')? {
                return Ok(apply);
            }
        }
    }

    fn group(&mut self, parser: &mut Parser<'_>) -> Result<(), Error> {
        parser.expect('(')?;
        loop {
            self.groups.push(parser.names()?);
            if !parser.sign(',')? {
                break;
            }
        }
        parser.expect(')')?;
        if parser.sign(',')? {
            if parser.word()? != "aggregate" {
                return Err(parser.syntax());
            }
            parser.expect('(')?;
            self.aggregates = aggregates(parser)?;
            parser.expect(')')?;
        }
        Ok(())
    }
}

fn aggregates(parser: &mut Parser<'_>) -> Result<Vec<Aggregation>, Error> {
    let mut found: Vec<Aggregation> = Vec::new();
    loop {
        let one = aggregate(parser)?;
        if found.iter().any(|other| other.alias == one.alias) {
            return Err(Error::bad(format!("The alias '{}' stands for two aggregates.", one.alias)));
        }
        found.push(one);
        if !parser.sign(',')? {
            return Ok(found);
        }
    }
}

fn aggregate(parser: &mut Parser<'_>) -> Result<Aggregation, Error> {
    if parser.token == Token::Dollar("$count") {
        parser.take()?;
        let alias = alias(parser)?;
        return Ok(Aggregation { path: None, function: Function::Count, alias });
    }
    let path = Some(parser.names()?);
    keyword(parser, "with")?;
    let function = match parser.token {
        Token::Word("sum") => Function::Sum,
        Token::Word("average") => Function::Average,
        Token::Word("min") => Function::Min,
        Token::Word("max") => Function::Max,
        Token::Word("countdistinct") => Function::CountDistinct,
        _ => return Err(parser.fail("sum, average, min, max or countdistinct expected")),
    };
    parser.take()?;
    Ok(Aggregation { path, function, alias: alias(parser)? })
}

fn alias(parser: &mut Parser<'_>) -> Result<String, Error> {
    keyword(parser, "as")?;
    parser.word().map(str::to_owned)
}

fn keyword(parser: &mut Parser<'_>, word: &str) -> Result<(), Error> {
    match parser.token == Token::Word(word) {
        true => parser.take().map(|_| ()),
        false => Err(parser.fail(&format!("'{word}' expected"))),
    }
}
