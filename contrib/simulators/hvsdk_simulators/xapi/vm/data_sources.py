"""What is measured of a VM, source by source."""

from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.hosts.rrd_sources import measured_vm
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import assert_state


@message("VM.get_data_sources(VM ref self) -> data_source record set", since="1.3")
def get_data_sources(call: Call, self: Object) -> list[dict[str, Any]]:
    """All sources of a running VM with their values now."""
    with operation(call, self, "data_source_op"):
        return measured_vm(call.world, self).records()


@message("VM.query_data_source(VM ref self, string data_source) -> float", since="1.3")
def query_data_source(call: Call, self: Object, data_source: str) -> float:
    """The value of one source now."""
    assert_state(self, states.RUNNING, states.PAUSED)
    return measured_vm(call.world, self).now(data_source)


@message("VM.record_data_source(VM ref self, string data_source) -> void", role="vm-admin", since="1.3")
def record_data_source(call: Call, self: Object, data_source: str) -> None:
    """Begin to keep a source's values. All are kept here."""
    with operation(call, self, "data_source_op"):
        measured_vm(call.world, self).source(data_source)


@message("VM.forget_data_source_archives(VM ref self, string data_source) -> void", role="vm-admin", since="1.3")
def forget_data_source_archives(call: Call, self: Object, data_source: str) -> None:
    """Drop the values kept of a source; they follow from the time here, so none are kept."""
    with operation(call, self, "data_source_op"):
        measured_vm(call.world, self).source(data_source)
