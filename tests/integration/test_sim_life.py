"""The life of a document in the simulator of Xero: edited, paid, credited, taken back, locked; what
a person does meanwhile; items and their stock; contacts that are found, merged and withdrawn.
"""

import sys
import urllib.parse

import pytest

from simclient import (
    EACH,
    SIM,
    TENANT,
    UNKNOWN,
    VERDICTS,
    allocate,
    invoice,
    line,
    messages,
    note,
    server,
    sim,
)

__all__ = ["server", "sim"]  # fixtures

LOCKED = "This document cannot be edited as it has a payment or credit note allocated to it."
EXCEEDS = "Payment amount exceeds the amount outstanding on this document"


def act(sim, do, **more):
    return sim.control("POST", "act", {"do": do, **more})


def refused_act(sim, do, **more):
    reply = sim.call("POST", "/_sim/act", {"do": do, **more})
    assert reply.status == 422, reply.raw
    return reply.json["error"]


def stored(sim, path):
    """The document at this address, as Xero shows it."""
    return sim.xero("GET", path + "?unitdp=4").json[path.partition("/")[0]][0]


def post(sim, resource, **element):
    """The verdict on one changed document."""
    return sim.xero("POST", resource + EACH, {resource: [element]}).json[resource][0]


def pay_note(sim, note_id, amount, **fields):
    return sim.pay(None, amount, Invoice=None, CreditNote={"CreditNoteID": note_id}, **fields)


def listed(sim, resource, where, more=""):
    target = f"{resource}?where={urllib.parse.quote(where)}{more}"
    reply = sim.xero("GET", target)
    assert reply.status == 200, reply.raw
    return reply.json[resource]


# -- edits of an invoice --------------------------------------------------------------------------


def test_lines_are_named_by_their_id(sim):
    made = sim.invoice(sim.contact(), LineItems=[line(DiscountAmount=1), line(Description="b")])
    first, second = (one["LineItemID"] for one in made["LineItems"])
    after = post(
        sim,
        "Invoices",
        InvoiceID=made["InvoiceID"],
        LineItems=[
            {"LineItemID": second, "AccountCode": "260"},
            {"LineItemID": first, "DiscountRate": 50},
            line(Description="new"),
        ],
    )
    assert messages(after) == []
    ids = [one["LineItemID"] for one in after["LineItems"]]
    assert ids[:2] == [second, first] and ids[2] not in (first, second)
    assert [one["AccountCode"] for one in after["LineItems"]] == ["260", "200", "200"]
    assert [str(one["LineAmount"]) for one in after["LineItems"]] == ["10.00", "5.00", "10.00"]
    assert "DiscountAmount" not in after["LineItems"][1]
    other = sim.invoice(made["Contact"]["ContactID"], InvoiceNumber="S-2")
    for stranger in (other["LineItems"][0]["LineItemID"], UNKNOWN):
        found = post(
            sim,
            "Invoices",
            InvoiceID=made["InvoiceID"],
            LineItems=[{"LineItemID": stranger, "Quantity": 2}],
        )
        assert messages(found) == [f"The line item {stranger} could not be found on this document."]
    twice = [{"LineItemID": first}, {"LineItemID": first}]
    assert messages(post(sim, "Invoices", InvoiceID=made["InvoiceID"], LineItems=twice))
    assert str(stored(sim, f"Invoices/{made['InvoiceID']}")["Total"]) == "30.00"


def test_a_changed_line_has_its_tax_computed_again_unless_it_is_sent(sim):
    made = sim.invoice(sim.contact(), LineItems=[line(TaxAmount=1.99)])
    me, line_id = made["InvoiceID"], made["LineItems"][0]["LineItemID"]
    assert str(made["TotalTax"]) == "1.99"
    kept = post(sim, "Invoices", InvoiceID=me, Reference="x")
    assert str(kept["TotalTax"]) == "1.99"
    changed = {"LineItemID": line_id, "Description": "Cup", "TaxAmount": 1.98}
    assert str(post(sim, "Invoices", InvoiceID=me, LineItems=[changed])["TotalTax"]) == "1.98"
    del changed["TaxAmount"]
    assert str(post(sim, "Invoices", InvoiceID=me, LineItems=[changed])["TotalTax"]) == "2.00"


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([line(), line(UnitAmount=-10)], ("0.00", "PAID")),
        ([line(), line(UnitAmount=-4, TaxAmount=-0.79)], ("7.21", "AUTHORISED")),
        ([line(UnitAmount=0)], ("0.00", "PAID")),
        ([line(UnitAmount=-0.01)], "The Total for this document must be greater than or equal to"),
        ([line(TaxAmount=10.01)], "The tax amount cannot be greater than the line amount!"),
        (
            [line(), line(UnitAmount=-1, TaxAmount=-1.01)],
            "The tax amount cannot be greater than the line amount!",
        ),
        ([line(UnitAmount=0, TaxAmount=0.01)], "The tax amount cannot be greater than the line"),
    ],
)
@pytest.mark.parametrize("kind", ["invoice", "note"])
def test_negative_lines_and_nothing_to_pay(sim, kind, lines, expected):
    make = sim.invoice if kind == "invoice" else lambda *a, **b: note(sim, *a, **b)
    made = make(sim.contact(), LineItems=lines)
    if isinstance(expected, str):
        assert len(messages(made)) == 1 and messages(made)[0].startswith(expected)
    else:
        assert (str(made["Total"]), made["Status"]) == expected


