"""Every failure that a person can mend: the right row, nothing half-made, and once it is mended as the row
says and exported again, the same books as if nothing had been wrong.

Each case sends an order's events into two shops. In one of them something is wrong from a certain event
on; the row of the failed list is read there, then a person mends it, in Xero or in the store's settings,
and the row is exported again. The other shop never had the trouble: both books have to be the same.
"""

import dataclasses
import typing

import pytest

import lib
from steps import add, refund, remove, two_lines
from orders import later, line, order
from test_catalogue import act, api, catalogue, organisation
from test_documents import CANCELLED, export, fails, violations
from test_settings_live import NOTHING, books, changed_by, difference, expected, store, summary

UNPAID = {"settings.auto_sync": "include_unpaid"}
NEXT_DAY = {"settings.lock_date_policy": "next_open_day"}
NO_DEFAULT = {"mappings.taxes.default": None}
JAR = {"mappings.accounts.by_sku": {"JAR": "260"}}
PAID = {"financial_status": "paid", "updated_at": "2026-11-05T10:00:00+00:00"}


# ---- what is wrong, and how a person mends it ----

def lock(s):
    organisation(s, period_lock_date="2026-11-15")


def unlock(s):
    organisation(s, period_lock_date="2024-12-31")


def strangers_invoice(s, number="mug"):
    """Somebody else's invoice has the number that ours would get."""
    who = act(s, "add_contact", element={"Name": "Stranger"})["ContactID"]
    act(s, "add_invoice", element={
        "InvoiceNumber": number, "Contact": {"ContactID": who}, "Date": "2026-11-01", "DueDate": "2026-11-01",
        "Status": "AUTHORISED", "LineAmountTypes": "Exclusive",
        "LineItems": [{"Description": "x", "Quantity": 1, "UnitAmount": 1, "AccountCode": "200"}]})


def rename_stranger(s):
    (theirs,) = [i for i in s.invoices() if i["ContactName"] == "Stranger"]
    act(s, "edit_invoice", invoice_id=theirs["InvoiceID"], element={"InvoiceNumber": "theirs"})


def did(what, **more):
    """An act of a person in Xero."""
    return lambda s: act(s, what, **more)


def pay_ten(s):
    act(s, "pay_invoice", invoice_number="mug", amount="10.00")


def take_back(s):
    (payment,) = [p for p in s.books()["payments"] if p["Amount"] == "10.00"]
    act(s, "delete_payment", payment_id=payment["PaymentID"])


# ---- the orders: three mugs, two teas, shipping: 52.80; one mug is 12.00 ----

def mug(status="paid", **more):
    return order(status, name="#mug", lines=two_lines(), **more)


def less(body):
    return remove(body, [(body["line_items"][0], 1)])


def back(body, **more):
    return refund(body, [(body["line_items"][0], 1)], **more)


def with_jar(body, tax_title="VAT", rate="0.2"):
    return add(body, line("Jar", "2.00", 1, rate=rate, tax_title=tax_title))


def paid(body):
    return later(body, **PAID)


def dearer(body, amount):
    """The body with a total that its parts do not come to."""
    return {**body, "total_price": amount, "current_total_price": amount}


def life(body, *changes):
    """The order's events, from its first: after each change it is sent again."""
    events = [("orders/paid" if body["financial_status"] == "paid" else "orders/create", body)]
    for change in changes:
        events.append(("orders/updated", change(events[-1][1])))
    return events


# ---- the cases ----

@dataclasses.dataclass
class Case:
    about: str
    row: str
    words: tuple  # of the message: Xero's or ours
    events: list  # the last one fails
    wrong: typing.Any = None  # before the last event: a person's act in Xero, or settings that are set
    mend: typing.Any = None  # the same afterwards
    document: str = "Sales invoice"
    fields: dict = dataclasses.field(default_factory=dict)  # settings of both shops, all the time
    half: dict = dataclasses.field(default_factory=dict)  # what of the event is in the books all the same
    differs: dict = dataclasses.field(default_factory=dict)  # from the shop without the trouble, at the end
    ready: typing.Callable = lambda s: None  # done in that shop before all


