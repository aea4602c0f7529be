"""What Xero's parser accepts.

Owns: for each resource the members it has, their types, the values of its enumerations, and which
members are the answer's alone (accepted and ignored, so that a fetched document can be sent back).
A body that breaks any of it is refused as a whole with ErrorNumber 14; texts that are too long are
the element's own error (`too_long`). `test_sim.py` compares these tables with Xero's published
specification where that is at hand.
"""

import re
import uuid
from decimal import Decimal

from errors import Refusal
from jsontext import parse_date

STATUSES = ("DRAFT", "SUBMITTED", "DELETED", "AUTHORISED", "PAID", "VOIDED")
NUMBER, BOOL, DATE, GUID, IGNORED, CURRENCY = (
    "Decimal",
    "Boolean",
    "DateTime",
    "Guid",
    "ignored",
    "CurrencyCode",
)


_LARGEST_EXPONENT = 15  # numbers from 10^15 are refused: no amount is that large


class Text:
    def __init__(self, longest=None):
        self.longest = longest


class Enum:
    def __init__(self, name, *values):
        self.name = name
        self.values = values


class One:
    def __init__(self, resource):
        self.resource = resource


class Many:
    def __init__(self, resource):
        self.resource = resource


_VERDICT = dict.fromkeys(
    (
        "StatusAttributeString",
        "ValidationErrors",
        "Warnings",
        "HasErrors",
        "HasValidationErrors",
        "UpdatedDateUTC",
        "UpdatedDateUTCString",
        "DateString",
        "DueDateString",
        "HasAttachments",
        "Attachments",
    ),
    IGNORED,
)
_DOC_TYPE = Enum(
    "InvoiceType",
    "ACCPAY",
    "ACCPAYCREDIT",
    "APOVERPAYMENT",
    "APPREPAYMENT",
    "ACCREC",
    "ACCRECCREDIT",
    "AROVERPAYMENT",
    "ARPREPAYMENT",
)
_LINE_TYPES = Enum("LineAmountType", "Exclusive", "Inclusive", "NoTax")