def test_a_document_of_nothing_is_paid_and_stays_as_it_is(sim):
    contact = sim.contact()
    made = sim.invoice(contact, LineItems=[line(UnitAmount=0)])
    assert "FullyPaidOnDate" in made and str(made["AmountDue"]) == "0.00"
    assert messages(post(sim, "Invoices", InvoiceID=made["InvoiceID"], Status="VOIDED")) == [
        "Invoice not of valid status for modification"
    ]
    assert EXCEEDS in messages(sim.pay(made["InvoiceID"], 0.01))


# -- credit notes ---------------------------------------------------------------------------------


def test_credit_notes_are_created_and_changed(sim):
    contact = sim.contact()
    made = note(sim, contact, LineItems=[line(UnitAmount=1.2345, Quantity=2)], Reference="r")
    me = made["CreditNoteID"]
    assert str(made["LineItems"][0]["UnitAmount"]) == "1.2345" and str(made["Total"]) == "2.96"
    assert (made["Status"], made["Reference"], str(made["RemainingCredit"])) == (
        "AUTHORISED",
        "r",
        "2.96",
    )
    kept = {"LineItemID": made["LineItems"][0]["LineItemID"], "Quantity": 1}
    after = post(sim, "CreditNotes", CreditNoteID=me, LineItems=[kept, line(Description="b")])
    assert (messages(after), str(after["Total"])) == ([], "13.48")
    assert messages(post(sim, "CreditNotes", CreditNoteID=UNKNOWN, Reference="x")) == [
        "An existing Credit Note with the specified CreditNoteID could not be found"
    ]
    assert sim.xero("GET", f"CreditNotes/{me}").json["CreditNotes"][0]["CreditNoteNumber"] == (
        "S-1-R1"
    )
    assert sim.xero("GET", "CreditNotes/s-1-r1?unitdp=4").status == 200
    assert sim.xero("GET", f"CreditNotes/{UNKNOWN}").status == 404


@pytest.mark.parametrize("member", ["DiscountAmount", "DiscountRate"])
def test_credit_notes_take_no_discount(sim, member):
    contact = sim.contact()
    no_discounts = "Discounts cannot be applied to credit notes."
    assert messages(note(sim, contact, LineItems=[line(**{member: 0})])) == [no_discounts]
    me = note(sim, contact)["CreditNoteID"]
    changed = post(sim, "CreditNotes", CreditNoteID=me, LineItems=[line(**{member: 1})])
    assert messages(changed) == [no_discounts]


@pytest.mark.parametrize(
    "status, after", [("DRAFT", "DELETED"), ("SUBMITTED", "DELETED"), ("AUTHORISED", "VOIDED")]
)
def test_credit_notes_on_which_nothing_stands_are_taken_back(sim, status, after):
    me = note(sim, sim.contact(), Status=status)["CreditNoteID"]
    wrong = {"VOIDED": "DELETED", "DELETED": "VOIDED"}[after]
    assert messages(post(sim, "CreditNotes", CreditNoteID=me, Status=wrong)) == [
        "Credit Note not of valid status for modification"
    ]
    assert post(sim, "CreditNotes", CreditNoteID=me, Status=after)["Status"] == after
    assert messages(post(sim, "CreditNotes", CreditNoteID=me, Status="AUTHORISED")) == [
        "Credit Note not of valid status for modification"
    ]


