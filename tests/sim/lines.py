"""The lines of a document.

Owns: what a line of a sales invoice or credit note may say (account, tax, item, tracking, quantity,
discount), its amount and tax, how an update keeps, replaces and removes lines, and how a line is
shown.
"""

from decimal import Decimal

import items
import money
from books import new_id
from errors import Invalid, messages

_GROUPS = {
    "ASSET": "Assets",
    "EQUITY": "Equity",
    "EXPENSE": "Expenses",
    "LIABILITY": "Liabilities",
    "REVENUE": "Revenue",
}
_INSTEAD = (("AccountCode", "AccountID"), ("DiscountRate", "DiscountAmount"))
_PLACES_LIMIT = 8
_LARGEST = Decimal("9999999999.99")


class LineRules:
    """The rules for the lines of one document in one call."""

    def __init__(self, org, status, line_amount_types, places, is_note):
        self.org = org
        self.is_draft = status == "DRAFT"
        self.line_amount_types = line_amount_types
        self.places = places
        self.is_note = is_note
        self.warnings = []

    def build(self, elements, old_lines):
        """The stored lines for what was sent. A line with the LineItemID of an old one
        changes it, one without is new, old lines that are not repeated are gone. Raises
        Invalid."""
        old_by_id = {line["LineItemID"]: line for line in old_lines}
        lines, found, echo = [], [], []
        for element in elements:
            try:
                lines.append(self._line(element, old_by_id))
                echo.append(element)
            except Invalid as invalid:
                found += invalid.messages
                echo.append({**element, "ValidationErrors": messages(invalid.messages)})
        if not elements:
            found.append("One or more line items must be specified")
        if found:
            raise Invalid(*dict.fromkeys(found), echo={"LineItems": echo})
        return lines

    def _line(self, element, old_by_id):
        line_id = (element.get("LineItemID") or "").lower()
        old = {}
        if line_id:
            old = old_by_id.pop(line_id, None)
            if old is None:
                raise Invalid(f"The line item {line_id} could not be found on this document.")
        given = {name: value for name, value in element.items() if value is not None}
        gone = {"TaxAmount", "LineAmount", "TaxOverridden"}
        for one, other in _INSTEAD:
            if one in given or other in given:
                gone |= {one, other}
        line = {name: value for name, value in old.items() if name not in gone}
        found = []
        code = given.get("ItemCode")
        if code:
            item = items.find(self.org, code)
            if item is None:
                found.append(f"Item code {code} is not valid")
            elif not old:
                line.update(items.defaults(item))
        line.update(given)
        line["LineItemID"] = line_id or new_id()
        if not (line.get("Description") or "").strip():
            found.append("The description field is mandatory for each line item.")
        if not any(
            name in line
            for name in (
                "UnitAmount",
                "LineAmount",
                "Quantity",
                "AccountCode",
                "AccountID",
                "TaxAmount",
            )
        ):
            line.update(
                Quantity=Decimal(0),
                UnitAmount=Decimal(0),
                LineAmount=money.ZERO,
                TaxAmount=money.ZERO,
            )
        else:
            found += self._amount(line, given) + self._account(line) + self._tax(line, given)
        found += self._tracking(line)
        if found:
            raise Invalid(*found)
        return line

    def _amount(self, line, given):
        found = []
        if "UnitAmount" not in line:
            line["UnitAmount"] = Decimal(given.get("LineAmount", 0)) / (
                Decimal(line.get("Quantity", 1)) or 1
            )
        unit = Decimal(line["UnitAmount"])
        if 0 < abs(unit) < Decimal("0.01") and unit.as_tuple().exponent < -_PLACES_LIMIT:
            found += ["Account must be valid.", "Tax rate must be valid."]
        quantity = money.round_to(Decimal(line.get("Quantity", 1)), 4)
        if quantity < 0:
            found.append(
                f"The quantity value '{quantity}' is invalid. Quantity must not be less than zero."
            )
        rate, discount = line.get("DiscountRate"), line.get("DiscountAmount")
        if self.is_note and (rate is not None or discount is not None):
            found.append("Discounts cannot be applied to credit notes.")
        if rate is not None:
            rate = line["DiscountRate"] = money.round_to(Decimal(rate), 2)
        if discount is not None:
            discount = line["DiscountAmount"] = money.cents(Decimal(discount))
        unit = money.round_to(unit, self.places)
        line["Quantity"], line["UnitAmount"] = quantity, unit
        expected = money.line_amount(quantity, unit, rate, discount)
        if "LineAmount" in given and Decimal(given["LineAmount"]) != expected:
            found.append(
                f"The line total {given['LineAmount']} does not match the expected line total "
                f"{expected}"
            )
        if abs(expected) > _LARGEST:
            found.append("The line amount is too large.")
        line["LineAmount"] = expected
        return found

    def _account(self, line):
        code = line.get("AccountCode")
        account = self.org.account(code, line.get("AccountID"))
        shown = code or line.get("AccountID")
        if not shown:
            return [] if self.is_draft else ["Account code or ID must be specified"]
        trouble = None
        if (
            account is None
            or account["Type"] == "BANK"
            or (account.get("SystemAccount") not in (None, "", "ROUNDING"))
        ):
            trouble = f"Account code '{shown}' is not a valid code for this document."
        elif account["Status"] != "ACTIVE":
            trouble = (
                f"Account code '{shown}' has been archived, or has been deleted. Each line item "
                "must reference a valid account."
            )
        if trouble and self.is_draft:
            self.warnings.append(
                f"Account code '{shown}' has been removed as it does not match a "
                "recognised account."
            )
            line.pop("AccountCode", None)
            line.pop("AccountID", None)
            return []
        if trouble:
            return [trouble]
        line["AccountCode"], line["AccountID"] = account.get("Code"), account["AccountID"]
        return []

    def _tax(self, line, given):
        account = self.org.account(line.get("AccountCode"), line.get("AccountID"))
        if self.line_amount_types == "NoTax":
            line.update(TaxType="NONE", TaxAmount=money.ZERO)
            return []
        if not line.get("TaxType"):
            if account is None:
                line.update(TaxType="NONE", TaxAmount=money.ZERO)
                return [] if self.is_draft else ["The TaxType field is mandatory"]
            line["TaxType"] = account.get("TaxType") or ""
            if not line["TaxType"]:
                return ["The TaxType field is mandatory"]
        tax_type = line["TaxType"]
        rate = self.org.tax_rates.get(tax_type)
        if rate is None or rate["Status"] != "ACTIVE" or not rate["CanApplyToRevenue"]:
            return [
                f"The TaxType code {tax_type} does not exist or cannot be used for this type of "
                "transaction."
            ]
        if account and not rate[f"CanApplyTo{_GROUPS[account['Class']]}"]:
            return [
                f"The TaxType code '{tax_type}' cannot be used with account code "
                f"'{line['AccountCode']}'."
            ]
        return self._tax_amount(line, given, rate)

    def _tax_amount(self, line, given, rate):
        amount = line["LineAmount"]
        if "TaxAmount" in given:
            line["TaxAmount"] = money.cents(Decimal(given["TaxAmount"]))
            line["TaxOverridden"] = True
            if abs(line["TaxAmount"]) > abs(amount):
                return ["The tax amount cannot be greater than the line amount!"]
            return []
        line["TaxAmount"] = money.line_tax(amount, rate["EffectiveRate"], self.line_amount_types)
        return []

    def _tracking(self, line):
        tracking = line.get("Tracking") or []
        if len(tracking) > 2:
            return ["A line item can have at most 2 tracking categories."]
        found, resolved = [], []
        for wanted in tracking:
            category = _named(self.org.tracking, wanted, "TrackingCategoryID", "Name")
            option = category and _named(
                category["Options"],
                {**wanted, "Name": wanted.get("Option")},
                "TrackingOptionID",
                "Name",
            )
            if not option or category["Status"] != "ACTIVE" or option["Status"] != "ACTIVE":
                found.append(
                    f"The tracking category '{wanted.get('Name')}' with option "
                    f"'{wanted.get('Option')}' could not be found."
                )
                continue
            resolved.append(
                {
                    "Name": category["Name"],
                    "Option": option["Name"],
                    "TrackingCategoryID": category["TrackingCategoryID"],
                    "TrackingOptionID": option["TrackingOptionID"],
                }
            )
        line["Tracking"] = resolved
        return found


