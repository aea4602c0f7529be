"""The simulator of Xero keeps Xero's books: contacts, invoices, payments, credit notes, allocations
and history, each test asks it over HTTP and reads its answer.
"""

import urllib.parse

import pytest

from simclient import (
    EACH,
    TENANT,
    UNKNOWN,
    ZERO_GUID,
    allocate,
    invoice,
    line,
    messages,
    note,
    server,
    sim,
)

__all__ = ["server", "sim"]  # fixtures

# -- contacts -------------------------------------------------------------------------------------

NAME_TAKEN = (
    "The contact name {} is already assigned to another contact. The contact name must be "
    "unique across all active contacts."
)
NUMBER_TAKEN = (
    "The contact number {} is already assigned to another contact. The contact number must "
    "be unique across all contacts."
)


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"Name": "ANN EXAMPLE"}, NAME_TAKEN.format("ANN EXAMPLE")),
        ({"Name": "Bob", "ContactNumber": "C-1"}, NUMBER_TAKEN.format("C-1")),
        ({"Name": "Old", "ContactNumber": "n"}, None),
        ({"Name": "Bob", "ContactNumber": "old"}, NUMBER_TAKEN.format("old")),
        (
            {"EmailAddress": "a@b.co"},
            (
                "The Contact must contain at least 1 of the following elements to "
                "identify the contact: Name, ContactID, ContactNumber"
            ),
        ),
        ({"Name": "Bob", "EmailAddress": "bob"}, "Email address must be valid."),
        ({"Name": "Bob", "EmailAddress": "j\u00fcrgen@b.co"}, "Email address must be valid."),
        (
            {"Name": "Bob", "ContactPersons": [{"FirstName": "x"}]},
            "Additional people cannot be added when the primary person has no email address set.",
        ),
        ({"Name": "a  b"}, "blanks"),
        ({"Name": " a"}, "blanks"),
        ({"Name": "<a>"}, "angle"),
        ({"Name": "x" * 256}, "maximum length of 255"),
        ({"Name": "Bob", "ContactNumber": "x" * 51}, "maximum length of 50"),
        (
            {"Name": "Bob", "Addresses": [{"AddressType": "STREET", "PostalCode": "x" * 51}]},
            "length of 50",
        ),
        (
            {"Name": "Bob", "Addresses": [{"AddressType": "STREET", "Country": "Utopia 2"}]},
            "letters",
        ),
        ({"Name": "x" * 255}, None),
        ({"Name": "J\u00fcrgen \u2013 \u540d"}, None),
    ],
)
def test_new_contacts(sim, fields, expected):
    sim.contact()
    sim.contact(Name="Old", ContactNumber="old")
    sim.control("POST", "act", {"do": "archive_contact", "name": "Old"})
    found = sim.xero("PUT", "Contacts" + EACH, {"Contacts": [fields]}).json["Contacts"][0]
    if expected is None:
        assert found["StatusAttributeString"] == "OK" and found["Name"] == fields["Name"]
    else:
        assert found["StatusAttributeString"] == "ERROR" and found["HasValidationErrors"] is True
        assert found["ContactID"] == ZERO_GUID
        assert any(expected in message for message in messages(found)), messages(found)


def test_post_contact_matches_id_then_number_then_name(sim):
    me = sim.contact()
    for element in (
        {"ContactID": me, "Name": "A"},
        {"ContactNumber": "c-1", "Name": "B"},
        {"Name": "b", "EmailAddress": "b@b.co"},
    ):
        found = sim.xero("POST", "Contacts" + EACH, {"Contacts": [element]}).json["Contacts"][0]
        assert found["ContactID"] == me and found["Name"] == element["Name"]
    assert len(sim.control("GET", "books")["contacts"]) == 1
    assert sim.xero("POST", "Contacts", {"Contacts": [{"ContactID": UNKNOWN}]}).status == 404


