"""`client.dataframe`: pandas in and out."""

import pandas
from feature import SUFFIX, equal, feature
from setting import CLIENT, DOOR, firstnames, group, people

FRAMES = CLIENT.dataframe


@feature("dataframe.create, update, delete")
def _():
    ids = FRAMES.create("contact", pandas.DataFrame(people("Py frame")))
    equal(firstnames("Py frame"), ["0", "1", "2"])
    FRAMES.update("contact", pandas.DataFrame({"contactid": ids, "firstname": ["a", "b", "c"]}), id_column="contactid")
    equal(firstnames("Py frame"), ["a", "b", "c"])
    equal(FRAMES.delete("contact", ids, use_bulk_delete=False), None)
    equal(firstnames("Py frame"), [])


@feature("dataframe.update that clears")
def _():
    ids, _ = group("Py clear", 2, jobtitle="x")
    frame = pandas.DataFrame({"contactid": ids, "jobtitle": ["y", None]})
    FRAMES.update("contact", frame, id_column="contactid", clear_nulls=True)
    equal([DOOR.row(f"contacts({one})?$select=jobtitle")["jobtitle"] for one in ids], ["y", None])


@feature("dataframe.get and sql")
def _():
    _, where = group("Py read", 3)
    frame = FRAMES.get("contact", select=["firstname"], filter=where, orderby=["firstname"], page_size=2)
    equal(list(frame["firstname"]), ["0", "1", "2"])
    text = f"SELECT firstname FROM contact WHERE lastname = 'Py read {SUFFIX}' ORDER BY firstname"
    equal(list(FRAMES.sql(text)["firstname"]), ["0", "1", "2"])
