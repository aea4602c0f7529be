#!/usr/bin/python3
"""What is promised about orders that are read from their shops, seen happening: real programs, a real Redis,
the simulator. Exit status 0: every promise was kept.

    shops.py [--seed 1] [--orders 1000] [PART...]

missed: orders whose webhooks never came are all in Xero after one reconciliation, and none is doubled when the
webhooks come late. drain: 500 orders of one Amazon seller at Amazon's limits, by three workers, beside other shops.
idle: how soon an order that a notification names is in Xero.
"""

import argparse
import pathlib
import signal
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench"), str(HERE.parent / "integration")]

# pylint: disable=wrong-import-position
import drain  # noqa: E402
import missed  # noqa: E402
from parts import Results  # noqa: E402

PARTS = {
    "missed": lambda results, a: missed.run(results, a.seed, a.orders),
    "drain": lambda results, a: drain.run(results, a.seed, a.orders // 2),
    "idle": lambda results, a: drain.idle(results, a.seed),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {' '.join(sorted(unknown))}; there are: {' '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    results, begun = Results(), time.monotonic()
    for name in arguments.parts or PARTS:
        print(f"{name}, seed {arguments.seed}", flush=True)
        try:
            PARTS[name](results, arguments)
        except AssertionError as failure:
            results.add(f"{name}: {failure}", 1, "", "= 0")
    broken = [row["name"].strip() for row in results.rows if row["reached"] is False]
    print(f"shops: {len(broken)} broken" if broken else "shops: all promises kept", end="")
    print(f", {time.monotonic() - begun:.0f} s{': ' if broken else ''}{'; '.join(broken)}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
