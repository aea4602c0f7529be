"""Every row of the error catalogue: Xero says it (the simulator, in Xero's words), a real worker meets
it, and support sees what it means and what to do. One test a row, named after it.

Where the simulator's state can bring a row about, it does: archived accounts, lock dates, taken
numbers. What only Xero's own faults or requests that the worker never makes would bring about is put
into one element's answer, or into the whole answer, as Xero words it.
"""

import dataclasses
import functools
import hashlib
import json
import typing
import uuid

import pytest

import lib
from lib import PREFIX
from orders import later, line, order

CONTACTS, INVOICES, PAYMENTS = (f"/api.xro/2.0/{name}" for name in ("Contacts", "Invoices", "Payments"))
DOCUMENTS = {CONTACTS: "Contact", INVOICES: "Sales invoice", PAYMENTS: "Payment"}
ODD = "odd-gateway"
DROPPED = "Xero connection has been dropped."


# ---- steps ----

def api(s, method, path, body=None):
    status, answer = s.stack.receiver.api(method, path, body)
    assert status in (200, 201, 202), answer
    return answer


def act(s, do, **more):
    return s.stack.sim.control("POST", "act", {"do": do, "tenant": s.tenant, **more})


def organisation(s, **changes):
    s.stack.sim.control("POST", "organisation", {"tenant": s.tenant, **changes})


def fault(s, **more):
    s.stack.sim.fault(tenant=s.tenant, **more)


def number(body):
    return body["name"].lstrip("#")


def bad_order(**more):
    """The order that the case is about; its line can be mapped by its SKU, its payment by its gateway."""
    return order("paid", **{"lines": [line("Bad")], **more})


def neighbour(**more):
    """Another customer's order in the same lease, dated later: whatever happens, it goes through."""
    return order("paid", processed_at="2026-11-20T10:00:00+00:00", customer={
        "id": 900000000009, "first_name": "Nora", "last_name": "Neighbour", "email": "nora@example.com"}, **more)


def mapped(**changes):
    """The default mappings with some changed: mapped(accounts={"by_sku": {"BAD": "999"}})."""
    return {group: {**members, **changes.get(group, {})} for group, members in lib.DEFAULT_MAPPINGS.items()}


def in_one_lease(s, topic, *bodies):
    """Sends the orders while the connection is paused, so that one lease takes them, in this order."""
    api(s, "POST", f"/connections/{s.connection}/pause")
    for body in bodies:
        assert s.send(topic, body)[1]["result"] in ("held", "queued")
    api(s, "POST", f"/connections/{s.connection}/resume")


def resume(s):
    """Ends a hold as a person does who does not want to wait for its end."""
    path = f"/connections/{s.connection}"
    if api(s, "GET", path)["status"] == "active":
        api(s, "POST", path + "/pause")
    api(s, "POST", path + "/resume")
    lib.wait_until(lambda: api(s, "GET", path)["status"] == "active", "the connection is active")


def go_on(s, body):
    """Lets the time pass for which the order is put off, and ends the connection's holds, until it is done."""
    def done():
        if s.record(body["id"])["st"] == "done":
            return True
        if held_rows(s):
            s.stack.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", "XX", "1", s.key(body["id"]))
            resume(s)
        return False
    lib.wait_until(done, f"{body['name']} is exported\n{s.stack.logs()}")


def wait_settled(s, body):
    def settled():
        record = s.record(body["id"])
        return record.get("st") == "done" and record["drev"] == record["rev"]
    lib.wait_until(settled, f"{body['name']} is exported as it stands; it is {s.record(body['id'])}")


def wait_failed(s):
    (row,) = lib.wait_until(s.failed, f"an order is on the failed list\n{s.stack.logs()}")
    return row


@functools.cache
def catalogue(stack):
    status, page = stack.receiver.api("GET", "/catalogue", token=lib.SUPPORT)
    assert status == 200 and page["count"] == len(page["rows"])
    return {row["id"]: row for row in page["rows"]}


def export_again(s, row):
    answer = api(s, "POST", f"/failed/{row['id']}/export?wait=20", {})
    assert (answer["exported"], answer["failed"], answer["waiting"]) == (1, 0, 0), answer
    assert s.failed() == []


def held_rows(s):
    """The rows of /queue of orders that are held."""
    status, page = s.stack.receiver.api("GET", f"/queue?connection={s.connection}", token=lib.SUPPORT)
    assert status == 200
    return [row for row in page["rows"] if row["state"] == "held"]


def expect_books(s, *bodies):
    """Each order once, paid."""
    invoices, payments = s.invoices(), s.books()["payments"]
    assert sorted(i["InvoiceNumber"] for i in invoices) == sorted(map(number, bodies))
    assert [i["Status"] for i in invoices] == ["PAID"] * len(bodies) and len(payments) == len(bodies)


# ---- rows that fail the order, and only the order ----

