"""What tests, the demo and the chaos run share: private servers on loopback, real programs, signed
webhooks, and waiting for a condition with a deadline. Standard library only.

Every process is started here, in a temporary directory, on ports the kernel chose, and ended by its
own id. A program's stderr is kept in a file and searched for sanitizer reports when it has ended.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from decimal import Decimal

import xero_spec

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build" / "release"))
DATA = ROOT / "tests" / "data"
PREFIX = "lh:{0}:"
ADMIN = "test-admin-token-0123456789abcdefghij"
SUPPORT = "test-support-token-0123456789abcdefgh"
HOOK_KEY = base64.b64encode(b"hook-key-of-the-tests-32-bytes!!").decode()
MASTER_KEY = base64.b64encode(b"master-key-of-the-tests-32-byte!").decode()
SECRET = "sample-secret-A"
DEADLINE = 30.0  # no test depends on speed; this only ends one that would wait for ever


def wait_until(condition, what, deadline=DEADLINE):
    """Polls until CONDITION() is true and returns its value; fails with WHAT after the deadline."""
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class RedisError(Exception):
    """An error reply."""


class Resp:
    """A small Redis client: one connection, bytes in, bytes out."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def __call__(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def hash(self, key):
        flat = self("HGETALL", key)
        return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}

    def close(self):
        self.file.close()
        self.sock.close()


