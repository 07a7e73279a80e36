"""`client.query`: the builder, SQL, FetchXML and the helpers."""

import datetime
import uuid
import warnings

from feature import SUFFIX, equal, feature, has, raises
from PowerPlatform.Dataverse import col, raw
from PowerPlatform.Dataverse.core.errors import HttpError, ValidationError
from PowerPlatform.Dataverse.models import ExpandOption
from setting import CLIENT, DOOR, group

QUERY = CLIENT.query


def builder(name):
    """A builder for contacts with this last name, in order of their first names."""
    made = QUERY.builder("contact").select("firstname").order_by("firstname")
    return made.where(col("lastname") == f"{name} {SUFFIX}")


def names(rows):
    return [row["firstname"] for row in rows]


def check(name, condition, wanted):
    """Five contacts with first names 0 to 4 and as many children; those that satisfy the condition."""
    for number in range(5):
        more = {"numberofchildren": number, "birthdate": f"2001-01-0{number + 1}", "donotemail": False}
        job = {} if number == 4 else {"jobtitle": f"Job {number}'s"}
        DOOR.contact(name, firstname=str(number), **more, **job)
    equal(names(builder(name).where(condition).execute()), wanted)


CONDITIONS = [
    ("eq", col("firstname") == "3", ["3"]),
    ("ne", col("firstname") != "3", ["0", "1", "2", "4"]),
    ("gt, and", (col("numberofchildren") > 1) & (col("numberofchildren") < 4), ["2", "3"]),
    ("ge, or", (col("numberofchildren") >= 4) | (col("numberofchildren") <= 0), ["0", "4"]),
    ("not", ~(col("numberofchildren") == 2), ["0", "1", "3", "4"]),
    ("in_", col("firstname").in_(["1", "3"]), ["1", "3"]),
    ("in_ of numbers", col("numberofchildren").in_([0, 2]), ["0", "2"]),
    ("not_in", col("firstname").not_in(["1", "3"]), ["0", "2", "4"]),
    ("between", col("numberofchildren").between(1, 2), ["1", "2"]),
    ("not_between", col("numberofchildren").not_between(1, 3), ["0", "4"]),
    ("contains, with an apostrophe", col("jobtitle").contains("2's"), ["2"]),
    ("startswith", col("jobtitle").startswith("job 1"), ["1"]),
    ("endswith", col("jobtitle").endswith("3's"), ["3"]),
    ("like", col("jobtitle").like("Job%"), ["0", "1", "2", "3"]),
    ("not_like", col("jobtitle").not_like("%2's") & col("jobtitle").is_not_null(), ["0", "1", "3"]),
    ("is_null", col("jobtitle").is_null(), ["4"]),
    ("is_not_null", col("jobtitle").is_not_null(), ["0", "1", "2", "3"]),
    ("a date", col("birthdate") >= datetime.date(2001, 1, 4), ["3", "4"]),
    ("a moment", col("createdon") > datetime.datetime(2020, 1, 2, 3, 4, 5, 678900), ["0", "1", "2", "3", "4"]),
    ("a GUID", col("contactid") != uuid.UUID(int=7), ["0", "1", "2", "3", "4"]),
    ("a boolean", col("donotemail") == False, ["0", "1", "2", "3", "4"]),  # noqa: E712
    ("raw", raw("(contains(firstname,'1') or firstname eq '2')"), ["1", "2"]),
]

for title, condition, wanted in CONDITIONS:
    feature(f"query.builder where {title}")(
        lambda name=f"Py {title}", condition=condition, wanted=wanted: check(name.replace("'", ""), condition, wanted)
    )


@feature("query.builder with top, count, formatted values")
def _():
    group("Py top", 3)
    rows = builder("Py top").select("statecode").top(2).count().include_formatted_values().execute()
    equal(names(rows), ["0", "1"])
    equal(rows.first()["statecode@OData.Community.Display.V1.FormattedValue"], "Active")


@feature("query.builder in pages")
def _():
    group("Py paged", 5)
    equal([names(page) for page in builder("Py paged").page_size(2).execute_pages()], [["0", "1"], ["2", "3"], ["4"]])
    equal(list(builder("Py paged").page_size(2).to_dataframe()["firstname"]), ["0", "1", "2", "3", "4"])


