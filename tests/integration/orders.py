"""Shopify orders as the tests need them: the fields an invoice reads, sums that close."""

import itertools
from decimal import Decimal

_ids = itertools.count(7000000000001)


def line(title="Mug", price="12.50", quantity=2, discount="0.00", rate="0.2", tax_title="VAT", **more):
    """One line with one tax; the tax is of the line after its discount, on top."""
    net = Decimal(price) * quantity - Decimal(discount)
    tax = (net * Decimal(rate)).quantize(Decimal("0.01")) if rate is not None else None
    row = {"id": next(_ids), "title": title, "name": title, "sku": title.upper(), "vendor": "Demo", "price": price,
           "quantity": quantity, "current_quantity": quantity, "gift_card": False, "taxable": True,
           "tax_lines": [] if rate is None else [{"title": tax_title, "rate": float(rate), "price": str(tax)}],
           "discount_allocations": [] if Decimal(discount) == 0 else
           [{"amount": discount, "discount_application_index": 0}]}
    return {**row, **more}


def shipping(price="4.00", rate="0.2", tax_title="VAT"):
    tax = (Decimal(price) * Decimal(rate)).quantize(Decimal("0.01")) if rate is not None else None
    return {"id": next(_ids), "title": "Standard", "price": price, "is_removed": False, "discount_allocations": [],
            "tax_lines": [] if rate is None else [{"title": tax_title, "rate": float(rate), "price": str(tax)}]}


def order(status="paid", fulfilment=None, lines=None, ship=None, second=0, name=None, currency="GBP", **more):
    """An order whose total is the sum of its parts. SECOND moves updated_at: a later state has a larger one."""
    order_id = next(_ids)
    lines = [line()] if lines is None else lines
    ship = [shipping()] if ship is None else ship
    net = sum(Decimal(x["price"]) * x["quantity"] for x in lines) + sum(Decimal(x["price"]) for x in ship)
    discounts = sum(Decimal(a["amount"]) for x in lines for a in x["discount_allocations"])
    tax = sum(Decimal(t["price"]) for x in [*lines, *ship] for t in x["tax_lines"])
    total = net - discounts + tax
    body = {
        "id": order_id, "name": name or f"#{order_id % 1000000}", "currency": currency,
        "presentment_currency": currency, "financial_status": status, "fulfillment_status": fulfilment,
        "created_at": "2026-11-01T10:00:00+00:00", "processed_at": "2026-11-01T10:00:00+00:00",
        "updated_at": f"2026-11-01T10:{second // 60:02d}:{second % 60:02d}+00:00", "cancelled_at": None,
        "test": False, "taxes_included": False, "tags": "", "source_name": "web",
        "payment_gateway_names": ["manual"] if status == "paid" else [], "line_items": lines,
        "shipping_lines": ship, "tax_lines": [], "total_tax": f"{tax:.2f}", "total_discounts": f"{discounts:.2f}",
        "total_price": f"{total:.2f}", "current_total_price": f"{total:.2f}",
        "total_outstanding": "0.00" if status == "paid" else f"{total:.2f}", "total_tip_received": "0.00",
        "refunds": [], "fulfillments": [], "merchant_of_record_app_id": None,
        "customer": {"id": 900000000001, "first_name": "Ada", "last_name": "Buyer", "email": "ada@example.com"},
        "email": "ada@example.com"}
    return {**body, **more}


def later(body, seconds=60, **changes):
    """The same order in a later state."""
    minute, second = body["updated_at"][14:19].split(":")
    at = int(minute) * 60 + int(second) + seconds
    changed = {**body, "updated_at": f"2026-11-01T10:{at // 60:02d}:{at % 60:02d}+00:00", **changes}
    if changes.get("financial_status") == "paid":
        changed.update(payment_gateway_names=changes.get("payment_gateway_names", ["manual"]),
                       total_outstanding="0.00")
    return changed
