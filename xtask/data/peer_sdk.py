#!/usr/bin/env python3
"""Microsoft's Python SDK for Dataverse reads all contacts in pages of 5,000 and keeps nothing.
    peer_sdk.py URL COLUMN,COLUMN,…          the token is the first line of stdin
Run it with the interpreter of a virtual environment that has PowerPlatform-Dataverse-Client."""
import json
import resource
import sys
import time

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient

url, columns = sys.argv[1], sys.argv[2].split(",")
token = sys.stdin.readline().strip()


class Fixed:
    def get_token(self, *scopes, **_):
        return AccessToken(token, 4102444800)


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


client = DataverseClient(url, Fixed())
start, before, rows = time.perf_counter(), cpu(), 0
for page in client.query.builder("contact").select(*columns).page_size(5000).execute_pages():
    rows += len(list(page))
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - start, "cpu": cpu() - before,
                  "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))