def test_archived_contacts(sim):
    me = sim.contact()
    element = {"ContactID": me, "ContactStatus": "ARCHIVED"}
    sim.xero("POST", "Contacts", {"Contacts": [element]})
    found = sim.xero("POST", "Contacts" + EACH, {"Contacts": [element]}).json["Contacts"][0]
    assert messages(found) == [
        "The specified contact details matched an archived contact. Archived "
        "contacts cannot currently be edited via the API."
    ]
    assert found["ContactID"] == me
    assert sim.xero("GET", "Contacts").json["Contacts"] == []
    where = urllib.parse.quote('ContactNumber=="c-1"')
    assert sim.xero("GET", f"Contacts?where={where}").json["Contacts"] == []
    found = sim.xero("GET", f"Contacts?where={where}&includeArchived=true").json["Contacts"]
    assert [one["ContactStatus"] for one in found] == ["ARCHIVED"]
    sim.contact(ContactNumber="c-2")  # the name is free again


def test_merged_contact_is_followed(sim):
    gone, stays = sim.contact(), sim.contact(Name="Bob", ContactNumber="c-2")
    sim.invoice(gone)
    sim.control("POST", "act", {"do": "merge_contact", "contact_id": gone, "into": stays})
    found = sim.xero("GET", "Contacts/c-1").json["Contacts"][0]
    assert (found["ContactStatus"], found["MergedToContactID"]) == ("ARCHIVED", stays)
    assert sim.control("GET", "books")["invoices"][0]["ContactID"] == stays


@pytest.mark.parametrize(
    "where, names",
    [
        (
            'ContactNumber=="c-1" OR ContactNumber=="c-9" OR ContactNumber=="c-2"',
            ["Ann Example", "Bob"],
        ),
        ('Name=="aNN example"', ["Ann Example"]),
        ('EmailAddress=="one@b.co"', ["Bob", "Cy"]),
        ('EmailAddress=="one@b.co" AND Name=="Cy"', ["Cy"]),
        ('(Name=="Cy" && EmailAddress!=null) || ContactNumber=="c-1"', ["Ann Example", "Cy"]),
        ('Name.StartsWith("B")', ["Bob"]),
        ('Name.Contains("nobody")', []),
        ('Name=="quote \\" inside"', ['quote " inside']),
    ],
)
def test_contact_filters(sim, where, names):
    sim.contact()
    sim.contact(Name="Bob", ContactNumber="c-2", EmailAddress="one@b.co")
    sim.contact(Name="Cy", ContactNumber="c-3", EmailAddress="One@b.co")
    sim.contact(Name='quote " inside', ContactNumber="c-4")
    found = sim.xero("GET", "Contacts?where=" + urllib.parse.quote(where)).json["Contacts"]
    assert sorted(one["Name"] for one in found) == names


@pytest.mark.parametrize(
    "where", ["Name=", 'Name=="a', "Name", '=="a"', 'Name=="a" Name=="b"', "#"]
)
def test_unreadable_filters(sim, where):
    reply = sim.xero("GET", "Contacts?where=" + urllib.parse.quote(where))
    assert (reply.status, reply.json["ErrorNumber"]) == (400, 16)


def test_paging_and_ids(sim):
    ids = [sim.contact(Name=f"N{index}", ContactNumber=f"n{index}") for index in range(5)]
    reply = sim.xero("GET", "Contacts?page=2&pageSize=2").json
    assert [one["Name"] for one in reply["Contacts"]] == ["N2", "N3"]
    assert reply["pagination"] == {"page": 2, "pageSize": 2, "pageCount": 3, "itemCount": 5}
    reply = sim.xero("GET", f"Contacts?IDs={ids[3]},{ids[1]}").json
    assert [one["Name"] for one in reply["Contacts"]] == ["N3", "N1"]
    assert len(sim.xero("GET", "Contacts?searchTerm=n4").json["Contacts"]) == 1
    assert sim.xero("GET", "Contacts", If_Modified_Since="2099-01-01T00:00:00").status == 304


