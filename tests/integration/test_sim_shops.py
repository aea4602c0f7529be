"""The shops' side of the simulator: Login with Amazon, the Orders API, SQS and Shopify's Admin API,
each asked over HTTP.
"""

import datetime
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from decimal import Decimal

import pytest

import orders as shopify_orders
from simclient import SIM, server, sim

__all__ = ["server", "sim"]  # fixtures

sys.path.insert(0, str(SIM))
import amazon  # noqa: E402
import amazon_model  # noqa: E402
import sigv4  # noqa: E402

CLIENT, SECRET = "amzn1.application-oa2-client.demo", "amzn1.oa2-cs.v1.demo"
SELLER, REFRESH = "A000SAMPLESELL", "Atzr|demo-refresh-token"
ORDERS = "/orders/2026-01-01/orders"
KEY, AWS_SECRET, REGION = "AKIDDEMO", "demo-aws-secret", "eu-west-1"
QUEUE = "/123456789012/orders"
SHOP, TOKEN, GRAPH = "demo-shop.myshopify.com", "shpat_demo", "/admin/api/2026-07/graphql.json"
SAMPLES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "samples" / "amazon"
NOW = "2026-11-01T10:00:00Z"

needs_model = pytest.mark.skipif(
    amazon_model.model() is None,
    reason=f"no copy of Amazon's description at {amazon_model.location()} (LH_AMAZON_SPEC)",
)


def violations(sim):
    return [one["kind"] for one in sim.control("GET", "violations")["violations"]]


# -- Login with Amazon -----------------------------------------------------------------------------


def login(sim, **changes):
    form = {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH,
        "client_id": CLIENT,
        "client_secret": SECRET,
        **changes,
    }
    body = urllib.parse.urlencode({k: v for k, v in form.items() if v is not None}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    return sim.call("POST", "/auth/o2/token", body, kind)


def access(sim, **changes):
    return login(sim, **changes).json["access_token"]


def test_login_gives_an_hour(sim):
    answer = login(sim)
    told = answer.json
    assert (answer.status, told["token_type"], told["expires_in"]) == (200, "bearer", 3600)
    assert told["refresh_token"] == REFRESH and told["access_token"].startswith("Atza|")


@pytest.mark.parametrize(
    "changes, status, error",
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"refresh_token": "Atzr|other"}, 400, "invalid_grant"),
        ({"refresh_token": None}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 400, "invalid_request"),
    ],
)
def test_login_refuses(sim, changes, status, error):
    answer = login(sim, **changes)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.json["error_description"]


def test_a_refresh_token_is_of_one_application(sim):
    sim.control("POST", "amazon/clients", {"client_id": "second", "client_secret": "s2"})
    answer = login(sim, client_id="second", client_secret="s2")
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")


def test_destinations_are_the_apps_and_subscriptions_the_sellers(sim):
    alone = {"grant_type": "client_credentials", "scope": "sellingpartnerapi::notifications"}
    app, of_seller = access(sim, refresh_token=None, **alone), access(sim)
    where = {"name": "n", "resourceSpecification": {"sqs": {"arn": "arn:aws:sqs:eu-west-1:1:q"}}}

    def ask(path, token, body):
        return sim.call("POST", "/eu/notifications/v1/" + path, body, {"x-amz-access-token": token})

    assert login(sim, refresh_token=None, **{**alone, "scope": "x"}).json["error"] == "invalid_scope"
    assert ask("destinations", of_seller, where).status == 403
    assert ask("destinations", app, {**where, "more": 1}).status == 400
    made = ask("destinations", app, where).json["payload"]["destinationId"]
    wanted = {"payloadVersion": "1.0", "destinationId": made,
              "processingDirective": {"eventFilter": {"eventFilterType": "ORDER_CHANGE"}}}  # fmt: skip
    assert ask("subscriptions/ORDER_CHANGE", app, wanted).status == 403
    assert ask("subscriptions/ORDER_CHANGE", of_seller, {**wanted, "destinationId": "x"}).status == 400
    assert ask("subscriptions/ORDER_CHANGE", of_seller, wanted).status == 200
    assert len(sim.control("GET", "amazon/notices")["subscriptions"]) == 1


# -- the Orders API --------------------------------------------------------------------------------


def item(**more):
    money = {"amount": "20.00", "currencyCode": "GBP"}
    return {
        "orderItemId": "11111111111111",
        "quantityOrdered": 2,
        "product": {"title": "Mug", "sellerSku": "MUG", "price": {"unitPrice": money}},
        "proceeds": {"proceedsTotal": money, "breakdowns": [{"type": "ITEM", "subtotal": money}]},
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2},
        "promotion": {"breakdowns": [{"promotionId": "P1"}]},
        "tax": {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR"}]},
        **more,
    }


def amazon_order(number=1, status="UNSHIPPED", at=NOW, **more):
    return {
        "orderId": f"202-0000000-{number:07d}",
        "createdTime": at,
        "lastUpdatedTime": at,
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A1F83G8C2ARO7P"},
        "buyer": {"buyerName": "Ada Buyer"},
        "recipient": {"deliveryAddress": {"city": "Example", "countryCode": "GB"}},
        "proceeds": {"grandTotal": {"amount": "20.00", "currencyCode": "GBP"}},
        "fulfillment": {"fulfillmentStatus": status, "fulfilledBy": "MERCHANT"},
        "orderItems": [item()],
        **more,
    }


def put_orders(sim, *found, **more):
    sim.control("POST", "amazon/orders", {"orders": list(found), **more})


class Seller:
    """A seller's view of the Orders API."""

    def __init__(self, sim, token=None):
        self.sim = sim
        self.token = token or access(sim)

    def get(self, path="", prefix="", **query):
        text = urllib.parse.urlencode(query, safe=",")
        target = prefix + ORDERS + path + ("?" + text if text else "")
        headers = {"x-amz-access-token": self.token, "User-Agent": "Test/1.0 (Language=Python)"}
        return self.sim.call("GET", target, None, headers)

    def search(self, **query):
        answer = self.get("", **{"lastUpdatedAfter": "2026-01-01T00:00:00Z", **query})
        assert answer.status == 200, answer.raw
        return answer.json


@pytest.fixture
def seller(sim):
    return Seller(sim)


def test_an_order_shows_what_was_asked_for(sim, seller):
    put_orders(sim, amazon_order())
    path = "/" + amazon_order()["orderId"]
    bare = seller.get(path).json["order"]
    assert set(bare) == {
        "orderId", "createdTime", "lastUpdatedTime", "salesChannel", "orderItems"}  # fmt: skip
    assert set(bare["orderItems"][0]) == {"orderItemId", "quantityOrdered", "product"}
    assert "price" not in bare["orderItems"][0]["product"]
    full = seller.get(path, includedData="BUYER,PROCEEDS,PROMOTION,FULFILLMENT,TAX,PAYMENT").json
    assert full["order"]["buyer"]["buyerName"] == "Ada Buyer" and "recipient" not in full["order"]
    assert full["order"]["orderItems"] == [item()]
    assert violations(sim) == []


