"""Who an invoice goes to: the contact in Xero that a customer is found as, made as, or mapped to."""

import hashlib
import urllib.parse
import uuid

import pytest

import lib
from lib import PREFIX
from orders import order

CONTACTS = "/api.xro/2.0/Contacts"
ADA = 900000000001


def act(s, do, **more):
    return s.stack.sim.control("POST", "act", {"do": do, "tenant": s.tenant, **more})


def add(s, name, **more):
    """A contact that somebody else made in Xero; its id."""
    return act(s, "add_contact", element={"Name": name, **more})["ContactID"]


def customer(number, first="Cora", last=None, email=None):
    """Members of an order of another customer."""
    last = f"Number{number}" if last is None else last
    email = f"c{number}@example.com" if email is None else email
    return {"customer": {"id": 910000000000 + number, "first_name": first, "last_name": last, "email": email},
            "email": email}


def mark(s, customer_id=ADA, kind="customer"):
    return hashlib.sha256(f"shopify/{s.domain}/{kind}/{customer_id}".encode()).hexdigest()[:16]


def export(s, body):
    """The ContactID that the order's invoice went to."""
    assert s.send("orders/paid", body)[0] == 200
    s.wait_done(body["id"])
    return contact_of(s, body)


def contact_of(s, body):
    (invoice,) = [i for i in s.invoices() if i["InvoiceNumber"] == body["name"].lstrip("#")]
    return invoice["ContactID"]


def fails(s, body):
    assert s.send("orders/paid", body)[0] == 200
    s.wait_state(body["id"], "failed")
    (row,) = s.failed()
    assert s.invoices() == []
    return row


def export_again(s, row):
    status, answer = s.stack.receiver.api("POST", f"/failed/{row['id']}/export?wait=20", {}, token=lib.SUPPORT)
    assert status == 200 and (answer["exported"], answer["failed"]) == (1, 0), answer


def in_one_lease(s, bodies):
    path = f"/connections/{s.connection}"
    assert s.stack.receiver.api("POST", path + "/pause", {})[0] == 200
    for body in bodies:
        assert s.send("orders/paid", body)[1]["result"] == "held"
    assert s.stack.receiver.api("POST", path + "/resume", {})[0] == 200
    for body in bodies:
        s.wait_done(body["id"])


def names(s):
    return sorted(c["Name"] for c in s.books()["contacts"])


def contact(s, contact_id):
    (found,) = [c for c in s.books()["contacts"] if c["ContactID"] == contact_id]
    return found


def forget(s):
    """What is remembered of customers is only a cache."""
    s.stack.redis.call("DEL", f"{PREFIX}contacts:{s.connection}")


def path(s, who=ADA):
    return f"/connections/{s.connection}/contacts/shopify/{s.domain}/{who}"


def api(s, method, who=ADA, body=None, token=lib.ADMIN):
    return s.stack.receiver.api(method, path(s, who), body, token=token)


def map_to(s, contact_id, who=ADA):
    status, answer = api(s, "PUT", who, {"contact": contact_id})
    assert (status, answer["contact_id"], answer["source"]) == (200, contact_id.lower(), "mapped"), answer


# ---- found ----

FOUND = {
    "by the address, in any letters": {"EmailAddress": "ADA@Example.com"},
    "by the address, though another program has its number there": {
        "EmailAddress": "ada@example.com", "ContactNumber": "CRM-7"},
    "by the exact name without an address": {"Name": "Ada Buyer"},
    "by the exact name in any letters": {"Name": "ADA buyer"},
}


@pytest.mark.parametrize("element", FOUND.values(), ids=FOUND)
def test_a_contact_that_is_there_is_used_and_stays_as_it_is(element, shop):
    s = shop()
    there = add(s, **{"name": element.get("Name", "A. Buyer, London"), **element})
    before = contact(s, there)
    assert export(s, order()) == there
    assert {**contact(s, there), "IsCustomer": None} == {**before, "IsCustomer": None}
    calls = len(s.calls())
    assert export(s, order()) == there  # remembered: only invoice and payment
    assert len(s.calls()) == calls + 2


