"""What support sees: the queue, the exported orders, the connection log, why an order is or is not in
Xero, and exports by hand; by real webhooks through real processes.
"""

import base64
import datetime
import random
import re
import time
import urllib.parse
import uuid

import pytest

import lib
from lib import PREFIX
from orders import later, line, order

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def get(stack, path, expect=200):
    status, answer = stack.receiver.api("GET", path, token=lib.SUPPORT)
    assert status == expect, answer
    return answer


def sent(s, topic, body, result, reason=None):
    code, answer = s.send(topic, body)
    assert (code, answer["result"]) == (200, result), answer
    assert reason in (None, answer["reason"]), answer


def state(s, verb):
    status, answer = s.stack.receiver.api("POST", f"/connections/{s.connection}/{verb}")
    assert status == 200, answer


def disconnect(s):
    """As a worker does when Xero says that the app was removed."""
    s.stack.redis.call("HSET", f"{PREFIX}conn:{s.connection}", "status", "disconnected")


def why(s, order_id):
    return get(s.stack, f"/orders/{s.key(order_id)}")


def by_hand(s, order_id, body=None, wait=20):
    return s.stack.receiver.api("POST", f"/orders/{s.key(order_id)}/export?wait={wait}", body or {}, token=lib.SUPPORT)


def rows_of(stack, path, limit=None):
    """All rows of a list, page by page, and the last page."""
    rows, cursor = [], None
    for _ in range(1000):
        query = ("&" if "?" in path else "?") + (f"limit={limit}" if limit else "limit=1000")
        query += f"&cursor={cursor}" if cursor else ""
        page = get(stack, path + query)
        assert limit is None or len(page["rows"]) <= limit
        rows += page["rows"]
        cursor = page["cursor"]
        if not cursor:
            return rows, page
    raise AssertionError(f"{path} does not end")


# ---- the explanation ----

def test_an_exported_order_shows_its_documents_and_its_trail_newest_first(shop):
    s, o = shop(), order("pending", name="#1042")
    sent(s, "orders/create", o, "skipped", "unpaid")
    sent(s, "orders/paid", later(o, financial_status="paid"), "queued", "paid")
    s.wait_done(o["id"])
    told = why(s, o["id"])
    (invoice,) = s.invoices()
    (payment,) = s.books()["payments"]
    assert (told["order"], told["name"], told["status"], told["reason"]) == (
        s.key(o["id"]), "#1042", "exported", "paid")
    assert told["sentence"] == "The order is paid, which this store exports on."
    assert told["documents"] == [
        {"type": "invoice", "number": invoice["InvoiceNumber"], "id": invoice["InvoiceID"],
         "link": "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=" + invoice["InvoiceID"],
         "total": o["total_price"]},
        {"type": "payment", "number": None, "id": payment["PaymentID"], "link": None, "total": o["total_price"]}]
    attempt, paid, created = told["trail"]
    assert (attempt["kind"], attempt["result"]) == ("attempt", "done")
    assert "created and paid" in attempt["message"]
    assert (paid["kind"], paid["event"], paid["result"], paid["reason"]) == ("event", "paid", "queued", "paid")
    assert (created["result"], created["reason"], created["paid"]) == ("skipped", "unpaid", "none")
    assert created["sentence"].startswith("The order is not paid yet")
    assert all(TIME.fullmatch(entry["time"]) for entry in told["trail"])
    assert "ada@example.com" not in str(told) and "Buyer" not in str(told)


SKIPS = [
    ({}, {}, "unpaid", "orders/create", {"status": "pending"}),
    ({"accounting_system_invoice": False}, {}, "accounting_invoice_off", "orders/paid", {}),
    ({}, {"test": True}, "test_order", "orders/paid", {}),
    ({"start_date": "2026-11-02"}, {}, "before_start_date", "orders/paid", {}),
    ({"exclude_tags": ["wholesale"]}, {"tags": "a, Wholesale"}, "filtered_tag", "orders/paid", {}),
    ({"exclude_sources": ["pos"]}, {"source_name": "pos"}, "filtered_source", "orders/paid", {}),
    ({"exclude_gateways": ["manual"]}, {}, "filtered_gateway", "orders/paid", {}),
    ({"export_zero_value": False}, {}, "zero_value", "orders/paid", {"lines": [line(price="0.00")], "ship": []}),
    ({}, {"merchant_of_record_app_id": 5}, "third_party_sale", "orders/paid", {}),
    ({}, {"cancelled_at": "2026-11-01T11:00:00Z", "financial_status": "refunded"}, "cancelled_before_export", "orders/paid",
     {}),
    ({"sync_on_fulfilled": True, "only_sync_fulfilled": True}, {}, "waiting_for_fulfilment", "orders/paid", {}),
    ({"sync_on_fulfilled": True, "only_sync_fulfilled": True}, {}, "shipped_but_unannounced", "orders/paid",
     {"fulfilment": "fulfilled"}),
    ({"auto_sync": "off"}, {}, "auto_sync_off", "orders/paid", {}),
    ({"sync_on_updated": False}, {}, "updates_off", "orders/updated", {}),
]


