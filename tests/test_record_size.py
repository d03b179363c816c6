"""What a listing costs in memory, for each domain that is kept."""

import gc
import tracemalloc
from datetime import UTC, datetime
from types import SimpleNamespace

from hvsdk._domain import Domain
from hvsdk.driver import domain_info_maker, frozen
from hvsdk.enums import PowerState
from hvsdk.models import FIELD_GROUPS, Address, Disk, DomainInfo, Nic

COUNT = 1000


def bytes_each(make):
    """Return what one of the things that `make(number)` returns keeps allocated, its own texts included."""
    make(0)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [make(number) for number in range(COUNT)]
        after, _ = tracemalloc.get_traced_memory()
        return (after - before) / len(kept)
    finally:
        tracemalloc.stop()


SEEN_AT = datetime(2026, 1, 2, tzinfo=UTC)
HOST = SimpleNamespace()
maker = domain_info_maker(*FIELD_GROUPS["summary"], "seen_at")


def uuid_of(number):
    return f"8d7ddb4d-4f1d-4a4b-9c3e-{number:012}"


def summary(number):
    uuid = uuid_of(number)
    return maker(
        uuid, uuid, f"web-{number}", PowerState.RUNNING, "kvm", "node", False, False, 2, 2**30 + number, SEEN_AT
    )


def full(number):
    name = f"web-{number}"
    return DomainInfo(
        native_id=uuid_of(number),
        uuid=uuid_of(number),
        name=name,
        power_state=PowerState.RUNNING,
        hypervisor="kvm",
        node="node",
        vcpus=2,
        memory_bytes=2**30 + number,
        disks=[Disk(id=f"vd{letter}", bus="virtio", source=f"/images/{name}-{letter}.qcow2") for letter in "ab"],
        nics=[Nic(id=f"52:54:00:00:00:0{n}", mac=f"52:54:00:00:00:0{n}", network="default") for n in (1, 2)],
        tags=(),
        notes="",
        metadata={},
        details=frozen({"kvm.machine": "q35"}),
        addresses=[Address(ip=f"10.0.0.{number}", source="agent")],
        seen_at=SEEN_AT,
    )


def test_a_summary_with_its_handle_takes_at_most_one_kibibyte():
    assert bytes_each(lambda number: Domain(HOST, summary(number))) <= 1024


def test_a_full_record_with_its_handle_takes_at_most_three():
    assert bytes_each(lambda number: Domain(HOST, full(number))) <= 3072
