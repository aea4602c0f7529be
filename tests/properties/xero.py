"""The simulator of Xero in this process, for one order after another, and the books that it then
holds of the order.
"""

import pathlib
import sys

SIM = str(pathlib.Path(__file__).resolve().parents[1] / "sim")
if SIM not in sys.path:
    sys.path.append(SIM)

import jsontext  # noqa: E402
from books import Organisation  # noqa: E402
from calls import Call  # noqa: E402
from clock import Clock  # noqa: E402
from documents import INVOICE, NOTE, amounts, settled  # noqa: E402
from ledger import Ledger  # noqa: E402
from resources import Resources  # noqa: E402

import truth  # noqa: E402
from model import ZERO  # noqa: E402

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Refused(Exception):
    """Xero's words."""


class Xero:
    """An organisation; a fresh one every few hundred orders keeps it small."""

    def __init__(self):
        clock = Clock()
        self.org = Organisation("props", "Properties", clock)
        self.ledger = Ledger(clock)
        self.resources = Resources(self.ledger)
        self.contact = self.send("PUT", "Contacts", "Contacts", [{"Name": "Buyer"}])[0]["ContactID"]

    def send(self, method, path, wrapper, elements):
        """Elements as Xero shows them; Refused with its words if one does not pass."""
        call = Call(method, f"/api.xro/2.0/{path}?summarizeErrors=false&unitdp=4", HEADERS,
                    jsontext.text({wrapper: elements}).encode())
        call.entry = {"n": 0, "tenant": None, "client": None, "method": method, "path": path}
        status, answer = self.resources.run(self.org, call, lambda index, element: None)
        told = [m["Message"] for one in (answer or {}).get(wrapper, []) for m in one.get("ValidationErrors", [])]
        if status != 200 or told:
            raise Refused(f"{method} {path}: {status} {told} {jsontext.text(elements)}")
        return answer[wrapper]

    def write_document(self, row):
        """A document as the builder hands it out."""
        path, wrapper = ("CreditNotes",) * 2 if row["credit"] else ("Invoices",) * 2
        method = "PUT" if row["action"] == "create" else "POST"
        return self.send(method, path, wrapper, [row["element"]])[0]

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
