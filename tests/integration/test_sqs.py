"""Amazon's notifications out of the seller's queue at AWS: each order once in the books, whatever dies or is
away in between, and no message that stands in the way of others."""

import json
import subprocess

import pytest

import lib
from sellers import DATA, TOTAL, Amazon, notice, order_id

QUEUE = "/123456789012/orders"
SECRET = "demo-aws-secret"
VISIBILITY = 60


def environment(stack, **more):
    return {"LH_AMAZON_SQS_URL": stack.sim.url + QUEUE, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDDEMO",
            "AWS_SECRET_ACCESS_KEY": SECRET, **more}


def start(stack, **more):
    stack.worker = stack.start_worker(**environment(stack, **more))
    return stack.worker


def put(stack, body):
    return stack.sim.control("POST", "sqs/send", {"body": body})["message_id"]


def message(stack, which):
    return next(m for m in stack.sim.control("GET", "sqs/messages")["messages"] if m["message_id"] == which)


def wait_deleted(stack):
    def all_deleted():
        return {m["state"] for m in stack.sim.control("GET", "sqs/messages")["messages"]} == {"deleted"}
    lib.wait_until(all_deleted, "every message is deleted")


def hold(stack, call, when):
    stack.sim.fault(method="POST", path=f"/AmazonSQS.{call}", fault="hold", when=when, count=1)


def wait_held(stack):
    lib.wait_until(lambda: stack.sim.held() == 1, "a call to the queue is under way")


def time_passes(stack):
    """Until messages that were received can be seen again."""
    stack.sim.control("POST", "clock", {"advance_seconds": VISIBILITY + 1})


def unblamed(stack):
    return [v for v in stack.sim.control("GET", "violations")["violations"]
            if v["kind"] in ("schema", "signature", "unknown_parameter")] == []


@pytest.fixture(scope="module")
def queue():
    """A stack whose worker reads the queue."""
    stack = lib.Stack(worker=False, LH_RECONCILE=0)
    start(stack)
    yield stack
    assert SECRET not in stack.worker.log()
    stack.close()


@pytest.fixture
def still(own_stack):
    """A stack whose worker, if there is one, does not read the queue."""
    return own_stack(LH_RECONCILE=0, LH_LEASE=5)


def settled(stack):
    """A seller with one order in the books, so that all secrets are in their places; and no worker any more."""
    s = Amazon(stack)
    order = s.sell()
    assert s.send(notice(s, order))[0] == 200
    s.wait_done(order)
    s.idle()
    assert stack.worker.stop() == 0
    return s


def test_notified_orders_and_whole_ones_get_into_the_books(queue):
    s = Amazon(queue)
    orders = [s.sell() for _ in range(12)]
    for order in orders:
        queue.sim.control("POST", "amazon/notify", {"seller_id": s.domain, "order_id": order})
    for order in orders:
        s.wait_done(order)
    assert [str(i["Total"]) for i in s.invoices()] == [TOTAL] * 12
    whole = json.loads((DATA / "orders_2026-01-01" / "getOrder_01_gbp_103_97.json").read_text())
    whole = {"order": {**whole.get("order", whole), "orderId": order_id()}}
    put(queue, {"SellerId": s.domain, **whole})
    s.wait_done(whole["order"]["orderId"])
    assert len(s.numbers()) == 13
    wait_deleted(queue)
    told = queue.receiver.api("GET", f"/orders/amazon/{s.domain}/{orders[0]}")[1]
    assert [t["topic"] for t in told["trail"] if t["kind"] == "event"] == ["fetch", "ORDER_CHANGE"]
    assert unblamed(queue)
    text = lib.request(queue.worker.ops, "GET", "/metrics")[2].decode()
    assert 'ledgerhook_amazon_queue_records_total{topic="ORDER_CHANGE",result="queued"} 12' in text


def test_messages_of_no_use_are_deleted_and_stop_no_others(queue):
    s, stranger = Amazon(queue), {"SellerId": "ANOBODY0000000"}
    unknown = notice(s)
    unknown["Payload"]["OrderChangeNotification"].update(stranger)
    for body in ("{not json", "no json at all", {"what": "is this"}, unknown, stranger, notice(s, "not-an-id"),
                 {**notice(s), "Payload": {}}, notice(s, kind="ANY_OFFER_CHANGED"), [], "[" * 5000,
                 [notice(s, "nor-this"), unknown]):
        put(queue, body)
    put(queue, [notice(s, f"none-of-these-{i}") for i in range(50)])
    order = s.sell()
    put(queue, [notice(s, "nor-that"), notice(s, order)])
    s.wait_done(order)
    wait_deleted(queue)
    assert len(s.numbers()) == 1
    dropped = s.log("message_dropped")
    assert 3 <= len(dropped) <= 6, "one line a message"
    assert {row["level"] for row in dropped} == {"error"}
    assert len(s.log("ANY_OFFER_CHANGED")) == 1
    assert queue.worker.events("message_dropped")[0]["level"] == "warn"


