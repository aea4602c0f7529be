"""What came of an order lacks something: the shop is asked for it once where somebody entered what opens
it. A split payment without its transactions, a forwarded order that does not come to its total, and a
cancellation of an order that nobody can read."""

import copy
import time

import pytest

import lib
from lib import PREFIX
from orders import later, order
from sellers import SAMPLE, Amazon, Seller, Shopify, ago, notice, order_id
from test_amazon import NEW, V0, books_of, forwarded
from test_support import why

TWO = ["manual", "gift_card"]


def events(s, one):
    return [(t["topic"], t["result"]) for t in why(s, one)["trail"] if t["kind"] == "event"]


# ---- a payment split over several gateways ----

def two_accounts(stack, **options):
    s = Shopify(stack, **options)
    payments = {"default": "091", "gateways": {"gift_card": "092"}}
    assert s.patch({"mappings": {"payments": payments}})[0] == 200
    return s


def transactions(*parts):
    return [{"id": 6600 + i, "kind": "sale", "status": "success", "gateway": gateway, "amount": amount,
             "currency": "GBP", "created_at": "2026-11-01T10:00:00+00:00", "processed_at": "2026-11-01T10:00:00+00:00"}
            for i, (gateway, amount) in enumerate(parts)]


def split(s, parts=()):
    """An order of 34.80 that two gateways paid; the shop knows PARTS of it, which no webhook tells."""
    body = order("paid", payment_gateway_names=TWO)
    s.stack.sim.control("POST", "shopify/orders", {"shop": s.domain, "orders": [
        {**body, "transactions": transactions(*parts)}]})
    assert s.send("orders/paid", body)[1]["result"] == "queued"
    return body


def payments(s):
    return sorted((p["Amount"], p["AccountCode"]) for p in s.books()["payments"])


def waits(s, body, topic):
    """Waits until the order, which came by TOPIC last, waits for its transactions."""
    lib.wait_until(lambda: events(s, body["id"])[0][0] == topic, f"the order came by {topic}")

    def waiting():
        record = s.record(body["id"])
        score = s.stack.redis.call("ZSCORE", f"{PREFIX}ready:{s.connection}", s.key(body["id"]))
        return "doc:split" in record and record["st"] == "waiting" and score and float(score) > time.time() * 1000 + 1e5
    lib.wait_until(waiting, "the order waits")


def over(s, body, asked):
    """The wait has ended."""
    s.stack.redis.call("HSET", f"{PREFIX}order:{s.key(body['id'])}", "doc:split",
                       '{"until_ms":1,"asked":%s}' % ("true" if asked else "false"))
    s.stack.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", "XX", 1, s.key(body["id"]))
    for verb in ("pause", "resume"):
        assert s.stack.receiver.api("POST", f"/connections/{s.connection}/{verb}", {})[0] == 200
    s.wait_state(body["id"], "failed")
    (row,) = s.failed()
    assert (row["failed_export"], row["catalogue"]) == ("Payment", ["payment-split-unknown"])
    return row


def test_a_split_whose_transactions_never_came_is_read_from_the_shop(still):
    s = two_accounts(still)
    body = split(s, [("manual", "20.05"), ("gift_card", "14.75")])
    s.wait_done(body["id"])
    assert payments(s) == [("14.75", "092"), ("20.05", "091")]
    (invoice,) = s.invoices()
    assert (invoice["Status"], str(invoice["AmountDue"])) == ("PAID", "0.00")
    assert s.failed() == [] and "doc:split" not in s.record(body["id"])
    assert events(s, body["id"]) == [("fetch", "queued"), ("orders/paid", "queued")]
    # Another message of the same state does not take the place of what was read.
    asked = len(s.asked())
    assert s.send("orders/updated", body)[1]["result"] == "stale_event"
    s.idle()
    assert len(payments(s)) == 2 and len(s.asked()) == asked
    assert s.send("orders/fulfilled", later(body, fulfillment_status="fulfilled"))[1]["result"] == "queued"
    s.idle()
    assert len(payments(s)) == 2 and s.failed() == [] and len(s.asked()) == asked


