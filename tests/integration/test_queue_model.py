"""The queue's scripts against a model: random events, leases, deaths, pauses and mending by hand, from
a seed; then everything is drained and the books of a small model of Xero are audited. SEEDS=n runs
more of them; a failure names its seed, and SEED=n runs that one alone."""

import os
import random
import uuid

import pytest

from lib import PREFIX, ROOT, RedisError, wait_until

SCRIPTS = ROOT / "queue" / "scripts"
CONNECTIONS = ["acme", "bolt", "corp"]


def script(name):
    first, _, rest = (SCRIPTS / f"{name}.lua").read_text().partition("\n")
    return first + "\n" + (SCRIPTS / "lib.lua").read_text() + rest


class Queue:
    """The scripts, called as the programs call them."""

    def __init__(self, redis):
        self.redis = redis.call
        self.texts = {n: script(n) for n in ("ingest", "lease", "permit", "complete", "resync", "dismiss",
                                             "export", "conn_state", "sweep", "fetch_add")}

    def run(self, name, *argv):
        return self.redis("EVAL", self.texts[name], 1, PREFIX, *argv)

    def reset(self):
        self.redis("FLUSHALL")
        for c in CONNECTIONS:
            self.redis("SADD", PREFIX + "conns", c)
            self.redis("HSET", f"{PREFIX}conn:{c}", "status", "active", "tenant", "T" + c)
            self.budget(c, 5000)
            self.redis("HSET", f"{PREFIX}store:shopify/{c}", "version", "1", "connection", c)

    def budget(self, c, left, of=5000, hours=24.0):
        """What is left of a day's calls, HOURS before it ends."""
        seconds, _ = self.redis("TIME")
        self.redis("HSET", f"{PREFIX}conn:{c}", "day_left", left, "day_max", of, "day_end",
                   int(int(seconds) * 1000 + hours * 3600000))

    def ingest(self, order, decision="Epaid", stamp="1", delivery="", body=b"x", in_xero=None, part="order",
               unusable="", on="1", fuller=""):
        c = order.split("/")[1]
        return [x.decode() for x in self.run(
            "ingest", order, f"shopify/{c}", "1", c, delivery, "updated", stamp and stamp.zfill(35), part, body,
            on, "Saccounting_invoice_off", decision, "Saccounting_invoice_off", in_xero or decision,
            "#" + order[-3:], "", "", "", unusable, unusable and "unusable-order", "", fuller)]

    def lease(self, n=50, ms=60000, token=None):
        token = token or uuid.uuid4().hex
        row = self.run("lease", token, ms, n)
        self.poisoned = row[0]
        return None if not row[1] else Lease(self, token, row[1:])

    def kill(self, lease):
        """The worker is gone: its lease's time is over."""
        self.redis("ZADD", f"{PREFIX}leases:{lease.c}", 0, lease.token)
        if self.redis("HGET", f"{PREFIX}conn:{lease.c}", "status") == b"active":
            self.redis("ZADD", PREFIX + "due", 0, lease.c)

    def record(self, order):
        return {k: v.decode(errors="replace") for k, v in self.redis.hash(PREFIX + "order:" + order).items()}


class Lease:
    def __init__(self, queue, token, row):
        self.queue, self.token = queue, token
        text = [x.decode() for x in row[:8]]
        self.c, self.settling = text[0], text[1] == "1"
        self.kind, self.bytes, self.key, self.meta = text[2:6]
        self.age, self.look_up = int(text[6]), text[7] == "1"
        self.orders = {row[i].decode(): row[i + 1].decode() for i in range(8, len(row), 2)}

    def permit(self, key="", meta="", updates=(), answered=False, call=True, said=-1):
        flat = [x for u in updates for x in (u[0], u[1], "S", u[2])]
        row = self.queue.run("permit", self.c, self.token, 60000, int(answered), said, int(call), "invoices",
                             "bytes", key, meta, len(updates), *flat)
        return row[0].decode()

    def complete(self, outcome, updates=(), hold=0, delay=0, wanted="h"):
        """OUTCOME: order -> done|retry|again|failed."""
        flat = [x for u in updates for x in (u[0], u[1], "S", u[2])]
        rows = []
        for order, result in outcome.items():
            row = '"failed_export":"Sales invoice","exported_item":"x","export_error":["no"],"catalogue":["lock-date"]'
            rows += [order, result, delay, row if result == "failed" else "", "lock-date", "", 1, 1, wanted]
        return self.queue.run("complete", self.c, self.token, hold, "why" if hold else "", -1, len(updates), *flat,
                              len(outcome), *rows)


@pytest.fixture
def queue(redis):
    q = Queue(redis)
    q.reset()
    return q


class Xero:
    """Commits a keyed request once; an order must be made once."""

    def __init__(self):
        self.keys, self.made = set(), {}

    def create(self, key, orders):
        if key not in self.keys:
            self.keys.add(key)
            for order in orders:
                assert order not in self.made, f"{order} was exported twice"
                self.made[order] = uuid.uuid4().hex


