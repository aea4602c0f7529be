"""Amazon's Orders API, version 2026-01-01: getOrder and searchOrders.

Owns: sellers with their orders, who may see what, the rates of both operations, parameters, pages,
which part of an order an answer holds, and Amazon's errors. Tokens are amazon_login.py's. Thread
safe.
"""

import copy
import secrets
import threading
import urllib.parse
import uuid

import amazon_model
from buckets import Bucket
from calls import json_answer
from times import seconds, utc_text

ROOT = ["orders", "2026-01-01", "orders"]
REGIONS = ("na", "eu", "fe")
RATES = {"getOrder": (0.5, 30), "searchOrders": (0.0056, 20)}
PAGE_LIFE = 86400
SETTLING = 120  # seconds: what changed later than that is not listed yet

STATUSES = (
    "PENDING_AVAILABILITY",
    "PENDING",
    "UNSHIPPED",
    "PARTIALLY_SHIPPED",
    "SHIPPED",
    "CANCELLED",
    "UNFULFILLABLE",
)
# what a member of includedData shows: members of the order, members of its items
DATASETS = {
    "BUYER": (("buyer",), ()),
    "RECIPIENT": (("recipient",), ()),
    "PROCEEDS": (("proceeds",), ("proceeds",)),
    "EXPENSE": ((), ("expense",)),
    "PROMOTION": ((), ("promotion",)),
    "CANCELLATION": ((), ("cancellation",)),
    "FULFILLMENT": (("fulfillment",), ("fulfillment",)),
    "PACKAGES": (("packages",), ()),
    "TAX": (("tax",), ("tax",)),
    "PAYMENT": (("payment",), ()),
    "FULFILLMENT_ORDERS": (("fulfillmentOrders",), ()),
}
BY_ROLE = ("BUYER", "RECIPIENT")
# parameter -> "time", "integer", "text", True (a list of anything) or the values of a list
PARAMETERS = {
    "getOrder": {"includedData": tuple(DATASETS)},
    "searchOrders": {
        "createdAfter": "time",
        "createdBefore": "time",
        "lastUpdatedAfter": "time",
        "lastUpdatedBefore": "time",
        "fulfillmentStatuses": STATUSES,
        "marketplaceIds": True,
        "fulfilledBy": ("MERCHANT", "AMAZON"),
        "maxResultsPerPage": "integer",
        "paginationToken": "text",
        "includedData": tuple(DATASETS),
    },
}
_LISTS = {"marketplaceIds": 50}  # longest


class Refused(Exception):
    """An answer in Amazon's error shape."""

    def __init__(self, status, code, message, details=None):
        super().__init__(message)
        self.status = status
        error = {"code": code, "message": message}
        if details is not None:
            error["details"] = details
        self.body = {"errors": [error]}


def denied(details):
    return Refused(403, "Unauthorized", "Access to requested resource is denied.", details)


def invalid(details):
    return Refused(400, "InvalidInput", "Invalid Input", details)


class Seller:
    def __init__(self, seller_id):
        self.id = seller_id
        self.region = None  # None: answers on every region's address
        self.roles = set(BY_ROLE)
        self.refuses = False  # what a role is missing for: left out, or the whole call refused
        self.limits = True
        self.rates = dict(RATES)
        self.orders = {}


