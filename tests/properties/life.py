"""How an order comes about and what happens to it: each kind of thing is a small function, and one
table says how often. A happening changes the order and names what the shop sends of it; one that
does not fit the order as it is answers None and leaves it alone.
"""

from decimal import Decimal

from model import (ZERO, Adjustment, Duty, Line, Refund, RefundLine, Shipment, Tax, Transaction, rounded, spread)

# ---- how an order begins ----

CURRENCIES = {"GBP": 50, "USD": 16, "EUR": 12, "JPY": 8, "KWD": 7, "CAD": 7}
TAXES = {  # country and the taxes of a shop's usual line
    (("GB", (("VAT", "0.2"),))): 40,
    (("US", (("State tax", "0.06"), ("County tax", "0.025")))): 14,
    (("US", (("State tax", "0.06"), ("City tax", "0.02")))): 6,
    (("US", (("Sales tax", "0.0825"),))): 8,
    (("DE", (("MwSt", "0.19"),))): 12,
    (("ES", (("IVA", "0.21"),))): 8,  # mapped by its country
    (("AU", (("GST", "0.1"),))): 12,
}
LINE_TAXES = {"usual": 80, "reduced": 10, "none": 10}
KINDS = {"product": 95, "gift_card": 5}
DISCOUNTS = {"none": 55, "across": 16, "stacked": 8, "one": 10, "free line": 7, "all": 4}
SHIPPING = {"one": 66, "none": 18, "free": 8, "two": 4, "discounted": 4}
BUYERS = {"customer": 60, "guest": 28, "company": 12}
GATEWAYS = {("manual",): 30, ("shopify_payments",): 40, ("paypal",): 10, ("cash",): 4,
            ("gift_card", "shopify_payments"): 10, ("manual", "paypal"): 6}
ODDITIES = {"tip": 6, "duties": 5, "fees": 4, "odd cent": 3, "tax of a cent more or less": 8, "other money": 6,
            "odd outstanding": 2, "exempt": 8}  # each by itself, in a hundred orders
PRICES = ("9.99", "12.50", "0.65", "3.33", "249.00", "19.95", "7.77", "100.00", "1234.56", "45.00")


def choose(rng, table):
    return rng.choices(list(table), list(table.values()))[0]