STRANGERS = {
    "two have the address": ({"Name": "One", "EmailAddress": "ada@example.com"},
                             {"Name": "Two", "EmailAddress": "Ada@example.com"}),
    "the namesake has another address": ({"Name": "Ada Buyer", "EmailAddress": "other@example.com"},),
    "the namesake has a number": ({"Name": "Ada Buyer", "ContactNumber": "CRM-7"},),
    "the name is only alike": ({"Name": "Ada Buyer-King"},),
}


@pytest.mark.parametrize("elements", STRANGERS.values(), ids=STRANGERS)
def test_a_contact_that_may_be_somebody_else_is_left_alone(elements, shop):
    s = shop()
    there = [add(s, **{"name": e["Name"], **e}) for e in elements]
    before = [contact(s, one) for one in there]
    made = export(s, order())
    assert made not in there and contact(s, made)["ContactNumber"] == mark(s)
    assert [contact(s, one) for one in there] == before
    taken = any(e["Name"] == "Ada Buyer" for e in elements)
    assert contact(s, made)["Name"] == (f"Ada Buyer ({mark(s)[:8]})" if taken else "Ada Buyer")


def test_a_namesake_with_an_address_is_not_taken_for_a_customer_without_one(shop):
    s = shop()
    there = add(s, "Ada Buyer", EmailAddress="ada@example.com")
    body = order(email="", contact_email="", customer={"id": ADA, "first_name": "Ada", "last_name": "Buyer", "email": ""})
    assert export(s, body) != there


def test_an_archived_contact_of_that_address_or_name_does_not_count(shop):
    s = shop()
    there = add(s, "Ada Buyer", EmailAddress="ada@example.com")
    act(s, "archive_contact", contact_id=there)
    made = export(s, order())
    assert made != there and contact(s, made)["Name"] == "Ada Buyer"


def test_our_number_comes_before_the_address_even_on_an_archived_contact(shop):
    s = shop()
    ours, other = add(s, "Old", ContactNumber=mark(s)), add(s, "Other", EmailAddress="ada@example.com")
    act(s, "archive_contact", contact_id=ours)
    row = fails(s, order())
    assert (row["catalogue"], row["failed_export"]) == (["contact-archived"], "Contact")
    act(s, "restore_contact", contact_id=ours)
    export_again(s, row)
    assert {i["ContactID"] for i in s.invoices()} == {ours} and other not in (ours, None)


def test_a_contact_of_ours_is_found_again_when_nothing_is_remembered(shop):
    s = shop()
    made = export(s, order())
    forget(s)
    assert export(s, order()) == made and len(names(s)) == 1
    forget(s)
    changed = customer(0, "Ada", "King", "king@example.com")
    changed["customer"]["id"] = ADA
    assert export(s, order(**changed)) == made and names(s) == ["Ada Buyer"]


def test_a_merged_contact_is_followed_through_several_mergers(shop):
    s = shop()
    made, second, third = export(s, order()), add(s, "Second"), add(s, "Third")
    act(s, "merge_contact", contact_id=made, into=second)
    act(s, "merge_contact", contact_id=second, into=third)
    assert export(s, order()) == third
    rows = [row for worker in s.stack.processes for row in worker.events("contact_merged")
            if row.get("contact") in (made, second)]
    assert [(row["contact"], row["into"]) for row in rows] == [(made, second), (second, third)]
    calls = len(s.calls())
    assert export(s, order()) == third and len(s.calls()) == calls + 2


def test_a_merged_contact_whose_survivor_is_archived_fails_with_what_to_do(shop):
    s = shop()
    made, second = add(s, "First", ContactNumber=mark(s)), add(s, "Second")
    act(s, "merge_contact", contact_id=made, into=second)
    act(s, "archive_contact", contact_id=second)
    row = fails(s, order())
    assert row["catalogue"] == ["contact-archived"]
    act(s, "restore_contact", contact_id=second)
    export_again(s, row)
    assert {i["ContactID"] for i in s.invoices()} == {second}


def test_a_contact_under_a_gdpr_request_gets_nothing_until_the_customer_is_mapped(shop):
    s = shop()
    add(s, "Ada Buyer", ContactNumber=mark(s))
    act(s, "gdpr_request", contact_number=mark(s))
    row = fails(s, order())
    assert row["catalogue"] == ["contact-gdpr"]
    other = add(s, "Other")
    map_to(s, other)
    export_again(s, row)
    assert {i["ContactID"] for i in s.invoices()} == {other}


# ---- made ----