def test_a_shop_that_knows_no_transactions_is_asked_once_and_the_row_is_as_ever(still):
    s = two_accounts(still)
    body = split(s)
    waits(s, body, "fetch")
    asked = len(s.asked())
    assert (len(s.invoices()), payments(s), s.failed()) == (1, [], [])
    over(s, body, asked=True)
    assert len(s.asked()) == asked and payments(s) == []


def test_a_token_that_is_entered_later_completes_the_payments(still):
    s = two_accounts(still, token=False)
    body = split(s, [("manual", "20.05"), ("gift_card", "14.75")])
    waits(s, body, "orders/paid")
    row = over(s, body, asked=False)
    assert s.asked() == [] and "enter it and export again" in row["action_required"][0]
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    status, answer = still.receiver.api("POST", f"/failed/{row['id']}/export?wait=20", {})
    assert (status, answer["exported"]) == (200, 1), answer
    assert payments(s) == [("14.75", "092"), ("20.05", "091")] and s.failed() == []


def test_a_shop_that_has_lost_the_order_leaves_it_as_it_stands(still):
    s = Shopify(still)
    body = order("paid", payment_gateway_names=TWO)
    s.send("orders/paid", body)
    lib.wait_until(lambda: s.asked(), "the shop is asked")
    lib.wait_until(lambda: still.redis.call("ZCARD", f"{PREFIX}fetchlease:shopify/{s.domain}") == 0, "it has answered")
    s.wait_state(body["id"], "waiting")
    assert s.failed() == [] and events(s, body["id"]) == [("orders/paid", "queued")]


# ---- a forwarded order that does not come to its total ----

def gift(s, one, total="31.98", wrap="4.00"):
    """As Amazon has it: an item of 24.99, shipping of 2.99, and what is wrapped."""
    def parts():
        return [{"type": kind, "subtotal": {"amount": amount, "currencyCode": "GBP"}}
                for kind, amount in (("ITEM", "24.99"), ("SHIPPING", "2.99"), ("GIFT_WRAP", wrap))]
    body = copy.deepcopy(SAMPLE)
    item = body["orderItems"][0]
    item["quantityOrdered"] = 1
    item["product"]["price"]["unitPrice"]["amount"] = "24.99"
    item["proceeds"] = {"proceedsTotal": {"amount": total, "currencyCode": "GBP"}, "breakdowns": parts()}
    body.update(orderId=one, createdTime=ago(minutes=30), lastUpdatedTime=ago(minutes=10),
                proceeds={"grandTotal": {"amount": total, "currencyCode": "GBP"}, "breakdowns": parts()})
    s.stack.sim.control("POST", "amazon/orders", {"seller_id": s.domain, "orders": [body]})


def wrapped(one):
    """The same as a forwarder sees it: the wrapping's price is restricted data."""
    body = copy.deepcopy(forwarded(V0[1])[0])
    order, items = body["orderResponse"]["payload"], body["orderItemsResponse"]["payload"]
    order["AmazonOrderId"] = items["AmazonOrderId"] = one
    order["OrderTotal"]["Amount"] = "31.98"
    items["OrderItems"][0]["IsGift"] = "true"
    return body


def test_a_hidden_gift_wrap_is_read_from_amazon_and_never_a_failed_row(still):
    s, one = Amazon(still, settings={"vat_rates": {"GB": "0.2"}}), order_id()
    gift(s, one)
    assert s.send(wrapped(one), query=f"?seller={s.domain}") == (
        200, {"result": "queued", "reason": "waiting_for_fetch"})
    s.wait_done(one)
    (invoice,) = s.invoices()
    assert (str(invoice["Total"]), str(invoice["AmountDue"])) == ("31.98", "0.00")
    assert sorted(str(line["LineAmount"]) for line in invoice["LineItems"]) == ["2.99", "24.99", "4.00"]
    assert s.failed() == [] and not s.log("unusable")
    assert events(s, one) == [("fetch", "queued"), ("order", "queued")]


