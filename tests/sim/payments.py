"""Payments and allocations.

Owns: putting money on invoices and credit notes, applying credit notes to invoices, taking both
back, look-ups, and what Xero shows of a payment. Nothing here makes a payment unique: Xero does not
either.
"""

from decimal import Decimal

import defaults
import jsontext
import money
import schema
from books import new_id
from documents import INVOICE, NOTE, amounts, by_number, settle
from errors import Invalid, NotFound, Refusal, messages

_EXCEEDS = "Payment amount exceeds the amount outstanding on this document"


def put(org, element):
    """A new payment on an invoice or credit note."""
    kind, document = _target(org, element)
    account, found = _account(org, element)
    found += schema.too_long(element, "Payment")
    amount = money.cents(Decimal(element.get("Amount") or 0))
    day = jsontext.parse_date(element["Date"]) if element.get("Date") else org.today()
    if amount <= 0:
        found.append("The payment amount must be greater than zero.")
    if document["Status"] != "AUTHORISED":
        found.append("Payments can only be made against Authorised documents")
    if amount > amounts(org, document, kind)[2] or document["Status"] == "PAID":
        found.append(_EXCEEDS)
    found += org.lock_messages(day)
    currency = account and account.get("CurrencyCode")
    if currency and currency not in (document["CurrencyCode"], org.base_currency):
        found.append(f"The currency of the bank account ({currency}) does not match the document.")
    if found:
        raise Invalid(*found)
    payment = {
        "PaymentID": new_id(),
        "Date": day,
        "Amount": amount,
        "Status": "AUTHORISED",
        "Reference": element.get("Reference") or "",
        "AccountID": account["AccountID"],
        "IsReconciled": bool(element.get("IsReconciled")),
        "target": document[kind.id],
        "PaymentType": "ACCRECPAYMENT" if kind is INVOICE else "ARCREDITPAYMENT",
        "CurrencyRate": Decimal(element.get("CurrencyRate") or document["CurrencyRate"]),
        "updated": org.stamp(),
    }
    org.set(org.payments, payment["PaymentID"], payment)
    org.add(org.settled_by, document[kind.id], payment["PaymentID"])
    settle(org, kind, document[kind.id])
    return render(org, payment)


def post(org, element, payment_id=None):
    """POST: Status DELETED takes a payment back; without an id it is a new payment."""
    payment_id = payment_id or element.get("PaymentID")
    if not payment_id:
        return put(org, element)
    payment = org.payments.get(payment_id.lower())
    if payment is None:
        raise NotFound
    echo = {"PaymentID": payment["PaymentID"]}
    if element.get("Status") != "DELETED":
        raise Invalid("Payments cannot be edited, only deleted.", echo=echo)
    if payment["Status"] == "DELETED":
        raise Invalid("This payment has already been deleted.", echo=echo)
    if payment["IsReconciled"]:
        raise Invalid("This payment has been reconciled and cannot be deleted", echo=echo)
    found = org.lock_messages(payment["Date"])
    if found:
        raise Invalid(*found, echo=echo)
    payment = {**payment, "Status": "DELETED", "updated": org.stamp()}
    org.set(org.payments, payment["PaymentID"], payment)
    settle(org, _kind_of(payment), payment["target"])
    return render(org, payment)


def _target(org, element):
    invoice, note = element.get("Invoice") or {}, element.get("CreditNote") or {}
    if invoice and note:
        raise Invalid("A payment can be made against one document only.")
    for kind, table, document_id, number in (
        (
            INVOICE,
            org.invoices,
            invoice.get("InvoiceID"),
            invoice.get("InvoiceNumber") or element.get("InvoiceNumber"),
        ),
        (
            NOTE,
            org.credit_notes,
            note.get("CreditNoteID"),
            note.get("CreditNoteNumber") or element.get("CreditNoteNumber"),
        ),
    ):
        document = table.get(document_id.lower()) if document_id else None
        if not document_id and number:
            document = by_number(org, kind, number)
        if document:
            return kind, document
    raise Invalid("Document could not be found")


def _account(org, element):
    """(account, what is wrong with it)."""
    wanted = element.get("Account") or {}
    code = wanted.get("Code") or element.get("Code")
    if not code and not wanted.get("AccountID"):
        return None, ["You must specify an Account code or Account ID for the payment."]
    account = org.account(code, wanted.get("AccountID"))
    if account is None or account["Status"] != "ACTIVE":
        return None, ["Account could not be found"]
    if account["Type"] != "BANK" and not account["EnablePaymentsToAccount"]:
        return account, ["Account type is invalid for making a payment to/from."]
    return account, []


def _kind_of(payment):
    return INVOICE if payment["PaymentType"] == "ACCRECPAYMENT" else NOTE


# -- allocations ----------------------------------------------------------------------------------


