"""Random orders of a Shopify shop and of an Amazon seller, as the shop holds them, with what the books have to
hold of each and what the shop would have told of it."""

import copy
import datetime
import uuid
from dataclasses import dataclass, field
from decimal import Decimal

import lib
import orders
from sellers import SAMPLE, notice

CUSTOMERS = 100
PUT = 100  # orders that the simulator is given at once
# of a hundred; only what is paid and no test belongs in the books
SHOPIFY_KINDS = {"paid": 75, "shipped": 10, "unpaid": 6, "test": 4, "cancelled": 5}
AMAZON_KINDS = {"UNSHIPPED": 50, "SHIPPED": 40, "PENDING": 5, "CANCELLED": 5}


@dataclass
class Sold:
    """One order."""
    id: str
    number: str  # of its invoice
    books: tuple  # the invoice's total, tax and what is paid of it; None: there must not be one
    told: list = field(default_factory=list)  # what the shop tells of it: calls that send it


def held(store):
    """{number: [what the books hold of it]}: an order has one invoice."""
    found = {}
    for i in store.invoices():
        if i["Status"] not in ("VOIDED", "DELETED"):
            row = tuple(Decimal(str(i[name])) for name in ("Total", "TotalTax", "AmountPaid"))
            found.setdefault(i["InvoiceNumber"], []).append(row)
    return found


def differences(store, sold):
    """How the books of STORE differ from what the shop holds, as texts."""
    books, wrong = held(store), []
    for one in sold:
        wanted, got = [one.books] if one.books else [], books.pop(one.number, [])
        if wanted != got:
            wrong.append(f"{one.id}: {[list(map(str, g)) for g in got]} instead of {[list(map(str, w)) for w in wanted]}")
    return wrong + [f"{number}: an invoice of no order" for number in books]


def chosen(rng, kinds):
    return rng.choices(list(kinds), list(kinds.values()))[0]


def cents(rng, least, most):
    return Decimal(rng.randrange(least, most)) / 100


def at(minutes_ago):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes_ago)
    return then.isoformat(timespec="seconds")


# ---- Shopify ----

def shopify_body(rng, serial, kind):
    rate = lambda: rng.choice(("0.2", "0.2", "0.2", None))  # noqa: E731
    lines = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        price, quantity = cents(rng, 100, 9999), rng.randint(1, 4)
        discount = rng.choice((Decimal("0.00"), Decimal("0.00"), cents(rng, 1, 100)))
        lines.append(orders.line(price=str(price), quantity=quantity, discount=str(discount), rate=rate()))
    ship = [orders.shipping(str(cents(rng, 100, 900)), rate())] if rng.random() < 0.6 else []
    customer = 900000000000 + rng.randrange(CUSTOMERS)
    email = f"buyer{customer}@example.com"
    body = orders.order(lines=lines, ship=ship, name=f"#{serial}", email=email,
                        status={"unpaid": "pending", "cancelled": "voided"}.get(kind, "paid"),
                        fulfilment="fulfilled" if kind == "shipped" else None, test=kind == "test")
    created = rng.uniform(60, 600)
    body.update(customer={"id": customer, "first_name": "Ada", "last_name": f"Buyer {customer}", "email": email},
                created_at=at(created), processed_at=at(created), updated_at=at(rng.uniform(10, 50)))
    if kind == "cancelled":
        body.update(cancelled_at=body["updated_at"], cancel_reason="customer", total_outstanding="0.00")
    return body


def shopify_told(store, body, kind):
    """A send for each of the order's webhooks: made, then what became of it. Sent again, it is the same delivery."""
    made = {**copy.deepcopy(body), "financial_status": "pending", "fulfillment_status": None, "cancelled_at": None,
            "payment_gateway_names": [], "total_outstanding": body["total_price"], "updated_at": body["created_at"]}
    last = {"unpaid": None, "cancelled": "orders/cancelled", "shipped": "orders/fulfilled"}.get(kind, "orders/paid")
    rows = [("orders/create", body if last is None else made)] + ([(last, body)] if last else [])
    return [sender(store.send, topic, state, webhook_id=str(uuid.uuid4())) for topic, state in rows]


