"""POST /stores/{platform}/{id}/check: whether a store's orders can be read, and which webhooks its shop sends."""

import json

import pytest

import lib
from sellers import Amazon, Shopify

URL = "https://hooks.example.com/webhooks/shopify"
OTHER = "https://old.example.com/webhooks/shopify"
REQUIRED = {"orders/create", "orders/paid", "orders/updated", "orders/partially_fulfilled", "orders/fulfilled",
            "orders/cancelled", "refunds/create", "order_transactions/create"}
TOPICS = REQUIRED | {"orders/delete", "orders/edited", "app/uninstalled"}
CREATE = {"create_webhooks": True, "url": URL}


def path(s):
    return f"/stores/{'amazon' if isinstance(s, Amazon) else 'shopify'}/{s.domain}"


def ask(s, body=None, wait=20, token=lib.ADMIN):
    return s.stack.receiver.api("POST", f"{path(s)}/check?wait={wait}", body, token=token)


def check(s, body=None):
    """The result of a check that has ended."""
    status, answer = ask(s, body)
    assert (status, answer["status"], answer["kind"]) == (200, "done", "check"), answer
    assert "progress" not in answer
    return answer["result"]


def states(result):
    """State -> topics."""
    told = {}
    for row in result["webhooks"]["topics"]:
        told.setdefault(row["state"], set()).add(row["topic"])
    return told


def topic(result, name):
    return next(row for row in result["webhooks"]["topics"] if row["topic"] == name)


def task(s, name, verb=None):
    return s.stack.receiver.api("POST" if verb else "GET", f"/tasks/{name}" + (f"/{verb}" if verb else ""))


def subscriptions(s):
    """(topic, address) of all that the shop has."""
    rows = s.stack.sim.control("GET", f"shopify/subscriptions?shop={s.domain}")["subscriptions"]
    return sorted((row["topic"], row["uri"]) for row in rows)


def change(s, **fields):
    s.stack.sim.control("POST", "shopify/shops", {"shop": s.domain, **fields})


def test_missing_webhooks_are_shown_then_made_once(still):
    s = Shopify(still)
    shown = check(s)
    assert shown["orders"] == {"readable": True, "message": None}
    assert (shown["webhooks"]["url"], shown["webhooks"]["listed"]) == (None, True)
    assert states(shown) == {"missing": TOPICS}
    assert {row["topic"] for row in shown["webhooks"]["topics"] if row["required"]} == REQUIRED
    assert subscriptions(s) == [] and s.log("webhooks") == []

    made = check(s, CREATE)
    assert states(made) == {"created": TOPICS} and made["webhooks"]["url"] == URL
    assert topic(made, "orders/paid") == {"topic": "orders/paid", "required": True, "state": "created",
                                          "addresses": [URL], "message": None}
    assert len(subscriptions(s)) == len(TOPICS) and {uri for _, uri in subscriptions(s)} == {URL}
    line, = s.log("webhooks")
    assert (line["event"], line["level"]) == ("webhooks_created", "info") and URL in line["message"]
    assert "refunds/create" in line["message"]

    assert states(check(s, CREATE)) == {"subscribed": TOPICS}
    assert states(check(s, {"url": URL})) == states(check(s)) == {"subscribed": TOPICS}
    assert len(subscriptions(s)) == len(TOPICS) and len(s.log("webhooks")) == 1


def test_one_that_is_missing_is_made_and_the_others_stay(still):
    s = Shopify(still)
    check(s, CREATE)
    at_shop = still.sim.control("GET", f"shopify/subscriptions?shop={s.domain}")["subscriptions"]
    change(s, subscriptions=[(row["topic"], row["uri"]) for row in at_shop if row["topic"] != "ORDERS_PAID"])
    assert states(check(s)) == {"missing": {"orders/paid"}, "subscribed": TOPICS - {"orders/paid"}}
    assert states(check(s, CREATE)) == {"created": {"orders/paid"}, "subscribed": TOPICS - {"orders/paid"}}
    assert len(subscriptions(s)) == len(TOPICS)


