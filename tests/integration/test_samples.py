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

# made of plain lines, discounts, shipping and tax, to be exported: must be in the books
PLAIN = ("03", "04", "05", "06", "07", "08", "10", "11", "20", "21", "23")


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
    status, answer = sample_shop.stack.receiver.webhook(raw, headers)
    assert status == 200, answer
    if answer["result"] == "skipped":
        assert body["test"] or body["cancelled_at"] or Decimal(body["total_price"]) == 0, answer
        assert sample_shop.record(body["id"])["reason"] == answer["reason"]
        return
    assert answer["result"] == "queued", answer
    record = lib.wait_until(lambda: settled(sample_shop, body["id"]), f"{name} is exported or failed")
    assert closes(body), "a sample that does not close must not get this far"
    invoices = sample_shop.invoices()
    if name[:2] in PLAIN or invoices:
        (invoice,) = invoices
        assert Decimal(invoice["Total"]) == Decimal(body["total_price"])
        assert Decimal(invoice["TotalTax"]) == Decimal(body["total_tax"])
        assert invoice["CurrencyCode"] == body["currency"]
    if record["st"] == "failed":
        (row,) = sample_shop.failed()
        assert name[:2] not in PLAIN, row
        assert row["catalogue"] == ["unsupported-kind"], row
        assert "not supported yet" in row["export_error"][0], row


def settled(shop, order_id):
    """Done, failed, or waiting for the payments of a split order while its invoice stands."""
    record = shop.record(order_id)
    waits = record.get("st") == "waiting" and "doc:invoice" in record
    return record if record.get("st") in ("done", "failed") or waits else None
