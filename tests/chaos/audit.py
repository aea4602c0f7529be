"""After the run: every delivery that was answered 200 against the records, the trails, the queue and
the books of the simulator.
"""

import collections
import json
from decimal import Decimal

import lib

SHOWN = 10  # orders whose whole story a failure tells
AT_REST = ("done", "skipped")


class Audit:
    def __init__(self, world, drivers):
        self.world, self.drivers, self.plan = world, drivers, world.plan
        self.call = world.redis.call
        self.found = collections.Counter()
        self.told = 0

    def problem(self, text):
        self.world.problem(f"seed {self.plan.seed}: {text}")

    def order_problem(self, order, text, documents=()):
        """With all that is known of the order, for the first of them."""
        self.told += 1
        shop = self.world.shops[order.shop]
        if self.told <= SHOWN:
            trail = [t.decode(errors="replace") for t in
                     self.call("LRANGE", f"{lib.PREFIX}trail:{shop.key(order.id)}", 0, -1)]
            sent = [f"{d.at:8.2f} s  {d.topic} {d.body['financial_status']} {d.body['updated_at']} {d.webhook_id}"
                    f"{' again' if d.repeat else ''}" for d in sorted(order.deliveries, key=lambda d: d.at)]
            text = "\n  ".join([text, "sent:", *sent, "record:", json.dumps(shop.record(order.id)), "trail:", *trail,
                               "documents:", json.dumps(documents, default=str)])
        self.problem(f"{shop.key(order.id)} ({order.name}): {text}")

    def run(self):
        for index, shop in enumerate(self.world.shops):
            self.shop(index, shop, [o for o in self.plan.orders if o.shop == index])
        self.queue()
        self.calls()

    def leftovers(self):
        """When the queue did not become empty: the stories of orders that are not at rest."""
        for order in self.plan.orders:
            record = self.world.shops[order.shop].record(order.id)
            if record.get("st") not in AT_REST and self.drivers.taken[order.id]:
                self.order_problem(order, f"it is {record.get('st')}")

    # -- books, records, trails --

    def shop(self, index, shop, orders):
        books = shop.books()
        self.found["contacts"] += len(books["contacts"])
        by_number = collections.defaultdict(list)
        for invoice in books["invoices"]:
            by_number[invoice["InvoiceNumber"]].append(invoice)
        if books["credit_notes"]:
            self.problem(f"{shop.domain}: {len(books['credit_notes'])} credit notes that nobody asked for")
        for order in orders:
            invoices = by_number.pop(order.number(), [])
            wrong = self.books_of(index, order, invoices) or self.record_of(shop, order, invoices)
            if wrong:
                self.order_problem(order, wrong, invoices)
        for number, invoices in by_number.items():
            self.problem(f"{shop.domain}: invoice {number} of no order: {invoices}")
        self.contacts(shop, books, orders)

    def books_of(self, index, order, invoices):
        """What is wrong with the books of one order, or None."""
        if len(invoices) > 1:
            self.found["doubled"] += 1
            return f"{len(invoices)} invoices"
        allowed = self.allowed(index, order)
        if not invoices:
            if None not in allowed:
                self.found["lost"] += 1
                return f"no invoice, where one of {allowed} is due"
            self.found["orders rightly without an invoice"] += 1
            return None
        (invoice,) = invoices
        status, total = invoice["Status"], Decimal(invoice["Total"])
        self.found[f"invoices {status}"] += 1
        paid = sum(Decimal(p["Amount"]) for p in invoice["Payments"] if p["Status"] != "DELETED")
        self.found["payments"] += len(invoice["Payments"])
        if status not in allowed:
            return f"the invoice is {status}, where one of {allowed} is due"
        if total != Decimal(order.final["total_price"]):
            return f"the invoice says {total}, the order {order.final['total_price']}"
        if paid != (total if status == "PAID" else 0):
            return f"{paid} was paid on a {status} invoice of {total}"
        return None

    def allowed(self, index, order):
        """The statuses that an order's invoice may end in; None: no invoice. How far the export of an
        order had come when it was cancelled decides which: a payment that is in Xero stays there."""
        include = self.plan.shops[index].include_unpaid
        if order.cancelled():
            was_paid = any(d.body["financial_status"] == "paid" for d in order.deliveries)
            return (None, *(("VOIDED",) if include or was_paid else ()), *(("PAID",) if was_paid else ()))
        if order.paid():
            return ("PAID",)
        return ("AUTHORISED",) if include else (None,)

    def record_of(self, shop, order, invoices):
        record = shop.record(order.id)
        if not record:
            self.found["lost"] += 1
            return "answered 200, and there is no record"
        self.found[f"records {record.get('st')}"] += 1
        if record.get("st") not in AT_REST:
            return f"it ended as {record.get('st')}"
        if record["st"] == "skipped" and not record.get("reason"):
            return "skipped without a reason"
        if record["st"] == "done" and record["drev"] != record["rev"]:
            return "its last revision was not exported"
        if "tok" in record or "doubt" in record:
            return "a token or a doubt was left behind"
        known = json.loads(record["doc:invoice"]) if "doc:invoice" in record else None
        if bool(known) != bool(invoices) or known and invoices[0]["InvoiceID"] not in json.dumps(known):
            return "its record and the books name different invoices"
        payments = sum(1 for field in record if field.startswith("doc:pay:"))
        if invoices and payments != len(invoices[0]["Payments"]):
            return f"its record knows {payments} payments, the books {len(invoices[0]['Payments'])}"
        events = [json.loads(t) for t in self.call("LRANGE", f"{lib.PREFIX}trail:{shop.key(order.id)}", 0, -1)]
        if not events:
            return "it has no trail"
        told, taken = sum(1 for e in events if e["kind"] == "event"), len(self.drivers.taken[order.id])
        if len(events) < 200 and told != taken:
            return f"its trail tells of {told} events, {taken} were answered 200"
        return None

    def contacts(self, shop, books, orders):
        """One contact a customer, and a clear name for each: no two customers share one here."""
        by_person = collections.defaultdict(set)
        people = {order.number(): order.final["customer"]["id"] for order in orders}
        for invoice in books["invoices"]:
            if invoice["InvoiceNumber"] in people:
                by_person[people[invoice["InvoiceNumber"]]].add(invoice["ContactID"])
        for person, contacts in by_person.items():
            if len(contacts) > 1:
                self.problem(f"{shop.domain}: the customer {person} has {len(contacts)} contacts")
        customers = {o.customer for o in orders}
        names = [c["Name"] for c in books["contacts"]]
        if len(names) > len(customers) or any("(" in name for name in names):
            self.problem(f"{shop.domain}: {len(names)} contacts for {len(customers)} customers: {sorted(names)}")

    # -- the queue --

    def queue(self):
        for shop in self.world.shops:
            for kind in ("ready", "later", "leases", "failed"):
                left = self.call("ZRANGE", f"{lib.PREFIX}{kind}:{shop.connection}", 0, -1)
                if left:
                    self.problem(f"{kind}:{shop.connection} holds {left[:5]}")
            for entry in self.call("XRANGE", f"{lib.PREFIX}log:{shop.connection}", "-", "+"):
                fields = dict(zip(entry[1][::2], entry[1][1::2]))
                self.found[f"log: {fields[b'event'].decode()}"] += 1
        due = self.call("ZRANGE", lib.PREFIX + "due", 0, -1)
        batches = self.call("KEYS", lib.PREFIX.replace("{", r"\{") + "batch:*")
        if due:
            self.problem(f"due still holds {due}")
        if batches:
            self.problem(f"batches were left behind: {batches[:5]}")
        repairs = self.found["log: queue_repaired"]
        if repairs:
            self.problem(f"the sweep had to repair the queue {repairs} times")

    # -- what Xero was asked --

    def calls(self):
        calls = self.world.sim.calls()
        accounting = [c for c in calls if c["path"].startswith("/api.xro/")]
        self.found["calls to Xero"] = len(accounting)
        self.found["calls to Xero answered from an idempotency key"] = sum(1 for c in accounting if c["replayed"])
        self.found["most calls in flight"] = max((c["in_flight"] or 0 for c in accounting), default=0)
        for violation in self.world.sim.control("GET", "violations")["violations"]:
            why = self.excuse(violation, calls)
            self.found[f"violations excused: {violation['kind']}, {why}" if why else "violations"] += 1
            if not why:
                call = calls[violation["call"] - 1]
                near = [c for c in accounting if c["tenant"] == call["tenant"] and abs(c["time"] - call["time"]) < 15]
                self.problem(f"violation {violation}\n  " + "\n  ".join(json.dumps(c, default=str) for c in near[-40:]))

    def excuse(self, violation, calls):
        """Why a violation was not of the worker's making, or None: the simulator still played calls
        that it was told to delay, for clients that had given them up after 3/8 of a lease."""
        call = calls[violation["call"] - 1]
        given_up = [c for c in calls if c["tenant"] == call["tenant"] and c["fault"] == "delay"
                    and float(call["time"] - c["time"]) > self.plan.lease * 3 / 8
                    and (c["ended"] is None or c["ended"] > call["time"])]
        if violation["kind"] == "limit_concurrent" and given_up:
            return "a call that its client had given up was still played"
        return None
