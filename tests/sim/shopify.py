"""Shopify's Admin API: GraphQL, and the old REST orders.

Owns: shops with their tokens, scopes, orders and webhook subscriptions; both kinds of limits; the
answers' frames and errors. What the roots of GraphQL answer is shopify_roots.py's, REST
shopify_rest.py's, the shape of an order shopify_shape.py's.
Thread safe.
"""

import copy
import re
import secrets
import threading
from decimal import Decimal

import jsontext
import shopify_rest
from buckets import Bucket
from calls import Answer, json_answer
from graphql import Request, Schema, base
from graphql_answer import answer as answer_object
from graphql_answer import cost
from graphql_text import GraphError
from shopify_roots import Roots, subscription
from shopify_schema import SCHEMA
from shopify_shape import Shape
from times import seconds

MOST_COST = 1000
_VERSION = re.compile(r"20\d\d-(01|04|07|10)|unstable")
_FREE = ("MoneyV2", "PageInfo", "UserError")
_LIMITS = "https://shopify.dev/api/usage/rate-limits"
_SCHEMA = Schema(SCHEMA)
TOKEN_LIFE = 86399
# why an app gets no token, as Shopify says it
_REFUSALS = {
    "invalid_request": "The request is missing a required parameter",
    "unsupported_grant_type": "The grant type is not supported",
    "application_cannot_be_found": "Could not find Shopify API application with this api_key",
    "invalid_client": "The client secret is not valid",
    "app_not_installed": "The application is not installed on this shop.",
    "shop_not_permitted": "Client credentials cannot be performed on this shop.",
}
# which scope a type needs wherever it is asked for; orders themselves are shopify_roots.py's
_NEEDED = {
    "Customer": "read_customers",
    "Company": "read_customers",
    "Product": "read_products",
    "PaymentTerms": "read_payment_terms",
}


class Shop:
    def __init__(self, domain, clock):
        self.domain = domain
        self.lock = threading.RLock()
        self._clock = clock
        self.token = None
        self.client = None  # the app's (id, secret), where it asks for its tokens itself
        self.refuses = None  # what its app is answered instead of a token, of _REFUSALS
        self.token_life = TOKEN_LIFE
        self.issued = {}  # access token -> when it ends
        self.scopes = {"read_orders", "read_all_orders", *_NEEDED.values()}
        self.customer_data = True
        self.timezone = "Europe/London"
        self.currency = "GBP"
        self.limits = True
        self.costs = Bucket(clock, 100.0, 2000.0)
        self.calls = Bucket(clock, 2.0, 40)
        self.bodies = {}
        self.transactions = {}
        self.subscriptions = []
        self.pages = {}  # page_info -> (parameters, last key)

    def change(self, spec):
        with self.lock:
            if spec.get("refuses") not in (None, *_REFUSALS):
                raise ValueError(f"no refusal {spec['refuses']}")
            for name in ("token", "refuses", "token_life", "customer_data", "timezone", "currency",
                         "limits"):  # fmt: skip
                if name in spec:
                    setattr(self, name, spec[name])
            if "client_id" in spec:
                self.client = (spec["client_id"], spec["client_secret"])
            if "subscriptions" in spec:
                self.subscriptions = []
                for topic, uri in spec["subscriptions"]:
                    self.subscriptions.append(subscription(self, topic, {"uri": uri}, self._clock))
            if "scopes" in spec:
                self.scopes = set(spec["scopes"])
            for name in ("costs", "calls"):
                if name in spec:
                    setattr(self, name, Bucket(self._clock, *map(float, spec[name])))

    def put(self, body):
        """An order as a webhook shows it; its `transactions`, if any, are kept apart."""
        body = copy.deepcopy(body)
        found = body.pop("transactions", None)
        if "updated_at" not in body:
            body["updated_at"] = self._clock.utc().isoformat(timespec="seconds")
        Shape(body, found or []).order()  # a body that cannot be shown is refused now
        with self.lock:
            self.bodies[body["id"]] = body
            if found is not None:
                self.transactions[body["id"]] = found

    def remove(self, order_id):
        with self.lock:
            del self.bodies[int(order_id)]

    def listed(self):
        with self.lock:
            return list(self.bodies.values())

    def visible(self):
        """The orders that the app may see: those of 60 days without read_all_orders."""
        oldest = self._clock.now() - 60 * 86400 if "read_all_orders" not in self.scopes else 0
        return [one for one in self.bodies.values() if seconds(one["created_at"]) >= oldest]

    def shape(self, body):
        told = Shape(body, self.transactions.get(body["id"], [])).order()
        if not self.customer_data:
            for name in ("customer", "billingAddress", "shippingAddress", "email", "phone"):
                told[name] = None
            told["purchasingEntity"] = None
        if "read_customers" not in self.scopes:
            told["customer"] = told["purchasingEntity"] = None
        if "read_payment_terms" not in self.scopes:
            told["paymentTerms"] = None
        if "read_products" not in self.scopes:
            for line in told["lineItems"]:
                line["product"] = None
        return told

    def opens(self, token):
        """Whether TOKEN is good: the one of an app of the shop's admin, or one issued."""
        return token == self.token or self.issued.get(token, 0) > self._clock.now()

    def issue(self):
        """A new access token; those before it stay good until they end."""
        token = "shpat_" + secrets.token_hex(16)
        self.issued[token] = self._clock.now() + self.token_life
        return token

    def end_tokens(self):
        """Those issued end now, before their time."""
        self.issued = dict.fromkeys(self.issued, 0)


