"""`client.tables` and `client.files`: definitions made, read, changed and removed at run time."""

import enum
import os
import tempfile

from feature import SUFFIX, equal, feature, has, raises
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import (
    CascadeConfiguration,
    Label,
    LocalizedLabel,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)
from setting import CLIENT, DOOR

TABLES = CLIENT.tables


class Colour(enum.IntEnum):
    RED = 1
    GREEN = 2


# Labels in two languages, one of them the organisation's.
Colour.__labels__ = {1033: {"RED": "Deep red", "GREEN": "Green"}}

COLUMNS = {
    "new_Text": "string",
    "new_Memo": "memo",
    "new_Number": {"type": "int", "min_value": 1, "max_value": 5},
    "new_Amount": "decimal",
    "new_Weight": "float",
    "new_Day": "datetime",
    "new_Yes": "bool",
    "new_Colour": Colour,
    "new_File": "file",
}


def made(stem, columns=None):
    return TABLES.create(f"new_Py{stem}{SUFFIX}", columns or {"new_Text": "string"})


def label(text):
    return Label([LocalizedLabel(text, 1033)])


@feature("tables.create with every kind of column, and rows in it")
def _():
    info = made("Kinds", COLUMNS)
    equal((info.logical_name, info.columns_created), (f"new_pykinds{SUFFIX}", list(COLUMNS)))
    row = {
        "new_name": "n",
        "new_text": "t",
        "new_memo": "m" * 3000,
        "new_number": 3,
        "new_amount": 12.34,
        "new_weight": 0.12345,
        "new_day": "2026-01-31",
        "new_yes": True,
        "new_colour": "Deep red",
    }
    one = CLIENT.records.create(info.logical_name, row)
    told = CLIENT.records.retrieve(info.logical_name, one, include_annotations="*")
    equal({name: told[name] for name in row}, {**row, "new_colour": 1})
    equal(told["new_colour@OData.Community.Display.V1.FormattedValue"], "Deep red")
    error = raises(HttpError, lambda: CLIENT.records.create(info.logical_name, {"new_number": 9}))
    equal(error.status_code, 400)


@feature("tables.create with a name column and a display name of one's own")
def _():
    info = TABLES.create(f"new_PyOwn{SUFFIX}", {}, primary_column="new_Title", display_name="Own things")
    equal(info.primary_name_attribute, "new_title")
    told = DOOR.row(f"EntityDefinitions(LogicalName='{info.logical_name}')?$select=DisplayName")
    equal(told["DisplayName"]["UserLocalizedLabel"]["Label"], "Own things")


@feature("tables.create of one that is there")
def _():
    info = made("Twice")
    raises(MetadataError, lambda: TABLES.create(info.schema_name, {}))


@feature("tables.create in a solution")
def _():
    publisher = DOOR.create(
        "publishers",
        {
            "friendlyname": "Py",
            "uniquename": f"py{SUFFIX}",
            "customizationprefix": f"p{SUFFIX[:5]}",
            "customizationoptionvalueprefix": 30000,
        },
    )
    name = f"pysolution{SUFFIX}"
    body = {"friendlyname": "Py", "uniquename": name, "version": "1.0.0.0"}
    DOOR.create("solutions", {**body, "publisherid@odata.bind": f"/publishers({publisher})"})
    info = TABLES.create(f"p{SUFFIX[:5]}_Thing", {}, solution=name)
    assert info.metadata_id


@feature("tables.get")
def _():
    info = TABLES.get("Contact")
    told = (info.schema_name, info.logical_name, info.entity_set_name, info.primary_id_attribute)
    equal(told, ("Contact", "contact", "contacts", "contactid"))
    equal(TABLES.get("nosuchtable"), None)


@feature("tables.list")
def _():
    names = {table["LogicalName"] for table in TABLES.list(select=["LogicalName", "EntitySetName"])}
    assert {"account", "contact", "email"} <= names, names
    found = TABLES.list(filter="SchemaName eq 'Account'")
    equal([(table["LogicalName"], table["ObjectTypeCode"]) for table in found], [("account", 1)])


