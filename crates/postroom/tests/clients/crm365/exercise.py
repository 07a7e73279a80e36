"""dynamics365crm-python: its CRUD methods for every table it knows, and its refresh of a token by MSAL."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import SUFFIX, TOKEN, URL, Door, equal, feature, has, main, raises

from dynamics365crm.client import Client

DOOR = Door()
SECRET = os.environ["POSTROOM_SECRET"]
CRM = Client(URL, client_id=os.environ["POSTROOM_CLIENT_ID"], client_secret=SECRET, access_token=TOKEN)

# Method stem, its plural, the set, the column that names a row.
TABLES = [
    ("contact", "contacts", "contacts", "lastname"),
    ("account", "accounts", "accounts", "name"),
    ("opportunity", "opportunities", "opportunities", "name"),
    ("lead", "leads", "leads", "lastname"),
    ("campaign", "campaigns", "campaigns", "name"),
]


def round_trip(one, several, entity_set, column):
    name = f"C365 {one} {SUFFIX}"
    made = getattr(CRM, f"create_{one}")(**{column: name})
    assert isinstance(made, str) and len(made) == 36, made
    found = getattr(CRM, f"get_{several}")(filter=f"{column} eq '{name}'", select=column)["value"]
    equal([row[column] for row in found], [name])
    getattr(CRM, f"update_{one}")(made, **{column: f"{name} b"})
    equal(DOOR.row(f"{entity_set}({made})")[column], f"{name} b")
    equal(getattr(CRM, f"delete_{one}")(made), True)
    assert DOOR.gone(f"{entity_set}({made})")


for table in TABLES:
    feature(f"create, get, update, delete {table[1]}")(lambda table=table: round_trip(*table))


@feature("get_data, create_data, update_data, delete_data of any set")
def _():
    name = f"C365 task {SUFFIX}"
    made = CRM.create_data("tasks", subject=name)
    equal(CRM.get_data("tasks", filter=f"subject eq '{name}'", select="subject")["value"][0]["subject"], name)
    CRM.update_data("tasks", made, subject=f"{name} b")
    equal(DOOR.row(f"tasks({made})")["subject"], f"{name} b")
    equal(CRM.delete_data("tasks", made), True)


@feature("expand, orderby, top")
def _():
    account = DOOR.account("C365 expand")
    for number in range(3):
        bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
        DOOR.contact("C365 expand", firstname=str(number), **bind)
    rows = CRM.get_contacts(
        filter=f"lastname eq 'C365 expand {SUFFIX}'",
        orderby="firstname desc",
        top="2",
        expand="parentcustomerid_account($select=name)",
    )["value"]
    told = [(row["firstname"], row["parentcustomerid_account"]["name"]) for row in rows]
    equal(told, [("2", f"C365 expand {SUFFIX}"), ("1", f"C365 expand {SUFFIX}")])


@feature("$skip is refused")
def _():
    has(str(raises(Exception, lambda: CRM.get_contacts(skip="1"))), "400")


@feature("errors")
def _():
    has(str(raises(Exception, lambda: CRM.get_data("nosuchthings"))), "404")
    wrong = Client(URL, access_token="wrong")
    has(str(raises(Exception, lambda: wrong.get_contacts())), "401")


@feature("refresh_access_token through MSAL at login.microsoftonline.com")
def _():
    said = CRM.refresh_access_token("ours.example", SECRET)
    assert said.get("access_token"), said
    has(Client(URL, access_token=said["access_token"]).get_data("WhoAmI"), "UserId")


@feature("build_authorization_url")
def _():
    url = CRM.build_authorization_url("ours.example", "https://app.example/back", "state")
    has(url, "redirect_uri=https%3A%2F%2Fapp.example%2Fback")


main()
