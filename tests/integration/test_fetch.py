"""Orders that are read from their shops: asked for by a notification, missed and found by a reconciliation,
brought by a backfill, or wanted by hand; within each seller's limits, and each once in the books."""

import concurrent.futures
import copy
import json
import signal
import uuid

import pytest

import lib
import test_queue_model
from orders import line
from sellers import SAMPLE, TOTAL, Amazon, Shopify, again, ago, notice, order_id


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


# ---- by hand ----

def export(s, order, wait=20):
    return s.stack.receiver.api("POST", f"/orders/amazon/{s.domain}/{order}/export?wait={wait}", token=lib.SUPPORT)


def test_an_order_that_never_came_is_read_and_exported_by_hand(amazon):
    s = amazon(settings={"auto_sync": "off"})
    order = s.sell()
    status, answer = export(s, order)
    assert (status, answer.get("exported")) == (200, 1), answer
    assert len(s.numbers()) == 1


def test_by_hand_without_a_token_or_such_an_order_is_404(amazon):
    s = amazon(token=False)
    status, answer = export(s, s.sell())
    assert status == 404 and "has ever arrived" in answer["detail"]
    assert s.fetches() == []
    s = amazon()
    status, answer = export(s, order_id())
    assert status == 404 and "not there" in answer["detail"]
    assert s.log("order_not_fetched")


def test_an_order_that_the_rules_export_as_soon_as_it_is_read_is_no_conflict(own_stack):
    stack = own_stack(worker=False)
    s, order = Amazon(stack), order_id()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(export, s, order, 1)
        lib.wait_until(lambda: s.fetches() == [order], "it is to be read")
        stack.redis.call("HSET", f"{lib.PREFIX}order:{s.key(order)}", "st", "leased", "conn", s.connection)
        stack.redis.call("ZREM", f"{lib.PREFIX}fetch:amazon/{s.domain}", order)
        status, answer = asked.result()
    assert status < 300 and answer["waiting"] == 1, answer


# ---- backfill ----

def backfill(s, start, end, **more):
    return s.stack.receiver.api("POST", f"/stores/amazon/{s.domain}/backfill", {"from": start, "to": end, **more})


def task(s, name, verb=None):
    return s.stack.receiver.api("POST" if verb else "GET", f"/tasks/{name}" + (f"/{verb}" if verb else ""))


def test_a_backfill_reads_the_orders_of_its_days_and_no_others(still):
    s = Amazon(still)
    inside = [s.sell(created=f"2026-03-0{day}T12:00:00Z", updated=ago(days=2)) for day in (2, 3, 4)]
    outside = [s.sell(created=f"2026-03-0{day}T12:00:00Z", updated=ago(days=2)) for day in (1, 5)]
    status, started = backfill(s, "2026-03-02", "2026-03-04")
    assert status == 202
    for order in inside:
        s.wait_done(order)
    done = lib.wait_until(lambda: (t := task(s, started["task"])[1])["status"] == "done" and t, "the task ends")
    assert done["result"] == done["progress"] == {"done": 3, "total": 3}
    assert [s.record(order) for order in outside] == [{}, {}]
    assert len(s.numbers()) == 3


def test_a_backfill_is_paused_where_it_stands_and_goes_on_from_there(still):
    s = Amazon(still, settings={"auto_sync": "off"})
    orders = [s.sell(created="2026-03-02T12:00:00Z", updated=ago(days=2)) for _ in range(120)]
    seller = f"{lib.PREFIX}seller:amazon/{s.domain}"
    still.redis.call("HSET", seller, "search:rate", "0.0001", "search:burst", "1")
    name = backfill(s, "2026-03-02", "2026-03-02")[1]["task"]
    first = lib.wait_until(lambda: (t := task(s, name)[1]).get("progress") and t, "the first page is read")
    assert (first["status"], first["progress"]) == ("waiting", {"done": 100, "total": None})
    assert task(s, name, "pause")[1]["status"] == "paused"
    assert task(s, name, "pause")[0] == 200
    still.redis.call("HSET", seller, "search:rate", "1", "search:burst", "20", "search:tokens", "20")
    assert task(s, name, "resume")[1]["status"] in ("waiting", "done")
    last = lib.wait_until(lambda: (t := task(s, name)[1])["status"] == "done" and t, "the rest is read")
    assert last["result"] == {"done": 120, "total": 120}
    assert len([c for c in s.asked("/orders/") if c["status"] == 200]) == 2
    assert all(s.record(order)["st"] == "skipped" for order in orders)
    assert task(s, name, "cancel")[0] == 409


