"""Orders whose webhooks never came: one reconciliation brings all of them into Xero, while workers are killed;
when the webhooks come late after all, nothing is doubled and nothing changes."""

import collections
import random
import time

import goods
from parts import lib
from scene import Scene, all_at_once
from sellers import Amazon, Shopify

DAY = 86400
TWICE = 0.1  # of the late webhooks


class Missed:
    """One store with orders that nobody told of."""

    def __init__(self, scene, store, platform, sold):
        self.scene, self.store, self.platform, self.sold = scene, store, platform, sold
        self.key = f"{lib.PREFIX}store:{platform}/{store.domain}"

    @property
    def expected(self):
        return sum(1 for one in self.sold if one.books)

    def let_in(self):
        """What opens the shop is entered; its first reconciliation begins."""
        secret = {"shopify": "api_token", "amazon": "refresh_token"}[self.platform]
        status, answer = self.store.patch({"secrets": {secret: self.store.token}})
        assert status == 200, answer
        if self.scene.clock is None:  # upkeep looks for such stores every ten seconds
            call, name = self.scene.call, f"{self.platform}/{self.store.domain}"
            call("ZADD", f"{lib.PREFIX}fetchlater:{name}", 1, "*reconcile")
            call("ZADD", f"{lib.PREFIX}fetchdue", 1, name)
            call("LPUSH", f"{lib.PREFIX}fetchwake", 1)

    def through(self):
        """The reconciliation has ended, and all that it found."""
        return self.scene.call("HEXISTS", self.key, "reconciled_to") and self.at_rest()

    def at_rest(self):
        return self.scene.under_way(self.store, self.platform) == 0

    def calls(self, since=0):
        """Calls to the shop, of them pages of a search, and calls to Xero with those that write."""
        rows = self.scene.sim.control("GET", f"calls?since={since}")["calls"]
        shop = [r for r in rows if r["tenant"] == self.store.domain and r["path"] != "/auth/o2/token"]
        xero = [r for r in rows if r["tenant"] == self.store.tenant and "/api.xro/" in r["path"]]
        return shop, xero

    def late(self, rng):
        """All that the shop would have told, in any order, some of it twice."""
        told = [call for one in self.sold for call in one.told]
        told += rng.sample(told, int(len(told) * TWICE))
        rng.shuffle(told)
        return told


def progress(rows, begun, say):
    said = [time.monotonic()]

    def look(condition):
        def check():
            if say and time.monotonic() - said[0] > 5:
                said[0] = time.monotonic()
                texts = [f"{m.platform} {m.scene.in_xero(m.store)} in Xero, {m.scene.under_way(m.store, m.platform)} under way"
                         for m in rows]
                print(f"  {said[0] - begun:4.0f} s  " + "; ".join(texts), flush=True)
            return condition()
        return check
    return look


def kill_in_the_middle(scene, rows, wait):
    """Once while the first page is read, once while orders are being exported."""
    scene.wait(wait(lambda: any(m.calls()[0] for m in rows)), "a shop is asked", 600)
    scene.kill_workers()
    scene.wait(wait(lambda: any(scene.in_xero(m.store) > m.expected // 4 for m in rows)), "a quarter is in Xero", DAY)
    scene.kill_workers()


def check(results, rows, what):
    for m in rows:
        wrong = goods.differences(m.store, m.sold)
        results.add(f"{m.platform}: orders that are not in the books as in the shop, {what}", len(wrong), "", "= 0",
                    f"  {'; '.join(wrong[:3])}")


def report_pass(results, scene, rows):
    for m in rows:
        shop, xero = m.calls()
        count = len(m.sold)
        results.add(f"{m.platform}: in Xero after one reconciliation", scene.in_xero(m.store), "", f"= {m.expected}",
                    f"  of {count} orders; the others are unpaid, tests or cancelled")
        results.add("  on the failed list", len(m.store.failed()), "", "= 0")
        results.add("  calls to the shop", len(shop) / count, "/order", note=f"  {len(shop)} with those of the killed")
        results.add("  calls to Xero", len(xero) / count, "/order")


def report_late(results, rows, before, since, answers):
    for m in rows:
        shop, xero = m.calls(since)
        written = [r for r in xero if r["method"] != "GET"]
        same = m.store.books() == before[m.platform]
        results.add(f"{m.platform}: books changed by late webhooks", 0 if same else 1, "", "= 0",
                    f"  {len(answers[m.platform])} sent: {dict(collections.Counter(answers[m.platform]))}")
        results.add("  calls to Xero that write", len(written), "", "= 0", f"  {len(xero)} calls in all")
        results.add("  calls to the shop", len(shop) / len(m.sold), "/order")


def make_rows(scene, rng, count, limits):
    rows = []
    for make, sell, platform in ((Shopify, goods.sell_shopify, "shopify"), (Amazon, goods.sell_amazon, "amazon")):
        store = make(scene.stack, token=False, **limits.get(platform, {}))
        if scene.clock is None:
            scene.lift_limits(store)
        rows.append(Missed(scene, store, platform, sell(store, rng, count)))
    return rows


def run(results, seed=1, count=1000, times=40, kills=True, say=True, **limits):
    """COUNT orders in each shop. LIMITS: of the simulator's shops, by platform."""
    rng, begun = random.Random(f"missed {seed}"), time.monotonic()
    with Scene(times, 2, LH_RECONCILE=DAY) as scene:
        rows = make_rows(scene, rng, count, limits)
        wait = progress(rows, begun, say)
        since = scene.now()
        for m in rows:
            m.let_in()
        if kills:
            kill_in_the_middle(scene, rows, wait)
        scene.wait(wait(lambda: all(m.through() for m in rows)), "the reconciliation is through", DAY / 4)
        took = scene.now() - since
        report_pass(results, scene, rows)
        results.add("simulated time of both", took / 60, "minutes", note=f"  {scene.times} times faster")
        check(results, rows, "before")
        before, since = {m.platform: m.store.books() for m in rows}, len(scene.sim.calls())
        answers = {m.platform: all_at_once(m.late(rng)) for m in rows}
        scene.wait(wait(lambda: all(m.at_rest() for m in rows)), "the late webhooks are through", DAY / 4)
        report_late(results, rows, before, since, answers)
        check(results, rows, "after")
        wrong = scene.violations()
        results.add("answers 429, and other breaches", len(wrong), "", "= 0", f"  {wrong[:3] or ''}")
