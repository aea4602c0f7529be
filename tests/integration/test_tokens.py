"""Tokens: one set a consent, one refresh over all workers, nothing lost when an answer is; the consent
in the browser; and Xero's ways of saying no told apart."""

import base64
import json
import urllib.parse
import uuid

import pytest

import lib
from orders import order

PUBLIC = "http://localhost:1"  # where Xero sends the browser to; the tests go to the real port
INVOICES = "/api.xro/2.0/Invoices"
TOKEN = "/connect/token"


class ConsentShop(lib.Shop):
    """A shop whose connection lives by a consent."""

    def __init__(self, stack, app=None, tenant=None):
        mark = uuid.uuid4().hex[:10]
        self.stack, self.domain, self.connection = stack, f"shop-{mark}.myshopify.com", f"conn-{mark}"
        self.tenant = tenant or str(uuid.uuid4())
        self.app = app or register(stack, [self.tenant])
        status, answer = stack.receiver.api("PUT", f"/connections/{self.connection}", {
            "tenant": self.tenant, "grant": "authorization_code", "client_id": self.app,
            "client_secret": f"secret-{self.app}"})
        assert status == 201 and answer["status"] == "disconnected", answer
        self.document = {"connection": self.connection, "settings": {"start_date": None, "prefix": ""},
                         "mappings": lib.DEFAULT_MAPPINGS, "secrets": {"webhook": lib.SECRET}}
        assert self.put()[0] == 201

    def connect(self, query=""):
        """A person consents: (status of the page, its text)."""
        return come_back(self.stack, consent(self.stack, self.connection, query))

    def connected(self):
        status, text = self.connect()
        assert status == 200, text
        assert "error" not in task_of(self.stack, text)
        assert self.state()["status"] == "active"
        return self

    def state(self):
        return self.stack.receiver.api("GET", f"/connections/{self.connection}")[1]

    def wait_status(self, status):
        return lib.wait_until(lambda: self.state() if self.state()["status"] == status else None,
                              f"{self.connection} is {status}")

    def grant(self):
        call = self.stack.redis.call
        name = call("HGET", f"{lib.PREFIX}conn:{self.connection}", "consent").decode()
        return lib.PREFIX + "grant:" + name

    def refreshes(self):
        return [c for c in self.stack.sim.calls() if c.get("grant_type") == "refresh_token"
                and c["client"] == self.app]


def register(stack, tenants, **more):
    app = f"app-{uuid.uuid4().hex[:10]}"
    stack.sim.control("POST", "clients", {
        "client_id": app, "client_secret": f"secret-{app}", "kind": "authorization_code",
        "tenants": [{"tenant_id": t, "name": f"Company {t[:4]}"} for t in tenants], **more})
    return app


def consent(stack, connection, query=""):
    """From our address through Xero's page: the address that the browser is sent back to."""
    status, answer = stack.receiver.api("GET", f"/connections/{connection}/connect{query}")
    assert status == 200, answer
    url = urllib.parse.urlsplit(answer["url"])
    status, headers, body = lib.request(stack.sim.address, "GET", f"{url.path}?{url.query}")
    assert status == 302, body
    return headers["Location"]


def come_back(stack, location):
    url = urllib.parse.urlsplit(location)
    assert f"{url.scheme}://{url.netloc}" == PUBLIC
    status, headers, body = lib.request(stack.receiver.api_address, "GET", f"{url.path}?{url.query}")
    assert headers["Referrer-Policy"] == "no-referrer"
    return status, body.decode()


def task_of(stack, text):
    """The result of the task that a page of the callback names."""
    name = text.split("/api/v1/tasks/")[1][:36]
    key = f"{lib.PREFIX}task:{name}"
    lib.wait_until(lambda: stack.redis.call("HGET", key, "status") in (b"done", b"failed"), "the task ends")
    return json.loads(stack.redis.call("HGET", key, "result"))


@pytest.fixture(scope="module")
def consents():
    stack = lib.Stack(LH_PUBLIC_URL=PUBLIC, LH_WORKERS=8)
    yield stack
    stack.close()


