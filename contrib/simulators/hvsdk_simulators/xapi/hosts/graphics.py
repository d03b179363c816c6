"""Graphics cards, the groups they are in, and the virtual ones that VMs have."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.situation import assert_state

_ROLE = "pool-operator"


@message(
    'VGPU.create(VM ref VM, GPU_group ref GPU_group, string device = "0", (string -> string) map other_config = {}, '
    "VGPU_type ref type = OpaqueRef:NULL) -> VGPU ref",
    role=_ROLE,
    since="1.9",
)
def create_vgpu(
    call: Call, VM: Object, GPU_group: Object, device: str, other_config: dict[str, str], type: Object | None
) -> Object:
    """Give a VM a virtual card, which must be halted; without a type it gets a whole card."""
    db = call.world.db
    assert_state(VM, states.HALTED)
    if device != "0":
        raise Failure("INVALID_DEVICE", device)
    if any(db.get("VGPU", ref)["device"] == "0" for ref in VM["VGPUs"]):
        raise Failure("DEVICE_ALREADY_EXISTS", "0")
    chosen = type or next(one for one in db.all("VGPU_type") if one["implementation"] == "passthrough")
    return db.create(
        "VGPU", VM=VM.ref, GPU_group=GPU_group.ref, device="0", other_config=dict(other_config), type=chosen.ref
    )


@message("VGPU.destroy(VGPU ref self) -> void", role=_ROLE, since="1.9")
def destroy_vgpu(call: Call, self: Object) -> None:
    """Take a virtual card from its VM, which must be halted."""
    assert_state(call.world.db.get("VM", self["VM"]), states.HALTED)
    call.world.db.delete(self)


@message(
    "GPU_group.create(string name_label = , string name_description = , "
    "(string -> string) map other_config = {}) -> GPU_group ref",
    role=_ROLE,
    since="1.9",
)
def create_group(call: Call, name_label: str, name_description: str, other_config: dict[str, str]) -> Object:
    """Make a group of cards, with none in it."""
    return call.world.db.create(
        "GPU_group", name_label=name_label, name_description=name_description, other_config=dict(other_config)
    )


@message("GPU_group.destroy(GPU_group ref self) -> void", role=_ROLE, since="1.9")
def destroy_group(call: Call, self: Object) -> None:
    """Remove a group that has no cards."""
    if self["PGPUs"]:
        raise Failure("GPU_GROUP_CONTAINS_PGPU", *self["PGPUs"])
    if self["VGPUs"]:
        raise Failure("GPU_GROUP_CONTAINS_VGPU", *self["VGPUs"])
    call.world.db.delete(self)


@message("GPU_group.get_remaining_capacity(GPU_group ref self, VGPU_type ref vgpu_type) -> int", since="2.0")
def get_group_capacity(call: Call, self: Object, vgpu_type: Object) -> int:
    """How many more virtual cards of a type the cards of a group can be."""
    return sum(get_capacity(call, call.world.db.get("PGPU", ref), vgpu_type) for ref in self["PGPUs"])


@message("PGPU.get_remaining_capacity(PGPU ref self, VGPU_type ref vgpu_type) -> int", since="2.0")
def get_capacity(call: Call, self: Object, vgpu_type: Object) -> int:
    """How many more virtual cards of a type a card can be. It is one type at a time."""
    if vgpu_type.ref not in self["enabled_VGPU_types"]:
        return 0
    resident = [call.world.db.get("VGPU", ref) for ref in self["resident_VGPUs"]]
    if any(vgpu["type"] != vgpu_type.ref for vgpu in resident):
        return 0
    most = int(self["supported_VGPU_max_capacities"].get(vgpu_type.ref, 0))
    return most - len(resident)


@message("PGPU.set_GPU_group(PGPU ref self, GPU_group ref value) -> void", role=_ROLE, since="2.0")
def set_gpu_group(call: Call, self: Object, value: Object) -> None:
    """Put a card that no VM uses into a group of its kind."""
    db = call.world.db
    if self["resident_VGPUs"]:
        raise Failure("PGPU_IN_USE_BY_VM", *(db.get("VGPU", ref)["VM"] for ref in self["resident_VGPUs"]))
    card = db.get("PCI", self["PCI"])
    kind = f"{card['vendor_id']}/{card['device_id']}"
    if value["GPU_types"] and kind not in value["GPU_types"]:
        raise Failure("PGPU_NOT_COMPATIBLE_WITH_GPU_GROUP", kind, f"[{', '.join(value['GPU_types'])}]")
    db.update(self, GPU_group=value.ref)
    db.update(value, GPU_types=[kind])


@message("PGPU.add_enabled_VGPU_types(PGPU ref self, VGPU_type ref value) -> void", role=_ROLE, since="2.0")
def add_enabled_type(call: Call, self: Object, value: Object) -> None:
    """Let a card be virtual cards of one more type."""
    set_enabled_types(call, self, [*(call.world.db.get("VGPU_type", ref) for ref in self["enabled_VGPU_types"]), value])


@message("PGPU.remove_enabled_VGPU_types(PGPU ref self, VGPU_type ref value) -> void", role=_ROLE, since="2.0")
def remove_enabled_type(call: Call, self: Object, value: Object) -> None:
    """Let a card be virtual cards of one type less."""
    left = [ref for ref in self["enabled_VGPU_types"] if ref != value.ref]
    set_enabled_types(call, self, [call.world.db.get("VGPU_type", ref) for ref in left])


@message("PGPU.set_enabled_VGPU_types(PGPU ref self, VGPU_type ref set value) -> void", role=_ROLE, since="2.0")
def set_enabled_types(call: Call, self: Object, value: list[Object]) -> None:
    """Say which types of virtual cards a card can be."""
    for one in value:
        if one.ref not in self["supported_VGPU_types"]:
            raise Failure("VGPU_TYPE_NOT_SUPPORTED", one.ref, *self["supported_VGPU_types"])
    call.world.db.update(self, enabled_VGPU_types=list(dict.fromkeys(one.ref for one in value)))


@message("PGPU.enable_dom0_access(PGPU ref self) -> enum pci_dom0_access", role=_ROLE, since="2.4")
def enable_dom0_access(call: Call, self: Object) -> str:
    """Let the control domain use a card from the next boot on."""
    return _change_access(call, self, {"disabled": "enable_on_reboot", "disable_on_reboot": "enabled"})


@message("PGPU.disable_dom0_access(PGPU ref self) -> enum pci_dom0_access", role=_ROLE, since="2.4")
def disable_dom0_access(call: Call, self: Object) -> str:
    """Keep a card from the control domain from the next boot on, so that a VM can have it."""
    return _change_access(call, self, {"enabled": "disable_on_reboot", "enable_on_reboot": "disabled"})


@message("PCI.get_dom0_access_status(PCI ref self) -> enum pci_dom0_access", role=_ROLE, since="2.21")
def get_dom0_access_status(call: Call, self: Object) -> str:
    """Whether the control domain has the device: always."""
    return "enabled"


def _change_access(call: Call, card: Object, changes: dict[str, str]) -> str:
    access = changes.get(card["dom0_access"], str(card["dom0_access"]))
    call.world.db.update(card, dom0_access=access)
    return access
