#!/usr/bin/python3
"""Random orders, built, written to the simulator and built again, in this process.

    properties.py --build BUILD_DIR [--n 2000] [--seed 1]      orders from a seed on
    properties.py --build BUILD_DIR --seed 4711 --n 1 --tell   one, told

At random moments of its life each order is exported as the worker would do it, and after each export:
what Xero holds of every document is what the builder said; the books are those that the shop's
documents leave (truth.py); no document stands there that has no reason; nothing that is paid or
credited is left open beside something that is owed; and a second build wants nothing more. What the
builder cannot book it has to say, and seldom: such orders are counted by the row of the catalogue, and
more than TOLD of a thousand, or any with --strict, fail the run.
"""

import argparse
import collections
import json
import multiprocessing
import pathlib
import random
import subprocess
import sys
import time
import traceback
from decimal import Decimal

import shop
import truth
import xero
from model import ZERO

STORE = "properties.myshopify.com"
ROUNDS = 4  # builds until nothing is wanted any more; the first one is to be enough
FRESH = 200  # orders of an organisation
SHOWN = 5  # failures that are told in full
TOLD = 10  # orders of a thousand that may end with a problem


class Broken(Exception):
    """An invariant does not hold."""


class Told(Broken):
    """The builder says that it cannot: (row, what)."""

    def __init__(self, row, what):
        super().__init__(what)
        self.row = row


class Builder:
    """The C program: one request, one answer."""

    def __init__(self, build):
        self.child = subprocess.Popen([str(pathlib.Path(build) / "tests/properties/build_documents")],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, request):
        self.child.stdin.write(request + b"\n")

    def ask(self, request):
        self.tell(request)
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"build_documents ended with {self.child.wait()}")
        return json.loads(line, parse_float=Decimal)

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait()


def request(**members):
    """Bodies and Decimals as they are; the rest as JSON."""
    return xero.jsontext.text(members).encode()


class Export:
    """One order between the builder and the organisation."""

    def __init__(self, builder, books, life):
        self.builder, self.xero, self.life = builder, books, life
        self.parts, self.ids, self.built = {}, {}, []
        builder.tell(request(store=STORE, options=life.options.document, contact=books.contact))

    def keep(self, event):
        """What the receiver keeps of a delivery."""
        if event.part:
            self.parts[event.part] = event.body

    def build(self, looked=False):
        parts = b",".join(b'{"name":"%s","body":%s}' % (name.encode(), body)
                          for name, body in sorted(self.parts.items(), key=lambda p: p[0] != "order"))
        more = b""
        if looked:
            seen = [{"name": n, "status": self.xero.status_of(i)} for n, i in self.ids.items()]
            more = b',"looked":' + json.dumps(seen).encode()
        wanted = self.builder.ask(b'{"parts":[%s]%s}' % (parts, more))
        self.built.append(wanted)
        if "error" in wanted:
            raise Broken(f"the builder failed: {wanted['error']}")
        if wanted["problems"]:
            raise Told(wanted["problems"][0]["row"],
                       "problems: " + "; ".join(f"[{p['row']}] {p['text']}" for p in wanted["problems"]))
        if wanted["look_first"] and looked:
            raise Broken("it wants to look at Xero, and it has just looked")
        return self.build(looked=True) if wanted["look_first"] else wanted

    def run(self):
        """Makes what is missing; returns what was wanted."""
        wanted = self.build()
        rows = [d for d in wanted["documents"] if d["action"] != "keep"]
        if not rows and not wanted["payments"] and not wanted["allocations"]:
            return wanted
        answers = [{"name": row["name"], **self.write(row)} for row in rows]
        made = self.builder.ask(request(documents=answers))
        for element in made["payments"]:
            self.xero.send("PUT", "Payments", "Payments", [element])
        made = self.builder.ask(request(payments=True))
        for row in made["allocations"]:
            self.xero.send("PUT", f"CreditNotes/{row['note']}/Allocations", "Allocations", [row["element"]])
        self.builder.tell(request(allocations=True))
        return wanted

    def write(self, row):
        answer = self.xero.write_document(row)
        if row["action"] == "void":
            self.ids.pop(row["name"], None)
        else:
            self.ids[row["name"]] = answer["CreditNoteID" if row["credit"] else "InvoiceID"]
            for mine, theirs in (("total", "Total"), ("tax", "TotalTax")):
                if Decimal(row[mine]) != Decimal(answer[theirs]):
                    raise Broken(f"{row['name']}: {mine} is {answer[theirs]} in Xero, and should be {row[mine]}")
        return {k: answer[k] for k in ("InvoiceID", "CreditNoteID", "Status", "Total", "TotalTax", "LineItems")
                if k in answer}


def check_quiet(export, wanted):
    """Built again, nothing is missing."""
    again = export.run()
    rows = [d["name"] for d in again["documents"] if d["action"] != "keep"]
    if rows or again["payments"] or again["allocations"] or again["look_first"]:
        raise Broken(f"a second build wants more: documents {rows}, {again['payments']} payments, "
                     f"{again['allocations']} allocations, look first: {again['look_first']}")
    if again["wait"] and not wanted["wait"]:
        raise Broken("a second build waits for a split")


