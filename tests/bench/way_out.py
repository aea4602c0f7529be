"""The worker: exports a second, calls an order, fairness, and how soon an order leaves.

For backlogs and the day, Redis, workers and simulator live several times faster (faster.c), so that the
limits of a minute and of a day are met in the time there is. The receiver, the load generator and this
program keep real time."""

import collections
import os
import threading
import time
import zlib

from parts import CUSTOMER, MAPPINGS, ORDER, ROUNDS, Load, cpu_seconds, lib, median, order_body
from stacks import from_now, new_stack, start_workers, stop_workers

INVOICES, PAYMENTS, CONTACTS = (f"/api.xro/2.0/{x}" for x in ("Invoices", "Payments", "Contacts"))
P = lib.PREFIX


class Shop(lib.Shop):
    """A shop with the samples' taxes, and what of it waits."""

    def __init__(self, stack, **more):
        super().__init__(stack, mappings=MAPPINGS, **more)
        self.call = stack.redis.call

    def waiting(self):
        return self.call("ZCARD", f"{P}ready:{self.connection}")

    def at_work(self):
        return self.waiting() + self.call("ZCARD", f"{P}leases:{self.connection}")

    def pause(self):
        assert self.stack.receiver.api("POST", f"/connections/{self.connection}/pause", {})[0] == 200

    def resume(self):
        assert self.stack.receiver.api("POST", f"/connections/{self.connection}/resume", {})[0] == 200

    def exported(self):
        return self.call("ZCARD", f"{P}synced:{self.connection}")

    def failed_count(self):
        return self.call("ZCARD", f"{P}failed:{self.connection}")

    def unlimited(self):
        self.stack.sim.control("POST", "organisation", {"tenant": self.tenant, "limits": False})


def wait_idle(shops, deadline):
    lib.wait_until(lambda: all(s.at_work() == 0 for s in shops), "all orders are exported", deadline)
    failed = sum(s.failed_count() for s in shops)
    assert failed == 0, f"{failed} orders failed: {shops[0].failed()[:2]}"


def meet_customers(shop, count, load=None):
    """One order of each of COUNT customers is exported, so that Xero and Redis know them."""
    load = load or Load(shop.domain)
    load.run(shop.stack.receiver.hooks, count, connections=16, customers=count)
    wait_idle([shop], 600)
    return load


def throughput(results):
    """One worker, a simulator without limits. The limits a minute are ours too, so the backlog lies on
    many connections: on none of them does it meet its minute."""
    connections, each = 20, 250
    stack = new_stack()
    try:
        shops = [Shop(stack) for _ in range(connections)]
        loads = []
        workers = start_workers(stack, 1)
        for shop in shops:
            shop.unlimited()
            loads.append(meet_customers(shop, 50))
        rates, cpu, sim_cpu, calls = [], [], [], []
        for _ in range(ROUNDS):
            for shop in shops:
                shop.pause()
            for shop, load in zip(shops, loads):
                load.run(stack.receiver.hooks, each, connections=32, customers=50)
                shop.call("DEL", f"{P}minute:{shop.connection}")
            worker, sim = workers[0].pid, stack.sim.process.pid
            before = cpu_seconds(worker), cpu_seconds(sim), len(stack.sim.calls())
            begun = time.monotonic()
            for shop in shops:
                shop.resume()
            wait_idle(shops, 300)
            orders = connections * each
            rates.append(orders / (time.monotonic() - begun))
            cpu.append((cpu_seconds(worker) - before[0]) / orders * 1e6)
            sim_cpu.append((cpu_seconds(sim) - before[1]) / orders * 1e6)
            calls.append((len(stack.sim.calls()) - before[2]) / orders)
        assert sum(s.exported() for s in shops) == orders * ROUNDS + 50 * connections
        results.add("exports through one worker, paid orders of known customers", median(rates), "orders/s",
                    note=f"  {min(rates):,.0f} to {max(rates):,.0f}")
        results.add("  processor time of the worker", median(cpu), "us/order")
        results.add("  processor time of the simulator", median(sim_cpu), "us/order")
        results.add("  calls", median(calls), "/order")
    finally:
        stack.close()


