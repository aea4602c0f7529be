"""The simulator of Xero in this process, for one order after another, and the books that it then
holds of the order.
"""

import pathlib
import sys

SIM = str(pathlib.Path(__file__).resolve().parents[1] / "sim")
if SIM not in sys.path:
    sys.path.insert(1, SIM)  # before what is installed

import inprocess  # noqa: E402
import jsontext  # noqa: E402
from documents import INVOICE, NOTE, amounts, settled  # noqa: E402

import truth  # noqa: E402
from model import ZERO  # noqa: E402

QUERY = {"summarizeErrors": "false"}


class Refused(Exception):
    """Xero's words."""


class Xero:
    """An organisation with one buyer; a fresh one every few hundred orders keeps it small."""

    def __init__(self):
        self.sim = inprocess.Xero()
        self.org = self.sim.org
        self.contact = self.send("PUT", "Contacts", "Contacts", [{"Name": "Buyer"}])[0]["ContactID"]

    def send(self, method, path, wrapper, elements):
        """Elements as Xero shows them; Refused with its words if one does not pass."""
        query = {**QUERY, "unitdp": "4"} if path == wrapper in ("Invoices", "CreditNotes") else QUERY
        status, answer = self.sim.apply(method, path, query, {wrapper: elements})
        told = [m["Message"] for one in (answer or {}).get(wrapper, []) for m in one.get("ValidationErrors", [])]
        if status != 200 or told or self.sim.violations:
            raise Refused(f"{method} {path}: {status} {told or answer} {self.sim.violations} for "
                          + jsontext.text(elements))
        return answer[wrapper]

    def write_document(self, row):
        """A document as the builder hands it out."""
        wrapper = "CreditNotes" if row["credit"] else "Invoices"
        return self.send("PUT" if row["action"] == "create" else "POST", wrapper, wrapper, [row["element"]])[0]

    def status_of(self, document_id):
        document = self.org.invoices.get(document_id) or self.org.credit_notes.get(document_id)
        return document["Status"]


def read_books(org, included, ids):
    """The books of the documents IDS: (truth.Books, what is open on invoices, on credit notes)."""
    held = truth.Books()
    open_invoices = open_notes = ZERO
    for document_id in ids:
        kind, sign = (INVOICE, 1) if document_id in org.invoices else (NOTE, -1)
        document = kind.table(org)[document_id]
        if document["Status"] in ("VOIDED", "DELETED"):
            continue
        for line in document["lines"]:
            held.add((line["AccountCode"], line["TaxType"]), sign * line["LineAmount"], sign * line["TaxAmount"])
        paid = sum((p["Amount"] for p in (settled(org, document, kind) or ((), ()))[0]), ZERO)
        due = amounts(org, document, kind)[2]
        held.paid += sign * paid
        held.due += sign * due
        if kind is INVOICE:
            open_invoices += due
        else:
            open_notes += due
    return held, open_invoices, open_notes
