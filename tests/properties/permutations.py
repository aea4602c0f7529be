#!/usr/bin/python3
"""The same events in every order of arrival, through the real programs: receiver, Redis, worker and the
simulator of Xero.

    permutations.py [--orders 100] [--times 20] [--seed 1]

Each order's deliveries are arranged TIMES times: shuffled, reversed, nearly in order; some repeated,
some lost, but not the last state. Each arrangement is an order of its own, with other ids. They arrive
in rounds, and between two rounds everything is exported that can be. At the end all arrangements of
one order must have left the books that the shop's documents leave (truth.py), and the same in each. An
order that ends on the failed list, with a row that says why, is counted; that may be seldom (TOLD).
"""

import argparse
import concurrent.futures
import http.client
import pathlib
import random
import sys
import time
import zlib
from dataclasses import dataclass, field
from decimal import Decimal

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import lib  # noqa: E402
import shop as shops  # noqa: E402
import truth  # noqa: E402
from model import ZERO  # noqa: E402

ROUNDS = 5  # of deliveries, with exports between them
BATCH = 1200  # arrangements at once
THREADS = 8
STORES = 4  # for each kind of settings, so that no connection meets its limits
SOON_MS = 5000  # what is due later than this waits for something that has not come
SHOWN = 5
TOLD = 10  # orders of a thousand that may end on the failed list


@dataclass
class Arrangement:
    """One order of arrival of one order's events."""
    seed: int
    number: int
    life: object
    how: str
    rounds: list  # of lists of (event, webhook id)
    store: object = None
    told: list = field(default_factory=list)

    @property
    def order_id(self):
        return self.life.order.id

    def tell(self):
        lines = [f"  arrangement {self.number} ({self.how}):"]
        for i, deliveries in enumerate(self.rounds):
            if deliveries:
                lines.append(f"    round {i}: " + ", ".join(f"{e.step}:{e.topic}" for e, _ in deliveries))
        return "\n".join(lines)


# ---- how events can arrive ----

def in_order(events, rng):
    return list(events)


def backwards(events, rng):
    return list(reversed(events))


def shuffled(events, rng):
    return rng.sample(events, len(events))