ADA = {"contact/Ada Buyer": "ada@example.com"}
LOCKED = ("The document date cannot be before the period lock date, currently set at 15-Nov-2026",)
MOVED = {"mug/R/Date": "2026-11-16", "mug/R/Reference": "#mug (dated 2026-11-03)"}

CASES = [
    Case("a line that an edit adds has an unmapped tax", "tax-unmapped",
         ('[TaxCode Odd] is not mapped to an accounting tax: map the title "Odd" (mappings.taxes.by_title) or the '
          "rate 0.07 (mappings.taxes.by_rate).",),
         life(mug("pending"), lambda o: with_jar(o, "Odd", "0.07")), fields={**UNPAID, **NO_DEFAULT},
         mend={"mappings.taxes.by_title": {"Odd": "TAX005"}}),
    Case("a line that an edit adds after payment has an archived account", "account-archived",
         ("Account code '260' has been archived, or has been deleted. Each line item must reference a valid account.",),
         life(mug(), with_jar), did("archive_account", code="260"), did("restore_account", code="260"),
         fields={**UNPAID, **JAR}),
    Case("the account of what is refunded was archived", "account-archived",
         ("Account code '200' has been archived, or has been deleted. Each line item must reference a valid account.",),
         life(mug(), back), did("archive_account", code="200"), did("restore_account", code="200"), "Credit note"),
    Case("a stranger's invoice has the number, and is renamed", "number-taken", ("Invoice # must be unique.",),
         life(mug()), strangers_invoice, rename_stranger, half=ADA),
    Case("a stranger's invoice has the number, and the store takes a prefix", "number-taken",
         ("Invoice # must be unique.",), life(mug()), strangers_invoice, {"settings.prefix": "web-"}, half=ADA),
    Case("a further invoice's number is a stranger's", "number-taken", ("Invoice # must be unique.",),
         life(mug(), with_jar), lambda s: strangers_invoice(s, "mug-A1"), rename_stranger, fields=UNPAID),
    Case("a refund of a period that was locked, and is unlocked", "lock-date", LOCKED, life(mug(), back), lock, unlock,
         "Credit note"),
    Case("a refund of a period that was locked, and may go into the next", "lock-date", LOCKED, life(mug(), back), lock,
         NEXT_DAY, "Credit note", differs={
             **MOVED, "mug/R/payment*/Date": "2026-11-16"}),
    Case("a payment of a period that was locked, and is unlocked", "lock-date", LOCKED, life(mug("pending"), paid),
         lock, unlock, "Payment", UNPAID),
    Case("a payment of a period that was locked, and may go into the next", "lock-date", LOCKED,
         life(mug("pending"), paid), lock, NEXT_DAY, "Payment", UNPAID,
         differs={"mug/invoice/payment order/Date": "2026-11-16"}),
    Case("an invoice of a period that was locked, and may go into the next", "lock-date", LOCKED, life(mug()), lock,
         NEXT_DAY, half=ADA, differs={
             "mug/invoice/Date": "2026-11-16", "mug/invoice/DueDate": "2026-11-16",
             "mug/invoice/Reference": "#mug (dated 2026-11-01)", "mug/invoice/payment order/Date": "2026-11-16"}),
    Case("an edit of an invoice in a period that was locked, and is unlocked", "lock-date", LOCKED,
         life(mug("pending"), less), lock, unlock, fields=UNPAID),
    Case("a person changed the invoice before payment", "changed-in-xero", ("quantity", "3.00", "7.00"),
         life(mug("pending"), less), did("edit_invoice", invoice_number="mug", line=0, line_element={"Quantity": 7}),
         did("edit_invoice", invoice_number="mug", line=0, line_element={"Quantity": 3}), fields=UNPAID),
    Case("a person changed the invoice after payment", "changed-in-xero", ("reference", "see me"), life(mug(), less),
         did("annotate_invoice", invoice_number="mug", element={"Reference": "see me"}),
         did("annotate_invoice", invoice_number="mug", element={"Reference": "#mug"})),
    Case("a stranger's payment keeps a cancelled order's invoice", "paid-by-others", ("10.00",),
         life(mug("pending"), lambda o: later(o, financial_status="voided", **CANCELLED)), pay_ten, take_back,
         "Credit note", UNPAID),
    Case("the contact was archived before a refund", "contact-archived", ("has been archived",), life(mug(), back),
         did("archive_contact", name="Ada Buyer"), did("restore_contact", name="Ada Buyer"), "Credit note"),
    Case("the contact was archived before an edit", "contact-archived", ("has been archived",),
         life(mug("pending"), less), did("archive_contact", name="Ada Buyer"), did("restore_contact", name="Ada Buyer"),
         fields=UNPAID),
    Case("money cannot be paid back from the account", "payment-account-type",
         ("Account type is invalid for making a payment to/from.",), life(mug(), back),
         {"mappings.payments.default": "260"}, {"mappings.payments.default": "091"}, "Payment",
         half={"mug/R": "AUTHORISED 12.00 of 2026-11-03, 12.00 left"}),
    Case("the tracking option is unknown", "tracking-invalid",
         ("The tracking category 'Region' with option 'West' could not be found.",), life(mug()),
         mend=did("add_tracking_option", category="Region", option="West"),
         fields={"settings.tracking": [{"category": "Region", "option": "West"}]}, half=ADA,
         ready=did("add_tracking_option", category="Region", option="West")),
    Case("the tracking option was renamed before a refund", "tracking-invalid",
         ("The tracking category 'Region' with option 'North' could not be found.",), life(mug(), back),
         did("rename_tracking_option", category="Region", option="North", new_name="Nord"),
         did("rename_tracking_option", category="Region", option="Nord", new_name="North"), "Credit note",
         fields={"settings.tracking": [{"category": "Region", "option": "North"}]}),
    Case("the currency of a further invoice was taken away", "currency-missing", ("not subscribed to currency EUR",),
         life(mug(currency="EUR", payment_gateway_names=["wire"]), with_jar),
         lambda s: organisation(s, currencies=["GBP"]), lambda s: organisation(s, currencies=["GBP", "EUR"]),
         fields={**UNPAID, "mappings.payments.default": "092"}),
    Case("the sums do not add up, and the limit is raised", "total-does-not-reconcile", ("53.20", "52.80"),
         life(dearer(mug(), "53.20")), mend={"settings.rounding_limit": 50}),
    Case("rounding has no account", "account-invalid", ("mappings.accounts.rounding",), life(dearer(mug(), "52.82")),
         {"mappings.accounts.rounding": None}, {"mappings.accounts.rounding": "860"}),
]


