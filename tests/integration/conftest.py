"""Fixtures: one stack of real programs a test process, and a fresh shop on it for each test."""

import pytest

import lib


@pytest.fixture(scope="session")
def shared_stack():
    stack = lib.Stack()
    yield stack
    stack.close()


@pytest.fixture
def stack(shared_stack):
    """The shared stack; a test that kills or stops a part of it uses `own_stack`."""
    yield shared_stack
    shared_stack.sim.check_requests()


@pytest.fixture
def own_stack():
    """Makes stacks for one test alone: own_stack(worker=False, LH_LEASE=5)."""
    made = []

    def make(**options):
        made.append(lib.Stack(**options))
        return made[-1]

    yield make
    for stack in made:
        stack.close()


@pytest.fixture(scope="module")
def still():
    """A stack that reconciles nothing by itself."""
    stack = lib.Stack(LH_RECONCILE=0)
    yield stack
    stack.close()


@pytest.fixture
def shop(stack):
    """Makes shops: shop(settings={...}) is a store on a connection and a tenant of its own."""
    return lambda **options: lib.Shop(stack, **options)


@pytest.fixture
def redis(tmp_path):
    """A Redis for scripts alone: what it keeps on disk does not matter here."""
    server = lib.Redis(tmp_path, appendonly="no")
    yield server
    if server.process.child.poll() is None:
        server.stop()
