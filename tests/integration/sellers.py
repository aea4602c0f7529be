"""Stores whose shop the simulator plays too: an Amazon seller with orders at Amazon, a Shopify shop with an
Admin API; and what Amazon tells of an order."""

import copy
import datetime
import json
import uuid

import lib
import orders

DATA = lib.DATA / "amazon"
KEY = "sample-api-key"
MAPPINGS = {**lib.DEFAULT_MAPPINGS, "taxes": {**lib.DEFAULT_MAPPINGS["taxes"], "by_title": {"Tax": "OUTPUT2"}}}
SAMPLE = json.loads((DATA / "orders_2026-01-01" / "getOrder_01_gbp_103_97.json").read_text())["order"]
TOTAL = "103.97"


def sample(name):
    return json.loads((DATA / f"{name}.json").read_text())


class Seller(lib.Shop):
    """One Amazon store on a connection of its own."""

    def __init__(self, stack, settings=None, secrets=None, seller=None, mappings=None):
        mark = uuid.uuid4().hex[:10]
        self.secrets = secrets or {"api_key": KEY}
        super().__init__(stack, settings=settings, mappings=mappings or MAPPINGS,
                         name=seller or f"A{mark.upper()}", secrets=self.secrets, mark=mark)

    def put(self, **changes):
        return self.stack.receiver.api("PUT", f"/stores/amazon/{self.domain}", {**self.document, **changes})

    def patch(self, body):
        return self.stack.receiver.api("PATCH", f"/stores/amazon/{self.domain}", body)

    def key(self, order_id):
        return f"amazon/{self.domain}/{order_id}"

    def send(self, body, key=KEY, header="x-api-key", query="", **headers):
        return post(self.stack, body, {header: key, **headers}, query)

    def fetches(self):
        return [x.decode() for x in self.stack.redis.call("ZRANGE", f"{lib.PREFIX}fetch:amazon/{self.domain}", 0, -1)]


def post(stack, body, headers=None, query=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, raw = lib.request(stack.receiver.hooks, "POST", "/webhooks/amazon" + query, data,
                                 {"Content-Type": "application/json", **(headers or {})})
    return status, json.loads(raw)


_numbers = iter(range(1, 10 ** 7))


def order_id():
    return f"250-{next(_numbers):07d}-0000001"


def notice(seller, order=None, status="Unshipped", notification=None, change="OrderStatusChange", kind="ORDER_CHANGE"):
    n = copy.deepcopy(sample("notifications/02_unshipped_mfn"))
    n["NotificationType"] = kind
    n["NotificationMetadata"]["NotificationId"] = notification or str(uuid.uuid4())
    body = n["Payload"]["OrderChangeNotification"]
    body.update(SellerId=seller.domain, AmazonOrderId=order or order_id(), OrderChangeType=change)
    body["Summary"]["OrderStatus"] = status
    return n


def ago(**delta):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**delta)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def again(stack, store):
    """Lets the store's next reconciliation begin now."""
    call, key = stack.redis.call, f"{lib.PREFIX}fetchlater:{store}"
    lib.wait_until(lambda: call("ZSCORE", key, "*reconcile") is not None, "the reconciliation waits")
    call("ZADD", key, "XX", 1, "*reconcile")
    call("ZADD", lib.PREFIX + "fetchdue", 1, store)
    call("LPUSH", lib.PREFIX + "fetchwake", 1)


class Amazon(Seller):
    """A seller whom the simulator's Amazon knows too."""

    def __init__(self, stack, settings=None, token=True, **limits):
        self.token = f"Atzr|{uuid.uuid4().hex}"
        seller = f"A{uuid.uuid4().hex[:12].upper()}"
        stack.sim.control("POST", "amazon/sellers", {"seller_id": seller, "refresh_token": self.token, **limits})
        super().__init__(stack, settings=settings, seller=seller,
                         secrets={"api_key": KEY, **({"refresh_token": self.token} if token else {})})

    def sell(self, order=None, updated=None, created=None, **changes):
        """An order at Amazon; nobody is told. Returns its id."""
        body = copy.deepcopy(SAMPLE)
        body.update(orderId=order or order_id(), createdTime=created or ago(minutes=30),
                    lastUpdatedTime=updated or ago(minutes=10), **changes)
        self.stack.sim.control("POST", "amazon/orders", {"seller_id": self.domain, "orders": [body]})
        return body["orderId"]

    def asked(self, what):
        """Calls of Amazon's that name this seller or one of its orders."""
        return [c for c in self.stack.sim.calls(self.domain) if what in c["path"]]

    def log(self, q):
        status, page = self.stack.receiver.api("GET", f"/log?connection={self.connection}&q={q}")
        assert status == 200
        return page["rows"]

    def reconciled(self):
        return self.stack.redis.call("HGET", f"{lib.PREFIX}store:amazon/{self.domain}", "reconciled_to")

    def again(self):
        again(self.stack, f"amazon/{self.domain}")

    def numbers(self):
        return sorted(i["InvoiceNumber"] for i in self.invoices())


class Shopify(lib.Shop):
    """A shop whose Admin API the simulator plays. PAIR: it is read by an app that asks for its tokens."""

    def __init__(self, stack, settings=None, token=True, pair=False, **limits):
        self.token = f"shpat_{uuid.uuid4().hex}"
        self.pair = {"api_client_id": uuid.uuid4().hex, "api_client_secret": f"shpss_{uuid.uuid4().hex}"}
        name = f"fetch-{uuid.uuid4().hex[:10]}.myshopify.com"
        stack.sim.control("POST", "shopify/shops", {
            "shop": name, "token": self.token, **{k[4:]: v for k, v in self.pair.items()}, **limits})
        opens = self.pair if pair else {"api_token": self.token} if token else {}
        super().__init__(stack, settings=settings, name=name, secrets={"webhook": lib.SECRET, **opens})

    def tokens(self):
        """What the shop was asked for tokens."""
        return [c for c in self.stack.sim.calls(self.domain) if "oauth" in c["path"]]

    def sell(self, **fields):
        body = orders.order(updated_at=fields.pop("updated_at", ago(minutes=10)), **fields)
        self.stack.sim.control("POST", "shopify/orders", {"shop": self.domain, "orders": [body]})
        return body

    def log(self, q):
        return self.stack.receiver.api("GET", f"/log?connection={self.connection}&q={q}")[1]["rows"]

    def asked(self):
        return [c for c in self.stack.sim.calls(self.domain) if "graphql" in c["path"]]

    def subscribe(self, topic):
        """As the shop's app does."""
        question = ("mutation($t: WebhookSubscriptionTopic!, $w: WebhookSubscriptionInput!) "
                    "{webhookSubscriptionCreate(topic: $t, webhookSubscription: $w) {userErrors {message}}}")
        body = {"query": question, "variables": {"t": topic, "w": {"uri": "https://hooks.example.com/webhooks/shopify"}}}
        status, _, answer = lib.request(self.stack.sim.address, "POST", "/admin/api/2026-10/graphql.json",
                                        json.dumps(body).encode(), {"Content-Type": "application/json",
                                                                    "X-Shopify-Access-Token": self.token,
                                                                    "User-Agent": "test"})
        assert status == 200 and b'"errors"' not in answer, answer