def act(shop, do, **more):
    return shop.stack.sim.control("POST", "act", {"do": do, "tenant": shop.tenant, **more})


# ---- the consent ----

def test_orders_wait_for_the_consent_and_are_exported_after_it(consents):
    s, body = ConsentShop(consents), order("paid")
    assert s.send("orders/paid", body)[1]["result"] == "held"
    status, text = s.connect()
    assert status == 200 and s.connection in text
    assert task_of(consents, text)["tenant"] == s.tenant
    s.wait_done(body["id"])
    shown = s.state()
    assert (shown["status"], shown["tenant_name"]) == ("active", f"Company {s.tenant[:4]}")
    assert len(s.invoices()) == 1


def test_a_state_is_taken_once_and_only_if_it_is_ours(consents):
    s = ConsentShop(consents)
    back = consent(consents, s.connection)
    assert come_back(consents, back)[0] == 200
    assert come_back(consents, back)[0] == 400
    for query in ("?code=x", "?code=x&state=" + "0" * 64, "?code=x&state=short", ""):
        assert come_back(consents, PUBLIC + "/oauth/callback" + query)[0] == 400


def test_a_refused_consent_changes_nothing(consents):
    tenant = str(uuid.uuid4())
    s = ConsentShop(consents, app=register(consents, [tenant], consent="refuse"), tenant=tenant)
    status, text = s.connect()
    assert status == 200 and "refused" in text
    assert s.state()["status"] == "disconnected"


def test_another_organisation_is_refused_unless_forced(consents):
    s = ConsentShop(consents, app=register(consents, [str(uuid.uuid4())]))
    result = task_of(consents, s.connect()[1])
    assert s.tenant in result["error"] and "force" in result["error"]
    status, log = consents.receiver.api("GET", f"/log?level=error&connection={s.connection}", token=lib.SUPPORT)
    assert status == 200 and [row["event"] for row in log["rows"]] == ["consent_failed"]
    assert s.state()["status"] == "disconnected"
    result = task_of(consents, s.connect("?force=true")[1])
    assert s.state()["tenant"] == result["tenant"] != s.tenant
    assert s.state()["status"] == "active"


def test_a_forced_consent_moves_though_the_present_organisation_stays_connected(consents):
    s, other = ConsentShop(consents), str(uuid.uuid4())
    assert task_of(consents, s.connect()[1])["tenant"] == s.tenant
    register(consents, [s.tenant, other], client_id=s.app, client_secret=f"secret-{s.app}")
    assert task_of(consents, s.connect()[1])["tenant"] == s.tenant
    third = str(uuid.uuid4())
    register(consents, [s.tenant, other, third], client_id=s.app, client_secret=f"secret-{s.app}")
    assert task_of(consents, s.connect("?force=true")[1])["tenant"] == third


def test_a_connection_without_a_tenant_takes_the_only_organisation(consents):
    tenant = str(uuid.uuid4())
    app, name = register(consents, [tenant]), f"conn-{uuid.uuid4().hex[:8]}"
    status, shown = consents.receiver.api("PUT", f"/connections/{name}", {
        "grant": "authorization_code", "client_id": app, "client_secret": f"secret-{app}"})
    assert (status, shown["tenant"]) == (201, None)
    assert task_of(consents, come_back(consents, consent(consents, name))[1])["tenant"] == tenant


def test_a_consent_for_several_organisations_is_one_set_of_tokens(consents):
    tenants = [str(uuid.uuid4()), str(uuid.uuid4())]
    app = register(consents, tenants)
    client = {"client_id": app, "client_secret": f"secret-{app}"}
    names = [f"conn-{uuid.uuid4().hex[:8]}" for _ in tenants]
    for name, tenant in zip(names, tenants):
        consents.receiver.api("PUT", f"/connections/{name}", {
            "tenant": tenant, "grant": "authorization_code", **(client if name == names[0] else {})})
    call = consents.redis.call
    # the second one has the first one's client
    first = call("HGET", f"{lib.PREFIX}conn:{names[0]}", "grant")
    call("HSET", f"{lib.PREFIX}conn:{names[1]}", "grant", first, "client_id", app)
    task_of(consents, come_back(consents, consent(consents, names[0]))[1])
    grants = [call("HGET", f"{lib.PREFIX}conn:{name}", "consent") for name in names]
    assert grants[0] == grants[1] and grants[0]
    assert [consents.receiver.api("GET", f"/connections/{n}")[1]["status"] for n in names] == ["active"] * 2


