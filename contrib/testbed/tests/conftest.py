"""One connection to the embedded QEMU driver, which a process can have only once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from hvsdk_testbed.embed import prepare_root, temporary_root

_pump: threading.Thread | None = None


def run_event_loop() -> None:
    """Register libvirt's event loop and keep it going in a thread, once a process."""
    global _pump
    if _pump is not None:
        return

    def pump() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    _pump = threading.Thread(target=pump, name="libvirt-events", daemon=True)
    _pump.start()


@pytest.fixture(scope="session")
def embedded() -> Iterator[libvirt.virConnect]:
    run_event_loop()
    with temporary_root() as root:
        connection = libvirt.open(prepare_root(root))
        try:
            yield connection
        finally:
            for domain in connection.listAllDomains():
                discard(domain)
            connection.close()


@pytest.fixture
def host(embedded: libvirt.virConnect) -> Iterator[libvirt.virConnect]:
    """The embedded driver's connection, without a domain before and after."""
    yield embedded
    for domain in embedded.listAllDomains():
        discard(domain)


def discard(domain: libvirt.virDomain) -> None:
    """End a domain and forget it, whatever state it is in."""
    try:
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefineFlags(
                libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            )
    except libvirt.libvirtError as exc:
        if exc.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise


@pytest.fixture
def serial(tmp_path: Path) -> Path:
    """Where a guest's serial port is written."""
    return tmp_path / "serial.log"
