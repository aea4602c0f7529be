"""Each setting changes exactly what it says, and nothing else.

One day of orders of every kind, with what happens to them afterwards, goes through the real programs
into two stores' books: one with the base settings, one with one setting more. Their books, without
ids and times, are laid side by side: what differs has to be just what the setting's row names.
"""

import base64
import copy
import dataclasses
import fnmatch
import functools
import json
import re
import typing

import pytest

import lib
from steps import refund, remove, ship
from openapi import Description
from orders import later, line, order, shipping
from test_sale_lines import two_moneys

GONE = "-"  # what a row expects of something that is in the base's books only
ABSENT = "absent"  # the value of a field that the store's document does not name
NOTHING = "nothing yet"  # an order that was taken, and of which nothing is in the books


# ---- the day ----

def gbp(amount):
    return {"shop_money": {"amount": amount, "currency_code": "GBP"},
            "presentment_money": {"amount": amount, "currency_code": "GBP"}}


def total(body, amount, **more):
    """The body with another total than its parts."""
    return {**body, "total_price": amount, "current_total_price": amount, **more}


def extras():
    body = order(lines=[line("Plate", duties=[{"id": 1, **gbp("3.00"), "tax_lines": []}])], ship=[], name="#extras")
    return total(body, "36.50", total_tip_received="2.50", original_total_duties_set=gbp("3.00"),
                 original_total_additional_fees_set=gbp("1.00"),
                 total_cash_rounding_payment_adjustment_set=gbp("-0.02"))


def market():
    """A marketplace remits the tax of one of two lines."""
    body = order(lines=[line("Own"), line("Theirs")], ship=[], name="#market")
    body["line_items"][1]["tax_lines"][0]["channel_liable"] = True
    return body


def odd_tax():
    """The shop's tax is a cent from what Xero computes."""
    body = order(lines=[line("Nail", "3.33", 3)], ship=[], name="#oddtax")
    body["line_items"][0]["tax_lines"][0]["price"] = "1.99"
    return total(body, "11.98", total_tax="1.99")


def split():
    """Paid through two gateways, which said how much each."""
    body = order(payment_gateway_names=["voucher", "manual"], name="#split")
    said = [{"id": 5001 + i, "order_id": body["id"], "kind": "sale", "status": "success", "gateway": gateway,
             "amount": amount, "currency": "GBP", "created_at": body["created_at"],
             "processed_at": body["created_at"]} for i, (gateway, amount) in enumerate([("voucher", "10.00"),
                                                                                       ("manual", "24.80")])]
    return body, said


def dated(day, **more):
    return order(created_at=f"{day}T10:00:00+00:00", processed_at=f"{day}T10:00:00+00:00", **more)