class Orders:
    def __init__(self, clock, login, ledger):
        self._clock = clock
        self._login = login
        self._ledger = ledger
        self._lock = threading.RLock()
        self.sellers = {}
        self._buckets = {}  # (application, seller, operation) -> Bucket
        self._pages = {}  # pagination token -> (seller, parameters, before, key, expires)

    # -- the scene --------------------------------------------------------------------------------

    def seller(self, seller_id):
        with self._lock:
            return self.sellers.setdefault(seller_id, Seller(seller_id))

    def set_rates(self, seller, limits=None, rates=None):
        with self._lock:
            if limits is not None:
                seller.limits = limits
            for operation, (rate, burst) in (rates or {}).items():
                if operation not in RATES:
                    raise ValueError(f"no operation {operation}")
                seller.rates[operation] = (float(rate), float(burst))
            for key in [key for key in self._buckets if key[1] == seller.id]:
                del self._buckets[key]

    def put(self, seller, order):
        """An order as it is now. Raises ValueError where Amazon's description does not allow it."""
        order = copy.deepcopy(order)
        order.setdefault("lastUpdatedTime", utc_text(self._clock.now()))
        order.setdefault("createdTime", order["lastUpdatedTime"])
        wrong = amazon_model.faults("Order", order)
        if wrong or not isinstance(order.get("orderItems"), list) or not order.get("orderId"):
            raise ValueError("; ".join(wrong) or "an order has orderId and orderItems")
        with self._lock:
            seller.orders[order["orderId"]] = order
        return order

    def remove(self, seller, order_id):
        with self._lock:
            del seller.orders[order_id]

    # -- calls ------------------------------------------------------------------------------------

    @staticmethod
    def path_of(call):
        """(region or None, segments behind the root); None when it is not of this API."""
        parts = call.segments
        region = parts[0] if parts[0] in REGIONS else None
        parts = parts[1:] if region else parts
        return (region, parts[3:]) if parts[:3] == ROOT else None

    def tenant(self, call):
        token = self._login.access(call.headers.get("x-amz-access-token"))
        return token.grant.seller if token else None

    def handle(self, call):
        region, rest = self.path_of(call)
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        operation = ("searchOrders", "getOrder")[len(rest)] if len(rest) < 2 else None
        try:
            if operation is None or call.method != "GET":
                raise Refused(404, "NotFound", "The resource specified does not exist.")
            seller = self._admit(call, region, operation)
            headers["x-amzn-RateLimit-Limit"] = str(seller.rates[operation][0])
            parameters = self._parameters(call, operation)
            missing = set(parameters.get("includedData", ())) & (set(BY_ROLE) - seller.roles)
            if missing and seller.refuses:
                raise denied("")
            with self._lock:
                if operation == "getOrder":
                    answer = {"order": self._one(seller, rest[0], parameters)}
                else:
                    answer = self._search(seller, parameters)
        except Refused as refused:
            if refused.status == 400:
                self._ledger.violation("schema", call.entry, refused.body["errors"][0]["details"])
            return json_answer(refused.status, refused.body, headers)
        return json_answer(200, answer, headers)

    def _admit(self, call, region, operation):
        """The seller whose orders the token opens, after the rate. Raises Refused."""
        value = call.headers.get("x-amz-access-token")
        if not value:
            raise denied("Access token is missing in the request header.")
        token = self._login.access(value)
        if token is None or token.grant.seller is None:
            raise denied("The access token you provided is revoked, malformed or invalid.")
        call.entry["client"], call.entry["tenant"] = token.grant.client, token.grant.seller
        if self._clock.now() >= token.expires:
            raise denied("The access token you provided has expired.")
        agent = call.headers.get("user-agent", "")
        if not agent or len(agent) > 500:
            self._ledger.violation("user_agent", call.entry, "1 to 500 characters are required")
        seller = self.seller(token.grant.seller)
        if region and seller.region and region != seller.region:
            raise denied("")
        with self._lock:
            key = (token.grant.client, seller.id, operation)
            if key not in self._buckets:
                self._buckets[key] = Bucket(self._clock, *seller.rates[operation])
            if seller.limits and not self._buckets[key].take():
                self._ledger.violation(f"limit_{operation}", call.entry)
                raise Refused(
                    429, "QuotaExceeded", "You exceeded your quota for the requested resource."
                )
        return seller

    def _parameters(self, call, operation):
        """The parameters by name, read by their types. Raises Refused."""
        known = PARAMETERS[operation]
        pairs = urllib.parse.parse_qsl(call.target.partition("?")[2], keep_blank_values=True)
        found = {}
        for name, text in pairs:
            if name not in known:
                self._ledger.violation("unknown_parameter", call.entry, name)
            elif name in found:
                raise invalid(f"{name} is given twice; a list is separated by commas")
            else:
                found[name] = _value(name, known[name], text)
        return found

    # -- answers ----------------------------------------------------------------------------------

    def _one(self, seller, order_id, parameters):
        order = seller.orders.get(order_id)
        if order is None:
            raise Refused(404, "NotFound", "The resource specified does not exist.")
        return _shown(order, parameters.get("includedData", ()), seller.roles)

    def _search(self, seller, parameters):
        after, before, member, bound = self._period(parameters)
        last = None
        token = parameters.get("paginationToken")
        if token is not None:
            before, last = self._page(seller, token, parameters)
        size = parameters.get("maxResultsPerPage", 100)
        if not 1 <= size <= 100:
            raise invalid("maxResultsPerPage is between 1 and 100")
        # newest first: the description promises no order, so none may be relied on
        found = sorted(
            ((seconds(one[member]), one["orderId"]) for one in seller.orders.values()),
            reverse=True,
        )
        found = [
            key
            for key in found
            if after <= key[0] <= before
            and (last is None or key < last)
            and _matches(seller.orders[key[1]], parameters)
        ]
        shown = parameters.get("includedData", ())
        answer = {
            "orders": [_shown(seller.orders[key[1]], shown, seller.roles) for key in found[:size]],
            bound: utc_text(before),
        }
        if len(found) > size:
            next_token = secrets.token_urlsafe(24)
            kept = {name: value for name, value in parameters.items() if name != "paginationToken"}
            expires = self._clock.now() + PAGE_LIFE
            self._pages[next_token] = (seller.id, kept, before, found[size - 1], expires)
            answer["pagination"] = {"nextToken": next_token}
        return answer

    def _page(self, seller, token, parameters):
        """(end of the period, last key) of the page before."""
        given = {name: value for name, value in parameters.items() if name != "paginationToken"}
        whose, asked, before, last, expires = self._pages.get(token, (None, None, None, None, 0))
        if whose != seller.id or self._clock.now() >= expires:
            raise invalid("paginationToken is not valid, or older than 24 hours")
        if asked != given:
            raise invalid("with paginationToken the other parameters must be repeated unchanged")
        return before, last

    def _period(self, parameters):
        """(after, before, the orders' member, the answer's member)."""
        kinds = [kind for kind in ("created", "lastUpdated") if kind + "After" in parameters]
        if len(kinds) != 1:
            raise invalid("exactly one of createdAfter and lastUpdatedAfter is required")
        kind = kinds[0]
        other = "created" if kind == "lastUpdated" else "lastUpdated"
        if other + "Before" in parameters:
            raise invalid(f"{other}Before does not go with {kind}After")
        latest = self._clock.now() - SETTLING
        after = parameters[kind + "After"]
        before = parameters.get(kind + "Before", latest)
        if kind + "Before" in parameters and not after <= before <= latest:
            raise invalid(
                f"{kind}Before is not before {kind}After and at least two minutes before now"
            )
        return after, before, kind + "Time", kind + "Before"


