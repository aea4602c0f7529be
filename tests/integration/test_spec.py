"""What reads requests against Xero's description finds every kind of fault. That each request of
the worker keeps to it is checked at the end of every test that runs one, by
lib.Simulator.check_requests.
"""

import copy
import json

import pytest

import simclient
import xero_spec
from orders import order
from simclient import server, sim

__all__ = ["server", "sim"]  # fixtures

UNKNOWN = simclient.UNKNOWN
HEADERS = {
    "Authorization": "Bearer",
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Xero-Tenant-Id": simclient.TENANT,
    "Idempotency-Key": "k-1",
}
LINE = {
    "LineItemID": UNKNOWN,
    "Description": "Mug",
    "Quantity": 1,
    "UnitAmount": 10,
    "AccountCode": "200",
    "Tracking": [{"Name": "Region", "Option": "North"}],
}
INVOICE = {
    "Type": "ACCREC",
    "Contact": {"ContactID": UNKNOWN},
    "Date": "2026-11-01",
    "LineAmountTypes": "Inclusive",
    "CurrencyCode": "GBP",
    "LineItems": [LINE],
}
ALLOCATION = {"Invoice": {"InvoiceID": UNKNOWN}, "Amount": 1, "Date": "2026-11-01"}
INVOICES = "Invoices?summarizeErrors=false&unitdp=4"
ALLOCATIONS = f"CreditNotes/{UNKNOWN}/Allocations?summarizeErrors=false"


@pytest.fixture(scope="module")
def description():
    """Xero's description, where a copy is at hand."""
    if xero_spec.missing():
        pytest.skip(xero_spec.missing())
    return xero_spec.at_hand()


def request(method, target, body=None, headers=None):
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return {
        "method": method,
        "target": simclient.API + target,
        "headers": {name: value for name, value in (headers or HEADERS).items() if value},
        "body": text,
    }


def get(target, **headers):
    return request("GET", target, None, {**HEADERS, "Idempotency-Key": None, **headers})


def changed(element, path, value):
    """A copy with one member, named like LineItems.0.Quantity, changed; `...` takes it out."""
    element = copy.deepcopy(element)
    *way, last = path.split(".")
    inner = element
    for name in way:
        inner = inner[int(name) if name.isdigit() else name]
    last = int(last) if last.isdigit() else last
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return element


@pytest.mark.parametrize(
    "good",
    [
        request("PUT", INVOICES, {"Invoices": [INVOICE]}),
        request("POST", INVOICES + "&allowBackorders=true", {"Invoices": [INVOICE, INVOICE]}),
        request("POST", f"Invoices/{UNKNOWN}?unitdp=4", {"Invoices": [{"Status": "VOIDED"}]}),
        request("PUT", ALLOCATIONS, {"Allocations": [ALLOCATION]}),
        request("PUT", f"Invoices/{UNKNOWN}/History", {"HistoryRecords": [{"Details": "x"}]}),
        request("POST", f"Payments/{UNKNOWN}", {"Status": "DELETED"}),
        get("Contacts?where=Name%3D%3D%22Ann%22&includeArchived=true&page=1&pageSize=100"),
        get(f"Invoices?IDs={UNKNOWN},{UNKNOWN}&Statuses=DRAFT,PAID"),
        get("Contacts/c-1"),
        get(f"CreditNotes/{UNKNOWN}?unitdp=4"),
        get("Organisation", **{"If-Modified-Since": None}),
        get("Accounts", **{"If-Modified-Since": "2026-11-01T00:00:00"}),
        request(
            "DELETE",
            f"CreditNotes/{UNKNOWN}/Allocations/{UNKNOWN}",
            None,
            HEADERS | {"Idempotency-Key": None},
        ),
    ],
)
def test_what_keeps_to_the_description(description, good):
    assert description.faults(good) == []


@pytest.mark.parametrize(
    "path, value, fault",
    [
        ("Colour", "red", "Colour is unknown"),
        ("LineItems.0.Colour", "red", "Colour is unknown"),
        ("LineItems.0.Tracking.0.Colour", "red", "Colour is unknown"),
        ("Contact.colour", "red", "colour is unknown"),
        ("contact", {}, "contact is unknown"),
        ("LineItems.0.Quantity", "1", "is no number"),
        ("LineItems.0.Quantity", True, "is no number"),
        ("LineItems.0.Description", 7, "is no string"),
        ("LineItems.0.Description", None, "is no string"),
        ("LineItems", {}, "is no array"),
        ("LineItems.0", "Mug", "is no object"),
        ("Contact", None, "is no object"),
        ("SentToContact", "true", "is no boolean"),
        ("Type", "INVOICE", "is none of"),
        ("LineAmountTypes", "INCLUSIVE", "is none of"),
        ("CurrencyCode", "gbp", "is none of"),
        ("Status", "", "is none of"),
        ("InvoiceNumber", "x" * 256, "256 characters, at most 255 fit"),
        ("Reference", "x" * 256, None),
        ("Contact.Name", "x" * 256, "256 characters, at most 255 fit"),
        ("Contact.ContactNumber", "x" * 51, "51 characters, at most 50 fit"),
        ("LineItems.0.LineItemID", "1", "is no uuid"),
        ("InvoiceID", UNKNOWN.replace("-", ""), "is no uuid"),
        ("Date", "2026-11-31", "is no date"),
        ("Date", "1.11.2026", "is no date"),
        ("DueDate", "2026-11-01T00:00:00", "is no date"),
        ("Total", 12, "is the answer's alone"),
        ("AmountDue", 12, "is the answer's alone"),
        ("Payments", [], "is the answer's alone"),
        ("Contact.UpdatedDateUTC", "x", "is the answer's alone"),
    ],
)
def test_bodies_that_do_not(description, path, value, fault):
    body = {"Invoices": [INVOICE, changed(INVOICE, path, value)]}
    found = description.faults(request("PUT", INVOICES, body))
    if fault is None:  # what the description does not limit
        assert found == []
    else:
        assert len(found) == 1 and fault in found[0] and found[0].startswith("body.Invoices[1]")