# -- invoices: arithmetic -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "types, lines, expected",
    [
        (
            "Exclusive",
            [
                line(UnitAmount=25.06, TaxType="T15"),
                line(UnitAmount=25.61, TaxType="T15"),
                line(UnitAmount=25.63, TaxType="T15"),
            ],
            ("76.30", "11.44", "87.74"),
        ),
        ("Exclusive", [line(UnitAmount=2.165)], ("2.17", "0.43", "2.60")),
        ("Inclusive", [line(UnitAmount=10)], ("8.33", "1.67", "10.00")),
        (
            "Inclusive",
            [line(UnitAmount=9.99, Quantity=3, DiscountAmount=3)],
            ("22.48", "4.49", "26.97"),
        ),
        ("Exclusive", [line(UnitAmount=19.99, DiscountRate=12.5)], ("17.49", "3.50", "20.99")),
        ("NoTax", [line(UnitAmount=5)], ("5.00", "0.00", "5.00")),
        ("Exclusive", [line(UnitAmount=100, TaxType="TAX004")], ("100.00", "8.25", "108.25")),
        ("Exclusive", [line(UnitAmount=10, TaxAmount=1.99)], ("10.00", "1.99", "11.99")),
        ("Inclusive", [line(UnitAmount=10, TaxAmount=1.66)], ("8.34", "1.66", "10.00")),
        (
            "Exclusive",
            [line(UnitAmount=20), line(UnitAmount=-5, AccountCode="202")],
            ("15.00", "3.00", "18.00"),
        ),
        ("Exclusive", [line(UnitAmount=0.3333, Quantity=3)], ("1.00", "0.20", "1.20")),
        ("Exclusive", [line(), {"Description": "only words"}], ("10.00", "2.00", "12.00")),
        (
            "Exclusive",
            [
                line(),
                line(Description="Rounding", UnitAmount=0.01, AccountCode="860", TaxType="NONE"),
            ],
            ("10.01", "2.00", "12.01"),
        ),
    ],
)
def test_arithmetic(sim, types, lines, expected):
    sim.control(
        "POST",
        "organisation",
        {"tenant": TENANT, "tax_rates": [{"TaxType": "T15", "EffectiveRate": 15}]},
    )
    found = sim.invoice(sim.contact(), LineAmountTypes=types, LineItems=lines, Total=1)
    assert tuple(str(found[name]) for name in ("SubTotal", "TotalTax", "Total")) == expected
    assert found["AmountDue"] == found["Total"]


def test_unit_prices_keep_two_decimals_without_unitdp(sim):
    contact = sim.contact()
    two = sim.invoice(contact, query="?summarizeErrors=false", LineItems=[line(UnitAmount=1.0055)])
    four = sim.invoice(contact, InvoiceNumber="S-2", LineItems=[line(UnitAmount=1.0055)])
    assert [str(one["LineItems"][0]["UnitAmount"]) for one in (two, four)] == ["1.01", "1.0055"]
    path = f"Invoices/{four['InvoiceID']}"
    assert str(sim.xero("GET", path).json["Invoices"][0]["LineItems"][0]["UnitAmount"]) == "1.01"


