"""The processes of a run: a Redis, a simulator of Xero, receivers and workers that are started again
whenever they end, as an orchestrator would, and the blows that hit them.
"""

import collections
import heapq
import http.client
import itertools
import json
import signal
import tempfile
import threading
import time

import lib

AWAY = 3  # a program's exit code when Redis was away for too long at its start


class Slot(threading.Thread):
    """A place for one receiver or worker. Whatever ends in it is followed by the next."""

    def __init__(self, world, program, user):
        super().__init__(daemon=True)
        self.world, self.program, self.user = world, program, user
        self.process = None
        self.pause = 0.0
        self.asked = None  # what was done to the process that is there now
        self.closing = False
        self.past = []
        self.start()

    def run(self):
        while not self.closing:
            try:
                process = self.program(self.world.folder, self.world.env_for(self.user))
            except AssertionError as late:
                if f"ended with {AWAY}:" in str(late):
                    self.world.count[f"{self.user}: gave up waiting for Redis at its start"] += 1
                else:
                    self.world.problem(f"a {self.user} did not start: {late}")
                time.sleep(0.2)
                continue
            self.past.append(process)
            self.asked, self.process = None, process
            process.child.wait()
            self.process = None
            if process.child.returncode != {"kill": -signal.SIGKILL, "roll": 0}.get(self.asked):
                self.world.problem(f"a {self.user} ended with {process.child.returncode} after "
                                   f"{self.asked or 'nothing'}:\n{process.log()[-3000:]}")
            if not self.closing:
                time.sleep(self.pause)

    def hit(self, what, pause=0.0):
        """'kill' or 'roll' the process that is there; False if none is."""
        process = self.process
        if process is None or self.asked:
            return False
        self.asked, self.pause = what, pause
        process.signal(signal.SIGKILL if what == "kill" else signal.SIGTERM)
        return True

    def close(self):
        """Lets it go on if it stands still, ends it by SIGTERM, and waits for its end."""
        self.closing = True
        lib.wait_until(lambda: self.process or not self.is_alive(), f"the {self.user} is there")
        process = self.process
        if process:
            process.signal(signal.SIGCONT)
            self.hit("roll")
        self.join(60)
        if self.is_alive():
            self.world.problem(f"a {self.user} did not end on SIGTERM:\n{process.log()[-3000:]}")
            process.kill()


