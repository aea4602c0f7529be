"""The description of the API at /api/v1/openapi.json against what the calls really answer."""

import json
import re
import urllib.parse
import uuid

import pytest

import lib
from openapi import Description
from orders import line, order


class Caller:
    """Makes calls and holds each answer against the description."""

    def __init__(self, stack):
        self.address = stack.receiver.api_address
        status, headers, text = lib.request(self.address, "GET", "/api/v1/openapi.json")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        self.description = Description(text)
        self.met = set()  # (method, template, status)

    def __call__(self, method, path, body=None, token=lib.ADMIN, expect=None):
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        status, got, data = lib.request(self.address, method, "/api/v1" + path, raw, headers)
        plain = urllib.parse.unquote("/api/v1" + path.split("?")[0])
        template = self.description.check_answer(method, plain, status, got, data)
        self.met.add((method, template, status))
        assert expect in (None, status), (method, path, status, data)
        return json.loads(data) if data else None


@pytest.fixture(scope="module")
def own():
    stack = lib.Stack(LH_PUBLIC_URL="https://ledgerhook.example")
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def call(own):
    return Caller(own)


def test_every_route_is_described_with_its_role(call):
    """The route table of the receiver and the description name the same calls."""
    source = (lib.ROOT / "service/receiver_main.c").read_text()
    names = dict(re.findall(r'#define ([A-Z]+) "(/api/v1/[^"]*)"', source))
    table = {}
    for method, path, role in re.findall(r'\{"([A-Z]+)", ((?:[A-Z]+ ?)?(?:"[^"]*")?), SRV_([A-Z]+)', source):
        word, _, rest = path.partition('"')
        full = names.get(word.strip(), "") + rest.rstrip('"')
        if full.startswith("/api/v1"):
            table[method, full] = role.lower()
    described = {(method, re.sub(r"\{[a-z_]+\}", "{}", path)): op["x-role"]
                 for method, path, op in call.description.operations()}
    assert described == table and len(table) > 25


