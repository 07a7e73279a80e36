"""Schemathesis against the marketing service's stand-in.

contract.py FOLDER BASE USER PASSWORD

FOLDER holds `openapi.json` and `overlay.json`. The overlay (OpenAPI Overlay 1.0; of JSONPath only names in dots and brackets)
is laid over the file, and every operation gets the error answers that the vendor's narrative pages describe and the file leaves
out. Only the operations that stand in the environment variable PLAYED (METHOD /path with {} for captures, one a line) are asked. PHASES
(`fuzzing`) and EXAMPLES (4 for each operation) make the run longer. The exit status is that of Schemathesis.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

METHODS = ("get", "post", "put", "patch", "delete")

V2_ERROR = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
V3_ERROR = {
    "type": "object",
    "required": ["errorCode", "description"],
    "properties": {
        "errorCode": {"type": "string"},
        "description": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}


def lay(document, overlay):
    for action in overlay["actions"]:
        target = document
        for dotted, quoted in re.findall(r"\.(\w+)|\['([^']+)'\]", action["target"]):
            target = target[dotted or quoted]
        if action.get("remove"):
            raise SystemExit("this overlay only updates")
        merge(target, action["update"])


def merge(target, update):
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict) and not value.pop("x-replace", False):
            merge(target[key], value)
        else:
            target[key] = value


def close(document):
    """Parts of `allOf` that each forbid what the others have become one object, as the vendor means it."""
    schemas = document["components"]["schemas"]

    def flat(schema):
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
        parts = [flat(part) for part in schema.get("allOf", [])] + [schema]
        whole = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            whole["properties"].update(part.get("properties", {}))
            whole["required"] += part.get("required", [])
            if part.get("additionalProperties") is False:
                whole["additionalProperties"] = False
        return whole

    for name, schema in schemas.items():
        if "allOf" in schema:
            whole = flat(schema)
            if whole.get("additionalProperties") is False:
                schemas[name] = {key: value for key, value in whole.items() if value != []}


def add_errors(document):
    for path, item in document["paths"].items():
        v3 = "/v3" in path
        for method in METHODS:
            if method not in item:
                continue
            responses = item[method]["responses"]
            for status in ("400", "403", "404", "409", "412", "429", "503"):
                error = {"application/json": {"schema": V3_ERROR if v3 else V2_ERROR}}
                responses.setdefault(status, {"description": "", "content": error})
            # Without a body in v3, and with any in v2.
            responses.setdefault("401", {"description": ""})


def keep(document, played):
    for path in list(document["paths"]):
        plain = re.sub(r"{[^}]*}", "{}", path)
        item = document["paths"][path]
        for method in METHODS:
            if method in item and f"{method.upper()} {plain}" not in played:
                del item[method]
        if not any(method in item for method in METHODS):
            del document["paths"][path]


def main():
    folder, base, user, password = sys.argv[1:]
    with open(os.path.join(folder, "openapi.json"), encoding="utf-8") as file:
        document = json.load(file)
    with open(os.path.join(folder, "overlay.json"), encoding="utf-8") as file:
        lay(document, json.load(file))
    close(document)
    keep(document, set(os.environ["PLAYED"].split("\n")))
    add_errors(document)
    with tempfile.TemporaryDirectory() as scratch:
        merged = os.path.join(scratch, "merged.json")
        with open(merged, "w", encoding="utf-8") as file:
            json.dump(document, file)
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        command = [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", merged, "--url", base,
            "--auth", f"{user}:{password}", "--checks", checks, "--phases", os.environ.get("PHASES", "fuzzing"),
            "--max-examples", os.environ.get("EXAMPLES", "4"), "--seed", "1", "--no-color", "--no-shrink",
            "--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all",
            "--continue-on-failure",
        ]
        sys.exit(subprocess.run(command, cwd=scratch).returncode)


main()
