"""The simulator's clock.

Owns: what time it is for tokens, idempotency keys, limit windows, dates and the ledger. Tests move
it forward with POST /_sim/clock instead of sleeping. It goes back only when all state is reset.
"""

import datetime
import threading
import time

UTC = datetime.timezone.utc


class Clock:
    def __init__(self):
        self._lock = threading.Lock()
        self._ahead = 0.0

    def now(self):
        """Seconds since 1970, moved ahead by everything that tests asked for."""
        return time.time() + self._ahead

    def advance(self, seconds):
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        with self._lock:
            self._ahead += seconds
        return self.now()

    def reset(self):
        with self._lock:
            self._ahead = 0.0

    def utc(self):
        return datetime.datetime.fromtimestamp(self.now(), UTC)