@dataclasses.dataclass
class Case:
    """One way to a row: what Xero says, and how it comes to say it."""
    row: str
    words: tuple  # Xero's, all of them; DISTINCT stands for the name that tells namesakes apart
    provoke: typing.Callable = lambda s, bad: None
    mend: typing.Callable = lambda s, bad: None  # after it the same order is exported; None: nothing helps
    document: str = "Sales invoice"
    settings: dict = dataclasses.field(default_factory=dict)
    mappings: dict = None
    bad: dict = dataclasses.field(default_factory=dict)
    topic: str = None  # the case is about a later event of an order that is in Xero
    then: dict = dataclasses.field(default_factory=dict)
    last: bool = False  # the neighbour goes first

def said(row, text, path=INVOICES):
    """Xero says TEXT of one element of the batch, as if by its own state."""
    return Case(row, (text,), lambda s, bad: fault(s, method="PUT", path=path, fault="element_error", message=text),
                document=DOCUMENTS[path])


def said_of_void(row, text):
    """Xero says TEXT of a void: the document is another than it was a moment ago, when it was looked at."""
    return Case(row, (text,), lambda s, bad: fault(s, method="POST", path=INVOICES, fault="element_error", message=text),
                topic="orders/cancelled", then=CANCELLED)


def refused(row, status, body, text):
    """Xero refuses the whole call, twice: the pair of orders, and the first alone."""
    return Case(row, (text,), lambda s, bad: fault(s, method="PUT", path=INVOICES, fault="status", status=status,
                                                   body=body, remember=False, count=2))


def numbered(row, error, kind, text):
    return refused(row, 400, {"ErrorNumber": error, "Type": kind, "Message": text}, text)


def mapped_otherwise(**changes):
    return lambda s, bad: s.patch({"mappings": mapped(**changes)})


def number_taken(s, bad):
    act(s, "add_contact", element={"Name": "Stranger"})
    act(s, "add_invoice", element={
        "InvoiceNumber": number(bad), "Contact": {"ContactID": s.books()["contacts"][0]["ContactID"]},
        "Date": "2026-11-01", "DueDate": "2026-11-01", "Status": "AUTHORISED", "LineAmountTypes": "Exclusive",
        "LineItems": [{"Description": "x", "Quantity": 1, "UnitAmount": 1, "AccountCode": "200"}]})


def mark(s, customer=900000000001):
    """The number by which a customer's contact is known."""
    text = f"shopify/{s.domain}/customer/{customer}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def names_taken(s, bad):
    """Somebody else has the customer's name and the name that tells him from his namesakes."""
    for name in ("Ada Buyer", distinct_name(s)):
        act(s, "add_contact", element={"Name": name, "EmailAddress": "stranger@example.com"})


def distinct_name(s):
    return f"Ada Buyer ({mark(s)[:8]})"


def archive_contact(s, bad):
    contact = act(s, "add_contact", element={"Name": "Ada Buyer", "ContactNumber": mark(s)})
    act(s, "archive_contact", contact_number=mark(s))
    return contact


def account_number_taken(s, bad):
    act(s, "add_contact", element={"Name": "Stranger", "AccountNumber": "900000000001"})


def request_gdpr(s, bad):
    act(s, "add_contact", element={"Name": "Ada Buyer", "ContactNumber": mark(s)})
    act(s, "gdpr_request", contact_number=mark(s))


def foreign_contact(s, bad):
    """What is remembered of the customer is an id that the organisation never gave."""
    s.stack.redis.call("HSET", f"{PREFIX}contacts:{s.connection}", mark(s), str(uuid.uuid4()))


def lock(s, bad):
    organisation(s, period_lock_date="2026-11-15", end_of_year_lock_date="2026-11-10")


def euro_bank(s, bad):
    organisation(s, accounts=[{"Code": "095", "Name": "Euro", "Type": "BANK", "Class": "ASSET", "CurrencyCode": "EUR"}])


def pay(s, bad, **more):
    act(s, "pay_invoice", invoice_number=number(bad), **more)


def pay_part(s, bad):
    pay(s, bad, amount="10.00")


def unpay(s, bad):
    (payment,) = s.books()["payments"]
    act(s, "delete_payment", payment_id=payment["PaymentID"])


PERIOD = "The document date cannot be before the period lock date, currently set at 15-Nov-2026"
YEAR = "The document date cannot be before the end of year lock date, currently set at 10-Nov-2026"
NUMBER_TAKEN = ("The contact number 0123456789abcdef is already assigned to another contact. The contact number must be "
                "unique across all contacts.")
PAID = {"financial_status": "paid"}
CANCELLED = {"cancelled_at": "2026-11-02T10:00:00+00:00", "financial_status": "voided"}
BY_SKU = functools.partial(mapped_otherwise, accounts={"by_sku": {"BAD": "200"}})

