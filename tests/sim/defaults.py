"""The organisations that a fresh simulator has.

Owns: accounts, tax rates, currencies, tracking categories and the two demo clients. Data only.
"""

from decimal import Decimal

TENANT = "8e1f3d52-6c1a-4b7e-9d55-0c2f6a7b9e10"
TENANT_2 = "b7c40a9e-2f5d-4c86-8a31-5e9d0f7c1a24"

CLIENTS = (
    {
        "client_id": "demo-client",
        "client_secret": "demo-secret",
        "kind": "client_credentials",
        "tenants": [{"tenant_id": TENANT, "name": "Demo Company (UK)"}],
    },
    {
        "client_id": "demo-client-2",
        "client_secret": "demo-secret-2",
        "kind": "client_credentials",
        "tenants": [{"tenant_id": TENANT_2, "name": "Second Demo Ltd"}],
    },
)

# code, name, type, class, tax type, then what else is not the usual
ACCOUNTS = (
    ("090", "Business Bank Account", "BANK", "ASSET", "NONE", {"CurrencyCode": "GBP"}),
    ("091", "Business Savings Account", "BANK", "ASSET", "NONE", {"CurrencyCode": "GBP"}),
    ("092", "Payments clearing", "CURRENT", "ASSET", "NONE", {"EnablePaymentsToAccount": True}),
    ("200", "Sales", "REVENUE", "REVENUE", "OUTPUT2", {}),
    ("201", "Shipping", "REVENUE", "REVENUE", "OUTPUT2", {}),
    ("202", "Discounts", "REVENUE", "REVENUE", "OUTPUT2", {}),
    ("203", "Tips", "REVENUE", "REVENUE", "NONE", {}),
    ("204", "Duties", "REVENUE", "REVENUE", "NONE", {}),
    ("205", "Marketplace tax", "CURRLIAB", "LIABILITY", "NONE", {}),
    ("210", "Old sales", "REVENUE", "REVENUE", "OUTPUT2", {"Status": "ARCHIVED"}),
    ("260", "Other Revenue", "REVENUE", "REVENUE", "OUTPUT2", {}),
    ("270", "Fees", "REVENUE", "REVENUE", "OUTPUT2", {}),
    ("610", "Accounts Receivable", "CURRENT", "ASSET", "NONE", {"SystemAccount": "DEBTORS"}),
    ("800", "Accounts Payable", "CURRLIAB", "LIABILITY", "NONE", {"SystemAccount": "CREDITORS"}),
    ("820", "VAT", "CURRLIAB", "LIABILITY", "NONE", {"SystemAccount": "GST"}),
    ("835", "Gift cards", "CURRLIAB", "LIABILITY", "NONE", {"EnablePaymentsToAccount": True}),
    ("860", "Rounding", "EXPENSE", "EXPENSE", "NONE", {"SystemAccount": "ROUNDING"}),
)

# tax type, name, per cent
SALES_RATES = (
    ("OUTPUT2", "20% (VAT on Income)", "20"),
    ("RROUTPUT", "5% (VAT on Income)", "5"),
    ("ZERORATEDOUTPUT", "Zero Rated Income", "0"),
    ("EXEMPTOUTPUT", "Exempt Income", "0"),
    ("NONE", "No VAT", "0"),
    ("TAX001", "Sales tax 6%", "6"),
    ("TAX002", "Sales tax 8%", "8"),
    ("TAX003", "Sales tax 10%", "10"),
    ("TAX004", "Sales tax 8.25%", "8.25"),
    ("TAX005", "Sales tax 7%", "7"),
    ("TAX006", "VAT 19%", "19"),
    ("TAX007", "VAT 21%", "21"),
    ("TAX008", "Sales tax 3.5%", "3.5"),
    ("TAX009", "Sales tax 2%", "2"),
    ("TAX010", "Sales tax 2.5%", "2.5"),
    ("TAX011", "Sales tax 8.5%", "8.5"),
)

CURRENCIES = (
    ("GBP", "British Pound"),
    ("USD", "United States Dollar"),
    ("EUR", "Euro"),
    ("JPY", "Japanese Yen"),
    ("HKD", "Hong Kong Dollar"),
    ("CAD", "Canadian Dollar"),
    ("AUD", "Australian Dollar"),
    ("KWD", "Kuwaiti Dinar"),
)

# units of the currency for one pound; the day rate that documents get when they name none
DAY_RATES = {
    "GBP": Decimal("1"),
    "USD": Decimal("1.3100"),
    "EUR": Decimal("1.1400"),
    "JPY": Decimal("204.5"),
    "HKD": Decimal("10.2100"),
    "CAD": Decimal("1.8300"),
    "AUD": Decimal("2.0100"),
    "KWD": Decimal("0.4020"),
}

TRACKING = (("Region", ("North", "South")), ("Channel", ("Online", "Retail")))
THEMES = ("Standard", "Web shop")
