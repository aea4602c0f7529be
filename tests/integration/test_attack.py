"""What a stranger, a thief of the database and a spiteful shop can try, and what they get."""

import base64
import json
import os
import re
import socket
import uuid

import pytest

import lib
from orders import order
from test_api import LEAST_MAPPINGS, complaints, connect, document, name_of, park

BEARER = {"Authorization": f"Bearer {lib.ADMIN}"}


@pytest.fixture(scope="module")
def target():
    """A stack without a worker, so that what is stored stays to be looked at."""
    stack = lib.Stack(worker=False, LH_MAX_BODY=300000)
    yield stack
    stack.close()


@pytest.fixture
def api(target):
    return target.receiver.api


@pytest.fixture
def store(target):
    return lambda **options: lib.Shop(target, **options)


def everything_in(call):
    """Every key of Redis with all that it holds, as one text of bytes for each."""
    readers = {b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"zset": ("ZRANGE", 0, -1),
               b"list": ("LRANGE", 0, -1), b"stream": ("XRANGE", "-", "+")}

    def flat(value):
        if isinstance(value, list):
            return b"\n".join(flat(v) for v in value)
        return value if isinstance(value, bytes) else str(value).encode()
    for key in call("KEYS", "*"):
        command, *rest = readers[call("TYPE", key)]
        yield key, key + b"\n" + flat(call(command, key, *rest))


def raw(address, data, shut=True):
    """Sends bytes, and reads until the other side closes."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=lib.DEADLINE) as sock:
        sock.sendall(data)
        if shut:
            sock.shutdown(socket.SHUT_WR)
        out = b""
        try:
            while chunk := sock.recv(65536):
                out += chunk
        except ConnectionResetError:
            pass
        return out


def statuses(answer):
    return [int(s) for s in re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer, re.M)]


def ask(address, line, *headers, body=b""):
    head = "".join(f"{h}\r\n" for h in headers)
    return raw(address, f"{line}\r\nHost: x\r\n{head}".encode("latin-1") + b"Connection: close\r\n\r\n" + body)


def alive(target):
    assert target.receiver.api("GET", "/connections?limit=1")[0] == 200


# ---- the thief of the database ----

def test_no_secret_stands_in_redis_in_clear_or_merely_encoded(target, api):
    secrets = {kind: f"thief-{kind.replace('_', '-')}-{uuid.uuid4().hex}" for kind in
               ("webhook", "webhook_previous", "webhook_admin", "api_token")}
    client = f"thief-client-{uuid.uuid4().hex}"
    c = connect(api, client_id="thief-id", client_secret=client)
    shop = name_of("thief") + ".myshopify.com"
    assert api("PUT", f"/stores/shopify/{shop}", document(c, secrets=secrets))[0] == 201
    assert target.receiver.send(shop, "orders/paid", order("paid"), secret=secrets["webhook"])[0] == 200
    texts = [*secrets.values(), client, lib.ADMIN, lib.SUPPORT, lib.HOOK_KEY, lib.MASTER_KEY]
    clear = [t.encode() for t in texts]
    needles = clear + [base64.b64encode(t)[:-4] for t in clear] + [t.hex().encode() for t in clear]
    looked = 0
    for key, value in everything_in(target.redis.call):
        looked += 1
        for needle in needles:
            assert needle not in value, key
    assert looked > 5
    on_disk = b"".join(open(os.path.join(d, f), "rb").read() for d, _, names in os.walk(target.redis.folder)
                       for f in names if not f.endswith(".log") and os.path.isfile(os.path.join(d, f)))
    assert len(on_disk) > 1000 and not [n for n in needles if n in on_disk]


def test_a_sealed_secret_moved_to_another_store_opens_nothing_and_hides_no_other_store(own_stack):
    """Sealed texts are bound to their place: whoever writes to Redis cannot make one store's secret another's. And
    what cannot be opened is one store's trouble, which its PUT or DELETE mends."""
    target = own_stack(worker=False, LH_DRAIN=1)
    fresh = target.start_receiver()  # has no store in memory yet
    known, victim = lib.Shop(target, secrets={"webhook": "secret-the-thief-knows"}), lib.Shop(target)
    call, api = target.redis.call, target.receiver.api
    key = f"{lib.PREFIX}store:shopify/{victim.domain}"
    for sealed in (call("HGET", f"{lib.PREFIX}store:shopify/{known.domain}", "secret:webhook"), b"not-sealed-at-all"):
        call("HSET", key, "secret:webhook", sealed)
        for secret in ("secret-the-thief-knows", "not-sealed-at-all"):
            assert fresh.send(victim.domain, "orders/paid", order("paid"), secret=secret)[0] == 503
        assert known.send("orders/paid", order("paid"), secret="secret-the-thief-knows")[0] == 200
        status, page = api("GET", "/stores")
        assert (status, {row["id"] for row in page["rows"]}) == (200, {known.domain, victim.domain})
        assert api("GET", f"/stores/shopify/{victim.domain}")[0] == 200
        assert known.patch({"settings": {"due_days": 1}})[0] == 200
        assert victim.put()[0] == 200
        assert victim.send("orders/paid", order("paid"))[0] == 200
    call("HSET", key, "secret:webhook", "not sealed", "doc", "not json")
    call("HINCRBY", key, "version", 1)
    assert fresh.send(victim.domain, "orders/paid", order("paid"))[0] == 503
    assert known.patch({"settings": {"due_days": 2}})[0] == 200
    assert victim.patch({"settings": {"due_days": 2}})[0] == 422
    assert api("DELETE", f"/stores/shopify/{victim.domain}")[0] == 204


