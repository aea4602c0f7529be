"""The consequences of the sync rules, each by real webhooks through real processes into the books."""

from decimal import Decimal

import lib
from orders import later, order


def status_of(invoice):
    return invoice["Status"], Decimal(invoice["AmountDue"]), Decimal(invoice["AmountPaid"])


def sent(shop, topic, body, result, reason=None):
    """Sends and checks the answer."""
    code, answer = shop.send(topic, body)
    assert code == 200, answer
    assert answer["result"] == result, answer
    if reason:
        assert answer["reason"] == reason
    return answer


def test_unpaid_is_skipped_and_then_paid_makes_one_invoice(shop):
    s, o = shop(), order("pending")
    sent(s, "orders/create", o, "skipped", "unpaid")
    assert s.invoices() == []
    sent(s, "orders/paid", later(o, financial_status="paid"), "queued", "paid")
    s.wait_done(o["id"])
    (invoice,) = s.invoices()
    assert status_of(invoice) == ("PAID", 0, Decimal(o["total_price"]))
    assert Decimal(invoice["Total"]) == Decimal(o["total_price"])


def test_created_already_paid_makes_one_invoice_though_two_events_arrive(shop):
    s, o = shop(), order("paid")
    sent(s, "orders/create", o, "queued", "paid")
    sent(s, "orders/paid", o, "queued")  # paid, or money_follows if it is in Xero by now
    s.wait_done(o["id"])
    s.idle()
    assert len(s.invoices()) == 1
    assert len(s.books()["payments"]) == 1


def test_include_unpaid_makes_an_unpaid_invoice_and_paid_adds_the_payment(shop):
    s, o = shop(settings={"auto_sync": "include_unpaid"}), order("pending")
    sent(s, "orders/create", o, "queued", "include_unpaid")
    s.wait_done(o["id"])
    (invoice,) = s.invoices()
    assert status_of(invoice) == ("AUTHORISED", Decimal(o["total_price"]), 0)
    sent(s, "orders/paid", later(o, financial_status="paid"), "queued", "money_follows")
    s.wait_done(o["id"])
    (after,) = s.invoices()
    assert after["InvoiceID"] == invoice["InvoiceID"]
    assert status_of(after) == ("PAID", 0, Decimal(o["total_price"]))


def test_on_fulfilled_exports_an_unpaid_order_and_the_payment_comes_later(shop):
    s, o = shop(settings={"sync_on_fulfilled": True}), order("pending")
    sent(s, "orders/create", o, "skipped", "unpaid")
    o = later(o, fulfillment_status="fulfilled")
    sent(s, "orders/fulfilled", o, "queued", "fulfilled")
    s.wait_done(o["id"])
    assert [status_of(i)[0] for i in s.invoices()] == ["AUTHORISED"]
    sent(s, "orders/paid", later(o, financial_status="paid"), "queued")
    s.wait_done(o["id"])
    assert [status_of(i)[0] for i in s.invoices()] == ["PAID"]


def test_only_fulfilled_waits_for_the_shipment_then_follows_it(shop):
    s = shop(settings={"sync_on_fulfilled": True, "only_sync_fulfilled": True})
    o = order("paid")
    sent(s, "orders/paid", o, "skipped", "waiting_for_fulfilment")
    assert s.invoices() == []
    o = later(o, financial_status="pending", fulfillment_status="partial", payment_gateway_names=[])
    sent(s, "orders/partially_fulfilled", o, "queued", "fulfilled")
    s.wait_done(o["id"])
    assert len(s.invoices()) == 1
    o = later(o, fulfillment_status="fulfilled")
    sent(s, "orders/fulfilled", o, "queued", "fulfilled")
    s.wait_done(o["id"])
    assert len(s.invoices()) == 1
    sent(s, "orders/paid", later(o, financial_status="paid"), "queued")
    s.wait_done(o["id"])
    assert [status_of(i)[0] for i in s.invoices()] == ["PAID"]


def test_a_store_switched_off_exports_nothing_and_fails_nothing(shop):
    s, o = shop(settings={"accounting_system_invoice": False}), order("paid")
    sent(s, "orders/paid", o, "skipped", "accounting_invoice_off")
    assert (s.invoices(), s.failed()) == ([], [])


