"""The REST calls for stores, connections and the failed list: every call, every status, every body.

Failed rows are made without a worker: a signed order that lacks its currency is parked. What needs an
answer from Xero runs on the shared stack.
"""

import concurrent.futures
import json
import re
import uuid

import pytest

import lib
from orders import later, line, order

DEFAULT_SETTINGS = {
    "accounting_system_invoice": True, "auto_sync": "exclude_unpaid", "sync_on_fulfilled": False,
    "only_sync_fulfilled": False, "sync_on_updated": True, "partially_paid_is_paid": False,
    "export_test_orders": False, "export_zero_value": True, "exclude_tags": [], "exclude_sources": [],
    "exclude_gateways": [], "reference": "{name}", "invoice_date": "processed", "due_days": 0,
    "status": "AUTHORISED", "quantities": "ordered", "lock_date_policy": "fail", "contact": "customer",
    "contact_name": None, "send_customer_code": False, "record_payments": True, "currency": "shop",
    "discount_lines": False, "item_codes": False, "marketplace_tax": "leave_out", "vat_rates": {},
    "rounding_limit": 5, "tax_amounts": "when_needed", "tracking": [], "branding_theme": None,
    "region": "na"}
LEAST_MAPPINGS = {"accounts": {"default": "200"}, "taxes": {"default": "OUTPUT2"}}
SECRET_NAMES = ("webhook", "webhook_previous", "webhook_admin", "api_token", "api_client_id", "api_client_secret")
ROW_FIELDS = {"id", "connection", "store", "order", "order_link", "failed_export", "exported_item", "export_error",
              "action_required", "catalogue", "correlation_id", "fix_in", "attempts", "first_failed_at",
              "last_failed_at"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def desk():
    """A stack without a worker: what is queued or failed stays so."""
    stack = lib.Stack(worker=False)
    yield stack
    stack.close()


@pytest.fixture
def api(desk):
    return desk.receiver.api


@pytest.fixture
def store(desk):
    """Makes shops on the stack without a worker."""
    return lambda **options: lib.Shop(desk, **options)


def name_of(kind):
    return f"{kind}-{uuid.uuid4().hex[:10]}"


def connect(api, name=None, **more):
    name = name or name_of("c")
    status, answer = api("PUT", f"/connections/{name}", {"tenant": str(uuid.uuid4()), **more})
    assert status == 201, answer
    return name


def document(connection, **more):
    return {"connection": connection, "settings": {}, "mappings": LEAST_MAPPINGS,
            "secrets": {"webhook": lib.SECRET}, **more}


def complaints(answer):
    """The fields a 422 names."""
    assert answer["status"] == 422 and answer["title"] and answer["detail"], answer
    assert all(row["message"] for row in answer["errors"])
    return {row["field"] for row in answer["errors"]}


def refused(api, method, path, body, *fields):
    status, answer = api(method, path, body)
    assert status == 422, answer
    assert complaints(answer) == set(fields)


def park(shop, count=1, **more):
    """Puts COUNT orders on the failed list and returns them, oldest first."""
    orders = [order("paid", **{**more, "currency": "GBP"}) for _ in range(count)]
    for o in orders:
        status, answer = shop.send("orders/paid", {**o, "currency": None})
        assert (status, answer["result"]) == (200, "unusable"), answer
    return orders


def page_of(shop, query=""):
    status, page = shop.stack.receiver.api("GET", f"/failed?connection={shop.connection}{query}", token=lib.SUPPORT)
    assert status == 200, page
    assert set(page) == {"count", "rows", "cursor"}
    return page


def walk(api, path, limit):
    """All rows, page by page."""
    rows, cursor, pages = [], None, 0
    while True:
        query = f"{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        status, page = api("GET", path + query)
        assert status == 200, page
        assert len(page["rows"]) <= limit
        rows += page["rows"]
        pages += 1
        assert pages < 500, "the cursor leads in a circle"
        cursor = page["cursor"]
        if cursor is None:
            return rows


def audit(stack):
    """The audit stream as dictionaries, oldest first."""
    rows = stack.redis.call("XRANGE", f"{lib.PREFIX}audit", "-", "+")
    return [{f[i].decode(): f[i + 1].decode() for i in range(0, len(f), 2)} for _, f in rows]


# ---- who may do what ----

READ = [("GET", "/stores"), ("GET", "/stores/shopify/nobody.myshopify.com"), ("GET", "/connections"),
        ("GET", "/connections/nobody"), ("GET", "/failed"), ("POST", "/failed/export"), ("POST", "/failed/abc/export"),
        ("DELETE", "/failed"), ("DELETE", "/failed/abc")]
CHANGE = [("PUT", "/stores/shopify/nobody.myshopify.com"), ("PATCH", "/stores/shopify/nobody.myshopify.com"),
          ("DELETE", "/stores/shopify/nobody.myshopify.com"), ("PUT", "/connections/nobody"),
          ("PATCH", "/connections/nobody"), ("POST", "/connections/nobody/pause"),
          ("POST", "/connections/nobody/resume")]


@pytest.mark.parametrize("method,path", READ + CHANGE)
def test_without_a_token_or_with_a_wrong_one_every_call_is_401(desk, api, method, path):
    lib.forget_wrong_tokens(desk)
    for token in (None, "", "wrong", lib.ADMIN[:-1], lib.ADMIN + "x", "ada:" + lib.ADMIN, lib.ADMIN.upper()):
        assert api(method, path, token=token)[0] == 401
    status, headers, raw = lib.request(desk.receiver.api_address, method, "/api/v1" + path)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(raw)["status"] == 401


@pytest.mark.parametrize("method,path", CHANGE)
def test_a_support_token_changes_no_settings(api, method, path):
    status, answer = api(method, path, {}, token=lib.SUPPORT)
    assert (status, answer["status"]) == (403, 403)
    assert lib.SUPPORT not in json.dumps(answer)


@pytest.mark.parametrize("method,path", READ)
def test_a_support_token_may_read_export_and_dismiss(api, method, path):
    body = {"all": True, "filter": {"connection": "nobody"}} if path in ("/failed", "/failed/export") else None
    body = None if method == "GET" else body
    assert api(method, path, body, token=lib.SUPPORT)[0] in (200, 404)


@pytest.mark.parametrize("method,path,allow", [
    ("POST", "/stores", {"GET", "HEAD"}), ("DELETE", "/connections/c", {"GET", "HEAD", "PUT", "PATCH"}),
    ("POST", "/stores/shopify/a.myshopify.com", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
    ("PUT", "/failed", {"GET", "HEAD", "DELETE"}), ("GET", "/connections/c/pause", {"POST"}),
    ("OPTIONS", "/stores", {"GET", "HEAD"})])
def test_another_method_is_405_and_names_those_there_are(desk, method, path, allow):
    status, headers, _ = lib.request(desk.receiver.api_address, method, "/api/v1" + path,
                                     headers={"Authorization": f"Bearer {lib.ADMIN}", "Content-Length": "0"})
    assert status == 405
    assert set(headers["Allow"].split(", ")) == allow


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/stores/", "/stores/shopify", "/stores/shopify/a/b",
                                  "/connections/c/x/y", "/failed/a/b/c"])
