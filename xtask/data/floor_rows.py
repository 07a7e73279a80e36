#!/usr/bin/env python3
"""The floor under a local copy of a table: SQLite alone copies the rows of one table into another file.
    floor_rows.py FROM.db TABLE TO.db
5,000 rows a commit, WAL, synchronous=FULL; the id is the primary key. Standard library only."""
import json
import resource
import sqlite3
import sys
import time

source, table, target = sys.argv[1:4]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


start, before = time.perf_counter(), cpu()
old = sqlite3.connect(source)
new = sqlite3.connect(target, isolation_level=None)
new.executescript("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
new.execute(old.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0])
rows = old.execute(f'SELECT * FROM "{table}"')
places = ",".join("?" * len(rows.description))
count = 0
while page := rows.fetchmany(5000):
    new.execute("BEGIN IMMEDIATE")
    new.executemany(f'INSERT INTO "{table}" VALUES({places})', page)
    new.execute("COMMIT")
    count += len(page)
wall = time.perf_counter() - start
print(json.dumps({"rows": count, "seconds": wall, "cpu": cpu() - before, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))
