"""A GraphQL request: one operation of a document with its variables, checked against a schema.

Owns: types and their fields, and what is wrong with a request, in the words that Shopify uses. The
texts are graphql_text.py's, values and costs graphql_answer.py's.
"""

from graphql_text import Enum, Field, GraphError, Reader, Variable


def base(type_text):
    return type_text.strip("[]!")


class Schema:
    """Connections are made of their names: `XConnection` has edges, nodes and pageInfo."""

    def __init__(self, text):
        self.types = Reader(text).schema()
        self.types["PageInfo"] = (
            "type",
            {
                "hasNextPage": ("Boolean!", {}),
                "hasPreviousPage": ("Boolean!", {}),
                "startCursor": ("String", {}),
                "endCursor": ("String", {}),
            },
        )
        named = {base(one[0]) for kind, fields in list(self.types.values()) if kind == "type"
                 for one in fields.values()}  # fmt: skip
        for name in named:
            if name.endswith("Connection"):
                node = name[: -len("Connection")]
                self.types[name] = (
                    "type",
                    {
                        "edges": (f"[{node}Edge!]!", {}),
                        "nodes": (f"[{node}!]!", {}),
                        "pageInfo": ("PageInfo!", {}),
                    },
                )
                edge = {"cursor": ("String!", {}), "node": (node + "!", {})}
                self.types[node + "Edge"] = ("type", edge)

    def fields(self, name):
        """The fields of an object type; None for what has none."""
        kind, fields = self.types.get(name, (None, None))
        return fields if kind in ("type", "interface") else None

    def members(self, name):
        """The object types that a value of this type can have."""
        kind, fields = self.types[name]
        return fields if kind == "union" else [name]


