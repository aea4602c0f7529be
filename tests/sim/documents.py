"""Invoices and credit notes.

Owns: creating and updating both kinds of document, the status machine, numbers, dates against lock
dates, what settles a document, look-ups, and what Xero shows of one. A document's lines are
lines.py's.
"""

import re
from decimal import Decimal

import contacts
import defaults
import items
import jsontext
import money
import schema
from books import new_id
from errors import Invalid, messages
from lines import LineRules, recompute
from lines import render as render_line

OPEN = ("DRAFT", "SUBMITTED", "AUTHORISED")
_NEXT = {  # what a call may ask of a document that nothing settles; no other status ever changes
    "DRAFT": ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"),
    "SUBMITTED": ("SUBMITTED", "AUTHORISED", "DELETED"),
    "AUTHORISED": ("AUTHORISED", "VOIDED"),
}
ARCHIVED_CONTACT = (
    "The contact with the specified contact details has been archived. The contact must "
    "be un-archived before creating new invoices or credit notes."
)
LOCKED = "This document cannot be edited as it has a payment or credit note allocated to it."


class Kind:
    """What differs between an invoice and a credit note."""

    def __init__(self, name, prefix, only_type):
        self.name = name  # as Xero's messages call it
        self.id = name.replace(" ", "") + "ID"
        self.number = name.replace(" ", "") + "Number"
        self.prefix = prefix
        self.type = only_type

    def table(self, org):
        return org.invoices if self is INVOICE else org.credit_notes


INVOICE = Kind("Invoice", "INV", "ACCREC")
NOTE = Kind("Credit Note", "CN", "ACCRECCREDIT")


# -- writing --------------------------------------------------------------------------------------


class Options:
    """How a call asks for its documents: decimal places of unit prices, overselling allowed."""

    def __init__(self, places=2, backorders=False):
        self.places = places
        self.backorders = backorders


def put(org, kind, element, options):
    """PUT: a new document."""
    return _create(org, kind, element, options)


def post(org, kind, element, options):
    """POST: the document with this id, else this number, is overwritten; else a new one."""
    old = _named_by(org, kind, element)
    if old is None:
        return _create(org, kind, element, options)
    return _update(org, kind, old, element, options)


def _named_by(org, kind, element):
    document_id = element.get(kind.id)
    if document_id:
        document = kind.table(org).get(document_id.lower())
        if document is None:
            raise Invalid(
                f"An existing {kind.name.lower()} with the specified ID could not be found"
                if kind is INVOICE
                else "An existing Credit Note with the specified CreditNoteID could not be found"
            )
        return document
    return by_number(org, kind, element.get(kind.number) or "")


def _create(org, kind, element, options):
    found = schema.too_long(element, "Invoice" if kind is INVOICE else "CreditNote")
    status = element.get("Status") or "DRAFT"
    if element.get("Type") != kind.type:
        found.append(f"{kind.name} not of valid type for creation")
    if status not in OPEN:
        found.append(f"{kind.name} not of valid status for creation")
    number = element.get(kind.number)
    if number and kind is INVOICE and number.lower() in org.invoice_by_number:
        found.append("Invoice # must be unique.")
    document = {
        "Type": kind.type,
        kind.id: new_id(),
        "Status": status,
        "Date": org.today(),
        "DueDate": None,
        "LineAmountTypes": "Exclusive",
        "CurrencyCode": org.base_currency,
        "Reference": "",
        "SentToContact": False,
        "lines": [],
    }
    return _store(org, kind, {}, document, element, options, found)


