"""What a run will do, all of it drawn from the seed before anything starts: the lives of the orders,
the deliveries that tell of them, and the mayhem. Nothing in here reads a clock.
"""

import dataclasses
import datetime
import random
import uuid

from orders import later, line, order

WRITES = {"contacts": ("PUT", "/api.xro/2.0/Contacts"), "invoices": ("PUT", "/api.xro/2.0/Invoices"),
          "voids": ("POST", "/api.xro/2.0/Invoices"), "payments": ("PUT", "/api.xro/2.0/Payments")}
PASSES = "An error occurred in Xero."
STAYS = ("The specified contact details matched an archived contact. "
         "Archived contacts cannot currently be edited via the API")
EPOCH = datetime.datetime(2026, 11, 1, 10, tzinfo=datetime.timezone.utc)


@dataclasses.dataclass
class Shop:
    mark: str
    include_unpaid: bool


@dataclasses.dataclass
class Delivery:
    at: float
    order: "Order"
    topic: str
    body: dict
    webhook_id: str
    receiver: int
    repeat: bool = False  # of one that was answered before: sent again though nobody asked

    def triggered_at(self):
        return (EPOCH + datetime.timedelta(seconds=self.at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclasses.dataclass
class Order:
    shop: int
    id: int
    name: str
    customer: int
    final: dict = None
    deliveries: list = dataclasses.field(default_factory=list)

    def number(self):
        """Of its invoice: these shops have no prefix."""
        return self.name.removeprefix("#")

    def cancelled(self):
        return self.final["cancelled_at"] is not None

    def paid(self):
        return self.final["financial_status"] == "paid"


@dataclasses.dataclass
class Blow:
    """One thing that goes wrong, or that a person does."""
    at: float
    kind: str
    args: dict


@dataclasses.dataclass
class Plan:
    seed: int
    seconds: float
    lease: int
    shops: list
    orders: list
    blows: list

    def deliveries(self):
        return sorted((d for o in self.orders for d in o.deliveries), key=lambda d: (d.at, d.order.id))


# ---- the lives of orders: (pause before it, topic, body) each ----

def _pause(rng, longest):
    """Half of them fall into the export of the state before."""
    return rng.choice((rng.uniform(0, 0.1), rng.uniform(0, longest)))


def _paid_at_once(rng, new):
    body = new("paid")
    return [(0, "orders/create", body), (0.02, "orders/paid", body)]


def _paid_later(rng, new):
    body = new("pending")
    paid = later(body, rng.choice((0, 0, 30)), financial_status="paid")  # often in the same second
    return [(0, "orders/create", body), (_pause(rng, 6), "orders/paid", paid)]


def _shipped(rng, new):
    events = rng.choice((_paid_at_once, _paid_later))(rng, new)
    partly = later(events[-1][2], 40, fulfillment_status="partial")
    whole = later(partly, rng.choice((0, 20)), fulfillment_status="fulfilled")
    return events + [(_pause(rng, 4), "orders/partially_fulfilled", partly),
                     (_pause(rng, 4), "orders/fulfilled", whole), (0.01, "orders/updated", whole)]


def _edited(rng, new):
    """Changes that no document shows."""
    events = rng.choice((_paid_at_once, _paid_later, _left_unpaid))(rng, new)
    for i in range(rng.randrange(1, 8)):
        events.append((_pause(rng, 2), "orders/updated", later(events[-1][2], rng.choice((0, 5)), tags=f"seen-{i}")))
    return events


def _paid_in_parts(rng, new):
    body = new("pending")
    cents = int(body["total_price"].replace(".", ""))
    open_cents = rng.randrange(1, cents)
    partly = later(body, 20, financial_status="partially_paid", payment_gateway_names=["manual"],
                   total_outstanding=f"{open_cents // 100}.{open_cents % 100:02d}")
    return [(0, "orders/create", body), (_pause(rng, 4), "orders/updated", partly),
            (_pause(rng, 6), "orders/paid", later(partly, 20, financial_status="paid"))]


def _left_unpaid(rng, new):
    return [(0, "orders/create", new("pending"))]


def _cancelled(rng, new):
    events = rng.choice((_left_unpaid, _left_unpaid, _paid_at_once, _paid_later))(rng, new)
    gone = later(events[-1][2], rng.choice((0, 30)), cancelled_at="2026-11-01T11:00:00+00:00")
    if gone["financial_status"] == "pending":
        gone["financial_status"] = "voided"
    return events + [(_pause(rng, 8), "orders/cancelled", gone), (0.01, "orders/updated", gone)]


LIVES = ((_paid_at_once, 20), (_paid_later, 25), (_shipped, 15), (_edited, 12), (_paid_in_parts, 8),
         (_left_unpaid, 8), (_cancelled, 12))


def _uuid(rng):
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _disorder(rng, order_, receivers, latest):
    """Deliveries out of order, late, and more often than once."""
    list_ = order_.deliveries
    if len(list_) > 1 and rng.random() < 0.3:
        a, b = rng.sample(list_, 2)
        a.at, b.at = b.at, a.at
    for delivery in list(list_):
        if rng.random() < 0.04:
            delivery.at += rng.uniform(0, latest)
        for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 2))):
            list_.append(dataclasses.replace(delivery, at=delivery.at + rng.choice((0, rng.uniform(0, latest / 2))),
                                             receiver=rng.randrange(receivers), repeat=True))


