"""Shopify's old REST Admin API: reading orders.

Owns: its limit, its filters, its pages by Link headers. An order is answered as a webhook shows it.
"""

import re
import urllib.parse

from calls import json_answer
from graphql_answer import cursor
from times import seconds

_FILTERS = {
    **{f"{name}_at_{end}": "time" for name in ("created", "updated", "processed")
       for end in ("min", "max")},
    "status": ("open", "closed", "cancelled", "any"),
    "order": re.compile(r"(created_at|updated_at|processed_at|id)( (asc|desc))?"),
}  # fmt: skip


def answer(ledger, call, shop, rest):
    """Answers GET /admin/api/<version>/REST for a shop whose lock is held."""
    if shop.limits and not shop.calls.take():
        ledger.violation("limit_calls", call.entry)
        return json_answer(
            429,
            {
                "errors": "Exceeded 2 calls per second for api client. Reduce request rates to "
                "resume uninterrupted service."
            },
            {"Retry-After": "2.0", **_call_limit(shop)},
        )
    if "read_orders" not in shop.scopes:
        text = "[API] This action requires merchant approval for read_orders scope."
        return json_answer(403, {"errors": text}, _call_limit(shop))
    if rest == ["orders.json"]:
        return _list(ledger, call, shop)
    order_id, _, end = rest[1].partition(".") if len(rest) > 1 else ("", "", "")
    body = {str(one["id"]): one for one in shop.visible()}.get(order_id)
    if body is not None and len(rest) == 2 and end == "json":
        return json_answer(200, {"order": body}, _call_limit(shop))
    if body is not None and rest[2:] == ["transactions.json"]:
        found = shop.transactions.get(body["id"], [])
        return json_answer(200, {"transactions": found}, _call_limit(shop))
    return json_answer(404, {"errors": "Not Found"}, _call_limit(shop))


def _list(ledger, call, shop):
    given = dict(call.query)
    info, last = given.pop("page_info", None), None
    try:
        size = int(given.pop("limit", 50))
        fields = given.pop("fields", None)
        if not 1 <= size <= 250:
            raise ValueError("limit is between 1 and 250")
        if info is not None:
            if given:
                name = sorted(given)[0]
                raise ValueError(f"{name} cannot be passed when page_info is present.")
            if info not in shop.pages:
                raise ValueError("Invalid value.")
            given, last = shop.pages[info]
        for name, value in given.items():
            _check_filter(ledger, call, name, value)
    except ValueError as error:
        ledger.violation("schema", call.entry, str(error))
        return json_answer(400, {"errors": {"request": str(error)}}, _call_limit(shop))
    found = _found(shop.visible(), given, last)
    shown = found[:size]
    headers = _call_limit(shop)
    if len(found) > size:
        last_key = _key(shown[-1], given)
        name = cursor([len(shop.pages), list(last_key)])
        shop.pages[name] = (given, last_key)
        query = urllib.parse.urlencode({"limit": size, "page_info": name})
        host = call.headers.get("Host", shop.domain)
        headers["Link"] = f'<http://{host}{call.path}?{query}>; rel="next"'
    if fields:
        names = fields.split(",")
        shown = [{name: one[name] for name in names if name in one} for one in shown]
    return json_answer(200, {"orders": shown}, headers)


def _check_filter(ledger, call, name, value):
    known = _FILTERS.get(name)
    if known is None:
        ledger.violation("unknown_parameter", call.entry, name)
    elif known == "time":
        seconds(value)
    elif isinstance(known, tuple):
        if value not in known:
            raise ValueError(f"{name} has no value {value}")
    elif not known.fullmatch(value):
        raise ValueError(f"{name} has no value {value}")


def is_status(body, status):
    cancelled, closed = body.get("cancelled_at"), body.get("closed_at")
    states = {
        "any": True,
        "open": not cancelled and not closed,
        "closed": bool(closed),
        "cancelled": bool(cancelled),
    }
    return states[status]


def _key(body, given):
    name = given.get("order", "created_at desc").split()[0]
    return (body["id"],) if name == "id" else (seconds(body.get(name) or ""), body["id"])


def _found(bodies, given, last):
    """In order, from behind the last key of the page before; only open ones unless asked."""
    descending = not given.get("order", "created_at desc").endswith("asc")
    found = []
    for body in bodies:
        times = [
            (name.rpartition("_"), seconds(value))
            for name, value in given.items()
            if name.endswith(("_min", "_max"))
        ]
        kept = all(
            seconds(body[member]) >= at if end == "min" else seconds(body[member]) <= at
            for (member, _, end), at in times
        )
        key = _key(body, given)
        behind = last is None or (key < last if descending else key > last)
        if kept and behind and is_status(body, given.get("status", "open")):
            found.append(body)
    return sorted(found, key=lambda body: _key(body, given), reverse=descending)


def _call_limit(shop):
    used = int(shop.calls.size - shop.calls.left() + 0.999)
    return {"X-Shopify-Shop-Api-Call-Limit": f"{used}/{int(shop.calls.size)}"}
