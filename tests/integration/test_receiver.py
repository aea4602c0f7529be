"""What the receiver answers, status by status, and what it writes (or does not)."""

import ctypes
import json
import os
import re
import socket
import subprocess

import pytest

import lib
from orders import later, order


@pytest.fixture(scope="module")
def door():
    """A receiver alone: what it queues stays where it is."""
    stack = lib.Stack(worker=False, LH_MAX_BODY=200000)
    yield stack
    stack.close()


@pytest.fixture
def shop(door):
    return lambda **options: lib.Shop(door, **options)


def keys_of(stack, shop):
    return stack.redis.call("KEYS", f"{lib.PREFIX}*{shop.domain}/*")


# ---- signatures ----

def test_a_wrong_signature_is_401_and_nothing_is_written(door, shop):
    s = shop()
    status, answer = s.send("orders/paid", order("paid"), secret="another-secret-1")
    assert (status, answer["status"]) == (401, 401)
    assert keys_of(door, s) == []


@pytest.mark.parametrize("mark", ["", "not base64!", "AAAA", "A" * 2000])
def test_a_malformed_signature_is_401(shop, mark):
    s, body = shop(), json.dumps(order("paid")).encode()
    headers = {**lib.signed_headers(s.domain, "orders/paid", body), "X-Shopify-Hmac-Sha256": mark}
    assert s.stack.receiver.webhook(body, headers)[0] == 401


def test_the_current_the_previous_and_the_admin_secret_are_accepted(shop):
    s = shop(secrets={"webhook": "secret-number-one", "webhook_previous": "secret-number-two",
                      "webhook_admin": "secret-number-three"})
    for secret in ("secret-number-one", "secret-number-two", "secret-number-three"):
        assert s.send("orders/paid", order("paid"), secret=secret)[0] == 200


def test_a_secret_that_was_just_rotated_is_known_at_once(shop):
    s = shop()
    assert s.send("orders/paid", order("paid"))[0] == 200
    assert s.patch({"secrets": {"webhook": "a-brand-new-secret", "webhook_previous": lib.SECRET}})[0] == 200
    lib.wait_until(lambda: s.send("orders/paid", order("paid"), secret="a-brand-new-secret")[0] == 200,
                   "the new secret is read (at most once a second)")


def test_the_signature_is_over_the_raw_bytes(shop):
    s, o = shop(), order("paid", note="a/b & <c>")
    raw = json.dumps(o, indent=1).replace("/", "\\/").replace("&", "\\u0026").encode()
    assert s.send("orders/paid", raw)[0] == 200


def test_every_variant_of_the_headers_is_accepted(door):
    """Names in any case, with and without X-, and with the optional ones absent."""
    path = lib.DATA / "orders" / "header_variants.json"
    variants = json.loads(path.read_text())
    body = (lib.DATA / "orders" / os.path.basename(variants["body_file"])).read_bytes()
    lib.Shop(door, name="sample-store.myshopify.com")
    results = [door.receiver.webhook(body, v["headers"]) for v in variants["variants"]]
    assert [status for status, _ in results] == [200] * len(results), results
    assert results[0][1]["result"] == "queued"
    # without a webhook id it is no duplicate, and without a time no newer: the stored one stays
    assert {r["result"] for _, r in results[1:]} <= {"duplicate", "stale_event"}


# ---- whose it is ----

def test_an_unknown_store_is_404(door):
    assert door.receiver.send("nobody.myshopify.com", "orders/paid", order("paid"))[0] == 404


def test_a_missing_or_strange_shop_header_is_404(door):
    body = b"{}"
    for domain in ("", "../../etc", "a b", "x" * 300, "a\tb"):
        assert door.receiver.webhook(body, lib.signed_headers(domain, "orders/paid", body))[0] in (400, 404)


def test_a_deleted_store_is_404(door, shop):
    s = shop()
    assert door.receiver.api("DELETE", f"/stores/shopify/{s.domain}")[0] == 204
    lib.wait_until(lambda: s.send("orders/paid", order("paid"))[0] == 404, "the deletion is seen")


