#!/usr/bin/env python3
"""Copies the stored mail of a postroom database, with ids, keys and times of its own for each copy.

    copies.py COPIES sqlite DATABASE.db          copies in the file, which nobody else has open
    copies.py COPIES postgres PSQL ARGUMENT...   copies through psql, called with these arguments

Standard library only. Filing 300,000 mails takes minutes; copying the rows of 1,000 that were filed takes one.
A copy has a row wherever the original has one, its indexes included. Random keys (hashes, UUIDs made of names) become
other random keys, so they spread over their index as real ones do; keys that grow with time become earlier ones."""
import hashlib
import sqlite3
import subprocess
import sys

# table: its columns that differ between a mail and its copy, and how
TABLES = {
    "body": {"hash": "random"},
    "message": {"id": "older", "key": "random", "body": "random", "header_id": "text", "activity_id": "random",
                "decision_id": "older", "received_at": "earlier", "decided_at": "earlier"},
    "message_ref": {"message": "older", "ref": "text"},
    "sighting": {"id": "older", "message": "older", "key": "random", "body": "random", "received_at": "earlier"},
    "decision": {"id": "older", "message": "older", "at": "earlier"},
    "crm_email": {"activityid": "random", "messageid": "text", "description_ref": "handle", "versionnumber": "lower"},
    "crm_activityparty": {"activitypartyid": "random", "activityid": "random", "versionnumber": "lower"},
    "crm_queueitem": {"queueitemid": "random", "objectid": "random", "versionnumber": "lower"},
}
STEP_MS = 600_000  # one copy is ten minutes older than the one before


# ------------------------------------------------------------- SQLite
def fresh(value, k):
    return value and hashlib.sha256(value + k.to_bytes(4, "big")).digest()[:len(value)]


def older(value, k):
    """A UUIDv7 whose first 48 bits, its milliseconds, are k steps earlier."""
    return value and (int.from_bytes(value[:6], "big") - k * STEP_MS).to_bytes(6, "big") + value[6:]


def handle(value, k):
    return value and "body:" + fresh(bytes.fromhex(value[5:]), k).hex()


SQLITE = {"random": "fresh(%s, k)", "older": "older(%s, k)", "handle": "handle(%s, k)", "text": "k || '.' || %s",
          "earlier": "%%s - k * %d000" % STEP_MS, "lower": "%s - k * 10000"}


def sqlite(copies, path):
    db = sqlite3.connect(path, isolation_level=None)
    for function in (fresh, older, handle):
        db.create_function(function.__name__, 2, function, deterministic=True)
    db.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-400000; PRAGMA temp_store=MEMORY;")
    db.execute("BEGIN")
    for table, changed in TABLES.items():
        columns = [row[1] for row in db.execute("PRAGMA table_info(%s)" % table)]
        check(table, columns, changed)
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type='index' AND tbl_name=? AND sql IS NOT NULL", (table,)).fetchall()
        for name, _ in indexes:
            db.execute('DROP INDEX "%s"' % name)
        db.execute("CREATE TEMP TABLE original AS SELECT * FROM %s" % table)
        db.execute("WITH RECURSIVE copy(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM copy WHERE k < %d) "
                   "INSERT INTO main.%s SELECT %s FROM copy CROSS JOIN original" % (copies, table, listed(columns, changed, SQLITE)))
        db.execute("DROP TABLE original")
        for _, sql in indexes:
            db.execute(sql)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


# --------------------------------------------------------- PostgreSQL
BYTES = "sha256(%s || int4send(k))"
HEX = "replace(%s::text, '-', '')"
POSTGRES = {
    "random": BYTES, "text": SQLITE["text"], "earlier": "%%s - k * %d000::bigint" % STEP_MS, "lower": SQLITE["lower"],
    "handle": "'body:' || encode(" + BYTES % "decode(substr(%s, 6), 'hex')" + ", 'hex')",
    "random uuid": "encode(substring(" + BYTES % "uuid_send(%s)" + " for 16), 'hex')::uuid",
    "older uuid": "(lpad(to_hex(('x' || substr(" + HEX + ", 1, 12))::bit(48)::bigint - k * %d::bigint), 12, '0') || substr(" % STEP_MS + HEX + ", 13))::uuid",
}


def postgres(copies, psql):
    def ask(sql):
        return subprocess.run(psql + ["-c", sql], check=True, stdout=subprocess.PIPE, text=True).stdout
    for table, changed in TABLES.items():
        rows = ask("select column_name, data_type from information_schema.columns where table_name = '%s' order by ordinal_position" % table)
        types = dict(line.split("|") for line in rows.split("\n") if line)
        check(table, types, changed)
        exact = {name: how + " uuid" if types[name] == "uuid" else how for name, how in changed.items()}
        ask("insert into %s select %s from %s, generate_series(1, %d) k" % (table, listed(types, exact, POSTGRES), table, copies))
    ask("vacuum analyze")
    ask("checkpoint")


def listed(columns, changed, forms):
    def form(name):
        column = '"%s"' % name
        return forms[changed[name]].replace("%s", column) if name in changed else column
    return ", ".join(form(name) for name in columns)


def check(table, columns, changed):
    missing = set(changed) - set(columns)
    if missing:
        sys.exit("copies.py: %s has no %s: the schema has changed, change the list in this file" % (table, ", ".join(sorted(missing))))


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] not in ("sqlite", "postgres"):
        sys.exit(__doc__)
    if sys.argv[2] == "sqlite":
        sqlite(int(sys.argv[1]), sys.argv[3])
    else:
        postgres(int(sys.argv[1]), sys.argv[3:])
