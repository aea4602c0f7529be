"""The books of one organisation.

Owns: every record that an organisation holds, the indexes over them, and the undo journal that
makes a call all-or-nothing where Xero does. Records are never changed in place: a rule copies one,
changes the copy and puts it back with `set`. Rules live in contacts.py, documents.py and
payments.py; the caller holds `lock` around each call.
"""

import threading
import uuid
import zoneinfo
from decimal import Decimal

import defaults
import jsontext

_MISSING = object()
_TIMEZONES = {"GMTSTANDARDTIME": "Europe/London", "UTC": "UTC"}


class Organisation:
    def __init__(self, tenant_id, name, clock):
        self.lock = threading.RLock()
        self.tenant_id = tenant_id
        self.name = name
        self.clock = clock
        self.base_currency = "GBP"
        self.timezone = "GMTSTANDARDTIME"
        self.period_lock_date = None
        self.end_of_year_lock_date = None
        self.approval_limit = None
        self.accounts = {}
        self.items = {}
        self.item_by_code = {}
        self.tax_rates = {}
        self.currencies = dict(defaults.CURRENCIES)
        self.tracking = []
        self.themes = []
        self.contacts = {}
        self.invoices = {}
        self.credit_notes = {}
        self.payments = {}
        self.allocations = {}
        self.history = {}
        self.contact_by_name = {}
        self.contact_by_number = {}
        self.contact_by_account_number = {}
        self.contacts_by_name = {}  # groups (see `add`), of those that are not active too
        self.contacts_by_email = {}  # groups
        self.invoice_by_number = {}
        self.notes_by_number = {}  # groups
        self.settled_by = {}  # groups: ids of payments and allocations by the document's id
        self.next_number = {"INV": 1, "CN": 1}
        self._undo = []
        self._fill()

    def _fill(self):
        for code, name, kind, group, tax, extra in defaults.ACCOUNTS:
            self.upsert_account(
                {"Code": code, "Name": name, "Type": kind, "Class": group, "TaxType": tax, **extra}
            )
        for tax_type, name, percent in defaults.SALES_RATES:
            self.upsert_tax_rate(
                {"TaxType": tax_type, "Name": name, "EffectiveRate": Decimal(percent)}
            )
        self.upsert_tax_rate(
            {
                "TaxType": "INPUT2",
                "Name": "20% (VAT on Expenses)",
                "EffectiveRate": Decimal(20),
                "CanApplyToRevenue": False,
            }
        )
        for category, options in defaults.TRACKING:
            self.tracking.append(
                {
                    "TrackingCategoryID": new_id(),
                    "Name": category,
                    "Status": "ACTIVE",
                    "Options": [
                        {"TrackingOptionID": new_id(), "Name": option, "Status": "ACTIVE"}
                        for option in options
                    ],
                }
            )
        for order, theme in enumerate(defaults.THEMES):
            self.themes.append(
                {"BrandingThemeID": new_id(), "Name": theme, "Type": "INVOICE", "SortOrder": order}
            )

    # -- settings that control changes ------------------------------------------------------------

    def upsert_account(self, fields):
        """Adds or changes the account with this Code (or AccountID); unnamed members keep
        their value."""
        old = self.account(fields.get("Code"), fields.get("AccountID")) or {
            "AccountID": new_id(),
            "Type": "REVENUE",
            "Class": "REVENUE",
            "Status": "ACTIVE",
            "TaxType": "NONE",
            "EnablePaymentsToAccount": False,
            "Name": fields.get("Code"),
        }
        account = {**old, **fields}
        self.accounts[account["AccountID"]] = account

    def upsert_tax_rate(self, fields):
        old = self.tax_rates.get(fields["TaxType"]) or {
            "Name": fields["TaxType"],
            "Status": "ACTIVE",
            "EffectiveRate": Decimal(0),
            **{
                f"CanApplyTo{group}": True
                for group in ("Assets", "Equity", "Expenses", "Liabilities", "Revenue")
            },
        }
        rate = {**old, **fields}
        rate["EffectiveRate"] = Decimal(str(rate["EffectiveRate"]))
        rate["DisplayTaxRate"] = rate["EffectiveRate"]
        self.tax_rates[rate["TaxType"]] = rate

    # -- look-ups ---------------------------------------------------------------------------------

    def account(self, code=None, account_id=None):
        if account_id:
            return self.accounts.get(account_id.lower())
        return next((a for a in self.accounts.values() if code and a.get("Code") == code), None)

    def today(self):
        zone = zoneinfo.ZoneInfo(_TIMEZONES.get(self.timezone, "UTC"))
        return self.clock.utc().astimezone(zone).date()

    def lock_messages(self, day):
        """Why nothing may be dated on `day`: the lock dates that forbid it, both when both do."""
        found = []
        for name, locked in (
            ("period lock date", self.period_lock_date),
            ("end of year lock date", self.end_of_year_lock_date),
        ):
            if locked and day <= locked:
                found.append(
                    f"The document date cannot be before the {name}, currently set at "
                    f"{locked.strftime('%d-%b-%Y')}"
                )
        return found

    def free_number(self, prefix, taken):
        while True:
            number = f"{prefix}-{self.next_number[prefix]:04d}"
            self.next_number[prefix] += 1
            if number.lower() not in taken:
                return number

    # -- records ----------------------------------------------------------------------------------

    def set(self, table, key, value):
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def drop(self, table, key):
        if key in table:
            self._undo.append((table, key, table.pop(key)))

    def add(self, index, key, member):
        """Puts a member into the group that an index keeps under a key: {key: {member: True}},
        so that neither a large group nor a small one costs more than another."""
        self.set(index.setdefault(key, {}), member, True)

    def remove(self, index, key, member):
        self.drop(index.get(key, {}), member)

    def begin(self):
        self._undo.clear()

    def mark(self):
        """A point that `roll_back` can return to, within the call that `begin` opened."""
        return len(self._undo)

    def roll_back(self, mark=0):
        while len(self._undo) > mark:
            table, key, value = self._undo.pop()
            if value is _MISSING:
                table.pop(key, None)
            else:
                table[key] = value

    def stamp(self):
        """The UpdatedDateUTC of a record that changes now."""
        return self.clock.now()

    # -- answers ----------------------------------------------------------------------------------

    def render_organisation(self):
        answer = {
            "OrganisationID": self.tenant_id,
            "Name": self.name,
            "LegalName": self.name,
            "PaysTax": True,
            "Version": "UK",
            "OrganisationType": "COMPANY",
            "BaseCurrency": self.base_currency,
            "CountryCode": "GB",
            "IsDemoCompany": True,
            "OrganisationStatus": "ACTIVE",
            "Timezone": self.timezone,
            "Class": "DEMO",
            "Edition": "BUSINESS",
            "ShortCode": "!demo",
        }
        for name, day in (
            ("PeriodLockDate", self.period_lock_date),
            ("EndOfYearLockDate", self.end_of_year_lock_date),
        ):
            if day:
                answer[name] = jsontext.ms_date(day)
        return answer

    def render_currencies(self):
        return [{"Code": code, "Description": name} for code, name in self.currencies.items()]


def new_id():
    return str(uuid.uuid4())
