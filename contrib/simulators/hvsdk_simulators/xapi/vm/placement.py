"""Asking where a VM can run, and which device numbers are free."""

from collections.abc import Iterable

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import hosts
from hvsdk_simulators.xapi.vm.domain import boot_type

_VIFS = 7
_VBDS_BEFORE = 16
_VBDS = 255


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
    many = call.world.options.api >= (2, 4) and boot_type(vm) == "hvm"
    taken = (call.world.db.get("VBD", ref)["userdevice"] for ref in vm["VBDs"])
    return _free(_VBDS if many else _VBDS_BEFORE, taken)


@message("VM.get_allowed_VIF_devices(VM ref vm) -> string set", since="1.1")
def get_allowed_vif_devices(call: Call, vm: Object) -> list[str]:
    """The positions at which no interface is."""
    return _free(_VIFS, (call.world.db.get("VIF", ref)["device"] for ref in vm["VIFs"]))


@message("VM.retrieve_wlb_recommendations(VM ref vm) -> (host ref -> string set) map", since="1.6")
def retrieve_wlb_recommendations(call: Call, vm: Object) -> dict[str, list[str]]:
    """Refuse: no workload balancing is set up."""
    raise Failure("WLB_NOT_INITIALIZED")


def _free(count: int, taken: Iterable[str]) -> list[str]:
    used = set(taken)
    return [str(number) for number in range(count) if str(number) not in used]