@feature("tables.delete")
def _():
    info = made("Gone")
    TABLES.delete(info.schema_name)
    equal(TABLES.get(info.schema_name), None)
    raises(MetadataError, lambda: TABLES.delete(info.schema_name))


@feature("tables.add_columns and remove_columns")
def _():
    info = made("More")
    equal(TABLES.add_columns(info.schema_name, {"new_A": "int", "new_B": Colour}), ["new_A", "new_B"])
    one = CLIENT.records.create(info.logical_name, {"new_a": 7, "new_b": "Green"})
    told = CLIENT.records.retrieve(info.logical_name, one)
    equal((told["new_a"], told["new_b"]), (7, 2))
    equal(TABLES.remove_columns(info.schema_name, ["new_A", "new_B"]), ["new_A", "new_B"])
    equal(TABLES.get_column(info.schema_name, "new_A"), None)
    raises(MetadataError, lambda: TABLES.remove_columns(info.schema_name, "new_A"))


@feature("tables.list_columns")
def _():
    told = TABLES.list_columns("contact", select=["LogicalName"], filter="AttributeType eq 'String'")
    names = {column["LogicalName"] for column in told}
    has(names, "firstname")
    assert "contactid" not in names


@feature("tables.list_columns with their types' own properties")
def _():
    columns = {column["LogicalName"]: column for column in TABLES.list_columns("contact", typed=True)}
    equal((columns["firstname"]["MaxLength"], columns["numberofchildren"]["MinValue"]), (50, 0))


@feature("tables.get_column")
def _():
    equal(TABLES.get_column("contact", "FirstName", select=["SchemaName"])["SchemaName"], "FirstName")
    equal(TABLES.get_column("contact", "FirstName", typed=True)["MaxLength"], 50)
    equal(TABLES.get_column("contact", "nosuchcolumn"), None)


@feature("tables.update_column and update_columns")
def _():
    info = made("Change", {"new_Text": "string", "new_Number": "int"})
    equal(TABLES.update_column(info.schema_name, "new_Text", {"max_length": 300, "display_name": "Longer"}), "new_Text")
    TABLES.update_columns(info.schema_name, {"new_Number": {"max_value": 9}, "new_Text": {"required": "Recommended"}})
    told = TABLES.get_column(info.schema_name, "new_Text", typed=True)
    equal(told["MaxLength"], 300)
    told = TABLES.get_column(info.schema_name, "new_Text")
    equal((told["DisplayName"]["UserLocalizedLabel"]["Label"], told["RequiredLevel"]["Value"]), ("Longer", "Recommended"))
    equal(TABLES.get_column(info.schema_name, "new_Number", typed=True)["MaxValue"], 9)


@feature("tables.create_lookup_field")
def _():
    info = made("Child")
    made_one = TABLES.create_lookup_field(info.schema_name, "new_AccountId", "account", display_name="Account")
    account = DOOR.account("Py lookup field")
    bind = {"new_name": "c", "new_AccountId@odata.bind": f"/accounts({account})"}
    one = CLIENT.records.create(info.logical_name, bind)
    equal(CLIENT.records.retrieve(info.logical_name, one)["_new_accountid_value"], account)
    found = TABLES.get_relationship(made_one.relationship_schema_name)
    equal((found.referenced_entity, found.referencing_entity), ("account", info.logical_name))


