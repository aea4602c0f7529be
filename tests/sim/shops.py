"""The shops' side of the simulator: Amazon, SQS, Shopify.

Owns: their parts with one state, and which of them a call is for. Their rules are in their own
files; what a fresh one holds is SCENE.
"""

import amazon
import amazon_notices
from amazon_login import Login, LoginError
from amazon import Orders
from calls import Answer, json_answer
from shopify import Shopify
from sqs import TARGET, Sqs

SCENE = {
    "client": ("amzn1.application-oa2-client.demo", "amzn1.oa2-cs.v1.demo"),
    "seller": ("A000SAMPLESELL", "Atzr|demo-refresh-token"),
    "queue": {"name": "orders", "access_key": "AKIDDEMO", "secret_key": "demo-aws-secret"},
    "shop": {"shop": "demo-shop.myshopify.com", "token": "shpat_demo"},
}


class Shops:
    def __init__(self, clock, ledger):
        self.login = Login(clock)
        self.orders = Orders(clock, self.login, ledger)
        self.notices = amazon_notices.Notices(clock, self.login, ledger)
        self.sqs = Sqs(clock, ledger)
        self.shopify = Shopify(clock, ledger)
        self.login.register(*SCENE["client"])
        seller, token = SCENE["seller"]
        self.login.authorise(SCENE["client"][0], self.orders.seller(seller).id, token)
        self.sqs.add(SCENE["queue"])
        self.shopify.add(SCENE["shop"])

    def answer(self, call, faults):
        """The answer to a call for one of these services, under its fault; None when it is for
        none of them."""
        if call.path == "/auth/o2/token":
            tenant, run = None, lambda _fault: self._token(call)
        elif amazon.Orders.path_of(call):
            tenant, run = self.orders.tenant(call), lambda _fault: self.orders.handle(call)
        elif self.notices.is_for(call):
            tenant, run = self.notices.tenant(call), lambda _fault: self.notices.handle(call)
        elif call.headers.get("X-Amz-Target", "").startswith(TARGET):
            call.entry["path"] = "/" + call.headers["X-Amz-Target"]
            tenant, run = None, lambda fault: self.sqs.handle(call, fault)
        elif self.shopify.is_for(call):
            tenant, run = self.shopify.tenant(call), lambda _fault: self.shopify.handle(call)
        else:
            return None
        call.entry["tenant"] = tenant
        fault = faults.take(call.method, call.entry["path"], tenant, call.body or b"")
        if fault:
            call.entry["fault"] = fault["fault"]
        return faults.play(fault, lambda: run(fault))

    def close(self):
        """The state is about to be replaced."""
        self.sqs.close()

    def _token(self, call):
        if call.method != "POST":
            return Answer(405)
        try:
            grant, answer = self.login.token(call.form())
        except LoginError as error:
            return json_answer(error.status, error.body)
        call.entry["client"], call.entry["tenant"] = grant.client, grant.seller
        call.entry["grant_type"] = "refresh_token" if grant.seller else "client_credentials"
        return json_answer(200, answer, {"Cache-Control": "no-store"})