# What the simulator's state brings about.
STATE = [
    Case("lock-date", (PERIOD, YEAR), lock,
         lambda s, bad: organisation(s, period_lock_date=None, end_of_year_lock_date=None)),
    Case("account-archived", ("Account code '260' has been archived, or has been deleted. Each line item must "
                              "reference a valid account.",),
         lambda s, bad: act(s, "archive_account", code="260"), lambda s, bad: act(s, "restore_account", code="260"),
         mappings=mapped(accounts={"by_sku": {"BAD": "260"}})),
    Case("account-invalid", ("Account code '999' is not a valid code for this document.",), mend=BY_SKU(),
         mappings=mapped(accounts={"by_sku": {"BAD": "999"}})),
    Case("account-removed", ("Account code '999' has been removed as it does not match a recognised account.",),
         settings={"status": "DRAFT", "record_payments": False}, mend=None,
         mappings=mapped(accounts={"by_sku": {"BAD": "999"}})),
    Case("tax-not-for-account", ("The TaxType code 'REVENUEONLY' cannot be used with account code '835'.",),
         lambda s, bad: organisation(s, tax_rates=[
             {"TaxType": "REVENUEONLY", "EffectiveRate": "20", "CanApplyToLiabilities": False}]),
         BY_SKU(), bad={"lines": [line("Bad", tax_title="Odd")]},
         mappings=mapped(accounts={"by_sku": {"BAD": "835"}}, taxes={"by_title": {"Odd": "REVENUEONLY"}})),
    Case("tax-invalid", ("The TaxType code INPUT2 does not exist or cannot be used for this type of transaction.",),
         mend=mapped_otherwise(taxes={"by_title": {"Odd": "OUTPUT2"}}), bad={"lines": [line("Bad", tax_title="Odd")]},
         mappings=mapped(taxes={"by_title": {"Odd": "INPUT2"}})),
    Case("currency-missing", ("Organisation is not subscribed to currency NOK",), bad={"currency": "NOK"},
         mend=lambda s, bad: organisation(s, currencies=["GBP", "NOK"])),
    Case("contact-name-taken", ("The contact name DISTINCT is already assigned to another contact. The contact name "
                                "must be unique across all active contacts.",),
         names_taken, lambda s, bad: act(s, "rename_contact", name=distinct_name(s), new_name="Somebody Else"),
         document="Contact"),
    Case("contact-number-taken", (NUMBER_TAKEN,), lambda s, bad: fault(
        s, method="PUT", path=CONTACTS, fault="element_error", count=3, message=NUMBER_TAKEN), document="Contact"),
    Case("contact-archived", ("The contact with the specified contact details has been archived. The contact must be "
                              "un-archived before creating new invoices or credit notes.",),
         archive_contact, lambda s, bad: act(s, "restore_contact", contact_number=mark(s)), document="Contact"),
    Case("contact-gdpr", ("Xero keeps the customer's contact for a GDPR request, so it takes no documents.",),
         request_gdpr, lambda s, bad: act(s, "restore_contact", contact_number=mark(s)), document="Contact"),
    Case("account-number-exists", ("The Account Number already exists. Please enter a different Account Number.",),
         account_number_taken, lambda s, bad: s.patch({"settings": {"send_customer_code": False}}),
         document="Contact", settings={"send_customer_code": True}),
    Case("number-taken", ("Invoice # must be unique.",), number_taken, mend=None),
    Case("invoice-limit", ("You have reached the limit of invoices you can approve",),
         lambda s, bad: organisation(s, approval_limit=1), lambda s, bad: organisation(s, approval_limit=None),
         last=True),
    said_of_void("status-locked", "Invoice not of valid status for modification"),
    said_of_void("document-paid", "The status VOIDED cannot be applied to the invoice because it has payments or credit "
                                  "notes allocated to it."),
    Case("payment-too-large", ("Payment amount exceeds the amount outstanding on this document",),
         pay_part, pay, "Payment", topic="orders/paid", then=PAID),
    Case("payment-not-allowed", ("Payments can only be made against Authorised documents",),
         lambda s, bad: act(s, "void_invoice", invoice_number=number(bad)), None, "Payment", topic="orders/paid",
         then=PAID),
    Case("payment-account-unknown", ("Account could not be found",), document="Payment",
         mend=mapped_otherwise(payments={"gateways": {ODD: "092"}}), bad={"payment_gateway_names": [ODD]},
         mappings=mapped(payments={"gateways": {ODD: "999"}})),
    Case("payment-account-type", ("Account type is invalid for making a payment to/from.",), document="Payment",
         mend=lambda s, bad: organisation(s, accounts=[{"Code": "260", "EnablePaymentsToAccount": True}]),
         bad={"payment_gateway_names": [ODD]}, mappings=mapped(payments={"gateways": {ODD: "260"}})),
    Case("payment-currency", ("The currency of the bank account (EUR) does not match the document.",), euro_bank,
         mapped_otherwise(payments={"gateways": {ODD: "092"}}), "Payment", bad={"payment_gateway_names": [ODD]},
         mappings=mapped(payments={"gateways": {ODD: "095"}})),
]

