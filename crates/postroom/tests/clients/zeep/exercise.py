"""zeep: the SOAP door as its own WSDL describes it. Everything sent is built from the types that the door publishes."""

import datetime
import decimal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from feature import CA, SUFFIX, TOKEN, URL, Door, equal, feature, has, main, raises

import requests
import zeep
from zeep import xsd
from zeep.exceptions import Fault, TransportError
from zeep.transports import Transport

DOOR = Door()
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
PAIRS = "http://schemas.datacontract.org/2004/07/System.Collections.Generic"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
SERIAL = "http://schemas.microsoft.com/2003/10/Serialization/"
NOBODY = "00000000-0000-0000-0000-00000000dead"
EMPTY = "00000000-0000-0000-0000-000000000000"
ADDRESS = f"{URL}/XRMServices/2011/Organization.svc"


def opened(address):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    session.verify = CA
    return zeep.Client(address, transport=Transport(session=session))


CLIENT = opened(f"{ADDRESS}?singleWsdl")
BINDING = next(iter(CLIENT.wsdl.bindings))
SERVICE = CLIENT.create_service(BINDING, f"{ADDRESS}/web")


def kind(name, namespace=CONTRACTS):
    return CLIENT.get_type(f"{{{namespace}}}{name}")


def guid(text):
    return xsd.AnyObject(kind("guid", SERIAL), text)


# bool before int, which it is too.
KINDS = [
    (bool, xsd.Boolean),
    (int, xsd.Int),
    (str, xsd.String),
    (decimal.Decimal, xsd.Decimal),
    (datetime.datetime, xsd.DateTime),
]


def value(given):
    """What Python has, as the typed value of an attribute."""
    for python, made in KINDS:
        if isinstance(given, python):
            return xsd.AnyObject(made(), given)
    if given is None:
        return None
    if isinstance(given, xsd.AnyObject):
        return given
    return xsd.AnyObject(given._xsd_type, given)


def pairs(values):
    made = kind("KeyValuePairOfstringanyType", PAIRS)
    return [made(key=key, value=value(given)) for key, given in values.items()]


def entity(table, identifier=None, **values):
    attributes = kind("AttributeCollection")(KeyValuePairOfstringanyType=pairs(values))
    return kind("Entity")(Attributes=attributes, Id=identifier or EMPTY, LogicalName=table)


def reference(table, identifier):
    return kind("EntityReference")(Id=identifier, LogicalName=table)


def option(number):
    return kind("OptionSetValue")(Value=number)


def columns(*names):
    made = kind("ArrayOfstring", ARRAYS)(string=list(names)) if names else None
    return kind("ColumnSet")(AllColumns=not names, Columns=made)


def read(one):
    """The attributes of an entity."""
    found = one.Attributes.KeyValuePairOfstringanyType if one.Attributes else []
    return {pair.key: pair.value for pair in found}


def execute(name, **parameters):
    made = kind("ParameterCollection")(KeyValuePairOfstringanyType=pairs(parameters))
    answer = SERVICE.Execute(request=kind("OrganizationRequest")(Parameters=made, RequestName=name))
    equal(answer.ResponseName, name)
    return {pair.key: pair.value for pair in (answer.Results.KeyValuePairOfstringanyType if answer.Results else [])}


def condition(column, operator, *values):
    made = kind("ArrayOfanyType", ARRAYS)(anyType=[value(one) for one in values])
    return kind("ConditionExpression")(AttributeName=column, Operator=operator, Values=made)


def where(*conditions, joined="And"):
    made = kind("ArrayOfConditionExpression")(ConditionExpression=list(conditions))
    return kind("FilterExpression")(Conditions=made, FilterOperator=joined)


def expression(table, names, criteria, **more):
    return kind("QueryExpression")(ColumnSet=columns(*names), Criteria=criteria, Distinct=False, EntityName=table, NoLock=False, **more)


def found(query):
    """The rows of a query, and the whole answer."""
    answer = SERVICE.RetrieveMultiple(query=query)
    rows = answer.Entities.Entity if answer.Entities else []
    return [read(row) for row in rows or []], answer


def group(name, count, **values):
    return [DOOR.contact(name, firstname=str(number), **values) for number in range(count)]


def of(name):
    return condition("lastname", "Equal", f"{name} {SUFFIX}")


@feature("the WSDL in its three forms")
def _():
    wanted = {"Create", "Retrieve", "Update", "Delete", "RetrieveMultiple", "Associate", "Disassociate", "Execute"}
    for form in ["?wsdl", "?singleWsdl", "/web?wsdl"]:
        client = opened(f"{ADDRESS}{form}")
        operations = set()
        for service in client.wsdl.services.values():
            for port in service.ports.values():
                operations |= set(port.binding._operations)
        equal(operations, wanted)
        equal(client.get_type(f"{{{CONTRACTS}}}Entity").name, "Entity")


