"""Whole requests, written down for a test that reads them against Xero's description.

Owns: the file that LH_SIM_RECORD or the control names: one JSON object a line, `method`, `target`
(as it was sent), `headers`, `body` (text, or null). Tokens are left out. Thread safe.
"""

import json
import threading

LIMIT = 128 * 1024 * 1024  # bytes; what comes after is not written down
_HEADERS = ("Accept", "Content-Type", "Xero-Tenant-Id", "Idempotency-Key", "If-Modified-Since")


class Record:
    def __init__(self, path=None):
        self._lock = threading.Lock()
        self._file = None
        self._left = 0
        self.to(path)

    def to(self, path):
        """From now on to this file (emptied first); None: nowhere. Raises OSError."""
        file = open(path, "wb") if path else None  # pylint: disable=consider-using-with
        with self._lock:
            if self._file:
                self._file.close()
            self._file, self._left = file, LIMIT

    def write(self, call):
        """Writes a call down, if anywhere, before it is answered: whoever has seen its effect
        finds it in the file."""
        if self._file is None:
            return
        headers = {name: call.headers[name] for name in _HEADERS if call.headers.get(name)}
        if call.headers.get("Authorization"):
            headers["Authorization"] = call.headers["Authorization"].partition(" ")[0]
        line = {
            "method": call.method,
            "target": call.target,
            "headers": headers,
            "body": call.body.decode("utf-8", "surrogateescape") if call.body else None,
        }
        text = json.dumps(line).encode() + b"\n"
        with self._lock:
            if self._file and len(text) <= self._left:
                self._left -= len(text)
                self._file.write(text)
                self._file.flush()
