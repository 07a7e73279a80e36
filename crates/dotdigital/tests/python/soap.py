"""zeep and libxml2 judge the SOAP client and the stand-in's door: neither is ours.

soap.py describe WSDL
    prints the contract as zeep reads it: operations with actions, parameters and results, types with their members.
soap.py check WSDL LISTING MESSAGES
    what the door publishes is what the service publishes (LISTING), less whole families of operations; each message in the
    folder MESSAGES is valid by the published schema and can be read by zeep.
soap.py drive WSDL USER PASSWORD
    writes and reads through the door as a program would that was made from the WSDL.
"""

import copy
import sys
import tempfile
from pathlib import Path

import requests
import zeep
from lxml import etree
from zeep.exceptions import Fault, TransportError
from zeep.transports import Transport

XS = "{http://www.w3.org/2001/XMLSchema}"
ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
DATA = "{http://apiconnector.com}"
LEFT_OUT = ("Image", "Document", "Attachment", "Template", "Transactional", "Sms")


def member(name, element):
    most = "*" if element.max_occurs == "unbounded" else ""
    least = "" if element.min_occurs else "?"
    nil = " nil" if element.nillable else ""
    return f"{name} {element.type.name}{least}{most}{nil}"


def members(kind):
    return ", ".join(member(name, element) for name, element in getattr(kind, "elements", []))


def described(client):
    """A line for each operation and each type, in the order of members."""
    lines = set()
    kinds = []
    for binding in client.wsdl.bindings.values():
        for operation in binding.all().values():
            asks, answers = operation.input.body, operation.output.body
            lines.add(
                f"operation {operation.name} {operation.soapaction} {asks.qname}({members(asks.type)})"
                f" {answers.qname}({members(answers.type)})"
            )
            kinds += [element.type for body in (asks, answers) for _, element in body.type.elements]
    seen = set()
    while kinds:
        kind = kinds.pop()
        if kind.qname in seen or "apiconnector" not in str(kind.qname) and "Arrays" not in str(kind.qname):
            continue
        seen.add(kind.qname)
        lines.add(f"type {kind.qname} {{{members(kind)}}}")
        kinds += [element.type for _, element in getattr(kind, "elements", [])]
    return sorted(lines)


def document(wsdl):
    text = requests.get(wsdl, timeout=20).content if wsdl.startswith("http") else Path(wsdl).read_bytes()
    return etree.fromstring(text)


def words(wsdl):
    """A line for each enumeration, which zeep takes for text."""
    lines = []
    for one in document(wsdl).iter(f"{XS}simpleType"):
        found = [word.get("value") for word in one.iter(f"{XS}enumeration")]
        if found:
            lines.append(f"words {one.get('name')}: {' '.join(found)}")
    return lines


def schema(wsdl):
    """The published schema as libxml2 compiles it."""
    root = document(wsdl)
    folder = Path(tempfile.mkdtemp())
    schemas = {one.get("targetNamespace"): one for one in root.iter(f"{XS}schema")}
    names = {ns: f"{number}.xsd" for number, ns in enumerate(schemas)}
    for ns, one in schemas.items():
        for wanted in one.iter(f"{XS}import"):
            wanted.set("schemaLocation", names[wanted.get("namespace")])
        (folder / names[ns]).write_bytes(etree.tostring(one))
    return etree.XMLSchema(etree.parse(str(folder / names["http://apiconnector.com/v2"])))


def body(file):
    root = etree.parse(str(file)).getroot()
    assert root.tag == f"{ENVELOPE}Envelope", root.tag
    return root.find(f"{ENVELOPE}Body")[0]