def allocate(org, note_id, element):
    """Applies part of a credit note to an invoice."""
    note = org.credit_notes[note_id]
    wanted = element.get("Invoice") or {}
    invoice = org.invoices.get((wanted.get("InvoiceID") or "").lower())
    if not wanted.get("InvoiceID") and wanted.get("InvoiceNumber"):
        invoice = by_number(org, INVOICE, wanted["InvoiceNumber"])
    if invoice is None:
        raise Invalid("Document could not be found")
    found = []
    if not element.get("Date"):
        found.append("The allocation Date must be specified.")
    day = jsontext.parse_date(element["Date"]) if element.get("Date") else org.today()
    amount = money.cents(Decimal(element.get("Amount") or 0))
    if amount <= 0:
        found.append("The allocation amount must be greater than zero.")
    if note["Status"] != "AUTHORISED" or invoice["Status"] != "AUTHORISED":
        found.append("Credit notes can only be allocated between Authorised documents")
    if amount > amounts(org, note, NOTE)[2]:
        found.append("The amount allocated exceeds the credit remaining on this credit note")
    if amount > amounts(org, invoice, INVOICE)[2]:
        found.append("The amount allocated exceeds the amount outstanding on this document")
    if note["CurrencyCode"] != invoice["CurrencyCode"] or note["ContactID"] != invoice["ContactID"]:
        found.append(
            "A credit note can only be allocated to an invoice of the same contact and currency"
        )
    found += org.lock_messages(day)
    if found:
        raise Invalid(*found)
    allocation = {
        "AllocationID": new_id(),
        "Amount": amount,
        "Date": day,
        "CreditNoteID": note_id,
        "InvoiceID": invoice["InvoiceID"],
    }
    org.set(org.allocations, allocation["AllocationID"], allocation)
    for kind, document_id in ((NOTE, note_id), (INVOICE, invoice["InvoiceID"])):
        org.add(org.settled_by, document_id, allocation["AllocationID"])
        settle(org, kind, document_id)
    return render_allocation(org, allocation)


def deallocate(org, note_id, allocation_id):
    """Takes an allocation back: both documents are due again by its amount."""
    allocation = org.allocations.get(allocation_id.lower())
    if allocation is None or allocation["CreditNoteID"] != note_id:
        raise NotFound
    found = org.lock_messages(allocation["Date"])
    if found:
        shown = render_allocation(org, allocation)
        raise Refusal(10, elements=[{**shown, "ValidationErrors": messages(found)}])
    org.drop(org.allocations, allocation["AllocationID"])
    for document_id in (note_id, allocation["InvoiceID"]):
        org.remove(org.settled_by, document_id, allocation["AllocationID"])
    settle(org, NOTE, note_id)
    settle(org, INVOICE, allocation["InvoiceID"])
    return {**render_allocation(org, allocation), "IsDeleted": True}


def render_allocation(org, allocation):
    invoice = org.invoices[allocation["InvoiceID"]]
    return {
        "AllocationID": allocation["AllocationID"],
        "Amount": allocation["Amount"],
        "Date": jsontext.ms_date(allocation["Date"]),
        "Invoice": {"InvoiceID": invoice["InvoiceID"], "InvoiceNumber": invoice["InvoiceNumber"]},
    }


# -- reading --------------------------------------------------------------------------------------


def index(org, name, value):
    """The ids of the payments that have this (lower-case) value; None when no index knows."""
    if name == "PaymentID":
        return (value,)
    if name in ("Invoice.InvoiceID", "CreditNote.CreditNoteID"):
        return org.settled_by.get(value, ())
    return None


def field(org, payment, name):
    kind = _kind_of(payment)
    target = kind.table(org)[payment["target"]]
    if name.startswith(("Invoice.", "CreditNote.")):
        return target.get(name.partition(".")[2])
    return payment.get(name)


def render(org, payment):
    kind = _kind_of(payment)
    target = kind.table(org)[payment["target"]]
    account = org.accounts[payment["AccountID"]]
    contact = org.contacts[target["ContactID"]]
    answer = {
        "PaymentID": payment["PaymentID"],
        "Date": jsontext.ms_date(payment["Date"]),
        "Amount": payment["Amount"],
        "BankAmount": _bank_amount(org, payment, target, account),
        "Reference": payment["Reference"],
        "CurrencyRate": payment["CurrencyRate"],
        "PaymentType": payment["PaymentType"],
        "Status": payment["Status"],
        "UpdatedDateUTC": jsontext.ms_time(payment["updated"]),
        "HasAccount": True,
        "IsReconciled": payment["IsReconciled"],
        "Account": {
            "AccountID": account["AccountID"],
            "Code": account.get("Code"),
            "Name": account["Name"],
        },
        "HasValidationErrors": False,
    }
    answer["Invoice" if kind is INVOICE else "CreditNote"] = {
        "Type": target["Type"],
        kind.id: target[kind.id],
        kind.number: target[kind.number],
        "CurrencyCode": target["CurrencyCode"],
        "Contact": {"ContactID": contact["ContactID"], "Name": contact["Name"]},
    }
    return answer


def _bank_amount(org, payment, target, account):
    bank = account.get("CurrencyCode") or org.base_currency
    if bank == target["CurrencyCode"]:
        return payment["Amount"]
    rate = payment["CurrencyRate"] or defaults.DAY_RATES.get(target["CurrencyCode"], Decimal(1))
    return money.cents(payment["Amount"] / rate)
