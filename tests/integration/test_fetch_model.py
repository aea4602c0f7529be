"""The lanes of shops against a model: orders change and are asked for in every way, workers read them, die,
hold and come too late, stores go and come back, tasks are paused, resumed and cancelled, from a seed.
Then all is drained: what was asked for has been read as it was then, or later; what was asked for by hand
was exported; every task has done its pages in their order, a check before any order. SEEDS=n runs more, SEED=n one alone."""

import os
import random
import uuid

import pytest

from lib import PREFIX
from test_queue_model import script

NAMES = ("fetch_add", "fetch_ask", "fetch_lease", "fetch_permit", "fetch_done", "fetch_release", "fetch_sweep",
         "fetch_task", "store_delete")
QUEUES = ("fetchfirst", "fetch", "fetchlater")
STORES = ("amazon/A1", "shopify/b.myshopify.com")
PAGES = 4
LEASE_MS = 600000


class World:
    def __init__(self, redis, seed):
        self.redis, self.r = redis.call, random.Random(seed)
        self.texts = {n: script(n) for n in NAMES}
        self.redis("FLUSHALL")
        self.shop = {}  # order -> its version in the shop
        self.known, self.wanted = {}, {}  # version that was read; that was there when it was asked for
        self.exported, self.by_hand = {}, {}
        self.tasks = {}  # task -> [store, pages read, cancelled]
        self.calm = False
        for s in STORES:
            self.create(s)

    def run(self, name, *argv):
        return self.redis("EVAL", self.texts[name], 1, PREFIX, *argv)

    def create(self, s):
        key = PREFIX + "store:" + s
        self.redis("HDEL", key, "deleted")
        self.redis("HINCRBY", key, "version", 1)
        self.redis("HSET", key, "connection", "c", "secret_at:api_token", "1")
        self.redis("SADD", PREFIX + "stores", s)

    def lives(self, s):
        return self.redis("SISMEMBER", PREFIX + "stores", s) == 1

    def ask(self):
        s, o = self.r.choice(STORES), str(self.r.randrange(6))
        order = f"{s}/{o}"
        self.shop[order] = self.shop.get(order, 0) + self.r.randint(0, 1)
        how = self.r.choice(["add", "hand", "ask", "later", "later"])
        if how == "add":
            version = self.redis("HGET", PREFIX + "store:" + s, "version")
            took = self.run("fetch_add", order, s, version, "c", "", "updated", "1", "", "", "", "")[0] == b"queued"
        else:
            state = {"hand": "export:me", "ask": "", "later": self.r.choice(["backfill", "reconciliation"])}[how]
            took = self.run("fetch_ask", s, o, state, "fetchlater:" if how == "later" else "fetch:") == 1
        assert took == self.lives(s)
        if took:
            self.wanted[order] = self.shop[order]
        if took and how == "hand":
            self.by_hand[order] = self.shop[order]

    def lease(self):
        token = uuid.uuid4().hex
        row = [x.decode() for x in self.run("fetch_lease", token, LEASE_MS, self.r.choice([1, 2, 20]), "me")]
        if not self.calm and self.r.random() < 0.05:  # the answer is lost, and the same is sent once more
            again = [x.decode() for x in self.run("fetch_lease", token, LEASE_MS, 20, "me")]
            assert not row[0] or again[0] != row[0]
            return None
        if not row[0]:
            return None
        return row[0], token, list(zip(row[2::2], row[3::2]))

    def kill(self, lease):
        """Its time is over."""
        s, token, _ = lease
        died = self.redis.hash(f"{PREFIX}fetchdied:{s}")
        if max([int(n) for n in died.values()] or [0]) >= 2:  # it would be dropped
            self.redis("DEL", f"{PREFIX}fetchdied:{s}")
        if self.redis("ZSCORE", f"{PREFIX}fetchlease:{s}", token) is not None:
            self.redis("ZADD", f"{PREFIX}fetchlease:{s}", 1, token)
            self.redis("ZADD", PREFIX + "fetchdue", 1, s)

    def read(self, s, item, state, reports):
        """What a worker does with one item. False: it stops here."""
        if item == "*reconcile":
            reports += [item, "again", self.r.choice([0, 900000]), "{}", "", ""]
            return True
        if item.startswith("*"):
            task, page = item.split(":")[1], int(state)
            mine = self.tasks[task]
            assert mine[0] == s and page <= mine[1]  # none is left out
            mine[1] = max(mine[1], page + 1)
            reports += [item, "again" if page + 1 < PAGES else "done", 0, str(page + 1), f"{page + 1}", ""]
            return True
        order = f"{s}/{item}"
        self.known[order] = self.shop[order]
        if state.startswith("export"):
            self.exported[order] = self.shop[order]
        reports += [item, "done", 0, "", "", ""]
        return True

    def work(self, crash=0.25, stop=0.2):
        lease = self.lease()
        if not lease:
            return False
        s, token, items = lease
        reports, hold = [], 0
        for item, state in items:
            if self.r.random() < crash / 2:
                self.kill(lease)
                return True
            kind = "cost" if s != STORES[0] else "search" if item.startswith("*") else "order"
            word = self.run("fetch_permit", s, token, LEASE_MS, kind, 700 if kind == "cost" else 1, "", "", "", "")[0]
            if word == b"lost":
                assert self.redis("ZSCORE", f"{PREFIX}fetchlease:{s}", token) is None
                return True
            if word == b"wait":
                break
            if self.r.random() < stop:
                hold = self.r.choice([0, 5000])
                if self.r.random() < 0.5:
                    reports += [item, "again", hold, "", "", ""]
                break
            if not self.read(s, item, state, reports):
                break
            for _ in range(0 if self.calm else self.r.choice([0, 0, 1])):
                self.event()  # while it is being read
        if self.r.random() < crash:
            self.kill(lease)
            return True
        done = [s, token, hold, "why" if hold else "", "", "", "", "", "", self.r.choice([0, 1]) if hold else 0,
                len(reports) // 6, *reports]
        held = self.redis("ZSCORE", f"{PREFIX}fetchlease:{s}", token) is not None
        assert (self.run("fetch_done", *done)[0] == b"ok") == held
        if self.r.random() < 0.2:
            assert self.run("fetch_done", *done)[0] == b"lost"
        return True

    def task(self):
        what = self.r.choice(["add", "pause", "resume", "resume", "cancel"])
        if what == "add":
            s, task = self.r.choice(STORES), uuid.uuid4().hex
            kind = self.r.choice(["backfill", "check"])
            if self.run("fetch_task", task, "add", "me", s, kind, "0")[0] == b"ok":
                self.tasks[task] = [s, 0, False]
        elif self.tasks:
            task = self.r.choice(list(self.tasks))
            answer = self.run("fetch_task", task, what, "me")
            if what == "cancel" and answer[0] == b"ok":
                self.tasks[task][2] = True

    def store(self):
        s = self.r.choice(STORES)
        if not self.lives(s):
            self.create(s)
            return
        self.run("store_delete", s, uuid.uuid4().hex, "me")
        for book in (self.wanted, self.by_hand):
            for order in [o for o in book if o.startswith(s + "/")]:
                del book[order]
        for mine in self.tasks.values():
            mine[2] = mine[2] or mine[0] == s

    def sweep(self):
        self.redis("DEL", PREFIX + "fetchsweep")
        assert self.run("fetch_sweep", 10000, 1)[1] == 0, "a lane was missing"

    def event(self):
        roll = self.r.random()
        if roll < 0.75:
            self.ask()
        elif roll < 0.9:
            self.task()
        elif roll < 0.93:
            self.store()
        elif roll < 0.96:
            self.sweep()
        else:
            self.free()

    def free(self):
        """Calls are to be had again, and what held the stores is mended."""
        for s in STORES:
            if self.r.random() < 0.7:
                for kind in ("order", "search", "cost"):
                    self.redis("HSET", f"{PREFIX}seller:{s}", kind + ":tokens", self.r.choice([5, 800]))
            self.run("fetch_release", s)

    def check(self):
        for s in STORES:
            queues = [set(self.redis("ZRANGE", f"{PREFIX}{q}:{s}", 0, -1)) for q in QUEUES]
            leased = self.redis("ZCARD", f"{PREFIX}fetchlease:{s}")
            assert len(set.union(*queues)) == sum(map(len, queues)), "an item waits twice"
            assert leased <= 1, "two read one store"
            assert not (any(queues) or leased) or self.lives(s), "a deleted store has something to read"
            due = self.redis("ZSCORE", PREFIX + "fetchdue", s) is not None
            assert due == bool(any(queues) or leased), "a lane is due with nothing, or never"

    def drain(self):
        self.calm = True
        for task, (_, _, cancelled) in self.tasks.items():
            if not cancelled:
                self.run("fetch_task", task, "resume", "me")
        for s in STORES:
            self.redis("ZREM", f"{PREFIX}fetchlater:{s}", "*reconcile")
        for _ in range(1000):
            for s in STORES:
                for token in self.redis("ZRANGE", f"{PREFIX}fetchlease:{s}", 0, -1):
                    self.kill((s, token.decode(), []))
                self.redis("HSET", f"{PREFIX}seller:{s}", "order:tokens", 100, "search:tokens", 100, "cost:tokens", 1000,
                           "order:burst", 100, "search:burst", 100, "cost:burst", 1000)
                for q in QUEUES:
                    for item in self.redis("ZRANGE", f"{PREFIX}{q}:{s}", 0, -1):
                        if item == b"*reconcile":
                            self.redis("ZREM", f"{PREFIX}{q}:{s}", item)
                        else:
                            self.redis("ZADD", f"{PREFIX}{q}:{s}", "XX", 1, item)
                self.redis("HDEL", f"{PREFIX}seller:{s}", "nb", "turn")
                if self.redis("ZSCORE", PREFIX + "fetchdue", s) is not None:
                    self.redis("ZADD", PREFIX + "fetchdue", 1, s)
            if not self.work(crash=0, stop=0):
                return
        raise AssertionError("it never ends")

    def audit(self):
        for order, version in self.wanted.items():
            assert self.known.get(order, -1) >= version, f"{order} was asked for and not read"
        for order, version in self.by_hand.items():
            assert self.exported.get(order, -1) >= version, f"{order} was asked for by hand and not exported"
        for task, (s, pages, cancelled) in self.tasks.items():
            status = self.redis("HGET", f"{PREFIX}task:{task}", "status")
            assert status == (b"cancelled" if cancelled and status != b"done" else b"done"), f"{task} of {s} stands"
            assert pages == PAGES or cancelled
        for s in STORES:
            left = self.redis.hash(f"{PREFIX}fetchstate:{s}")
            assert not set(left) - {"*reconcile"}, left
            assert self.redis("ZCARD", f"{PREFIX}fetchlease:{s}") == 0
            assert self.redis("EXISTS", f"{PREFIX}fetchtasks:{s}") == 0
        assert not [k for k in self.redis("KEYS", PREFIX + "fetchbatch:*")]


def seeds():
    if "SEED" in os.environ:
        return [int(os.environ["SEED"])]
    return range(int(os.environ.get("SEEDS", 25)))


@pytest.mark.parametrize("seed", seeds())
def test_nothing_asked_for_is_lost(redis, seed):
    w = World(redis, seed)
    for _ in range(120):
        if w.r.random() < 0.5:
            w.event()
        else:
            w.work()
        w.check()
    w.drain()
    w.audit()