def test_credit_notes_are_locked_by_what_they_settle(sim):
    contact = sim.contact()
    me, mine = note(sim, contact)["CreditNoteID"], sim.invoice(contact)["InvoiceID"]
    made = allocate(sim, me, mine, 1)
    voiding = (
        "The status VOIDED cannot be applied to the credit note because it has payments or credit "
        "notes allocated to it."
    )
    assert messages(post(sim, "CreditNotes", CreditNoteID=me, Status="VOIDED")) == [voiding]
    assert messages(post(sim, "CreditNotes", CreditNoteID=me, Reference="x")) == [LOCKED]
    assert messages(post(sim, "Invoices", InvoiceID=mine, Reference="x")) == [LOCKED]
    sim.xero("DELETE", f"CreditNotes/{me}/Allocations/{made['AllocationID']}")
    paid = pay_note(sim, me, 1)
    assert messages(post(sim, "CreditNotes", CreditNoteID=me, Status="VOIDED")) == [voiding]
    sim.xero("POST", f"Payments/{paid['PaymentID']}", {"Status": "DELETED"})
    assert post(sim, "CreditNotes", CreditNoteID=me, Status="VOIDED")["Status"] == "VOIDED"
    assert post(sim, "Invoices", InvoiceID=mine, Reference="x")["Reference"] == "x"


def test_credit_notes_are_found_by_number(sim):
    contact = sim.contact()
    for number in ("A-R1", "A-R2", "B-R1"):
        note(sim, contact, CreditNoteNumber=number)
    both = 'CreditNoteNumber=="a-r1" OR CreditNoteNumber=="B-R1" OR CreditNoteNumber=="C"'
    found = listed(sim, "CreditNotes", both, "&page=1&unitdp=4")
    assert [one["CreditNoteNumber"] for one in found] == ["A-R1", "B-R1"]
    assert len(found[0]["LineItems"]) == 1 and found[0]["Payments"] == found[0]["Allocations"] == []
    assert str(found[0]["LineItems"][0]["UnitAmount"]) == "10.0000"
    assert listed(sim, "CreditNotes", both)[0]["LineItems"] == []
    both = f'Contact.ContactID==Guid("{contact}") AND CreditNoteNumber=="A-R2"'
    assert [one["CreditNoteNumber"] for one in listed(sim, "CreditNotes", both)] == ["A-R2"]
    assert sim.xero("GET", "CreditNotes?page=2&pageSize=2").json["pagination"]["itemCount"] == 3
    assert sim.control("GET", "violations")["violations"] == []
    sim.xero("GET", "CreditNotes?searchTerm=A")
    assert sim.control("GET", "violations")["violations"][0]["kind"] == "unknown_parameter"


# -- allocations ----------------------------------------------------------------------------------


def allocations(sim, note_id, *elements):
    body = {"Allocations": [{"Date": "2026-11-03", **element} for element in elements]}
    target = f"CreditNotes/{note_id}/Allocations?summarizeErrors=false"
    return sim.xero("PUT", target, body).json["Allocations"]


def test_several_allocations_in_one_call(sim):
    contact = sim.contact()
    ids = [sim.invoice(contact, InvoiceNumber=f"S-{n}")["InvoiceID"] for n in (1, 2, 3)]
    me = note(sim, contact, LineItems=[line(UnitAmount=20)])["CreditNoteID"]
    found = allocations(
        sim,
        me,
        {"Invoice": {"InvoiceID": ids[0]}, "Amount": 12},
        {"Invoice": {"InvoiceID": ids[1]}, "Amount": 8.5},
        {"Invoice": {"InvoiceNumber": "S-3"}, "Amount": 4},
        {"Invoice": {"InvoiceID": ids[2]}, "Amount": 3.5},
    )
    assert [messages(one) for one in found] == [
        [],
        [],
        ["The amount allocated exceeds the credit remaining on this credit note"],
        [],
    ]
    after = stored(sim, f"CreditNotes/{me}")
    assert (after["Status"], str(after["RemainingCredit"])) == ("PAID", "0.00")
    assert [
        (one["Invoice"]["InvoiceNumber"], str(one["Amount"])) for one in after["Allocations"]
    ] == [
        ("S-1", "12.00"),
        ("S-2", "8.50"),
        ("S-3", "3.50"),
    ]
    first, second = (stored(sim, f"Invoices/{one}") for one in ids[:2])
    assert (first["Status"], second["Status"]) == ("PAID", "AUTHORISED")
    assert (str(second["AmountCredited"]), str(second["AmountDue"])) == ("8.50", "3.50")
    assert str(second["AmountPaid"]) == "0.00"
    assert [
        (one["CreditNoteNumber"], str(one["AppliedAmount"])) for one in second["CreditNotes"]
    ] == [("S-1-R1", "8.50")]
    gone = after["Allocations"][0]["AllocationID"]
    reply = sim.xero("DELETE", f"CreditNotes/{me}/Allocations/{gone}")
    assert reply.json["Allocations"][0]["IsDeleted"] is True
    assert sim.xero("DELETE", f"CreditNotes/{me}/Allocations/{gone}").status == 404
    after = stored(sim, f"CreditNotes/{me}")
    assert (after["Status"], str(after["RemainingCredit"])) == ("AUTHORISED", "12.00")
    assert "FullyPaidOnDate" not in after
    assert stored(sim, f"Invoices/{ids[0]}")["Status"] == "AUTHORISED"