RESOURCES = {
    "Invoice": {
        "Type": _DOC_TYPE,
        "Contact": One("Contact"),
        "LineItems": Many("LineItem"),
        "Date": DATE,
        "DueDate": DATE,
        "LineAmountTypes": _LINE_TYPES,
        "InvoiceNumber": Text(255),
        "Reference": Text(255),
        "BrandingThemeID": GUID,
        "Url": Text(),
        "CurrencyCode": CURRENCY,
        "CurrencyRate": NUMBER,
        "Status": Enum("InvoiceStatus", *STATUSES),
        "SentToContact": BOOL,
        "ExpectedPaymentDate": DATE,
        "PlannedPaymentDate": DATE,
        "InvoiceID": GUID,
        "RepeatingInvoiceID": GUID,
        "SubTotal": NUMBER,
        "TotalTax": NUMBER,
        "Total": NUMBER,
        **dict.fromkeys(
            (
                "CISDeduction",
                "CISRate",
                "TotalDiscount",
                "IsDiscounted",
                "Payments",
                "Prepayments",
                "Overpayments",
                "AmountDue",
                "AmountPaid",
                "FullyPaidOnDate",
                "AmountCredited",
                "CreditNotes",
                "InvoiceAddresses",
            ),
            IGNORED,
        ),
        **_VERDICT,
    },
    "CreditNote": {
        "Type": Enum("CreditNoteType", "ACCPAYCREDIT", "ACCRECCREDIT"),
        "Contact": One("Contact"),
        "Date": DATE,
        "DueDate": DATE,
        "Status": Enum("CreditNoteStatus", *STATUSES),
        "LineAmountTypes": _LINE_TYPES,
        "LineItems": Many("LineItem"),
        "CurrencyCode": CURRENCY,
        "CreditNoteID": GUID,
        "CreditNoteNumber": Text(255),
        "Reference": Text(255),
        "CurrencyRate": NUMBER,
        "BrandingThemeID": GUID,
        "SubTotal": NUMBER,
        "TotalTax": NUMBER,
        "Total": NUMBER,
        **dict.fromkeys(
            (
                "CISDeduction",
                "CISRate",
                "FullyPaidOnDate",
                "SentToContact",
                "RemainingCredit",
                "Allocations",
                "AppliedAmount",
                "Payments",
                "InvoiceAddresses",
            ),
            IGNORED,
        ),
        **_VERDICT,
    },
    "LineItem": {
        "LineItemID": GUID,
        "Description": Text(4000),
        "Quantity": NUMBER,
        "UnitAmount": NUMBER,
        "ItemCode": Text(30),
        "AccountCode": Text(10),
        "AccountID": GUID,
        "TaxType": Text(50),
        "TaxAmount": NUMBER,
        "LineAmount": NUMBER,
        "Tracking": Many("LineItemTracking"),
        "DiscountRate": NUMBER,
        "DiscountAmount": NUMBER,
        **dict.fromkeys(
            (
                "Item",
                "RepeatingInvoiceID",
                "Taxability",
                "SalesTaxCodeId",
                "TaxBreakdown",
                "ValidationErrors",
            ),
            IGNORED,
        ),
    },
    "LineItemTracking": {
        "TrackingCategoryID": GUID,
        "TrackingOptionID": GUID,
        "Name": Text(100),
        "Option": Text(100),
    },
    "Contact": {
        "ContactID": GUID,
        "ContactNumber": Text(50),
        "AccountNumber": Text(50),
        "ContactStatus": Enum("ContactStatus", "ACTIVE", "ARCHIVED", "GDPRREQUEST"),
        "Name": Text(255),
        "FirstName": Text(255),
        "LastName": Text(255),
        "CompanyNumber": Text(50),
        "EmailAddress": Text(255),
        "ContactPersons": Many("ContactPerson"),
        "BankAccountDetails": Text(),
        "TaxNumber": Text(50),
        "AccountsReceivableTaxType": Text(),
        "AccountsPayableTaxType": Text(),
        "Addresses": Many("Address"),
        "Phones": Many("Phone"),
        "DefaultCurrency": CURRENCY,
        "SalesDefaultAccountCode": Text(),
        "PurchasesDefaultAccountCode": Text(),
        "SalesDefaultLineAmountType": Enum("LineAmountType", "INCLUSIVE", "EXCLUSIVE", "NONE"),
        "PurchasesDefaultLineAmountType": Enum("LineAmountType", "INCLUSIVE", "EXCLUSIVE", "NONE"),
        "TaxNumberType": Enum("TaxNumberType", "SSN", "EIN", "ITIN", "ATIN"),
        **dict.fromkeys(
            (
                "MergedToContactID",
                "IsSupplier",
                "IsCustomer",
                "XeroNetworkKey",
                "SalesTrackingCategories",
                "PurchasesTrackingCategories",
                "TrackingCategoryName",
                "TrackingCategoryOption",
                "PaymentTerms",
                "ContactGroups",
                "Website",
                "BrandingTheme",
                "BatchPayments",
                "Discount",
                "Balances",
            ),
            IGNORED,
        ),
        **_VERDICT,
    },
    "ContactPerson": {
        "FirstName": Text(255),
        "LastName": Text(255),
        "EmailAddress": Text(255),
        "IncludeInEmails": BOOL,
    },
    "Address": {
        "AddressType": Enum("AddressType", "POBOX", "STREET"),
        "AddressLine1": Text(500),
        "AddressLine2": Text(500),
        "AddressLine3": Text(500),
        "AddressLine4": Text(500),
        "City": Text(255),
        "Region": Text(255),
        "PostalCode": Text(50),
        "Country": Text(50),
        "AttentionTo": Text(255),
    },
    "Phone": {
        "PhoneType": Enum("PhoneType", "DEFAULT", "DDI", "MOBILE", "FAX", "OFFICE"),
        "PhoneNumber": Text(50),
        "PhoneAreaCode": Text(10),
        "PhoneCountryCode": Text(20),
    },
    "Payment": {
        "Invoice": One("Invoice"),
        "CreditNote": One("CreditNote"),
        "Prepayment": IGNORED,
        "Overpayment": IGNORED,
        "InvoiceNumber": Text(),
        "CreditNoteNumber": Text(),
        "Account": One("Account"),
        "Code": Text(),
        "Date": DATE,
        "CurrencyRate": NUMBER,
        "Amount": NUMBER,
        "BankAmount": NUMBER,
        "Reference": Text(255),
        "IsReconciled": BOOL,
        "Status": Enum("PaymentStatus", "AUTHORISED", "DELETED"),
        "PaymentID": GUID,
        **dict.fromkeys(
            (
                "BatchPayment",
                "PaymentType",
                "BatchPaymentID",
                "BankAccountNumber",
                "Particulars",
                "Details",
                "HasAccount",
            ),
            IGNORED,
        ),
        **_VERDICT,
    },
    "Account": {
        "AccountID": GUID,
        "Code": Text(10),
        "Name": Text(150),
        **dict.fromkeys(
            (
                "Type",
                "BankAccountNumber",
                "Status",
                "Description",
                "BankAccountType",
                "CurrencyCode",
                "TaxType",
                "EnablePaymentsToAccount",
                "ShowInExpenseClaims",
                "Class",
                "SystemAccount",
                "ReportingCode",
                "ReportingCodeName",
                "HasAttachments",
                "UpdatedDateUTC",
                "AddToWatchlist",
                "ValidationErrors",
            ),
            IGNORED,
        ),
    },
    "Allocation": {
        "AllocationID": GUID,
        "Invoice": One("Invoice"),
        "Amount": NUMBER,
        "Date": DATE,
        **dict.fromkeys(
            (
                "Overpayment",
                "Prepayment",
                "CreditNote",
                "IsDeleted",
                "StatusAttributeString",
                "ValidationErrors",
            ),
            IGNORED,
        ),
    },
    "Item": {
        "ItemID": GUID,
        "Code": Text(30),
        "Name": Text(50),
        "Description": Text(4000),
        "PurchaseDescription": Text(4000),
        "IsSold": BOOL,
        "IsPurchased": BOOL,
        "InventoryAssetAccountCode": Text(),
        "SalesDetails": One("Purchase"),
        "PurchaseDetails": One("Purchase"),
        **dict.fromkeys(
            (
                "IsTrackedAsInventory",
                "TotalCostPool",
                "QuantityOnHand",
                "UpdatedDateUTC",
                "StatusAttributeString",
                "ValidationErrors",
            ),
            IGNORED,
        ),
    },
    "Purchase": {
        "UnitPrice": NUMBER,
        "AccountCode": Text(),
        "COGSAccountCode": Text(),
        "TaxType": Text(),
    },
    "HistoryRecord": {
        "Details": Text(2500),
        "Changes": IGNORED,
        "User": IGNORED,
        "DateUTC": IGNORED,
    },
}