def test_a_store_switched_on_later_leaves_earlier_orders_out(shop):
    s, o = shop(settings={"accounting_system_invoice": False}), order("paid")
    sent(s, "orders/paid", o, "skipped", "accounting_invoice_off")
    assert s.patch({"settings": {"accounting_system_invoice": True}})[0] == 200
    sent(s, "orders/updated", later(o), "skipped", "accounting_invoice_off")
    new = order("paid")
    sent(s, "orders/paid", new, "queued", "paid")
    s.wait_done(new["id"])
    assert len(s.invoices()) == 1


def test_cancelled_before_it_was_exported_leaves_nothing(shop):
    s, o = shop(), order("paid")
    assert s.stack.receiver.api("POST", f"/connections/{s.connection}/pause")[0] == 200
    sent(s, "orders/paid", o, "held", "paid")
    gone = later(o, cancelled_at="2026-11-01T11:00:00Z", financial_status="refunded")
    sent(s, "orders/cancelled", gone, "skipped", "cancelled_before_export")
    assert s.stack.receiver.api("POST", f"/connections/{s.connection}/resume")[0] == 200
    s.idle()
    assert s.invoices() == []


def test_cancelled_while_the_call_is_in_flight_ends_void(shop, stack):
    s, o = shop(settings={"auto_sync": "include_unpaid"}), order("pending")
    stack.sim.fault(tenant=s.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="hold", when="after", count=1)
    sent(s, "orders/create", o, "queued")
    lib.wait_until(stack.sim.held, "the call is in flight")
    sent(s, "orders/cancelled", later(o, cancelled_at="2026-11-01T11:00:00Z"), "queued", "cancelled")
    stack.sim.control("POST", "release", {})
    lib.wait_until(lambda: [i["Status"] for i in s.invoices()] == ["VOIDED"], "the invoice is void")


def test_cancelled_after_the_export_voids_the_unpaid_invoice(shop):
    s, o = shop(settings={"auto_sync": "include_unpaid"}), order("pending")
    sent(s, "orders/create", o, "queued")
    s.wait_done(o["id"])
    sent(s, "orders/cancelled", later(o, cancelled_at="2026-11-01T11:00:00Z"), "queued", "cancelled")
    s.wait_done(o["id"])
    assert [i["Status"] for i in s.invoices()] == ["VOIDED"]


def test_a_pause_holds_orders_and_resuming_exports_each_once(shop, stack):
    s = shop()
    assert stack.receiver.api("POST", f"/connections/{s.connection}/pause")[0] == 200
    bodies = [order("paid") for _ in range(5)]
    for o in bodies:
        sent(s, "orders/create", o, "held", "paid")
        sent(s, "orders/paid", later(o), "held", "paid")
    assert s.invoices() == []
    assert stack.receiver.api("POST", f"/connections/{s.connection}/resume")[0] == 200
    for o in bodies:
        s.wait_done(o["id"])
    assert len(s.invoices()) == 5


def test_a_paid_order_whose_paid_event_was_lost_exports_at_its_next_event(shop):
    s, o = shop(), order("pending")
    sent(s, "orders/create", o, "skipped", "unpaid")
    sent(s, "orders/updated", later(o, financial_status="paid"), "queued", "paid")
    s.wait_done(o["id"])
    assert len(s.invoices()) == 1


def test_filters_and_special_orders_are_skipped_with_their_reason(shop):
    s = shop(settings={"exclude_tags": ["wholesale"], "exclude_sources": ["pos"], "exclude_gateways": ["cash"],
                       "export_zero_value": False, "start_date": "2026-10-01"})
    free = order("paid", lines=[], ship=[])
    cases = [(order("paid", tags="new, Wholesale"), "filtered_tag"), (order("paid", source_name="pos"), "filtered_source"),
             (order("paid", payment_gateway_names=["cash"]), "filtered_gateway"), (order("paid", test=True), "test_order"),
             (order("paid", created_at="2026-09-30T23:59:59+00:00"), "before_start_date"),
             (order("paid", merchant_of_record_app_id=5), "third_party_sale")]
    for body, reason in cases:
        sent(s, "orders/paid", body, "skipped", reason)
    sent(s, "orders/paid", {**free, "line_items": order()["line_items"][:0]}, "skipped")
    assert s.invoices() == []
