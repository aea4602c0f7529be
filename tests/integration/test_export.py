"""What the worker makes of Xero's answers: each document once, whatever the answer was."""

import json
from decimal import Decimal

import pytest

import lib
from orders import later, line, order

INVOICES = "/api.xro/2.0/Invoices"
PAYMENTS = "/api.xro/2.0/Payments"
CONTACTS = "/api.xro/2.0/Contacts"


def act(shop, do, **more):
    return shop.stack.sim.control("POST", "act", {"do": do, "tenant": shop.tenant, **more})


def fault(shop, **more):
    shop.stack.sim.fault(tenant=shop.tenant, **more)


def in_one_lease(shop, bodies):
    """Sends the orders while the connection is paused, so that one lease takes them all."""
    path = f"/connections/{shop.connection}"
    assert shop.stack.receiver.api("POST", path + "/pause", {})[0] == 200
    for body in bodies:
        assert shop.send("orders/paid", body)[1]["result"] == "held"
    assert shop.stack.receiver.api("POST", path + "/resume", {})[0] == 200


def writes(shop):
    return [(call["method"], call["path"].rsplit("/", 1)[-1]) for call in shop.calls() if call["method"] != "GET"]


def violations(shop):
    rows = shop.stack.sim.control("GET", "violations")["violations"]
    return [row for row in rows if row["tenant"] == shop.tenant]


def expect_once(shop, body):
    books = shop.books()
    (invoice,) = books["invoices"]
    (payment,) = books["payments"]
    assert (invoice["Status"], Decimal(invoice["Total"])) == ("PAID", Decimal(body["total_price"]))
    assert Decimal(payment["Amount"]) == Decimal(body["total_price"])
    assert violations(shop) == []


@pytest.mark.parametrize("path", [CONTACTS, INVOICES, PAYMENTS])
@pytest.mark.parametrize("how", [
    {"fault": "status", "status": 500, "when": "before"}, {"fault": "status", "status": 500, "when": "after"},
    {"fault": "status", "status": 503, "when": "after"}, {"fault": "reset_after"}, {"fault": "reset_before"},
    {"fault": "malformed"}])
def test_a_call_whose_answer_is_lost_is_made_once(shop, path, how):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=path, **how)
    s.send("orders/paid", body)
    assert "att" not in s.wait_done(body["id"])
    expect_once(s, body)