# -- invoices: rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"Type": "ACCPAY"}, "Invoice not of valid type for creation"),
        ({"Status": "PAID"}, "Invoice not of valid status for creation"),
        ({"Status": "VOIDED"}, "Invoice not of valid status for creation"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"Contact": None}, "A Contact must be specified for this type of transaction"),
        ({"DueDate": None}, "Due date cannot be empty."),
        ({"CurrencyCode": "SEK"}, "Organisation is not subscribed to currency SEK"),
        ({"Url": "https://xero.example/1"}, "must not contain the word xero"),
        ({"Url": "not a link"}, "absolute link"),
        ({"InvoiceNumber": "x" * 256}, "maximum length of 255"),
        ({"BrandingThemeID": UNKNOWN}, "BrandingThemeID"),
        (
            {"LineItems": [line(Description="")]},
            "The description field is mandatory for each line item.",
        ),
        (
            {"LineItems": [line(Quantity=-1)]},
            "The quantity value '-1.0000' is invalid. Quantity must not be less than zero.",
        ),
        (
            {"LineItems": [line(UnitAmount=-10)]},
            "The Total for this document must be greater than or equal to zero.",
        ),
        (
            {"LineItems": [line(AccountCode="999")]},
            "Account code '999' is not a valid code for this document.",
        ),
        (
            {"LineItems": [line(AccountCode="090")]},
            "Account code '090' is not a valid code for this document.",
        ),
        (
            {"LineItems": [line(AccountCode="610")]},
            "Account code '610' is not a valid code for this document.",
        ),
        (
            {"LineItems": [line(AccountCode="210")]},
            (
                "Account code '210' has been archived, or has been deleted. Each line item must"
                " reference a valid account."
            ),
        ),
        ({"LineItems": [line(AccountCode=None)]}, "Account code or ID must be specified"),
        (
            {"LineItems": [line(TaxType="VAT 20%")]},
            (
                "The TaxType code VAT 20% does not exist or cannot be used for this type of"
                " transaction."
            ),
        ),
        (
            {"LineItems": [line(TaxType="INPUT2")]},
            (
                "The TaxType code INPUT2 does not exist or cannot be used for this type of"
                " transaction."
            ),
        ),
        (
            {"LineItems": [line(TaxType="NOLIAB", AccountCode="835")]},
            "The TaxType code 'NOLIAB' cannot be used with account code '835'.",
        ),
        (
            {"LineItems": [line(TaxAmount=10.01)]},
            "The tax amount cannot be greater than the line amount!",
        ),
        (
            {"LineItems": [line(LineAmount=11)]},
            "The line total 11 does not match the expected line total 10.00",
        ),
        ({"LineItems": [line(ItemCode="MUG")]}, "Item code MUG is not valid"),
        ({"LineItems": [line(UnitAmount=0.000029104)]}, "Account must be valid."),
        ({"LineItems": [line(Tracking=[{"Name": "Region", "Option": "West"}])]}, "tracking"),
    ],
)
def test_new_invoices_refused(sim, fields, expected):
    contact = sim.contact()
    sim.control(
        "POST",
        "organisation",
        {
            "tenant": TENANT,
            "tax_rates": [
                {"TaxType": "NOLIAB", "EffectiveRate": 20, "CanApplyToLiabilities": False}
            ],
        },
    )
    found = sim.invoice(contact, **fields)
    assert any(expected in message for message in messages(found)), messages(found)
    assert (found["StatusAttributeString"], found["HasErrors"]) == ("ERROR", True)
    assert found["InvoiceID"] == ZERO_GUID
    assert sim.control("GET", "books")["invoices"] == []


def test_line_errors_sit_on_the_line_too(sim):
    found = sim.invoice(sim.contact(), LineItems=[line(), line(AccountCode="999")])
    assert messages(found["LineItems"][0]) == []
    assert messages(found["LineItems"][1]) == messages(found)


@pytest.mark.parametrize(
    "period, year, expected",
    [
        ("2026-10-31", None, []),
        ("2026-11-01", None, ["period lock date, currently set at 01-Nov-2026"]),
        (None, "2026-11-30", ["end of year lock date, currently set at 30-Nov-2026"]),
        (
            "2026-12-31",
            "2026-11-30",
            [
                "period lock date, currently set at 31-Dec-2026",
                "end of year lock date, currently set at 30-Nov-2026",
            ],
        ),
    ],
)
def test_lock_dates(sim, period, year, expected):
    contact = sim.contact()
    old = sim.invoice(contact, InvoiceNumber="OLD")
    sim.control(
        "POST",
        "organisation",
        {"tenant": TENANT, "period_lock_date": period, "end_of_year_lock_date": year},
    )
    expected = ["The document date cannot be before the " + one for one in expected]
    assert messages(sim.invoice(contact)) == expected
    assert messages(sim.pay(old["InvoiceID"], 1, Date="2026-11-01")) == expected
    void = {"Invoices": [{"InvoiceID": old["InvoiceID"], "Status": "VOIDED"}]}
    if expected:
        assert messages(sim.xero("POST", "Invoices" + EACH, void).json["Invoices"][0]) == expected


def test_draft_loses_an_unknown_account_with_a_warning(sim):
    found = sim.invoice(sim.contact(), Status="DRAFT", LineItems=[line(AccountCode="999")])
    assert found["StatusAttributeString"] == "WARNING"
    assert found["Warnings"] == [
        {
            "Message": (
                "Account code '999' has been removed as it does not match a recognised account."
            )
        }
    ]
    assert "AccountCode" not in found["LineItems"][0]