@functools.cache
def the_day():
    """Two rounds of (topic, body): what each order begins with, and what follows."""
    firm = order(name="#firm", company={"id": 7001, "name": "Firm Ltd"}, po_number="PO 77",
                 payment_terms={"due_in_days": 30, "payment_schedules": []})
    splitted, said = split()
    pickup = order(name="#pickup", lines=[line("Pot", "10.00", 2)])
    back, cut, whole, half = (order(name=f"#{name}", lines=[line("Pot", "10.00", 2)])
                              for name in ("back", "cut", "whole", "half"))
    later_paid, shipped, dropped = (order("pending", name=f"#{name}") for name in ("later", "shipped", "dropped"))
    paid = [
        order(name="#plain"), extras(), market(), odd_tax(), splitted, firm, back, cut, whole, half,
        order(name="#sale", lines=[line("Tea", discount="5.00", vendor="Acme", product_type="Kitchen")]),
        order(name="#book", lines=[line("Book", rate=None)], ship=[]),
        order(name="#card", lines=[line("Card", "50.00", 1, rate=None, gift_card=True)], ship=[]),
        two_moneys(order(name="#euro", payment_gateway_names=["wire"], presentment_currency="EUR")),
        total(order(name="#cents", ship=[]), "30.04"),
        order(name="#abroad", lines=[line("Vase", "10.00", 1, rate="0.22", tax_title="IVA")], ship=[],
              shipping_address={"country_code": "IT"}),
        order(name="#trial", test=True),
        order(name="#free", lines=[line("Gift", "5.00", 1, discount="5.00")], ship=[]),
        dated("2026-02-02", name="#old"), dated("2024-05-05", name="#locked"),
        order(name="#tagged", tags="Wholesale, via:Retail"), order(name="#counter", source_name="pos"),
        order(name="#cash", payment_gateway_names=["cash"]), ship(pickup, [(pickup["line_items"][0], 2)], done=True),
        order(name="#guest", customer=None, email="guest@example.com")]
    unpaid = [order("pending", name="#unpaid"), later_paid, shipped, dropped,
              order("partially_paid", name="#part", payment_gateway_names=["manual"], total_outstanding="24.80")]
    first = [("order_transactions/create", t) for t in said] + [("orders/paid", o) for o in paid]
    then = [("orders/paid", later(later_paid, updated_at="2026-11-05T10:00:00+00:00", financial_status="paid")),
            ("orders/fulfilled", ship(shipped, [(shipped["line_items"][0], 2)], done=True)),
            ("orders/cancelled", later(dropped, cancelled_at="2026-11-02T10:00:00+00:00", financial_status="voided")),
            ("orders/updated", refund(back, [(back["line_items"][0], 1)])),
            ("orders/updated", remove(cut, [(cut["line_items"][0], 1)])),
            ("orders/fulfilled", ship(whole, [(whole["line_items"][0], 2)], done=True)),
            ("orders/partially_fulfilled", ship(half, [(half["line_items"][0], 1)]))]
    return first + [("orders/create", o) for o in unpaid], then


# ---- the books, as far as they may be compared ----

UNLIKE = {"InvoiceID", "CreditNoteID", "LineItemID", "AccountID", "PaymentID", "AllocationID", "ContactID",
          "ContactNumber", "IsCustomer"}  # ids and hashes, and what follows from others
OPTIONAL = {"contact": ("EmailAddress", "AccountNumber"), "line": ("ItemCode", "DiscountAmount", "Tracking"),
            "document": ("BrandingThemeID", "Reference")}
NUMBER = re.compile(r"(?:SHOP-|web-)?([a-z]+)(?:-([ACR])\d+)?")


def plain(s, kind, record):
    """Its members as texts; those that are often absent are there, and empty."""
    def text(value):
        if isinstance(value, list):
            return ", ".join(f"{t['Name']}={t['Option']}" for t in value)
        return str(value).replace(s.domain.split(".")[0], "SHOP").replace(s.theme, "Web shop")
    empty = dict.fromkeys(OPTIONAL.get(kind, ()), "")
    return {**empty, **{k: text(v) for k, v in record.items()
                        if k not in UNLIKE and k not in ("LineItems", "Payments", "Allocations") and v is not None}}


def document(s, record):
    """A document with its lines, payments and allocations, each under a name."""
    out = plain(s, "document", record)
    for one in record["LineItems"]:
        named(out, f"line {one['Description']}", plain(s, "line", one))
    for one in record["Payments"]:
        named(out, f"payment {one['Reference'].split(' ')[1]}", plain(s, "payment", one))
    for i, one in enumerate(record["Allocations"]):
        named(out, f"allocation {i + 1}", plain(s, "allocation", one))
    return out


def named(out, name, value):
    assert name not in out, f"{name} twice"
    out[name] = value


def books(s, reasons, but=()):
    """{order: {document: ...}}, of an order without documents why; the contacts, but for those of
    the names in BUT and their documents."""
    held = s.books()
    out = {**reasons, "contact": {}}
    for record in [c for c in held["contacts"] if c["Name"] not in but]:
        name = record["Name"].replace(s.domain.split(".")[0], "SHOP")
        out["contact"][name] = plain(s, "contact", record)
    for name, number in (("invoices", "InvoiceNumber"), ("credit_notes", "CreditNoteNumber")):
        for record in [d for d in held[name] if d["ContactName"] not in but]:
            of, kind = NUMBER.fullmatch(record[number].replace(s.domain.split(".")[0], "SHOP")).groups()
            if not isinstance(out[of], dict):
                out[of] = {}
            named(out[of], kind or "invoice", document(s, record))
    for row in s.failed():
        told = f"{row['failed_export']}: {', '.join(row['catalogue'])}"
        of = row["exported_item"].split(" ")[0].removeprefix("#")
        if isinstance(out[of], dict):
            out[of]["failed"] = told
        else:
            out[of] = told
    return out