def test_another_path_is_404(api, path):
    status, answer = api("GET", path)
    assert (status, answer["status"]) == (404, 404)


BODY_CALLS = [("PUT", "/stores/shopify/some.myshopify.com"), ("PUT", "/connections/some"), ("DELETE", "/failed"),
              ("POST", "/failed/export")]


@pytest.mark.parametrize("method,path", BODY_CALLS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"7", b"{} {}", b'{"a":01}', b"{'a':1}",
                                  b'{"a":"\xff"}', b'{"a":NaN}', b'{"a":1,}', b"\xef\xbb\xbf{}x", b'{"a\\u0000":1}'])
def test_what_is_not_a_json_object_is_400(api, method, path, body):
    status, answer = api(method, path, body)
    assert (status, answer["status"]) == (400, 400), answer


@pytest.mark.parametrize("method,path", BODY_CALLS)
def test_a_body_over_a_mebibyte_is_413(api, method, path):
    assert api(method, path, b'{"a":"' + b"x" * (1 << 20) + b'"}')[0] == 413


def test_a_get_takes_no_body(api):
    assert api("GET", "/stores", b"{}")[0] == 413


# ---- connections ----

def test_a_connection_is_created_with_201_changed_with_200_and_shown_as_documented(api):
    name, tenant = name_of("c"), str(uuid.uuid4())
    body = {"tenant": tenant, "grant": "client_credentials", "client_id": "an-id", "client_secret": "a-secret-value"}
    status, created = api("PUT", f"/connections/{name}", body)
    assert status == 201
    assert (created["name"], created["status"], created["tenant"], created["grant"]) == (
        name, "active", tenant, "client_credentials")
    assert (created["tenant_name"], created["calls_left_today"], created["waiting"], created["failed"]) == (
        None, None, 0, 0)
    assert "a-secret-value" not in json.dumps(created)
    assert "client_secret" not in created
    status, changed = api("PUT", f"/connections/{name}", {"tenant": tenant, "grant": "authorization_code"})
    assert (status, changed["grant"]) == (200, "authorization_code")
    assert api("GET", f"/connections/{name}", token=lib.SUPPORT) == (200, changed)


def test_a_connection_says_when_its_calls_run_out(api):
    assert "runs_out_at" in api("GET", f"/connections/{connect(api)}")[1]


def test_the_grant_is_client_credentials_where_none_is_named(api):
    assert api("GET", f"/connections/{connect(api)}")[1]["grant"] == "client_credentials"


def test_an_unknown_connection_is_404(api):
    for name in ("nobody", "UPPER", "a_b", "-a", "a" * 65, "a%20b", "..", "a%0ab"):
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/pause"), ("POST", "/resume")):
            status, answer = api(method, f"/connections/{name}{path}", None if method == "GET" else {})
            assert status in (400, 404), (name, method, answer)


@pytest.mark.parametrize("name", ["UPPER", "a_b", "-a", "a" * 65, "a.b", "a%20b", "%C3%A9"])
def test_a_connections_name_is_checked(api, name):
    refused(api, "PUT", f"/connections/{name}", {"tenant": "t-1"}, "name")


def test_every_wrong_field_of_a_connection_is_named_at_once(api):
    refused(api, "PUT", f"/connections/{name_of('c')}",
            {"grant": "password", "client_id": 7, "client_secret": "", "force": "yes", "tenantt": "x"},
            "tenant", "grant", "client_id", "client_secret", "force", "tenantt")
    refused(api, "PUT", f"/connections/{name_of('c')}", {"tenant": "a b\n"}, "tenant")
    refused(api, "PUT", f"/connections/{name_of('c')}", {"tenant": "a/../b"}, "tenant")
    refused(api, "PUT", f"/connections/{name_of('c')}", {"tenant": "x" * 64}, "tenant")


def test_a_refused_connection_is_not_created(api):
    name = name_of("c")
    refused(api, "PUT", f"/connections/{name}", {"tenant": "t", "status": "active"}, "status")
    assert api("GET", f"/connections/{name}")[0] == 404


def test_a_client_id_and_its_secret_come_together(api):
    refused(api, "PUT", f"/connections/{name_of('c')}", {"tenant": "t", "client_id": "x"}, "client_secret")
    refused(api, "PUT", f"/connections/{name_of('c')}", {"tenant": "t", "client_secret": "x"}, "client_id")
    name = connect(api, client_id="first", client_secret="secret-1")
    tenant = api("GET", f"/connections/{name}")[1]["tenant"]
    assert api("PUT", f"/connections/{name}", {"tenant": tenant, "client_secret": "secret-2"})[0] == 200
    refused(api, "PATCH", f"/connections/{name}", {"client_id": "second"}, "client_secret")


def test_another_tenant_needs_force(api):
    name = connect(api)
    before = api("GET", f"/connections/{name}")[1]
    for method in ("PUT", "PATCH"):
        status, answer = api(method, f"/connections/{name}", {"tenant": "another", "force": False})
        assert status == 409
        assert before["tenant"] in answer["detail"]
        assert api("GET", f"/connections/{name}")[1] == before
    status, after = api("PUT", f"/connections/{name}", {"tenant": "another", "force": True})
    assert (status, after["tenant"]) == (200, "another")


