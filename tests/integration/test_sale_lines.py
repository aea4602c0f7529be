"""What an invoice's lines say, through both programs: two moneys, shipments, tracking, duties, fees, cash."""

from orders import line, order, shipping


def invoice(s, body):
    """The one invoice of an order, once it has been exported."""
    s.wait_done(body["id"])
    (found,) = [i for i in s.invoices() if i["InvoiceNumber"] == body["name"].lstrip("#")]
    return found


def two_moneys(value):
    """Each amount of the body in EUR beside the shop's GBP, at twice the figure."""
    if isinstance(value, list):
        return [two_moneys(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {k: two_moneys(v) for k, v in value.items()}
    for key, amount in value.items():
        if isinstance(amount, str) and amount.replace(".", "").isdigit() and "." in amount:
            out[f"{key}_set"] = {"shop_money": {"amount": amount, "currency_code": "GBP"},
                                 "presentment_money": {"amount": f"{2 * float(amount):.2f}", "currency_code": "EUR"}}
    return out


def test_an_invoice_is_in_the_buyers_currency_where_that_is_set(shop):
    body = two_moneys(order(presentment_currency="EUR"))
    s, t = shop(settings={"currency": "presentment", "record_payments": False}), shop()
    assert s.send("orders/paid", body)[0] == 200
    made = invoice(s, body)
    assert (made["CurrencyCode"], made["Total"], made["TotalTax"]) == ("EUR", "69.60", "11.60")
    assert t.send("orders/paid", body)[0] == 200
    made = invoice(t, body)
    assert (made["CurrencyCode"], made["Total"], made["TotalTax"]) == ("GBP", "34.80", "5.80")


def test_lines_are_tracked_by_a_fixed_option_and_by_a_tag(shop):
    s = shop(settings={"tracking": [{"category": "Region", "option": "North"},
                                    {"category": "Channel", "tag_prefix": "via:"}]})
    body = order(tags="vip, via:Retail")
    assert s.send("orders/paid", body)[0] == 200
    for one in invoice(s, body)["LineItems"]:
        assert [(t["Name"], t["Option"]) for t in one["Tracking"]] == [("Region", "North"), ("Channel", "Retail")]


def test_duties_fees_tips_and_cash_rounding_are_lines(shop):
    body = order(lines=[line()], ship=[], second=1)
    body["line_items"][0]["duties"] = [{"id": 1, "shop_money": {"amount": "3.00", "currency_code": "GBP"},
                                        "presentment_money": {"amount": "3.00", "currency_code": "GBP"},
                                        "tax_lines": []}]

    def gbp(amount):
        return {"shop_money": {"amount": amount, "currency_code": "GBP"}}

    body.update(total_price="36.50", current_total_price="36.50", total_tip_received="2.50",
                original_total_duties_set=gbp("3.00"), original_total_additional_fees_set=gbp("1.00"),
                total_cash_rounding_payment_adjustment_set=gbp("-0.02"))
    s = shop(mappings={"accounts": {"default": "200", "duties": "270", "rounding": "860"},
                       "taxes": {"by_rate": {"0.2": "OUTPUT2"}, "exempt": "ZERORATEDOUTPUT"},
                       "payments": {"default": "090"}})
    assert s.send("orders/paid", body)[0] == 200
    made = invoice(s, body)
    assert [(one["AccountCode"], one["LineAmount"]) for one in made["LineItems"]] == [
        ("200", "25.00"), ("270", "3.00"), ("200", "1.00"), ("200", "2.50"), ("860", "-0.02")]
    assert made["Total"] == "36.48"


def test_shipments_bring_the_invoice_line_by_line(shop):
    mug, plate = line("Mug", quantity=2, requires_shipping=True), line("Plate", requires_shipping=True)
    body = order(lines=[mug, plate], ship=[shipping()])
    s = shop(settings={"quantities": "fulfilled", "record_payments": False})
    assert s.send("orders/paid", body)[0] == 200
    s.wait_done(body["id"])
    assert s.invoices() == [] and s.failed() == []
    body.update(fulfillment_status="partial", updated_at="2026-11-01T10:05:00+00:00", fulfillments=[
        {"id": 5, "status": "success", "created_at": "2026-11-01T10:05:00+00:00",
         "line_items": [{"id": mug["id"], "quantity": 1}]}])
    assert s.send("orders/updated", body)[0] == 200
    made = invoice(s, body)
    assert [(one["Description"], one["Quantity"]) for one in made["LineItems"]] == [("Mug", "1.0000"), ("Standard", "1.0000")]
    assert made["Total"] == "19.80"
