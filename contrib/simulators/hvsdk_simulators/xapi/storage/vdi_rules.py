"""What may be done with a VDI now, and with which error the product refuses the rest."""

from collections.abc import Callable

from hvsdk_simulators.xapi.call import refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

from .connections import is_attached
from .drivers import CBT_SINCE, features

ADVERTISED = ("snapshot", "copy", "clone", "destroy", "resize", "update", "generate_config", "resize_online", "forget")
_WITH_CBT = ("set_on_boot", "enable_cbt", "disable_cbt", "data_destroy", "list_changed_blocks")
_LIVE = frozenset({"snapshot", "resize_online", "clone", "blocked", "mirror", "enable_cbt", "disable_cbt"})
_FEATURES = {
    "destroy": "VDI_DELETE",
    "data_destroy": "VDI_DELETE",
    "resize": "VDI_RESIZE",
    "resize_online": "VDI_RESIZE_ONLINE",
    "update": "VDI_UPDATE",
    "generate_config": "VDI_GENERATE_CONFIG",
    "snapshot": "VDI_SNAPSHOT",
    "clone": "VDI_CLONE",
    "mirror": "VDI_MIRROR",
    "set_on_boot": "VDI_RESET_ON_BOOT",
    "enable_cbt": "VDI_CONFIG_CBT",
    "disable_cbt": "VDI_CONFIG_CBT",
    "list_changed_blocks": "VDI_CONFIG_CBT",
}
_NEEDS_CONTENT = frozenset({"snapshot", "copy", "clone", "resize", "resize_online", "data_destroy", "generate_config"})
_OF_THE_CLUSTER = ("ha_statefile", "redo_log")

_Check = Callable[[World, Object, str], Failure | None]


def _running(_world: World, vdi: Object, _op: str) -> Failure | None:
    return Failure("OTHER_OPERATION_IN_PROGRESS", "VDI", vdi.ref) if vdi["current_operations"] else None


def _connection(world: World, vdi: Object, op: str) -> Failure | None:
    if op != "resize":
        return None
    sr = world.db.get("SR", vdi["SR"])
    return None if is_attached(world, sr) else Failure("SR_HAS_NO_PBDS", sr.ref)


def _drives(world: World, vdi: Object, op: str) -> Failure | None:
    vbds = [vbd for ref in vdi["VBDs"] if (vbd := world.db.lookup("VBD", ref)) is not None]
    in_use = any(vbd["currently_attached"] for vbd in vbds) or (
        op in ("destroy", "forget", "data_destroy", "resize") and world.storage.readers.has(vdi)
    )
    if op not in _LIVE and in_use and not _copied_read_only(vbds, op):
        return Failure("VDI_IN_USE", vdi.ref, op)
    if any(vbd["current_operations"] for vbd in vbds):
        return Failure("OTHER_OPERATION_IN_PROGRESS", "VDI", vdi.ref)
    return None


def _copied_read_only(vbds: list[Object], op: str) -> bool:
    """Whether it is a copy of what nobody writes."""
    return op == "copy" and all(vbd["mode"] == "RO" for vbd in vbds if vbd["currently_attached"])


def _kind(world: World, vdi: Object, op: str) -> Failure | None:
    kind = vdi["type"]
    if kind == "cbt_metadata" and op in _NEEDS_CONTENT:
        return Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, kind)
    if op in ("enable_cbt", "disable_cbt") and kind not in ("user", "system"):
        return Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, kind)
    if op in ("destroy", "forget") and (found := _kept(world, vdi)) is not None:
        return found
    if kind not in _OF_THE_CLUSTER:
        return None
    if op == "copy":
        return Failure("OPERATION_NOT_ALLOWED", "VDI containing HA statefile or redo log cannot be copied")
    held = op in ("destroy", "data_destroy", "resize", "resize_online") and world.pool["ha_enabled"]
    return Failure("HA_IS_ENABLED") if held else None


def _kept(world: World, vdi: Object) -> Failure | None:
    """Why a disk that the pool keeps something in is not given up."""
    if vdi["type"] == "rrd":
        return Failure("VDI_HAS_RRDS", vdi.ref)
    own = vdi["type"] == "metadata" and vdi["metadata_of_pool"] == world.pool.ref
    return Failure("VDI_CONTAINS_METADATA_OF_THIS_POOL", vdi.ref, world.pool.ref) if own else None


def _storage(world: World, vdi: Object, op: str) -> Failure | None:
    sr = world.db.get("SR", vdi["SR"])
    if sr["type"] == "udev" and op in ("destroy", "data_destroy"):
        return Failure("VDI_IS_A_PHYSICAL_DEVICE", vdi.ref)
    if sr["is_tools_sr"] and op in ("destroy", "forget"):
        return Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    needed = _FEATURES.get(op)
    if needed and needed not in features(world, sr):
        return Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    return None


def _tracking(_world: World, vdi: Object, op: str) -> Failure | None:
    if op in ("enable_cbt", "disable_cbt") and vdi["is_a_snapshot"]:
        return Failure("OPERATION_NOT_ALLOWED", f"VDI is a snapshot: {vdi.ref}")
    if op != "data_destroy":
        return None
    if not vdi["is_a_snapshot"]:
        return Failure("OPERATION_NOT_ALLOWED", f"VDI is not a snapshot: {vdi.ref}")
    return None if vdi["cbt_enabled"] else Failure("VDI_NO_CBT_METADATA", vdi.ref)


def _boot(_world: World, vdi: Object, op: str) -> Failure | None:
    if op == "snapshot" and vdi["sharable"]:
        return Failure("VDI_IS_SHARABLE", vdi.ref)
    resets = vdi["on_boot"] == "reset" and op in ("snapshot", "enable_cbt", "disable_cbt")
    return Failure("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION") if resets else None


def _managed(_world: World, vdi: Object, _op: str) -> Failure | None:
    return None if vdi["managed"] else Failure("VDI_NOT_MANAGED", vdi.ref)


_CHECKS: tuple[_Check, ...] = (_managed, _running, _connection, _drives, _kind, _storage, _tracking, _boot)


@refusal("VDI")
def refusal_of(world: World, vdi: Object, op: str) -> Failure | None:
    """The first reason against an operation, or None when it may begin."""
    return next((found for check in _CHECKS if (found := check(world, vdi, op)) is not None), None)


@derived("VDI", "allowed_operations")
def allowed_operations(world: World, vdi: Object) -> list[str]:
    """The operations that may begin now."""
    names = ADVERTISED + (_WITH_CBT if world.options.api >= CBT_SINCE else ())
    return [op for op in names if refusal_of(world, vdi, op) is None]
