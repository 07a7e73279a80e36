//! Queries: every kind of filter, order, a limit, the columns wanted.

use jiff::Timestamp;
use postroom_core::query::Comparison::{Contains, EndsWith, Eq, Ge, Gt, Le, Lt, Ne, StartsWith};
use postroom_core::query::{Comparison, Operator};
use postroom_core::{Filter, Query, Record, Value};

use super::{Bench, Verdict, ensure, ids};

/// Five contacts: their first letters are how a case names them.
async fn people(bench: &Bench) -> Result<Vec<Record>, String> {
    let account = bench.account();
    let time = |text: &str| -> Timestamp { text.parse().expect("a time") };
    let person = |name: &str, children: i32, income: &str, last_use: &str| {
        let contact = bench.contact(name).with("numberofchildren", children);
        contact
            .with("annualincome", Value::Decimal(income.to_owned()))
            .with("lastusedincampaign", time(last_use))
    };
    let people = vec![
        person("Anna", 1, "9.5", "2026-01-01T00:00:00Z").with("donotemail", true),
        person("bert", 2, "10", "2026-02-01T00:00:00Z").with("gendercode", 1),
        person("CARLA", 3, "100.25", "2026-03-01T12:30:00Z").with("parentcustomerid", account.at.clone()),
        person("Ömer 100%", 10, "1000", "2027-01-01T00:00:00Z"),
        bench.contact("Eve_x"),
    ];
    bench.create(&[account]).await?;
    bench.create(&people).await?;
    Ok(people)
}

fn is(column: &str, comparison: Comparison, value: impl Into<Value>) -> Filter {
    Filter::Compare(column.to_owned(), comparison, value.into())
}

fn name(comparison: Comparison, value: &str) -> Filter {
    is("firstname", comparison, value)
}

