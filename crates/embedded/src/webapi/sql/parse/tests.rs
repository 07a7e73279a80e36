//! What is read, what is refused, and that nothing panics.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn refused(text: &str, says: &str) {
    let error = parse(text).expect_err(text).to_string();
    assert!(error.contains(says), "{text}: {error}");
}

#[test]
fn what_is_not_taken_is_refused_by_name() {
    refused("SELECT * FROM contact", "name the columns");
    refused("SELECT c.* FROM contact c", "name the columns");
    refused("SELECT a FROM contact UNION SELECT b FROM lead", "UNION");
    refused("SELECT a FROM contact GROUP BY a HAVING a > 1", "HAVING");
    refused("WITH x AS (SELECT 1) SELECT a FROM x", "WITH");
    refused("SELECT a FROM (SELECT a FROM b) c", "subqueries");
    refused("SELECT a FROM b WHERE a IN (SELECT c FROM d)", "subqueries");
    refused("SELECT a FROM b WHERE (SELECT 1) = a", "subqueries");
    refused("SELECT a FROM b RIGHT JOIN c ON a = d", "RIGHT");
    refused("SELECT a FROM b; DROP TABLE b", "DROP");
    refused("DELETE FROM contact", "DELETE");
    refused("SELECT a FROM b WHERE a = NULL", "IS NULL");
    refused("SELECT a FROM b WHERE a = 'x", "closing '");
    refused("SELECT a FROM b -- x", "comments");
    refused("SELECT a FROM b JOIN c ON b.a = c.a AND c.d = 1", "WHERE");
    refused("SELECT", "a name");
    refused("", "SELECT");
    let deep = format!("SELECT a FROM b WHERE {}a = 1{}", "(".repeat(60), ")".repeat(60));
    refused(&deep, "nested");
    refused(&format!("SELECT a FROM b WHERE {} a = 1", "NOT ".repeat(60)), "nested");
    refused(&"x".repeat(40_000), "longer");
}

#[test]
fn one_of_everything() {
    let select = parse(
        "select distinct top (5) c.fullname as Name, [lastname] from dbo.contact as c left outer join account a on \
         c.parentcustomerid = a.accountid where (c.lastname like 'O''B%' or not c.x in (1, -2.5, N'z')) and a.name is \
         not null and y between 1 and 2 order by c.fullname desc, lastname offset 10 rows fetch next 5 rows only;",
    )
    .unwrap();
    assert_eq!((select.top, select.distinct, select.offset, select.fetch), (Some(5), true, 10, Some(5)));
    assert_eq!((select.from.name.as_str(), select.from.alias.as_str()), ("contact", "c"));
    assert_eq!(select.items[0].alias.as_deref(), Some("name"));
    assert!(select.joins[0].outer);
    let Some(Condition::All(parts)) = &select.filter else { panic!("{:?}", select.filter) };
    assert_eq!(parts.len(), 3);
    assert_eq!(select.orders.iter().map(|(_, down)| *down).collect::<Vec<_>>(), [true, false]);
    let sums =
        parse("SELECT COUNT(*) n, SUM(revenue), COUNT(DISTINCT lastname) AS d, x FROM account GROUP BY x")
            .unwrap();
    assert_eq!((sums.items.len(), sums.groups.len()), (4, 1));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_mixture_of_its_words_is_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "SELECT", "TOP", "DISTINCT", "FROM", "a", "b.c", "'x'", "7", "-", "=", "<>", "(", ")", ",", "*",
                "JOIN", "LEFT", "ON", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "BETWEEN", "GROUP",
                "BY", "ORDER", "OFFSET", "ROWS", "FETCH", "NEXT", "ONLY", "COUNT(", "[", "]", "\"", "AS", ";",
            ]),
            0..40,
        )
    ) {
        let _ = parse(&words.join(" "));
    }
}