@pytest.mark.parametrize(
    "scene, expected",
    [
        (
            {"amount": 12.01},
            "The amount allocated exceeds the credit remaining on this credit note",
        ),
        ({"paid": 5}, "The amount allocated exceeds the amount outstanding on this document"),
        ({"paid": 12}, "Credit notes can only be allocated between Authorised documents"),
        ({"amount": 0}, "The allocation amount must be greater than zero."),
        ({"note": {"Status": "DRAFT"}}, "Credit notes can only be allocated between Authorised"),
        ({"invoice": {"Status": "DRAFT"}}, "Credit notes can only be allocated between Authorised"),
        ({"note": {"CurrencyCode": "USD"}}, "A credit note can only be allocated to an invoice of"),
        ({"other": True}, "A credit note can only be allocated to an invoice of the same contact"),
        ({"unknown": True}, "Document could not be found"),
    ],
)
def test_allocations_refused(sim, scene, expected):
    contact = sim.contact()
    other = sim.contact(Name="Bob", ContactNumber="c-2") if "other" in scene else contact
    mine = sim.invoice(other, **scene.get("invoice", {}))["InvoiceID"]
    me = note(sim, contact, **scene.get("note", {}))["CreditNoteID"]
    if "paid" in scene:
        assert messages(sim.pay(mine, scene["paid"])) == []
    made = allocate(sim, me, UNKNOWN if "unknown" in scene else mine, scene.get("amount", 12))
    assert messages(made)[0].startswith(expected)
    assert stored(sim, f"Invoices/{mine}")["CreditNotes"] == []


def test_what_an_allocation_must_say(sim):
    contact = sim.contact()
    mine, me = sim.invoice(contact)["InvoiceID"], note(sim, contact)["CreditNoteID"]
    found = allocations(sim, me, {"Invoice": {"InvoiceID": mine}, "Amount": 1, "Date": None})
    assert messages(found[0]) == ["The allocation Date must be specified."]
    reply = sim.xero("PUT", f"CreditNotes/{me}/Allocations", {"Allocations": [{"Amount": 1}]})
    assert reply.status == 400 and reply.json["ErrorNumber"] == 10
    body = {"Allocations": [{"Amount": 1, "CreditNoteNumber": "x"}]}
    assert sim.xero("PUT", f"CreditNotes/{me}/Allocations", body).json["ErrorNumber"] == 14
    assert sim.xero("PUT", f"CreditNotes/{UNKNOWN}/Allocations", body).status == 404


# -- payments -------------------------------------------------------------------------------------


def test_a_credit_note_is_paid_out_in_parts(sim):
    me = note(sim, sim.contact())["CreditNoteID"]
    first = pay_note(sim, me, 5, Reference="back 1")
    assert (first["PaymentType"], first["CreditNote"]["CreditNoteNumber"]) == (
        "ARCREDITPAYMENT",
        "S-1-R1",
    )
    assert messages(pay_note(sim, me, 7.01)) == [EXCEEDS]
    after = stored(sim, f"CreditNotes/{me}")
    assert (after["Status"], str(after["RemainingCredit"])) == ("AUTHORISED", "7.00")
    assert [(one["Reference"], str(one["Amount"])) for one in after["Payments"]] == [
        ("back 1", "5.00")
    ]
    pay_note(sim, me, 7, Date="2026-11-01")
    after = stored(sim, f"CreditNotes/{me}")
    assert (after["Status"], str(after["RemainingCredit"])) == ("PAID", "0.00")
    assert after["FullyPaidOnDate"] == "/Date(1793577600000+0000)/"  # the later of both days
    assert messages(pay_note(sim, me, 1)) == [
        "Payments can only be made against Authorised documents",
        EXCEEDS,
    ]
    sim.xero("POST", f"Payments/{first['PaymentID']}", {"Payments": [{"Status": "DELETED"}]})
    assert str(stored(sim, f"CreditNotes/{me}")["RemainingCredit"]) == "5.00"