def test_archived_and_unknown_contacts_on_documents(sim):
    contact = sim.contact()
    sim.control("POST", "act", {"do": "archive_contact", "contact_id": contact})
    assert messages(sim.invoice(contact)) == [
        "The contact with the specified contact details has been archived. The contact must be "
        "un-archived before creating new invoices or credit notes."
    ]
    assert sim.xero("PUT", "Invoices" + EACH, {"Invoices": [invoice(UNKNOWN)]}).status == 404


def test_inline_contacts(sim):
    contact = sim.contact()
    found = sim.invoice(contact, Contact={"Name": "ann example"})
    assert found["Contact"]["ContactID"] == contact
    sim.invoice(contact, Contact={"Name": "New One"}, InvoiceNumber="S-2")
    bad = sim.invoice(contact, Contact={"Name": "Bad", "EmailAddress": "x"}, InvoiceNumber="S-3")
    assert messages(bad["Contact"]) == ["Email address must be valid."]
    assert sorted(one["Name"] for one in sim.control("GET", "books")["contacts"]) == [
        "New One",
        "ann example",
    ]


def test_numbers_are_unique_even_voided(sim):
    contact = sim.contact()
    first = sim.invoice(contact)
    assert messages(sim.invoice(contact)) == ["Invoice # must be unique."]
    sim.control("POST", "act", {"do": "void_invoice", "invoice_number": "S-1"})
    assert messages(sim.invoice(contact)) == ["Invoice # must be unique."]
    again = sim.invoice(contact, verb="POST")
    assert messages(again) == ["Invoice not of valid status for modification"]
    assert again["InvoiceID"] == first["InvoiceID"]
    assert "InvoiceNumber" in sim.invoice(contact, InvoiceNumber=None)


def test_voided_invoice_keeps_what_was_due(sim):
    found = sim.invoice(sim.contact())
    path = f"Invoices/{found['InvoiceID']}"
    sim.xero("POST", path, {"Invoices": [{"Status": "VOIDED"}]})
    found = sim.xero("GET", path).json["Invoices"][0]
    assert (found["Status"], str(found["AmountDue"])) == ("VOIDED", "12.00")


@pytest.mark.parametrize(
    "before, after, allowed",
    [
        ("DRAFT", "SUBMITTED", True),
        ("DRAFT", "AUTHORISED", True),
        ("DRAFT", "DELETED", True),
        ("DRAFT", "VOIDED", False),
        ("DRAFT", "PAID", False),
        ("SUBMITTED", "AUTHORISED", True),
        ("SUBMITTED", "DELETED", True),
        ("SUBMITTED", "VOIDED", False),
        ("AUTHORISED", "VOIDED", True),
        ("AUTHORISED", "DELETED", False),
        ("AUTHORISED", "DRAFT", False),
        ("AUTHORISED", "SUBMITTED", False),
        ("AUTHORISED", "PAID", False),
        ("VOIDED", "AUTHORISED", False),
        ("DELETED", "DRAFT", False),
        ("PAID", "VOIDED", False),
    ],
)
def test_status_machine(sim, before, after, allowed):
    start = {"VOIDED": "AUTHORISED", "PAID": "AUTHORISED", "DELETED": "DRAFT"}.get(before, before)
    found = sim.invoice(sim.contact(), Status=start)
    me = found["InvoiceID"]
    if before in ("VOIDED", "DELETED"):
        sim.xero("POST", f"Invoices/{me}", {"Invoices": [{"Status": before}]})
    if before == "PAID":
        sim.pay(me, 12)
    found = sim.xero(
        "POST", "Invoices" + EACH, {"Invoices": [{"InvoiceID": me, "Status": after}]}
    ).json["Invoices"][0]
    assert (found["InvoiceID"], found["Status"]) == (
        me,
        after,
    )  # a refusal shows what was asked for
    stored = sim.control("GET", "books")["invoices"][0]["Status"]
    assert stored == (after if allowed else before)
    if not allowed:
        assert "Invoice not of valid status for modification" in messages(found)