def test_what_comes_twice_is_in_the_books_once(queue):
    s = Amazon(queue)
    order = s.sell()
    same = notice(s, order)
    first, _ = put(queue, same), put(queue, same)
    s.wait_done(order)
    wait_deleted(queue)
    queue.sim.control("POST", "sqs/redeliver", {"message_id": first})
    lib.wait_until(lambda: message(queue, first)["received"] == 2, "it comes again")
    wait_deleted(queue)
    assert s.fetches() == [] and len(s.numbers()) == 1
    told = queue.receiver.api("GET", f"/orders/amazon/{s.domain}/{order}")[1]
    assert [t["topic"] for t in told["trail"] if t["kind"] == "event"] == ["fetch", "ORDER_CHANGE"]


def test_one_that_the_queue_did_not_delete_does_no_harm(queue):
    s = Amazon(queue)
    queue.sim.fault(method="POST", path="/AmazonSQS.DeleteMessageBatch", fault="element_error", index=0, count=1)
    order = s.sell()
    which = put(queue, notice(s, order))
    s.wait_done(order)
    queue.worker.wait_event("messages_left")
    assert message(queue, which)["state"] == "hidden"
    time_passes(queue)
    wait_deleted(queue)
    assert len(s.numbers()) == 1


@pytest.mark.parametrize("call, when", [("ReceiveMessage", "after"), ("DeleteMessageBatch", "before"),
                                        ("DeleteMessageBatch", "after")])
def test_a_worker_killed_with_messages_in_hand_is_followed_by_the_next(still, call, when):
    s = settled(still)
    orders = [s.sell() for _ in range(5)]
    for order in orders:
        put(still, notice(s, order))
    hold(still, call, when)
    start(still)
    wait_held(still)
    still.worker.kill()
    still.sim.control("POST", "release", {"abandon": True})
    start(still)
    time_passes(still)
    wait_deleted(still)
    for order in orders:
        s.wait_done(order)
    s.idle()
    assert len(s.numbers()) == 6 and s.fetches() == []


def test_while_redis_is_away_messages_stay_in_the_queue(still):
    s = settled(still)
    order = s.sell()
    which = put(still, notice(s, order))
    hold(still, "ReceiveMessage", "after")
    start(still)
    wait_held(still)
    still.redis.stop()
    still.sim.control("POST", "release")
    still.worker.wait_event("message_kept")
    assert message(still, which)["state"] == "hidden"
    still.worker.wait_event("redis_away")
    time_passes(still)
    assert message(still, which) == {**message(still, which), "state": "visible", "received": 1}
    still.redis.start()
    s.wait_done(order)
    wait_deleted(still)
    assert len(s.numbers()) == 2 and message(still, which)["received"] == 2


def test_a_queue_that_refuses_us_is_told_and_asked_again(still):
    s = Amazon(still)
    still.sim.fault(method="POST", path="/AmazonSQS.ReceiveMessage", fault="status", status=503, count=1)
    start(still)
    assert still.worker.wait_event("queue_away")["level"] == "warn"
    order = s.sell()
    put(still, notice(s, order))
    s.wait_done(order)
    other = still.start_worker(**environment(still, AWS_SECRET_ACCESS_KEY="not-the-secret"))
    assert other.wait_event("queue_away")["level"] == "error"
    assert other.stop() == 0


def test_a_worker_that_waits_for_messages_stops_at_once(still):
    start(still)
    lib.wait_until(lambda: [c for c in still.sim.calls() if "ReceiveMessage" in c["path"]], "it asks the queue")
    assert still.worker.stop() == 0
    assert still.worker.events("stopped")[0]["level"] == "info"


@pytest.mark.parametrize("wrong", [{"LH_AMAZON_SQS_URL": "orders"}, {"AWS_REGION": ""}, {"AWS_SECRET_ACCESS_KEY": ""}])
def test_a_queue_that_cannot_be_asked_stops_the_start(still, wrong):
    env = {**still.env, "LH_REDIS_URL": still.redis.url_for("worker"), **environment(still, **wrong)}
    done = subprocess.run([str(lib.BUILD / "ledgerhook-worker")], env=env, capture_output=True, timeout=lib.DEADLINE)
    assert done.returncode == 2 and b"queue" in done.stderr