# What one element is refused with: rows of requests that the worker does not make, and of state that the
# simulator does not play.
SAID = [
    said("date-locked",
         "Date cannot be changed on an invoice that has payment or credit notes allocated to it."),
    said("due-date-missing", "Due date cannot be empty."),
    said("payment-terms", "The due date of sales invoices must be between 1 and 31"),
    said("below-a-cent", "Account must be valid, Tax Rate must be valid"),
    said("account-or-tax-invalid", "Account must be valid."),
    said("tax-missing", "The TaxType field is mandatory"),
    said("tax-above-line", "The tax amount cannot be greater than the line amount!"),
    said("line-total-differs", "The line total 9.99 does not match the expected line total 10.00"),
    said("item-invalid", "Item code MUG is not valid"),
    said("item-stock", "The quantity on hand of item 'MUG' would go negative."),
    said("description-missing", "The description field is mandatory for each line item."),
    said("quantity-negative", "The quantity value '-1.0000' is invalid. Quantity must not be less than zero."),
    said("total-negative", "The Total for this document must be greater than or equal to zero."),
    said("tracking-invalid", "The tracking category 'Region' with option 'East' could not be found."),
    said("contact-empty", "A Contact must be specified for this type of transaction"),
    said("contact-tax-number", "Export of Ada Buyer to Xero Contacts API failed - Details: Xero validation error: "
         "VAT number", CONTACTS),
    said("email-invalid", "Email address must be valid.", CONTACTS),
    said("contact-people",
         "Additional people cannot be added when the primary person has no email address set.", CONTACTS),
    said("contact-groups", "You\u2019ve reached the limit of 100 contact groups.", CONTACTS),
    said("creation-refused", "Invoice not of valid status for creation"),
    said("permission-missing", "The User specified does not have the correct permissions to perform this action"),
    said("payment-account-unmapped", "You must specify an Account code or Account ID for the payment.", PAYMENTS),
    said("payment-document-unknown", "Document could not be found", PAYMENTS),
    Case("document-unknown", ("An existing invoice with the specified ID could not be found",),
         lambda s, bad: fault(s, method="POST", path=INVOICES, fault="element_error",
                              message="An existing invoice with the specified ID could not be found"),
         topic="orders/cancelled", then=CANCELLED),
]

# What a whole call is refused with.
REFUSED = [
    numbered("date-format", 14, "PostDataInvalidException", "The string '2026-13-01' is not a valid AllXsd value."),
    numbered("wrong-value", 14, "PostDataInvalidException", "Error converting value \"NO_TAX\" to type "
             "'XeroWeb.LineAmountType'. Path 'Invoices[0].LineAmountTypes'."),
    numbered("internal-fault", 17, "NoDataProcessedException", "No data has been processed for this endpoint. This "
             "endpoint is expecting data in its own wrapper."),
    refused("not-found", 404, "", "Not found"),
    refused("request-too-large", 413, "", "Xero answered with status 413 and no reason."),
]
# What the worker says itself, before anything is sent.
OURS = [
    Case("tax-unmapped", ("[TaxCode Odd] is not mapped to an accounting tax: map the title \"Odd\" "
                          "(mappings.taxes.by_title) or the rate 0.07 (mappings.taxes.by_rate).",),
         mend=mapped_otherwise(taxes={"by_title": {"Odd": "TAX005"}}),
         bad={"lines": [line("Bad", tax_title="Odd", rate="0.07")]}),
]
FAILING = [*STATE, *SAID, *REFUSED, *OURS]


def bring_about(case, shop):
    """(shop, the order of the case, its neighbour), both on their way."""
    settings = {**case.settings, **({"auto_sync": "include_unpaid"} if case.topic else {})}
    s = shop(settings=settings, mappings=case.mappings)
    bad, good = bad_order(**case.bad), neighbour()
    if case.topic:
        bad, good = ({**o, "financial_status": "pending", "payment_gateway_names": [],
                      "total_outstanding": o["total_price"]} for o in (bad, good))
        in_one_lease(s, "orders/create", bad, good)
        wait_settled(s, bad)
        wait_settled(s, good)
    case.provoke(s, bad)
    if case.topic:
        in_one_lease(s, case.topic, later(bad, **case.then), later(good, **case.then))
    else:
        in_one_lease(s, "orders/paid", *((good, bad) if case.last else (bad, good)))
    return s, bad, good


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.row)
def test_row_fails_only_the_order_concerned(case, shop):
    s, bad, good = bring_about(case, shop)
    row = wait_failed(s)
    wait_settled(s, good)
    explained = catalogue(s.stack)[case.row]
    assert row["order"] == s.key(bad["id"])
    assert row["catalogue"] == [case.row] * len(case.words)
    assert row["export_error"] == [text.replace("DISTINCT", distinct_name(s)) for text in case.words]
    assert row["action_required"] == [explained["action"]]
    assert (row["fix_in"], row["failed_export"]) == (explained["fix_in"], case.document)
    assert explained["retry"] == "no" and row["attempts"] == 1
    told = api(s, "GET", f"/orders/{s.key(bad['id'])}")
    assert (told["status"], told["reason"], told["action"]) == ("failed", case.row, explained["action"])
    if case.mend:
        case.mend(s, bad)
        export_again(s, row)
        if not case.topic:
            expect_books(s, bad, good)