def _update(org, kind, old, element, options):
    echo = {kind.id: old[kind.id]}
    wanted = element.get("Status") or old["Status"]
    locked = settled(org, old, kind)
    found = []
    if old["Status"] not in _NEXT or not locked and wanted not in _NEXT[old["Status"]]:
        found.append(f"{kind.name} not of valid status for modification")
    if locked and wanted != old["Status"]:
        found.append(
            f"The status {wanted} cannot be applied to the {kind.name.lower()} because it has "
            "payments or credit notes allocated to it."
        )
    elif locked:
        found.append(LOCKED)
        if element.get("Date") and jsontext.parse_date(element["Date"]) != old["Date"]:
            found.append(
                "Date cannot be changed on an invoice that has payment or credit notes allocated "
                "to it."
            )
    if found:
        raise Invalid(*found, echo=echo)
    number = element.get(kind.number)
    if (
        number
        and kind is INVOICE
        and org.invoice_by_number.get(number.lower(), old[kind.id]) != old[kind.id]
    ):
        found.append("Invoice # must be unique.")
    if element.get("Type") not in (None, kind.type):
        found.append(f"{kind.name} not of valid type for modification")
    found += schema.too_long(element, "Invoice" if kind is INVOICE else "CreditNote")
    found += org.lock_messages(old["Date"])
    try:
        return _store(org, kind, old, {**old, "Status": wanted}, element, options, found)
    except Invalid as invalid:
        raise Invalid(*dict.fromkeys(invalid.messages), echo={**invalid.echo, **echo}) from None


def _store(org, kind, old, document, element, options, found):
    """Fills `document` from `element`, refuses it with everything that is wrong, or puts it
    away."""
    echo = {}
    if document["Status"] not in ("VOIDED", "DELETED"):
        found = found + _fill(org, kind, document, element)
        rules = LineRules(
            org, document["Status"], document["LineAmountTypes"], options.places, kind is NOTE
        )
        try:
            _contact(org, document, element)
            if element.get("LineItems") is not None or not old:
                document["lines"] = rules.build(
                    element.get("LineItems") or [], old.get("lines", [])
                )
            else:
                document["lines"] = [
                    recompute(line, org, document["LineAmountTypes"]) for line in document["lines"]
                ]
        except Invalid as invalid:
            found = found + invalid.messages
            echo = invalid.echo
        warnings = rules.warnings
    else:
        warnings = []
    sums = money.document_sums(document["lines"], document["LineAmountTypes"])
    document["SubTotal"], document["TotalTax"], document["Total"] = sums
    if document["Total"] < 0:
        found.append("The Total for this document must be greater than or equal to zero.")
    if (
        org.approval_limit is not None
        and kind is INVOICE
        and document["Status"] == "AUTHORISED"
        and old.get("Status") != "AUTHORISED"
        and _approved(org) >= org.approval_limit
    ):
        found.append("You have reached the limit of invoices you can approve")
    if found:
        raise Invalid(*dict.fromkeys(found), echo=echo)
    if document["Status"] == "AUTHORISED" and document["Total"] == 0:
        document["Status"] = "PAID"
        document["FullyPaidOn"] = document["Date"]
    items.move_stock(org, old, document, kind is NOTE, options.backorders)
    _put_away(org, kind, old, document)
    answer = render(org, kind, document, options.places)
    if warnings:
        answer["Warnings"] = messages(warnings)
    return answer


def _approved(org):
    return sum(
        1 for invoice in org.invoices.values() if invoice["Status"] in ("AUTHORISED", "PAID")
    )


def _fill(org, kind, document, element):
    """Copies the plain members; returns what is wrong with them."""
    found = []
    for name in (
        "LineAmountTypes",
        "CurrencyCode",
        "Reference",
        "Url",
        "BrandingThemeID",
        "SentToContact",
        kind.number,
    ):
        if element.get(name) is not None:
            document[name] = element[name]
    for name in ("Date", "DueDate"):
        if element.get(name):
            document[name] = jsontext.parse_date(element[name])
    found += org.lock_messages(document["Date"])
    if (
        kind is INVOICE
        and document["Status"] in ("SUBMITTED", "AUTHORISED")
        and not document["DueDate"]
    ):
        found.append("Due date cannot be empty.")
    currency = document["CurrencyCode"]
    if currency not in org.currencies:
        found.append(f"Organisation is not subscribed to currency {currency}")
    if element.get("CurrencyRate") is not None and currency != org.base_currency:
        document["CurrencyRate"] = money.round_to(Decimal(element["CurrencyRate"]), 6)
    elif "CurrencyRate" not in document or "CurrencyCode" in element:
        document["CurrencyRate"] = defaults.DAY_RATES.get(currency, Decimal(1))
    url = document.get("Url")
    if url and ("xero" in url.lower() or not re.match(r"https?://[^\s/]+", url)):
        found.append("Url must be a valid absolute link and must not contain the word xero.")
    if document["SentToContact"] and document["Status"] != "AUTHORISED":
        found.append("SentToContact can be set on approved documents only.")
    theme = document.get("BrandingThemeID")
    if theme and all(theme.lower() != one["BrandingThemeID"] for one in org.themes):
        found.append("The BrandingThemeID does not match an existing branding theme.")
    return found


