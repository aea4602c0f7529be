"""The simulator as a whole: all parts with one state, and the way from an address to the part.

Owns: building and resetting the state, and routing between identity, accounting, the shops' side
and control.
"""

import os
import threading

import defaults
from api import ROOT, Accounting
from books import Organisation
from calls import Answer, json_answer
from clock import Clock
from control import Control
from errors import token_expired, unauthorized
from faults import Faults
from idempotency import Memory
from identity import Identity, IdentityError
from ledger import Ledger
from limits import Limits
from record import Record
from shops import Shops


class Simulator:
    def __init__(self):
        self._lock = threading.Lock()
        self.clock = Clock()
        self.faults = Faults()
        self.record = Record(os.environ.get("LH_SIM_RECORD"))
        self.shops = None
        self.reset()
        self._control = Control(self)

    def reset(self):
        """Fresh books, apps, ledger and clock; held calls end without an answer."""
        with self._lock:
            self.faults.clear(abandon=True)
            self.clock.reset()
            self.ledger = Ledger(self.clock)
            self.limits = Limits(self.clock)
            self.identity = Identity(self.clock)
            if self.shops:
                self.shops.close()
            self.shops = Shops(self.clock, self.ledger)
            self.organisations = {}
            for client in defaults.CLIENTS:
                self._register(client)
            self._accounting = Accounting(
                self.clock,
                self.identity,
                self.limits,
                Memory(self.clock),
                self.faults,
                self.ledger,
                self.organisations,
            )

    def register(self, client):
        with self._lock:
            self._register(client)

    def _register(self, client):
        for tenant in client.get("tenants") or []:
            key = tenant["tenant_id"] = tenant["tenant_id"].lower()
            if key not in self.organisations:
                self.organisations[key] = Organisation(key, tenant["name"], self.clock)
        self.identity.register(client)

    def first_tenant(self):
        return next(iter(self.organisations))

    def handle(self, call):
        """The answer to a call; may raise calls.Drop or calls.Hang."""
        if call.segments[0] == "_sim":
            return self._control.handle(call)
        call.entry = self.ledger.open(
            method=call.method,
            path=call.path,
            query=call.target.partition("?")[2],
            body_sha1=call.body_sha1(),
            bytes=len(call.body),
        )
        try:
            answer = self._route(call)
        except BaseException as error:
            call.entry["status"] = type(error).__name__.lower()
            raise
        finally:
            call.entry["ended"] = round(self.clock.now(), 3)
        call.entry["status"] = answer.status
        return answer

    def _route(self, call):
        if call.path.startswith(ROOT):
            self.record.write(call)
            return self._accounting.handle(call)
        answer = self.shops.answer(call, self.faults)
        if answer is not None:
            return answer
        fault = self.faults.take(call.method, call.path, None)
        if fault:
            call.entry["fault"] = fault["fault"]
        return self.faults.play(fault, lambda: self._identity_call(call))

    def _identity_call(self, call):
        where = (call.method, "/" + "/".join(call.segments[:2]))
        try:
            if where == ("POST", "/connect/token"):
                return self._token(call)
            if where == ("POST", "/connect/revocation"):
                self.identity.revoke_token(call.headers.get("Authorization"), call.form())
                return Answer(200)
            if call.path == "/identity/connect/authorize" and call.method == "GET":
                return Answer(302, b"", {"Location": self.identity.authorize(call.query)})
        except IdentityError as error:
            if call.method == "GET":
                return Answer(500, f"<html><body>Error: {error}</body></html>".encode())
            return json_answer(400, {"error": str(error)})
        if call.segments[0] == "connections":
            return self._connections(call)
        return Answer(404)

    def _token(self, call):
        if "application/x-www-form-urlencoded" not in call.headers.get("Content-Type", ""):
            return json_answer(400, {"error": "invalid_request"})
        client, answer = self.identity.token(call.headers.get("Authorization"), call.form())
        call.entry["client"] = client
        call.entry["grant_type"] = call.form().get("grant_type")
        return json_answer(200, answer, {"Cache-Control": "no-store"})

    def _connections(self, call):
        token = self.identity.bearer(call.headers.get("Authorization"))
        if token is None:
            return json_answer(401, unauthorized("AuthenticationUnsuccessful"))
        if self.clock.now() >= token.expires:
            return json_answer(401, token_expired(token.expires))
        call.entry["client"] = token.client
        headers = {"X-AppMinLimit-Remaining": "9999"}
        if call.method == "GET" and len(call.segments) == 1:
            found = self.identity.list_connections(token, call.query.get("authEventId"))
            return json_answer(200, found, headers)
        if call.method == "DELETE" and len(call.segments) == 2:
            return Answer(204 if self.identity.delete_connection(token, call.segments[1]) else 404)
        return Answer(404)