class Process:
    """A child process with its output in a file."""

    def __init__(self, argv, folder, name, env=None):
        self.log_path = pathlib.Path(folder) / f"{name}-{uuid.uuid4().hex[:6]}.log"
        self.name = name
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env,
                                          cwd=folder, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def events(self, event=None):
        """The JSON lines of the log, those of EVENT only if it is named."""
        lines = []
        for line in self.log().split("\n"):  # a JSON line may hold other line ends
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and (event is None or row.get("event") == event):
                lines.append(row)
        return lines

    def wait_event(self, event, count=1):
        def seen():
            if self.child.poll() is not None and len(self.events(event)) < count:
                raise AssertionError(f"{self.name} ended with {self.child.returncode}:\n{self.log()[-3000:]}")
            rows = self.events(event)
            return rows if len(rows) >= count else None
        return wait_until(seen, f"{self.name} logs {event}")[-1]

    def wait_started(self):
        """The event with which a program says that it has started; one that does not is ended."""
        try:
            return self.wait_event("started")
        except AssertionError:
            self.kill()
            raise

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, deadline=DEADLINE):
        return self.child.wait(deadline)

    def stop(self):
        """SIGTERM, and the exit status; SIGKILL when the deadline has passed."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            try:
                self.child.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.log()[-3000:]}")
        return self.child.returncode

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def check_clean(self):
        """No sanitizer had anything to say, and no secret went into the log."""
        text = self.log()
        for sign in ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer",
                     "WARNING: ThreadSanitizer"):
            if sign in text:
                raise AssertionError(f"{self.name}: {sign}\n{text[text.index(sign):][:4000]}")
        for secret in (SECRET, ADMIN, SUPPORT, HOOK_KEY, MASTER_KEY, "demo-secret"):
            if secret in text:
                raise AssertionError(f"{self.name} wrote a secret into its log: {secret}")


# The users of the configuration that is shipped: every test runs with no more rights than they have.
ACL_USERS = re.findall(r"^user (receiver|worker) (.*)$", (ROOT / "deploy/redis.conf").read_text(), re.M)
DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}


class Redis:
    """A private redis-server on a unix socket; start() again after stop() finds its data."""

    def __init__(self, folder, env=None, **config):
        self.env = env
        self.folder = tempfile.mkdtemp(dir=folder, prefix="redis-")
        self.path = os.path.join(self.folder, "s")
        self.url = f"unix://{self.path}"
        self.config = {**DURABLE, **{k.replace("_", "-"): v for k, v in config.items()}}
        self.process = None
        self.start()

    def start(self):
        argv = ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder]
        for key, value in self.config.items():
            argv += [f"--{key}", value]
        for user, rules in ACL_USERS:
            argv += ["--user", user, "on", f">{user}-password", *rules.split()]
        self.process = Process(argv, self.folder, "redis", self.env)
        wait_until(self.answers, "redis-server answers")
        self.call = Resp(self.path)

    def url_for(self, user):
        """The address with which a program logs in as the restricted user that is shipped for it."""
        return f"unix://{user}:{user}-password@{self.path}"

    def answers(self):
        try:
            client = Resp(self.path)
            client("PING")
            client.close()
            return True
        except (OSError, RedisError):
            return False

    def stop(self):
        self.call.close()
        self.process.stop()

    def kill(self):
        self.call.close()
        self.process.kill()


def forget_wrong_tokens(stack):
    """Lets this machine send wrong tokens again."""
    stack.redis.call("DEL", f"{PREFIX}throttle:127.0.0.1")


def request(address, method, path, body=None, headers=None, timeout=DEADLINE):
    """One HTTP request on a connection of its own: (status, headers, bytes)."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Simulator:
    """tests/sim: plays Xero. It writes every request down where Xero's description is at hand, and
    check_requests() reads them against it; RECORD=False: a run too long for that."""

    def __init__(self, folder, record=True):
        self.record = pathlib.Path(folder) / f"sim-requests-{uuid.uuid4().hex[:6]}"
        self.checked = 0 if record and not xero_spec.missing() else None
        env = {**os.environ, **({"LH_SIM_RECORD": str(self.record)} if self.checked == 0 else {})}
        self.process = Process([sys.executable, str(ROOT / "tests/sim/main.py"), "--listen", "127.0.0.1:0"],
                               folder, "sim", env)
        line = wait_until(lambda: [x for x in self.process.log().splitlines() if "http://" in x],
                          "the simulator listens")[0]
        self.url = line.split()[-1]
        self.address = self.url.removeprefix("http://")

    def control(self, method, path, body=None):
        status, _, data = request(self.address, method, "/_sim/" + path,
                                  None if body is None else json.dumps(body).encode(),
                                  {"Content-Type": "application/json"})
        assert status in (200, 201, 204), (status, data)
        return json.loads(data, parse_float=Decimal) if data else None

    def books(self, tenant):
        return self.control("GET", f"books?tenant={tenant}")

    def calls(self, tenant=None):
        rows = self.control("GET", "calls")
        rows = rows["calls"] if isinstance(rows, dict) else rows
        return [r for r in rows if tenant is None or r.get("tenant") == tenant]

    def add_client(self, client_id, secret, tenant, name):
        self.control("POST", "clients", {"client_id": client_id, "client_secret": secret,
                                         "kind": "client_credentials",
                                         "tenants": [{"tenant_id": tenant, "name": name}]})

    def held(self):
        """How many calls a `hold` fault holds."""
        return self.control("GET", "held")["held"]

    def fault(self, **row):
        self.control("POST", "faults", row)

    def check_requests(self):
        """Fails when a request since the last time breaks Xero's description."""
        if self.checked is not None:
            self.checked = xero_spec.check_record(self.record, self.checked)

    def stop(self):
        self.process.stop()
        self.check_requests()


def program_env(redis_url, sim_url, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("LH_")}
    env.update({
        "LH_REDIS_URL": redis_url, "LH_HOOK_KEY": HOOK_KEY, "LH_MASTER_KEY": MASTER_KEY,
        "LH_ADMIN_TOKEN": f"ada:{ADMIN}", "LH_SUPPORT_TOKEN": f"sam:{SUPPORT}",
        "LH_LISTEN": "127.0.0.1:0", "LH_API_LISTEN": "127.0.0.1:0", "LH_OPS_LISTEN": "127.0.0.1:0",
        "LH_AMAZON_API_URL": sim_url, "LH_AMAZON_LWA_URL": sim_url, "LH_SHOPIFY_API_URL": sim_url,
        "LH_AMAZON_CLIENT_ID": "amzn1.application-oa2-client.demo",
        "LH_AMAZON_CLIENT_SECRET": "amzn1.oa2-cs.v1.demo",
        "LH_XERO_API_URL": sim_url, "LH_XERO_IDENTITY_URL": sim_url, "LH_XERO_LOGIN_URL": sim_url,
        "LH_THREADS": "48", "LH_ACTIVE": "24", "LH_WORKERS": "3", "LH_DRAIN": "5", "LH_LOG_LEVEL": "debug"})
    env.update({k: str(v) for k, v in more.items()})
    return env


