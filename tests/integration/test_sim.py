"""The simulator of Xero keeps Xero's rules: each test asks it over HTTP and reads its answer."""

import base64
import gzip
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from decimal import Decimal

import pytest

SIM = pathlib.Path(__file__).resolve().parents[1] / "sim"
API = "/api.xro/2.0/"
TENANT = "8e1f3d52-6c1a-4b7e-9d55-0c2f6a7b9e10"
TENANT_2 = "b7c40a9e-2f5d-4c86-8a31-5e9d0f7c1a24"
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
UNKNOWN = "11111111-2222-3333-4444-555555555555"
EACH = "?summarizeErrors=false&unitdp=4"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()
        text = (
            gzip.decompress(self.raw)
            if self.headers.get("Content-Encoding") == "gzip"
            else self.raw
        )
        is_json = (self.headers.get("Content-Type") or "").startswith("application/json")
        self.json = json.loads(text, parse_float=Decimal) if is_json and text else None


class Sim:
    """One simulator and one signed-in app."""

    def __init__(self, url, ready):
        self.url = url
        self.ready = ready
        self.address = urllib.parse.urlsplit(url).netloc
        self.local = threading.local()
        self.token = None

    def call(self, method, target, body=None, headers=None):
        """A call on this thread's kept-alive connection."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection(
                self.address, timeout=10
            )
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, target, data, headers or {})
            return Reply(connection.getresponse())
        except Exception:
            connection.close()
            raise

    def control(self, method, target, body=None):
        reply = self.call(method, "/_sim/" + target, body)
        assert reply.status == 200, reply.raw
        return reply.json

    def sign_in(self, client="demo-client", secret="demo-secret", **form):
        return self.call(
            "POST",
            "/connect/token",
            urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode(),
            {
                "Authorization": basic(client, secret),
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )

    def xero(self, method, target, body=None, key=None, **headers):
        given = {"Authorization": "Bearer " + self.token, "Accept": "application/json"}
        if body is not None:
            given["Content-Type"] = "application/json"
        if key:
            given["Idempotency-Key"] = key
        given.update((name.replace("_", "-"), value) for name, value in headers.items())
        return self.call(method, API + target, body, given)

    def contact(self, **fields):
        fields = {"Name": "Ann Example", "ContactNumber": "c-1", **fields}
        reply = self.xero("PUT", "Contacts" + EACH, {"Contacts": [fields]})
        assert reply.json["Contacts"][0]["StatusAttributeString"] == "OK", reply.raw
        return reply.json["Contacts"][0]["ContactID"]

    def invoice(self, contact, query=EACH, verb="PUT", path="Invoices", **fields):
        element = invoice(contact, **fields)
        return self.xero(verb, path + query, {"Invoices": [element]}).json["Invoices"][0]

    def pay(self, invoice_id, amount, **fields):
        element = {
            "Invoice": {"InvoiceID": invoice_id},
            "Account": {"Code": "090"},
            "Date": "2026-11-02",
            "Amount": float(amount),
            "Reference": "t1",
            **fields,
        }
        return self.xero("PUT", "Payments" + EACH, {"Payments": [element]}).json["Payments"][0]

    def wait(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come"
            time.sleep(0.002)


def basic(client, secret):
    return "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def line(**fields):
    return {
        "Description": "Mug",
        "Quantity": 1,
        "UnitAmount": 10,
        "AccountCode": "200",
        "TaxType": "OUTPUT2",
        **fields,
    }


def invoice(contact, **fields):
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-01",
        "DueDate": "2026-11-15",
        "InvoiceNumber": "S-1",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **fields,
    }


def messages(element):
    return [error["Message"] for error in element.get("ValidationErrors", [])]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    ready = tmp_path_factory.mktemp("sim") / "url"
    process = subprocess.Popen(
        [sys.executable, "-B", str(SIM / "main.py"), "--ready-file", str(ready)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline().split()
    assert first[:2] == ["listening", "on"]
    yield Sim(first[2], ready)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert not ready.exists()


@pytest.fixture
def sim(server):
    """Fresh books without limits; tests of the limits switch them on."""
    server.control("POST", "reset")
    server.control("POST", "organisation", {"tenant": TENANT, "limits": False})
    server.token = server.sign_in().json["access_token"]
    return server


# -- the process ----------------------------------------------------------------------------------


def test_ready_file_holds_the_url(server):
    assert server.ready.read_text().strip() == server.url


def test_listens_on_loopback_only():
    result = subprocess.run(
        [sys.executable, "-B", str(SIM / "main.py"), "--listen", "0.0.0.0:0"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert result.returncode == 2 and "loopback" in result.stderr


def test_ends_at_once_with_a_call_held():
    process = subprocess.Popen(
        [sys.executable, "-B", str(SIM / "main.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    other = Sim(process.stdout.readline().split()[2], None)
    other.token = other.sign_in().json["access_token"]
    other.control("POST", "faults", {"fault": "hold", "path": API})
    thread = threading.Thread(target=_quietly, args=(other.xero, "GET", "Organisation"))
    thread.start()
    other.wait(lambda: other.control("GET", "held")["held"] == 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    thread.join(10)
    assert (process.returncode, errors) == (0, "")


def _quietly(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, http.client.HTTPException) as error:
        return error


# -- identity -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "client, secret, form, error",
    [
        ("demo-client", "wrong", {}, "invalid_client"),
        ("nobody", "demo-secret", {}, "invalid_client"),
        ("", "demo-secret", {}, "unauthorized_client"),
        ("demo-client", "demo-secret", {"grant_type": "password"}, "unsupported_grant_type"),
        ("demo-client", "demo-secret", {"scope": "accounting.everything"}, "invalid_scope"),
        (
            "demo-client",
            "demo-secret",
            {"grant_type": "refresh_token", "refresh_token": "x"},
            "invalid_grant",
        ),
        (
            "demo-client",
            "demo-secret",
            {"grant_type": "authorization_code", "code": "x"},
            "invalid_grant",
        ),
    ],
)
def test_token_errors(sim, client, secret, form, error):
    reply = sim.sign_in(client, secret, **form)
    assert (reply.status, reply.json) == (400, {"error": error})


def test_client_credentials(sim):
    reply = sim.sign_in()
    assert reply.json["token_type"] == "Bearer" and reply.json["expires_in"] == 1800
    assert "refresh_token" not in reply.json
    found = sim.call("GET", "/connections", None, {"Authorization": "Bearer " + sim.token}).json
    assert [(one["tenantId"], one["tenantType"], one["tenantName"]) for one in found] == [
        (TENANT, "ORGANISATION", "Demo Company (UK)")
    ]


@pytest.mark.parametrize(
    "header, status",
    [(None, 200), (TENANT, 200), (TENANT.upper(), 200), (TENANT_2, 403), ("x", 403)],
)
def test_tenant_header(sim, header, status):
    given = {"Xero_Tenant_Id": header} if header else {}
    reply = sim.xero("GET", "Organisation", **given)
    assert reply.status == status
    if status == 403:
        assert reply.json["Detail"] == "AuthenticationUnsuccessful"


def test_token_expires(sim):
    sim.control("POST", "clock", {"advance_seconds": 1801})
    reply = sim.xero("GET", "Organisation")
    assert reply.status == 401 and reply.json["Detail"].startswith(
        "TokenExpired: token expired at "
    )
    sim.token = sim.sign_in().json["access_token"]
    assert sim.xero("GET", "Organisation").status == 200


def test_expire_tokens_and_unknown_tokens(sim):
    sim.control("POST", "act", {"do": "expire_tokens", "tenant": TENANT})
    assert "TokenExpired" in sim.xero("GET", "Organisation").json["Detail"]
    sim.token = "nonsense"
    assert sim.xero("GET", "Organisation").json["Detail"] == "AuthenticationUnsuccessful"


def test_scope_missing(sim):
    sim.token = sim.sign_in(scope="accounting.contacts accounting.settings.read").json[
        "access_token"
    ]
    assert sim.xero("GET", "Contacts").status == 200
    assert sim.xero("GET", "Accounts").status == 200
    reply = sim.xero("GET", "Payments")
    assert (reply.status, reply.json["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert "insufficent_scope" in reply.headers["WWW-Authenticate"]


def test_disconnected_by_the_organisation(sim):
    sim.control("POST", "act", {"do": "disconnect", "tenant": TENANT})
    reply = sim.xero("GET", "Organisation")
    assert (reply.status, reply.json["Detail"]) == (403, "AuthenticationUnsuccessful")
    assert (
        sim.call("GET", "/connections", None, {"Authorization": "Bearer " + sim.token}).json == []
    )
    assert sim.sign_in().status == 200
    sim.control("POST", "act", {"do": "connect", "tenant": TENANT, "client_id": "demo-client"})
    assert sim.xero("GET", "Organisation").status == 200


def test_delete_connection(sim):
    bearer = {"Authorization": "Bearer " + sim.token}
    found = sim.call("GET", "/connections", None, bearer).json[0]["id"]
    assert sim.call("DELETE", "/connections/" + found, None, bearer).status == 204
    assert sim.call("DELETE", "/connections/" + found, None, bearer).status == 404
    assert sim.xero("GET", "Organisation").status == 403


REDIRECT = "https://shop.example/callback"


def consent(sim, scope="offline_access accounting.invoices accounting.settings.read", **client):
    sim.control(
        "POST",
        "clients",
        {
            "client_id": "code-app",
            "client_secret": "s",
            "kind": "authorization_code",
            "tenants": [{"tenant_id": TENANT_2, "name": "Second Demo Ltd"}],
            **client,
        },
    )
    reply = sim.call(
        "GET",
        "/identity/connect/authorize?"
        + urllib.parse.urlencode(
            {
                "response_type": "code",
                "client_id": "code-app",
                "redirect_uri": REDIRECT,
                "scope": scope,
                "state": "st",
            }
        ),
    )
    assert reply.status == 302
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers["Location"]).query))


def by_code(sim, code, redirect=REDIRECT):
    return sim.sign_in(
        "code-app", "s", grant_type="authorization_code", code=code, redirect_uri=redirect
    )


def refresh(sim, token):
    return sim.sign_in("code-app", "s", grant_type="refresh_token", refresh_token=token)


def test_authorization_code(sim):
    back = consent(sim)
    assert back["state"] == "st"
    tokens = by_code(sim, back["code"]).json
    assert by_code(sim, back["code"]).json == {"error": "invalid_grant"}
    sim.token = tokens["access_token"]
    assert sim.xero("GET", "Organisation").status == 403  # no tenant header
    assert sim.xero("GET", "Organisation", Xero_Tenant_Id=TENANT_2).status == 200
    assert sim.xero("GET", "Organisation", Xero_Tenant_Id=TENANT).status == 403


@pytest.mark.parametrize("wait, redirect", [(301, REDIRECT), (0, REDIRECT + "/")])
def test_code_refused(sim, wait, redirect):
    code = consent(sim)["code"]
    sim.control("POST", "clock", {"advance_seconds": wait})
    assert by_code(sim, code, redirect).json == {"error": "invalid_grant"}


def test_consent_refused(sim):
    assert consent(sim, consent="refuse") == {"error": "access_denied", "state": "st"}


def test_refresh_rotates_with_grace(sim):
    first = by_code(sim, consent(sim)["code"]).json["refresh_token"]
    lost = refresh(sim, first).json["refresh_token"]
    second = refresh(sim, first).json["refresh_token"]  # the answer was lost: asked again
    assert len({first, lost, second}) == 3
    third = refresh(sim, second).json["refresh_token"]
    assert refresh(sim, first).json == {"error": "invalid_grant"}
    sim.control("POST", "clock", {"advance_seconds": 1801})
    assert refresh(sim, second).json == {"error": "invalid_grant"}  # grace is over
    assert refresh(sim, third).status == 200


def test_refresh_token_dies_unused(sim):
    token = by_code(sim, consent(sim)["code"]).json["refresh_token"]
    sim.control("POST", "clock", {"advance_seconds": 60 * 86400 + 1})
    assert refresh(sim, token).json == {"error": "invalid_grant"}


def test_revocation(sim):
    tokens = by_code(sim, consent(sim)["code"]).json
    reply = sim.call(
        "POST",
        "/connect/revocation",
        urllib.parse.urlencode({"token": tokens["refresh_token"]}).encode(),
        {"Authorization": basic("code-app", "s")},
    )
    assert (reply.status, reply.raw) == (200, b"")
    assert refresh(sim, tokens["refresh_token"]).json == {"error": "invalid_grant"}
    sim.token = tokens["access_token"]
    assert sim.xero("GET", "Organisation", Xero_Tenant_Id=TENANT_2).status == 403


def test_revoked_by_a_person(sim):
    token = by_code(sim, consent(sim)["code"]).json["refresh_token"]
    sim.control("POST", "act", {"do": "revoke", "tenant": TENANT_2})
    assert refresh(sim, token).json == {"error": "invalid_grant"}
    assert sim.sign_in("demo-client-2", "demo-secret-2").json == {"error": "unauthorized_client"}


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "resource, wrapper, key, value",
    [
        ("Organisation", "Organisations", "BaseCurrency", "GBP"),
        ("Accounts", "Accounts", "SystemAccount", "ROUNDING"),
        ("TaxRates", "TaxRates", "TaxType", "OUTPUT2"),
        ("Currencies", "Currencies", "Code", "KWD"),
        ("TrackingCategories", "TrackingCategories", "Name", "Region"),
        ("BrandingThemes", "BrandingThemes", "Name", "Standard"),
    ],
)
def test_settings(sim, resource, wrapper, key, value):
    reply = sim.xero("GET", resource)
    assert reply.status == 200 and reply.json["Status"] == "OK"
    assert any(one.get(key) == value for one in reply.json[wrapper])


def test_without_accept_json_xero_answers_xml(sim):
    reply = sim.xero("GET", "Organisation", Accept="*/*")
    assert reply.headers["Content-Type"].startswith("text/xml")


@pytest.mark.parametrize(
    "method, target, status",
    [
        ("GET", "Journals", 404),
        ("GET", "Invoices/" + UNKNOWN, 404),
        ("GET", "Contacts/nobody", 404),
        ("DELETE", "Invoices", 501),
        ("PUT", "Invoices/" + UNKNOWN, 500),
        ("POST", "Payments/" + UNKNOWN, 404),
    ],
)
def test_addresses(sim, method, target, status):
    body = {"Payments": [{"Status": "DELETED"}]} if method == "POST" else None
    reply = sim.xero(method, target, body)
    assert reply.status == status
    if status == 404:
        assert reply.raw == b"" and reply.headers["Content-Type"] == "text/html"


# -- what the parser refuses ----------------------------------------------------------------------


def refused(contact="", **fields):
    return {"Invoices": [invoice(contact or UNKNOWN, **fields)]}


@pytest.mark.parametrize(
    "body, number",
    [
        (refused(Colour="red"), 14),
        (refused(LineItems=[line(Colour="red")]), 14),
        (refused(LineAmountTypes="NO_TAX"), 14),
        (refused(LineAmountTypes="exclusive"), 14),
        (refused(Status="authorised"), 14),
        (refused(Date="01/11/2026"), 14),
        (refused(Date="2026-02-30"), 14),
        (refused(contact="not-a-guid"), 14),
        (refused(LineItems=[line(UnitAmount="10.00")]), 14),
        (refused(LineItems=[line(Quantity=True)]), 14),
        (refused(LineItems={"Description": "x"}), 14),
        (refused(CurrencyCode="pound"), 14),
        (refused(SentToContact="true"), 14),
        (refused(Contact="Ann"), 14),
        ({"Invoices": ["x"]}, 14),
        (b'{"Invoices":[{"Type":"ACCREC","Type":"ACCREC"}]}', 14),
        (b'{"Invoices":[{"CurrencyRate":NaN}]}', 14),
        (b'{"Invoices":', 14),
        (b'{"Invoices":[{"Reference":"\\ud800"}]}', 14),
        (b"[" * 100000, 14),
        (refused(Date="0001-01-01T00:00:00+14:00"), 14),
        (refused(LineItems=[line(UnitAmount=10**15)]), 14),
        ({}, 17),
        ({"Invoices": []}, 17),
        ([], 17),
        ({"Contacts": [{"Name": "x"}]}, 17),
    ],
)
def test_unreadable_bodies(sim, body, number):
    reply = sim.xero("PUT", "Invoices" + EACH, body)
    assert (reply.status, reply.json["ErrorNumber"]) == (400, number)
    assert [one["kind"] for one in sim.control("GET", "violations")["violations"]] == ["schema"]


def test_an_unknown_member_is_named(sim):
    reply = sim.xero("PUT", "Invoices" + EACH, refused(LineItems=[line(Colour="red")]))
    assert (
        reply.json["Message"]
        == "Could not find member 'Colour' on object of type 'LineItem'. "
        "Path 'Invoices[0].LineItems[0].Colour'."
    )


def test_body_must_be_called_json(sim):
    reply = sim.xero(
        "PUT",
        "Contacts" + EACH,
        {"Contacts": [{"Name": "x"}]},
        Content_Type="application/x-www-form-urlencoded",
    )
    assert (reply.status, reply.json["ErrorNumber"]) == (400, 14)


def test_a_parameter_nobody_knows_is_ignored_and_written_down(sim):
    contact = sim.contact()
    sim.invoice(contact)
    sim.invoice(contact, InvoiceNumber="S-2")
    assert len(sim.xero("GET", "Invoices?InvoiceNumber=S-1").json["Invoices"]) == 2
    assert sim.control("GET", "violations")["violations"][0]["kind"] == "unknown_parameter"


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
    assert sim.xero("PUT", "Invoices" + EACH, refused()).status == 404


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


def note(sim, contact, **fields):
    element = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-03",
        "CreditNoteNumber": "S-1-R1",
        "Status": "AUTHORISED",
        "LineItems": [line()],
        **fields,
    }
    return sim.xero("PUT", "CreditNotes" + EACH, {"CreditNotes": [element]}).json["CreditNotes"][0]


def allocate(sim, note_id, invoice_id, amount):
    body = {
        "Allocations": [
            {"Invoice": {"InvoiceID": invoice_id}, "Amount": amount, "Date": "2026-11-03"}
        ]
    }
    return sim.xero("PUT", f"CreditNotes/{note_id}/Allocations?summarizeErrors=false", body).json[
        "Allocations"
    ][0]


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


# -- batches and keys -----------------------------------------------------------------------------


def two(contact):
    return {"Invoices": [invoice(contact), invoice(contact, InvoiceNumber="S-2", DueDate=None)]}


@pytest.mark.parametrize("query", ["", "?summarizeErrors=true", "?summarizeErrors=True"])
def test_summarised_errors_store_nothing(sim, query):
    reply = sim.xero("PUT", "Invoices" + query, two(sim.contact()))
    assert reply.status == 400
    assert (reply.json["ErrorNumber"], reply.json["Type"]) == (10, "ValidationException")
    assert reply.json["Message"] == "A validation exception occurred"
    assert [messages(one) for one in reply.json["Elements"]] == [["Due date cannot be empty."]]
    assert sim.control("GET", "books")["invoices"] == []


@pytest.mark.parametrize("value", ["false", "False", "FALSE"])
def test_each_element_has_its_verdict(sim, value):
    reply = sim.xero("PUT", "Invoices?summarizeErrors=" + value, two(sim.contact()))
    assert reply.status == 200
    assert [one["StatusAttributeString"] for one in reply.json["Invoices"]] == ["OK", "ERROR"]
    assert len(sim.control("GET", "books")["invoices"]) == 1


def test_without_summarize_errors_there_is_no_status_attribute(sim):
    found = sim.xero("PUT", "Invoices", {"Invoices": [invoice(sim.contact())]}).json["Invoices"][0]
    assert "StatusAttributeString" not in found and found["HasErrors"] is False


def test_key_replays_the_answer(sim):
    body = {"Invoices": [invoice(sim.contact())]}
    first = sim.xero("PUT", "Invoices" + EACH, body, key="k")
    second = sim.xero("PUT", "Invoices" + EACH, body, key="k")
    assert first.raw == second.raw and first.status == second.status == 200
    assert [one["replayed"] for one in sim.control("GET", "calls")["calls"][-2:]] == [False, True]


def test_key_replays_errors_for_six_minutes(sim):
    body = {"Invoices": [invoice(sim.contact(), DueDate=None)]}
    assert sim.xero("PUT", "Invoices", body, key="k").status == 400
    sim.control("POST", "clock", {"advance_seconds": 350})
    assert sim.xero("PUT", "Invoices", body, key="k").status == 400
    assert sim.control("GET", "calls")["calls"][-1]["replayed"] is True
    sim.control("POST", "clock", {"advance_seconds": 10})
    sim.xero("PUT", "Invoices", body, key="k")
    assert sim.control("GET", "calls")["calls"][-1]["replayed"] is False


@pytest.mark.parametrize(
    "method, target, change",
    [
        ("PUT", "Invoices" + EACH, {"Reference": "x"}),
        ("PUT", "Invoices", {}),
        ("POST", "Invoices" + EACH, {}),
    ],
)
def test_key_with_a_different_request(sim, method, target, change):
    contact = sim.contact()
    sim.xero("PUT", "Invoices" + EACH, {"Invoices": [invoice(contact)]}, key="k")
    reply = sim.xero(method, target, {"Invoices": [invoice(contact, **change)]}, key="k")
    assert reply.status == 400
    assert reply.json["Message"] == "Idempotency Key: k is used with a different request."


def test_keys_are_one_apps_own_and_at_most_128_long(sim):
    body = {"Contacts": [{"Name": "Ann"}]}
    assert sim.xero("PUT", "Contacts", body, key="k").status == 200
    assert sim.xero("PUT", "Contacts", body, key="x" * 129).status == 400
    sim.token = sim.sign_in("demo-client-2", "demo-secret-2").json["access_token"]
    assert sim.xero("PUT", "Contacts", body, key="k").status == 200


def test_key_while_the_first_call_runs(sim):
    body = {"Contacts": [{"Name": "Ann"}]}
    sim.control("POST", "faults", {"fault": "hold", "path": API, "method": "PUT"})
    replies = []
    thread = threading.Thread(
        target=lambda: replies.append(sim.xero("PUT", "Contacts", body, key="k"))
    )
    thread.start()
    sim.wait(lambda: sim.control("GET", "held")["held"] == 1)
    assert sim.xero("PUT", "Contacts", body, key="k").status == 500
    assert [one["kind"] for one in sim.control("GET", "violations")["violations"]] == [
        "key_in_flight"
    ]
    sim.control("POST", "release", {})
    thread.join(10)
    assert replies[0].status == 200
    assert len(sim.control("GET", "books")["contacts"]) == 1


# -- limits ---------------------------------------------------------------------------------------


def limited(sim, **settings):
    sim.control("POST", "organisation", {"tenant": TENANT, "limits": True, **settings})


def test_minute(sim):
    limited(sim)
    left = []
    for _ in range(200):
        reply = sim.xero("GET", "Currencies")
        if reply.status == 429:
            break
        left.append(int(reply.headers["X-MinLimit-Remaining"]))
    assert left[-60:] == list(range(59, -1, -1))
    assert (reply.raw, reply.headers["X-Rate-Limit-Problem"]) == (b"", "minute")
    assert 1 <= int(reply.headers["Retry-After"]) <= 61
    assert sim.control("GET", "violations")["violations"][-1]["kind"] == "limit_minute"
    sim.control("POST", "clock", {"advance_seconds": int(reply.headers["Retry-After"])})
    assert sim.xero("GET", "Currencies").status == 200


def test_day(sim):
    limited(sim, day_limit=1000)
    assert sim.xero("GET", "Currencies").headers["X-DayLimit-Remaining"] == "999"
    limited(sim, day_remaining=1)
    assert sim.xero("GET", "Currencies").headers["X-DayLimit-Remaining"] == "0"
    reply = sim.xero("GET", "Currencies")
    assert (reply.status, reply.headers["X-Rate-Limit-Problem"]) == (429, "day")
    sim.control("POST", "clock", {"advance_seconds": int(reply.headers["Retry-After"])})
    sim.token = sim.sign_in().json["access_token"]
    assert sim.xero("GET", "Currencies").headers["X-DayLimit-Remaining"] == "999"


def test_five_at_once(sim):
    limited(sim)
    sim.control("POST", "faults", {"fault": "hold", "path": API, "count": 5})
    threads = [threading.Thread(target=sim.xero, args=("GET", "Currencies")) for _ in range(5)]
    for thread in threads:
        thread.start()
    sim.wait(lambda: sim.control("GET", "held")["held"] == 5)
    reply = sim.xero("GET", "Currencies")
    assert (reply.status, reply.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
    assert reply.headers["Retry-After"] is None
    sim.control("POST", "release", {})
    for thread in threads:
        thread.join(10)
    assert sim.xero("GET", "Currencies").status == 200
    assert max(one["in_flight"] or 0 for one in sim.control("GET", "calls")["calls"]) == 5


# -- transport and faults -------------------------------------------------------------------------


def test_gzip_both_ways(sim):
    body = gzip.compress(json.dumps({"Contacts": [{"Name": "Ann"}]}).encode())
    reply = sim.xero("PUT", "Contacts", body, Content_Encoding="gzip", Accept_Encoding="gzip")
    assert (
        reply.headers["Content-Encoding"] == "gzip" and reply.json["Contacts"][0]["Name"] == "Ann"
    )


def test_a_length_that_is_none(sim):
    connection = http.client.HTTPConnection(sim.address, timeout=10)
    connection.putrequest("PUT", API + "Contacts")
    connection.putheader("Content-Length", "ten")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_body_too_large(sim):
    body = {"Contacts": [{"Name": "Ann", "BankAccountDetails": "x" * 3_500_000}]}
    assert sim.xero("PUT", "Contacts", body).status == 413


@pytest.mark.parametrize(
    "fault, stored",
    [
        ({"fault": "reset_before"}, 0),
        ({"fault": "reset_after"}, 1),
        ({"fault": "status", "status": 503}, 0),
        ({"fault": "status", "status": 502, "when": "after"}, 1),
        ({"fault": "malformed"}, 1),
        ({"fault": "malformed", "body": "<html>"}, 1),
        ({"fault": "delay", "delay_ms": 1}, 1),
        ({"fault": "delay", "delay_ms": 1, "when": "after"}, 1),
    ],
)
def test_faults(sim, fault, stored):
    sim.control("POST", "faults", {"method": "PUT", "path": API + "Contacts", **fault})
    body = {"Contacts": [{"Name": "Ann"}]}
    try:
        reply = sim.xero("PUT", "Contacts", body, key="k")
        assert reply.status == fault.get("status", 200)
    except ConnectionResetError as error:
        assert fault["fault"].startswith("reset") and type(error) is ConnectionResetError
    except json.JSONDecodeError:
        assert fault["fault"] == "malformed"
    assert len(sim.control("GET", "books")["contacts"]) == stored
    assert sim.xero("PUT", "Contacts", body, key="k").status == 200  # the fault is used up
    assert len(sim.control("GET", "books")["contacts"]) == 1
    assert sim.control("GET", "calls")["calls"][-2]["fault"] == fault["fault"]


def test_a_500_is_remembered_under_its_key(sim):
    sim.control("POST", "faults", {"path": API + "Contacts", "fault": "status", "status": 500})
    body = {"Contacts": [{"Name": "Ann"}]}
    assert [sim.xero("PUT", "Contacts", body, key="k").status for _ in range(2)] == [500, 500]
    assert sim.xero("PUT", "Contacts", body, key="k2").status == 200


def test_429_on_command_is_no_violation(sim):
    sim.control(
        "POST",
        "faults",
        {
            "path": API,
            "fault": "status",
            "status": 429,
            "headers": {"Retry-After": "7", "X-Rate-Limit-Problem": "minute"},
        },
    )
    reply = sim.xero("GET", "Currencies")
    assert (reply.status, reply.headers["Retry-After"], reply.raw) == (429, "7", b"")
    assert sim.control("GET", "violations")["violations"] == []


def test_one_element_refused_on_command(sim):
    contact = sim.contact()
    sim.control(
        "POST",
        "faults",
        {
            "path": API + "Invoices",
            "fault": "element_error",
            "match": "S-2",
            "message": "An error occurred in Xero.",
        },
    )
    body = {"Invoices": [invoice(contact, InvoiceNumber=f"S-{index}") for index in (1, 2, 3)]}
    found = sim.xero("PUT", "Invoices" + EACH, body).json["Invoices"]
    assert [messages(one) for one in found] == [[], ["An error occurred in Xero."], []]


@pytest.mark.parametrize(
    "when, abandon, stored",
    [("before", False, 1), ("before", True, 0), ("after", False, 1), ("after", True, 1)],
)
def test_held_calls(sim, when, abandon, stored):
    sim.control("POST", "faults", {"path": API + "Contacts", "fault": "hold", "when": when})
    replies = []
    thread = threading.Thread(
        target=lambda: replies.append(
            _quietly(sim.xero, "PUT", "Contacts", {"Contacts": [{"Name": "Ann"}]}, "k")
        )
    )
    thread.start()
    sim.wait(lambda: sim.control("GET", "held")["held"] == 1)
    assert len(sim.control("GET", "books")["contacts"]) == (1 if when == "after" else 0)
    sim.control("POST", "release", {"abandon": abandon})
    thread.join(10)
    assert isinstance(replies[0], ConnectionResetError) if abandon else replies[0].status == 200
    assert len(sim.control("GET", "books")["contacts"]) == stored


def test_of_many_threads_one_gets_the_number(sim):
    contact = sim.contact()
    made = []

    def worker(name):
        for index in range(10):
            shared = sim.invoice(contact, InvoiceNumber=f"SAME-{index}", Reference=name)
            made.append(shared["StatusAttributeString"])
            assert messages(sim.invoice(contact, InvoiceNumber=f"{name}-{index}")) == []

    threads = [threading.Thread(target=worker, args=(f"T{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (made.count("OK"), made.count("ERROR")) == (10, 30)
    numbers = [one["InvoiceNumber"] for one in sim.control("GET", "books")["invoices"]]
    assert len(numbers) == len(set(numbers)) == 50


def test_hang_is_let_go_by_clearing_faults(sim):
    sim.control("POST", "faults", {"path": "/connect/token", "fault": "hang", "count": 1})
    replies = []
    thread = threading.Thread(target=lambda: replies.append(_quietly(sim.sign_in)))
    thread.start()
    sim.wait(lambda: sim.control("GET", "held")["held"] == 1)
    sim.control("DELETE", "faults")
    thread.join(10)
    assert isinstance(replies[0], ConnectionResetError)
    assert sim.sign_in().status == 200


# -- control --------------------------------------------------------------------------------------


def test_ledger(sim):
    sim.contact()
    calls = sim.control("GET", "calls")["calls"]
    assert [(one["method"], one["path"], one["status"]) for one in calls] == [
        ("POST", "/connect/token", 200),
        ("PUT", API + "Contacts", 200),
    ]
    assert calls[1]["elements"] == 1 and calls[1]["client"] == "demo-client"
    assert calls[1]["tenant"] == TENANT and len(calls[1]["body_sha1"]) == 40
    assert sim.control("GET", "calls?since=1")["calls"] == calls[1:]


def test_books_are_decimal_text(sim):
    me = sim.invoice(sim.contact(), CurrencyCode="USD", Reference="PO 7")["InvoiceID"]
    sim.pay(me, 5)
    books = sim.control("GET", f"books?tenant={TENANT}")
    found = books["invoices"][0]
    assert (found["Total"], found["AmountDue"], found["CurrencyCode"]) == ("12.00", "7.00", "USD")
    assert found["Date"] == "2026-11-01" and found["LineItems"][0]["UnitAmount"] == "10.0000"
    assert (found["Reference"], found["ContactNumber"]) == ("PO 7", "c-1")
    assert books["payments"][0]["InvoiceNumber"] == "S-1"
    assert books["payments"][0]["AccountCode"] == "090"
    assert sim.control("GET", f"books?tenant={TENANT_2}")["invoices"] == []


def test_acts_of_a_person(sim):
    contact = sim.contact()
    sim.control(
        "POST", "act", {"do": "rename_contact", "contact_id": contact, "new_name": "Renamed"}
    )
    sim.control("POST", "act", {"do": "add_invoice", "element": invoice(contact)})
    sim.control(
        "POST",
        "act",
        {"do": "edit_invoice", "invoice_number": "S-1", "element": {"Reference": "by hand"}},
    )
    sim.control("POST", "act", {"do": "pay_invoice", "invoice_number": "S-1"})
    sim.control("POST", "act", {"do": "archive_account", "code": "201"})
    found = sim.control("GET", "books")["invoices"][0]
    assert (found["ContactName"], found["Reference"], found["Status"]) == (
        "Renamed",
        "by hand",
        "PAID",
    )
    assert (
        "archived"
        in messages(sim.invoice(contact, InvoiceNumber="S-2", LineItems=[line(AccountCode="201")]))[
            0
        ]
    )
    reply = sim.call("POST", "/_sim/act", {"do": "void_invoice", "invoice_number": "S-1"})
    assert reply.status == 422


@pytest.mark.parametrize(
    "target, body",
    [
        ("faults", {"fault": "explode"}),
        ("faults", {"fault": "delay", "colour": 1}),
        ("act", {"do": "dance"}),
        ("organisation", {"tenant": TENANT, "colour": 1}),
        ("clock", {"advance_seconds": -1}),
        ("clients", {"client_id": "x", "client_secret": "y"}),
    ],
)
def test_control_refuses_what_it_does_not_know(sim, target, body):
    assert sim.call("POST", "/_sim/" + target, body).status == 400


# -- against Xero's own specification -------------------------------------------------------------


@pytest.fixture(scope="module")
def specification():
    """The schemas of Xero's published specification, where a copy is at hand."""
    path = pathlib.Path(
        os.environ.get("LH_XERO_SPEC")
        or SIM.parents[2] / "shared" / "specs" / "xero_accounting.yaml"
    )
    if not path.is_file():
        pytest.skip(f"no copy of Xero's specification at {path} (LH_XERO_SPEC names another)")
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    if not hasattr(yaml, "CSafeLoader"):
        pytest.skip("python3-yaml has no C loader; without it reading the specification takes long")
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, yaml.CSafeLoader)["components"]["schemas"]


