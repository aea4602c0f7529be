"""An order as a webhook shows it, in the shape of Shopify's GraphQL Admin API.

Owns: the way from REST names to GraphQL's: global ids, MoneyBag, enumerations in upper case, times
in UTC, lists for connections. What a webhook's order does not hold (its transactions) is given
apart. No state.
"""

import datetime
from decimal import Decimal

_FULFILMENT = {
    None: "UNFULFILLED",
    "partial": "PARTIALLY_FULFILLED",
    "pending": "PENDING_FULFILLMENT",
}
_TERMS = {"net": "NET", "fixed": "FIXED", "receipt": "RECEIPT", "fulfillment": "FULFILLMENT"}
_REASONS = ("RESTOCK", "DAMAGE", "CUSTOMER", "REFUND_DISCREPANCY")
_ORDER_MONEY = {  # GraphQL's set -> the text member of the webhook's order, whose set has _set
    "totalPriceSet": "total_price",
    "originalTotalPriceSet": "total_price",
    "currentTotalPriceSet": "current_total_price",
    "subtotalPriceSet": "subtotal_price",
    "currentSubtotalPriceSet": "current_subtotal_price",
    "totalTaxSet": "total_tax",
    "currentTotalTaxSet": "current_total_tax",
    "totalDiscountsSet": "total_discounts",
    "currentTotalDiscountsSet": "current_total_discounts",
    "totalShippingPriceSet": "total_shipping_price",
    "totalOutstandingSet": "total_outstanding",
    "totalTipReceivedSet": "total_tip_received",
}
_NULLABLE_MONEY = {
    "originalTotalDutiesSet": "original_total_duties_set",
    "currentTotalDutiesSet": "current_total_duties_set",
    "originalTotalAdditionalFeesSet": "original_total_additional_fees_set",
    "currentTotalAdditionalFeesSet": "current_total_additional_fees_set",
}


def gid(kind, number):
    return f"gid://shopify/{kind}/{number}"


