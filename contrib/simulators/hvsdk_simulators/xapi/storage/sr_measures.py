"""What is measured of an SR, source by source, and blobs kept beside it."""

import time
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.hosts.rrd_sources import Source
from hvsdk_simulators.xapi.messages import message

from .connections import assert_attached
from .space import physical_utilisation


@message("SR.get_data_sources(SR ref sr) -> data_source record set", since="2.5")
def get_data_sources(call: Call, sr: Object) -> list[dict[str, Any]]:
    """All sources with their values now."""
    return [_record(sr, source) for source in _sources(call, sr)]


@message("SR.query_data_source(SR ref sr, string data_source) -> float", since="2.5")
def query_data_source(call: Call, sr: Object, data_source: str) -> float:
    """The value of one source now."""
    return _source(call, sr, data_source).value(sr["uuid"], int(time.time()))


@message("SR.record_data_source(SR ref sr, string data_source) -> void", role="pool-operator", since="2.5")
def record_data_source(call: Call, sr: Object, data_source: str) -> None:
    """Begin to keep a source's values. All are kept here."""
    _source(call, sr, data_source)


@message("SR.forget_data_source_archives(SR ref sr, string data_source) -> void", role="pool-operator", since="2.5")
def forget_data_source_archives(call: Call, sr: Object, data_source: str) -> None:
    """Drop the values kept of a source; they follow from the time here, so none are kept."""
    _source(call, sr, data_source)


@message(
    "SR.create_new_blob(SR ref sr, string name, string mime_type, bool public = false) -> blob ref",
    role="pool-operator",
    since="1.3",
)
def create_new_blob(call: Call, sr: Object, name: str, mime_type: str, public: bool) -> Object:
    """Keep something beside an SR under a name."""
    blob = call.world.db.create("blob", mime_type=mime_type or "application/octet-stream", public=public)
    call.world.db.update(sr, blobs=sr["blobs"] | {name: blob.ref})
    return blob


def _sources(call: Call, sr: Object) -> list[Source]:
    assert_attached(call.world, sr)
    used = float(physical_utilisation(call.world, sr))
    return [
        Source("physical_utilisation", "Physical utilisation", "B", used),
        Source("size", "Size", "B", float(sr["physical_size"])),
        Source("io_throughput_read", "Data read from the SR", "MiB/s", 8.0, 8.0),
        Source("io_throughput_write", "Data written to the SR", "MiB/s", 4.0, 4.0),
    ]


def _source(call: Call, sr: Object, name: str) -> Source:
    found = next((one for one in _sources(call, sr) if one.name == name), None)
    if found is None:
        raise Failure("INTERNAL_ERROR", f"no data source {name} of SR {sr['uuid']}")
    return found


def _record(sr: Object, source: Source) -> dict[str, Any]:
    return {
        "name_label": source.name,
        "name_description": source.description,
        "enabled": True,
        "standard": True,
        "units": source.units,
        "min": 0.0,
        "max": source.top,
        "value": source.value(sr["uuid"], int(time.time())),
    }
