"""Shopify stores with an app's pair (secrets.api_client_id, api_client_secret): the workers ask the shop for the
app's tokens, when they need one and no oftener."""

import json

import pytest

import lib
from sellers import Shopify
from test_check import CREATE, check, states

PAIR = ("api_client_id", "api_client_secret")


@pytest.fixture(scope="module")
def still():
    """A stack that reconciles nothing by itself, with one thread that reads."""
    stack = lib.Stack(LH_RECONCILE=0, LH_FETCHERS=1)
    yield stack
    stack.close()


def change(s, **spec):
    s.stack.sim.control("POST", "shopify/shops", {"shop": s.domain, **spec})


def end_tokens(s):
    s.stack.sim.control("POST", "shopify/act", {"shop": s.domain, "do": "expire_tokens"})


def by_hand(s, order):
    status, answer = s.stack.receiver.api("POST", f"/orders/shopify/{s.domain}/{order['id']}/export?wait=20")
    assert (status, answer.get("exported")) == (200, 1), answer


def held(s):
    return lib.wait_until(lambda: s.log("shop_held"), "the log says it")


def set_of(answer):
    return {name for name, state in answer["secrets"].items() if state["set"]}


# ---- reading ----

def test_orders_are_read_with_a_token_that_is_asked_for_once(still):
    s = Shopify(still, token=False)
    status, shown = s.patch({"secrets": s.pair})
    assert status == 200 and set_of(shown) == {"webhook", *PAIR}
    assert all(state.keys() <= {"set", "since"} for state in shown["secrets"].values())
    for _ in range(3):
        by_hand(s, s.sell())
    assert len(s.invoices()) == 3 and len(s.tokens()) == 1


def test_a_token_that_has_ended_is_asked_for_again_once_and_no_order_is_lost(still):
    s = Shopify(still, pair=True)
    by_hand(s, s.sell())
    for end in (lambda: end_tokens(s), lambda: still.sim.control("POST", "clock", {"advance_seconds": 86400})):
        before = len(s.tokens())
        end()
        for _ in range(2):
            by_hand(s, s.sell())
        assert len(s.tokens()) == before + 1
    assert len(s.invoices()) == 5 and s.log("shop_held") == []


def test_a_call_that_is_refused_between_two_others_is_made_again(still):
    s = Shopify(still, pair=True)
    by_hand(s, s.sell())
    order = s.sell()
    still.sim.fault(tenant=s.domain, path="/admin/api/2026-10/graphql.json", fault="status", status=401,
                    body={"errors": "[API] Invalid API key or access token"}, count=1)
    by_hand(s, order)
    assert len(s.tokens()) == 2 and s.log("shop_held") == []


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}])
def test_a_shop_that_is_away_when_it_is_asked_is_asked_later(still, fault):
    s = Shopify(still, pair=True)
    order = s.sell()
    still.sim.fault(tenant=s.domain, path="/admin/oauth/access_token", fault="status", count=1, **fault)
    by_hand(s, order)
    assert len(s.tokens()) == 2


def test_two_workers_read_one_shop_each_with_a_token_of_its_own(own_stack):
    stack = own_stack(LH_RECONCILE=0)
    stack.start_worker()
    s = Shopify(stack, pair=True)
    for _ in range(2):
        sold = [s.sell() for _ in range(6)]
        for order in sold:
            assert stack.receiver.api("POST", f"/orders/shopify/{s.domain}/{order['id']}/export")[0] < 300
        for order in sold:
            s.wait_done(order["id"])
        end_tokens(s)
    assert len(s.invoices()) == 12 and 2 <= len(s.tokens()) <= 8  # of four threads, before the end and after
    assert s.log("shop_held") == []


# ---- what is refused ----

@pytest.mark.parametrize("refuses,words", [
    ("invalid_client", "the client secret is not the app's"), ("app_not_installed", "Install it"),
    ("application_cannot_be_found", "no app of this client id"), ("shop_not_permitted", "of the organisation")])
def test_a_refusal_is_told_once_with_what_to_do_and_a_new_pair_goes_at_once(still, refuses, words):
    s = Shopify(still, pair=True, refuses=refuses)
    sold = [s.sell(), s.sell()]
    for order in sold:
        assert still.receiver.api("POST", f"/orders/shopify/{s.domain}/{order['id']}/export")[0] == 202
    row, = held(s)
    assert row["level"] == "error" and words in row["message"] and refuses in row["message"]
    change(s, refuses=None, client_id="another-app-" + s.domain, client_secret="another-secret")
    assert s.patch({"secrets": {"api_client_id": "another-app-" + s.domain, "api_client_secret": "another-secret"}})[0] == 200
    for order in sold:
        s.wait_done(order["id"])
    assert len(s.log("shop_held")) == 1


def test_a_new_pair_does_not_go_on_with_the_old_ones_token(still):
    s = Shopify(still, pair=True)
    by_hand(s, s.sell())
    assert s.patch({"secrets": {**s.pair, "api_client_secret": "not-the-secret"}})[0] == 200
    lib.wait_until(lambda: still.redis.call("ZCARD", lib.PREFIX + "tasks") == 0, "it is with a worker")
    told = check(s)
    assert not told["orders"]["readable"] and "invalid_client" in told["orders"]["message"]
    assert s.patch({"secrets": s.pair})[0] == 200
    by_hand(s, s.sell())


