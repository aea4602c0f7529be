"""Amazon's way in: every wrapping, good and bad, whose key it takes, and what becomes of orders that a
forwarder sends whole: in the simulator's books to the cent, or on the failed list with both sums."""

import copy
import json
import socket
import uuid
from decimal import Decimal

import pytest

import lib
from sellers import DATA, KEY, MAPPINGS, Seller, notice, order_id, post, sample


def record(body, message=None):
    return {"messageId": message or str(uuid.uuid4()), "receiptHandle": "x", "body": json.dumps(body), "attributes": {},
            "eventSource": "aws:sqs"}


@pytest.fixture(scope="module")
def door():
    """A receiver alone: what it queues stays where it is."""
    stack = lib.Stack(worker=False, LH_MAX_BODY=200000)
    yield stack
    stack.close()


@pytest.fixture
def seller(door):
    return lambda **options: Seller(door, **options)


def keys_of(s):
    return s.stack.redis.call("KEYS", f"{lib.PREFIX}*{s.domain}/*")


# ---- whose it is ----

def test_a_notification_is_queued_for_a_fetch(seller):
    s, order = seller(), order_id()
    assert s.send(notice(s, order)) == (200, {"result": "queued", "reason": "waiting_for_fetch"})
    assert s.fetches() == [order]
    status, told = s.stack.receiver.api("GET", f"/orders/amazon/{s.domain}/{order}")
    assert (status, told["status"], told["reason"]) == (200, "waiting", "waiting_for_fetch")
    assert told["trail"][0]["topic"] == "ORDER_CHANGE" and told["trail"][0]["order_status"] == "Unshipped"


def test_an_unknown_seller_and_a_wrong_key_look_alike(seller, door):
    s = seller()
    stranger = notice(s)
    stranger["Payload"]["OrderChangeNotification"]["SellerId"] = "ANOBODY0000000"
    answers = [post(door, stranger, {"x-api-key": KEY}), s.send(notice(s), key="another-api-key"),
               s.send(notice(s), key=""), post(door, notice(s)), s.send(notice(s), header="x-other"),
               s.send(notice(s), key="x" * 2000)]
    assert [a for a in answers if a != answers[0]] == [] and answers[0][0] == 401
    assert keys_of(s) == [] and s.fetches() == []


def test_the_current_and_the_previous_key_are_taken_in_the_header_that_the_store_chose(seller):
    s = seller(secrets={"api_key_header": "Authorization", "api_key": "Bearer one-12345",
                        "api_key_previous": "Bearer two-12345"})
    for key in ("Bearer one-12345", "Bearer two-12345"):
        assert s.send(notice(s), key=key, header="authorization")[0] == 200
        assert s.send(notice(s), key=key, header="x-api-key")[0] == 401
    assert s.patch({"secrets": {"api_key_previous": None}})[0] == 200
    assert s.send(notice(s), key="Bearer two-12345", header="Authorization")[0] == 401


def test_a_key_that_was_just_changed_elsewhere_is_known(door, seller):
    s, second = seller(), door.start_receiver()
    assert s.send(notice(s))[0] == 200
    status, _ = second.api("PATCH", f"/stores/amazon/{s.domain}", {"secrets": {"api_key": "brand-new-key"}})
    assert status == 200
    lib.wait_until(lambda: s.send(notice(s), key="brand-new-key")[0] == 200, "the new key is read")
    assert s.send(notice(s))[0] == 401


def test_another_sellers_key_opens_nothing(seller):
    s, other = seller(), seller(secrets={"api_key": "the-others-key"})
    assert s.send(notice(s), key="the-others-key")[0] == 401
    both = [notice(s), notice(other)]
    status, answer = s.send(both)
    assert status == 200
    assert [r["result"] for r in answer["results"]] == ["queued", "bad_signature"]
    assert len(answer["batchItemFailures"]) == 1 and other.fetches() == []


def test_a_record_whose_bytes_name_two_sellers_is_its_own_sellers(seller):
    """The scan only says whose key to ask for: what counts is what the record says once it is parsed."""
    s, victim = seller(), seller(secrets={"api_key": "the-victims-key"})
    trick = {"note": {"SellerId": s.domain}, **notice(victim)}
    assert s.send(trick)[0] == 401
    assert victim.fetches() == []


def test_a_deleted_store_is_401_and_forgets_its_fetches(seller, door):
    s = seller()
    assert s.send(notice(s))[0] == 200
    assert door.receiver.api("DELETE", f"/stores/amazon/{s.domain}")[0] == 204
    assert s.send(notice(s))[0] == 401
    assert s.fetches() == []


def test_the_address_names_the_seller_of_records_that_name_none(seller):
    s = seller()
    order = json.loads((DATA / "envelopes/07_enriched_forward.json").read_text())
    status, answer = s.send(order)
    assert status == 400 and "?seller=" in answer["detail"]
    assert s.send(order, query=f"?seller={s.domain}", key="wrong-key-1")[0] == 401
    assert s.send(order, query=f"?seller={s.domain}")[1]["result"] == "queued"
    assert s.send({"SellerId": s.domain, **order})[1]["result"] == "queued"


# ---- wrappings ----