def summary(value):
    """A whole subtree in a few words."""
    if not isinstance(value, dict):
        return value
    if "Total" in value:
        left = value.get("AmountDue", value.get("RemainingCredit"))
        return f"{value['Status']} {value['Total']} of {value['Date']}, {left} left"
    if "LineAmount" in value:
        return f"{value['Quantity']} x {value['UnitAmount']} = {value['LineAmount']} on {value['AccountCode']}"
    if "Amount" in value:
        return f"{value['Amount']} of {value['Date']}"
    if "ContactStatus" in value:
        return f"{value['EmailAddress']} {value['AccountNumber']}".strip()
    return "; ".join(f"{k} {summary(v)}" for k, v in value.items())


def difference(base, changed, path=()):
    """{path: what it is now} of all that differs; of a whole that is new or gone, one line."""
    if base == changed:
        return {}
    if not (isinstance(base, dict) and isinstance(changed, dict)):
        return {"/".join(path): GONE if changed is None else summary(changed)}
    out = {}
    for key in sorted({*base, *changed}):
        out.update(difference(base.get(key), changed.get(key), (*path, key)))
    return out


def nodes(tree, path=()):
    """(path, value, what it is in) of each subtree and leaf."""
    for key, value in tree.items():
        yield (*path, key), value, tree
        if isinstance(value, dict):
            yield from nodes(value, (*path, key))


def expected(base, changes):
    """CHANGES with patterns applied to all that is in BASE, and functions to the value there and to
    what it is in. A later one goes before an earlier one."""
    out = {}
    for pattern, value in changes.items():
        parts, known = pattern.split("/"), False
        for path, old, around in nodes(base):
            if len(path) == len(parts) and all(map(fnmatch.fnmatchcase, path, parts)):
                new = value(old, around) if callable(value) else value
                out["/".join(path)], known = new if new != old else None, True
        if not known:
            assert "*" not in pattern, f"nothing in the base's books is {pattern}"
            out[pattern] = value
    return {path: value for path, value in out.items() if value is not None}


# ---- a store that lives through the day ----

BASE = {"settings": {"start_date": None, "prefix": ""}, "mappings": {
    "accounts": {**lib.DEFAULT_MAPPINGS["accounts"], "marketplace_tax": "205"},
    "taxes": {"by_rate": {"0.2": "OUTPUT2"}, "default": "T22", "exempt": "ZERORATEDOUTPUT"},
    "payments": {"default": "091", "gateways": {"wire": "092"}, "off": []}}}


def changed_by(fields):
    """The base's settings and mappings with FIELDS, {"mappings.taxes.default": "T22B"}."""
    out = copy.deepcopy(BASE)
    for path, value in fields.items():
        *groups, name = path.split(".")
        group = functools.reduce(dict.__getitem__, groups, out)
        group[name] = value
        if value is ABSENT:
            del group[name]
    return out


def prepare(s):
    """What the organisation has besides what every one has; its theme's id."""
    s.stack.sim.control("POST", "organisation", {
        "tenant": s.tenant, "limits": False, "period_lock_date": "2024-12-31",
        "tax_rates": [{"TaxType": name, "EffectiveRate": "22"} for name in ("T22", "T22B")]})
    s.stack.sim.control("POST", "act", {"tenant": s.tenant, "do": "add_item",
                                        "element": {"Code": "TEA", "Name": "Tea"}})
    client, secret, *_ = s.client
    sign = base64.b64encode(f"{client}:{secret}".encode()).decode()
    token = xero(s, "POST", "/connect/token", "grant_type=client_credentials", Authorization=f"Basic {sign}",
                 Content_Type="application/x-www-form-urlencoded")["access_token"]
    themes = xero(s, "GET", "/api.xro/2.0/BrandingThemes", Authorization=f"Bearer {token}", Accept="application/json",
                  Xero_Tenant_Id=s.tenant)["BrandingThemes"]
    s.theme = themes[1]["BrandingThemeID"]


