"""`make shops`, short and in real time: orders that nobody told of, and a seller's backlog at Amazon's limits."""

import pathlib
import random
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "shops"), str(TESTS / "bench")]

# pylint: disable=wrong-import-position
import drain
import goods
import lib
import missed
from parts import Results
from scene import Scene, all_at_once
from sellers import Amazon


def kept(results):
    broken = [row["name"].strip() + row["note"] for row in results.rows if row["reached"] is False]
    assert not broken, "; ".join(broken)


def test_missed_orders_are_all_found_and_none_is_doubled_when_its_webhook_comes_late():
    results = Results()
    missed.run(results, count=30, times=0, kills=False, say=False, shopify={"costs": [2000, 2000]},
               amazon={"rates": {"getOrder": [50, 30]}})
    kept(results)


def test_three_workers_keep_to_the_rate_that_amazon_announces():
    results = Results()
    drain.run(results, count=80, times=0, say=False, gap=1, rate=25, soon=lib.DEADLINE, slack=lib.DEADLINE)
    kept(results)


def test_other_shops_do_not_wait_for_a_seller_who_has_no_calls_left():
    with Scene(0, 3, LH_RECONCILE=0) as scene:
        busy = Amazon(scene.stack)
        told = [one.told[0] for one in goods.sell_amazon(busy, random.Random(1), 200, {"SHIPPED": 1})]
        all_at_once(told)
        scene.wait(lambda: len(drain.calls_of(scene, busy)) >= 29, "the bucket is empty", 0)
        for other in drain.make_others(scene.stack, random.Random(2), 1):
            other.send(scene.now())
            scene.wait(lambda o=other: o.look(scene.sim), f"{other.name}: its order is in Xero", 0)
        assert len(busy.fetches()) > 100
        assert scene.violations() == []


def test_the_first_call_after_a_burst_is_not_one_too_many():
    """Amazon's bucket is full until the first call arrives, which here is long after its permit: the token comes late."""
    with Scene(0, 1, LH_RECONCILE=0) as scene:
        scene.sim.fault(path="/auth/o2/token", fault="delay", delay_ms=500, count=1)
        store = Amazon(scene.stack)
        all_at_once([one.told[0] for one in goods.sell_amazon(store, random.Random(3), 31, {"SHIPPED": 1})])
        scene.wait(lambda: not store.fetches() and len(drain.calls_of(scene, store)) >= 31, "all are asked for", 0)
        assert scene.violations() == []