def test_nothing_secret_is_logged_whatever_is_sent(target, api, store):
    s = store()
    mark = f"leak-{uuid.uuid4().hex}"
    api("GET", "/stores", token=mark)
    api("GET", f"/stores?q={mark}", headers={"Authorization": f"Basic {mark}"}, token=None)
    api("PUT", f"/stores/shopify/{s.domain}", {"secrets": {"webhook": mark, "api_token": f"{mark}2", "api_client_secret": mark, "x": mark}})
    api("PUT", f"/connections/{s.connection}", {"tenant": "t", "client_secret": mark})
    api("PUT", f"/stores/shopify/{s.domain}", f'{{"secrets":{{"webhook":"{mark}"'.encode())
    s.send("orders/paid", order("paid", email=f"{mark}@example.com"), secret=mark)
    s.send("orders/paid", order("paid", email=f"{mark}@example.com", currency=None))
    ask(target.receiver.hooks, "POST /webhooks/shopify HTTP/1.1", f"X-Shopify-Hmac-Sha256: {mark}")
    assert mark not in target.receiver.log()
    assert "ada@example.com" not in target.receiver.log()


# ---- the stranger at the door ----

@pytest.mark.parametrize("header", [
    "", "Bearer", "Bearer ", "Bearer\t", "bearer", "Basic YWRhOmE=", "Bearer x y", f"Bearer{lib.ADMIN}",
    f"Bearer {lib.ADMIN[:-1]}", f"Bearer {lib.ADMIN}x", f"Bearer {lib.ADMIN}\x00", f"Bearer ada:{lib.ADMIN}",
    f"Token {lib.ADMIN}", f"Bearer {lib.ADMIN},{lib.ADMIN}", f"Bearer \"{lib.ADMIN}\"", "Bearer " + "x" * 5000,
    "Bearer \xff\xfe", f"Bearer %{lib.ADMIN}", f"Negotiate, Bearer {lib.ADMIN}"])
def test_a_malformed_authorization_is_401(target, header):
    lib.forget_wrong_tokens(target)
    answer = ask(target.receiver.api_address, "GET /api/v1/stores HTTP/1.1", f"Authorization: {header}")
    assert answer == b"" or statuses(answer)[0] in (400, 401), answer[:200]
    assert lib.ADMIN.encode() not in answer


def test_the_scheme_may_have_any_case(target):
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert statuses(ask(target.receiver.api_address, "GET /api/v1/stores HTTP/1.1",
                            f"Authorization: {scheme} {lib.ADMIN}")) == [200]


