"""Xero's published description of its accounting API, as a strict reader of requests.

A request that breaks the letter of it in anything is a fault: an address, a query parameter or a
header that it does not have, a member that it does not know at any depth, text for a number, a
value outside an enumeration, a text that is too long, a member that is the answer's alone. Xero
itself is milder, but what keeps to the letter cannot be refused for its form.

The description is not part of this project: LH_XERO_SPEC names a copy (xero_accounting.yaml of
XeroAPI/Xero-OpenAPI), else one in shared/specs beside the project is taken.
"""

import collections
import datetime
import functools
import json
import os
import pathlib
import re
import urllib.parse
import uuid
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONGEST_KEY = 128  # of an Idempotency-Key; the description says it in words only
LATER = {  # query parameters that Xero added after the version that is usually at hand (16.1.0)
    ("put", "/Invoices"): [
        {"in": "query", "name": "allowBackorders", "schema": {"type": "boolean"}}
    ],
    ("post", "/Invoices"): [
        {"in": "query", "name": "allowBackorders", "schema": {"type": "boolean"}}
    ],
}
_KEYWORDS = {  # all that the description says about values; another one would need reading, too
    "$ref", "type", "format", "properties", "required", "items", "enum", "maxLength", "readOnly",
    "description", "example", "default", "externalDocs", "x-is-money", "x-is-msdate",
    "x-is-msdate-time", "x-objectArrayKey", "x-enum-varnames", "title"}  # fmt: skip
_MS_DATE = re.compile(r"/Date\(-?\d+([+-]\d{4})?\)/")


def location():
    """Where the copy is expected, whether or not there is one."""
    return pathlib.Path(
        os.environ.get("LH_XERO_SPEC") or ROOT.parent / "shared" / "specs" / "xero_accounting.yaml"
    )


def missing():
    """Why the description cannot be read here; None when it can."""
    if not location().is_file():
        return f"no copy of Xero's description at {location()} (LH_XERO_SPEC names another)"
    try:
        import yaml
    except ImportError:
        return "python3-yaml is not installed"
    if not hasattr(yaml, "CSafeLoader"):
        return "python3-yaml has no C loader; without it reading the description takes long"
    return None


@functools.lru_cache(1)
def at_hand():
    """The description, read once a process; None when there is none."""
    if missing():
        return None
    import yaml

    with location().open(encoding="utf-8") as file:
        return Description(yaml.load(file, yaml.CSafeLoader))


