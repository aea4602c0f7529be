"""What the simulator was asked, and what a client must never do.

Owns: the list of all calls but the control's own, and the list of violations. Thread safe.
"""

import threading


class Ledger:
    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._calls = []
        self._violations = []

    def open(self, **fields):
        """Writes a call down on arrival; the entry's `status` stays null while it runs."""
        with self._lock:
            entry = {
                "n": len(self._calls) + 1,
                "time": round(self._clock.now(), 3),
                "ended": None,
                "tenant": None,
                "client": None,
                "idempotency_key": None,
                "status": None,
                "in_flight": None,
                "elements": None,
                "replayed": False,
                "fault": None,
                **fields,
            }
            self._calls.append(entry)
            return entry

    def violation(self, kind, entry, detail=None):
        with self._lock:
            self._violations.append(
                {
                    "kind": kind,
                    "time": round(self._clock.now(), 3),
                    "call": entry["n"],
                    "tenant": entry["tenant"],
                    "client": entry["client"],
                    "method": entry["method"],
                    "path": entry["path"],
                    "detail": detail,
                }
            )

    def calls(self, since=0):
        with self._lock:
            return [dict(entry) for entry in self._calls[since:]]

    def violations(self):
        with self._lock:
            return list(self._violations)
