"""Every Shopify order sample, sent with its own headers into fresh state, ends where an accountant
would look for it: in the books to the cent, on the failed list by its kind, or skipped with a reason."""

import json
from decimal import Decimal

import pytest

import lib

NAMES = sorted(p.name.removesuffix(".headers.json") for p in (lib.DATA / "orders").glob("[0-9][0-9]_*.headers.json"))
SHOP = "sample-store.myshopify.com"

MAPPINGS = {**lib.DEFAULT_MAPPINGS, "taxes": {
    "by_title": {}, "by_rate": {"0.2": "OUTPUT2", "0.06": "TAX001", "0.1": "TAX003", "0.0825": "TAX004", "0.085": "TAX011"},
    "by_country": {}, "default": None, "exempt": "ZERORATEDOUTPUT"}}

# How each sample ends: in the books whole; skipped, with the reason; an invoice that waits for the
# payments through its gateways; a failed row beside the invoice. The README counts them.
ENDS = {
    "01": "test_order", "02": "exported", "03": "exported", "04": "exported", "05": "exported",
    "06": "exported", "07": "exported", "08": "exported", "09": "cancelled_before_export", "10": "exported",
    "11": "exported", "20": "exported", "21": "split", "22": "exported", "23": "exported", "24": "exported"}


def closes(body):
    """The sum of the order's parts, by the shop's own formula, equals its total."""
    money = lambda text: Decimal(str(text))
    parts = sum(money(x["price"]) * x["quantity"] for x in body["line_items"] if "tip_payment_gateway" not in x)
    parts += sum(money(x["price"]) for x in body["shipping_lines"] if not x.get("is_removed"))
    parts -= sum(money(a["amount"]) for x in body["line_items"] + body["shipping_lines"]
                 for a in x.get("discount_allocations", []))
    parts += money(body.get("total_tip_received") or 0)
    parts += 0 if body["taxes_included"] else money(body["total_tax"] or 0)
    return parts == money(body["total_price"])


@pytest.fixture(scope="module")
def sample_stack():
    stack = lib.Stack()
    yield stack
    stack.close()


@pytest.fixture
def sample_shop(sample_stack):
    """The samples' shop on a connection of its own; afterwards its orders are forgotten."""
    shop = lib.Shop(sample_stack, name=SHOP, settings={"auto_sync": "include_unpaid"}, mappings=MAPPINGS)
    yield shop
    call = sample_stack.redis.call
    for kind in ("ready", "order", "snap", "trail", "names", "failed", "failrow", "failgroups", "synced"):
        for key in call("KEYS", f"{lib.PREFIX}{kind}:*"):
            call("DEL", key)


@pytest.mark.parametrize("name", NAMES)
def test_sample_ends_where_it_should(sample_shop, name):
    raw, headers = lib.load_sample(name)
    body = json.loads(raw)
    end = ENDS[name[:2]]
    status, answer = sample_shop.stack.receiver.webhook(raw, headers)
    assert status == 200, answer
    if answer["result"] == "skipped":
        assert answer["reason"] == end == sample_shop.record(body["id"])["reason"]
        return
    assert answer["result"] == "queued", answer
    record = lib.wait_until(lambda: settled(sample_shop, body["id"]), f"{name} is exported or failed")
    assert closes(body), "a sample that does not close must not get this far"
    (invoice,) = sample_shop.invoices()
    assert Decimal(invoice["Total"]) == Decimal(body["total_price"])
    assert Decimal(invoice["TotalTax"]) == Decimal(body["total_tax"])
    assert invoice["CurrencyCode"] == body["currency"]
    assert Decimal(invoice["AmountPaid"]) == (paid(body) if end != "split" else 0)
    if end == "exported":
        assert record["st"] == "done", sample_shop.failed()
    elif end == "split":
        assert record["st"] == "waiting"
    else:
        (row,) = sample_shop.failed()
        assert row["catalogue"] == [end], row


def paid(body):
    """What the payment state of a sample says was paid."""
    if body["financial_status"] in ("partially_paid", "partially_refunded"):
        back = sum(Decimal(t["amount"]) for r in body.get("refunds") or [] for t in r["transactions"])
        return Decimal(body["current_total_price"]) - Decimal(body["total_outstanding"]) + back
    return Decimal(body["total_price"]) if body["financial_status"] == "paid" else Decimal(0)


def test_split_payment_is_booked_once_its_transactions_are_known(sample_shop):
    """Sample 21 was paid by card and gift card; its transactions come by messages of their own."""
    raw, headers = lib.load_sample("21_con_eur_shop_gbp_presentment_gift_card_paid")
    body = json.loads(raw)
    sample_shop.stack.receiver.webhook(raw, headers)
    lib.wait_until(lambda: settled(sample_shop, body["id"]), "the invoice is made")
    for number, (gateway, amount) in enumerate((("shopify_payments", "24.41"), ("gift_card", "30.00"))):
        status, answer = sample_shop.send("order_transactions/create", {
            "id": 7100 + number, "order_id": body["id"], "kind": "sale", "status": "success", "gateway": gateway,
            "amount": amount, "currency": "EUR", "created_at": "2026-09-01T10:00:00+00:00"})
        assert status == 200, answer
    lib.wait_until(lambda: sample_shop.record(body["id"])["st"] == "done", "both payments are booked")
    (invoice,) = sample_shop.invoices()
    assert Decimal(invoice["AmountDue"]) == 0 and len(invoice["Payments"]) == 2


def test_documented_transaction_and_refund(sample_shop):
    """The messages of Shopify's reference about its sample order: an authorisation pays nothing; the
    refund without transactions takes 398.00 out of lines that were sold for 393.00."""
    raw, _ = lib.load_sample("01_doc_test_order_cancelled_voided")
    order = {**json.loads(raw), "test": False, "cancelled_at": None, "financial_status": "pending"}
    assert sample_shop.send("orders/create", order)[1]["result"] == "queued"
    lib.wait_until(lambda: sample_shop.record(order["id"])["st"] == "done", "the order is in Xero")
    for name, topic in (("order_transactions_create_doc", "order_transactions/create"),
                        ("refunds_create_doc", "refunds/create")):
        assert sample_shop.send(topic, json.loads((lib.DATA / "orders" / f"{name}.json").read_bytes()))[0] == 200
    assert sample_shop.send("orders/updated", {**order, "updated_at": "2026-09-02T10:00:00-04:00"})[0] == 200
    lib.wait_until(lambda: sample_shop.record(order["id"])["st"] == "failed", "the edit does not add up")
    (invoice,) = sample_shop.invoices()
    assert Decimal(invoice["Total"]) == Decimal("403.00") and Decimal(invoice["AmountPaid"]) == 0
    assert "398" in sample_shop.failed()[0]["export_error"][0]


def settled(shop, order_id):
    """Done, failed, or waiting for the payments of a split order while its invoice stands."""
    record = shop.record(order_id)
    waits = record.get("st") == "waiting" and "doc:invoice" in record
    return record if record.get("st") in ("done", "failed") or waits else None
