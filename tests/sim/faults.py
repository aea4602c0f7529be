"""Faults on command.

Owns: the list of faults that tests asked for, which call each one hits, what it does to that call,
and the calls that are held until a test lets them go. Thread safe.
"""

import threading
import time

import jsontext
from calls import Answer, Drop, Hang
from errors import server_error

KINDS = (
    "delay",
    "status",
    "reset_before",
    "reset_after",
    "malformed",
    "element_error",
    "hang",
    "hold",
)
_OPTIONS = (
    "method",
    "path",
    "tenant",
    "fault",
    "count",
    "delay_ms",
    "status",
    "body",
    "headers",
    "when",
    "message",
    "match",
    "holds",
    "index",
    "remember",
)


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []
        self._gate = threading.Condition(self._lock)
        self._held = 0
        self._generation = 0
        self._abandon = False

    def add(self, spec):
        unknown = set(spec) - set(_OPTIONS)
        if unknown or spec.get("fault") not in KINDS:
            raise ValueError(f"unknown fault or option: {spec.get('fault')!r} {sorted(unknown)}")
        if spec.get("when", "before") not in ("before", "after"):
            raise ValueError("when is before or after")
        with self._lock:
            self._faults.append({"count": 1, **spec})

    def clear(self, abandon=False):
        """Drops all faults and releases every held call."""
        with self._lock:
            self._faults.clear()
        self.release(abandon)

    def listed(self):
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def take(self, method, path, tenant, body=b""):
        """The fault that hits this call, used up by one; None when there is none. A count of
        -1 lasts."""
        with self._lock:
            for fault in self._faults:
                if (
                    fault.get("method") in (None, method)
                    and path.startswith(fault.get("path", "/"))
                    and fault.get("tenant") in (None, tenant)
                    and fault.get("holds", "").encode() in body
                ):
                    if fault["count"] > 0:
                        fault["count"] -= 1
                        if fault["count"] == 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def hold(self):
        """Waits for `release`; False when the call is to be abandoned."""
        with self._gate:
            self._held += 1
            generation = self._generation
            self._gate.wait_for(lambda: self._generation != generation)
            self._held -= 1
            return not self._abandon

    def release(self, abandon=False):
        """Lets all held calls go on (or end without an answer); returns how many were held."""
        with self._gate:
            self._generation += 1
            self._abandon = abandon
            self._gate.notify_all()
            return self._held

    def held(self):
        with self._lock:
            return self._held

    def play(self, fault, run, remember=lambda answer: None):
        """Runs a call under its fault. `run` does what the call asks; `remember` stores an
        answer that was given in its place under the call's key. May raise Drop or Hang."""
        if fault is None or fault["fault"] == "element_error":
            return run()
        kind = fault["fault"]
        when = fault.get("when", "before")
        if (
            kind == "reset_before"
            or when == "before"
            and kind in ("delay", "hold", "hang", "status")
        ):
            answer = self._strike(kind, fault)
            if answer is not None:
                if fault.get("remember", answer.status == 500):
                    remember(answer)
                return answer
            return run()
        answer = run()
        if kind == "malformed":
            body = fault.get("body")
            broken = body.encode() if body is not None else answer.body[: len(answer.body) // 2]
            return Answer(answer.status, broken, answer.headers, answer.kind)
        return self._strike(kind, fault) or answer

    def _strike(self, kind, fault):
        """What happens at the fault's moment: an answer in place of the call's own, None, or
        no more."""
        if kind in ("reset_before", "reset_after"):
            raise Drop
        if kind == "hang":
            raise Hang
        if kind == "delay":
            time.sleep(fault.get("delay_ms", 0) / 1000)
        elif kind == "hold" and not self.hold():
            raise Drop
        elif kind == "status":
            status = fault.get("status", 503)
            body = fault.get("body", server_error() if status == 500 else "")
            text = body if isinstance(body, str) else jsontext.text(body)
            return Answer(
                status,
                text.encode(),
                dict(fault.get("headers") or {}),
                "application/json" if text.startswith(("{", "[")) else "text/html",
            )
        return None


def element_message(fault, index, element):
    """The message with which an `element_error` refuses this element, or None. `match` picks
    the element by its number, name or reference, else `index` (0) does."""
    if fault is None or fault["fault"] != "element_error":
        return None
    if "match" in fault:
        marks = [
            element.get(name)
            for name in ("InvoiceNumber", "CreditNoteNumber", "ContactNumber", "Name", "Reference")
        ]
        hit = fault["match"] in marks
    else:
        hit = index == fault.get("index", 0)
    return fault.get("message", "An error occurred in Xero.") if hit else None