def test_a_pending_order_has_no_prices(sim, seller):
    put_orders(sim, amazon_order(status="PENDING"))
    order = seller.get("/" + amazon_order()["orderId"], includedData="PROCEEDS").json["order"]
    assert "proceeds" not in order and "price" not in order["orderItems"][0]["product"]


def test_people_are_shown_by_role(sim, seller):
    sim.control("POST", "amazon/sellers", {"seller_id": SELLER, "roles": ["RECIPIENT"]})
    put_orders(sim, amazon_order())
    order = seller.get("/" + amazon_order()["orderId"], includedData="BUYER,RECIPIENT").json[
        "order"
    ]
    assert "buyer" not in order and "recipient" in order
    sim.control("POST", "amazon/sellers", {"seller_id": SELLER, "refuses": True})
    path = "/" + amazon_order()["orderId"]
    assert seller.get(path, includedData="BUYER,PROCEEDS").status == 403
    assert seller.get(path, includedData="RECIPIENT,PROCEEDS").status == 200


def test_answers_tell_their_rate(sim, seller):
    put_orders(sim, amazon_order())
    found = seller.get("/" + amazon_order()["orderId"])
    missing = seller.get("/202-0000000-9999999")
    listed = seller.get("", lastUpdatedAfter=NOW)
    assert [one.headers["x-amzn-RateLimit-Limit"] for one in (found, missing, listed)] == [
        "0.5", "0.5", "0.0056"]  # fmt: skip
    assert missing.status == 404 and missing.json["errors"][0]["code"] == "NotFound"
    seller.token = "Atza|other"
    refused = seller.get("", lastUpdatedAfter=NOW)
    assert "x-amzn-RateLimit-Limit" not in refused.headers and refused.headers["x-amzn-RequestId"]


@pytest.mark.parametrize(
    "spoil, details",
    [
        (lambda sim, seller: setattr(seller, "token", ""), "missing"),
        (lambda sim, seller: setattr(seller, "token", "Atza|x"), "malformed"),
        (lambda sim, seller: sim.control("POST", "clock", {"advance_seconds": 3601}), "expired"),
        (lambda sim, seller: act(sim, "revoke"), "revoked"),
        (lambda sim, seller: act(sim, "expire_tokens"), "expired"),
    ],
)
def test_tokens_that_open_nothing(sim, seller, spoil, details):
    spoil(sim, seller)
    answer = seller.get("", lastUpdatedAfter=NOW)
    error = answer.json["errors"][0]
    assert (answer.status, error["code"]) == (403, "Unauthorized")
    assert details in error["details"]


def act(sim, what):
    sim.control("POST", "amazon/act", {"do": what, "seller_id": SELLER})


def test_a_revoked_seller_gets_no_new_token(sim):
    act(sim, "revoke")
    assert login(sim).json["error"] == "invalid_grant"


def test_another_seller_sees_nothing(sim, seller):
    sim.control("POST", "amazon/sellers", {"seller_id": "A2OTHER", "refresh_token": "Atzr|2"})
    put_orders(sim, amazon_order())
    other = Seller(sim, access(sim, refresh_token="Atzr|2"))
    assert other.get("/" + amazon_order()["orderId"]).status == 404
    assert other.search()["orders"] == [] and len(seller.search()["orders"]) == 1


def test_a_region_has_its_own_address(sim, seller):
    put_orders(sim, amazon_order())
    path = "/" + amazon_order()["orderId"]
    assert seller.get(path, prefix="/na").status == 200
    sim.control("POST", "amazon/sellers", {"seller_id": SELLER, "region": "eu"})
    assert [seller.get(path, prefix=one).status for one in ("", "/eu", "/na")] == [200, 200, 403]


def test_the_bucket_of_one_order(sim, seller):
    put_orders(sim, amazon_order())
    path = "/" + amazon_order()["orderId"]
    assert [seller.get(path).status for _ in range(31)] == [200] * 30 + [429]
    refused = seller.get(path)
    assert refused.json["errors"][0]["code"] == "QuotaExceeded"
    assert "x-amzn-RateLimit-Limit" not in refused.headers
    assert violations(sim) == ["limit_getOrder"] * 2
    assert seller.get("", lastUpdatedAfter=NOW).status == 200  # has a bucket of its own
    sim.control("POST", "clock", {"advance_seconds": 2})
    assert [seller.get(path).status for _ in range(2)] == [200, 429]


def test_rates_can_be_set(sim, seller):
    spec = {"seller_id": SELLER, "rates": {"searchOrders": [5, 1]}}
    sim.control("POST", "amazon/sellers", spec)
    answers = [seller.get("", lastUpdatedAfter=NOW) for _ in range(2)]
    assert [one.status for one in answers] == [200, 429]
    assert answers[0].headers["x-amzn-RateLimit-Limit"] == "5.0"
    sim.control("POST", "amazon/sellers", {"seller_id": SELLER, "limits": False})
    assert {seller.get("", lastUpdatedAfter=NOW).status for _ in range(9)} == {200}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"createdAfter": NOW, "lastUpdatedAfter": NOW},
        {"lastUpdatedAfter": NOW, "createdBefore": NOW},
        {"lastUpdatedAfter": NOW, "lastUpdatedBefore": "2026-10-01T00:00:00Z"},
        {"lastUpdatedAfter": NOW, "lastUpdatedBefore": "2099-01-01T00:00:00Z"},
        {"lastUpdatedAfter": "yesterday"},
        {"lastUpdatedAfter": NOW, "maxResultsPerPage": "0"},
        {"lastUpdatedAfter": NOW, "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": NOW, "maxResultsPerPage": "ten"},
        {"lastUpdatedAfter": NOW, "includedData": "BUYER,MONEY"},
        {"lastUpdatedAfter": NOW, "fulfillmentStatuses": "Shipped"},
        {"lastUpdatedAfter": NOW, "marketplaceIds": ",".join(["A"] * 51)},
        {"lastUpdatedAfter": NOW, "paginationToken": "nothing"},
    ],
)
def test_search_refuses(sim, seller, query):
    answer = seller.get("", **query)
    assert (answer.status, answer.json["errors"][0]["code"]) == (400, "InvalidInput")
    assert violations(sim) == ["schema"]