def new_order(order, rng):
    """Fills a new order. One that comes to nothing to sell is what free orders are."""
    odd = {name for name, weight in ODDITIES.items() if rng.random() * 100 < weight}
    order.country, taxes = choose(rng, TAXES)
    order.usual_taxes = () if "exempt" in odd else taxes
    order.tax_jitter = "tax of a cent more or less" in odd
    order.tenders = choose(rng, GATEWAYS)
    choose_buyer(order, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        order.lines.append(new_line(order, rng))
    add_shipping(order, rng)
    discount(order, rng, choose(rng, DISCOUNTS))
    for line in order.all_lines:
        tax_line(order, rng, line)
    add_tips(order, rng, "tip" in odd)
    if "duties" in odd:
        add_duties(order, rng)
    if "fees" in odd:
        order.fees = order.unit * rng.randint(10, 500)
    if "other money" in odd or (order.in_buyers and rng.random() < 0.5):
        add_other_money(order, rng)
    if "odd cent" in odd and order.total_tax > order.unit * 9:
        order.odd_cent = order.unit * rng.choice((1, -1))
    order.shipping_lines_back = rng.random() < 0.5
    order.odd_outstanding = "odd outstanding" in odd
    order.word_of_nothing = rng.choice(("paid", "pending"))
    if len(order.tenders) == 1 and rng.random() < 0.5:
        order.named_gateways = list(order.tenders)
    if order.total_price == 0:
        order.tenders, order.named_gateways = order.tenders[:1], []


def choose_buyer(order, rng):
    buyer = choose(rng, BUYERS)
    order.customer = None if buyer == "guest" else 900_000_000_000 + rng.randrange(500)
    if buyer == "company":
        order.company = 800_000_000_000 + rng.randrange(100)
        order.po_number = f"PO-{rng.randrange(10000)}"
        order.due_in_days = rng.choice((0, 15, 30, 60))


def new_price(order, rng):
    if order.currency == "JPY":
        return Decimal(rng.choice((100, 980, 1250, 23600, rng.randint(50, 9999))))
    if order.currency == "KWD":
        return Decimal(rng.randint(300, 90000)).scaleb(-3)
    return Decimal(rng.choice(PRICES)) if rng.random() < 0.6 else Decimal(rng.randint(50, 30000)).scaleb(-2)


def new_line(order, rng):
    kind = choose(rng, KINDS)
    number = rng.randrange(40)
    title = f"Thing {number} & more" if number % 5 == 0 else f"Thing {number}"
    return Line(order.next_id(), kind, title, new_price(order, rng), rng.choice((1, 1, 1, 2, 2, 3, 5, 12)),
                f"SKU-{number}", "Other" if number % 7 == 0 else "Demo",
                "none" if kind == "gift_card" else choose(rng, LINE_TAXES))


def add_shipping(order, rng):
    how = choose(rng, SHIPPING)
    for i in range({"none": 0, "two": 2}.get(how, 1)):
        price = ZERO if how == "free" else rounded(new_price(order, rng) / 4, order.unit)
        line = Line(order.next_id(), "shipping", ("Standard", "Express")[i], price)
        line.tax_kind = "usual"
        if how == "discounted":
            line.discounts = [rounded(price / 3, order.unit)]
        order.shipping.append(line)


def discount(order, rng, how):
    """Allocations as the shop makes them: uneven, stacked, up to the whole."""
    lines = [x for x in order.lines if x.kind == "product"]
    if not lines or how == "none":
        return
    whole = sum(x.subtotal for x in lines)
    if how in ("across", "stacked"):
        amounts = [rounded(whole * rng.choice((5, 10, 15, 33)) / 100, order.unit)]
        if how == "stacked":
            amounts.append(min(order.unit * rng.randint(1, 999), whole - amounts[0]))
        for amount in amounts:
            for line, part in zip(lines, spread(amount, [x.subtotal for x in lines], order.unit)):
                if part:
                    line.discounts.append(min(part, line.subtotal))
    elif how == "one":
        line = rng.choice(lines)
        line.discounts.append(min(order.unit * rng.randint(1, 500), line.subtotal))
    elif how == "free line":
        line = rng.choice(lines)
        line.discounts.append(line.subtotal)
    else:  # everything is given away
        for line in order.all_lines:
            if line.subtotal:
                line.discounts.append(line.subtotal)
    order.applications = [{"type": "discount_code", "code": "SAVE", "value": "10.0", "value_type": "percentage",
                           "allocation_method": "across", "target_selection": "all", "target_type": "line_item"}]


def tax_line(order, rng, line):
    """The taxes of a whole line after its discounts, each rounded by itself."""
    rates = {"none": (), "reduced": (("Reduced", "0.05"),)}.get(line.tax_kind, order.usual_taxes)
    rates = rates if order.usual_taxes else ()
    whole = sum((Decimal(rate) for _, rate in rates), ZERO)
    line.taxes = []
    for title, rate in rates:
        base = line.subtotal / (1 + whole) if order.taxes_included else line.subtotal
        amount = rounded(base * Decimal(rate), order.unit)
        if order.tax_jitter and amount > order.unit * 3:
            amount += order.unit * rng.choice((-1, 0, 1))
        line.taxes.append(Tax(title, Decimal(rate), amount))


def add_tips(order, rng, wanted):
    if not wanted:
        return
    order.tip = order.unit * rng.randint(50, 900)
    if rng.random() < 0.5:
        order.lines.append(Line(order.next_id(), "tip", "Tip", order.tip))


def add_other_money(order, rng):
    """The shop's amounts are converted one by one, so that its total may be a little beside their sum.
    The transactions are in the buyer's money, which is no measure of the shop's: one tender only."""
    other, price = rng.choice((("EUR", "1.14"), ("USD", "1.31"), ("JPY", "204.5")))
    gap = order.unit * rng.choice((0, 0, 1, -1, 2))
    if other == order.currency or order.total_price <= order.unit * 9 or order.tenders == ("cash",):
        return
    if not order.in_buyers:
        order.tenders, order.conversion_gap = order.tenders[:1], gap
    elif order.tip and not order.tip_lines:
        return  # a tip as a mere sum is told in the shop's money alone
    order.other, order.exchange = other, Decimal(price)


def add_duties(order, rng):
    for line in order.lines:
        if line.kind == "product" and line.subtotal and rng.random() < 0.6:
            line.duties = [Duty(order.next_id(), order.unit * rng.randint(50, 900), [])]


# ---- money ----

def pay(order, gateway, amount, kind="sale", status="success"):
    order.transactions.append(Transaction(order.next_id(), kind, status, gateway, amount, order.now))
    return order.transactions[-1]


def next_gateway(order):
    """A second payment of an order with several tenders comes by another."""
    paid = sum(t.status == "success" and t.kind in ("sale", "capture") for t in order.transactions)
    return order.tenders[paid % len(order.tenders)]


def can_pay(order):
    return order.cancelled_at is None and order.outstanding > 0 and (order.held > 0 or not order.given_back)


def pay_all(order, rng):
    if not can_pay(order):
        return None
    amount = order.outstanding
    if order.tenders == ("cash",) and not order.received and order.currency == "CAD":
        order.cash_rounding = rounded(amount, Decimal("0.05")) - amount
        amount += order.cash_rounding
        if amount == 0:
            order.cash_rounding = ZERO
            return None
    kind = "capture" if order.authorised else "sale"
    parts = [amount]
    if len(order.tenders) > 1 and amount > order.unit * 2:
        first = rounded(amount * rng.randint(10, 90) / 100, order.unit)
        parts = [p for p in (first, amount - first) if p > 0]
    made = [pay(order, next_gateway(order), part, kind) for part in parts]
    return [*made, "orders/paid", "orders/updated"]


def pay_part(order, rng):
    if not can_pay(order) or order.paid_in_other or order.outstanding <= order.unit * 3:
        return None
    if order.tenders == ("cash",):
        return None
    amount = rounded(order.outstanding * rng.randint(10, 90) / 100, order.unit)
    if not 0 < amount < order.outstanding:
        return None
    return [pay(order, next_gateway(order), amount, "capture" if order.authorised else "sale"), "orders/updated"]


def authorise(order, rng):
    if not can_pay(order) or order.received or order.authorised:
        return None
    order.authorised = True
    if order.tenders[0] not in order.named_gateways and len(order.tenders) == 1:
        order.named_gateways.append(order.tenders[0])
    made = pay(order, order.tenders[0], order.outstanding, "authorization")
    made.status = "success" if len(order.tenders) == 1 else "pending"
    return [made, "orders/updated"]


def fail_to_pay(order, rng):
    if not can_pay(order):
        return None
    return [pay(order, order.tenders[0], order.outstanding, "sale", rng.choice(("failure", "error", "pending")))]


# ---- edits ----

def can_edit(order):
    return (order.cancelled_at is None and not order.cash_rounding
            and order.financial_status not in ("refunded", "voided"))


def take(order, line, quantity):
    """The share of QUANTITY of what is left of a line; the last ones take the rest."""
    part = Decimal(quantity) / line.left
    return RefundLine(line, quantity, rounded(line.left_subtotal * part, order.unit),
                      rounded(line.left_tax * part, order.unit))


def remove_from(order, record, line, quantity):
    taken = take(order, line, quantity)
    record.lines.append(taken)
    line.removed += quantity
    line.removed_subtotal += taken.subtotal
    line.removed_tax += taken.tax
    return taken


def put_back(record):
    for x in record.lines:
        x.line.removed -= x.quantity
        x.line.removed_subtotal -= x.subtotal
        x.line.removed_tax -= x.tax


def removable(order):
    """Lines of which units can be taken out: not shipped, no duties on them."""
    return [x for x in order.lines if x.kind != "tip" and not x.duties
            and (x.unshipped if x.ships else x.left) > 0 and x.left > 0]


def take_off_shipping(order, rng):
    """An edit without the shipping, told as its refund records tell of shipping."""
    if not can_edit(order) or order.odd_cent or order.conversion_gap or not any(x.left for x in order.lines):
        return None
    record = Refund(order.next_id(), order.now)
    for line in order.shipping[:1]:
        if line.left_subtotal == line.subtotal > 0:
            refund_shipping_of(order, record, line, line.subtotal, line.tax)
    if not record.adjustments or order.value_of(record) > order.current_total:
        undo(order, record)
        return None
    for a in record.adjustments:
        a.line.refunded_subtotal -= a.share
        a.line.refunded_tax += a.tax
        a.line.removed_subtotal += a.share
        a.line.removed_tax -= a.tax
    order.refunds.append(record)
    return [("orders/edited", [], []), record, "orders/updated"]


def edit_down(order, rng):
    lines = removable(order)
    if not can_edit(order) or not lines:
        return None
    record = Refund(order.next_id(), order.now)
    removed = []
    for line in rng.sample(lines, min(len(lines), rng.choice((1, 1, 1, 2)))):
        most = min(line.left, line.unshipped) if line.ships else line.left
        quantity = most if rng.random() < 0.5 else rng.randint(1, most)
        mere_sums = order.odd_cent or order.conversion_gap or (order.tip and not order.tip_lines)
        if mere_sums and sum(x.left for x in order.lines) == quantity:
            continue  # they need something to stand on
        remove_from(order, record, line, quantity)
        removed.append((line, quantity))
    if not removed or order.value_of(record) > order.current_total:
        put_back(record)
        return None
    order.refunds.append(record)
    return [("orders/edited", [], removed), record, "orders/updated"]


def add_line(order, rng):
    if not can_edit(order) or order.paid_in_other:
        return None
    line = new_line(order, rng)
    if rng.random() < 0.3 and line.kind == "product":
        line.discounts = [rounded(line.subtotal / 10, order.unit)]
    tax_line(order, rng, line)
    order.lines.append(line)
    return [("orders/edited", [(line, line.quantity)], []), "orders/updated"]


def raise_quantity(order, rng):
    lines = [x for x in order.lines if x.kind == "product" and x.left and not x.removed and not x.refunded
             and (x.tax or not x.taxes)]
    if not can_edit(order) or not lines or order.paid_in_other:
        return None
    line = rng.choice(lines)
    more = rng.choice((1, 1, 2, 5))
    line.quantity += more
    tax_line(order, rng, line)
    return [("orders/edited", [(line, more)], []), "orders/updated"]


# ---- shipping ----

def ship(order, rng, share):
    lines = [x for x in order.lines if x.unshipped > 0]
    if order.cancelled_at is not None or not lines:
        return None
    sent = []
    for line in lines:
        quantity = line.unshipped if share else rng.randint(0, line.unshipped)
        if quantity:
            sent.append((line, quantity))
    if not sent:
        return None
    for line, quantity in sent:
        line.shipped += quantity
    order.shipments.append(Shipment(order.next_id(), order.now, "success", sent))
    whole = order.fulfilment_status == "fulfilled"
    return ["orders/fulfilled" if whole else "orders/partially_fulfilled", "orders/updated"]


def ship_some(order, rng):
    return ship(order, rng, share=False)


def ship_all(order, rng):
    return ship(order, rng, share=True)


def ship_in_vain(order, rng):
    """A shipment that never went: its record stays, cancelled."""
    lines = [x for x in order.lines if x.unshipped > 0]
    if order.cancelled_at is not None or not lines:
        return None
    sent = [(x, x.unshipped) for x in lines[:1]]
    order.shipments.append(Shipment(order.next_id(), order.now, rng.choice(("cancelled", "error", "failure")), sent))
    return ["orders/updated"]


# ---- money back ----

def can_refund(order):
    return order.held > 0 and not order.cash_rounding


def give_money(order, record, amount):
    """The money of a refund, from the gateways that hold it."""
    for gateway in dict.fromkeys(t.gateway for t in order.transactions):
        part = min(amount, order.received_by(gateway) - order.given_back_by(gateway)
                   - sum(t.amount for t in record.transactions if t.gateway == gateway))
        if part > 0:
            record.transactions.append(Transaction(order.next_id(), "refund", "success", gateway, part, order.now))
            amount -= part
    assert amount == 0, "more money back than there is"


def undo(order, record):
    """Takes a record's lines and adjustments back: it did not fit."""
    for x in record.lines:
        x.line.refunded -= x.quantity
        x.line.refunded_unshipped -= x.unshipped
        x.line.refunded_subtotal -= x.subtotal
        x.line.refunded_tax -= x.tax
        x.line.duties_back = x.line.duties_back and not x.duties
    for x in record.adjustments:
        if x.kind == "shipping_refund":
            x.line.refunded_subtotal -= x.share
            x.line.refunded_tax += x.tax


def refund_from(order, rng, record, line, quantity):
    taken = take(order, line, quantity)
    taken.unshipped = min(quantity, line.unshipped) if rng.random() < 0.5 else max(
        0, quantity - (line.shipped - line.refunded + line.refunded_unshipped)) if line.ships else 0
    record.lines.append(taken)
    line.refunded += quantity
    line.refunded_unshipped += taken.unshipped
    line.refunded_subtotal += taken.subtotal
    line.refunded_tax += taken.tax
    if line.duties and not line.left and not line.duties_back and rng.random() < 0.6:
        taken.duties = line.duties_back = True


def refund_shipping_of(order, record, line, subtotal, tax):
    net = subtotal - tax if order.taxes_included else subtotal
    record.adjustments.append(Adjustment(order.next_id(), "shipping_refund", -net, -tax, line, subtotal))
    line.refunded_subtotal += subtotal
    line.refunded_tax += tax


def adjust(order, record, amount, tax=ZERO):
    """AMOUNT more (or, negative, less) than the record's lines say goes back."""
    record.adjustments.append(Adjustment(order.next_id(), "refund_discrepancy", -amount, -tax))


def start_refund(order, rng, all_of_it=False):
    """A record with lines; its money is the caller's."""
    record = Refund(order.next_id(), order.now)
    lines = [x for x in order.lines if x.left > 0]
    if not all_of_it:
        lines = rng.sample(lines, min(len(lines), rng.choice((1, 1, 1, 2, 3))))
    for line in lines:
        quantity = line.left if all_of_it or rng.random() < 0.5 else rng.randint(1, line.left)
        refund_from(order, rng, record, line, quantity)
    return record


def add_shipping_refund(order, rng, record, all_of_it=False):
    for line in order.shipping:
        left = line.left_subtotal
        if left <= 0 or not (all_of_it or rng.random() < 0.7):
            continue
        part = Decimal(1) if all_of_it or rng.random() < 0.5 else Decimal(rng.randint(10, 90)) / 100
        subtotal = rounded(left * part, order.unit)
        if subtotal > 0:
            refund_shipping_of(order, record, line, subtotal, rounded(line.left_tax * part, order.unit))


def finish_refund(order, record, money):
    give_money(order, record, money)
    order.refunds.append(record)
    return [record, *record.transactions, "orders/updated"]


def fits(order, record, money):
    """No more money back than the shop has, nor more value than is left of the order."""
    return 0 < money <= order.held and 0 <= order.value_of(record) <= order.current_total


def refund_lines(order, rng):
    if not can_refund(order):
        return None
    record = start_refund(order, rng)
    if rng.random() < 0.2:
        add_shipping_refund(order, rng, record)
    money = order.value_of(record)
    if not record.lines or not fits(order, record, money):
        undo(order, record)
        return None
    return finish_refund(order, record, money)


def refund_shipping(order, rng):
    if not can_refund(order):
        return None
    record = Refund(order.next_id(), order.now)
    add_shipping_refund(order, rng, record)
    money = order.value_of(record)
    if not fits(order, record, money):
        undo(order, record)
        return None
    return finish_refund(order, record, money)


def refund_amount(order, rng):
    """A plain sum, for no line."""
    if not can_refund(order) or order.outstanding:
        return None
    record = Refund(order.next_id(), order.now)
    adjust(order, record, rounded(min(order.held, order.current_total) * rng.randint(1, 40) / 100, order.unit))
    money = order.value_of(record)
    return finish_refund(order, record, money) if fits(order, record, money) else None


def refund_other_sum(order, rng):
    """Lines go back, and somewhat less or more money than they cost."""
    if not can_refund(order) or order.outstanding:
        return None
    record = start_refund(order, rng)
    lines = order.value_of(record)
    adjust(order, record, order.unit * rng.choice((-300, -50, -1, 1, 50, 300)))
    money = order.value_of(record)
    if not record.lines or lines <= 0 or not fits(order, record, money):
        undo(order, record)
        return None
    return finish_refund(order, record, money)


def give_back_excess(order, rng):
    """An edit left the buyer with too much paid: all or a part of it goes back, maybe with lines."""
    if not can_refund(order) or order.outstanding >= 0 or order.paid_in_other:
        return None
    excess = -order.outstanding
    if rng.random() < 0.3:
        excess = rounded(excess * rng.randint(10, 90) / 100, order.unit)
    record = start_refund(order, rng) if rng.random() < 0.3 else Refund(order.next_id(), order.now)
    money = order.value_of(record) + excess
    if excess <= a_rounding(order) or not fits(order, record, money):
        undo(order, record)
        return None
    return finish_refund(order, record, money)


def a_rounding(order):
    """Up to so much, money beside its documents may be taken for their rounding."""
    return Decimal("0.2") if order.currency == "KWD" else order.unit * 5


def refund_less_than_returned(order, rng):
    """Of a partly paid order more comes back than was paid: the rest is no longer owed."""
    if not can_refund(order) or order.outstanding <= 0 or order.paid_in_other:
        return None
    record = start_refund(order, rng)
    value = order.value_of(record)
    least = max(order.unit, value - order.outstanding)
    most = min(value - a_rounding(order) - order.unit, order.held)
    if not record.lines or least > most or not fits(order, record, least):
        undo(order, record)
        return None
    return finish_refund(order, record, least if rng.random() < 0.5 else most)


# ---- the end, and nothing at all ----

def cancel(order, rng):
    """Nothing paid: it is void, with or without a record of what was taken back. Paid: all of the
    money goes back in the same moment, or a part, or the shop keeps it."""
    if order.cancelled_at is not None or order.cash_rounding:
        return None
    order.cancelled_at = order.now
    if not order.held:
        lines = [x for x in removable(order) if x.unshipped == x.left or not x.ships]
        if order.received or rng.random() < 0.5 or not lines:
            return ["orders/cancelled", "orders/updated"]
        record = Refund(order.next_id(), order.now)
        for line in lines:
            remove_from(order, record, line, line.left)
        if order.value_of(record) > order.current_total:
            put_back(record)
            return ["orders/cancelled", "orders/updated"]
        order.refunds.append(record)
        return [record, "orders/cancelled", "orders/updated"]
    keep = rng.random()
    if keep < 0.25 or (order.paid_in_other and order.outstanding):
        return ["orders/cancelled", "orders/updated"]
    record = start_refund(order, rng, all_of_it=keep < 0.9)
    if keep < 0.9:
        add_shipping_refund(order, rng, record, all_of_it=True)
        record.fees = order.fees - sum((r.fees for r in order.refunds), ZERO)
        missing = order.current_total - order.value_of(record)  # tips, duties, fees, the odd cent
        if missing:
            adjust(order, record, missing)
        money = order.held
    else:
        money = order.value_of(record)
    if not fits(order, record, money) or (keep >= 0.9 and order.outstanding):
        undo(order, record)
        return ["orders/cancelled", "orders/updated"]
    sent = finish_refund(order, record, money)
    return [*sent[:-1], "orders/cancelled", "orders/updated"]


def only_transactions_tell(order):
    """How much came through which gateway, how much it was in the buyer's money, or that a paid order
    was never paid in full because goods came back instead: the order's own figures leave that open."""
    short = any(order.value_of(r) > r.money for r in order.money_refunds)
    return len(order.tenders) > 1 or order.in_buyers or short


def touch(order, rng):
    """Something that no book knows of."""
    order.tags = rng.choice(("", "vip", "vip, urgent"))
    return ["orders/updated"]


# How often each kind of thing is tried.
HAPPENINGS = {
    pay_all: 30, pay_part: 12, authorise: 4, fail_to_pay: 3,
    edit_down: 16, add_line: 8, raise_quantity: 5, take_off_shipping: 3,
    ship_some: 8, ship_all: 8, ship_in_vain: 1,
    refund_lines: 12, refund_shipping: 4, refund_amount: 4, refund_other_sum: 4, give_back_excess: 14,
    refund_less_than_returned: 6,
    cancel: 5, touch: 4,
}
