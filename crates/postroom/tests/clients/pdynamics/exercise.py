"""pdynamics: every method of its client, and both of its ways to a token."""

import contextlib
import io
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import SUFFIX, TOKEN, URL, Door, equal, feature, has, main

from pdynamics import crm

DOOR = Door()
SECRET = os.environ["POSTROOM_SECRET"]
FORMATTED = "statecode@OData.Community.Display.V1.FormattedValue"


def client(**options):
    """A client with a token of the password grant."""
    made = crm.client(
        URL,
        "service@ours.example",
        SECRET,
        client_id=os.environ["POSTROOM_CLIENT_ID"],
        token_endpoint=f"{URL}/common/oauth2/token",
        **options,
    )
    assert made.access_token, "no access token"
    return made


def id_of(url):
    return url[url.index("(") + 1 : -1]


@feature("password grant at a v1 token endpoint")
def _():
    has(client().get_data("WhoAmI"), "UserId")


@feature("password grant with a client secret and a scope")
def _():
    made = crm.client(
        URL + "/",
        "service@ours.example",
        SECRET,
        client_id=os.environ["POSTROOM_CLIENT_ID"],
        client_secret=SECRET,
        token_endpoint=f"{URL}/organizations/oauth2/v2.0/token",
    )
    has(made.get_data("WhoAmI"), "OrganizationId")


@feature("a wrong password gives no token")
def _():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        made = crm.client(URL, "nobody", "wrong", client_id="x", token_endpoint=f"{URL}/common/oauth2/token")
    equal((made.access_token, said.getvalue()), ("", "Failed to get access token\n"))
    has(made.get_data("WhoAmI"), "error")


@feature("test_connection")
def _():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        client().test_connection()
    has(said.getvalue(), "is successful")


@feature("create_data")
def _():
    made = client().create_data("contacts", json={"lastname": f"Pd create {SUFFIX}", "firstname": "Änne"})
    assert made.startswith(f"{URL}/api/data/v9.0/contacts(") and made.endswith(")"), made
    equal(DOOR.row(f"contacts({id_of(made)})?$select=firstname")["firstname"], "Änne")


@feature("get_data of one row, with formatted values")
def _():
    made = DOOR.contact("Pd one")
    row = client().get_data(f"contacts({made})?$select=lastname,statecode")
    equal((row["lastname"], row["statecode"], row[FORMATTED]), (f"Pd one {SUFFIX}", 0, "Active"))


@feature("get_data without formatted values")
def _():
    made = DOOR.contact("Pd plain")
    row = client(formatted_value=False).get_data(f"contacts({made})?$select=lastname,statecode")
    assert FORMATTED not in row, row


@feature("get_data with a query")
def _():
    for number in range(3):
        DOOR.contact("Pd query", firstname=str(number))
    query = f"contacts?$select=firstname&$filter=lastname eq 'Pd query {SUFFIX}'&$orderby=firstname desc&$top=2"
    equal([row["firstname"] for row in client().get_data(query)["value"]], ["2", "1"])


@feature("return_raw")
def _():
    assert isinstance(client(return_raw=True).get_data("WhoAmI"), bytes)


@feature("update_data by id and by URL")
def _():
    made, one = DOOR.contact("Pd update"), client()
    one.update_data("contacts", made, json={"firstname": "first"})
    equal(DOOR.row(f"contacts({made})")["firstname"], "first")
    one.update_data("contacts", f"{URL}/api/data/v9.0/contacts({made})", json={"firstname": "second"})
    equal(DOOR.row(f"contacts({made})")["firstname"], "second")


@feature("put_data of one column")
def _():
    made = DOOR.contact("Pd put")
    equal(client().put_data(f"contacts({made})/jobtitle", json={"value": "Chief"}) is not None, True)
    equal(DOOR.row(f"contacts({made})")["jobtitle"], "Chief")


@feature("delete_data")
def _():
    made = DOOR.contact("Pd delete")
    client().delete_data("contacts", made)
    assert DOOR.gone(f"contacts({made})")


@feature("add_lookup_field")
def _():
    account, body = DOOR.account("Pd parent"), {"lastname": f"Pd child {SUFFIX}"}
    crm.add_lookup_field(body, "parentcustomerid_account", "accounts", account)
    made = id_of(client().create_data("contacts", json=body))
    equal(DOOR.row(f"contacts({made})")["_parentcustomerid_value"], account)


@feature("errors come as JSON")
def _():
    said = client().get_data("contacts(00000000-0000-0000-0000-00000000dead)")
    equal(said["error"]["code"], "0x80040217")
    has(client().get_data("nosuchthings"), "error")


@feature("a token of one's own")
def _():
    made = crm.client(URL, client_id="x", token_endpoint=f"{URL}/common/oauth2/token")
    made.access_token = TOKEN
    has(made.get_data("WhoAmI"), "UserId")


main()