@pytest.mark.parametrize("path", [INVOICES, PAYMENTS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outage_that_also_meets_the_look_up_leaves_a_mark_that_is_cleared_later(shop, path, when):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=path, fault="status", status=503, when=when, count=2)
    fault(s, method="GET", path=INVOICES, fault="status", status=503, count=1)
    s.send("orders/paid", body)
    field = "doc:invoice" if path == INVOICES else "doc:pay:order"
    lib.wait_until(lambda: json.loads(s.record(body["id"]).get(field, '{"id":1}'))["id"] == "", "the doubt is recorded")
    assert "att" not in s.wait_done(body["id"])
    expect_once(s, body)


@pytest.mark.parametrize("path", [INVOICES, PAYMENTS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_comes_too_late_is_not_asked_for_at_the_same_time(own_stack, path, when):
    stack = own_stack(LH_LEASE=5)
    s, body = lib.Shop(stack), order("paid")
    fault(s, method="PUT", path=path, fault="delay", delay_ms=2500, when=when)
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    expect_once(s, body)


def test_one_bad_order_of_a_batch_fails_alone(shop):
    s = shop()
    bodies = [order("paid") for _ in range(20)]
    bodies[7]["line_items"][0]["product_type"] = "odd"
    s.patch({"mappings": {"accounts": {"by_sku": {"BAD": "999"}}}})
    bodies[7]["line_items"][0]["sku"] = "BAD"
    in_one_lease(s, bodies)
    for body in bodies[:7] + bodies[8:]:
        s.wait_done(body["id"])
    s.wait_state(bodies[7]["id"], "failed")
    (row,) = s.failed()
    assert (row["failed_export"], row["catalogue"]) == ("Sales invoice", ["account-invalid"])
    assert len(s.invoices()) == 19
    assert writes(s) == [("PUT", "Contacts"), ("PUT", "Invoices"), ("PUT", "Payments")]


def test_a_call_refused_as_a_whole_is_halved_until_the_culprit_is_alone(shop):
    s = shop()
    bodies = [order("paid") for _ in range(8)]
    answer = {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": "Error converting value \"x\"."}
    fault(s, method="PUT", path=INVOICES, fault="status", status=400, body=answer, remember=False, count=4)
    in_one_lease(s, bodies)
    lib.wait_until(lambda: len(s.invoices()) == 7 and len(s.failed()) == 1, "seven are made and one failed")
    s.idle()
    assert s.failed()[0]["catalogue"] == ["wrong-value"]


def test_a_document_that_xero_has_a_fault_with_does_not_keep_others_back(own_stack):
    """Xero answers look-ups, but 500 to every call that holds this one."""
    s = lib.Shop(own_stack())
    bodies = [order("paid") for _ in range(8)]
    odd = bodies[5]
    fault(s, method="PUT", path=INVOICES, fault="status", status=500, count=-1, holds=odd["name"])
    in_one_lease(s, bodies)
    lib.wait_until(lambda: len(s.invoices()) == 7, "seven are made", 120)
    lib.wait_until(lambda: s.record(odd["id"]).get("att"), "what is alone and fails has had a try that counts", 60)
    assert s.record(odd["id"])["sus"] == "1" and violations(s) == []
    assert [s.record(b["id"]).get("att") for b in bodies if b is not odd] == [None] * 7


def test_an_outage_that_takes_no_contacts_fails_no_order(own_stack):
    s, body = lib.Shop(own_stack()), order("paid")
    fault(s, method="PUT", path=CONTACTS, fault="status", status=503, count=8)
    s.send("orders/paid", body)
    assert "att" not in s.wait_done(body["id"])
    expect_once(s, body)


def test_a_new_customer_with_two_orders_gets_one_contact_and_known_ones_cost_no_call(shop):
    s = shop()
    first = [order("paid"), order("paid")]
    in_one_lease(s, first)
    for body in first:
        s.wait_done(body["id"])
    assert len(s.books()["contacts"]) == 1
    before = len(s.calls())
    second = order("paid")
    s.send("orders/paid", second)
    s.wait_done(second["id"])
    assert [(c["method"], c["path"].rsplit("/", 1)[-1]) for c in s.calls()[before:]] == [
        ("PUT", "Invoices"), ("PUT", "Payments")]


def test_an_order_that_xero_already_matches_costs_no_call(shop):
    s, body = shop(), order("paid")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    before, revision = len(s.calls()), s.record(body["id"])["drev"]
    s.send("orders/updated", later(body, note="gift"))
    lib.wait_until(lambda: s.record(body["id"])["drev"] != revision, "the new revision is exported")
    assert len(s.calls()) == before


def test_a_name_that_is_taken_gets_a_distinct_contact(shop):
    s, body = shop(), order("paid")
    act(s, "add_contact", element={"Name": "Ada Buyer", "EmailAddress": "stranger@example.com"})
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    names = [contact["Name"] for contact in s.books()["contacts"]]
    assert len(names) == 2 and names[0] == "Ada Buyer" and names[1].startswith("Ada Buyer ")


def test_an_archived_contact_fails_with_its_action_and_works_when_restored(shop):
    s, first, second = shop(), order("paid"), order("paid")
    s.send("orders/paid", first)
    s.wait_done(first["id"])
    act(s, "archive_contact", name="Ada Buyer")
    s.send("orders/paid", second)
    s.wait_state(second["id"], "failed")
    (row,) = s.failed()
    assert row["catalogue"] == ["contact-archived"]
    act(s, "restore_contact", contact_number=s.books()["contacts"][0]["ContactNumber"])
    status, _ = s.stack.receiver.api("POST", f"/failed/{row['id']}/export", {}, token=lib.SUPPORT)
    assert status in (200, 202)
    s.wait_done(second["id"])
    assert len(s.invoices()) == 2


def test_a_number_that_is_not_ours_is_never_adopted(shop):
    s, body = shop(), order("paid", name="#7")
    act(s, "add_contact", element={"Name": "Stranger"})
    stranger = s.books()["contacts"][0]["ContactID"]
    act(s, "add_invoice", element={
        "InvoiceNumber": "7", "Contact": {"ContactID": stranger}, "Date": "2026-11-01", "DueDate": "2026-11-01",
        "Status": "AUTHORISED", "LineAmountTypes": "Exclusive",
        "LineItems": [{"Description": "x", "Quantity": 1, "UnitAmount": 1, "AccountCode": "200"}]})
    s.send("orders/paid", body)
    s.wait_state(body["id"], "failed")
    assert s.failed()[0]["catalogue"] == ["number-taken"]
    assert "inx" not in s.record(body["id"])
    assert (len(s.invoices()), s.books()["payments"]) == (1, [])


def test_a_fault_in_one_element_is_looked_up_and_tried_again_with_a_new_key(shop):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=PAYMENTS, fault="element_error", message="An error occurred in Xero.")
    s.send("orders/paid", body)
    lib.wait_until(lambda: s.record(body["id"]).get("att") == "1", "the attempt is counted")
    s.wait_done(body["id"])
    expect_once(s, body)
    keys = [c["idempotency_key"] for c in s.calls() if c["path"] == PAYMENTS]
    assert len(keys) == len(set(keys)) == 2


def test_an_invoice_that_a_person_paid_gets_no_second_payment(shop):
    s, body = shop(settings={"auto_sync": "include_unpaid"}), order("pending")
    s.send("orders/create", body)
    s.wait_done(body["id"])
    act(s, "pay_invoice", invoice_number=s.invoices()[0]["InvoiceNumber"])
    revision = s.record(body["id"])["drev"]
    s.send("orders/paid", later(body, financial_status="paid"))
    lib.wait_until(lambda: s.record(body["id"]).get("drev") != revision, "the payment is seen to")
    assert s.record(body["id"])["st"] == "done"
    assert len(s.books()["payments"]) == 1


def test_a_total_that_xero_computes_otherwise_fails_with_both_figures_and_is_recorded(shop):
    s, body = shop(), order("paid", lines=[line(price="10.00", quantity=1)], ship=[])
    fault(s, method="PUT", path=INVOICES, fault="malformed", body=json.dumps({"Invoices": [{
        "InvoiceID": "11111111-2222-4333-8444-555555555555", "InvoiceNumber": body["name"].lstrip("#"),
        "Status": "AUTHORISED", "Total": 11.99, "TotalTax": 1.99, "StatusAttributeString": "OK"}]}))
    s.send("orders/paid", body)
    s.wait_state(body["id"], "failed")
    (row,) = s.failed()
    assert row["catalogue"] == ["total-does-not-reconcile"]
    assert "11.99" in row["export_error"][0] and "12.00" in row["export_error"][0]
    assert json.loads(s.record(body["id"])["doc:invoice"])["id"].startswith("11111111")


def test_a_limit_holds_the_connection_and_costs_no_attempt(shop):
    s, body = shop(), order("paid")
    fault(s, method="PUT", path=INVOICES, fault="status", status=429, body="", remember=False,
          headers={"Retry-After": "1", "X-Rate-Limit-Problem": "minute"})
    s.send("orders/paid", body)
    assert "att" not in s.wait_done(body["id"])
    expect_once(s, body)


def test_a_token_that_xero_calls_expired_is_replaced_once(shop):
    s, first, second = shop(), order("paid"), order("paid")
    s.send("orders/paid", first)
    s.wait_done(first["id"])
    act(s, "expire_tokens")
    s.send("orders/paid", second)
    s.wait_done(second["id"])
    assert len(s.invoices()) == 2
    client = s.connection.replace("conn-", "id-")
    refused = [c for c in s.stack.sim.calls() if c["client"] == client and c["status"] == 401]
    assert len(refused) == 1


def test_many_workers_ask_for_one_token(own_stack):
    stack = own_stack(LH_WORKERS=8)
    s = lib.Shop(stack)
    path = f"/connections/{s.connection}"
    assert stack.receiver.api("POST", path + "/pause", {})[0] == 200
    bodies = [order("paid") for _ in range(200)]
    for body in bodies:
        s.send("orders/paid", body)
    assert stack.receiver.api("POST", path + "/resume", {})[0] == 200
    lib.wait_until(lambda: len(s.invoices()) == 200 and len(s.books()["payments"]) == 200, "all are paid", 60)
    tokens = [c for c in stack.sim.calls() if c["path"] == "/connect/token"]
    assert len(tokens) == 1
    assert len(s.calls()) <= 4 * 4 + 4
    assert violations(s) == []


def test_a_cancelled_order_without_payments_is_voided(shop):
    s, body = shop(settings={"auto_sync": "include_unpaid"}), order("pending")
    s.send("orders/create", body)
    s.wait_done(body["id"])
    s.send("orders/cancelled", later(body, cancelled_at="2026-11-02T10:00:00+00:00", financial_status="voided"))
    lib.wait_until(lambda: [i["Status"] for i in s.invoices()] == ["VOIDED"], "the invoice is voided")


def test_a_refused_client_holds_the_orders_and_fails_none(shop):
    s, body = shop(), order("paid")
    path = f"/connections/{s.connection}"
    assert s.stack.receiver.api("PATCH", path, {"client_secret": "wrong"})[0] == 200
    s.send("orders/paid", body)
    lib.wait_until(lambda: [e for e in s.stack.worker.events("token_refused") if e["connection"] == s.connection],
                   "the refusal is logged")
    assert s.record(body["id"])["st"] in ("waiting", "leased")
    assert s.books()["invoices"] == []


def test_a_split_payment_waits_for_its_transactions_and_then_fails_while_the_invoice_stands(shop):
    s, body = shop(), order("paid", payment_gateway_names=["manual", "gift_card"])
    s.send("orders/paid", body)
    lib.wait_until(lambda: "doc:split" in s.record(body["id"]), "the wait begins")
    s.wait_state(body["id"], "waiting")
    assert (len(s.invoices()), s.books()["payments"], s.failed()) == (1, [], [])
    s.stack.redis.call("HSET", f"{lib.PREFIX}order:{s.key(body['id'])}", "doc:split", '{"until_ms":1}')
    s.send("orders/updated", later(body, note="look again"))
    path = f"/connections/{s.connection}"
    s.stack.redis.call("ZADD", f"{lib.PREFIX}ready:{s.connection}", "1", s.key(body["id"]))
    assert s.stack.receiver.api("POST", path + "/pause", {})[0] == 200
    assert s.stack.receiver.api("POST", path + "/resume", {})[0] == 200
    s.wait_state(body["id"], "failed")
    (row,) = s.failed()
    assert (row["failed_export"], row["catalogue"]) == ("Payment", ["payment-split-unknown"])
    assert (len(s.invoices()), s.books()["payments"]) == (1, [])


def test_a_connection_without_credentials_uses_the_environments_pair(own_stack):
    stack = own_stack(LH_XERO_CLIENT_ID="demo-client", LH_XERO_CLIENT_SECRET="demo-secret")
    s, body = lib.Shop(stack), order("paid")
    tenant = stack.sim.control("GET", "health")["tenants"][0]
    status, answer = stack.receiver.api("PUT", "/connections/plain", {"tenant": tenant, "grant": "client_credentials"})
    assert status in (200, 201), answer
    assert s.put(connection="plain")[0] == 200
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    assert len(stack.sim.books(tenant)["invoices"]) == 1