class World:
    def __init__(self, queue, seed):
        self.q, self.r, self.xero = queue, random.Random(seed), Xero()
        self.stamps, self.wanted = {}, set()

    def event(self):
        c = self.r.choice(CONNECTIONS)
        order = f"shopify/{c}/{self.r.randrange(8):03d}"
        newest = self.stamps.get(order, 0)
        stamp = newest + 1 if self.r.random() < 0.7 else self.r.randint(1, max(1, newest))
        self.stamps[order] = max(newest, stamp)
        if self.r.random() < 0.8:
            self.q.ingest(order, "Epaid", str(stamp))
            self.wanted.add(order)
        else:
            self.q.ingest(order, "Sunpaid", str(stamp))

    def settle(self, lease):
        """Finds out what a dead worker's call came to; returns the updates."""
        orders = lease.meta.split(",")
        if not lease.look_up:
            if lease.permit(lease.key, lease.meta) != "go":
                return None
            self.xero.create(lease.key, orders)
        return [(o, "doc:invoice", self.xero.made[o]) for o in orders if o in self.xero.made]

    def work(self, crash=0.3, fail=0.1):
        lease = self.q.lease(self.r.choice([1, 3, 50]))
        if not lease:
            return False
        updates, dies = [], lambda: self.r.random() < crash
        if lease.settling:
            updates = self.settle(lease)
            if updates is None:
                lease.complete({o: "again" for o in lease.orders}) if not lease.key else self.q.kill(lease)
                return True
        if dies():
            self.q.kill(lease)
            return True
        updates += [(o, "doc:invoice", self.xero.made[o]) for o in lease.orders
                    if "doubt" in self.q.record(o) and o in self.xero.made]
        known = {u[0] for u in updates}
        new = [o for o in lease.orders if o not in known and "doc:invoice" not in self.q.record(o)]
        if new:
            key = uuid.uuid4().hex
            if lease.permit(key, ",".join(new), updates, answered=True) != "go":
                lease.complete({o: "again" for o in lease.orders})
                return True
            updates = []
            if dies():  # before the call
                self.q.kill(lease)
                return True
            self.xero.create(key, new)
            if dies():  # after the call, before its answer is recorded
                self.q.kill(lease)
                return True
            updates = [(o, "doc:invoice", self.xero.made[o]) for o in new]
        roll = self.r.random
        lease.complete({o: "failed" if roll() < fail else "retry" if roll() < fail else "done"
                        for o in lease.orders}, updates)
        return True

    def step(self):
        roll, c = self.r.random(), self.r.choice(CONNECTIONS)
        if roll < 0.5:
            self.event()
        elif roll < 0.9:
            self.work()
        elif roll < 0.93:
            self.q.run("conn_state", c, "paused", "test")
        elif roll < 0.96:
            self.q.run("conn_state", c, "active", "test")
        elif roll < 0.98:
            self.by_hand(c)
        else:
            self.mend(c)

    def by_hand(self, c):
        order = f"shopify/{c}/{self.r.randrange(8):03d}"
        if self.q.run("export", order, f"shopify/{c}", "test")[0] == b"ok":
            self.wanted.add(order)

    def mend(self, c):
        failed = [x.decode() for x in self.q.redis("ZRANGE", f"{PREFIX}failed:{c}", 0, -1)]
        if failed:
            self.q.run("resync", c, "test", *failed)

    def drain(self):
        for _ in range(400):
            for c in CONNECTIONS:
                self.q.run("conn_state", c, "active", "test")
                self.q.redis("DEL", f"{PREFIX}minute:{c}")
                self.mend(c)
            # an order that was to be retried later is due now
            while self.work(crash=0, fail=0):
                pass
            failed = [self.q.redis("ZCARD", f"{PREFIX}failed:{c}") for c in CONNECTIONS]
            if not any(failed) and not self.q.redis("EXISTS", PREFIX + "due"):
                return
        raise AssertionError("the queue did not drain")

    def audit(self):
        assert self.q.redis("DEL", PREFIX + "sweep") == 0
        assert self.q.run("sweep", "1", "1000000", "1000000", "5", "900000") == [1, 0], "the sweep had to repair"
        for order in self.wanted:
            record = self.q.record(order)
            assert record["st"] == "done", (order, record)
            assert record["drev"] == record["rev"], (order, record)
            assert record["doc:invoice"] == self.xero.made[order], (order, record)
            assert int(record["snap"]) == self.stamps[order], (order, record)
            assert "tok" not in record
        for c in CONNECTIONS:
            for key in ("ready", "later", "leases", "failed", "failrow", "failgroups"):
                assert self.q.redis("EXISTS", f"{PREFIX}{key}:{c}") == 0, key
        assert self.q.redis("KEYS", PREFIX + "batch:*") == []


SEEDS = [int(os.environ["SEED"])] if "SEED" in os.environ else range(int(os.environ.get("SEEDS", 100)))


