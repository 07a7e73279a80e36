"""dataverse-api: rows in each of its modes, tables, columns, relationships, publishers and batches."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import CA, SUFFIX, TOKEN, URL, Door, equal, feature, has, main, raises

import requests
from dataverse_api.dataverse import DataverseClient
from dataverse_api.errors import DataverseAPIError
from dataverse_api.metadata.attributes import (
    BigIntAttributeMetadata,
    BooleanAttributeMetadata,
    DateTimeAttributeMetadata,
    DecimalAttributeMetadata,
    IntegerAttributeMetadata,
    LookupAttributeMetadata,
    MemoAttributeMetadata,
    StringAttributeMetadata,
)
from dataverse_api.metadata.complex_properties import create_label
from dataverse_api.metadata.entity import define_entity
from dataverse_api.metadata.enums import OwnershipType
from dataverse_api.metadata.helpers import Publisher, Solution
from dataverse_api.metadata.relationships import define_relationship
from dataverse_api.utils.batching import BatchCommand, RequestMethod

DOOR = Door()


def session(token=TOKEN):
    made = requests.Session()
    made.headers["Authorization"] = f"Bearer {token}"
    made.verify = CA
    return made


CLIENT = DataverseClient(session(), URL)


def worked(answers, *codes):
    told = [(answer.status_code, answer.text) for answer in answers]
    assert told and all(code in codes for code, _ in told), told


def named(name):
    """The contacts with this last name, in order of their first names."""
    found = DOOR.rows(f"contacts?$filter=lastname eq '{name} {SUFFIX}'&$orderby=firstname")
    return [row["firstname"] for row in found]


def people(name, count=3):
    return [{"lastname": f"{name} {SUFFIX}", "firstname": str(number)} for number in range(count)]


def definition(schema_name):
    """A custom table with every kind of column that the client can describe."""
    label = create_label(label="Column")
    common = {"description": label, "display_name": label}
    return define_entity(
        schema_name,
        attributes=[
            StringAttributeMetadata(schema_name="new_Name", is_primary_name=True, **common),
            DecimalAttributeMetadata(schema_name="new_Amount", min_value=0, max_value=1000, precision=3, **common),
            IntegerAttributeMetadata(schema_name="new_Number", min_value=0, max_value=9, **common),
            DateTimeAttributeMetadata(schema_name="new_When", **common),
            MemoAttributeMetadata(schema_name="new_Text", **common),
            BigIntAttributeMetadata(schema_name="new_Big", **common),
            BooleanAttributeMetadata(schema_name="new_Yes", **common),
        ],
        description="Made by a client",
        display_name="Thing",
        display_collection_name="Things",
        ownership_type=OwnershipType.USER_OWNED,
    )


def made_table(stem):
    """Makes a custom table; answers its logical name."""
    schema_name = f"new_{stem}{SUFFIX}"
    worked([CLIENT.create_entity(definition(schema_name))], 204)
    return schema_name.lower()


@feature("a table's description")
def _():
    contact = CLIENT.entity("contact")
    told = (contact.entity_set_name, contact.primary_id_attr, contact.supports_create_multiple)
    equal(told, ("contacts", "contactid", True))
    assert contact.supports_update_multiple
    has(contact.relationships.single_valued, "parentcustomerid_account")
    has(CLIENT.entity("account").relationships.collection_valued, "contact_customer_accounts")


@feature("update_schema")
def _():
    contact = CLIENT.entity("contact")
    for part in ["altkeys", "properties", "messages", "relationships", "all"]:
        contact.update_schema(part)
    equal(contact.entity_set_name, "contacts")


@feature("create, one by one")
def _():
    answers = CLIENT.entity("contact").create(people("Da single"))
    worked(answers, 204)
    assert all("OData-EntityId" in answer.headers for answer in answers)
    equal(named("Da single"), ["0", "1", "2"])


@feature("create and have it returned")
def _():
    answers = CLIENT.entity("contact").create(people("Da returned", 1), return_created=True)
    worked(answers, 201)
    equal(answers[0].json()["lastname"], f"Da returned {SUFFIX}")


@feature("create in threads")
def _():
    worked(CLIENT.entity("contact").create(people("Da threads", 8), threading=True), 204)
    equal(len(named("Da threads")), 8)


@feature("create with CreateMultiple, in pieces")
def _():
    answers = CLIENT.entity("contact").create(people("Da multiple", 5), mode="multiple", batch_size=2)
    worked(answers, 200)
    equal([len(answer.json()["Ids"]) for answer in answers], [2, 2, 1])
    equal(named("Da multiple"), ["0", "1", "2", "3", "4"])


@feature("create in batches")
def _():
    answers = CLIENT.entity("contact").create(people("Da batch", 5), mode="batch", batch_size=3)
    worked(answers, 200)
    equal([answer.text.count("204 No Content") for answer in answers], [3, 2])
    equal(named("Da batch"), ["0", "1", "2", "3", "4"])


@feature("read with select, filter, order, top")
def _():
    for number in range(3):
        DOOR.contact("Da read", firstname=str(number))
    where = f"lastname eq 'Da read {SUFFIX}'"
    rows = CLIENT.entity("contact").read(select=["firstname"], filter=where, order_by="firstname desc", top=2)
    equal([row["firstname"] for row in rows], ["2", "1"])


@feature("read in pages")
def _():
    for number in range(5):
        DOOR.contact("Da pages", firstname=str(number))
    contact, where = CLIENT.entity("contact"), f"lastname eq 'Da pages {SUFFIX}'"
    answers = contact.read(
        select=["firstname"], filter=where, order_by="firstname", page_size=2, return_responses=True
    )
    equal([[row["firstname"] for row in answer.json()["value"]] for answer in answers], [["0", "1"], ["2", "3"], ["4"]])


@feature("read formatted values and expanded rows")
def _():
    account = DOOR.account("Da expand")
    DOOR.contact("Da expand", **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    row = CLIENT.entity("contact").read(
        select=["lastname", "statecode"],
        filter=f"lastname eq 'Da expand {SUFFIX}'",
        expand="parentcustomerid_account($select=name)",
        page_size=10,
        return_formatted_values=True,
    )[0]
    equal(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active")
    equal(row["parentcustomerid_account"]["name"], f"Da expand {SUFFIX}")


@feature("upsert by id, one by one and in a batch")
def _():
    contact = CLIENT.entity("contact")
    for mode, last in [("individual", "17"), ("batch", "18")]:
        there, new = DOOR.contact("Da upsert"), f"{SUFFIX:0>8}-0000-4000-8000-0000000000{last}"
        rows = [{"contactid": there, "firstname": "there"}, {"contactid": new, "firstname": "new", "lastname": "Da"}]
        worked(contact.upsert(rows, mode=mode), 200, 204)
        told = [DOOR.row(f"contacts({one})")["firstname"] for one in (there, new)]
        equal(told, ["there", "new"])


@feature("upsert by alternate key")
def _():
    table = f"new_dakey{SUFFIX}"
    entity_set = DOOR.table(f"new_DaKey{SUFFIX}", "new_Code")
    DOOR.key(table, f"new_DaCode{SUFFIX}", "new_code")
    thing = CLIENT.entity(table)
    has(thing.alternate_keys, f"new_DaCode{SUFFIX}")
    for mode, name in [("individual", "first"), ("batch", "second")]:
        rows = [{"new_code": code, "new_name": f"{name} {code}"} for code in ("A 1", "B&2")]
        worked(thing.upsert(rows, mode=mode, altkey_name=f"new_DaCode{SUFFIX}"), 200, 204)
        told = [row["new_name"] for row in DOOR.rows(f"{entity_set}?$orderby=new_code")]
        equal(told, [f"{name} A 1", f"{name} B&2"])


@feature("delete by ids and by filter, one by one and in a batch")
def _():
    contact = CLIENT.entity("contact")
    for mode in ("individual", "batch"):
        name = f"Da delete {mode}"
        ids = [DOOR.contact(name, firstname=str(number)) for number in range(4)]
        worked(contact.delete(mode=mode, ids=ids[:2]), 200, 204)
        equal(named(name), ["2", "3"])
        worked(contact.delete(mode=mode, filter=f"lastname eq '{name} {SUFFIX}'"), 200, 204)
        equal(named(name), [])


@feature("clear columns, one by one and in a batch")
def _():
    contact = CLIENT.entity("contact")
    for mode in ("individual", "batch"):
        made = DOOR.contact("Da clear", firstname="x", jobtitle="y")
        worked(contact.delete_columns(columns=["firstname", "jobtitle"], ids=[made], mode=mode), 200, 204)
        row = DOOR.row(f"contacts({made})?$select=firstname,jobtitle")
        equal((row["firstname"], row["jobtitle"]), (None, None))


@feature("a batch of one's own commands")
def _():
    there, gone = DOOR.contact("Da own", firstname="x"), DOOR.contact("Da own gone")
    commands = [
        BatchCommand(f"contacts({there})?$select=lastname", RequestMethod.GET),
        BatchCommand(f"contacts({there})", RequestMethod.PATCH, data={"firstname": "patched"}),
        BatchCommand(f"contacts({there})", RequestMethod.PUT, data={"jobtitle": "put"}),
        BatchCommand("contacts", RequestMethod.POST, data={"lastname": f"Da own new {SUFFIX}", "firstname": "n"}),
        BatchCommand(f"contacts({gone})", RequestMethod.DELETE),
    ]
    answers = CLIENT.submit_batch(commands)
    worked(answers, 200)
    has(answers[0].text, f"Da own {SUFFIX}")
    row = DOOR.row(f"contacts({there})")
    equal((row["firstname"], row["jobtitle"], named("Da own new")), ("patched", "put", ["n"]))
    assert DOOR.gone(f"contacts({gone})")


@feature("an error's text")
def _():
    error = raises(DataverseAPIError, lambda: CLIENT.entity("contact").read(select=["nosuchcolumn"]))
    has(str(error), "nosuchcolumn")
    raises(DataverseAPIError, lambda: CLIENT.entity("nosuchtable"))
    raises(DataverseAPIError, lambda: DataverseClient(session("wrong"), URL).get_language_codes())


@feature("get_language_codes")
def _():
    has(CLIENT.get_language_codes(), 1033)


@feature("create_entity with every kind of column, and delete_entity")
def _():
    table = made_table("DaTable")
    thing = CLIENT.entity(table)
    worked(thing.create([{"new_name": "a", "new_amount": 1.5, "new_number": 3, "new_text": "t", "new_yes": True}]), 204)
    row = thing.read()[0]
    told = {name: row[f"new_{name}"] for name in ("name", "amount", "number", "text", "yes", "big", "when")}
    equal(told, {"name": "a", "amount": 1.5, "number": 3, "text": "t", "yes": True, "big": None, "when": None})
    worked([CLIENT.delete_entity(table)], 204)
    assert DOOR.gone(f"EntityDefinitions(LogicalName='{table}')")


@feature("create_entity and have it returned")
def _():
    answer = CLIENT.create_entity(definition(f"new_DaBack{SUFFIX}"), return_representation=True)
    worked([answer], 201)
    equal(answer.json()["LogicalName"], f"new_daback{SUFFIX}")


@feature("get_entity_definition and update_entity")
def _():
    table = made_table("DaChange")
    told = CLIENT.get_entity_definition(table)
    told.display_name = create_label(label="Renamed")
    worked([CLIENT.update_entity(told, preserve_localized_labels=True)], 200, 204)
    told = CLIENT.get_entity_definition(table)
    equal(told.display_name.localized_labels[0].label, "Renamed")


@feature("get_entity_definition of a standard table")
def _():
    equal(CLIENT.get_entity_definition("contact").schema_name, "Contact")


@feature("add_attribute and remove_attribute")
def _():
    table = made_table("DaColumns")
    thing, label = CLIENT.entity(table), create_label(label="More")
    for name in ("new_More", "new_Most"):
        worked([thing.add_attribute(StringAttributeMetadata(schema_name=name, display_name=label))], 204)
    columns = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='new_%s')?$select=MetadataId"
    worked([thing.remove_attribute(logical_name="new_more")], 204)
    worked([thing.remove_attribute(attribute_id=DOOR.row(columns % "most")["MetadataId"])], 204)
    assert DOOR.gone(columns % "more") and DOOR.gone(columns % "most")


@feature("add_attribute and have it returned")
def _():
    thing = CLIENT.entity(made_table("DaColumn"))
    made = thing.add_attribute(StringAttributeMetadata(schema_name="new_More"), return_representation=True)
    worked([made], 201)
    equal(made.json()["LogicalName"], "new_more")


@feature("create, read and update a relationship")
def _():
    table, name = made_table("DaChild"), f"new_account_dachild{SUFFIX}"
    label = create_label(label="Account")
    lookup = LookupAttributeMetadata(schema_name="new_AccountId", description=label, display_name=label)
    made = define_relationship(
        name, referencing_entity=table, referenced_entity="account", referenced_attribute="accountid", lookup=lookup
    )
    worked([CLIENT.create_relationship(made)], 204)
    account, thing = DOOR.account("Da related"), CLIENT.entity(table)
    worked(thing.create([{"new_name": "c", "new_AccountId@odata.bind": f"accounts({account})"}]), 204)
    equal(thing.read()[0]["_new_accountid_value"], account)
    told = CLIENT.get_relationship_definition(name)
    equal(told.schema_name, name)
    worked([CLIENT.update_relationship(told)], 200, 204)


@feature("create_publisher and create_solution's refusal")
def _():
    publisher = Publisher("Da", f"da{SUFFIX}", "Of a client", f"da{SUFFIX[:4]}", 20000)
    answer = CLIENT.create_publisher(publisher)
    worked([answer], 204)
    made = answer.headers["OData-EntityId"][-37:-1]
    equal(DOOR.row(f"publishers({made})")["friendlyname"], "Da")
    # The client binds `publisher`; Dynamics calls it `publisherid` and refuses any other name.
    solution = Solution("Da", f"da{SUFFIX}", "Of a client", made)
    error = raises(DataverseAPIError, lambda: CLIENT.create_solution(solution))
    has(str(error), "publisher")


@feature("what this client cannot do with Dynamics either")
def _():
    thing = CLIENT.entity(made_table("DaRefused"))
    # It fails before it sends anything: it takes the names of the key's columns for tables of values.
    raises(AttributeError, lambda: thing.add_alternate_key("new_Key", "Key", ["new_name"]))
    # It deletes a column of the key's name; and a relationship by a key that Dynamics does not have.
    raises(DataverseAPIError, lambda: thing.remove_alternate_key(logical_name="new_key"))
    raises(DataverseAPIError, lambda: CLIENT.delete_relationship("new_no_such"))


main()
