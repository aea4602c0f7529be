"""How Xero says no.

Owns: the exceptions that rules raise and the JSON bodies they become. A Refusal concerns the whole
call; a list of messages concerns one element of a batch (see batch.py).
"""

import datetime
import uuid

ZERO_GUID = "00000000-0000-0000-0000-000000000000"

TYPES = {
    10: ("ValidationException", "A validation exception occurred"),
    14: ("PostDataInvalidException", None),
    16: ("QueryParseException", None),
    17: (
        "NoDataProcessedException",
        (
            "No data has been processed for this endpoint. This endpoint is "
            "expecting data in its own wrapper."
        ),
    ),
}

OFFLINE = (
    "An error occurred in Xero. Check the API Status page http://status.developer.xero.com "
    "for current service status."
)


class Refusal(Exception):
    """The whole call is refused with one of Xero's numbered errors (HTTP 400)."""

    def __init__(self, number, message=None, elements=None):
        kind, text = TYPES[number]
        super().__init__(message or text)
        self.number = number
        self.body = {"ErrorNumber": number, "Type": kind, "Message": message or text}
        if elements is not None:
            self.body["Elements"] = elements


class NotFound(Exception):
    """HTTP 404, text/html, no body: an id that this organisation never issued."""


class Invalid(Exception):
    """One element broke rules. `echo` replaces members of what the answer repeats of the element:
    errors that sit on a child (a line, the contact) are put there."""

    def __init__(self, *texts, echo=None):
        super().__init__("; ".join(texts))
        self.messages = list(texts)
        self.echo = echo or {}


def messages(texts):
    return [{"Message": text} for text in texts]


def unauthorized(detail):
    return {
        "Type": None,
        "Title": "Unauthorized",
        "Status": 401,
        "Detail": detail,
        "Instance": str(uuid.uuid4()),
        "Extensions": {},
    }


def token_expired(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return unauthorized(f"TokenExpired: token expired at {moment.strftime('%m/%d/%Y %H:%M:%S')}")


def forbidden():
    return {
        "Type": None,
        "Title": "Forbidden",
        "Status": 403,
        "Detail": "AuthenticationUnsuccessful",
        "Instance": str(uuid.uuid4()),
        "Extensions": {},
    }


def server_error():
    return {
        "Title": "An error occurred",
        "Detail": OFFLINE,
        "Status": 500,
        "Instance": str(uuid.uuid4()),
    }
