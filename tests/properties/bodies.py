"""What the shop sends of an order: the bodies of its webhooks, in Shopify's own fields.

Amounts are text, those of refunded lines JSON numbers beside their sets; a slash is written `\\/`, and
`&`, `<`, `>` as escapes, as Shopify does.
"""

import datetime
import json

from model import PLACES, ZERO


def text_of(amount, currency):
    return f"{amount:.{PLACES.get(currency, 2)}f}"


def to_bytes(body):
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    for sign, escape in (("/", "\\/"), ("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(sign, escape)
    return text.encode()


def time_of(order, at):
    zone = datetime.timezone(datetime.timedelta(minutes=order.offset_minutes))
    return None if at is None else datetime.datetime.fromtimestamp(at, zone).isoformat()


class Writer:
    """The amounts of one order."""

    def __init__(self, order):
        self.order = order

    def text(self, amount):
        """In the shop's money, as all amounts are that are not in a set."""
        o = self.order
        return text_of(o.in_other(amount) if o.in_buyers else amount, o.shop_currency)

    def paid_text(self, amount):
        """In the money that the buyer paid in."""
        o = self.order
        return text_of(amount if o.in_buyers else o.in_other(amount), o.buyers_currency)

    def set(self, amount):
        o = self.order
        return {"shop_money": {"amount": self.text(amount), "currency_code": o.shop_currency},
                "presentment_money": {"amount": self.paid_text(amount), "currency_code": o.buyers_currency}}

    def taxes(self, taxes):
        return [{"title": t.title, "rate": float(t.rate), "price": self.text(t.amount), "price_set": self.set(t.amount),
                 "channel_liable": None} for t in taxes]

    def allocations(self, line):
        return [{"amount": self.text(d), "amount_set": self.set(d), "discount_application_index": i}
                for i, d in enumerate(line.discounts)]

    def line(self, line):
        row = {"id": line.id, "title": line.title, "variant_title": None, "name": line.title, "sku": line.sku or None,
               "vendor": line.vendor, "product_id": line.id - 7, "variant_id": line.id - 6,
               "price": self.text(line.price),
               "price_set": self.set(line.price), "quantity": line.quantity, "current_quantity": line.left,
               "fulfillable_quantity": max(0, line.unshipped), "fulfillment_status": shipped_word(line),
               "gift_card": line.kind == "gift_card", "taxable": bool(line.taxes), "requires_shipping": line.ships,
               "total_discount": self.text(ZERO), "tax_lines": self.taxes(line.taxes),
               "discount_allocations": self.allocations(line),
               "duties": [{"id": d.id, "harmonized_system_code": "610910", "country_code_of_origin": "CA",
                           **self.set(d.amount), "tax_lines": self.taxes(d.taxes)} for d in line.duties]}
        if line.kind == "tip":
            row["tip_payment_gateway"] = None
        return row

    def shipping(self, line):
        return {"id": line.id, "title": line.title, "code": line.title, "price": self.text(line.price),
                "price_set": self.set(line.price), "discounted_price": self.text(line.subtotal), "is_removed": False,
                "tax_lines": self.taxes(line.taxes), "discount_allocations": self.allocations(line)}


def shipped_word(line):
    if not line.shipped:
        return None
    return "partial" if line.unshipped > 0 else "fulfilled"


def transaction_body(order, t):
    w = Writer(order)
    return {"id": t.id, "order_id": order.id, "kind": t.kind, "gateway": t.gateway, "status": t.status, "message": None,
            "created_at": time_of(order, t.at), "processed_at": time_of(order, t.at), "test": False, "parent_id": None,
            "amount": w.paid_text(t.amount), "currency": order.buyers_currency, "source_name": "web", "receipt": {}}


def refund_body(order, refund):
    w = Writer(order)
    rows = [{"id": refund.id * 10 + i, "line_item_id": x.line.id, "quantity": x.quantity, "location_id": None,
             "restock_type": "no_restock", "subtotal": float(w.text(x.subtotal)), "total_tax": float(w.text(x.tax)),
             "subtotal_set": w.set(x.subtotal), "total_tax_set": w.set(x.tax), "line_item": w.line(x.line)}
            for i, x in enumerate(refund.lines)]
    adjustments = [{"id": a.id, "order_id": order.id, "refund_id": refund.id, "kind": a.kind,
                    "reason": a.kind.replace("_", " ").capitalize(), "amount": w.text(a.amount),
                    "tax_amount": w.text(a.tax), "amount_set": w.set(a.amount), "tax_amount_set": w.set(a.tax)}
                   for a in refund.adjustments]
    shipping = []
    if order.shipping_lines_back:
        shipping = [{"id": a.id, "shipping_line_id": a.line.id, "subtotal_amount_set": w.set(a.share),
                     "tax_amount_set": w.set(-a.tax)} for a in refund.adjustments if a.kind == "shipping_refund"]
        adjustments = [a for a in adjustments if a["kind"] != "shipping_refund"]
    at = time_of(order, refund.at)
    return {"id": refund.id, "order_id": order.id, "created_at": at, "processed_at": at, "note": None, "restock": True,
            "duties": [{"duty_id": d.id, "amount_set": w.set(d.amount)}
                       for x in refund.lines if x.duties for d in x.line.duties],
            "total_duties_set": w.set(refund.duties), "additional_fees": [],
            "total_additional_fees_set": w.set(refund.fees), "refund_line_items": rows,
            "order_adjustments": adjustments, "refund_shipping_lines": shipping,
            "transactions": [transaction_body(order, t) for t in refund.transactions]}


def edit_body(order, added, removed):
    return {"order_edit": {"id": order.next_id(), "app_id": None, "created_at": time_of(order, order.now),
                           "notify_customer": False, "order_id": order.id, "staff_note": "",
                           "line_items": {"additions": [{"id": line.id, "delta": n} for line, n in added],
                                          "removals": [{"id": line.id, "delta": n} for line, n in removed]},
                           "discounts": {"line_item": {"additions": [], "removals": []}},
                           "shipping_lines": {"additions": [], "removals": []}}}


def shipment_body(order, shipment):
    w = Writer(order)
    return {"id": shipment.id, "order_id": order.id, "created_at": time_of(order, shipment.at), "service": "manual",
            "status": shipment.status, "tracking_numbers": [],
            "line_items": [{**w.line(line), "quantity": n} for line, n in shipment.lines]}


def party_fields(order):
    c = order.customer
    address = {"first_name": "Ada", "last_name": "Buyer", "company": None, "address1": "1 Example Street",
               "city": "Example", "country_code": order.country}
    customer = c and {"id": c, "first_name": "Ada", "last_name": f"Buyer {c % 100}",
                      "email": f"ada{c % 100}@example.com", "tax_exempt": False}
    terms = order.due_in_days is not None and {
        "payment_terms_name": f"Net {order.due_in_days}", "payment_terms_type": "net",
        "due_in_days": order.due_in_days, "payment_schedules": [
            {"amount": "0.00", "currency": order.shop_currency, "issued_at": time_of(order, order.created),
             "due_at": time_of(order, order.created + 86400 * order.due_in_days), "completed_at": None}]}
    return {"customer": customer or None, "email": customer["email"] if customer else "guest@example.com",
            "company": order.company and {"id": order.company, "location_id": order.company + 1},
            "billing_address": {**address, "company": "Example Works" if order.company else None},
            "shipping_address": address, "po_number": order.po_number, "payment_terms": terms or None}


def total_fields(order):
    w = Writer(order)
    outstanding = order.outstanding
    if order.odd_outstanding and order.financial_status == "paid" and not order.refunds:
        outstanding = order.total_price
    subtotal = sum((x.subtotal for x in order.lines), ZERO)
    shown = {"total_price": order.total_price, "current_total_price": order.current_total,
             "subtotal_price": subtotal, "current_subtotal_price": sum((x.left_subtotal for x in order.lines), ZERO),
             "total_tax": order.total_tax, "current_total_tax": sum((x.left_tax for x in order.all_lines), ZERO),
             "total_discounts": sum((x.discount for x in order.all_lines), ZERO),
             "total_line_items_price": sum((x.price * x.quantity for x in order.lines), ZERO),
             "total_outstanding": outstanding, "total_tip_received": order.tip}
    duties, fees = order.total_duties, order.fees
    return {**{k: w.text(v) for k, v in shown.items()},
            "total_price_set": w.set(order.total_price), "total_tax_set": w.set(order.total_tax),
            "current_total_price_set": w.set(order.current_total),
            "total_shipping_price_set": w.set(sum((x.price for x in order.shipping), ZERO)),
            "original_total_duties_set": w.set(duties) if duties else None,
            "current_total_duties_set": w.set(duties) if duties else None,
            "original_total_additional_fees_set": w.set(fees) if fees else None,
            "total_cash_rounding_payment_adjustment_set": w.set(order.cash_rounding),
            "total_cash_rounding_refund_adjustment_set": w.set(ZERO)}


def order_body(order):
    """The whole order as it is now. Webhook bodies of orders hold no transactions."""
    w = Writer(order)
    return {"id": order.id, "admin_graphql_api_id": f"gid://shopify/Order/{order.id}", "name": order.name,
            "order_number": order.serial, "created_at": time_of(order, order.created),
            "processed_at": time_of(order, order.created), "updated_at": time_of(order, order.updated),
            "cancelled_at": time_of(order, order.cancelled_at),
            "cancel_reason": None if order.cancelled_at is None else "customer", "test": False, "source_name": "web",
            "tags": order.tags, "note": None, "currency": order.shop_currency,
            "presentment_currency": order.buyers_currency,
            "taxes_included": order.taxes_included, "tax_exempt": False, "merchant_of_record_app_id": None,
            "financial_status": order.financial_status, "fulfillment_status": order.fulfilment_status,
            "payment_gateway_names": order.gateways, "discount_applications": order.applications,
            **party_fields(order), **total_fields(order),
            "line_items": [w.line(x) for x in order.lines], "shipping_lines": [w.shipping(x) for x in order.shipping],
            "tax_lines": [], "refunds": [refund_body(order, r) for r in order.refunds],
            "fulfillments": [shipment_body(order, s) for s in order.shipments]}
