"""dynamics-client: rows, pages, expansions, $apply, FetchXML, links, every query function it knows, functions and the
asynchronous client. It signs in with a client secret at the token endpoint."""

import asyncio
import inspect
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import SUFFIX, URL, Door, equal, feature, has, main, raises

from dynamics import DynamicsClient, apl, exceptions, ftr
from dynamics.client.aio import DynamicsClient as Asynchronous
from dynamics.enums import TargetFieldType
from dynamics.fetchxml import FetchXMLBuilder

DOOR = Door()
API = f"{URL}/api/data/v9.2"
SIGN_IN = {
    "api_url": API,
    "token_url": f"{URL}/common/oauth2/v2.0/token",
    "client_id": os.environ["POSTROOM_CLIENT_ID"],
    "client_secret": os.environ["POSTROOM_SECRET"],
    "scope": f"{URL}/.default",
    "cache_token": False,
    "connection_timeout": 60,
}
CRM = DynamicsClient(**SIGN_IN)


def asked(table, **query):
    """The client with nothing but this query."""
    CRM.reset_query()
    CRM.pagesize = 5000
    CRM.table = table
    for name, value in query.items():
        setattr(CRM, name, value)
    return CRM


@feature("post, get, patch and delete of a row")
def _():
    made = asked("contacts", select=["contactid", "fullname"]).post({"firstname": "Ada", "lastname": f"DC {SUFFIX}"})
    equal(made.data["fullname"], f"Ada DC {SUFFIX}")
    row = made.data["contactid"]
    asked("contacts", row_id=row).patch({"jobtitle": "Painter"})
    equal(DOOR.row(f"contacts({row})")["jobtitle"], "Painter")
    equal(asked("contacts", row_id=row, select=["fullname"]).get().data[0]["fullname"], f"Ada DC {SUFFIX}")
    asked("contacts", row_id=row).delete()
    assert DOOR.gone(f"contacts({row})")
    raises(exceptions.NotFound, lambda: asked("contacts", row_id=row).get())


@feature("filters: and, or, not, groups, none found")
def _():
    for first in ("Ada", "Bob", "Cy"):
        DOOR.contact("DC filter", firstname=first)
    mine = ftr.eq("lastname", f"DC filter {SUFFIX}")
    one_of = ftr.or_(ftr.eq("firstname", "Ada"), ftr.contains("firstname", "ob"), group=True)
    found = asked("contacts", filter=[ftr.and_(mine, one_of)], select=["firstname"], orderby={"firstname": "desc"})
    equal([row["firstname"] for row in found.get().data], ["Bob", "Ada"])
    rest = asked("contacts", filter=[mine, ftr.not_(one_of)], select=["firstname"]).get()
    equal([row["firstname"] for row in rest.data], ["Cy"])
    equal(asked("contacts", filter=[mine, ftr.eq("firstname", "Dee")]).get(not_found_ok=True).data, [])