@pytest.mark.parametrize("settings,changes,reason,topic,made", SKIPS, ids=[row[2] for row in SKIPS])
def test_a_skipped_order_says_why_and_what_to_do(shop, stack, settings, changes, reason, topic, made):
    s, o = shop(settings=settings), order(**{"status": "paid", **made}, **changes)
    sent(s, topic, o, "skipped", reason)
    told = why(s, o["id"])
    (words,) = [r for r in get(stack, "/catalogue")["reasons"] if r["reason"] == reason]
    assert (told["status"], told["reason"]) == ("skipped", reason)
    assert (told["sentence"], told["action"]) == (words["sentence"], words["action"])
    assert told["documents"] == [] and len(told["trail"]) == 1
    assert s.invoices() == []


def test_a_failed_order_shows_all_of_xeros_words_and_the_actions(shop):
    s = shop(mappings={**lib.DEFAULT_MAPPINGS, "accounts": {**lib.DEFAULT_MAPPINGS["accounts"], "default": "999"}})
    o = order()
    sent(s, "orders/paid", o, "queued")
    s.wait_state(o["id"], "failed")
    told, (row,) = why(s, o["id"]), s.failed()
    assert (told["status"], told["reason"]) == ("failed", row["catalogue"][0])
    assert all(text in told["sentence"] for text in row["export_error"])
    assert all(text in told["action"] for text in row["action_required"])
    (group,) = get(s.stack, f"/failed/groups?connection={s.connection}")["rows"]
    assert (group["catalogue"], group["count"], group["setting"]) == (row["catalogue"][0], 1, "mappings.accounts")
    assert group["action_required"] in row["action_required"] and group["fix_in"] == "here"
    (same,) = get(s.stack, f"/failed/groups?store=shopify/{s.domain}")["rows"]
    assert same == group
    assert get(s.stack, "/failed/groups?store=shopify/none.myshopify.com")["rows"] == []
    s.stack.receiver.api("DELETE", f"/failed/{row['id']}")
    told = why(s, o["id"])
    assert (told["status"], told["reason"]) == ("skipped", "dismissed")
    assert get(s.stack, f"/failed/groups?connection={s.connection}")["rows"] == []


def test_a_held_order_says_what_holds_it(shop):
    s, o = shop(), order()
    state(s, "pause")
    sent(s, "orders/paid", o, "held", "paid")
    told = why(s, o["id"])
    assert (told["status"], told["reason"], told["sentence"]) == ("held", "paused", "The connection was paused here.")
    assert told["action"].startswith("Resume it")
    disconnect(s)
    told = why(s, o["id"])
    assert (told["status"], told["reason"]) == ("held", "disconnected")
    assert (told["sentence"], told["action"]) == ("Xero connection has been dropped.",
                                                  "Reconnect; exports are held, none is lost.")


def test_an_order_that_never_came_says_so(shop):
    s = shop()
    told = why(s, 4711)
    assert (told["status"], told["reason"], told["name"]) == ("never_received", "never_received", None)
    assert told["sentence"] and told["action"] and told["trail"] == [] and told["documents"] == []
    get(s.stack, "/orders/ebay/x/1", 404)


def test_an_order_in_flight_is_exporting(shop, stack):
    s, o = shop(), order()
    stack.sim.fault(tenant=s.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="hold", when="after", count=1)
    sent(s, "orders/paid", o, "queued")
    lib.wait_until(stack.sim.held, "the call is in flight")
    told = why(s, o["id"])
    page = get(stack, f"/queue?connection={s.connection}")
    status, refused = by_hand(s, o["id"], wait=0)
    stack.sim.control("POST", "release", {})
    assert told["status"] == "exporting"
    (row,) = page["rows"]
    assert (row["state"], row["exported_item"], row["held_because"]) == ("exporting", o["name"], None)
    assert (page["count"], page["exporting"], page["waiting"], page["held"]) == (1, 1, 0, 0)
    assert status == 409 and "at this moment" in refused["detail"]
    s.wait_done(o["id"])


