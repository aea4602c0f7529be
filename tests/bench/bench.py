#!/usr/bin/env python3
"""What ledgerhook costs, measured on this machine: a table, and the same as JSON.

    python3 bench.py [--json FILE] [PART...]

Without parts all are run but `day`, which takes ten minutes. Figures of one run are comparable with one
another only; ratios are medians of alternating rounds (ROUNDS=5).
"""

import argparse
import json
import pathlib

import queue_cost
import way_in
import way_out
from parts import Results

PARTS = {
    "accepted": way_in.accepted,
    "latency": way_in.latency,
    "instructions": way_in.instructions,
    "memory": way_in.memory,
    "throughput": way_out.throughput,
    "backlog": way_out.backlog,
    "noisy": way_out.noisy,
    "idle": way_out.idle,
    "bytes": queue_cost.bytes_an_order,
    "depth": queue_cost.depth,
    "day": way_out.day,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {' '.join(sorted(unknown))}; there are: {' '.join(PARTS)}")
    results = Results()
    for name in arguments.parts or [p for p in PARTS if p != "day"]:
        print(name, flush=True)
        PARTS[name](results)
        if arguments.json:
            arguments.json.write_text(json.dumps(results.rows, indent=1) + "\n")
    missed = [row["name"].strip() for row in results.rows if row["reached"] is False]
    print(f"{len(missed)} target(s) missed: {'; '.join(missed)}" if missed else "all targets reached")


if __name__ == "__main__":
    main()