def test_whatever_happens_each_order_is_exported_once_at_its_last_state(queue):
    for seed in SEEDS:
        queue.reset()
        world = World(queue, seed)
        try:
            for _ in range(80):
                world.step()
            world.drain()
            world.audit()
        except (AssertionError, RedisError) as wrong:
            raise AssertionError(f"SEED={seed}: {wrong}") from wrong


def test_a_repeated_delivery_changes_nothing(queue):
    assert queue.ingest("shopify/acme/001", delivery=b"12345678") == ["queued", "paid"]
    assert queue.ingest("shopify/acme/001", delivery=b"12345678") == ["duplicate", "paid"]
    assert queue.record("shopify/acme/001")["rev"] == "1"


def test_only_the_last_sixteen_deliveries_are_remembered(queue):
    for i in range(17):
        queue.ingest("shopify/acme/001", delivery=b"%08d" % i)
    assert queue.ingest("shopify/acme/001", delivery=b"%08d" % 16)[0] == "duplicate"
    assert queue.ingest("shopify/acme/001", delivery=b"%08d" % 0)[0] == "queued"


def test_an_older_snapshot_never_replaces_a_newer_one(queue, redis):
    queue.ingest("shopify/acme/001", "Sunpaid", "5", body=b"five")
    assert queue.ingest("shopify/acme/001", "Sunpaid", "4", body=b"four") == ["stale_event", "unpaid"]
    assert queue.ingest("shopify/acme/001", "Sunpaid", "", body=b"none")[0] == "stale_event"
    assert redis.call.hash(PREFIX + "snap:shopify/acme/001") == {"order": b"five"}


def test_an_older_event_keeps_its_trigger(queue):
    queue.ingest("shopify/acme/001", "Sunpaid", "5")
    assert queue.ingest("shopify/acme/001", "Epaid", "4") == ["queued", "paid"]
    assert list(queue.lease().orders) == ["shopify/acme/001"]


def test_an_older_cancellation_never_withdraws(queue):
    queue.ingest("shopify/acme/001", "Epaid", "5")
    assert queue.ingest("shopify/acme/001", "Wcancelled_before_export", "4")[0] == "stale_event"
    assert queue.record("shopify/acme/001")["st"] == "waiting"
    assert queue.ingest("shopify/acme/001", "Wcancelled_before_export", "6")[0] == "skipped"
    assert queue.record("shopify/acme/001")["st"] == "skipped"
    assert queue.lease() is None


def test_a_later_skip_leaves_the_waiting_order_alone(queue):
    queue.ingest("shopify/acme/001", "Epaid", "5")
    assert queue.ingest("shopify/acme/001", "Supdates_off", "6") == ["skipped", "updates_off"]
    assert list(queue.lease().orders) == ["shopify/acme/001"]


def test_a_skipped_change_is_exported_by_the_next_trigger_even_if_that_is_older(queue):
    queue.ingest("shopify/acme/001", "Epaid", "5")
    queue.lease().complete({"shopify/acme/001": "done"})
    queue.ingest("shopify/acme/001", "Supdates_off", "7")
    assert queue.lease() is None
    assert queue.ingest("shopify/acme/001", "Epaid", "6")[0] == "queued"
    assert queue.lease().orders == {"shopify/acme/001": "2"}


def test_an_event_during_the_lease_brings_the_order_back(queue):
    queue.ingest("shopify/acme/001", stamp="1")
    lease = queue.lease()
    queue.ingest("shopify/acme/001", stamp="2")
    lease.complete({"shopify/acme/001": "done"})
    assert queue.lease().orders == {"shopify/acme/001": "2"}


def test_the_import_stamp_is_that_of_the_first_event(queue):
    assert queue.ingest("shopify/acme/001", on="0") == ["skipped", "accounting_invoice_off"]
    assert queue.ingest("shopify/acme/001", stamp="2", on="1") == ["skipped", "accounting_invoice_off"]


def test_settings_that_moved_on_are_refused_before_anything_is_written(queue, redis):
    redis.call("HSET", PREFIX + "store:shopify/acme", "version", "2")
    assert queue.ingest("shopify/acme/001") == ["stale_settings"]
    assert redis.call("EXISTS", PREFIX + "order:shopify/acme/001") == 0


def test_a_paused_connection_takes_orders_and_gives_none(queue):
    queue.run("conn_state", "acme", "paused", "test")
    assert queue.ingest("shopify/acme/001") == ["held", "paid"]
    assert queue.lease() is None
    queue.run("conn_state", "acme", "active", "test")
    assert list(queue.lease().orders) == ["shopify/acme/001"]


def test_a_pause_ends_the_next_permit_and_the_hand_back_loses_nothing(queue):
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    queue.run("conn_state", "acme", "paused", "test")
    assert lease.permit("k") == "paused"
    lease.complete({"shopify/acme/001": "again"})
    assert queue.lease() is None
    queue.run("conn_state", "acme", "active", "test")
    assert list(queue.lease().orders) == ["shopify/acme/001"]