@feature("the service at the address that the WSDL gives")
def _():
    made = DOOR.contact("Zp address")
    equal(CLIENT.service.Retrieve("contact", made, columns("lastname")).Id, made)


@feature("Create with every kind of value, Retrieve")
def _():
    account = DOOR.account("Zp values")
    values = {
        "lastname": f"Zp values {SUFFIX}",
        "firstname": "Zoë <&>",
        "numberofchildren": 3,
        "donotemail": True,
        "gendercode": option(2),
        "annualincome": kind("Money")(Value=decimal.Decimal("1234.5")),
        "parentcustomerid": reference("account", account),
        "jobtitle": None,
        "anniversary": datetime.datetime(2001, 2, 3, tzinfo=datetime.timezone.utc),
    }
    made = SERVICE.Create(entity=entity("contact", **values))
    one = SERVICE.Retrieve("contact", made, columns(*values))
    told = read(one)
    equal((one.Id, one.LogicalName, told["firstname"], told["numberofchildren"]), (made, "contact", "Zoë <&>", 3))
    equal((told["donotemail"], told["gendercode"].Value, told["annualincome"].Value), (True, 2, decimal.Decimal("1234.5")))
    equal((told["parentcustomerid"].Id, told["parentcustomerid"].LogicalName), (account, "account"))
    assert "jobtitle" not in told, told
    formatted = {pair.key: pair.value for pair in one.FormattedValues.KeyValuePairOfstringstring}
    equal((formatted["gendercode"], formatted["parentcustomerid"]), ("Female", f"Zp values {SUFFIX}"))


@feature("Create with an id of one's own, and again")
def _():
    own = f"{SUFFIX}-0000-4000-8000-0000000000f1"
    equal(SERVICE.Create(entity=entity("contact", own, lastname=f"Zp own {SUFFIX}")), own)
    has(str(raises(Fault, lambda: SERVICE.Create(entity=entity("contact", own, lastname="x")))), "duplicate key")


@feature("Update")
def _():
    made = DOOR.contact("Zp update", firstname="old", jobtitle="x")
    SERVICE.Update(entity=entity("contact", made, firstname="new", jobtitle=None))
    row = DOOR.row(f"contacts({made})?$select=firstname,jobtitle")
    equal((row["firstname"], row["jobtitle"]), ("new", None))


@feature("Delete")
def _():
    made = DOOR.contact("Zp delete")
    SERVICE.Delete("contact", made)
    assert DOOR.gone(f"contacts({made})")


@feature("an e-mail with parties")
def _():
    contact = DOOR.contact("Zp party", emailaddress1=f"zp{SUFFIX}@customer.example")

    def parties(*made):
        several = kind("ArrayOfEntity")(Entity=list(made))
        return kind("EntityCollection")(Entities=several, EntityName="activityparty", MoreRecords=False)

    made = SERVICE.Create(
        entity=entity(
            "email",
            subject=f"Zp {SUFFIX}",
            directioncode=False,
            **{
                "from": parties(entity("activityparty", partyid=reference("contact", contact))),
                "to": parties(entity("activityparty", addressused="other@customer.example")),
            },
        )
    )
    told = read(SERVICE.Retrieve("email", made, columns("subject", "from", "to")))
    sender = read(told["from"].Entities.Entity[0])
    equal((sender["partyid"].Id, read(told["to"].Entities.Entity[0])["addressused"]), (contact, "other@customer.example"))


@feature("RetrieveMultiple by QueryExpression: conditions, order, top")
def _():
    group("Zp query", 4)
    order = kind("ArrayOfOrderExpression")(OrderExpression=[kind("OrderExpression")(AttributeName="firstname", OrderType="Descending")])
    rows, _ = found(expression("contact", ["firstname"], where(of("Zp query"), condition("firstname", "In", "1", "2", "3")), Orders=order, TopCount=2))
    equal([row["firstname"] for row in rows], ["3", "2"])


@feature("RetrieveMultiple: operators")
def _():
    group("Zp operators", 4, numberofchildren=2)
    for operator, column, values, wanted in [
        ("Like", "firstname", ["[12]"], 2),
        ("BeginsWith", "firstname", ["3"], 1),
        ("Between", "numberofchildren", [1, 2], 4),
        ("Null", "jobtitle", [], 4),
        ("NotEqual", "firstname", ["0"], 3),
        ("Today", "createdon", [], 4),
        ("LastXDays", "createdon", [2], 4),
    ]:
        rows, _ = found(expression("contact", ["firstname"], where(of("Zp operators"), condition(column, operator, *values))))
        assert len(rows) == wanted, (operator, rows)