def test_another_address_is_elsewhere_and_one_is_made_beside_it(still):
    s = Shopify(still)
    change(s, subscriptions=[("ORDERS_PAID", OTHER), ("ORDERS_CREATE", "pubsub://project:topic"),
                             ("ORDERS_UPDATED", "https://me:secret@other.example.com/x?token=secret")])
    unknown = check(s)  # where they are to go is not known: what may reach a receiver counts
    assert states(unknown)["subscribed"] == {"orders/paid"}
    assert states(unknown)["elsewhere"] == {"orders/create", "orders/updated"}
    shown = check(s, {"url": URL})
    assert states(shown)["elsewhere"] == {"orders/paid", "orders/create", "orders/updated"}
    assert topic(shown, "orders/paid")["addresses"] == [OTHER]
    assert topic(shown, "orders/updated")["addresses"] == ["https://other.example.com/x"]
    made = check(s, CREATE)
    assert states(made) == {"created": TOPICS}
    assert topic(made, "orders/paid")["addresses"] == [URL, OTHER]
    assert "beside" in topic(made, "orders/paid")["message"]
    assert topic(made, "orders/cancelled")["message"] is None
    assert ("ORDERS_PAID", OTHER) in subscriptions(s) and ("ORDERS_PAID", URL) in subscriptions(s)


def test_a_topic_that_is_refused_does_not_stop_the_others(still):
    s = Shopify(still, customer_data=False)
    made = check(s, CREATE)
    refused = {name for name in TOPICS if name.startswith("orders/")}
    assert states(made) == {"refused": refused, "created": TOPICS - refused}
    assert "not approved to subscribe" in topic(made, "orders/paid")["message"]
    assert topic(made, "orders/paid")["addresses"] == []
    change(s, customer_data=True)
    assert states(check(s, CREATE)) == {"created": refused, "subscribed": TOPICS - refused}


def test_a_missing_scope_is_told_in_the_shops_words(still):
    s = Shopify(still, scopes=[])
    told = check(s, CREATE)
    assert not told["orders"]["readable"] and "read_orders" in told["orders"]["message"]
    assert states(told) == {"created": {"app/uninstalled"}, "refused": TOPICS - {"app/uninstalled"}}
    assert "read_orders" in topic(told, "refunds/create")["message"]


def test_a_scope_that_only_whole_orders_take_is_told_too(still):
    s = Shopify(still, scopes=["read_orders", "read_all_orders"])
    assert check(s)["orders"]["readable"]  # there is none
    s.sell()
    told = check(s)
    assert not told["orders"]["readable"] and "read_customers" in told["orders"]["message"]
    assert told["webhooks"]["listed"]


def test_a_token_that_was_entered_just_now_is_waited_for(still):
    s = Shopify(still, token=False)
    body = s.sell()
    assert s.send("orders/paid", body)[0] == 200
    s.wait_done(body["id"])  # so that the worker has just read the store as one without
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    assert check(s)["orders"] == {"readable": True, "message": None}


def test_a_token_that_never_reached_the_workers_is_told_instead_of_waited_for(still):
    s = Shopify(still, token=False)
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    assert check(s)["orders"]["readable"]
    assert still.redis.call("DEL", f"{lib.PREFIX}grant:s-shopify/{s.domain}") == 1
    still.redis.call("HSET", f"{lib.PREFIX}store:shopify/{s.domain}", "secret_at:api_token", 1)
    told = check(s)
    assert not told["orders"]["readable"] and "LH_HOOK_KEY" in told["orders"]["message"]
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200  # entered again
    assert check(s)["orders"]["readable"]


def test_a_token_that_opens_nothing_is_the_answer_at_once_however_long_the_shop_is_left_alone(still):
    s = Shopify(still)
    change(s, token="another")
    for _ in range(2):  # the first one has the shop left alone for a quarter of an hour
        told = check(s, CREATE)
        assert not told["orders"]["readable"] and "Invalid API key" in told["orders"]["message"]
        assert not told["webhooks"]["listed"] and "Invalid API key" in told["webhooks"]["message"]
        assert states(told) == {"unknown": TOPICS}
    assert len(s.log("shop_held")) == 1
    change(s, token=s.token)
    assert check(s)["orders"]["readable"]


