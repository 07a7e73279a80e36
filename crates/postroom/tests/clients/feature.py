"""Runs the features of one client, each on rows of its own: one that fails hides no other.

A script marks its functions with @feature("name") and ends with main(). Every feature prints one line, `ok NAME` or
`FAIL NAME: why`; the exit code is 1 when any failed. The first argument is a suffix that no other run has.

The environment says where the server is: POSTROOM_URL (no slash at the end), POSTROOM_TOKEN (a Bearer token of scope
crm), POSTROOM_CA (the certificate authority, PEM). Door is a second way in, with nothing but Python's own library: what
a client wrote is looked at through it, not through the client.
"""

import json
import os
import ssl
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ["POSTROOM_URL"]
TOKEN = os.environ["POSTROOM_TOKEN"]
CA = os.environ["POSTROOM_CA"]
SUFFIX = sys.argv[1]

_features = []


def feature(name):
    def keep(function):
        _features.append((name, function))
        return function

    return keep


def main():
    failed = 0
    for name, function in _features:
        started = time.monotonic()
        try:
            function()
        except Exception as error:  # whatever a client raises is that feature's failure
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
            traceback.print_exc()
        else:
            print(f"ok {name}", flush=True)
        took = time.monotonic() - started
        if took > 10:
            print(f"  {name} took {took:.0f} s", flush=True)
    print(f"{len(_features) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def equal(got, wanted):
    assert got == wanted, f"{got!r}, wanted {wanted!r}"


def has(container, item):
    assert item in container, f"{item!r} is not in {container!r}"


def raises(kind, work):
    """The error that work must end with."""
    try:
        work()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def until(what, work, seconds=20):
    """Waits for work to answer something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = work()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


class Door:
    """The Web API by hand."""

    base = f"{URL}/api/data/v9.2/"
    trust = ssl.create_default_context(cafile=CA)

    def call(self, method, path, body=None, **headers):
        """Status, headers and parsed body (text when it is no JSON)."""
        request = urllib.request.Request(self.base + urllib.parse.quote(path, safe="/?&=$(),':@%;*"), method=method)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Accept", "application/json")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, context=self.trust) as answer:
                return answer.status, answer.headers, _parsed(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.headers, _parsed(error.read())

    def create(self, entity_set, body):
        status, headers, said = self.call("POST", entity_set, body)
        assert status == 204, f"POST {entity_set}: {status} {said}"
        return headers["OData-EntityId"].rsplit("(", 1)[1].rstrip(")")

    def row(self, path):
        status, _, said = self.call("GET", path)
        assert status == 200, f"GET {path}: {status} {said}"
        return said

    def rows(self, path):
        return self.row(path)["value"]

    def gone(self, path):
        return self.call("GET", path)[0] == 404

    def account(self, name, **columns):
        return self.create("accounts", {"name": f"{name} {SUFFIX}", **columns})

    def contact(self, lastname, **columns):
        return self.create("contacts", {"lastname": f"{lastname} {SUFFIX}", **columns})

    def table(self, schema_name, *columns):
        """A custom table with a primary name `new_Name` and text columns; answers its entity set."""
        label = {"LocalizedLabels": [{"Label": schema_name, "LanguageCode": 1033}]}

        def text(name, primary=False):
            return {
                "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
                "SchemaName": name,
                "IsPrimaryName": primary,
                "MaxLength": 100,
                "FormatName": {"Value": "Text"},
                "RequiredLevel": {"Value": "None"},
                "DisplayName": label,
            }

        status, _, said = self.call(
            "POST",
            "EntityDefinitions",
            {
                "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
                "SchemaName": schema_name,
                "DisplayName": label,
                "DisplayCollectionName": label,
                "OwnershipType": "UserOwned",
                "HasActivities": False,
                "HasNotes": False,
                "IsActivity": False,
                "Attributes": [text("new_Name", True)],
            },
        )
        assert status == 204, f"{schema_name}: {status} {said}"
        logical = schema_name.lower()
        for column in columns:
            status, _, said = self.call("POST", f"EntityDefinitions(LogicalName='{logical}')/Attributes", text(column))
            assert status == 204, f"{schema_name}.{column}: {status} {said}"
        return self.row(f"EntityDefinitions(LogicalName='{logical}')?$select=EntitySetName")["EntitySetName"]

    def key(self, table, name, *columns):
        """An alternate key, usable at once or soon."""
        status, _, said = self.call(
            "POST",
            f"EntityDefinitions(LogicalName='{table}')/Keys",
            {"SchemaName": name, "KeyAttributes": list(columns)},
        )
        assert status == 204, f"{name}: {status} {said}"
        keys = f"EntityDefinitions(LogicalName='{table}')/Keys?$select=EntityKeyIndexStatus"
        until("the key is active", lambda: all(key["EntityKeyIndexStatus"] == "Active" for key in self.rows(keys)))


def _parsed(body):
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