def test_unknown_parameters_and_missing_agents_are_violations(sim, seller):
    seller.search(MarketplaceIds="A1F83G8C2ARO7P")
    sim.call("GET", ORDERS + "/x", None, {"x-amz-access-token": seller.token})
    assert violations(sim) == ["unknown_parameter", "user_agent"]


def test_search_filters(sim, seller):
    put_orders(
        sim, amazon_order(1), amazon_order(2, "SHIPPED"), amazon_order(3, at="2026-10-01T00:00:00Z")
    )

    def numbers(**query):
        return sorted(int(one["orderId"][-1]) for one in seller.search(**query)["orders"])

    assert numbers() == [1, 2, 3]
    assert numbers(lastUpdatedAfter=NOW) == [1, 2]
    assert numbers(fulfillmentStatuses="SHIPPED,CANCELLED") == [2]
    assert numbers(marketplaceIds="ATVPDKIKX0DER") == []
    assert numbers(fulfilledBy="AMAZON") == []
    assert numbers(lastUpdatedBefore="2026-10-02T00:00:00Z") == [3]


def test_what_changed_just_now_is_not_listed_yet(sim, seller):
    order = amazon_order()
    del order["lastUpdatedTime"]
    put_orders(sim, order)
    assert seller.search()["orders"] == []
    sim.control("POST", "clock", {"advance_seconds": 121})
    found = seller.search()
    assert len(found["orders"]) == 1
    assert found["lastUpdatedBefore"] > found["orders"][0]["lastUpdatedTime"]


def test_pages_come_newest_first_and_their_tokens_end(sim, seller):
    put_orders(sim, *(amazon_order(n, at=f"2026-11-0{n}T00:00:00Z") for n in range(1, 6)))
    query = {"lastUpdatedAfter": "2026-01-01T00:00:00Z", "maxResultsPerPage": 2}
    seen, token = [], {}
    while True:
        answer = seller.get("", **query, **token)
        seen += [int(one["orderId"][-1]) for one in answer.json["orders"]]
        if "pagination" not in answer.json:
            break
        token = {"paginationToken": answer.json["pagination"]["nextToken"]}
    assert seen == [5, 4, 3, 2, 1]
    assert seller.get("", **token, maxResultsPerPage=2).status == 400  # without its parameters
    assert seller.get("", **{**query, "maxResultsPerPage": 3}, **token).status == 400
    sim.control("POST", "clock", {"advance_seconds": 86401})
    seller.token = access(sim)
    assert seller.get("", **query, **token).status == 400


@needs_model
def test_the_parameters_are_those_of_the_description():
    for path, operation in ((ORDERS + "/{orderId}", "getOrder"), (ORDERS, "searchOrders")):
        described = {
            one["name"]: one for one in amazon_model.model()["paths"][path]["get"]["parameters"]
            if one["in"] == "query"
        }  # fmt: skip
        ours = amazon.PARAMETERS[operation]
        assert set(ours) == set(described)
        for name, kind in ours.items():
            values = described[name].get("items", {}).get("enum")
            assert (values is None) == (not isinstance(kind, tuple)), name
            assert values is None or set(values) == set(kind)
            assert (kind == "time") == (described[name].get("format") == "date-time")


@needs_model
def test_answers_keep_to_the_description(sim, seller):
    samples = sorted((SAMPLES / "orders_2026-01-01").glob("*.json")) if SAMPLES.is_dir() else []
    found = [amazon_order()]
    for path in samples:
        told = json.loads(path.read_text("utf-8"))
        told = told.get("payload", told)
        found += told.get("orders") or [told["order"]]
    put_orders(sim, *found)
    everything = ",".join(amazon.DATASETS)
    assert (
        amazon_model.faults(
            "SearchOrdersResponse",
            seller.search(lastUpdatedAfter="2020-01-01T00:00:00Z", includedData=everything),
        )
        == []
    )
    for order in found:
        answer = seller.get("/" + order["orderId"], includedData=everything).json
        assert amazon_model.faults("GetOrderResponse", answer) == []
    refused = seller.get("", lastUpdatedAfter="never").json
    assert amazon_model.faults("ErrorList", refused) == []


@needs_model
def test_an_order_that_amazon_cannot_have_is_refused(sim):
    for broken in (
        amazon_order(price="1"),
        amazon_order(orderItems=[item(quantityOrdered="2")]),
        amazon_order(status="Shipped"),
        {"orderId": "x"},
    ):
        reply = sim.call("POST", "/_sim/amazon/orders", {"orders": [broken]})
        assert reply.status == 400, broken


def test_faults_hit_amazon(sim, seller):
    put_orders(sim, amazon_order())
    path = "/" + amazon_order()["orderId"]
    sim.control("POST", "faults", {"path": ORDERS, "tenant": SELLER, "fault": "status",
                                   "status": 429, "headers": {"Retry-After": "7"}})  # fmt: skip
    assert (seller.get(path).status, seller.get(path).status) == (429, 200)
    sim.control("POST", "faults", {"path": "/auth/", "fault": "status", "status": 500})
    assert (login(sim).status, login(sim).status) == (500, 200)
    sim.control("POST", "faults", {"path": ORDERS, "fault": "reset_before"})
    with pytest.raises(OSError):
        seller.get(path)
    calls = sim.control("GET", "calls")["calls"]
    assert calls[-1]["status"] == "drop" and calls[-1]["tenant"] == SELLER
    assert violations(sim) == []


# -- SQS -------------------------------------------------------------------------------------------


class Signer:
    """A client of SQS that signs; SPOIL changes the headers after signing."""

    def __init__(self, sim, key=KEY, secret=AWS_SECRET, region=REGION, **spoil):
        self.sim, self.key, self.secret, self.region, self.spoil = sim, key, secret, region, spoil

    def call(self, action, at=None, **body):
        body = json.dumps({"QueueUrl": self.sim.url + QUEUE, **body}).encode()
        stamp = (at or datetime.datetime.now(datetime.timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "host": self.sim.address,
            "x-amz-date": stamp,
            "x-amz-target": "AmazonSQS." + action,
        }
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        digest = hashlib.sha256(body).hexdigest()
        request = "\n".join(("POST", "/", "", lines, names, digest))
        scope = f"{stamp[:8]}/{self.region}/sqs/aws4_request"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashed))
        signature = sigv4.sign(self.secret, stamp[:8], self.region, "sqs", text)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        headers.update(self.spoil)
        reply = self.sim.call("POST", "/", body, headers)
        reply.told = json.loads(reply.raw) if reply.raw else None
        return reply

    def receive(self, **more):
        return self.call("ReceiveMessage", MaxNumberOfMessages=10, **more).told.get("Messages", [])


@pytest.fixture
def queue(sim):
    return Signer(sim)


def put(sim, text="hello", **more):
    return sim.control("POST", "sqs/send", {"body": text, **more})["message_id"]