def _make_order(rng, number, shop, customers, at, receivers, latest):
    made = Order(shop, 8000000000000 + number, f"#C{number}", rng.randrange(customers))
    person = 700000000000 + shop * 1000 + made.customer
    who = {"id": person, "first_name": "Pat", "last_name": f"Buyer {person}", "email": f"p{person}@example.com"}
    lines = [line(title=rng.choice(("Mug", "Plate", "Bowl")), price=f"{rng.randrange(1, 90)}.{rng.randrange(100):02d}",
                  quantity=rng.randrange(1, 5)) for _ in range(rng.randrange(1, 4))]

    def new(status):
        return order(status, id=made.id, name=made.name, lines=lines, customer=who, email=who["email"])

    for pause, topic, body in rng.choices([x[0] for x in LIVES], [x[1] for x in LIVES])[0](rng, new):
        at += pause
        made.deliveries.append(Delivery(at, made, topic, body, _uuid(rng), rng.randrange(receivers)))
        made.final = body
    _disorder(rng, made, receivers, latest)
    return made


# ---- the mayhem ----

def _fault(rng, shops, lease):
    what = rng.choice(("contacts", "invoices", "invoices", "invoices", "payments", "payments", "voids", "reading"))
    method, path = WRITES.get(what, ("GET", "/api.xro/2.0/"))
    args = {"method": method, "path": path, "count": rng.choice((1, 1, 1, 2)), "on": what}
    if rng.random() < 0.6:
        args["shop"] = rng.randrange(shops)
    kind = rng.choice(("distant", "distant", "distant", "slow", "slow", "late", "429", "500", "500", "503",
                       "reset_before", "reset_after", "malformed", "element", "element", "token", "expired"))
    when = rng.choice(("before", "after"))
    if kind == "distant":  # as Xero really is: kills fall into calls
        args.update(fault="delay", delay_ms=rng.randrange(100, 800), count=rng.randrange(5, 20))
    elif kind == "slow":  # longer than a call may take, shorter than the lease
        args.update(fault="delay", when=when, delay_ms=int(rng.uniform(0.4, 0.9) * lease * 1000))
    elif kind == "late":  # longer than the lease: its answer comes when others have settled the call
        args.update(fault="delay", when="after", delay_ms=int(rng.uniform(1.1, 1.6) * lease * 1000))
    elif kind == "429":
        args.update(fault="status", status=429, body="", headers={"Retry-After": str(rng.randrange(1, 5)),
                                                                  "X-Rate-Limit-Problem": "minute"})
    elif kind in ("500", "503"):
        args.update(fault="status", status=int(kind), when=when)
    elif kind == "element":
        args.update(fault="element_error", index=rng.randrange(3), message=rng.choice((PASSES, PASSES, STAYS)))
    elif kind == "token":
        args = {"method": "POST", "path": "/connect/token", "count": 1, "on": "token", "fault": "status",
                "status": rng.choice((500, 503))}
    elif kind == "expired":
        args = {"expire": rng.randrange(shops)}
    else:
        args.update(fault=kind)
    return {"name": kind, **args}


def _blow(rng, kind, workers, receivers, shops, lease):
    if kind == "fault":
        return _fault(rng, shops, lease)
    if kind in ("pause", "resume", "export", "drop"):
        return {"shop": rng.randrange(shops), "for": rng.uniform(0.5, 10), "by": rng.choice(("hand", "Xero"))}
    what = kind.split()[1]
    args = {"n": rng.randrange({"worker": workers, "receiver": receivers, "redis": 1}[what])}
    longest = {"worker": 2.5 * lease, "receiver": 4.0, "redis": 3.5}[what]
    return {**args, "for": rng.uniform(0.1, longest) if kind.startswith("stop") else rng.uniform(0, 1.5)}


BLOWS = (("fault", 40), ("kill worker", 9), ("kill receiver", 5), ("kill redis", 4), ("stop worker", 8),
         ("stop receiver", 4), ("stop redis", 4), ("roll worker", 5), ("roll receiver", 4), ("pause", 6), ("resume", 6),
         ("drop", 4), ("export", 5))


def make_plan(seed, seconds, workers, receivers, connections, rate, noisy, gap, lease):
    """RATE orders a second, the share NOISY of them on the first connection; a blow every GAP seconds."""
    rng = random.Random(f"shops {seed}")
    shops = [Shop(f"{rng.getrandbits(40):010x}", rng.random() < 0.6) for _ in range(connections)]
    rng = random.Random(f"orders {seed}")
    orders, at = [], 0.0
    while at < seconds * 0.95:
        shop = 0 if rng.random() < noisy else rng.randrange(connections)
        orders.append(_make_order(rng, len(orders), shop, 40, at, receivers, min(20.0, seconds / 5)))
        at += rng.expovariate(rate)
    rng = random.Random(f"mayhem {seed}")
    blows, at = [], 1.0
    first = [x[0] for x in BLOWS] + ["fault"] * 6  # a short run, too, has some of each
    rng.shuffle(first)
    while at < seconds:
        kind = first.pop() if first else rng.choices([x[0] for x in BLOWS], [x[1] for x in BLOWS])[0]
        blows.append(Blow(at, kind, _blow(rng, kind, workers, receivers, connections, lease)))
        at += rng.expovariate(1 / gap)
    return Plan(seed, seconds, lease, shops, orders, blows)
