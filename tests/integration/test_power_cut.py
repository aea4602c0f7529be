"""The power goes: of Redis' files only what was synced is left. What was answered 200 is still there,
and what had been exported is not exported again."""

import os
import pathlib
import shlex
import subprocess
import threading

import pytest

import lib
from orders import order

SENDERS = 8


@pytest.fixture(scope="session")
def synced_library(tmp_path_factory):
    path = tmp_path_factory.mktemp("synced") / "synced.so"
    subprocess.run([*shlex.split(os.environ.get("CC", "gcc")), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", path,
                    lib.ROOT / "tests/integration/synced.c", "-ldl"], check=True)
    return path


@pytest.fixture
def power(synced_library, tmp_path):
    """The environment of a Redis whose power can be cut, and the cut: bytes that were lost."""
    class Power:
        env = {**os.environ, "LD_PRELOAD": str(synced_library), "SYNCED": str(tmp_path)}

        @staticmethod
        def cut(redis):
            redis.kill()
            lost = 0
            for file in pathlib.Path(redis.folder, "appendonlydir").iterdir():
                note, size = tmp_path / str(file.stat().st_ino), file.stat().st_size
                kept = min(size, int(note.read_text())) if note.exists() else 0
                lost += size - kept
                os.truncate(file, kept)
            return lost
    return Power


class Senders:
    """Threads that send one new paid order after the other, until they are told to stop."""

    def __init__(self, shop):
        self.shop, self.taken, self.stopped = shop, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped.is_set():
            body = order("paid")
            try:
                status, _ = self.shop.send("orders/paid", body)
            except OSError:
                continue
            if status == 200:
                self.taken.append(body)

    def wait_for(self, count):
        lib.wait_until(lambda: len(self.taken) >= count, f"{count} orders are taken")

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        return self.taken


def cut_while_orders_arrive(own_stack, power, policy):
    """Orders that were answered 200 before the cut, and those of them that Redis has after it."""
    stack = own_stack(worker=False, redis={"env": power.env, "appendfsync": policy}, LH_REDIS_UNSAFE=1)
    shop = lib.Shop(stack)
    senders = Senders(shop)
    senders.wait_for(300)
    power.cut(stack.redis)
    taken = senders.stop()
    stack.redis.start()
    return taken, [body for body in taken if shop.record(body["id"]).get("st") == "waiting"
                   and stack.redis.call("EXISTS", f"{lib.PREFIX}snap:{shop.key(body['id'])}")]


def test_no_order_that_was_answered_200_is_lost(own_stack, power):
    taken, kept = cut_while_orders_arrive(own_stack, power, "always")
    assert len(kept) == len(taken) >= 300


def test_the_cut_takes_what_was_not_synced(own_stack, power):
    """Else the test above would prove nothing: without syncs all is gone."""
    taken, kept = cut_while_orders_arrive(own_stack, power, "no")
    assert len(taken) >= 300
    assert not kept


def test_cuts_while_orders_are_exported_leave_each_order_once(own_stack, power):
    """Redis rewrites its file meanwhile, too."""
    stack = own_stack(redis={"env": power.env, "auto_aof_rewrite_min_size": "300kb",
                             "auto_aof_rewrite_percentage": "30"}, LH_LEASE=5)
    shop = lib.Shop(stack)
    senders = Senders(shop)
    for count in (60, 120, 180):
        senders.wait_for(count)
        power.cut(stack.redis)
        stack.redis.start()
    taken = senders.stop()
    for body in taken:
        shop.wait_done(body["id"])
    books = shop.books()
    by_number = {}
    for invoice in books["invoices"]:
        by_number.setdefault(invoice["InvoiceNumber"], []).append(invoice)
    for body in taken:
        (invoice,) = by_number[body["name"].removeprefix("#")]
        assert (invoice["Status"], len(invoice["Payments"])) == ("PAID", 1), invoice
