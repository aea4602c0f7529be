"""Items: the price list.

Owns: which item codes exist, what an item gives a line that names it, the stock of tracked ones,
and what Xero shows of an item. A document moves stock from the moment that it is approved until it
is voided; a sale that would need more than there is, is refused unless backorders are allowed.
"""

from decimal import Decimal

import jsontext
import money
import schema
from books import new_id
from errors import Invalid

_COPIED = (
    "Name",
    "Description",
    "PurchaseDescription",
    "IsSold",
    "IsPurchased",
    "InventoryAssetAccountCode",
    "SalesDetails",
    "PurchaseDetails",
)
_MOVING = ("AUTHORISED", "PAID")


def put(org, element):
    """PUT: a new item, never an old one."""
    code = element.get("Code") or ""
    if find(org, code):
        raise Invalid(f"Price List Item with Code '{code}' already exists")
    return render(_store(org, {}, element))


def post(org, element):
    """POST: the item with this ItemID, else this code; else a new one."""
    if element.get("ItemID"):
        old = org.items.get(element["ItemID"].lower())
        if old is None:
            raise Invalid("An existing item with the specified ItemID could not be found")
    else:
        old = find(org, element.get("Code") or "")
    return render(_store(org, old, element)) if old else put(org, element)


def _store(org, old, element):
    code = element.get("Code") or ""
    found = schema.too_long(element, "Item")
    if not code:
        found.append("Price List Item Code must be specified.")
    other = find(org, code)
    if other and old and other["ItemID"] != old["ItemID"]:
        found.append(f"Price List Item with Code '{code}' already exists")
    found += _broken_details(org, element)
    if found:
        raise Invalid(*found, echo={"ItemID": old["ItemID"]} if old else None)
    item = {"IsSold": True, "IsPurchased": True, **old}
    item.update((name, element[name]) for name in _COPIED if element.get(name) is not None)
    item.setdefault("ItemID", new_id())
    item.setdefault("QuantityOnHand", Decimal(0))
    item["IsTrackedAsInventory"] = bool(item.get("InventoryAssetAccountCode"))
    item.update(Code=code, updated=org.stamp())
    if old and old["Code"] != code:
        org.drop(org.item_by_code, old["Code"])
    org.set(org.item_by_code, code, item["ItemID"])
    org.set(org.items, item["ItemID"], item)
    return item


def _broken_details(org, element):
    found = []
    for name in ("SalesDetails", "PurchaseDetails"):
        details = element.get(name) or {}
        code, tax = details.get("AccountCode"), details.get("TaxType")
        if code and org.account(code) is None:
            found.append(f"Account code '{code}' is not a valid code for this item.")
        if tax and tax not in org.tax_rates:
            found.append(f"The TaxType code {tax} does not exist.")
    return found


def find(org, code):
    """The item with this code, or None. Codes are compared letter by letter, case too."""
    return org.items.get(org.item_by_code.get(code))


def defaults(item):
    """The members that a sales line takes from its item where it does not name them."""
    sales = item.get("SalesDetails") or {}
    found = {
        "Description": item.get("Description") or item.get("Name"),
        "UnitAmount": sales.get("UnitPrice"),
        "AccountCode": sales.get("AccountCode"),
        "TaxType": sales.get("TaxType"),
    }
    return {name: value for name, value in found.items() if value is not None}


def move_stock(org, old, document, backwards, backorders):
    """Takes what an approved sale needs out of stock (`backwards`: a credit note brings it back)
    and returns what its earlier state took; raises Invalid when there is too little."""
    moves = {}
    for state, sign in ((old, 1), (document, -1)):
        if state.get("Status") not in _MOVING:
            continue
        for line in state["lines"]:
            item = find(org, line.get("ItemCode") or "")
            if item and item["IsTrackedAsInventory"]:
                moved = sign * line["Quantity"] * (-1 if backwards else 1)
                moves[item["ItemID"]] = moves.get(item["ItemID"], 0) + moved
    found = []
    for item_id, moved in moves.items():
        item = org.items[item_id]
        left = item["QuantityOnHand"] + moved
        if moved < 0 and left < 0 and not backorders:
            found.append(
                f"Item code {item['Code']} does not have enough quantity on hand for this "
                f"transaction: {item['QuantityOnHand']} on hand."
            )
        org.set(org.items, item_id, {**item, "QuantityOnHand": left, "updated": org.stamp()})
    if found:
        raise Invalid(*found)


def set_stock(org, item, quantity):
    """A person makes the item a tracked one with this much on hand."""
    org.set(
        org.items,
        item["ItemID"],
        {
            **item,
            "IsTrackedAsInventory": True,
            "InventoryAssetAccountCode": item.get("InventoryAssetAccountCode") or "630",
            "QuantityOnHand": Decimal(str(quantity)),
        },
    )


def field(_org, item, name):
    head, _, rest = name.partition(".")
    value = item.get(head)
    return (value or {}).get(rest) if rest else value


def render(item, places=2):
    """What Xero shows; stock only of tracked items."""
    answer = {
        name: item[name] for name in ("ItemID", "Code", *_COPIED) if item.get(name) is not None
    }
    for name in ("SalesDetails", "PurchaseDetails"):
        details = dict(item.get(name) or {})
        if "UnitPrice" in details:
            details["UnitPrice"] = money.round_to(Decimal(details["UnitPrice"]), places)
        answer[name] = details
    answer["IsTrackedAsInventory"] = item["IsTrackedAsInventory"]
    if item["IsTrackedAsInventory"]:
        answer["QuantityOnHand"] = item["QuantityOnHand"]
    answer["UpdatedDateUTC"] = jsontext.ms_time(item["updated"])
    return answer
