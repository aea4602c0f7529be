"""Xero's rate limits.

Owns: calls in progress, the minute, the day and the app's minute, for each app and organisation, in
fixed windows that start at another second for each organisation; the headers that tell what is
left. Thread safe.
"""

import threading
import zlib

CONCURRENT = 5
PER_MINUTE = 60
APP_PER_MINUTE = 10000
PER_DAY = 5000


class Verdict:
    """What became of asking for a call: `problem` is None when it may run."""

    def __init__(self, problem, headers):
        self.problem = problem
        self.headers = headers


class Limits:
    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._in_flight = {}
        self._used = {}  # (what, who) -> (window, calls)
        self._day_limit = {}
        self._off = set()

    def set(self, tenant, enabled=None, day_limit=None, day_remaining=None):
        with self._lock:
            if enabled is not None:
                (self._off.discard if enabled else self._off.add)(tenant)
            if day_limit is not None:
                self._day_limit[tenant] = day_limit
            if day_remaining is not None:
                limit = self._day_limit.get(tenant, PER_DAY)
                window = self._window(tenant, 86400)[0]
                for what, who in list(self._used):
                    if what == "day" and who[1] == tenant:
                        self._used[what, who] = (window, limit - day_remaining)
                self._used["day", (None, tenant)] = (window, limit - day_remaining)

    def enter(self, client, tenant):
        """Asks for a call. When `problem` is None, `leave` must follow."""
        who = (client, tenant)
        with self._lock:
            flying = self._in_flight.get(who, 0)
            if tenant in self._off:
                self._in_flight[who] = flying + 1
                return Verdict(None, self._headers(who))
            problem, retry = self._breach(who, flying)
            if problem:
                headers = {**self._headers(who), "X-Rate-Limit-Problem": problem}
                if retry is not None:
                    headers["Retry-After"] = str(retry)
                return Verdict(problem, headers)
            self._in_flight[who] = flying + 1
            for what, whose, _, _ in self._rules(who):
                window, used = self._count(what, whose)
                self._used[what, whose] = (window, used + 1)
            return Verdict(None, self._headers(who))

    def leave(self, client, tenant):
        with self._lock:
            self._in_flight[client, tenant] -= 1

    def in_flight(self, client, tenant):
        with self._lock:
            return self._in_flight.get((client, tenant), 0)

    def _rules(self, who):
        day = self._day_limit.get(who[1], PER_DAY)
        return (
            ("day", who, day, 86400),
            ("minute", who, PER_MINUTE, 60),
            ("appminute", (who[0], None), APP_PER_MINUTE, 60),
        )

    def _breach(self, who, flying):
        if flying >= CONCURRENT:
            return "concurrent", None
        for what, whose, limit, length in self._rules(who):
            if self._count(what, whose)[1] >= limit:
                return what, self._window(whose[1], length)[1]
        return None, None

    def _count(self, what, whose):
        """(current window, calls in it)."""
        window = self._window(whose[1], 86400 if what == "day" else 60)[0]
        found = self._used.get((what, whose))
        if found is None and what == "day":
            found = self._used.get((what, (None, whose[1])))
        return found if found and found[0] == window else (window, 0)

    def _window(self, tenant, length):
        """(number of the window, whole seconds to its end)."""
        start = zlib.crc32((tenant or "").encode()) % length
        now = self._clock.now() + start
        return int(now // length), int(length - now % length) + 1

    def _headers(self, who):
        names = {
            "day": "X-DayLimit-Remaining",
            "minute": "X-MinLimit-Remaining",
            "appminute": "X-AppMinLimit-Remaining",
        }
        return {
            names[what]: str(max(0, limit - self._count(what, whose)[1]))
            for what, whose, limit, _ in self._rules(who)
        }