def test_patch_merges_into_a_connection(api):
    name = connect(api, grant="authorization_code")
    before = api("GET", f"/connections/{name}")[1]
    assert api("PATCH", f"/connections/{name}", {}) == (200, before)
    status, after = api("PATCH", f"/connections/{name}", {"grant": "client_credentials"})
    assert (status, after) == (200, {**before, "grant": "client_credentials"})
    refused(api, "PATCH", f"/connections/{name}", {"grants": "x"}, "grants")


def test_put_and_patch_keep_the_status(api):
    name = connect(api)
    tenant = api("GET", f"/connections/{name}")[1]["tenant"]
    assert api("POST", f"/connections/{name}/pause")[1]["status"] == "paused"
    assert api("PUT", f"/connections/{name}", {"tenant": tenant})[1]["status"] == "paused"
    assert api("PATCH", f"/connections/{name}", {})[1]["status"] == "paused"


def test_pause_and_resume_answer_with_the_connection_and_may_be_repeated(api):
    name = connect(api)
    for verb, status in (("pause", "paused"), ("pause", "paused"), ("resume", "active"), ("resume", "active")):
        code, answer = api("POST", f"/connections/{name}/{verb}")
        assert (code, answer["name"], answer["status"]) == (200, name, status)
    refused(api, "POST", f"/connections/{name}/pause", {"until": "noon"}, "until")


def test_the_waiting_and_the_failed_are_counted(store, api):
    s = store()
    park(s, 2)
    s.send("orders/paid", order("paid"))
    answer = api("GET", f"/connections/{s.connection}")[1]
    assert (answer["waiting"], answer["failed"]) == (1, 2)


def test_connections_are_listed_page_by_page(api):
    names = {connect(api) for _ in range(5)}
    rows = walk(api, "/connections", 2)
    listed = [row["name"] for row in rows]
    assert listed == sorted(set(listed))
    assert names <= set(listed)
    assert rows[0] == api("GET", f"/connections/{listed[0]}")[1]
    page = api("GET", "/connections?limit=1")[1]
    assert set(page) == {"count", "rows", "cursor"}
    assert page["count"] == len(listed)
    assert page["cursor"] not in listed


# ---- stores ----

def test_a_store_has_its_defaults_and_shows_no_secret(api):
    c, shop = connect(api), name_of("defaults") + ".myshopify.com"
    status, made = api("PUT", f"/stores/shopify/{shop}", document(c, secrets={
        "webhook": "clear-webhook-text", "webhook_previous": "clear-previous-text",
        "webhook_admin": "clear-admin-text", "api_client_id": "clear-id-text",
        "api_client_secret": "clear-client-text"}))
    assert status == 201
    assert (made["platform"], made["id"], made["connection"]) == ("shopify", shop, c)
    settings = made["settings"]
    assert settings.pop("start_date") == made["added_day"]
    assert settings.pop("prefix") == shop.split(".")[0] + "-"
    assert settings == DEFAULT_SETTINGS
    assert made["mappings"]["accounts"] == {
        "default": "200", "shipping": None, "discounts": None, "tips": None, "duties": None, "gift_cards": None,
        "fees": None, "rounding": None, "marketplace_tax": None, "by_sku": {}, "by_product_type": {}, "by_vendor": {}}
    assert made["mappings"]["taxes"] == {"by_title": {}, "by_rate": {}, "by_country": {}, "default": "OUTPUT2",
                                         "exempt": None}
    assert made["mappings"]["payments"] == {"default": None, "gateways": {}, "off": []}
    assert set(made["secrets"]) == set(SECRET_NAMES)
    assert made["secrets"].pop("api_token") == {"set": False}
    for secret in made["secrets"].values():
        assert secret["set"] is True and TIME.fullmatch(secret["since"])
    for method, path in (("GET", f"/stores/shopify/{shop}"), ("GET", f"/stores?connection={c}")):
        status, answer = api(method, path, token=lib.SUPPORT)
        assert status == 200 and "clear-" not in json.dumps(answer)
    assert api("GET", f"/stores/shopify/{shop}")[1]["secrets"] == {**made["secrets"], "api_token": {"set": False}}


def test_what_is_shown_can_be_sent_back(store, api):
    s = store(settings={"exclude_tags": ["a", "b"], "due_days": 14, "auto_sync": "off"})
    shown = api("GET", f"/stores/shopify/{s.domain}")[1]
    body = {k: shown[k] for k in ("connection", "settings", "mappings")}
    status, again = api("PUT", f"/stores/shopify/{s.domain}", body)
    assert status == 200
    assert {**again, "version": 0} == {**shown, "version": 0}


def test_put_replaces_but_keeps_the_secrets_left_out(store, api):
    s = store(settings={"due_days": 30, "exclude_tags": ["wholesale"]})
    before = api("GET", f"/stores/shopify/{s.domain}")[1]
    status, after = api("PUT", f"/stores/shopify/{s.domain}", {"connection": s.connection, "mappings": LEAST_MAPPINGS})
    assert status == 200
    assert (after["settings"]["due_days"], after["settings"]["exclude_tags"]) == (0, [])
    assert after["mappings"]["accounts"]["shipping"] is None
    assert after["secrets"] == before["secrets"]
    assert s.send("orders/paid", order("paid"))[0] == 200


def test_patch_merges_and_lists_and_maps_are_replaced_whole(store, api):
    s = store(settings={"due_days": 30, "exclude_tags": ["a", "b"]})
    before = api("GET", f"/stores/shopify/{s.domain}")[1]
    status, after = s.patch({"settings": {"auto_sync": "off", "exclude_tags": ["c"]},
                             "mappings": {"taxes": {"by_rate": {"0.05": "OUTPUT3"}}}})
    assert status == 200
    assert after["settings"] == {**before["settings"], "auto_sync": "off", "exclude_tags": ["c"]}
    assert after["mappings"]["taxes"] == {**before["mappings"]["taxes"], "by_rate": {"0.05": "OUTPUT3"}}
    assert after["mappings"]["accounts"] == before["mappings"]["accounts"]
    assert s.patch({})[1]["settings"] == after["settings"]
    assert s.patch({"settings": {"exclude_tags": []}})[1]["settings"]["exclude_tags"] == []