def test_update_keeps_replaces_and_removes_lines(sim):
    contact = sim.contact()
    found = sim.invoice(
        contact, LineItems=[line(Description="a"), line(Description="b"), line(Description="c")]
    )
    ids = {one["Description"]: one["LineItemID"] for one in found["LineItems"]}
    change = {
        "LineItems": [
            line(Description="a", LineItemID=ids["a"], UnitAmount=11),
            line(Description="b"),
        ]
    }
    after = sim.xero("POST", f"Invoices/{found['InvoiceID']}{EACH}", {"Invoices": [change]}).json[
        "Invoices"
    ][0]
    assert [one["Description"] for one in after["LineItems"]] == ["a", "b"]
    assert after["LineItems"][0]["LineItemID"] == ids["a"]
    assert after["LineItems"][1]["LineItemID"] != ids["b"]
    assert str(after["Total"]) == "25.20" and after["InvoiceNumber"] == "S-1"


def test_post_by_number_overwrites(sim):
    contact = sim.contact()
    first = sim.invoice(contact, Reference="mine")
    second = sim.invoice(
        contact, verb="POST", Reference="overwritten", LineItems=[line(UnitAmount=1)]
    )
    assert second["InvoiceID"] == first["InvoiceID"] and str(second["Total"]) == "1.20"
    lost = {"Invoices": [{"InvoiceID": UNKNOWN, "Status": "VOIDED"}]}
    assert messages(sim.xero("POST", "Invoices" + EACH, lost).json["Invoices"][0]) == [
        "An existing invoice with the specified ID could not be found"
    ]


def test_paid_invoices_are_locked(sim):
    me = sim.invoice(sim.contact())["InvoiceID"]
    paid = sim.pay(me, 5)
    for change, expected in (
        (
            {"Reference": "x"},
            "This document cannot be edited as it has a payment or credit note allocated to it.",
        ),
        (
            {"Status": "VOIDED"},
            (
                "The status VOIDED cannot be applied to the invoice because it has "
                "payments or credit notes allocated to it."
            ),
        ),
    ):
        found = sim.xero(
            "POST", "Invoices" + EACH, {"Invoices": [{"InvoiceID": me, **change}]}
        ).json["Invoices"][0]
        assert messages(found) == [expected]
    sim.xero("POST", f"Payments/{paid['PaymentID']}", {"Payments": [{"Status": "DELETED"}]})
    assert (
        sim.xero("POST", "Invoices", {"Invoices": [{"InvoiceID": me, "Status": "VOIDED"}]}).status
        == 200
    )


def test_the_date_of_a_locked_invoice_is_named(sim):
    me = sim.invoice(sim.contact())["InvoiceID"]
    sim.pay(me, 5)
    body = {"Invoices": [{"InvoiceID": me, "Date": "2026-11-02"}]}
    found = sim.xero("POST", "Invoices" + EACH, body).json["Invoices"][0]
    assert (
        messages(found)[1]
        == "Date cannot be changed on an invoice that has payment or credit notes allocated to it."
    )


def test_reconciled_payments_stay(sim):
    me = sim.invoice(sim.contact())["InvoiceID"]
    paid = sim.pay(me, 5, IsReconciled=True)
    reply = sim.xero("POST", f"Payments/{paid['PaymentID']}", {"Payments": [{"Status": "DELETED"}]})
    assert messages(reply.json["Elements"][0]) == [
        "This payment has been reconciled and cannot be deleted"
    ]


def test_approval_limit(sim):
    contact = sim.contact()
    sim.control("POST", "organisation", {"tenant": TENANT, "approval_limit": 1})
    sim.invoice(contact)
    assert messages(sim.invoice(contact, InvoiceNumber="S-2")) == [
        "You have reached the limit of invoices you can approve"
    ]
    assert messages(sim.invoice(contact, InvoiceNumber="S-3", Status="DRAFT")) == []


