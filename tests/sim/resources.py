"""The addresses of the accounting API.

Owns: which method on which address means what, query parameters, filters, paging, and the wrapper
of each answer. The rules behind them are in contacts.py, documents.py, items.py and payments.py.
The caller holds the organisation's lock.
"""

import datetime
from functools import partial

import batch
import contacts
import documents
import items
import jsontext
import payments
import schema
import where
from documents import INVOICE, NOTE
from errors import NotFound, Refusal

_LIST = {"where", "order"}
_PAGES = {"page", "pageSize"}
_EACH = {"summarizeErrors"}
_FOUND = {"searchTerm", "summaryOnly", "includeArchived", "IDs"}
_INVOICES = {"InvoiceNumbers", "ContactIDs", "Statuses", "createdByMyApp", "unitdp"}
_PARAMETERS = {  # what a list takes, what writing takes; addresses of one document take unitdp
    "Invoices": (_LIST | _PAGES | _FOUND | _INVOICES, _EACH | {"unitdp", "allowBackorders"}),
    "CreditNotes": (_LIST | _PAGES | {"unitdp"}, _EACH | {"unitdp"}),
    "Contacts": (_LIST | _PAGES | _FOUND, _EACH),
    "Payments": (_LIST | _PAGES, _EACH),
    "Items": (_LIST | {"unitdp"}, _EACH | {"unitdp"}),
}
_LONGEST_NOTE = 2500


class Resources:
    def __init__(self, ledger):
        self._ledger = ledger

    def run(self, org, call, fault):
        """(HTTP status, members of the answer) of a call; (status, None) for one without a body."""
        resource = call.segments[2] if len(call.segments) > 2 else ""
        rest = call.segments[3:]
        unknown = set(call.query) - _parameters(resource, rest, call.method)
        if unknown:
            self._ledger.violation("unknown_parameter", call.entry, ", ".join(sorted(unknown)))
        if resource in _SETTINGS:
            if call.method != "GET":
                return 501, None
            wrapper = "Organisations" if resource == "Organisation" else resource
            return 200, {wrapper: _settings(org, resource, rest, call.query)}
        if resource not in _PARAMETERS:
            raise NotFound
        if len(rest) == 2 and rest[1] == "History":
            return _history(org, resource, rest[0], call)
        if resource == "CreditNotes" and len(rest) in (2, 3) and rest[1] == "Allocations":
            return _allocations(org, rest, call, fault)
        if len(rest) > 1:
            raise NotFound
        if call.method == "GET":
            return _one(org, resource, rest[0], call) if rest else _list(org, resource, call)
        if call.method == "PUT" and rest:
            return 500, None
        if call.method not in ("PUT", "POST"):
            return 501, None
        return _write(org, resource, rest, call, fault)


def _parameters(resource, rest, method):
    """The query parameters that Xero knows at an address."""
    listing, writing = _PARAMETERS.get(resource, (_SETTING_PARAMETERS.get(resource, set()), set()))
    if not rest:
        return listing if method == "GET" else writing
    if len(rest) == 1:
        return {"unitdp"} & listing if method == "GET" else writing - _EACH
    return _EACH if method == "PUT" and rest[1] == "Allocations" else set()


# -- settings -------------------------------------------------------------------------------------

_SETTINGS = {
    "Organisation": lambda org: [org.render_organisation()],
    "Accounts": lambda org: list(org.accounts.values()),
    "TaxRates": lambda org: list(org.tax_rates.values()),
    "Currencies": lambda org: org.render_currencies(),
    "TrackingCategories": lambda org: org.tracking,
    "BrandingThemes": lambda org: org.themes,
}
_SETTING_PARAMETERS = {
    "Accounts": _LIST,
    "TaxRates": _LIST,
    "Currencies": _LIST,
    "TrackingCategories": _LIST | {"includeArchived"},
}
_SETTING_KEYS = {
    "Accounts": ("AccountID", "Code"),
    "TaxRates": ("TaxType",),
    "TrackingCategories": ("TrackingCategoryID",),
    "BrandingThemes": ("BrandingThemeID",),
}


def _settings(org, resource, rest, query):
    found = _SETTINGS[resource](org)
    archived = rest or query.get("includeArchived", "").lower() == "true"
    if resource == "TrackingCategories" and not archived:
        found = [one for one in found if one["Status"] == "ACTIVE"]
    if rest:
        found = [
            one
            for one in found
            if rest[0].lower()
            in (str(one.get(key)).lower() for key in _SETTING_KEYS.get(resource, ()))
        ]
        if not found or len(rest) > 1:
            raise NotFound
    return found


# -- writing --------------------------------------------------------------------------------------


def _places(call):
    return 4 if call.query.get("unitdp") == "4" else 2


