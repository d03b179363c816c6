"""Virtual disks: made, destroyed, resized, introduced, renamed."""

from datetime import datetime
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

from .connections import assert_attached
from .constructors import fields_given, ref_of
from .drivers import features
from .space import assert_room, estimate, remeasure, rounded

_IN_USE_SECONDS = 5.0
"""How long a VDI that an export has only just let go of is waited for."""


@message("VDI.create(VDI record args) -> VDI ref", role="vm-admin")
def create(call: Call, args: dict[str, Any]) -> Object:
    """Make an empty disk; its size is rounded up to whole blocks."""
    fields = fields_given("VDI", args)
    sr = call.world.db.get("SR", ref_of(fields.pop("SR")))
    size: int = fields.pop("virtual_size")
    if size < 0:
        raise Failure("INVALID_VALUE", "virtual_size", str(size))
    name = fields.pop("name_label", "")
    vdi: Object = call.world.storage.create_vdi(sr, size, name=name, **fields)
    return vdi


@message("VDI.destroy(VDI ref self) -> void", role="vm-admin")
def destroy(call: Call, vdi: Object) -> None:
    """Destroy a disk and its content, and the drives that held it."""
    world = call.world
    call.wait_for(lambda: not world.storage.readers.has(vdi), _IN_USE_SECONDS)
    world.db.get("VDI", vdi.ref)
    with call.operation(vdi, "destroy"):
        assert_attached(world, world.db.get("SR", vdi["SR"]))
    world.storage.destroy_vdi(vdi)


@message("VDI.forget(VDI ref vdi) -> void", role="vm-admin")
def forget(call: Call, vdi: Object) -> None:
    """Drop the record of a disk; a scan of its SR finds the disk again."""
    with call.operation(vdi, "forget"):
        call.world.storage.forgotten.add(vdi)


@message("VDI.snapshot(VDI ref vdi, (string -> string) map driver_params = {}) -> VDI ref", role="vm-admin")
def snapshot(call: Call, vdi: Object, driver_params: dict[str, str]) -> Object:
    """Keep the content of a disk as it is now."""
    with call.operation(vdi, "snapshot"):
        new: Object = call.world.storage.clone_vdi(vdi, snapshot=True)
    return new


@message("VDI.clone(VDI ref vdi, (string -> string) map driver_params = {}) -> VDI ref", role="vm-admin")
def clone(call: Call, vdi: Object, driver_params: dict[str, str]) -> Object:
    """Make a second disk that shares what is written so far."""
    with call.operation(vdi, "clone"):
        new: Object = call.world.storage.clone_vdi(vdi, snapshot=False)
    return new


@message("VDI.resize(VDI ref vdi, int size) -> void", role="vm-admin")
def resize(call: Call, vdi: Object, size: int) -> None:
    """Grow a disk that no running VM has."""
    _grow(call, vdi, size, "resize")


@message("VDI.resize_online(VDI ref vdi, int size) -> void", role="vm-admin", until="2.8")
def resize_online(call: Call, vdi: Object, size: int) -> None:
    """Grow a disk while a VM runs on it; hardly a driver can."""
    _grow(call, vdi, size, "resize_online")


@message("VDI.update(VDI ref vdi) -> void", role="vm-admin", since="1.2")
def update(call: Call, vdi: Object) -> None:
    """Measure a disk anew."""
    with call.operation(vdi, "update"):
        remeasure(call.world, vdi)