def utc(text):
    """A time as GraphQL writes it: in UTC, whatever the shop's offset."""
    if text is None:
        return None
    moment = datetime.datetime.fromisoformat(text).astimezone(datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(amount):
    """A Decimal as GraphQL writes it: no zeros behind the first digit after the point."""
    text = format(Decimal(str(amount)), "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


class Shape:
    """One order's values."""

    def __init__(self, body, transactions):
        self._body = body
        self._transactions = transactions
        self._shop = body["currency"]
        self._buyer = body.get("presentment_currency") or self._shop
        self._lines = {line["id"]: line for line in body.get("line_items", ())}
        self._shipping = {line["id"]: line for line in body.get("shipping_lines", ())}

    # -- money ------------------------------------------------------------------------------------

    def _bag(self, amounts):
        """From a webhook's set."""
        return {
            name: {
                "amount": decimal(amounts[money]["amount"]),
                "currencyCode": amounts[money]["currency_code"],
            }
            for name, money in (
                ("shopMoney", "shop_money"),
                ("presentmentMoney", "presentment_money"),
            )
        }

    def _same(self, amount):
        """From an amount that has no set: the same number in both currencies."""
        return {
            "shopMoney": {"amount": decimal(amount), "currencyCode": self._shop},
            "presentmentMoney": {"amount": decimal(amount), "currencyCode": self._buyer},
        }

    def _money(self, holder, name, default="0.00"):
        amounts = holder.get(name + "_set")
        if amounts:
            return self._bag(amounts)
        amount = holder.get(name)
        return self._same(default if amount is None else amount)

    def _times(self, bag, count):
        return {
            name: {**money, "amount": decimal(Decimal(money["amount"]) * count)}
            for name, money in bag.items()
        }

    def _sum(self, bags):
        total = self._same("0")
        for bag in bags:
            for name, money in bag.items():
                amount = Decimal(total[name]["amount"]) + Decimal(money["amount"])
                total[name] = {**total[name], "amount": decimal(amount)}
        return total

    # -- parts ------------------------------------------------------------------------------------

    def _taxes(self, holder):
        return [
            {
                "title": tax["title"],
                "rate": tax.get("rate"),
                "ratePercentage": Decimal(str(tax["rate"])) * 100 if tax.get("rate") else None,
                "priceSet": self._money(tax, "price"),
                "channelLiable": tax.get("channel_liable"),
                "source": tax.get("source"),
            }
            for tax in holder.get("tax_lines") or ()
        ]

    def _applications(self):
        return [
            {
                "index": index,
                "allocationMethod": one.get("allocation_method", "across").upper(),
                "targetSelection": one.get("target_selection", "all").upper(),
                "targetType": one.get("target_type", "line_item").upper(),
            }
            for index, one in enumerate(self._body.get("discount_applications") or ())
        ]

    def _allocations(self, line):
        plain = {"allocationMethod": "ACROSS", "targetSelection": "ALL", "targetType": "LINE_ITEM"}
        known = {one["index"]: one for one in self._applications()}
        found = []
        for one in line.get("discount_allocations") or ():
            index = one["discount_application_index"]
            found.append(
                {
                    "allocatedAmountSet": self._money(one, "amount"),
                    "discountApplication": known.get(index, {"index": index, **plain}),
                }
            )
        return found

    def _duty(self, duty):
        amounts = {name: duty[name] for name in ("shop_money", "presentment_money")}
        return {
            "id": gid("Duty", duty["id"]),
            "price": self._bag(amounts),
            "taxLines": self._taxes(duty),
            "harmonizedSystemCode": duty.get("harmonized_system_code"),
            "countryCodeOfOrigin": duty.get("country_code_of_origin"),
        }

    def _line(self, line):
        price = self._money(line, "price")
        product, variant = line.get("product_id"), line.get("variant_id")
        allocated = [one["allocatedAmountSet"] for one in self._allocations(line)]
        return {
            "id": gid("LineItem", line["id"]),
            "title": line["title"],
            "name": line.get("name") or line["title"],
            "variantTitle": line.get("variant_title"),
            "sku": line.get("sku"),
            "vendor": line.get("vendor"),
            "quantity": line["quantity"],
            "currentQuantity": line.get("current_quantity", line["quantity"]),
            "refundableQuantity": line.get("current_quantity", line["quantity"]),
            "unfulfilledQuantity": line.get("fulfillable_quantity", line["quantity"]),
            "isGiftCard": line.get("gift_card", False),
            "taxable": line.get("taxable", True),
            "requiresShipping": line.get("requires_shipping", True),
            "originalUnitPriceSet": price,
            "originalTotalSet": self._times(price, line["quantity"]),
            "totalDiscountSet": self._sum(allocated),
            "taxLines": self._taxes(line),
            "discountAllocations": self._allocations(line),
            "duties": [self._duty(one) for one in line.get("duties") or ()],
            "product": None
            if product is None
            else {
                "id": gid("Product", product),
                "title": line["title"],
                "productType": line.get("product_type") or "",
                "vendor": line.get("vendor") or "",
            },
            "variant": None
            if variant is None
            else {
                "id": gid("ProductVariant", variant),
                "title": line.get("variant_title") or "Default Title",
                "sku": line.get("sku"),
            },
            "customAttributes": [
                {"key": one["name"], "value": one["value"]} for one in line.get("properties") or ()
            ],
        }

    def _shipping_line(self, line):
        price = self._money(line, "price")
        taken = self._sum([one["allocatedAmountSet"] for one in self._allocations(line)])
        return {
            "id": gid("ShippingLine", line["id"]),
            "title": line["title"],
            "code": line.get("code"),
            "source": line.get("source"),
            "carrierIdentifier": line.get("carrier_identifier"),
            "custom": line.get("code") == "custom",
            "isRemoved": line.get("is_removed", False),
            "originalPriceSet": price,
            "discountedPriceSet": self._sum([price, self._times(taken, -1)]),
            "taxLines": self._taxes(line),
            "discountAllocations": self._allocations(line),
        }

    def _shipping_lines(self, arguments):
        lines = [
            line
            for line in self._body.get("shipping_lines") or ()
            if arguments.get("includeRemovals") or not line.get("is_removed")
        ]
        return [self._shipping_line(line) for line in lines]

    def _transaction(self, one):
        if "amount_set" in one:
            amounts = self._bag(one["amount_set"])
        elif one.get("currency") in (None, self._shop) and self._shop == self._buyer:
            amounts = self._same(one["amount"])
        else:
            amounts = self._both(one)
        parent = one.get("parent_id")
        known = {each["id"]: each for each in self._transactions}
        return {
            "id": gid("OrderTransaction", one["id"]),
            "kind": one["kind"].upper(),
            "status": one["status"].upper(),
            "gateway": one.get("gateway"),
            "formattedGateway": (one.get("gateway") or "").replace("_", " ").title() or None,
            "amountSet": amounts,
            "amountRoundingSet": None,
            "createdAt": utc(one["created_at"]),
            "processedAt": utc(one.get("processed_at")),
            "test": one.get("test", False),
            "paymentId": one.get("payment_id"),
            "parentTransaction": self._transaction(known[parent]) if parent in known else None,
        }

    def _both(self, one):
        """An amount in one of the order's two moneys, and in the other at the order's rate."""
        total = self._money(self._body, "total_price")
        shop, buyer = (Decimal(total[name]["amount"]) for name in ("shopMoney", "presentmentMoney"))
        amount = Decimal(str(one["amount"]))
        paid = one.get("currency") or self._shop
        in_shop = amount if paid == self._shop or not buyer else amount * shop / buyer
        in_buyer = amount if paid == self._buyer or not shop else amount * buyer / shop
        cent = Decimal("0.01")
        return {
            "shopMoney": {"amount": decimal(in_shop.quantize(cent)), "currencyCode": self._shop},
            "presentmentMoney": {
                "amount": decimal(in_buyer.quantize(cent)),
                "currencyCode": self._buyer,
            },
        }

    # -- refunds and shipments --------------------------------------------------------------------

    def _refund(self, refund):
        adjustments = refund.get("order_adjustments") or ()
        given = [self._transaction(one) for one in refund.get("transactions") or ()]
        done = [one["amountSet"] for one in given if one["status"] == "SUCCESS"]
        return {
            "id": gid("Refund", refund["id"]),
            "legacyResourceId": str(refund["id"]),
            "order": lambda _arguments: self.order(),
            "createdAt": utc(refund.get("created_at")),
            "processedAt": utc(refund.get("processed_at") or refund.get("created_at")),
            "updatedAt": utc(refund.get("processed_at") or refund.get("created_at")),
            "note": refund.get("note"),
            "totalRefundedSet": self._sum(done),
            "duties": [
                {
                    "amountSet": self._money(one, "amount"),
                    "originalDuty": self._original_duty(one.get("duty_id")),
                }
                for one in refund.get("duties") or ()
            ],
            "refundLineItems": [
                self._refund_line(one) for one in refund.get("refund_line_items") or ()
            ],
            "refundShippingLines": self._refund_shipping(refund, adjustments),
            "orderAdjustments": [
                {
                    "id": gid("OrderAdjustment", one["id"]),
                    "amountSet": self._money(one, "amount"),
                    "taxAmountSet": self._money(one, "tax_amount"),
                    "reason": _reason(one.get("reason")),
                }
                for one in adjustments
                if one["kind"] != "shipping_refund"
            ],
            "transactions": given,
        }

    def _refund_line(self, one):
        line = self._lines.get(one["line_item_id"]) or one["line_item"]
        return {
            "id": gid("RefundLineItem", one["id"]),
            "lineItem": self._line(line),
            "quantity": one["quantity"],
            "restockType": (one.get("restock_type") or "no_restock").upper(),
            "restocked": one.get("restock_type") == "return",
            "priceSet": self._money(line, "price"),
            "subtotalSet": self._money(one, "subtotal"),
            "totalTaxSet": self._money(one, "total_tax"),
        }

    def _refund_shipping(self, refund, adjustments):
        """Shipping given back: lines of their own, with the tax if prices are. Older bodies have
        negative adjustments instead, never with their tax."""
        found = [
            {
                "id": gid("RefundShippingLine", one["id"]),
                "shippingLine": self._shipping_line(self._shipping[one["shipping_line_id"]]),
                "subtotalAmountSet": self._money(one, "subtotal_amount"),
                "taxAmountSet": self._money(one, "tax_amount"),
            }
            for one in refund.get("refund_shipping_lines") or ()
        ]
        if found or not self._shipping:
            return found
        for one in adjustments:
            if one["kind"] == "shipping_refund":
                given = [self._times(self._money(one, "amount"), -1)]
                if self._body.get("taxes_included"):
                    given.append(self._times(self._money(one, "tax_amount"), -1))
                found.append(
                    {
                        "id": gid("RefundShippingLine", one["id"]),
                        "shippingLine": self._shipping_line(next(iter(self._shipping.values()))),
                        "subtotalAmountSet": self._sum(given),
                        "taxAmountSet": self._times(self._money(one, "tax_amount"), -1),
                    }
                )
        return found

    def _original_duty(self, duty_id):
        for line in self._lines.values():
            for duty in line.get("duties") or ():
                if duty["id"] == duty_id:
                    return self._duty(duty)
        return None

    def _fulfilment(self, index, one):
        lines = one.get("line_items") or ()
        return {
            "id": gid("Fulfillment", one["id"]),
            "legacyResourceId": str(one["id"]),
            "name": one.get("name") or f"{self._body['name']}-F{index + 1}",
            "order": lambda _arguments: self.order(),
            "status": (one.get("status") or "success").upper(),
            "createdAt": utc(one["created_at"]),
            "updatedAt": utc(one.get("updated_at") or one["created_at"]),
            "totalQuantity": sum(line["quantity"] for line in lines),
            "trackingInfo": [
                {"company": one.get("tracking_company"), "number": number, "url": None}
                for number in one.get("tracking_numbers") or ()
            ],
            "fulfillmentLineItems": [
                {
                    "id": gid("FulfillmentLineItem", f"{one['id']}{place}"),
                    "lineItem": self._line(self._lines.get(line["id"], line)),
                    "quantity": line["quantity"],
                }
                for place, line in enumerate(lines)
            ],
        }

    # -- people -----------------------------------------------------------------------------------

    def _address(self, address, kind):
        if not address:
            return None
        first, last = address.get("first_name"), address.get("last_name")
        both = " ".join(one for one in (first, last) if one)
        return {
            "id": gid("MailingAddress", f"{self._body['id']}?model_name={kind}"),
            "firstName": first,
            "lastName": last,
            "name": address.get("name") or both or None,
            "countryCodeV2": address.get("country_code"),
            "provinceCode": address.get("province_code"),
            **{
                name: address.get(name)
                for name in (
                    *("company", "address1", "address2", "city"),
                    *("province", "zip", "country", "phone"),
                )
            },
        }

    def _customer(self):
        one = self._body.get("customer")
        if not one:
            return None
        email, phone = one.get("email"), one.get("phone")
        names = [one.get(name) for name in ("first_name", "last_name") if one.get(name)]
        return {
            "__typename": "Customer",
            "id": gid("Customer", one["id"]),
            "legacyResourceId": str(one["id"]),
            "firstName": one.get("first_name"),
            "lastName": one.get("last_name"),
            "displayName": " ".join(names) or email or "",
            "defaultEmailAddress": {"emailAddress": email} if email else None,
            "defaultPhoneNumber": {"phoneNumber": phone} if phone else None,
            "taxExempt": one.get("tax_exempt", False),
            "note": one.get("note"),
            "defaultAddress": self._address(one.get("default_address"), "CustomerAddress"),
        }

    def _purchaser(self):
        company = self._body.get("company")
        if not company:
            return self._customer()
        name = (self._body.get("billing_address") or {}).get("company") or "Company"
        location = company["location_id"]
        return {
            "__typename": "PurchasingCompany",
            "company": {"id": gid("Company", company["id"]), "name": name, "externalId": None},
            "location": {"id": gid("CompanyLocation", location), "name": name, "externalId": None},
        }

    def _terms(self):
        terms = self._body.get("payment_terms")
        if not terms:
            return None
        kind = str(terms.get("payment_terms_type", "net")).lower()
        order = self._body["id"]
        return {
            "id": gid("PaymentTerms", order),
            "paymentTermsName": terms.get("payment_terms_name") or "",
            "paymentTermsType": _TERMS.get(kind, "UNKNOWN"),
            "dueInDays": terms.get("due_in_days"),
            "paymentSchedules": [
                {
                    "id": gid("PaymentSchedule", f"{order}{index}"),
                    "amount": {
                        "amount": decimal(one.get("amount") or "0"),
                        "currencyCode": one.get("currency") or self._shop,
                    },
                    "issuedAt": utc(one.get("issued_at")),
                    "dueAt": utc(one.get("due_at")),
                    "completedAt": utc(one.get("completed_at")),
                }
                for index, one in enumerate(terms.get("payment_schedules") or ())
            ],
        }

    # -- the order --------------------------------------------------------------------------------

    def order(self):
        body = self._body
        return {
            **self._state(),
            **self._texts(),
            **self._totals(),
            "customer": self._customer(),
            "billingAddress": self._address(body.get("billing_address"), "BillingAddress"),
            "shippingAddress": self._address(body.get("shipping_address"), "ShippingAddress"),
            "purchasingEntity": self._purchaser(),
            "paymentTerms": self._terms(),
            "taxLines": self._taxes(body),
            "discountApplications": self._applications(),
            "lineItems": [self._line(line) for line in body.get("line_items", ())],
            "shippingLines": self._shipping_lines,
            "refunds": [self._refund(one) for one in body.get("refunds") or ()],
            "fulfillments": [
                self._fulfilment(*one) for one in enumerate(body.get("fulfillments") or ())
            ],
            "transactions": [self._transaction(one) for one in self._transactions],
        }

    def _state(self):
        body = self._body
        status, shipped = body.get("financial_status"), body.get("fulfillment_status")
        reason = body.get("cancel_reason")
        created = body["created_at"]
        return {
            "id": gid("Order", body["id"]),
            "legacyResourceId": str(body["id"]),
            "createdAt": utc(created),
            "processedAt": utc(body.get("processed_at") or created),
            "updatedAt": utc(body["updated_at"]),
            "cancelledAt": utc(body.get("cancelled_at")),
            "closedAt": utc(body.get("closed_at")),
            "closed": body.get("closed_at") is not None,
            "cancelReason": reason.upper() if reason else None,
            "test": body.get("test", False),
            "edited": any(not one.get("transactions") for one in body.get("refunds") or ()),
            "taxesIncluded": body.get("taxes_included", False),
            "taxExempt": body.get("tax_exempt", False),
            "estimatedTaxes": body.get("estimated_taxes", False),
            "dutiesIncluded": body.get("duties_included", False),
            "currencyCode": self._shop,
            "presentmentCurrencyCode": self._buyer,
            "displayFinancialStatus": status.upper() if status else None,
            "displayFulfillmentStatus": _FULFILMENT.get(shipped) or shipped.upper(),
            "fullyPaid": status in ("paid", "partially_refunded", "refunded"),
            "unpaid": status in ("pending", "authorized", "partially_paid"),
        }

    def _texts(self):
        body = self._body
        number = body.get("order_number") or body.get("number") or 0
        app = body.get("merchant_of_record_app_id")
        return {
            "name": body["name"],
            "number": number,
            "confirmationNumber": body.get("confirmation_number"),
            "tags": [one.strip() for one in (body.get("tags") or "").split(",") if one.strip()],
            "note": body.get("note"),
            "email": body.get("email") or None,
            "phone": body.get("phone"),
            "poNumber": body.get("po_number"),
            "sourceName": body.get("source_name"),
            "sourceIdentifier": body.get("source_identifier"),
            "customerLocale": body.get("customer_locale"),
            "paymentGatewayNames": body.get("payment_gateway_names") or [],
            "discountCodes": [one["code"] for one in body.get("discount_codes") or ()],
            "customAttributes": [
                {"key": one["name"], "value": one["value"]}
                for one in body.get("note_attributes") or ()
            ],
            "merchantOfRecordApp": app and {"id": gid("App", app), "name": "Other"},
            "additionalFees": [
                {
                    "id": gid("AdditionalFee", one["id"]),
                    "name": one.get("title") or one.get("name") or "Fee",
                    "price": self._money(one, "price"),
                    "taxLines": self._taxes(one),
                }
                for one in body.get("additional_fees") or ()
            ],
        }

    def _totals(self):
        body = self._body
        told = {name: self._money(body, member) for name, member in _ORDER_MONEY.items()}
        for name, member in _NULLABLE_MONEY.items():
            told[name] = self._bag(body[member]) if body.get(member) else None
        told["totalCashRoundingAdjustment"] = {
            side + "Set": self._money(body, f"total_cash_rounding_{side}_adjustment")
            for side in ("payment", "refund")
        }
        return told


def _reason(text):
    word = (text or "").strip().upper().replace(" ", "_")
    return word if word in _REASONS else None