# ---- rows that pass by themselves ----

PASSING = [
    ("item-exists", "now", "Price List Item with Code 'MUG' already exists"),
    ("xero-unreachable", "later", "Organisation is offline"),
    ("daily-limit", "later", "Response status code does not indicate success: 500 (Internal Server Error)."),
    ("xero-fault", "look_up", "An error occurred in Xero. Check the API Status page http://status.developer.xero.com "
     "for current service status."),
]


@pytest.mark.parametrize("row,retry,text", PASSING, ids=[case[0] for case in PASSING])
def test_row_is_tried_again_later_and_then_done(row, retry, text, shop):
    s, bad, good = shop(), bad_order(), neighbour()
    assert catalogue(s.stack)[row]["retry"] == retry
    fault(s, method="PUT", path=INVOICES, fault="element_error", message=text)
    in_one_lease(s, "orders/paid", bad, good)
    wait_settled(s, good)
    lib.wait_until(lambda: s.record(bad["id"]).get("att") == "1", "the attempt is counted")
    s.wait_state(bad["id"], "waiting")
    assert s.failed() == []
    told = api(s, "GET", f"/orders/{s.key(bad['id'])}")
    (attempt,) = [entry for entry in told["trail"] if entry["kind"] == "attempt"]
    assert attempt["result"] == "retry" and text in attempt["message"]
    ready = f"{PREFIX}ready:{s.connection}"
    now = s.stack.redis.call("TIME")
    assert int(s.stack.redis.call("ZSCORE", ready, s.key(bad["id"]))) > int(now[0]) * 1000, "it waits a while"
    s.stack.redis.call("ZADD", ready, "1", s.key(bad["id"]))  # the while is over
    resume(s)
    wait_settled(s, bad)
    assert s.failed() == [] and "att" not in s.record(bad["id"])
    expect_books(s, bad, good)


# ---- rows that hold the connection, and fail nobody ----

@dataclasses.dataclass
class Hold:
    row: str
    provoke: typing.Callable
    logged: str  # in the connection log, which keeps Xero's words
    mend: typing.Callable = lambda s: None
    retry: str = "later"
    dropped: bool = False  # the connection stays disconnected until somebody resumes it


def answered(status, body="", method=None, path=INVOICES, count=1, **headers):
    """Xero answers calls with STATUS instead of carrying them out."""
    def provoke(s):
        fault(s, **({"method": method} if method else {}), path=path, fault="status", status=status, body=body,
              remember=False, count=count, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return provoke


def problem(status, title, detail):
    return {"Type": None, "Title": title, "Status": status, "Detail": detail, "Instance": str(uuid.uuid4())}


def client_id(s):
    return s.connection.replace("conn-", "id-")


def new_secret(s, secret):
    api(s, "PATCH", f"/connections/{s.connection}", {"client_secret": secret})


def no_client(s):
    """The connection as it is before somebody has typed in its client."""
    s.connection = f"conn-{uuid.uuid4().hex[:10]}"
    api(s, "PUT", f"/connections/{s.connection}", {"tenant": s.tenant, "grant": "client_credentials"})
    assert s.put(connection=s.connection)[0] == 200


OFFLINE = {"Title": "An error occurred", "Status": 500, "Detail": "An error occurred in Xero. Check the API Status page "
           "http://status.developer.xero.com for current service status.", "Instance": str(uuid.uuid4())}
HOLDS = [
    Hold("rate-limit", answered(429, Retry_After="120", X_Rate_Limit_Problem="minute"), "no more calls for 120 s"),
    Hold("daily-limit", answered(429, Retry_After="7200", X_Rate_Limit_Problem="day"), "daily limit of calls"),
    Hold("xero-fault", answered(500, OFFLINE, "GET", CONTACTS), OFFLINE["Detail"], retry="look_up"),
    Hold("xero-unreachable", answered(503, "Organisation is offline", "GET", CONTACTS), "status 503"),
    Hold("outcome-unknown", answered(503, count=2, method="PUT"), "did not say what became", retry="look_up"),
    Hold("scope-missing", answered(401, problem(401, "Unauthorized", "AuthorizationUnsuccessful")),
         "AuthorizationUnsuccessful", retry="held", dropped=True),
    Hold("subscription-lapsed", answered(403, problem(403, "Forbidden", "You can\u2019t publish the item. Make sure "
                                                      "your Xero subscription is still active")),
         "subscription is still active", retry="no"),
    Hold("client-invalid", lambda s: new_secret(s, "wrong"), "invalid_client",
         lambda s: new_secret(s, s.connection.replace("conn-", "secret-")), "held"),
    Hold("credentials-missing", no_client, "No credentials", lambda s: api(s, "PATCH", f"/connections/{s.connection}", {
        "client_id": f"id-{s.domain[5:15]}", "client_secret": f"secret-{s.domain[5:15]}"}), "held"),
    Hold("disconnected", lambda s: act(s, "disconnect", client_id=client_id(s)), "no longer among",
         lambda s: act(s, "connect", client_id=client_id(s)), "held", dropped=True),
]


@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.row)
def test_row_holds_the_connection_and_loses_no_try(hold, shop):
    s, body = shop(), order("paid")
    hold.provoke(s)
    assert s.send("orders/paid", body)[1]["result"] == "queued"
    (row,) = lib.wait_until(lambda: held_rows(s), f"the order is held\n{s.stack.logs()}")
    explained = catalogue(s.stack)[hold.row]
    want = f"{explained['cause']} {explained['action']}"
    if hold.dropped:
        want = f"{DROPPED} {catalogue(s.stack)['disconnected']['action']}"
    assert (api(s, "GET", f"/connections/{s.connection}")["status"] == "disconnected") == hold.dropped
    assert (row["order"], row["held_because"]) == (s.key(body["id"]), want)
    assert explained["retry"] == hold.retry
    assert (row["next_try_at"] is None) == hold.dropped
    log = api(s, "GET", f"/log?connection={s.connection}&level=error")["rows"]
    assert any(hold.logged in entry["message"] for entry in log), log
    assert s.failed() == [] and "att" not in s.record(body["id"])
    told = api(s, "GET", f"/orders/{s.key(body['id'])}")
    assert (told["status"], f"{told['sentence']} {told['action']}") == ("held", want)
    hold.mend(s)
    go_on(s, body)
    assert "att" not in s.record(body["id"])
    expect_books(s, body)


