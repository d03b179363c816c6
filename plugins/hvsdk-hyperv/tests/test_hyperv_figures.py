"""Figures, screens and consoles of domains."""

from __future__ import annotations

import base64
import gzip
import random
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import DomainStats, PowerState, errors
from hvsdk_simulators import Running
from hyperv_support import requests_of, soon

from hvsdk_hyperv._driver import HyperVDriver
from hvsdk_hyperv._screenshot import pixels_of, png_of
from hvsdk_hyperv._stats import stats_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


# ---- pictures --------------------------------------------------------------------------------------------


def test_a_picture_has_the_colours_of_its_pixels() -> None:
    rng = random.Random(5)
    width, height = 7, 3
    values = [0x0000, 0xFFFF, 0xF800, 0x07E0, 0x001F, *(rng.randrange(1 << 16) for _ in range(width * height - 5))]
    image = png_of(struct.pack(f"<{width * height}H", *values), width, height)
    size, kind = struct.unpack(">I4s", image[8:16])
    assert (size, kind, struct.unpack(">IIBBBBB", image[16:29])) == (13, b"IHDR", (width, height, 8, 2, 0, 0, 0))
    length = struct.unpack(">I", image[33:37])[0]
    lines = zlib.decompress(image[41 : 41 + length])
    assert len(lines) == height * (1 + 3 * width)
    rows = [lines[at + 1 : at + 1 + 3 * width] for at in range(0, len(lines), 1 + 3 * width)]
    shown = b"".join(rows)
    for number, value in enumerate(values):
        red, green, blue = value >> 11, value >> 5 & 0x3F, value & 0x1F
        expected = (red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2)
        assert tuple(shown[3 * number : 3 * number + 3]) == expected


@pytest.mark.parametrize(
    ("width", "height", "image"),
    [
        (2, 2, base64.b64encode(gzip.compress(b"x" * 7)).decode()),
        (2, 2, base64.b64encode(gzip.compress(b"x" * 9)).decode()),
        (2, 2, base64.b64encode(gzip.compress(bytes(1 << 24))).decode()),
        (2, 2, "no base64"),
        (2, 2, "AAAA"),
        (0, 2, ""),
        (1 << 20, 1 << 20, ""),
    ],
)
def test_what_is_no_picture_is_refused(width: int, height: int, image: str) -> None:
    with pytest.raises(errors.OperationFailedError):
        pixels_of({"width": width, "height": height, "image": image})


def test_a_screenshot_costs_one_exchange(driver: HyperVDriver, server: Running) -> None:
    running = _one(driver, PowerState.RUNNING)
    images: list[bytes] = []
    asked = requests_of(server, lambda: images.append(driver.screenshot(running, deadline=soon())))
    assert images[0].startswith(b"\x89PNG\r\n\x1a\n")
    assert asked == {"Send": 1, "Receive": 1}


def test_one_that_is_off_has_no_screen(host: hvsdk.Host, driver: HyperVDriver) -> None:
    off = host.domain(_one(driver, PowerState.SHUTOFF))
    for verb in (off.screenshot, off.console):
        with pytest.raises(errors.PowerStateError) as refused:
            verb()
        assert refused.value.state in (PowerState.SHUTOFF, None)
        assert refused.value.hint == "that takes a domain that is running or paused"


# ---- consoles --------------------------------------------------------------------------------------------


def test_a_console_is_the_hosts_service_and_the_domains_id(driver: HyperVDriver) -> None:
    running = _one(driver, PowerState.RUNNING)
    console = driver.console(running, deadline=soon())
    assert (console.kind, console.host, console.port) == ("rdp", driver.target.hostname, 2179)
    assert console.url == f"rdp://full%20address=s:{driver.target.hostname}:2179&pcb=s:{running}"
    assert console.token is None
    assert console.password is None


# ---- figures ---------------------------------------------------------------------------------------------


def test_all_running_domains_figures_cost_one_exchange(driver: HyperVDriver, server: Running) -> None:
    states = {vm.native_id: vm.power_state for vm in driver.list_domains(frozenset(), deadline=soon())}
    found: dict[str, DomainStats] = {}
    work = lambda: found.update({one.native_id: one for one in driver.stats(None, deadline=soon())})  # noqa: E731
    assert requests_of(server, work) == {"Send": 1, "Receive": 1}
    assert set(found) == {key for key, state in states.items() if state is PowerState.RUNNING}
    for one in found.values():
        assert one.cpu_seconds is not None
        assert one.cpu_seconds > 0
        assert one.memory_bytes
        assert one.at.utcoffset() is not None


def test_one_that_is_off_has_no_figures_but_its_size(driver: HyperVDriver) -> None:
    off = _one(driver, PowerState.SHUTOFF)
    (found,) = driver.stats([off], deadline=soon())
    assert found.vcpus
    assert found.cpu_seconds is None
    assert found.memory_bytes is None


def test_counters_grow(driver: HyperVDriver) -> None:
    running = _one(driver, PowerState.RUNNING)
    (earlier,) = driver.stats([running], deadline=soon())
    (later,) = driver.stats([running], deadline=soon())
    rates = later.rate_since(earlier)
    assert rates.cpu_ratio is None or rates.cpu_ratio >= 0


def test_a_host_that_hides_its_counters_says_so() -> None:
    record: dict[str, Any] = {
        "id": "x",
        "name": "x",
        "running": True,
        "vcpus": 2,
        "memory": 5,
        "demand": 0,
        "counters": {},
    }
    found = stats_of(record, NOW, "Access denied")
    assert found.details["hyperv.no_counters"] == "Access denied"
    assert found.cpu_seconds is None
    assert found.memory_used_bytes is None
    off = stats_of(record | {"running": False, "memory": 0}, NOW, "Access denied")
    assert not off.details


def test_units_are_seconds_and_bytes() -> None:
    counters = {"cpu": 25_000_000, "disk_read_bytes": 7, "net_tx_packets": 3}
    record = {
        "id": "x",
        "name": "x",
        "running": True,
        "vcpus": 2,
        "memory": 1 << 30,
        "demand": 1 << 29,
        "counters": counters,
    }
    found = stats_of(record, NOW, None)
    assert (found.cpu_seconds, found.disk_read_bytes, found.net_tx_packets) == (2.5, 7, 3)
    assert (found.memory_bytes, found.memory_used_bytes) == (1 << 30, 1 << 29)
    assert found.disk_write_bytes is None


def _one(driver: HyperVDriver, state: PowerState) -> str:
    for vm in driver.list_domains(frozenset(), deadline=soon()):
        if vm.power_state is state:
            return vm.native_id
    pytest.skip(f"the host has no domain that is {state}")
