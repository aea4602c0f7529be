"""The ways to stop: paused, disconnected by hand or by Xero, uninstalled. Nothing is lost by any of
them; meanwhile every request to export is refused with its reason."""

import json
import uuid

import pytest

import lib
from orders import later, order
from test_tokens import PUBLIC, ConsentShop, act

INVOICES = "/api.xro/2.0/Invoices"


@pytest.fixture(scope="module")
def consents():
    stack = lib.Stack(LH_PUBLIC_URL=PUBLIC)
    yield stack
    stack.close()


def verb(shop, name, body=None, expect=200, token=lib.ADMIN):
    status, answer = shop.stack.receiver.api("POST", f"/connections/{shop.connection}/{name}", body or {}, token=token)
    assert status == expect, answer
    return answer


def get(shop, path=""):
    status, answer = shop.stack.receiver.api("GET", f"/connections/{shop.connection}{path}")
    assert status == 200, answer
    return answer


def uninstall(shop):
    return verb(shop, "uninstall", {"confirm": shop.connection})


def bad_order():
    body = order("paid")
    body["line_items"][0]["sku"] = "BAD"
    return body


def with_failed(shop):
    """An order on the failed list, and its row."""
    shop.patch({"mappings": {"accounts": {"by_sku": {"BAD": "999"}}}})
    body = bad_order()
    shop.send("orders/paid", body)
    shop.wait_state(body["id"], "failed")
    return body, shop.failed()[0]


def expect_refused(shop, body, row, word):
    """Every way to ask for an export answers 409 with the reason, and no call is made."""
    before = len(shop.calls())
    api = shop.stack.receiver.api
    for method, path, what in (("POST", f"/failed/{row['id']}/export", {}),
                               ("POST", "/failed/export", {"ids": [row["id"]]}),
                               ("POST", "/failed/export", {"all": True, "filter": {"connection": shop.connection}}),
                               ("POST", f"/orders/{shop.key(body['id'])}/export", {})):
        status, problem = api(method, path, what, token=lib.SUPPORT)
        assert (status, word in problem["detail"]) == (409, True), (path, problem)
    assert len(shop.calls()) == before


# ---- paused, disconnected ----

def test_a_pause_refuses_exports_and_loses_nothing(shop):
    s = shop()
    body, row = with_failed(s)
    verb(s, "pause")
    expect_refused(s, body, row, "paused")
    waiting = order("paid")
    assert s.send("orders/paid", waiting)[1]["result"] == "held"
    verb(s, "resume")
    s.wait_done(waiting["id"])
    assert len(s.invoices()) == 1


def test_disconnected_by_hand_refuses_exports_and_reconnects_by_resume(shop):
    s = shop()
    body, row = with_failed(s)
    assert verb(s, "disconnect")["status"] == "disconnected"
    assert verb(s, "disconnect")["status"] == "disconnected"
    assert get(s)["held_because"] == "It was disconnected by hand."
    expect_refused(s, body, row, "dropped")
    verb(s, "pause", expect=409)
    waiting = order("paid")
    assert s.send("orders/paid", waiting)[1]["result"] == "held"
    assert verb(s, "resume")["status"] == "active"
    s.wait_done(waiting["id"])
    assert len(s.invoices()) == 1 and len(s.failed()) == 1


def test_disconnected_by_hand_tells_xero_where_a_consent_made_it(consents):
    s = ConsentShop(consents).connected()
    verb(s, "disconnect")
    lib.wait_until(lambda: [c for c in consents.sim.calls() if c["method"] == "DELETE" and c["client"] == s.app],
                   "Xero is told")
    problem = verb(s, "resume", expect=409)
    assert f"/api/v1/connections/{s.connection}/connect" in problem["detail"]
    waiting = order("paid")
    assert s.send("orders/paid", waiting)[1]["result"] == "held"
    s.connected()
    s.wait_done(waiting["id"])


@pytest.mark.parametrize("when", ["before", "after"])
def test_xero_drops_the_connection_while_a_batch_is_on_its_way(consents, when):
    """A call is held in Xero, the organisation disconnects, the call goes on: each order once."""
    s = ConsentShop(consents).connected()
    bodies = [order("paid") for _ in range(5)]
    consents.sim.fault(method="PUT", path=INVOICES, fault="hold", when=when, tenant=s.tenant)
    for body in bodies:
        s.send("orders/paid", body)
    lib.wait_until(lambda: consents.sim.held() == 1, "the call is held")
    act(s, "disconnect")
    consents.sim.control("POST", "release", {})
    lib.wait_until(lambda: get(s)["status"] == "disconnected", "the connection is dropped")
    states = [s.wait_state(body["id"], "waiting", "done")["st"] for body in bodies]
    assert "waiting" in states
    s.connected()
    for body in bodies:
        s.wait_done(body["id"])
    assert len(s.invoices()) == 5 and len(s.books()["payments"]) == 5


