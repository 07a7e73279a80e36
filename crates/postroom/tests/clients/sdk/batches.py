"""`client.batch`: records, tables, queries and frames in one request, change sets, and going on after errors."""

import pandas
from feature import SUFFIX, equal, feature, has
from PowerPlatform.Dataverse import col
from PowerPlatform.Dataverse.models import UpsertItem
from setting import CLIENT, DOOR, first_name, firstnames, group, people

NOBODY = "00000000-0000-0000-0000-00000000dead"


def codes(result):
    return [answer.status_code for answer in result.responses]


def all_well(result):
    assert not result.has_errors, [(answer.status_code, answer.error_message) for answer in result.failed]
    return result


@feature("batch: records created, one and several")
def _():
    batch = CLIENT.batch.new()
    batch.records.create("contact", {"lastname": f"Py batch {SUFFIX}", "firstname": "Zoë — single"})
    batch.records.create("contact", people("Py batch", 2))
    result = all_well(batch.execute())
    equal((len(result.entity_ids), len(result.responses[1].data["Ids"])), (1, 2))
    equal(firstnames("Py batch"), ["0", "1", "Zoë — single"])


@feature("batch: records updated and deleted")
def _():
    ids, _ = group("Py batch change", 6)
    batch = CLIENT.batch.new()
    batch.records.update("contact", ids[0], {"firstname": "one"})
    batch.records.update("contact", ids[1:3], {"firstname": "alike"})
    batch.records.update("contact", ids[3:4], [{"firstname": "own"}])
    batch.records.delete("contact", ids[4])
    batch.records.delete("contact", [ids[5]], use_bulk_delete=False)
    all_well(batch.execute())
    equal(firstnames("Py batch change"), ["alike", "alike", "one", "own"])


@feature("batch: records retrieved and listed")
def _():
    ids, where = group("Py batch read", 3)
    batch = CLIENT.batch.new()
    batch.records.retrieve("contact", ids[0], select=["firstname"], include_annotations="*")
    batch.records.list("contact", filter=where, select=["firstname"], orderby=["firstname desc"], top=2)
    batch.records.list("contact", filter=col("lastname") == f"Py batch read {SUFFIX}", page_size=2, count=True)
    batch.records.list("contact", filter="lastname eq 'O''Neill & Söhne + Co 100%'", top=1)
    one, two, three, four = all_well(batch.execute()).responses
    equal(one.data["firstname"], "0")
    equal([row["firstname"] for row in two.data["value"]], ["2", "1"])
    equal((len(three.data["value"]), three.data["@odata.count"], "@odata.nextLink" in three.data), (2, 3, True))
    equal(four.data["value"], [])


@feature("batch: upserts")
def _():
    table, entity_set = f"new_pybkey{SUFFIX}", DOOR.table(f"new_PyBKey{SUFFIX}", "new_Code")
    DOOR.key(table, f"new_PyBCode{SUFFIX}", "new_code")
    batch = CLIENT.batch.new()
    batch.records.upsert(table, [UpsertItem({"new_code": "A"}, {"new_name": "one"})])
    batch.records.upsert(table, [UpsertItem({"new_code": code}, {"new_name": "two"}) for code in "BC"])
    all_well(batch.execute())
    equal([row["new_name"] for row in DOOR.rows(f"{entity_set}?$orderby=new_code")], ["one", "two", "two"])


@feature("batch: change sets whose parts name each other")
def _():
    batch = CLIENT.batch.new()
    with batch.changeset() as changes:
        contact = changes.records.create("contact", {"lastname": f"Py set {SUFFIX}"})
        changes.records.update("contact", contact, {"firstname": "by reference"})
        account = changes.records.create("account", {"name": f"Py set {SUFFIX}", "primarycontactid@odata.bind": contact})
        changes.records.update("account", account, {"telephone1": "1"})
    with batch.changeset() as changes:
        changes.records.create("contact", {"lastname": f"Py set two {SUFFIX}", "firstname": "second set"})
    result = all_well(batch.execute())
    equal((len(result.responses), result.responses[0].content_id), (5, "1"))
    contact, account = result.responses[0].entity_id, result.responses[2].entity_id
    equal(first_name(contact), "by reference")
    row = DOOR.row(f"accounts({account})")
    equal((row["_primarycontactid_value"], row["telephone1"]), (contact, "1"))
    equal(firstnames("Py set two"), ["second set"])


