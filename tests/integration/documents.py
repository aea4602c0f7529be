"""The later life of an order of orders.py: what an edit, a refund and a shipment make of its body."""

import copy
from decimal import Decimal

from orders import _ids, later, line


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