def test_every_fault_is_named(description):
    twice = changed(changed(INVOICE, "Type", "x"), "LineItems.0.Quantity", "1")
    found = description.faults(request("PUT", INVOICES, {"Invoices": [twice]}))
    assert len(found) == 2


@pytest.mark.parametrize(
    "bad, fault",
    [
        (request("PUT", INVOICES, '{"Invoices":[],"Invoices":[]}'), "member twice"),
        (request("PUT", INVOICES, '{"Invoices":[NaN]}'), "NaN is not JSON"),
        (request("PUT", INVOICES, '{"Invoices":'), "body:"),
        (request("PUT", INVOICES, [INVOICE]), "is no object"),
        (request("PUT", INVOICES, {"Invoice": []}), "is unknown"),
        (request("PUT", INVOICES), "body: missing"),
        ({**get("Invoices"), "body": "{}"}, "none is taken here"),
        (
            request("PUT", ALLOCATIONS, {"Allocations": [changed(ALLOCATION, "Date", ...)]}),
            "Date is missing",
        ),
        (
            request("PUT", ALLOCATIONS, {"Allocations": [changed(ALLOCATION, "IsDeleted", True)]}),
            "alone",
        ),
        (
            request("POST", f"Payments/{UNKNOWN}", {"Status": "DELETED", "Payments": []}),
            "Payments is",
        ),
        (
            request("PUT", "Invoices?summarizeErrors=False", {"Invoices": []}),
            "neither true nor false",
        ),
        (request("PUT", "Invoices?summarizeErrors=", {"Invoices": []}), "neither true nor false"),
        (request("PUT", "Invoices?unitdp=four", {"Invoices": []}), "is no integer"),
        (request("PUT", "Invoices?unitdp=4&unitdp=4", {"Invoices": []}), "2 times"),
        (request("PUT", "Contacts?unitdp=4", {"Contacts": []}), "unitdp: unknown"),
        (get("Invoices?IDs=1"), "is no uuid"),
        (get('Invoices?where=Type=="ACCREC"'), "percent-encoded"),
        (get("Invoices?where=100%"), "percent-encoded"),
        (get("Invoices?where="), "empty"),
        (get("Invoices/S-1"), "is no uuid"),
        (get("Invoice"), "unknown"),
        (get("Invoices/1/2/3/4"), "unknown"),
        (get("Invoices", **{"Xero-Tenant-Id": None}), "xero-tenant-id: missing"),
        (get("Invoices", Authorization=None), "no bearer token"),
        (get("Invoices", Accept="*/*"), "accept"),
        (get("Invoices", **{"Idempotency-Key": "k"}), "idempotency-key: unknown here"),
        (get("Organisation", **{"If-Modified-Since": "2026-11-01T00:00:00"}), "unknown here"),
        (
            request("PUT", INVOICES, {"Invoices": []}, HEADERS | {"Idempotency-Key": "x" * 129}),
            "128",
        ),
        (
            request("PUT", INVOICES, {"Invoices": []}, HEADERS | {"Content-Type": "text/plain"}),
            "'text/plain'",
        ),
        (request("PATCH", INVOICES, {"Invoices": []}), "method PATCH"),
        (request("DELETE", f"Invoices/{UNKNOWN}"), "method DELETE"),
        ({**get("Invoices"), "target": "/api.xro/3.0/Invoices"}, "not below"),
    ],
)
def test_requests_that_do_not(description, bad, fault):
    found = description.faults(bad)
    assert len(found) == 1 and fault in found[0], found


def test_what_the_simulator_wrote_down_is_read(description, sim, tmp_path):
    path = tmp_path / "requests"
    contact = sim.contact()
    tenant = {"Xero_Tenant_Id": simclient.TENANT}
    sim.control("POST", "record", {"path": str(path)})
    assert xero_spec.check_record(path) == 0
    body = {"Invoices": [INVOICE | {"Contact": {"ContactID": contact}}]}
    sim.xero("PUT", INVOICES, body, "k", **tenant)
    sim.control("POST", "clock", {"advance_seconds": 1})  # the control's calls are none
    offset = xero_spec.check_record(path)
    assert offset == path.stat().st_size > 0
    assert sim.token not in path.read_text()
    sim.xero("PUT", INVOICES, {"Invoices": [{"Colour": "Grün"}]}, "k2", **tenant)
    with pytest.raises(AssertionError, match="Colour is unknown"):
        xero_spec.check_record(path, offset)
    sim.control("POST", "record", {"path": None})
    size = path.stat().st_size
    sim.xero("GET", "Organisation", **tenant)
    assert path.stat().st_size == size


def test_a_test_with_a_worker_is_checked(description, shop):
    """The worker's requests are in the file that is read at the end of this and every other test."""
    one = shop()
    body = order()
    assert one.send("orders/paid", body)[0] == 200
    one.wait_done(body["id"])
    simulator = one.stack.sim
    simulator.check_requests()
    lines = simulator.record.read_text().splitlines()
    mine = [json.loads(text) for text in lines if one.tenant in text]
    assert {row["method"] for row in mine} == {"GET", "PUT"}
    assert simulator.checked >= sum(len(text) + 1 for text in lines if one.tenant in text)
    forged = {**mine[-1], "target": mine[-1]["target"] + "&colour=red"}
    assert description.faults(forged) == ["query parameter colour: unknown"]
