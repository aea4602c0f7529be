"""`make run`'s demo as its user sees it: what it prints, that it stays up, and that nothing is left."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

import lib
import readme

DEMO = str(lib.ROOT / "tests/sim/demo.py")
TABLE = """
  #1001  paid: two mugs, tea, shipping, 20 % VAT
         -> invoice DEMO-1001, total 54.00 GBP, paid
  #1002  not paid; this shop exports paid orders only
         -> skipped: The order is not paid yet, and this store exports paid orders only.
  #1003  cancelled by the customer before it was paid
         -> skipped: The order was cancelled before it reached Xero.
  #1004  paid, but a test order
         -> skipped: It is a test order.
  #1005  first unpaid, then paid: a discounted teapot
         -> invoice DEMO-1005, total 34.80 GBP, paid
  #1006  paid, but one line has 5 % VAT, which nobody mapped
         -> failed: [TaxCode VAT] is not mapped to an accounting tax: map the title "VAT"
            (mappings.taxes.by_title) or the rate 0.05 (mappings.taxes.by_rate).
            what to do: Map the tax to a sales tax rate.
"""


@contextlib.contextmanager
def running(folder, *options):
    """A demo with its output in pipes; what a test leaves running of it is stopped as its user would."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LH_")}
    with tempfile.TemporaryDirectory(prefix="lh-") as sockets:
        demo = subprocess.Popen([sys.executable, DEMO, "--folder", str(folder), *options], text=True,
                                env={**env, "TMPDIR": sockets}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            yield demo
        finally:
            demo.terminate()
            demo.communicate(timeout=lib.DEADLINE)


def descendants(pid):
    """Every process below PID, however deep."""
    found, look = set(), [pid]
    while look:
        of = look.pop()
        for task in os.listdir(f"/proc/{of}/task"):
            with open(f"/proc/{of}/task/{task}/children") as f:
                children = {int(x) for x in f.read().split()}
            look += children - found
            found |= children
    return found


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def read_until(stream, text):
    """What STREAM says up to the line with TEXT. The run's own deadlines end it, so this one cannot hang."""
    said = ""
    for line in stream:
        said += line
        if text in line:
            return said
    raise AssertionError(f"the demo ended without \"{text}\":\n{said}")


def living_below(folder):
    """Processes whose working directory is below FOLDER: all that a demo starts has its own there."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(folder)):
                found.append(int(pid))
        except OSError:
            pass
    return found


def check_logs(folder):
    for log in folder.glob("*.log"):
        text = log.read_text(errors="replace")
        for sign in ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer"):
            assert sign not in text, text[-4000:]


def test_it_tells_what_became_of_each_order_stays_up_and_leaves_nothing(tmp_path):
    with running(tmp_path / "demo", "--ports", "0,0,0") as demo:
        said = read_until(demo.stdout, "Ctrl-C stops everything")
        assert TABLE in said, said
        assert "export by hand: 1 exported, 0 failed" in said, said
        assert "-> mended: invoice DEMO-1006, total 72.00 GBP, paid" in said, said
        assert "books hold 3 invoices over 160.80 GBP and 3 payments" in said, said

        home = re.search(r"home page is at http://localhost:(\d+)", said)[1]
        status, _, page = lib.request(f"127.0.0.1:{home}", "GET", "/")
        assert status == 200 and b"<h1>ledgerhook</h1>" in page
        support = re.search(r"support +(\w{48})\n", said)[1]
        status, _, failed = lib.request(f"127.0.0.1:{home}", "GET", "/api/v1/failed",
                                        headers={"Authorization": f"Bearer {support}"})
        assert status == 200 and b'"count":0' in failed
        assert oct((tmp_path / "demo/env").stat().st_mode)[-3:] == "600"

        children = descendants(demo.pid)
        assert len(children) >= 4  # Redis, the simulator, the receiver, the worker
        demo.send_signal(signal.SIGINT)
        assert demo.wait(lib.DEADLINE) == 0, demo.stderr.read()
        assert [pid for pid in children if alive(pid)] == []
        assert demo.stderr.read() == ""
        check_logs(tmp_path / "demo")


def timeless(value):
    """VALUE without its times, which are of the run."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items()}
    if isinstance(value, list):
        return [timeless(v) for v in value]
    return "a time" if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", value) else value


def test_the_tour_goes_as_the_readme_tells(tmp_path):
    tour = readme.commands("## A tour in five minutes", "## What is exported today")
    assert len(tour) == 5
    with running(tmp_path / "demo", "--ports", "0,0,0") as demo:
        read_until(demo.stdout, "Ctrl-C stops everything")
        shell = readme.Shell(tmp_path, **os.environ)
        for text, shown in tour:
            *first, last = text.replace("var/demo/env", str(tmp_path / "demo/env")).rstrip().split("\n")
            if "a moment later" not in last:
                first, last = [*first, last], ":"
            told = readme.documents(shell.type("\n".join(first) or ":"))
            wanted = timeless(readme.documents("".join(shown)))
            lib.wait_until(lambda: timeless(told + readme.documents(shell.type(last))) == wanted, f"{wanted} after\n{text}",
                           deadline=lib.DEADLINE if last != ":" else 0)
        shell.close()


def test_sigterm_while_it_starts_leaves_nothing(tmp_path):
    with running(tmp_path / "demo", "--ports", "0,0,0") as demo:
        read_until(demo.stdout, "Starting Redis")
        lib.wait_until(lambda: len(descendants(demo.pid)) >= 2, "two programs have been started")
        demo.terminate()
        assert demo.wait(lib.DEADLINE) == 0, demo.stderr.read()
        assert living_below(tmp_path) == []


def test_even_killed_it_leaves_nothing(tmp_path):
    with running(tmp_path / "demo", "--ports", "0,0,0") as demo:
        read_until(demo.stdout, "What became of each order")
        assert len(living_below(tmp_path)) == 4
        demo.kill()
        demo.wait(lib.DEADLINE)
        lib.wait_until(lambda: living_below(tmp_path) == [], "the programs of a killed demo end")


def test_a_port_in_use_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(tmp_path / "demo", "--ports", f"0,{port},0") as demo:
            said, complaint = demo.communicate(timeout=lib.DEADLINE)
    assert demo.returncode == 1
    assert said == ""
    assert complaint.count("\n") == 1
    assert f"Port {port}, wanted for the API, cannot be used: Address already in use" in complaint


def test_one_demo_a_folder(tmp_path):
    with running(tmp_path, "--ports", "0,0,0") as first:
        read_until(first.stdout, "Starting Redis")
        with running(tmp_path, "--ports", "0,0,0") as second:
            _, complaint = second.communicate(timeout=lib.DEADLINE)
        assert second.returncode == 1
        assert "A demo is running in" in complaint
    assert first.returncode == 0
