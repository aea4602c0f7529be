"""Orders that wait to be read from their shops, as support sees them: rows of the queue with what holds
them, counts, and the explanation of one order."""

import uuid

import pytest

import lib
from lib import PREFIX
from orders import order
from sellers import Amazon, Seller, Shopify, notice, order_id
from test_fetch import backfill
from test_support import TIME, get, rows_of, sent, state, why


@pytest.fixture(scope="module")
def desk():
    """A stack without a worker: what waits stays so."""
    stack = lib.Stack(worker=False)
    yield stack
    stack.close()


def queue(s, query=""):
    return get(s.stack, f"/queue?connection={s.connection}{query}")


def unread(s):
    return get(s.stack, f"/connections/{s.connection}")["to_be_read"]


def ask(s, *ids, queue="fetch", score=1700000000000):
    """As the receiver and the workers put orders on a store's lane."""
    store = s.key("x").rpartition("/")[0]
    s.stack.redis.call("ZADD", f"{PREFIX}{queue}:{store}", *(x for i in ids for x in (score, i)))
    s.stack.redis.call("ZADD", PREFIX + "fetchdue", score, store)


def test_a_notified_order_is_a_row_until_it_is_read(desk):
    s, order = Seller(desk), order_id()
    s.send(notice(s, order))
    page = queue(s)
    (row,) = page["rows"]
    assert (row["connection"], row["store"], row["order"]) == (s.connection, f"amazon/{s.domain}", s.key(order))
    assert (row["type"], row["exported_item"], row["state"], row["to_be_read"], row["held_because"],
            row["next_try_at"]) == ("Sales invoice", order, "waiting", True, None, None)
    assert TIME.fullmatch(row["queued_at"]) and page["oldest"] == row["queued_at"]
    assert [page[k] for k in ("count", "exporting", "reading", "waiting", "held", "to_be_read")] == [1, 0, 0, 1, 0, 1]
    (lane,) = page["connections"]
    assert (lane["connection"], lane["waiting"], lane["to_be_read"]) == (s.connection, 1, 1)
    assert unread(s) == 1
    assert row in get(desk, "/queue?limit=1000")["rows"]
    assert queue(s, f"&store=amazon/{s.domain}")["rows"] == [row]
    assert queue(s, f"&store=amazon/{s.domain}")["count"] == 1
    assert queue(s, "&store=amazon/AOTHER0000")["rows"] == []
    told = why(s, order)
    assert (told["status"], told["reason"]) == ("waiting", "waiting_for_fetch")


def test_an_order_that_waits_for_both_is_a_row_of_each_kind(desk):
    """They do not wait for one another, and each may be held for a reason of its own."""
    s, o = lib.Shop(desk), order()
    sent(s, "orders/paid", o, "queued")
    ask(s, o["id"])
    state(s, "pause")
    page = queue(s)
    assert [(r["order"], r["state"], r["to_be_read"]) for r in page["rows"]] == [
        (s.key(o["id"]), "held", False), (s.key(o["id"]), "waiting", True)]
    assert len({r["id"] for r in page["rows"]}) == 2
    assert [page[k] for k in ("count", "waiting", "held", "to_be_read")] == [2, 1, 1, 1]
    told = why(s, o["id"])
    assert told["status"] == "held" and told["sentence"].endswith("It is to be read from the shop again.")
    # No row of reading is one of the failed list.
    status, answer = desk.receiver.api("POST", f"/failed/{page['rows'][1]['id']}/export", {}, token=lib.SUPPORT)
    assert status == 404, answer


def test_tasks_of_the_lane_are_no_rows(desk):
    s = Seller(desk, secrets={"api_key": "k" * 12, "refresh_token": "Atzr|xxxxxxxxxxxx"})
    assert backfill(s, "2026-03-02", "2026-03-03")[0] == 202
    task = backfill(s, "2026-03-04", "2026-03-05")[1]["task"]
    ask(s, "*reconcile", "1", queue="fetchlater")
    page = queue(s)
    assert [r["order"] for r in page["rows"]] == [s.key("1")] and (page["count"], page["to_be_read"]) == (1, 1)
    desk.receiver.api("POST", f"/tasks/{task}/pause")
    assert queue(s)["count"] == 1
    desk.receiver.api("POST", f"/tasks/{task}/cancel")
    assert queue(s)["count"] == 1 and unread(s) == 1
    assert len(desk.redis.call("SMEMBERS", f"{PREFIX}fetchtasks:amazon/{s.domain}")) == 1


