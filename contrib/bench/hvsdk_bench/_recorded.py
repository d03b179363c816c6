"""An inventory of many domains: what a snapshot costs, against the plain way, a listing as JSON for each."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import hvsdk
from hvsdk._inventory.recording import HostAnswer, Recording
from hvsdk_bench._measure import Row

ON_ONE_HOST = 5_000
CHANGED = 100
"""One in so many changes between two snapshots."""
Listing = dict[str, list[hvsdk.DomainInfo]]


def rows(domains: int) -> Iterator[Row]:
    """Measure each once, in processor time: they take long enough."""
    where = f"inventory, {domains:,} domains"
    with tempfile.TemporaryDirectory(prefix="hvsdk-bench-", dir="/tmp") as work:
        yield from _writing(where, Path(work), _listing(domains))
        yield from _reading(where, Path(work))


def _writing(where: str, work: Path, listing: Listing) -> Iterator[Row]:
    path, domains = work / "inventory.db", sum(map(len, listing.values()))
    first = _seconds(lambda: _record(path, listing))
    size = _size(path)
    theirs = _seconds(lambda: _dump(work / "1.json", listing))
    yield _row(f"{where}: the first snapshot / the listing as JSON", first, theirs, 2.0)
    yield Row(name=f"{where}: bytes a domain, with a disk and an adapter", ratio=size / domains, target=1_500)
    unchanged = _seconds(lambda: _record(path, listing))
    yield _row(f"{where}: an unchanged snapshot / the listing as JSON", unchanged, theirs, 1.0)
    _change(listing)
    changed = _seconds(lambda: _record(path, listing))
    theirs = _seconds(lambda: _dump(work / "2.json", listing))
    yield _row(f"{where}: a snapshot with 1 % changed / the listing as JSON", changed, theirs, 1.0)
    more = (_size(path) - size) / domains
    yield Row(name=f"{where}: bytes a domain of both further snapshots, with 1 % changed", ratio=more, target=20)


def _reading(where: str, work: Path) -> Iterator[Row]:
    inventory = hvsdk.Inventory.open(work / "inventory.db")
    theirs = _seconds(lambda: list(_load(work / "1.json")))
    newest, first = (_seconds(partial(inventory.at, when)) for when in (None, 1))
    yield _row(f"{where}: at() of the newest snapshot / reading the JSON", newest, theirs, 3.0)
    yield _row(f"{where}: at() of the first snapshot / reading the JSON", first, theirs, 3.0)
    ours = _seconds(lambda: inventory.diff(1, 3))
    both = _seconds(lambda: _difference(work / "1.json", work / "2.json"))
    yield _row(f"{where}: diff() with 1 % changed / comparing two of JSON", ours, both, 0.2)
    ours = _seconds(lambda: inventory.history("vm-0000000"))
    yield _row(f"{where}: history() of one / reading one of JSON", ours, theirs, 0.01)


def _row(name: str, ours: float, theirs: float, target: float) -> Row:
    return Row(name=name, ratio=ours / theirs, target=target, ours_s=ours, theirs_s=theirs)


def _listing(domains: int) -> Listing:
    found: Listing = {}
    for number in range(domains):
        found.setdefault(f"h{number // ON_ONE_HOST}", []).append(_domain(number))
    return found


def _domain(number: int) -> hvsdk.DomainInfo:
    uuid = f"{number:08x}-0000-4000-8000-{number:012x}"
    disk = hvsdk.Disk(
        id="vda", bus="virtio", capacity_bytes=40 * 2**30, source=f"/srv/vm-{number:07}.qcow2", format="qcow2"
    )
    mac = f"52:54:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    return hvsdk.DomainInfo(
        native_id=uuid,
        uuid=uuid,
        name=f"vm-{number:07}",
        power_state=hvsdk.PowerState.RUNNING,
        hypervisor="kvm",
        node=f"node-{number // ON_ONE_HOST}",
        vcpus=2,
        memory_bytes=4 * 2**30,
        disks=[disk],
        nics=[hvsdk.Nic(id=mac, mac=mac, network="default", model="virtio", link_up=True)],
        firmware="bios",
        autostart=True,
        tags=["prod"],
        notes="",
        metadata={"team.owner": f"team-{number % 50}"},
        details={"kvm.machine": "q35"},
    )


def _change(listing: Listing) -> None:
    for infos in listing.values():
        for place in range(0, len(infos), CHANGED):
            infos[place] = infos[place].replace(power_state=hvsdk.PowerState.SHUTOFF)


def _record(path: Path, listing: Listing) -> None:
    recording = Recording(path, wait=5.0)
    now = datetime.now(UTC)
    recording.write(
        [
            HostAnswer(hvsdk.HostOutcome(host=host, url=f"fake://{host}", ok=True, seen_at=now), list(infos))
            for host, infos in listing.items()
        ]
    )


def _dump(path: Path, listing: Listing) -> None:
    """Write a line of JSON for each host, so that not all has to be in memory once more."""
    with path.open("w") as file:
        for host, infos in listing.items():
            file.write(json.dumps([{"host": host, **info.to_dict()} for info in infos]) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _load(path: Path) -> Iterator[Any]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def _difference(before: Path, after: Path) -> list[Any]:
    found: list[Any] = []
    for old, new in zip(_load(before), _load(after), strict=True):
        known = {item["native_id"]: item for item in old}
        found += [item for item in new if _steady(known[item["native_id"]]) != _steady(item)]
    return found


def _steady(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "seen_at"}


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def _seconds(work: Callable[[], object]) -> float:
    """Return the processor time of something, which other work on the machine changes least."""
    gc.collect()
    began = time.process_time()
    result = work()
    seconds = time.process_time() - began
    del result
    return seconds
