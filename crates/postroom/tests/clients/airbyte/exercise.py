"""airbyte-source-microsoft-dataverse: its four commands, with the first, the next and the last read of changes.

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
PROGRAM = str(Path(sys.executable).parent / "source-microsoft-dataverse")
CONFIG = {
    "url": URL,
    "tenant_id": "8c7c0ad5-9b6f-4d3b-9d3e-0d6d4a3c9d11",
    "client_id": os.environ["POSTROOM_CLIENT_ID"],
    "client_secret_value": os.environ["POSTROOM_SECRET"],
    "odata_maxpagesize": 2,
}


def run(command, config=CONFIG, **files):
    """Runs a command with its files; answers its messages."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [PROGRAM, command]
        for name, content in {"config": config, **files}.items():
            path = Path(folder) / f"{name}.json"
            path.write_text(json.dumps(content))
            if content is not None:
                arguments += [f"--{name}", str(path)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failures = [one for one in messages if one["type"] == "TRACE" and one["trace"]["type"] == "ERROR"]
    assert done.returncode == 0 and not failures, (done.stdout + done.stderr)[-3000:]
    return messages


def of(messages, kind):
    """The contents of the messages of this kind: a RECORD's stand in `record`, a CONNECTION_STATUS's in `connectionStatus`."""
    first, *others = kind.lower().split("_")
    member = first + "".join(word.title() for word in others)
    return [one[member] for one in messages if one["type"] == kind]


def discovered():
    return {one["name"]: one for one in of(run("discover"), "CATALOG")[0]["streams"]}


def configured(stream, mode):
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": mode,
                "destination_sync_mode": "append",
                "cursor_field": stream.get("default_cursor_field"),
                "primary_key": stream["source_defined_primary_key"],
            }
        ]
    }


def records(messages):
    return [one["data"] for one in of(messages, "RECORD")]


@feature("spec")
def _():
    has(of(run("spec", None), "SPEC")[0]["connectionSpecification"]["properties"], "tenant_id")


@feature("check")
def _():
    equal(of(run("check"), "CONNECTION_STATUS")[0]["status"], "SUCCEEDED")


@feature("check with a wrong secret")
def _():
    told = of(run("check", {**CONFIG, "client_secret_value": "wrong"}), "CONNECTION_STATUS")[0]
    equal(told["status"], "FAILED")


@feature("discover")
def _():
    streams = discovered()
    contact = streams["contact"]["json_schema"]["properties"]
    equal(contact["modifiedon"]["format"], "date-time")
    equal(contact["birthdate"]["format"], "date")
    equal((contact["firstname"]["type"][1], contact["statecode"]["type"][1]), ("string", "integer"))
    has(streams["contact"]["supported_sync_modes"], "incremental")
    equal(streams["contact"]["source_defined_primary_key"], [["contactid"]])
    assert {"account", "email", "systemuser"} <= set(streams)


@feature("read all, in pages")
def _():
    table = f"new_ab{SUFFIX}"
    entity_set = DOOR.table(f"new_Ab{SUFFIX}")
    for number in range(5):
        DOOR.create(entity_set, {"new_name": str(number)})
    stream = discovered()[table]
    rows = records(run("read", catalog=configured(stream, "full_refresh")))
    equal(sorted(row["new_name"] for row in rows), ["0", "1", "2", "3", "4"])


@feature("read changes: all, then what changed and what was deleted, then nothing")
def _():
    table = f"new_abchange{SUFFIX}"
    entity_set = DOOR.table(f"new_AbChange{SUFFIX}")
    ids = [DOOR.create(entity_set, {"new_name": str(number)}) for number in range(5)]
    catalog = configured(discovered()[table], "incremental")
    key = f"{table}id"

    def read(state):
        messages = run("read", catalog=catalog, state=state) if state else run("read", catalog=catalog)
        return records(messages), [of(messages, "STATE")[-1]]

    rows, state = read(None)
    equal(sorted(row["new_name"] for row in rows), ["0", "1", "2", "3", "4"])
    has(json.dumps(state), "deltatoken")
    DOOR.call("PATCH", f"{entity_set}({ids[0]})", {"new_name": "changed"})
    DOOR.call("DELETE", f"{entity_set}({ids[1]})")
    new = DOOR.create(entity_set, {"new_name": "new"})
    rows, state = read(state)
    told = {row[key]: row.get("new_name", "deleted" if row.get("_ab_cdc_deleted_at") else None) for row in rows}
    equal(told, {ids[0]: "changed", ids[1]: "deleted", new: "new"})
    equal(read(state)[0], [])


main()
