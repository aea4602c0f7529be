"""The control of the shops' side, under /_sim/amazon, /_sim/sqs and /_sim/shopify.

Owns: what tests use to set the shops' scene and to look at it. Control (control.py) is built on
it.
"""

import uuid

import jsontext
from shops import SCENE
from times import seconds, utc_text

_V1_STATUS = {
    "PENDING_AVAILABILITY": "PendingAvailability",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
}


class ShopsControl:
    """`self._sim` is the simulator; a method's name says the call (see control.py)."""

    # -- Amazon -----------------------------------------------------------------------------------

    def _seller(self, body):
        seller_id = body.get("seller_id") or SCENE["seller"][0]
        return self._sim.shops.orders.sellers[seller_id]

    def _post_amazon_clients(self, body):
        self._sim.shops.login.register(body["client_id"], body["client_secret"])

    def _post_amazon_sellers(self, body):
        orders = self._sim.shops.orders
        seller = orders.seller(body["seller_id"])
        if "roles" in body:
            seller.roles = set(body["roles"])
        for name in ("region", "refuses"):
            if name in body:
                setattr(seller, name, body[name])
        orders.set_rates(seller, body.get("limits"), body.get("rates"))
        if "refresh_token" in body:
            client = body.get("client_id", SCENE["client"][0])
            self._sim.shops.login.authorise(client, seller.id, body["refresh_token"])

    def _post_amazon_orders(self, body):
        seller = self._seller(body)
        for order in body.get("orders", ()):
            self._sim.shops.orders.put(seller, order)
        for order_id in body.get("remove", ()):
            self._sim.shops.orders.remove(seller, order_id)

    def _get_amazon_notices(self, _query):
        notices = self._sim.shops.notices
        return {"destinations": notices.destinations, "subscriptions": notices.subscriptions}

    def _get_amazon_orders(self, query):
        return {"orders": list(self._seller(query).orders.values())}

    def _post_amazon_act(self, body):
        seller = self._seller(body).id
        if body.get("do") == "revoke":
            self._sim.shops.login.revoke(seller, body.get("client_id"))
        elif body.get("do") == "expire_tokens":
            self._sim.shops.login.expire_tokens(seller)
        else:
            raise ValueError(f"no act {body.get('do')}")

    def _post_amazon_notify(self, body):
        seller = self._seller(body)
        order = seller.orders[body["order_id"]]
        told = notification(seller.id, order, utc_text(self._sim.clock.now()))
        message = self._sim.shops.sqs.send(body.get("queue"), jsontext.text(told))
        return {"message_id": message, "notification": told}

    # -- SQS --------------------------------------------------------------------------------------

    def _post_sqs_queues(self, body):
        return {"path": self._sim.shops.sqs.add(body)}

    def _post_sqs_send(self, body):
        text = body["body"] if isinstance(body["body"], str) else jsontext.text(body["body"])
        message = self._sim.shops.sqs.send(body.get("queue"), text, int(body.get("delay", 0)))
        return {"message_id": message}

    def _post_sqs_redeliver(self, body):
        self._sim.shops.sqs.redeliver(body["message_id"])

    def _get_sqs_messages(self, query):
        return {"messages": self._sim.shops.sqs.messages(query.get("queue"))}

    # -- Shopify ----------------------------------------------------------------------------------

    def _shop(self, body):
        return self._sim.shops.shopify.shop(body.get("shop") or SCENE["shop"]["shop"])

    def _post_shopify_shops(self, body):
        self._sim.shops.shopify.add(body)

    def _post_shopify_act(self, body):
        if body.get("do") != "expire_tokens":
            raise ValueError(f"no act {body.get('do')}")
        self._shop(body).end_tokens()

    def _post_shopify_orders(self, body):
        shop = self._shop(body)
        for order in body.get("orders", ()):
            shop.put(order)
        for order_id in body.get("remove", ()):
            shop.remove(order_id)

    def _get_shopify_orders(self, query):
        return {"orders": self._shop(query).listed()}

    def _get_shopify_subscriptions(self, query):
        return {"subscriptions": self._shop(query).subscriptions}


def notification(seller_id, order, now):
    """The ORDER_CHANGE notification of an order as it is now."""
    fulfilment = order.get("fulfillment", {})
    amazons = fulfilment.get("fulfilledBy") == "AMAZON"
    status = _V1_STATUS[fulfilment.get("fulfillmentStatus", "UNSHIPPED")]
    shipped = [_shipped(item) for item in order["orderItems"]]
    ordered = [item["quantityOrdered"] for item in order["orderItems"]]
    return {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": now,
        "Payload": {
            "OrderChangeNotification": {
                "NotificationLevel": "OrderLevel",
                "SellerId": seller_id,
                "AmazonOrderId": order["orderId"],
                "OrderChangeType": "OrderStatusChange",
                "OrderChangeTrigger": {"TimeOfOrderChange": now, "ChangeReason": status},
                "Summary": {
                    "MarketplaceId": order["salesChannel"].get("marketplaceId", ""),
                    "OrderStatus": status,
                    "PurchaseDate": utc_text(seconds(order["createdTime"])),
                    "DestinationPostalCode": None,
                    "FulfillmentType": "AFN" if amazons else "MFN",
                    "OrderType": "StandardOrder",
                    "NumberOfItemsShipped": sum(shipped),
                    "NumberOfItemsUnshipped": sum(ordered) - sum(shipped),
                    "OrderItems": [
                        {
                            "OrderItemId": item["orderItemId"],
                            "SellerSKU": item["product"].get("sellerSku", ""),
                            "SupplySourceId": None,
                            "OrderItemStatus": "Shipped" if count else "Unshipped",
                            "Quantity": item["quantityOrdered"],
                            "QuantityShipped": count,
                        }
                        for item, count in zip(order["orderItems"], shipped)
                    ],
                },
            }
        },
        "NotificationMetadata": {
            "ApplicationId": "amzn1.sellerapps.app.00000000-0000-0000-0000-000000000000",
            "SubscriptionId": "bae1e43f-e0e4-50ef-9531-a97e5b78f87f",
            "PublishTime": now,
            "NotificationId": str(uuid.uuid4()),
        },
    }


def _shipped(item):
    return int(item.get("fulfillment", {}).get("quantityFulfilled", 0))
