"""What is measured of a VM, source by source."""

import time
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.rrd_sources import Source, measured_vm
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import assert_state


@message("VM.get_data_sources(VM ref self) -> data_source record set", since="1.3")
def get_data_sources(call: Call, self: Object) -> list[dict[str, Any]]:
    """All sources of a running VM with their values now."""
    with operation(call, self, "data_source_op"):
        return [_record(self, source) for source in measured_vm(call.world, self).sources]


@message("VM.query_data_source(VM ref self, string data_source) -> float", since="1.3")
def query_data_source(call: Call, self: Object, data_source: str) -> float:
    """The value of one source now."""
    assert_state(self, states.RUNNING, states.PAUSED)
    return _source(call, self, data_source).value(self["uuid"], int(time.time()))


@message("VM.record_data_source(VM ref self, string data_source) -> void", role="vm-admin", since="1.3")
def record_data_source(call: Call, self: Object, data_source: str) -> None:
    """Begin to keep a source's values. All are kept here."""
    with operation(call, self, "data_source_op"):
        _source(call, self, data_source)


@message("VM.forget_data_source_archives(VM ref self, string data_source) -> void", role="vm-admin", since="1.3")
def forget_data_source_archives(call: Call, self: Object, data_source: str) -> None:
    """Drop the values kept of a source; they follow from the time here, so none are kept."""
    with operation(call, self, "data_source_op"):
        _source(call, self, data_source)


def _source(call: Call, vm: Object, name: str) -> Source:
    found = next((one for one in measured_vm(call.world, vm).sources if one.name == name), None)
    if found is None:
        raise Failure("INTERNAL_ERROR", f"no data source {name} of VM {vm['uuid']}")
    return found


def _record(vm: Object, source: Source) -> dict[str, Any]:
    return {
        "name_label": source.name,
        "name_description": source.description,
        "enabled": True,
        "standard": True,
        "units": source.units,
        "min": 0.0,
        "max": source.top,
        "value": source.value(vm["uuid"], int(time.time())),
    }