def test_rows_of_all_kinds_are_paged_over_connections_and_stores_each_once(desk):
    shops, want = [Seller(desk) for _ in range(3)], set()
    for s in shops:
        other = f"AB{uuid.uuid4().hex[:10].upper()}"  # a second store of the same connection
        document = {"connection": s.connection, "settings": {"prefix": "B-"}, "mappings": s.document["mappings"],
                    "secrets": s.secrets}
        assert desk.receiver.api("PUT", f"/stores/amazon/{other}", document)[0] == 201
        for store in (s.domain, other):
            for kind, at in (("fetch", 1700000000000), ("fetchlater", 1700000000000), ("fetch", 1700000000001)):
                ids = [f"{kind}-{at}-{i}" for i in range(5)]
                desk.redis.call("ZADD", f"{PREFIX}{kind}:amazon/{store}", *(x for i in ids for x in (at, i)))
                want |= {f"amazon/{store}/{i}" for i in ids}
            desk.redis.call("ZADD", f"{PREFIX}fetchlater:amazon/{store}", 1700000000000, "*reconcile")
            desk.redis.call("ZADD", f"{PREFIX}fetchlease:amazon/{store}", 1900000000000, "t")
            desk.redis.call("HSET", f"{PREFIX}fetchbatch:amazon/{store}:t", "leased", "fetch:", "*x", "fetchlater:")
            desk.redis.call("ZADD", PREFIX + "fetchdue", 1900000000000, f"amazon/{store}")
            want.add(f"amazon/{store}/leased")
        ready = [f"amazon/{other}/ready-{i}" for i in range(4)]
        desk.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", *(x for i in ready for x in (1700000000000, i)))
        want |= set(ready)
    for limit in (1000, 7, 3):
        rows, page = rows_of(desk, "/queue", limit=limit)
        mine = [r["order"] for r in rows if r["order"] in want]
        assert sorted(mine) == sorted(want), f"limit {limit}"
        assert page["count"] == len(rows)
    assert {r["state"] for r in rows if r["order"].endswith("/leased")} == {"reading"}
    rows, page = rows_of(desk, f"/queue?store=amazon/{other}", limit=4)
    assert {r["order"] for r in rows} == {k for k in want if f"/{other}/" in k} and page["count"] == len(rows) == 20
    for s in shops:
        desk.redis.call("DEL", f"{PREFIX}ready:{s.connection}")


def test_a_page_of_many_is_a_window_of_them(desk):
    s = Seller(desk)
    store = f"amazon/{s.domain}"
    fill = "for i = 1, 200000 do redis.call('ZADD', KEYS[1], 1700000000000 + math.floor(i / 100), 'o' .. i) end"
    desk.redis.call("EVAL", fill, 1, f"{PREFIX}fetch:{store}")
    ask(s, "o1", score=1600000000000)
    seen, cursor = [], ""
    for _ in range(3):
        page = queue(s, f"&limit=150{cursor}")
        assert page["count"] == 200000 and len(page["rows"]) == 150
        seen += [r["order"] for r in page["rows"]]
        cursor = f"&cursor={page['cursor']}"
    assert len(set(seen)) == 450
    desk.redis.call("DEL", f"{PREFIX}fetch:{store}")
    desk.redis.call("ZREM", PREFIX + "fetchdue", store)


def test_an_uninstalled_connection_reads_nothing_any_more(desk):
    s, one = Seller(desk), order_id()
    s.send(notice(s, one))
    assert queue(s)["count"] == 1
    status, answer = desk.receiver.api("POST", f"/connections/{s.connection}/uninstall", {"confirm": s.connection})
    assert status in (200, 202), answer
    assert queue(s)["count"] == 0 and unread(s) == 0
    assert (why(s, one)["status"], why(s, one)["reason"]) == ("skipped", "xero_uninstalled")


def test_a_held_shop_says_why_and_what_to_do(still):
    s = Amazon(still, token=False)
    one = s.sell()
    s.send(notice(s, one))
    row, = lib.wait_until(lambda: [r for r in queue(s)["rows"] if r["state"] == "held"], "the row is held")
    entry, = [r for r in get(still, "/catalogue")["rows"] if r["id"] == "shop-token-missing"]
    assert row["held_because"] == f"{entry['cause']} {entry['action']}" and TIME.fullmatch(row["next_try_at"])
    page = queue(s)
    assert [page[k] for k in ("count", "waiting", "held", "to_be_read")] == [1, 0, 1, 1]
    told = why(s, one)
    assert (told["status"], told["reason"], told["sentence"], told["action"]) == (
        "held", "shop-token-missing", entry["cause"], entry["action"])
    assert [(t["status"], t["reason"]) for t in get(still, f"/orders?name={one}")["rows"]] == [
        ("held", "shop-token-missing")]
    assert s.patch({"secrets": {"refresh_token": s.token}})[0] == 200
    s.wait_done(one)
    assert queue(s)["count"] == 0 and why(s, one)["status"] == "exported"


@pytest.mark.parametrize("platform", ["amazon", "shopify"])
def test_a_refused_token_is_in_the_explanation_of_an_order_that_never_came(still, platform):
    if platform == "amazon":
        s, one = Amazon(still), order_id()
        still.sim.control("POST", "amazon/act", {"do": "revoke", "seller_id": s.domain})
    else:
        s, one = Shopify(still, token=False), "77"
        assert s.patch({"secrets": {"api_token": "shpat_not_the_one"}})[0] == 200
    assert still.receiver.api("POST", f"/orders/{s.key(one)}/export", token=lib.SUPPORT)[0] == 202
    row, = lib.wait_until(lambda: [r for r in queue(s)["rows"] if r["state"] == "held"], "the row is held")
    assert row["exported_item"] == one
    told = why(s, one)
    assert (told["status"], told["reason"], told["trail"]) == ("held", "shop-token-refused", [])
    assert told["action"] in row["held_because"]


def test_an_order_being_read_says_so(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    s = Amazon(stack)
    one = s.sell()
    stack.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="hold", when="after", count=1)
    s.send(notice(s, one))
    lib.wait_until(lambda: stack.sim.held() == 1, "the call is under way")
    page, told = queue(s), why(s, one)
    stack.sim.control("POST", "release")
    (row,) = page["rows"]
    assert (row["order"], row["state"], row["to_be_read"]) == (s.key(one), "reading", True)
    assert [page[k] for k in ("count", "reading", "waiting", "to_be_read")] == [1, 1, 0, 0]
    assert (told["status"], told["action"]) == ("waiting", "Nothing to do: it is being read at this moment.")
    s.wait_done(one)
    assert stack.receiver.api("GET", "/queue")[1]["count"] == 0
