"""The later life of an order of orders.py: what an edit, a refund and a shipment make of its body."""

import copy
from decimal import Decimal

from orders import _ids, later, line, order


def text(amount):
    return f"{amount:.2f}"


def _money(amount):
    return {"shop_money": {"amount": text(amount), "currency_code": "GBP"}}


def worth(row, quantity):
    """(subtotal, tax) of QUANTITY of a line: shares of what it says of all."""
    subtotal = Decimal(row["price"]) * quantity
    tax = sum(Decimal(t["price"]) for t in row["tax_lines"]) * quantity / row["quantity"]
    return subtotal, tax.quantize(Decimal("0.01"))


def _record(rows, transactions, day):
    lines = []
    for row, quantity in rows:
        subtotal, tax = worth(row, quantity)
        lines.append({"id": next(_ids), "line_item_id": row["id"], "quantity": quantity, "subtotal": float(subtotal),
                      "total_tax": float(tax), "subtotal_set": _money(subtotal), "total_tax_set": _money(tax)})
    return {"id": next(_ids), "created_at": f"{day}T12:00:00+00:00", "processed_at": f"{day}T12:00:00+00:00",
            "refund_line_items": lines, "order_adjustments": [], "transactions": transactions}


def _take_off(body, rows, total):
    body["current_total_price"] = text(Decimal(body["current_total_price"]) - total)
    for row, quantity in rows:
        next(x for x in body["line_items"] if x["id"] == row["id"])["current_quantity"] -= quantity


def sum_of(rows):
    return sum((sum(worth(row, quantity)) for row, quantity in rows), Decimal(0))


def remove(body, rows, seconds=60):
    """An edit took QUANTITY of each of ROWS out."""
    body = copy.deepcopy(later(body, seconds))
    total = sum_of(rows)
    body["refunds"].append(_record(rows, [], "2026-11-02"))
    _take_off(body, rows, total)
    owed = Decimal(body["total_outstanding"]) - total
    body["total_outstanding"] = text(owed)
    return body


def add(body, row, seconds=60):
    """An edit put a line in."""
    body = copy.deepcopy(later(body, seconds))
    total = sum_of([(row, row["quantity"])])
    body["line_items"].append(row)
    for name in ("total_price", "current_total_price", "total_outstanding"):
        body[name] = text(Decimal(body[name]) + total)
    body["total_tax"] = text(Decimal(body["total_tax"]) + sum(Decimal(t["price"]) for t in row["tax_lines"]))
    if body["financial_status"] == "paid":
        body["financial_status"] = "partially_paid"
    return body


def refund(body, rows, amount=None, seconds=60, status="partially_refunded", money=True, day="2026-11-03"):
    """Money for QUANTITY of each of ROWS was given back, or AMOUNT."""
    body = copy.deepcopy(later(body, seconds))
    amount = sum_of(rows) if amount is None else Decimal(amount)
    transactions = [{"id": next(_ids), "kind": "refund", "status": "success", "gateway": "manual", "currency": "GBP",
                     "amount": text(amount), "created_at": f"{day}T12:00:00+00:00",
                     "processed_at": f"{day}T12:00:00+00:00"}] if money else []
    body["refunds"].append(_record(rows, transactions, day))
    _take_off(body, rows, sum_of(rows))
    body["financial_status"] = status
    return body


def ship(body, rows, seconds=60, done=False):
    """QUANTITY of each of ROWS left; DONE: that was all."""
    body = copy.deepcopy(later(body, seconds))
    body["fulfillments"].append({
        "id": next(_ids), "status": "success", "created_at": "2026-11-04T12:00:00+00:00",
        "line_items": [{**row, "quantity": quantity} for row, quantity in rows]})
    body["fulfillment_status"] = "fulfilled" if done else "partial"
    return body


def two_lines():
    return [line("Mug", "10.00", 3), line("Tea", "5.00", 2)]


# ---- one event of each kind of call ----

class Step:
    """An order that is in Xero, the event that makes one more call there, and what the books are after it."""

    def __init__(self, call, first, topic, then, invoices, notes=(), settings=None):
        self.method, _, path = call.partition(" ")
        self.path = "/api.xro/2.0/" + path
        self.first, self.topic, self.then = first, topic, then
        self.invoices, self.notes = invoices, list(notes)
        self.settings = settings or {"auto_sync": "include_unpaid"}


def _pending():
    return order("pending", lines=two_lines())


def _paid():
    return order("paid", lines=two_lines())


def _partly_paid():
    return order("partially_paid", lines=two_lines(), total_outstanding="28.80", payment_gateway_names=["manual"])


def _mugs(body, quantity):
    return [(body["line_items"][0], quantity)]


# Totals and what is left of each: invoices by number, then credit notes.
STEPS = {
    "update": Step("POST Invoices", _pending, "orders/updated", lambda b: remove(b, _mugs(b, 1)),
                   [("AUTHORISED", "40.80", "40.80")]),
    "void": Step("POST Invoices", _pending, "orders/cancelled",
                 lambda b: later(b, financial_status="voided", cancelled_at="2026-11-05T10:00:00+00:00"),
                 [("VOIDED", "52.80", "52.80")]),
    "further invoice": Step("PUT Invoices", _paid, "orders/updated", lambda b: add(b, line("Jar", "20.00", 1)),
                            [("PAID", "52.80", "0.00"), ("AUTHORISED", "24.00", "24.00")]),
    "credit note of an edit": Step("PUT CreditNotes", _paid, "orders/updated", lambda b: remove(b, _mugs(b, 1)),
                                   [("PAID", "52.80", "0.00")], [("AUTHORISED", "12.00", "12.00")]),
    "credit note of a refund": Step("PUT CreditNotes", _paid, "orders/updated", lambda b: refund(b, _mugs(b, 1)),
                                    [("PAID", "52.80", "0.00")], [("PAID", "12.00", "0.00")]),
    "money paid back": Step("PUT Payments", _paid, "orders/updated", lambda b: refund(b, _mugs(b, 1)),
                            [("PAID", "52.80", "0.00")], [("PAID", "12.00", "0.00")]),
    "allocation": Step("PUT CreditNotes/", _partly_paid, "orders/updated",
                       lambda b: {**refund(b, _mugs(b, 2), amount="12.00"), "total_outstanding": "16.80"},
                       [("AUTHORISED", "52.80", "16.80")], [("PAID", "24.00", "0.00")]),
}


def begin(shop, step):
    """Puts the step's order into Xero; returns its body, and that of its event."""
    body = step.first()
    assert shop.send("orders/paid" if body["financial_status"] == "paid" else "orders/create", body)[0] == 200
    shop.wait_done(body["id"])
    return body, step.then(body)


def expect_step(shop, step):
    """The books are as the step says: nothing is missing, nothing is twice."""
    held = shop.books()

    def rows(documents, number, left):
        return [(x["Status"], x["Total"], x[left]) for x in sorted(documents, key=lambda x: x[number])]
    assert rows(held["invoices"], "InvoiceNumber", "AmountDue") == step.invoices
    assert rows(held["credit_notes"], "CreditNoteNumber", "RemainingCredit") == step.notes