@feature("any and all over what is tied to a row")
def _():
    account = DOOR.account("DC any")
    DOOR.contact("DC any", firstname="Ada", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    named = ftr.eq("firstname", "Ada", lambda_indicator="o")
    mine = ftr.eq("name", f"DC any {SUFFIX}")
    for tied in (
        ftr.any_("contact_customer_accounts", "o", named),
        ftr.any_("contact_customer_accounts", "o"),
        ftr.all_("contact_customer_accounts", "o", named),
    ):
        equal(len(asked("accounts", filter=[mine, tied]).get().data), 1)
    bob = ftr.any_("contact_customer_accounts", "o", ftr.eq("firstname", "Bob", lambda_indicator="o"))
    equal(asked("accounts", filter=[mine, bob]).get(not_found_ok=True).data, [])


@feature("expand, annotations, count")
def _():
    account = DOOR.account("DC expand")
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    for number in range(3):
        DOOR.contact("DC expand", firstname=str(number), **bind)
    inner = {"select": ["firstname"], "orderby": {"firstname": "desc"}, "top": 2, "filter": ["firstname ne null"]}
    found = asked(
        "accounts",
        filter=[ftr.eq("name", f"DC expand {SUFFIX}")],
        select=["name", "statecode"],
        expand={"contact_customer_accounts": inner, "primarycontactid": {"select": ["fullname"]}},
        show_annotations=True,
        count=True,
    ).get()
    [row] = found.data
    equal([contact["firstname"] for contact in row["contact_customer_accounts"]], ["2", "1"])
    equal((row["primarycontactid"], found.count), (None, 1))
    equal(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active")


@feature("pages, and the pages of what is expanded")
def _():
    for number in range(5):
        DOOR.contact("DC page", firstname=str(number))
    mine = [ftr.eq("lastname", f"DC page {SUFFIX}")]
    first = asked("contacts", filter=mine, select=["firstname"], orderby={"firstname": "asc"}, pagesize=2).get()
    equal([row["firstname"] for row in first.data], ["0", "1"])
    assert first.next_link
    CRM.pagesize = 2
    every = CRM.get(pagination_rules={"pages": 5})
    equal([row["firstname"] for row in every.data], ["0", "1", "2", "3", "4"])


@feature("$apply: aggregate, groupby, filter")
def _():
    for number in (1, 2, 3):
        DOOR.contact("DC apply", numberofchildren=number)
    mine = ftr.eq("lastname", f"DC apply {SUFFIX}")
    for name, total in (("sum", 6), ("average", 2), ("min", 1), ("max", 3)):
        word = apl.aggregate(col_="numberofchildren", with_=name, as_="n")
        equal(asked("contacts", apply=f"filter({mine})/{word}").get().data[0]["n"], total)
    groups = asked("contacts", apply=apl.filter([mine], ["statuscode", "numberofchildren"])).get().data
    equal(sorted(row["numberofchildren"] for row in groups), [1, 2, 3])
    last = apl.groupby(["statuscode"], apl.aggregate(col_="createdon", with_="max", as_="last"))
    has(asked("contacts", apply=last).get().data[0], "last")


@feature("FetchXML: links, filters, order, aggregates")
def _():
    account = DOOR.account("DC fetch")
    DOOR.contact("DC fetch", firstname="Ada", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    DOOR.contact("DC fetch", firstname="Bob")
    query = FetchXMLBuilder(mapping="logical", count=10)
    people = query.add_entity(name="contact").add_attribute(name="firstname").order(attribute="firstname")
    people.filter(type_="and").add_condition(attribute="lastname", operator="eq", value=f"DC fetch {SUFFIX}")
    people.add_linked_entity(
        name="account", to="parentcustomerid", from_="accountid", alias="home", link_type="outer"
    ).add_attribute(name="name")
    rows = asked("contacts", fetch_xml=query.build()).get().data
    equal([(row["firstname"], row.get("home.name")) for row in rows], [("Ada", f"DC fetch {SUFFIX}"), ("Bob", None)])
    sums = FetchXMLBuilder(mapping="logical", aggregate=True)
    people = sums.add_entity(name="contact").add_attribute(name="contactid", alias="n", aggregate="count")
    people.filter(type_="and").add_condition(attribute="lastname", operator="eq", value=f"DC fetch {SUFFIX}")
    equal(asked("contacts", fetch_xml=sums.build()).get().data[0]["n"], 2)


@feature("a row tied to another")
def _():
    account, contact = DOOR.account("DC tie"), DOOR.contact("DC tie")
    asked("accounts", row_id=account, add_ref_to_property="contact_customer_accounts")
    CRM.post({"@odata.id": f"{API}/contacts({contact})"})
    equal(DOOR.row(f"contacts({contact})?$select=_parentcustomerid_value")["_parentcustomerid_value"], account)


# What a query function is asked with: by its parameters, and by its name where a column of another kind is meant.
VALUES = {
    "value": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "x": 3,
    "year": 2026,
    "period": 1,
    "values": ["2020-01-01", "2030-01-01"],
}
MEANT = {
    "contains": {"column": "lastname", "value": "li"},
    "endswith": {"column": "lastname", "value": "li"},
    "startswith": {"column": "lastname", "value": "li"},
    "contain_values": {"column": "statuscode", "values": [1, 2]},
    "not_contain_values": {"column": "statuscode", "values": [1, 2]},
    "equal_user_language": {"column": "customertypecode"},
    "equal_business_id": {"column": "owningbusinessunit"},
    "not_business_id": {"column": "owningbusinessunit"},
    **{
        name: {"column": "accountid", "ref": "00000000-0000-0000-0000-000000000001"}
        for name in ("above", "above_or_equal", "under", "under_or_equal", "not_under")
    },
    **{
        f"equal_user_{name}": {"column": "ownerid"}
        for name in ("id", "or_user_hierarchy", "or_user_hierarchy_and_teams", "or_user_teams", "teams")
    },
    "not_user_id": {"column": "ownerid"},
}
JOINING = ("and_", "or_", "not_", "any_", "all_")


def query_function(name, function):
    names = [name for name in inspect.signature(function).parameters if name not in ("lambda_indicator", "group")]
    given = {"column": "createdon", **VALUES, **MEANT.get(name, {})}
    table = "accounts" if given["column"] == "accountid" else "contacts"
    asked(table, select=["createdon"], top=1, filter=[function(**{key: given[key] for key in names})])
    CRM.get(not_found_ok=True)


for name, function in inspect.getmembers(ftr, callable):
    if not name.startswith("_") and name not in JOINING:
        feature(f"query function {name}")(lambda name=name, function=function: query_function(name, function))


@feature("functions: WhoAmI, InitializeFrom, which tables can be related")
def _():
    has(CRM.functions.whoami().data[0], "UserId")
    contact = DOOR.contact("DC new")
    lead = CRM.functions.initialize_from("contacts", contact, "lead", TargetFieldType.ALL).data[0]
    equal(lead["lastname"], f"DC new {SUFFIX}")
    has(CRM.functions.get_valid_many_to_many().data[0]["EntityNames"], "contact")
    has(CRM.functions.get_valid_referenced_entities("contact").data[0]["EntityNames"], "account")


@feature("errors by their kind")
def _():
    raises(exceptions.ParseError, lambda: asked("contacts", filter=["nothing eq 1"]).get())
    raises(exceptions.NotFound, lambda: asked("nosuchthings").get())
    wrong = DynamicsClient(**{**SIGN_IN, "client_secret": "wrong"})
    wrong.table = "contacts"
    raises(Exception, lambda: wrong.get())


@feature("the asynchronous client: many at once")
def _():
    async def several():
        async def one(number):
            client = Asynchronous(**SIGN_IN)
            client.table = "contacts"
            client.select = ["contactid"]
            return (await client.post({"lastname": f"DC async {SUFFIX}", "firstname": str(number)})).data["contactid"]

        return await asyncio.gather(*(one(number) for number in range(8)))

    made = asyncio.run(several())
    equal(len(set(made)), 8)
    mine = [ftr.eq("lastname", f"DC async {SUFFIX}")]
    equal(len(asked("contacts", filter=mine, select=["firstname"]).get().data), 8)


main()