def xero(s, method, path, body=None, **headers):
    _, _, raw = lib.request(s.stack.sim.address, method, path, body,
                            {name.replace("_", "-"): value for name, value in headers.items()})
    return json.loads(raw)


def play(s):
    """Sends the day, one lease a round, and returns the books that it leaves."""
    path, reasons = f"/connections/{s.connection}/", {}
    for events in the_day():
        assert s.stack.receiver.api("POST", path + "pause")[0] == 200
        for topic, body in events:
            status, answer = s.send(topic, body)
            assert status == 200 and answer["result"] in ("held", "skipped"), answer
            if "name" in body:
                reasons[body["name"].removeprefix("#")] = (
                    answer["reason"] if answer["result"] == "skipped" else NOTHING)
        assert s.stack.receiver.api("POST", path + "resume")[0] == 200
        s.idle()
    return books(s, reasons)


# ---- the rows ----

@dataclasses.dataclass
class Row:
    field: str  # "settings.due_days"
    value: typing.Any  # what it is set to; a function of the shop where only that knows it
    changes: dict  # {path or pattern: what it is now, or a function}
    under: dict = dataclasses.field(default_factory=dict)  # other fields, of both stores


def instead(old, new):
    """Where OLD is, NEW."""
    return lambda value, around: new if value == old else value


def every(reason, *but):
    """No order is in the books, but for those named, which stay as they are."""
    return {"*": lambda old, around: old if old is around["contact"] or any(old is around[k] for k in but) else reason}


def behind(text):
    return lambda old, around: text + old


NUMBERS = ("*/*/InvoiceNumber", "*/*/CreditNoteNumber", "*/*/payment*/InvoiceNumber", "*/*/payment*/CreditNoteNumber")
NOBODY = {"contact/*": GONE}
ADA_ALONE = {"contact/Firm Ltd": GONE, "contact/SHOP guest": GONE}
WHOLE = "invoice PAID 34.80 of 2026-11-01, 0.00 left"
OPEN = "invoice AUTHORISED 34.80 of 2026-11-01, 34.80 left"
PART = "invoice AUTHORISED 34.80 of 2026-11-01, 24.80 left"
ON = {"settings.sync_on_fulfilled": True}
DISCOUNTS = {"settings.discount_lines": True}
CLEARING = {"settings.marketplace_tax": "clearing_account"}
SINGLE = {"settings.contact": "single"}
KITCHEN = {"mappings.accounts.by_product_type": {"Kitchen": "270"}}
ACME = {**KITCHEN, "mappings.accounts.by_vendor": {"Acme": "270"}}
TEA = "sale/invoice/line Tea/AccountCode"
VASE = "abroad/invoice/line Vase/TaxType"

def without_money(status):
    """Documents in STATUS, and nothing is paid."""
    return {
        "*/*/payment*": GONE, "*/*/Status": status, "*/*/AmountPaid": "0.00",
        "*/invoice/AmountDue": lambda old, doc: doc["Total"], "*/[RC]/RemainingCredit": lambda old, doc: doc["Total"]}


def on(group, **rows):
    """Rows of a group of accounts: its value, and from which account to which lines move."""
    return [Row(f"mappings.accounts.{field}", value, {"*/*/line*/AccountCode": instead(old, new)})
            for field, (value, old, new) in rows.items()]


