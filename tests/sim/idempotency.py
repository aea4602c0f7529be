"""The memory behind Idempotency-Key.

Owns: what was answered under a key of an app, for 6 minutes from its first call. Thread safe. What
Xero does with a second call while the first still runs is not documented; here it is a violation
and a 500, so that no client comes to rely on it.
"""

import threading

REMEMBERED = 360
LONGEST = 128
NEW, REPLAY, OTHER, RUNNING = "new", "replay", "other", "running"


class Memory:
    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._calls = {}  # (client, key) -> [first time, fingerprint, answer or None]
        self._swept = clock.now()

    def begin(self, client, key, fingerprint):
        """(NEW, None): run it, then `finish` or `forget`. (REPLAY, answer), (OTHER, None),
        (RUNNING, None): do not run it."""
        now = self._clock.now()
        with self._lock:
            self._sweep(now)
            call = self._calls.get((client, key))
            if call is None or (now - call[0] >= REMEMBERED and call[2] is not None):
                self._calls[client, key] = [now, fingerprint, None]
                return NEW, None
            if call[1] != fingerprint:
                return OTHER, None
            return (REPLAY, call[2]) if call[2] is not None else (RUNNING, None)

    def finish(self, client, key, answer):
        with self._lock:
            if (client, key) in self._calls:
                self._calls[client, key][2] = answer

    def forget(self, client, key):
        with self._lock:
            self._calls.pop((client, key), None)

    def _sweep(self, now):
        if now - self._swept < 60:
            return
        self._swept = now
        for name, call in list(self._calls.items()):
            if call[2] is not None and now - call[0] >= REMEMBERED:
                del self._calls[name]
