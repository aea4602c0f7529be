"""Amazon's Notifications API, version 1, as far as setting up needs it.

Owns: destinations (queues), subscriptions to ORDER_CHANGE, whose token each operation wants, and what
a request of them must look like. Sends nothing: the control's amazon/notify does. Thread safe.
"""

import re
import threading
import uuid

import jsontext
from calls import json_answer

_ARN = re.compile(r"arn:aws:sqs:\S+:\S+:\S+")
_CHANGES = ("BuyerRequestedChange", "DeliveryTipChange", "OrderStatusChange")


class _Wrong(Exception):
    """What a request lacks."""


class Notices:
    def __init__(self, clock, login, ledger):
        self._clock = clock
        self._login = login
        self._ledger = ledger
        self._lock = threading.Lock()
        self.destinations = {}  # id -> the request
        self.subscriptions = {}  # seller -> the request

    @staticmethod
    def is_for(call):
        """Behind the Orders API's own way of naming a region, too."""
        return "/notifications/v1/" in call.path

    def tenant(self, call):
        token = self._login.access(call.headers.get("x-amz-access-token"))
        return token.grant.seller if token else None

    def handle(self, call):
        path = call.path.partition("/notifications/v1/")[2]
        make = {
            ("POST", "destinations"): (self._destination, False),
            ("POST", "subscriptions/ORDER_CHANGE"): (self._subscription, True),
        }.get((call.method, path))
        if make is None:
            return _refused(404, "NotFound", "The resource specified does not exist.")
        token = self._login.access(call.headers.get("x-amz-access-token"))
        sellers = token is not None and token.grant.seller is not None
        if token is None or token.expires <= self._clock.now() or sellers != make[1]:
            return _refused(403, "Unauthorized", "Access to requested resource is denied.")
        try:
            body = jsontext.parse(call.body)
            with self._lock:
                return json_answer(200, {"payload": make[0](token.grant.seller, body)})
        except (ValueError, KeyError, TypeError, _Wrong) as error:
            self._ledger.violation("schema", call.entry, str(error))
            return _refused(400, "InvalidInput", f"Request is missing or has invalid: {error}")

    def _destination(self, _seller, body):
        _members(body, ("name", "resourceSpecification"), ())
        _members(body["resourceSpecification"], ("sqs",), ())  # ORDER_CHANGE goes nowhere else
        _members(body["resourceSpecification"]["sqs"], ("arn",), ())
        if not _ARN.fullmatch(body["resourceSpecification"]["sqs"]["arn"]):
            raise _Wrong("arn")
        name = str(uuid.uuid4())
        self.destinations[name] = body
        return {"name": body["name"], "destinationId": name,
                "resource": body["resourceSpecification"]}  # fmt: skip

    def _subscription(self, seller, body):
        _members(body, ("payloadVersion", "destinationId"), ("processingDirective",))
        if body["payloadVersion"] != "1.0" or body["destinationId"] not in self.destinations:
            raise _Wrong("payloadVersion or destinationId")
        directive = body.get("processingDirective")
        if directive is not None:
            _members(directive, ("eventFilter",), ())
            wanted = directive["eventFilter"]
            _members(wanted, ("eventFilterType",), ("marketplaceIds", "orderChangeTypes"))
            unknown = set(wanted.get("orderChangeTypes", ())) - set(_CHANGES)
            if wanted["eventFilterType"] != "ORDER_CHANGE" or unknown:
                raise _Wrong("processingDirective")
        self.subscriptions[seller] = body
        return {"subscriptionId": str(uuid.uuid4()), "payloadVersion": "1.0",
                "destinationId": body["destinationId"]}  # fmt: skip


def _members(value, needed, allowed):
    missing, unknown = set(needed) - set(value), set(value) - set(needed) - set(allowed)
    if missing or unknown:
        raise _Wrong(", ".join(sorted(missing | unknown)))


def _refused(status, code, message):
    return json_answer(status, {"errors": [{"code": code, "message": message}]})