@pytest.mark.parametrize("name", ['Ada "the Q" Buyer', "Ada \\ Buyer", "Zo\u00eb & Fr\u00e4nk 100 % + \u4f60\u597d #1", "O'Neil", "=1+1"])
def test_odd_names_are_made_and_told_apart(name, shop):
    """Whatever a name holds, it neither breaks a look-up nor ends at a stranger's contact."""
    s = shop()
    there = add(s, name, EmailAddress="other@example.com")
    who = customer(1, name, "")
    made = export(s, order(**who))
    assert made != there
    assert contact(s, made)["Name"] == f"{name} ({mark(s, who['customer']['id'])[:8]})"


@pytest.mark.parametrize("name,found", [("Zo\u00eb & Fr\u00e4nk 100 % + \u4f60\u597d #1", True), ('Ada "the Q" Buyer', False)])
def test_a_name_is_looked_for_only_if_it_can_stand_in_a_filter(name, found, shop):
    s = shop()
    there = add(s, name)
    assert (export(s, order(**customer(1, name, ""))) == there) is found


def test_a_distinct_name_that_is_taken_too_fails_and_is_mended_by_renaming_or_by_mapping(shop):
    s = shop()
    who, other = customer(1, "Ada", "Buyer", "one@example.com"), customer(2, "Ada", "Buyer", "two@example.com")
    add(s, "Ada Buyer", EmailAddress="stranger@example.com")
    for one in (who, other):
        add(s, f"Ada Buyer ({mark(s, one['customer']['id'])[:8]})", EmailAddress="stranger@example.com")
    first = order(**who)
    row = fails(s, first)
    assert (row["catalogue"], row["fix_in"]) == (["contact-name-taken"], "xero")
    act(s, "rename_contact", name=f"Ada Buyer ({mark(s, who['customer']['id'])[:8]})", new_name="Somebody Else")
    export_again(s, row)
    second = order(**other)
    s.send("orders/paid", second)
    s.wait_state(second["id"], "failed")
    chosen = add(s, "Chosen")
    map_to(s, chosen, other["customer"]["id"])
    export_again(s, s.failed()[0])
    assert contact_of(s, second) == chosen != contact_of(s, first)


def test_two_new_customers_of_one_name_get_two_contacts(shop):
    s = shop()
    bodies = [order(**customer(i, "Ada", "Buyer")) for i in (1, 2)]
    in_one_lease(s, bodies)
    assert contact_of(s, bodies[0]) != contact_of(s, bodies[1])
    assert len([n for n in names(s) if n.startswith("Ada Buyer")]) == 2


def test_two_customer_records_with_one_address_share_one_contact(shop):
    s = shop()
    bodies = [order(**customer(i, email="same@example.com")) for i in (1, 2, 3)]
    in_one_lease(s, bodies)
    assert len({contact_of(s, body) for body in bodies}) == 1 and len(names(s)) == 1


def test_the_customer_code_is_sent_for_contacts_that_are_made_only(shop):
    s = shop(settings={"send_customer_code": True})
    there = add(s, "Cora", EmailAddress="c1@example.com")
    assert contact(s, export(s, order()))["AccountNumber"] == str(ADA)
    assert export(s, order(**customer(1))) == there
    assert "AccountNumber" not in contact(s, there)
    guest = order(customer=None, email="", contact_email="")
    assert contact(s, export(s, guest)).get("AccountNumber") in (None, "")


def test_guests_share_one_contact_and_their_addresses_match_nobody(shop):
    s = shop()
    there = add(s, "Gus", EmailAddress="gus@example.com")
    first = export(s, order(customer=None, email="gus@example.com"))
    assert export(s, order(customer=None, email="pat@example.com")) == first != there
    assert contact(s, first)["ContactNumber"] == mark(s, "", "guest")
    assert contact(s, first).get("EmailAddress") in (None, "")


def test_a_store_with_one_contact_uses_the_one_of_that_name(shop):
    s = shop(settings={"contact": "single", "contact_name": "Web sales"})
    there = add(s, "Web Sales")
    add(s, "Ada", EmailAddress="ada@example.com")
    assert export(s, order()) == there == export(s, order(**customer(1)))