def test_a_store_that_another_replica_just_added_is_found(door):
    second = door.start_receiver()
    s = lib.Shop(door)
    assert second.send(s.domain, "orders/paid", order("paid"))[0] == 200


def test_settings_changed_elsewhere_reach_every_replica_at_the_next_event(door, shop):
    second, s = door.start_receiver(), shop()
    assert second.send(s.domain, "orders/create", order("pending"))[1]["reason"] == "unpaid"
    assert s.patch({"settings": {"auto_sync": "include_unpaid"}})[0] == 200
    assert second.send(s.domain, "orders/create", order("pending"))[1]["reason"] == "include_unpaid"


# ---- once, and the newest ----

def test_a_duplicate_is_200_and_changes_nothing(shop):
    s, o = shop(), order("paid")
    assert s.send("orders/paid", o, webhook_id="one")[1]["result"] == "queued"
    before = s.record(o["id"])
    assert s.send("orders/paid", o, webhook_id="one")[1] == {"result": "duplicate", "reason": "paid"}
    assert s.record(o["id"]) == before


def test_the_same_id_under_another_topic_is_another_delivery(shop):
    s, o = shop(), order("paid")
    s.send("orders/create", o, webhook_id="one")
    assert s.send("orders/paid", o, webhook_id="one")[1]["result"] == "queued"


def test_an_older_snapshot_never_overwrites(shop):
    s, o = shop(), order("pending")
    s.send("orders/updated", later(o, financial_status="paid"))
    stamp = s.record(o["id"])["snap"]
    assert s.send("orders/create", o)[1]["result"] == "stale_event"
    assert s.record(o["id"])["snap"] == stamp
    assert s.send("orders/create", {**o, "updated_at": None})[1]["result"] == "stale_event"


def test_at_equal_seconds_the_further_state_wins(shop):
    s, o = shop(), order("pending")
    s.send("orders/paid", {**o, "financial_status": "paid"})
    stamp = s.record(o["id"])["snap"]
    s.send("orders/create", o)
    assert s.record(o["id"])["snap"] == stamp


# ---- what it is ----

@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"id":1}', b'{"id":1} x', b"\xff\xfe{}",
                                  b'{"a":' * 5000, b'{"order_edit":{"id":1,"order_id":2}}', b'{"id":"x","line_items":[]}'])
def test_what_shopify_never_sends_is_400(shop, body):
    s = shop()
    status, answer = s.send("orders/paid", body)
    assert status == 400, answer
    assert keys_of(s.stack, s) == []


@pytest.mark.parametrize("change", [{"currency": None}, {"total_price": "many"}, {"line_items": None},
                                    {"total_price": "1.23456"}, {"currency": "POUNDS"}])
def test_a_signed_order_that_cannot_be_used_is_200_and_parked(shop, change):
    s, o = shop(), order("paid")
    status, answer = s.send("orders/paid", {**o, **change})
    assert (status, answer["result"]) == (200, "unusable"), answer
    (row,) = s.failed()
    assert row["catalogue"] == ["unusable-order"]
    assert row["export_error"] == [answer["reason"]]
    assert row["exported_item"] == o["name"]


def test_a_mended_order_leaves_the_failed_list_by_itself(shop):
    s, o = shop(), order("paid")
    s.send("orders/paid", {**o, "currency": None})
    assert s.send("orders/updated", later(o))[1]["result"] == "queued"
    assert s.failed() == []


def test_a_body_over_the_limit_is_413(shop):
    s = shop()
    assert s.send("orders/paid", {**order("paid"), "note": "x" * 250000})[0] == 413


def test_other_methods_are_405_and_other_paths_404(door):
    assert lib.request(door.receiver.hooks, "GET", "/webhooks/shopify")[0] == 405
    assert lib.request(door.receiver.hooks, "POST", "/webhooks/else", b"{}")[0] == 404
    assert lib.request(door.receiver.hooks, "GET", "/api/v1/stores")[0] == 404


@pytest.mark.parametrize("topic", ["products/update", "orders/else", "", "x" * 400])
def test_a_topic_without_a_decision_is_200_ignored(shop, topic):
    status, answer = shop().send(topic, b'{"id":1}')
    assert (status, answer["result"]) == (200, "ignored")