def test_a_message_is_received_hidden_and_deleted(sim, queue):
    message_id = put(sim)
    first = queue.receive(AttributeNames=["All"])[0]
    assert (first["MessageId"], first["Body"]) == (message_id, "hello")
    assert first["MD5OfBody"] == hashlib.md5(b"hello").hexdigest()
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert queue.call("ReceiveMessage").told == {}
    sim.control("POST", "clock", {"advance_seconds": 31})
    second = queue.receive(MessageSystemAttributeNames=["ApproximateReceiveCount"])[0]
    assert second["Attributes"] == {"ApproximateReceiveCount": "2"}
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    queue.call(
        "DeleteMessage", ReceiptHandle=first["ReceiptHandle"]
    )  # an old handle: yes, and kept
    sim.control("POST", "clock", {"advance_seconds": 31})
    third = queue.receive()[0]
    assert queue.call("DeleteMessage", ReceiptHandle=third["ReceiptHandle"]).status == 200
    sim.control("POST", "clock", {"advance_seconds": 31})
    assert queue.receive() == []
    assert [one["state"] for one in sim.control("GET", "sqs/messages")["messages"]] == ["deleted"]
    sim.control("POST", "sqs/redeliver", {"message_id": message_id})
    assert [one["MessageId"] for one in queue.receive()] == [message_id]


