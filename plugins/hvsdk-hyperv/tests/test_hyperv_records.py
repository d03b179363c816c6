"""Records of virtual machines as the scripts answer them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hvsdk.driver import PowerState

from hvsdk_hyperv._notes import Notes
from hvsdk_hyperv._records import domain_info
from hvsdk_hyperv._states import power_state

ID = "0f0e0d0c-0b0a-0908-0706-050403020100"


def drive(kind: str, controller: str, number: int, location: int, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("path", "disk_number", "size", "file_size", "format", "type", "parent"))
    return {
        **empty,
        "id": f"{controller.lower()}:{number}:{location}",
        "kind": kind,
        "controller_type": controller,
        "controller_number": number,
        "location": location,
        "shared": False,
        **more,
    }


def adapter(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a1",
        "name": "Network Adapter",
        "mac": "00155D0A0B0C",
        "dynamic_mac": True,
        "legacy": False,
        "connected": True,
        "switch": "Lab",
        "switch_id": "s1",
        "vlan_mode": "Untagged",
        "vlan": 0,
        **changes,
    }


def record(config: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    whole = {
        "version": "10.0",
        "path": "C:\\VMs",
        "notes": "",
        "dynamic_memory": False,
        "memory_minimum": 1,
        "memory_maximum": 1 << 40,
        "start_action": "Nothing",
        "start_delay": 0,
        "stop_action": "Save",
        "checkpoint_type": "Production",
        "automatic_checkpoints": False,
        "clustered": False,
        "parent_checkpoint": None,
        "replication": "None",
        "created": "2024-05-06T07:08:09.000000Z",
        "started": None,
        "bios_guid": "11111111-2222-3333-4444-555555555555",
        "secure_boot": "On",
        "secure_boot_template": "MicrosoftWindows",
        "boot": [],
        "drives": [],
        "adapters": [],
    }
    return {
        "id": ID,
        "name": "web-1",
        "state": "Off",
        "status": ["Ok"],
        "node": "hv-1",
        "generation": 2,
        "vcpus": 2,
        "memory": 1 << 30,
        "config": None if config is None else whole | config,
        "guest": None,
        **changes,
    }


def test_a_summary_is_short() -> None:
    info = domain_info(record())
    assert (info.native_id, info.uuid, info.name, info.node) == (ID, ID, "web-1", "hv-1")
    assert (info.power_state, info.hypervisor) == (PowerState.SHUTOFF, "hyperv")
    assert not info.has("config")
    assert not info.has("guest")


@pytest.mark.parametrize(
    ("state", "ours"),
    [
        ("Running", PowerState.RUNNING),
        ("RunningCritical", PowerState.RUNNING),
        ("Off", PowerState.SHUTOFF),
        ("Hibernated", PowerState.SHUTOFF),
        ("Paused", PowerState.PAUSED),
        ("PausedCritical", PowerState.PAUSED),
        ("Saved", PowerState.SUSPENDED),
        ("FastSaved", PowerState.SUSPENDED),
        ("OffCritical", PowerState.UNKNOWN),
        ("SavedCritical", PowerState.UNKNOWN),
        ("Saving", PowerState.CHANGING),
        ("SavingCritical", PowerState.CHANGING),
        ("Starting", PowerState.CHANGING),
        ("Other", PowerState.UNKNOWN),
        ("Unknown", PowerState.UNKNOWN),
        ("SomethingOfTheFuture", PowerState.UNKNOWN),
        ("32799", PowerState.UNKNOWN),
    ],
)
def test_states_go_by_their_names(state: str, ours: PowerState) -> None:
    assert power_state(state) is ours


@pytest.mark.parametrize("status", ["MergingDisks", "CreatingSnapshot", "BackingUpVirtualMachine"])
def test_what_is_done_beside_is_no_state(status: str) -> None:
    info = domain_info(record({}, state="Running", status=["Ok", status]))
    assert info.power_state is PowerState.RUNNING
    assert list(info.details["hyperv.status"]) == [status]


def test_the_uuid_that_the_guest_sees_is_a_detail() -> None:
    info = domain_info(record({}))
    assert info.uuid == ID
    assert info.details["hyperv.bios_guid"] == "11111111-2222-3333-4444-555555555555"


def test_labels_come_out_of_the_notes() -> None:
    stored = Notes(text="Ask Ann.", tags=frozenset({"prod"}), metadata={"team.owner": "ann"}).write()
    info = domain_info(record({"notes": stored}))
    assert (info.notes, info.tags) == ("Ask Ann.", frozenset({"prod"}))
    assert info.metadata == {"team.owner": "ann"}
    assert "hyperv.notes_problem" not in info.details


def test_a_damaged_block_is_told_of() -> None:
    stored = "[hvsdk:1]\nnonsense\n[/hvsdk]"
    info = domain_info(record({"notes": stored}))
    assert (info.notes, info.details["hyperv.notes_problem"]) == (stored, "damaged")


def test_drives_are_in_the_order_of_their_controllers() -> None:
    drives = [
        drive("disk", "SCSI", 0, 1, path="C:\\b.vhdx", format="VHDX", size=5, file_size=3, type="Dynamic"),
        drive("disk", "SCSI", 0, 0, path="C:\\a.avhdx"),
        drive("dvd", "IDE", 1, 0, path="C:\\x.iso"),
        drive("disk", "SCSI", 1, 0, path="Disk 1", disk_number=1),
    ]
    info = domain_info(record({"drives": drives, "boot": ["scsi:0:1", "a1", "scsi:0:0"]}))
    assert [(one.id, one.device, one.position) for one in info.disks] == [
        ("ide:1:0", "cdrom", 0),
        ("scsi:0:0", "disk", 1),
        ("scsi:0:1", "disk", 2),
        ("scsi:1:0", "disk", 3),
    ]
    assert [one.boot_order for one in info.disks] == [None, 3, 1, None]
    assert [one.format for one in info.disks] == ["raw", "vhdx", "vhdx", "raw"]
    assert (info.disks[2].capacity_bytes, info.disks[2].allocated_bytes) == (5, 3)
    assert info.disks[1].capacity_bytes is None
    assert (info.disks[2].pool, info.disks[2].volume) == ("C:\\", "C:\\b.vhdx")
    assert (info.disks[3].pool, info.disks[3].volume) == (None, None)


def test_generation_1_boots_by_kinds_of_device() -> None:
    drives = [
        drive("disk", "IDE", 0, 1),
        drive("disk", "IDE", 0, 0),
        drive("dvd", "IDE", 1, 0),
        drive("disk", "SCSI", 0, 0),
    ]
    boot = ["CD", "IDE", "LegacyNetworkAdapter", "Floppy"]
    info = domain_info(record({"drives": drives, "boot": boot, "secure_boot": None}, generation=1))
    assert [(one.id, one.boot_order) for one in info.disks] == [
        ("ide:0:0", 2),
        ("ide:0:1", 3),
        ("ide:1:0", 1),
        ("scsi:0:0", None),
    ]
    assert (info.firmware, info.secure_boot) == ("bios", False)


def test_an_adapter_that_hvsdk_unplugged_is_still_on_its_network() -> None:
    notes = Notes().with_link("a1", {"switch": "s1", "name": "Lab"}).write()
    off = adapter(connected=False, switch=None, switch_id=None)
    (nic,) = domain_info(record({"adapters": [off], "notes": notes})).nics
    assert (nic.network, nic.link_up, nic.details["hyperv.switch_id"]) == ("Lab", False, "s1")
    (other,) = domain_info(record({"adapters": [off]})).nics
    assert (other.network, other.link_up) == (None, False)


def test_vlans_and_models_of_adapters() -> None:
    one, two = domain_info(
        record({"adapters": [adapter(vlan_mode="Access", vlan=7), adapter(legacy=True, vlan_mode="Trunk")]})
    ).nics
    assert (one.vlan, one.model, one.mac) == (7, "synthetic", "00:15:5d:0a:0b:0c")
    assert (two.vlan, two.model, two.details["hyperv.vlan_mode"]) == (None, "legacy", "Trunk")


@pytest.mark.parametrize(("action", "autostart"), [("Nothing", False), ("Start", True), ("StartIfRunning", True)])
def test_autostart_is_what_the_host_does_at_its_start(action: str, autostart: bool) -> None:
    assert domain_info(record({"start_action": action})).autostart is autostart


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ({"dynamic_memory": True, "memory_maximum": 8 << 30}, 8 << 30),
        ({"dynamic_memory": False, "version": "10.0"}, None),
        ({"dynamic_memory": False, "version": "5.0"}, 1 << 30),
    ],
)
def test_memory_grows_as_far_as_the_product_lets_it(config: dict[str, Any], most: int | None) -> None:
    assert domain_info(record(config)).max_memory_bytes == most


def test_an_older_host_tells_less() -> None:
    config = {"checkpoint_type": None, "automatic_checkpoints": None, "secure_boot_template": None, "version": "5.0"}
    details = domain_info(record(config)).details
    assert "hyperv.checkpoint_type" not in details
    assert details["hyperv.version"] == "5.0"


def test_times_are_utc() -> None:
    info = domain_info(record({"started": "2024-05-06T09:08:09.500000Z"}, state="Running"))
    assert info.created_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert info.started_at == datetime(2024, 5, 6, 9, 8, 9, 500000, tzinfo=UTC)