SETTINGS = [
    Row("accounting_system_invoice", False, {**every("accounting_invoice_off"), **NOBODY}),
    Row("auto_sync", "include_unpaid", {"unpaid": OPEN, "shipped": OPEN, "part": PART, "dropped":
                                        "invoice VOIDED 34.80 of 2026-11-01, 34.80 left"}),
    Row("auto_sync", "off", {**every("auto_sync_off", "trial", "dropped"), **NOBODY}),
    Row("sync_on_fulfilled", True, {"shipped": OPEN}),
    Row("only_sync_fulfilled", True, {**every("waiting_for_fulfilment", "whole", "half", "shipped", "trial", "dropped"),
                                      **ADA_ALONE, "pickup": "shipped_but_unannounced"}, ON),
    Row("sync_on_updated", False, {"cut/C": GONE}),
    Row("partially_paid_is_paid", True, {"part": PART}),
    Row("export_test_orders", True, {"trial": WHOLE}),
    Row("export_zero_value", False, {"free": "zero_value"}),
    Row("start_date", "2026-03-01", {"old": "before_start_date", "locked": "before_start_date"}),
    Row("exclude_tags", ["wholesale"], {"tagged": "filtered_tag"}),
    Row("exclude_sources", ["POS"], {"counter": "filtered_source"}),
    Row("exclude_gateways", ["Cash"], {"cash": "filtered_gateway"}),
    Row("exclude_gateways", ["voucher"], {"split": "filtered_gateway"}),
    Row("prefix", "web-", {pattern: behind("web-") for pattern in NUMBERS}),
    Row("prefix", ABSENT, {pattern: behind("SHOP-") for pattern in NUMBERS}),
    Row("reference", "{name} {po_number}", {"firm/invoice/Reference": "#firm PO 77"}),
    Row("reference", "Shop {name}", {"*/*/Reference": behind("Shop ")}),
    Row("invoice_date", "paid", {"later/invoice/Date": "2026-11-05", "later/invoice/DueDate": "2026-11-05",
                                 "old/invoice/Date": "2026-11-01", "old/invoice/DueDate": "2026-11-01",
                                 "locked": WHOLE}),
    Row("invoice_date", "fulfilled", {"pickup/invoice/Date": "2026-11-04", "pickup/invoice/DueDate": "2026-11-04",
                                      "pickup/invoice/payment order/Date": "2026-11-04"}),
    Row("due_days", 14, {"*/invoice/DueDate": lambda old, doc: {
        "2026-11-01": "2026-11-15", "2026-02-02": "2026-02-16"}.get(old, old)}),
    Row("status", "DRAFT", without_money("DRAFT")),
    Row("status", "SUBMITTED", without_money("SUBMITTED")),
    Row("quantities", "fulfilled", {
        **every(NOTHING, "whole", "half", "pickup", "trial", "unpaid", "dropped", "part", "shipped"), **ADA_ALONE,
        "half/invoice/line Pot/Quantity": "1.0000", "half/invoice/line Pot/LineAmount": "10.00",
        "half/invoice/line Pot/TaxAmount": "2.00", "half/invoice/SubTotal": "14.00", "half/invoice/TotalTax": "2.80",
        "half/invoice/Total": "16.80", "half/invoice/AmountPaid": "0.00", "half/invoice/AmountDue": "16.80",
        "half/invoice/Status": "AUTHORISED", "half/invoice/payment order": GONE}),
    Row("lock_date_policy", "next_open_day", {"locked": "invoice PAID 34.80 of 2025-01-01, 0.00 left"}),
    Row("contact", "single", {"*/*/ContactName": "SHOP", **NOBODY, "contact/SHOP": ""}),
    Row("contact_name", "Web sales", {"*/*/ContactName": "Web sales", "contact/SHOP": GONE, "contact/Web sales": ""},
        SINGLE),
    Row("contact_name", "Web sales", {}),
    Row("send_customer_code", True, {"contact/Ada Buyer/AccountNumber": "900000000001",
                                     "contact/Firm Ltd/AccountNumber": "7001"}),
    Row("record_payments", False, {**without_money("AUTHORISED"), "free/invoice/Status": "PAID"}),
    Row("currency", "presentment", {
        "euro/invoice/CurrencyCode": "EUR", "euro/invoice/CurrencyRate": "1.1400", "euro/invoice/SubTotal": "58.00",
        "euro/invoice/TotalTax": "11.60", "euro/invoice/Total": "69.60", "euro/invoice/AmountPaid": "69.60",
        "euro/invoice/line Mug/UnitAmount": "25.0000", "euro/invoice/line Mug/LineAmount": "50.00",
        "euro/invoice/line Mug/TaxAmount": "10.00", "euro/invoice/line Standard/UnitAmount": "8.0000",
        "euro/invoice/line Standard/LineAmount": "8.00", "euro/invoice/line Standard/TaxAmount": "1.60",
        "euro/invoice/payment order/Amount": "69.60", "euro/invoice/payment order/CurrencyRate": "1.1400"}),
    Row("discount_lines", True, {
        "sale/invoice/line Tea/DiscountAmount": "", "sale/invoice/line Tea/LineAmount": "25.00",
        "sale/invoice/line Tea/TaxAmount": "5.00", "sale/invoice/line Discount": "1.0000 x -5.0000 = -5.00 on 202",
        "free/invoice/line Gift/DiscountAmount": "", "free/invoice/line Gift/LineAmount": "5.00",
        "free/invoice/line Discount": "1.0000 x -5.0000 = -5.00 on 202"}),
    Row("item_codes", True, {"sale/invoice/line Tea/ItemCode": "TEA"}),
    Row("marketplace_tax", "clearing_account", {
        "market/invoice/line Tax collected by the marketplace": "1.0000 x 5.0000 = 5.00 on 205",
        "market/invoice/SubTotal": "55.00", "market/invoice/Total": "60.00", "market/invoice/AmountPaid": "60.00",
        "market/invoice/payment order/Amount": "60.00"}),
    Row("vat_rates", {"GB": "0.05", "*": "0.05"}, {}),  # of shops that do not state their taxes
    Row("rounding_limit", 3, {"cents": "Sales invoice: total-does-not-reconcile"}),
    Row("tax_amounts", "never", {
        "oddtax/invoice/line Nail/TaxAmount": "2.00", "oddtax/invoice/SubTotal": "9.98",
        "oddtax/invoice/TotalTax": "2.00", "oddtax/invoice/line Rounding": "1.0000 x -0.0100 = -0.01 on 860"}),
    Row("tracking", [{"category": "Region", "option": "North"}, {"category": "Channel", "tag_prefix": "VIA:"}],
        {"*/*/line*/Tracking": "Region=North", "tagged/*/line*/Tracking": "Region=North, Channel=Retail"}),
    *(Row("region", region, {}) for region in ("eu", "fe")),  # Amazon's alone
    Row("branding_theme", lambda s: s.theme, {"*/*/BrandingThemeID": "Web shop"}),
]
ACCOUNTS = [
    Row("default", "260", {"*/*/line*/AccountCode": instead("200", "260")}),
    *(Row(field, code, {"*/*/line*/AccountCode": instead(old, code)}) for field, old, code in (
        ("shipping", "201", "260"), ("tips", "203", "260"), ("duties", "204", "260"), ("fees", "270", "260"),
        ("gift_cards", "835", "260"), ("rounding", "860", "260"))),
    *(Row(field, None, {"*/*/line*/AccountCode": instead(old, "200")}) for field, old in (
        ("shipping", "201"), ("tips", "203"), ("duties", "204"), ("fees", "270"))),
    Row("gift_cards", None, {"card": "Sales invoice: account-invalid"}),
    Row("rounding", None, {"cents": "Sales invoice: account-invalid", "extras": "Sales invoice: account-invalid"}),
    Row("discounts", "260", {"*/*/line Discount/AccountCode": "260"}, DISCOUNTS),
    Row("discounts", "260", {}),
    Row("marketplace_tax", "835", {"market/invoice/line Tax*/AccountCode": "835"}, CLEARING),
    Row("marketplace_tax", "835", {}),
    Row("by_product_type", {"Kitchen": "260"}, {TEA: "260"}),
    Row("by_vendor", {"Acme": "260"}, {TEA: "260"}, KITCHEN),
    Row("by_sku", {"TEA": "260"}, {TEA: "260"}, ACME),
]
T20 = {"0.2": "OUTPUT2"}
BY_COUNTRY = {"mappings.taxes.by_country": {"IT": "T22"}}
BY_RATE = {**BY_COUNTRY, "mappings.taxes.by_rate": {**T20, "0.22": "T22"}}
TAXES = [
    Row("default", "T22B", {VASE: "T22B"}),
    Row("default", None, {"abroad": "Sales invoice: tax-unmapped"}),
    Row("by_country", {"IT": "T22B"}, {VASE: "T22B"}),
    Row("by_rate", {**T20, "0.22": "T22B"}, {VASE: "T22B"}, BY_COUNTRY),
    Row("by_title", {"IVA": "T22B"}, {VASE: "T22B"}, BY_RATE),
    Row("exempt", "EXEMPTOUTPUT", {"*/*/line*/TaxType": instead("ZERORATEDOUTPUT", "EXEMPTOUTPUT")}),
]
PAYMENTS = [
    Row("default", "090", {"*/*/payment*/AccountCode": instead("091", "090")}),
    Row("gateways", {"wire": "092", "Voucher": "835"}, {"split/invoice/payment 5001/AccountCode": "835"}),
    Row("off", ["Voucher"], {"split/invoice/payment 5001": GONE, "split/invoice/Status": "AUTHORISED",
                             "split/invoice/AmountPaid": "24.80", "split/invoice/AmountDue": "10.00"}),
    Row("off", ["cash"], {"cash/invoice/payment order": GONE, "cash/invoice/Status": "AUTHORISED",
                          "cash/invoice/AmountPaid": "0.00", "cash/invoice/AmountDue": "34.80"}),
]
ROWS = [dataclasses.replace(row, field=f"{group}.{row.field}") for group, rows in (
    ("settings", SETTINGS), ("mappings.accounts", ACCOUNTS), ("mappings.taxes", TAXES),
    ("mappings.payments", PAYMENTS)) for row in rows]


