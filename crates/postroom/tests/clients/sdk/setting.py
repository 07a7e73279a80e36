"""What all parts of the exercise share: the client, and rows to work on."""

from azure.core.credentials import AccessToken
from feature import SUFFIX, TOKEN, URL, Door
from PowerPlatform.Dataverse.client import DataverseClient

DOOR = Door()


class Fixed:
    """A credential that has its token already."""

    def __init__(self, token=TOKEN):
        self.token = token

    def get_token(self, *scopes, **_):
        assert scopes == (f"{URL}/.default",), scopes
        return AccessToken(self.token, 4102444800)


CLIENT = DataverseClient(URL, Fixed())


def people(name, count=3):
    return [{"lastname": f"{name} {SUFFIX}", "firstname": str(number)} for number in range(count)]


def group(name, count=3, **columns):
    """So many contacts with this last name and first names 0, 1, …; their ids and the filter that finds them."""
    ids = [DOOR.contact(name, firstname=str(number), **columns) for number in range(count)]
    return ids, f"lastname eq '{name} {SUFFIX}'"


def firstnames(name):
    found = DOOR.rows(f"contacts?$select=firstname&$filter=lastname eq '{name} {SUFFIX}'&$orderby=firstname")
    return [row["firstname"] for row in found]


def first_name(contact):
    return DOOR.row(f"contacts({contact})?$select=firstname")["firstname"]
