"""The fields of the two roots of Shopify's GraphQL Admin API.

Owns: finding orders by id and by search, sorting and paging them, the shop itself, and webhook
subscriptions with what Shopify refuses of them.
"""

import re
import urllib.parse
import zoneinfo

from graphql_answer import paged
from graphql_text import GraphError
from shopify_rest import is_status
from shopify_shape import gid, utc
from times import seconds

_SORT = {"CREATED_AT": "created_at", "PROCESSED_AT": "processed_at", "UPDATED_AT": "updated_at"}
_PROTECTED = (
    "This app is not approved to subscribe to webhook topics containing protected customer data. "
    "See https://shopify.dev/docs/apps/launch/protected-customer-data for more details."
)
_TERM = re.compile(r"""\s*(?:AND\s+)?(\w+):(>=|<=|>|<)?(?:'([^']*)'|"([^"]*)"|(\S+))\s*""")


class Roots:
    """The fields of the two roots for one call."""

    def __init__(self, shop, version, clock, warn):
        self._shop, self._version, self._clock, self._warn = shop, version, clock, warn

    def values(self):
        return {
            "order": self._order,
            "refund": lambda arguments: self._part("refunds", arguments),
            "fulfillment": lambda arguments: self._part("fulfillments", arguments),
            "orders": self._orders,
            "shop": lambda _arguments: self._about(),
            "webhookSubscriptions": self._subscriptions,
            "webhookSubscriptionCreate": self._subscribe,
        }

    def _need_orders(self, field):
        if "read_orders" not in self._shop.scopes:
            raise GraphError(
                f"Access denied for {field} field. Required access: `read_orders` access scope.",
                "ACCESS_DENIED",
                documentation="https://shopify.dev/api/usage/access-scopes",
                requiredAccess="`read_orders` access scope.",
            )

    def _order(self, arguments):
        self._need_orders("order")
        for body in self._shop.visible():
            if gid("Order", body["id"]) == str(arguments["id"]):
                return self._shop.shape(body)
        if not str(arguments["id"]).startswith("gid://shopify/Order/"):
            raise GraphError(f"Invalid id: {arguments['id']}", "RESOURCE_NOT_FOUND")
        return None

    def _part(self, name, arguments):
        """A refund or a shipment by its own id."""
        self._need_orders(name[:-1])
        for body in self._shop.visible():
            for place, one in enumerate(body.get(name) or ()):
                if gid(name[:-1].capitalize(), one["id"]) == str(arguments["id"]):
                    return self._shop.shape(body)[name][place]
        return None

    def _orders(self, arguments):
        self._need_orders("orders")
        if set(arguments) & {"last", "before", "savedSearchId"}:
            raise GraphError("the simulator pages forward only", "BAD_REQUEST")
        found = [body for body in self._shop.visible() if self._matches(body, arguments)]
        sort = arguments.get("sortKey", "PROCESSED_AT")
        keyed = sorted(([*_sort_key(body, sort)], body["id"], body) for body in found)
        if arguments.get("reverse"):
            keyed.reverse()
        keys = [key for key, _, _ in keyed]
        page = paged([body for _, _, body in keyed], arguments, keys)
        page.nodes = [self._shop.shape(body) for body in page.nodes]
        return page

    def _matches(self, body, arguments):
        """Whether an order is found by the search; a term that is not known finds everything."""
        text = arguments.get("query", "")
        at = 0
        while at < len(text.rstrip()):
            match = _TERM.match(text, at)
            if match is None:
                self._warn(f"cannot read the search at: {text[at:]}")
                return True
            name, sign, *values = match.groups()
            value = next(one for one in values if one is not None)
            try:
                if not _term(body, name, sign, value):
                    return False
            except (KeyError, ValueError):
                self._warn(f"the search has {name}:{sign or ''}{value}")
            at = match.end()
        return True

    def _about(self):
        zone = zoneinfo.ZoneInfo(self._shop.timezone)
        now = self._clock.utc().astimezone(zone)
        minutes = int(now.utcoffset().total_seconds() // 60)
        sign = "-" if minutes < 0 else "+"
        return {
            "id": gid("Shop", 1),
            "name": self._shop.domain.partition(".")[0],
            "myshopifyDomain": self._shop.domain,
            "currencyCode": self._shop.currency,
            "ianaTimezone": self._shop.timezone,
            "timezoneAbbreviation": now.tzname(),
            "timezoneOffset": f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}",
            "timezoneOffsetMinutes": minutes,
            "taxesIncluded": False,
        }

    # -- webhook subscriptions --------------------------------------------------------------------

    def _subscriptions(self, arguments):
        if set(arguments) & {"last", "before", "query", "sortKey", "reverse"}:
            raise GraphError("the simulator does not play this argument", "BAD_REQUEST")
        uri = arguments.get("uri", arguments.get("callbackUrl"))
        found = [
            one
            for one in self._shop.subscriptions
            if one["topic"] in arguments.get("topics", [one["topic"]])
            and uri in (None, one["uri"])
            and arguments.get("format", one["format"]) == one["format"]
        ]
        return paged(found, arguments, [[one["legacyResourceId"]] for one in found])

    def _subscribe(self, arguments):
        topic, given = arguments["topic"], arguments["webhookSubscription"]
        if topic != "APP_UNINSTALLED":
            self._need_orders("webhookSubscriptionCreate")
        uri = given.get("uri") or given.get("callbackUrl") or ""
        field = ["webhookSubscription", "uri" if "uri" in given else "callbackUrl"]
        problem = None
        if topic.startswith("ORDERS_") and not self._shop.customer_data:
            field, problem = ["webhookSubscription"], _PROTECTED
        elif uri.startswith("http://"):
            problem = "Address protocol http:// is not supported"
        elif not uri.startswith("https://") or not urllib.parse.urlsplit(uri).hostname:
            problem = "Address is invalid"
        elif any(one["topic"] == topic and one["uri"] == uri for one in self._shop.subscriptions):
            problem = "Address for this topic has already been taken"
        if problem:
            error = {"field": field, "message": problem}
            return {"userErrors": [error], "webhookSubscription": None}
        made = subscription(self._shop, topic, {**given, "uri": uri}, self._clock, self._version)
        self._shop.subscriptions.append(made)
        return {"userErrors": [], "webhookSubscription": made}


