"""Plays Shopify: sends each delivery at its time, and again under the same webhook id until it is
answered 200.
"""

import collections
import http.client
import json
import queue
import threading
import time

import lib

TIMEOUT = 5.0  # Shopify's own
THREADS = 12


class Drivers:
    def __init__(self, world):
        self.world = world
        self.todo = queue.PriorityQueue()
        self.open = 0
        self.lock = threading.Lock()
        self.answers = collections.Counter()  # status, or what went wrong
        self.results = collections.Counter()  # of those answered 200
        self.taken = collections.defaultdict(set)  # order id -> webhook ids answered 200
        self.tries = 0
        self.stopped = False

    def start(self, begun):
        """BEGUN: time.monotonic at the plan's second 0."""
        for i, delivery in enumerate(self.world.plan.deliveries()):
            self.todo.put((begun + delivery.at, i, 0, delivery))
            self.open += 1
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped:
            try:
                at, i, tries, delivery = self.todo.get(timeout=0.2)
            except queue.Empty:
                continue
            pause = at - time.monotonic()
            if pause > 0.3:  # a retry that is due sooner may come in meanwhile
                self.todo.put((at, i, tries, delivery))
                time.sleep(0.1)
                continue
            time.sleep(max(0.0, pause))
            if self.send(delivery, tries):
                with self.lock:
                    self.open -= 1
            else:
                self.todo.put((time.monotonic() + min(0.1 * 2 ** tries, 2.0), i, tries + 1, delivery))

    def send(self, delivery, tries):
        shop = self.world.shops[delivery.order.shop]
        body = json.dumps(delivery.body).encode()
        headers = lib.signed_headers(shop.domain, delivery.topic, body, webhook_id=delivery.webhook_id,
                                     triggered_at=delivery.triggered_at())
        address = self.world.address(delivery.receiver + tries)
        status, result = "nobody there", None
        if address:
            try:
                status, _, data = lib.request(address, "POST", "/webhooks/shopify", body, headers, TIMEOUT)
                result = json.loads(data).get("result") if status == 200 else None
            except TimeoutError:
                status = "no answer in time"
            except (OSError, http.client.HTTPException, ValueError):
                status = "connection broke"
        with self.lock:
            self.tries += 1
            self.answers[status] += 1
            if status == 200:
                self.results[result] += 1
                self.taken[delivery.order.id].add(delivery.webhook_id)
        if isinstance(status, int) and status not in (200, 503):
            self.world.problem(f"a delivery of {delivery.order.name} was answered {status}: {data[:300]}")
        return status == 200