def test_a_late_answer_of_a_lost_lease_is_refused(queue):
    queue.ingest("shopify/acme/001")
    first = queue.lease()
    queue.kill(first)
    second = queue.lease()
    assert first.permit("k") == "lost"
    assert first.complete({"shopify/acme/001": "failed"}) == 1
    assert second.complete({"shopify/acme/001": "done"}) == 0
    assert queue.record("shopify/acme/001")["st"] == "done"


def test_a_request_without_its_answer_goes_whole_to_a_settling_lease(queue):
    for i in range(4):
        queue.ingest(f"shopify/acme/00{i}")
    lease = queue.lease()
    assert lease.permit("key-1", "meta-1") == "go"
    queue.kill(lease)
    settling = queue.lease()
    assert (settling.settling, settling.key, settling.meta, settling.look_up) == (True, "key-1", "meta-1", False)
    assert settling.orders == lease.orders


def test_a_second_death_while_settling_comes_back_in_halves_that_are_only_looked_up(queue):
    for i in range(4):
        queue.ingest(f"shopify/acme/00{i}")
    lease = queue.lease()
    lease.permit("key-1", "meta-1")
    queue.kill(lease)
    queue.kill(queue.lease())
    halves = [queue.lease(), queue.lease()]
    assert sorted(len(h.orders) for h in halves) == [2, 2]
    assert all(h.settling and h.look_up and h.key == "key-1" for h in halves)
    assert set(halves[0].orders) | set(halves[1].orders) == set(lease.orders)


def test_an_order_that_kills_its_workers_is_found_and_fails_alone(queue):
    for i in range(8):
        queue.ingest(f"shopify/acme/00{i}")
    poisoned = 0
    for _ in range(60):
        lease = queue.lease()
        poisoned += queue.poisoned
        if not lease:
            break
        if "shopify/acme/005" in lease.orders:
            queue.kill(lease)
        else:
            lease.complete({o: "done" for o in lease.orders})
    states = {i: queue.record(f"shopify/acme/00{i}")["st"] for i in range(8)}
    assert states == {i: "failed" if i == 5 else "done" for i in range(8)}
    assert poisoned == 1


def test_at_most_five_leases_of_one_connection_live_at_once(queue):
    for i in range(9):
        queue.ingest(f"shopify/acme/00{i}")
    leases = [queue.lease(1) for _ in range(6)]
    assert leases[5] is None
    leases[0].complete({o: "done" for o in leases[0].orders})
    assert queue.lease(1)


def test_fifty_seven_permits_a_minute_and_then_wait(queue):
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    assert [lease.permit() for _ in range(58)] == ["go"] * 57 + ["wait"]
    lease.complete({"shopify/acme/001": "again"})
    assert queue.lease() is None


def test_a_noisy_connection_takes_turns_with_the_others(queue):
    for i in range(300):
        queue.ingest(f"shopify/acme/{i:03d}")
    queue.ingest("shopify/bolt/001")
    order = []
    for _ in range(2):
        clock = queue.redis("TIME")
        wait_until(lambda: queue.redis("TIME") != clock and queue.redis("TIME")[1][:-3] != clock[1][:-3],
                   "a millisecond passes: turns are kept in whole ones")
        order.append(queue.lease(10).c)
    assert set(order) == {"acme", "bolt"}


def test_a_held_connection_waits_and_the_others_go_on(queue):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "again"}, hold=60000)
    assert queue.lease() is None
    queue.ingest("shopify/bolt/001")
    assert queue.lease().c == "bolt"


def test_a_dismissed_failure_stays_away_until_something_else_is_wanted(queue):
    queue.ingest("shopify/acme/001", stamp="1")
    queue.lease().complete({"shopify/acme/001": "failed"})
    assert queue.run("dismiss", "acme", "sam", "shopify/acme/001") == 1
    queue.ingest("shopify/acme/001", stamp="2")
    queue.lease().complete({"shopify/acme/001": "failed"})
    assert queue.record("shopify/acme/001")["st"] == "dismissed"
    assert queue.redis("ZCARD", PREFIX + "failed:acme") == 0


def test_a_failure_before_anything_was_known_to_be_wanted_is_never_dismissed_in_silence(queue):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "failed"}, wanted="")
    queue.run("dismiss", "acme", "sam", "shopify/acme/001")
    queue.ingest("shopify/acme/001", stamp="2")
    queue.lease().complete({"shopify/acme/001": "failed"}, wanted="")
    assert queue.record("shopify/acme/001")["st"] == "failed"


def test_an_unusable_order_is_parked_unless_the_store_was_off(queue):
    row = '"failed_export":"Sales invoice","exported_item":"#1","export_error":["no total"],"catalogue":["unusable-order"]'
    assert queue.ingest("shopify/acme/001", "Sunpaid", unusable=row)[0] == "unusable"
    assert queue.record("shopify/acme/001")["st"] == "failed"
    assert queue.ingest("shopify/acme/002", unusable=row, on="0") == ["skipped", "accounting_invoice_off"]


