"""The queue: Redis memory of a waiting order, and what an order costs in a deep queue."""

import pathlib
import tempfile
import time
import uuid

from parts import MAPPINGS, ROUNDS, Load, lib, median, order_body, redis_info

P = lib.PREFIX
SCRIPTS = lib.ROOT / "queue" / "scripts"


def bytes_an_order(results):
    """A 7.5 KB order with 4 events: made, changed twice, paid."""
    count, stack = 10000, lib.Stack(worker=False, LH_THREADS=256, LH_LOG_LEVEL="info")
    try:
        shop = lib.Shop(stack, mappings=MAPPINGS)
        call = stack.redis.call
        call("CONFIG", "SET", "appendfsync", "everysec")
        states = [Load(shop.domain, order_body(paid=n == 3, state=n), topic)
                  for n, topic in enumerate(["orders/create", "orders/updated", "orders/updated", "orders/paid"])]
        states[0].run(stack.receiver.hooks, 100)
        before = redis_info(call, "used_memory_dataset")
        for state in states:
            state.run(stack.receiver.hooks, count, first=1000)
        assert call("ZCARD", f"{P}ready:{shop.connection}") == count
        results.add("Redis bytes a waiting order, 4 events", (redis_info(call, "used_memory_dataset") - before) / count,
                    "bytes", "<= 2200", f"  payload {len(order_body()):,}")
        order = f"shopify/{shop.domain}/7770000001234"
        for kind in ("order", "snap", "trail"):
            used = call("MEMORY", "USAGE", f"{P}{kind}:{order}", "SAMPLES", "0")
            results.add(f"  {kind}:O", used, "bytes")
    finally:
        stack.close()


class Queue:
    """The scripts alone, in a Redis that writes nothing to disk."""

    def __init__(self, folder):
        self.redis = lib.Redis(folder, appendonly="no")
        self.call = self.redis.call
        self.sha = {}
        for name in ("ingest", "lease", "complete"):
            first, _, rest = (SCRIPTS / f"{name}.lua").read_text().partition("\n")
            text = first + "\n" + (SCRIPTS / "lib.lua").read_text() + rest
            self.sha[name] = self.call("SCRIPT", "LOAD", text).decode()

    def words(self, name, *argv):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in ("EVALSHA", self.sha[name], 1, P, *argv)]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)

    def run(self, name, *argv):
        self.call.sock.sendall(self.words(name, *argv))
        return self.call.read()

    def connect(self, connection):
        end = int(self.call("TIME")[0]) * 1000 + 80000000
        self.call("SADD", P + "conns", connection)
        self.call("HSET", f"{P}conn:{connection}", "status", "active", "tenant", "T", "day_left", 10**6, "day_max",
                  10**6, "day_end", end)
        self.call("HSET", f"{P}store:shopify/{connection}", "version", "1", "connection", connection)

    def fill(self, connection, first, count):
        """COUNT orders through the ingest script, many commands a round trip."""
        for start in range(first, first + count, 200):
            numbers = range(start, min(start + 200, first + count))
            self.call.sock.sendall(b"".join(self.words(
                "ingest", f"shopify/{connection}/{n}", f"shopify/{connection}", "1", connection, b"%08d" % n, "paid",
                f"{n:035d}", "order", b"x" * 16, "1", "Epaid", "Spaid", "Epaid", f"#{n}", "", "2026-11-01", "", "", "")
                for n in numbers))
            for _ in numbers:
                self.call.read()

    def cycle(self):
        """One batch is leased and done; returns its orders."""
        token = uuid.uuid4().hex
        row = self.run("lease", token, 120000, 50)
        assert row[0], row
        orders = row[8::2]
        said = [w for o in orders for w in (o, "done", 0, "", "", "exported", 1, 1, "h")]
        self.run("complete", row[0], token, 0, "", -1, 0, len(orders), *said)
        return len(orders)

    def cost(self, batches):
        """Microseconds an order."""
        begun, orders = time.perf_counter(), 0
        for _ in range(batches):
            orders += self.cycle()
        return (time.perf_counter() - begun) / orders * 1e6


def depth(results):
    """Lease and complete of an order, by the scripts alone, as the queue grows deeper and wider."""
    with tempfile.TemporaryDirectory(prefix="ledgerhook-bench-") as folder:
        queues = {name: Queue(pathlib.Path(folder)) for name in ("shallow", "deep", "wide", "narrow")}
        queues["shallow"].connect("c")
        queues["deep"].connect("c")
        queues["deep"].fill("c", 0, 1000000)
        queues["narrow"].connect("c")
        queues["narrow"].fill("c", 0, 50000)
        for n in range(1000):
            queues["wide"].connect(f"c{n}")
            queues["wide"].fill(f"c{n}", 0, 50)
        costs = {name: [] for name in queues}
        for turn in range(2 * ROUNDS + 1):
            queues["shallow"].fill("c", turn * 1000, 1000)
            for name in list(queues)[::-1 if turn % 2 else 1]:
                costs[name].append(queues[name].cost(19))
            queues["shallow"].cost(1)
        for name, rows in costs.items():
            costs[name] = rows[1:]
        for name, text in (("shallow", "1,000 waiting"), ("deep", "1,000,000 waiting"),
                           ("narrow", "50,000 waiting on 1 connection"), ("wide", "50 on each of 1,000")):
            results.add(f"  lease and complete, {text}", median(costs[name]), "us/order")
        results.add("an order's cost, 1,000,000 waiting / 1,000",
                    median(a / b for a, b in zip(costs["deep"], costs["shallow"])), "x", "<= 1.3")
        results.add("an order's cost, 1,000 connections with 50 / 1 with 50,000",
                    median(a / b for a, b in zip(costs["wide"], costs["narrow"])), "x", "<= 1.3")
        for queue in queues.values():
            queue.redis.stop()