def annotate(org, kind, document, element):
    """What a person may change in Xero on a document that is locked: reference and due date."""
    if set(element) - {"Reference", "DueDate"}:
        raise Invalid(LOCKED)
    changed = {**document, **element, "updated": org.stamp()}
    if element.get("DueDate"):
        changed["DueDate"] = jsontext.parse_date(element["DueDate"])
    org.set(kind.table(org), document[kind.id], changed)


def _contact(org, document, element):
    """Finds, and where the element says more than who it is updates or creates, the contact."""
    wanted = element.get("Contact")
    if not wanted:
        if "ContactID" not in document:
            raise Invalid("A Contact must be specified for this type of transaction")
        return
    contact = contacts.find(org, wanted)
    if contact and contact["ContactStatus"] != "ACTIVE":
        raise Invalid(ARCHIVED_CONTACT)
    try:
        if contact is None:
            contact = org.contacts[contacts.put(org, wanted)["ContactID"]]
        elif any(contact.get(name) != value for name, value in wanted.items()):
            contact = contacts.update(org, contact, wanted)
    except Invalid as invalid:
        echo = {"Contact": {**wanted, "ValidationErrors": messages(invalid.messages)}}
        raise Invalid("A validation exception occurred", echo=echo) from None
    if not contact.get("IsCustomer"):
        org.set(org.contacts, contact["ContactID"], {**contact, "IsCustomer": True})
    document["ContactID"] = contact["ContactID"]


def _put_away(org, kind, old, document):
    if not document.get(kind.number):
        taken = org.invoice_by_number if kind is INVOICE else org.notes_by_number
        document[kind.number] = org.free_number(kind.prefix, taken)
    document["updated"] = org.stamp()
    number = document[kind.number].lower()
    before = (old.get(kind.number) or "").lower()
    me = document[kind.id]
    if kind is INVOICE:
        if before and before != number:
            org.drop(org.invoice_by_number, before)
        org.set(org.invoice_by_number, number, me)
    elif before != number:
        if before:
            org.remove(org.notes_by_number, before, me)
        org.add(org.notes_by_number, number, me)
    org.set(kind.table(org), me, document)


# -- what settles a document ----------------------------------------------------------------------


def settled(org, document, kind):
    """(payments, allocations) that stand on a document; empty when there are none."""
    ids = org.settled_by.get(document[kind.id], ())
    payments = [
        org.payments[one]
        for one in ids
        if one in org.payments and org.payments[one]["Status"] == "AUTHORISED"
    ]
    allocations = [org.allocations[one] for one in ids if one in org.allocations]
    return (payments, allocations) if payments or allocations else ()


def amounts(org, document, kind):
    """(paid, credited, due) of a document. A voided one keeps its due amount, as in Xero."""
    payments, allocations = settled(org, document, kind) or ((), ())
    paid = sum((one["Amount"] for one in payments), money.ZERO)
    credited = sum((one["Amount"] for one in allocations), money.ZERO)
    return paid, credited, document["Total"] - paid - credited


def settle(org, kind, document_id):
    """Turns the document PAID when nothing is due any more (on the last day that anything was
    put on it), back to AUTHORISED when something is."""
    document = kind.table(org)[document_id]
    due = amounts(org, document, kind)[2]
    days = [one["Date"] for found in settled(org, document, kind) for one in found]
    changed = {
        **document,
        "updated": org.stamp(),
        "Status": "PAID" if due == 0 else "AUTHORISED",
        "FullyPaidOn": max(days) if due == 0 else None,
    }
    org.set(kind.table(org), document_id, changed)


# -- reading --------------------------------------------------------------------------------------


def by_number(org, kind, number):
    """The document with this number (of several notes the newest), or None."""
    if kind is INVOICE:
        return org.invoices.get(org.invoice_by_number.get(number.lower()))
    ids = org.notes_by_number.get(number.lower())
    return org.credit_notes[next(reversed(ids))] if ids else None


def by_key(org, kind, key):
    """A document by id or number, as in the address of a call; None when there is none."""
    return kind.table(org).get(key.lower()) or by_number(org, kind, key)