def test_patch_of_a_store_that_is_not_there_is_404(api):
    assert api("PATCH", "/stores/shopify/nobody.myshopify.com", {"settings": {"due_days": 1}})[0] == 404


def test_a_secret_is_removed_by_null_but_not_the_last_one(store, api):
    s = store(secrets={"webhook": "secret-number-one", "webhook_previous": "secret-number-two", "api_token": "token-123"})
    status, after = s.patch({"secrets": {"webhook_previous": None, "api_token": None}})
    assert status == 200
    assert [n for n in SECRET_NAMES if after["secrets"][n]["set"]] == ["webhook"]
    refused(api, "PATCH", f"/stores/shopify/{s.domain}", {"secrets": {"webhook": None}}, "secrets")
    assert s.send("orders/paid", order("paid"), secret="secret-number-one")[0] == 200
    assert s.send("orders/paid", order("paid"), secret="secret-number-two")[0] == 401


def test_every_wrong_field_of_a_store_is_named_at_once(api):
    shop = name_of("wrong") + ".myshopify.com"
    refused(api, "PUT", f"/stores/shopify/{shop}", {
        "connection": "not here", "colour": "red", "secrets": {"webhook": "short", "wehbook": "x", "api_token": 7},
        "settings": {"auto_sync": "sometimes", "due_days": -1, "rounding_limit": 1.5, "sync_on_updated": "true",
                     "start_date": "2026-02-30", "prefix": "a,b", "exclude_tags": "vip", "exclude_sources": [1],
                     "exclude_gateways": [""], "reference": "{nmae}", "status": "VOIDED", "branding_theme": "blue",
                     "currency": None, "colour": 1},
        "mappings": {"accounts": {"default": "12345678901", "by_sku": {"A": ""}, "x": 1},
                     "taxes": {"by_rate": {"20%": "OUTPUT2"}, "by_country": {"GBR": "OUTPUT2"}, "default": "20% VAT"},
                     "payments": {"off": {}}, "taxs": {}}},
        "connection", "colour", "secrets.webhook", "secrets.wehbook", "secrets.api_token", "settings.auto_sync",
        "settings.due_days", "settings.rounding_limit", "settings.sync_on_updated", "settings.start_date",
        "settings.prefix", "settings.exclude_tags", "settings.exclude_sources", "settings.exclude_gateways",
        "settings.reference", "settings.status", "settings.branding_theme", "settings.currency", "settings.colour",
        "mappings.accounts.default", "mappings.accounts.by_sku", "mappings.accounts.x", "mappings.taxes.by_rate",
        "mappings.taxes.by_country", "mappings.taxes.default", "mappings.payments.off", "mappings.taxs")
    assert api("GET", f"/stores/shopify/{shop}")[0] == 404


def test_the_fields_without_a_default_are_required(api):
    refused(api, "PUT", f"/stores/shopify/{name_of('s')}.myshopify.com", {},
            "connection", "secrets", "mappings.accounts.default", "mappings.taxes")


@pytest.mark.parametrize("group", ["settings", "mappings", "secrets"])
@pytest.mark.parametrize("value", [[], "x", 7, True])
def test_a_group_must_be_an_object(store, api, group, value):
    s = store()
    status, answer = s.patch({group: value})
    assert status == 422 and group in complaints(answer)


@pytest.mark.parametrize("value", [365, 366, 1e2, -1, 1.0, 9007199254740993, 10 ** 30, "14", None, True, []])
def test_a_number_is_a_whole_one_within_its_limits(store, value):
    status, answer = store().patch({"settings": {"due_days": value}})
    assert status in ((200,) if value == 365 else (400, 422)), answer


@pytest.mark.parametrize("body", [b'{"settings":{"due_days":1e999999}}', b'{"settings":{"due_days":-0}}',
                                  b'{"settings":{"due_days":1e0}}', b'{"settings":{"due_days":99999999999999999999}}'])
def test_strange_numbers_are_refused_or_exact(store, body):
    s = store()
    status, answer = s.patch(body)
    assert status in (200, 400, 422), answer
    assert s.stack.receiver.api("GET", f"/stores/shopify/{s.domain}")[1]["settings"]["due_days"] == 0


def test_a_hold_until_a_fulfilment_needs_the_fulfilment_trigger(store, api):
    s = store()
    refused(api, "PATCH", f"/stores/shopify/{s.domain}", {"settings": {"only_sync_fulfilled": True}},
            "settings.only_sync_fulfilled")
    assert s.patch({"settings": {"only_sync_fulfilled": True, "sync_on_fulfilled": True}})[0] == 200
    refused(api, "PATCH", f"/stores/shopify/{s.domain}", {"settings": {"sync_on_fulfilled": False}},
            "settings.only_sync_fulfilled")


def test_one_prefix_serves_one_store_of_a_connection(store, api):
    first = store(settings={"prefix": "ACME-"})
    body = document(first.connection, settings={"prefix": "acme-"})
    second = name_of("second") + ".myshopify.com"
    status, answer = api("PUT", f"/stores/shopify/{second}", body)
    assert status == 422 and complaints(answer) == {"settings.prefix"}
    assert first.domain in answer["errors"][0]["message"]
    assert api("PUT", f"/stores/shopify/{second}", document(connect(api), settings={"prefix": "ACME-"}))[0] == 201
    assert first.patch({"settings": {"due_days": 3}})[0] == 200  # its own prefix is no other store's