def test_a_token_elsewhere_than_in_its_header_is_no_token(target):
    for line in (f"GET /api/v1/stores?token={lib.ADMIN} HTTP/1.1", f"GET /api/v1/stores?access_token={lib.ADMIN} HTTP/1.1"):
        assert statuses(ask(target.receiver.api_address, line, f"Cookie: token={lib.ADMIN}",
                            f"X-Authorization: Bearer {lib.ADMIN}")) == [401]


def test_guessing_tokens_tells_nothing_but_no(target):
    """Near and far guesses, known names and unknown ones: the same answer to the byte."""
    lib.forget_wrong_tokens(target)
    answers = {guess(target, token)[2] for token in GUESSES * 3}
    assert len(answers) == 1
    alive(target)


GUESSES = [lib.ADMIN[:-1] + "x", lib.SUPPORT[:-1] + "x", "x", "ada", lib.ADMIN[:10], "x" * 300]


def guess(target, token, method="GET", path="/api/v1/stores"):
    return lib.request(target.receiver.api_address, method, path, headers={
        "Authorization": f"Bearer {token}", "X-Forwarded-For": str(uuid.uuid4())})


def test_an_address_that_goes_on_guessing_is_told_to_stop_and_the_right_token_is_still_taken(target):
    lib.forget_wrong_tokens(target)
    answers = [guess(target, token) for token in GUESSES * 5]
    assert [status for status, _, _ in answers] == [401] * 20 + [429] * 10
    assert len({body for _, _, body in answers[20:]}) == 1
    assert answers[-1][1]["Retry-After"] == "900"
    assert guess(target, lib.ADMIN)[0] == 200
    assert guess(target, lib.SUPPORT, "PUT", "/api/v1/connections/x")[0] == 403
    key = f"{lib.PREFIX}throttle:127.0.0.1"
    assert 0 < target.redis.call("PTTL", key) <= 900000
    assert len([line for line in target.receiver.log().splitlines() if "tokens_refused" in line]) == 1
    assert lib.request(target.receiver.api_address, "GET", "/api/v1/stores")[0] == 401  # no token is no guess
    lib.forget_wrong_tokens(target)
    assert guess(target, "x")[0] == 401


@pytest.mark.parametrize("path", [
    "/api/v1/../v1/stores", "/api/v1/%2e%2e/v1/stores", "/api/v1/./stores", "//api/v1/stores", "/api//v1/stores",
    "/api/v1/stores/", "/api/v1/stores%2f", "/api/v1/stores/shopify%2fa.myshopify.com", "/api/v1/stores%00",
    "/api/v1/stores/shopify/%00", "/api/v1/stores/shopify/a%0d%0aX-Evil:1", "/api/v1/stores/shopify/%c0%af",
    "/api/v1/stores/shopify/%", "/api/v1/stores/shopify/%g0", "/api/v1/stores/shopify/..%5c..", "/%2e%2e/etc/passwd",
    "/../../../etc/passwd", "/..;/api/v1/stores", "/api/v1/stores;x=1", "/api/v1/STORES", "/index.html%00.js",
    "/index.html/..", "/api/v1/connections/..", "/api/v1/connections/%2e", "/" + "a" * 8000])
def test_a_strange_path_is_400_or_404_and_splits_no_header(target, path):
    answer = ask(target.receiver.api_address, f"GET {path} HTTP/1.1", f"Authorization: Bearer {lib.ADMIN}")
    assert statuses(answer)[0] in (400, 404, 414, 431), answer[:300]
    head = answer.split(b"\r\n\r\n")[0].lower()
    assert b"\nx-evil" not in head
    assert b"root:" not in answer


def test_what_comes_back_in_an_answer_cannot_leave_its_json(target, api):
    for path in ("/nothing/%22%3E%3Cscript%3E", "/connections/%22%5C%3Cscript%3E", "/stores/shopify/%F0%9F%92%A3%22"):
        for method in ("GET", "PUT"):
            status, answer = api(method, path, None if method == "GET" else {})
            assert status in (404, 405, 422) and isinstance(answer, dict)
    status, answer = api("PUT", f"/connections/{name_of('c')}", {"\r\nX-Evil: 1\"</script>\u2028": 1})
    assert status == 422 and any("X-Evil" in row["field"] for row in answer["errors"])


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PROPFIND", "get", "FOO", "PRI"])
def test_an_odd_method_does_nothing(target, method):
    for address, path in ((target.receiver.api_address, "/api/v1/stores"), (target.receiver.hooks, "/webhooks/shopify")):
        answer = ask(address, f"{method} {path} HTTP/1.1", f"Authorization: Bearer {lib.ADMIN}")
        assert answer == b"" or statuses(answer)[0] in (400, 404, 405, 501, 505), answer[:200]
        assert lib.ADMIN.encode() not in answer  # TRACE would send it back
        assert b"access-control-" not in answer.lower()