def test_the_consent_needs_to_know_where_to_send_the_browser_back_to(shop, consents):
    s = shop()
    status, problem = s.stack.receiver.api("GET", f"/connections/{s.connection}/connect")
    assert status == 422 and "client credentials" in problem["detail"]
    s.stack.receiver.api("PUT", f"/connections/{s.connection}", {"tenant": s.tenant, "grant": "authorization_code"})
    status, problem = s.stack.receiver.api("GET", f"/connections/{s.connection}/connect")
    assert status == 422 and "LH_PUBLIC_URL" in problem["detail"]
    assert consents.receiver.api("GET", "/connections/none/connect")[0] == 404
    assert consents.receiver.api("GET", "/connections/none/connect", token=lib.SUPPORT)[0] == 403


# ---- refreshing ----

def test_many_threads_and_workers_refresh_an_expired_token_once(own_stack):
    stack = own_stack(LH_PUBLIC_URL=PUBLIC, LH_WORKERS=8)
    stack.start_worker()
    tenants = [str(uuid.uuid4()) for _ in range(4)]
    app = register(stack, tenants)
    shops = [ConsentShop(stack, app=app, tenant=t) for t in tenants]
    shops[0].connected()
    first = shops[0].grant().rsplit(":", 1)[1]
    for s in shops[1:]:  # one consent for all of them
        stack.redis.call("HSET", f"{lib.PREFIX}conn:{s.connection}", "consent", first, "status", "active")
    bodies = [(s, order("paid")) for s in shops for _ in range(10)]
    for s in shops:
        assert stack.receiver.api("POST", f"/connections/{s.connection}/pause", {})[0] == 200
    for s, body in bodies:
        s.send("orders/paid", body)
    act(shops[0], "expire_tokens")
    for s in shops:
        assert stack.receiver.api("POST", f"/connections/{s.connection}/resume", {})[0] == 200
    for s, body in bodies:
        s.wait_done(body["id"])
    assert len(shops[0].refreshes()) == 1
    assert all(len(s.invoices()) == 10 for s in shops)


def test_a_token_is_replaced_before_it_ends(consents):
    s, body = ConsentShop(consents).connected(), order("paid")
    consents.redis.call("HSET", s.grant(), "expires", "1")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    assert len(s.refreshes()) == 1
    assert [c["status"] for c in s.calls() if c["status"] == 401] == []


@pytest.mark.parametrize("how", ["reset_after", "status"])
def test_a_lost_answer_is_recovered_by_the_grace_period(consents, how):
    s, body = ConsentShop(consents).connected(), order("paid")
    consents.redis.call("HDEL", s.grant(), "access", "expires")
    more = {"status": 503, "when": "after"} if how == "status" else {}
    consents.sim.fault(method="POST", path=TOKEN, fault=how, **more)
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    assert len(s.refreshes()) == 2
    assert s.state()["status"] == "active" and len(s.invoices()) == 1


def test_an_answer_that_cannot_be_stored_is_kept_until_it_can(own_stack):
    """Redis stops while Xero answers a refresh: the new tokens are stored when it is back."""
    stack = own_stack(LH_PUBLIC_URL=PUBLIC)
    s, body = ConsentShop(stack).connected(), order("paid")
    old = stack.redis.call("HGET", s.grant(), "refresh")
    grant = s.grant()
    stack.redis.call("HDEL", grant, "access", "expires")
    stack.sim.fault(method="POST", path=TOKEN, fault="hold", when="after")
    s.send("orders/paid", body)
    lib.wait_until(lambda: stack.sim.held() == 1, "the refresh is held")
    stack.redis.stop()
    stack.sim.control("POST", "release", {})
    stack.worker.wait_event("redis_away")
    stack.redis.start()
    lib.wait_until(lambda: stack.redis.call("HGET", grant, "refresh") != old, "the new set is stored")
    s.wait_done(body["id"])
    assert len(s.refreshes()) == 1 and len(s.invoices()) == 1


