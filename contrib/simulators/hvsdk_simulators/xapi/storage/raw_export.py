"""`GET /export_raw_vdi`: the content of a disk as it is, or as a VHD."""

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import UUID

from attrs import frozen

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler

from .disk import Disk
from .transfers import CHUNK, Progress, assert_content, find, parameters, redirected
from .vhd import MAXIMUM_SIZE, Parent, encode

_ZEROS = bytes(CHUNK)
_TYPES = {"raw": "application/octet-stream", "vhd": "application/vhd"}


@frozen
class _Wanted:
    """A disk that is asked for, and the one it is to be told from."""

    vdi: Object
    base: Object | None
    form: str


@handler("GET", "/export_raw_vdi", role="vm-admin")
def export_raw_vdi(exchange: Exchange) -> None:
    """Send a disk. The status line comes first: how it ended is told by the task."""
    form = parameters(exchange).get("format", "raw")
    if form not in _TYPES:
        exchange.start(404, {})
        raise Failure("INTERNAL_ERROR", f"Unknown format {form}")
    world = exchange.world
    with ExitStack() as held:
        with world.lock:
            wanted = _wanted(exchange, form)
            if redirected(exchange, world.db.get("SR", wanted.vdi["SR"])):
                return
            for vdi in (wanted.vdi, wanted.base):
                if vdi is not None:
                    assert_content(exchange, vdi, "RO")
                    held.enter_context(world.storage.readers.opened(vdi))
            disk = world.storage.disk(wanted.vdi)
            base = world.storage.disk(wanted.base) if wanted.base is not None else None
        exchange.start(200, _headers(wanted))
        progress = Progress(exchange)
        pieces = _vhd(wanted, disk, base, progress) if form == "vhd" else _raw(disk, progress)
        for piece in pieces:
            exchange.write(piece)


def _wanted(exchange: Exchange, form: str) -> _Wanted:
    asked = parameters(exchange)
    vdi = find(exchange, "VDI", asked.get("vdi", ""))
    base = find(exchange, "VDI", asked["base"]) if asked.get("base") and form == "vhd" else None
    if form == "vhd" and vdi["virtual_size"] > MAXIMUM_SIZE:
        raise Failure("VDI_TOO_LARGE", vdi.ref, str(MAXIMUM_SIZE))
    return _Wanted(vdi, base, form)


def _headers(wanted: _Wanted) -> dict[str, str]:
    name = f"{wanted.vdi['uuid']}.{wanted.form}"
    headers = {"Content-Type": _TYPES[wanted.form], "Content-Disposition": f'attachment; filename="{name}"'}
    length = {"Content-Length": str(wanted.vdi["virtual_size"])} if wanted.form == "raw" else {}
    return headers | length


def _raw(disk: Disk, progress: Progress) -> Iterator[bytes]:
    for extent in disk.extents(0, disk.size):
        for offset in range(extent.offset, extent.end, CHUNK):
            length = min(CHUNK, extent.end - offset)
            yield disk.read(offset, length) if extent.written else _ZEROS[:length]
            progress((offset + length) / disk.size)


def _vhd(wanted: _Wanted, disk: Disk, base: Disk | None, progress: Progress) -> Iterator[bytes]:
    total = max(disk.written_bytes, 1)
    parent = (base, Parent(UUID(wanted.base["uuid"]), f"{wanted.base['uuid']}.vhd")) if base and wanted.base else None
    sent = 0
    for piece in encode(disk, UUID(wanted.vdi["uuid"]), parent):
        yield piece
        sent += len(piece)
        progress(sent / total)