@message(
    "VDI.introduce(string uuid, string name_label, string name_description, SR ref SR, enum vdi_type type, "
    "bool sharable, bool read_only, (string -> string) map other_config, string location, "
    "(string -> string) map xenstore_data = {}, (string -> string) map sm_config = {}, bool managed = true, "
    "int virtual_size = 0, int physical_utilisation = 0, pool ref metadata_of_pool = NULL, "
    "bool is_a_snapshot = false, datetime snapshot_time = 19700101T00:00:00Z, VDI ref snapshot_of = NULL) -> VDI ref",
    role="vm-admin",
    since="1.2",
)
def introduce(
    call: Call, uuid: str, name_label: str, name_description: str, sr: Object, kind: str, sharable: bool,
    read_only: bool, other_config: dict[str, str], location: str, xenstore_data: dict[str, str],
    sm_config: dict[str, str], managed: bool, virtual_size: int, physical_utilisation: int, pool: Object | None,
    is_a_snapshot: bool, snapshot_time: datetime | str, snapshot_of: Object | None,
) -> Object:  # fmt: skip
    """Make the record of a disk that is on the storage already."""
    world = call.world
    assert_attached(world, sr)
    if "VDI_INTRODUCE" not in features(world, sr):
        raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    given = {"name_label": name_label, "name_description": name_description}
    changed: dict[str, Any] = {name: text for name, text in given.items() if text}
    changed |= {"type": kind, "sharable": sharable, "other_config": other_config, "xenstore_data": xenstore_data}
    known: Object | None = world.storage.forgotten.recall(sr, uuid or location, **changed)
    if known is None:
        raise Failure("VDI_LOCATION_MISSING", sr.ref, location)
    return known


@message("VDI.set_name_label(VDI ref self, string value) -> void", role="vm-admin")
def set_name_label(call: Call, vdi: Object, value: str) -> None:
    """Rename a disk, on the storage too."""
    _set_on_storage(call, vdi, name_label=value)


@message("VDI.set_name_description(VDI ref self, string value) -> void", role="vm-admin")
def set_name_description(call: Call, vdi: Object, value: str) -> None:
    """Describe a disk, on the storage too."""
    _set_on_storage(call, vdi, name_description=value)


@message("VDI.set_read_only(VDI ref self, bool value) -> void", role="vm-admin")
def set_read_only(call: Call, vdi: Object, value: bool) -> None:
    """Let nobody write to a disk, or everybody again."""
    call.world.db.update(vdi, read_only=value)


@message("VDI.set_sharable(VDI ref self, bool value) -> void", role="vm-admin", since="1.6")
def set_sharable(call: Call, vdi: Object, value: bool) -> None:
    """Let several VMs write to a disk at a time."""
    call.world.db.update(vdi, sharable=value)


@message("VDI.set_allow_caching(VDI ref self, bool value) -> void", role="vm-admin", since="1.8")
def set_allow_caching(call: Call, vdi: Object, value: bool) -> None:
    """Let hosts keep a cache of a disk."""
    call.world.db.update(vdi, allow_caching=value)


@message("VDI.set_on_boot(VDI ref self, enum on_boot value) -> void", role="vm-admin", since="1.8")
def set_on_boot(call: Call, vdi: Object, value: str) -> None:
    """Let a disk forget at each start of its VM what was written since the last."""
    sr = call.world.db.get("SR", vdi["SR"])
    if "VDI_RESET_ON_BOOT" not in features(call.world, sr):
        raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    if vdi["cbt_enabled"] and value == "reset":
        raise Failure("VDI_CBT_ENABLED", vdi.ref)
    with call.operation(vdi, "set_on_boot"):
        call.world.db.update(vdi, on_boot=value)


def _set_on_storage(call: Call, vdi: Object, **fields: str) -> None:
    assert_attached(call.world, call.world.db.get("SR", vdi["SR"]))
    call.world.db.update(vdi, **fields)


def _grow(call: Call, vdi: Object, size: int, operation: str) -> None:
    world = call.world
    with call.operation(vdi, operation):
        if size < vdi["virtual_size"]:
            raise Failure("VDI_TOO_SMALL", vdi.ref, str(vdi["virtual_size"]))
        sr = world.db.get("SR", vdi["SR"])
        size = rounded(size)
        more = estimate(sr, size, 0) - estimate(sr, vdi["virtual_size"], 0)
        assert_room(world, sr, more)
        world.storage.disk(vdi).resize(size)
        world.db.update(vdi, virtual_size=size)
        remeasure(world, vdi)
