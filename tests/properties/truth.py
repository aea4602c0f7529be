"""What the books have to hold of an order as it is now, from the shop's documents alone.

`Books.amounts` are sums of line amounts for each account and tax type (with the tax in them where
prices include it), `Books.taxes` the tax for each account and tax type; invoices less credit notes.
`paid` is the money in less the money out that is booked, `due` what the buyer still owes by the
documents, negative when the shop owes it.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from model import ZERO, rounded

CENT = Decimal("0.01")

ACCOUNTS = {"default": "200", "shipping": "201", "discounts": "202", "tips": "203", "duties": "204", "fees": "270",
            "gift_cards": "835", "rounding": "860", "by_vendor": {"Other": "260"}}
TAXES = {"by_title": {"County tax + State tax": "TAX011", "Reduced": "RROUTPUT"},
         "by_rate": {"0.2": "OUTPUT2", "0.06": "TAX001", "0.08": "TAX002", "0.0825": "TAX004", "0.19": "TAX006",
                     "0.1": "TAX003", "0.02": "TAX009", "0.025": "TAX010"},
         "by_country": {"ES": "TAX007"}, "default": None, "exempt": "ZERORATEDOUTPUT"}
PAYMENTS = {"default": "091", "gateways": {"gift_card": "835", "paypal": "092"}, "off": []}


@dataclass
class Options:
    """A store's settings that change what the books hold."""
    name: str = "usual"
    settings: dict = field(default_factory=dict)
    off: tuple = ()  # gateways whose payments are not recorded

    @property
    def document(self):
        """Settings and mappings as the API takes them."""
        return {"settings": {"start_date": None, "prefix": "", "auto_sync": "include_unpaid", **self.settings},
                "mappings": {"accounts": ACCOUNTS, "taxes": TAXES, "payments": {**PAYMENTS, "off": list(self.off)}}}

    @property
    def as_shipped(self):
        return self.settings.get("quantities") == "fulfilled"

    def records(self, gateway):
        return (self.settings.get("record_payments", True) and self.settings.get("status") != "DRAFT"
                and gateway not in self.off)


# How often an order lives under which settings.
OPTIONS = {
    Options: 60,
    lambda: Options("discount lines", {"discount_lines": True}): 12,
    lambda: Options("no payments", {"record_payments": False}): 8,
    lambda: Options("drafts", {"status": "DRAFT", "record_payments": False}): 6,
    lambda: Options("a gateway off", {}, ("manual",)): 8,
    lambda: Options("as shipped", {"quantities": "fulfilled"}): 8,
    lambda: Options("buyer's currency", {"currency": "presentment"}): 8,
    lambda: Options("one contact", {"contact": "single", "contact_name": "Web shop"}): 6,
}


@dataclass
class Books:
    amounts: dict = field(default_factory=dict)
    taxes: dict = field(default_factory=dict)
    paid: Decimal = ZERO
    due: Decimal = ZERO
    slack: Decimal = ZERO  # by how much a sum may be off: the third decimal, which Xero does not have
    cents: Decimal = 3 * CENT  # by how much a tax may lie on another account of its type
    complete: bool = True  # False: what the books are like on the way to here is not said
    money: bool = True  # False: nor what of it is paid
    elsewhere: tuple = (ZERO, ZERO)  # received, given back, through gateways that are not recorded

    def add(self, key, amount, tax=ZERO):
        self.amounts[key] = self.amounts.get(key, ZERO) + amount
        self.taxes[key] = self.taxes.get(key, ZERO) + tax

    def total(self, included):
        amounts = sum(self.amounts.values(), ZERO)
        return amounts if included else amounts + sum(self.taxes.values(), ZERO)


def tax_type(order, taxes):
    """By the titles of the taxes that are not 0, joined; else the sum of their rates; else the country."""
    real = [t for t in taxes if t.amount]
    if not real:
        return TAXES["exempt"]
    titles = " + ".join(sorted(t.title for t in real))
    rate = f"{sum(t.rate for t in real).normalize():f}"
    return TAXES["by_title"].get(titles) or TAXES["by_rate"].get(rate) or TAXES["by_country"][order.country]


def account(line):
    if line.kind == "product":
        return ACCOUNTS["by_vendor"].get(line.vendor, ACCOUNTS["default"])
    return ACCOUNTS[{"gift_card": "gift_cards", "tip": "tips", "shipping": "shipping"}[line.kind]]


def key_of(order, line):
    return account(line), tax_type(order, line.taxes)


def cents(amount):
    return rounded(amount, CENT)


def add_sold(books, order, options):
    """The lines as they were sold, less what edits removed; what the shop's total says beyond them is
    rounding. While not all has shipped, by those settings, only the shipped share of each line."""
    part = options.as_shipped and not all_shipped(order)
    goods = any(line.quantity > line.removed for line in order.lines)
    for line in order.all_lines:
        if line.kind == "shipping" and not goods and not order.sold_total:
            continue  # what is left is nothing, and costs nothing
        key = key_of(order, line)
        left = line.quantity - line.removed
        share = Decimal(min(line.shipped, left)) / left if part and line.ships and left else 1
        gross = line.price * left * share
        discount = cents(gross - (line.subtotal - line.removed_subtotal) * share)
        if line.kind == "shipping" and line.removed_subtotal:
            gross, discount = line.subtotal - line.removed_subtotal, ZERO
        tax = cents((line.tax - line.removed_tax) * share)
        if options.settings.get("discount_lines") and discount:
            books.add(key, cents(gross), tax)
            books.add((ACCOUNTS["discounts"], key[1]), -discount)
        elif left:
            books.add(key, cents(gross - discount), tax)
    exempt = TAXES["exempt"]
    if order.tip and not order.tip_lines:
        books.add((ACCOUNTS["tips"], exempt), cents(order.tip))
    for duty in order.duties:
        books.add((ACCOUNTS["duties"], tax_type(order, duty.taxes)), cents(duty.amount),
                  cents(sum((t.amount for t in duty.taxes), ZERO)))
    if order.fees:
        books.add((ACCOUNTS["fees"], exempt), cents(order.fees))
    if not part:
        books.add((ACCOUNTS["rounding"], exempt), cents(order.sold_total) - books.total(order.taxes_included))
    if order.cash_rounding:
        books.add((ACCOUNTS["rounding"], exempt), cents(order.cash_rounding))


