"""Processes die and Redis goes away: nothing is lost and nothing is exported twice."""

import os
import signal
import threading
from decimal import Decimal

import pytest

import lib
from steps import STEPS, begin, expect_step
from orders import later, order

LEASE = 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path,what", [("/api.xro/2.0/Contacts", "contact"), ("/api.xro/2.0/Invoices", "invoice"),
                                       ("/api.xro/2.0/Payments", "payment")])
def test_a_worker_killed_in_the_middle_of_a_call_leaves_each_document_once(own_stack, path, what, when):
    """Held before or after Xero commits the call, the worker is killed; another one settles it."""
    stack = own_stack(LH_LEASE=LEASE)
    shop, body = lib.Shop(stack), order("paid")
    stack.sim.fault(tenant=shop.tenant, method="PUT", path=path, fault="hold", when=when, count=1)
    shop.send("orders/paid", body)
    lib.wait_until(stack.sim.held, f"the call that makes the {what} is in flight")
    stack.worker.kill()
    stack.sim.control("POST", "release", {"abandon": True} if when == "before" else {})
    stack.start_worker()
    shop.wait_done(body["id"])
    books = shop.books()
    (invoice,) = books["invoices"]
    assert (invoice["Status"], Decimal(invoice["AmountDue"])) == ("PAID", 0)
    assert (len(books["contacts"]), len(books["payments"])) == (1, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", STEPS)
def test_a_worker_killed_in_a_later_call_leaves_each_document_once(own_stack, kind, when):
    """Edits, refunds and cancellations of an order that is in Xero."""
    step, stack = STEPS[kind], own_stack(LH_LEASE=LEASE)
    shop = lib.Shop(stack, settings=step.settings)
    body, event = begin(shop, step)
    stack.sim.fault(tenant=shop.tenant, method=step.method, path=step.path, fault="hold", when=when, count=1)
    shop.send(step.topic, event)
    lib.wait_until(stack.sim.held, f"the call that makes the {kind} is in flight")
    stack.worker.kill()
    stack.sim.control("POST", "release", {"abandon": True} if when == "before" else {})
    stack.start_worker()
    shop.wait_done(body["id"])
    expect_step(shop, step)


@pytest.mark.parametrize("kind", ["update", "credit note of a refund", "money paid back", "allocation"])
def test_redis_stopped_while_a_later_call_is_out_leaves_each_document_once(own_stack, kind):
    step, stack = STEPS[kind], own_stack(LH_LEASE=LEASE)
    shop = lib.Shop(stack, settings=step.settings)
    body, event = begin(shop, step)
    stack.sim.fault(tenant=shop.tenant, method=step.method, path=step.path, fault="hold", when="after", count=1)
    shop.send(step.topic, event)
    lib.wait_until(stack.sim.held, f"the call that makes the {kind} is in flight")
    stack.redis.stop()
    stack.sim.control("POST", "release", {})
    stack.redis.start()
    shop.wait_done(body["id"])
    expect_step(shop, step)


def test_a_stopped_worker_that_wakes_up_late_changes_nothing(own_stack):
    stack = own_stack(LH_LEASE=LEASE)
    shop, body = lib.Shop(stack), order("paid")
    stack.sim.fault(tenant=shop.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="hold", when="after", count=1)
    shop.send("orders/paid", body)
    lib.wait_until(stack.sim.held, "the call is in flight")
    stack.worker.signal(signal.SIGSTOP)
    stack.sim.control("POST", "release", {})
    stack.start_worker()
    shop.wait_done(body["id"])
    stack.worker.signal(signal.SIGCONT)
    assert stack.worker.stop() == 0
    books = shop.books()
    assert (len(books["invoices"]), len(books["payments"])) == (1, 1)


def test_a_worker_that_is_told_to_stop_ends_its_call_and_hands_the_rest_back(own_stack):
    stack = own_stack()
    shop = lib.Shop(stack)
    bodies = [order("paid") for _ in range(30)]
    for body in bodies:
        shop.send("orders/paid", body)
    assert stack.worker.stop() == 0
    assert stack.redis.call("ZCARD", f"{lib.PREFIX}leases:{shop.connection}") == 0
    stack.start_worker()
    for body in bodies:
        shop.wait_done(body["id"])
    assert len(shop.invoices()) == len(bodies)


def test_every_delivery_answered_200_is_in_redis_though_the_receiver_is_killed(own_stack):
    stack = own_stack(worker=False)
    shop = lib.Shop(stack)
    taken, stop = [], threading.Event()

    def send():
        while not stop.is_set():
            body = order("paid")
            try:
                status, _ = shop.send("orders/paid", body)
            except OSError:
                return
            if status == 200:
                taken.append(body["id"])

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    lib.wait_until(lambda: len(taken) > 100, "deliveries flow")
    stack.receiver.kill()
    stop.set()
    for thread in threads:
        thread.join()
    for order_id in taken:
        assert shop.record(order_id)["st"] == "waiting"


def test_redis_stopped_answers_503_and_the_same_delivery_is_taken_after_its_return(own_stack):
    stack = own_stack()
    shop, body = lib.Shop(stack), order("paid")
    stack.redis.stop()
    status, _ = shop.send("orders/paid", body, webhook_id="the-same")
    assert status == 503
    stack.redis.start()
    lib.wait_until(lambda: shop.send("orders/paid", body, webhook_id="the-same")[0] == 200, "the delivery is taken")
    shop.wait_done(body["id"])
    assert len(shop.invoices()) == 1


def loading(redis):
    client = lib.Resp(redis.path)
    try:
        return b"loading:1" in client("INFO", "persistence")
    finally:
        client.close()


@pytest.mark.parametrize("user", ["receiver", "worker"])
def test_a_program_that_starts_while_redis_loads_its_data_waits_for_it(own_stack, user):
    """Redis says meanwhile that it has no append-only file."""
    stack = own_stack(worker=False, redis={"key_load_delay": "300"})
    stack.redis.call("EVAL", "for i = 1, 30000 do redis.call('SET', 'other-' .. i, 'x') end", 0)
    stack.redis.stop()
    back = threading.Thread(target=stack.redis.start)
    back.start()
    lib.wait_until(lambda: os.path.exists(stack.redis.path) and loading(stack.redis), "Redis loads")
    program = lib.Process([str(lib.BUILD / f"ledgerhook-{user}")], stack.folder, user,
                          {**stack.env, "LH_REDIS_URL": stack.redis.url_for(user)})
    assert "loading" in program.wait_event("redis_unreachable")["message"]
    client = lib.Resp(stack.redis.path)
    client("CONFIG", "SET", "key-load-delay", "0")
    client.close()
    program.wait_event("started")
    back.join()
    assert program.stop() == 0


def test_a_worker_outlives_a_restart_of_redis(own_stack):
    stack = own_stack()
    shop, body = lib.Shop(stack), order("paid")
    shop.send("orders/paid", body)
    shop.wait_done(body["id"])
    stack.redis.kill()
    stack.redis.start()
    second = order("paid")
    lib.wait_until(lambda: shop.send("orders/paid", second)[0] == 200, "the receiver has reconnected")
    shop.wait_done(second["id"])
    assert len(shop.invoices()) == 2


def test_an_outage_of_xero_costs_the_connection_and_not_the_order(own_stack):
    stack = own_stack()
    shop, body = lib.Shop(stack), order("paid")
    stack.sim.fault(tenant=shop.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="status", status=503, count=2)
    shop.send("orders/paid", body)
    record = shop.wait_done(body["id"])
    assert "att" not in record
    assert len(shop.invoices()) == 1
    assert not stack.redis.call("EXISTS", f"{lib.PREFIX}down:{shop.connection}")  # the next one begins at 5 s again


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_a_connection_that_breaks_during_the_call_makes_one_invoice(own_stack, fault):
    stack = own_stack()
    shop, body = lib.Shop(stack), order("paid")
    stack.sim.fault(tenant=shop.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault=fault, count=1)
    shop.send("orders/paid", body)
    shop.wait_done(body["id"])
    assert len(shop.invoices()) == 1


def test_an_event_during_the_outage_is_exported_at_its_last_state(own_stack):
    stack = own_stack()
    shop, body = lib.Shop(stack, settings={"auto_sync": "include_unpaid"}), order("pending")
    stack.sim.fault(tenant=shop.tenant, method="PUT", path="/api.xro/2.0/Invoices", fault="hold", when="after", count=1)
    shop.send("orders/create", body)
    lib.wait_until(stack.sim.held, "the call is in flight")
    shop.send("orders/paid", later(body, financial_status="paid"))
    stack.sim.control("POST", "release", {})
    lib.wait_until(lambda: [i["Status"] for i in shop.invoices()] == ["PAID"], "the payment follows")


def test_an_order_that_was_failed_in_doubt_is_looked_at_before_anything_is_paid_again(shop):
    """A part payment that Xero holds and nobody recorded: the worker that made it died three times."""
    s = shop(settings={"auto_sync": "include_unpaid"})
    body = order("partially_paid", total_outstanding="25.00", payment_gateway_names=["manual"])
    s.send("orders/create", body)
    s.wait_done(body["id"])
    (payment,) = s.books()["payments"]
    key = lib.PREFIX + "order:" + s.key(body["id"])
    call = s.stack.redis.call
    for field in [f for f in call.hash(key) if f.startswith("doc:pay:")]:
        call("HDEL", key, field)
    call("HSET", key, "doubt", "1")
    s.send("orders/updated", later(body))
    record = lib.wait_until(lambda: "doubt" not in s.record(body["id"]) and s.wait_done(body["id"]), "it was exported")
    assert [p["PaymentID"] for p in s.books()["payments"]] == [payment["PaymentID"]]
    assert any(payment["PaymentID"] in v for v in record.values())
