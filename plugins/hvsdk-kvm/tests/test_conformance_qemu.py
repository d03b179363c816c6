"""The kit against the QEMU driver in this process, with guests that boot and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hvsdk
import libvirt
import pytest
from hvsdk.testing import BackendConformance
from kit_support import LONG, Guests, LettingGo


class TestEmbeddedQemu(LettingGo, BackendConformance):
    """Everything but round trips, of which there are none in a process, and moving to another host."""

    vendor_errors = (libvirt.libvirtError,)
    left_to_full_runs = staticmethod(LONG.__contains__)

    @pytest.fixture
    def host(self, embed_url: str) -> hvsdk.Host:
        return hvsdk.connect(embed_url, virt_type="qemu")

    @pytest.fixture
    def guests(self, tmp_path: Path) -> Guests:
        return Guests(tmp_path)

    @pytest.fixture
    def patience(self) -> float:
        return 20.0

    @pytest.fixture
    def guest_obeys(self) -> bool:
        return True

    @pytest.fixture
    def boot_id(self, guests: Guests) -> Callable[[hvsdk.Domain], object]:
        return guests.boots

    @pytest.fixture
    def guest_ignores(self, guests: Guests) -> Callable[[hvsdk.Domain, int | None], None]:
        return guests.ignore

    @pytest.fixture
    def connect_readonly(self, embed_url: str, domain: hvsdk.Domain) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def connect(allow: frozenset[str] = frozenset()) -> hvsdk.Host:
            hosts.append(hvsdk.connect(embed_url, readonly=True, allow=allow))
            return hosts[-1]

        yield connect
        for host in hosts:
            host.close()

    @pytest.fixture
    def image(self, tmp_path: Path) -> str:
        path = tmp_path / "kit.iso"
        path.write_bytes(bytes(1 << 20))
        return str(path)