# ---- the queue ----

@pytest.fixture(scope="module")
def desk():
    """A stack without a worker: what waits stays so."""
    stack = lib.Stack(worker=False)
    yield stack
    stack.close()


def test_queue_rows_in_each_state(desk):
    s = lib.Shop(desk)
    bodies = [order() for _ in range(5)]
    for o in bodies:
        sent(s, "orders/paid", o, "queued")
    path = f"/queue?connection={s.connection}"
    page = get(desk, path)
    assert [r["exported_item"] for r in page["rows"]] == [o["name"] for o in bodies]
    for row in page["rows"]:
        assert (row["connection"], row["store"], row["type"], row["state"]) == (
            s.connection, f"shopify/{s.domain}", "Sales invoice", "waiting")
        assert row["held_because"] is None and row["next_try_at"] is None and TIME.fullmatch(row["queued_at"])
    assert (page["count"], page["waiting"], page["held"], page["exporting"], page["cursor"]) == (5, 5, 0, 0, None)
    assert page["oldest"] == page["rows"][0]["queued_at"]
    (lane,) = page["connections"]
    assert (lane["connection"], lane["status"], lane["waiting"]) == (s.connection, "active", 5)

    at = int(time.time()) + 3600  # one is tried again in an hour
    desk.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", at * 1000, s.key(bodies[0]["id"]))
    last = get(desk, path)["rows"][-1]
    assert (last["order"], last["state"]) == (s.key(bodies[0]["id"]), "waiting")
    assert last["next_try_at"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    told = why(s, bodies[0]["id"])
    assert (told["status"], told["reason"]) == ("waiting", "paid")
    assert told["action"] == f"Nothing to do: it is tried again at {last['next_try_at']}."
    assert why(s, bodies[1]["id"])["action"] == "Nothing to do: it is exported in its turn."

    state(s, "pause")
    page = get(desk, path)
    assert {(r["state"], r["held_because"]) for r in page["rows"]} == {
        ("held", "The connection was paused here. Resume it; exports are held, none is lost.")}
    assert (page["count"], page["waiting"], page["held"]) == (5, 0, 5)
    disconnect(s)
    assert get(desk, path)["rows"][0]["held_because"].startswith("Xero connection has been dropped.")


def test_the_daily_limit_is_said_in_the_catalogues_words_with_the_time(desk):
    s, o = lib.Shop(desk), order()
    sent(s, "orders/paid", o, "queued")
    at = int(time.time()) + 7200
    desk.redis.call("HSET", f"{PREFIX}conn:{s.connection}", "nb", at * 1000, "why",
                    "Xero's daily limit of calls is used up; exports resume by themselves.")
    (row,) = get(desk, f"/queue?connection={s.connection}")["rows"]
    (limit,) = [r for r in get(desk, "/catalogue")["rows"] if r["id"] == "daily-limit"]
    assert (row["state"], row["held_because"]) == ("held", f"{limit['cause']} {limit['action']}")
    assert row["next_try_at"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    assert why(s, o["id"])["reason"] == "daily-limit"


def test_a_day_spent_but_for_the_reserve_holds_all_but_exports_by_hand(desk):
    s, o, mine = lib.Shop(desk), order(), order("pending")
    sent(s, "orders/paid", o, "queued")
    sent(s, "orders/create", mine, "skipped", "unpaid")
    assert by_hand(s, mine["id"], wait=0)[0] == 200
    at, conn = int(time.time()) + 7200, f"{PREFIX}conn:{s.connection}"
    for left, states in ((51, ("waiting", "waiting")), (50, ("waiting", "held")), (0, ("held", "held"))):
        desk.redis.call("HSET", conn, "day_left", left, "day_max", "1000", "day_end", at * 1000)
        rows = get(desk, f"/queue?connection={s.connection}")["rows"]
        assert [(r["order"], r["state"]) for r in rows] == list(zip((s.key(mine["id"]), s.key(o["id"])), states))
        assert tuple(why(s, b["id"])["status"] for b in (mine, o)) == states
    assert {r["next_try_at"] for r in rows} == {time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}
    assert why(s, o["id"])["reason"] == "daily-limit"
    desk.redis.call("HSET", conn, "day_end", 1)  # the day is over
    assert why(s, o["id"])["status"] == "waiting"


def test_the_queue_pages_over_connections_and_filters_by_store(desk):
    shops = [lib.Shop(desk) for _ in range(3)]
    want = {}
    for s in shops:
        for o in [order() for _ in range(7)]:
            sent(s, "orders/paid", o, "queued")
            want[s.key(o["id"])] = s
    rows, page = rows_of(desk, "/queue", limit=4)
    mine = [r["order"] for r in rows if r["order"] in want]
    assert sorted(mine) == sorted(want) and len(set(mine)) == len(mine)
    assert page["count"] >= 21
    for s in shops:
        rows, page = rows_of(desk, f"/queue?store=shopify/{s.domain}", limit=3)
        assert {r["order"] for r in rows} == {k for k, v in want.items() if v is s}
        assert page["count"] == 7 and len(rows) == 7
    assert get(desk, "/queue?connection=nobody")["rows"] == []
    assert get(desk, "/queue?cursor=nonsense", 422)["errors"][0]["field"] == "cursor"
    assert get(desk, "/queue?limit=0", 422)["errors"][0]["field"] == "limit"
    cursor = get(desk, "/queue?limit=1")["cursor"]
    get(desk, f"/synced?cursor={cursor}", 422)  # of another list


# ---- exported ----

def test_synced_lists_what_was_exported_newest_first(shop, stack):
    s = shop()
    bodies = [order() for _ in range(5)]
    for o in bodies:
        sent(s, "orders/paid", o, "queued")
        s.wait_done(o["id"])
    rows, page = rows_of(stack, f"/synced?connection={s.connection}", limit=2)
    assert [r["exported_item"] for r in rows] == [o["name"] for o in reversed(bodies)]
    assert page["count"] == 5
    books = {i["InvoiceNumber"]: i for i in s.invoices()}
    for row, o in zip(rows, reversed(bodies)):
        invoice = books[row["invoice_number"]]
        assert row["invoice_id"] == invoice["InvoiceID"] and row["invoice_link"].endswith(row["invoice_id"])
        assert (row["total"], row["currency"]) == (o["total_price"], "GBP")
        assert row["order"] == s.key(o["id"]) and row["store"] == f"shopify/{s.domain}"
        assert TIME.fullmatch(row["exported_at"])
    assert len(rows_of(stack, f"/synced?store=shopify/{s.domain}", limit=2)[0]) == 5
    everything = [(r["exported_at"], r["order"]) for r in rows_of(stack, "/synced", limit=3)[0]]
    assert [t for t, _ in everything] == sorted((t for t, _ in everything), reverse=True)
    assert len(set(everything)) == len(everything)


# ---- the connection log ----

def test_the_log_keeps_both_filters(shop, stack):
    s = shop()
    good, bad = order(name="#100%_Käse"), order(lines=[line(rate="0.07")], name="#BAD")
    sent(s, "orders/paid", good, "queued")
    s.wait_done(good["id"])
    sent(s, "orders/paid", bad, "queued")
    s.wait_state(bad["id"], "failed")
    state(s, "pause")
    path = f"/log?connection={s.connection}"
    rows, _ = rows_of(stack, path)
    assert [r["event"] for r in rows] == ["paused", "export_failed", "exported"]
    assert [r["level"] for r in rows] == ["info", "error", "info"]
    assert rows[2]["order"] == "#100%_Käse" and rows[2]["store"] == f"shopify/{s.domain}"
    assert all(r["connection"] == s.connection and TIME.fullmatch(r["time"]) for r in rows)
    assert len({r["id"] for r in rows}) == 3

    def events(query):
        return [r["event"] for r in rows_of(stack, path + query, limit=1)[0]]

    assert events("") == ["paused", "export_failed", "exported"]
    assert events("&level=all") == events("")
    assert events("&level=error") == ["export_failed"]
    assert events("&level=info") == ["paused", "exported"]
    assert events("&q=" + urllib.parse.quote("#100%_kÄSE")) == ["exported"]
    assert events("&q=" + urllib.parse.quote("#100.*")) == []
    assert events("&level=error&q=" + urllib.parse.quote("#100%_Käse")) == []
    assert events("&level=info&q=PAUSED") == ["paused"]
    assert events(f"&store=shopify/{s.domain}&level=info") == ["exported"]
    assert get(stack, "/log?level=debug", 422)["errors"][0]["field"] == "level"
    assert "ada@example.com" not in str(rows)


def test_the_log_shows_seven_days_of_all_connections_newest_first(desk):
    first, second = lib.Shop(desk), lib.Shop(desk)
    now = int(time.time() * 1000)
    for days, s, text in ((8, first, "too old"), (6, second, "six"), (2, first, "two"), (1, second, "one")):
        desk.redis.call("XADD", f"{PREFIX}log:{s.connection}", f"{now - days * 86400000}-0", "level", "info", "store",
                        "", "order", "", "event", "test_days", "message", text)
    for i in range(12):  # in one instant: their ids differ in the counter, one digit or two
        desk.redis.call("XADD", f"{PREFIX}log:{first.connection}", f"{now}-{i}", "level", "info", "store", "",
                        "order", "", "event", "test_days", "message", f"n{i}")
    rows, _ = rows_of(desk, "/log?q=test_days", limit=5)
    assert [r["message"] for r in rows] == [f"n{i}" for i in reversed(range(12))] + ["one", "two", "six"]


def test_the_log_shows_no_address_of_anybody(desk):
    s = lib.Shop(desk)
    desk.redis.call("XADD", f"{PREFIX}log:{s.connection}", "*", "level", "error", "store", "", "order", "#1", "event",
                    "export_failed", "message", "Contact <ada.b+x@shop.example.com>, bo@b.de: a @ b, 5@")
    (row,) = get(desk, f"/log?connection={s.connection}&level=error")["rows"]
    assert row["message"] == "Contact <(e-mail)>, (e-mail): a @ b, 5@"
    assert get(desk, f"/log?connection={s.connection}&q=bo%40b.de")["rows"] == []


def test_a_request_looks_at_20000_entries_and_hands_out_a_cursor(desk):
    s = lib.Shop(desk)
    fill = """for i = 1, 30000 do redis.call('XADD', KEYS[1], ARGV[1] + i .. '-1', 'level', 'info', 'store', '',
              'order', '', 'event', 'fill', 'message', i == 1 and 'needle' or 'hay') end"""
    start = int(time.time() * 1000) - 100000
    desk.redis.call("EVAL", fill, 1, f"{PREFIX}log:{s.connection}", start)
    path = f"/log?connection={s.connection}&q=needle"
    page = get(desk, path)
    assert page["rows"] == [] and page["cursor"]
    page = get(desk, f"{path}&cursor={page['cursor']}")
    assert [r["message"] for r in page["rows"]] == ["needle"] and page["cursor"] is None
    fill = "for i = 1, 30000 do redis.call('ZADD', KEYS[1], 1700000000000 + i, ARGV[1] .. i) end"
    desk.redis.call("EVAL", fill, 1, f"{PREFIX}ready:{s.connection}", f"shopify/{s.domain}/")
    desk.redis.call("ZADD", f"{PREFIX}ready:{s.connection}", 1700000099999, "shopify/y/1")
    page = get(desk, f"/queue?connection={s.connection}&store=shopify/y")
    assert page["rows"] == [] and page["cursor"]
    page = get(desk, f"/queue?connection={s.connection}&store=shopify/y&cursor={page['cursor']}")
    assert [r["order"] for r in page["rows"]] == ["shopify/y/1"] and page["cursor"] is None
    rows, page = rows_of(desk, f"/queue?connection={s.connection}")
    assert len({r["order"] for r in rows}) == page["count"] == 30001
    desk.redis.call("DEL", f"{PREFIX}ready:{s.connection}")


def test_rows_of_one_instant_are_paged_once_each(desk):
    s = lib.Shop(desk)
    fill = """for i = 1, 1500 do redis.call('ZADD', KEYS[1], 0, ARGV[1] .. i)
              redis.call('ZADD', KEYS[2], 1800000000000, ARGV[1] .. i) end"""
    desk.redis.call("EVAL", fill, 2, f"{PREFIX}ready:{s.connection}", f"{PREFIX}synced:{s.connection}",
                    f"shopify/{s.domain}/")
    for path in ("/queue", "/synced"):
        rows, page = rows_of(desk, f"{path}?connection={s.connection}", limit=700)
        assert len(rows) == len({r["order"] for r in rows}) == page["count"] == 1500
    desk.redis.call("DEL", f"{PREFIX}ready:{s.connection}", f"{PREFIX}synced:{s.connection}")


def test_the_queue_of_many_connections_is_read_whole(desk):
    names = [f"many-{i:03d}" for i in range(70)]
    for name in names:
        desk.redis.call("HSET", f"{PREFIX}conn:{name}", "status", "active")
        desk.redis.call("ZADD", f"{PREFIX}ready:{name}", 1800000000000, f"shopify/{name}/1")
        desk.redis.call("ZADD", f"{PREFIX}later:{name}", 1, f"shopify/{name}/2")
        desk.redis.call("ZADD", f"{PREFIX}leases:{name}", 1900000000000, "t")
        desk.redis.call("HSET", f"{PREFIX}batch:{name}:t", f"shopify/{name}/3", 1, "kind", "invoices")
    desk.redis.call("SADD", PREFIX + "conns", *names)
    for limit in (1000, 50):
        rows, page = rows_of(desk, "/queue", limit=limit)
        assert [(r["order"], r["state"]) for r in rows if r["connection"].startswith("many-")] == [
            (f"shopify/{name}/{i}", state) for name in names
            for i, state in ((3, "exporting"), (1, "waiting"), (2, "waiting"))]
    assert {c["exporting"] for c in page["connections"] if c["connection"] in names} == {1}
    desk.redis.call("SREM", PREFIX + "conns", *names)


def test_cursors_of_strangers_are_refused_or_harmless(desk):
    s = lib.Shop(desk)
    for i in range(3):
        sent(s, "orders/paid", order(name=f"#C{i}"), "queued")
    desk.redis.call("ZADD", f"{PREFIX}synced:{s.connection}", 1, "shopify/x/1", 2, "shopify/x/2")
    desk.redis.call("XADD", f"{PREFIX}log:{s.connection}", "*", "level", "info", "message", "a")
    desk.redis.call("XADD", f"{PREFIX}log:{s.connection}", "*", "level", "info", "message", "b")
    r = random.Random(7)
    for path in ("/queue", "/synced", "/log"):
        good = get(desk, f"{path}?limit=1")["cursor"]
        plain = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
        for _ in range(150):
            raw = bytearray(plain)
            for _ in range(r.randrange(1, 4)):
                at = r.randrange(len(raw))
                raw[at:at + r.randrange(3)] = r.choice([b"", b"\n", b"-", b"9" * 30, b"\0", bytes([r.randrange(256)])])
            mutant = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
            status, answer = desk.receiver.api("GET", f"{path}?limit=1&cursor={mutant}", token=lib.SUPPORT)
            assert status in (200, 422), (plain, raw, answer)
    assert get(desk, "/orders?name=x&cursor=nonsense", 422)["errors"][0]["field"] == "cursor"
    get(desk, "/orders?name=x&cursor=" + "a/" * 300, 422)


# ---- by hand ----

@pytest.mark.parametrize("settings,changes,status", [
    ({"accounting_system_invoice": False}, {}, "paid"),
    ({"auto_sync": "off"}, {}, "paid"),
    ({}, {"test": True}, "paid"),
    ({"exclude_tags": ["x"]}, {"tags": "x"}, "paid"),
    ({}, {}, "pending"),
], ids=["switched-off", "auto-sync-off", "test-order", "filtered", "unpaid"])
def test_a_skipped_order_is_exported_by_hand_whatever_the_rules(shop, settings, changes, status):
    s, o = shop(settings=settings), order(status, **changes)
    sent(s, "orders/create", o, "skipped")
    code, answer = by_hand(s, o["id"])
    assert code == 200, answer
    (invoice,) = s.invoices()
    assert (answer["exported"], answer["failed"], answer["waiting"]) == (1, 0, 0)
    assert answer["message"] == "1 exported, 0 failed"
    (row,) = answer["results"]
    assert (row["result"], row["exported_item"], row["invoice_number"]) == (
        "exported", o["name"], invoice["InvoiceNumber"])
    assert invoice["Status"] == ("PAID" if status == "paid" else "AUTHORISED")
    told = why(s, o["id"])
    assert (told["status"], told["reason"]) == ("exported", "manual")
    assert [e["who"] for e in told["trail"] if e["kind"] == "change"] == ["sam"]
    code, answer = by_hand(s, o["id"])  # again: Xero matches already, nothing is sent
    assert (code, answer["exported"]) == (200, 1)
    assert len(s.invoices()) == 1


def test_a_cancelled_order_by_hand_makes_nothing_and_says_so(shop):
    s, o = shop(), order("pending", cancelled_at="2026-11-01T11:00:00Z")
    sent(s, "orders/cancelled", o, "skipped", "cancelled_before_export")
    code, answer = by_hand(s, o["id"])
    assert (code, answer["exported"], answer["failed"]) == (200, 0, 1)
    assert answer["results"][0]["export_error"][0].startswith("There is nothing to export for this order")
    assert s.invoices() == []
    assert (why(s, o["id"])["status"], why(s, o["id"])["reason"]) == ("skipped", "nothing_to_export")


def test_by_hand_is_refused_while_the_connection_cannot_export(shop):
    s, o = shop(), order("pending")
    sent(s, "orders/create", o, "skipped", "unpaid")
    calls = len(s.calls())
    state(s, "pause")
    code, answer = by_hand(s, o["id"])
    assert code == 409 and "is paused" in answer["detail"]
    for status, word in (("disconnected", "dropped"), ("uninstalled", "uninstalled")):
        s.stack.redis.call("HSET", f"{PREFIX}conn:{s.connection}", "status", status)
        code, answer = by_hand(s, o["id"])
        assert code == 409 and word in answer["detail"]
    assert s.record(o["id"])["st"] == "skipped" and len(s.calls()) == calls


def test_by_hand_of_what_is_not_stored_says_what_to_do(shop):
    s, o = shop(), order("pending")
    code, answer = by_hand(s, 4711)
    assert code == 404 and "ever arrived" in answer["detail"] and "in the shop" in answer["detail"]
    sent(s, "orders/create", o, "skipped", "unpaid")
    s.stack.redis.call("DEL", PREFIX + "snap:" + s.key(o["id"]))
    code, answer = by_hand(s, o["id"])
    assert code == 404 and "no longer stored" in answer["detail"]
    assert by_hand(s, o["id"], {"again": True})[0] == 404
    code, answer = by_hand(s, o["id"], {"again": 1, "x": 2})
    assert {e["field"] for e in answer["errors"]} == {"again", "x"}
    assert by_hand(s, o["id"], wait=31)[0] == 422


def test_by_hand_goes_to_the_front_twenty_at_most(desk):
    s = lib.Shop(desk)
    waiting, late = order(), [order("pending") for _ in range(21)]
    sent(s, "orders/paid", waiting, "queued")
    for o in late:
        sent(s, "orders/create", o, "skipped", "unpaid")
        code, answer = by_hand(s, o["id"], wait=0)
        assert (code, answer["waiting"]) == (200, 1)
    code, answer = by_hand(s, late[0]["id"], wait=0)  # repeated: it waits already
    assert (code, answer["waiting"]) == (200, 1)
    ready = desk.redis.call("ZRANGE", f"{PREFIX}ready:{s.connection}", "0", "-1", "WITHSCORES")
    scores = {ready[i].decode(): int(ready[i + 1]) for i in range(0, len(ready), 2)}
    assert [scores[s.key(o["id"])] == 0 for o in late] == [True] * 20 + [False]
    assert scores[s.key(waiting["id"])] > 0
    page = get(desk, f"/queue?connection={s.connection}")
    assert page["rows"][0]["queued_at"] and page["oldest"] == min(r["queued_at"] for r in page["rows"])
    trail = why(s, late[0]["id"])["trail"]
    assert [e["kind"] for e in trail] == ["change", "event"]


def test_a_failed_order_by_hand_leaves_the_failed_list(shop):
    s, o = shop(), order(lines=[line(rate="0.07")])
    sent(s, "orders/paid", o, "queued")
    s.wait_state(o["id"], "failed")
    code, answer = by_hand(s, o["id"])
    assert (code, answer["failed"]) == (200, 1) and answer["results"][0]["action_required"]
    mapping = {**lib.DEFAULT_MAPPINGS["taxes"], "by_rate": {"0.2": "OUTPUT2", "0.07": "OUTPUT2"}}
    s.patch({"mappings": {"taxes": mapping}, "settings": {"tax_amounts": "when_needed"}})
    code, answer = by_hand(s, o["id"])
    assert code == 200 and answer["exported"] + answer["failed"] == 1
    assert len(s.failed()) == answer["failed"]


# ---- by name ----

def named(stack, name, query=""):
    return get(stack, f"/orders?name={urllib.parse.quote(name, safe='')}{query}")


def test_orders_are_found_by_name_in_every_store(desk):
    mark = uuid.uuid4().hex[:6].upper()
    first, second = sorted((lib.Shop(desk), lib.Shop(desk)), key=lambda s: s.domain)
    a, b = order(name=f"#{mark}-1"), order("pending", name=f"#{mark}-1")
    umlaut = order(name=f"#{mark}-ÄÖÜ")
    sent(first, "orders/paid", a, "queued")
    sent(second, "orders/create", b, "skipped", "unpaid")
    sent(first, "orders/paid", umlaut, "queued")
    for name in (f"#{mark}-1", f"{mark}-1", f"#{mark.lower()}-1"):
        page = named(desk, name)
        assert [(r["order"], r["name"], r["status"], r["reason"]) for r in page["rows"]] == [
            (first.key(a["id"]), a["name"], "waiting", "paid"), (second.key(b["id"]), b["name"], "skipped", "unpaid")]
        assert page["count"] == 2 and all("trail" not in r for r in page["rows"])
    assert [r["order"] for r in named(desk, a["name"], f"&store=shopify/{second.domain}")["rows"]] == [
        second.key(b["id"])]
    page = named(desk, a["name"], "&limit=1")
    assert [r["order"] for r in page["rows"]] == [first.key(a["id"])]
    page = named(desk, a["name"], "&limit=1&cursor=" + urllib.parse.quote(page["cursor"], safe=""))
    assert [r["order"] for r in page["rows"]] == [second.key(b["id"])] and page["cursor"] is None
    for name in (f"#{mark}-ÄÖÜ", f"#{mark}-äöü", f"{mark.lower()}-äöü"):
        assert [r["order"] for r in named(desk, name)["rows"]] == [first.key(umlaut["id"])]
    assert named(desk, f"#{mark}")["rows"] == []
    assert get(desk, "/orders", 422)["errors"][0]["field"] == "name"


# ---- tasks, roles ----

def test_a_task_shows_its_state_and_never_its_input(desk, shop, stack):
    s = lib.Shop(desk)
    (key,) = [k for k in desk.redis.call("ZRANGE", PREFIX + "tasks", "0", "-1")
              if s.connection.encode() in (desk.redis.call("HGET", f"{PREFIX}task:{k.decode()}", "input") or b"")]
    answer = get(desk, f"/tasks/{key.decode()}")
    assert answer == {"id": key.decode(), "kind": "client", "status": "waiting", "result": None}
    get(desk, "/tasks/none", 404)


@pytest.mark.parametrize("method,path", [
    ("GET", "/queue"), ("GET", "/synced"), ("GET", "/log"), ("GET", "/failed/groups"), ("GET", "/catalogue"),
    ("GET", "/orders?name=x"), ("GET", "/orders/shopify/x/1"), ("POST", "/orders/shopify/x/1/export"),
    ("GET", "/tasks/x")])
def test_every_call_needs_a_token(desk, method, path):
    for token in (None, "wrong"):
        status, answer = desk.receiver.api(method, path, token=token)
        assert status == 401 and answer["status"] == 401


def test_a_connection_says_when_its_calls_run_out_at_the_pace_of_the_day(shop):
    s = shop()
    key, (seconds, _) = f"{lib.PREFIX}conn:{s.connection}", s.stack.redis.call("TIME")
    now, hour = int(seconds) * 1000, 3600000
    answer = lambda: s.stack.receiver.api("GET", f"/connections/{s.connection}")[1]
    assert answer()["runs_out_at"] is None, "Xero has said nothing yet"
    s.stack.redis.call("HSET", key, "day_left", 1000, "day_max", 5000, "day_end", now + 16 * hour)
    at = datetime.datetime.fromisoformat(answer()["runs_out_at"])
    # 4,000 in 8 hours: the last 1,000 in 2 more
    assert abs(at.timestamp() * 1000 - now - 2 * hour) < 60000
    s.stack.redis.call("HSET", key, "day_left", 4900)
    assert answer()["runs_out_at"] is None, "they last beyond the day"
