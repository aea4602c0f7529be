"""Contacts.

Owns: who a contact is (unique names among the active, unique numbers among all), creating,
updating, archiving and merging, look-ups, and what Xero shows of a contact.
"""

import re

import jsontext
import schema
from books import new_id
from errors import Invalid, NotFound

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
)
_COPIED = (
    "Name",
    "ContactNumber",
    "AccountNumber",
    "FirstName",
    "LastName",
    "CompanyNumber",
    "EmailAddress",
    "TaxNumber",
    "BankAccountDetails",
    "AccountsReceivableTaxType",
    "AccountsPayableTaxType",
    "DefaultCurrency",
    "SalesDefaultAccountCode",
    "PurchasesDefaultAccountCode",
    "Addresses",
    "Phones",
    "ContactPersons",
)
NO_IDENTITY = (
    "The Contact must contain at least 1 of the following elements to identify the contact: "
    "Name, ContactID, ContactNumber"
)
ARCHIVED_EDIT = (
    "The specified contact details matched an archived contact. Archived contacts cannot "
    "currently be edited via the API."
)


def put(org, element):
    """PUT: a new contact, never an old one."""
    if not any(element.get(name) for name in ("Name", "ContactID", "ContactNumber")):
        raise Invalid(NO_IDENTITY)
    return render(org, _store(org, {}, element))


def post(org, element):
    """POST: the contact with this ContactID, else number, else active name; else a new one."""
    old = find(org, element)
    if old is None:
        return put(org, element)
    return render(org, update(org, old, element))


def find(org, element):
    """The contact that an element names; None when it names none. NotFound: an id never issued."""
    contact_id = element.get("ContactID")
    if contact_id:
        contact = org.contacts.get(contact_id.lower())
        if contact is None:
            raise NotFound
        return contact
    number = element.get("ContactNumber")
    if number and number.lower() in org.contact_by_number:
        return org.contacts[org.contact_by_number[number.lower()]]
    name = element.get("Name")
    if name and name.lower() in org.contact_by_name:
        return org.contacts[org.contact_by_name[name.lower()]]
    return None


def update(org, old, element):
    if old["ContactStatus"] != "ACTIVE":
        raise Invalid(ARCHIVED_EDIT, echo={"ContactID": old["ContactID"]})
    return _store(org, old, element)


def _store(org, old, element):
    contact = {**old}
    for name in _COPIED:
        if name in element:
            contact[name] = element[name]
    contact["ContactStatus"] = element.get("ContactStatus") or old.get("ContactStatus", "ACTIVE")
    contact.setdefault("ContactID", new_id())
    found = schema.too_long(element, "Contact") + _broken_rules(org, contact, element)
    if found:
        raise Invalid(*found, echo={"ContactID": old["ContactID"]} if old else None)
    contact["updated"] = org.stamp()
    reindex(org, old, contact)
    return contact


def _broken_rules(org, contact, element):
    found = []
    name = contact.get("Name") or ""
    if not name:
        found.append(NO_IDENTITY)
    elif re.search(r"[<>]|  |^\s|\s$", name):
        found.append(
            "The contact name must not contain angle brackets, leading or trailing blanks, or "
            "double blanks."
        )
    me = contact["ContactID"]
    if org.contact_by_name.get(name.lower(), me) != me and contact["ContactStatus"] == "ACTIVE":
        found.append(
            f"The contact name {name} is already assigned to another contact. The contact name "
            "must be unique across all active contacts."
        )
    number = contact.get("ContactNumber")
    if number and org.contact_by_number.get(number.lower(), me) != me:
        found.append(
            f"The contact number {number} is already assigned to another contact. The contact "
            "number must be unique across all contacts."
        )
    account_number = element.get("AccountNumber")
    if account_number and org.contact_by_account_number.get(account_number, me) != me:
        found.append("The Account Number already exists. Please enter a different Account Number.")
    if contact["ContactStatus"] == "GDPRREQUEST":
        found.append("The contact status GDPRREQUEST cannot be set.")
    return found + _broken_details(contact)


def _broken_details(contact):
    found = []
    email = contact.get("EmailAddress")
    people = contact.get("ContactPersons") or []
    if any(
        one and not _EMAIL.fullmatch(one)
        for one in [email] + [person.get("EmailAddress") for person in people]
    ):
        found.append("Email address must be valid.")
    if people and not email:
        found.append(
            "Additional people cannot be added when the primary person has no email address set."
        )
    if len(people) > 5:
        found.append("A contact can have at most 5 additional people.")
    for address in contact.get("Addresses") or []:
        if re.search(r"[^\w .,'()&-]|\d", address.get("Country") or ""):
            found.append("Country must contain letters only.")
    return found


