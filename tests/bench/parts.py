"""What the benchmarks share: results with their targets, a 7 KB order, the load generator, the floor,
and the processor time of a process. Standard library only."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import lib  # noqa: E402

TOOLS = lib.BUILD / "tests" / "bench"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
MAPPINGS = {**lib.DEFAULT_MAPPINGS, "taxes": {"by_title": {}, "by_rate": {"0.085": "TAX011"}, "by_country": {},
                                              "default": None, "exempt": "ZERORATEDOUTPUT"}}
ORDER, CUSTOMER = 7770000000000, 8880000000000  # load.c puts each delivery's numbers in their place


class Results:
    """Rows of one run: what was measured, and whether it meets its target."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, target=None, note=""):
        """TARGET: a text like '>= 1.0'."""
        reached = None
        if target:
            sign, limit = target.split()
            reached = {">=": value >= float(limit), "<=": value <= float(limit), "<": value < float(limit),
                       "=": value == float(limit)}[sign]
        self.rows.append({"name": name, "value": value, "unit": unit, "target": target, "reached": reached,
                          "note": note})
        print("  " + self.line(self.rows[-1]), flush=True)

    @staticmethod
    def line(row):
        value = row["value"]
        shown = f"{value:,.4g}" if isinstance(value, float) and abs(value) < 100 else f"{value:,.0f}"
        verdict = {True: "reached", False: "MISSED", None: ""}[row["reached"]]
        return f"{row['name']:66} {shown:>10} {row['unit']:14} {row['target'] or '':>10} {verdict:8}{row['note']}"


def order_body(paid=True, state=0):
    """A Shopify order of 7 KB with marks for load.c; STATE 0, 1, ... are later and later."""
    body = json.loads((lib.DATA / "orders" / "07_ruby_three_lines_tax.json").read_text())
    customer = {"id": CUSTOMER, "first_name": "Ada", "last_name": f"Buyer {CUSTOMER}",
                "email": f"{CUSTOMER}@example.com"}
    body.update(id=ORDER, admin_graphql_api_id=f"gid://shopify/Order/{ORDER}", name=f"#{ORDER}", customer=customer,
                email=customer["email"], updated_at=f"2025-07-02T11:31:{state:02d}-05:00")
    if paid:
        body.update(payment_gateway_names=["manual"], total_outstanding="0.00")
    else:
        body.update(financial_status="pending")
    return json.dumps(body, separators=(",", ":")).encode()


class Load:
    """The load generator with one shop's order."""

    def __init__(self, shop, body=None, topic="orders/paid"):
        self.file = tempfile.NamedTemporaryFile(suffix=".json")
        self.file.write(body or order_body())
        self.file.flush()
        self.shop, self.topic, self.first = shop, topic, 0

    def run(self, address, count, connections=128, rate=0, idle=0, cycle=0, customers=0, first=None,
            busy=False):
        """Sends COUNT deliveries, of new orders if FIRST is None; all are answered 200 or this fails; with
        BUSY a receiver that is asked too much may answer 503."""
        if first is None:
            first, self.first = self.first, self.first + count
        argv = [str(TOOLS / "load"), str(address).rsplit(":", 1)[-1], self.file.name, lib.SECRET, self.shop,
                self.topic, first, count, connections, rate, idle, cycle, customers]
        out = subprocess.run([str(a) for a in argv], check=True, capture_output=True, env={}).stdout
        result = json.loads(out)
        if result["ok"] != count and not busy:
            raise AssertionError(f"only {result['ok']} of {count} answered 200: {result}")
        return {**result, "rate": count / result["took_us"] * 1e6}


class Floor:
    """The bare handler, with a Redis of its own."""

    def __init__(self, folder, threads=160, **redis):
        self.redis = lib.Redis(folder, **redis)
        self.child = subprocess.Popen([str(TOOLS / "floor"), str(threads), self.redis.path, lib.SECRET],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline())

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.redis.stop()


def cpu_seconds(pid):
    """Processor time that a process has used, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def redis_info(call, name):
    for line in call("INFO", "all").decode().splitlines():
        if line.startswith(name + ":"):
            return float(line.split(":")[1])
    raise AssertionError(name)


median = statistics.median