def test_tokens_that_redis_lost_are_recovered_by_the_one_before(consents):
    """Redis goes back to an older copy: the present refresh token is one that Xero never heard of."""
    s, body = ConsentShop(consents).connected(), order("paid")
    old = consents.redis.call.hash(s.grant())
    consents.redis.call("HDEL", s.grant(), "access", "expires")
    first = order("paid")
    s.send("orders/paid", first)
    s.wait_done(first["id"])
    bogus = consents.redis.call("HGET", s.grant(), "refresh")
    consents.redis.call("HSET", s.grant(), "previous", old["refresh"], "refresh", old["refresh"])
    assert bogus != old["refresh"]
    consents.redis.call("HDEL", s.grant(), "access", "expires")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    assert s.state()["status"] == "active" and len(s.invoices()) == 2


def test_after_the_grace_period_only_a_new_consent_helps_and_nothing_is_lost(own_stack):
    stack = own_stack(LH_PUBLIC_URL=PUBLIC)
    s, body = ConsentShop(stack).connected(), order("paid")
    old = stack.redis.call("HGET", s.grant(), "refresh")
    first = order("paid")
    stack.redis.call("HDEL", s.grant(), "access", "expires")
    s.send("orders/paid", first)
    s.wait_done(first["id"])
    stack.redis.call("HSET", s.grant(), "refresh", old, "previous", "")
    stack.redis.call("HDEL", s.grant(), "access", "expires")
    stack.sim.control("POST", "clock", {"advance_seconds": 1801})
    s.send("orders/paid", body)
    assert "invalid_grant" in s.wait_status("disconnected")["held_because"]
    s.wait_state(body["id"], "waiting")
    s.connected()
    s.wait_done(body["id"])
    assert len(s.invoices()) == 2


def test_a_quiet_consent_is_refreshed_long_before_xero_ends_it(consents):
    s = ConsentShop(consents).connected()
    consents.redis.call("HSET", s.grant(), "rotated", "1")
    consents.redis.call("DEL", lib.PREFIX + "keepalive")
    lib.wait_until(lambda: len(s.refreshes()) == 1, "the consent is refreshed")
    lib.wait_until(lambda: consents.redis.call("HGET", s.grant(), "rotated") != b"1", "and stored")


def test_grants_that_no_connection_has_are_erased_by_the_daily_look(consents):
    s = ConsentShop(consents).connected()
    old = s.grant()
    s.connected()
    assert s.grant() != old
    consents.redis.call("HSET", old, "rotated", "1")
    consents.redis.call("DEL", lib.PREFIX + "keepalive")
    lib.wait_until(lambda: consents.redis.call("EXISTS", old) == 0, "the old consent is erased")
    assert consents.redis.call("EXISTS", s.grant()) == 1


# ---- Xero says no ----

def unauthorized(detail):
    return {"Type": None, "Title": "Unauthorized", "Status": 401, "Detail": detail, "Instance": "x", "Extensions": {}}


def fault(shop, **more):
    shop.stack.sim.fault(tenant=shop.tenant, **more)


def test_xero_no_longer_takes_the_consent(consents):
    s, body = ConsentShop(consents).connected(), order("paid")
    act(s, "revoke")
    s.send("orders/paid", body)
    shown = s.wait_status("disconnected")
    assert "invalid_grant" in shown["held_because"]
    s.wait_state(body["id"], "waiting")
    status, log = consents.receiver.api("GET", f"/log?level=error&connection={s.connection}", token=lib.SUPPORT)
    assert status == 200 and any(row["event"] == "disconnected" for row in log["rows"])
    s.connected()
    s.wait_done(body["id"])
    assert len(s.invoices()) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_the_organisation_is_gone(consents, status):
    s, body = ConsentShop(consents).connected(), order("paid")
    act(s, "disconnect")
    s.send("orders/paid", body)
    assert "no longer among" in s.wait_status("disconnected")["held_because"]
    s.connected()
    s.wait_done(body["id"])
    assert s.refreshes() == []


