"""What a GraphQL request answers, and what it costs.

Owns: the selected members of plain values (a dict for an object, a list for a list or a connection,
a function of the arguments for what depends on them), pages with their cursors, and points.
"""

import base64
import json

from graphql import base
from graphql_text import GraphError


def cursor(key):
    return base64.b64encode(json.dumps(key).encode()).decode()


def uncursor(text):
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        raise GraphError("Invalid cursor for current pagination sort.", "BAD_REQUEST") from None


class Page:
    """What a connection answers: the nodes of one page with their cursors."""

    def __init__(self, nodes, cursors, more, before):
        self.nodes, self.cursors, self.more, self.before = nodes, cursors, more, before

    def value(self):
        return {
            "nodes": self.nodes,
            "edges": [{"cursor": c, "node": n} for n, c in zip(self.nodes, self.cursors)],
            "pageInfo": {
                "hasNextPage": self.more,
                "hasPreviousPage": self.before,
                "startCursor": self.cursors[0] if self.cursors else None,
                "endCursor": self.cursors[-1] if self.cursors else None,
            },
        }


def paged(items, arguments, keys=None):
    """A page of a list that is in order. KEYS: of each item, comparable; else its place."""
    size = arguments.get("first")
    if size is None:
        raise GraphError("you must provide one of first or last", "BAD_REQUEST")
    if not 0 <= size <= 250:
        raise GraphError("first is between 0 and 250", "BAD_REQUEST")
    keys = keys or [[index] for index in range(len(items))]
    start = 0
    if "after" in arguments:
        last = uncursor(arguments["after"])
        descending = len(keys) > 1 and keys[0] > keys[-1]
        while start < len(keys) and (keys[start] >= last if descending else keys[start] <= last):
            start += 1
    end = start + size
    cursors = [cursor(key) for key in keys[start:end]]
    return Page(items[start:end], cursors, end < len(items), start > 0)


def answer(request, type_name, value, selections):
    """The selected members of an object value."""
    told = {}
    own = value.get("__typename", type_name)
    for on, field, arguments, inner, kind in selections:
        if on is not None and own not in request.schema.members(on):
            continue
        if field.name == "__typename":
            told[field.alias] = own
            continue
        member = value.get(field.name)
        if callable(member):
            member = member(arguments)
        told[field.alias] = _told(request, kind, member, arguments, inner)
    return told


def _told(request, kind, member, arguments, inner):
    name = base(kind)
    if member is None:
        if kind.endswith("!"):
            raise KeyError(f"the simulator has no value of type {kind}")
        return None
    if inner is None:
        return member
    if name.endswith("Connection"):
        page = member if isinstance(member, Page) else paged(member, arguments)
        return answer(request, name, page.value(), inner)
    if kind.startswith("["):
        shown = member[: arguments["first"]] if "first" in arguments else member
        return [answer(request, name, one, inner) for one in shown]
    return answer(request, name, member, inner)


def cost(request, free, told=None):
    """Points of a request: an object 1, what is a scalar 0, a connection or list as many as asked
    for (or, with the answer TOLD, as many as there are), a mutation 10. FREE types cost nothing."""
    first = 10 if request.operation.kind == "mutation" else 0
    return max(1, first + _cost(request.selections, free, told))


def _cost(selections, free, told):
    total = 0
    for _, field, arguments, inner, kind in selections:
        if inner is None:
            continue
        value = told.get(field.alias) if told is not None else None
        if told is not None and value is None:
            continue
        name = base(kind)
        own = 0 if name in free else 1
        if name.endswith("Connection"):
            total += 2 + _connection_cost(inner, free, arguments.get("first", 0), value)
        elif kind.startswith("["):
            if value is None:
                total += arguments.get("first", 1) * (own + _cost(inner, free, None))
            else:
                total += sum(own + _cost(inner, free, one) for one in value)
        else:
            total += own + _cost(inner, free, value)
    return total


def _connection_cost(selections, free, size, told):
    """`edges { node }` and `nodes` cost what their nodes cost."""
    total = 0
    for _, field, _, inner, _ in selections:
        if field.name not in ("edges", "nodes"):
            continue
        values = told.get(field.alias) if told is not None else None
        if values is None:
            total += size * _node_cost(field.name, inner, free, None)
        else:
            total += sum(_node_cost(field.name, inner, free, one) for one in values)
    return total


def _node_cost(name, inner, free, told):
    if name == "nodes":
        return 1 + _cost(inner, free, told)
    return _cost([one for one in inner if one[1].name == "node"], free, told)