def test_records_of_refunds_and_payments_are_kept_beside_their_order(shop):
    s, o = shop(), order("pending")
    s.send("orders/create", o)
    payment = {"id": 71, "order_id": o["id"], "kind": "sale", "status": "success", "amount": "29.00",
               "gateway": "manual", "currency": "GBP", "processed_at": "2026-11-02T10:00:00Z"}
    assert s.send("order_transactions/create", payment)[1] == {"result": "skipped", "reason": "kept_for_the_order"}
    refund = {"id": 72, "order_id": o["id"], "refund_line_items": [], "transactions": []}
    assert s.send("refunds/create", refund)[1]["reason"] == "kept_for_the_order"
    parts = s.stack.redis.call.hash(f"{lib.PREFIX}snap:{s.key(o['id'])}")
    assert set(parts) == {"order", "txn:71", "refund:72"}


# ---- deletions and notices ----

def notes(s, event):
    """The lines of EVENT in the connection's log: level and message."""
    rows = s.stack.redis.call("XRANGE", f"{lib.PREFIX}log:{s.connection}", "-", "+")
    lines = [{f[i].decode(): f[i + 1].decode() for i in range(0, len(f), 2)} for _, f in rows]
    return [(line["level"], line["message"]) for line in lines if line["event"] == event]


def test_an_order_that_is_deleted_in_the_shop_is_withdrawn_and_no_later_event_brings_it_back(shop):
    s, o = shop(), order("paid")
    assert s.send("orders/paid", o)[1]["result"] == "queued"
    gone = {"result": "skipped", "reason": "deleted_in_shop"}
    assert s.send("orders/delete", {"id": o["id"]}, webhook_id="d-1") == (200, gone)
    record = s.record(o["id"])
    assert (record["st"], record["reason"]) == ("skipped", "deleted_in_shop")
    assert s.stack.redis.call("ZCARD", f"{lib.PREFIX}ready:{s.connection}") == 0
    assert s.send("orders/delete", {"id": o["id"]}, webhook_id="d-1")[1]["result"] == "duplicate"
    assert s.send("orders/delete", {"id": o["id"]})[1] == gone
    assert s.send("orders/updated", later(o))[1] == gone
    assert s.send("orders/paid", o)[1]["result"] in ("skipped", "stale_event")
    assert s.record(o["id"])["st"] == "skipped" and s.failed() == []
    assert [level for level, _ in notes(s, "deleted_in_shop")] == ["info"]
    status, shown = s.stack.receiver.api("GET", f"/orders/{s.key(o['id'])}", token=lib.SUPPORT)
    assert status == 200 and "deleted in the shop" in json.dumps(shown)


def test_a_failed_order_that_is_deleted_in_the_shop_leaves_the_list(shop):
    s, o = shop(), order("paid")
    o["currency"] = None
    assert s.send("orders/paid", o)[1]["result"] == "unusable" and len(s.failed()) == 1
    assert s.send("orders/delete", {"id": o["id"]})[1]["reason"] == "deleted_in_shop"
    assert s.failed() == []
    assert s.send("orders/updated", later(o))[1]["reason"] == "deleted_in_shop"
    assert s.failed() == []


def test_a_deletion_of_what_was_never_seen_and_of_a_whole_order_does_nothing(shop):
    s, o = shop(), order("paid")
    assert s.send("orders/delete", {"id": o["id"]})[1]["result"] == "ignored"
    assert s.record(o["id"]) == {}
    s.send("orders/paid", o)
    assert s.send("orders/delete", o)[0] == 400  # the signature says nothing of the topic
    assert s.record(o["id"])["st"] == "waiting"


def test_an_order_in_xero_that_is_deleted_in_the_shop_is_a_failed_row_and_nothing_is_voided(stack):
    s, o = lib.Shop(stack), order("paid")
    s.send("orders/paid", o)
    s.wait_done(o["id"])
    calls = len(s.calls())
    assert s.send("orders/delete", {"id": o["id"]})[1]["reason"] == "deleted_in_shop"
    row, = s.failed()
    assert row["exported_item"] == o["name"] and row["catalogue"] == ["deleted-in-shop"]
    assert row["fix_in"] == "xero" and "by hand in Xero" in row["action_required"][0]
    assert [level for level, _ in notes(s, "deleted_in_shop")] == ["error"]
    assert s.send("orders/updated", later(o))[1]["reason"] == "deleted_in_shop"
    s.idle()
    assert len(s.calls()) == calls and s.invoices()[0]["Status"] != "VOIDED"