def test_a_company_has_one_contact_and_its_buyer_another(shop):
    s = shop()
    company = {"company": {"id": 55, "location_id": 1}, "billing_address": {"company": "Mugs Ltd"}}
    theirs = export(s, order(**company))
    assert export(s, order(**company, **customer(1))) == theirs
    assert contact(s, theirs)["Name"] == "Mugs Ltd"
    private = export(s, order())  # the same address as the company's first buyer
    assert private != theirs and contact(s, private)["Name"] == "Ada Buyer"
    assert api(s, "GET", "company-55")[1]["contact_id"] == theirs


# ---- calls ----

def test_fifty_new_customers_cost_four_calls(shop):
    s = shop()
    bodies = [order(**customer(i, email=f"customer-{i}.of.some.length@example.com")) for i in range(50)]
    add(s, "Known", EmailAddress=bodies[0]["email"])
    in_one_lease(s, bodies[1:])
    calls = [(c["method"], c["path"].rsplit("/", 1)[-1]) for c in s.calls()]
    assert calls == [("GET", "Contacts"), ("PUT", "Contacts"), ("PUT", "Invoices"), ("PUT", "Payments")]
    assert len(names(s)) == 50


def test_a_query_that_xero_finds_too_long_is_put_in_parts_from_then_on(own_stack):
    stack = own_stack()
    s = lib.Shop(stack)
    stack.sim.fault(tenant=s.tenant, method="GET", path=CONTACTS, fault="status", status=404, body="")
    first, second = ([order(**customer(100 * k + i, email=f"customer-{k}-{i}.of.some.length@example.com"))
                      for i in range(50)] for k in (1, 2))
    there = add(s, "There", EmailAddress=first[49]["email"])
    in_one_lease(s, first)
    assert contact_of(s, first[49]) == there
    in_one_lease(s, second)
    asked = [c for c in s.calls() if c["method"] == "GET"]
    assert asked[0]["status"] == 404 and all(len(query(c)) <= 2048 for c in asked[1:])
    assert len(asked) == 1 + 2 + 1 + 2  # refused; in two parts, and for our number; in two parts


def query(call):
    text = call["query"]
    return text if isinstance(text, str) else urllib.parse.urlencode(text, safe="@=()", quote_via=urllib.parse.quote_plus)


def test_an_organisation_that_refuses_look_ups_still_gets_its_contacts(shop):
    s = shop()
    s.stack.sim.fault(tenant=s.tenant, method="GET", path=CONTACTS, fault="status", status=400, remember=False, count=-1,
                      body={"ErrorNumber": 51, "Type": "HighVolumeException", "Message": "Not filtering efficiently"})
    made = export(s, order())
    assert contact(s, made)["ContactNumber"] == mark(s)


# ---- mapped ----

def test_a_mapped_contact_is_used_before_all_else(shop):
    s = shop()
    remembered, chosen = export(s, order()), add(s, "Chosen")
    assert api(s, "GET")[1] == {
        "customer": f"shopify/{s.domain}/{ADA}", "contact_number": mark(s), "contact_id": remembered,
        "contact_link": f"https://go.xero.com/Contacts/View/{remembered}", "source": "remembered"}
    map_to(s, chosen)
    assert export(s, order()) == chosen
    assert api(s, "DELETE")[0] == 204
    assert export(s, order()) == remembered
    assert api(s, "DELETE")[0] == 404


def test_guests_companies_and_single_stores_can_be_mapped(shop):
    s = shop()
    chosen = add(s, "Chosen")
    for who in ("guest", "company-55"):
        map_to(s, chosen, who)
    assert export(s, order(customer=None, email="")) == chosen
    assert export(s, order(company={"id": 55, "location_id": 1})) == chosen
    s.patch({"settings": {"contact": "single"}})
    map_to(s, chosen, "single")
    assert export(s, order()) == chosen


USELESS = {
    "archived": (lambda s, one, other: act(s, "archive_contact", contact_id=one), "is archived in Xero"),
    "merged": (lambda s, one, other: act(s, "merge_contact", contact_id=one, into=other),
               "was merged in Xero into the contact "),
}


@pytest.mark.parametrize("case", USELESS.values(), ids=USELESS)
def test_a_mapped_contact_that_became_useless_fails_and_says_so(case, shop):
    s = shop()
    one, other = add(s, "One"), add(s, "Other")
    map_to(s, one)
    case[0](s, one, other)
    row = fails(s, order())
    assert (row["catalogue"], row["failed_export"], row["fix_in"]) == (["contact-mapped"], "Contact", "here")
    (text,) = row["export_error"]
    assert one in text and case[1] in text and (other in text) is ("merged" in case[1])
    map_to(s, other)
    export_again(s, row)
    assert {i["ContactID"] for i in s.invoices()} == {other}