# written down by recordings of live answers or by the guides, not by the specification
BEYOND = {
    "DateString",
    "DueDateString",
    "HasErrors",
    "HasValidationErrors",
    "Warnings",
    "StatusAttributeString",
    "ValidationErrors",
    "UpdatedDateUTCString",
    "HasAttachments",
    "Attachments",
    "UpdatedDateUTC",
}
GUIDES = {
    ("Invoice", "Reference"),
    ("LineItem", "Description"),
    ("LineItem", "ItemCode"),
    ("LineItem", "AccountCode"),
    ("LineItem", "TaxType"),
    ("CreditNote", "CreditNoteNumber"),
    ("CreditNote", "Reference"),
    ("Payment", "Reference"),
    ("ContactPerson", "FirstName"),
    ("ContactPerson", "LastName"),
    ("ContactPerson", "EmailAddress"),
    ("Account", "Code"),
    ("HistoryRecord", "Details"),
    ("LineItemTracking", "Option"),
}


def test_schema_tables_equal_the_specification(specification):
    sys.path.insert(0, str(SIM))
    try:
        import schema
    finally:
        sys.path.remove(str(SIM))
    for resource, members in schema.RESOURCES.items():
        published = specification[resource]["properties"]
        assert set(members) - BEYOND == set(published) - BEYOND, resource
        for name, kind in members.items():
            found = published.get(name, {})
            where = (resource, name)
            if isinstance(kind, schema.Enum) and name != "LineAmountTypes":
                assert set(kind.values) == set(found["enum"]), where
            elif isinstance(kind, schema.Text) and where not in GUIDES:
                assert kind.longest == found.get("maxLength"), where
            elif kind == schema.NUMBER:
                assert found["type"] == "number", where
            elif kind == schema.BOOL:
                assert found["type"] == "boolean", where
            elif kind == schema.GUID:
                assert found["format"] == "uuid", where
            elif isinstance(kind, schema.Many):
                assert found["items"]["$ref"].endswith("/" + kind.resource), where