def test_look_ups(sim):
    contact = sim.contact()
    for index in range(1, 4):
        sim.invoice(
            contact,
            InvoiceNumber=f"S-{index}",
            Url=f"https://shop.example/{index}",
            Status="DRAFT" if index == 3 else "AUTHORISED",
        )
    found = sim.xero("GET", "Invoices?InvoiceNumbers=S-2,S-9,s-1").json["Invoices"]
    assert [(one["InvoiceNumber"], one["Url"]) for one in found] == [
        ("S-2", "https://shop.example/2"),
        ("S-1", "https://shop.example/1"),
    ]
    assert found[0]["LineItems"] == []  # a list without page has no lines
    assert len(sim.xero("GET", "Invoices?page=1").json["Invoices"][0]["LineItems"]) == 1
    assert "Payments" not in sim.xero("GET", "Invoices?summaryOnly=true").json["Invoices"][0]
    for query, numbers in (
        ("Statuses=DRAFT", ["S-3"]),
        (f"ContactIDs={contact}&Statuses=AUTHORISED", ["S-1", "S-2"]),
        (f"ContactIDs={UNKNOWN}", []),
        ("searchTerm=S-2", ["S-2"]),
        ("where=" + urllib.parse.quote('Type=="ACCREC" AND InvoiceNumber=="S-1"'), ["S-1"]),
        (
            "where="
            + urllib.parse.quote(
                f'Contact.ContactID==Guid("{contact}") AND AmountDue>=12'
                ' AND Date==DateTime(2026,11,01) AND Status=="DRAFT"'
            ),
            ["S-3"],
        ),
    ):
        found = sim.xero("GET", "Invoices?" + query).json["Invoices"]
        assert [one["InvoiceNumber"] for one in found] == numbers, query
    found = sim.xero("GET", "Invoices/S-1").json["Invoices"][0]
    assert (
        found["DateString"] == "2026-11-01T00:00:00"
        and found["Date"] == "/Date(1793491200000+0000)/"
    )
    assert found["Type"] == "ACCREC" and len(found["LineItems"]) == 1


def test_a_time_with_an_offset_becomes_the_day_in_utc(sim):
    found = sim.invoice(sim.contact(), Date="2026-11-02T00:30:00+02:00")
    assert found["DateString"].startswith("2026-11-01")


# -- payments, credit notes, allocations, history -------------------------------------------------


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"Amount": 12.01}, ["Payment amount exceeds the amount outstanding on this document"]),
        ({"Account": None}, ["You must specify an Account code or Account ID for the payment."]),
        ({"Account": {"Code": "999"}}, ["Account could not be found"]),
        ({"Account": {"Code": "200"}}, ["Account type is invalid for making a payment to/from."]),
        ({"Invoice": {"InvoiceID": UNKNOWN}}, ["Document could not be found"]),
        ({"Invoice": None}, ["Document could not be found"]),
        ({"Amount": 0}, ["The payment amount must be greater than zero."]),
    ],
)
def test_payments_refused(sim, fields, expected):
    me = sim.invoice(sim.contact())["InvoiceID"]
    found = sim.pay(me, fields.pop("Amount", 12), **fields)
    assert messages(found) == expected
    assert (found["PaymentID"], found["HasValidationErrors"]) == (ZERO_GUID, True)


@pytest.mark.parametrize("account", ["090", "092", "835"])
def test_paying_in_full_and_back(sim, account):
    me = sim.invoice(sim.contact())["InvoiceID"]
    sim.pay(me, 5, Reference="one")
    last = sim.pay(me, 7, Reference="two", Account={"Code": account})
    found = sim.xero("GET", f"Invoices/{me}").json["Invoices"][0]
    assert (found["Status"], str(found["AmountDue"]), str(found["AmountPaid"])) == (
        "PAID",
        "0.00",
        "12.00",
    )
    assert [(one["Reference"], str(one["Amount"])) for one in found["Payments"]] == [
        ("one", "5.00"),
        ("two", "7.00"),
    ]
    assert messages(sim.pay(me, 1)) == [
        "Payments can only be made against Authorised documents",
        "Payment amount exceeds the amount outstanding on this document",
    ]
    path = f"Payments/{last['PaymentID']}"
    assert sim.xero("POST", path, {"Payments": [{"Status": "DELETED"}]}).status == 200
    assert sim.xero("POST", path, {"Payments": [{"Status": "DELETED"}]}).status == 400
    found = sim.xero("GET", f"Invoices/{me}").json["Invoices"][0]
    assert (found["Status"], str(found["AmountDue"])) == ("AUTHORISED", "7.00")