def test_head_of_the_webhook_address_is_405_without_a_body(target):
    answer = ask(target.receiver.hooks, "HEAD /webhooks/shopify HTTP/1.1")
    assert statuses(answer) == [405]
    assert answer.endswith(b"\r\n\r\n")


def test_pipelined_deliveries_are_answered_in_order_and_nothing_behind_a_refusal_is_run(target, store):
    s = store()
    good = [order("paid") for _ in range(3)]

    def delivery(o, secret=lib.SECRET):
        body = json.dumps(o).encode()
        head = lib.signed_headers(s.domain, "orders/paid", body, secret)
        return (f"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                + "".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n").encode() + body
    answer = raw(target.receiver.hooks, b"".join(delivery(o) for o in good))
    assert set(statuses(answer)) == {200} and statuses(answer)[0] == 200
    bad = order("paid")
    answer = raw(target.receiver.hooks, delivery(bad, "a-wrong-secret") + delivery(order("paid")))
    assert statuses(answer)[0] == 401
    assert s.record(bad["id"]) == {}


def test_a_request_smuggled_in_a_body_is_not_run(target):
    name = name_of("smuggled")
    inner = (f"PUT /api/v1/connections/{name} HTTP/1.1\r\nHost: x\r\n{'Authorization: Bearer ' + lib.ADMIN}\r\n"
             f"Content-Length: 14\r\n\r\n" + '{"tenant":"t"}').encode()
    for framing in (f"Content-Length: 0\r\nContent-Length: {len(inner)}", "Transfer-Encoding: chunked\r\nContent-Length: 5",
                    "Transfer-Encoding: identity", "Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked",
                    "Content-Length: +5", "Content-Length: 0x10", "Content-Length: 1 0", "X: y\r\n Content-Length: 3",
                    "Content-Length:", "Transfer-Encoding: xchunked"):
        head = f"POST /api/v1/failed/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\n{framing}\r\n\r\n".encode()
        answer = raw(target.receiver.api_address, head + inner)
        assert len(statuses(answer)) <= 1, (framing, answer[:400])
        assert target.receiver.api("GET", f"/connections/{name}")[0] == 404, framing


# ---- bodies ----

@pytest.mark.parametrize("body", [
    b"[" * 100000, b'{"a":' * 100000, b'{"settings":' * 33 + b"1" + b"}" * 33, b'{"settings":{"due_days":1e999999}}',
    b'{"settings":{"due_days":-1e-999999}}', b'{"settings":{"due_days":' + b"9" * 10000 + b"}}",
    b'{"settings":{"due_days":NaN}}', b'{"settings":{"due_days":Infinity}}', b'{"settings":{"prefix":"\xc3\x28"}}',
    b'{"settings":{"prefix":"\xed\xa0\x80"}}', b'{"settings":{"prefix":"\\ud800"}}', b'{"settings":{"prefix":"a\\u0000b"}}',
    b'{"settings":{"prefix":"' + b"p" * 900000 + b'"}}', b'{"settings":/*x*/{}}', b'{"settings":{"due_days":1}} trailing',
    b'\x00{"settings":{}}', b'{"settings":{"exclude_tags":[' + b'"t",' * 100000 + b'"t"]}}',
    b'{' + b",".join(b'"f%d":1' % i for i in range(50000)) + b'}'], ids=range(18))
def test_a_hostile_document_is_refused_and_changes_nothing(target, api, store, body):
    s = store()
    before = api("GET", f"/stores/shopify/{s.domain}")
    status, answer = s.patch(body)
    assert status in (400, 413, 422), answer
    assert len(json.dumps(answer)) < 100000
    assert api("GET", f"/stores/shopify/{s.domain}") == before