def test_a_pause_of_a_person_survives_a_consent(consents):
    s = ConsentShop(consents).connected()
    verb(s, "pause")
    s.connect()
    lib.wait_until(lambda: get(s)["status"] == "paused", "it is paused")
    waiting = order("paid")
    assert s.send("orders/paid", waiting)[1]["result"] == "held"
    verb(s, "resume")
    s.wait_done(waiting["id"])


# ---- uninstalled ----

def test_uninstalling_says_first_what_it_erases(shop):
    s = shop()
    with_failed(s)
    for body in ({}, {"confirm": "yes"}, {"confirm": s.connection + " "}):
        problem = verb(s, "uninstall", body, expect=422)
        message = problem["errors"][0]["message"]
        assert "1 stores" in message and "failed list of 1" in message and "stay" in message, message
    assert get(s)["status"] == "active"
    verb(s, "uninstall", {"confirm": s.connection}, expect=403, token=lib.SUPPORT)


def test_uninstalling_erases_what_it_says_and_keeps_the_rest(shop):
    s, done, waiting = shop(), order("paid"), order("paid")
    s.send("orders/paid", done)
    s.wait_done(done["id"])
    failed, row = with_failed(s)
    verb(s, "pause")
    s.send("orders/paid", waiting)
    call, p = s.stack.redis.call, lib.PREFIX
    grant = call("HGET", f"{p}conn:{s.connection}", "grant").decode()
    assert call("EXISTS", f"{p}grant:{grant}") == 1
    assert uninstall(s)["status"] == "uninstalled"
    for key in ("ready", "later", "failed", "failrow", "failgroups", "contacts", "ref", "leases"):
        assert call("EXISTS", f"{p}{key}:{s.connection}") == 0, key
    lib.wait_until(lambda: call("EXISTS", f"{p}grant:{grant}") == 0, "the client's pair is erased")
    store = call.hash(f"{p}store:shopify/{s.domain}")
    assert "doc" not in store and "secret:webhook" in store
    assert s.record(done["id"])["inx"] == s.tenant and "doc:invoice" in s.record(done["id"])
    assert s.record(waiting["id"])["st"] == s.record(failed["id"])["st"] == "skipped"
    shown = s.stack.receiver.api("GET", f"/stores/shopify/{s.domain}")[1]
    assert shown["settings"] is None and shown["secrets"]["webhook"]["set"] is True
    # deliveries are verified, and skipped with the reason
    assert s.send("orders/paid", order("paid"))[1] == {"result": "skipped", "reason": "xero_uninstalled"}
    assert s.send("orders/paid", order("paid"), secret="wrong-secret")[0] == 401
    for name in ("pause", "resume", "disconnect"):
        assert "uninstalled" in verb(s, name, expect=409)["detail"]
    status, problem = s.stack.receiver.api("POST", f"/orders/{s.key(done['id'])}/export", {}, token=lib.SUPPORT)
    assert status == 409 and "uninstalled" in problem["detail"]
    assert uninstall(s)["status"] == "uninstalled"  # may be repeated


def test_a_call_on_its_way_still_records_its_ids_and_finishes_the_erasing(own_stack):
    stack = own_stack()
    s, body = lib.Shop(stack), order("paid")
    stack.sim.fault(method="PUT", path=INVOICES, fault="hold", when="after", tenant=s.tenant)
    s.send("orders/paid", body)
    lib.wait_until(lambda: stack.sim.held() == 1, "the call is held")
    assert uninstall(s)["status"] == "uninstalled"
    call, key = stack.redis.call, f"{lib.PREFIX}conn:{s.connection}"
    assert call("HGET", key, "erasing") == b"1"
    status, problem = stack.receiver.api("PUT", f"/connections/{s.connection}", {"tenant": s.tenant})
    assert status == 409, problem
    stack.sim.control("POST", "release", {})
    lib.wait_until(lambda: call("HGET", key, "erasing") is None, "the last lease finishes it")
    record = s.wait_state(body["id"], "skipped")
    assert json.loads(record["doc:invoice"])["id"] and record["inx"] == s.tenant
    assert len(s.invoices()) == 1 and s.books()["payments"] == []


