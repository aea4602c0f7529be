"""What a person does in Xero.

Owns: the acts that tests ask for by name: on contacts, invoices, credit notes, payments, items,
tracking and accounts. They keep Xero's rules; what those forbid a person raises errors.Invalid and
changes nothing.
"""

from decimal import Decimal

import contacts
import documents
import items
import payments
from books import new_id
from documents import INVOICE, NOTE
from errors import Invalid, NotFound

_OPTIONS = documents.Options(4, backorders=True)


def do(org, body):
    """Does the act that `body` names with `do`; what it made or changed, or None. Raises
    ValueError and KeyError when the act or a member it needs is unknown."""
    act = ACTS.get(body.get("do"))
    if act is None:
        raise ValueError(f"unknown act {body.get('do')!r}")
    with org.lock:
        org.begin()
        try:
            return act(org, body)
        except Invalid:
            org.roll_back()
            raise


# -- contacts -------------------------------------------------------------------------------------


def _contact(org, body):
    if "name" in body:
        name = body["name"].lower()
        return org.contacts[org.contact_by_name.get(name) or list(org.contacts_by_name[name])[-1]]
    return contacts.by_key(org, body.get("contact_id") or body["contact_number"])


def _add_contact(org, body):
    return contacts.put(org, body["element"])


def _edit_contact(org, body):
    return contacts.render(org, contacts.update(org, _contact(org, body), body["element"]))


def _rename_contact(org, body):
    change = {"Name": body["new_name"]}
    return contacts.render(org, contacts.update(org, _contact(org, body), change))


def _set_contact_status(status):
    return lambda org, body: contacts.set_status(org, _contact(org, body), status)


def _merge_contact(org, body):
    contacts.merge(org, _contact(org, body), contacts.by_key(org, body["into"]))


# -- documents ------------------------------------------------------------------------------------


def _invoice(org, body):
    return _document(org, INVOICE, body.get("invoice_id") or body["invoice_number"])


def _note(org, body):
    return _document(org, NOTE, body.get("credit_note_id") or body["credit_note_number"])


def _document(org, kind, key):
    document = documents.by_key(org, kind, key)
    if document is None:
        raise NotFound
    return document


def _add(kind):
    return lambda org, body: documents.put(
        org, kind, {"Type": kind.type, **body["element"]}, _OPTIONS
    )


def _change(org, kind, document, element):
    return documents.post(org, kind, {**element, kind.id: document[kind.id]}, _OPTIONS)


def _as_it_is(line):
    kept = ("LineItemID", "TaxAmount") if line.get("TaxOverridden") else ("LineItemID",)
    return {name: line[name] for name in kept}


def _edit(kind, named):
    """Changes members of a document, and with `line` (its place, from 0) those of one line, in
    `line_element`; the other lines stay."""

    def act(org, body):
        document = named(org, body)
        element = dict(body.get("element") or {})
        if "line" in body:
            element["LineItems"] = [_as_it_is(line) for line in document["lines"]]
            changed = element["LineItems"][int(body["line"])]
            changed.pop("TaxAmount", None)
            changed.update(body["line_element"])
        return _change(org, kind, document, element)

    return act


def _annotate(kind, named):
    """Reference and due date, which a person may change on a paid document too."""

    def act(org, body):
        document = named(org, body)
        documents.annotate(org, kind, document, body["element"])

    return act


def _approve(kind, named):
    return lambda org, body: _change(org, kind, named(org, body), {"Status": "AUTHORISED"})


def _void(kind, named):
    def act(org, body):
        document = named(org, body)
        status = "DELETED" if document["Status"] in ("DRAFT", "SUBMITTED") else "VOIDED"
        return _change(org, kind, document, {"Status": status})

    return act


# -- money ----------------------------------------------------------------------------------------


def _pay(kind, member, named):
    def act(org, body):
        document = named(org, body)
        due = documents.amounts(org, document, kind)[2]
        element = {
            member: {kind.id: document[kind.id]},
            "Account": {"Code": body.get("account", "090")},
            "Amount": Decimal(str(body.get("amount", due))),
            "Reference": body.get("reference", "by hand"),
            "IsReconciled": body.get("reconciled", False),
        }
        if "date" in body:
            element["Date"] = body["date"]
        return payments.put(org, element)

    return act


def _delete_payment(org, body):
    return payments.post(org, {"Status": "DELETED"}, body["payment_id"])