# ---- the tests ----

def do(s, what, fields):
    """A person's act in Xero, or settings: beside FIELDS, those that WHAT names."""
    if callable(what):
        what(s)
    elif what is not None:
        assert s.put(**changed_by({**fields, **what}))[0] == 200


def now(s):
    return books(s, {"mug": NOTHING}, but=("Stranger",))


def seen_again(s, body):
    """The shop tells of the failed order again; it fails again, in the same row."""
    before = s.record(body["id"])["rev"]
    at = f"{body['updated_at'][:10]}T11:00:00+00:00"
    assert s.send("orders/updated", {**body, "note": "gift", "updated_at": at})[0] == 200

    def failed_again():
        record = s.record(body["id"])
        return record["st"] == "failed" and record["rev"] != before
    lib.wait_until(failed_again, "the order fails again")
    assert len(s.failed()) == 1


def export_nothing(s, body):
    """The shop tells of an order of which there is nothing to export."""
    assert s.send("orders/updated", body)[0] == 200
    s.idle()


def export_again(s, row):
    answer = api(s, "POST", f"/failed/{row['id']}/export?wait=20", {})
    assert (answer["exported"], answer["failed"], answer["waiting"]) == (1, 0, 0), answer
    assert s.failed() == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about.replace(" ", "-"))
def test_what_fails_is_told_mended_and_then_as_if_it_had_never_been(case, shop):
    s = store(shop, case.fields)
    *first, last = case.events
    for topic, body in first:
        export(s, topic, body)
    do(s, case.wrong, case.fields)
    before = now(s)
    row, explained = fails(s, *last), catalogue(s.stack)[case.row]
    assert (row["failed_export"], row["catalogue"]) == (case.document, [case.row])
    assert all(any(word in text for text in row["export_error"]) for word in case.words), row["export_error"]
    assert (row["action_required"], row["fix_in"]) == ([explained["action"]], explained["fix_in"])
    told = f"{case.document}: {case.row}"
    assert difference(before, now(s)) == {"mug/failed" if first else "mug": told, **case.half}
    seen_again(s, last[1])
    assert difference(before, now(s)) == {"mug/failed" if first else "mug": told, **case.half}
    do(s, case.mend, case.fields)
    export_again(s, row)
    twin = store(shop, {**case.fields, **(case.mend if isinstance(case.mend, dict) else {})})
    case.ready(twin)
    for topic, body in case.events:
        export(twin, topic, body)
    assert difference(now(twin), now(s)) == expected(now(twin), case.differs)
    assert violations(s) == []