def wrappings(n):
    text = json.dumps(n)
    return {
        "bare": n, "data": {"data": n}, "double-encoded": text, "data of text": {"data": text},
        "event": {"version": "0", "id": "e1", "detail-type": "ORDER_CHANGE", "source": "x", "detail": n},
        "event of a pipe": {"id": "e1", "detail": {"messageId": "m1", "body": n}},
        "event of a pipe, text": {"id": "e1", "detail": {"messageId": "m1", "body": text}},
        "sqs record": {"messageId": "m1", "body": text},
    }


@pytest.mark.parametrize("name", list(wrappings({})))
def test_every_wrapping_is_taken_off(seller, name):
    s, order = seller(), order_id()
    headers = {"User-Agent": "Amazon/EventBridge/ApiDestinations", "Range": "bytes=0-1048575", "Connection": "close",
               "Accept-Encoding": "gzip,deflate"}
    assert s.send(wrappings(notice(s, order))[name], **headers) == (
        200, {"result": "queued", "reason": "waiting_for_fetch"})
    assert s.fetches() == [order]


@pytest.mark.parametrize("wrap", [lambda rows: {"Records": rows}, lambda rows: rows, lambda rows: json.dumps(rows),
                                  lambda rows: {"data": {"Records": rows}}])
def test_each_record_of_a_batch_stands_for_itself(seller, wrap):
    s = seller()
    good = [order_id() for _ in range(2)]
    rows = [record(notice(s, good[0]), "m1"), record("no notification", "m2"),
            {"messageId": "m3", "body": "{not json"}, record(notice(s, "not-an-id"), "m4"), record(notice(s, good[1]), "m5"),
            record(notice(s, kind="LISTINGS_ITEM_STATUS_CHANGE"), "m6")]
    status, answer = s.send(wrap(rows))
    assert status == 200
    assert [(r["id"], r["result"]) for r in answer["results"]] == [
        ("m1", "queued"), ("m2", "malformed"), ("m3", "malformed"), ("m4", "malformed"), ("m5", "queued"),
        ("m6", "ignored")]
    assert [f["itemIdentifier"] for f in answer["batchItemFailures"]] == ["m2", "m3", "m4"]
    assert sorted(s.fetches()) == sorted(good)


def test_the_samples_own_bodies_and_headers_are_taken(door):
    """As they are, byte by byte; the batch holds one notification twice."""
    s = Seller(door, seller="A000SAMPLESELL", settings={"auto_sync": "include_unpaid"})
    other = Seller(door, seller="A3TH9S8BH6GOGM")
    got = {}
    for path in sorted(DATA.glob("*/*.headers.json")):
        body = path.with_name(path.name.replace(".headers.json", ".json")).read_bytes()
        headers = {k: v for k, v in json.loads(path.read_text())["headers"].items() if k != "Host"}
        headers["x-api-key"] = headers.pop("x-auth-token", headers.get("x-api-key"))
        got[path.name[:-13]] = post(door, body, headers, "?seller=A000SAMPLESELL")
    assert {status for status, _ in got.values()} == {200}, got
    assert got["05_pending"][1] == {"result": "skipped", "reason": "waiting_for_prices"}
    assert got["05_eventbridge_other_type_ignored"][1]["result"] == "ignored"
    assert got["07_enriched_forward"][1]["result"] == "queued"
    batch = s.send((DATA / "envelopes/01_sqs_records_batch.json").read_bytes())[1]
    assert [r["result"] for r in batch["results"]] == ["duplicate", "duplicate"] and batch["batchItemFailures"] == []
    assert other.fetches() == ["903-8868176-2219830"]


def test_a_repeated_notification_is_a_duplicate_in_every_wrapping(seller):
    s = seller()
    n = notice(s)
    assert s.send(n)[1]["result"] == "queued"
    for body in wrappings(n).values():
        assert s.send(body)[1]["result"] == "duplicate"


def test_without_a_notification_id_the_envelopes_counts(seller):
    s, order = seller(), order_id()
    n = notice(s, order)
    del n["NotificationMetadata"]
    event = {"id": "e1", "detail": n}
    assert [s.send(event)[1]["result"] for _ in range(2)] == ["queued", "duplicate"]
    assert s.send({**event, "id": "e2"})[1]["result"] == "queued"
    assert [s.send(n)[1]["result"] for _ in range(2)] == ["queued", "queued"], "nothing to tell them by"
    assert s.fetches() == [order]


# ---- hostile and broken ----

def test_what_cannot_be_read_is_400_once_the_key_is_right(seller):
    s = seller()
    name = f'"SellerId":"{s.domain}"'
    deep = b'{"a":' * 40 + b"{" + name.encode() + b"}" + b"}" * 40
    for body in (b"{" + name.encode(), b"not json " + name.encode(), deep, b"{" + name.encode() + b"}",
                 b"[{" + name.encode() + b"}]", b'"' + b"\\\"SellerId\\\":\\\"" + s.domain.encode() + b"\\\"" + b'"',
                 b"{" + name.encode() + b',"x":"\xff"}', json.dumps({"Records": [{"body": name}]}).encode()):
        assert s.send(body)[0] == 400, body
        assert s.send(body, key="wrong-key-1")[0] == 401, body
    assert s.send(b"")[0] == 400 and s.send(b"{}")[0] == 400
    assert s.send(b"[" + b",".join([b"{}"] * 1001) + b"]", query=f"?seller={s.domain}")[0] == 400
    assert s.send(b"[]", query=f"?seller={s.domain}") == (200, {"results": [], "batchItemFailures": []})