def test_payments_of_notes_refused(sim):
    contact = sim.contact()
    draft = note(sim, contact, Status="DRAFT")["CreditNoteID"]
    assert messages(pay_note(sim, draft, 1)) == [
        "Payments can only be made against Authorised documents"
    ]
    mine, me = sim.invoice(contact)["InvoiceID"], note(sim, contact)["CreditNoteID"]
    both = sim.pay(mine, 1, CreditNote={"CreditNoteID": me})
    assert messages(both) == ["A payment can be made against one document only."]
    assert messages(pay_note(sim, me, 1, Account={"Code": "200"})) == [
        "Account type is invalid for making a payment to/from."
    ]
    assert messages(pay_note(sim, UNKNOWN, 1)) == ["Document could not be found"]
    assert sim.control("GET", "books")["payments"] == []


def test_credit_and_money_settle_an_invoice_together(sim):
    contact = sim.contact()
    mine, me = sim.invoice(contact)["InvoiceID"], note(sim, contact)["CreditNoteID"]
    allocate(sim, me, mine, 5)
    assert messages(sim.pay(mine, 7.01)) == [EXCEEDS]
    paid = sim.pay(mine, 7, Date="2026-11-02")
    after = stored(sim, f"Invoices/{mine}")
    assert (after["Status"], str(after["AmountPaid"]), str(after["AmountCredited"])) == (
        "PAID",
        "7.00",
        "5.00",
    )
    assert after["FullyPaidOnDate"] == "/Date(1793664000000+0000)/"  # that of the allocation
    sim.xero("POST", f"Payments/{paid['PaymentID']}", {"Payments": [{"Status": "DELETED"}]})
    after = stored(sim, f"Invoices/{mine}")
    assert (after["Status"], str(after["AmountDue"]), after["Payments"]) == (
        "AUTHORISED",
        "7.00",
        [],
    )
    found = listed(sim, "Payments", f'Invoice.InvoiceID==Guid("{mine}")')
    assert [one["Status"] for one in found] == ["DELETED"]


def test_one_payment_by_post_without_its_wrapper(sim):
    mine = sim.invoice(sim.contact())["InvoiceID"]
    element = {"Invoice": {"InvoiceID": mine}, "Account": {"Code": "090"}, "Amount": 1}
    assert sim.xero("POST", "Payments", element).json["Payments"][0]["Status"] == "AUTHORISED"


# -- lock dates -----------------------------------------------------------------------------------


def test_a_lock_date_stops_everything_dated_before_it(sim):
    contact = sim.contact()
    mine = sim.invoice(contact)["InvoiceID"]
    later = sim.invoice(contact, InvoiceNumber="S-2", Date="2026-11-09")["InvoiceID"]
    me, open_note = note(sim, contact), note(sim, contact, Date="2026-11-09")
    made = allocate(sim, me["CreditNoteID"], mine, 1)
    paid = sim.pay(later, 1)
    sim.control("POST", "organisation", {"tenant": TENANT, "period_lock_date": "2026-11-05"})
    locked = [
        "The document date cannot be before the period lock date, currently set at 05-Nov-2026"
    ]
    credit = open_note["CreditNoteID"]
    free = sim.invoice(contact, InvoiceNumber="S-3", Date="2026-11-09")["InvoiceID"]
    for refused in (
        sim.pay(later, 1),
        pay_note(sim, credit, 1),
        note(sim, contact),
        allocate(sim, credit, mine, 1),
        post(sim, "CreditNotes", CreditNoteID=credit, Date="2026-11-05"),
        post(sim, "Invoices", InvoiceID=free, Date="2026-11-05"),
    ):
        assert messages(refused) == locked
    for path, method, body in (
        (f"Payments/{paid['PaymentID']}", "POST", {"Payments": [{"Status": "DELETED"}]}),
        (f"CreditNotes/{me['CreditNoteID']}/Allocations/{made['AllocationID']}", "DELETE", None),
    ):
        reply = sim.xero(method, path, body)
        assert reply.status == 400 and messages(reply.json["Elements"][0]) == locked
    sim.control("POST", "organisation", {"tenant": TENANT, "period_lock_date": "2026-11-02"})
    draft = sim.invoice(contact, InvoiceNumber="S-4", Date="2026-11-09")["InvoiceID"]
    sim.control("POST", "organisation", {"tenant": TENANT, "period_lock_date": "2026-11-10"})
    assert messages(post(sim, "Invoices", InvoiceID=draft, Status="VOIDED"))
    assert messages(post(sim, "CreditNotes", CreditNoteID=credit, Status="VOIDED"))
    sim.control("POST", "organisation", {"tenant": TENANT, "period_lock_date": "2026-11-05"})
    assert messages(sim.pay(mine, 1, Date="2026-11-06")) == []  # an old debt is paid later
    body = {"Allocations": [{"Invoice": {"InvoiceID": mine}, "Amount": 1, "Date": "2026-11-06"}]}
    target = f"CreditNotes/{credit}/Allocations?summarizeErrors=false"
    assert messages(sim.xero("PUT", target, body).json["Allocations"][0]) == []
    shown = sim.xero("GET", "Organisation").json["Organisations"][0]
    assert shown["PeriodLockDate"] == "/Date(1793836800000+0000)/"


