"""One call and its answer.

Owns: the shapes that pass between the HTTP server and what it plays. No rules.
"""

import hashlib
import urllib.parse

import jsontext


class Drop(Exception):
    """The connection is reset without an answer."""


class Hang(Exception):
    """No answer ever comes, and the connection stays open."""


class Call:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.headers = headers  # names compare without regard to case
        self.body = body
        path, _, query = target.partition("?")
        self.path = urllib.parse.unquote(path)
        self.segments = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.parsed = None  # its body, where it was read before
        self.entry = None  # its line in the ledger

    def body_sha1(self):
        return hashlib.sha1(self.body).hexdigest()

    def form(self):
        return dict(
            urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        )


class Answer:
    def __init__(self, status, body=b"", headers=None, kind="text/html"):
        self.status = status
        self.body = body
        self.headers = headers or {}
        self.kind = kind


def json_answer(status, value, headers=None):
    return Answer(status, jsontext.text(value).encode(), headers, "application/json; charset=utf-8")
