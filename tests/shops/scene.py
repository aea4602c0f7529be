"""The programs with shops that the simulator plays, on clocks that go faster where limits take minutes, and
what of the shops' orders is under way."""

import signal
import threading

import stacks
from parts import lib

P = lib.PREFIX
REST = ("fetch", "fetchlater", "fetchlease")  # of a store, beside its connection's ready, later and leases


class Scene:
    """A stack with COUNT workers; TIMES: how much faster than real time Redis, simulator and workers live, 0: not.
    Ends all that it started when it is left, whatever happened, and shows the logs if that was an error."""

    def __init__(self, times, count, **env):
        self.times = times or 1
        self.clock = stacks.from_now(times) if times else None
        self.stack = stacks.new_stack(self.clock, **env)
        self.sim, self.call = self.stack.sim, self.stack.redis.call
        self.workers, self.unlimited = [], []
        self.minutes = lib.Minutes(self.stack.redis, lambda: list(self.unlimited))
        try:
            self.start_workers(count)
        except BaseException:
            self.close()
            raise

    def start_workers(self, count):
        self.workers = stacks.start_workers(self.stack, count, self.clock)

    def lift_limits(self, store):
        """Xero's limits, and ours for Xero, are not kept to for this store's connection: they take minutes."""
        self.unlimited.append(store.connection)
        self.sim.control("POST", "organisation", {"tenant": store.tenant, "limits": False})

    def kill_workers(self):
        """kill -9 of all of them, whatever they do; as many follow."""
        for worker in self.workers:
            worker.kill()
        self.start_workers(len(self.workers))

    def now(self):
        """Seconds of the simulator's clock."""
        return float(self.sim.control("GET", "health")["time"])

    def wait(self, condition, what, seconds):
        """For at most so many seconds of the faster clock, and a minute."""
        return lib.wait_until(condition, what, 60 + seconds / self.times)

    def under_way(self, store, platform):
        """How many orders of STORE wait or are being read or exported; its next reconciliation does not count."""
        name, rows = f"{platform}/{store.domain}", 0
        for row in REST:
            rows += self.call("ZCARD", f"{P}{row}:{name}")
        rows -= self.call("ZSCORE", f"{P}fetchlater:{name}", "*reconcile") is not None
        return rows + sum(self.call("ZCARD", f"{P}{row}:{store.connection}") for row in ("ready", "later", "leases"))

    def in_xero(self, store):
        return self.call("ZCARD", f"{P}synced:{store.connection}")

    def violations(self):
        return [f"{v['kind']} of {v['tenant']}" for v in self.sim.control("GET", "violations")["violations"]]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and issubclass(kind, Exception):
            print(self.stack.logs(), flush=True)
        self.close()

    def close(self):
        self.minutes.end()
        try:
            for worker in self.workers:
                worker.signal(signal.SIGTERM)
            self.stack.close()
        finally:
            for process in [*self.stack.processes, self.sim.process, self.stack.redis.process]:
                process.kill()


def all_at_once(calls, hands=8):
    """Makes all CALLS, by HANDS threads; returns what they returned. The first that fails fails here."""
    results, wrong, rows, lock = [], [], iter(calls), threading.Lock()

    def work():
        while not wrong:
            with lock:
                call = next(rows, None)
            if call is None:
                return
            try:
                results.append(call())
            except Exception as failure:  # pylint: disable=broad-except
                wrong.append(failure)

    threads = [threading.Thread(target=work) for _ in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return results