# -- items ----------------------------------------------------------------------------------------


def item(sim, code="MUG", **fields):
    element = {
        "Code": code,
        "Name": "Mug",
        "Description": "A mug",
        "SalesDetails": {"UnitPrice": 12.3456, "AccountCode": "260", "TaxType": "RROUTPUT"},
        **fields,
    }
    return sim.xero("PUT", "Items" + EACH, {"Items": [element]}).json["Items"][0]


def test_items(sim):
    made = item(sim)
    assert messages(made) == [] and made["IsTrackedAsInventory"] is False
    assert messages(item(sim)) == ["Price List Item with Code 'MUG' already exists"]
    assert messages(item(sim, "X" * 31)) and messages(item(sim, "Y", Name="n" * 51))
    item(sim, "CUP")
    found = listed(sim, "Items", 'Code=="CUP" OR Code=="none"')
    assert [one["Code"] for one in found] == ["CUP"]
    assert [one["Code"] for one in sim.xero("GET", "Items").json["Items"]] == ["MUG", "CUP"]
    assert sim.xero("GET", "Items/MUG").json["Items"][0]["ItemID"] == made["ItemID"]
    assert str(stored(sim, "Items/MUG")["SalesDetails"]["UnitPrice"]) == "12.3456"
    assert sim.xero("GET", "Items/none").status == 404
    change = {"Items": [{"Code": "MUG", "Name": "Big mug"}]}
    assert sim.xero("POST", f"Items/{made['ItemID']}", change).json["Items"][0]["Name"] == "Big mug"


def test_lines_take_from_their_item_what_they_do_not_say(sim):
    item(sim)
    contact = sim.contact()
    found = sim.invoice(contact, LineItems=[{"ItemCode": "MUG", "Quantity": 2}])
    mine = found["LineItems"][0]
    assert (mine["Description"], mine["AccountCode"], mine["TaxType"]) == (
        "A mug",
        "260",
        "RROUTPUT",
    )
    assert (str(mine["UnitAmount"]), str(mine["LineAmount"])) == ("12.3456", "24.69")
    found = sim.invoice(contact, InvoiceNumber="S-2", LineItems=[line(ItemCode="MUG")])
    mine = found["LineItems"][0]
    assert (mine["ItemCode"], mine["AccountCode"], str(mine["UnitAmount"])) == (
        "MUG",
        "200",
        "10.0000",
    )
    found = sim.invoice(contact, InvoiceNumber="S-3", LineItems=[line(ItemCode="NONE")])
    assert messages(found) == ["Item code NONE is not valid"]


def test_tracked_items_are_not_oversold(sim):
    item(sim)
    act(sim, "track_item", code="MUG", quantity=3)
    contact = sim.contact()

    def on_hand():
        return str(stored(sim, "Items/MUG")["QuantityOnHand"]).removesuffix(".0000")

    def sell(number, quantity, query=EACH, **fields):
        lines = [line(ItemCode="MUG", Quantity=quantity)]
        return sim.invoice(contact, query, InvoiceNumber=number, LineItems=lines, **fields)

    sell("D-1", 9, Status="DRAFT")
    assert on_hand() == "3"
    first = sell("S-1", 2)
    assert on_hand() == "1"
    assert "enough quantity on hand" in messages(sell("S-2", 2))[0]
    assert on_hand() == "1"
    assert messages(sell("S-2", 2, EACH + "&allowBackorders=true")) == []
    assert on_hand() == "-1"
    post(sim, "Invoices", InvoiceID=first["InvoiceID"], Status="VOIDED")
    assert on_hand() == "1"
    note(sim, contact, LineItems=[line(ItemCode="MUG", Quantity=4)])
    assert on_hand() == "5"


# -- contacts -------------------------------------------------------------------------------------


