"""A vCenter and an ESXi host for the tests: the stand-in in processes of its own, which tests of a session share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk
import hvsdk_simulators
import pytest
from hvsdk_simulators import NoGoError, Running
from pyVmomi import vim
from vmware_support import Raw, connect, opened

from hvsdk_vmware._driver import VmwareDriver


@pytest.fixture(scope="session")
def shared_center() -> Iterator[Running]:
    """A vCenter that speaks 8.0, with two hosts and twenty domains. Use `center`, which takes back faults."""
    with hvsdk_simulators.start("vcsim", domains=20, hosts=2) as running:
        yield running


@pytest.fixture(scope="session")
def shared_esxi() -> Iterator[Running]:
    """An ESXi host that speaks 6.5, with six domains."""
    with hvsdk_simulators.start("vcsim", domains=6, esx=True, api="6.5") as running:
        yield running


@pytest.fixture
def center(shared_center: Running) -> Iterator[Running]:
    """The vCenter that tests share."""
    yield shared_center
    shared_center.clear_faults()


@pytest.fixture
def esxi(shared_esxi: Running) -> Iterator[Running]:
    """The ESXi host that tests share."""
    yield shared_esxi
    shared_esxi.clear_faults()


@pytest.fixture(params=["shared_center", "shared_esxi"])
def either(request: pytest.FixtureRequest) -> Iterator[Running]:
    """One after the other."""
    running: Running = request.getfixturevalue(request.param)
    yield running
    running.clear_faults()


@pytest.fixture
def make_center() -> Iterator[Callable[..., Running]]:
    """Starts stand-ins for one test: `make_center(hosts=3, api="6.5")`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Running:
            return stack.enter_context(hvsdk_simulators.start("vcsim", **{"domains": 4, "hosts": 1} | options))

        yield make


@pytest.fixture
def raw(center: Running) -> Iterator[Raw]:
    """Another client of the vCenter."""
    client = Raw(center)
    yield client
    client.close()


@pytest.fixture
def host(center: Running) -> Iterator[hvsdk.Host]:
    """A host on the shared vCenter."""
    with connect(center) as host:
        yield host


@pytest.fixture
def driver(center: Running) -> Iterator[VmwareDriver]:
    """An open driver on the shared vCenter."""
    with opened(center) as driver:
        yield driver


@pytest.fixture
def domain(host: hvsdk.Host, raw: Raw, center: Running) -> Iterator[hvsdk.Domain]:
    """A domain that is off, whose guest obeys and has tools; it is off and has its name again afterwards."""
    one = min(host.domains(), key=lambda each: each.name)
    vm = raw.vm(one.native_id)
    name = vm.name  # what the domain is called follows a rename
    raw.reach(one.native_id, "shutoff")
    center.act("guest", vm=one.native_id, tools=True, obeys_shutdown=True, shutdown_seconds=0.05)
    yield one.refresh()
    center.clear_faults()
    raw.reach(one.native_id, "shutoff")
    if vm.name != name:
        raw.done(vm.Rename_Task(name))


_spares = itertools.count(1)


@pytest.fixture
def spare(host: hvsdk.Host, raw: Raw, center: Running) -> Iterator[hvsdk.Domain]:
    """A domain of the test's own that is off, with one disk and one adapter; what else bears its name goes with it."""
    name = f"spare-{next(_spares)}-"
    native_id = raw.make_vm(name + "one")
    center.act("guest", vm=native_id, tools=True)
    yield host.domain(native_id)
    center.clear_faults()
    for other in host.domains(templates=True):
        if other.name.startswith(name):
            vm = raw.vm(other.native_id)
            if vm.config.template:
                vm.MarkAsVirtualMachine(raw.all(vim.ResourcePool)[0])
            raw.remove_vm(other.native_id)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the kit that a class leaves to `make test-full`."""
    for item in items:
        left = getattr(getattr(item, "cls", None), "left_to_full_runs", None)
        if left is not None and left(getattr(item, "originalname", item.name)):
            item.add_marker(pytest.mark.full)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """Skip what needs the stand-in where there is no Go to build it with."""
    return (yield from _or_skipped())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """The same for what starts one itself."""
    return (yield from _or_skipped())


def _or_skipped() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except NoGoError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
