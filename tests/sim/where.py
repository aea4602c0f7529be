"""The `where` filter of Xero's lists.

Owns: parsing (`ContactNumber=="a" OR ContactNumber=="b"`, AND, brackets, comparison, Contains,
StartsWith, EndsWith, Guid("..."), DateTime(y,m,d), true, false, null) and evaluation against a
record. Texts compare without regard to case. A filter that cannot be read is refused with
ErrorNumber 16.
"""

import datetime
import re
from decimal import Decimal

from errors import Refusal

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<operator>==|!=|>=|<=|>|<|=|\(|\)|,|&&|\|\|)
    | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE,
)
_COMPARE = {
    "==": lambda a, b: a == b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
_CALLS = {
    "contains": lambda a, b: b in a,
    "startswith": lambda a, b: a.startswith(b),
    "endswith": lambda a, b: a.endswith(b),
}


def parse(text):
    """A filter; ask it `matches(record_field_getter)` or `candidates(index)`: the ids of all
    records that may match, where `index(field, value)` knows those of an equality; None when only
    looking at every record can tell."""
    return _Parser(text).whole()


class Test:
    """One comparison."""

    def __init__(self, field, operator, value):
        self.field = field
        self.operator = operator
        self.value = value.lower() if isinstance(value, str) else value

    def matches(self, field_of):
        have = field_of(self.field)
        have = have.lower() if isinstance(have, str) else have
        if self.operator in _CALLS:
            return isinstance(have, str) and _CALLS[self.operator](have, self.value)
        if have is None or self.value is None:
            return self.operator in ("==", "=", "!=") and _COMPARE[self.operator](have, self.value)
        try:
            return _COMPARE[self.operator](have, self.value)
        except TypeError:
            raise Refusal(
                16, f"Operator '{self.operator}' incompatible with operand types"
            ) from None

    def candidates(self, index):
        if self.operator not in ("==", "=") or not isinstance(self.value, str):
            return None
        return index(self.field, self.value)


class Either:
    def __init__(self, terms):
        self.terms = terms

    def matches(self, field_of):
        return any(term.matches(field_of) for term in self.terms)

    def candidates(self, index):
        found = [term.candidates(index) for term in self.terms]
        return None if None in found else [one for ids in found for one in ids]


class Both:
    def __init__(self, terms):
        self.terms = terms

    def matches(self, field_of):
        return all(term.matches(field_of) for term in self.terms)

    def candidates(self, index):
        found = (term.candidates(index) for term in self.terms)
        return next((ids for ids in found if ids is not None), None)


class _Parser:
    def __init__(self, text):
        self.text = text
        self.tokens = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                self.fail()
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        self.at = 0

    def fail(self):
        raise Refusal(16, f"Could not parse the where clause '{self.text}'")

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, "")

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def expect(self, value):
        if self.take()[1] != value:
            self.fail()

    def whole(self):
        result = self.either()
        if self.at != len(self.tokens):
            self.fail()
        return result

    def joined(self, below, words, kind):
        terms = [below()]
        while self.peek()[1].upper() in words:
            self.take()
            terms.append(below())
        return terms[0] if len(terms) == 1 else kind(terms)

    def either(self):
        return self.joined(self.both, ("OR", "||"), Either)

    def both(self):
        return self.joined(self.term, ("AND", "&&"), Both)

    def term(self):
        if self.peek()[1] == "(":
            self.take()
            inner = self.either()
            self.expect(")")
            return inner
        kind, field = self.take()
        if kind != "word":
            self.fail()
        head, _, last = field.rpartition(".")
        if last.lower() in _CALLS and self.peek()[1] == "(":
            self.take()
            value = self.value()
            self.expect(")")
            return Test(head, last.lower(), value)
        operator = self.take()[1]
        if operator not in _COMPARE:
            self.fail()
        return Test(field, operator, self.value())

    def value(self):
        kind, token = self.take()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if kind == "number":
            return Decimal(token)
        word = token.lower()
        if kind == "word" and word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        if kind == "word" and word in ("guid", "datetime"):
            self.expect("(")
            values = [self.value()]
            while self.peek()[1] == ",":
                self.take()
                values.append(self.value())
            self.expect(")")
            try:
                return values[0] if word == "guid" else datetime.date(*map(int, values[:3]))
            except (TypeError, ValueError):
                self.fail()
        return self.fail()
