"""What a Shopify shop holds of one order, and the sums that it shows of it.

Written from Shopify's own documentation and from nothing of ours: amounts are Decimals, nothing is
rounded but where the shop rounds. life.py lets an order live, bodies.py writes what the shop sends of
it, truth.py says what the books have to hold.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

PLACES = {"JPY": 0, "KWD": 3}
ZERO = Decimal(0)


def unit_of(currency):
    """The smallest amount of a currency."""
    return Decimal(1).scaleb(-PLACES.get(currency, 2))


def rounded(amount, unit):
    return (amount / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit


def spread(amount, weights, unit):
    """AMOUNT over WEIGHTS without loss: 10.00 over three equal ones is 3.34, 3.33, 3.33."""
    whole = sum(weights)
    if whole == 0:
        return [ZERO for _ in weights]
    parts = [(amount * w / whole // unit) * unit for w in weights]
    odd = int((amount - sum(parts)) / unit)
    for i, weight in enumerate(weights):
        if odd and weight > parts[i]:
            parts[i] += unit
            odd -= 1
    return parts


@dataclass
class Tax:
    title: str
    rate: Decimal
    amount: Decimal  # of the whole line


@dataclass
class Duty:
    id: int
    amount: Decimal
    taxes: list


@dataclass
class Line:
    """A line as it was sold; what happened to it since is counted apart, as the shop does."""
    id: int
    kind: str  # product, gift_card, tip, shipping
    title: str
    price: Decimal
    quantity: int = 1
    sku: str = ""
    vendor: str = "Demo"
    tax_kind: str = "none"  # usual, reduced, none
    discounts: list = field(default_factory=list)  # its allocations
    taxes: list = field(default_factory=list)
    duties: list = field(default_factory=list)
    shipped: int = 0
    removed: int = 0  # by edits
    removed_subtotal: Decimal = ZERO
    removed_tax: Decimal = ZERO
    refunded: int = 0  # with money
    refunded_subtotal: Decimal = ZERO
    refunded_tax: Decimal = ZERO
    refunded_unshipped: int = 0
    duties_back: bool = False

    @property
    def discount(self):
        return sum(self.discounts, ZERO)

    @property
    def subtotal(self):
        return self.price * self.quantity - self.discount

    @property
    def tax(self):
        return sum((t.amount for t in self.taxes), ZERO)

    @property
    def left(self):
        return self.quantity - self.removed - self.refunded

    @property
    def left_subtotal(self):
        return self.subtotal - self.removed_subtotal - self.refunded_subtotal

    @property
    def left_tax(self):
        return self.tax - self.removed_tax - self.refunded_tax

    @property
    def ships(self):
        return self.kind == "product"

    @property
    def unshipped(self):
        return self.quantity - self.removed - self.refunded_unshipped - self.shipped if self.ships else 0


@dataclass
class RefundLine:
    line: Line
    quantity: int
    subtotal: Decimal
    tax: Decimal
    unshipped: int = 0  # of the quantity
    duties: bool = False  # the line's duties go back with it


@dataclass
class Adjustment:
    id: int
    kind: str  # shipping_refund, refund_discrepancy
    amount: Decimal  # negative: given back
    tax: Decimal
    line: Line = None  # the shipping line that it is of
    share: Decimal = ZERO  # of its subtotal


@dataclass
class Transaction:
    id: int
    kind: str  # sale, authorization, capture, void, refund
    status: str
    gateway: str
    amount: Decimal
    at: int


@dataclass
class Refund:
    """A refund record; one without any transaction is an edit that took lines away."""
    id: int
    at: int
    lines: list = field(default_factory=list)
    adjustments: list = field(default_factory=list)
    fees: Decimal = ZERO
    transactions: list = field(default_factory=list)

    @property
    def duties(self):
        return sum((d.amount for x in self.lines if x.duties for d in x.line.duties), ZERO)

    @property
    def money(self):
        return sum((t.amount for t in self.transactions if t.status == "success"), ZERO)


@dataclass
class Shipment:
    id: int
    at: int
    status: str
    lines: list  # (line, quantity)


class Order:
    """One order. Its happenings are life.py's; here are the figures that the shop shows."""

    def __init__(self, serial, currency, taxes_included):
        self.serial = serial
        self.id = 5_000_000_000_000 + serial * 1000
        self._last_id = self.id
        self.name = f"#{serial}"
        self.currency = currency
        self.unit = unit_of(currency)
        self.other, self.exchange = currency, Decimal(1)  # a second money, and its price
        self.in_buyers = False  # the amounts here are the buyer's money, and the other is the shop's
        self.taxes_included = taxes_included
        self.lines, self.shipping, self.tip = [], [], ZERO
        self.fees = ZERO
        self.odd_cent = ZERO  # total_tax is not the sum of the lines' taxes
        self.conversion_gap = ZERO  # total_price was converted by itself
        self.cash_rounding = ZERO
        self.named_gateways, self.authorised = [], False
        self.transactions, self.refunds, self.shipments = [], [], []
        self.cancelled_at = None
        self.created = self.now = self.updated = 0
        self.offset_minutes = 0
        self.customer, self.company, self.po_number, self.due_in_days = None, None, None, None
        self.country, self.tags = "GB", ""
        self.applications = []
        self.odd_outstanding = False
        self.word_of_nothing = "paid"  # the status of an unpaid order that comes to nothing
        self.shipping_lines_back = False  # refunds tell of shipping as API versions since 2024-10 do
        self.tenders, self.usual_taxes, self.tax_jitter = ("manual",), (), False

    def next_id(self):
        self._last_id += 1
        return self._last_id

    # -- money --

    @property
    def shop_currency(self):
        return self.other if self.in_buyers else self.currency

    @property
    def buyers_currency(self):
        return self.currency if self.in_buyers else self.other

    @property
    def paid_in_other(self):
        """Its transactions are in another money than the amounts here."""
        return self.buyers_currency != self.currency

    def in_other(self, amount):
        return rounded(amount * self.exchange, unit_of(self.other))

    # -- the shop's arithmetic --

    def taxed(self, amount, tax):
        """What an amount and its tax come to: prices may hold their tax already."""
        return amount if self.taxes_included else amount + tax

    @property
    def all_lines(self):
        return self.lines + self.shipping

    @property
    def duties(self):
        return [duty for line in self.lines for duty in line.duties]

    @property
    def total_duties(self):
        return sum((d.amount for d in self.duties), ZERO)

    @property
    def total_tax(self):
        taxes = [t for line in self.all_lines for t in line.taxes] + [t for d in self.duties for t in d.taxes]
        return sum((t.amount for t in taxes), ZERO) + self.odd_cent

    @property
    def tip_lines(self):
        return [line for line in self.lines if line.kind == "tip"]

    @property
    def total_price(self):
        """Of everything that was ever sold. A tip may be among the lines as well: it counts once."""
        goods = sum((x.subtotal for x in self.all_lines if x.kind != "tip"), ZERO)
        return self.taxed(goods + self.tip + self.total_duties + self.fees, self.total_tax) + self.conversion_gap

    @property
    def edits(self):
        return [r for r in self.refunds if not r.transactions]

    @property
    def money_refunds(self):
        return [r for r in self.refunds if r.transactions]

    def value_of(self, refund):
        """What a refund record comes to by its own lines and adjustments."""
        lines = sum((self.taxed(x.subtotal, x.tax) for x in refund.lines), ZERO)
        return lines - sum((a.amount + a.tax for a in refund.adjustments), ZERO) + refund.duties + refund.fees

    @property
    def sold_total(self):
        """What was sold, less what edits removed."""
        return self.total_price - sum((self.value_of(r) for r in self.edits), ZERO)

    @property
    def current_total(self):
        return self.sold_total - sum((self.value_of(r) for r in self.money_refunds), ZERO)

    def received_by(self, gateway=None):
        return sum((t.amount for t in self.transactions
                    if t.kind in ("sale", "capture") and t.status == "success" and gateway in (None, t.gateway)), ZERO)

    def given_back_by(self, gateway=None):
        return sum((t.amount for r in self.refunds for t in r.transactions
                    if t.status == "success" and gateway in (None, t.gateway)), ZERO)

    @property
    def received(self):
        return self.received_by()

    @property
    def given_back(self):
        return self.given_back_by()

    @property
    def held(self):
        """Money that the shop has of the order now."""
        return self.received - self.given_back

    @property
    def outstanding(self):
        """Still to be paid; negative: owed to the buyer."""
        return self.current_total + self.cash_rounding - self.held

    @property
    def gateways(self):
        used = [t.gateway for t in self.transactions if t.status == "success"]
        return list(dict.fromkeys(self.named_gateways + used))

    # -- states --

    @property
    def financial_status(self):
        if self.received == 0:
            if self.cancelled_at is not None:
                return "voided"
            if self.sold_total == 0:
                return self.word_of_nothing
            return "authorized" if self.authorised else "pending"
        if self.given_back and self.held <= 0:
            return "refunded"
        if self.outstanding > 0:
            return "partially_paid"
        return "partially_refunded" if self.given_back else "paid"

    @property
    def fulfilment_status(self):
        shipping = [x for x in self.lines if x.ships and x.quantity > x.removed + x.refunded_unshipped]
        if not any(x.shipped for x in self.lines):
            return None
        return "partial" if any(x.unshipped for x in shipping) else "fulfilled"

    @property
    def rank(self):
        """How far the order has come: of two states of one second the further one is the later."""
        words = {"authorized": 10, "voided": 20, "partially_paid": 30, "paid": 40, "partially_refunded": 50,
                 "refunded": 60}
        money = 70 if self.cancelled_at is not None else words.get(self.financial_status, 0)
        return money, {None: 0, "partial": 1, "fulfilled": 2}[self.fulfilment_status]

    @property
    def kept(self):
        """Whether the shop keeps money of it."""
        return self.financial_status in ("paid", "partially_paid", "partially_refunded")