def _body(call, wrapper, bare=False):
    elements = schema.elements_of(_parsed(call), wrapper, bare)
    call.entry["elements"] = len(elements)
    return elements


def _parsed(call):
    """The body of a call: read from its bytes, unless the caller has it already."""
    if call.parsed is not None:
        return call.parsed
    if "application/json" not in call.headers.get("Content-Type", ""):
        raise Refusal(14, "The body must be sent as application/json.")
    try:
        return jsontext.parse(call.body)
    except ValueError as error:
        raise Refusal(14, f"The body could not be parsed: {error}") from None


def _write(org, resource, rest, call, fault):
    elements = _body(call, resource, bare=bool(rest) or resource == "Payments")
    if rest:
        if len(elements) != 1:
            raise Refusal(14, "One element belongs to the address of one document.")
        elements = [_addressed(org, resource, rest[0], elements[0])]
    if resource == "Contacts":
        apply = partial(contacts.put if call.method == "PUT" else contacts.post, org)
    elif resource == "Payments":
        apply = partial(payments.put if call.method == "PUT" else payments.post, org)
    elif resource == "Items":
        apply = partial(items.put if call.method == "PUT" else items.post, org)
    else:
        verb = documents.put if call.method == "PUT" else documents.post
        kind = INVOICE if resource == "Invoices" else NOTE
        backorders = call.query.get("allowBackorders", "").lower() == "true"
        apply = partial(_document, verb, org, kind, documents.Options(_places(call), backorders))
    summarise = call.query.get("summarizeErrors", "true").lower() != "false"
    return 200, {resource: batch.run(org, resource, elements, apply, summarise, fault)}


def _document(verb, org, kind, options, element):
    return verb(org, kind, element, options)


def _addressed(org, resource, key, element):
    """The element with the id that the address names; the address wins."""
    if resource == "Contacts":
        return {**element, "ContactID": contacts.by_key(org, key)["ContactID"]}
    if resource == "Payments":
        if key.lower() not in org.payments:
            raise NotFound
        return {**element, "PaymentID": key.lower()}
    if resource == "Items":
        return {**element, "ItemID": _item(org, key)["ItemID"]}
    kind = INVOICE if resource == "Invoices" else NOTE
    document = documents.by_key(org, kind, key)
    if document is None:
        raise NotFound
    return {**element, kind.id: document[kind.id]}


def _item(org, key):
    item = org.items.get(key.lower()) or items.find(org, key)
    if item is None:
        raise NotFound
    return item


def _allocations(org, rest, call, fault):
    note = org.credit_notes.get(rest[0].lower())
    if note is None:
        raise NotFound
    if call.method == "DELETE" and len(rest) == 3:
        org.begin()
        return 200, {"Allocations": [payments.deallocate(org, note["CreditNoteID"], rest[2])]}
    if call.method != "PUT" or len(rest) != 2:
        return 501, None
    summarise = call.query.get("summarizeErrors", "true").lower() != "false"
    elements = _body(call, "Allocations")
    apply = partial(payments.allocate, org, note["CreditNoteID"])
    return 200, {"Allocations": batch.run(org, "Allocations", elements, apply, summarise, fault)}


def _history(org, resource, key, call):
    records = {
        "Contacts": org.contacts,
        "Invoices": org.invoices,
        "CreditNotes": org.credit_notes,
        "Payments": org.payments,
        "Items": org.items,
    }[resource]
    if key.lower() not in records:
        raise Refusal(10, "The document with the supplied id was not found for this endpoint.")
    notes = org.history.setdefault(key.lower(), [])
    if call.method == "GET":
        return 200, {"HistoryRecords": list(reversed(notes))}
    if call.method != "PUT":
        return 501, None
    added = []
    for element in _body(call, "HistoryRecords"):
        details = element.get("Details") or ""
        if not details or len(details) > _LONGEST_NOTE:
            raise Refusal(10, f"Details must have 1 to {_LONGEST_NOTE} characters.")
        added.append(
            {
                "Details": details,
                "Changes": "Note",
                "User": "System Generated",
                "DateUTC": jsontext.ms_time(org.stamp()),
            }
        )
    notes.extend(added)
    return 200, {"HistoryRecords": added}


# -- reading --------------------------------------------------------------------------------------


def _one(org, resource, key, call):
    if resource == "Contacts":
        return 200, {resource: [contacts.render(org, contacts.by_key(org, key))]}
    if resource == "Payments":
        payment = org.payments.get(key.lower())
        if payment is None:
            raise NotFound
        return 200, {resource: [payments.render(org, payment)]}
    if resource == "Items":
        return 200, {resource: [items.render(_item(org, key), _places(call))]}
    kind = INVOICE if resource == "Invoices" else NOTE
    document = documents.by_key(org, kind, key)
    if document is None:
        raise NotFound
    return 200, {resource: [documents.render(org, kind, document, _places(call))]}