# ---- rows that nobody sees: the worker settles them at once ----

def test_row_token_expired_costs_one_refresh(shop):
    s, first, second = shop(), bad_order(), neighbour()
    s.send("orders/paid", first)
    s.wait_done(first["id"])
    act(s, "expire_tokens")
    s.send("orders/paid", second)
    s.wait_done(second["id"])
    assert [c["status"] for c in s.stack.sim.calls() if c["client"] == client_id(s)].count(401) == 1
    assert s.failed() == []
    expect_books(s, first, second)


def test_row_key_reused_is_looked_into_and_then_done(shop):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=INVOICES, fault="status", status=400, remember=False, body={
        "ErrorNumber": 10, "Type": "ValidationException", "Message": "Idempotency Key: 1 is used with a different "
        "request."})
    s.send("orders/paid", body)
    assert "att" not in s.wait_done(body["id"])
    assert s.failed() == []
    expect_books(s, body)


ALSO = {"token-expired", "key-reused", "unknown"}

# Rows that Xero never says to us, and why.
NEVER = {
    "account-missing": "ours, of a missing mapping: the settings are refused without a default account",
    "tax-does-not-reconcile": "ours: computed before anything is sent",
    "prices-changed-kind": "ours: Amazon's orders alone have it (test_amazon.py)",
    "vat-rate-missing": "ours: Amazon's orders alone have it (test_amazon.py)",
    "total-does-not-reconcile": "ours: computed before anything is sent, or from Xero's answer",
    "changed-in-xero": "ours: what Xero shows is compared with what was written",
    "voided-in-xero": "ours: what Xero shows is compared with what was written",
    "paid-by-others": "ours: what Xero shows is compared with what was written",
    "lines-unknown": "ours: a record of an earlier release",
    "refund-does-not-reconcile": "ours: the credit note is not sent",
    "deleted-in-shop": "ours: the shop says it",
    "not-in-shop": "ours: the shop says it",
    "shop-fails-at-order": "ours: the shop says nothing (test_fetch.py)",
    "shop-token-missing": "ours: of a shop (test_to_be_read.py)",
    "shop-token-refused": "the shop's (test_to_be_read.py)",
    "shop-held": "the shop's (test_to_be_read.py)",
    "contact-mapped": "ours: a person chose the contact",
    "payment-split-unknown": "ours: the shop does not say it",
    "payment-fixed": "an answer to the deletion of a payment, and none is ever deleted",
    "allocation-too-large": "an answer to an allocation, and a credit note is allocated by its own remaining credit",
    "paused": "ours: a person pauses",
    "uninstalled": "ours: a person uninstalls",
    "unsupported-kind": "ours: the order is not sent",
    "unusable-order": "ours: the order is not sent",
    "poison": "ours: the worker ended three times",
}


def test_every_row_is_shown_here_or_never_said_to_us(stack):
    shown = {case.row for case in [*FAILING, *HOLDS]} | {case[0] for case in PASSING} | ALSO
    assert shown | set(NEVER) == set(catalogue(stack))
    assert not shown & set(NEVER)


# ---- several messages, warnings, and what nobody has catalogued ----