class Receiver(Process):
    """ledgerhook-receiver with its three addresses."""

    def __init__(self, folder, env):
        super().__init__([str(BUILD / "ledgerhook-receiver")], folder, "receiver", env)
        started = self.wait_started()
        self.hooks = f"127.0.0.1:{started['webhooks_port']}"
        self.api_address = f"127.0.0.1:{started['api_port']}"
        self.ops = f"127.0.0.1:{started['ops_port']}"

    def api(self, method, path, body=None, token=ADMIN, headers=None):
        """A REST call: (status, parsed JSON or None)."""
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, raw = request(self.api_address, method, "/api/v1" + path, data, all_headers)
        return status, json.loads(raw) if raw else None

    def webhook(self, body, headers):
        """Sends raw bytes with raw headers: (status, parsed JSON or text)."""
        status, _, raw = request(self.hooks, "POST", "/webhooks/shopify", body, headers)
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw.decode(errors="replace")

    def send(self, shop, topic, payload, secret=SECRET, **headers):
        """A signed Shopify delivery of PAYLOAD (a dict, or bytes)."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.webhook(body, signed_headers(shop, topic, body, secret, **headers))


def signed_headers(shop, topic, body, secret=SECRET, webhook_id=None, triggered_at=None):
    mark = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"Content-Type": "application/json", "X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": shop,
            "X-Shopify-Hmac-Sha256": mark, "X-Shopify-Webhook-Id": webhook_id or str(uuid.uuid4()),
            "X-Shopify-Triggered-At": triggered_at or "2026-11-01T10:00:00.000000000Z"}


class Worker(Process):
    """ledgerhook-worker."""

    def __init__(self, folder, env):
        super().__init__([str(BUILD / "ledgerhook-worker")], folder, "worker", env)
        self.ops = f"127.0.0.1:{self.wait_started()['ops_port']}"


DEFAULT_MAPPINGS = {
    "accounts": {"default": "200", "shipping": "201", "discounts": "202", "tips": "203", "duties": "204",
                 "gift_cards": "835", "fees": "270", "rounding": "860"},
    "taxes": {"by_title": {}, "by_rate": {"0.2": "OUTPUT2"}, "by_country": {}, "default": None,
              "exempt": "ZERORATEDOUTPUT"},
    "payments": {"default": "091", "gateways": {}, "off": []}}


class Shop:
    """One store on one connection of its own, with a tenant of its own in the simulator."""

    def __init__(self, stack, settings=None, mappings=None, name=None, secrets=None, mark=None):
        mark = mark or uuid.uuid4().hex[:10]
        self.stack = stack
        self.domain = name or f"shop-{mark}.myshopify.com"
        self.connection = f"conn-{mark}"
        self.tenant = str(uuid.uuid5(uuid.NAMESPACE_URL, mark))
        self.client = (f"id-{mark}", f"secret-{mark}", self.tenant, f"Company {mark}")
        self.add_client()
        status, answer = stack.receiver.api("PUT", f"/connections/{self.connection}", {
            "tenant": self.tenant, "grant": "client_credentials", "client_id": f"id-{mark}",
            "client_secret": f"secret-{mark}"})
        assert status in (200, 201), answer
        self.document = {"connection": self.connection,
                         "settings": {"start_date": None, "prefix": "", **(settings or {})},
                         "mappings": mappings or DEFAULT_MAPPINGS, "secrets": secrets or {"webhook": SECRET}}
        status, answer = self.put()
        assert status in (200, 201), answer

    def add_client(self):
        """The app with which the connection calls Xero, again after it was taken back there."""
        self.stack.sim.add_client(*self.client)

    def put(self, **changes):
        return self.stack.receiver.api("PUT", f"/stores/shopify/{self.domain}", {**self.document, **changes})

    def patch(self, body):
        return self.stack.receiver.api("PATCH", f"/stores/shopify/{self.domain}", body)

    def send(self, topic, payload, **more):
        return self.stack.receiver.send(self.domain, topic, payload, **more)

    def key(self, order_id):
        return f"shopify/{self.domain}/{order_id}"

    def record(self, order_id):
        """The order's record in Redis, texts."""
        return {k: v.decode(errors="replace")
                for k, v in self.stack.redis.call.hash(PREFIX + "order:" + self.key(order_id)).items()}

    def wait_state(self, order_id, *states):
        def reached():
            record = self.record(order_id)
            return record if record.get("st") in states else None
        try:
            return wait_until(reached, f"order {order_id} becomes {states}")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {self.record(order_id)}\n{self.stack.logs()}")

    def wait_done(self, order_id):
        return self.wait_state(order_id, "done")

    def idle(self):
        """Waits until nothing of this connection waits or is leased."""
        call = self.stack.redis.call
        wait_until(lambda: call("ZCARD", f"{PREFIX}ready:{self.connection}") == 0
                   and call("ZCARD", f"{PREFIX}leases:{self.connection}") == 0, "the connection is idle")

    def failed(self, query=""):
        status, page = self.stack.receiver.api("GET", f"/failed?connection={self.connection}{query}", token=SUPPORT)
        assert status == 200, page
        return page["rows"]

    def books(self):
        return self.stack.sim.books(self.tenant)

    def invoices(self):
        return self.books()["invoices"]

    def calls(self):
        return self.stack.sim.calls(self.tenant)