@feature("query.builder with an expanded collection")
def _():
    account = DOOR.account("Py nested")
    for number in range(4):
        DOOR.contact("Py nested", firstname=str(number), **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    nested = ExpandOption("contact_customer_accounts").select("firstname").filter("firstname ne '0'")
    nested = nested.order_by("firstname", descending=True).top(2)
    asked = QUERY.builder("account").select("name").where(col("accountid") == uuid.UUID(account)).expand(nested)
    equal(names(asked.execute().first()["contact_customer_accounts"]), ["3", "2"])


@feature("query.builder with an expanded lookup")
def _():
    account = DOOR.account("Py single lookup")
    group("Py single lookup", 1, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    asked = builder("Py single lookup").expand(ExpandOption("parentcustomerid_account").select("name"))
    equal(asked.execute().first()["parentcustomerid_account"]["name"], f"Py single lookup {SUFFIX}")


def fetch(name, count, extra="", attributes="<attribute name='firstname'/>"):
    return (
        f"<fetch count='{count}'><entity name='contact'>{attributes}<order attribute='firstname'/><filter>"
        f"<condition attribute='lastname' operator='eq' value='{name} {SUFFIX}'/></filter>{extra}</entity></fetch>"
    )


@feature("query.fetchxml")
def _():
    group("Py fetch", 3)
    equal(names(QUERY.fetchxml(fetch("Py fetch", 50)).execute()), ["0", "1", "2"])


@feature("query.fetchxml in pages, by cookie")
def _():
    group("Py cookie", 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # it warns when it finds no cookie
        pages = QUERY.fetchxml(fetch("Py cookie", 2)).execute_pages()
        equal([names(page) for page in pages], [["0", "1"], ["2", "3"], ["4"]])


@feature("query.fetchxml with a link")
def _():
    account = DOOR.account("Py link")
    group("Py link", 1, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    link = "<link-entity name='account' from='accountid' to='parentcustomerid' alias='acc'><attribute name='name'/></link-entity>"
    row = QUERY.fetchxml(fetch("Py link", 5, link)).execute().first()
    equal(row["acc.name"], f"Py link {SUFFIX}")


@feature("query.fetchxml with an aggregate")
def _():
    group("Py aggregate", 3, numberofchildren=2)
    asked = fetch("Py aggregate", 50).replace("<fetch count='50'>", "<fetch aggregate='true'>").replace("<order attribute='firstname'/>", "")
    asked = asked.replace(
        "<attribute name='firstname'/>",
        "<attribute name='contactid' alias='n' aggregate='count'/><attribute name='numberofchildren' alias='s' aggregate='sum'/>",
    )
    row = QUERY.fetchxml(asked).execute().first()
    equal((row["n"], row["s"]), (3, 6))


@feature("query.fetchxml: an error")
def _():
    raises(HttpError, lambda: QUERY.fetchxml("<fetch><entity name='contact'><attribute name='no'/></entity></fetch>").execute())


def sql(name, text):
    """The rows of a statement; NAME in it stands for the last name."""
    return [dict(row.data) for row in QUERY.sql(text.replace("NAME", f"'{name} {SUFFIX}'"))]


@feature("query.sql: select, where, order by, top")
def _():
    group("Py sql", 4)
    rows = sql("Py sql", "SELECT TOP 2 contactid, firstname FROM contact WHERE lastname = NAME ORDER BY firstname DESC")
    equal(names(rows), ["3", "2"])


@feature("query.sql: like, in, between, is null, or")
def _():
    group("Py sqls", 4, numberofchildren=1)
    where = "lastname = NAME AND firstname LIKE '[0-9]%' AND numberofchildren BETWEEN 0 AND 2 AND jobtitle IS NULL"
    rows = sql("Py sqls", f"SELECT firstname FROM contact WHERE {where} AND (firstname IN ('1','2') OR firstname = '3') ORDER BY firstname")
    equal(names(rows), ["1", "2", "3"])


@feature("query.sql: distinct, offset and fetch")
def _():
    group("Py offset", 4)
    rows = sql("Py offset", "SELECT DISTINCT lastname FROM contact WHERE lastname = NAME")
    equal(len(rows), 1)
    order = "ORDER BY firstname OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY"
    equal(names(sql("Py offset", f"SELECT firstname FROM contact WHERE lastname = NAME {order}")), ["1", "2"])


@feature("query.sql: aggregates and group by")
def _():
    group("Py sum", 3, numberofchildren=2)
    row = sql("Py sum", "SELECT lastname, COUNT(*) AS n, SUM(numberofchildren) AS s FROM contact WHERE lastname = NAME GROUP BY lastname")[0]
    equal((row["n"], row["s"]), (3, 6))


@feature("query.sql: joins")
def _():
    account = DOOR.account("Py join")
    group("Py join", 1, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    DOOR.contact("Py join", firstname="alone")
    text = "SELECT c.firstname, a.name AS company FROM contact c {} JOIN account a ON c.parentcustomerid = a.accountid WHERE c.lastname = NAME ORDER BY c.firstname"
    equal([row["company"] for row in sql("Py join", text.format("INNER"))], [f"Py join {SUFFIX}"])
    equal([row.get("company") for row in sql("Py join", text.format("LEFT"))], [f"Py join {SUFFIX}", None])


@feature("query.sql: what is refused")
def _():
    raises(ValidationError, lambda: QUERY.sql("DELETE FROM contact"))
    raises(HttpError, lambda: QUERY.sql("SELECT nosuchcolumn FROM contact"))


@feature("query.sql_columns and odata_select")
def _():
    columns = {column["name"]: column for column in QUERY.sql_columns("contact")}
    equal((columns["contactid"]["is_pk"], columns["fullname"]["is_name"], columns["firstname"]["type"]), (True, True, "String"))
    equal(columns["firstname"]["label"], "First Name")
    has(QUERY.odata_select("contact"), "emailaddress1")


@feature("query.odata_expands, odata_expand, odata_bind")
def _():
    told = {(one["nav_property"], one["target_entity_set"]) for one in QUERY.odata_expands("contact")}
    has(told, ("parentcustomerid_account", "accounts"))
    has(told, ("parentcustomerid_contact", "contacts"))
    equal(QUERY.odata_expand("task", "account"), "regardingobjectid_account_task")
    lead = DOOR.create("leads", {"lastname": f"Py lead {SUFFIX}", "subject": "x"})
    bind = QUERY.odata_bind("contact", "lead", lead)
    made = CLIENT.records.create("contact", {"lastname": f"Py bind {SUFFIX}", **bind})
    equal(DOOR.row(f"contacts({made})")["_originatingleadid_value"], lead)
