"""The receiver: webhooks accepted, their latency, instructions and memory."""

import collections
import os
import pathlib
import re
import subprocess

from parts import MAPPINGS, ROUNDS, Floor, Load, cpu_seconds, lib, median, resident_mb

PLAIN_REDIS = {"auto_aof_rewrite_percentage": "0"}  # a rewrite in the middle of a round would be noise


def stack_and_shop(**env):
    stack = lib.Stack(worker=False, redis=PLAIN_REDIS,
                      **{"LH_THREADS": 1400, "LH_ACTIVE": 128, "LH_LOG_LEVEL": "info", **env})
    return stack, lib.Shop(stack, mappings=MAPPINGS)


def accepted(results):
    """Accepted webhooks a second, beside the floor's."""
    stack, shop = stack_and_shop()
    floor = Floor(stack.folder, **PLAIN_REDIS)
    load, count = Load(shop.domain), int(os.environ.get("COUNT", "20000"))
    try:
        for target, name in ((stack.receiver.hooks, "ours"), (floor.port, "floor")):
            load.run(target, 2000)
        for policy in ("always", "everysec"):
            for redis in (stack.redis, floor.redis):
                redis.call("CONFIG", "SET", "appendfsync", policy)
            rates, cpu = {"ours": [], "floor": []}, {"ours": [], "floor": []}
            for turn in range(ROUNDS):
                pairs = [("ours", stack.receiver.hooks, stack.receiver.pid, stack.redis),
                         ("floor", floor.port, floor.child.pid, floor.redis)]
                for name, target, pid, redis in pairs[::-1] if turn % 2 else pairs:
                    before = cpu_seconds(pid), cpu_seconds(redis.process.pid)
                    rates[name].append(load.run(target, count)["rate"])
                    cpu[name].append([(cpu_seconds(p) - b) / count * 1e6
                                      for p, b in zip((pid, redis.process.pid), before)])
                floor.redis.call("FLUSHALL")
            ours, bare = median(rates["ours"]), median(rates["floor"])
            ratio = median(a / b for a, b in zip(rates["ours"], rates["floor"]))
            results.add(f"accepted webhooks, AOF {policy}: ours / floor", ratio, "x", ">= 1.0",
                        f"  {min(rates['ours']):,.0f} to {max(rates['ours']):,.0f} /"
                        f" {min(rates['floor']):,.0f} to {max(rates['floor']):,.0f}")
            results.add(f"  ours, AOF {policy}", ours, "/s")
            results.add(f"  floor, AOF {policy}", bare, "/s")
            for name, who in (("ours", "receiver"), ("floor", "floor")):
                results.add(f"  processor time, {who}, AOF {policy}", median(c[0] for c in cpu[name]), "us/webhook")
                results.add(f"  processor time, {who}'s Redis, AOF {policy}", median(c[1] for c in cpu[name]),
                            "us/webhook")
    finally:
        floor.close()
        stack.close()


def latency(results):
    """p99 at 1,000 a second, with and without 1,000 connections that send nothing."""
    stack, shop = stack_and_shop()
    load = Load(shop.domain)
    try:
        load.run(stack.receiver.hooks, 2000)
        alone, beside = [], []
        for turn in range(ROUNDS):
            for idle, rows in ((0, alone), (1000, beside))[::-1 if turn % 2 else 1]:
                rows.append(load.run(stack.receiver.hooks, 8000, connections=128, rate=1000, idle=idle))
        p99 = [[r["p99_us"] / 1000 for r in rows] for rows in (alone, beside)]
        results.add("p50 at 1,000/s, open loop", median(r["p50_us"] / 1000 for r in alone), "ms")
        results.add("p99 at 1,000/s, open loop", median(p99[0]), "ms", "<= 50",
                    f"  {min(p99[0]):.1f} to {max(p99[0]):.1f}")
        results.add("p99 with 1,000 idle connections beside", median(p99[1]), "ms", "<= 50",
                    f"  {min(p99[1]):.1f} to {max(p99[1]):.1f}")
        results.add("p99 with idle connections / without", median(p99[1]) / median(p99[0]), "x", "< 2")
    finally:
        stack.close()


# ---- instructions ----

class CountedReceiver(lib.Receiver):
    """The receiver under callgrind; it writes what it counted when it ends."""

    def __init__(self, folder, env, out):
        argv = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}",
                str(lib.BUILD / "ledgerhook-receiver")]
        lib.Process.__init__(self, argv, folder, "counted", env)
        started = self.wait_event("started")
        self.hooks = f"127.0.0.1:{started['webhooks_port']}"


def functions(path, inclusive):
    """Instructions by (function, object); INCLUSIVE: with those that it calls."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no",
                           f"--inclusive={'yes' if inclusive else 'no'}", str(path)],
                          check=True, capture_output=True, text=True).stdout
    found = collections.Counter()
    for line in text.splitlines():
        row = re.match(r"\s*([\d,]+)\s+\S*?:([^\s']+)\S*(?: \[(?:.*/)?([^]/]*)\])?$", line)
        if row:
            found[row[2], row[3] or ""] += int(row[1].replace(",", ""))
    return found


def instructions(results):
    """The difference between two runs, so that the start does not count."""
    stack, shop = stack_and_shop()
    load, runs, few, many = Load(shop.domain), [], 300, 1300
    try:
        for count in (few, many):
            out = pathlib.Path(stack.folder) / f"callgrind-{count}"
            receiver = CountedReceiver(stack.folder, {**stack.env, "LH_THREADS": "16",
                                                      "LH_REDIS_URL": stack.redis.url_for("receiver")}, out)
            load.run(receiver.hooks, count, connections=4)
            receiver.stop()
            runs.append([functions(out, inclusive) for inclusive in (False, True)])
    finally:
        stack.close()
    own, whole = [{k: (runs[1][i][k] - runs[0][i][k]) / (many - few) for k in runs[1][i]} for i in (0, 1)]
    total = sum(own.values())
    results.add("user-space instructions an accepted webhook", total, "")
    objects = collections.Counter()
    for (_, where), n in own.items():
        objects[where] += n

    def top(rows, count, what):
        for name in sorted(rows, key=rows.get, reverse=True)[:count]:
            text = name if isinstance(name, str) else f"{name[0]} ({name[1]})"
            results.add(f"  {what} {text}", rows[name], "", note=f"  {rows[name] / total:.1%}")

    top(objects, 6, "in")
    top(own, 15, "by")
    top({k: n for k, n in whole.items() if k[1].startswith("ledgerhook")}, 25, "below")


def memory(results):
    """Resident memory after many webhooks, with few threads and with all."""
    total = int(os.environ.get("WEBHOOKS", "100000"))
    for threads, connections, limit in ((64, 60, "<= 30"), (1400, 128, "<= 64"), (1400, 1300, None)):
        stack, shop = stack_and_shop(LH_THREADS=threads)
        stack.redis.call("CONFIG", "SET", "appendfsync", "everysec")
        load, seen, taken = Load(shop.domain), [], 0
        try:
            for _ in range(5):
                taken += load.run(stack.receiver.hooks, total // 5, connections=connections, cycle=10000, first=0,
                                  busy=True)["ok"]
                seen.append(resident_mb(stack.receiver.pid))
            results.add(f"resident memory, {threads:,} threads, {connections:,} connections", seen[-1], "MB", limit,
                        f"  after each fifth of {taken:,}: " + ", ".join(f"{x:.1f}" for x in seen))
        finally:
            stack.close()