# ---- the tests ----

@pytest.fixture
def base_books(shop):
    """The books of a store with the base settings and a row's others; kept while the process lives."""
    def made(under):
        key = json.dumps(under, sort_keys=True)
        if key not in KEPT:
            KEPT[key] = play(store(shop, under))
        return KEPT[key]
    return made


KEPT = {}


def store(shop, fields):
    """A store with the base's settings, and FIELDS."""
    s = shop(**BASE)
    prepare(s)
    settled = changed_by({k: v(s) if callable(v) else v for k, v in fields.items()})
    status, answer = s.put(**settled)
    assert status == 200, answer
    return s


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_a_setting_changes_what_it_says_and_nothing_else(row, shop, base_books):
    base = base_books(row.under)
    changed = play(store(shop, {**row.under, row.field: row.value}))
    assert difference(base, changed) == expected(base, row.changes)


def fields_of(document, path=""):
    """The fields of a store's document as GET shows it: {"settings.due_days": 0}."""
    out = {}
    for key, value in document.items():
        group = path == "" or path == "mappings."
        out.update(fields_of(value, f"{path}{key}.") if group else {path + key: value})
    return out


def test_each_field_of_a_store_and_each_of_its_words_has_a_row(shop, stack):
    s = shop(**BASE)
    _, shown = stack.receiver.api("GET", f"/stores/shopify/{s.domain}")
    fields = fields_of({group: shown[group] for group in ("settings", "mappings")})
    assert set(fields) == {row.field for row in ROWS}
    _, _, text = lib.request(stack.receiver.api_address, "GET", "/api/v1/openapi.json",
                             headers={"Authorization": f"Bearer {lib.SUPPORT}"})
    described = Description(text).doc["components"]["schemas"]["Settings"]["properties"]
    for name, value in shown["settings"].items():
        words = described[name].get("enum") or ([False, True] if isinstance(value, bool) else [])
        shown_here = [value] + [row.value for row in ROWS if row.field == f"settings.{name}"]
        assert all(word in shown_here for word in words), name


# What decides which orders are exported at all, and how.
NOT_NOW = ("auto_sync", "accounting_system_invoice", "sync_on_fulfilled", "only_sync_fulfilled", "sync_on_updated",
           "partially_paid_is_paid", "export_test_orders", "status", "record_payments", "lock_date_policy")


def test_what_is_in_the_books_stays_as_it_was_written_when_settings_change(shop):
    s = store(shop, {})
    before = play(s)
    fields = {row.field: row.value(s) if callable(row.value) else row.value for row in ROWS
              if row.value not in (None, ABSENT) and row.field.split(".")[-1] not in NOT_NOW}
    assert s.put(**changed_by(fields))[0] == 200
    latest = {body["id"]: body for events in the_day() for _, body in events if "name" in body}
    for body in latest.values():
        assert s.send("orders/updated", {**body, "note": "gift", "updated_at": "2026-11-06T10:00:00+00:00"})[0] == 200
    s.idle()
    reasons = {name: value if isinstance(value, str) else NOTHING for name, value in before.items()}
    assert difference(before, books(s, reasons)) == {}
