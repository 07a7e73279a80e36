"""tap-ms-dynamics (Singer): discovery, a table whole, and a table by its changes with a bookmark.

Its token comes from login.microsoftonline.com, the host that it has built in.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import SUFFIX, URL, Door, equal, feature, has, main

DOOR = Door()
PROGRAM = str(Path(sys.executable).parent / "tap-ms-dynamics")
TOKEN = os.environ["POSTROOM_SECRET"]


class Tap:
    """A folder with the tap's configuration."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.config = self.write(
            "config.json",
            {
                "start_date": "2020-01-01T00:00:00Z",
                "organization_uri": URL,
                "user_agent": "tap <tap@ours.example>",
                "client_id": os.environ["POSTROOM_CLIENT_ID"],
                "client_secret": TOKEN,
                "redirect_uri": "https://app.example/back",
                "refresh_token": TOKEN,
                "max_pagesize": 2,
            },
        )

    def write(self, name, content):
        path = Path(self.folder.name) / name
        path.write_text(json.dumps(content))
        return str(path)

    def run(self, *arguments):
        done = subprocess.run(
            [PROGRAM, "--config", self.config, *arguments], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def catalog(self, *tables):
        """The catalogue with these tables selected, whole."""
        catalog = json.loads(self.run("--discover"))
        catalog["streams"] = [one for one in catalog["streams"] if one["tap_stream_id"] in tables]
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                entry["metadata"]["selected"] = True
        return catalog

    def sync(self, catalog, state=None):
        """The rows and the last state."""
        arguments = ["--catalog", self.write("catalog.json", catalog)]
        if state:
            arguments += ["--state", self.write("state.json", state)]
        messages = [json.loads(line) for line in self.run(*arguments).splitlines()]
        rows = [one["record"] for one in messages if one["type"] == "RECORD"]
        return rows, [one["value"] for one in messages if one["type"] == "STATE"][-1]


@feature("discover")
def _():
    tap = Tap()
    streams = {one["tap_stream_id"]: one for one in json.loads(tap.run("--discover"))["streams"]}
    contact = streams["contact"]
    equal((contact["key_properties"], contact["replication_method"], contact["replication_key"]), (["contactid"], "INCREMENTAL", "modifiedon"))
    columns = contact["schema"]["properties"]
    equal((columns["firstname"]["type"][1], columns["modifiedon"]["format"], columns["statecode"]["type"][1]), ("string", "date-time", "integer"))
    has(columns, "_parentcustomerid_value")
    assert {"account", "lead", "systemuser"} <= set(streams)


@feature("its refresh token stays as it was")
def _():
    tap = Tap()
    tap.run("--discover")
    equal(json.loads(Path(tap.config).read_text())["refresh_token"], TOKEN)


@feature("sync by changes, in pages, and on from the bookmark")
def _():
    table = f"new_tap{SUFFIX}"
    entity_set = DOOR.table(f"new_Tap{SUFFIX}")
    for number in range(5):
        DOOR.create(entity_set, {"new_name": str(number)})
    tap = Tap()
    catalog = tap.catalog(table)
    rows, state = tap.sync(catalog)
    equal(sorted(row["new_name"] for row in rows), ["0", "1", "2", "3", "4"])
    has(state["bookmarks"][table], "modifiedon")
    new = DOOR.create(entity_set, {"new_name": "new"})
    rows, _ = tap.sync(catalog, state)
    # What was changed in the bookmark's own second comes once more.
    has([row[f"{table}id"] for row in rows], new)


@feature("sync of standard tables, lookups and choices in them")
def _():
    account = DOOR.account("Tap parent")
    made = DOOR.contact("Tap", gendercode=2, donotemail=True, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    tap = Tap()
    rows, _ = tap.sync(tap.catalog("contact", "account"))
    row = next(row for row in rows if row.get("contactid") == made)
    equal((row["_parentcustomerid_value"], row["gendercode"], row["donotemail"]), (account, 2, True))
    has([row.get("accountid") for row in rows], account)


main()