@feature("tables.create_one_to_many_relationship and delete_relationship")
def _():
    info = made("Many")
    name = f"new_contact_{info.logical_name}"
    relationship = OneToManyRelationshipMetadata(
        name, "contact", info.logical_name, "contactid", CascadeConfiguration(delete="Cascade")
    )
    lookup = LookupAttributeMetadata("new_ContactId", label("Contact"), required_level="ApplicationRequired")
    made_one = TABLES.create_one_to_many_relationship(lookup, relationship)
    contact = DOOR.contact("Py cascade")
    bind = {"new_name": "c", "new_ContactId@odata.bind": f"/contacts({contact})"}
    one = CLIENT.records.create(info.logical_name, bind)
    CLIENT.records.delete("contact", contact)
    equal(CLIENT.records.retrieve(info.logical_name, one), None)
    TABLES.delete_relationship(made_one.relationship_id)
    equal(TABLES.get_relationship(name), None)


@feature("tables.create_many_to_many_relationship")
def _():
    info = made("Both")
    name = f"new_{info.logical_name}_contact"
    made_one = TABLES.create_many_to_many_relationship(
        ManyToManyRelationshipMetadata(name, info.logical_name, "contact", name)
    )
    found = TABLES.get_relationship(name)
    equal((found.relationship_id, found.relationship_type), (made_one.relationship_id, "many_to_many"))
    one, contact = CLIENT.records.create(info.logical_name, {"new_name": "n"}), DOOR.contact("Py both")
    path = f"{info.entity_set_name}({one})/{name}"
    status, _, said = DOOR.call("POST", f"{path}/$ref", {"@odata.id": f"{DOOR.base}contacts({contact})"})
    equal(status, 204)
    equal([row["contactid"] for row in DOOR.rows(f"{path}?$select=contactid")], [contact])


@feature("tables.list_relationships")
def _():
    kind = "RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'OneToManyRelationship'"
    names = {one["SchemaName"] for one in TABLES.list_relationships(filter=kind, select=["SchemaName"])}
    has(names, "contact_customer_accounts")
    assert "listcontact_association" not in names


@feature("tables.list_table_relationships")
def _():
    names = {one["SchemaName"] for one in TABLES.list_table_relationships("contact")}
    assert {"contact_customer_accounts", "listcontact_association"} <= names, names
    found = TABLES.list_table_relationships("contact", filter="SchemaName eq 'contact_customer_accounts'")
    equal([one["ReferencedEntity"] for one in found], ["account"])


@feature("tables: alternate keys made, listed, removed")
def _():
    info = made("Keyed")
    key = TABLES.create_alternate_key(info.schema_name, f"new_PyK{SUFFIX}", ["new_text"], display_name="Text")
    found = TABLES.get_alternate_keys(info.schema_name)
    equal([(one.metadata_id, one.key_attributes) for one in found], [(key.metadata_id, ["new_text"])])
    has(["Active", "Pending", "InProgress"], found[0].status)
    TABLES.delete_alternate_key(info.schema_name, key.metadata_id)
    equal(TABLES.get_alternate_keys(info.schema_name), [])


def uploaded(table, entity_set, name, content, **options):
    """Uploads to a new row's file column; answers what is kept there."""
    one = CLIENT.records.create(table, {"new_name": name})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        CLIENT.files.upload(table, one, "new_Document", path, **options)
    status, headers, _ = DOOR.call("GET", f"{entity_set}({one})/new_document/$value")
    equal(status, 200)
    return one, int(headers["Content-Length"]), headers.get("x-ms-file-name", name)


@feature("files.upload, into a column that it makes")
def _():
    info = made("Files")
    _, size, name = uploaded(info.logical_name, info.entity_set_name, "small.txt", b"x" * 1000, mime_type="text/plain")
    equal((size, name), (1000, "small.txt"))


@feature("files.upload in chunks, and over what is there")
def _():
    info = made("Chunks", {"new_Document": "file"})
    one, size, _ = uploaded(info.logical_name, info.entity_set_name, "large é.bin", os.urandom(9 << 20), mode="chunk")
    equal(size, 9 << 20)
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"second")
        file.flush()
        CLIENT.files.upload(info.logical_name, one, "new_Document", file.name, if_none_match=False)
    equal(DOOR.call("GET", f"{info.entity_set_name}({one})/new_document/$value")[2], "second")
