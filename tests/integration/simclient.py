"""A client of the simulator of Xero for its own tests, and fixtures that start one for a module."""

import base64
import gzip
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from decimal import Decimal

import pytest

SIM = pathlib.Path(__file__).resolve().parents[1] / "sim"
API = "/api.xro/2.0/"
TENANT = "8e1f3d52-6c1a-4b7e-9d55-0c2f6a7b9e10"
TENANT_2 = "b7c40a9e-2f5d-4c86-8a31-5e9d0f7c1a24"
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
UNKNOWN = "11111111-2222-3333-4444-555555555555"
VERDICTS = "?summarizeErrors=false"
EACH = "?summarizeErrors=false&unitdp=4"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()
        text = (
            gzip.decompress(self.raw)
            if self.headers.get("Content-Encoding") == "gzip"
            else self.raw
        )
        is_json = (self.headers.get("Content-Type") or "").startswith("application/json")
        self.json = json.loads(text, parse_float=Decimal) if is_json and text else None


class Sim:
    """One simulator and one signed-in app."""

    def __init__(self, url, ready):
        self.url = url
        self.ready = ready
        self.address = urllib.parse.urlsplit(url).netloc
        self.local = threading.local()
        self.token = None

    def call(self, method, target, body=None, headers=None):
        """A call on this thread's kept-alive connection."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection(
                self.address, timeout=10
            )
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, target, data, headers or {})
            return Reply(connection.getresponse())
        except Exception:
            connection.close()
            raise

    def control(self, method, target, body=None):
        reply = self.call(method, "/_sim/" + target, body)
        assert reply.status == 200, reply.raw
        return reply.json

    def sign_in(self, client="demo-client", secret="demo-secret", **form):
        return self.call(
            "POST",
            "/connect/token",
            urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode(),
            {
                "Authorization": basic(client, secret),
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    def xero(self, method, target, body=None, key=None, **headers):
        given = {"Authorization": "Bearer " + self.token, "Accept": "application/json"}
        if body is not None:
            given["Content-Type"] = "application/json"
        if key:
            given["Idempotency-Key"] = key
        given.update((name.replace("_", "-"), value) for name, value in headers.items())
        return self.call(method, API + target, body, given)

    def contact(self, **fields):
        fields = {"Name": "Ann Example", "ContactNumber": "c-1", **fields}
        reply = self.xero("PUT", "Contacts" + VERDICTS, {"Contacts": [fields]})
        assert reply.json["Contacts"][0]["StatusAttributeString"] == "OK", reply.raw
        return reply.json["Contacts"][0]["ContactID"]

    def invoice(self, contact, query=EACH, verb="PUT", path="Invoices", **fields):
        element = invoice(contact, **fields)
        return self.xero(verb, path + query, {"Invoices": [element]}).json["Invoices"][0]

    def pay(self, invoice_id, amount, **fields):
        element = {
            "Invoice": {"InvoiceID": invoice_id},
            "Account": {"Code": "090"},
            "Date": "2026-11-02",
            "Amount": float(amount),
            "Reference": "t1",
            **fields,
        }
        return self.xero("PUT", "Payments" + VERDICTS, {"Payments": [element]}).json["Payments"][0]

    def wait(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come"
            time.sleep(0.002)


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def line(**fields):
    return {
        "Description": "Mug",
        "Quantity": 1,
        "UnitAmount": 10,
        "AccountCode": "200",
        "TaxType": "OUTPUT2",
        **fields,
    }


def invoice(contact, **fields):
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-01",
        "DueDate": "2026-11-15",
        "InvoiceNumber": "S-1",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **fields,
    }


def messages(element):
    return [error["Message"] for error in element.get("ValidationErrors", [])]


def note(sim, contact, **fields):
    element = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-03",
        "CreditNoteNumber": "S-1-R1",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **fields,
    }
    return sim.xero("PUT", "CreditNotes" + EACH, {"CreditNotes": [element]}).json["CreditNotes"][0]


def allocate(sim, note_id, invoice_id, amount):
    body = {
        "Allocations": [
            {"Invoice": {"InvoiceID": invoice_id}, "Amount": amount, "Date": "2026-11-03"}
        ]
    }
    return sim.xero("PUT", f"CreditNotes/{note_id}/Allocations?summarizeErrors=false", body).json[
        "Allocations"
    ][0]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    ready = tmp_path_factory.mktemp("sim") / "url"
    process = subprocess.Popen(
        [sys.executable, "-B", str(SIM / "main.py"), "--ready-file", str(ready)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline().split()
    assert first[:2] == ["listening", "on"]
    yield Sim(first[2], ready)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert not ready.exists()


@pytest.fixture
def sim(server):
    """Fresh books without limits; tests of the limits switch them on."""
    server.control("POST", "reset")
    server.control("POST", "organisation", {"tenant": TENANT, "limits": False})
    server.token = server.sign_in().json["access_token"]
    return server