def test_contacts_are_found_by_all_their_names(sim):
    ann = sim.contact(Name="Ann", ContactNumber="c-1", EmailAddress="ann@b.co")
    bob = sim.contact(Name="Bob", ContactNumber="c-2", EmailAddress="bob@b.co")
    cid = sim.contact(Name="Cid", ContactNumber="c-3", EmailAddress="ann@b.co")
    act(sim, "archive_contact", contact_id=cid)
    where = 'ContactNumber=="c-3" OR EmailAddress=="ANN@b.co" OR Name=="bob"'
    for more, expected in (("", [ann, bob]), ("&includeArchived=true", [cid, ann, bob])):
        found = listed(sim, "Contacts", where, more)
        assert sorted(one["ContactID"] for one in found) == sorted(expected)
    found = listed(sim, "Contacts", 'Name=="CID"', "&includeArchived=true&page=1")
    assert [one["ContactStatus"] for one in found] == ["ARCHIVED"]
    again = sim.contact(Name="cid", ContactNumber="c-4")  # an archived name is free
    found = listed(sim, "Contacts", 'Name=="Cid"', "&includeArchived=true")
    assert {one["ContactID"] for one in found} == {cid, again}
    assert refused_act(sim, "restore_contact", contact_id=cid)


def test_contacts_that_are_merged_again_make_a_chain(sim):
    ids = [sim.contact(Name=f"N{n}", ContactNumber=f"c-{n}") for n in range(3)]
    mine = sim.invoice(ids[0])["InvoiceID"]
    act(sim, "merge_contact", contact_id=ids[0], into=ids[1])
    act(sim, "merge_contact", contact_id=ids[1], into=ids[2])
    shown = [sim.xero("GET", f"Contacts/c-{n}").json["Contacts"][0] for n in range(3)]
    assert [one.get("MergedToContactID") for one in shown] == [ids[1], ids[2], None]
    assert stored(sim, f"Invoices/{mine}")["Contact"]["ContactID"] == ids[2]
    assert refused_act(sim, "merge_contact", contact_id=ids[2], into=ids[1])
    assert refused_act(sim, "merge_contact", contact_id=ids[2], into=ids[2])


def test_contacts_whose_data_must_go_are_shown_and_take_nothing(sim):
    me = sim.contact(EmailAddress="ann@b.co")
    act(sim, "gdpr_request", contact_id=me)
    found = listed(sim, "Contacts", 'EmailAddress=="ann@b.co"')
    assert [one["ContactStatus"] for one in found] == ["GDPRREQUEST"]
    assert messages(sim.invoice(me))[0].startswith("The contact with the specified contact details")
    change = {"Contacts": [{"ContactID": me, "FirstName": "x"}]}
    assert sim.xero("POST", "Contacts", change).status == 400


# -- a person in Xero -----------------------------------------------------------------------------


def test_a_person_edits_one_line(sim):
    made = sim.invoice(sim.contact(), LineItems=[line(TaxAmount=1.99), line(Description="b")])
    act(
        sim,
        "edit_invoice",
        invoice_number="S-1",
        element={"Date": "2026-11-04"},
        line=1,
        line_element={"UnitAmount": 20},
    )
    after = stored(sim, f"Invoices/{made['InvoiceID']}")
    assert after["DateString"].startswith("2026-11-04")
    assert [str(one["LineAmount"]) for one in after["LineItems"]] == ["10.00", "20.00"]
    assert [str(one["TaxAmount"]) for one in after["LineItems"]] == ["1.99", "4.00"]
    assert [one["LineItemID"] for one in after["LineItems"]] == [
        one["LineItemID"] for one in made["LineItems"]
    ]


def test_a_person_settles_and_takes_back(sim):
    contact = sim.contact()
    act(sim, "add_invoice", element=invoice(contact, InvoiceNumber="HAND-1"))
    act(
        sim,
        "add_credit_note",
        element={
            "Contact": {"ContactID": contact},
            "CreditNoteNumber": "CN-HAND",
            "Status": "DRAFT",
            "LineItems": [line()],
        },
    )
    act(sim, "approve_credit_note", credit_note_number="CN-HAND")
    hand = {"credit_note_number": "CN-HAND", "invoice_number": "HAND-1"}
    made = act(sim, "allocate_credit_note", amount="2.50", **hand)
    assert str(stored(sim, "Invoices/HAND-1")["AmountDue"]) == "9.50"
    act(sim, "delete_allocation", allocation_id=made["AllocationID"])
    act(sim, "allocate_credit_note", **hand)
    assert stored(sim, "Invoices/HAND-1")["Status"] == "PAID"
    assert refused_act(
        sim, "edit_invoice", invoice_number="HAND-1", element={"Reference": "x"}
    ) == [
        "Invoice not of valid status for modification",
        LOCKED,
    ]
    act(
        sim,
        "annotate_invoice",
        invoice_number="HAND-1",
        element={"Reference": "x", "DueDate": "2026-12-01"},
    )
    assert stored(sim, "Invoices/HAND-1")["Reference"] == "x"
    assert refused_act(sim, "annotate_invoice", invoice_number="HAND-1", element={"Url": "x"})
    me = note(sim, contact)["CreditNoteID"]
    act(sim, "pay_credit_note", credit_note_id=me, amount=1)
    assert refused_act(sim, "void_credit_note", credit_note_id=me)