def test_a_mapped_contact_that_xero_does_not_have_fails_and_says_so(shop):
    s, body, good = shop(), order(), order(**customer(1))
    gone = str(uuid.uuid4())
    map_to(s, gone)
    s.send("orders/paid", good)
    s.wait_done(good["id"])
    s.send("orders/paid", body)
    s.wait_state(body["id"], "failed")
    (row,) = s.failed()
    assert row["export_error"] == [f"The customer is mapped to the Xero contact {gone}, which is not in Xero (any more)."]
    assert api(s, "DELETE")[0] == 204
    export_again(s, row)


ID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
TAKEN = [ID, ID.upper(), f" {ID} ", f"https://go.xero.com/Contacts/View/{ID}", f"https://go.xero.com/app/contacts/contact/{ID}",
         f"https://go.xero.com/app/!Ab1cD/contacts/contact/{ID}?x=1", f"https://go.xero.com/Contacts/View.aspx?contactID={ID}#top"]
NOT_TAKEN = ["", "Ada", ID[:-1], ID + "0", f"https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={ID}",
             f"https://example.com/contacts/{ID}", f"https://go.xero.com/Contacts/View/{ID}/{ID}", 7, None, [ID]]


@pytest.mark.parametrize("text", TAKEN)
def test_a_contact_is_named_by_its_id_or_its_page(text, shop):
    status, answer = api(shop(), "PUT", body={"contact": text})
    assert (status, answer["contact_id"]) == (200, ID)


def test_what_names_no_contact_is_refused(shop):
    s = shop()
    for text in NOT_TAKEN:
        status, answer = api(s, "PUT", body={"contact": text})
        assert status == 422 and [e["field"] for e in answer["errors"]] == ["contact"], text
    assert api(s, "PUT", body={"contact": ID, "x": 1})[0] == 422
    assert api(s, "PUT", body={})[0] == 422
    assert api(s, "GET")[1]["contact_id"] is None


def test_only_customers_of_the_connections_own_stores_are_known(shop, stack):
    s, other = shop(), shop()
    assert s.stack.receiver.api("GET", f"/connections/{s.connection}/contacts/shopify/{other.domain}/{ADA}")[0] == 404
    assert s.stack.receiver.api("GET", f"/connections/none/contacts/shopify/{s.domain}/{ADA}")[0] == 404
    assert s.stack.receiver.api("GET", f"/connections/{s.connection}/contacts/ebay/{s.domain}/{ADA}")[0] == 404


def test_support_may_look_and_only_an_administrator_may_map_and_it_is_audited(shop):
    s = shop()
    assert api(s, "GET", token=lib.SUPPORT)[0] == 200
    assert api(s, "PUT", body={"contact": ID}, token=lib.SUPPORT)[0] == 403
    assert api(s, "DELETE", token=lib.SUPPORT)[0] == 403
    assert api(s, "PUT", body={"contact": ID})[0] == 200
    assert api(s, "PUT", body={"contact": ID})[0] == 200  # nothing changes
    assert api(s, "DELETE")[0] == 204
    about = f"customer shopify/{s.domain}/{ADA} of connection {s.connection}"
    entries = [dict(zip(e[1][::2], e[1][1::2], strict=True)) for e in s.stack.redis.call("XRANGE", f"{PREFIX}audit", "-", "+")]
    rows = [{k.decode(): v.decode() for k, v in e.items()} for e in entries if e[b"object"].decode() == about]
    assert [(r["who"], r["what"], r["old"], r["new"]) for r in rows] == [("ada", "map", "", ID), ("ada", "unmap", ID, "")]


def test_an_uninstall_erases_the_mappings(shop):
    s = shop()
    map_to(s, ID)
    status, _ = s.stack.receiver.api("POST", f"/connections/{s.connection}/uninstall", {"confirm": s.connection})
    assert status == 200
    assert s.stack.redis.call("EXISTS", f"{PREFIX}mapped:{s.connection}") == 0
    status, answer = api(s, "PUT", body={"contact": ID})
    assert status == 409 and "uninstalled" in answer["detail"]