def _value(name, kind, text):
    if kind == "time":
        try:
            return seconds(text)
        except ValueError:
            raise invalid(f"{name} is no time in ISO 8601") from None
    if kind == "integer":
        try:
            return int(text)
        except ValueError:
            raise invalid(f"{name} is no integer") from None
    if kind == "text":
        return text
    values = text.split(",")
    if len(values) > _LISTS.get(name, len(values)):
        raise invalid(f"{name} has more than {_LISTS[name]} values")
    if kind is not True:
        wrong = [value for value in values if value not in kind]
        if wrong:
            raise invalid(f"{name} has no value {wrong[0]}")
    return values


def _matches(order, parameters):
    fulfilment = order.get("fulfillment", {})
    wanted = (
        ("marketplaceIds", order.get("salesChannel", {}).get("marketplaceId")),
        ("fulfillmentStatuses", fulfilment.get("fulfillmentStatus")),
        ("fulfilledBy", fulfilment.get("fulfilledBy")),
    )
    return all(name not in parameters or value in parameters[name] for name, value in wanted)


def _shown(order, asked, roles):
    """What of an order an answer holds."""
    visible = {name for name in asked if name not in BY_ROLE or name in roles}
    pending = order.get("fulfillment", {}).get("fulfillmentStatus") in STATUSES[:2]
    if pending:
        visible.discard("PROCEEDS")
    result = copy.deepcopy(order)
    for name, (members, item_members) in DATASETS.items():
        if name in visible:
            continue
        for member in members:
            result.pop(member, None)
        for item in result["orderItems"]:
            for member in item_members:
                item.pop(member, None)
    if "PROCEEDS" not in visible:
        for item in result["orderItems"]:
            item.get("product", {}).pop("price", None)
    return result