def check(wsdl, listing, messages):
    client = zeep.Client(wsdl)
    ours, theirs = set(described(client) + words(wsdl)), set(Path(listing).read_text().splitlines())
    assert ours <= theirs, f"not the service's: {sorted(ours - theirs)[:3]}"
    missing = [line for line in theirs - ours if not any(word in line for word in LEFT_OUT)]
    assert not missing, f"the service has also: {missing[:3]}"
    judge, seen, faults = schema(wsdl), {}, 0
    for file in sorted(Path(messages).iterdir()):
        message = body(file)
        name = etree.QName(message).localname
        if name == "Fault":
            faults += 1
            assert [child.tag for child in message][:2] == ["faultcode", "faultstring"], file.read_text()
            continue
        judge.assertValid(message)
        # And zeep makes values of it.
        client.get_element(message.tag).parse(message, client.wsdl.types)
        seen.setdefault(name, message)
    # The judge is awake: members in another order are refused.
    broken = copy.deepcopy(seen["CreateCampaign"])
    broken[0][:] = reversed(broken[0])
    assert not judge.validate(broken)
    asked = sorted(name for name in seen if not name.endswith("Response"))
    print(f"{len(asked)} operations, {faults} faults: {' '.join(asked)}")


def refused(constant, call, **arguments):
    try:
        call(**arguments)
    except Fault as fault:
        assert constant in fault.message, fault.message
    else:
        raise AssertionError(f"{constant} was expected")


def drive(wsdl, user, password):
    session = requests.Session()
    session.auth = (user, password)
    client = zeep.Client(wsdl, transport=Transport(session=session))
    service, kind = client.service, client.get_type
    account = service.GetCurrentAccountInfo()
    assert account.Id == 1 and any(one.Name == "ApiEndpoint" for one in account.Properties.ApiAccountProperty)
    made = service.CreateAddressBook(apiAddressBook={"Name": "By zeep", "Visibility": "Private"})
    refused("ERROR_ADDRESSBOOK_DUPLICATE", service.CreateAddressBook, apiAddressBook={"Name": "By zeep"})
    service.CreateDataField(dataField={"Name": "ZEEP", "Type": "Numeric", "Visibility": "Private"})
    assert "ZEEP" in [field.Name for field in service.GetDataFields()]
    ann = {"Email": "ann@zeep.example", "OptInType": "Single", "EmailType": "Html"}
    pair = {"Key": "ZEEP", "Value": zeep.xsd.AnyObject(zeep.xsd.Int(), 7)}
    ann["DataFields"] = {"ApiContactData": [pair]}
    person = service.CreateContact(apiContact=ann)
    values = {one.Key: one.Value for one in person.DataFields.ApiContactData}
    assert person.Id > 0 and float(values["ZEEP"]) == 7, values
    assert service.GetContactByEmail(email="ann@zeep.example").Id == person.Id
    refused("ERROR_CONTACT_NOT_FOUND", service.GetContactById, id=999999)
    file = "Email,ZEEP\r\nbo@zeep.example,3\r\nno address,4\r\n"
    begun = service.ImportContactsToAddressBook(addressBookId=made.Id, data=file.encode(), dataType="CSV")
    for _ in range(50):
        if service.GetContactImportProgress(importId=begun.Id).Status != "NotFinished":
            break
    report = service.GetContactImportReport(importId=begun.Id)
    assert (report.NewContacts, report.InvalidEntries) == (1, 1), report
    faults = service.GetContactImportReportFaults(importId=begun.Id)
    assert b"no address" in faults, faults
    assert service.GetAddressBookContactCount(id=made.Id) == 1
    members = service.GetContactsInAddressBook(addressBookId=made.Id, withFullData=True, select=10, skip=0)
    assert [one.Email for one in members] == ["bo@zeep.example"]
    service.UnsubscribeContact(apiContact={"Email": "ann@zeep.example"})
    gone = service.GetSuppressedContacts(startDate="2020-01-01T00:00:00Z", select=10, skip=0)
    assert [one.SuppressedContact.Email for one in gone] == ["ann@zeep.example"]
    session.auth = (user, "wrong")
    try:
        service.GetServerTime()
    except TransportError as error:
        assert error.status_code == 401
    else:
        raise AssertionError("a wrong password was taken")
    print("driven")


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task == "describe":
        wsdl = arguments[0]
        print("\n".join(described(zeep.Client(wsdl)) + sorted(words(wsdl))))
    else:
        {"check": check, "drive": drive}[task](*arguments)
