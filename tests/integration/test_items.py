"""Item codes: a line names its SKU as the item where Xero sells such an item and tracks no stock of it."""

import lib
from steps import add as edit
from lib import PREFIX
from orders import line, order

INVOICES = "/api.xro/2.0/Invoices"


def act(s, do, **more):
    return s.stack.sim.control("POST", "act", {"do": do, "tenant": s.tenant, **more})


def add(s, code, **more):
    act(s, "add_item", element={"Code": code, "Name": code, **more})


def asked(s):
    return [c for c in s.calls() if c["path"].endswith("/Items")]


def codes(s, body):
    """The item codes of the order's invoice, line by line."""
    (invoice,) = [i for i in s.invoices() if i["InvoiceNumber"] == body["name"].lstrip("#")]
    return [one.get("ItemCode") or "" for one in invoice["LineItems"]]


def export(s, *skus, **more):
    body = order(lines=[line(f"Line {i}", sku=sku) for i, sku in enumerate(skus)], **more)
    assert s.send("orders/paid", body)[0] == 200
    s.wait_done(body["id"])
    return codes(s, body)


def test_only_items_that_xero_sells_without_stock_are_named(shop):
    s = shop(settings={"item_codes": True})
    add(s, "MUG")
    add(s, "BUY", IsSold=False)
    add(s, "STOCK", InventoryAssetAccountCode="630")
    assert export(s, "MUG", "BUY", "STOCK", "NONE", "mug", "", 'A"B\\', "x" * 31, "A & B+C") == ["MUG"] + 9 * [""]
    assert len(asked(s)) == 1
    assert export(s, "MUG", "NONE") == ["MUG", "", ""] and len(asked(s)) == 1, "known for an hour, the missing too"
    ttl = s.stack.redis.call("PTTL", f"{PREFIX}items:{s.connection}")
    assert 3_500_000 < ttl <= 3_600_000


def test_nothing_is_asked_or_named_without_the_setting(shop):
    s = shop()
    add(s, "MUG")
    assert export(s, "MUG") == ["", ""] and asked(s) == []


def test_an_item_that_is_gone_within_the_hour_fails_nothing(shop):
    s = shop(settings={"item_codes": True})
    s.stack.redis.call("HSET", f"{PREFIX}items:{s.connection}", "GONE", "1")
    assert export(s, "GONE") == ["", ""]
    assert s.stack.redis.call("HGET", f"{PREFIX}items:{s.connection}", "GONE") == b"0"
    before = len([c for c in s.calls() if c["path"] == INVOICES])
    assert export(s, "GONE") == ["", ""]
    assert len([c for c in s.calls() if c["path"] == INVOICES]) == before + 1


def test_a_refused_question_leaves_the_codes_out(shop):
    s = shop(settings={"item_codes": True})
    add(s, "MUG")
    s.stack.sim.fault(tenant=s.tenant, method="GET", path="/api.xro/2.0/Items", fault="status", status=400,
                      remember=False, body={"ErrorNumber": 16, "Type": "QueryParseException", "Message": "no"})
    assert export(s, "MUG") == ["", ""]
    assert export(s, "MUG") == ["MUG", ""]


def test_a_hundred_codes_cost_as_many_questions_as_fit(shop):
    s = shop(settings={"item_codes": True})
    skus = [f"LONG-ITEM-CODE-{i:015d}" for i in range(100)]
    for sku in skus[::10]:
        add(s, sku)
    named = export(s, *skus)
    assert [code for code in named if code] == skus[::10]
    assert len(asked(s)) == 3, "50 codes at most, and 2,048 bytes"


def test_an_item_that_xero_refuses_is_left_out_without_what_is_remembered(shop):
    """Redis takes no writes of the items, and Xero says of one that it is good, and refuses it."""
    s = shop(settings={"item_codes": True})
    add(s, "MUG")
    s.stack.redis.call("SET", f"{PREFIX}items:{s.connection}", "no hash")
    s.stack.sim.fault(tenant=s.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="element_error",
                      message="Item code 'MUG' is not valid")
    assert export(s, "MUG") == ["", ""]
    s.stack.redis.call("DEL", f"{PREFIX}items:{s.connection}")


def test_an_item_that_is_gone_when_an_edit_names_it_fails_nothing(shop):
    for status in ("pending", "paid"):  # the same invoice; a further one
        s = shop(settings={"item_codes": True, "auto_sync": "include_unpaid"})
        body = order(status, lines=[line("Tea", sku="")])
        s.send("orders/create", body)
        s.wait_done(body["id"])
        s.stack.redis.call("HSET", f"{PREFIX}items:{s.connection}", "GONE", "1")
        body = edit(body, line("Jar", "2.00", 1, sku="GONE"))
        s.send("orders/updated", body)
        lib.wait_until(lambda: s.record(body["id"]).get("drev") == "2" or s.failed(), "it was exported, or failed")
        assert s.failed() == [] and len(s.invoices()) == (1 if status == "pending" else 2)
