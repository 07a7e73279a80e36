"""`client.records`, and how errors are told."""

from feature import SUFFIX, URL, equal, feature, has, raises, until
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import UpsertItem
from setting import CLIENT, DOOR, Fixed, first_name, firstnames, group, people

RECORDS = CLIENT.records
NOBODY = "00000000-0000-0000-0000-00000000dead"


@feature("records.create")
def _():
    made = RECORDS.create("contact", {"LastName": f"Py create {SUFFIX}", "firstname": "Zoë"})
    equal(first_name(made), "Zoë")


@feature("records.create of many")
def _():
    made = RECORDS.create("contact", people("Py many"))
    equal(([first_name(one) for one in made], firstnames("Py many")), (["0", "1", "2"], ["0", "1", "2"]))


@feature("records.create with a lookup")
def _():
    account = DOOR.account("Py parent")
    made = RECORDS.create(
        "contact", {"lastname": f"Py child {SUFFIX}", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    )
    equal(DOOR.row(f"contacts({made})")["_parentcustomerid_value"], account)


@feature("records.create with a choice by its label")
def _():
    made = RECORDS.create("contact", {"lastname": f"Py label {SUFFIX}", "gendercode": "Female"})
    equal(DOOR.row(f"contacts({made})")["gendercode"], 2)


@feature("records.create of many is all or nothing")
def _():
    rows = [*people("Py nothing", 2), {"lastname": "x", "parentcustomerid_account@odata.bind": f"/accounts({NOBODY})"}]
    raises(HttpError, lambda: RECORDS.create("contact", rows))
    equal(firstnames("Py nothing"), [])


@feature("records.update")
def _():
    made = DOOR.contact("Py update", firstname="old")
    RECORDS.update("contact", made, {"firstname": "new"})
    equal(first_name(made), "new")


@feature("records.update does not create")
def _():
    error = raises(HttpError, lambda: RECORDS.update("contact", NOBODY, {"firstname": "x"}))
    equal((error.status_code, error.details["service_error_code"]), (404, "0x80040217"))


@feature("records.update of many, alike")
def _():
    ids, _ = group("Py alike")
    RECORDS.update("contact", ids, {"firstname": "same"})
    equal(firstnames("Py alike"), ["same"] * 3)


@feature("records.update of many, each its own")
def _():
    ids, _ = group("Py own")
    RECORDS.update("contact", ids, [{"firstname": letter} for letter in "abc"])
    equal([first_name(one) for one in ids], ["a", "b", "c"])


@feature("records.delete")
def _():
    made = DOOR.contact("Py delete")
    RECORDS.delete("contact", made)
    assert DOOR.gone(f"contacts({made})")
    equal(raises(HttpError, lambda: RECORDS.delete("contact", made)).status_code, 404)


@feature("records.delete of many by BulkDelete")
def _():
    ids, _ = group("Py bulk")
    job = RECORDS.delete("contact", ids)
    equal(len(job), 36)
    until("the job has ended", lambda: DOOR.row(f"asyncoperations({job})?$select=statecode")["statecode"] == 3)
    equal(firstnames("Py bulk"), [])


@feature("records.delete of many, one by one")
def _():
    ids, _ = group("Py single")
    equal(RECORDS.delete("contact", ids, use_bulk_delete=False), None)
    equal(firstnames("Py single"), [])


@feature("records.retrieve")
def _():
    made = DOOR.contact("Py retrieve", firstname="there")
    row = RECORDS.retrieve("contact", made, select=["FirstName", "statecode"], include_annotations="*")
    equal((row.id, row["firstname"]), (made, "there"))
    equal(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active")
    equal(RECORDS.retrieve("contact", NOBODY), None)


@feature("records.retrieve with expand")
def _():
    account = DOOR.account("Py expand")
    made = DOOR.contact("Py expand", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    row = RECORDS.retrieve("contact", made, select=["lastname"], expand=["parentcustomerid_account"])
    equal(row["parentcustomerid_account"]["name"], f"Py expand {SUFFIX}")


@feature("records.list")
def _():
    _, where = group("Py list", 4)
    rows = RECORDS.list("contact", filter=where, select=["firstname"], orderby=["firstname desc"], top=3, count=True)
    equal([row["firstname"] for row in rows], ["3", "2", "1"])


@feature("records.list in pages, joined")
def _():
    _, where = group("Py pages", 5)
    rows = RECORDS.list("contact", filter=where, select=["firstname"], orderby=["firstname"], page_size=2)
    equal([row["firstname"] for row in rows], ["0", "1", "2", "3", "4"])


@feature("records.list_pages")
def _():
    _, where = group("Py lists", 5)
    pages = RECORDS.list_pages("contact", filter=where, select=["firstname"], orderby=["firstname"], page_size=2)
    equal([[row["firstname"] for row in page] for page in pages], [["0", "1"], ["2", "3"], ["4"]])


@feature("records.list with expand and formatted values")
def _():
    account = DOOR.account("Py lookups")
    _, where = group("Py lookups", 2, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    rows = RECORDS.list(
        "contact", filter=where, select=["statecode"], expand=["parentcustomerid_account"], include_annotations="*"
    )
    told = {(row["parentcustomerid_account"]["name"], row["statecode@OData.Community.Display.V1.FormattedValue"]) for row in rows}
    equal((len(rows), told), (2, {(f"Py lookups {SUFFIX}", "Active")}))


@feature("records.get, the old way to both")
def _():
    ids, where = group("Py get", 3)
    equal(RECORDS.get("contact", ids[0], select=["firstname"])["firstname"], "0")
    pages = RECORDS.get("contact", filter=where, orderby=["firstname"], page_size=2)
    equal([len(page) for page in pages], [2, 1])


@feature("records.upsert of one and of many")
def _():
    table, entity_set = f"new_pykey{SUFFIX}", DOOR.table(f"new_PyKey{SUFFIX}", "new_Code")
    DOOR.key(table, f"new_PyCode{SUFFIX}", "new_code")

    def names():
        return [row["new_name"] for row in DOOR.rows(f"{entity_set}?$orderby=new_code")]

    RECORDS.upsert(table, [UpsertItem({"new_code": "it's A"}, {"new_name": "first"})])
    equal(names(), ["first"])
    RECORDS.upsert(table, [{"alternate_key": {"new_code": "it's A"}, "record": {"new_name": "second"}}])
    equal(names(), ["second"])
    several = [UpsertItem({"new_code": code}, {"new_name": f"third {code}"}) for code in ("it's A", "it's B")]
    RECORDS.upsert(table, several)
    equal(names(), ["third it's A", "third it's B"])


@feature("errors: an unknown column, a too long text, no table, no token")
def _():
    error = raises(HttpError, lambda: RECORDS.list("contact", select=["nosuchcolumn"]))
    equal(error.status_code, 400)
    has(str(error), "nosuchcolumn")
    error = raises(HttpError, lambda: RECORDS.create("contact", {"firstname": "x" * 5000}))
    equal((error.status_code, error.details["service_error_code"]), (400, "0x80044331"))
    assert error.details["service_request_id"], error.details
    raises(MetadataError, lambda: RECORDS.list("nosuchtable"))
    stranger = DataverseClient(URL, Fixed("wrong"))
    equal(raises(HttpError, lambda: stranger.records.list("contact")).status_code, 401)
    has(str(raises(ValueError, lambda: DataverseClient("http://127.0.0.1", Fixed()))), "https")


@feature("the client as a context, with one connection")
def _():
    made = DOOR.contact("Py context", firstname="there")
    with DataverseClient(URL, Fixed()) as client:
        equal(client.records.retrieve("contact", made)["firstname"], "there")
        client.flush_cache("picklist")
    raises(RuntimeError, lambda: client.records.retrieve("contact", made))