def nearly_in_order(events, rng):
    """A few come late."""
    row = list(events)
    for _ in range(1 + len(row) // 4):
        late = row.pop(rng.randrange(len(row)))
        row.insert(rng.randrange(len(row) + 1), late)
    return row


def money_first(events, rng):
    return sorted(events, key=lambda e: (e.part in ("order", ""), rng.random()))


def money_last(events, rng):
    return sorted(events, key=lambda e: (e.part not in ("order", ""), rng.random()))


WAYS = {in_order: 10, backwards: 10, shuffled: 40, nearly_in_order: 20, money_first: 10, money_last: 10}


def lose(life, rng):
    """The deliveries that arrive at all. The last state always does; so do the payments where nothing
    else tells of the money."""
    events = life.events
    last = max(i for i, e in enumerate(events) if e.part == "order")
    needed = shops.lives.only_transactions_tell(life.order)
    share = rng.choice((0, 0, 0.2, 0.5, 0.9))
    return [e for i, e in enumerate(events)
            if i == last or (needed and e.part.startswith("txn:")) or rng.random() >= share]


def arrange(seed, number, serial, options):
    rng = random.Random(f"arrangement {seed} {number}")
    life = shops.live(seed, serial, options)
    way = shops.lives.choose(rng, WAYS) if number else in_order
    row = way(lose(life, rng) if number else life.events, rng)
    deliveries = [(e, f"{serial}-{i}") for i, e in enumerate(row)]
    if number:
        for event, webhook_id in rng.choices(deliveries, k=rng.choice((0, 1, 1, 3))):  # once more, as it was or anew
            again = webhook_id if rng.random() < 0.5 else webhook_id + "-again"
            deliveries.insert(rng.randrange(len(deliveries) + 1), (event, again))
    cuts = sorted(rng.randrange(len(deliveries) + 1) for _ in range(ROUNDS - 1))
    rounds = [deliveries[a:b] for a, b in zip([0, *cuts], [*cuts, len(deliveries)])]
    return Arrangement(seed, number, life, way.__name__, rounds)


# ---- stores ----

def settings_of(life):
    """What a store must be like for this order. One that ends paid may be exported when it is paid."""
    o, last = life.order, life.steps[-1]
    paid = last.status in ("paid", "partially_refunded", "refunded") and not last.cancelled
    late = paid and zlib.crc32(str(life.seed).encode()) % 4 == 0
    return life.options.name, "exclude_unpaid" if late and o.tenders else "include_unpaid"


class Stores:
    """A few stores for each kind of settings, made when they are needed."""

    def __init__(self, stack):
        self.stack, self.rows = stack, {}

    def of(self, life):
        kind = settings_of(life)
        key = (*kind, life.seed % STORES)
        if key not in self.rows:
            document = life.options.document
            settings = {**document["settings"], "auto_sync": kind[1]}
            store = lib.Shop(self.stack, settings=settings, mappings=document["mappings"])
            self.stack.sim.control("POST", "organisation", {"tenant": store.tenant, "limits": False})
            self.rows[key] = store
        return self.rows[key]

    def waiting(self):
        """How many orders are due or being exported."""
        call = self.stack.redis.call
        seconds, micros = (int(x) for x in call("TIME"))
        soon = seconds * 1000 + micros // 1000 + SOON_MS
        return sum(call("ZCOUNT", f"{lib.PREFIX}ready:{s.connection}", "-inf", soon)
                   + call("ZCARD", f"{lib.PREFIX}leases:{s.connection}") for s in self.rows.values())


# ---- deliveries ----

def deliver(address, rows):
    """Sends ROWS, (arrangement, event, webhook id) in their order, on one connection."""
    connection = http.client.HTTPConnection(address, timeout=lib.DEADLINE)
    for arrangement, event, webhook_id in rows:
        headers = lib.signed_headers(arrangement.store.domain, event.topic, event.body, webhook_id=webhook_id,
                                     triggered_at=event.triggered_at)
        connection.request("POST", "/webhooks/shopify", event.body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise AssertionError(f"seed {arrangement.seed}: {event.topic} was answered {answer.status} {text!r}")
    connection.close()


def deliver_round(stack, arrangements, number):
    """One round of all arrangements; the deliveries of one stay in their order."""
    hands = [[] for _ in range(THREADS)]
    for i, a in enumerate(arrangements):
        hands[i % THREADS] += [(a, event, webhook_id) for event, webhook_id in a.rounds[number]]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(deliver, stack.receiver.hooks, rows) for rows in hands]:
            done.result()


# ---- the books ----

def add_document(held, document, sign):
    for line in document["LineItems"]:
        key = line.get("AccountCode"), line["TaxType"]
        held.add(key, sign * Decimal(line["LineAmount"]), sign * Decimal(line["TaxAmount"]))
    held.paid += sign * sum((Decimal(p["Amount"]) for p in document.get("Payments") or []), ZERO)
    held.due += sign * Decimal(document["AmountDue" if sign > 0 else "RemainingCredit"])


def read_books(store):
    """{serial: (books, ids of the contacts)} of all orders of a store, by the numbers of their documents."""
    found = {}
    books = store.books()
    for kind, number, sign in (("invoices", "InvoiceNumber", 1), ("credit_notes", "CreditNoteNumber", -1)):
        for document in books[kind]:
            held, contacts = found.setdefault(int(document[number].split("-")[0]), (truth.Books(), set()))
            if document["Status"] not in ("VOIDED", "DELETED"):
                add_document(held, document, sign)
                contacts.add(document["ContactID"])
    return found


def check(arrangement, held, contacts, first):
    """What is wrong with one arrangement's end: (row of the catalogue or None, sentences)."""
    record = arrangement.store.record(arrangement.order_id)
    odd = []
    if record.get("st") == "failed":
        row = failure(arrangement)
        return row["catalogue"][0], [f"the order has failed: {row['export_error']}"]
    if record.get("st") not in ("done", "skipped", "kept"):
        odd.append(f"the order is {record.get('st')}")
    expected = arrangement.life.steps[-1].books
    odd += truth.differences(expected, held, arrangement.life.options)
    if len(contacts) > 1:
        odd.append(f"its documents have {len(contacts)} contacts")
    first.slack = expected.slack  # of three decimals
    if first is not held and expected.complete:
        exact = truth.differences(first, held, arrangement.life.options, expected.money)
        odd += [f"against arrangement 0: {x}" for x in exact if x not in odd]
    return None, odd


def failure(arrangement):
    """Its row on the failed list."""
    rows = arrangement.store.failed("&limit=1000")
    return next(r for r in rows if r["order"].endswith(f"/{arrangement.order_id}"))


def tell_documents(arrangement):
    """The order's documents in Xero, a line each."""
    books, rows = arrangement.store.books(), []
    for kind, number, sums in (("invoices", "InvoiceNumber", ("Total", "AmountDue")),
                               ("credit_notes", "CreditNoteNumber", ("Total", "RemainingCredit"))):
        for d in books[kind]:
            if int(d[number].split("-")[0]) == arrangement.life.serial:
                paid = "; ".join(f"{p['Amount']} ({p['Reference']})" for p in d.get("Payments") or [])
                lines = "; ".join(f"{x.get('AccountCode')} {x['TaxType']} {x['LineAmount']}+{x['TaxAmount']}"
                                  for x in d["LineItems"])
                rows.append(f"    {d[number]}: {d['Status']}, total {d[sums[0]]}, open {d[sums[1]]}: {lines}"
                            + (f"  paid: {paid}" if paid else ""))
    return "\n".join(["  documents in Xero:" if rows else "  documents in Xero: none", *rows])


def check_all(arrangements, report):
    tables = {key: read_books(store) for key, store in {id(a.store): a.store for a in arrangements}.items()}
    by_seed = {}
    for a in arrangements:
        held, contacts = tables[id(a.store)].get(a.life.serial, (truth.Books(), set()))
        row, odd = check(a, held, contacts, by_seed.get(a.seed, held))
        if not row:
            by_seed.setdefault(a.seed, held)
        if odd:
            report(a, row, odd)


# ---- the run ----

class Run:
    def __init__(self, orders, times, seed, programs):
        self.orders, self.times, self.seed = orders, times, seed
        self.stack = lib.Stack(redis={"appendonly": "no"}, LH_REDIS_UNSAFE=1, LH_LOG_LEVEL="info", LH_WORKERS=8,
                               LH_THREADS=64, LH_ACTIVE=32)
        for _ in range(programs - 1):
            self.stack.start_worker()
        self.failed, self.bad_seeds, self.told, self.deliveries = [], {}, {}, 0

    def report(self, arrangement, row, odd):
        if row:
            self.told.setdefault(arrangement.seed, (row, odd[0]))
            return
        if arrangement.seed not in self.bad_seeds and len(self.bad_seeds) < SHOWN:
            print(f"---- {arrangement.life.tell()}\n{arrangement.tell()}")
            print("  " + "\n  ".join(odd) + "\n" + tell_documents(arrangement))
            print(f"  run it alone: make permutations SEED={arrangement.seed} ORDERS=1 TIMES={self.times}", flush=True)
        self.bad_seeds.setdefault(arrangement.seed, []).append(arrangement.number)
        self.failed.append(arrangement)

    def batch(self, seeds, serial):
        """All arrangements of SEEDS; returns the next free serial."""
        stores = Stores(self.stack)
        minutes = lib.Minutes(self.stack.redis, lambda: [s.connection for s in list(stores.rows.values())])
        arrangements = []
        for seed in seeds:
            for number in range(self.times):
                serial += 1
                arrangements.append(arrange(seed, number, serial, None))
                arrangements[-1].store = stores.of(arrangements[-1].life)
        for number in range(ROUNDS):
            deliver_round(self.stack, arrangements, number)
            lib.wait_until(lambda: stores.waiting() == 0, "everything that is due is exported", 600)
        minutes.end()
        self.deliveries += sum(len(r) for a in arrangements for r in a.rounds)
        check_all(arrangements, self.report)
        return serial

    def run(self):
        serial, seeds = 100_000, list(range(self.seed, self.seed + self.orders))
        each = max(1, BATCH // self.times)
        for i in range(0, len(seeds), each):
            serial = self.batch(seeds[i:i + each], serial)
            if len(seeds) > each:
                print(f"{min(i + each, len(seeds))} orders, {len(self.bad_seeds)} failed", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    a = parser.parse_args()
    began = time.monotonic()
    run = Run(a.orders, a.times, a.seed, a.workers)
    try:
        run.run()
    finally:
        run.stack.close()
    if run.bad_seeds:
        print("seeds that fail:", *list(run.bad_seeds)[:200])
    many = len(run.told) * 1000 > TOLD * max(a.orders, 100)
    for seed, (row, what) in run.told.items():
        print(f"seed {seed} {'fails' if many else 'is not booked and says so'}: [{row}] {what}")
    print(f"permutations: {a.orders} orders x {a.times}, {run.deliveries} deliveries, {len(run.bad_seeds)} orders "
          f"failed in {len(run.failed)} arrangements, {time.monotonic() - began:.0f} s")
    sys.exit(1 if run.bad_seeds or many else 0)


if __name__ == "__main__":
    main()