def largest_tax_type(order):
    sums = {}
    for line in order.all_lines:
        key = tax_type(order, line.taxes)
        sums[key] = sums.get(key, ZERO) + line.tax
    return max(sums, key=sums.get)


def refunded(order, refund):
    """A refund's note, as positive books."""
    note = Books()
    exempt = TAXES["exempt"]
    for x in refund.lines:
        note.add(key_of(order, x.line), cents(x.subtotal), cents(x.tax))
    for a in refund.adjustments:
        gross = -(a.amount + a.tax) if order.taxes_included else -a.amount
        if a.kind == "shipping_refund" and a.tax:
            key = key_of(order, order.shipping[0])  # an adjustment names no line
        elif a.kind == "shipping_refund":
            key = (ACCOUNTS["shipping"], exempt)
        else:
            key = (ACCOUNTS["default"], largest_tax_type(order) if a.tax else exempt)
        note.add(key, cents(gross), cents(-a.tax))
    if refund.duties:
        note.add((ACCOUNTS["duties"], exempt), cents(refund.duties))
    if refund.fees:
        note.add((ACCOUNTS["fees"], exempt), cents(refund.fees))
    note.add((ACCOUNTS["rounding"], exempt), cents(order.value_of(refund)) - note.total(order.taxes_included))
    return note


def all_shipped(order):
    """Nothing of it waits to be shipped: it went, was taken out, its money was given back, or it never
    will."""
    return order.cancelled_at is not None or not any(line.unshipped > 0 for line in order.lines)


def recorded(order, options):
    """Money in less money out, of the gateways whose payments are recorded."""
    return sum((order.received_by(g) - order.given_back_by(g) for g in order.gateways if options.records(g)), ZERO)


def shipped_so_far(result, order, options):
    """Payments wait until all has shipped. How a share of a cent is rounded is nobody's business."""
    result.slack += max(CENT, order.unit) * len(order.all_lines)
    result.complete, result.money = not order.money_refunds, False
    if any(line.shipped for line in order.lines):
        add_sold(result, order, options)
    result.due = result.total(order.taxes_included)
    return result


def books(order, options):
    """The books of an order as it is at this moment."""
    result = Books(cents=3 * max(CENT, order.unit))
    if order.currency == "KWD":
        result.slack = CENT * (2 + len(order.all_lines) + len(order.transactions) + 3 * len(order.refunds))
    others = [g for g in order.gateways if not options.records(g)]
    result.elsewhere = (sum((order.received_by(g) for g in others), ZERO),
                        sum((order.given_back_by(g) for g in others), ZERO))
    if order.cancelled_at is not None and not order.kept:
        return result
    if options.as_shipped and not all_shipped(order):
        return shipped_so_far(result, order, options)
    add_sold(result, order, options)
    for refund in order.money_refunds:
        note = refunded(order, refund)
        for key, amount in note.amounts.items():
            result.add(key, -amount, -note.taxes[key])
    result.paid = cents(recorded(order, options))
    result.due = result.total(order.taxes_included) - result.paid
    return result


def by_type(sums):
    """{(account, tax type): x} -> {tax type: x}."""
    result = {}
    for (_, kind), amount in sums.items():
        result[kind] = result.get(kind, ZERO) + amount
    return result


def differences(expected, held, options, money=True):
    """What is not as it should be, a sentence each. A cent of tax that no amount goes with stands on a
    neighbour of its tax type: Xero takes none without an amount. With discounts as lines of their own it is Xero's
    arithmetic that splits the tax between a line and its discount: only their sum is the shop's.
    MONEY: compare what is paid and due."""
    if not expected.complete:
        return []
    tables = [("amount", expected.amounts, held.amounts, ZERO),
              ("tax", by_type(expected.taxes), by_type(held.taxes), ZERO)]
    if not options.settings.get("discount_lines"):
        tables.append(("tax", expected.taxes, held.taxes, expected.cents))
    found = []
    for what, wanted, got, slack in tables:
        for key in sorted({*wanted, *got}, key=str):
            a, b = wanted.get(key, ZERO), got.get(key, ZERO)
            if abs(a - b) > expected.slack + slack:
                found.append(f"{what} of {key}: {b} in Xero, {a} by the shop")
    if money and expected.money:
        for what, a, b in (("paid", expected.paid, held.paid), ("due", expected.due, held.due)):
            if abs(a - b) > expected.slack:
                found.append(f"{what}: {b} in Xero, {a} by the shop")
    return found


def left_open(expected, owed, credited):
    """OWED on invoices stands beside CREDITED on credit notes: nothing of either that could be set
    against the other may stand, but money that is not recorded here is left its place."""
    received, given_back = expected.elsewhere
    return expected.money and owed - received > expected.slack and credited - given_back > expected.slack
