"""What is measured of an SR, source by source."""

from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.hosts.rrd_sources import Measured, Source
from hvsdk_simulators.xapi.messages import message

from .connections import assert_attached
from .space import physical_utilisation


@message("SR.get_data_sources(SR ref sr) -> data_source record set", since="2.5")
def get_data_sources(call: Call, sr: Object) -> list[dict[str, Any]]:
    """All sources with their values now."""
    return _measured(call, sr).records()


@message("SR.query_data_source(SR ref sr, string data_source) -> float", since="2.5")
def query_data_source(call: Call, sr: Object, data_source: str) -> float:
    """The value of one source now."""
    return _measured(call, sr).now(data_source)


@message("SR.record_data_source(SR ref sr, string data_source) -> void", role="pool-operator", since="2.5")
def record_data_source(call: Call, sr: Object, data_source: str) -> None:
    """Begin to keep a source's values. All are kept here."""
    _measured(call, sr).source(data_source)


@message("SR.forget_data_source_archives(SR ref sr, string data_source) -> void", role="pool-operator", since="2.5")
def forget_data_source_archives(call: Call, sr: Object, data_source: str) -> None:
    """Drop the values kept of a source; they follow from the time here, so none are kept."""
    _measured(call, sr).source(data_source)


def _measured(call: Call, sr: Object) -> Measured:
    assert_attached(call.world, sr)
    used = float(physical_utilisation(call.world, sr))
    sources = [
        Source("physical_utilisation", "Physical utilisation", "B", used),
        Source("size", "Size", "B", float(sr["physical_size"])),
        Source("io_throughput_read", "Data read from the SR", "MiB/s", 8.0, 8.0),
        Source("io_throughput_write", "Data written to the SR", "MiB/s", 4.0, 4.0),
    ]
    return Measured("sr", sr["uuid"], sources)
