"""The same client, asynchronous: one feature of each namespace."""

import asyncio
import os
import tempfile

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from feature import SUFFIX, TOKEN, URL, equal, feature
from PowerPlatform.Dataverse.aio.async_client import AsyncDataverseClient
from setting import DOOR, firstnames, group, people


class Fixed(AsyncTokenCredential):
    """A credential that has its token already."""

    async def get_token(self, *_, **__):
        return AccessToken(TOKEN, 4102444800)

    async def close(self):
        pass

    async def __aexit__(self, *_):
        pass


def with_client(name):
    """A feature whose function is given an open client."""

    def keep(function):
        async def run():
            async with AsyncDataverseClient(URL, Fixed()) as client:
                await function(client)

        feature(f"aio: {name}")(lambda: asyncio.run(run()))
        return function

    return keep


@with_client("records")
async def _(client):
    one = await client.records.create("contact", {"lastname": f"Py aio {SUFFIX}", "firstname": "x"})
    many = await client.records.create("contact", people("Py aio", 2))
    await client.records.update("contact", one, {"firstname": "y"})
    await client.records.delete("contact", many[0])
    row = await client.records.retrieve("contact", one, select=["firstname"])
    equal((row["firstname"], firstnames("Py aio")), ("y", ["1", "y"]))


@with_client("many at once")
async def _(client):
    rows = [{"lastname": f"Py gather {SUFFIX}", "firstname": str(number)} for number in range(9)]
    await asyncio.gather(*(client.records.create("contact", row) for row in rows))
    equal(firstnames("Py gather"), [str(number) for number in range(9)])


@with_client("lists and pages")
async def _(client):
    _, where = group("Py aio list", 3)
    rows = await client.records.list("contact", filter=where, select=["firstname"], orderby=["firstname"], page_size=2)
    equal([row["firstname"] for row in rows], ["0", "1", "2"])
    pages = client.records.list_pages("contact", filter=where, orderby=["firstname"], page_size=2)
    equal([len(page) async for page in pages], [2, 1])


@with_client("fetchxml and sql")
async def _(client):
    group("Py aio fetch", 3)
    condition = f"<condition attribute='lastname' operator='eq' value='Py aio fetch {SUFFIX}'/>"
    fetch = f"<fetch count='2'><entity name='contact'><attribute name='firstname'/><filter>{condition}</filter></entity></fetch>"
    equal(len(await client.query.fetchxml(fetch).execute()), 3)
    text = f"SELECT firstname FROM contact WHERE lastname = 'Py aio fetch {SUFFIX}'"
    equal(len(await client.query.sql(text)), 3)


@with_client("tables and files")
async def _(client):
    info = await client.tables.create(f"new_PyAio{SUFFIX}", {"new_Document": "file", "new_Text": "string"})
    one = await client.records.create(info.logical_name, {"new_name": "n"})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.txt")
        with open(path, "w") as file:
            file.write("content")
        await client.files.upload(info.logical_name, one, "new_Document", path)
    equal(DOOR.call("GET", f"{info.entity_set_name}({one})/new_document/$value")[2], "content")
    await client.tables.delete(info.schema_name)
    equal(await client.tables.get(info.schema_name), None)


@with_client("batch")
async def _(client):
    batch = client.batch.new()
    batch.records.create("contact", {"lastname": f"Py aio batch {SUFFIX}", "firstname": "b"})
    async with batch.changeset() as changes:
        changes.records.create("contact", {"lastname": f"Py aio batch {SUFFIX}", "firstname": "c"})
    result = await batch.execute()
    equal((result.has_errors, firstnames("Py aio batch")), (False, ["b", "c"]))