class Description:
    """Checks requests: `faults` says in words what is wrong with one."""

    def __init__(self, document):
        self._document = document
        self._base = urllib.parse.urlsplit(document["servers"][0]["url"]).path
        self._paths = [(template.strip("/").split("/"), template) for template in document["paths"]]
        self._clean = set()

    @property
    def schemas(self):
        return self._document["components"]["schemas"]

    def faults(self, request):
        """What is wrong with a request {"method", "target", "headers", "body"} (`target` as it was
        sent, `body` a text or None); an empty list when nothing is. Equal ones are read once."""
        same = (
            request["method"],
            request["target"],
            tuple(sorted(request["headers"].items())),
            request["body"],
        )
        if same in self._clean:
            return []
        found = self._faults(request)
        if not found and len(self._clean) < 10000:
            self._clean.add(same)
        return found

    def _faults(self, request):
        path, _, query = request["target"].partition("?")
        if not path.startswith(self._base + "/"):
            return [f"address {path}: not below {self._base}"]
        parts = path[len(self._base) :].strip("/").split("/")
        found = [
            self._under(template, parts, query, request) for template in self._templates(parts)
        ]
        if not found:
            return [f"address {path}: unknown"]
        return min(found, key=len)

    def _templates(self, parts):
        """The addresses that fit, those with the most fixed parts only: {A} gives way to a name."""
        fits = collections.defaultdict(list)
        for pattern, template in self._paths:
            if len(pattern) == len(parts) and all(
                one.startswith("{") or one == part for one, part in zip(pattern, parts)
            ):
                fits[sum(not one.startswith("{") for one in pattern)].append(template)
        return fits[max(fits)] if fits else []

    def _under(self, template, parts, query, request):
        operations = self._document["paths"][template]
        method = request["method"].lower()
        if method not in operations:
            return [f"method {request['method']} of {template}: unknown"]
        operation = operations[method]
        known = (
            operations.get("parameters", [])
            + operation.get("parameters", [])
            + LATER.get((method, template), [])
        )
        known = [self._resolved(one) for one in known]
        values = dict(zip(template.strip("/").split("/"), map(urllib.parse.unquote, parts)))
        found = []
        for one in (one for one in known if one["in"] == "path"):
            found += self._text(
                values["{" + one["name"] + "}"], one["schema"], f"address part {one['name']}"
            )
        found += self._query(query, {one["name"]: one for one in known if one["in"] == "query"})
        found += self._headers(
            request, {one["name"].lower(): one for one in known if one["in"] == "header"}
        )
        return found + self._body(request, operation)

    def _resolved(self, node):
        while "$ref" in node:
            whole = self._document
            for name in node["$ref"].removeprefix("#/").split("/"):
                whole = whole[name]
            node = whole
        return node

    # -- parameters and headers -------------------------------------------------------------------

    def _query(self, query, known):
        found = []
        if re.search(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]|%(?![0-9A-Fa-f]{2})", query):
            found.append("query: a character that must be percent-encoded")
        given = urllib.parse.parse_qsl(query, keep_blank_values=True)
        for name, value in given:
            if name not in known:
                found.append(f"query parameter {name}: unknown")
            else:
                found += self._text(value, known[name]["schema"], f"query parameter {name}")
        found += [
            f"query parameter {name}: given {count} times"
            for name, count in collections.Counter(name for name, _ in given).items()
            if count > 1
        ]
        return found + [
            f"query parameter {name}: missing"
            for name, one in known.items()
            if one.get("required") and name not in dict(given)
        ]

    def _text(self, value, schema, where):
        """A value that came as text: of a query parameter or a part of the address."""
        schema = self._resolved(schema)
        kind = schema["type"]
        if kind == "array":
            return [
                fault
                for one in value.split(",")
                for fault in self._text(one, schema["items"], where)
            ]
        if kind == "integer":
            return [] if re.fullmatch(r"-?\d+", value) else [f"{where}: {value!r} is no integer"]
        if kind == "boolean":
            return (
                []
                if value in ("true", "false")
                else [f"{where}: {value!r} is neither true nor false"]
            )
        return self._string(value, schema, where) if value else [f"{where}: empty"]

    def _headers(self, request, known):
        given = {name.lower(): value for name, value in request["headers"].items()}
        found = [
            f"header {name}: missing"
            for name, one in known.items()
            if one.get("required") and not given.get(name)
        ]
        key = given.get("idempotency-key")
        if key is not None and "idempotency-key" not in known:
            found.append("header idempotency-key: unknown here")
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            found.append(f"header idempotency-key: not of 1 to {LONGEST_KEY} characters")
        if "if-modified-since" in given and "if-modified-since" not in known:
            found.append("header if-modified-since: unknown here")
        if not given.get("authorization", "").startswith("Bearer"):
            found.append("header authorization: no bearer token")
        if "application/json" not in given.get("accept", ""):
            found.append("header accept: not application/json, so Xero answers in XML")
        return found

    # -- bodies -----------------------------------------------------------------------------------

    def _body(self, request, operation):
        text = request["body"]
        if "requestBody" not in operation:
            return ["body: none is taken here"] if text else []
        wanted = self._resolved(operation["requestBody"])
        if not text:
            return ["body: missing"] if wanted.get("required") else []
        headers = {name.lower(): value for name, value in request["headers"].items()}
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind not in wanted["content"] or kind != "application/json":
            return [f"header content-type: {kind!r} is not taken here"]
        try:
            value = json.loads(
                text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object
            )
        except ValueError as error:
            return [f"body: {error}"]
        return self._value(value, wanted["content"][kind]["schema"], "body")

    def _value(self, value, schema, where):
        """What is wrong with a parsed value, at any depth, each fault with its place."""
        if set(schema) - _KEYWORDS:
            raise NotImplementedError(f"the description uses {sorted(set(schema) - _KEYWORDS)}")
        if schema.get("readOnly"):
            return [f"{where}: is the answer's alone"]
        if "$ref" in schema:
            return self._value(value, self._resolved(schema), where)
        kind = schema.get("type", "object")
        if not _is(value, kind):
            return [f"{where}: {_shown(value)} is no {kind}"]
        if kind == "array":
            return [
                fault
                for index, one in enumerate(value)
                for fault in self._value(one, schema["items"], f"{where}[{index}]")
            ]
        if kind == "object":
            return self._object(value, schema, where)
        if kind == "string":
            return self._string(value, schema, where)
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where}: {_shown(value)} is none of {schema['enum']}"]
        return []

    def _object(self, value, schema, where):
        known = schema.get("properties", {})
        found = [
            f"{where}: {name} is missing"
            for name in schema.get("required", ())
            if name not in value
        ]
        for name, member in value.items():
            if name in known:
                found += self._value(member, known[name], f"{where}.{name}")
            else:
                found.append(f"{where}: {name} is unknown")
        return found

    def _string(self, value, schema, where):
        longest = schema.get("maxLength")
        if longest is not None and len(value) > longest:
            return [f"{where}: {len(value)} characters, at most {longest} fit"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where}: {_shown(value)} is none of {schema['enum']}"]
        if schema.get("format") == "uuid" and not _is_uuid(value):
            return [f"{where}: {_shown(value)} is no uuid"]
        if schema.get("x-is-msdate") and not _is_day(value):
            return [f"{where}: {_shown(value)} is no date"]
        return []


def _refuse(name):
    raise ValueError(f"{name} is not JSON")


def _object(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object names a member twice")
    return dict(pairs)


def _is(value, kind):
    if kind in ("number", "integer"):
        wanted = int if kind == "integer" else (int, Decimal)
        return isinstance(value, wanted) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "array": list, "object": dict}[kind])


def _is_uuid(value):
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _is_day(value):
    if _MS_DATE.fullmatch(value):
        return True
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _shown(value):
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text[:60])


def check_record(path, offset=0):
    """Reads the requests that the simulator wrote down after OFFSET (whole lines only) and fails
    with all faults of them; returns the offset for the next time. The description must be at
    hand."""
    found = {}
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            offset += len(line)
            request = json.loads(line)
            for fault in at_hand().faults(request):
                found.setdefault(fault, request)
    assert not found, "requests that break Xero's description:\n" + "\n".join(
        f"- {fault}\n  in {one['method']} {one['target'][:200]} {(one['body'] or '')[:600]}"
        for fault, one in found.items()
    )
    return offset