class Stack:
    """Redis, the simulator, a receiver and a worker."""

    def __init__(self, worker=True, redis=None, record=True, **env):
        self.folder = tempfile.mkdtemp(prefix="ledgerhook-test-")
        self.processes = []
        self.redis = Redis(self.folder, **(redis or {}))
        self.sim = Simulator(self.folder, record)
        self.env = program_env(self.redis.url, self.sim.url, **env)  # as the all-powerful default user
        self.receiver = self.start_receiver()
        self.worker = self.start_worker() if worker else None

    def start_receiver(self, **env):
        return self.start_program(Receiver, "receiver", env)

    def start_worker(self, **env):
        return self.start_program(Worker, "worker", env)

    def start_program(self, program, user, env):
        full = {**self.env, "LH_REDIS_URL": self.redis.url_for(user), **{k: str(v) for k, v in env.items()}}
        self.processes.append(program(self.folder, full))
        return self.processes[-1]

    def logs(self):
        return "\n".join(f"--- {p.name} ---\n{p.log()[-4000:]}" for p in self.processes)

    def close(self):
        """Stops everything, then looks for what must not be in the logs."""
        codes = [(p, p.stop()) for p in reversed(self.processes)]
        self.sim.process.stop()
        if self.redis.process.child.poll() is None:
            self.redis.stop()
        for process, _ in codes:
            process.check_clean()
        self.sim.check_requests()
        shutil.rmtree(self.folder, ignore_errors=True)
        return codes


class Minutes(threading.Thread):
    """Forgets the calls of the last minute of CONNECTIONS() until it is ended, for tests in which our own limit
    is not what is looked at."""

    def __init__(self, redis, connections):
        super().__init__(daemon=True)
        self.call, self.connections, self.ended = Resp(redis.path), connections, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.2):
            for connection in self.connections():
                self.call("DEL", f"{PREFIX}minute:{connection}")

    def end(self):
        self.ended.set()
        self.join()
        self.call.close()


def load_sample(name):
    """Body bytes and headers of a Shopify sample that the tests carry."""
    folder = DATA / "orders"
    body = (folder / f"{name}.json").read_bytes()
    headers = json.loads((folder / f"{name}.headers.json").read_text())
    return body, headers.get("headers", headers)