def test_no_address_that_stands_in_a_body_is_called(seller):
    """As SNS asks of those who take its messages: whoever sends a body would choose whom we call."""
    s = seller()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        links = {"SubscribeURL": url, "SigningCertURL": url, "UnsubscribeURL": url, "TopicArn": "arn:aws:sns:x:1:y"}
        asked = {**links, "Type": "SubscriptionConfirmation", "Token": "t", "SellerId": s.domain}
        assert s.send({**links, "Type": "Notification", "data": notice(s)})[0] == 200
        assert s.send(asked)[0] == 400
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_text_in_text_has_an_end(seller):
    s = seller()
    body = notice(s)
    for times in range(1, 5):  # what is sent is once more JSON
        body = json.dumps(body)
        assert s.send(body)[0] == (200 if times < 4 else 400), times


def test_a_huge_body_is_413_and_another_method_405(seller, door):
    s = seller()
    assert s.send(b'{"SellerId":"' + s.domain.encode() + b'","x":"' + b"y" * 300000 + b'"}')[0] == 413
    assert lib.request(door.receiver.hooks, "GET", "/webhooks/amazon")[0] == 405


def test_a_body_with_thousands_of_sellers_costs_little(seller):
    s = seller()
    names = [{"SellerId": f"AZ{i:08d}"} for i in range(5000)]
    status, answer = s.send([*names, notice(s)], key="wrong-key-1")
    assert status == 401 and s.fetches() == []


