"""A Hyper-V host for the tests: the stand-in in processes of its own, which tests of a session share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk
import hvsdk_simulators
import pytest
from hvsdk_simulators import Running
from hyperv_making import Lab
from hyperv_samba import Samba, samba
from hyperv_support import connect, opened, powershell

from hvsdk_hyperv._driver import HyperVDriver

_BY_ENGINE = ["shared_server", "shared_powershell_server"]
_CONNECTIONS = {"shared_server": "shared_host", "shared_powershell_server": "shared_powershell_host"}


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Running]:
    """A host with some virtual machines, answered by the engine in Python, over TLS. Use `server`."""
    with hvsdk_simulators.start("hyperv", domains=6, engine="python") as running:
        yield running


@pytest.fixture
def server(shared_server: Running) -> Iterator[Running]:
    """The host that tests share; faults are taken back."""
    shared_server.clear_faults()
    yield shared_server
    shared_server.clear_faults()


@pytest.fixture(scope="session")
def shared_powershell_server() -> Iterator[Running]:
    """The same with a real PowerShell, whose scripts are the very ones that are sent."""
    powershell()
    with hvsdk_simulators.start("hyperv", domains=6, engine="powershell") as running:
        yield running


@pytest.fixture
def powershell_server(shared_powershell_server: Running) -> Iterator[Running]:
    """The host with a real PowerShell that tests share; faults are taken back."""
    shared_powershell_server.clear_faults()
    yield shared_powershell_server
    shared_powershell_server.clear_faults()


@pytest.fixture(scope="session")
def shared_host(shared_server: Running) -> Iterator[hvsdk.Host]:
    """One connection to the engine in Python. Use `place`."""
    with connect(shared_server) as host:
        yield host


@pytest.fixture(scope="session")
def shared_powershell_host(shared_powershell_server: Running) -> Iterator[hvsdk.Host]:
    """One connection to a real PowerShell, which takes seconds to start and to become fast. Use `place`."""
    with connect(shared_powershell_server) as host:
        yield host


@pytest.fixture(params=_BY_ENGINE, ids=["python", "powershell"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Running, hvsdk.Host]]:
    """Both engines, one after the other, each with the connection that tests share."""
    server: Running = request.getfixturevalue(request.param)
    host: hvsdk.Host = request.getfixturevalue(_CONNECTIONS[request.param])
    server.clear_faults()
    host.networks()  # a shell that another test killed is replaced by what only reads; a change would not be repeated
    yield server, host
    server.clear_faults()


@pytest.fixture
def lab(place: tuple[Running, hvsdk.Host]) -> Iterator[Lab]:
    """The same, with what a test makes there, which is taken away."""
    server, host = place
    lab = Lab(server, host)
    try:
        yield lab
    finally:
        server.clear_faults()
        lab.close()


@pytest.fixture
def make_server() -> Iterator[Callable[..., Running]]:
    """Starts stand-ins for one test: `make_server(version=2012, nodes=2)`."""
    with ExitStack() as stack:

        def make(**options: Any) -> Running:
            if options.get("engine") == "powershell":
                powershell()
            wishes = {"domains": 3, "engine": "python"} | options
            return stack.enter_context(hvsdk_simulators.start("hyperv", **wishes))

        yield make


@pytest.fixture(scope="session")
def shared_samba(shared_server: Running) -> Iterator[Samba]:
    """A file server with the files of the host that tests share. Use `share`."""
    with samba(shared_server) as running:
        yield running


@pytest.fixture
def share(shared_samba: Samba) -> Samba:
    """The file server that tests share, with the files that there are now."""
    shared_samba.publish()
    return shared_samba


@pytest.fixture
def make_samba(server: Running) -> Iterator[Callable[..., Samba]]:
    """Starts file servers for one test: `make_samba(map_to_guest="bad user")`."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(samba(server, **settings))


@pytest.fixture
def host(server: Running) -> Iterator[hvsdk.Host]:
    """A `Host` on the shared server."""
    with connect(server) as host:
        yield host


@pytest.fixture
def driver(server: Running) -> Iterator[HyperVDriver]:
    """An open driver on the shared server."""
    with opened(server) as driver:
        yield driver


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the kit that a class leaves to `make test-full`."""
    for item in items:
        left = getattr(getattr(item, "cls", None), "left_to_full_runs", None)
        if left is not None and left(getattr(item, "originalname", item.name)):
            item.add_marker(pytest.mark.full)