def test_an_uninstalled_app_is_an_error_in_the_log_and_accepted_orders_stay(shop):
    s, o = shop(), order("paid")
    s.send("orders/paid", o)
    body, _ = lib.load_sample("app_uninstalled_doc")
    assert s.send("app/uninstalled", body) == (200, {"result": "ignored", "reason": "logged"})
    (level, message), = notes(s, "shop_uninstalled")
    assert level == "error" and "still exported" in message
    assert s.record(o["id"])["st"] == "waiting"


def test_a_customers_data_request_is_logged_with_its_orders_and_without_the_customer(shop):
    s = shop()
    body = {"shop_id": 1, "shop_domain": s.domain, "orders_requested": [9007199254740993, 12],
            "customer": {"id": 77, "email": "jane@example.com", "phone": "555-625-1199"}, "data_request": {"id": 9999}}
    assert s.send("customers/data_request", body)[1] == {"result": "ignored", "reason": "logged"}
    (level, message), = notes(s, "data_requested")
    assert level == "info" and "9007199254740993, 12." in message
    assert "jane" not in message and "625-1199" not in message
    body["orders_requested"] = list(range(1, 250))
    s.send("customers/data_request", body)
    assert "and 149 more" in notes(s, "data_requested")[1][1]


def unpacked(frame):
    room = ctypes.create_string_buffer(1 << 20)
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    size = zstd.ZSTD_decompress(room, ctypes.c_size_t(len(room)), frame, ctypes.c_size_t(len(frame)))
    assert size <= len(room), "an error's code is a huge number"
    return room.raw[:size]


def everything_of(s):
    """All that is stored of the shop's orders: decompressed snapshots, rows, trails, log, records."""
    call, texts = s.stack.redis.call, []
    for key in call("KEYS", f"{lib.PREFIX}snap:shopify/{s.domain}/*"):
        for part in call("HVALS", key):
            texts.append(part[1:] if part[:1] == b"R" else unpacked(part[1:]))
    for key in call("KEYS", f"{lib.PREFIX}trail:shopify/{s.domain}/*"):
        texts += call("LRANGE", key, 0, -1)
    for key in call("KEYS", f"{lib.PREFIX}order:shopify/{s.domain}/*"):
        texts += call("HVALS", key)
    texts += call("HVALS", f"{lib.PREFIX}failrow:{s.connection}")
    texts += [b" ".join(fields) for _, fields in call("XRANGE", f"{lib.PREFIX}log:{s.connection}", "-", "+")]
    return b"\n".join(texts).decode(errors="replace")


def redaction(s, *orders):
    return {"shop_id": 1, "shop_domain": s.domain, "customer": {"id": 77, "email": "jane.roe@example.com", "phone": "020-7946"},
            "orders_to_redact": [o["id"] for o in orders]}


def janes(o):
    address = {"name": "Jane Roe", "first_name": "Jane", "last_name": "Roe", "address1": "1 Roe Road", "zip": "RO3 1AA",
               "city": "Roeville", "country_code": "GB", "phone": "+44 020-7946"}
    o.update(email="jane.roe@example.com", contact_email="jane.roe@example.com", phone="+44 020-7946", browser_ip="192.0.2.77",
             note="for Jane Roe", customer={"id": 77, "first_name": "Jane", "last_name": "Roe", "default_address": address},
             billing_address=address, shipping_address=address)
    o["line_items"][0]["properties"] = [{"name": "engraving", "value": "Jane Roe"}]
    return o


JANE = re.compile(r"jane|roe|020-7946|192\.0\.2", re.I)


