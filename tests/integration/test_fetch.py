"""Orders that are read from their shops: asked for by a notification, missed and found by a reconciliation,
brought by a backfill, or wanted by hand; within each seller's limits, and each once in the books."""

import copy
import datetime
import json
import uuid

import pytest

import lib
from test_amazon import DATA, KEY, MAPPINGS, Seller, notice, order_id

SAMPLE = json.loads((DATA / "orders_2026-01-01" / "getOrder_01_gbp_103_97.json").read_text())
SAMPLE = SAMPLE.get("order", SAMPLE)
TOTAL = "103.97"


def ago(**delta):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**delta)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Amazon(Seller):
    """A seller whom the simulator's Amazon knows too."""

    def __init__(self, stack, settings=None, token=True, **limits):
        self.token = f"Atzr|{uuid.uuid4().hex}"
        seller = f"A{uuid.uuid4().hex[:12].upper()}"
        stack.sim.control("POST", "amazon/sellers", {"seller_id": seller, "refresh_token": self.token, **limits})
        super().__init__(stack, settings=settings, seller=seller,
                         secrets={"api_key": KEY, **({"refresh_token": self.token} if token else {})})

    def sell(self, order=None, updated=None, created=None, **changes):
        """An order at Amazon; nobody is told. Returns its id."""
        body = copy.deepcopy(SAMPLE)
        body.update(orderId=order or order_id(), createdTime=created or ago(minutes=30),
                    lastUpdatedTime=updated or ago(minutes=10), **changes)
        self.stack.sim.control("POST", "amazon/orders", {"seller_id": self.domain, "orders": [body]})
        return body["orderId"]

    def asked(self, what):
        """Calls of Amazon's that name this seller or one of its orders."""
        return [c for c in self.stack.sim.calls(self.domain) if what in c["path"]]

    def log(self, q):
        status, page = self.stack.receiver.api("GET", f"/log?connection={self.connection}&q={q}")
        assert status == 200
        return page["rows"]

    def reconciled(self):
        return self.stack.redis.call("HGET", f"{lib.PREFIX}store:amazon/{self.domain}", "reconciled_to")

    def again(self):
        """Lets the next reconciliation begin now."""
        call = self.stack.redis.call
        key, store = f"{lib.PREFIX}fetchlater:amazon/{self.domain}", f"amazon/{self.domain}"
        lib.wait_until(lambda: call("ZSCORE", key, "*reconcile") is not None, "the reconciliation waits")
        call("ZADD", key, "XX", 1, "*reconcile")
        call("ZADD", lib.PREFIX + "fetchdue", 1, store)
        call("LPUSH", lib.PREFIX + "fetchwake", 1)

    def numbers(self):
        return sorted(i["InvoiceNumber"] for i in self.invoices())


@pytest.fixture
def amazon(stack):
    return lambda **options: Amazon(stack, **options)


def test_a_notified_order_is_read_and_exported(amazon):
    s = amazon()
    order = s.sell()
    assert s.send(notice(s, order))[1] == {"result": "queued", "reason": "waiting_for_fetch"}
    s.wait_done(order)
    invoice, = s.invoices()
    assert str(invoice["Total"]) == TOTAL
    told = s.stack.receiver.api("GET", f"/orders/amazon/{s.domain}/{order}")[1]
    assert [t["topic"] for t in told["trail"] if t["kind"] == "event"] == ["fetch", "ORDER_CHANGE"]


def test_an_order_that_amazon_does_not_know_is_a_failed_row(amazon):
    s, order = amazon(), order_id()
    assert s.send(notice(s, order))[1]["result"] == "queued"
    s.wait_state(order, "failed")
    row, = s.failed()
    assert row["catalogue"] == ["not-in-shop"] and row["export_error"] == ["The shop knows no order of this number."]


def test_orders_without_their_notification_are_found_and_one_that_comes_late_changes_nothing(amazon):
    s = amazon(token=False)
    orders = [s.sell() for _ in range(5)]
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    for order in orders:
        s.wait_done(order)
    assert len(s.numbers()) == 5
    lib.wait_until(s.reconciled, "the pass ends")
    for order in orders:
        assert s.send(notice(s, order))[1]["result"] == "queued"
    lib.wait_until(lambda: not s.fetches(), "the late ones are read")
    s.idle()
    assert len(s.numbers()) == 5
    # The next pass looks at the last minutes again; a missing order among them is found.
    late = s.sell(updated=ago(minutes=4))
    s.again()
    s.wait_done(late)
    s.idle()
    assert len(s.numbers()) == 6


def test_a_seller_without_a_token_is_held_until_it_is_entered(amazon):
    s = amazon(token=False)
    order = s.sell()
    assert s.send(notice(s, order))[1]["result"] == "queued"
    lib.wait_until(lambda: s.log("refresh_token"), "the log says what is missing")
    assert s.asked("/orders/") == []
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    s.wait_done(order)
    store = s.stack.redis.call.hash(f"{lib.PREFIX}store:amazon/{s.domain}")
    assert s.token.encode() not in b"".join(store.values())


def test_a_revoked_consent_holds_the_seller_and_says_so(amazon):
    s = amazon()
    first = s.sell()
    s.send(notice(s, first))
    s.wait_done(first)
    s.stack.sim.control("POST", "amazon/act", {"do": "revoke", "seller_id": s.domain})
    s.stack.sim.control("POST", "amazon/act", {"do": "expire_tokens", "seller_id": s.domain})
    order = s.sell()
    s.send(notice(s, order))
    rows = lib.wait_until(lambda: s.log("shop_held"), "the log says it")
    assert len(rows) == 1 and rows[0]["level"] == "error"
    assert s.fetches() == [order]