def test_an_order_at_rest_expires_and_one_at_work_does_not(queue, redis):
    queue.ingest("shopify/acme/001")
    assert redis.call("PTTL", PREFIX + "snap:shopify/acme/001") == -1
    queue.lease().complete({"shopify/acme/001": "done"})
    assert redis.call("PTTL", PREFIX + "snap:shopify/acme/001") > 0
    assert redis.call("TTL", PREFIX + "order:shopify/acme/001") == -1


def test_an_order_that_a_completed_lease_says_nothing_of_is_ready_again(queue):
    for i in range(3):
        queue.ingest(f"shopify/acme/00{i}")
    queue.lease().complete({"shopify/acme/001": "done"})
    assert set(queue.lease().orders) == {"shopify/acme/000", "shopify/acme/002"}


def test_a_lease_sent_twice_because_its_answer_was_lost_loses_no_order(queue):
    for i in range(6):
        queue.ingest(f"shopify/acme/00{i}")
    assert queue.lease(2, token="twice")
    again = queue.lease(2, token="twice")
    if again:
        again.complete({o: "done" for o in again.orders})
    for lease in queue.redis("ZRANGE", PREFIX + "leases:acme", 0, -1):
        queue.redis("ZADD", PREFIX + "leases:acme", 0, lease)
        queue.redis("ZADD", PREFIX + "due", 0, "acme")
    for _ in range(20):
        lease = queue.lease()
        if not lease:
            break
        lease.complete({o: "done" for o in lease.orders})
    assert {queue.record(f"shopify/acme/00{i}")["st"] for i in range(6)} == {"done"}


def test_a_take_over_sent_twice_loses_neither_batch(queue):
    for i in range(2):
        queue.ingest(f"shopify/acme/00{i}")
    dead = [queue.lease(1), queue.lease(1)]
    for lease in dead:
        assert lease.permit("key-" + lease.token, "meta") == "go"
        queue.kill(lease)
    first = queue.lease(token="twice")
    assert first.settling
    queue.lease(token="twice")
    queue.kill(first)
    seen = set()
    for _ in range(10):
        lease = queue.lease()
        if not lease:
            break
        seen |= set(lease.orders)
    assert seen == {"shopify/acme/000", "shopify/acme/001"}


def test_an_order_in_doubt_counts_as_in_xero(queue):
    queue.ingest("shopify/acme/001")
    for i in range(3):
        lease = queue.lease()
        lease.permit("key", "meta")
        queue.kill(lease)
    assert queue.lease() is None
    assert queue.record("shopify/acme/001")["doubt"] == "1"
    result = queue.ingest("shopify/acme/001", "Wcancelled_before_export", "2", in_xero="Mcancelled")
    assert result == ["queued", "cancelled"]
    assert list(queue.lease().orders) == ["shopify/acme/001"]


def test_a_failed_order_of_a_store_that_moved_leaves_its_old_connections_list(queue):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "failed"})
    moved = ["shopify/acme/001", "shopify/acme", "1", "bolt", "", "updated", "2".zfill(35), "order", b"x", "1",
             "Epaid", "Epaid", "Epaid", "Epaid", "#001", "", "", "", "", ""]
    assert queue.run("ingest", *moved)[0] == b"queued"
    assert queue.run("resync", "acme", "sam", "shopify/acme/001") == [b"ok", 0]
    assert queue.redis("EXISTS", PREFIX + "failrow:acme", PREFIX + "failgroups:acme") == 0
    leases = [queue.lease(), queue.lease()]
    assert leases[0].c == "bolt" and leases[1] is None


def test_a_store_that_moved_exports_by_hand_where_it_is_now(queue, redis):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "failed"})
    redis.call("HSET", PREFIX + "store:shopify/acme", "connection", "bolt")
    assert queue.run("resync", "acme", "sam", "shopify/acme/001") == [b"ok", 1]
    assert queue.lease().c == "bolt"


def test_a_snapshot_that_has_gone_is_stored_again_by_the_same_state(queue, redis):
    queue.ingest("shopify/acme/001", "Sunpaid", "5", body=b"five")
    redis.call("DEL", PREFIX + "snap:shopify/acme/001")
    queue.ingest("shopify/acme/001", "Epaid", "5", body=b"five")
    assert redis.call.hash(PREFIX + "snap:shopify/acme/001") == {"order": b"five"}


def test_a_withdrawn_order_is_no_longer_one_by_hand(queue):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "failed"})
    queue.run("resync", "acme", "sam", "shopify/acme/001")
    queue.ingest("shopify/acme/001", "Wtest_order", "2")
    assert {"byhand", "ff"} & queue.record("shopify/acme/001").keys() == set()


# ---- one order by hand ----

def export(queue, order="shopify/acme/001"):
    return [x.decode() for x in queue.run("export", order, order.rpartition("/")[0], "sam")]


