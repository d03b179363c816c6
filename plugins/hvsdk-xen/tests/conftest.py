"""A pool for the tests: the simulator in a process of its own, which tests of a session share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk
import hvsdk_simulators
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from xen_making import nothing_new
from xen_support import Raw, connect, load_reference, opened

from hvsdk_xen._driver import XenDriver

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_pool() -> Iterator[Running]:
    """Three hosts and thirty domains. Use `pool`, which takes back faults."""
    with hvsdk_simulators.start("xapi", domains=30, hosts=3) as running:
        yield running


@pytest.fixture
def pool(shared_pool: Running) -> Iterator[Running]:
    """The pool that tests share; whoever kills hosts or moves the master makes one with `make_pool`."""
    yield shared_pool
    shared_pool.clear_faults()


@pytest.fixture
def make_pool() -> Iterator[Callable[..., Running]]:
    """Starts pools for one test: `make_pool(hosts=3, api="2.0")`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Running:
            return stack.enter_context(hvsdk_simulators.start("xapi", **{"domains": 4, "hosts": 1} | options))

        yield make


@pytest.fixture
def raw(pool: Running) -> Iterator[Raw]:
    """Another client of the pool."""
    with Raw(pool) as client:
        yield client


@pytest.fixture
def host(pool: Running) -> Iterator[hvsdk.Host]:
    """A host on the shared pool."""
    with connect(pool) as host:
        yield host


@pytest.fixture
def driver(pool: Running) -> Iterator[XenDriver]:
    """An open driver on the shared pool."""
    with opened(pool) as driver:
        yield driver


@pytest.fixture
def make_vm(pool: Running, raw: Raw) -> Iterator[Callable[..., str]]:
    """Makes VMs that are off, by the other client, and removes them: `make_vm(disks=2)` returns a UUID."""
    made: list[str] = []

    def make(name: str | None = None, **more: Any) -> str:
        made.append(raw.make_vm(name or f"xen-test-{next(_numbers)}", **more))
        return made[-1]

    yield make
    pool.clear_faults()
    for uuid in reversed(made):
        raw.remove_vm(uuid)


@pytest.fixture
def make_domain(host: hvsdk.Host, make_vm: Callable[..., str]) -> Callable[..., hvsdk.Domain]:
    """Makes domains as `make_vm` does, and returns them as seen by `host`."""
    return lambda *arguments, **more: host.domain(make_vm(*arguments, **more))


@pytest.fixture
def domain(make_domain: Callable[..., hvsdk.Domain]) -> hvsdk.Domain:
    """A domain that is off, with a disk and a network adapter, whose guest obeys and has tools."""
    return make_domain()


@pytest.fixture
def create(host: hvsdk.Host, raw: Raw) -> Iterator[Callable[..., hvsdk.Domain]]:
    """Makes domains with the driver, and removes them after the test with all they have: `create(vcpus=2)`."""
    made: list[hvsdk.Domain] = []

    def make(**wishes: Any) -> hvsdk.Domain:
        spec = hvsdk.DomainSpec(**{"name": "xen-create", "memory": "128MiB"} | wishes)
        made.append(host.create_domain(spec))
        return made[-1]

    yield make
    for domain in made:
        raw.remove_vm(domain.native_id)


@pytest.fixture
def refused(host: hvsdk.Host, raw: Raw) -> Callable[..., errors.HvsdkError]:
    """Checks that a specification is refused before anything is made: `refused(InvalidSpecError, machine="q35")`."""

    def check(error: type[errors.HvsdkError], **wishes: Any) -> errors.HvsdkError:
        spec = hvsdk.DomainSpec(**{"name": "xen-refused", "memory": "128MiB"} | wishes)
        with nothing_new(raw), pytest.raises(error) as caught:
            host.create_domain(spec)
        return caught.value

    return check


@pytest.fixture
def reach(domain: hvsdk.Domain, raw: Raw) -> Callable[[str], hvsdk.Domain]:
    """Brings `domain` to a state, by the other client: `reach("running")`."""

    def bring(state: str) -> hvsdk.Domain:
        raw.reach(domain.native_id, state)
        return domain.refresh()

    return bring


@pytest.fixture(scope="session")
def reference() -> Any:
    """The data model of the real product: a list of classes."""
    return load_reference("xenapi.json.gz")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the kit that a class leaves to `make test-full`."""
    for item in items:
        left = getattr(getattr(item, "cls", None), "left_to_full_runs", None)
        if left is not None and left(getattr(item, "originalname", item.name)):
            item.add_marker(pytest.mark.full)
