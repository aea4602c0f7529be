"""A Shopify shop for tests: random orders by a seed, and their lives as the webhooks that it sends.

    life = shop.live(seed)          # the same for the same seed
    life.steps[i].events            # deliveries: topic, body (bytes), triggered_at, part
    life.steps[i].books             # what the books have to hold then (truth.py)

`serial` gives the order other ids and another name, and changes nothing else.
"""

import datetime
import random
from dataclasses import dataclass

import bodies
import life as lives
import truth
from model import Order, Refund, Transaction

START = int(datetime.datetime(2026, 10, 1, 9, tzinfo=datetime.timezone.utc).timestamp())
MOST = 10  # happenings of a life


@dataclass
class Event:
    """One delivery."""
    topic: str
    body: bytes
    triggered_at: str
    part: str  # what is kept of it: order, refund:<id>, txn:<id>; "" nothing
    step: int


@dataclass
class Step:
    """One happening: what is sent of it, and the truth after it."""
    what: str
    events: list
    books: truth.Books
    status: str
    cancelled: bool
    gateways: tuple
    outstanding: object


class Life:
    def __init__(self, seed, serial, options):
        self.seed, self.serial = seed, serial
        self.rng = random.Random(f"{seed}")
        self.steps = []
        chosen = lives.choose(self.rng, truth.OPTIONS)()
        self.options = options or chosen
        currency = lives.choose(self.rng, lives.CURRENCIES)
        self.order = Order(serial, currency, self.rng.random() < 0.5)
        self.order.in_buyers = self.options.settings.get("currency") == "presentment"
        self._trigger = 0.0

    def run(self):
        o, rng = self.order, self.rng
        o.created = o.now = START + rng.randrange(30 * 86400)
        o.updated = o.now
        o.offset_minutes = rng.choice((0, 0, 60, -300, 570))
        self._trigger = float(o.now)
        lives.new_order(o, rng)
        sent = ["orders/create"]
        if rng.random() < 0.35:
            sent += lives.pay_all(o, rng) or []
        self._send("created", sent)
        for _ in range(rng.randint(2, MOST - 1)):
            self._happen()
            if o.cancelled_at is not None and rng.random() < 0.5:
                break
        return self

    def _happen(self):
        o, rng = self.order, self.rng
        rank = o.rank
        o.now += rng.choice((0, 0, 1, 3, 60, 900, 86400))
        happening = lives.choose(rng, lives.HAPPENINGS)
        sent = happening(o, rng)
        for _ in range(30):
            if sent is not None:
                break
            happening = lives.choose(rng, lives.HAPPENINGS)
            sent = happening(o, rng)
        if sent is None:
            happening, sent = lives.touch, lives.touch(o, rng)
        if o.now == o.updated and o.rank < rank:
            o.now += 1  # of two states of one second nobody could tell which is the later
        o.updated = o.now
        self._send(happening.__name__, sent)

    def _send(self, what, sent):
        o = self.order
        whole = bodies.to_bytes(bodies.order_body(o))
        events = [self._event(x, whole) for x in sent]
        self.steps.append(Step(what, events, truth.books(o, self.options), o.financial_status,
                               o.cancelled_at is not None, tuple(o.gateways), o.outstanding))

    def _event(self, sent, whole):
        o = self.order
        if isinstance(sent, str):
            made = sent, whole, "order"
        elif isinstance(sent, Refund):
            made = "refunds/create", bodies.to_bytes(bodies.refund_body(o, sent)), f"refund:{sent.id}"
        elif isinstance(sent, Transaction):
            made = "order_transactions/create", bodies.to_bytes(bodies.transaction_body(o, sent)), f"txn:{sent.id}"
        else:
            made = sent[0], bodies.to_bytes(bodies.edit_body(o, *sent[1:])), ""
        return Event(*made[:2], self._triggered(), made[2], len(self.steps))

    def _triggered(self):
        self._trigger = max(self._trigger + self.rng.randrange(1, 200) / 1000, float(self.order.now))
        at = datetime.datetime.fromtimestamp(self._trigger, datetime.timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")

    @property
    def events(self):
        return [e for step in self.steps for e in step.events]

    def tell(self):
        """The life in lines for people."""
        o = self.order
        prices = "tax included" if o.taxes_included else "tax on top"
        lines = [f"seed {self.seed}, {o.currency}, {prices}, settings: {self.options.name}, total {o.total_price}"]
        for i, step in enumerate(self.steps):
            topics = ", ".join(e.topic for e in step.events)
            lines.append(f"  {i}: {step.what:26} {step.status:19} outstanding {step.outstanding}  [{topics}]")
        return "\n".join(lines)


def live(seed, serial=None, options=None):
    """The order of SEED and all that happens to it."""
    return Life(seed, seed if serial is None else serial, options).run()