def ledger(stack, shop, since):
    rows = [r for r in stack.sim.control("GET", f"calls?since={since}")["calls"] if r["tenant"] == shop.tenant]
    violations = [v for v in stack.sim.control("GET", "violations")["violations"] if v["tenant"] == shop.tenant]
    return rows, violations


def busiest_minute(rows, seconds=60):
    """Most calls in any SECONDS."""
    times, most, first = sorted(float(r["time"]) for r in rows), 0, 0
    for last, at in enumerate(times):
        while times[first] < at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def backlog(results):
    """10,000 paid orders on one connection with limits as Xero's, three workers."""
    count = int(os.environ.get("ORDERS", "10000"))
    for name, customers, times, limit in (("known", 100, 5, 0.045), ("new", 0, 8, 0.085)):
        clock = from_now(times)
        stack = new_stack(clock)
        try:
            shop = Shop(stack)
            load = Load(shop.domain)
            workers = start_workers(stack, 3, clock)
            if customers:
                meet_customers(shop, customers, load)
            else:
                load.first = 1000000
            shop.pause()
            load.run(stack.receiver.hooks, count, customers=customers)
            since = len(stack.sim.calls())
            begun = time.monotonic()
            shop.resume()
            wait_idle([shop], 600)
            took = (time.monotonic() - begun) * times
            rows, violations = ledger(stack, shop, since)
            kinds = collections.Counter(f"{r['method']} {r['path'].split('/')[-1]}" for r in rows)
            kinds_text = ", ".join(f"{n} {k}" for k, n in kinds.most_common())
            results.add(f"calls an order, {count:,} waiting, {name} customers", len(rows) / count, "/order",
                        f"<= {limit}", f"  {kinds_text}")
            results.add("  answers 429, and other breaches", len([r for r in rows if r["status"] == 429]) +
                        len(violations), "", "= 0", f"  {violations[:2] or ''}")
            results.add("  most calls in flight", max(r["in_flight"] for r in rows), "", "<= 5")
            results.add("  most calls in any 60 s", busiest_minute(rows), "", "<= 60")
            results.add("  simulated time", took / 60, "minutes", note=f"  {times} times faster")
            books = len({i["InvoiceNumber"] for i in shop.invoices()})
            results.add("  orders not in the books once", abs(books - len(shop.invoices())) +
                        abs(books - count - customers), "", "= 0")
            stop_workers(stack, workers)
        finally:
            stack.close()