def test_a_person_changes_tracking(sim):
    contact = sim.contact()

    def tracked(number, option, name="Region"):
        lines = [line(Tracking=[{"Name": name, "Option": option}])]
        return messages(sim.invoice(contact, InvoiceNumber=number, LineItems=lines))

    assert refused_act(sim, "add_tracking_category", name="Third")
    act(sim, "rename_tracking_option", category="Region", option="North", new_name="Far north")
    assert tracked("S-1", "North") == [
        "The tracking category 'Region' with option 'North' could not be found."
    ]
    assert tracked("S-1", "Far North") == []
    act(sim, "archive_tracking_option", category="Region", option="Far north")
    assert tracked("S-2", "Far north")
    act(sim, "archive_tracking_category", category="Channel")
    shown = sim.xero("GET", "TrackingCategories").json["TrackingCategories"]
    assert [one["Name"] for one in shown] == ["Region"]
    assert (
        len(sim.xero("GET", "TrackingCategories?includeArchived=true").json["TrackingCategories"])
        == 2
    )
    act(sim, "add_tracking_category", name="Season", options=["Summer"])
    act(sim, "add_tracking_option", category="Season", option="Winter")
    assert tracked("S-3", "Winter", "Season") == []


def test_a_person_changes_accounts_and_rates(sim):
    contact = sim.contact()
    act(sim, "archive_tax_rate", tax_type="TAX001")
    taxed = [line(TaxType="TAX001")]
    assert messages(sim.invoice(contact, LineItems=taxed)) == [
        "The TaxType code TAX001 does not exist or cannot be used for this type of transaction."
    ]
    act(sim, "restore_tax_rate", tax_type="TAX001")
    assert messages(sim.invoice(contact, LineItems=taxed)) == []


# -- without the server ---------------------------------------------------------------------------


@pytest.fixture
def direct():
    """The same books in this process."""
    sys.path.insert(0, str(SIM))
    try:
        import inprocess
    finally:
        sys.path.remove(str(SIM))
    return inprocess.Xero()


def without_ids(value):
    """The answer less what differs from run to run."""
    if isinstance(value, dict):
        return {
            name: without_ids(member)
            for name, member in value.items()
            if not name.endswith("ID") and name not in ENVELOPE
        }
    if isinstance(value, (list, tuple)):
        return [without_ids(member) for member in value]
    return str(value)


ENVELOPE = ("Id", "Status", "ProviderName", "DateTimeUTC", "UpdatedDateUTC")


def test_the_same_happens_without_http(sim, direct):
    query = {"summarizeErrors": "false"}
    contact = {"Contacts": [{"Name": "Ann Example", "ContactNumber": "c-1"}]}
    ids = [
        sim.contact(),
        direct.apply("PUT", "Contacts", query, contact)[1]["Contacts"][0]["ContactID"],
    ]
    pay = {"Account": {"Code": "090"}, "Date": "2026-11-02", "Amount": 13}
    steps = [
        ("PUT", "Invoices", lambda me: {"Invoices": [invoice(me), invoice(me)]}),
        ("POST", "Invoices", lambda me: {"Invoices": [invoice(me, Colour="red")]}),
        (
            "PUT",
            "Payments",
            lambda me: {"Payments": [{"Invoice": {"InvoiceNumber": "S-1"}, **pay}]},
        ),
        ("GET", "Invoices/S-1", lambda me: None),
        ("GET", "Invoices/S-2", lambda me: None),
    ]
    for method, path, body in steps:
        reply = sim.xero(method, path + VERDICTS, body(ids[0]))
        status, answer = direct.apply(method, path, query, body(ids[1]))
        assert status == reply.status
        assert without_ids(answer) == without_ids(reply.json)
    direct.act("void_invoice", invoice_number="S-1")
    assert [one["Status"] for one in direct.books()["invoices"]] == ["VOIDED"]
    assert ("schema", direct.violations[0][1]) == direct.violations[0]