def test_by_hand_a_skipped_order_goes_to_the_front_once(queue):
    queue.ingest("shopify/acme/002")
    queue.ingest("shopify/acme/001", "Sunpaid")
    assert export(queue) == ["ok", "acme"] and export(queue) == ["ok", "acme"]
    record = queue.record("shopify/acme/001")
    assert (record["st"], record["byhand"], record["lines"], record["reason"], record["rev"]) == (
        "waiting", "1", "1", "manual", "1")
    assert queue.redis("LLEN", PREFIX + "trail:shopify/acme/001") == 2
    lease = queue.lease(1)
    assert list(lease.orders) == ["shopify/acme/001"]
    assert export(queue) == ["ok", "acme"]  # it is being exported by hand
    lease.complete({"shopify/acme/001": "done"})
    record = queue.record("shopify/acme/001")
    assert record["drev"] == record["rev"] and {"byhand", "wt"} & record.keys() == set()


def test_by_hand_an_order_that_waits_moves_to_the_front_and_keeps_its_time(queue):
    queue.ingest("shopify/acme/002")
    queue.ingest("shopify/acme/001")
    before = queue.record("shopify/acme/001")
    assert export(queue) == ["ok", "acme"]
    after = queue.record("shopify/acme/001")
    assert (after["wt"], after["rev"]) == (before["wt"], before["rev"])
    assert list(queue.lease(1).orders) == ["shopify/acme/001"]


def test_by_hand_says_why_not_and_changes_nothing(queue, redis):
    assert export(queue) == ["unknown"]
    queue.ingest("shopify/acme/001", "Skept_for_the_order", "", part="refund:1")
    assert export(queue) == ["unknown"]
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    assert export(queue) == ["leased", "acme"]
    lease.complete({"shopify/acme/001": "failed"})
    before = queue.record("shopify/acme/001")
    for status in ("paused", "disconnected", "uninstalled"):
        redis.call("HSET", PREFIX + "conn:acme", "status", status)
        assert export(queue) == [status, "acme"]
    redis.call("HSET", PREFIX + "conn:acme", "status", "active")
    redis.call("HSET", PREFIX + "store:shopify/acme", "deleted", "1")
    assert export(queue) == ["no_store"]
    redis.call("HDEL", PREFIX + "store:shopify/acme", "deleted")
    snapshot = redis.call.hash(PREFIX + "snap:shopify/acme/001")["order"]
    redis.call("DEL", PREFIX + "snap:shopify/acme/001")
    assert export(queue) == ["gone"]
    assert queue.record("shopify/acme/001") == before
    assert queue.redis("EXISTS", PREFIX + "ready:acme", PREFIX + "audit") == 0
    redis.call("HSET", PREFIX + "snap:shopify/acme/001", "order", snapshot)
    redis.call("HSET", PREFIX + "store:shopify/acme", "connection", "bolt")  # it has moved since
    assert export(queue) == ["ok", "bolt"]
    assert queue.redis("EXISTS", PREFIX + "failed:acme", PREFIX + "failrow:acme", PREFIX + "failgroups:acme") == 0
    assert queue.lease().c == "bolt"
    assert queue.redis("XLEN", PREFIX + "audit") == 1


# ---- the day's budget ----

def test_one_call_at_a_time_until_xero_has_said_what_is_left(queue):
    queue.redis("HDEL", PREFIX + "conn:acme", "day_left", "day_max", "day_end")
    for i in range(3):
        queue.ingest(f"shopify/acme/00{i}")
    lease = queue.lease(1)
    assert queue.lease(1) is None
    lease.permit(said=4000)
    assert queue.lease(1)


def test_the_budget_is_xeros_newest_word_less_the_permits_since(queue):
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    lease.permit(said=700)
    assert queue.redis("HGET", PREFIX + "conn:acme", "day_left") == b"699"
    lease.permit()
    assert queue.redis("HGET", PREFIX + "conn:acme", "day_left") == b"698"
    lease.permit(said=650)
    assert queue.redis("HGET", PREFIX + "conn:acme", "day_left") == b"649"


def test_with_plenty_left_a_single_order_leaves_at_once(queue):
    queue.budget("acme", 4900)
    queue.ingest("shopify/acme/001")
    assert queue.lease()


def test_ahead_of_its_hours_a_batch_lingers_and_a_full_one_does_not(queue):
    queue.budget("acme", 1000, hours=20)
    queue.ingest("shopify/acme/001")
    assert queue.lease() is None
    for i in range(49):
        queue.ingest(f"shopify/acme/{100 + i}")
    assert len(queue.lease().orders) == 50


def test_the_last_hours_of_a_day_have_their_share_too(queue):
    queue.budget("acme", 400, hours=1.2)  # 150 for all: less than the 237 of an even spending
    queue.ingest("shopify/acme/001")
    assert queue.lease() is None
    queue.budget("acme", 500, hours=1.2)
    queue.ingest("shopify/acme/002")
    assert queue.lease()