def subscription(shop, topic, given, clock, version="2026-10"):
    """One more of SHOP's, as it is listed."""
    number = 1 + max((int(one["legacyResourceId"]) for one in shop.subscriptions), default=1000)
    now = utc(clock.utc().isoformat())
    return {
        "id": gid("WebhookSubscription", number),
        "legacyResourceId": str(number),
        "topic": topic,
        "uri": given["uri"],
        "callbackUrl": given["uri"],
        "format": given.get("format", "JSON"),
        "filter": given.get("filter"),
        "includeFields": given.get("includeFields", []),
        "metafieldNamespaces": given.get("metafieldNamespaces", []),
        "name": given.get("name"),
        "createdAt": now,
        "updatedAt": now,
        "apiVersion": {"handle": version, "displayName": version, "supported": True},
        "endpoint": {"__typename": "WebhookHttpEndpoint", "callbackUrl": given["uri"]},
    }


def _sort_key(body, sort):
    if sort == "ID":
        return (body["id"],)
    return (seconds(body.get(_SORT[sort]) or body["created_at"]), body["id"])


def _term(body, name, sign, value):
    """Whether one term of a search is true; KeyError for one that is not played."""
    if name in ("created_at", "updated_at", "processed_at"):
        mine, wanted = seconds(body.get(name) or body["created_at"]), seconds(value)
    elif name == "id":
        mine, wanted = body["id"], int(value)
    elif sign is None and name in ("name", "financial_status"):
        return (body.get(name) or "").lstrip("#") == value.lstrip("#")
    elif sign is None and name == "status":
        return is_status(body, {"not_closed": "open"}.get(value, value))
    else:
        raise KeyError(name)
    tests = {">=": mine >= wanted, "<=": mine <= wanted, ">": mine > wanted, "<": mine < wanted}
    return tests.get(sign, mine == wanted)