def test_every_message_of_an_element_is_explained(shop):
    s = shop(mappings=mapped(accounts={"by_sku": {"BAD": "999"}}, taxes={"by_title": {"Odd": "INPUT2"}}))
    bad, good = bad_order(lines=[line("Bad"), line("Odd", tax_title="Odd")]), neighbour()
    lock(s, bad)
    in_one_lease(s, "orders/paid", bad, good)
    row, rows = wait_failed(s), catalogue(s.stack)
    wait_settled(s, good)
    assert dict(zip(row["export_error"], row["catalogue"], strict=True)) == {
        PERIOD: "lock-date", YEAR: "lock-date",
        "Account code '999' is not a valid code for this document.": "account-invalid",
        "The TaxType code INPUT2 does not exist or cannot be used for this type of transaction.": "tax-invalid"}
    assert sorted(row["action_required"]) == sorted(  # what is said of both lock dates is said once
        rows[name]["action"] for name in ("lock-date", "account-invalid", "tax-invalid"))


def test_messages_on_children_of_an_element_are_explained(shop):
    """Xero puts what it says of a line or of the contact on the line or the contact."""
    s, body = shop(), bad_order()
    fault(s, method="PUT", path=INVOICES, fault="status", status=200, body={"Status": "OK", "Invoices": [{
        "InvoiceID": "00000000-0000-0000-0000-000000000000", "InvoiceNumber": number(body), "HasErrors": True,
        "StatusAttributeString": "ERROR", "ValidationErrors": [{"Message": "A validation exception occurred"}],
        "Contact": {"ValidationErrors": [{"Message": "Email address must be valid."}]},
        "LineItems": [{"ValidationErrors": [{"Message": "Account must be valid."}, {"Message": "Tax rate must be valid."}]}],
    }]})
    s.send("orders/paid", body)
    row = wait_failed(s)
    assert dict(zip(row["export_error"], row["catalogue"], strict=True)) == {
        "A validation exception occurred": "unknown", "Email address must be valid.": "email-invalid",
        "Account must be valid.": "account-or-tax-invalid", "Tax rate must be valid.": "account-or-tax-invalid"}
    assert len(row["action_required"]) == 3


def test_every_message_of_a_call_refused_as_a_whole_is_explained(shop):
    s, body = shop(), bad_order()
    texts = {"Due date cannot be empty.": "due-date-missing", "Email address must be valid.": "email-invalid",
             "A text; with a pause": "unknown"}
    fault(s, method="PUT", path=INVOICES, fault="status", status=400, remember=False, body={
        "ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred",
        "Elements": [{"ValidationErrors": [{"Message": text} for text in texts]}]})
    s.send("orders/paid", body)
    row = wait_failed(s)
    assert dict(zip(row["export_error"], row["catalogue"], strict=True)) == texts
    assert len(row["action_required"]) == 3


def test_every_message_that_leaves_a_document_in_doubt_is_explained(shop):
    """An invoice that is paid while it is to be voided; Xero gives two reasons, and a look-up comes before the list."""
    s, body = shop(settings={"auto_sync": "include_unpaid"}), order("pending", lines=[line("Bad")])
    s.send("orders/create", body)
    s.wait_done(body["id"])
    fault(s, method="POST", path=INVOICES, fault="hold", when="before")
    s.send("orders/cancelled", later(body, **CANCELLED))
    lib.wait_until(s.stack.sim.held, "the void is on its way")
    pay(s, body)
    s.stack.sim.control("POST", "release", {})
    assert wait_failed(s)["catalogue"] == ["status-locked", "document-paid"]


def test_a_fault_of_xeros_own_over_a_contact_is_tried_again_later(shop):
    s, body = shop(), bad_order()
    fault(s, method="PUT", path=CONTACTS, fault="element_error", count=3, message="An error occurred in Xero.")
    s.send("orders/paid", body)
    lib.wait_until(lambda: s.record(body["id"]).get("att") == "1", "the attempt is counted")
    assert s.failed() == []
    s.stack.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", "XX", "1", s.key(body["id"]))
    resume(s)
    s.wait_done(body["id"])
    expect_books(s, body)


def test_a_warning_that_loses_data_fails_the_order_and_other_warnings_do_not(shop):
    s = shop(settings={"status": "DRAFT", "record_payments": False},
             mappings=mapped(accounts={"by_sku": {"BAD": "999"}}))
    bad, good = bad_order(), neighbour()
    in_one_lease(s, "orders/paid", bad, good)
    row = wait_failed(s)
    wait_settled(s, good)
    assert row["catalogue"] == ["account-removed"]
    assert json.loads(s.record(bad["id"])["doc:invoice"])["id"]  # Xero keeps the draft: it is not made again
    assert len(s.invoices()) == 2