class Shopify:
    def __init__(self, clock, ledger):
        self._clock = clock
        self._ledger = ledger
        self._shops = {}

    def add(self, spec):
        """Adds or changes a shop."""
        shop = self._shops.setdefault(spec["shop"], Shop(spec["shop"], self._clock))
        shop.change(spec)

    def shop(self, domain):
        return self._shops[domain]

    # -- calls ------------------------------------------------------------------------------------

    @staticmethod
    def is_for(call):
        return call.segments[:2] in (["admin", "api"], ["admin", "oauth"])

    def tenant(self, call):
        asks = call.segments == ["admin", "oauth", "access_token"]
        shop = self._of_app(call, call.form().get("client_id")) if asks else self._of(call)
        return shop.domain if shop else None

    @staticmethod
    def _host(call):
        """The shop that the address names, if it is one of Shopify's."""
        host = (call.headers.get("Host") or "").partition(":")[0]
        return host if host.endswith(".myshopify.com") else None

    def _of_app(self, call, client_id):
        """The shop that has this app, and that the address names if it names one."""
        host = self._host(call)
        for shop in self._shops.values():
            if shop.client and shop.client[0] == client_id and host in (None, shop.domain):
                return shop
        return None

    def _of(self, call):
        """The shop that the token opens: it has an address of its own in real life."""
        token = call.headers.get("X-Shopify-Access-Token")
        for shop in self._shops.values():
            if token and shop.opens(token):
                return shop if self._host(call) in (None, shop.domain) else None
        return None

    def handle(self, call):
        if call.segments == ["admin", "oauth", "access_token"]:
            return self._token(call)
        shop = self._of(call)
        if shop is None:
            return json_answer(
                401,
                {
                    "errors": "[API] Invalid API key or access token (unrecognized login or wrong "
                    "password)"
                },
            )
        call.entry["client"] = call.headers["X-Shopify-Access-Token"][:8]
        version = call.segments[2] if len(call.segments) > 2 else ""
        rest = call.segments[3:]
        if not _VERSION.fullmatch(version):
            return json_answer(404, {"errors": "Not Found"})
        with shop.lock:
            if rest == ["graphql.json"] and call.method == "POST":
                answer = self._graphql(call, shop, version)
            elif call.method == "GET" and rest and rest[0] in ("orders.json", "orders"):
                answer = shopify_rest.answer(self._ledger, call, shop, rest)
            else:
                answer = json_answer(404, {"errors": "Not Found"})
        answer.headers["X-Shopify-API-Version"] = version
        return answer

    def _token(self, call):
        """The client credentials grant of an app of the shop's own organisation."""
        if call.method != "POST":
            return json_answer(404, {"errors": "Not Found"})
        kind = call.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            self._ledger.violation("schema", call.entry, f"a token is asked for by {kind or 'nothing'}")
            return self._refused(call, "invalid_request")
        form = call.form()
        if form.get("grant_type") != "client_credentials":
            return self._refused(call, "unsupported_grant_type")
        if not form.get("client_id") or not form.get("client_secret"):
            return self._refused(call, "invalid_request")
        shop = self._of_app(call, form["client_id"])
        if shop is None:
            return self._refused(call, "application_cannot_be_found")
        with shop.lock:
            if form["client_secret"] != shop.client[1]:
                return self._refused(call, "invalid_client")
            if shop.refuses:
                return self._refused(call, shop.refuses)
            call.entry["grant_type"] = "client_credentials"
            scopes = ",".join(sorted(shop.scopes))
            told = {"access_token": shop.issue(), "scope": scopes, "expires_in": shop.token_life}
        return json_answer(200, told)

    @staticmethod
    def _refused(call, code):
        """A page for people, unless JSON is asked for."""
        if "application/json" in call.headers.get("Accept", ""):
            return json_answer(400, {"error": code, "error_description": _REFUSALS[code]})
        page = f"<html><head><title>Oauth error {code}: {_REFUSALS[code]}</title></head></html>"
        return Answer(400, page.encode())

    # -- GraphQL ----------------------------------------------------------------------------------

    def _graphql(self, call, shop, version):
        try:
            body = jsontext.parse(call.body)
            if "application/json" not in call.headers.get("Content-Type", ""):
                raise ValueError("the content type is not application/json")
            text, variables = body["query"], body.get("variables") or {}
        except (ValueError, KeyError, TypeError) as error:
            self._ledger.violation("schema", call.entry, str(error))
            return json_answer(400, {"errors": {"query": "Required parameter missing or invalid"}})
        try:
            request = Request(_SCHEMA, text, variables, body.get("operationName"))
        except GraphError as error:
            self._ledger.violation("schema", call.entry, str(error))
            return json_answer(200, {"errors": [error.entry]})
        if request.errors:
            self._ledger.violation("schema", call.entry, request.errors[0]["message"])
            return json_answer(200, {"errors": request.errors})
        asked = cost(request, _FREE)
        call.entry["elements"] = asked
        if asked > MOST_COST:
            self._ledger.violation("limit_query", call.entry, f"{asked} points")
            return json_answer(200, _too_dear(asked))
        if shop.limits and not shop.costs.take(asked):
            self._ledger.violation("limit_cost", call.entry, f"{asked} points")
            return json_answer(200, _throttled(asked, shop.costs))
        told = self._run(call, request, shop, version)
        done = cost(request, _FREE, told["data"]) if told.get("data") else 0
        if shop.limits:
            shop.costs.give_back(asked - done)
        return json_answer(200, {**told, "extensions": _extensions(asked, done, shop.costs)})

    def _run(self, call, request, shop, version):
        """`data`, and `errors` where a part of it is refused."""
        roots = Roots(shop, version, self._clock, lambda text: self._warn(call, text))
        data, errors = {}, []
        for selection in request.selections:
            field = selection[1]
            try:
                data.update(answer_object(request, request.root, roots.values(), [selection]))
            except GraphError as error:
                entry = {**error.entry, "path": [field.alias]}
                if error.entry.get("extensions", {}).get("code") == "BAD_REQUEST":
                    self._ledger.violation("schema", call.entry, str(error))
                errors.append(entry)
                data[field.alias] = None
        if not shop.customer_data and _asks_for_people(request.selections):
            errors.append(_protected())
        errors += _unscoped(request.selections, shop.scopes)
        return {"data": data, "errors": errors} if errors else {"data": data}

    def _warn(self, call, text):
        """A search that Shopify would answer as if the term were not there."""
        self._ledger.violation("search", call.entry, text)