WRAPPERS = {
    "Invoices": "Invoice",
    "Contacts": "Contact",
    "Payments": "Payment",
    "CreditNotes": "CreditNote",
    "Allocations": "Allocation",
    "Items": "Item",
    "HistoryRecords": "HistoryRecord",
}


def elements_of(body, wrapper, bare=False):
    """The elements of a body wrapped as `wrapper`, each checked against its table. With `bare`, one
    element without the wrapper is taken too (POST to a single address)."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name.lower() == wrapper.lower():
                if set(map(str.lower, body)) - {wrapper.lower(), "pagination", "warnings"}:
                    raise Refusal(14, f"Could not find member on object of type '{wrapper}'.")
                return _checked_list(value, wrapper)
    if bare and isinstance(body, dict) and body:
        return _checked_list([body], wrapper)
    raise Refusal(17)


def _checked_list(value, wrapper):
    if not isinstance(value, list):
        value = [value]
    if not value:
        raise Refusal(17)
    for index, element in enumerate(value):
        _check_object(element, WRAPPERS[wrapper], f"{wrapper}[{index}]")
    return value


def _check_object(value, resource, path):
    if not isinstance(value, dict):
        raise Refusal(
            14, f"Error converting value {_shown(value)} to type '{resource}'. Path '{path}'."
        )
    members = RESOURCES[resource]
    for name, member in value.items():
        kind = members.get(name)
        if kind is None:
            raise Refusal(
                14,
                (
                    f"Could not find member '{name}' on object of type '{resource}'. "
                    f"Path '{path}.{name}'."
                ),
            )
        if member is not None and kind is not IGNORED:
            _check_member(member, kind, f"{path}.{name}")


def _check_member(value, kind, path):
    if isinstance(kind, One):
        _check_object(value, kind.resource, path)
        return
    if isinstance(kind, Many):
        if not isinstance(value, list):
            raise Refusal(14, f"Error converting value {_shown(value)} to a list. Path '{path}'.")
        for index, element in enumerate(value):
            _check_object(element, kind.resource, f"{path}[{index}]")
        return
    name, good = _scalar(value, kind)
    if not good:
        if name == DATE:
            raise Refusal(14, f"The string '{value}' is not a valid AllXsd value.")
        raise Refusal(
            14, f"Error converting value {_shown(value)} to type '{name}'. Path '{path}'."
        )


def _scalar(value, kind):
    if isinstance(kind, Text):
        return "String", isinstance(value, str)
    if isinstance(kind, Enum):
        return kind.name, value in kind.values
    if kind == NUMBER:
        return kind, (
            isinstance(value, (int, Decimal))
            and not isinstance(value, bool)
            and Decimal(value).adjusted() < _LARGEST_EXPONENT
        )
    if kind == BOOL:
        return kind, isinstance(value, bool)
    if kind == GUID:
        return kind, isinstance(value, str) and is_guid(value)
    if kind == CURRENCY:
        return kind, isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None
    return kind, isinstance(value, str) and _is_date(value)


def _shown(value):
    return f'"{value}"' if isinstance(value, str) else str(value)


def _is_date(value):
    try:
        parse_date(value)
    except ValueError:
        return False
    return True


def is_guid(value):
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def too_long(element, resource):
    """A message for each text of the element, at any depth, that is longer than Xero stores."""
    found = []
    kinds = RESOURCES[resource]
    for name, value in element.items():
        kind = kinds.get(name)
        if value is None:
            continue
        if isinstance(kind, Text) and kind.longest and len(value) > kind.longest:
            found.append(
                f"The field {name} must be a string with a maximum length of {kind.longest}."
            )
        elif isinstance(kind, One):
            found += too_long(value, kind.resource)
        elif isinstance(kind, Many):
            for member in value:
                found += too_long(member, kind.resource)
    return found