@feature("RetrieveMultiple in pages, by cookie, with the total")
def _():
    group("Zp pages", 5)
    told, cookie = [], None
    order = kind("ArrayOfOrderExpression")(OrderExpression=[kind("OrderExpression")(AttributeName="firstname", OrderType="Ascending")])
    for number in (1, 2, 3):
        page = kind("PagingInfo")(Count=2, PageNumber=number, PagingCookie=cookie, ReturnTotalRecordCount=True)
        rows, answer = found(expression("contact", ["firstname"], where(of("Zp pages")), Orders=order, PageInfo=page))
        told.append([row["firstname"] for row in rows])
        equal((answer.MoreRecords, answer.TotalRecordCount), (number < 3, 5))
        cookie = answer.PagingCookie
    equal(told, [["0", "1"], ["2", "3"], ["4"]])


@feature("RetrieveMultiple with a linked table")
def _():
    account = DOOR.account("Zp link")
    group("Zp link", 1, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    link = kind("LinkEntity")(
        Columns=columns("name"),
        EntityAlias="acc",
        JoinOperator="Inner",
        LinkFromAttributeName="parentcustomerid",
        LinkFromEntityName="contact",
        LinkToAttributeName="accountid",
        LinkToEntityName="account",
    )
    rows, _ = found(expression("contact", ["firstname"], where(of("Zp link")), LinkEntities=kind("ArrayOfLinkEntity")(LinkEntity=[link])))
    told = rows[0]["acc.name"]
    equal((told.AttributeLogicalName, told.EntityLogicalName, told.Value), ("name", "account", f"Zp link {SUFFIX}"))


@feature("RetrieveMultiple by QueryByAttribute")
def _():
    group("Zp attribute", 2)
    query = kind("QueryByAttribute")(
        Attributes=kind("ArrayOfstring", ARRAYS)(string=["lastname"]),
        ColumnSet=columns("firstname"),
        EntityName="contact",
        Values=kind("ArrayOfanyType", ARRAYS)(anyType=[value(f"Zp attribute {SUFFIX}")]),
    )
    equal(len(found(query)[0]), 2)


@feature("RetrieveMultiple by FetchXML, in pages and summed up")
def _():
    group("Zp fetch", 3, numberofchildren=2)
    inner = f"<filter><condition attribute='lastname' operator='eq' value='Zp fetch {SUFFIX}'/></filter></entity></fetch>"
    text = "<fetch count='2'><entity name='contact'><attribute name='firstname'/><order attribute='firstname'/>" + inner
    rows, answer = found(kind("FetchExpression")(Query=text))
    equal((len(rows), answer.MoreRecords), (2, True))
    cookie = answer.PagingCookie.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    rows, answer = found(kind("FetchExpression")(Query=text.replace("<fetch ", f'<fetch page="2" paging-cookie="{cookie}" ')))
    equal(([row["firstname"] for row in rows], answer.MoreRecords), (["2"], False))
    text = "<fetch aggregate='true'><entity name='contact'><attribute name='numberofchildren' alias='s' aggregate='sum'/>" + inner
    equal(int(found(kind("FetchExpression")(Query=text))[0][0]["s"].Value), 6)


@feature("Associate and Disassociate")
def _():
    account, contact = DOOR.account("Zp relate"), DOOR.contact("Zp relate")
    link = kind("Relationship")(SchemaName="contact_customer_accounts")
    related = kind("EntityReferenceCollection")(EntityReference=[reference("contact", contact)])
    SERVICE.Associate("account", account, link, related)
    equal(DOOR.row(f"contacts({contact})")["_parentcustomerid_value"], account)
    SERVICE.Disassociate("account", account, link, related)
    equal(DOOR.row(f"contacts({contact})")["_parentcustomerid_value"], None)


@feature("Execute: WhoAmI, RetrieveVersion, RetrieveCurrentOrganization")
def _():
    equal(execute("WhoAmI")["UserId"], DOOR.row("WhoAmI")["UserId"])
    has(execute("RetrieveVersion")["Version"], "9.")
    access = xsd.AnyObject(kind("EndpointAccessType", "http://schemas.microsoft.com/xrm/2014/Contracts"), "Default")
    assert execute("RetrieveCurrentOrganization", AccessType=access)["Detail"].OrganizationId


@feature("Execute: Create, Retrieve, Update, Delete")
def _():
    made = execute("Create", Target=entity("contact", lastname=f"Zp execute {SUFFIX}"))["id"]
    execute("Update", Target=entity("contact", made, firstname="x"))
    equal(read(execute("Retrieve", Target=reference("contact", made), ColumnSet=columns("firstname"))["Entity"])["firstname"], "x")
    execute("Delete", Target=reference("contact", made))
    assert DOOR.gone(f"contacts({made})")


@feature("Execute: Upsert")
def _():
    own = f"{SUFFIX}-0000-4000-8000-0000000000f2"
    for created in (True, False):
        told = execute("Upsert", Target=entity("contact", own, lastname=f"Zp upsert {created} {SUFFIX}"))
        equal((told["RecordCreated"], told["Target"].Id), (created, own))


@feature("Execute: SetState, Assign")
def _():
    made, me = DOOR.contact("Zp state"), DOOR.row("WhoAmI")["UserId"]
    execute("SetState", EntityMoniker=reference("contact", made), State=option(1), Status=option(2))
    equal(DOOR.row(f"contacts({made})")["statecode"], 1)
    execute("Assign", Target=reference("contact", made), Assignee=reference("systemuser", me))
    equal(DOOR.row(f"contacts({made})")["_ownerid_value"], me)


@feature("Execute: AddToQueue")
def _():
    queue, task = DOOR.create("queues", {"name": f"Zp {SUFFIX}"}), DOOR.create("tasks", {"subject": f"Zp {SUFFIX}"})
    item = execute("AddToQueue", Target=reference("task", task), DestinationQueueId=guid(queue))["QueueItemId"]
    equal(DOOR.row(f"queueitems({item})")["_objectid_value"], task)


@feature("Execute: RetrieveEntity, RetrieveAllEntities, RetrieveAttribute")
def _():
    filters = kind("EntityFilters", "http://schemas.microsoft.com/xrm/2011/Metadata")
    asked = {"EntityFilters": xsd.AnyObject(filters, ["Entity", "Attributes"]), "RetrieveAsIfPublished": False}
    told = execute("RetrieveEntity", LogicalName="contact", MetadataId=guid(EMPTY), **asked)["EntityMetadata"]
    names = {column.LogicalName for column in told.Attributes.AttributeMetadata}
    equal((told.LogicalName, told.ObjectTypeCode, told.PrimaryNameAttribute), ("contact", 2, "fullname"))
    has(names, "firstname")
    asked["EntityFilters"] = xsd.AnyObject(filters, ["Entity"])
    every = execute("RetrieveAllEntities", **asked)["EntityMetadata"].EntityMetadata
    assert {"account", "contact", "email"} <= {one.LogicalName for one in every}
    told = execute("RetrieveAttribute", EntityLogicalName="contact", LogicalName="firstname", MetadataId=guid(EMPTY), RetrieveAsIfPublished=False)
    equal((told["AttributeMetadata"].SchemaName, told["AttributeMetadata"].MaxLength), ("FirstName", 50))


@feature("Execute: ExecuteMultiple, going on after an error")
def _():
    several = "http://schemas.microsoft.com/xrm/2012/Contracts"

    def request(name, **parameters):
        made = kind("ParameterCollection")(KeyValuePairOfstringanyType=pairs(parameters))
        return kind("OrganizationRequest")(Parameters=made, RequestName=name)

    requests_of = kind("OrganizationRequestCollection", several)(
        OrganizationRequest=[
            request("Create", Target=entity("contact", lastname=f"Zp several {SUFFIX}")),
            request("Delete", Target=reference("contact", NOBODY)),
            request("Create", Target=entity("contact", lastname=f"Zp several {SUFFIX}")),
        ]
    )
    settings = kind("ExecuteMultipleSettings", several)(ContinueOnError=True, ReturnResponses=True)
    told = execute("ExecuteMultiple", Requests=requests_of, Settings=settings)
    items = told["Responses"].ExecuteMultipleResponseItem
    equal((told["IsFaulted"], [item.RequestIndex for item in items]), (True, [0, 1, 2]))
    equal(items[1].Fault.ErrorCode, -2147220969)
    equal(len(found(expression("contact", ["lastname"], where(of("Zp several"))))[0]), 2)


@feature("faults")
def _():
    error = raises(Fault, lambda: SERVICE.Retrieve("contact", NOBODY, columns("lastname")))
    has(error.message, "Does Not Exist")
    told = {one.tag.rsplit("}", 1)[1]: one.text for one in error.detail[0]}
    equal(told["ErrorCode"], "-2147220969")
    raises(Fault, lambda: SERVICE.Retrieve("nosuchtable", NOBODY, columns()))
    raises(Fault, lambda: execute("NoSuchMessage"))


@feature("a wrong token")
def _():
    headers = CLIENT.transport.session.headers
    keep, headers["Authorization"] = headers["Authorization"], "Bearer wrong"
    try:
        error = raises((TransportError, Fault), lambda: SERVICE.Delete("contact", NOBODY))
    finally:
        headers["Authorization"] = keep
    if isinstance(error, TransportError):
        equal(error.status_code, 401)


main()