def test_a_cancelled_backfill_reads_no_further(still):
    s = Amazon(still, settings={"auto_sync": "off"})
    still.redis.call("HSET", f"{lib.PREFIX}seller:amazon/{s.domain}", "search:rate", "0.0001", "search:burst", "1",
                     "search:tokens", "0", "search:at", "9999999999999")
    name = backfill(s, "2026-03-02", "2026-03-02")[1]["task"]
    assert task(s, name, "cancel")[1]["status"] == "cancelled"
    assert task(s, name, "resume")[0] == 409
    assert still.redis.call("ZCARD", f"{lib.PREFIX}fetchlater:amazon/{s.domain}") == 0


def test_a_backfill_that_cannot_be_is_refused(still):
    s = Amazon(still)
    for body, fields in (({"from": "2026-03-02"}, ["to"]), ({"from": "2026-13-02", "to": 7}, ["from", "to"]),
                         ({"from": "2026-03-02", "to": "2026-03-01"}, ["to"]),
                         ({"from": "2026-03-02", "to": "2026-03-02", "x": 1}, ["x"])):
        status, answer = still.receiver.api("POST", f"/stores/amazon/{s.domain}/backfill", body)
        assert (status, [e["field"] for e in answer["errors"]]) == (422, fields)
    assert backfill(Amazon(still, token=False), "2026-03-02", "2026-03-02")[0] == 409
    status, _ = still.receiver.api("POST", "/stores/amazon/ANOBODY00/backfill", {"from": "2026-03-02", "to": "2026-03-02"})
    assert status == 404
    assert task(s, str(uuid.uuid4()), "pause")[0] == 404
    assert still.receiver.api("POST", f"/stores/amazon/{s.domain}/backfill", {"from": "2026-03-02", "to": "2026-03-02"},
                              token=lib.SUPPORT)[0] == 403


def test_a_backfill_without_consent_fails_and_says_why(still):
    s = Amazon(still)
    still.sim.control("POST", "amazon/act", {"do": "revoke", "seller_id": s.domain})
    name = backfill(s, "2026-03-02", "2026-03-02")[1]["task"]
    failed = lib.wait_until(lambda: (t := task(s, name)[1])["status"] == "failed" and t, "the task fails")
    assert failed["result"]["error"] and s.log("shop_held")


# ---- when things go wrong ----

def test_a_worker_killed_while_it_reads_is_followed_by_the_next(own_stack):
    stack = own_stack(LH_LEASE=5, LH_RECONCILE=0)
    s = Amazon(stack)
    orders = [s.sell() for _ in range(3)]
    stack.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="hold", when="after", count=1)
    for order in orders:
        s.send(notice(s, order))
    lib.wait_until(lambda: stack.sim.held() == 1, "a call to Amazon is under way")
    stack.worker.kill()
    stack.sim.control("POST", "release")
    stack.start_worker()
    for order in orders:
        s.wait_done(order)
    assert len(s.numbers()) == 3
    assert s.fetches() == []