def _list(org, resource, call):
    query = call.query
    paged = "page" in query
    found, field_of = _CANDIDATES[resource](org, query)
    if query.get("where"):
        test = where.parse(query["where"])
        found = [one for one in found if test.matches(partial(field_of, one))]
    since = call.headers.get("If-Modified-Since")
    if since:
        found = [one for one in found if one["updated"] >= _seconds(since)]
        if not found:
            return 304, None
    if query.get("order"):
        name, _, direction = query["order"].partition(" ")
        found.sort(key=lambda one: str(field_of(one, name)), reverse=direction.upper() == "DESC")
    answer = {}
    if paged:
        found, answer["pagination"] = _page(found, query)
    bare = query.get("summaryOnly", "").lower() == "true"
    answer[resource] = [_render(org, resource, one, _places(call), paged, bare) for one in found]
    return 200, answer


def _render(org, resource, one, places, paged, bare):
    if resource == "Contacts":
        shown = contacts.render(org, one)
        if not paged:
            shown.pop("MergedToContactID", None)
        return shown
    if resource == "Payments":
        return payments.render(org, one)
    if resource == "Items":
        return items.render(one, places)
    kind = INVOICE if resource == "Invoices" else NOTE
    return documents.render(org, kind, one, places, full=paged, bare=bare)


def _page(found, query):
    try:
        page, size = int(query["page"]), int(query.get("pageSize", 100))
    except ValueError:
        raise Refusal(16, "page and pageSize must be numbers") from None
    if page < 1 or not 1 <= size <= 1000:
        raise Refusal(16, "page starts at 1, pageSize is 1 to 1000")
    return found[(page - 1) * size : page * size], {
        "page": page,
        "pageSize": size,
        "pageCount": -(-len(found) // size),
        "itemCount": len(found),
    }


def _seconds(text):
    try:
        moment = datetime.datetime.fromisoformat(text.rstrip("Z"))
    except ValueError:
        raise Refusal(16, "If-Modified-Since must be YYYY-MM-DDTHH:MM:SS in UTC") from None
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def _listed(query, name):
    return [one.strip().lower() for one in query[name].split(",") if one.strip()]


def _chosen(table, query, index, ids=None):
    """The records that the query may mean: those of `ids`, else those that its filter's
    equalities name, else all."""
    if ids is None and query.get("where"):
        ids = where.parse(query["where"]).candidates(index)
    if ids is None:
        return list(table.values())
    return [table[one] for one in dict.fromkeys(ids) if one in table]


def _contacts(org, query):
    ids = _listed(query, "IDs") if query.get("IDs") else None
    found = _chosen(org.contacts, query, partial(contacts.index, org), ids)
    if query.get("includeArchived", "").lower() != "true":
        found = [one for one in found if one["ContactStatus"] != "ARCHIVED"]
    if query.get("searchTerm"):
        term = query["searchTerm"].lower()
        found = [
            one
            for one in found
            if any(term in (one.get(name) or "").lower() for name in _SEARCHED_CONTACT)
        ]
    return found, partial(contacts.field, org)


_SEARCHED_CONTACT = (
    "Name",
    "FirstName",
    "LastName",
    "EmailAddress",
    "ContactNumber",
    "CompanyNumber",
)


def _invoices(org, query):
    ids = None
    if query.get("IDs"):
        ids = _listed(query, "IDs")
    if query.get("InvoiceNumbers"):
        numbers = [org.invoice_by_number.get(one) for one in _listed(query, "InvoiceNumbers")]
        ids = numbers if ids is None else [one for one in numbers if one in ids]
    found = _chosen(org.invoices, query, partial(documents.index, org, INVOICE), ids)
    for name, key in (("ContactIDs", "ContactID"), ("Statuses", "Status")):
        if query.get(name):
            wanted = _listed(query, name)
            found = [one for one in found if one[key].lower() in wanted]
    term = query.get("searchTerm", "").lower()
    if term:
        found = [
            one
            for one in found
            if term in one["InvoiceNumber"].lower() or term in one["Reference"].lower()
        ]
    return found, partial(documents.field, org, INVOICE)


def _notes(org, query):
    found = _chosen(org.credit_notes, query, partial(documents.index, org, NOTE))
    return found, partial(documents.field, org, NOTE)


def _payments(org, query):
    found = _chosen(org.payments, query, partial(payments.index, org))
    return found, partial(payments.field, org)


def _items(org, query):
    return list(org.items.values()), partial(items.field, org)


_CANDIDATES = {
    "Contacts": _contacts,
    "Invoices": _invoices,
    "CreditNotes": _notes,
    "Payments": _payments,
    "Items": _items,
}