def test_answers_keep_to_the_specification(sim, specification):
    contact = sim.contact(EmailAddress="a@b.co")
    me = sim.invoice(contact, Url="https://shop.example/1")["InvoiceID"]
    credit = note(sim, contact)["CreditNoteID"]
    allocate(sim, credit, me, 2)
    sim.pay(me, 3)
    for resource, name in (
        ("Contacts", "Contact"),
        ("Invoices", "Invoice"),
        ("Payments", "Payment"),
        ("CreditNotes", "CreditNote"),
        ("Accounts", "Account"),
        ("TaxRates", "TaxRate"),
        ("Currencies", "Currency"),
        ("TrackingCategories", "TrackingCategory"),
        ("BrandingThemes", "BrandingTheme"),
    ):
        for element in sim.xero("GET", resource + "?page=1").json[resource]:
            _keeps_to(specification, name, element)


def _keeps_to(specification, name, element):
    published = specification[name]["properties"]
    for member, value in element.items():
        if member in BEYOND:
            continue
        assert member in published, (name, member)
        found = published[member]
        inner = found.get("$ref", "").rpartition("/")[2]
        if inner and "properties" in specification[inner]:
            _keeps_to(specification, inner, value)
        elif found.get("type") == "array" and "$ref" in found["items"]:
            for one in value:
                _keeps_to(specification, found["items"]["$ref"].rpartition("/")[2], one)
        elif found.get("type") == "number":
            assert isinstance(value, (int, Decimal)) and not isinstance(value, bool), (name, member)
        elif "enum" in found and value is not None:
            assert value in found["enum"], (name, member, value)
