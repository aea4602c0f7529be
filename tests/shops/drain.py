"""A seller's backlog at Amazon's own limits: it drains as fast as these allow and no faster, no call is answered
429, and nobody else waits for it."""

import random
import time

import goods
import orders
from parts import lib, median
from scene import Scene, all_at_once
from sellers import Amazon

RATE, BURST = 0.5, 30  # of getOrder
GAP = 60  # seconds between two orders of the others
INVOICES = "/api.xro/2.0/Invoices"


class Other:
    """A shop that is not the busy one: now and then it has an order, which should be in Xero soon."""

    def __init__(self, name, store, told):
        self.name, self.store, self.told = name, store, told
        self.sent, self.took = None, []

    def send(self, now):
        self.sent = now
        self.told.pop()()

    def look(self, sim):
        """Whether what was sent has reached Xero; notes how long that took."""
        if self.sent is None:
            return True
        rows = [r for r in sim.calls(self.store.tenant) if r["path"] == INVOICES and r["method"] != "GET"]
        if len(rows) <= len(self.took):
            return False
        self.took.append(float(rows[len(self.took)]["time"]) - self.sent)
        self.sent = None
        return True


def make_others(stack, rng, count, **limits):
    others = []
    for name in ("second seller", "third seller"):
        store = Amazon(stack, **limits)
        others.append(Other(name, store, [one.told[0] for one in goods.sell_amazon(store, rng, count, {"SHIPPED": 1})]))
    shop = lib.Shop(stack)
    others.append(Other("Shopify shop, by webhooks", shop,
                        [goods.sender(shop.send, "orders/paid", orders.order()) for _ in range(count)]))
    return others


class Watch:
    """What Redis is asked for, by the simulator's clock."""

    def __init__(self, scene):
        self.scene = scene
        scene.call("CONFIG", "RESETSTAT")
        self.begun = scene.now()

    def a_second(self, command):
        for line in self.scene.call("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.split("calls=")[1].split(",")[0]) / (self.scene.now() - self.begun)
        return 0.0


def calls_of(scene, store):
    return [r for r in scene.sim.calls(store.domain) if "/orders/" in r["path"]]


def beside(scene, others, busy, gap, say):
    """While the backlog drains, each of the others has an order every GAP seconds."""
    begun = said = time.monotonic()
    then = scene.now()
    while scene.under_way(busy, "amazon"):
        now = scene.now()
        if all([o.look(scene.sim) for o in others]) and now >= then:
            then = now + gap
            for other in others:
                if other.told:
                    other.send(scene.now())
        if say and time.monotonic() - said > 5:
            said = time.monotonic()
            print(f"  {said - begun:4.0f} s  {scene.under_way(busy, 'amazon')} under way", flush=True)
        if time.monotonic() - begun > 60 + 4000 / scene.times:
            raise AssertionError(f"{scene.under_way(busy, 'amazon')} orders are still under way")
        time.sleep(0.05)


def report_others(results, scene, others, soon):
    for other in others:
        scene.wait(lambda o=other: o.look(scene.sim), f"{other.name}: its last order is in Xero", 60)
        results.add(f"beside it, {other.name}: slowest to Xero", max(other.took), "s", f"<= {soon}",
                    f"  median {median(other.took):.1f} of {len(other.took)}; a real millisecond is {scene.times} here")


def report_pace(results, times, rate, burst, slack):
    """TIMES of all calls: how many after each tenth, and whether the whole took as long as it has to."""
    times = sorted(map(float, times))
    times = [t - times[0] for t in times]
    needed = (len(times) - burst) / rate
    steps = [round(needed * k / 10) for k in range(11)]
    print("  seconds        " + " ".join(f"{s:5}" for s in steps))
    print("  orders read    " + " ".join(f"{sum(1 for t in times if t <= s):5}" for s in steps))
    print("  allowed so far " + " ".join(f"{min(len(times), int(burst + s * rate)):5}" for s in steps), flush=True)
    results.add("  from the first to the last", times[-1], "s", f"<= {max(needed * 1.05, needed + slack):.0f}")
    results.add("  which Amazon's bucket allows in no less", times[-1], "s", f">= {needed:.0f}")


def run(results, seed=1, count=500, times=20, say=True, gap=GAP, rate=RATE, burst=BURST, soon=15, slack=10):
    """COUNT notifications for one seller. RATE, BURST: of the simulator's Amazon. SOON: seconds until an order of
    another shop is in Xero; SLACK: seconds by which all may take longer, where a twentieth is less."""
    rng, limits = random.Random(f"drain {seed}"), {"rates": {"getOrder": [rate, burst]}}
    with Scene(times, 3, LH_RECONCILE=0) as scene:
        busy = Amazon(scene.stack, **limits)
        sold = goods.sell_amazon(busy, rng, count, {"SHIPPED": 1})
        others = make_others(scene.stack, rng, 20, **limits)
        for store in [busy, *(o.store for o in others)] if scene.clock is None else ():
            scene.lift_limits(store)
        all_at_once([one.told[0] for one in sold])
        watch = Watch(scene)
        beside(scene, others, busy, gap, say)
        scripts, waits = watch.a_second("evalsha"), watch.a_second("blpop")
        asked = calls_of(scene, busy)
        results.add(f"{count} notifications of one seller, 3 workers: orders read", len(asked), "calls", f"= {count}")
        results.add("  answers 429", sum(1 for r in asked if r["status"] == 429), "", "= 0")
        report_pace(results, [r["time"] for r in asked], rate, burst, slack)
        wrong = goods.differences(busy, sold)
        results.add("  not in the books as at Amazon", len(wrong), "", "= 0", f"  {'; '.join(wrong[:3])}")
        report_others(results, scene, others, soon)
        results.add("scripts that Redis ran meanwhile", scripts, "/s")
        results.add("waits that Redis was asked for, one a second of each thread", waits, "/s")
        wrong = scene.violations()
        results.add("answers 429, and other breaches, all shops", len(wrong), "", "= 0", f"  {wrong[:3] or ''}")


def idle(results, seed=1, count=60):
    """One notification at a time into an idle system, in real time, until its order's first call to Xero."""
    rng = random.Random(f"idle {seed}")
    with Scene(0, 1, LH_RECONCILE=0) as scene:
        store = Amazon(scene.stack, rates={"getOrder": [100, 200]})
        scene.lift_limits(store)
        took = []
        for one in goods.sell_amazon(store, rng, 1 + count, {"SHIPPED": 1}):
            since, begun = len(scene.sim.calls()), scene.now()
            one.told[0]()
            scene.wait(lambda: scene.under_way(store, "amazon") == 0, "the order is in Xero", 30)
            rows = scene.sim.control("GET", f"calls?since={since}")["calls"]
            took.append((min(float(r["time"]) for r in rows if r["tenant"] == store.tenant) - begun) * 1000)
        took = sorted(took[1:])  # with the first the worker gets its tokens
        results.add("notification to call to Xero, idle: p50", median(took), "ms", "< 100")
        results.add("notification to call to Xero, idle: p99", took[len(took) * 99 // 100], "ms")