def test_an_uninstall_clears_the_lanes_of_its_stores(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    s, other = Amazon(stack), Amazon(stack)
    orders, apart = [s.sell() for _ in range(3)], other.sell()
    stack.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="hold", when="after", count=1)
    for order in orders:
        s.send(notice(s, order))
    lib.wait_until(lambda: stack.sim.held() == 1, "an order is being read")
    name = backfill(s, "2026-03-02", "2026-03-04")[1]["task"]
    call, store = stack.redis.call, f"amazon/{s.domain}"
    status, _ = stack.receiver.api("POST", f"/connections/{s.connection}/uninstall", {"confirm": s.connection})
    assert status == 200
    lib.wait_until(lambda: call("HGET", f"{lib.PREFIX}conn:{s.connection}", "erasing") is None, "all is erased")
    for key in ("fetch", "fetchlater", "fetchfirst", "fetchlease", "fetchstate", "fetchtasks", "fetchdied", "fetchtries"):
        assert call("EXISTS", f"{lib.PREFIX}{key}:{store}") == 0, key
    assert call("KEYS", f"{lib.PREFIX}fetchbatch:{store}:*") == []
    assert call("ZSCORE", lib.PREFIX + "fetchdue", store) is None
    assert task(s, name)[1]["status"] == "cancelled"
    lib.wait_until(lambda: call("EXISTS", f"{lib.PREFIX}grant:s-{store}") == 0, "what opens the shop is gone")
    # Whoever reads at this moment brings nothing any more, and nothing more is asked; others go on.
    asked = len(s.asked("/orders/"))
    stack.sim.control("POST", "release")
    stack.worker.wait_event("lease_lost")
    assert s.send(notice(s, orders[0]))[1] == {"result": "skipped", "reason": "xero_uninstalled"}
    other.send(notice(other, apart))
    other.wait_done(apart)
    assert len(s.asked("/orders/")) == asked
    assert [s.record(order)["st"] for order in orders] == ["skipped"] * 3 and s.invoices() == []