def _named(choices, wanted, id_name, name):
    for choice in choices:
        if wanted.get(id_name):
            if choice[id_name] == wanted[id_name].lower():
                return choice
        elif wanted.get(name) and choice[name].lower() == wanted[name].lower():
            return choice
    return None


def recompute(line, org, line_amount_types):
    """The line with its tax for another LineAmountTypes; an overridden tax stays."""
    if line_amount_types != "NoTax" and line.get("TaxOverridden"):
        return line
    rate = org.tax_rates.get(line.get("TaxType"))
    percent = rate["EffectiveRate"] if rate else Decimal(0)
    return {**line, "TaxAmount": money.line_tax(line["LineAmount"], percent, line_amount_types)}


def render(line, places):
    answer = {
        "LineItemID": line["LineItemID"],
        "Description": line["Description"],
        "UnitAmount": money.round_to(line["UnitAmount"], places),
    }
    for name in ("TaxType", "TaxAmount", "LineAmount", "AccountCode", "AccountID"):
        if line.get(name) is not None:
            answer[name] = line[name]
    answer["Tracking"] = line.get("Tracking") or []
    answer["Quantity"] = line["Quantity"]
    for name in ("ItemCode", "DiscountRate", "DiscountAmount"):
        if line.get(name) is not None:
            answer[name] = line[name]
    return answer