@pytest.mark.parametrize("status,title", [(401, "Unauthorized"), (403, "Forbidden")])
def test_an_organisation_that_is_refused_but_listed_is_only_held(consents, status, title):
    s, body = ConsentShop(consents).connected(), order("paid")
    answer = {"title": title, "status": status, "detail": "AuthenticationUnsuccessful", "instance": "x"}
    fault(s, fault="status", status=status, body=answer, remember=False)
    s.send("orders/paid", body)
    shown = lib.wait_until(lambda: s.state() if s.state()["held_because"] else None, "the connection is held")
    assert shown["status"] == "active" and "says that it is connected" in shown["held_because"]
    s.wait_state(body["id"], "waiting")


@pytest.mark.parametrize("headers", [{}, {"WWW-Authenticate": 'Bearer error="insufficent_scope"'}])
def test_a_missing_scope_asks_for_consent_and_does_not_loop(consents, headers):
    s, body = ConsentShop(consents).connected(), order("paid")
    answer = unauthorized("AuthorizationUnsuccessful" if not headers else "no")
    fault(s, fault="status", status=401, body=answer, headers=headers, remember=False, count=-1)
    s.send("orders/paid", body)
    assert "scope" in s.wait_status("disconnected")["held_because"]
    assert len(s.calls()) == 1 and s.refreshes() == []
    consents.sim.control("DELETE", "faults")
    s.connected()
    s.wait_done(body["id"])


def test_an_expired_token_is_refreshed_once_and_the_call_repeated(consents):
    s, body = ConsentShop(consents).connected(), order("paid")
    act(s, "expire_tokens")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    assert len(s.refreshes()) == 1 and len(s.invoices()) == 1


def test_a_wrong_client_secret_holds_all_its_connections_and_disconnects_none(own_stack):
    stack = own_stack(LH_XERO_CLIENT_ID="demo-client", LH_XERO_CLIENT_SECRET="not-it")
    tenant = stack.sim.control("GET", "health")["tenants"][0]
    for name in ("one", "two"):
        assert stack.receiver.api("PUT", f"/connections/{name}", {"tenant": tenant})[0] == 201
    s, body = lib.Shop(stack), order("paid")
    assert s.put(connection="one")[0] == 200
    s.send("orders/paid", body)

    def held():
        rows = [stack.receiver.api("GET", f"/connections/{name}")[1] for name in ("one", "two")]
        return rows if all(row["held_because"] for row in rows) else None
    for row in lib.wait_until(held, "both are held"):
        assert row["status"] == "active" and "operator" in row["held_because"]
    assert stack.worker.wait_event("token_refused")["level"] == "error"
    metrics = lib.request(stack.worker.ops, "GET", "/metrics")[2].decode()
    assert 'ledgerhook_operator_alerts_total{kind="client_refused"} 1' in metrics
    assert stack.receiver.api("GET", f"/connections/{s.connection}")[1]["held_because"] is None


def test_the_right_secret_lets_held_connections_go_at_once(shop):
    s, body = shop(), order("paid")
    path = f"/connections/{s.connection}"
    mark = s.connection.removeprefix("conn-")
    assert s.stack.receiver.api("PATCH", path, {"client_id": f"id-{mark}", "client_secret": "wrong"})[0] == 200
    s.send("orders/paid", body)
    lib.wait_until(lambda: s.stack.receiver.api("GET", path)[1]["held_because"], "it is held")
    assert s.stack.receiver.api("PATCH", path, {"client_secret": f"secret-{mark}"})[0] == 200
    s.wait_done(body["id"])


