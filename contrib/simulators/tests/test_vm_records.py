"""Whatever was done to VMs, their records stay whole: each value of its type, each reference to something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.schema import ENUMS, SCHEMA, Kind
from vm_pool import Pool

CLASSES = ("VM", "VM_metrics", "VM_guest_metrics", "VM_appliance", "VBD", "VIF", "VDI", "console", "crashdump", "blob")
MAY_OUTLIVE = {("VM", "snapshot_of"), ("VM", "groups")}
"""A snapshot still names the VM that it was of."""
PLAIN = {"string": str, "int": int, "float": float, "bool": bool, "datetime": datetime}


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def wrong(pool: Pool, kind: Kind, value: Any) -> bool:
    match kind.name:
        case "enum":
            return value not in ENUMS[kind.target]
        case "ref":
            return value != NULL and pool.world.db.lookup(kind.target, value) is None
        case "set":
            return not isinstance(value, list) or any(wrong(pool, kind.inner, item) for item in value)
        case "map":
            assert kind.key is not None
            key = kind.key
            return not isinstance(value, dict) or any(
                wrong(pool, key, name) or wrong(pool, kind.inner, item) for name, item in value.items()
            )
    return type(value) is not PLAIN[kind.name]


def faults(pool: Pool) -> list[str]:
    return [
        f"{cls}.{name} of {obj['uuid']}: {obj[name]!r}"
        for cls in CLASSES
        for obj in pool.world.db.all(cls)
        for name, field in SCHEMA[cls].fields.items()
        if (cls, name) not in MAY_OUTLIVE and wrong(pool, field.kind, obj[name])
    ]


def live(pool: Pool) -> Object:
    """Do to a VM most of what can be done to one."""
    vm = pool.vm(disks=2)
    pool.call("VM.start", vm, True, False)
    pool.call("VM.unpause", vm)
    pool.booted(vm)
    pool.call("VM.checkpoint", vm, "with memory")
    pool.call("VM.pool_migrate", vm, pool.hosts[1], {})
    pool.call("VM.set_VCPUs_number_live", vm, 1)
    pool.call("VM.set_memory_dynamic_range", vm, vm["memory_static_min"], vm["memory_static_max"])
    pool.call("VM.create_new_blob", vm, "icon", "", False)
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], tools="outdated")
    pool.call("VM.clean_reboot", vm)
    pool.booted(vm)
    pool.call("VM.suspend", vm)
    pool.call("VM.resume", vm, False, False)
    pool.call("VM.set_actions_after_crash", vm, "coredump_and_destroy")
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], crash=True)
    return vm


def test_records_stay_whole_through_a_vms_life(pool: Pool) -> None:
    vm = live(pool)
    assert faults(pool) == []
    pool.call("VM.revert", pool.world.db.get("VM", vm["snapshots"][0]))
    assert faults(pool) == []


def test_records_of_copies_and_templates_are_whole(pool: Pool) -> None:
    vm = live(pool)
    pool.call("VM.clone", vm, "clone")
    pool.call("VM.provision", pool.call("VM.clone", pool.call("VM.snapshot", vm, "before"), "from a snapshot"))
    pool.call("VM.clone", pool.world.db.get("VM", vm["snapshots"][0]), "from a checkpoint")
    pool.call("VM.set_is_a_template", pool.call("VM.copy", vm, "copy", pool.other), True)
    pool.call("VM.create", {"name_label": "bare"})
    assert faults(pool) == []


def test_nothing_of_a_deleted_vm_is_named_any_more(pool: Pool) -> None:
    vm = live(pool)
    for ref in list(vm["snapshots"]):
        pool.call("VM.destroy", pool.world.db.get("VM", ref))
    pool.call("VM.destroy", vm)
    assert faults(pool) == []
    assert [pool.world.db.count(cls) for cls in ("crashdump", "blob", "console")] == [0, 0, consoles_of_hosts(pool)]
    assert pool.world.db.all("VM_guest_metrics") == []


def consoles_of_hosts(pool: Pool) -> int:
    return sum(len(vm["consoles"]) for vm in pool.world.db.all("VM") if vm["is_control_domain"])


def test_a_whole_pool_is_whole() -> None:
    with Pool(domains=40, hosts=3) as pool:
        assert faults(pool) == []