def test_a_batch_lingers_no_longer_than_the_longest(queue):
    queue.redis("HSET", PREFIX + "options", "reserve", "5", "linger_max", "1")
    queue.budget("acme", 1000, hours=20)
    queue.ingest("shopify/acme/001")
    wait_until(queue.lease, "the longest linger is over")


def test_the_reserve_is_for_exports_by_hand(queue):
    queue.ingest("shopify/acme/001")
    queue.ingest("shopify/acme/002")
    queue.lease(1).complete({"shopify/acme/001": "failed"})
    queue.budget("acme", 250)
    assert queue.lease() is None
    queue.run("resync", "acme", "sam", "shopify/acme/001")
    lease = queue.lease()
    assert list(lease.orders) == ["shopify/acme/001"]
    assert lease.permit("k") == "go"


def test_a_batch_that_reaches_the_reserve_waits_for_the_new_day(queue):
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    assert lease.permit(said=250) == "wait"
    lease.complete({"shopify/acme/001": "again"})
    assert queue.lease() is None


def test_a_figure_that_jumps_up_begins_a_new_day(queue):
    queue.budget("acme", 100, hours=3)
    queue.redis("HSET", PREFIX + "options", "reserve", "0", "linger_max", "0")
    queue.ingest("shopify/acme/001")
    lease = queue.lease()
    assert lease.permit(said=5000) == "go"
    ends = int(queue.redis("HGET", PREFIX + "conn:acme", "day_end"))
    assert ends - int(queue.redis("TIME")[0]) * 1000 > 23 * 3600000


def test_a_nearly_full_redis_closes_the_door_and_drains(queue, redis):
    queue.ingest("shopify/acme/001")
    redis.call("SET", "ballast", b"x" * 20000000)
    used = int(redis.call("INFO", "memory").split(b"used_memory:")[1].split()[0])
    redis.call("CONFIG", "SET", "maxmemory", int(used * 1.05))
    queue.run("sweep", "1", "1000000", "1000000", "5", "900000")
    assert queue.ingest("shopify/acme/002") == ["full"]
    queue.lease().complete({"shopify/acme/001": "done"})
    redis.call("CONFIG", "SET", "maxmemory", 0)
    redis.call("DEL", PREFIX + "sweep")
    queue.run("sweep", "1", "1000000", "1000000", "5", "900000")
    assert queue.ingest("shopify/acme/002")[0] == "queued"