class Request:
    """One operation of a document with its variables, checked; `errors` is empty when it may
    run."""

    def __init__(self, schema, text, variables, name=None):
        self.schema = schema
        self.errors = []
        operations, self._fragments = Reader(text).document()
        found = [one for one in operations if name in (None, one.name)]
        if len(found) != 1:
            raise GraphError("An operation name is required")
        self.operation = found[0]
        self._variables = {}
        self._used = set()
        self._read_variables(variables)
        root = "QueryRoot" if self.operation.kind == "query" else "Mutation"
        self.root = root
        self.selections = self._flatten(
            root, self.operation.selections, [self.operation.kind], (root,)
        )
        for variable in self.operation.variables:
            if variable not in self._used:
                self._error(
                    f"Variable ${variable} is declared by {self._label()} but not used",
                    "variableNotUsed",
                    path=[self.operation.kind],
                    variableName=variable,
                )

    def _label(self):
        return self.operation.name or f"anonymous {self.operation.kind}"

    def _error(self, message, code, place=None, path=None, **more):
        self.errors.append(GraphError(message, code, place, path, **more).entry)

    def _read_variables(self, given):
        for name, (declared, default) in self.operation.variables.items():
            value = given.get(name, default)
            if (
                value is None
                and declared.endswith("!")
                or (value is not None and not self._fits(declared, value))
            ):
                self._error(
                    f"Variable ${name} of type {declared} was provided invalid value",
                    "INVALID_VARIABLE",
                    value=value,
                )
            self._variables[name] = value

    def _fits(self, wanted, value):
        """Whether a value can stand where this type is wanted."""
        if value is None:
            return not wanted.endswith("!")
        wanted = wanted.rstrip("!")
        if wanted.startswith("["):
            values = value if isinstance(value, list) else [value]
            return all(self._fits(wanted[1:-1], one) for one in values)
        kind, fields = self.schema.types.get(wanted, (None, None))
        if kind == "enum":
            return isinstance(value, str) and value in fields
        if kind == "input":
            return (
                isinstance(value, dict)
                and set(value) <= set(fields)
                and all(self._fits(one, value.get(name)) for name, (one, _) in fields.items())
            )
        types = {"Int": int, "Float": (int, float), "Boolean": bool, "ID": (str, int)}
        fits = isinstance(value, types.get(wanted, str)) and not isinstance(value, Enum)
        return fits and (wanted == "Boolean") == isinstance(value, bool)

    def _flatten(self, type_name, selections, path, seen):
        """Fields only: (on type or None, field, arguments, inner)."""
        found = []
        for one in selections:
            if isinstance(one, Field):
                checked = self._field(type_name, one, path, seen)
                if checked:
                    found.append(checked)
                continue
            inside = seen
            if one.name:
                if one.name not in self._fragments or one.name in seen:
                    self._error(
                        f"Fragment {one.name} was used, but not defined", "useAndDefineFragment"
                    )
                    continue
                inside = (*seen, one.name)
                one = self._fragments[one.name]
            on = one.on or type_name
            if on not in self.schema.types or not (
                set(self.schema.members(on)) & set(self.schema.members(type_name))
            ):
                self._error(
                    f"Fragment on {on} can't be spread inside {type_name}",
                    "cannotSpreadFragment",
                    one.place,
                    path,
                )
                continue
            for _, *rest in self._flatten(on, one.selections, [*path, f"... on {on}"], inside):
                found.append((on, *rest))
        return found

    def _field(self, type_name, field, path, seen):
        path = [*path, field.alias]
        if field.name == "__typename":
            return (None, field, {}, None, "String!")
        fields = self.schema.fields(type_name) or {}
        if field.name not in fields:
            self._error(
                f"Field '{field.name}' doesn't exist on type '{type_name}'",
                "undefinedField",
                field.place,
                path,
                typeName=type_name,
                fieldName=field.name,
            )
            return None
        kind, known = fields[field.name]
        arguments = self._arguments(field, known, path)
        inner_type = base(kind)
        composite = self.schema.types.get(inner_type, ("scalar",))[0] in ("type", "union")
        if composite != (field.selections is not None):
            self._error(
                f"Field must have selections (field '{field.name}' returns {inner_type} but has "
                f"no selections. Did you mean '{field.name} {{ ... }}'?)"
                if composite
                else f"Selections can't be made on scalars (field '{field.name}' returns "
                f"{inner_type} but has selections)",
                "selectionMismatch",
                field.place,
                path,
            )
            return None
        inner = None
        if composite:
            inner = self._flatten(inner_type, field.selections, path, seen)
        return (None, field, arguments, inner, kind)

    def _arguments(self, field, known, path):
        found = {}
        for name, value in field.arguments.items():
            if name not in known:
                self._error(
                    f"Field '{field.name}' doesn't accept argument '{name}'",
                    "argumentNotAccepted",
                    field.place,
                    [*path, name],
                    name=field.name,
                    argumentName=name,
                )
                continue
            value = self._filled(value, known[name], path)
            if not self._fits(known[name], value):
                self._error(
                    f"Argument '{name}' on Field '{field.name}' has an invalid value. Expected "
                    f"type '{known[name]}'.",
                    "argumentLiteralsIncompatible",
                    field.place,
                    [*path, name],
                )
            elif value is not None:
                found[name] = value
        for name, kind in known.items():
            if kind.endswith("!") and name not in field.arguments:
                self._error(
                    f"Field '{field.name}' is missing required arguments: {name}",
                    "missingRequiredArguments",
                    field.place,
                    path,
                )
        return found

    def _filled(self, value, wanted, path):
        """The value with its variables replaced. An Enum becomes text where an enumeration is
        wanted."""
        if isinstance(value, Variable):
            name = str(value)
            self._used.add(name)
            if name not in self.operation.variables:
                self._error(
                    f"Variable ${name} is used by {self._label()} but not declared",
                    "variableNotDefined",
                    path=path,
                    variableName=name,
                )
                return None
            declared = self.operation.variables[name][0]
            if base(declared) != base(wanted):
                self._error(
                    f"Type mismatch on variable ${name} and argument ({declared} / {wanted})",
                    "variableMismatch",
                    path=path,
                )
                return None
            return self._variables[name]
        kind, fields = self.schema.types.get(base(wanted), (None, None))
        if isinstance(value, Enum):
            return str(value) if kind == "enum" else value
        if isinstance(value, str) and kind == "enum":
            return Enum(value + " (a text)")  # a text is no member of an enumeration
        if isinstance(value, list):
            return [self._filled(one, base(wanted), path) for one in value]
        if isinstance(value, dict) and kind == "input":
            return {
                name: self._filled(one, fields.get(name, ("String", {}))[0], path)
                for name, one in value.items()
            }
        return value
