"""The kit against libvirt's test driver, which reports errors of state with other codes than QEMU and lacks much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import hvsdk
import libvirt
import pytest
from hvsdk.testing import BackendConformance
from kvm_support import world_domain


class TestLibvirtsTestDriver(BackendConformance):
    """Each connection to a file has a world of its own."""

    vendor_errors = (libvirt.libvirtError,)
    known_failures: ClassVar = {
        "test_reverting_keeps_the_labels": "libvirt's test driver gives a reverted domain its old name, and then refuses "
        "the new one as taken: by that domain itself"
    }

    @pytest.fixture
    def url(self, world: Callable[..., str]) -> str:
        return world(world_domain("one"))

    @pytest.fixture
    def host(self, url: str) -> hvsdk.Host:
        return hvsdk.connect(url)

    @pytest.fixture
    def patience(self) -> float:
        return 10.0

    @pytest.fixture
    def guest_obeys(self) -> bool:
        return True

    @pytest.fixture
    def connect_readonly(self, url: str) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def connect(allow: frozenset[str] = frozenset()) -> hvsdk.Host:
            hosts.append(hvsdk.connect(url, readonly=True, allow=allow))
            return hosts[-1]

        yield connect
        for host in hosts:
            host.close()
