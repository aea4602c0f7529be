"""`make chaos`, short: processes are killed and stopped while orders flow, and the audit finds each of
them once. CHAOS_SEED=n plays another run."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import chaos  # pylint: disable=wrong-import-position


def test_orders_survive_kills_stops_and_faults():
    seed = os.environ.get("CHAOS_SEED", "7")
    problems = chaos.run(chaos.parse([
        "--seed", seed, "--minutes", "0.3", "--connections", "8", "--workers", "2", "--rate", "4",
        "--noisy", "0", "--gap", "0.6", "--deadline", "180"]))
    assert not problems, "\n\n".join(problems)
