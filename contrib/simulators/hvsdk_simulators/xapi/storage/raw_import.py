"""`PUT /import_raw_vdi`: content for a disk, as it is or as a VHD."""

from contextlib import ExitStack

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler

from .disk import Disk
from .space import remeasure
from .transfers import CHUNK, Progress, assert_content, find, parameters, redirected
from .vhd import VhdError, decode

_FORMATS = ("raw", "vhd")


@handler("PUT", "/import_raw_vdi", role="vm-admin")
def import_raw_vdi(exchange: Exchange) -> None:
    """Take content for a disk. The status line is sent before it is read: how it ended is told by the task."""
    asked = parameters(exchange)
    form = asked.get("format", "raw")
    if "transfer-encoding" in exchange.headers:
        exchange.start(404, {})
        raise Failure("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED")
    if form not in _FORMATS:
        exchange.start(404, {})
        raise Failure("INTERNAL_ERROR", f"Unknown format {form}")
    world = exchange.world
    with ExitStack() as held:
        with world.lock:
            vdi, made = _target(exchange, asked, form)
            if redirected(exchange, world.db.get("SR", vdi["SR"])):
                return
            assert_content(exchange, vdi, "RW")
            held.enter_context(world.storage.readers.opened(vdi))
            disk = world.storage.disk(vdi)
        try:
            exchange.start(200, {"Content-Type": "application/octet-stream"})
            _take(exchange, disk, form)
        except BaseException:
            if made:
                with world.lock:
                    world.storage.destroy_vdi(vdi)
            raise
    with world.lock:
        remeasure(world, vdi)
    exchange.result(f"<value>{vdi.ref}</value>")


def _target(exchange: Exchange, asked: dict[str, str], form: str) -> tuple[Object, bool]:
    """The disk that is written to, and whether it was made for that."""
    if asked.get("vdi"):
        return find(exchange, "VDI", asked["vdi"]), False
    if not asked.get("sr_id") or form != "raw" or exchange.content_length is None:
        raise Failure("INTERNAL_ERROR", "a disk to write to must be named")
    sr = find(exchange, "SR", asked["sr_id"])
    if redirected(exchange, sr):
        raise Failure("SR_NOT_ATTACHED", sr.ref)
    new: Object = exchange.world.storage.create_vdi(sr, exchange.content_length, name="Imported VDI")
    return new, True


def _take(exchange: Exchange, disk: Disk, form: str) -> None:
    progress = Progress(exchange)
    if form == "raw":
        _take_raw(exchange, disk, progress)
        return
    try:
        decode(exchange.read, disk, progress)
    except VhdError as exc:
        raise Failure("INTERNAL_ERROR", f"Caught exception: {exc}") from exc
    while exchange.read(CHUNK):
        pass


def _take_raw(exchange: Exchange, disk: Disk, progress: Progress) -> None:
    offset = 0
    while piece := exchange.read(CHUNK):
        if offset + len(piece) > disk.size:
            raise Failure("VDI_IO_ERROR", "Device I/O errors")
        disk.write(offset, piece)
        offset += len(piece)
        progress(offset / (exchange.content_length or disk.size))
    if exchange.content_length is not None and offset < exchange.content_length:
        raise Failure("INTERNAL_ERROR", f"Caught exception: the stream ended after {offset} bytes")