def reindex(org, old, contact):
    """Stores a contact and moves the indexes from its old record to the new one."""
    me = contact["ContactID"]
    for table, key in (
        (org.contact_by_name, _active_name(old)),
        (org.contact_by_number, _lower(old, "ContactNumber")),
        (org.contact_by_account_number, old.get("AccountNumber")),
    ):
        if key and table.get(key) == me:
            org.drop(table, key)
    for table, key in (
        (org.contact_by_name, _active_name(contact)),
        (org.contact_by_number, _lower(contact, "ContactNumber")),
        (org.contact_by_account_number, contact.get("AccountNumber")),
    ):
        if key:
            org.set(table, key, me)
    for table, name in ((org.contacts_by_email, "EmailAddress"), (org.contacts_by_name, "Name")):
        before, after = _lower(old, name), _lower(contact, name)
        if before != after:
            if before:
                org.remove(table, before, me)
            if after:
                org.add(table, after, me)
    org.set(org.contacts, me, contact)


def _active_name(contact):
    return contact["Name"].lower() if contact and contact["ContactStatus"] == "ACTIVE" else None


def _lower(contact, name):
    return (contact.get(name) or "").lower()


# -- reading --------------------------------------------------------------------------------------


def by_key(org, key):
    """A contact by ContactID or ContactNumber, as in the address of a call."""
    found = org.contacts.get(key.lower()) or org.contacts.get(
        org.contact_by_number.get(key.lower())
    )
    if found is None:
        raise NotFound
    return found


def index(org, field_name, value):
    """The ids of the contacts that have this (lower-case) value; None when no index knows."""
    if field_name == "ContactID":
        return (value,)
    if field_name == "ContactNumber":
        return (org.contact_by_number.get(value),)
    if field_name in ("EmailAddress", "Name"):
        table = org.contacts_by_name if field_name == "Name" else org.contacts_by_email
        return table.get(value, ())
    return None


def field(_org, contact, name):
    if name not in _COPIED + ("ContactID", "ContactStatus"):
        return None
    return contact.get(name)


def render(org, contact):
    answer = {
        "ContactID": contact["ContactID"],
        "ContactStatus": contact["ContactStatus"],
        "FirstName": "",
        "LastName": "",
        "EmailAddress": "",
        "BankAccountDetails": "",
        "Addresses": [{"AddressType": "STREET"}, {"AddressType": "POBOX"}],
        "Phones": [
            {"PhoneType": kind, "PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}
            for kind in ("DDI", "DEFAULT", "FAX", "MOBILE")
        ],
        "ContactPersons": [],
    }
    answer.update((name, contact[name]) for name in _COPIED if contact.get(name) is not None)
    if contact.get("MergedToContactID"):
        answer["MergedToContactID"] = contact["MergedToContactID"]
    answer.update(
        UpdatedDateUTC=jsontext.ms_time(contact["updated"]),
        IsSupplier=False,
        IsCustomer=bool(contact.get("IsCustomer")),
        ContactGroups=[],
        HasAttachments=False,
        HasValidationErrors=False,
    )
    return answer


# -- a person in Xero -----------------------------------------------------------------------------


def set_status(org, contact, status):
    """Archives, restores (where the name is still free) or marks for deletion of its data."""
    me = contact["ContactID"]
    if status == "ACTIVE" and org.contact_by_name.get(contact["Name"].lower(), me) != me:
        raise Invalid("The contact name already exists. Please enter a different contact name")
    reindex(org, contact, {**contact, "ContactStatus": status, "updated": org.stamp()})


def merge(org, contact, survivor):
    """Xero archives the merged-away contact and moves its documents to the survivor. Contacts
    that were merged into it before still name it: whoever follows them goes step by step."""
    if contact["ContactStatus"] != "ACTIVE" or survivor["ContactStatus"] != "ACTIVE":
        raise Invalid("Only active contacts can be merged.")
    if contact["ContactID"] == survivor["ContactID"]:
        raise Invalid("A contact cannot be merged into itself.")
    reindex(
        org,
        contact,
        {
            **contact,
            "ContactStatus": "ARCHIVED",
            "updated": org.stamp(),
            "MergedToContactID": survivor["ContactID"],
        },
    )
    for table in (org.invoices, org.credit_notes):
        for key, document in list(table.items()):
            if document["ContactID"] == contact["ContactID"]:
                org.set(table, key, {**document, "ContactID": survivor["ContactID"]})