def sell_shopify(store, rng, count):
    """Puts COUNT orders into the shop; nobody is told."""
    sold, bodies = [], []
    for serial in range(100001, 100001 + count):
        kind = chosen(rng, SHOPIFY_KINDS)
        body = shopify_body(rng, serial, kind)
        total = Decimal(body["total_price"])
        books = (total, Decimal(body["total_tax"]), total) if kind in ("paid", "shipped") else None
        sold.append(Sold(str(body["id"]), str(serial), books, shopify_told(store, body, kind)))
        bodies.append(body)
    for i in range(0, count, PUT):
        store.stack.sim.control("POST", "shopify/orders", {"shop": store.domain, "orders": bodies[i:i + PUT]})
    return sold


# ---- Amazon ----

def sums(**amounts):
    return [{"type": name, "subtotal": gbp(amount)} for name, amount in amounts.items()]


def gbp(amount):
    return {"amount": f"{amount:.2f}", "currencyCode": "GBP"}


def amazon_body(rng, serial, status):
    """One item with its shipping, tax on top; a pending order has no prices yet."""
    price, quantity = cents(rng, 100, 9999), rng.randint(1, 4)
    goods, shipping = price * quantity, cents(rng, 0, 900)
    taxes = [(part / 5).quantize(Decimal("0.01")) for part in (goods, shipping)]
    total = goods + shipping + sum(taxes)
    body = copy.deepcopy(SAMPLE)
    body.update(orderId=f"250-{serial:07d}-{rng.randrange(10 ** 7):07d}", createdTime=amazon_time(rng.uniform(60, 600)),
                lastUpdatedTime=amazon_time(rng.uniform(10, 50)))
    body["fulfillment"]["fulfillmentStatus"] = status
    body["buyer"] = {"buyerName": f"Buyer {serial % CUSTOMERS}", "buyerEmail": f"b{serial % CUSTOMERS}@example.com"}
    item, parts = body["orderItems"][0], sums(ITEM=goods, SHIPPING=shipping, TAX=sum(taxes))
    item.update(quantityOrdered=quantity)
    item["product"]["price"]["unitPrice"] = gbp(price)
    body["proceeds"] = {"grandTotal": gbp(total), "breakdowns": copy.deepcopy(parts)}
    item["proceeds"] = {"proceedsTotal": gbp(total), "breakdowns": parts}
    parts[2]["detailedBreakdowns"] = [{"subtype": name, "value": gbp(tax)} for name, tax in zip(("ITEM", "SHIPPING"), taxes)]
    if status == "PENDING":
        del body["proceeds"], item["proceeds"], item["product"]["price"]
    return body, (total, sum(taxes), total)


def amazon_time(minutes_ago):
    return at(minutes_ago).replace("+00:00", "Z")


def sell_amazon(store, rng, count, kinds=None):
    """Puts COUNT orders before Amazon; nobody is told."""
    sold, bodies = [], []
    for serial in range(1, 1 + count):
        status = chosen(rng, kinds or AMAZON_KINDS)
        body, books = amazon_body(rng, serial, status)
        told = [sender(store.send, notice(store, body["orderId"]))]
        sold.append(Sold(body["orderId"], body["orderId"], books if "SHIPPED" in status else None, told))
        bodies.append(body)
    for i in range(0, count, PUT):
        store.stack.sim.control("POST", "amazon/orders", {"seller_id": store.domain, "orders": bodies[i:i + PUT]})
    return sold


# ---- telling ----

def sender(send, *what, **more):
    """A call that sends it, and is taken."""
    def call():
        status, answer = send(*what, **more)
        if status != 200:
            raise AssertionError(f"a delivery was answered {status}: {answer}")
        return answer["result"]
    return call


assert lib.DEFAULT_MAPPINGS["taxes"]["by_rate"] == {"0.2": "OUTPUT2"}, "the rates of these orders are mapped"