def test_every_call_answers_as_described(own, call):
    shop = lib.Shop(own)
    store, conn = f"/stores/shopify/{shop.domain}", f"/connections/{shop.connection}"
    good, skipped = order(name="#1"), order("pending", name="#2")
    bad = [order(lines=[line(rate="0.07")], name=f"#{i}") for i in (3, 4, 5)]
    for o in (good, skipped, *bad):
        assert shop.send("orders/paid", o)[0] == 200
    shop.wait_done(good["id"])
    for o in bad:
        shop.wait_state(o["id"], "failed")
    call("GET", "/stores", expect=200)
    call("GET", "/stores?limit=0", expect=422)
    call("GET", store, expect=200)
    call("GET", "/stores/shopify/none.myshopify.com", expect=404)
    call("PUT", store, shop.document, expect=200)
    call("PUT", store, {"connection": shop.connection, "x": 1}, expect=422)
    call("PUT", store, b"{", expect=400)
    call("PATCH", store, {"settings": {"due_days": 7}}, expect=200)
    call("GET", "/connections", expect=200)
    call("GET", conn, expect=200)
    call("GET", "/connections/none", expect=404)
    fresh = f"/connections/c-{uuid.uuid4().hex[:8]}"
    call("PUT", fresh, {"tenant": str(uuid.uuid4())}, expect=201)
    call("PUT", fresh, {"tenant": str(uuid.uuid4())}, expect=409)
    call("PATCH", fresh, {"grant": "authorization_code"}, expect=200)
    call("PATCH", fresh, {"grant": "magic"}, expect=422)

    # The failed list.
    rows = call("GET", f"/failed?connection={shop.connection}", expect=200)["rows"]
    assert len(rows) == 3
    call("GET", "/failed/groups", expect=200)
    call("POST", f"/failed/{rows[0]['id']}/export?wait=20", {}, expect=200)
    call("POST", "/failed/export?wait=20", {"ids": [rows[1]["id"]]}, expect=200)
    call("POST", "/failed/export", {"ids": []}, expect=422)
    call("DELETE", f"/failed/{rows[0]['id']}", expect=204)
    call("DELETE", f"/failed/{rows[0]['id']}", expect=404)
    call("DELETE", "/failed", {"ids": [rows[1]["id"]]}, expect=200)

    # Which contact a customer is.
    who = f"{conn}/contacts/shopify/{shop.domain}/1"
    call("GET", who, token=lib.SUPPORT, expect=200)
    call("PUT", who, {"contact": "nobody"}, expect=422)
    call("PUT", who, {"contact": str(uuid.uuid4())}, expect=200)
    call("PUT", who, b"{", expect=400)
    call("PUT", who, {}, token=lib.SUPPORT, expect=403)
    call("DELETE", who, expect=204)
    call("DELETE", who, expect=404)

    # What support sees.
    held = order(name="#6")
    call("POST", conn + "/pause", {}, expect=200)
    assert shop.send("orders/paid", held)[0] == 200
    call("POST", f"/failed/{rows[2]['id']}/export", {}, expect=409)
    assert call("GET", "/queue", expect=200)["count"] == 1
    assert call("GET", "/log", expect=200)["rows"]
    call("GET", "/log?level=x", expect=422)
    assert call("GET", "/synced", expect=200)["count"] == 1
    call("GET", "/catalogue", expect=200)
    for o in (good, skipped, bad[2], bad[0], held):
        call("GET", f"/orders/{shop.key(o['id'])}", expect=200)
    call("GET", f"/orders/{shop.key(1)}", expect=200)
    call("GET", "/orders/ebay/x/1", expect=404)
    assert call("GET", "/orders?name=%232", expect=200)["count"] == 1
    call("GET", "/orders", expect=422)
    hand = f"/orders/{shop.key(skipped['id'])}/export?wait=20"
    call("POST", hand, {}, expect=409)
    call("POST", conn + "/resume", {}, expect=200)
    call("POST", "/connections/none/pause", {}, expect=404)
    call("POST", hand, {}, expect=200)
    call("POST", hand, {"again": True}, expect=200)
    call("POST", f"/orders/{shop.key(1)}/export", {}, expect=404)
    call("GET", "/tasks/none", expect=404)
    days = {"from": "2026-01-01", "to": "2026-01-31"}
    call("POST", store + "/backfill", days, expect=409)
    call("PATCH", store, {"secrets": {"api_token": "sample-token"}}, expect=200)
    lane = f"{lib.PREFIX}seller:shopify/{shop.domain}"
    with_a_worker = lambda: own.redis.call("ZCARD", lib.PREFIX + "tasks") == 0
    lib.wait_until(with_a_worker, "the token is with a worker")
    own.redis.call("HSET", lane, "nb", "9999999999999")  # nobody asks the shop
    call("POST", store + "/backfill", {}, expect=422)
    task = "/tasks/" + call("POST", store + "/backfill", days, expect=202)["task"]
    call("POST", task + "/pause", {}, expect=200)
    call("POST", task + "/resume", {}, expect=200)
    call("POST", task + "/cancel", {}, expect=200)
    call("POST", task + "/resume", {}, expect=409)
    checked = "/tasks/" + call("POST", store + "/check", expect=202)["task"]
    call("POST", store + "/check", {"url": "x"}, expect=422)
    call("POST", store + "/check", {}, token=lib.SUPPORT, expect=403)
    call("POST", checked + "/cancel", expect=200)
    own.redis.call("HDEL", lane, "nb")  # the simulator knows no such token
    assert not call("POST", store + "/check?wait=30", {}, expect=200)["result"]["orders"]["readable"]
    pair = {"api_client_id": "sample-client", "api_client_secret": "sample-secret"}
    call("PATCH", store, {"secrets": {"api_client_id": "sample-client"}}, expect=422)
    assert call("PATCH", store, {"secrets": pair}, expect=200)["secrets"]["api_client_id"]["set"]
    call("PATCH", store, {"secrets": dict.fromkeys(pair)}, expect=200)
    lib.wait_until(with_a_worker, "and gone from there")
    for one in (task, checked):
        own.redis.call("DEL", lib.PREFIX + one[1:].replace("tasks/", "task:"))
    tasks = [k.decode().rpartition(":")[2] for k in own.redis.call("KEYS", lib.PREFIX + "task:*")]
    assert {call("GET", f"/tasks/{t}", expect=200)["status"] for t in tasks} == {"done"}

    # Ways to stop.
    call("GET", conn + "/connect", expect=422)
    call("PATCH", fresh, {"client_id": "app", "client_secret": "app-secret"}, expect=200)
    call("GET", fresh + "/connect?force=true", expect=200)
    call("POST", fresh + "/resume", {}, expect=409)
    backup = call("GET", conn + "/backup", expect=200)
    assert call("PUT", conn + "/backup", backup, expect=200) == {"restored": 1}
    call("PUT", conn + "/backup", {}, expect=422)
    call("POST", conn + "/disconnect", {}, expect=200)
    call("POST", conn + "/resume", {}, expect=200)
    call("POST", fresh + "/uninstall", {}, expect=422)
    call("POST", fresh + "/uninstall", {"confirm": fresh.rpartition("/")[2]}, expect=200)
    call("GET", fresh, expect=200)
    call("POST", fresh + "/disconnect", {}, expect=409)

    # Roles.
    call("GET", "/queue", token="wrong", expect=401)
    call("PUT", store, shop.document, token=lib.SUPPORT, expect=403)
    call("DELETE", store, {}, expect=204)
    call("PUT", store, shop.document, expect=201)
    call("GET", "/openapi.json", token=None, expect=200)

    missing = {(m, p) for m, p, _ in call.description.operations()} - {(m, p) for m, p, s in call.met if s < 300}
    assert not missing, f"no good answer was seen of {sorted(missing)}"


def test_the_validator_finds_faults(call):
    check = call.description
    row = {"id": "x", "time": "2026-11-01T10:00:00Z", "level": "info", "connection": "c", "store": None, "order": None,
           "event": "e", "message": "m"}
    schema = {"$ref": "#/components/schemas/LogEntry"}
    assert not list(check.faults(row, schema, ""))
    for wrong in ({**row, "level": "debug"}, {**row, "time": "yesterday"}, {**row, "more": 1}, {**row, "id": 5},
                  {k: v for k, v in row.items() if k != "event"}):
        assert len(list(check.faults(wrong, schema, ""))) == 1, wrong
    with pytest.raises(AssertionError):
        check.operation("GET", "/api/v1/nothing")