class World:
    """Has what lib.Shop asks of a stack: receiver, redis, sim, logs."""

    def __init__(self, plan, workers, receivers):
        self.plan = plan
        self.folder = tempfile.mkdtemp(prefix="ledgerhook-chaos-")
        self.count = collections.Counter()
        self.problems = []
        self.slots = []
        self.redis = lib.Redis(self.folder)
        self.sim = lib.Simulator(self.folder)
        self.env = lib.program_env(self.redis.url, self.sim.url, LH_LEASE=plan.lease, LH_WORKERS=6, LH_DRAIN=20,
                                   LH_LOG_LEVEL="info", LH_ACTIVE=16)
        self.receivers = [self.slot(lib.Receiver, "receiver") for _ in range(receivers)]
        self.workers = [self.slot(lib.Worker, "worker") for _ in range(workers)]
        for slot in self.slots:
            lib.wait_until(lambda s=slot: s.process, f"the {slot.user} has started")
        self.shops = [lib.Shop(self, mark=shop.mark, settings={
            "auto_sync": "include_unpaid" if shop.include_unpaid else "exclude_unpaid"}) for shop in plan.shops]

    def slot(self, program, user):
        self.slots.append(Slot(self, program, user))
        return self.slots[-1]

    def env_for(self, user):
        return {**self.env, "LH_REDIS_URL": self.redis.url_for(user)}

    @property
    def receiver(self):
        """Any receiver that is there."""
        return lib.wait_until(lambda: next((s.process for s in self.receivers if s.process), None),
                              "a receiver is there")

    def address(self, n):
        """Where receiver N takes webhooks; None while it is away."""
        process = self.receivers[n % len(self.receivers)].process
        return process and process.hooks

    def logs(self):
        return ""

    def problem(self, text):
        self.problems.append(text)

    def api(self, path, body, tries=1):
        """A REST call while the world burns: true once it was answered 200."""
        for n in range(tries):
            process = self.receivers[n % len(self.receivers)].process
            try:
                if process and lib.request(process.api_address, "POST", "/api/v1" + path, json.dumps(body).encode(), {
                        "Content-Type": "application/json", "Authorization": f"Bearer {lib.ADMIN}"}, 5.0)[0] == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        return False

    def ask(self, path, body, tries=1):
        """The same, waited for by nobody: the next blow comes at its time."""
        threading.Thread(target=self.api, args=(path, body, tries), daemon=True).start()

    # -- the blows --

    def strike(self, blow):
        """Does it; returns what has to be done later as [(seconds, function)]."""
        kind, args = blow.kind, blow.args
        if kind == "fault":
            self.fault(args)
            return []
        if kind == "export":
            self.count["exports of failed rows by hand"] += 1
            self.ask("/failed/export", {"all": True, "filter": {"connection": self.shops[args["shop"]].connection}})
            return []
        if kind in ("pause", "resume"):
            path = f"/connections/{self.shops[args['shop']].connection}/"
            self.count[f"connections {kind}d"] += 1
            self.ask(path + kind, {})
            return [(args["for"], lambda: self.ask(path + "resume", {}, 50))] if kind == "pause" else []
        if kind == "drop":
            self.count[f"connections dropped by {args['by']}"] += 1
            return [(args["for"], self.drop(self.shops[args["shop"]], args["by"] == "Xero"))]
        what, target = kind.split()
        if target == "redis":
            self.count[f"redis: {'kill -9' if what == 'kill' else 'SIGSTOP'}"] += 1
            return self.kill_redis(args["for"]) if what == "kill" else self.stop(self.redis.process, args["for"])
        slot = {"worker": self.workers, "receiver": self.receivers}[target][args["n"]]
        process = slot.process
        if process is None:
            return []
        name = {"kill": "kill -9", "stop": "SIGSTOP", "roll": "SIGTERM"}[what]
        if what == "stop":
            self.count[f"{target}: {name}"] += 1
            return self.stop(process, args["for"])
        if slot.hit(what, args["for"]):
            self.count[f"{target}: {name}"] += 1
        return []

    def stop(self, process, seconds):
        process.signal(signal.SIGSTOP)
        return [(seconds, lambda: process.signal(signal.SIGCONT))]

    def drop(self, shop, in_xero):
        """Disconnects it, by hand or by a person in Xero; returns what connects it again."""
        if in_xero:
            self.sim.control("POST", "act", {"do": "revoke", "tenant": shop.tenant})
        else:
            self.ask(f"/connections/{shop.connection}/disconnect", {})

        def again():
            if in_xero:
                shop.add_client()
            self.ask(f"/connections/{shop.connection}/resume", {}, 50)
        return again

    def kill_redis(self, seconds):
        self.redis.kill()
        time.sleep(seconds)
        self.redis.start()
        return []

    def fault(self, args):
        args = dict(args)
        name, on = args.pop("name"), args.pop("on", "all")
        if "expire" in args:
            self.count["fault: tokens expired early"] += 1
            self.sim.control("POST", "act", {"do": "expire_tokens", "tenant": self.shops[args["expire"]].tenant})
            return
        if "shop" in args:
            args["tenant"] = self.shops[args.pop("shop")].tenant
        self.count[f"fault: {name} on {on}"] += 1
        self.sim.fault(**args)

    def play(self, begun, tell, every):
        """Strikes every blow at its time after BEGUN (time.monotonic), and calls TELL every so often."""
        order = itertools.count()
        todo = [(begun + blow.at, next(order), lambda b=blow: self.strike(b)) for blow in self.plan.blows]
        heapq.heapify(todo)
        told = begun
        while todo:
            at, _, action = heapq.heappop(todo)
            while at > time.monotonic():
                time.sleep(max(0.0, min(at, told + every) - time.monotonic()))
                if time.monotonic() >= told + every:
                    told = time.monotonic()
                    threading.Thread(target=tell, daemon=True).start()
            for seconds, then in action() or []:
                heapq.heappush(todo, (time.monotonic() + seconds, next(order), lambda t=then: t() and None))

    def calm(self):
        """Nothing goes wrong any more."""
        self.sim.control("DELETE", "faults")
        self.redis.process.signal(signal.SIGCONT)
        for slot in self.slots:
            if slot.process:
                slot.process.signal(signal.SIGCONT)

    def resume(self, shop):
        """As a person who mends: what held the connection back is forgotten."""
        self.api(f"/connections/{shop.connection}/pause", {})  # refused where it is disconnected
        if not self.api(f"/connections/{shop.connection}/resume", {}, 100):
            raise AssertionError(f"{shop.connection} cannot be resumed")

    def close(self):
        """Ends everything by SIGTERM; the logs are searched for what must not be there."""
        closers = [threading.Thread(target=slot.close) for slot in self.slots]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        for slot in self.slots:
            for process in slot.past:
                try:
                    process.check_clean()
                except AssertionError as dirty:
                    self.problem(str(dirty))
        self.sim.stop()
        self.redis.stop()