def test_a_custom_connection_that_was_deactivated_is_disconnected_and_resume_asks_again(shop):
    s, body = shop(), order("paid")
    path = f"/connections/{s.connection}"
    act(s, "revoke")
    s.send("orders/paid", body)
    lib.wait_until(lambda: s.stack.receiver.api("GET", path)[1]["status"] == "disconnected", "it is dropped")
    status, problem = s.stack.receiver.api("POST", path + "/resume", {})
    assert status == 409 and "unauthorized_client" in problem["detail"]
    mark = s.connection.removeprefix("conn-")
    s.stack.sim.add_client(f"id-{mark}", f"secret-{mark}", s.tenant, "Again Ltd")
    status, shown = s.stack.receiver.api("POST", path + "/resume", {})
    assert (status, shown["status"]) == (200, "active")
    s.wait_done(body["id"])
    assert len(s.invoices()) == 1


@pytest.mark.parametrize("path", [TOKEN, "/connections"])
@pytest.mark.parametrize("how", [{"fault": "reset_before"}, {"fault": "status", "status": 500}, {"fault": "status",
                                 "status": 429, "body": ""}])
def test_a_fault_of_the_network_never_disconnects(consents, path, how):
    s, body = ConsentShop(consents).connected(), order("paid")
    consents.sim.fault(path=path, count=1, **how)
    if path == TOKEN:
        act(s, "expire_tokens")
    else:
        fault(s, fault="status", status=403, body={"detail": "AuthenticationUnsuccessful"}, remember=False)
    s.send("orders/paid", body)
    held = lib.wait_until(lambda: s.state() if s.state()["held_because"] else None, "the connection is held")
    assert held["status"] == "active"
    consents.sim.control("DELETE", "faults")
    consents.redis.call("HDEL", f"{lib.PREFIX}conn:{s.connection}", "nb")
    s.stack.receiver.api("POST", f"/connections/{s.connection}/pause", {})
    s.stack.receiver.api("POST", f"/connections/{s.connection}/resume", {})
    s.wait_done(body["id"])
    assert len(s.invoices()) == 1


# ---- keys ----

def test_keys_are_changed_without_entering_a_secret_again(own_stack):
    stack = own_stack(LH_PUBLIC_URL=PUBLIC, LH_DRAIN=1)
    s, bodies = ConsentShop(stack).connected(), [order("paid") for _ in range(3)]
    new = {"LH_HOOK_KEY": base64.b64encode(b"H" * 32).decode(), "LH_MASTER_KEY": base64.b64encode(b"M" * 32).decode()}
    before = {"LH_HOOK_KEY_PREVIOUS": lib.HOOK_KEY, "LH_MASTER_KEY_PREVIOUS": lib.MASTER_KEY}

    def restart(**env):
        for process in stack.processes:
            process.stop()
        stack.receiver, stack.worker = stack.start_receiver(**env), stack.start_worker(**env)

    def export(body):
        stack.redis.call("HDEL", s.grant(), "access", "expires")
        assert s.send("orders/paid", body)[0] == 200
        s.wait_done(body["id"])
    export(bodies[0])
    quiet = lib.Shop(stack)  # nothing is exported here until the old keys are gone
    grant = lib.PREFIX + "grant:" + stack.redis.call("HGET", f"{lib.PREFIX}conn:{quiet.connection}", "grant").decode()
    sealed = lib.wait_until(lambda: stack.redis.call("HGET", grant, "secret"), "the pair is stored")
    restart(**new, **before)
    export(bodies[1])
    stack.redis.call("DEL", lib.PREFIX + "keepalive")
    lib.wait_until(lambda: stack.redis.call("HGET", grant, "secret") != sealed, "the daily look seals anew")
    assert quiet.put()[0] == 200
    assert s.patch({"settings": {"due_days": 3}})[0] == 200  # the store's next write
    restart(**new)
    export(bodies[2])
    assert len(s.invoices()) == 3
    body = order("paid")
    assert quiet.send("orders/paid", body)[0] == 200
    quiet.wait_done(body["id"])