def test_a_check_asks_by_the_pair_and_a_scope_counts_as_soon_as_the_app_has_it(still):
    s = Shopify(still, pair=True, scopes=["read_orders"])
    s.sell()
    told = check(s)
    assert not told["orders"]["readable"] and "read_customers" in told["orders"]["message"]
    change(s, scopes=["read_orders", "read_customers", "read_products", "read_payment_terms"])
    assert check(s)["orders"] == {"readable": True, "message": None}
    assert set(states(check(s, CREATE))) == {"created"}


def test_a_token_and_a_pair_take_each_others_place(still):
    s = Shopify(still)
    by_hand(s, s.sell())
    assert s.tokens() == []
    change(s, token="ended")
    assert set_of(s.patch({"secrets": s.pair})[1]) == {"webhook", *PAIR}
    by_hand(s, s.sell())
    end_tokens(s)
    change(s, token=s.token, refuses="app_not_installed")
    assert set_of(s.patch({"secrets": {"api_token": s.token}})[1]) == {"webhook", "api_token"}
    by_hand(s, s.sell())
    assert set_of(s.patch({"secrets": {"api_token": None}})[1]) == {"webhook"}
    assert s.stack.receiver.api("POST", f"/stores/shopify/{s.domain}/check", {})[0] == 409
    lib.wait_until(lambda: still.redis.call("EXISTS", f"{lib.PREFIX}grant:s-shopify/{s.domain}") == 0, "it is gone")


@pytest.mark.parametrize("secrets,field,words", [
    ({"api_client_id": "app-of-the-shop"}, "api_client_secret", "both in one call"),
    ({"api_client_secret": "secret-of-the-app"}, "api_client_id", "both in one call"),
    ({"api_client_secret": None}, "api_client_id", "both in one call"),
    ({"api_client_id": None, "api_client_secret": "secret-of-the-app"}, "api_client_id", "both in one call"),
    ({"api_client_id": "app-of-the-shop", "api_client_secret": "secret-of-the-app", "api_token": "shpat_one"},
     "api_token", "leave it out"),
    ({"api_client_id": "a" * 128, "api_client_secret": "secret-of-the-app"}, "api_client_id", "8 to 127"),
])
def test_half_a_pair_or_a_pair_and_a_token_are_refused(still, secrets, field, words):
    s = Shopify(still, pair=True)
    status, answer = s.patch({"secrets": secrets})
    assert status == 422 and [e["field"] for e in answer["errors"]] == [f"secrets.{field}"], answer
    assert words in answer["errors"][0]["message"]
    assert set_of(s.stack.receiver.api("GET", f"/stores/shopify/{s.domain}")[1]) == {"webhook", *PAIR}


def test_neither_secret_nor_token_is_readable_anywhere(still):
    s = Shopify(still, pair=True)
    by_hand(s, s.sell())
    end_tokens(s)
    change(s, refuses="invalid_client")
    still.receiver.api("POST", f"/orders/shopify/{s.domain}/77/export")
    held(s)
    shown = json.dumps([still.receiver.api("GET", f"/stores/shopify/{s.domain}"), s.log("")])
    for text in (shown, still.receiver.log(), still.worker.log()):
        assert s.pair["api_client_secret"] not in text and "shpat_" not in text
    grant = still.redis.call.hash(f"{lib.PREFIX}grant:s-shopify/{s.domain}")
    assert s.pair["api_client_secret"].encode() not in b"".join(v for v in grant.values())
    assert s.patch({"secrets": {name: None for name in PAIR}})[0] == 200


def test_a_deleted_stores_secrets_are_gone_at_once(still):
    s, grant = Shopify(still, pair=True), lib.PREFIX + "grant:s-shopify/"
    by_hand(s, s.sell())
    assert still.redis.call("EXISTS", grant + s.domain) == 1
    assert still.receiver.api("DELETE", f"/stores/shopify/{s.domain}")[0] == 204
    lib.wait_until(lambda: still.redis.call("EXISTS", grant + s.domain) == 0, "it is gone")


def test_a_secret_that_reaches_a_worker_late_neither_replaces_a_newer_one_nor_outlives_its_store(own_stack):
    stack = own_stack(worker=False, LH_RECONCILE=0)
    s, call, grant = Shopify(stack, pair=True), stack.redis.call, lib.PREFIX + "grant:s-shopify/"
    late = [call.hash(f"{lib.PREFIX}task:{task.decode()}") for task in call("ZRANGE", lib.PREFIX + "tasks", 0, -1)]

    def again():
        """As after a worker that lost Redis while it had them."""
        lib.wait_until(lambda: call("ZCARD", lib.PREFIX + "tasks") == 0, "all is with a worker")
        for i, task in enumerate(late):
            call("HSET", f"{lib.PREFIX}task:late-{i}", *(x for pair in task.items() for x in pair))
            call("ZADD", lib.PREFIX + "tasks", 0, f"late-{i}")
        lib.wait_until(lambda: call("ZCARD", lib.PREFIX + "tasks") == 0, "all is with a worker again")

    assert any(task["kind"] == b"shop" for task in late)
    assert s.patch({"secrets": {"api_token": s.token}})[0] == 200
    stack.start_worker()
    again()
    assert call("HGET", grant + s.domain, "client_id") == b""
    by_hand(s, s.sell())
    assert s.tokens() == []
    assert stack.receiver.api("DELETE", f"/stores/shopify/{s.domain}")[0] == 204
    again()
    assert call("EXISTS", grant + s.domain) == 0