def test_a_draft_without_its_account_stays_failed_until_it_is_mended_in_xero(shop):
    s = shop(settings={"status": "DRAFT", "record_payments": False},
             mappings=mapped(accounts={"by_sku": {"BAD": "999"}}))
    body = bad_order()
    s.send("orders/paid", body)
    row = wait_failed(s)
    BY_SKU()(s, body)
    answer = api(s, "POST", f"/failed/{row['id']}/export?wait=20", {})
    assert (answer["exported"], answer["failed"]) == (0, 1), answer
    row = wait_failed(s)
    assert row["catalogue"] == ["account-removed"]
    assert row["export_error"] == [
        f"Xero holds the draft {number(body)} with a line that has no account. A draft is not updated from here: "
        "mend that line in Xero, then export again."]
    (invoice,) = s.books()["invoices"]
    act(s, "edit_invoice", invoice_number=number(body), element={
        "LineItems": [{**{key: one[key] for key in ("Description", "Quantity", "UnitAmount", "TaxType")},
                       "AccountCode": "200"} for one in invoice["LineItems"]]})
    export_again(s, row)
    assert len(s.invoices()) == 1


def test_a_draft_without_its_account_is_seen_as_such_by_a_look_up(shop):
    s = shop(settings={"status": "DRAFT", "record_payments": False},
             mappings=mapped(accounts={"by_sku": {"BAD": "999"}}))
    body = bad_order()
    fault(s, method="PUT", path=INVOICES, fault="reset_after", count=2)
    s.send("orders/paid", body)
    row = wait_failed(s)
    assert row["catalogue"] == ["account-removed"] and "with a line that has no account" in row["export_error"][0]
    assert len(s.invoices()) == 1


def test_a_bill_of_the_same_number_does_not_hide_our_invoice(shop):
    s, body = shop(settings={"status": "DRAFT", "record_payments": False}), order("paid")
    ours, bill = str(uuid.uuid4()), str(uuid.uuid4())
    common = {"InvoiceNumber": number(body), "Status": "DRAFT", "Total": 10, "TotalTax": 0, "LineItems": []}
    fault(s, method="PUT", path=INVOICES, fault="element_error", message="Invoice # must be unique.")
    fault(s, method="GET", path=INVOICES, fault="status", status=200, body={"Status": "OK", "Invoices": [
        {**common, "Type": "ACCPAY", "InvoiceID": bill},
        {**common, "Type": "ACCREC", "InvoiceID": ours,
         "Url": f"https://{s.domain}/admin/orders/{body['id']}"}]})
    s.send("orders/paid", body)
    lib.wait_until(lambda: "doc:invoice" in s.record(body["id"]), "our invoice is known")
    assert json.loads(s.record(body["id"])["doc:invoice"])["id"] == ours


def test_a_limit_without_end_holds_for_a_day_at_most(shop):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=INVOICES, fault="status", status=429, headers={"Retry-After": str(2**63 - 1)})
    s.send("orders/paid", body)
    told = lib.wait_until(lambda: api(s, "GET", f"/connections/{s.connection}")["held_because"], "it is held")
    assert told == "Xero takes no more calls for 86400 s."


@pytest.mark.parametrize("said", [False, True], ids=["unknown", "archived"])
def test_a_remembered_contact_that_xero_does_not_take_is_resolved_anew_once(said, shop):
    s = shop()
    if said:
        gone = act(s, "add_contact", element={"Name": "Old"})["ContactID"]
        act(s, "archive_contact", name="Old")
        s.stack.redis.call("HSET", f"{PREFIX}contacts:{s.connection}", mark(s), gone)
    else:
        foreign_contact(s, None)
    bodies = [order("paid"), order("paid"), neighbour()]
    in_one_lease(s, "orders/paid", *bodies)
    for body in bodies:
        wait_settled(s, body)
    assert s.failed() == []
    expect_books(s, *bodies)


def test_a_text_that_nobody_knows_is_shown_with_xeros_correlation_id(shop):
    s, body = shop(), bad_order()
    fault(s, method="PUT", path=INVOICES, fault="status", status=200, headers={"Xero-Correlation-Id": "c0ffee-42"},
          body={"Status": "OK", "Invoices": [{
              "InvoiceID": "00000000-0000-0000-0000-000000000000", "InvoiceNumber": number(body), "HasErrors": True,
              "StatusAttributeString": "ERROR", "ValidationErrors": [{"Message": "Something new."}]}]})
    s.send("orders/paid", body)
    row = wait_failed(s)
    assert (row["export_error"], row["catalogue"], row["correlation_id"]) == (
        ["Something new."], ["unknown"], "c0ffee-42")
    export_again(s, row)


def test_a_text_that_nobody_knows_is_shown_as_it_is(shop):
    text = "Der Betrag \u2013 \u20ac\u00a05 \u2013 is \"too <odd>\"; see 'code' #7."
    s, bad, good = shop(), bad_order(), neighbour()
    fault(s, method="PUT", path=INVOICES, fault="element_error", message=text)
    in_one_lease(s, "orders/paid", bad, good)
    row, explained = wait_failed(s), catalogue(s.stack)["unknown"]
    wait_settled(s, good)
    assert (row["export_error"], row["catalogue"]) == ([text], ["unknown"])
    assert (row["action_required"], row["fix_in"]) == ([explained["action"]], explained["fix_in"])
    export_again(s, row)
    expect_books(s, bad, good)