def test_a_chunked_body_is_taken(seller):
    s = seller()
    body = json.dumps(notice(s)).encode()
    host, port = s.stack.receiver.hooks.split(":")
    with socket.create_connection((host, int(port)), timeout=lib.DEADLINE) as sock:
        sock.sendall(b"POST /webhooks/amazon HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: " + KEY.encode()
                     + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b'"queued"' in answer


def test_without_redis_it_is_503_and_the_batch_is_sent_again(own_stack):
    stack = own_stack(worker=False)
    s = Seller(stack)
    assert s.send(notice(s))[0] == 200
    stack.redis.kill()
    try:
        for body in (notice(s), {"Records": [record(notice(s))]}):
            assert s.send(body)[0] == 503
    finally:
        stack.redis.start()


# ---- decisions ----

def test_a_pending_order_is_skipped_without_a_fetch_and_in_the_trail(seller):
    s, order = seller(), order_id()
    assert s.send(notice(s, order, "Pending"))[1] == {"result": "skipped", "reason": "unpaid"}
    assert s.fetches() == [] and s.record(order)["st"] == "skipped"
    assert s.send(notice(s, order, "Unshipped"))[1]["result"] == "queued"
    assert s.fetches() == [order]


def test_a_store_that_is_off_fetches_nothing(seller):
    s, order = seller(settings={"accounting_system_invoice": False}), order_id()
    assert s.send(notice(s, order))[1] == {"result": "skipped", "reason": "accounting_invoice_off"}
    assert s.fetches() == []


def test_settings_changed_elsewhere_are_decided_by(door, seller):
    s, second = seller(settings={"accounting_system_invoice": False}), door.start_receiver()
    assert s.send(notice(s))[1]["result"] == "skipped"
    status, _ = second.api("PATCH", f"/stores/amazon/{s.domain}", {"settings": {"accounting_system_invoice": True}})
    assert status == 200
    assert s.send(notice(s))[1]["result"] == "queued"


# ---- the store's settings ----

def test_secrets_are_sealed_and_shown_only_as_set(seller, door):
    s = seller(secrets={"api_key": "clear-api-key-1", "api_key_header": "x-auth-token"})
    status, shown = door.receiver.api("GET", f"/stores/amazon/{s.domain}")
    assert status == 200
    assert set(shown["secrets"]) == {"api_key_header", "api_key", "api_key_previous", "refresh_token"}
    assert shown["secrets"]["api_key"]["set"] and not shown["secrets"]["api_key_previous"]["set"]
    stored = door.redis.call.hash(f"{lib.PREFIX}store:amazon/{s.domain}")
    assert not any(b"clear-api-key-1" in v or b"x-auth-token" in v for v in stored.values())


def test_what_an_amazon_store_needs_is_said(seller, door):
    s = seller()
    put = lambda id, secrets: door.receiver.api("PUT", f"/stores/amazon/{id}", {**s.document, "secrets": secrets})
    fields = lambda answer: [e["field"] for e in answer[1]["errors"]]
    assert fields(put("A0NEWSELLER", {})) == ["secrets"]
    assert fields(put("A0NEWSELLER", {"webhook": "a-webhook-secret"})) == ["secrets.webhook"]
    assert fields(put("A0NEWSELLER", {"api_key": KEY, "api_key_header": "a b"})) == ["secrets.api_key_header"]
    assert fields(put("A0NEWSELLER", {"api_key": "short"})) == ["secrets.api_key"]
    assert fields(put("A0NEWSELLER", {"api_key": KEY, "refresh_token": "Atzr|x" * 400})) == ["secrets.refresh_token"]
    assert fields(put("a0lower", {"api_key": KEY})) == ["id"]
    assert fields(s.patch({"secrets": {"api_key": None}})) == ["secrets"]


# ---- orders forwarded whole ----

V0 = [("getOrder_10_us_facilitator_tax_two_items", "getOrderItems_10_us_facilitator_tax_two_items"),
      ("getOrder_11_uk_vat_inclusive", "getOrderItems_11_uk_vat_inclusive"),
      ("getOrder_02_sandbox_total_11_01", "getOrderItems_02_sandbox_10_00_plus_1_01"),
      ("getOrder_12_replacement_zero", "getOrderItems_12_replacement_zero")]
NEW = ["getOrder_01_gbp_103_97", "getOrder_02_brl_299_90", "getOrder_03_try_facilitator_125_00", "getOrder_04_usd_49_99",
       "searchOrders_05_usd_154_99_tip", "searchOrders_06_jpy_19940", "searchOrders_07_gbp_34_99",
       "searchOrders_08_brl_1599_90"]


def forwarded(name):
    """(body, order id, total, tax that the marketplace keeps) of a sample as a forwarder would send it."""
    if isinstance(name, tuple):
        order, items = sample(f"orders_v0/{name[0]}"), sample(f"orders_v0/{name[1]}")
        rows = items["payload"]["OrderItems"]
        kept = sum(Decimal(x[k]["Amount"]) for x in rows for k in ("ItemTax", "ShippingTax")
                   if k in x and ("TaxCollection" in x or "DeemedResellerCategory" in x))
        return ({"orderResponse": order, "orderItemsResponse": items}, order["payload"]["AmazonOrderId"],
                Decimal(order["payload"]["OrderTotal"]["Amount"]), kept)
    body = sample(f"orders_2026-01-01/{name}")
    order = body["order"] if "order" in body else body["orders"][0]
    return {"order": order}, order["orderId"], Decimal(order["proceeds"]["grandTotal"]["amount"]), Decimal(0)


VAT_RATES = {"GB": "0.2", "JP": "0.1", "BR": "0"}
UNSTATED = {"getOrder_11_uk_vat_inclusive": "4.66", "searchOrders_07_gbp_34_99": "5.83",  # 4.16 and 0.50
            "searchOrders_06_jpy_19940": "1812.73"}
ON_TOP = {"getOrder_01_gbp_103_97": "4.00", "getOrder_04_usd_49_99": "10.00", "searchOrders_05_usd_154_99_tip": "0.02"}


def name_of(sample):
    return sample[0] if isinstance(sample, tuple) else sample


def trade(s):
    """The organisation has every currency of the samples."""
    s.stack.sim.control("POST", "organisation", {"tenant": s.tenant, "currencies": [
        "GBP", "USD", "EUR", "JPY", "BRL", "TRY"]})


def taxes(**changed):
    return {**MAPPINGS, "taxes": {**MAPPINGS["taxes"], **changed}}


@pytest.mark.parametrize("name", V0 + NEW, ids=name_of)
def test_an_order_that_is_forwarded_whole_ends_in_the_books_to_the_cent(stack, name):
    s = Seller(stack, settings={"vat_rates": VAT_RATES}, mappings=taxes(by_rate={"0.2": "OUTPUT2", "0.1": "TAX003"}))
    trade(s)
    body, order, total, kept = forwarded(name)
    status, answer = s.send(body, query=f"?seller={s.domain}")
    assert status == 200, answer
    if "replacement" in str(name):
        assert answer == {"result": "skipped", "reason": "replacement_order"}
        return
    assert answer == {"result": "queued", "reason": "paid"}
    state = s.wait_state(order, "done", "failed")
    assert state["st"] == "done", s.failed()
    (invoice,) = s.invoices()
    assert Decimal(invoice["Total"]) == total - kept
    assert Decimal(invoice["TotalTax"]) == Decimal({**UNSTATED, **ON_TOP}.get(name_of(name), "0"))
    assert invoice["InvoiceNumber"] == order
    assert invoice["Url"] == f"https://sellercentral.amazon.com/orders-v3/order/{order}"
    assert Decimal(invoice["AmountDue"]) == 0, "paid to the store's account"


# ---- tax that is not stated, or not at which rate ----

def export_again(s):
    (row,) = s.failed()
    status, answer = s.stack.receiver.api("POST", f"/failed/{row['id']}/export?wait=20", {})
    assert (status, answer["exported"], answer["failed"]) == (200, 1, 0), answer
    assert s.failed() == []


def lines_of(s):
    (invoice,) = s.invoices()
    return [(line["TaxType"], str(line["LineAmount"]), str(line["TaxAmount"])) for line in invoice["LineItems"]]


def test_vat_that_nobody_states_is_never_booked_as_none_without_being_told(stack):
    s = Seller(stack, settings={"vat_rates": {"DE": "0.19"}})
    body, order, total, _ = forwarded(V0[1])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_state(order, "failed")
    (row,) = s.failed()
    assert (row["catalogue"], row["fix_in"], row["failed_export"]) == (["vat-rate-missing"], "here", "Sales invoice")
    assert row["export_error"] == [
        "The prices may hold a VAT that the shop does not state, and settings.vat_rates has no rate for GB: it names "
        "neither \"GB\" nor \"*\"."]
    assert "(vat_rates)" in row["action_required"][0] and s.invoices() == []
    assert s.patch({"settings": {"vat_rates": {"DE": "0.19", "GB": "0.2"}}})[0] == 200
    export_again(s)
    assert lines_of(s) == [("OUTPUT2", "24.99", "4.16"), ("OUTPUT2", "2.99", "0.50")]
    (invoice,) = s.invoices()
    assert Decimal(invoice["Total"]) == total and invoice["LineAmountTypes"] == "Inclusive"


@pytest.mark.parametrize("rates, mapped, lines", [
    ({"*": "0"}, {}, [("ZERORATEDOUTPUT", "24.99", "0.00"), ("ZERORATEDOUTPUT", "2.99", "0.00")]),
    ({"*": "0.05"}, {"by_title": {"VAT GB": "RROUTPUT"}}, [("RROUTPUT", "24.99", "1.19"), ("RROUTPUT", "2.99", "0.14")]),
    ({"GB": "0.05", "*": "0.2"}, {"by_country": {"GB": "RROUTPUT"}},
     [("RROUTPUT", "24.99", "1.19"), ("RROUTPUT", "2.99", "0.14")]),
    ({"GB": "0.05"}, {"default": "RROUTPUT"}, [("RROUTPUT", "24.99", "1.19"), ("RROUTPUT", "2.99", "0.14")]),
], ids=["zero", "title", "country", "default"])
def test_vat_by_the_stores_rates_is_mapped_like_any_other(stack, rates, mapped, lines):
    s = Seller(stack, settings={"vat_rates": rates}, mappings=taxes(**mapped))
    body, order, _, _ = forwarded(V0[1])
    s.send(body, query=f"?seller={s.domain}")
    assert s.wait_state(order, "done", "failed")["st"] == "done", s.failed()
    assert lines_of(s) == lines


def test_other_rates_do_not_touch_what_is_in_the_books(stack):
    s = Seller(stack, settings={"vat_rates": {"GB": "0.2"}})
    body, order, _, _ = forwarded(V0[1])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    (before,) = s.invoices()
    for rates in ({"GB": "0.05"}, {}):
        assert s.patch({"settings": {"vat_rates": rates}})[0] == 200
        body["orderResponse"]["payload"].update(OrderStatus="Shipped", LastUpdateDate=f"2026-09-0{2 + len(rates)}T10:00:00Z")
        s.send(body, query=f"?seller={s.domain}")
        s.idle()
        assert s.failed() == [] and s.invoices() == [before]


@pytest.mark.parametrize("discount_lines", [False, True])
@pytest.mark.parametrize("mapped", [{"default": "OUTPUT2"}, {"by_country": {"US": "OUTPUT2"}}], ids=["default", "country"])
def test_a_stated_tax_is_written_as_stated_whatever_the_tax_type_charges(stack, mapped, discount_lines):
    """Amazon states no rates: one of 0 in by_rate is not meant. The mapped 20 % would be 8.00 of these 39.99."""
    s = Seller(stack, settings={"discount_lines": discount_lines},
               mappings=taxes(**{"by_title": {}, "by_rate": {"0": "EXEMPTOUTPUT"}, **mapped}))
    trade(s)
    body, order, total, _ = forwarded("getOrder_04_usd_49_99")
    parts = body["order"]["orderItems"][0]["proceeds"]["breakdowns"]
    body["order"]["orderItems"][0]["product"]["price"]["unitPrice"]["amount"] = "44.99"
    next(p for p in parts if p["type"] == "ITEM")["subtotal"]["amount"] = "44.99"
    parts.append({"type": "DISCOUNT", "subtotal": {"currencyCode": "USD", "amount": "5.00"}})
    s.send(body, query=f"?seller={s.domain}")
    assert s.wait_state(order, "done", "failed")["st"] == "done", s.failed()
    assert lines_of(s) == ([("OUTPUT2", "44.99", "10.00"), ("OUTPUT2", "-5.00", "0.00")] if discount_lines
                           else [("OUTPUT2", "39.99", "10.00")])
    assert Decimal(s.invoices()[0]["Total"]) == total


def test_a_stated_tax_that_nobody_mapped_fails_by_its_title(stack):
    s = Seller(stack, mappings=taxes(by_title={}, by_rate={"0": "EXEMPTOUTPUT"}))
    trade(s)
    body, order, _, _ = forwarded("getOrder_04_usd_49_99")
    s.send(body, query=f"?seller={s.domain}")
    s.wait_state(order, "failed")
    assert s.failed()[0]["export_error"] == [
        "[TaxCode Tax] is not mapped to an accounting tax: map the title \"Tax\" (mappings.taxes.by_title); its rate is "
        "not stated."]


@pytest.mark.parametrize("setting", ["leave_out", "clearing_account"])
def test_a_facilitators_tax_is_left_out_or_on_its_account(stack, setting):
    """In the United States no price holds a tax: vat_rates has nothing to do with it."""
    accounts = {**MAPPINGS["accounts"], "marketplace_tax": "205"}
    s = Seller(stack, settings={"vat_rates": {"*": "0.2"}, "marketplace_tax": setting},
               mappings={**MAPPINGS, "accounts": accounts})
    trade(s)
    body, order, total, kept = forwarded(V0[0])
    s.send(body, query=f"?seller={s.domain}")
    assert s.wait_state(order, "done", "failed")["st"] == "done", s.failed()
    clearing = [("ZERORATEDOUTPUT", "4.12", "0.00")] if setting == "clearing_account" else []
    assert lines_of(s) == [("ZERORATEDOUTPUT", "39.98", "0.00"), ("ZERORATEDOUTPUT", "5.99", "0.00"),
                           ("ZERORATEDOUTPUT", "4.02", "0.00"), *clearing]
    (invoice,) = s.invoices()
    assert Decimal(invoice["Total"]) == (total if clearing else total - kept) and Decimal(invoice["TotalTax"]) == 0


def test_an_untaxed_order_of_the_united_states_needs_no_rate(stack):
    s = Seller(stack)
    trade(s)
    body, order, total, _ = forwarded(V0[0])
    for item in body["orderItemsResponse"]["payload"]["OrderItems"]:
        del item["TaxCollection"], item["ItemTax"]
        item.pop("ShippingTax", None)
    body["orderResponse"]["payload"]["OrderTotal"]["Amount"] = "49.99"
    s.send(body, query=f"?seller={s.domain}")
    assert s.wait_state(order, "done", "failed")["st"] == "done", s.failed()
    assert {tax_type for tax_type, _, _ in lines_of(s)} == {"ZERORATEDOUTPUT"}


def test_the_same_order_again_makes_nothing_new(stack):
    s = Seller(stack)
    body, order, _, _ = forwarded(NEW[0])
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "queued"
    s.wait_done(order)
    calls = len(s.calls())
    s.send(body, query=f"?seller={s.domain}")
    s.idle()
    assert len(s.calls()) == calls and len(s.invoices()) == 1


def test_a_newer_order_in_a_message_that_is_sent_again_counts(seller):
    s = seller()
    body, order, _, _ = forwarded(NEW[0])
    newer = copy.deepcopy(body)
    newer["order"]["lastUpdatedTime"] = "2026-11-22T10:00:00Z"
    sent = [s.send({"Records": [record(x, message="one")]}, query=f"?seller={s.domain}")[1]["results"][0]["result"]
            for x in (body, body, newer, newer)]
    assert sent == ["queued", "duplicate", "queued", "duplicate"]


def test_a_tip_that_is_not_in_the_total_yet_is_named(stack):
    s = Seller(stack)
    body, order, total, _ = forwarded("searchOrders_05_usd_154_99_tip")
    tip, = [x for x in body["order"]["proceeds"]["breakdowns"] if x["type"] == "DELIVERY_TIP"]
    left = total - Decimal(tip["subtotal"]["amount"])
    tip["status"] = "PENDING"
    body["order"]["proceeds"]["grandTotal"]["amount"] = str(left)
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "unusable"
    (row,) = s.failed()
    assert f"tip of {tip['subtotal']['amount']} USD" in row["export_error"][0] and "finalises" in row["export_error"][0]
    # Another difference is none of the tip's.
    body["order"]["proceeds"]["grandTotal"]["amount"] = str(left - 1)
    body["order"]["lastUpdatedTime"] = "2026-11-22T10:00:00Z"
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "unusable"
    assert "finalises" not in s.failed()[0]["export_error"][0]
    tip["status"] = "FINALIZED"
    body["order"]["proceeds"]["grandTotal"]["amount"] = str(total)
    body["order"]["lastUpdatedTime"] = "2026-11-22T11:00:00Z"
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "queued"
    assert s.failed() == []


def test_an_order_that_fits_neither_way_is_on_the_failed_list_with_both_sums(stack):
    s = Seller(stack)
    body, order, _, _ = forwarded(V0[0])
    body["orderResponse"]["payload"]["OrderTotal"]["Amount"] = "60.00"
    status, answer = s.send(body, query=f"?seller={s.domain}")
    assert status == 200 and answer["result"] == "unusable"
    (row,) = s.failed()
    assert row["catalogue"] == ["unusable-order"] and row["exported_item"] == order
    for part in ("60.00 USD", "49.99", "54.11", "4.12"):
        assert part in row["export_error"][0]


def test_a_hidden_gift_wrap_says_how_to_fetch_the_order(stack):
    s = Seller(stack)
    body, order, _, _ = forwarded(V0[1])
    body["orderResponse"]["payload"]["OrderTotal"]["Amount"] = "31.98"
    body["orderItemsResponse"]["payload"]["OrderItems"][0]["IsGift"] = "true"
    assert s.send(body, query=f"?seller={s.domain}")[1]["result"] == "unusable"
    assert "2026-01-01" in s.failed()[0]["export_error"][0]


def test_a_pending_order_that_is_forwarded_waits_for_its_prices(stack):
    s = Seller(stack, settings={"auto_sync": "include_unpaid"})
    pending = {"orderResponse": sample("orders_v0/getOrder_01_pending_no_total")}
    status, answer = s.send(pending, query=f"?seller={s.domain}")
    assert (status, answer) == (200, {"result": "skipped", "reason": "waiting_for_prices"})
    assert s.failed() == []


def test_a_cancellation_before_the_export_withdraws_and_one_after_it_voids(stack):
    for export_first in (False, True):
        s = Seller(stack)
        body, order, _, _ = forwarded(NEW[0])
        later = copy.deepcopy(body)
        later["order"]["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
        later["order"]["lastUpdatedTime"] = "2024-12-26T16:30:00Z"
        if export_first:
            assert s.patch({"settings": {"status": "DRAFT"}})[0] == 200
            s.send(body, query=f"?seller={s.domain}")
            s.wait_done(order)
        answer = s.send(later, query=f"?seller={s.domain}")[1]
        s.idle()
        if not export_first:
            assert answer == {"result": "skipped", "reason": "cancelled_before_export"} and s.invoices() == []
        else:
            assert answer == {"result": "queued", "reason": "cancelled"}
            lib.wait_until(lambda: s.invoices()[0]["Status"] == "DELETED", "the draft is deleted")


def cancelled(body, how):
    """The order cancelled, as it still says its amounts, says zeroes, or nothing at all."""
    later = copy.deepcopy(body)
    order = later["order"]
    order["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
    order["lastUpdatedTime"] = "2025-12-26T16:30:00Z"
    if how == "nothing":
        del order["proceeds"]
    if how == "zeroes":
        order["proceeds"]["grandTotal"]["amount"] = "0.00"
    for item in order["orderItems"] if how != "amounts" else []:
        item.pop("proceeds"), item["product"].pop("price", None), item.update(quantityOrdered=0)
        if how == "zeroes":
            item["proceeds"] = {"breakdowns": [{"type": "ITEM", "subtotal": order["proceeds"]["grandTotal"]}]}
    return later


def books_of(s):
    """What the documents come to, less credit notes, and the money that stays in the account."""
    books = s.books()
    sums = lambda rows, field: sum((Decimal(r[field]) for r in rows), Decimal(0))
    back = [p for p in books["payments"] if p["Reference"].endswith(" cancelled")]
    came = [p for p in books["payments"] if p not in back]
    return (sums(books["invoices"], "Total") - sums(books["credit_notes"], "Total"),
            sums(books["invoices"], "TotalTax") - sums(books["credit_notes"], "TotalTax"),
            sums(came, "Amount") - sums(back, "Amount"), sums(books["credit_notes"], "RemainingCredit"))


@pytest.mark.parametrize("how", ["amounts", "zeroes", "nothing"])
@pytest.mark.parametrize("name", [NEW[0], NEW[6]], ids=["tax on top", "vat unstated"])
def test_what_was_booked_as_paid_is_taken_back_when_amazon_cancels(stack, name, how):
    """Amazon pays nothing for it, and never tells a refund: sale, tax and money go to 0."""
    s = Seller(stack, settings={"vat_rates": VAT_RATES})
    body, order, total, _ = forwarded(name)
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    assert books_of(s)[0] == books_of(s)[2] == total
    assert s.send(cancelled(body, how), query=f"?seller={s.domain}")[1] == {"result": "queued", "reason": "cancelled"}
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (0, 0, 0, 0))
    again = cancelled(body, how)
    again["order"]["lastUpdatedTime"] = "2025-12-27T16:30:00Z"
    s.send(again, query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s), len(s.books()["payments"])) == ([], (0, 0, 0, 0), 2)


def test_a_discount_line_is_taken_back_with_the_tax_that_it_was_written_with(stack):
    """Amazon states no rates: what the mapped tax type would charge on the discount is not meant."""
    s = Seller(stack, settings={"discount_lines": True})
    trade(s)
    body, order, total, _ = forwarded(NEW[3])
    parts = body["order"]["orderItems"][0]["proceeds"]["breakdowns"]
    next(p for p in parts if p["type"] == "ITEM")["subtotal"]["amount"] = "44.99"
    parts.append({"type": "DISCOUNT", "subtotal": {"currencyCode": "USD", "amount": "5.00"}})
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    assert books_of(s) == (total, 10, total, 0)
    s.send(cancelled(body, "amounts"), query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (0, 0, 0, 0))


def test_prices_that_turn_out_to_be_without_tax_are_not_taken_from_others_with_it(stack):
    """With the seller's own taxed item gone, what Amazon keeps fits on top of the rest; the sale had it in the prices."""
    s = Seller(stack)
    body, order, _, _ = forwarded(NEW[6])
    part = lambda kind, amount: {"type": kind, "subtotal": {"amount": amount, "currencyCode": "GBP"}}
    own, kept = body["order"]["orderItems"][0], copy.deepcopy(body["order"]["orderItems"][0])
    own["proceeds"] = {"breakdowns": [part("ITEM", "12.00"), part("TAX", "2.00")]}
    kept.update(orderItemId="77", proceeds={"breakdowns": [part("ITEM", "6.00"), part("TAX", "1.00")]},
                tax={"taxCollections": [{"model": "MARKETPLACE_FACILITATOR"}]})
    body["order"]["orderItems"].append(kept)
    body["order"]["proceeds"]["grandTotal"]["amount"] = "18.00"
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    before = books_of(s)
    assert before == (17, 2, 17, 0) and s.invoices()[0]["LineAmountTypes"] == "Inclusive"
    less = copy.deepcopy(body)
    less["order"].update(orderItems=[kept], lastUpdatedTime="2025-12-01T00:00:00Z")
    less["order"]["proceeds"]["grandTotal"]["amount"] = "6.00"
    s.send(less, query=f"?seller={s.domain}")
    s.idle()
    (row,) = s.failed()
    assert row["catalogue"] == ["prices-changed-kind"] and "cannot be told" in row["export_error"][0]
    assert books_of(s) == before
    s.send(cancelled(less, "amounts"), query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (0, 0, 0, 0))


def test_an_order_without_tax_at_first_is_taken_back_as_what_followed(stack):
    """The sale says neither that prices include tax nor that they do not."""
    s = Seller(stack)
    trade(s)
    body, order, total, _ = forwarded(NEW[3])
    free = copy.deepcopy(body)
    free["order"]["orderItems"][0]["proceeds"]["breakdowns"] = [
        {"type": kind, "subtotal": {"amount": "39.99", "currencyCode": "USD"}} for kind in ("ITEM", "DISCOUNT")]
    free["order"]["orderItems"].append({"orderItemId": "2", "quantityOrdered": 1, "product": {}, "proceeds": {"breakdowns": [
        {"type": "ITEM", "subtotal": {"amount": "1.00", "currencyCode": "USD"}}]}})
    free["order"]["proceeds"]["grandTotal"]["amount"] = "1.00"
    s.send(free, query=f"?seller={s.domain}")
    s.wait_done(order)
    body["order"].update(lastUpdatedTime="2025-12-01T00:00:00Z")
    body["order"]["orderItems"][0]["orderItemId"] = "3"
    s.send(body, query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (total, 10, total, 0))
    s.send(cancelled(body, "nothing"), query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (0, 0, 0, 0))


def test_an_item_without_the_tax_that_the_marketplace_keeps_is_taken_back(stack):
    """What the order comes to holds that tax, and what was booked does not."""
    s = Seller(stack)
    trade(s)
    body, order, total, kept = forwarded(V0[0])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    assert books_of(s) == (total - kept, 0, total - kept, 0)
    less = copy.deepcopy(body)
    less["orderResponse"]["payload"]["LastUpdateDate"] = "2026-12-01T00:00:00Z"
    items = less["orderItemsResponse"]["payload"]["OrderItems"]
    gone = items.pop()
    less["orderResponse"]["payload"]["OrderTotal"]["Amount"] = str(
        total - sum(Decimal(gone[k]["Amount"]) for k in ("ItemPrice", "ItemTax", "ShippingPrice", "ShippingTax") if k in gone))
    left = total - kept - sum(Decimal(gone[k]["Amount"]) for k in ("ItemPrice", "ShippingPrice") if k in gone)
    s.send(less, query=f"?seller={s.domain}")
    s.idle()
    assert (s.failed(), books_of(s)) == ([], (left, 0, left, 0))


def test_an_item_that_amazon_cancels_is_taken_back_with_its_money(stack):
    """First the only item with a tax, then back again, then all."""
    s = Seller(stack)
    trade(s)
    body, order, total, _ = forwarded(NEW[4])
    s.send(body, query=f"?seller={s.domain}")
    s.wait_done(order)
    less = copy.deepcopy(body)
    less["order"]["lastUpdatedTime"] = "2025-01-01T00:00:00Z"
    less["order"]["proceeds"]["grandTotal"]["amount"] = "54.99"
    item = less["order"]["orderItems"][0]
    item.update(quantityOrdered=0, proceeds={"breakdowns": [{"type": "ITEM", "subtotal": {"amount": "0", "currencyCode": "USD"}}]})
    more = copy.deepcopy(body)
    more["order"]["lastUpdatedTime"] = "2025-01-02T00:00:00Z"
    for step, left, tax in ((less, "54.99", "0"), (more, str(total), "0.02"), (cancelled(body, "nothing"), "0", "0")):
        s.send(step, query=f"?seller={s.domain}")
        s.idle()
        assert (s.failed(), books_of(s)) == ([], (Decimal(left), Decimal(tax), Decimal(left), 0))


def test_partial_shipments_bring_the_same_invoice_up_to_date(stack):
    s = Seller(stack, settings={"sync_on_fulfilled": True, "only_sync_fulfilled": True, "vat_rates": VAT_RATES},
               mappings=taxes(default="TAX003"))
    body, order, total, _ = forwarded(NEW[5])
    part = copy.deepcopy(body)
    part["order"]["fulfillment"]["fulfillmentStatus"] = "UNSHIPPED"
    part["order"]["lastUpdatedTime"] = "2024-12-25T04:00:00Z"
    assert s.send(part, query=f"?seller={s.domain}")[1]["reason"] == "waiting_for_fulfilment"
    assert s.send(body, query=f"?seller={s.domain}")[1] == {"result": "queued", "reason": "fulfilled"}
    s.wait_done(order)
    assert Decimal(s.invoices()[0]["Total"]) == total
