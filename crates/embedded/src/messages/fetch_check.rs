//! ValidateFetchXmlExpression: what is wrong with a query, without its rows. The answer is a success in any case; an issue of
//! severity 3 is an error, one of severity 1 advice.

use postroom_formats::fetchxml;

use super::ask::Ask;
use super::{Parameter, Prepared};
use crate::failure::Failure;

const ADVICE: i64 = 1;
const ERROR: i64 = 3;

pub(super) async fn check(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("FetchXml")?;
    let issues = issues(ask, ask.text("FetchXml")?.unwrap_or_default()).await?;
    let results =
        vec![("Helplink".to_owned(), Parameter::Null), ("Messages".to_owned(), Parameter::List(issues))];
    Ok(Prepared::answer(vec![("ValidationResults", Parameter::Members(results))]))
}

async fn issues(ask: &Ask<'_>, xml: &str) -> Result<Vec<Parameter>, Failure> {
    let wrong = |text: String| Ok(vec![issue(ERROR, format!("Error handling FetchXML: {text}"))]);
    let fetch = match fetchxml::parse(xml) {
        Ok(fetch) => fetch,
        Err(error) => return wrong(error.to_string()),
    };
    let (every_column, computes) = (fetch.query.columns.is_none(), fetch.query.computes());
    // One row at most: names and kinds are looked at before rows are.
    match ask.session.all(fetch.query.top(1)).await {
        Err(Failure::Refused(refusal)) => return wrong(refusal.to_string()),
        other => drop(other?),
    }
    let advice = "The query reads every column: name those that are needed.";
    Ok((every_column && !computes).then(|| issue(ADVICE, advice.to_owned())).into_iter().collect())
}

fn issue(severity: i64, text: String) -> Parameter {
    Parameter::Members(vec![
        ("TypeCode".to_owned(), Parameter::Int(0)),
        ("Severity".to_owned(), Parameter::Int(severity)),
        ("LocalizedMessageText".to_owned(), Parameter::Text(text)),
        ("OptionalPropertyBag".to_owned(), Parameter::Null),
    ])
}