def test_of_two_members_of_one_name_no_check_sees_one_and_the_store_the_other(store):
    s = store()
    status, _ = s.patch(b'{"settings":{"due_days":5,"due_days":9999}}')
    assert status in (400, 422)
    status, answer = s.patch(b'{"settings":{"due_days":9999,"due_days":5}}')
    assert status in (400, 422) or answer["settings"]["due_days"] == 5


def test_a_body_that_is_cut_off_or_longer_than_said_does_nothing(target, store):
    s = store()
    for length in (20, 10 ** 6, 10 ** 12):
        answer = ask(target.receiver.api_address, f"PATCH /api/v1/stores/shopify/{s.domain} HTTP/1.1",
                     f"Authorization: Bearer {lib.ADMIN}", f"Content-Length: {length}", body=b'{"settings":{}')
        assert answer == b"" or 400 <= statuses(answer)[0] < 500


def test_nobody_uploads_before_showing_a_token(target):
    """A stranger's large body is refused by its header alone."""
    answer = raw(target.receiver.api_address, b"PUT /api/v1/connections/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
                 shut=False)
    assert statuses(answer) == [401]


def test_more_idle_connections_than_threads_do_not_stop_the_honest(target, store):
    s = store()
    for address, count in ((target.receiver.hooks, 150), (target.receiver.api_address, 80)):
        host, port = address.split(":")
        idle = []
        try:
            for i in range(count):
                idle.append(socket.create_connection((host, int(port)), timeout=lib.DEADLINE))
                if i % 3 == 0:
                    idle[-1].sendall(b"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            status = open(f"/proc/{target.receiver.pid}/status").read()
            assert int(re.search(r"Threads:\s+(\d+)", status).group(1)) < 48 + 32 + 4 + 20
            assert lib.wait_until(lambda: honest(s, target), "an honest request is served", 60)
        finally:
            for sock in idle:
                sock.close()


def test_silent_connections_are_closed_and_the_honest_is_served_at_its_first_try(target, store):
    s = store()
    for address, call in ((target.receiver.hooks, lambda: s.send("orders/paid", order("paid"))[0]),
                          (target.receiver.api_address, lambda: target.receiver.api("GET", "/connections?limit=1")[0])):
        host, port = address.split(":")
        silent = [socket.create_connection((host, int(port)), timeout=lib.DEADLINE) for _ in range(300)]
        assert call() == 200
        for sock in silent:
            try:
                assert sock.recv(1) == b""
            except ConnectionResetError:
                pass
            sock.close()


def honest(shop, target):
    try:
        return shop.send("orders/paid", order("paid"))[0] == 200 and target.receiver.api("GET", "/connections?limit=1")[0] == 200
    except OSError:
        return False


# ---- the spiteful shop ----

NASTY = ['"', "\\", "'\"`;--", "</script><script>alert(1)</script>", "a\nb\r\nc\td", "\x01\x1f\x7f", "\u2028\u2029", "\U0001F4A3" * 20,
         "\u202Eevil", "{\"t\":1}", "%s%n%x{name}", "a\\u0000b", "\ufeff", "x" * 5000, "\U0001F4A3" * 3000, " ", "${jndi:ldap://x}",
         "lh:{0}:failed", "../../x", "é" * 200 + "\"", "=cmd|' /C calc'!A0", "\x00", "\x00\"}"]


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_an_orders_name_is_only_ever_text(target, api, store, name):
    s, o = store(), order("paid")
    o["name"] = name
    status, answer = s.send("orders/paid", {**o, "currency": None}, webhook_id="w-1")
    assert status in (200, 400), answer
    if status == 400:
        assert "\x00" in name
        return
    assert answer["result"] == "unusable"
    trail = [json.loads(line) for line in target.redis.call("LRANGE", f"{lib.PREFIX}trail:{s.key(o['id'])}", 0, -1)]
    assert trail[0]["result"] == "unusable" and trail[0]["webhook_id"] == "w-1"
    status, page = api("GET", f"/failed?connection={s.connection}")
    assert (status, page["count"]) == (200, 1)
    (row,) = page["rows"]
    shown = row["exported_item"]
    assert 0 < len(shown.encode()) <= 255 and not re.search("[\x00-\x1f\x7f]", shown)
    plain = re.sub("[\x00-\x1f\x7f]", "", name).strip() or str(o["id"])
    assert re.sub(r"\s+", "", plain).startswith(re.sub(r"\s+", "", shown)[:40]), shown
    json.loads(target.redis.call("HGET", f"{lib.PREFIX}failrow:{s.connection}", s.key(o["id"])))
    status, answer = api("POST", f"/failed/{row['id']}/export")
    assert (status, answer["waiting"]) == (200, 1)
    assert answer["results"][0]["exported_item"].startswith(shown[:40])
    assert s.record(o["id"])["st"] == "waiting"
    for line in target.receiver.log().strip().split("\n"):
        json.loads(line)  # a name with a line break in it starts no line of its own


@pytest.mark.parametrize("webhook_id", ['"', '","result":"x', "a\\", "x" * 500, "x" * 600, "é", "%0d%0a", "{}", "'", "\xff\xfe"], ids=range(10))
def test_a_webhook_id_is_only_ever_text(target, store, webhook_id):
    s, o = store(), order("paid")
    head = lib.signed_headers(s.domain, "orders/paid", json.dumps(o).encode())
    head["X-Shopify-Webhook-Id"] = webhook_id.encode("latin-1")
    head["X-Shopify-Triggered-At"] = '2026","x":"\xff'.encode("latin-1")
    status, answer = s.stack.receiver.webhook(json.dumps(o).encode(), head)
    assert (status, answer["result"]) == (200, "queued"), answer
    (entry,) = target.redis.call("LRANGE", f"{lib.PREFIX}trail:{s.key(o['id'])}", 0, -1)
    parsed = json.loads(entry)
    assert parsed["result"] == "queued" and "x" not in parsed
    for line in target.receiver.log().strip().split("\n"):
        json.loads(line)


@pytest.mark.parametrize("change", [
    {"id": 0}, {"id": -1}, {"id": 1.5}, {"id": "7"}, {"id": "7/../8"}, {"id": "7\n8"}, {"id": None}, {"id": True}, {"id": [7]},
    {"id": 10 ** 30}, {"id": 10 ** 18}, {"id": 1e30}])
def test_an_orders_id_is_a_number_or_refused(target, store, change):
    s = store()
    status, answer = s.send("orders/paid", {**order("paid"), **change})
    assert status in (200, 400), answer
    for key in target.redis.call("KEYS", f"{lib.PREFIX}order:shopify/{s.domain}/*"):
        assert re.fullmatch(rb"[1-9]\d{0,18}", key.rsplit(b"/", 1)[1])


@pytest.mark.parametrize("body", [
    b'{"id":5,"line_items":[],"name":' + b"[" * 40 + b"]" * 40 + b"}", b'{"id":5,"id":6,"line_items":[],"total_price":1e999999}',
    b'{"id":5,"line_items":[],"total_price":"1e999999","currency":"GBP"}', b'{"id":5,"line_items":[],"name":"\xff"}',
    b'{"id":5,"line_items":[{"price":"-99999999999999999999.99","quantity":9223372036854775807}],"currency":"GBP"}',
    b'{"id":5,"line_items":[' + b'{"id":1},' * 6000 + b'{"id":1}]}', b'{"id":5,"line_items":{"length":3}}',
    b'{"id":5,"line_items":[null,1,"x",[]],"currency":"GBP","total_price":"1.00"}'], ids=range(8))
def test_a_signed_but_absurd_order_gets_a_clear_answer(target, store, body):
    s = store()
    status, answer = s.send("orders/paid", body)
    assert status == 400 or (status, answer["result"]) == (200, "unusable"), answer
    for row in target.redis.call("KEYS", f"{lib.PREFIX}trail:shopify/{s.domain}/*"):
        for entry in target.redis.call("LRANGE", row, 0, -1):
            json.loads(entry)
    s.failed()


def test_one_shops_secret_signs_nothing_for_another(target, store):
    mine, other = store(secrets={"webhook": "the-attackers-own-secret"}), store()
    o = order("paid")
    assert other.send("orders/paid", o, secret="the-attackers-own-secret")[0] == 401
    body = json.dumps(o).encode()
    head = lib.signed_headers(mine.domain, "orders/paid", body, "the-attackers-own-secret")
    pairs = [("X-Shopify-Shop-Domain", mine.domain), ("Shopify-Shop-Domain", other.domain)]
    text = "".join(f"{k}: {v}\r\n" for k, v in [*pairs, *[p for p in head.items() if p[0] != "X-Shopify-Shop-Domain"]])
    raw(target.receiver.hooks, f"POST /webhooks/shopify HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n{text}\r\n".encode() + body)
    assert other.record(o["id"]) == {}


def test_a_failed_rows_id_reaches_no_order_that_has_not_failed(target, api, store):
    """Ids are opaque but not secret: one made up by hand still moves only what is on the failed list."""
    s, o = store(), order("pending")
    s.send("orders/create", o)
    before = s.record(o["id"])
    for text in (f"{s.connection}\n{s.key(o['id'])}", f"{s.connection}\n../store:shopify/{s.domain}", f"{s.connection}\n\x00",
                 f"{s.connection}\n{'x' * 320}", f"nobody\n{s.key(o['id'])}", f"{s.connection}:x\n{s.key(o['id'])}"):
        forged = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        assert api("POST", f"/failed/{forged}/export")[0] == 404
        assert api("DELETE", f"/failed/{forged}")[0] == 404
        status, answer = api("DELETE", "/failed", {"ids": [forged]})
        assert status == 422 or answer["deleted"] == 0
    assert s.record(o["id"]) == before


def test_a_filters_words_reach_no_other_key(target, api, store):
    s = store()
    park(s)
    for word in ("*", "?", f"{s.connection}*", "..", f"{s.connection}\u0001", "x:y", " "):
        for name in ("connection", "store", "error"):
            status, answer = api("DELETE", "/failed", {"all": True, "filter": {name: word}})
            assert (status, answer["deleted"]) == (200, 0), (name, word)
    assert len(s.failed()) == 1


def test_what_an_admin_types_is_only_ever_text(target, api):
    c = connect(api, client_id="id\"}',\\", client_secret="secret \"quoted\" \\")
    shop = name_of("typed") + ".myshopify.com"
    odd = "\"]}',\\ </script> \U0001F4A3"
    status, made = api("PUT", f"/stores/shopify/{shop}", document(c, settings={
        "exclude_tags": [odd], "contact_name": "A \"quoted\" name"}, mappings={
            **LEAST_MAPPINGS, "taxes": {"by_title": {odd: "OUTPUT2"}}}, secrets={"webhook": odd}))
    assert status == 201, made
    assert made["settings"]["exclude_tags"] == [odd]
    assert api("GET", f"/stores/shopify/{shop}")[1]["mappings"]["taxes"]["by_title"] == {odd: "OUTPUT2"}
    for _, fields in target.redis.call("XRANGE", f"{lib.PREFIX}audit", "-", "+"):
        row = {fields[i]: fields[i + 1] for i in range(0, len(fields), 2)}
        for side in (b"old", b"new"):
            if row[side].startswith(b"{"):
                json.loads(row[side])


@pytest.mark.parametrize("secret", ["a-secret-and-a-line-feed\n", " a-secret-behind-a-blank", "a-secret-before-a-blank ",
                                    "\ta-secret-behind-a-tab", "a-secret\x00with-zero", "a-secret\r\nin-two-lines",
                                    "a-secret-with\x7fdelete", "          "])
def test_a_secret_that_was_copied_with_more_than_itself_is_refused_and_says_so(store, api, secret):
    s = store()
    status, answer = s.patch({"secrets": {"webhook": secret}})
    assert status == 422 and complaints(answer) == {"secrets.webhook"}
    assert "copy it again" in answer["errors"][0]["message"]
    assert s.send("orders/paid", order("paid"))[0] == 200


def test_a_secret_of_any_characters_verifies_what_it_signed(store):
    for secret in ("with \"quotes\" and \\", "two  blanks inside", "línea-break-\u20ac", "x" * 256):
        assert store(secrets={"webhook": secret}).send("orders/paid", order("paid"), secret=secret)[0] == 200
