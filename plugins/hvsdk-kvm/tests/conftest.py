"""Real libvirt for the tests: the QEMU driver in this process, private daemons, and the test driver."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import early_libvirt  # noqa: F401  # before anything else loads libvirt
import hvsdk
import pytest
from hvsdk_testbed.embed import prepare_root, temporary_root
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import OpenDriver, discard_all, soon, target_of, world_domain

from hvsdk_kvm._driver import KvmDriver


@pytest.fixture(scope="session", autouse=True)
def ended_in_order() -> Iterator[None]:
    """Ended by SIGTERM, a run gives back what it has, as after Ctrl-C: guests of an embedded driver would go on."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def embed_root() -> Iterator[Path]:
    """The one root that the embedded driver has in a test process."""
    with temporary_root() as root:
        prepare_root(root)
        yield root


@pytest.fixture
def embed_url(embed_root: Path) -> str:
    return f"qemu:///embed?root={embed_root}"


@pytest.fixture
def images(embed_root: Path) -> Iterator[Path]:
    """The directory of the embedded driver's volumes, empty before and after."""
    path = embed_root / "images"
    path.mkdir(exist_ok=True)
    for file in path.iterdir():  # tests without this fixture leave theirs
        file.unlink()
    yield path
    for file in path.iterdir():
        file.unlink()


@pytest.fixture
def open_driver() -> Iterator[OpenDriver]:
    """Opens drivers, which are closed after the test."""
    opened: list[KvmDriver] = []

    def open_one(url: str, **more: Any) -> KvmDriver:
        driver = KvmDriver(target_of(url, **more))
        opened.append(driver)
        driver.open(deadline=soon())
        return driver

    yield open_one
    for driver in opened:
        driver.close()


@pytest.fixture
def embed(open_driver: OpenDriver, embed_url: str) -> Iterator[KvmDriver]:
    """The driver on the embedded QEMU driver, without a domain before and after."""
    driver = open_driver(embed_url)
    yield driver
    discard_all(driver.connection)


@pytest.fixture
def embed_host(embed: KvmDriver, embed_url: str) -> Iterator[hvsdk.Host]:
    """A host on the embedded QEMU driver, whose new domains are emulated; without a domain before and after."""
    with hvsdk.connect(embed_url, virt_type="qemu") as host:
        yield host


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A daemon that the tests of a module share; whoever freezes or kills one makes one for itself."""
    with PrivateLibvirtd() as daemon:
        yield daemon


@pytest.fixture
def daemon(open_driver: OpenDriver, libvirtd: PrivateLibvirtd) -> Iterator[KvmDriver]:
    """The driver on the shared daemon, without a domain before and after."""
    driver = open_driver(libvirtd.uri)
    yield driver
    discard_all(driver.connection)


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., str]:
    """Writes the world of libvirt's test driver, and returns its URL."""

    def write(*domains: str, extra: str = "") -> str:
        path = tmp_path / f"{uuid.uuid4().hex}.xml"
        path.write_text(f"<node>{''.join(domains)}{extra}</node>", encoding="utf-8")
        return f"test://{path}"

    return write


@pytest.fixture
def test_host(world: Callable[..., str]) -> Iterator[hvsdk.Host]:
    """A host on libvirt's test driver, with the domains `one` to `three`, which run."""
    with hvsdk.connect(world(*map(world_domain, ("one", "two", "three")))) as host:
        yield host


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """New domains of drivers are emulated."""
    monkeypatch.setenv("HVSDK_KVM_VIRT_TYPE", "qemu")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the kit that a class leaves to `make test-full`."""
    for item in items:
        left = getattr(getattr(item, "cls", None), "left_to_full_runs", None)
        if left is not None and left(getattr(item, "originalname", item.name)):
            item.add_marker(pytest.mark.full)