@feature("batch: a change set is all or nothing")
def _():
    batch = CLIENT.batch.new()
    with batch.changeset() as changes:
        changes.records.create("contact", {"lastname": f"Py undone {SUFFIX}", "firstname": "x"})
        changes.records.update("contact", NOBODY, {"firstname": "x"})
    result = batch.execute()
    equal([(one.status_code, one.error_code) for one in result.failed], [(404, "0x80040217")])
    equal((result.succeeded, firstnames("Py undone")), ([], []))


@feature("batch: stops at the first error, unless told to go on")
def _():
    for go_on, wanted in [(False, [204, 404]), (True, [204, 404, 204])]:
        name = f"Py stop {go_on}"
        batch = CLIENT.batch.new()
        batch.records.create("contact", {"lastname": f"{name} {SUFFIX}", "firstname": "before"})
        batch.records.update("contact", NOBODY, {"firstname": "x"})
        batch.records.create("contact", {"lastname": f"{name} {SUFFIX}", "firstname": "after"})
        result = batch.execute(continue_on_error=go_on)
        equal(codes(result), wanted)
        has(result.failed[0].error_message, NOBODY)
        equal(firstnames(name), ["after", "before"] if go_on else ["before"])


@feature("batch: tables and columns")
def _():
    name = f"new_PyBatch{SUFFIX}"
    batch = CLIENT.batch.new()
    batch.tables.create(name, {"new_Text": "string"})
    batch.tables.get(name)
    batch.tables.list(filter="SchemaName eq 'Account'", select=["LogicalName"])
    _, got, listed = all_well(batch.execute()).responses
    equal([row["LogicalName"] for row in got.data["value"]], [name.lower()])
    equal([row["LogicalName"] for row in listed.data["value"]], ["account"])
    batch = CLIENT.batch.new()
    batch.tables.add_columns(name, {"new_A": "int", "new_B": "bool"})
    batch.tables.remove_columns(name, "new_Text")
    batch.tables.create_lookup_field(name, "new_AccountId", "account")
    all_well(batch.execute())
    columns = {column["LogicalName"] for column in CLIENT.tables.list_columns(name, select=["LogicalName"])}
    assert {"new_a", "new_b", "new_accountid"} <= columns and "new_text" not in columns, columns
    relationship = f"account_{name.lower()}_new_AccountId"
    batch = CLIENT.batch.new()
    batch.tables.get_relationship(relationship)
    found = all_well(batch.execute()).responses[0].data["value"][0]
    batch = CLIENT.batch.new()
    batch.tables.delete_relationship(found["MetadataId"])
    batch.tables.delete(name)
    all_well(batch.execute())
    equal(CLIENT.tables.get(name), None)


@feature("batch: sql and frames")
def _():
    ids, _ = group("Py mixed", 2)
    batch = CLIENT.batch.new()
    batch.query.sql(f"SELECT firstname FROM contact WHERE lastname = 'Py mixed {SUFFIX}' ORDER BY firstname")
    batch.dataframe.create("contact", pandas.DataFrame(people("Py mixed new", 2)))
    batch.dataframe.update("contact", pandas.DataFrame({"contactid": ids, "firstname": ["a", "b"]}), id_column="contactid")
    batch.dataframe.delete("contact", pandas.Series([ids[0]]), use_bulk_delete=False)
    told = all_well(batch.execute()).responses[0]
    equal([row["firstname"] for row in told.data["value"]], ["0", "1"])
    equal((firstnames("Py mixed"), firstnames("Py mixed new")), (["b"], ["0", "1"]))


@feature("batch: three hundred in one request")
def _():
    batch = CLIENT.batch.new()
    for number in range(300):
        batch.records.create("task", {"subject": f"Py many {SUFFIX}", "description": str(number)})
    equal(len(set(all_well(batch.execute()).entity_ids)), 300)