def test_a_worker_that_is_to_stop_leaves_a_large_order_to_the_next(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    s = Shopify(stack, costs=[1000, 10000])
    stack.redis.call("HSET", f"{lib.PREFIX}seller:shopify/{s.domain}", "cost:rate", "1000", "cost:burst", "10000")
    body = s.sell(lines=[line(f"Part {i}") for i in range(120)])
    stack.sim.fault(tenant=s.domain, method="POST", path="/admin/", fault="hold", when="after", count=1)
    stack.receiver.api("POST", f"/orders/shopify/{s.domain}/{body['id']}/export", token=lib.SUPPORT)
    lib.wait_until(lambda: stack.sim.held() == 1, "its first part is being read")
    stack.worker.signal(signal.SIGTERM)
    stack.worker.wait_event("draining")
    stack.sim.control("POST", "release")
    assert stack.worker.wait() == 0
    assert len(s.asked()) == 1
    call = stack.redis.call
    assert call("ZRANGE", f"{lib.PREFIX}fetch:shopify/{s.domain}", 0, -1) == [str(body["id"]).encode()]
    assert call.hash(f"{lib.PREFIX}fetchdied:shopify/{s.domain}") == {}
    stack.worker = stack.start_worker()
    s.wait_done(body["id"])
    assert len(s.asked()) > 2 and len(s.invoices()) == 1


def test_a_shop_slower_than_the_lease_kills_no_worker(own_stack):
    stack = own_stack(LH_LEASE=5, LH_RECONCILE=0)
    for s, method, path in ((Amazon(stack), "GET", "/orders/"), (Shopify(stack), "POST", "/admin/")):
        platform = "amazon" if method == "GET" else "shopify"
        stack.sim.fault(tenant=s.domain, method=method, path=path, fault="hold", when="before", count=1)
        sold = s.sell()
        order = sold if method == "GET" else sold["id"]
        stack.receiver.api("POST", f"/orders/{platform}/{s.domain}/{order}/export", token=lib.SUPPORT)
        lib.wait_until(lambda: s.log("shop_held"), "the worker gives up before its lease ends")
        assert stack.redis.call.hash(f"{lib.PREFIX}fetchdied:{platform}/{s.domain}") == {}
        stack.sim.control("POST", "release")
        now(stack, f"{platform}/{s.domain}")
        s.wait_done(order)


def test_amazon_away_is_asked_again_and_nothing_is_lost(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    s = Amazon(stack)
    stack.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="status", status=503, count=1)
    order = s.sell()
    s.send(notice(s, order))
    s.wait_done(order)
    assert s.log("shop_held")


def test_an_order_that_amazon_fails_at_is_in_nobodys_way(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    s = Amazon(stack)
    bad, *good = [s.sell() for _ in range(4)]
    stack.sim.fault(tenant=s.domain, method="GET", path=f"/orders/2026-01-01/orders/{bad}", fault="status", status=500,
                    count=-1)
    for order in (bad, *good):
        s.send(notice(s, order))
    for order in good:
        s.wait_done(order)
    assert "rev" not in s.record(bad)
    stack.sim.control("DELETE", "faults")
    lib.wait_until(lambda: now(stack, "amazon/" + s.domain) or s.record(bad).get("st") == "done", "it is read in the end")


def test_an_order_that_amazon_fails_at_for_good_is_a_failed_row(own_stack):
    stack = own_stack(LH_RECONCILE=0, LH_MAX_ATTEMPTS=2)
    s = Amazon(stack)
    bad = s.sell()
    path = f"/orders/2026-01-01/orders/{bad}"
    stack.sim.fault(tenant=s.domain, method="GET", path=path, fault="status", status=500, count=-1)
    s.send(notice(s, bad))
    for tries in range(1, 6):  # of an outage of the whole shop nobody can tell it
        lib.wait_until(lambda: len(s.asked(path)) >= tries and s.fetches() == [bad], "it is tried")
        assert s.failed() == []
        now(stack, "amazon/" + s.domain)
    good = s.sell()
    s.send(notice(s, good))
    lib.wait_until(lambda: let_go(stack, "amazon/" + s.domain) or s.record(good).get("st") == "done", "the other is read")
    lib.wait_until(lambda: now(stack, "amazon/" + s.domain) or s.failed(), "it is given up")
    row, = s.failed()
    assert row["catalogue"] == ["shop-fails-at-order"] and "2 times" in row["export_error"][0], row
    assert s.fetches() == []
    # A change at the shop has it read again.
    stack.sim.control("DELETE", "faults")
    s.send(notice(s, bad))
    lib.wait_until(lambda: let_go(stack, "amazon/" + s.domain) or s.record(bad).get("st") == "done", "it is read")
    assert s.failed() == []
    assert stack.redis.call("EXISTS", f"{lib.PREFIX}fetchtries:amazon/{s.domain}") == 0


def let_go(stack, store):
    """Ends what holds the store's lane."""
    stack.redis.call("HDEL", f"{lib.PREFIX}seller:{store}", "nb")
    stack.redis.call("ZADD", lib.PREFIX + "fetchdue", "XX", 1, store)
    stack.redis.call("LPUSH", lib.PREFIX + "fetchwake", 1)


def now(stack, store):
    """Lets all that waits at the store be read now."""
    call = stack.redis.call
    call("HDEL", f"{lib.PREFIX}seller:{store}", "nb")
    for queue in ("fetch", "fetchlater"):
        for item in call("ZRANGE", f"{lib.PREFIX}{queue}:{store}", 0, -1):
            call("ZADD", f"{lib.PREFIX}{queue}:{store}", "XX", 1, item)
    call("ZADD", lib.PREFIX + "fetchdue", "XX", 1, store)
    call("LPUSH", lib.PREFIX + "fetchwake", 1)


def test_a_backfill_that_stood_for_long_begins_anew(still):
    """Amazon's token of a page is good for a day."""
    s = Amazon(still, settings={"auto_sync": "off"})
    for _ in range(120):
        s.sell(created="2026-03-02T12:00:00Z", updated=ago(days=2))
    seller = f"{lib.PREFIX}seller:amazon/{s.domain}"
    still.redis.call("HSET", seller, "search:rate", "0.0001", "search:burst", "1")
    name = backfill(s, "2026-03-02", "2026-03-02")[1]["task"]
    lib.wait_until(lambda: task(s, name)[1].get("progress"), "the first page is read")
    assert task(s, name, "pause")[1]["status"] == "paused"
    states = f"{lib.PREFIX}fetchstate:amazon/{s.domain}"
    state = json.loads(still.redis.call("HGET", states, f"*backfill:{name}"))
    assert state["page"]
    still.redis.call("HSET", states, f"*backfill:{name}",
                     json.dumps({**state, "page": "ended", "paged_at": state["paged_at"] - 86400}))
    still.redis.call("HSET", seller, "search:rate", "1", "search:burst", "20", "search:tokens", "20")
    task(s, name, "resume")
    last = lib.wait_until(lambda: (t := task(s, name)[1])["status"] in ("done", "failed") and t, "it ends")
    assert last["result"] == {"done": 120, "total": 120}


def test_an_order_in_a_list_that_cannot_be_read_does_not_stop_the_others(amazon):
    s = amazon(token=False)
    order = s.sell()
    good = {**copy.deepcopy(SAMPLE), "orderId": order, "createdTime": ago(minutes=30), "lastUpdatedTime": ago(minutes=10)}
    s.stack.sim.fault(tenant=s.domain, method="GET", path="/orders/2026-01-01/orders", fault="status", status=200,
                      body={"orders": [{"orderItems": []}, good]}, count=1)
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    s.wait_done(order)
    assert s.log("order_unreadable") and lib.wait_until(s.reconciled, "the pass ends")


def test_a_tokens_removal_that_comes_late_takes_no_newer_one(still):
    s = Amazon(still)
    add = test_queue_model.script("task_add")
    task_id = str(uuid.uuid4())
    still.redis.call("EVAL", add, 1, lib.PREFIX, task_id, "shop", json.dumps({"store": f"amazon/{s.domain}"}))
    lib.wait_until(lambda: task(s, task_id)[1].get("status") != "waiting", "a worker has done it")
    assert export(s, s.sell())[1].get("exported") == 1


# ---- Shopify ----

@pytest.fixture
def shopify(stack):
    return lambda **options: Shopify(stack, **options)


def test_orders_whose_webhook_never_came_are_all_there_after_one_pass(shopify):
    s = shopify(token=False)
    sold = [s.sell() for _ in range(6)]
    assert s.send("orders/paid", sold[0])[0] == 200  # of one it did
    s.wait_done(sold[0]["id"])
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    for body in sold:
        s.wait_done(body["id"])
    assert len(s.invoices()) == 6
    # The one that is known was not asked for; what comes late changes nothing.
    assert s.record(sold[0]["id"])["rev"] == "1"
    for body in sold:
        assert s.send("orders/paid", body)[1]["result"] in ("stale_event", "queued", "skipped", "duplicate")
    s.idle()
    assert len(s.invoices()) == 6
    assert {i["Total"] for i in s.invoices()} == {s.invoices()[0]["Total"]}


def test_a_payment_in_the_second_of_what_is_known_is_found(shopify):
    s = shopify(token=False)
    body = s.sell()
    before = {**body, "financial_status": "pending", "total_outstanding": body["total_price"]}
    assert s.send("orders/create", before)[1]["result"] == "skipped"
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    s.wait_done(body["id"])


def test_a_shopify_order_by_hand_and_one_that_is_not_there(shopify):
    s = shopify(settings={"auto_sync": "off"})
    body = s.sell()
    path = f"/orders/shopify/{s.domain}/"
    status, answer = s.stack.receiver.api("POST", path + f"{body['id']}/export?wait=20", token=lib.SUPPORT)
    assert (status, answer.get("exported")) == (200, 1), answer
    status, answer = s.stack.receiver.api("POST", path + "99/export?wait=20", token=lib.SUPPORT)
    assert status == 404 and "not there" in answer["detail"]


def test_missing_subscriptions_are_told_once(shopify):
    s = shopify()
    lib.wait_until(lambda: s.log("webhooks_missing"), "the first pass looks at them")
    call, store = s.stack.redis.call, f"shopify/{s.domain}"
    for topic, rows in (("ORDERS_PAID", 2), ("ORDERS_PAID", 2)):
        s.subscribe(topic)
        again(s.stack, store)
        lib.wait_until(lambda: len([c for c in s.asked()]) and call("ZSCORE", f"{lib.PREFIX}fetchlater:{store}", "*reconcile")
                       not in (None, b"1"), "another pass")
        lib.wait_until(lambda: len(s.log("webhooks_missing")) == rows, "it is told")
    last = s.log("webhooks_missing")[0]
    assert last["level"] == "error" and "orders/create" in last["message"] and "orders/paid" not in last["message"]


def test_an_edits_own_message_has_the_order_read_where_that_is_possible(still):
    s = Shopify(still)
    body = s.sell()
    edit = {"order_edit": {"id": 7, "order_id": body["id"], "created_at": ago(minutes=1), "line_items": {
        "additions": [], "removals": []}}}
    assert s.send("orders/edited", edit)[1] == {"result": "queued", "reason": "waiting_for_fetch"}
    s.wait_done(body["id"])
    assert len(s.invoices()) == 1
    assert s.patch({"secrets": {"api_token": None}})[0] == 200
    assert s.send("orders/edited", edit)[1]["result"] == "ignored"


def test_a_shopify_backfill_reads_its_days(still):
    s = Shopify(still)
    inside = s.sell(created_at="2026-03-02T12:00:00+00:00", processed_at="2026-03-02T12:00:00+00:00")
    outside = s.sell(created_at="2026-03-05T12:00:00+00:00", processed_at="2026-03-05T12:00:00+00:00")
    status, started = still.receiver.api("POST", f"/stores/shopify/{s.domain}/backfill",
                                         {"from": "2026-03-02", "to": "2026-03-03"})
    assert status == 202
    lib.wait_until(lambda: task(s, started["task"])[1]["status"] == "done", "the task ends")
    s.wait_done(inside["id"])
    lib.wait_until(lambda: still.redis.call("ZCARD", f"{lib.PREFIX}fetchlater:shopify/{s.domain}") == 0
                   and still.redis.call("ZCARD", f"{lib.PREFIX}fetchlease:shopify/{s.domain}") == 0, "all are read")
    assert s.record(outside["id"]) == {} and len(s.invoices()) == 1


def test_two_backfills_at_once_read_the_days_of_both_and_no_others(still):
    s, store = Shopify(still), None
    store = f"shopify/{s.domain}"
    seller = f"{lib.PREFIX}seller:{store}"
    still.redis.call("HSET", seller, "cost:rate", "0.001", "cost:burst", "1000", "cost:tokens", "210", "cost:at", 0)
    sold = {day: s.sell(created_at=f"{day}T12:00:00+00:00", processed_at=f"{day}T12:00:00+00:00")
            for day in ("2026-03-02", "2026-03-05", "2026-03-07")}
    for day in ("2026-03-02", "2026-03-05"):
        still.receiver.api("POST", f"/stores/shopify/{s.domain}/backfill", {"from": day, "to": day})
    lib.wait_until(lambda: still.redis.call("ZCARD", f"{lib.PREFIX}fetchlater:{store}") == 2 and
                   still.redis.call("ZCARD", f"{lib.PREFIX}fetchlease:{store}") == 0, "both have listed their orders")
    still.redis.call("HSET", seller, "cost:rate", "50", "cost:tokens", "1000")
    now(still, store)
    lib.wait_until(lambda: now(still, store) or s.record(sold["2026-03-02"]["id"]).get("st") == "done" and
                   s.record(sold["2026-03-05"]["id"]).get("st") == "done", "the days of both are read")
    assert s.record(sold["2026-03-07"]["id"]) == {}
    assert len(s.asked()) == 4  # two lists, two orders


def test_a_shops_points_are_kept_to(still):
    s = Shopify(still, costs=[400, 800])
    still.redis.call("HSET", f"{lib.PREFIX}seller:shopify/{s.domain}", "cost:rate", "400", "cost:burst", "800")
    sold = [s.sell() for _ in range(5)]
    for body in sold:
        still.receiver.api("POST", f"/orders/shopify/{s.domain}/{body['id']}/export", token=lib.SUPPORT)
    for body in sold:
        s.wait_done(body["id"])
    kinds = [v["kind"] for v in still.sim.control("GET", "violations")["violations"]]
    assert not [k for k in kinds if k in ("limit_cost", "limit_query")]


def test_a_wrong_shopify_token_holds_the_shop_and_says_so(still):
    s = Shopify(still, token=False)
    assert s.patch({"secrets": {"api_token": "shpat_not_the_one"}})[0] == 200
    status, answer = still.receiver.api("POST", f"/orders/shopify/{s.domain}/77/export", token=lib.SUPPORT)
    assert status == 202 and answer["waiting"] == 1
    lib.wait_until(lambda: s.log("shop_held"), "the log says it")
    assert len(s.asked()) <= 2
