"""What may be done with an SR now, and with which error the product refuses the rest."""

from hvsdk_simulators.xapi.call import refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import Api
from hvsdk_simulators.xapi.world import World

from .connections import is_attached
from .drivers import CBT_SINCE, features

_FIRST: Api = (1, 1)
_ADVERTISED: tuple[tuple[str, Api], ...] = (
    ("scan", _FIRST),
    ("destroy", _FIRST),
    ("forget", _FIRST),
    ("plug", _FIRST),
    ("unplug", _FIRST),
    ("vdi_create", _FIRST),
    ("vdi_destroy", _FIRST),
    ("vdi_resize", _FIRST),
    ("vdi_clone", _FIRST),
    ("vdi_snapshot", _FIRST),
    ("vdi_mirror", (1, 10)),
    ("vdi_enable_cbt", CBT_SINCE),
    ("vdi_disable_cbt", CBT_SINCE),
    ("vdi_data_destroy", CBT_SINCE),
    ("vdi_list_changed_blocks", CBT_SINCE),
    ("vdi_set_on_boot", (1, 8)),
    ("vdi_introduce", (1, 2)),
    ("update", (1, 2)),
    ("pbd_create", (1, 2)),
    ("pbd_destroy", (1, 2)),
)
_FEATURES = {
    "vdi_create": "VDI_CREATE",
    "vdi_destroy": "VDI_DELETE",
    "vdi_data_destroy": "VDI_DELETE",
    "vdi_resize": "VDI_RESIZE",
    "vdi_introduce": "VDI_INTRODUCE",
    "vdi_mirror": "VDI_MIRROR",
    "vdi_snapshot": "VDI_SNAPSHOT",
    "vdi_set_on_boot": "VDI_RESET_ON_BOOT",
    "vdi_enable_cbt": "VDI_CONFIG_CBT",
    "vdi_disable_cbt": "VDI_CONFIG_CBT",
    "vdi_list_changed_blocks": "VDI_CONFIG_CBT",
    "update": "SR_UPDATE",
}
_NOT_WITH_TOOLS = frozenset({"vdi_create", "vdi_destroy", "vdi_data_destroy"})


@refusal("SR")
def refusal_of(world: World, sr: Object, op: str) -> Failure | None:
    """The first reason against an operation, or None when it may begin."""
    needed = _FEATURES.get(op)
    if (needed and needed not in features(world, sr)) or (sr["is_tools_sr"] and op in _NOT_WITH_TOOLS):
        return Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
    if op in ("destroy", "forget") and is_attached(world, sr):
        return Failure("SR_HAS_PBD", sr.ref)
    if op == "destroy" and not sr["PBDs"]:
        return Failure("SR_HAS_NO_PBDS", sr.ref)
    if op == "destroy" and sr["VDIs"]:
        return Failure("SR_NOT_EMPTY")
    running = next(iter(sr["current_operations"].values()), None)
    return Failure("OTHER_OPERATION_IN_PROGRESS", "SR", sr.ref, running) if running else None


@derived("SR", "allowed_operations")
def allowed_operations(world: World, sr: Object) -> list[str]:
    """The operations that may begin now."""
    api = world.options.api
    return [op for op, since in _ADVERTISED if since <= api and refusal_of(world, sr, op) is None]