def test_a_batch_tells_of_each(sim, queue):
    for number in range(3):
        put(sim, str(number))
    handles = [one["ReceiptHandle"] for one in queue.receive()]
    entries = [{"Id": f"m{n}", "ReceiptHandle": one} for n, one in enumerate(handles)]
    sim.control("POST", "faults", {"path": "/AmazonSQS.DeleteMessageBatch",
                                   "fault": "element_error", "index": 1})  # fmt: skip
    told = queue.call(
        "DeleteMessageBatch", Entries=[*entries, {"Id": "x", "ReceiptHandle": "y"}]
    ).told
    assert [one["Id"] for one in told["Successful"]] == ["m0", "m2"]
    assert [(one["Id"], one["SenderFault"]) for one in told["Failed"]] == [
        ("m1", False),
        ("x", True),
    ]
    for entries, kind in (
        ([], "EmptyBatchRequest"),
        ([{"Id": "1", "ReceiptHandle": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": str(n), "ReceiptHandle": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
    ):
        reply = queue.call("DeleteMessageBatch", Entries=entries)
        assert (reply.status, reply.told["__type"]) == (400, "com.amazonaws.sqs#" + kind)


def test_a_poll_waits_for_a_message(sim, queue):
    began = time.monotonic()
    assert queue.receive(WaitTimeSeconds=1) == []
    assert time.monotonic() - began >= 1
    found = []
    thread = threading.Thread(target=lambda: found.extend(queue.receive(WaitTimeSeconds=20)))
    began = time.monotonic()
    thread.start()
    sim.wait(lambda: any(one["status"] is None for one in sim.control("GET", "calls")["calls"]))
    put(sim)
    thread.join(10)
    assert len(found) == 1 and time.monotonic() - began < 10


def test_a_reset_ends_polls(sim, queue):
    done = []
    thread = threading.Thread(target=lambda: done.append(queue.receive(WaitTimeSeconds=20)))
    thread.start()
    sim.wait(lambda: any(one["status"] is None for one in sim.control("GET", "calls")["calls"]))
    sim.control("POST", "reset")
    thread.join(10)
    assert done == [[]]


def test_visibility_can_be_changed(sim, queue):
    put(sim)
    handle = queue.receive()[0]["ReceiptHandle"]
    queue.call("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=0)
    assert len(queue.receive()) == 1
    shown = queue.call("GetQueueAttributes", AttributeNames=["All"]).told["Attributes"]
    assert shown["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert shown["QueueArn"] == "arn:aws:sqs:eu-west-1:123456789012:orders"


@pytest.mark.parametrize(
    "spec, kind",
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "AKIDOTHER"}, "InvalidClientTokenId"),
        ({"region": "us-east-1"}, "SignatureDoesNotMatch"),
        ({"x-amz-target": "AmazonSQS.SendMessage"}, "SignatureDoesNotMatch"),
        ({"x-amz-extra": "unsigned"}, "SignatureDoesNotMatch"),
        ({"authorization": "Bearer x"}, "IncompleteSignature"),
    ],
)
def test_signatures_are_verified(sim, spec, kind):
    reply = Signer(sim, **spec).call("ReceiveMessage")
    assert (reply.status, reply.told["__type"].partition("#")[2]) == (403, kind)
    assert reply.headers["x-amzn-query-error"] == kind + ";Sender"
    assert violations(sim) == ["signature"]


def test_an_old_signature_is_refused(sim, queue):
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=16)
    assert queue.call("ReceiveMessage", at=old).status == 403


def test_curl_signs_as_we_verify(sim):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    put(sim)
    result = subprocess.run(
        ["curl", "-s", sim.url + "/", "--aws-sigv4", f"aws:amz:{REGION}:sqs",
         "-u", f"{KEY}:{AWS_SECRET}", "-H", "Content-Type: application/x-amz-json-1.0",
         "-H", "X-Amz-Target: AmazonSQS.ReceiveMessage", "-d",
         json.dumps({"QueueUrl": sim.url + QUEUE})],
        capture_output=True, text=True, timeout=20, check=True)  # fmt: skip
    assert json.loads(result.stdout)["Messages"][0]["Body"] == "hello"
    assert violations(sim) == []


@pytest.mark.parametrize(
    "action, body, kind",
    [
        ("ReceiveMessage", {"QueueUrl": "https://x/1/none"}, "QueueDoesNotExist"),
        ("ReceiveMessage", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("ReceiveMessage", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("ReceiveMessage", {"MaxNumberOfMessages": "5"}, "InvalidParameterValue"),
        ("DeleteMessage", {"ReceiptHandle": "x"}, "ReceiptHandleIsInvalid"),
        ("SendMessage", {}, "MissingParameter"),
        ("PurgeQueue", {}, "UnknownOperationException"),
    ],
)
def test_sqs_refuses(queue, action, body, kind):
    reply = queue.call(action, **body)
    assert (reply.status, reply.told["__type"].partition("#")[2]) == (400, kind)


def test_faults_hit_sqs_by_their_target(sim, queue):
    put(sim)
    sim.control("POST", "faults", {"path": "/AmazonSQS.ReceiveMessage", "fault": "reset_after"})
    with pytest.raises(OSError):
        queue.receive()
    assert queue.receive() == []  # received by nobody, and hidden
    sim.control("POST", "clock", {"advance_seconds": 31})
    assert len(queue.receive()) == 1
    assert sim.control("GET", "calls")["calls"][-1]["path"] == "/AmazonSQS.ReceiveMessage"


def test_a_notification_of_an_order(sim, queue):
    put_orders(sim, amazon_order(status="SHIPPED"))
    told = sim.control("POST", "amazon/notify", {"order_id": amazon_order()["orderId"]})
    body = json.loads(queue.receive()[0]["Body"])
    change = body["Payload"]["OrderChangeNotification"]
    assert body == told["notification"] and body["NotificationType"] == "ORDER_CHANGE"
    assert (change["SellerId"], change["Summary"]["OrderStatus"]) == (SELLER, "Shipped")


# -- Shopify: GraphQL ------------------------------------------------------------------------------

MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
LIST = """query List($query: String, $after: String, $first: Int!) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    edges { cursor node { id updatedAt } }
  }
}"""


class Shop:
    def __init__(self, sim, token=TOKEN):
        self.sim, self.token = sim, token

    def call(self, method, target, body=None, **headers):
        given = {"X-Shopify-Access-Token": self.token, "Content-Type": "application/json"}
        return self.sim.call(method, target, body, {**given, **headers})

    def graph(self, text, **variables):
        reply = self.call("POST", GRAPH, {"query": text, "variables": variables})
        assert reply.status == 200, reply.raw
        return reply.json

    def put(self, *found):
        self.sim.control("POST", "shopify/orders", {"orders": list(found)})
        return found

    def errors(self, text, **variables):
        return [
            (one.get("extensions", {}).get("code"), one["message"])
            for one in self.graph(text, **variables)["errors"]
        ]

    def order(self, body, fields):
        text = "query One($id: ID!) { order(id: $id) { %s } }" % fields
        return self.graph(text, id=f"gid://shopify/Order/{body['id']}")["data"]["order"]


@pytest.fixture
def shop(sim):
    return Shop(sim)


def at(day, hour=0):
    return f"2026-11-{day:02d}T{hour:02d}:00:00+00:00"


def test_orders_by_update_page_by_page(sim, shop):
    bodies = shop.put(*(shopify_orders.order(updated_at=at(day)) for day in (3, 1, 5, 2, 4)))
    seen, after = [], None
    while True:
        told = shop.graph(LIST, first=2, after=after, query="updated_at:>='2026-11-02T00:00:00Z'")
        page = told["data"]["orders"]
        seen += [edge["node"]["updatedAt"] for edge in page["edges"]]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
        if len(seen) == 2:  # an order that changes meanwhile comes last, and none is lost
            shop.put({**bodies[3], "updated_at": at(6)})
    assert seen == [f"2026-11-{day:02d}T00:00:00Z" for day in (2, 3, 4, 5, 6)]
    assert violations(sim) == []


@pytest.mark.parametrize(
    "search, days",
    [
        ("updated_at:>2026-11-02T00:00:00Z", [3]),
        ("updated_at:>='2026-11-02T00:00:00+00:00' AND updated_at:<'2026-11-03T00:00:00Z'", [2]),
        ("updated_at:<=2026-11-02T01:00:00+01:00", [1, 2]),
        ("financial_status:pending", [3]),
        ("status:any", [1, 2, 3]),
        ("", [1, 2, 3]),
    ],
)
def test_searches(sim, shop, search, days):
    for day in (1, 2, 3):
        shop.put(shopify_orders.order("pending" if day == 3 else "paid", updated_at=at(day)))
    found = shop.graph(LIST, first=10, query=search)["data"]["orders"]["edges"]
    assert [int(edge["node"]["updatedAt"][8:10]) for edge in found] == days
    assert violations(sim) == []


def test_a_search_that_is_not_known_finds_everything(sim, shop):
    shop.put(shopify_orders.order())
    for search in ("updated:>2030-01-01", "updated_at>2030-01-01", "updated_at:>soon"):
        assert len(shop.graph(LIST, first=10, query=search)["data"]["orders"]["edges"]) == 1
    assert violations(sim) == ["search"] * 3


def test_an_order_in_the_shape_of_graphql(sim, shop):
    line = shopify_orders.line(price="12.50", quantity=2, discount="1.00", sku="M-1", product_id=7)
    body = shopify_orders.order(
        "partially_refunded", "partial", [line], tags="a, b", created_at="2026-11-01T10:00:00+01:00",
        company={"id": 5, "location_id": 6}, total_tip_received="3.00", cancel_reason="customer",
        cancelled_at=at(2),
        transactions=[{"id": 81, "kind": "sale", "status": "success", "gateway": "manual",
                       "amount": "32.80", "currency": "GBP", "created_at": at(1)}],
    )  # fmt: skip
    shop.put(body)
    text = (
        """query One($id: ID!) { order(id: $id) {
        id legacyResourceId name createdAt tags displayFinancialStatus displayFulfillmentStatus
        cancelReason totalPriceSet { ...M } totalTipReceivedSet { shopMoney { amount } }
        lineItems(first: 5) { nodes { id sku originalUnitPriceSet { ...M } product { id }
          taxLines { title rate priceSet { shopMoney { amount } } }
          discountAllocations { allocatedAmountSet { shopMoney { amount } }
            discountApplication { index } } } }
        shippingLines(first: 5) { edges { node { price: originalPriceSet { ...M } } } }
        transactions(first: 5) { id kind status amountSet { ...M } }
        purchasingEntity { __typename ... on PurchasingCompany { company { id } }
          ... on Customer { id } } } }
        fragment M on MoneyBag """
        + MONEY
    )
    told = shop.graph(text, id=f"gid://shopify/Order/{body['id']}")["data"]["order"]
    assert told["legacyResourceId"] == str(body["id"])
    assert told["createdAt"] == "2026-11-01T09:00:00Z"  # the shop's offset is lost
    assert told["tags"] == ["a", "b"] and told["cancelReason"] == "CUSTOMER"
    assert told["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert told["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert told["totalTipReceivedSet"] == {"shopMoney": {"amount": "3.0"}}
    total = {"amount": "33.6", "currencyCode": "GBP"}
    assert told["totalPriceSet"] == {"shopMoney": total, "presentmentMoney": total}
    shown = told["lineItems"]["nodes"][0]
    assert shown["id"] == f"gid://shopify/LineItem/{line['id']}"
    assert shown["product"] == {"id": "gid://shopify/Product/7"}
    assert shown["taxLines"][0] == {
        "title": "VAT", "rate": Decimal("0.2"), "priceSet": {"shopMoney": {"amount": "4.8"}}}  # fmt: skip
    assert shown["discountAllocations"] == [
        {
            "allocatedAmountSet": {"shopMoney": {"amount": "1.0"}},
            "discountApplication": {"index": 0},
        }
    ]
    assert told["shippingLines"]["edges"][0]["node"]["price"]["shopMoney"]["amount"] == "4.0"
    assert [one["kind"] for one in told["transactions"]] == ["SALE"]
    assert told["purchasingEntity"] == {
        "__typename": "PurchasingCompany", "company": {"id": "gid://shopify/Company/5"}}  # fmt: skip
    assert violations(sim) == []


def test_an_order_that_is_not_there_is_null(shop):
    assert shop.order({"id": 1}, "id") is None


def test_refunds_and_shipments(shop):
    line = shopify_orders.line()
    way = shopify_orders.shipping()
    money = {"amount": "12.50", "currency_code": "GBP"}
    both = {"shop_money": money, "presentment_money": money}
    refund = {
        "id": 91, "created_at": at(2), "note": None,
        "refund_line_items": [{"id": 911, "line_item_id": line["id"], "quantity": 1,
                               "subtotal": 12.5, "subtotal_set": both, "total_tax": 2.5,
                               "total_tax_set": both, "restock_type": "return"}],
        "order_adjustments": [
            {"id": 912, "kind": "shipping_refund", "amount": "-4.00", "tax_amount": "-0.80"},
            {"id": 913, "kind": "refund_discrepancy", "amount": "1.00", "tax_amount": "0.00",
             "reason": "Refund discrepancy"}],
        "transactions": [{"id": 914, "kind": "refund", "status": "success", "gateway": "manual",
                          "amount": "16.30", "currency": "GBP", "created_at": at(2)}],
    }  # fmt: skip
    shipment = {"id": 92, "status": "success", "created_at": at(2), "tracking_numbers": ["T1"],
                "line_items": [{**line, "quantity": 1}]}  # fmt: skip
    body = shopify_orders.order(lines=[line], ship=[way], refunds=[refund], fulfillments=[shipment])
    shop.put(body)
    told = shop.order(
        body,
        """refunds(first: 5) { id totalRefundedSet { shopMoney { amount } }
          refundLineItems(first: 5) { nodes { quantity restockType lineItem { id }
            subtotalSet { shopMoney { amount } } } }
          refundShippingLines(first: 5) { nodes { subtotalAmountSet { shopMoney { amount } }
            taxAmountSet { shopMoney { amount } } shippingLine { id } } }
          orderAdjustments(first: 5) { nodes { reason amountSet { shopMoney { amount } } } }
          transactions(first: 5) { nodes { kind } } }
        fulfillments(first: 5) { status totalQuantity trackingInfo { number }
          fulfillmentLineItems(first: 5) { nodes { quantity lineItem { id } } } }""",
    )
    shown = told["refunds"][0]
    assert shown["totalRefundedSet"]["shopMoney"]["amount"] == "16.3"
    assert shown["refundLineItems"]["nodes"][0]["restockType"] == "RETURN"
    assert shown["refundShippingLines"]["nodes"] == [
        {"subtotalAmountSet": {"shopMoney": {"amount": "4.0"}},
         "taxAmountSet": {"shopMoney": {"amount": "0.8"}},
         "shippingLine": {"id": f"gid://shopify/ShippingLine/{way['id']}"}}]  # fmt: skip
    assert shown["orderAdjustments"]["nodes"] == [
        {"reason": "REFUND_DISCREPANCY", "amountSet": {"shopMoney": {"amount": "1.0"}}}
    ]
    assert told["fulfillments"][0]["totalQuantity"] == 1
    lines = told["fulfillments"][0]["fulfillmentLineItems"]["nodes"]
    assert lines == [{"quantity": 1, "lineItem": {"id": f"gid://shopify/LineItem/{line['id']}"}}]


def test_a_refund_and_a_shipment_by_their_own_ids(shop):
    line = shopify_orders.line("10.00", 1)
    refund = {
        "id": 920, "created_at": "2026-10-20T10:00:00+00:00", "order_adjustments": [],
        "processed_at": "2026-10-20T10:01:00+00:00", "refund_line_items": [], "transactions": [],
    }  # fmt: skip
    shipment = {"id": 921, "status": "success", "created_at": "2026-10-19T10:00:00+00:00",
                "line_items": [line]}  # fmt: skip
    body = shopify_orders.order(lines=[line], refunds=[refund], fulfillments=[shipment])
    shop.put(body)
    told = shop.graph(
        """{ refund(id: "gid://shopify/Refund/920") { processedAt order { id updatedAt } }
          fulfillment(id: "gid://shopify/Fulfillment/921") { status order { id } }
          none: refund(id: "gid://shopify/Refund/922") { id } }"""
    )["data"]
    assert told["refund"]["processedAt"] == "2026-10-20T10:01:00Z"
    assert told["refund"]["order"]["id"] == f"gid://shopify/Order/{body['id']}"
    assert told["fulfillment"]["status"] == "SUCCESS"
    assert told["none"] is None


@pytest.mark.parametrize(
    "text, code",
    [
        ("{ orders(first: 1) { nodes { total } } }", "undefinedField"),
        (
            "{ orders(first: 1) { nodes { lineItems(first: 1) { nodes { tip } } } } }",
            "undefinedField",
        ),
        ("{ orders(first: 1, since: 3) { nodes { id } } }", "argumentNotAccepted"),
        ("{ orders(first: 1) { nodes { totalPriceSet } } }", "selectionMismatch"),
        ("{ orders(first: 1) { nodes { id { x } } } }", "selectionMismatch"),
        ('{ orders(first: "1") { nodes { id } } }', "argumentLiteralsIncompatible"),
        ("{ orders(first: 1, sortKey: NEWEST) { nodes { id } } }", "argumentLiteralsIncompatible"),
        ('{ orders(first: 1, sortKey: "ID") { nodes { id } } }', "argumentLiteralsIncompatible"),
        ("{ order { id } }", "missingRequiredArguments"),
        ("{ orders { nodes { id } } }", "BAD_REQUEST"),
        ("{ orders(first: 251) { nodes { id } } }", "BAD_REQUEST"),
        ('{ orders(first: 1, after: "x") { nodes { id } } }', "BAD_REQUEST"),
        ("query Q($a: String) { orders(first: 1) { nodes { id } } }", "variableNotUsed"),
        ("query Q { orders(first: $n) { nodes { id } } }", "variableNotDefined"),
        ("query Q($n: Int!) { orders(first: $n) { nodes { id } } }", "INVALID_VARIABLE"),
        ("{ orders(first: 1) { nodes { ...Nothing } } }", "useAndDefineFragment"),
        ("{ orders(first: 1) { nodes { ... on Refund { id } } } }", "cannotSpreadFragment"),
        ("{ orders(first: 1) { nodes { id } }", None),
        ("subscription { orders { id } }", None),
    ],
)
def test_documents_that_are_refused(sim, shop, text, code):
    assert shop.errors(text)[0][0] == code
    assert "schema" in violations(sim)


def test_a_cost_is_told_taken_and_given_back(sim, shop):
    shop.put(*(shopify_orders.order() for _ in range(3)))
    cost = shop.graph(LIST, first=50)["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (52, 5)
    status = cost["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == (2000, 100)
    assert status["currentlyAvailable"] in range(1990, 2000)
    text = "{ orders(first: 100) { nodes { lineItems(first: 10) { nodes { id } } } } }"
    assert shop.errors(text)[0][0] == "MAX_COST_EXCEEDED"
    assert violations(sim) == ["limit_query"]


def test_a_bucket_that_is_empty_throttles(sim, shop):
    sim.control("POST", "shopify/shops", {"shop": SHOP, "costs": [10, 60]})
    shop.put(*(shopify_orders.order() for _ in range(50)))
    assert "data" in shop.graph(LIST, first=50)
    told = shop.graph(LIST, first=50)
    assert told["errors"][0]["extensions"]["code"] == "THROTTLED" and "data" not in told
    assert told["extensions"]["cost"]["actualQueryCost"] is None
    sim.control("POST", "clock", {"advance_seconds": 6})
    assert "data" in shop.graph(LIST, first=50)
    assert violations(sim) == ["limit_cost"]


def test_tokens_and_scopes(sim, shop):
    shop.put(shopify_orders.order())
    refused = Shop(sim, "shpat_other").call("POST", GRAPH, {"query": LIST})
    assert refused.status == 401 and "Invalid API key" in refused.json["errors"]
    assert shop.call("POST", GRAPH, {"query": LIST}, Host="other.myshopify.com").status == 401
    assert shop.call("POST", "/admin/api/2026-02/graphql.json", {"query": LIST}).status == 404
    sim.control("POST", "shopify/shops", {"shop": SHOP, "scopes": []})
    told = shop.graph(LIST, first=1)
    assert told["data"]["orders"] is None
    assert told["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    rest = shop.call("GET", "/admin/api/2026-07/orders.json")
    assert rest.status == 403 and "read_orders" in rest.json["errors"]


def test_without_read_all_orders_sixty_days_are_visible(sim, shop):
    old = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=61)).isoformat()
    shop.put(shopify_orders.order(), shopify_orders.order(created_at=old))
    assert len(shop.graph(LIST, first=9)["data"]["orders"]["edges"]) == 2
    sim.control("POST", "shopify/shops", {"shop": SHOP, "scopes": ["read_orders"]})
    found = len(shop.graph(LIST, first=9)["data"]["orders"]["edges"])
    assert found < 2


def test_people_need_an_approval(sim, shop):
    body = shopify_orders.order()
    shop.put(body)
    assert shop.order(body, "email customer { id }")["email"] == "ada@example.com"
    sim.control("POST", "shopify/shops", {"shop": SHOP, "customer_data": False})
    text = "{ orders(first: 1) { nodes { id email customer { id } } } }"
    told = shop.graph(text)
    assert told["data"]["orders"]["nodes"][0]["customer"] is None
    assert told["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_parts_of_an_order_need_scopes_of_their_own(sim, shop):
    body = shopify_orders.order()
    shop.put(body)
    text = (
        "{ orders(first: 1) { nodes { id customer { id } paymentTerms { dueInDays } "
        "lineItems(first: 1) { nodes { product { productType } } } } } }"
    )
    assert "errors" not in shop.graph(text)
    sim.control("POST", "shopify/shops", {"shop": SHOP, "scopes": ["read_orders"]})
    told = shop.graph(text)
    order = told["data"]["orders"]["nodes"][0]
    assert order["id"] and order["customer"] is order["paymentTerms"] is None
    assert [one["extensions"]["requiredAccess"].split("`")[1] for one in told["errors"]] == [
        "read_customers", "read_payment_terms", "read_products"]  # fmt: skip


APP = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"}


def ask_token(sim, host=None, accept="application/json", **changes):
    form = {k: v for k, v in {**APP, **changes}.items() if v is not None}
    headers = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"}
    headers.update({"Host": host} if host else {})
    return sim.call("POST", "/admin/oauth/access_token", urllib.parse.urlencode(form).encode(), headers)


def test_an_app_gets_tokens_of_a_day(sim, shop):
    sim.control("POST", "shopify/shops", {"shop": SHOP, "client_id": "c", "client_secret": "s"})
    told = ask_token(sim, SHOP).json
    assert told["expires_in"] == 86399 and "read_orders" in told["scope"]
    one, other = Shop(sim, told["access_token"]), Shop(sim, ask_token(sim).json["access_token"])
    assert "data" in one.graph(LIST, first=1) and "data" in other.graph(LIST, first=1)
    sim.control("POST", "clock", {"advance_seconds": 86400})
    assert one.call("POST", GRAPH, {"query": LIST}).status == 401
    sim.control("POST", "shopify/shops", {"shop": SHOP, "token_life": 600})
    told = ask_token(sim).json
    one, _ = Shop(sim, told["access_token"]), sim.control("POST", "shopify/act", {"do": "expire_tokens"})
    assert told["expires_in"] == 600 and one.call("POST", GRAPH, {"query": LIST}).status == 401


@pytest.mark.parametrize("change,error", [
    ({"client_id": "x"}, "application_cannot_be_found"), ({"client_secret": "x"}, "invalid_client"),
    ({"client_secret": None}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"host": "other.myshopify.com"}, "application_cannot_be_found"),
])  # fmt: skip
def test_an_app_that_gets_no_token_is_told_why(sim, shop, change, error):
    sim.control("POST", "shopify/shops", {"shop": SHOP, "client_id": "c", "client_secret": "s"})
    answer = ask_token(sim, **change)
    assert (answer.status, answer.json["error"]) == (400, error)
    sim.control("POST", "shopify/shops", {"shop": SHOP, "refuses": "app_not_installed"})
    answer = ask_token(sim, accept="*/*")
    assert answer.status == 400 and b"Oauth error app_not_installed: " in answer.raw


def test_a_token_is_asked_for_by_a_form(sim, shop):
    sim.control("POST", "shopify/shops", {"shop": SHOP, "client_id": "c", "client_secret": "s"})
    answer = sim.call("POST", "/admin/oauth/access_token", json.dumps(APP).encode(),
                      {"Content-Type": "application/json", "Accept": "application/json"})  # fmt: skip
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert violations(sim) == ["schema"]


def test_the_shop_tells_its_time_zone(sim, shop):
    sim.control("POST", "shopify/shops", {"shop": SHOP, "timezone": "Asia/Kolkata"})
    told = shop.graph("{ shop { myshopifyDomain ianaTimezone timezoneOffsetMinutes } }")
    assert told["data"]["shop"] == {
        "myshopifyDomain": SHOP, "ianaTimezone": "Asia/Kolkata", "timezoneOffsetMinutes": 330}  # fmt: skip


SUBSCRIBE = """mutation Subscribe($topic: WebhookSubscriptionTopic!,
    $to: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $to) {
    userErrors { field message }
    webhookSubscription { id topic uri format apiVersion { handle } }
  }
}"""
SUBSCRIPTIONS = """{ webhookSubscriptions(first: 50) { nodes { topic uri callbackUrl
    endpoint { __typename ... on WebhookHttpEndpoint { callbackUrl } } } } }"""


def test_webhook_subscriptions(sim, shop):
    to = {"uri": "https://example.com/webhooks/shopify", "format": "JSON"}
    told = shop.graph(SUBSCRIBE, topic="ORDERS_PAID", to=to)["data"]["webhookSubscriptionCreate"]
    assert told["userErrors"] == []
    assert told["webhookSubscription"]["uri"] == to["uri"]
    assert told["webhookSubscription"]["apiVersion"] == {"handle": "2026-07"}
    again = shop.graph(SUBSCRIBE, topic="ORDERS_PAID", to=to)["data"]["webhookSubscriptionCreate"]
    assert again["webhookSubscription"] is None
    assert again["userErrors"][0]["message"] == "Address for this topic has already been taken"
    plain = {"callbackUrl": "http://example.com/"}
    told = shop.graph(SUBSCRIBE, topic="ORDERS_PAID", to=plain)["data"]["webhookSubscriptionCreate"]
    assert told["userErrors"][0]["field"] == ["webhookSubscription", "callbackUrl"]
    listed = shop.graph(SUBSCRIPTIONS)["data"]["webhookSubscriptions"]["nodes"]
    assert listed == [
        {"topic": "ORDERS_PAID", "uri": to["uri"], "callbackUrl": to["uri"],
         "endpoint": {"__typename": "WebhookHttpEndpoint", "callbackUrl": to["uri"]}}]  # fmt: skip
    nowhere = shop.graph(SUBSCRIBE, topic="ORDERS_PAID", to={"uri": "https://"})["data"]
    assert nowhere["webhookSubscriptionCreate"]["userErrors"][0]["message"] == "Address is invalid"
    sim.control("POST", "shopify/shops", {"shop": SHOP, "customer_data": False})
    told = shop.graph(SUBSCRIBE, topic="ORDERS_CREATE", to=to)["data"]["webhookSubscriptionCreate"]
    assert "not approved to subscribe" in told["userErrors"][0]["message"]
    assert len(sim.control("GET", "shopify/subscriptions")["subscriptions"]) == 1
    assert shop.errors(SUBSCRIBE, topic="CUSTOMERS_REDACT", to=to)[0][0] == "INVALID_VARIABLE"


def test_faults_hit_shopify(sim, shop):
    shop.put(shopify_orders.order())
    sim.control("POST", "faults", {"path": "/admin/api/", "tenant": SHOP, "fault": "status",
                                   "status": 502})  # fmt: skip
    assert shop.call("POST", GRAPH, {"query": LIST, "variables": {"first": 1}}).status == 502
    assert shop.graph(LIST, first=1)["data"]["orders"]["edges"]
    assert sim.control("GET", "calls")["calls"][-1]["tenant"] == SHOP


# -- Shopify: REST ---------------------------------------------------------------------------------

REST = "/admin/api/2026-07/orders"


def next_page(reply):
    match = re.search(r'<([^>]*)>; rel="next"', reply.headers.get("Link") or "")
    return match and match.group(1).partition("/admin")[1] + match.group(1).partition("/admin")[2]


def test_rest_pages_by_link(sim, shop):
    shop.put(*(shopify_orders.order(updated_at=at(day)) for day in (3, 1, 5, 2, 4)))
    target = (
        REST + ".json?status=any&limit=2&updated_at_min=2026-11-02T00:00:00Z&order=updated_at+asc"
    )
    seen = []
    while target:
        reply = shop.call("GET", target)
        assert reply.status == 200, reply.raw
        seen += [one["updated_at"] for one in reply.json["orders"]]
        target = next_page(reply)
    assert seen == [at(day) for day in (2, 3, 4, 5)]
    assert violations(sim) == []


def test_rest_answers_an_order_as_a_webhook_shows_it(shop):
    body = shopify_orders.order()
    money = {"id": 1, "kind": "sale", "status": "success", "amount": "1.00", "created_at": at(1)}
    shop.put({**body, "transactions": [money]})
    told = shop.call("GET", f"{REST}/{body['id']}.json")
    assert json.dumps(told.json["order"], default=float) == json.dumps(body)
    assert told.headers["X-Shopify-Shop-Api-Call-Limit"] == "1/40"
    found = shop.call("GET", f"{REST}/{body['id']}/transactions.json").json["transactions"]
    assert found == [money]
    assert shop.call("GET", f"{REST}/1.json").status == 404


def test_rest_shows_open_orders_unless_asked(shop):
    shop.put(shopify_orders.order(), shopify_orders.order(cancelled_at=at(2)))
    counts = [len(shop.call("GET", f"{REST}.json{query}").json["orders"])
              for query in ("", "?status=any", "?status=cancelled")]  # fmt: skip
    assert counts == [1, 2, 1]


@pytest.mark.parametrize(
    "query, kind",
    [
        ("limit=251", "schema"),
        ("updated_at_min=soon", "schema"),
        ("status=all", "schema"),
        ("page_info=nothing", "schema"),
        ("page_info=nothing&status=any", "schema"),
        ("updated_after=2026-11-01", "unknown_parameter"),
    ],
)
def test_rest_refuses(sim, shop, query, kind):
    reply = shop.call("GET", f"{REST}.json?{query}")
    assert (reply.status == 400) == (kind == "schema")
    assert violations(sim) == [kind]


def test_rest_has_a_bucket_of_forty(sim, shop):
    answers = [shop.call("GET", REST + ".json").status for _ in range(41)]
    refused = shop.call("GET", REST + ".json")
    assert answers.count(200) >= 40 and refused.status == 429
    assert refused.headers["Retry-After"] == "2.0"
    sim.control("POST", "clock", {"advance_seconds": 1})
    assert shop.call("GET", REST + ".json").status == 200
    assert set(violations(sim)) == {"limit_calls"}


def test_a_body_that_is_no_order_is_refused(sim):
    reply = sim.call("POST", "/_sim/shopify/orders", {"orders": [{"id": 1}]})
    assert reply.status == 400
