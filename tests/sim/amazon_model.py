"""Amazon's description of its Orders API 2026-01-01, where a copy is at hand.

Owns: finding the copy, and the faults of a value read strictly against one of its definitions:
members that it does not know at any depth, members that are missing, types, enumerations, dates.
The description is no part of this project: LH_AMAZON_SPEC names a copy, else one in shared/specs
beside the project is taken.
"""

import datetime
import functools
import json
import os
import pathlib
from decimal import Decimal

_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float, Decimal),
    "boolean": bool,
}


def location():
    """Where the copy is expected, whether or not there is one."""
    named = os.environ.get("LH_AMAZON_SPEC")
    root = pathlib.Path(__file__).resolve().parent.parent.parent.parent
    return pathlib.Path(named or root / "shared" / "specs" / "amazon_orders_2026-01-01.json")


@functools.lru_cache(1)
def model():
    """The whole description; None without a copy."""
    try:
        return json.loads(location().read_text("utf-8"))
    except OSError:
        return None


def faults(definition, value):
    """All that is wrong with a value; an empty list without a copy, too."""
    if model() is None:
        return []
    found = []
    _check({"$ref": "#/definitions/" + definition}, value, definition, found)
    return found


def _check(schema, value, where, found):
    while "$ref" in schema:
        schema = model()["definitions"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        _object(schema, value, where, found)
    elif kind == "array":
        if not isinstance(value, list):
            found.append(f"{where}: no list")
            return
        for index, one in enumerate(value):
            _check(schema["items"], one, f"{where}[{index}]", found)
    elif not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind == "boolean"):
        found.append(f"{where}: no {kind}")
    elif "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value} is none of its values")
    elif schema.get("format") in ("date-time", "date"):
        try:
            datetime.datetime.fromisoformat(value)
        except ValueError:
            found.append(f"{where}: no {schema['format']}")


def _object(schema, value, where, found):
    if not isinstance(value, dict):
        found.append(f"{where}: no object")
        return
    found += [f"{where}: no {name}" for name in schema.get("required", ()) if name not in value]
    for name, member in value.items():
        if name not in schema["properties"]:
            found.append(f"{where}: {name} is not known")
        else:
            _check(schema["properties"][name], member, f"{where}.{name}", found)