class Turns(threading.Thread):
    """Reads along what Redis does: when an order became ready, and when a connection had its turn."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.client = lib.Resp(redis.path)
        self.client.sock.settimeout(None)
        self.client("MONITOR")
        self.rows = []  # ("ready" or "turn", connection)

    def run(self):
        for raw in self.client.file:
            words = raw.decode(errors="replace").split('"')[1::2]
            if len(words) > 3 and words[0] == "ZADD" and words[1].startswith(P + "ready:"):
                self.rows.append(("ready", words[1].split(":")[-1]))
            elif len(words) > 3 and words[0] == "HSET" and words[2] == "turn":
                self.rows.append(("turn", words[1].split(":")[-1]))


def noisy(results):
    """One connection with 100,000 waiting; 99 others get one order each while it is being worked on."""
    count, others = int(os.environ.get("NOISY", "100000")), 99
    stack = new_stack()
    try:
        stack.redis.call("CONFIG", "SET", "appendfsync", "everysec")  # while it is filled
        crowd = Shop(stack)
        load = Load(crowd.domain)
        load.run(stack.receiver.hooks, count, customers=1000)
        stack.redis.call("CONFIG", "SET", "appendfsync", "always")
        shops = [Shop(stack) for _ in range(others)]
        stack.sim.fault(fault="delay", delay_ms=50, count=-1)
        turns = Turns(stack.redis)
        turns.start()
        start_workers(stack, 3)
        lib.wait_until(lambda: any(r["path"] == INVOICES for r in crowd.calls()), "the noisy one is worked on")
        bodies = order_body()
        sent = {}
        for i, shop in enumerate(shops):
            body = bodies.replace(str(ORDER).encode(), str(ORDER + 10**6 + i).encode())
            sent[shop.tenant] = time.time()
            assert shop.send("orders/paid", body)[1]["result"] == "queued"
        wait_idle(shops, 120)
        first = {}
        for row in stack.sim.calls():
            first.setdefault(row["tenant"], float(row["time"]))
        waits = sorted(first[tenant] - at for tenant, at in sent.items())
        batches = []
        for shop in shops:
            ready = turns.rows.index(("ready", shop.connection))
            turn = turns.rows.index(("turn", shop.connection), ready)
            batches.append(turns.rows[ready:turn].count(("turn", crowd.connection)))
        results.add(f"99 orders beside {count:,} of one connection: latest start", waits[-1], "s", "<= 2",
                    f"  median {waits[len(waits) // 2]:.3f}")
        results.add("  most batches of the noisy one between ready and leased", max(batches), "", "<= 1")
        results.add("  of the noisy one still waiting then", crowd.waiting(), "orders")
    finally:
        stack.close()


def idle(results):
    """One webhook at a time into an idle system, until its first call to Xero."""
    stack = new_stack()
    try:
        shop = Shop(stack)
        start_workers(stack, 1)
        shop.unlimited()
        load = meet_customers(shop, 50)
        del load
        took = []
        for i in range(60 * ROUNDS // 5):
            shop.call("DEL", f"{P}minute:{shop.connection}")
            body = order_body().replace(str(ORDER).encode(), str(ORDER + 10**6 + i).encode())
            body = body.replace(str(CUSTOMER).encode(), str(CUSTOMER + i % 50).encode())
            since = len(stack.sim.calls())
            begun = time.time()
            shop.send("orders/paid", body)
            shop.idle()
            took.append((float(stack.sim.control("GET", f"calls?since={since}")["calls"][0]["time"]) - begun) * 1000)
        took.sort()
        results.add("webhook to call to Xero, idle: p50", median(took), "ms", "< 100")
        results.add("webhook to call to Xero, idle: p99", took[len(took) * 99 // 100], "ms",
                    note=f"  max {took[-1]:.1f}")
    finally:
        stack.close()


def begin_day(stack, shop):
    """Moves the simulator to the start of the organisation's day, which has a second of its own. Returns
    the day's end by the simulator's clock."""
    now = float(stack.sim.control("GET", "health")["time"])
    rest = 86400 - (now + zlib.crc32(shop.tenant.encode()) % 86400) % 86400
    stack.sim.control("POST", "clock", {"advance_seconds": rest + 1})
    return now + rest + 86400


def day(results):
    """20,000 orders of known customers over a day of 1,000 calls, of which a twentieth is kept."""
    times, count, customers, limit, hours = 180, 20000, 100, 1000, 23.5
    clock = from_now(times)
    stack = new_stack(clock, LH_LEASE=900)
    try:
        shop = Shop(stack)
        ends = begin_day(stack, shop)
        stack.sim.control("POST", "organisation", {"tenant": shop.tenant, "day_limit": limit})
        start_workers(stack, 3, clock)
        load = meet_customers(shop, customers)
        stack.sim.control("POST", "organisation", {"tenant": shop.tenant, "day_remaining": limit})
        since = len(stack.sim.calls())
        load.run(stack.receiver.hooks, count, rate=round(count / (hours * 3600 / times)), customers=customers)
        wait_idle([shop], 300)
        rows, violations = ledger(stack, shop, since)
        results.add(f"a day of {limit:,} calls, {count:,} orders: exported", shop.exported() - customers, "",
                    f"= {count}", f"  {times} times faster")
        results.add("  last call before the day's end", (ends - float(rows[-1]["time"])) / 3600, "hours", ">= 0")
        results.add("  calls of the day", len([r for r in rows if float(r["time"]) < ends]), "",
                    f"<= {limit * 95 // 100}", f"  {len(rows) / count:.4f} an order")
        results.add("  failed", shop.failed_count(), "", "= 0")
        results.add("  answers 429, and other breaches", len([r for r in rows if r["status"] == 429]) +
                    len(violations), "", "= 0", f"  {violations[:2] or ''}")
    finally:
        stack.close()