fn one_of(values: &[&str]) -> Filter {
    Filter::In("firstname".to_owned(), values.iter().map(|value| Value::text(*value)).collect())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// The first letters of the people of this case that a filter chooses, in upper case and sorted.
async fn chosen(bench: &Bench, filter: Filter) -> Result<String, String> {
    let ours = Filter::eq("lastname", bench.mark.as_str());
    let rows = bench.rows(Query::of("contact").filter(Filter::All(vec![ours, filter]))).await?;
    let mut letters: Vec<char> = rows.iter().filter_map(letter).collect();
    letters.sort();
    Ok(letters.into_iter().collect())
}

fn letter(row: &Record) -> Option<char> {
    row.text("firstname")?.chars().next()?.to_uppercase().next()
}

async fn check(bench: &Bench, cases: Vec<(Filter, &str)>) -> Verdict {
    let mut wrong = Vec::new();
    for (filter, expected) in cases {
        let letters = chosen(bench, filter.clone()).await?;
        if letters != expected {
            wrong.push(format!("{filter:?} chose {letters:?}, not {expected:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n  "));
    Ok(())
}

pub(super) async fn filters_choose_rows(bench: Bench) -> Verdict {
    let people = people(&bench).await?;
    let carla = &people[2];
    let account = carla.lookup("parentcustomerid").cloned().ok_or("Carla has an account")?;
    let march: Timestamp = "2026-03-01T12:30:00Z".parse().expect("a time");
    let income = |comparison, amount: &str| is("annualincome", comparison, Value::Decimal(amount.to_owned()));
    check(
        &bench,
        vec![
            (Filter::All(vec![]), "ABCEÖ"),
            (Filter::Any(vec![]), ""),
            (Filter::All(vec![name(Ne, "anna"), name(Ne, "bert")]), "CEÖ"),
            (Filter::Any(vec![name(Eq, "anna"), name(Eq, "bert")]), "AB"),
            (not(Filter::Any(vec![name(Eq, "anna"), name(Eq, "bert")])), "CEÖ"),
            // Text compares without case, also outside ASCII.
            (name(Eq, "ANNA"), "A"),
            (name(Ne, "ANNA"), "BCEÖ"),
            (name(Eq, "öMER 100%"), "Ö"),
            (one_of(&["carla", "BERT", "nobody"]), "BC"),
            (one_of(&[]), ""),
            (name(Lt, "Bert"), "A"),
            (name(Le, "Bert"), "AB"),
            (name(Gt, "bert"), "CEÖ"),
            (name(StartsWith, "ÖM"), "Ö"),
            (name(StartsWith, "a"), "A"),
            (name(EndsWith, "A"), "AC"),
            (name(Contains, "AR"), "C"),
            (name(Contains, "er"), "BÖ"),
            (not(name(Contains, "er")), "ACE"),
            // Signs that databases read as wildcards are letters here.
            (name(Contains, "%"), "Ö"),
            (name(Contains, "_"), "E"),
            (name(StartsWith, "Ann_"), ""),
            (name(Contains, "\\"), ""),
            (name(Contains, "' or '1'='1"), ""),
            // Numbers, amounts and times compare by value.
            (is("numberofchildren", Eq, 2), "B"),
            (is("numberofchildren", Gt, 2), "CÖ"),
            (is("numberofchildren", Le, 2), "AB"),
            (Filter::In("numberofchildren".to_owned(), vec![1.into(), 10.into()]), "AÖ"),
            (income(Ge, "10.00"), "BCÖ"),
            (income(Lt, "10"), "A"),
            (income(Eq, "100.250"), "C"),
            (is("lastusedincampaign", Ge, march), "CÖ"),
            (is("lastusedincampaign", Lt, march), "AB"),
            (is("donotemail", Eq, true), "A"),
            (is("gendercode", Eq, 1), "B"),
            (is("parentcustomerid", Eq, account), "C"),
            (is("contactid", Eq, carla.at.id), "C"),
            (Filter::In("contactid".to_owned(), vec![carla.at.id.into(), people[0].at.id.into()]), "AC"),
        ],
    )
    .await
}

/// A column without a value satisfies nothing but the question whether it has none.
pub(super) async fn filters_on_null(bench: Bench) -> Verdict {
    people(&bench).await?;
    let null = |column: &str| Filter::Null(column.to_owned());
    check(
        &bench,
        vec![
            (null("numberofchildren"), "E"),
            (not(null("numberofchildren")), "ABCÖ"),
            (is("numberofchildren", Ne, 2), "ACÖ"),
            (not(is("numberofchildren", Eq, 2)), "ACÖ"),
            (is("numberofchildren", Lt, 100), "ABCÖ"),
            (is("parentcustomerid", Ne, bench.account().at), "C"),
            (null("parentcustomerid"), "ABEÖ"),
            (Filter::Any(vec![null("numberofchildren"), is("numberofchildren", Eq, 1)]), "AE"),
        ],
    )
    .await
}

pub(super) async fn order_and_top(bench: Bench) -> Verdict {
    people(&bench).await?;
    let ours = Filter::All(vec![
        Filter::eq("lastname", bench.mark.as_str()),
        not(Filter::Null("numberofchildren".to_owned())),
        is("numberofchildren", Lt, 10),
    ]);
    let by =
        |column: &str, descending| Query::of("contact").filter(ours.clone()).order_by(column, descending);
    let cases = [
        (by("numberofchildren", false), "ABC"),
        (by("numberofchildren", true), "CBA"),
        // Without case: capitals do not come first.
        (by("firstname", false), "ABC"),
        (by("annualincome", true), "CBA"),
        (by("lastname", false).order_by("firstname", true), "CBA"),
        (by("numberofchildren", true).top(2), "CB"),
        (by("numberofchildren", true).top(0), ""),
        (by("firstname", false).top(100), "ABC"),
    ];
    for (query, expected) in cases {
        let letters: String = bench.rows(query.clone()).await?.iter().filter_map(letter).collect();
        ensure!(letters == expected, "{query:?} gave {letters:?}, not {expected:?}");
    }
    Ok(())
}

pub(super) async fn columns_wanted(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna").with("jobtitle", "Buyer");
    bench.create(std::slice::from_ref(&contact)).await?;
    let ours = Query::of("contact").filter(Filter::eq("lastname", bench.mark.as_str()));
    let some = bench.rows(ours.clone().select(&["firstname"])).await?;
    let row = some.first().ok_or("the row is not there")?;
    ensure!(row.at == contact.at, "the row came back as {}", row.at);
    ensure!(row.text("firstname") == Some("Anna"), "firstname is {:?}", row.get("firstname"));
    ensure!(row.get("jobtitle").is_none(), "jobtitle came unasked");
    let all = bench.rows(ours).await?;
    ensure!(
        all[0].text("jobtitle") == Some("Buyer"),
        "of all columns, jobtitle is {:?}",
        all[0].get("jobtitle")
    );
    Ok(())
}

/// Rows that a user owns, asked for as *mine*: the owner finds them, the service user does not.
pub(super) async fn a_user_asks_in_person(bench: Bench) -> Verdict {
    let user = bench.user().await?;
    let Some(acting) = bench.crm.acting_for(user.at.id) else { return Ok(()) };
    bench.create(std::slice::from_ref(&user)).await?;
    let own = bench.contact("Anna").with("ownerid", user.at.clone());
    bench.create(&[own.clone(), bench.contact("Bert")]).await?;
    let all = Query::of("contact").select(&["firstname"]).filter(Filter::eq("lastname", bench.mark.as_str()));
    let mine = Filter::Operator("ownerid".into(), Operator::EqualUserId, Vec::new());
    let mine = Query { filter: Filter::All(vec![all.filter.clone(), mine]), ..all.clone() };
    // Nobody yet gave the user a role: that is a refusal, not an empty answer.
    ensure!(acting.query(&mine).await.is_err(), "a user without a role was answered");
    let role = Query::of("role").select(&["roleid"]).filter(Filter::eq("name", "Basic User")).top(1);
    let role = bench.rows(role).await?.pop().ok_or("the organisation has no role Basic User")?;
    let tied = bench.crm.associate("systemuserroles_association", &user.at, &[role.at]).await;
    tied.map_err(|fault| format!("giving a role: {fault}"))?;
    let found = acting.query(&mine).await.map_err(|fault| format!("as the owner: {fault}"))?;
    ensure!(ids(&found) == [own.at.id], "the owner's own rows are {found:?}");
    let page = acting.page(&all, 1, None).await.map_err(|fault| format!("a page: {fault}"))?;
    ensure!(ids(&page.records) == [own.at.id] && page.next.is_none(), "a page is {page:?}");
    // The other row is the service user's own where that is a user of the CRM.
    let of_service = ids(&bench.rows(mine).await?);
    ensure!(!of_service.contains(&own.at.id), "the owner's rows are the service user's too");
    ensure!(bench.rows(all).await?.len() == 2, "the service user sees both");
    Ok(())
}
