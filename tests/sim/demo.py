#!/usr/bin/env python3
"""What `make run` starts: a private Redis, the simulator of Xero, a receiver and a worker, with a demo
shop that sends a few signed webhooks; tells what became of each order, and stays up until Ctrl-C.

    python3 tests/sim/demo.py [--ports WEBHOOKS,API,OPERATIONS] [--once] [--folder var/demo]

Every run is a new shop: its folder is emptied at the start and keeps Redis' data and the programs' logs
afterwards. With LH_XERO_CLIENT_ID, LH_XERO_CLIENT_SECRET and DEMO_TENANT in the environment it writes
into that Xero organisation instead of the simulator's.
"""

import argparse
import base64
import datetime
import fcntl
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import textwrap
import time
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "sim")]

import defaults  # noqa: E402
import lib  # noqa: E402
import orders  # noqa: E402
import shops  # noqa: E402

SHOP = "demo-shop.myshopify.com"
STORE = f"shopify/{SHOP}"
CONNECTION = "demo"
DRAIN_S = "2"  # seconds that a program may take to finish what has begun when it is stopped


class Problem(Exception):
    """One line for the person at the terminal."""


class Stopped(Exception):
    """Ctrl-C, SIGTERM or SIGHUP."""


def say(text=""):
    print(text, flush=True)


def bullet(text, first="         -> ", then="            "):
    say(textwrap.fill(text, 100, initial_indent=first, subsequent_indent=then, break_long_words=False,
                      break_on_hyphens=False))


class Redis(lib.Redis):
    """The tests' private Redis with its data in var/. A socket's path may have 107 bytes only, however
    deep the checkout lies, so the socket has a folder of its own; nobody else can open that."""

    def __init__(self, demo, sockets):  # in place of the tests' own: no super().__init__()
        self.folder = str(demo.folder / "redis")
        os.mkdir(self.folder)
        self.path = os.path.join(sockets, "redis")
        self.url = f"unix://{self.path}"
        self.config = lib.DURABLE
        self.process = self.call = None
        self.demo = demo

    def start(self):
        argv = ["redis-server", "--port", "0", "--unixsocket", self.path, "--unixsocketperm", "700",
                "--dir", self.folder]
        for key, value in self.config.items():
            argv += [f"--{key}", value]
        self.process = self.demo.start("redis", argv, dict(os.environ))
        self.demo.wait(self.answers, "redis-server answers", self.process)
        self.call = lib.Resp(self.path)