def test_a_prefix_is_free_again_when_its_store_takes_another_moves_or_is_deleted(store, api):
    first, second = store(settings={"prefix": "ONE-"}), name_of("second") + ".myshopify.com"
    body = document(first.connection, settings={"prefix": "ONE-"})

    def taken():
        return api("PUT", f"/stores/shopify/{second}", body)[0] == 422

    assert taken()
    assert first.patch({"settings": {"prefix": "TWO-"}})[0] == 200
    assert api("PUT", f"/stores/shopify/{second}", body)[0] == 201
    assert first.patch({"settings": {"prefix": "ONE-"}})[0] == 422
    assert api("PATCH", f"/stores/shopify/{second}", {"connection": connect(api)})[0] == 200
    assert first.patch({"settings": {"prefix": "ONE-"}})[0] == 200
    assert taken()
    assert api("DELETE", f"/stores/shopify/{first.domain}")[0] == 204
    assert api("PUT", f"/stores/shopify/{second}", body)[0] == 200


def test_of_stores_set_up_at_once_with_one_prefix_one_gets_it(api):
    c, shops = connect(api), [name_of("race") + ".myshopify.com" for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(shops)) as pool:
        answers = list(pool.map(lambda shop: api("PUT", f"/stores/shopify/{shop}", document(c, settings={"prefix": "R-"})), shops))
    assert sorted(status for status, _ in answers) == [201] + [422] * 11
    assert all(complaints(answer) == {"settings.prefix"} for status, answer in answers if status == 422)


def test_a_store_needs_a_connection_that_is_there(api):
    refused(api, "PUT", f"/stores/shopify/{name_of('s')}.myshopify.com", document("nobody"), "connection")


def test_another_connection_is_409_while_orders_wait(store, api):
    s, other = store(), connect(api)
    s.send("orders/paid", order("paid"))
    for status, answer in (s.put(connection=other), s.patch({"connection": other})):
        assert status == 409 and s.connection in answer["detail"]
    assert api("GET", f"/stores/shopify/{s.domain}")[1]["connection"] == s.connection
    moved = store()
    assert moved.patch({"connection": other})[1]["connection"] == other


def test_an_order_that_failed_before_its_store_moved_is_exported_where_the_store_is_now(store, api, desk):
    """Whatever is done with the row, the order never waits for the organisation the store has left."""
    s, other = store(), connect(api)
    (o,) = park(s)
    if s.patch({"connection": other})[0] == 409:
        return
    s.send("orders/updated", later(o))
    for row in page_of(s)["rows"]:
        api("POST", f"/failed/{row['id']}/export")
    assert desk.redis.call("ZRANGE", f"{lib.PREFIX}ready:{s.connection}", 0, -1) == []
    assert page_of(s)["count"] == 0


def test_only_stores_of_known_platforms_with_their_kind_of_id_are_taken(api):
    refused(api, "PUT", "/stores/ebay/A2EXAMPLE", document("c"), "platform")
    refused(api, "PUT", "/stores/amazon/a2example.com", document("c"), "id")
    refused(api, "PUT", "/stores/shopify/sp%20ace.myshopify.com", document("c"), "id")
    refused(api, "PUT", f"/stores/shopify/{'a' * 256}", document("c"), "id")
    for path in ("/stores/amazon/A2EXAMPLE", "/stores/shopify/sp%20ace", "/stores/x/y"):
        for method in ("GET", "PATCH", "DELETE"):
            assert api(method, path, None if method == "GET" else {})[0] == 404


def test_the_case_of_a_stores_id_does_not_matter(store, api):
    s = store()
    assert api("GET", f"/stores/shopify/{s.domain.upper()}") == api("GET", f"/stores/shopify/{s.domain}")
    assert api("PUT", f"/stores/shopify/{s.domain.upper()}", s.document)[0] == 200
    o = order("paid")
    assert s.stack.receiver.send(s.domain.upper(), "orders/paid", o)[0] == 200
    assert s.record(o["id"])["st"] == "waiting"


def test_a_deleted_store_leaves_a_tombstone(store, api, desk):
    s = store()
    (failed,) = park(s)
    waiting = order("paid")
    s.send("orders/paid", waiting)
    status, answer = api("DELETE", f"/stores/shopify/{s.domain}")
    assert (status, answer) == (204, None)
    for method in ("GET", "PATCH", "DELETE"):
        assert api(method, f"/stores/shopify/{s.domain}", None if method == "GET" else {})[0] == 404
    assert s.send("orders/paid", order("paid"))[0] == 404
    assert page_of(s)["count"] == 0
    assert {s.record(o["id"])["reason"] for o in (failed, waiting)} == {"store_deleted"}
    counts = api("GET", f"/connections/{s.connection}")[1]
    assert (counts["waiting"], counts["failed"]) == (0, 0)
    tomb = desk.redis.call.hash(f"{lib.PREFIX}store:shopify/{s.domain}")
    assert not [field for field in tomb if field.startswith("secret") or field == "doc"]
    assert s.domain not in json.dumps(api("GET", "/stores?limit=1000")[1])


def test_a_deleted_store_can_be_set_up_again_and_needs_its_secret_again(store, api):
    s = store(settings={"due_days": 9})
    before = api("GET", f"/stores/shopify/{s.domain}")[1]["version"]
    api("DELETE", f"/stores/shopify/{s.domain}")
    refused(api, "PUT", f"/stores/shopify/{s.domain}", {**s.document, "secrets": {}}, "secrets")
    status, again = api("PUT", f"/stores/shopify/{s.domain}", document(s.connection))
    assert (status, again["settings"]["due_days"]) == (201, 0)
    assert again["version"] > before
    assert s.send("orders/paid", order("paid"))[0] == 200


def test_deleting_a_store_that_never_was_is_404(api):
    assert api("DELETE", "/stores/shopify/nobody.myshopify.com")[0] == 404


