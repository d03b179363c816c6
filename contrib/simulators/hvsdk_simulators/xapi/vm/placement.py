"""Asking where a VM can run, and which device numbers are free."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.storage.vbd_create import free_positions
from hvsdk_simulators.xapi.vm import hosts

_VIFS = 7


@message("VM.assert_can_boot_here(VM ref self, host ref host) -> void", since="1.1")
def assert_can_boot_here(call: Call, self: Object, host: Object) -> None:
    """Raise why the VM cannot run on a host."""
    hosts.assert_can_run(call.world, self, host)


@message("VM.get_possible_hosts(VM ref vm) -> host ref set", since="1.1")
def get_possible_hosts(call: Call, vm: Object) -> list[Object]:
    """The hosts on which the VM could run now."""
    return hosts.possible_hosts(call.world, vm)


@message("VM.assert_agile(VM ref self) -> void", since="1.3")
def assert_agile(call: Call, self: Object) -> None:
    """Raise what binds the VM to one host."""
    for ref in hosts.storage_of(call.world, self):
        if not call.world.db.get("SR", ref)["shared"]:
            raise Failure("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", ref)
    if self["attached_PCIs"]:
        raise Failure("VM_HAS_PCI_ATTACHED", self.ref)
    if self["VGPUs"]:
        raise Failure("VM_HAS_VGPU", self.ref)


@message("VM.get_allowed_VBD_devices(VM ref vm) -> string set", since="1.1")
def get_allowed_vbd_devices(call: Call, vm: Object) -> list[str]:
    """The positions at which no drive is."""
    return free_positions(call.world, vm)


@message("VM.get_allowed_VIF_devices(VM ref vm) -> string set", since="1.1")
def get_allowed_vif_devices(call: Call, vm: Object) -> list[str]:
    """The positions at which no interface is."""
    used = {call.world.db.get("VIF", ref)["device"] for ref in vm["VIFs"]}
    return [text for text in map(str, range(_VIFS)) if text not in used]


@message("VM.retrieve_wlb_recommendations(VM ref vm) -> (host ref -> string set) map", since="1.6")
def retrieve_wlb_recommendations(call: Call, vm: Object) -> dict[str, list[str]]:
    """Refuse: no workload balancing is set up."""
    raise Failure("WLB_NOT_INITIALIZED")