def test_a_worker_that_dies_meanwhile_leaves_a_mark_and_the_erasing_ends(own_stack):
    stack = own_stack(LH_LEASE=5)
    s, body = lib.Shop(stack), order("paid")
    stack.sim.fault(method="PUT", path=INVOICES, fault="hold", when="after", tenant=s.tenant)
    s.send("orders/paid", body)
    lib.wait_until(lambda: stack.sim.held() == 1, "the call is held")
    uninstall(s)
    stack.worker.kill()
    stack.sim.control("POST", "release", {"abandon": True})
    stack.worker = stack.start_worker()
    call, key = stack.redis.call, f"{lib.PREFIX}conn:{s.connection}"
    lib.wait_until(lambda: call("HGET", key, "erasing") is None, "the sweep finishes it", 60)
    assert s.record(body["id"])["doubt"] == "1"
    # the same organisation again: looked up, not doubled
    mark = s.connection.removeprefix("conn-")
    reinstall(s, s.tenant, f"id-{mark}", f"secret-{mark}")
    s.send("orders/updated", later(body))
    s.wait_done(body["id"])
    assert len(s.invoices()) == 1 and len(s.books()["payments"]) == 1


def reinstall(shop, tenant, client_id, client_secret):
    status, shown = shop.stack.receiver.api("PUT", f"/connections/{shop.connection}", {
        "tenant": tenant, "client_id": client_id, "client_secret": client_secret})
    assert (status, shown["status"]) == (200, "active"), shown
    assert shop.put()[0] == 200


def test_the_same_organisation_again_is_not_doubled(shop):
    s, exported, waited = shop(), order("paid"), order("paid")
    s.send("orders/paid", exported)
    s.wait_done(exported["id"])
    uninstall(s)
    assert s.send("orders/paid", waited)[1]["result"] == "skipped"
    mark = s.connection.removeprefix("conn-")
    reinstall(s, s.tenant, f"id-{mark}", f"secret-{mark}")
    revision = s.record(exported["id"])["drev"]
    s.send("orders/updated", later(exported, note="again"))
    s.send("orders/updated", later(waited))
    s.wait_done(waited["id"])
    lib.wait_until(lambda: s.record(exported["id"])["drev"] != revision, "the change is looked at")
    s.wait_done(exported["id"])
    assert len(s.invoices()) == 2 and len(s.books()["payments"]) == 2


def test_another_organisation_starts_clean(shop):
    s, body = shop(), order("paid")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    uninstall(s)
    other = str(uuid.uuid4())
    s.stack.sim.add_client("id-" + other, "secret", other, "Another Ltd")
    reinstall(s, other, "id-" + other, "secret")
    s.send("orders/updated", later(body))
    lib.wait_until(lambda: len(s.stack.sim.books(other)["payments"]) == 1, "it is exported there too")
    assert len(s.stack.sim.books(other)["invoices"]) == 1 and len(s.invoices()) == 1


def test_a_backup_restores_settings_and_mappings(shop):
    s = shop(settings={"due_days": 14})
    before = s.stack.receiver.api("GET", f"/stores/shopify/{s.domain}")[1]
    backup = get(s, "/backup")
    assert backup["format"] == 1 and lib.SECRET not in json.dumps(backup)
    uninstall(s)
    put = lambda body, query="": s.stack.receiver.api("PUT", f"/connections/{s.connection}/backup{query}", body)
    status, problem = put(backup)
    assert status == 409 and "credentials first" in problem["detail"]
    mark = s.connection.removeprefix("conn-")
    assert s.stack.receiver.api("PUT", f"/connections/{s.connection}", {
        "tenant": s.tenant, "client_id": f"id-{mark}", "client_secret": f"secret-{mark}"})[0] == 200
    assert put(backup) == (200, {"restored": 1})
    after = s.stack.receiver.api("GET", f"/stores/shopify/{s.domain}")[1]
    assert (after["settings"], after["mappings"]) == (before["settings"], before["mappings"])
    body = order("paid")
    s.send("orders/paid", body)
    s.wait_done(body["id"])
    # many stores with all their mappings are larger than any other document
    assert put(json.dumps(backup).encode() + b" " * (4 << 20)) == (200, {"restored": 1})
    # refusals name what is wrong
    assert put({**backup, "tenant": str(uuid.uuid4())})[0] == 409
    assert put({**backup, "tenant": str(uuid.uuid4())}, "?force=true")[0] == 200
    stranger = {**backup["stores"][0], "id": "stranger.myshopify.com"}
    wrong = {**backup["stores"][0], "settings": {"due_days": "soon"}}
    status, problem = put({**backup, "stores": [stranger, wrong], "format": 2, "more": 1})
    assert status == 422
    fields = {row["field"] for row in problem["errors"]}
    assert {"stores[0]", "stores[1].settings.due_days", "format", "more"} <= fields
