"""Xero's books without the server: for tests that run so many orders that HTTP would be the test.

    xero = inprocess.Xero()
    status, answer = xero.apply("PUT", "Invoices", {"summarizeErrors": "false"}, body)
    xero.act("pay_invoice", invoice_number="S-1")
    xero.books()["invoices"]

Owns: the way from a call to the rules and back with neither tokens, limits, faults, idempotency nor
JSON text in between. The rules are the same ones. Not thread safe: one for each process.
"""

import jsontext
from acts import do
from books import Organisation
from clock import Clock
from control import books
from defaults import TENANT
from errors import NotFound, Refusal
from resources import Resources


class _Call:
    """What the rules look at of a call."""

    def __init__(self, method, path, query, parsed):
        self.method = method
        self.segments = ["api.xro", "2.0", *path.split("/")]
        self.query = query
        self.parsed = parsed
        self.headers = {}
        self.entry = {}


class Xero:
    """One organisation."""

    def __init__(self, name="Demo Company (UK)"):
        self.clock = Clock()
        self.org = Organisation(TENANT, name, self.clock)
        self.violations = (
            []
        )  # (kind, detail): unknown parameters and bodies that the parser refused
        self._resources = Resources(self)

    def apply(self, method, path, query=None, body=None):
        """(HTTP status, answer as a dict or None) of a call to `path` below /api.xro/2.0/. `query`
        maps names to texts. `body` is a dict whose numbers are int or Decimal, or JSON text. The
        answer shares no parts with the books that the caller could change, but for settings."""
        if isinstance(body, (bytes, str)):
            body = jsontext.parse(body)
        call = _Call(method, path, query or {}, body)
        try:
            return self._resources.run(self.org, call, None)
        except Refusal as refusal:
            if refusal.number != 10:
                self.violations.append(("schema", str(refusal)))
            return 400, refusal.body
        except NotFound:
            return 404, None

    def act(self, name, **members):
        """What a person does in Xero (acts.py); raises errors.Invalid where the rules forbid it."""
        return do(self.org, {"do": name, **members})

    def books(self):
        """Everything in the books, in Xero's names; amounts are Decimals, days are dates."""
        return books(self.org)

    def violation(self, kind, _entry, detail=None):
        """For Resources, which writes down what a client must never do."""
        self.violations.append((kind, detail))