def _allocate(org, body):
    """A credit note to an invoice: as much as both still have, or `amount`."""
    note, invoice = _note(org, body), _invoice(org, body)
    most = min(documents.amounts(org, note, NOTE)[2], documents.amounts(org, invoice, INVOICE)[2])
    element = {
        "Invoice": {"InvoiceID": invoice["InvoiceID"]},
        "Amount": Decimal(str(body.get("amount", most))),
        "Date": body.get("date") or org.today().isoformat(),
    }
    return payments.allocate(org, note["CreditNoteID"], element)


def _deallocate(org, body):
    allocation = org.allocations[body["allocation_id"].lower()]
    return payments.deallocate(org, allocation["CreditNoteID"], allocation["AllocationID"])


# -- settings -------------------------------------------------------------------------------------


def _set_account_status(status):
    return lambda org, body: org.upsert_account({"Code": body["code"], "Status": status})


def _set_tax_rate_status(status):
    return lambda org, body: org.upsert_tax_rate({"TaxType": body["tax_type"], "Status": status})


def _add_item(org, body):
    return items.put(org, body["element"])


def _edit_item(org, body):
    return items.post(org, {**body["element"], "ItemID": _item(org, body)["ItemID"]})


def _track_item(org, body):
    items.set_stock(org, _item(org, body), body["quantity"])


def _item(org, body):
    item = items.find(org, body["code"])
    if item is None:
        raise NotFound
    return item


def _add_category(org, body):
    if sum(one["Status"] == "ACTIVE" for one in org.tracking) >= 2:
        raise Invalid("An organisation can have at most 2 active tracking categories.")
    category = {
        "TrackingCategoryID": new_id(),
        "Name": body["name"],
        "Status": "ACTIVE",
        "Options": [_option(name) for name in body.get("options", ())],
    }
    org.tracking.append(category)
    return category


def _option(name):
    return {"TrackingOptionID": new_id(), "Name": name, "Status": "ACTIVE"}


def _category(org, body):
    return _named(org.tracking, body["category"])


def _named(choices, name):
    for choice in choices:
        if choice["Name"].lower() == name.lower():
            return choice
    raise NotFound


def _add_option(org, body):
    _category(org, body)["Options"].append(_option(body["option"]))


def _rename_category(org, body):
    _category(org, body)["Name"] = body["new_name"]


def _set_category_status(status):
    return lambda org, body: _category(org, body).update(Status=status)


def _rename_option(org, body):
    _named(_category(org, body)["Options"], body["option"])["Name"] = body["new_name"]


def _set_option_status(status):
    return lambda org, body: _named(_category(org, body)["Options"], body["option"]).update(
        Status=status
    )


def _on_document(name, kind, member, named):
    return {
        f"add_{name}": _add(kind),
        f"edit_{name}": _edit(kind, named),
        f"annotate_{name}": _annotate(kind, named),
        f"approve_{name}": _approve(kind, named),
        f"void_{name}": _void(kind, named),
        f"pay_{name}": _pay(kind, member, named),
    }


ACTS = {
    "add_contact": _add_contact,
    "edit_contact": _edit_contact,
    "rename_contact": _rename_contact,
    "archive_contact": _set_contact_status("ARCHIVED"),
    "restore_contact": _set_contact_status("ACTIVE"),
    "gdpr_request": _set_contact_status("GDPRREQUEST"),
    "merge_contact": _merge_contact,
    **_on_document("invoice", INVOICE, "Invoice", _invoice),
    **_on_document("credit_note", NOTE, "CreditNote", _note),
    "delete_payment": _delete_payment,
    "allocate_credit_note": _allocate,
    "delete_allocation": _deallocate,
    "archive_account": _set_account_status("ARCHIVED"),
    "restore_account": _set_account_status("ACTIVE"),
    "archive_tax_rate": _set_tax_rate_status("DELETED"),
    "restore_tax_rate": _set_tax_rate_status("ACTIVE"),
    "add_item": _add_item,
    "edit_item": _edit_item,
    "track_item": _track_item,
    "add_tracking_category": _add_category,
    "rename_tracking_category": _rename_category,
    "archive_tracking_category": _set_category_status("ARCHIVED"),
    "restore_tracking_category": _set_category_status("ACTIVE"),
    "add_tracking_option": _add_option,
    "rename_tracking_option": _rename_option,
    "archive_tracking_option": _set_option_status("ARCHIVED"),
    "restore_tracking_option": _set_option_status("ACTIVE"),
}
