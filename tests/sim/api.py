"""The accounting API as a whole.

Owns: what happens to a call before and after the rules: token, organisation, scope, limits, faults,
Idempotency-Key, and Xero's answers when one of them says no. The resources are resources.py's.
"""

import jsontext
from calls import Answer, json_answer
from errors import NotFound, Refusal, forbidden, server_error, token_expired, unauthorized
from faults import element_message
from idempotency import LONGEST, OTHER, REPLAY, RUNNING
from resources import Resources

ROOT = "/api.xro/2.0/"
_SETTINGS = ("accounting.settings", "accounting.settings.read")
_SCOPES = {
    "Invoices": ("accounting.invoices",),
    "CreditNotes": ("accounting.invoices",),
    "Contacts": ("accounting.contacts",),
    "Payments": ("accounting.payments",),
    "Items": ("accounting.invoices", "accounting.settings"),
}


class Accounting:
    def __init__(self, clock, identity, limits, memory, faults, ledger, organisations):
        self._clock = clock
        self._identity = identity
        self._limits = limits
        self._memory = memory
        self._faults = faults
        self._ledger = ledger
        self._organisations = organisations
        self._resources = Resources(ledger)

    def handle(self, call):
        entry = call.entry
        token = self._identity.bearer(call.headers.get("Authorization"))
        if token is None:
            return json_answer(401, unauthorized("AuthenticationUnsuccessful"))
        entry["client"] = token.client
        if self._clock.now() >= token.expires:
            return json_answer(401, token_expired(token.expires))
        tenant = self._identity.tenant_of(token, call.headers.get("Xero-Tenant-Id"))
        if tenant is None:
            return json_answer(403, forbidden())
        entry["tenant"] = tenant
        if not _in_scope(token, call):
            return json_answer(
                401,
                unauthorized("AuthorizationUnsuccessful"),
                {"WWW-Authenticate": 'Bearer error="insufficent_scope"'},
            )
        verdict = self._limits.enter(token.client, tenant)
        if verdict.problem:
            self._ledger.violation(f"limit_{verdict.problem}", entry)
            return Answer(429, b"", verdict.headers, "")
        try:
            entry["in_flight"] = self._limits.in_flight(token.client, tenant)
            answer = self._limited(call, token.client, tenant)
        finally:
            self._limits.leave(token.client, tenant)
        return Answer(
            answer.status, answer.body, {**verdict.headers, **answer.headers}, answer.kind
        )

    def _limited(self, call, client, tenant):
        """Runs a call that may run, once for each Idempotency-Key."""
        fault = self._faults.take(call.method, call.path, tenant, call.body or b"")
        if fault:
            call.entry["fault"] = fault["fault"]
        key = call.headers.get("Idempotency-Key")
        if key is None or call.method not in ("POST", "PUT", "PATCH"):
            return self._faults.play(fault, lambda: self._run(call, tenant, fault))
        call.entry["idempotency_key"] = key
        if len(key) > LONGEST:
            return json_answer(
                400, Refusal(10, f"The Idempotency-Key must be at most {LONGEST} characters.").body
            )
        state, stored = self._memory.begin(
            client, key, (call.method, call.target, tenant, call.body_sha1())
        )
        if state == REPLAY:
            call.entry["replayed"] = True
            return self._faults.play(fault, lambda: stored)
        if state == OTHER:
            self._ledger.violation("key_reused", call.entry, key)
            return json_answer(
                400, Refusal(10, f"Idempotency Key: {key} is used with a different request.").body
            )
        if state == RUNNING:
            self._ledger.violation("key_in_flight", call.entry, key)
            return json_answer(500, server_error())
        return self._first_of_key(call, client, tenant, fault, key)

    def _first_of_key(self, call, client, tenant, fault, key):
        finished = []

        def finish(answer):
            self._memory.finish(client, key, answer)
            finished.append(answer)
            return answer

        try:
            return self._faults.play(fault, lambda: finish(self._run(call, tenant, fault)), finish)
        finally:
            if not finished:
                self._memory.forget(client, key)

    def _run(self, call, tenant, fault):
        """The rules, and Xero's words where they refuse."""
        org = self._organisations[tenant]
        if "application/json" not in call.headers.get("Accept", ""):
            self._ledger.violation("accept", call.entry, "Xero would answer in XML")
            return Answer(
                200,
                b"<Response><!-- ask for application/json --></Response>",
                None,
                "text/xml; charset=utf-8",
            )
        try:
            with org.lock:
                status, answer = self._resources.run(
                    org, call, lambda index, element: element_message(fault, index, element)
                )
        except Refusal as refusal:
            if refusal.number != 10:
                self._ledger.violation("schema", call.entry, str(refusal))
            return json_answer(400, refusal.body)
        except NotFound:
            return Answer(404)
        if status == 500:
            return json_answer(500, server_error())
        if answer is None:
            return Answer(status)
        envelope = {
            "Id": jsontext.new_guid(),
            "Status": "OK",
            "ProviderName": "ledgerhook",
            "DateTimeUTC": jsontext.ms_time(self._clock.now(), ""),
        }
        return json_answer(status, {**envelope, **answer})


def _in_scope(token, call):
    resource = call.segments[2] if len(call.segments) > 2 else ""
    wanted = _SCOPES.get(resource, _SETTINGS)
    if call.method == "GET":
        wanted = wanted + tuple(scope + ".read" for scope in wanted)
    return bool(token.scopes & set(wanted))
