"""The text of GraphQL documents and schemas.

Owns: reading them into operations, fields, fragments and types, and one entry of an answer's
`errors`. It checks no more than the grammar; the rest is graphql.py's.
"""

import json
import re

_TOKEN = re.compile(
    r'[\s,\ufeff]+|#[^\n]*|(?P<block>"""(?:[^"\\]|\\.|"(?!""))*""")|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<float>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?P<int>-?\d+)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\.\.\.|[!$&()\[\]{}:=@|])"
)
DEEPEST = 25


class GraphError(Exception):
    """One entry of `errors`."""

    def __init__(self, message, code=None, place=None, path=None, **more):
        super().__init__(message)
        self.entry = {"message": message}
        if place:
            self.entry["locations"] = [{"line": place[0], "column": place[1]}]
        if path is not None:
            self.entry["path"] = path
        if code:
            self.entry["extensions"] = {"code": code, **more}


class Variable(str):
    """The name of a variable where a value stands."""


class Enum(str):
    """A name where a value stands."""


class Field:
    def __init__(self, name, alias, arguments, selections, place):
        self.name, self.alias, self.arguments = name, alias, arguments
        self.selections, self.place = selections, place


class Fragment:
    """`... on TYPE { }` or, with a name, `...NAME`."""

    def __init__(self, on, name, selections, place):
        self.on, self.name, self.selections, self.place = on, name, selections, place


class Operation:
    def __init__(self, kind, name, variables, selections):
        self.kind, self.name, self.variables, self.selections = kind, name, variables, selections


class Reader:
    """A recursive reader of documents and of schemas."""

    def __init__(self, text):
        self._text = text
        self._tokens = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise GraphError(f'Parse error on "{text[at]}"', place=self._place(at))
            if match.lastgroup:
                self._tokens.append((match.lastgroup, match.group(), at))
            at = match.end()
        self._tokens.append(("end", "", len(text)))
        self._next = 0
        self._depth = 0

    def _place(self, at):
        line = self._text.count("\n", 0, at)
        return line + 1, at - (self._text.rfind("\n", 0, at) + 1) + 1

    def peek(self):
        return self._tokens[self._next][1]

    def kind(self):
        return self._tokens[self._next][0]

    def here(self):
        return self._place(self._tokens[self._next][2])

    def take(self, wanted=None):
        kind, text, at = self._tokens[self._next]
        if wanted is not None and text != wanted or kind == "end":
            raise GraphError(f'Parse error on "{text}" ({kind.upper()})', place=self._place(at))
        self._next += 1
        return text

    def skip(self, wanted):
        if self.peek() != wanted:
            return False
        self._next += 1
        return True

    def name(self):
        if self.kind() != "name":
            raise GraphError(f'Parse error on "{self.peek()}"', place=self.here())
        return self.take()

    def type(self):
        """A type as text without blanks: `[Order!]!`."""
        if self.skip("["):
            text = f"[{self.type()}]"
            self.take("]")
        else:
            text = self.name()
        return text + "!" if self.skip("!") else text

    def value(self):
        kind = self.kind()
        if kind in ("string", "block"):
            text = self.take()
            return json.loads(text) if kind == "string" else text[3:-3].strip()
        if kind == "int":
            return int(self.take())
        if kind == "float":
            return float(self.take())
        if self.skip("$"):
            return Variable(self.name())
        if self.skip("["):
            values = []
            while not self.skip("]"):
                values.append(self.value())
            return values
        if self.skip("{"):
            members = {}
            while not self.skip("}"):
                name = self.name()
                self.take(":")
                members[name] = self.value()
            return members
        word = self.name()
        return {"true": True, "false": False, "null": None}.get(word, Enum(word))

    def arguments(self):
        found = {}
        if self.skip("("):
            while not self.skip(")"):
                name = self.name()
                self.take(":")
                found[name] = self.value()
        return found

    def selections(self):
        self.take("{")
        self._depth += 1
        if self._depth > DEEPEST:
            raise GraphError("the query is nested too deeply", "MAX_DEPTH_EXCEEDED")
        found = []
        while not self.skip("}"):
            found.append(self._selection())
        self._depth -= 1
        if not found:
            raise GraphError('Parse error on "}" (RCURLY)', place=self.here())
        return found

    def _selection(self):
        place = self.here()
        if self.skip("..."):
            if self.peek() not in ("on", "{"):
                return Fragment(None, self.name(), None, place)
            on = self.name() and self.name() if self.peek() == "on" else None
            return Fragment(on, None, self.selections(), place)
        name = alias = self.name()
        if self.skip(":"):
            name = self.name()
        arguments = self.arguments()
        if self.peek() == "@":
            raise GraphError("directives are not played by the simulator", "undefinedDirective")
        inner = self.selections() if self.peek() == "{" else None
        return Field(name, alias, arguments, inner, place)

    def document(self):
        """(operations, fragments by name)."""
        operations, fragments = [], {}
        while self.kind() != "end":
            if self.peek() == "fragment":
                place = self.here()
                self.take()
                name = self.name()
                self.take("on")
                fragments[name] = Fragment(self.name(), name, self.selections(), place)
            elif self.peek() == "{":
                operations.append(Operation("query", None, {}, self.selections()))
            else:
                operations.append(self._operation())
        return operations, fragments

    def _operation(self):
        kind = self.name()
        if kind not in ("query", "mutation"):
            raise GraphError(f'Parse error on "{kind}" (IDENTIFIER)', place=self.here())
        name = self.name() if self.kind() == "name" else None
        variables = {}
        if self.skip("("):
            while not self.skip(")"):
                self.take("$")
                variable = self.name()
                self.take(":")
                declared = self.type()
                default = self.value() if self.skip("=") else None
                variables[variable] = (declared, default)
        return Operation(kind, name, variables, self.selections())

    def schema(self):
        """Type name -> (kind, {field: (type, {argument: type})}); of a union (kind, [types])."""
        types = {}
        while self.kind() != "end":
            kind, name = self.name(), self.name()
            if kind == "union":
                self.take("=")
                members = [self.name()]
                while self.skip("|"):
                    members.append(self.name())
                types[name] = ("union", members)
                continue
            self.take("{")
            fields = {}
            while not self.skip("}"):
                field = self.name()
                if kind == "enum":
                    fields[field] = None
                    continue
                taken = {}
                if self.skip("("):
                    while not self.skip(")"):
                        argument = self.name()
                        self.take(":")
                        taken[argument] = self.type()
                self.take(":")
                fields[field] = (self.type(), taken)
            types[name] = (kind, fields)
        return types