def test_a_buyers_data_leaves_all_that_is_stored_of_their_orders_and_of_no_others(shop):
    s, mine, other, broken = shop(), janes(order("paid")), janes(order("paid")), janes(order("paid"))
    broken["currency"] = None
    for o in (mine, other, broken):
        s.send("orders/paid", o)
    key = f"{lib.PREFIX}failrow:{s.connection}"
    row = json.loads(s.stack.redis.call("HGET", key, s.key(broken["id"])))
    row["export_error"] = ["The contact name Jane Roe is already assigned to another contact."]
    s.stack.redis.call("HSET", key, s.key(broken["id"]), json.dumps(row))
    s.stack.redis.call("LPUSH", f"{lib.PREFIX}trail:{s.key(broken['id'])}",
                       '{"t":1764000000000,"kind":"attempt","result":"failed","message":"Jane Roe is taken"}')
    assert JANE.search(everything_of(s))
    assert s.send("customers/redact", redaction(s, mine, broken, {"id": 424242}))[1] == {"result": "ignored", "reason": "logged"}
    assert notes(s, "data_erased") == [("info", "A buyer's data was erased at their request, from what was stored of the 3 "
                                                "orders that the shop named.")]
    snapshot = s.stack.redis.call("HGET", f"{lib.PREFIX}snap:{s.key(other['id'])}", "order")
    s.stack.redis.call("DEL", f"{lib.PREFIX}snap:{s.key(other['id'])}")
    left = everything_of(s)
    assert not JANE.search(left), left
    assert '"country_code":"GB"' in left and mine["line_items"][0]["title"] in left
    s.stack.redis.call("HSET", f"{lib.PREFIX}snap:{s.key(other['id'])}", "order", snapshot)
    assert JANE.search(everything_of(s))
    failed, = s.failed()
    assert failed["exported_item"] == broken["name"] and failed["export_error"] == ["Erased at the buyer's request."]
    assert failed["first_failed_at"] and s.record(mine["id"])["st"] == "waiting"
    assert s.send("customers/redact", redaction(s, mine, broken))[0] == 200  # once more
    assert s.stack.receiver.api("GET", f"/orders/{s.key(broken['id'])}", token=lib.SUPPORT)[0] == 200


def test_an_order_whose_buyer_was_erased_while_it_waited_goes_to_the_guest_contact(stack):
    s, o = lib.Shop(stack), janes(order("paid"))
    assert s.stack.receiver.api("POST", f"/connections/{s.connection}/pause")[0] == 200
    assert s.send("orders/paid", o)[1]["result"] == "held"
    assert s.send("customers/redact", redaction(s, o))[0] == 200
    assert s.stack.receiver.api("POST", f"/connections/{s.connection}/resume")[0] == 200
    s.wait_done(o["id"])
    assert not JANE.search(json.dumps(s.books(), default=str))
    assert any("guest" in c["Name"] for c in s.books()["contacts"])


def test_a_shop_that_asks_to_be_erased_is_an_error_in_the_log(shop):
    s = shop()
    assert s.send("shop/redact", {"shop_id": 1, "shop_domain": s.domain})[1]["reason"] == "logged"
    (level, message), = notes(s, "shop_erasure")
    assert level == "error" and "delete the store" in message


def test_ids_beyond_two_to_the_53_stay_exact(shop):
    s, o = shop(), {**order("paid"), "id": 9007199254740993}
    s.send("orders/paid", o)
    assert s.record(9007199254740993)["st"] == "waiting"


# ---- hostile connections ----

def raw(address, data, deadline=lib.DEADLINE):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=deadline) as sock:
        sock.sendall(data)
        out = b""
        while chunk := sock.recv(65536):
            out += chunk
        return out


