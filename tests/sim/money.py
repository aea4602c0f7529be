"""Xero's arithmetic.

Owns: how one line's amount and tax come out of quantity, price, discount and rate, and how a
document's sums come out of its lines. Every rounding is half up, per line; nothing is computed on a
sum. Written from the description of Xero's behaviour alone, so that it checks other
implementations.
"""

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")
_HUNDRED = Decimal(100)


def round_to(value, places):
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def cents(value):
    return round_to(value, 2)


def line_amount(quantity, unit, discount_rate=None, discount_amount=None):
    """Quantity x unit price less the discount, to the cent; `unit` is already rounded to unitdp."""
    gross = quantity * unit
    if discount_amount is not None:
        return cents(gross - discount_amount)
    if discount_rate is not None:
        return cents(gross - gross * discount_rate / _HUNDRED)
    return cents(gross)


def line_tax(amount, percent, line_amount_types):
    """The tax of one line at `percent` (20 means 20 %)."""
    if line_amount_types == "NoTax":
        return ZERO
    if line_amount_types == "Inclusive":
        return amount - cents(amount * _HUNDRED / (_HUNDRED + percent))
    return cents(amount * percent / _HUNDRED)


def document_sums(lines, line_amount_types):
    """(SubTotal, TotalTax, Total) of lines that carry LineAmount and TaxAmount."""
    amounts = sum((line["LineAmount"] for line in lines), ZERO)
    tax = sum((line["TaxAmount"] for line in lines), ZERO)
    if line_amount_types == "Inclusive":
        return amounts - tax, tax, amounts
    return amounts, tax, amounts + tax