def test_stores_are_listed_by_connection_and_page_by_page(store, api):
    s = store()
    prefixes = ["", "b-", "c-", "d-", "e-"]
    names = [s.domain] + [name_of("list") + ".myshopify.com" for _ in prefixes[1:]]
    for name, prefix in list(zip(names, prefixes))[1:]:
        assert api("PUT", f"/stores/shopify/{name}", document(s.connection, settings={"prefix": prefix}))[0] == 201
    rows = walk(api, f"/stores?connection={s.connection}", 2)
    assert [row["id"] for row in rows] == sorted(names)
    assert rows[0] == api("GET", f"/stores/shopify/{sorted(names)[0]}")[1]
    page = api("GET", f"/stores?connection={s.connection}&limit=2")[1]
    assert set(page) == {"count", "rows", "cursor"}
    assert (page["count"], len(page["rows"])) == (5, 2)
    assert not any(name in page["cursor"] for name in names)
    exact = api("GET", f"/stores?connection={s.connection}&limit=5")[1]
    assert (len(exact["rows"]), exact["cursor"]) == (5, None)
    assert api("GET", "/stores?connection=nobody")[1] == {"rows": [], "count": 0, "cursor": None}


def test_a_page_of_stores_reads_no_others(desk, api):
    def reads():
        return int(re.search(rb"cmdstat_hgetall:calls=(\d+)", desk.redis.call("INFO", "commandstats")).group(1))

    for _ in range(20):
        lib.Shop(desk)
    for path in ("/stores?limit=2", "/stores?limit=2&cursor=" + api("GET", "/stores?limit=15")[1]["cursor"]):
        before = reads()
        page = api("GET", path)[1]
        assert len(page["rows"]) == 2 and page["cursor"] and page["count"] >= 20
        assert reads() - before <= 3


@pytest.mark.parametrize("path", ["/stores", "/connections", "/failed"])
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1.5", "1e2", "99999999999999999999", "%20"])
def test_a_limit_is_from_1_to_1000(api, path, limit):
    refused(api, "GET", f"{path}?limit={limit}", None, "limit")


@pytest.mark.parametrize("path", ["/stores", "/connections", "/failed"])
def test_a_limit_of_1000_is_taken(api, path):
    assert api("GET", f"{path}?limit=1000")[0] == 200


@pytest.mark.parametrize("path", ["/stores", "/connections", "/failed"])
@pytest.mark.parametrize("cursor", ["!", "a/b/c", "shopify%2F", "Shopify%20X", "x" * 3000])
def test_a_cursor_that_no_list_gave_is_refused(api, path, cursor):
    refused(api, "GET", f"{path}?cursor={cursor}", None, "cursor")


@pytest.mark.parametrize("path", ["/stores", "/connections", "/failed"])
@pytest.mark.parametrize("query", ["limit=%ff", "cursor=%00", "q=%zz", "connection=%", "%80=x", "store=a%0d%0ab", "q=%c0%af"])
def test_a_query_that_cannot_be_read_is_400_and_no_filter_is_left_out(api, path, query):
    assert api("GET", f"{path}?{query}")[0] == 400


# ---- the failed list ----

def test_a_failed_row_has_the_documented_shape(store):
    s = store()
    (o,) = park(s)
    page = page_of(s)
    assert (page["count"], page["cursor"]) == (1, None)
    (row,) = page["rows"]
    assert set(row) == ROW_FIELDS
    assert row["connection"] == s.connection
    assert row["store"] == f"shopify/{s.domain}"
    assert str(o["id"]) in row["order"]
    assert row["order_link"].startswith(f"https://{s.domain}/") and str(o["id"]) in row["order_link"]
    assert (row["failed_export"], row["exported_item"]) == ("Sales invoice", o["name"])
    assert row["catalogue"] == ["unusable-order"]
    assert row["fix_in"] in ("xero", "here", "shop", "wait")
    assert len(row["export_error"]) == len(row["action_required"]) == 1
    assert isinstance(row["attempts"], int)
    assert TIME.fullmatch(row["first_failed_at"]) and TIME.fullmatch(row["last_failed_at"])
    assert s.domain not in row["id"] and str(o["id"]) not in row["id"]


def test_failed_rows_come_newest_first_and_page_by_page(store, api):
    s = store()
    names = [o["name"] for o in park(s, 7)]
    for limit in (1, 3, 7, 100):
        rows = walk(api, f"/failed?connection={s.connection}", limit)
        assert [row["exported_item"] for row in rows] == names[::-1]
    page = page_of(s, "&limit=3")
    assert (page["count"], len(page["rows"])) == (7, 3)
    api("DELETE", f"/failed/{page['rows'][2]['id']}")  # a row that leaves moves no other
    rest = page_of(s, f"&cursor={page['cursor']}")["rows"]
    assert [row["exported_item"] for row in rest] == names[3::-1]


def test_the_filters_of_the_failed_list_hold_together(store, api):
    s = store()
    second = name_of("second") + ".myshopify.com"
    assert api("PUT", f"/stores/shopify/{second}", document(s.connection, settings={"prefix": "2-"}))[0] == 201
    (a,), (b,) = park(s, name="Order-A%_"), park(s, name="Order-B")
    other = order("paid", name="Order-A2")
    s.stack.receiver.send(second, "orders/paid", {**other, "currency": None})

    def names(query):
        page = page_of(s, query)
        assert page["count"] == len(page["rows"])
        return {row["exported_item"] for row in page["rows"]}
    assert names("") == {"Order-A%_", "Order-B", "Order-A2"}
    assert names(f"&store=shopify/{s.domain}") == {"Order-A%_", "Order-B"}
    assert names(f"&store=shopify%2F{second}") == {"Order-A2"}
    assert names("&q=order-a") == {"Order-A%_", "Order-A2"}
    assert names("&q=%25_") == {"Order-A%_"}
    assert names("&q=CURRENCY") == {"Order-A%_", "Order-B", "Order-A2"}
    assert names(f"&q={b['id']}") == {"Order-B"}
    assert names("&q=.*") == set()
    assert names("&error=unusable-order") == {"Order-A%_", "Order-B", "Order-A2"}
    assert names("&error=lock-date") == set()
    assert names(f"&store=shopify/{second}&q=order-b") == set()
    status, page = api("GET", "/failed?connection=nobody")
    assert (status, page) == (200, {"count": 0, "rows": [], "cursor": None})


def test_filtered_pages_count_all_that_match(store, api):
    s = store()
    park(s, 3, name="plum")
    park(s, 4, name="pear")
    page = page_of(s, "&q=pear&limit=2")
    assert (page["count"], len(page["rows"])) == (4, 2)
    assert len(walk(api, f"/failed?connection={s.connection}&q=pear", 2)) == 4