def test_a_refund_that_does_not_add_up_is_entered_by_hand_and_stays_away_once_dismissed(shop):
    s, body = store(shop, {}), mug()
    export(s, "orders/paid", body)
    before, refunded = now(s), {**back(body, amount="5.00"), "total_outstanding": "-7.00"}
    row = fails(s, "orders/updated", refunded)
    assert (row["failed_export"], row["catalogue"]) == ("Credit note", ["refund-does-not-reconcile"])
    assert all(word in row["export_error"][0] for word in (
        str(refunded["refunds"][0]["id"]), "gave back 5.00 GBP", "comes to 12.00", "lines 10.00", "tax 2.00"))
    assert difference(before, now(s)) == {"mug/failed": "Credit note: refund-does-not-reconcile"}
    (contact,) = s.books()["contacts"]
    act(s, "add_credit_note", element={
        "CreditNoteNumber": "mug-R1", "Contact": {"ContactID": contact["ContactID"]}, "Date": "2026-11-03",
        "Status": "AUTHORISED", "LineAmountTypes": "Inclusive", "LineItems": [
            {"Description": "Mug", "Quantity": 1, "UnitAmount": 5, "AccountCode": "200", "TaxType": "OUTPUT2"}]})
    assert s.stack.receiver.api("DELETE", f"/failed/{row['id']}")[0] == 204
    by_hand = now(s)
    export_nothing(s, later(refunded, note="gift"))
    assert s.failed() == []
    assert difference(by_hand, now(s)) == {}


def test_a_refund_that_the_shop_explains_afterwards_mends_itself(shop):
    s, twin, body = store(shop, {}), store(shop, {}), mug()
    refunded = {**back(body, amount="9.50"), "total_outstanding": "-2.50"}
    for one in (s, twin):
        export(one, "orders/paid", body)
    fails(s, "orders/updated", refunded)
    explained = later(refunded, current_total_price="43.30", total_outstanding="0.00")
    explained["refunds"] = [{**refunded["refunds"][0], "order_adjustments": [
        {"id": 77, "kind": "refund_discrepancy", "amount": "2.50", "tax_amount": "0.00"}]}]
    for one in (s, twin):
        export(one, "orders/updated", explained)
    assert s.failed() == []
    assert difference(now(twin), now(s)) == {}
    assert summary(now(s)["mug"]) == "invoice PAID 52.80 of 2026-11-01, 0.00 left; R PAID 9.50 of 2026-11-03, 0.00 left"


def test_sums_that_the_shop_corrects_afterwards_mend_themselves(shop):
    s, body = store(shop, {}), mug()
    row = fails(s, "orders/paid", dearer(body, "53.20"))
    assert row["catalogue"] == ["total-does-not-reconcile"] and s.invoices() == []
    export(s, "orders/updated", later(body))
    assert s.failed() == []
    assert summary(now(s)["mug"]) == "invoice PAID 52.80 of 2026-11-01, 0.00 left"


@pytest.mark.parametrize("tiny", [
    line("Pin", "0.00", 1), line("Pin", "0.01", 1, discount="0.01"), line("Pin", "0.004", 1, rate=None)],
    ids=["free", "discounted", "under-a-cent"])
def test_a_line_that_comes_to_nothing_does_not_stop_the_order(tiny, shop):
    """Xero refuses such lines where their amounts have more decimals than it keeps: ours have not."""
    s, body = store(shop, {}), order(name="#mug", lines=[*two_lines(), tiny])
    body.update(total_price="52.80", current_total_price="52.80")
    export(s, "orders/paid", body)
    assert summary(now(s)["mug"]) == "invoice PAID 52.80 of 2026-11-01, 0.00 left"
    assert "line Pin" in now(s)["mug"]["invoice"]