def index(org, kind, name, value):
    """The ids of the documents that have this (lower-case) value; None when no index knows."""
    if name == kind.id:
        return (value,)
    if name != kind.number:
        return None
    if kind is INVOICE:
        return (org.invoice_by_number.get(value),)
    return org.notes_by_number.get(value, ())


def field(org, kind, document, name):
    """A member by the name a filter uses."""
    if name.startswith("Contact."):
        return contacts.field(org, org.contacts[document["ContactID"]], name[len("Contact.") :])
    if name in ("AmountPaid", "AmountCredited", "AmountDue", "RemainingCredit"):
        paid, credited, due = amounts(org, document, kind)
        return {"AmountPaid": paid, "AmountCredited": credited}.get(name, due)
    return document.get(name)


def render(org, kind, document, places, full=True, bare=False):
    """What Xero shows: `full` with lines; `bare` (summaryOnly) without lines and payments."""
    contact = org.contacts[document["ContactID"]]
    paid, credited, due = amounts(org, document, kind)
    answer = {
        "Type": document["Type"],
        kind.id: document[kind.id],
        kind.number: document[kind.number],
        "Reference": document["Reference"],
    }
    if kind is INVOICE:
        answer.update(
            AmountDue=due,
            AmountPaid=paid,
            AmountCredited=credited,
            SentToContact=document["SentToContact"],
        )
        if document.get("Url"):
            answer["Url"] = document["Url"]
    else:
        answer["RemainingCredit"] = due
    if document.get("BrandingThemeID"):
        answer["BrandingThemeID"] = document["BrandingThemeID"]
    answer["CurrencyRate"] = document["CurrencyRate"]
    answer["Contact"] = {"ContactID": contact["ContactID"], "Name": contact["Name"]}
    if contact.get("ContactNumber"):
        answer["Contact"]["ContactNumber"] = contact["ContactNumber"]
    for name in ("Date", "DueDate"):
        if document.get(name):
            answer[name + "String"] = jsontext.date_string(document[name])
            answer[name] = jsontext.ms_date(document[name])
    answer.update(
        Status=document["Status"],
        LineAmountTypes=document["LineAmountTypes"],
        SubTotal=document["SubTotal"],
        TotalTax=document["TotalTax"],
        Total=document["Total"],
        CurrencyCode=document["CurrencyCode"],
        UpdatedDateUTC=jsontext.ms_time(document["updated"]),
        HasAttachments=False,
    )
    if document.get("FullyPaidOn"):
        answer["FullyPaidOnDate"] = jsontext.ms_date(document["FullyPaidOn"])
    if not bare:
        answer["LineItems"] = (
            [render_line(line, places) for line in document["lines"]] if full else []
        )
        answer.update(_render_settled(org, kind, document))
    return answer


def _render_settled(org, kind, document):
    payments, allocations = settled(org, document, kind) or ((), ())
    answer = {
        "Payments": [
            {
                "PaymentID": one["PaymentID"],
                "Date": jsontext.ms_date(one["Date"]),
                "Amount": one["Amount"],
                "Reference": one["Reference"],
                "CurrencyRate": one["CurrencyRate"],
                "HasAccount": True,
                "HasValidationErrors": False,
            }
            for one in payments
        ]
    }
    if kind is NOTE:
        answer["Allocations"] = [
            {
                "AllocationID": one["AllocationID"],
                "Amount": one["Amount"],
                "Date": jsontext.ms_date(one["Date"]),
                "Invoice": {
                    "InvoiceID": one["InvoiceID"],
                    "InvoiceNumber": org.invoices[one["InvoiceID"]]["InvoiceNumber"],
                },
            }
            for one in allocations
        ]
        return answer
    answer["CreditNotes"] = [
        {
            "CreditNoteID": one["CreditNoteID"],
            "AppliedAmount": one["Amount"],
            "CreditNoteNumber": org.credit_notes[one["CreditNoteID"]]["CreditNoteNumber"],
            "Date": jsontext.ms_date(one["Date"]),
            "Total": org.credit_notes[one["CreditNoteID"]]["Total"],
        }
        for one in allocations
    ]
    answer.update(Prepayments=[], Overpayments=[])
    return answer