def test_a_shop_at_its_limit_is_waited_for_and_a_check_can_be_cancelled(still):
    s = Shopify(still)
    lane = f"{lib.PREFIX}seller:shopify/{s.domain}"
    still.redis.call("HSET", lane, "nb", "9999999999999")  # as a Retry-After leaves it
    status, started = ask(s, wait=0)
    assert status == 202 and started["message"]
    assert task(s, started["task"])[1]["status"] == "waiting" and s.asked() == []
    assert task(s, started["task"], "cancel")[1]["status"] == "cancelled"
    assert task(s, started["task"], "resume")[0] == 409
    assert task(s, started["task"])[1]["result"] is None
    second = ask(s, wait=0)[1]["task"]
    still.redis.call("HDEL", lane, "nb")
    still.redis.call("ZADD", lib.PREFIX + "fetchdue", 1, f"shopify/{s.domain}")
    still.redis.call("LPUSH", lib.PREFIX + "fetchwake", 1)
    lib.wait_until(lambda: task(s, second)[1]["status"] == "done", "the check goes on")


def test_a_shop_that_does_not_answer_is_told(still):
    s = Shopify(still)
    still.sim.fault(tenant=s.domain, method="POST", path="/admin/", fault="status", status=503, count=1)
    told = check(s)
    assert not told["orders"]["readable"] and told["orders"]["message"]
    assert check(s)["orders"]["readable"]  # at once, although the shop was to be left alone


def test_a_worker_killed_in_the_middle_is_followed_by_one_that_doubles_nothing(own_stack):
    stack = own_stack(LH_LEASE=5, LH_RECONCILE=0)
    s = Shopify(stack)
    stack.sim.fault(tenant=s.domain, method="POST", path="/admin/", fault="hold", when="after", count=1,
                    holds='"ORDERS_UPDATED"')
    status, started = ask(s, CREATE, wait=0)
    assert status == 202
    lib.wait_until(lambda: stack.sim.held() == 1, "a subscription is being made")
    stack.worker.kill()
    stack.sim.control("POST", "release")
    stack.start_worker()
    ended = lib.wait_until(lambda: (t := task(s, started["task"])[1])["status"] == "done" and t, "the next ends it")
    first = {"orders/create", "orders/paid", "orders/updated"}
    assert states(ended["result"]) == {"subscribed": first, "created": TOPICS - first}
    assert len(subscriptions(s)) == len(set(subscriptions(s))) == len(TOPICS)


def test_a_paused_connection_is_checked_all_the_same(still):
    s = Shopify(still)
    assert still.receiver.api("POST", f"/connections/{s.connection}/pause", {})[0] == 200
    assert states(check(s, CREATE)) == {"created": TOPICS}


def reconcile(s):
    """Has a pass begin now, and waits for its end."""
    call, store = s.stack.redis.call, f"shopify/{s.domain}"
    until = lambda: call("HGET", f"{lib.PREFIX}store:{store}", "reconciled_to")
    call("HDEL", f"{lib.PREFIX}store:{store}", "reconciled_to")
    call("ZADD", f"{lib.PREFIX}fetchlater:{store}", 1, "*reconcile")
    call("ZADD", lib.PREFIX + "fetchdue", 1, store)
    call("LPUSH", lib.PREFIX + "fetchwake", 1)
    lib.wait_until(until, "the pass ends")


def test_what_the_reconciliation_tells_agrees_with_the_check(stack):
    s = Shopify(stack)
    change(s, subscriptions=[("ORDERS_PAID", "pubsub://project:topic"), ("ORDERS_CREATE", URL)])
    reconcile(s)
    missing = REQUIRED - {"orders/create"}
    told, = s.log("webhooks_missing")
    shown = check(s)
    assert {name for name in REQUIRED if name in told["message"]} == missing
    assert {row["topic"] for row in shown["webhooks"]["topics"]
            if row["required"] and row["state"] in ("missing", "elsewhere")} == missing
    assert states(check(s, CREATE))["created"] == TOPICS - {"orders/create"}
    reconcile(s)
    assert [row["event"] for row in s.log("webhooks")] == ["webhooks_created", "webhooks_missing"]


