//! Any `$filter`, asked of the real door and of a naive evaluator that walks the rows, chooses the same rows; and so does
//! the same condition in the three languages: what the parser read, written again as OData, as FetchXML, and as a
//! QueryExpression.
//!
//! The tests write the OData text themselves: what the product's own writer and parser get wrong alike is found here.
//! Not tested here: the order of letters beyond ASCII (`query::text` folds the letters that a condition names).

mod naive;
mod tree;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;

use postroom_core::metadata::Metadata;
use postroom_embedded::definitions;
use postroom_embedded::soap::{Door as SoapDoor, Settings};
use postroom_formats::fetchxml::{self, Fetch};
use postroom_formats::odata::{options::Options, resolve, write};
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::operation::{Answer as Said, Operation};
use postroom_formats::soap::query::AnyQuery;
use postroom_formats::xml;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use uuid::Uuid;

use crate::bench::On;
use crate::door::DoorBench;
use crate::soapdoor::SoapBench;
use naive::Rows;
use tree::Tree;

/// Trees tried on each database.
const CASES: u32 = 250;

/// Both doors on one CRM, and the rows that are in it.
struct Town {
    web: DoorBench,
    soap: SoapBench,
    metadata: std::sync::Arc<Metadata>,
    rows: Rows,
    /// How often each writer had the words.
    said: Mutex<BTreeMap<&'static str, u32>>,
}

async fn town(on: On, rows: Rows) -> Town {
    let web = DoorBench::new(on).await;
    let bench = web.bench.again().await;
    let door = SoapDoor::new(bench.ids.clone(), Settings::default());
    let soap = SoapBench { session: web.session.clone(), door, bench };
    world::create(&web.bench, &rows).await;
    let metadata = definitions::metadata(&web.bench.crm.schema().await.unwrap());
    Town { web, soap, metadata, rows, said: Mutex::default() }
}

impl Town {
    async fn check(&self, tree: &Tree) -> Result<(), String> {
        let expected = self.rows.chosen(tree);
        let text = tree.odata();
        let same = |how: &str, found: Result<Vec<Uuid>, String>| match found {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(format!(
                "{how} chose {:?}, not {:?}, with $filter={text}",
                self.rows.names(&found),
                self.rows.names(&expected)
            )),
            Err(error) => Err(format!("{how} was refused: {error}, with $filter={text}")),
        };
        let ask = format!("$select=accountid&$filter={}", encode(&text));
        same("OData", self.web(&ask).await)?;
        let options = Options::parse(&ask).map_err(|error| error.to_string())?;
        let query = resolve::plan(&self.metadata, "account", &options).map_err(|error| error.to_string())?;
        let query = query.query.select(&[]);
        if let Ok(again) = write::query(&self.metadata, &query) {
            self.count("OData");
            same(&format!("OData written again as {again}"), self.web(&again).await)?;
        }
        let fetch = Fetch::of(query);
        if let Ok(fetch) = fetchxml::write(&fetch) {
            self.count("FetchXML");
            let asked = self.web(&format!("fetchXml={}", encode(&fetch))).await;
            same(&format!("FetchXML {fetch}"), asked)?;
        }
        if let Ok(query) = AnyQuery::expression(fetch) {
            self.count("QueryExpression");
            let body = xml::write(&Operation::RetrieveMultiple(query).write(Generation::Dataverse));
            same(&format!("QueryExpression {body}"), self.soap(&body).await)?;
        }
        Ok(())
    }

    fn count(&self, writer: &'static str) {
        *self.said.lock().unwrap().entry(writer).or_default() += 1;
    }

    async fn web(&self, options: &str) -> Result<Vec<Uuid>, String> {
        let answer = self.web.get(&format!("accounts?{options}")).await;
        let rows = answer.json["value"].as_array().ok_or(answer.text)?;
        let id = |row: &serde_json::Value| row["accountid"].as_str().and_then(|id| id.parse().ok());
        sorted(rows.iter().map(id)).ok_or_else(|| "a row without its id".to_owned())
    }

    async fn soap(&self, body: &str) -> Result<Vec<Uuid>, String> {
        let answer = self.soap.ask(Soap::V12, body).await;
        if answer.status != 200 {
            return Err(answer.text);
        }
        match answer.said() {
            Said::RetrieveMultiple(rows) => {
                Ok(sorted(rows.entities.iter().map(|row| Some(row.id))).expect("every row has an id"))
            }
            other => Err(format!("{other:?}")),
        }
    }
}

fn sorted(ids: impl Iterator<Item = Option<Uuid>>) -> Option<Vec<Uuid>> {
    let mut ids = ids.collect::<Option<Vec<Uuid>>>()?;
    ids.sort();
    Some(ids)
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(each).collect()
}

fn any_filter_chooses_what_it_says(on: On) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let rows = world::rows().new_tree(&mut runner).unwrap().current();
    let town = runtime.block_on(town(on, rows));
    let outcome =
        runner.run(&tree::tree(), |tree| runtime.block_on(town.check(&tree)).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|failure| panic!("{failure}\n{}", town.rows.listed()));
    for (writer, most) in [("OData", 9), ("FetchXML", 6), ("QueryExpression", 6)] {
        let said = town.said.lock().unwrap().get(writer).copied().unwrap_or_default();
        assert!(said * 10 >= CASES * most, "{writer} had words for {said} of {CASES} conditions only");
    }
}

#[test]
fn any_filter_on_sqlite() {
    any_filter_chooses_what_it_says(On::Sqlite);
}

#[test]
fn any_filter_on_postgres() {
    any_filter_chooses_what_it_says(On::Postgres);
}