@pytest.mark.parametrize("row_id", ["x", "AAAA", "%20", "a" * 4000, "bm90aGluZw", "..", "%F0%9F%92%A3", "Cg", "YQpi"])
def test_an_id_that_is_no_rows_is_404_or_refused(api, row_id):
    assert api("POST", f"/failed/{row_id}/export")[0] in (400, 404)
    assert api("DELETE", f"/failed/{row_id}")[0] in (400, 404)


def test_ids_in_a_list_are_checked_one_by_one(store, api):
    s = store()
    park(s)
    (row,) = page_of(s)["rows"]
    for method, path in (("DELETE", "/failed"), ("POST", "/failed/export")):
        refused(api, method, path, {"ids": [row["id"], "x", 7, None]}, "ids[1]", "ids[2]", "ids[3]")
        refused(api, method, path, {"ids": []}, "ids")
        refused(api, method, path, {"ids": "x"}, "ids")
        refused(api, method, path, {"ids": [row["id"]] * 1001}, "ids")
        refused(api, method, path, {}, "ids")
        refused(api, method, path, {"all": False}, "ids")
        refused(api, method, path, {"all": "true"}, "ids")
        refused(api, method, path, {"ids": [row["id"]], "all": True}, "ids")
        refused(api, method, path, {"all": True, "fliter": {}}, "fliter")
        refused(api, method, path, {"all": True, "filter": {"shop": "x", "q": 7}}, "filter.shop", "filter.q")
        refused(api, method, path, {"all": True, "filter": []}, "filter")
    refused(api, "POST", f"/failed/{row['id']}/export", {"gain": True}, "gain")
    assert page_of(s)["count"] == 1


def test_one_row_is_dismissed(store, api):
    s = store()
    (o,) = park(s)
    (row,) = page_of(s)["rows"]
    assert api("DELETE", f"/failed/{row['id']}", token=lib.SUPPORT) == (204, None)
    assert page_of(s)["count"] == 0
    assert s.record(o["id"])["st"] == "dismissed"
    assert api("DELETE", f"/failed/{row['id']}")[0] == 404


def test_many_rows_are_dismissed_and_those_already_gone_are_not_counted(store, api):
    s = store()
    park(s, 3)
    ids = [row["id"] for row in page_of(s)["rows"]]
    api("DELETE", f"/failed/{ids[0]}")
    status, answer = api("DELETE", "/failed", {"ids": [*ids[:2], ids[1]]})
    assert (status, answer["deleted"]) == (200, 1)
    assert [row["id"] for row in page_of(s)["rows"]] == ids[2:]


def test_all_rows_of_a_filter_are_dismissed_and_no_others(store, api):
    s, neighbour = store(), store()
    park(s, 3, name="plum")
    park(s, 2, name="pear")
    park(neighbour, 1, name="plum")
    everything = {"connection": s.connection}
    assert api("DELETE", "/failed", {"all": True, "filter": {**everything, "q": "PLUM"}})[1]["deleted"] == 3
    assert api("DELETE", "/failed", {"all": True, "filter": {**everything, "store": "shopify/x"}})[1]["deleted"] == 0
    assert api("DELETE", "/failed", {"all": True, "filter": {**everything, "error": "unusable-order"}})[1]["deleted"] == 2
    assert (page_of(s)["count"], page_of(neighbour)["count"]) == (0, 1)


