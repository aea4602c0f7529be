"""Redis, simulator and programs, in real time or several times faster (faster.c), so that limits of minutes
and of a day are met in the time there is. The receiver and whoever measures keep real time."""

import contextlib
import os
import time

from parts import TOOLS, lib

REAL_TIME = {"LD_PRELOAD": "", "FASTER": ""}


@contextlib.contextmanager
def faster(times):
    """What is started meanwhile lives TIMES faster."""
    os.environ.update(LD_PRELOAD=str(TOOLS / "faster.so"), FASTER=times)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["FASTER"]


def from_now(times):
    """The clocks' words for faster.c: they go TIMES faster from this moment."""
    return f"{times} {time.time_ns()} {time.monotonic_ns()}"


def new_stack(clock=None, **env):
    """Redis, simulator and receiver; workers are started by the measurement."""
    options = {"LH_LOG_LEVEL": "info", "LH_THREADS": 256, "LH_ACTIVE": 128, "LH_WORKERS": 16, **env, **REAL_TIME}
    redis = {"auto_aof_rewrite_percentage": "0"}
    if not clock:
        return lib.Stack(worker=False, redis=redis, record=False, **options)
    with faster(clock):
        return lib.Stack(worker=False, redis=redis, record=False, **options)


def start_workers(stack, count, clock=None, **env):
    with faster(clock) if clock else contextlib.nullcontext():
        fake = {k: os.environ[k] for k in REAL_TIME if k in os.environ}
        return [stack.start_worker(**{**env, **fake}) for _ in range(count)]


def stop_workers(stack, workers):
    for worker in workers:
        worker.stop()
        stack.processes.remove(worker)