def test_a_full_redis_refuses_new_orders_and_lets_the_waiting_ones_drain(queue, redis):
    queue.ingest("shopify/acme/001")
    redis.call("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(RedisError, match="OOM"):
        queue.ingest("shopify/acme/002")
    lease = queue.lease()
    assert lease.permit("k") == "go"
    assert lease.complete({"shopify/acme/001": "done"}) == 0
    redis.call("CONFIG", "SET", "maxmemory", 0)
    assert redis.call("EXISTS", PREFIX + "order:shopify/acme/002") == 0


def test_in_xero_with_the_stamp_off_has_a_decision_of_its_own(queue):
    """Exported by hand though the store was off when it was first seen: later events are not followed."""
    queue.ingest("shopify/acme/001", on="0")
    queue.redis("HSET", PREFIX + "order:shopify/acme/001", "inx", "Tacme")
    assert queue.ingest("shopify/acme/001", "Epaid", "2", on="1") == ["skipped", "accounting_invoice_off"]


def test_large_snapshots_make_small_batches(queue):
    for i in range(4):
        queue.ingest(f"shopify/acme/00{i}", body=b"x" * 1500000)
    assert len(queue.lease().orders) == 1


def test_an_order_that_failed_begins_its_attempts_anew_at_its_next_event(queue):
    queue.ingest("shopify/acme/001")
    queue.lease().complete({"shopify/acme/001": "failed"})
    assert queue.record("shopify/acme/001")["att"] == "1"
    queue.ingest("shopify/acme/001", stamp="2")
    assert "att" not in queue.record("shopify/acme/001")


# ---- fetches ----

def fetch(queue, order, delivery="", on="1", version="1", state=""):
    store = order.rsplit("/", 1)[0]
    return [x.decode() for x in queue.run("fetch_add", order, store, version, store.split("/")[1], delivery, "paid",
                                          on, "#" + order[-3:], "link", '"topic":"ORDER_CHANGE"', state)]


def fetches(queue, store="shopify/acme"):
    rows = queue.redis("ZRANGE", f"{PREFIX}fetch:{store}", 0, -1, "WITHSCORES")
    return {rows[i].decode(): int(rows[i + 1]) for i in range(0, len(rows), 2)}


def test_a_fetch_is_asked_for_once_and_is_in_the_trail(queue):
    order = "shopify/acme/001"
    assert fetch(queue, order, "12345678") == ["queued", "waiting_for_fetch"]
    first = fetches(queue)
    assert list(first) == ["001"]
    assert fetch(queue, order, "12345678") == ["duplicate", "waiting_for_fetch"]
    assert fetch(queue, order, "abcdefgh") == ["queued", "waiting_for_fetch"]
    assert fetches(queue) == first, "its place stays that of the first who asked"
    assert queue.redis("ZRANGE", PREFIX + "fetchdue", 0, -1) == [b"shopify/acme"]
    record = queue.record(order)
    assert (record["st"], record["reason"], record["on"], record["name"]) == ("skipped", "waiting_for_fetch", "1", "#001")
    assert queue.redis("LLEN", f"{PREFIX}trail:{order}") == 2


def test_the_trail_of_an_order_at_rest_expires_after_a_fetch_was_asked_for(queue, redis):
    order = "shopify/acme/001"
    queue.ingest(order)
    queue.lease().complete({order: "failed"})
    queue.run("dismiss", "acme", "sam", order)
    redis.call("DEL", PREFIX + "trail:" + order)  # its retention is over
    assert fetch(queue, order) == ["queued", "waiting_for_fetch"]
    assert redis.call("PTTL", PREFIX + "trail:" + order) > 0
    queue.ingest(order, stamp="2")
    fetch(queue, order)
    assert redis.call("PTTL", PREFIX + "trail:" + order) == -1


def test_a_fetch_that_waits_for_later_is_due_at_once(queue):
    order = "shopify/acme/001"
    fetch(queue, order)
    due = fetches(queue)["001"]
    queue.redis("ZADD", f"{PREFIX}fetch:shopify/acme", due + 600000, "001")
    fetch(queue, order)
    assert fetches(queue)["001"] < due + 600000


def test_what_was_fetched_is_decided_on_like_any_other(queue):
    order = "shopify/acme/001"
    fetch(queue, order)
    assert queue.ingest(order) == ["queued", "paid"]
    assert fetch(queue, order) == ["queued", "waiting_for_fetch"]
    assert queue.record(order)["st"] == "waiting", "a notice takes no order out of the queue"


def test_what_lacked_something_is_replaced_by_what_was_read_of_the_same_state(queue):
    order = "shopify/acme/001"
    state, snap = "00179333000004" + "1", f"{PREFIX}snap:{order}"  # second, payment and fulfilment

    def body():
        return queue.redis("HGET", snap, "order")

    queue.ingest(order, stamp=state + "7".zfill(20), body=b"poor")
    queue.lease().complete({order: "done"})
    # Read as any other, it is the older of the two, since nobody delivered it.
    assert queue.ingest(order, stamp=state + "0" * 20, body=b"rich")[0] == "stale_event" and body() == b"poor"
    assert queue.ingest(order, stamp=state + "0" * 20, body=b"rich", fuller="1") == ["queued", "paid"] and body() == b"rich"
    queue.lease().complete({order: "done"})
    # No other message of that state takes its place, and reading it once more changes nothing.
    assert queue.ingest(order, stamp=state + "9".zfill(20), body=b"poor")[0] == "stale_event" and body() == b"rich"
    rev = queue.record(order)["rev"]
    assert queue.ingest(order, stamp=state + "0" * 20, body=b"rich", fuller="1")[0] == "queued"
    assert queue.record(order)["rev"] == rev and queue.lease() is None
    # What is older stays so; what is newer comes.
    older, newer = "001793329999041", "001793330001041"
    assert queue.ingest(order, stamp=older + "0" * 20, body=b"old", fuller="1")[0] == "stale_event"
    assert queue.ingest(order, stamp=newer + "1".zfill(20), body=b"new") == ["queued", "paid"] and body() == b"new"


def test_what_lacks_something_waits_with_that_word_unless_somebody_wants_it_by_hand(queue):
    order, states = "shopify/acme/001", f"{PREFIX}fetchstate:shopify/acme"
    fetch(queue, order, state="whole")
    fetch(queue, order)
    assert queue.redis("HGET", states, "!001") == b"whole"
    queue.redis("HSET", states, "!001", "export:sam")
    fetch(queue, order, state="parts")
    assert queue.redis("HGET", states, "!001") == b"export:sam"


def test_no_fetch_where_no_state_would_change_the_answer(queue):
    assert fetch(queue, "shopify/acme/001", on="0") == ["skipped", "accounting_invoice_off"]
    queue.redis("HSET", f"{PREFIX}conn:acme", "status", "uninstalled")
    assert fetch(queue, "shopify/acme/002") == ["skipped", "xero_uninstalled"]
    assert fetches(queue) == {}


def test_a_fetch_is_refused_before_anything_is_written(queue):
    assert fetch(queue, "shopify/acme/001", version="2") == ["stale_settings"]
    assert fetch(queue, "shopify/none/001") == ["no_store"]
    queue.redis("SET", PREFIX + "full", "1")
    assert fetch(queue, "shopify/acme/001") == ["full"]
    assert queue.redis("KEYS", f"{PREFIX}*/001") == [] and fetches(queue) == {}