def test_what_amazon_gives_is_parked_if_it_does_not_come_to_its_total_either(still):
    s, one = Amazon(still), order_id()
    gift(s, one, total="35.00")
    s.send(wrapped(one), query=f"?seller={s.domain}")
    s.wait_state(one, "failed")
    (row,) = s.failed()
    assert row["catalogue"] == ["unusable-order"] and "35.00 GBP" in row["export_error"][0]
    assert len(s.asked("/orders/")) == 1
    # One that Amazon does not have is a row as well.
    other = order_id()
    s.send(wrapped(other), query=f"?seller={s.domain}")
    s.wait_state(other, "failed")
    assert ["not-in-shop"] in [r["catalogue"] for r in s.failed()]


def test_a_parked_order_is_mended_by_a_token_and_another_message(still):
    s, one = Amazon(still, token=False, settings={"vat_rates": {"GB": "0.2"}}), order_id()
    body = wrapped(one)
    gift(s, one)
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "unusable"
    assert len(s.failed()) == 1 and s.asked("/orders/") == []
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "queued"
    s.wait_done(one)
    assert s.failed() == [] and [str(i["Total"]) for i in s.invoices()] == ["31.98"]


def test_a_parked_order_is_mended_by_a_token_and_an_export(still):
    s, one = Amazon(still, token=False, settings={"vat_rates": {"GB": "0.2"}}), order_id()
    gift(s, one)
    s.send(wrapped(one), query=f"?seller={s.domain}")
    (row,) = s.failed()
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    assert still.receiver.api("POST", f"/failed/{row['id']}/export", {})[0] in (200, 202)
    s.wait_done(one)
    assert s.failed() == [] and [str(i["Total"]) for i in s.invoices()] == ["31.98"]
    assert len(s.asked("/orders/")) == 1


# ---- cancelled, and nobody can read the order ----

def pause(s, verb="pause"):
    assert s.stack.receiver.api("POST", f"/connections/{s.connection}/{verb}", {})[0] == 200


def test_a_cancelled_order_that_waits_is_withdrawn_though_nobody_can_read_it(still):
    s = Seller(still)
    body, one, _, _ = forwarded(NEW[0])
    pause(s)
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "held"
    assert s.send(notice(s, one, status="Canceled"))[1] == {
        "result": "skipped", "reason": "cancelled_before_export"}
    told = why(s, one)
    assert (told["status"], told["reason"]) == ("skipped", "cancelled_before_export")
    pause(s, "resume")
    # What is forwarded late, of the time before, does not bring it back into the books.
    assert s.send(body, query=f"?seller={s.domain}")[0] == 200
    s.idle()
    assert s.invoices() == [] and s.failed() == [] and s.fetches() == []


@pytest.mark.parametrize("settings,after", [({"status": "DRAFT"}, "DELETED"), ({"record_payments": False}, "VOIDED")])
def test_a_cancelled_order_that_is_in_xero_is_taken_back(still, settings, after):
    s = Seller(still, settings=settings)
    body, one, _, _ = forwarded(NEW[0])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(one)
    assert s.send(notice(s, one, status="Canceled"))[1] == {"result": "queued", "reason": "cancelled"}
    lib.wait_until(lambda: s.invoices()[0]["Status"] == after, "the invoice is taken back")
    assert s.failed() == []


def test_a_cancelled_order_that_is_paid_in_xero_goes_to_nothing(still):
    """By the notice alone: the sale, its tax and the money are taken back, as if Amazon had said it whole."""
    s = Seller(still)
    body, one, total, _ = forwarded(NEW[0])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(one)
    assert books_of(s)[0] == books_of(s)[2] == total
    assert s.send(notice(s, one, status="Canceled"))[1] == {"result": "queued", "reason": "cancelled"}
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (0, 0, 0, 0))


def test_a_cancelled_order_that_never_came_is_told_so(still):
    s, one = Seller(still), order_id()
    assert s.send(notice(s, one, status="Canceled"))[1]["reason"] == "cancelled_before_export"
    assert why(s, one)["reason"] == "cancelled_before_export" and s.fetches() == []
    status, answer = still.receiver.api("POST", f"/orders/{s.key(one)}/export", {})
    assert status == 404, answer


def test_a_cancelled_order_of_a_store_that_reads_is_read(still):
    s = Amazon(still)
    one = s.sell()
    s.send(notice(s, one))
    s.wait_done(one)
    assert s.send(notice(s, one, status="Canceled"))[1] == {"result": "queued", "reason": "waiting_for_fetch"}