def test_drafts_take_no_payment_and_nothing_makes_payments_unique(sim):
    contact = sim.contact()
    draft = sim.invoice(contact, Status="DRAFT", InvoiceNumber="D-1")["InvoiceID"]
    assert messages(sim.pay(draft, 1)) == ["Payments can only be made against Authorised documents"]
    me = sim.invoice(contact)["InvoiceID"]
    assert [messages(sim.pay(me, 5)) for _ in range(2)] == [[], []]


def test_batch_of_payments_is_judged_in_order(sim):
    me = sim.invoice(sim.contact())["InvoiceID"]
    element = {"Invoice": {"InvoiceNumber": "S-1"}, "Account": {"Code": "090"}, "Amount": 8}
    found = sim.xero("PUT", "Payments" + EACH, {"Payments": [element, element]}).json["Payments"]
    assert [one["StatusAttributeString"] for one in found] == ["OK", "ERROR"]
    assert found[0]["Invoice"]["InvoiceID"] == me


def test_credit_note_allocated_and_back(sim):
    contact = sim.contact()
    me = sim.invoice(contact)["InvoiceID"]
    credit = note(sim, contact)
    assert str(credit["RemainingCredit"]) == "12.00"
    assert messages(allocate(sim, credit["CreditNoteID"], me, 12.01))
    made = allocate(sim, credit["CreditNoteID"], me, 12)
    found = sim.xero("GET", f"Invoices/{me}").json["Invoices"][0]
    assert (found["Status"], str(found["AmountCredited"])) == ("PAID", "12.00")
    assert found["CreditNotes"][0]["CreditNoteNumber"] == "S-1-R1"
    found = sim.xero("GET", "CreditNotes/S-1-R1").json["CreditNotes"][0]
    assert found["Status"] == "PAID" and len(found["Allocations"]) == 1
    path = f"CreditNotes/{credit['CreditNoteID']}/Allocations/{made['AllocationID']}"
    assert sim.xero("DELETE", path).status == 200
    assert sim.xero("GET", f"Invoices/{me}").json["Invoices"][0]["Status"] == "AUTHORISED"


def test_credit_note_paid_out(sim):
    credit = note(sim, sim.contact())
    paid = sim.pay(None, 12, Invoice=None, CreditNote={"CreditNoteID": credit["CreditNoteID"]})
    assert paid["PaymentType"] == "ARCREDITPAYMENT"
    assert sim.xero("GET", "CreditNotes/S-1-R1").json["CreditNotes"][0]["Status"] == "PAID"


def test_credit_note_rules(sim):
    contact = sim.contact()
    assert messages(note(sim, contact, LineItems=[line(DiscountAmount=1)])) == [
        "Discounts cannot be applied to credit notes."
    ]
    note(sim, contact)
    assert messages(note(sim, contact)) == []  # their numbers are not known to be unique
    where = urllib.parse.quote('CreditNoteNumber=="S-1-R1"')
    assert len(sim.xero("GET", "CreditNotes?where=" + where).json["CreditNotes"]) == 2
    other = sim.contact(Name="Bob", ContactNumber="c-2")
    mine = sim.invoice(other)["InvoiceID"]
    credit = note(sim, contact)["CreditNoteID"]
    assert "same contact" in messages(allocate(sim, credit, mine, 1))[0]


def test_history(sim):
    me = sim.invoice(sim.contact())["InvoiceID"]
    body = {"HistoryRecords": [{"Details": "exported"}]}
    assert sim.xero("PUT", f"Invoices/{me}/History", body).status == 200
    found = sim.xero("GET", f"Invoices/{me}/History").json["HistoryRecords"]
    assert [one["Details"] for one in found] == ["exported"]
    reply = sim.xero("PUT", f"Invoices/{UNKNOWN}/History", body)
    assert (
        reply.json["Message"]
        == "The document with the supplied id was not found for this endpoint."
    )
