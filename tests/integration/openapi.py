"""The API's own description, and whether an answer is what it says: as much of JSON Schema as the
description uses, and an error for any word of it that is not known here.
"""

import datetime
import json
import re

TYPES = {"object": dict, "array": list, "string": str, "null": type(None), "boolean": bool}
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf",
         "$ref", "format", "pattern", "minimum", "maximum", "minItems", "maxItems", "description", "default"}


def of_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Description:
    """A parsed OpenAPI document."""

    def __init__(self, text):
        self.doc = json.loads(text)

    def follow(self, node):
        while "$ref" in node:
            target = self.doc
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/")]
            node = target
        return node

    def operations(self):
        """(method, path template, operation) of every call."""
        return [(method.upper(), path, op) for path, item in self.doc["paths"].items()
                for method, op in item.items() if method != "parameters"]

    def operation(self, method, path):
        """The call that METHOD and PATH (without query) are; a fixed segment wins over a parameter."""
        found = []
        for name, template, op in self.operations():
            pattern = re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(template))
            if name == method and re.fullmatch(pattern, path):
                found.append((template.count("{"), template, op))
        assert found, f"{method} {path} is not described"
        return min(found, key=lambda row: row[0])[1:]

    def check_answer(self, method, path, status, headers, body):
        """Fails unless the answer is one that the description allows. Returns the call's template."""
        template, op = self.operation(method, path)
        assert str(status) in op["responses"], f"{method} {template}: {status} is not described: {body[:300]}"
        answer = self.follow(op["responses"][str(status)])
        if "content" not in answer:
            assert body == b"", f"{method} {template}: {status} has no body by its description"
            return template
        ((kind, content),) = answer["content"].items()
        assert headers["Content-Type"] == kind, f"{method} {template}: {headers['Content-Type']}"
        wrong = list(self.faults(json.loads(body), content["schema"], "answer"))
        assert not wrong, f"{method} {template} {status}: {wrong}"
        return template

    def faults(self, value, schema, where):
        """What is wrong with VALUE, as sentences."""
        schema = self.follow(schema)
        assert set(schema) <= KNOWN, f"the validator does not know {set(schema) - KNOWN}"
        for word in ("anyOf", "oneOf"):
            if word in schema:
                fits = [not list(self.faults(value, s, where)) for s in schema[word]]
                if sum(fits) != 1 if word == "oneOf" else not any(fits):
                    yield f"{where}: {sum(fits)} of {word} fit"
        names = schema.get("type", [])
        names = [names] if isinstance(names, str) else names
        if names and not any(of_type(value, name) for name in names):
            yield f"{where}: {value!r} is not {names}"
            return
        if "enum" in schema and value is not None and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if "const" in schema and value != schema["const"]:
            yield f"{where}: {value!r} is not {schema['const']!r}"
        if isinstance(value, dict):
            yield from self.object_faults(value, schema, where)
        elif isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{where}: has {len(value)} elements"
            for i, element in enumerate(value):
                yield from self.faults(element, schema.get("items", {}), f"{where}[{i}]")
        elif isinstance(value, str):
            yield from text_faults(value, schema, where)
        elif of_type(value, "integer"):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                yield f"{where}: {value} is out of range"

    def object_faults(self, value, schema, where):
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, member in value.items():
            if name in known:
                yield from self.faults(member, known[name], f"{where}.{name}")
            elif more is False:
                yield f"{where}.{name} is not described"
            elif isinstance(more, dict):
                yield from self.faults(member, more, f"{where}.{name}")


def text_faults(value, schema, where):
    form = schema.get("format")
    try:
        if form == "date-time":
            datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
        elif form == "date":
            datetime.date.fromisoformat(value)
        else:
            assert form is None, f"the validator does not know the format {form}"
    except ValueError:
        yield f"{where}: {value!r} is no {form}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not fit {schema['pattern']}"