def test_more_rows_than_one_script_takes_are_dismissed_by_one_call(store, api, desk):
    s = store()
    call = desk.redis.call
    for i in range(1, 1206):
        call("ZADD", f"{lib.PREFIX}failed:{s.connection}", 1000 + i // 700, s.key(i))
        call("HSET", f"{lib.PREFIX}order:{s.key(i)}", "st", "failed")
        call("HSET", f"{lib.PREFIX}failrow:{s.connection}", s.key(i), "{}")
    assert len(walk(api, f"/failed?connection={s.connection}", 250)) == 1205
    status, answer = api("DELETE", "/failed", {"all": True, "filter": {"connection": s.connection}})
    assert (status, answer["deleted"]) == (200, 1205)
    assert page_of(s)["count"] == 0


def test_one_row_is_exported_again_and_waits(store, api):
    s = store()
    (o,) = park(s)
    (row,) = page_of(s)["rows"]
    status, answer = api("POST", f"/failed/{row['id']}/export", token=lib.SUPPORT)
    assert status == 200
    assert {k: answer[k] for k in ("exported", "failed", "waiting")} == {"exported": 0, "failed": 0, "waiting": 1}
    (result,) = answer["results"]
    assert set(result) == {"id", "exported_item", "result", "invoice_number", "export_error", "action_required"}
    assert (result["id"], result["exported_item"], result["result"]) == (row["id"], o["name"], "waiting")
    assert s.record(o["id"])["st"] == "waiting"
    assert page_of(s)["count"] == 0
    assert api("POST", f"/failed/{row['id']}/export")[0] == 404


def test_the_same_id_twice_is_one_export(store, api):
    s = store()
    park(s)
    (row,) = page_of(s)["rows"]
    answer = api("POST", "/failed/export", {"ids": [row["id"], row["id"]]})[1]
    assert (answer["waiting"], len(answer["results"])) == (1, 1)


def test_an_order_that_is_not_on_the_list_is_not_said_to_wait(store, api):
    s = store()
    park(s, 2)
    ids = [row["id"] for row in page_of(s)["rows"]]
    api("DELETE", f"/failed/{ids[0]}")
    status, answer = api("POST", "/failed/export?wait=30", {"ids": ids[:1]})
    assert (status, answer["waiting"]) == (200, 0), answer
    (result,) = answer["results"]
    assert (result["id"], result["result"], len(result["export_error"])) == (ids[0], "failed", 1)


def test_all_rows_of_a_filter_are_exported_and_no_others(store, api):
    s = store()
    park(s, 2, name="plum")
    park(s, 1, name="pear")
    status, answer = api("POST", "/failed/export", {"all": True, "filter": {"connection": s.connection, "q": "plum"}})
    assert (status, answer["waiting"]) == (200, 2)
    assert [row["exported_item"] for row in page_of(s)["rows"]] == ["pear"]


def test_exporting_while_the_connection_is_paused_is_409_and_moves_nothing(store, api):
    s = store()
    park(s, 2)
    ids = [row["id"] for row in page_of(s)["rows"]]
    api("POST", f"/connections/{s.connection}/pause")
    for path, body in ((f"/failed/{ids[0]}/export", None), ("/failed/export", {"ids": ids}),
                       ("/failed/export", {"all": True, "filter": {"connection": s.connection}})):
        status, answer = api("POST", path, body)
        assert status == 409 and "paused" in answer["detail"]
    assert page_of(s)["count"] == 2
    assert api("DELETE", f"/failed/{ids[0]}")[0] == 204  # nothing is exported by that
    api("POST", f"/connections/{s.connection}/resume")
    assert api("POST", f"/failed/{ids[1]}/export")[0] == 200


@pytest.mark.parametrize("wait", ["-1", "31", "x", "", "1.5"])
def test_wait_is_from_0_to_30_seconds(store, api, wait):
    s = store()
    park(s)
    (row,) = page_of(s)["rows"]
    refused(api, "POST", f"/failed/{row['id']}/export?wait={wait}", None, "wait")
    assert page_of(s)["count"] == 1


def test_wait_answers_with_what_became_of_each(shop):
    s = shop(mappings={**lib.DEFAULT_MAPPINGS, "taxes": {"by_rate": {"0.05": "OUTPUT2"}}})
    api = s.stack.receiver.api
    good, bad = order("paid"), order("paid", lines=[line(rate="0.17")], ship=[])
    for o in (good, bad):
        s.send("orders/paid", o)
        s.wait_state(o["id"], "failed")
    assert s.patch({"mappings": {"taxes": {"by_rate": {"0.2": "OUTPUT2"}}}})[0] == 200
    ids = {row["exported_item"]: row["id"] for row in s.failed()}
    status, answer = api("POST", "/failed/export?wait=30", {"ids": list(ids.values())}, token=lib.SUPPORT)
    assert status == 200
    assert (answer["exported"], answer["failed"], answer["waiting"]) == (1, 1, 0), json.dumps(answer)
    assert answer["message"] == "1 exported, 1 failed"
    results = {row["exported_item"]: row for row in answer["results"]}
    assert results[good["name"]]["result"] == "exported"
    assert results[good["name"]]["invoice_number"] == s.invoices()[0]["InvoiceNumber"]
    assert results[good["name"]]["export_error"] is None
    assert results[bad["name"]]["result"] == "failed"
    assert results[bad["name"]]["export_error"] and results[bad["name"]]["action_required"]
    assert [row["exported_item"] for row in s.failed()] == [bad["name"]]


# ---- the audit stream ----

def test_changes_stand_in_the_audit_stream_without_secrets(store, api, desk):
    s = store(secrets={"webhook": lib.SECRET, "webhook_admin": "audit-clear-webhook"})
    s.patch({"settings": {"due_days": 21}, "secrets": {"api_token": "audit-clear-token"}})
    tenant = api("GET", f"/connections/{s.connection}")[1]["tenant"]
    api("PUT", f"/connections/{s.connection}", {"tenant": tenant, "client_id": "new-id", "client_secret": "audit-clear-client"})
    api("POST", f"/connections/{s.connection}/pause")
    api("POST", f"/connections/{s.connection}/resume")
    park(s, 2)
    one, two = [row["id"] for row in page_of(s)["rows"]]
    api("DELETE", f"/failed/{one}", token=lib.SUPPORT)
    api("POST", f"/failed/{two}/export", token=lib.SUPPORT)
    api("DELETE", f"/stores/shopify/{s.domain}")
    rows = [r for r in audit(desk) if s.domain in r["object"] or s.connection in r["object"]]
    assert [(r["who"], r["what"]) for r in rows] == [
        ("ada", "create"), ("ada", "create"), ("ada", "change"), ("ada", "change"), ("ada", "pause"), ("ada", "resume"),
        ("sam", "dismiss"), ("sam", "export"), ("ada", "delete")]
    changed = next(r for r in rows if r["what"] == "change" and r["object"].startswith("store"))
    old, new = json.loads(changed["old"]), json.loads(changed["new"])
    assert (old["document"]["settings"]["due_days"], new["document"]["settings"]["due_days"]) == (0, 21)
    assert new["secrets"] == ["api_token"]
    assert "audit-clear" not in json.dumps(rows) and lib.SECRET not in json.dumps(rows)


# ---- a whole answer ----

@pytest.mark.parametrize("path", ["/stores", "/connections", "/failed"])
def test_head_is_get_without_a_body(desk, path):
    headers = {"Authorization": f"Bearer {lib.SUPPORT}"}
    status, head, raw = lib.request(desk.receiver.api_address, "HEAD", "/api/v1" + path, headers=headers)
    assert (status, raw) == (200, b"")
    assert head["Content-Type"] == "application/json"
    assert int(head["Content-Length"]) > 0


def test_answers_are_not_kept_and_not_guessed_at(desk):
    _, headers, _ = lib.request(desk.receiver.api_address, "GET", "/api/v1/stores",
                                headers={"Authorization": f"Bearer {lib.SUPPORT}"})
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


def test_calls_are_503_while_redis_is_away_and_go_on_afterwards(own_stack):
    stack = own_stack(worker=False, LH_DRAIN=1)
    s = lib.Shop(stack)
    stack.redis.stop()
    for method, path, body in (("GET", "/stores", None), ("GET", f"/connections/{s.connection}", None),
                               ("GET", "/failed", None), ("PUT", f"/stores/shopify/{s.domain}", s.document),
                               ("DELETE", "/failed", {"all": True})):
        status, answer = stack.receiver.api(method, path, body)
        assert (status, answer["status"]) == (503, 503), (method, path, answer)
    stack.redis.start()
    lib.wait_until(lambda: stack.receiver.api("GET", "/stores")[0] == 200, "the API answers again")