def _extensions(asked, done, bucket):
    return {
        "cost": {
            "requestedQueryCost": asked,
            "actualQueryCost": done,
            "throttleStatus": {
                "maximumAvailable": Decimal(str(bucket.size)),
                "currentlyAvailable": int(bucket.left()),
                "restoreRate": Decimal(str(bucket.rate)),
            },
        }
    }


def _throttled(asked, bucket):
    error = {"code": "THROTTLED", "documentation": _LIMITS}
    return {
        "errors": [{"message": "Throttled", "extensions": error}],
        "extensions": _extensions(asked, None, bucket),
    }


def _too_dear(asked):
    text = f"Query cost is {asked}, which exceeds the single query max cost limit ({MOST_COST})."
    more = {"cost": asked, "maxCost": MOST_COST, "documentation": _LIMITS}
    return {"errors": [{"message": text, "extensions": {"code": "MAX_COST_EXCEEDED", **more}}]}


def _protected():
    text = (
        "This app is not approved to access the Customer object. See "
        "https://shopify.dev/docs/apps/launch/protected-customer-data for more details."
    )
    return {"message": text, "extensions": {"code": "ACCESS_DENIED"}}


def _unscoped(selections, scopes, path=()):
    """An error for each selected member whose type needs a scope that the app has not."""
    found = []
    for _, field, _, inner, kind in selections:
        there, needed = [*path, field.alias], _NEEDED.get(base(kind))
        if needed and needed not in scopes:
            text = f"Access denied for {field.name} field. Required access: `{needed}` access scope."
            more = {"code": "ACCESS_DENIED", "requiredAccess": f"`{needed}` access scope."}
            found.append({"message": text, "path": there, "extensions": more})
        elif inner is not None:
            found += _unscoped(inner, scopes, there)
    return found


def _asks_for_people(selections):
    people = ("customer", "billingAddress", "shippingAddress", "email", "phone", "purchasingEntity")
    return any(
        field.name in people or (inner is not None and _asks_for_people(inner))
        for _, field, _, inner, _ in selections
    )