def check_documents(export, life, step):
    """Each document has a reason: refunds with money their notes, edits their further documents; so may
    the roundings of a currency with three decimals, which Xero has not."""
    seen = life.steps[:step + 1]
    happened = {s.what for s in seen}
    edited = life.order.currency == "KWD" or happened & {"edit_down", "add_line", "raise_quantity", "take_off_shipping", "cancel"}
    refunds = {e.part[7:] for s in seen for e in s.events if e.topic == "refunds/create"}
    for name in export.ids:
        if name == "invoice" or (name[0] in "AC" and edited) or (name[0] == "R" and name[1:] in refunds):
            continue
        raise Broken(f"the document {name} has no reason")


def check_books(export, life, step, waits):
    included = life.order.taxes_included
    held, open_invoices, open_notes = xero.read_books(export.xero.org, included, export.ids.values())
    expected = life.steps[step].books
    odd = truth.differences(expected, held, life.options, money=not waits)
    if odd:
        raise Broken("the books differ:\n    " + "\n    ".join(odd))
    drafts = life.options.settings.get("status") == "DRAFT"
    if not waits and not drafts and truth.left_open(expected, open_invoices, open_notes):
        raise Broken(f"{open_invoices} is owed while credit notes have {open_notes} left")


def check_life(builder, books, seed):
    """One order through its life, exported at random moments and at its end."""
    life = shop.live(seed)
    rng = random.Random(f"exports {seed}")
    lost = choose_losses(rng, life)
    export = Export(builder, books, life)
    for i, step in enumerate(life.steps):
        for event in step.events:
            if not (event.topic == "order_transactions/create" and rng.random() < lost):
                export.keep(event)
        if i + 1 < len(life.steps) and rng.random() < 0.5:
            continue
        try:
            wanted = export.run()
            check_quiet(export, wanted)
            check_documents(export, life, i)
            check_books(export, life, i, wanted["wait"])
        except (Broken, xero.Refused) as broken:
            what = f"after step {i} ({step.what}): {broken}\n{tell(life, export)}"
            raise Told(broken.row, what) if isinstance(broken, Told) else Broken(what) from None


def choose_losses(rng, life):
    """How many payments' own messages get lost: none where nothing else tells of the money."""
    return 0 if shop.lives.only_transactions_tell(life.order) else rng.choice((0, 0.4, 1))


def tell(life, export):
    lines = [life.tell(), "  documents in Xero: " + (", ".join(export.ids) or "none")]
    for name, document_id in export.ids.items():
        org = export.xero.org
        document = org.invoices.get(document_id) or org.credit_notes[document_id]
        rows = "; ".join(f"{x['AccountCode']} {x['TaxType']} {x['LineAmount']}+{x['TaxAmount']}"
                         for x in document["lines"])
        lines.append(f"    {name}: {document['Status']}, total {document['Total']}: {rows}")
    lines.append(f"  run it alone: make properties SEED={life.seed} N=1")
    return "\n".join(lines)


def run_range(job):
    """The failures of some seeds, as (seed, row of a problem or None, what)."""
    build, seeds = job
    builder, books, failures = Builder(build), xero.Xero(), []
    for i, seed in enumerate(seeds):
        if i % FRESH == FRESH - 1:
            books = xero.Xero()
        try:
            check_life(builder, books, seed)
        except Broken as broken:
            failures.append((seed, getattr(broken, "row", None), str(broken)))
        except Exception:  # pylint: disable=broad-except
            failures.append((seed, None, traceback.format_exc()))
            builder.child.kill()
            builder, books = Builder(build), xero.Xero()
    builder.close()
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=SHOWN, help="how many failures are told in full")
    parser.add_argument("--strict", action="store_true", help="a problem is a failure, too")
    parser.add_argument("--tell", action="store_true", help="tell the orders' lives")
    a = parser.parse_args()
    began = time.monotonic()
    seeds = range(a.seed, a.seed + a.n)
    if a.tell:
        for seed in seeds:
            print(shop.live(seed).tell())
    jobs = [(a.build, seeds[i:i + 500]) for i in range(0, a.n, 500)] or []
    if a.n <= 50:
        results = map(run_range, jobs)
    else:
        results = multiprocessing.Pool(a.jobs).imap(run_range, jobs)
    failures = [f for result in results for f in result]
    told = collections.Counter(row for _, row, _ in failures if row)
    if not a.strict and sum(told.values()) * 1000 <= TOLD * max(a.n, 100):
        failures = [f for f in failures if not f[1]]
    for seed, _, what in failures[:a.show]:
        print(f"---- seed {seed}: {what}")
    if len(failures) > a.show:
        print("---- more seeds that fail:", *[f[0] for f in failures[a.show:200]])
    rows = ", ".join(f"{n} {row}" for row, n in told.most_common()) or "none"
    print(f"properties: {a.n} orders, {len(failures)} failed, not booked and said so: {rows}; "
          f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
