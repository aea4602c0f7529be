"""The control under /_sim/.

Owns: what tests use to set a scene and to look at the result: reset, books, ledger, violations,
apps, organisations, faults, and the clock. Amounts in its answers are decimal text. What a person
does in Xero is acts.py's, the shops' side shops_control.py's.
"""

import datetime
from decimal import Decimal

import acts
import documents
import jsontext
from calls import json_answer
from documents import INVOICE, NOTE
from errors import Invalid, NotFound, Refusal
from shops_control import ShopsControl


class Control(ShopsControl):
    def __init__(self, simulator):
        self._sim = simulator

    def handle(self, call):
        name = "_".join(call.segments[1:])
        action = getattr(self, f"_{call.method.lower()}_{name}", None)
        if action is None:
            return json_answer(404, {"error": f"no {call.method} {call.path}"})
        try:
            body = jsontext.parse(call.body) if call.body else {}
            result = action(body if call.method in ("POST", "PUT") else call.query)
        except Invalid as invalid:
            return json_answer(422, {"error": invalid.messages})
        except (KeyError, ValueError, TypeError, OSError, NotFound, Refusal) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})
        return json_answer(200, {"ok": True} if result is None else _texts(result))

    def _org(self, tenant):
        return self._sim.organisations[tenant.lower() if tenant else self._sim.first_tenant()]

    # -- looking ----------------------------------------------------------------------------------

    def _get_health(self, _query):
        return {
            "ok": True,
            "tenants": list(self._sim.organisations),
            "time": str(self._sim.clock.now()),
        }

    def _get_books(self, query):
        return books(self._org(query.get("tenant")))

    def _get_calls(self, query):
        return {"calls": self._sim.ledger.calls(int(query.get("since", 0)))}

    def _get_violations(self, _query):
        return {"violations": self._sim.ledger.violations()}

    def _get_held(self, _query):
        return {"held": self._sim.faults.held()}

    def _get_faults(self, _query):
        return {"faults": self._sim.faults.listed()}

    # -- setting the scene ------------------------------------------------------------------------

    def _post_reset(self, _body):
        self._sim.reset()

    def _post_clients(self, body):
        self._sim.register(body)

    def _post_record(self, body):
        self._sim.record.to(body["path"])

    def _post_clock(self, body):
        return {"time": str(self._sim.clock.advance(float(body["advance_seconds"])))}

    def _post_faults(self, body):
        self._sim.faults.add(
            {
                name: float(value) if isinstance(value, Decimal) else value
                for name, value in body.items()
            }
        )

    def _delete_faults(self, _query):
        self._sim.faults.clear()

    def _post_release(self, body):
        return {"released": self._sim.faults.release(bool(body.get("abandon")))}

    def _post_organisation(self, body):
        org = self._org(body.get("tenant"))
        known = {
            "tenant",
            "period_lock_date",
            "end_of_year_lock_date",
            "accounts",
            "tax_rates",
            "currencies",
            "approval_limit",
            "timezone",
            "limits",
            "day_limit",
            "day_remaining",
        }
        if set(body) - known:
            raise ValueError(f"unknown members {sorted(set(body) - known)}")
        with org.lock:
            for name in ("period_lock_date", "end_of_year_lock_date"):
                if name in body:
                    day = body[name]
                    setattr(org, name, datetime.date.fromisoformat(day) if day else None)
            for name in ("approval_limit", "timezone"):
                if name in body:
                    setattr(org, name, body[name])
            for account in body.get("accounts", ()):
                org.upsert_account(account)
            for rate in body.get("tax_rates", ()):
                org.upsert_tax_rate(rate)
            if "currencies" in body:
                org.currencies = {
                    code: org.currencies.get(code, code) for code in body["currencies"]
                }
        self._sim.limits.set(
            org.tenant_id, body.get("limits"), body.get("day_limit"), body.get("day_remaining")
        )

    # -- a person in Xero -------------------------------------------------------------------------

    def _post_act(self, body):
        org = self._org(body.get("tenant"))
        connection = getattr(self, f"_act_{body.get('do')}", None)
        return connection(org, body) if connection else acts.do(org, body)

    def _act_disconnect(self, org, body):
        self._sim.identity.disconnect(org.tenant_id, body.get("client_id"))

    def _act_connect(self, org, body):
        self._sim.identity.connect(body["client_id"], org.tenant_id)

    def _act_expire_tokens(self, org, _body):
        self._sim.identity.expire_tokens(org.tenant_id)

    def _act_revoke(self, org, _body):
        self._sim.identity.revoke(org.tenant_id)


def books(org):
    """Everything in an organisation's books, in Xero's member names."""
    with org.lock:
        return {
            "contacts": [{**contact, "updated": None} for contact in org.contacts.values()],
            "invoices": [_book(org, INVOICE, one) for one in org.invoices.values()],
            "credit_notes": [_book(org, NOTE, one) for one in org.credit_notes.values()],
            "payments": [_payment(org, one) for one in org.payments.values()],
            "history": {
                key: [note["Details"] for note in notes] for key, notes in org.history.items()
            },
        }


def _book(org, kind, document):
    paid, credited, due = documents.amounts(org, document, kind)
    contact = org.contacts[document["ContactID"]]
    found, allocations = documents.settled(org, document, kind) or ((), ())
    shown = {
        name: value
        for name, value in document.items()
        if name not in ("lines", "updated", "FullyPaidOn")
    }
    return {
        **shown,
        "ContactName": contact["Name"],
        "ContactNumber": contact.get("ContactNumber"),
        "AmountPaid": paid,
        "AmountCredited": credited,
        "AmountDue" if kind is INVOICE else "RemainingCredit": due,
        "LineItems": [
            {name: value for name, value in line.items() if name != "TaxOverridden"}
            for line in document["lines"]
        ],
        "Payments": [_payment(org, one) for one in found],
        "Allocations": list(allocations),
    }


def _payment(org, payment):
    kind = INVOICE if payment["PaymentType"] == "ACCRECPAYMENT" else NOTE
    target = kind.table(org)[payment["target"]]
    shown = {name: value for name, value in payment.items() if name not in ("target", "updated")}
    return {
        **shown,
        "AccountCode": org.accounts[payment["AccountID"]].get("Code"),
        kind.id: payment["target"],
        kind.number: target[kind.number],
    }


def _texts(value):
    """Decimals and dates as text, all else as it is."""
    if isinstance(value, dict):
        return {name: _texts(member) for name, member in value.items() if name != "updated"}
    if isinstance(value, (list, tuple)):
        return [_texts(member) for member in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return Decimal(str(value))
    return value