@pytest.mark.parametrize("data", [
    b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcde",
    b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
    b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\nConnection: close\r\n\r\n",
    b"GARBAGE\r\n\r\n", b"POST /webhooks/shopify HTTP/9.9\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n",
    b"POST /webhooks/shopify HTTP/1.1\r\n" + b"A: " + b"b" * 70000 + b"\r\n\r\n",
    b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nConnection: close\r\n\r\ntoo short"])
def test_hostile_requests_get_a_4xx_or_a_closed_connection_and_others_go_on(door, shop, data):
    try:
        answer = raw(door.receiver.hooks, data)
    except OSError:
        answer = b""
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4" or answer.split(b" ")[1] == b"505", answer[:200]
    assert shop().send("orders/paid", order("paid"))[0] == 200


def test_a_chunked_body_is_accepted(shop):
    s, body = shop(), json.dumps(order("paid")).encode()
    head = "".join(f"{k}: {v}\r\n" for k, v in lib.signed_headers(s.domain, "orders/paid", body).items())
    data = (f"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{head}\r\n"
            f"{len(body):x}\r\n").encode() + body + b"\r\n0\r\n\r\n"
    assert raw(s.stack.receiver.hooks, data).startswith(b"HTTP/1.1 200")


def test_slow_clients_do_not_hold_up_others(door, shop):
    host, port = door.receiver.hooks.split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for sock in slow:
        sock.sendall(b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Len")
    assert shop().send("orders/paid", order("paid"))[0] == 200
    for sock in slow:
        sock.close()


# ---- start and stop ----

def run(env, *options):
    return subprocess.run([str(lib.BUILD / "ledgerhook-receiver"), *options], env=env, capture_output=True, text=True,
                          timeout=lib.DEADLINE)


@pytest.mark.parametrize("config,line", [({"appendonly": "no"}, "appendonly yes"),
                                         ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy noeviction")])
def test_a_redis_that_may_lose_or_evict_stops_the_start_and_names_the_line(tmp_path, config, line):
    server = lib.Redis(tmp_path, **config)
    env = lib.program_env(server.url, "http://127.0.0.1:1")
    ended = run(env)
    assert ended.returncode == 2
    assert line in ended.stderr
    worker = subprocess.run([str(lib.BUILD / "ledgerhook-worker")], env=env, capture_output=True, text=True,
                            timeout=lib.DEADLINE)
    assert (worker.returncode, line in worker.stderr) == (2, True)
    assert run({**env, "LH_REDIS_UNSAFE": "1"}, "--check").returncode == 0
    server.stop()


def test_a_faulty_configuration_names_every_fault_at_once(tmp_path):
    env = {**lib.program_env("redis://127.0.0.1:1", "http://127.0.0.1:1"), "LH_THREADS": "many", "LH_LISTNE": "x"}
    del env["LH_HOOK_KEY"]
    ended = run(env)
    assert ended.returncode == 2
    for name in ("LH_THREADS", "LH_LISTNE", "LH_HOOK_KEY"):
        assert name in ended.stderr


def test_help_version_and_check(door):
    assert "LH_REDIS_URL" in run(door.env, "--help").stdout
    assert run(door.env, "--version").stdout.strip()
    assert run(door.env, "--check").returncode == 0


def test_health_readiness_and_metrics(door):
    assert lib.request(door.receiver.ops, "GET", "/healthz")[0] == 200
    assert lib.request(door.receiver.ops, "GET", "/readyz")[0] == 200
    status, _, text = lib.request(door.receiver.ops, "GET", "/metrics")
    assert (status, b"ledgerhook_webhooks_total" in text) == (200, True)


def test_readiness_is_503_while_redis_is_away(own_stack):
    stack = own_stack(worker=False)
    stack.redis.stop()
    lib.wait_until(lambda: lib.request(stack.receiver.ops, "GET", "/readyz")[0] == 503, "not ready")
    assert lib.request(stack.receiver.ops, "GET", "/healthz")[0] == 200


def test_sigterm_drains_and_exits_0(own_stack):
    stack = own_stack(worker=False)
    assert stack.receiver.stop() == 0


def test_the_home_page_says_what_runs(door):
    status, headers, page = lib.request(door.receiver.api_address, "GET", "/")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert b"ledgerhook" in page
    calls = set(re.findall(r"<code>([A-Z]+) (/api/v1/[^<?]*)", page.decode()))
    described = json.loads(lib.request(door.receiver.api_address, "GET", "/api/v1/openapi.json")[2])
    base = described["servers"][0]["url"].rstrip("/") if described.get("servers") else ""
    offered = {(method.upper(), base + path) for path, verbs in described["paths"].items() for method in verbs
               if method in ("get", "put", "post", "patch", "delete")}

    def shape(pairs):
        return {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in pairs if path.startswith("/api/v1/")}

    assert shape(calls) == shape(offered)
