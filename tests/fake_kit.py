"""All that the conformance kit asks of a test package, for `fake://` and drivers made from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

import hvsdk
from hvsdk.testing.conformance import Kit
from hvsdk.testing.fake import control
from hvsdk.testing.fake._errors import FakeError

SECRET = "kit-hidden-5f2c"


class FakeFixtures(Kit):
    """Every fixture that the kit can use."""

    vendor_errors = (FakeError,)
    url = "fake://root@kit?domains=6&templates=1&control=1"

    @pytest.fixture
    def host(self, monkeypatch: pytest.MonkeyPatch) -> hvsdk.Host:
        monkeypatch.setenv("HVSDK_KIT_SECRET", SECRET)
        return hvsdk.connect(self.url, password=hvsdk.SecretRef("env:HVSDK_KIT_SECRET"))

    @pytest.fixture
    def patience(self) -> float:
        return 10.0

    @pytest.fixture
    def guest_obeys(self) -> bool:
        return True

    @pytest.fixture
    def guest_agent(self) -> bool:
        return True

    @pytest.fixture
    def force_state(self, host: hvsdk.Host) -> Callable[[hvsdk.Domain, hvsdk.PowerState], None]:
        return control(host).set_state

    @pytest.fixture
    def boot_id(self) -> Callable[[hvsdk.Domain], object]:
        return lambda domain: domain.refresh().details.get("fake.memory")

    @pytest.fixture
    def guest_ignores(self, host: hvsdk.Host) -> Iterator[Callable[[hvsdk.Domain, int | None], None]]:
        fake = control(host)
        done = threading.Event()
        waiting: list[threading.Thread] = []

        def ignore(domain: hvsdk.Domain, requests: int | None) -> None:
            fake.guest(domain, shutdown="ignores")
            if requests is not None:
                enough = fake.calls.get("shutdown", 0) + requests
                waiting.append(threading.Thread(target=obey, args=(domain, enough)))
                waiting[-1].start()

        def obey(domain: hvsdk.Domain, enough: int) -> None:
            while fake.calls.get("shutdown", 0) < enough and not done.is_set():
                time.sleep(0.02)
            fake.guest(domain, shutdown="obeys")

        yield ignore
        done.set()
        for thread in waiting:
            thread.join()

    @pytest.fixture
    def round_trips(self, host: hvsdk.Host) -> Callable[[], int]:
        return control(host).round_trips

    @pytest.fixture
    def second_host(self) -> Iterator[hvsdk.Host]:
        with hvsdk.connect(self.url.replace("@kit", "@second")) as host:
            yield host

    @pytest.fixture
    def connect_readonly(self) -> Iterator[Callable[..., hvsdk.Host]]:
        hosts: list[hvsdk.Host] = []

        def connect(allow: frozenset[str] = frozenset()) -> hvsdk.Host:
            hosts.append(hvsdk.connect(self.url, readonly=True, allow=allow))
            return hosts[-1]

        yield connect
        for host in hosts:
            host.close()

    @pytest.fixture
    def secrets(self) -> tuple[str, ...]:
        return (SECRET,)

    @pytest.fixture
    def image(self) -> str:
        return "iso/debian-12.iso"

    @pytest.fixture
    def lose_connection(self, host: hvsdk.Host) -> Callable[[str], None]:
        return lambda when: control(host).fail("*", f"drop-{when}")

    @pytest.fixture
    def expire_session(self, host: hvsdk.Host) -> Callable[[], None]:
        return control(host).expire_sessions