# ---- Amazon ----

def test_amazon_says_whether_orders_can_be_read(still):
    s = Amazon(still)
    told = check(s)
    assert told["orders"] == {"readable": True, "message": None}
    assert told["webhooks"]["topics"] == [] and "set up at Amazon" in told["webhooks"]["message"]
    assert [c["status"] for c in s.asked("/orders/")] == [200]
    for act in ("revoke", "expire_tokens"):
        still.sim.control("POST", "amazon/act", {"do": act, "seller_id": s.domain})
    told = check(s, {})
    assert not told["orders"]["readable"] and told["orders"]["message"]
    assert s.log("shop_held")


def test_amazons_refusal_is_told_in_its_words(still):
    s = Amazon(still)
    words = "Access to requested resource is denied."
    still.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="status", status=403, count=-1,
                    body={"errors": [{"code": "Unauthorized", "message": words}]})
    told = check(s)
    assert not told["orders"]["readable"] and words in told["orders"]["message"]


# ---- what is refused ----

@pytest.mark.parametrize("body, fields", [
    ({"create_webhooks": True}, ["url"]),
    ({"create_webhooks": "yes"}, ["create_webhooks"]),
    ({"url": 7}, ["url"]),
    ({"url": "http://hooks.example.com/webhooks/shopify"}, ["url"]),
    ({"url": "https:///webhooks/shopify"}, ["url"]),
    ({"url": "https://hooks.example.com/"}, ["url"]),
    ({"url": "https://hooks.example.com/webhooks/shopify?x=1"}, ["url"]),
    ({"url": "https://hooks.example.com/" + "a" * 500 + "/webhooks/shopify"}, ["url"]),
    ({"webhooks": True}, ["webhooks"]),
])
def test_a_body_that_cannot_be_is_refused(still, body, fields):
    s = Shopify(still)
    status, answer = ask(s, body)
    assert (status, [e["field"] for e in answer["errors"]]) == (422, fields)
    assert s.asked() == []


def test_who_may_not_and_what_is_not_there(still):
    s = Shopify(still)
    assert ask(s, token=lib.SUPPORT)[0] == 403
    assert still.receiver.api("POST", f"{path(s)}/check?wait=31", {})[0] == 422
    assert still.receiver.api("POST", "/stores/shopify/none.myshopify.com/check", {})[0] == 404
    status, answer = ask(Shopify(still, token=False))
    assert status == 409 and "secrets.api_token" in answer["detail"]
    status, answer = ask(Amazon(still, token=False))
    assert status == 409 and "secrets.refresh_token" in answer["detail"]
    for body in ({"create_webhooks": True}, {"url": URL}):
        status, answer = ask(Amazon(still), body)
        assert status == 422 and "set up at Amazon" in answer["errors"][0]["message"]


def test_the_public_name_is_where_webhooks_go_unless_the_body_says_it(own_stack):
    stack = own_stack(LH_RECONCILE=0, LH_PUBLIC_URL="https://ledgerhook.example")
    s = Shopify(stack)
    mine = "https://ledgerhook.example/webhooks/shopify"
    assert check(s)["webhooks"]["url"] == mine
    assert states(check(s, {"create_webhooks": True})) == {"created": TOPICS}
    assert {uri for _, uri in subscriptions(s)} == {mine}
    assert states(check(s, {"url": URL})) == {"elsewhere": TOPICS}
    who = [dict(zip(e[1][::2], e[1][1::2])) for e in stack.redis.call("XREVRANGE", lib.PREFIX + "audit", "+", "-")]
    asked = [e for e in who if e.get(b"what") == b"check"]
    assert len(asked) == 3 and {e[b"who"] for e in asked} == {b"ada"}
    assert json.loads(asked[0][b"new"])["url"] == URL