class Demo:
    """All that runs, in the order in which it was started."""

    def __init__(self, ports, folder):
        self.ports = ports
        self.folder = folder
        self.running = []
        self.sockets = None
        self.redis = None
        self.hooks = self.api_address = self.sim_address = None
        self.starting = self.asked = False
        self.admin, self.support, self.secret = (secrets.token_hex(24) for _ in range(3))
        self.tenant = defaults.TENANT
        self.real = bool(os.environ.get("LH_XERO_CLIENT_ID") and os.environ.get("LH_XERO_CLIENT_SECRET"))
        if self.real:
            self.tenant = os.environ.get("DEMO_TENANT", "")
            if not self.tenant:
                raise Problem("LH_XERO_CLIENT_ID is set, so the demo would write into Xero itself: set DEMO_TENANT to "
                              "the organisation's tenant id as well (or unset LH_XERO_CLIENT_ID for the simulator).")
        # Xero keeps what an earlier run wrote, and an invoice number is used once.
        self.prefix = time.strftime("DEMO%m%d%H%M-") if self.real else "DEMO-"

    # ---- processes ----

    def on_signal(self, _number, _frame):
        self.asked = True
        if not self.starting:
            raise Stopped

    def start(self, name, argv, env):
        """Starts a program. A signal has to wait until the program stands in the list of what is to be
        stopped. If the demo is killed, which nobody can catch, the kernel stops the program."""
        self.starting = True
        process = lib.Process(["setpriv", "--pdeathsig", "TERM", *argv], self.folder, name, env)
        self.running.append(process)
        process.log_path = process.log_path.rename(self.folder / f"{name}.log")
        self.starting = False
        if self.asked:
            raise Stopped
        return process

    @staticmethod
    def wait(condition, what, process):
        """Waits for CONDITION while PROCESS lives."""
        def reached():
            if process.child.poll() is not None:
                raise Problem(f"{process.name} ended with status {process.child.returncode}: {last_line(process)}")
            return condition()
        try:
            return lib.wait_until(reached, what)
        except AssertionError as late:
            raise Problem(f"{late} (see {process.log_path})") from late

    def start_all(self):
        xero = "Xero itself" if self.real else "the simulator of Xero"
        say(f"Starting Redis (durable, data in {short(self.folder)}/redis), {xero}, the receiver and a worker.")
        self.sockets = tempfile.mkdtemp(prefix="ledgerhook-demo-")
        self.redis = Redis(self, self.sockets)
        self.redis.start()
        env = {k: v for k, v in os.environ.items() if not k.startswith("LH_")}
        env |= {"LH_REDIS_URL": self.redis.url, "LH_HOOK_KEY": new_key(), "LH_DRAIN": DRAIN_S}
        if self.real:
            env |= {k: v for k, v in os.environ.items() if k.startswith("LH_XERO_")}
        else:
            sim = self.start("simulator", [sys.executable, str(ROOT / "tests/sim/main.py"), "--listen", "127.0.0.1:0"],
                             dict(os.environ))
            url = self.wait(lambda: re.search(r"http://\S+", sim.log()), "the simulator listens", sim)[0]
            self.sim_address = url.removeprefix("http://")
            env |= {f"LH_{x}_URL": url for x in ("XERO_API", "XERO_IDENTITY", "XERO_LOGIN", "AMAZON_API", "AMAZON_LWA",
                                                 "SHOPIFY_API")}
            env |= dict(zip(("LH_AMAZON_CLIENT_ID", "LH_AMAZON_CLIENT_SECRET"), shops.SCENE["client"]))
        hooks, api, ops = (f"127.0.0.1:{p}" for p in self.ports)
        ready = self.start_program("receiver", env | {
            "LH_ADMIN_TOKEN": f"admin:{self.admin}", "LH_SUPPORT_TOKEN": f"support:{self.support}",
            "LH_LISTEN": hooks, "LH_API_LISTEN": api, "LH_OPS_LISTEN": ops, "LH_THREADS": "200"})
        self.hooks, self.api_address = (f"127.0.0.1:{ready[x]}" for x in ("webhooks_port", "api_port"))
        self.ports = [ready[x] for x in ("webhooks_port", "api_port", "ops_port")]
        self.start_program("worker", env | {
            "LH_MASTER_KEY": new_key(), "LH_OPS_LISTEN": "127.0.0.1:0", "LH_WORKERS": "4"})

    def start_program(self, name, env):
        """Starts one of the two programs; returns its log's line "started"."""
        process = self.start(name, [str(lib.BUILD / f"ledgerhook-{name}")], env)
        return self.wait(lambda: process.events("started"), f"the {name} starts", process)[-1]

    def stop_all(self):
        """The last one started first: worker, receiver, simulator, Redis. True if all went well."""
        good = True
        for process in reversed(self.running):
            had_ended = process.child.poll() is not None
            try:
                # A program that had not begun to listen for signals is ended by SIGTERM itself.
                good &= process.stop() in (0, -signal.SIGTERM) and not had_ended
            except AssertionError as late:
                good = False
                say(str(late).splitlines()[0])
        if self.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        return good

    def stay(self):
        """Until somebody stops it, or a program ends by itself."""
        while True:
            for process in self.running:
                if process.child.poll() is not None:
                    raise Problem(f"The {process.name} has ended with status {process.child.returncode}: "
                                  f"{last_line(process)}")
            time.sleep(0.5)

    # ---- REST and webhooks ----

    def api(self, method, path, body=None, token=None):
        """A REST call that has to succeed."""
        data = None if body is None else json.dumps(body).encode()
        status, _, raw = lib.request(self.api_address, method, "/api/v1" + path, data, {
            "Authorization": f"Bearer {token or self.admin}", "Content-Type": "application/json"})
        if status not in (200, 201, 202, 204):
            raise Problem(f"{method} /api/v1{path} was answered {status}: {raw.decode(errors='replace')}")
        return json.loads(raw) if raw else None

    def set_up(self):
        say(f"Adding the connection \"{CONNECTION}\" and the shop {SHOP} by the REST API.")
        connection = {"tenant": self.tenant, "grant": "client_credentials"}
        if not self.real:
            client = defaults.CLIENTS[0]
            connection |= {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        self.api("PUT", f"/connections/{CONNECTION}", connection)
        self.api("PUT", f"/stores/{STORE}", {
            "connection": CONNECTION,
            "settings": {"auto_sync": "exclude_unpaid", "prefix": self.prefix, "start_date": None},
            "mappings": {"accounts": {"default": os.environ.get("DEMO_SALES_ACCOUNT", "200")},
                         "taxes": {"by_rate": {"0.2": "OUTPUT2"}, "exempt": "ZERORATEDOUTPUT"},
                         "payments": {"default": os.environ.get("DEMO_BANK_ACCOUNT", "090")}},
            "secrets": {"webhook": self.secret}})

    def send(self, topic, order):
        """A signed delivery of the demo shop; the receiver's answer."""
        body = json.dumps(order, separators=(",", ":")).encode()
        headers = lib.signed_headers(SHOP, topic, body, self.secret, triggered_at=order["updated_at"])
        status, _, raw = lib.request(self.hooks, "POST", "/webhooks/shopify", body, headers)
        if status != 200:
            raise Problem(f"The webhook {topic} of {order['name']} was answered {status}: {raw.decode()}")
        answer = json.loads(raw)
        say(f"  {topic:<17} {order['name']}  ->  200 {answer['result']} ({answer['reason']})")
        return answer

    # ---- what became of an order ----

    def record(self, order):
        return self.redis.call.hash(f"{lib.PREFIX}order:{STORE}/{order['id']}")

    def settled(self, order):
        """The order's record once it neither waits nor is being exported."""
        def reached():
            record = self.record(order)
            return record if record.get("st") not in (b"waiting", b"leased", None) else None
        return self.wait(reached, f"order {order['name']} is exported or fails", self.running[-1])

    def invoice_of(self, order):
        """One sentence about the order's invoice, from what Xero answered."""
        record = self.record(order)
        invoice = json.loads(record["doc:invoice"])
        paid = sum(Decimal(json.loads(v)["amount"]) for k, v in record.items() if k.startswith("doc:pay:"))
        total = Decimal(invoice["total"])
        state = "paid" if paid == total else f"{paid:.2f} paid" if paid else "not paid"
        return f"invoice {invoice['number']}, total {total:.2f} {invoice['currency']}, {state}"

    def failed_row(self, order):
        rows = self.api("GET", f"/failed?connection={CONNECTION}", token=self.support)["rows"]
        return next((r for r in rows if r["exported_item"] == order["name"]), None)


def short(path):
    """A path as the person at the terminal may type it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def new_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


def last_line(process):
    lines = process.log().strip().splitlines()
    return lines[-1] if lines else f"nothing in {process.log_path}"


def sentence_of(reason):
    """The catalogue's sentence for a reason code, from where the programs have it."""
    text = (ROOT / "service/sync/catalogue.h").read_text().replace("\\\n", " ")
    found = re.search(rf'"{re.escape(reason)}",\s*((?:"[^"]*"\s*)+),', text)
    return "".join(re.findall(r'"([^"]*)"', found[1])) if found else reason


# ---- the demo's orders ----

def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def new_order(number, status, lines, first_name, last_name, **more):
    """An order of the demo shop. Ids grow with the clock, so that a later run makes other orders."""
    buyer = {"first_name": first_name, "last_name": last_name}
    mail = f"{first_name}.{last_name}@example.com".lower()
    address = {**buyer, "address1": "1 Example Street", "city": "London", "zip": "EC1A 1BB", "country_code": "GB",
               "country": "United Kingdom", "company": None}
    order = orders.order(status=status, lines=lines, ship=[orders.shipping("5.00")], name=f"#{number}")
    order |= {"id": time.time_ns() // 1000000 * 10000 + number, "created_at": now(), "processed_at": now(),
              "updated_at": now(), "email": mail, "contact_email": mail, "order_number": number,
              "billing_address": address, "shipping_address": address,
              "customer": {"id": 7000000000000 + number, "email": mail, **buyer}}
    return order | more


def later(order, **changes):
    """A later state of the same order: Shopify's times have whole seconds, so the next one."""
    at = datetime.datetime.fromisoformat(order["updated_at"]) + datetime.timedelta(seconds=1)
    return {**order, "updated_at": at.isoformat(), **changes}


def paid_later(order):
    return later(order, financial_status="paid", total_outstanding="0.00", payment_gateway_names=["manual"])


def send_all(demo):
    """Sends the webhooks; returns [order, what it is, the last answer]."""
    say("Sending signed webhooks:")
    mug, tea = orders.line("Mug", "10.00", 2), orders.line("Tea", "20.00", 1)
    rows = []

    paid = new_order(1001, "paid", [mug, tea], "Ada", "Buyer")
    rows.append([paid, "paid: two mugs, tea, shipping, 20 % VAT", demo.send("orders/paid", paid)])

    unpaid = new_order(1002, "pending", [tea], "Ben", "Browser")
    rows.append([unpaid, "not paid; this shop exports paid orders only", demo.send("orders/create", unpaid)])

    cancelled = new_order(1003, "pending", [mug], "Cleo", "Changer")
    demo.send("orders/create", cancelled)
    cancelled = later(cancelled, cancelled_at=now(), cancel_reason="customer", financial_status="voided")
    rows.append([cancelled, "cancelled by the customer before it was paid", demo.send("orders/cancelled", cancelled)])

    test = new_order(1004, "paid", [mug], "Dee", "Tester", test=True)
    rows.append([test, "paid, but a test order", demo.send("orders/paid", test)])

    sale = orders.line("Teapot", "30.00", 1, discount="6.00")
    waits = new_order(1005, "pending", [sale], "Eli", "Patient")
    demo.send("orders/create", waits)
    waits = paid_later(waits)
    rows.append([waits, "first unpaid, then paid: a discounted teapot", demo.send("orders/paid", waits)])

    reduced = new_order(1006, "paid", [mug, orders.line("Child seat", "40.00", 1, rate="0.05", tax_title="VAT")],
                        "Fay", "Parent")
    rows.append([reduced, "paid, but one line has 5 % VAT, which nobody mapped", demo.send("orders/paid", reduced)])
    return rows


def tell(demo, rows):
    """Says what became of each order; returns those that are on the failed list, with their rows."""
    failed = []
    say("\nWhat became of each order:")
    for order, story, answer in rows:
        say(f"  {order['name']}  {story}")
        state = demo.settled(order).get("st")
        if state == b"done":
            bullet(demo.invoice_of(order))
        elif state == b"failed":
            row = demo.failed_row(order)
            failed.append((order, row))
            bullet(f"failed: {' '.join(row['export_error'])}")
            for action in row["action_required"]:
                bullet(action, "            what to do: ", "                        ")
        else:
            bullet(f"{answer['result']}: {sentence_of(answer['reason'])}")
    return failed


def mend(demo, failed):
    """Maps the tax that was missing, and exports what failed again."""
    rates = {"0.2": "OUTPUT2", "0.05": "RROUTPUT"}
    say("\nMapping 5 % VAT in the shop's settings, then exporting the failed order again:")
    demo.api("PATCH", f"/stores/{STORE}", {"mappings": {"taxes": {"by_rate": rates}}})
    for order, row in failed:
        answer = demo.api("POST", f"/failed/{row['id']}/export?wait=20", {}, token=demo.support)
        say(f"  {order['name']}  export by hand: {answer['message']}")
        if demo.settled(order).get("st") == b"done":
            bullet(f"mended: {demo.invoice_of(order)}")
        else:
            bullet(f"failed: {' '.join(demo.failed_row(order)['export_error'])}")


def count_books(demo):
    """What the simulator itself holds, to compare with the above."""
    if demo.real:
        return
    _, _, raw = lib.request(demo.sim_address, "GET", f"/_sim/books?tenant={demo.tenant}")
    books = json.loads(raw, parse_float=Decimal)
    total = sum(Decimal(x["Total"]) for x in books["invoices"])
    say(f"\nThe simulator's books hold {len(books['invoices'])} invoices over {total:.2f} GBP and "
        f"{len(books['payments'])} payments.")


def tell_how_to_go_on(demo):
    """Tokens for the person at the terminal, on the screen and in a file to be read by a shell."""
    host = f"http://localhost:{demo.ports[1]}"
    values = {"API": f"{host}/api/v1", "HOOKS": f"http://localhost:{demo.ports[0]}/webhooks/shopify",
              "ADMIN": demo.admin, "SUPPORT": demo.support, "SHOP": SHOP, "SECRET": demo.secret}
    path, folder = demo.folder / "env", short(demo.folder)
    path.touch(mode=0o600)
    path.write_text("".join(f"{k}={v}\n" for k, v in values.items()))
    say(f"""
Tokens of this run (also in {folder}/env, for a shell: . {folder}/env):
  administrator   {demo.admin}
  support         {demo.support}
  webhook secret  {demo.secret}
Metrics are at http://localhost:{demo.ports[2]}/metrics, the programs' logs in {folder}/.
The home page is at {host}  -  Ctrl-C stops everything.""")


# ---- start and end ----

def check_ports(ports):
    names = ("webhooks", "the API", "the operations port")
    for port, name in zip(ports, names):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as e:
                raise Problem(f"Port {port}, wanted for {name}, cannot be used: {e.strerror}. Stop what uses it, or "
                              "name three others: python3 tests/sim/demo.py --ports 8180,8181,9190") from e


def read_ports(text):
    try:
        ports = [int(x) for x in text.split(",")]
    except ValueError:
        ports = []
    if len(ports) != 3 or not all(0 <= p <= 65535 for p in ports):
        raise argparse.ArgumentTypeError("three port numbers are needed, as in 8080,8081,9090 (0 = any free one)")
    return ports


def check_ready():
    for name in ("receiver", "worker"):
        if not (lib.BUILD / f"ledgerhook-{name}").exists():
            raise Problem(f"ledgerhook-{name} is not built: `make run` builds and starts everything.")
    if not shutil.which("redis-server"):
        raise Problem("redis-server is not installed: `make run` installs it.")


def empty_folder(folder):
    """Empties FOLDER, unless a demo runs in it. Returns the lock that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / "lock", "w")  # noqa: SIM115 - held until the demo ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        raise Problem(f"A demo is running in {short(folder)} already; --folder names another place.") from e
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()
    return lock


def run(demo, once):
    demo.start_all()
    demo.set_up()
    mend(demo, tell(demo, send_all(demo)))
    count_books(demo)
    if once:
        return
    tell_how_to_go_on(demo)
    demo.stay()


def main():
    parser = argparse.ArgumentParser(description="Starts ledgerhook with a demo shop.")
    parser.add_argument("--ports", type=read_ports, default=[8080, 8081, 9090], metavar="W,A,O",
                        help="for webhooks, API and operations (8080,8081,9090); 0 = any free one")
    parser.add_argument("--once", action="store_true", help="end after telling what became of the orders")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "var" / "demo",
                        help="for data and logs, emptied at the start (var/demo)")
    options = parser.parse_args()
    demo, lock, status = None, None, 0
    try:
        check_ready()
        check_ports(options.ports)
        demo = Demo(options.ports, options.folder.resolve())
        lock = empty_folder(demo.folder)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, demo.on_signal)
        run(demo, options.once)
    except Stopped:
        say("\nStopping the worker, the receiver, the simulator and Redis.")
    except (Problem, OSError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        status = 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if demo and not demo.stop_all():
            status = 1
        if lock:
            lock.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
