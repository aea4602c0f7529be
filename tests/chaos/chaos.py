#!/usr/bin/env python3
"""Chaos: thousands of orders flow while receivers, workers and Redis are killed and stopped and Xero
misbehaves, all of it drawn from one seed; then an audit. Exit status 0: nothing lost, nothing doubled,
nothing left behind. `make chaos MINUTES=10 SEED=n WORKERS=3 RECEIVERS=2 CONNECTIONS=20`.
"""

import argparse
import pathlib
import random
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
import lib
from audit import Audit
from drivers import Drivers
from plan import make_plan
from world import World

ROWS = ("ready", "leases", "failed", "synced")


def look(world):
    """Entries of the queue's lists, all connections together; None while Redis is away."""
    try:
        client = lib.Resp(world.redis.path)
        try:
            return {row: sum(client("ZCARD", f"{lib.PREFIX}{row}:{s.connection}") for s in world.shops) for row in ROWS}
        finally:
            client.close()
    except (OSError, lib.RedisError):
        return None


def report(world, drivers, begun):
    seen, count = look(world), world.count
    rows = "Redis is away" if seen is None else "  ".join(f"{row} {n}" for row, n in seen.items())
    print(f"{time.monotonic() - begun:6.0f} s  deliveries: {sum(map(len, drivers.taken.values()))} taken, "
          f"{drivers.open} to go, {drivers.tries} tries  {rows}  blows {sum(count.values())}", flush=True)


def settle(world, drivers, begun, deadline, every):
    """Waits until all is delivered and the queue is empty; what had failed is exported by hand."""
    for shop in world.shops:
        world.resume(shop)
    end, said, mended = time.monotonic() + deadline, 0.0, time.monotonic()
    while True:
        seen = look(world)
        if drivers.open == 0 and seen and not any(seen[row] for row in ("ready", "leases", "failed")):
            return
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline:.0f} s of calm {drivers.open} deliveries are not taken "
                                 f"and the queue holds {seen}")
        if seen and seen["failed"] and drivers.open == 0:
            world.api("/failed/export", {"all": True})
        if time.monotonic() - mended > 20:  # connections that are held after an outage go on
            mended = time.monotonic()
            for shop in world.shops:
                if world.redis.call("HEXISTS", f"{lib.PREFIX}conn:{shop.connection}", "nb"):
                    world.resume(shop)
        if time.monotonic() - said > every:
            said = time.monotonic()
            report(world, drivers, begun)
        time.sleep(0.2)


def table(title, rows):
    print(f"\n{title}")
    for name in sorted(rows, key=str):
        print(f"  {rows[name]:>8}  {name}")


def run(options):
    """One run; the problems that were found, as texts."""
    plan = make_plan(options.seed, options.minutes * 60, options.workers, options.receivers, options.connections,
                     options.rate, options.noisy, options.gap, options.lease)
    print(f"seed {options.seed}: {len(plan.orders)} orders, {sum(len(o.deliveries) for o in plan.orders)} deliveries, "
          f"{len(plan.blows)} blows in {plan.seconds:.0f} s; {options.workers} workers, {options.receivers} receivers, "
          f"{options.connections} connections, leases of {options.lease} s", flush=True)
    world = World(plan, options.workers, options.receivers)
    drivers, begun = Drivers(world), time.monotonic()
    audit = None
    try:
        drivers.start(begun)
        world.play(begun, lambda: report(world, drivers, begun), options.every)
        world.calm()
        settle(world, drivers, begun, options.deadline, options.every)
        audit = Audit(world, drivers)
        audit.run()
    except AssertionError as failure:
        world.problem(f"seed {options.seed}: {failure}")
        Audit(world, drivers).leftovers()
    finally:
        drivers.stopped = True
        world.close()
    table("sent", {**{f"answer: {k}": n for k, n in drivers.answers.items()}, "orders": len(plan.orders),
                   "deliveries": sum(map(len, drivers.taken.values())), "tries": drivers.tries,
                   **{f"result: {k}": n for k, n in drivers.results.items()}})
    table("done to it", world.count)
    table("found", {"lost": 0, "doubled": 0, "violations": 0, **(audit.found if audit else {})})
    if world.problems:
        text = "\n\n".join(world.problems)
        (pathlib.Path(world.folder) / "problems.txt").write_text(text)
        print(f"\n{text[:20000]}\n\n{len(world.problems)} problems; SEED={options.seed} plays the same again. "
              f"Logs and Redis' data are in {world.folder}")
    else:
        shutil.rmtree(world.folder, ignore_errors=True)
        print(f"\nnothing lost, nothing doubled, nothing left behind (seed {options.seed})")
    return world.problems


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=lambda text: int(text) if text else None, default=None)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--receivers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--rate", type=float, default=6.0, help="new orders a second")
    parser.add_argument("--noisy", type=float, default=0.25, help="share of them on the first connection")
    parser.add_argument("--gap", type=float, default=1.5, help="seconds between two blows")
    parser.add_argument("--lease", type=int, default=6, help="LH_LEASE of the workers")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds that the queue may take to empty")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two lines of progress")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1, 10 ** 6)
    return options


if __name__ == "__main__":
    sys.exit(1 if run(parse(sys.argv[1:])) else 0)
