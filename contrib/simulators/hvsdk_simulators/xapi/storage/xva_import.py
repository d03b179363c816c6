"""`PUT /import` and `PUT /import_metadata`: VMs made from XVA archives."""

from collections.abc import Callable
from xml.sax.saxutils import escape

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.world import World

from .connections import assert_attached
from .space import remeasure
from .transfers import Progress, find, parameters, redirected
from .xva import ArchiveReader, Document, Making, plan, read_document


@handler("PUT", "/import", role="vm-admin")
def import_vm(exchange: Exchange) -> None:
    """Make the VMs of an archive, with their disks. When anything fails, nothing is left of them."""
    world = exchange.world
    asked = parameters(exchange)
    _refuse_chunked(exchange)
    with world.lock:
        sr = _sr(exchange, asked)
        assert_attached(world, sr)
        if redirected(exchange, sr):
            return
    exchange.start(200, {"Content-Type": "application/octet-stream"})
    restore, force = (asked.get(name) == "true" for name in ("restore", "force"))
    _tell(exchange, import_archive(world, exchange.read, sr, Progress(exchange), restore=restore, force=force))


def import_archive(
    world: World, read: Callable[[int], bytes], sr: Object, progress: Progress, *, restore: bool, force: bool
) -> list[Object]:
    """Make the VMs of an archive that comes by pieces, with their disks in an SR.

    Raises:
        Failure: It is no archive, or does not fit; nothing is left of it then.
    """
    archive = ArchiveReader(read)
    document = read_document(archive.records())
    making = Making(world, sr, restore=restore)
    try:
        with world.lock:
            _assert_new(world, document, making)
            vms = making.make(document, plan(world, document, with_content=True, force=force))
        _take(world, archive, making, progress)
    except BaseException:
        with world.lock:
            making.undo()
        raise
    return vms


@handler("PUT", "/import_metadata", role="vm-admin")
def import_metadata(exchange: Exchange) -> None:
    """Make the VMs of an archive of records alone, whose disks are here. A dry run only says whether it could."""
    world = exchange.world
    asked = parameters(exchange)
    _refuse_chunked(exchange)
    exchange.start(200, {"Content-Type": "application/octet-stream"})
    document = read_document(ArchiveReader(exchange.read).records())
    making = Making(world, None, restore=asked.get("restore") == "true")
    with world.lock:
        _assert_new(world, document, making)
        wanted = plan(world, document, with_content=False, force=asked.get("force") == "true")
        try:
            vms = making.make(document, wanted) if asked.get("dry_run") != "true" else []
        except BaseException:
            making.undo()
            raise
    _tell(exchange, vms)


def _refuse_chunked(exchange: Exchange) -> None:
    if "transfer-encoding" in exchange.headers:
        exchange.start(403, {})
        raise Failure("IMPORT_ERROR_CANNOT_HANDLE_CHUNKED")


def _sr(exchange: Exchange, asked: dict[str, str]) -> Object:
    named = asked.get("sr_id") or asked.get("sr_uuid")
    if named:
        return find(exchange, "SR", named)
    default: str = exchange.world.pool["default_SR"]
    found = exchange.world.db.lookup("SR", default)
    if found is None:
        raise Failure("DEFAULT_SR_NOT_FOUND", default)
    return found


def _assert_new(world: World, document: Document, making: Making) -> None:
    if not document.of("VM"):
        raise Failure("IMPORT_ERROR_FAILED_TO_FIND_OBJECT", "VM")
    known = {vm["uuid"]: vm for vm in world.db.all("VM")}
    for _, record in document.of("VM") if making.restore else ():
        if record["uuid"] in known:
            raise Failure("DUPLICATE_VM", known[record["uuid"]].ref)


def _take(world: World, archive: ArchiveReader, making: Making, progress: Progress) -> None:
    """Write what the archive has of disks to those that were made."""
    storage = world.storage
    disks = {ref: storage.disk(vdi) for ref, vdi in making.disks.items()}
    total, taken = sum(disk.size for disk in disks.values()) or 1, 0
    for ref, offset, content in archive.pieces():
        if ref not in disks:
            raise Failure("IMPORT_ERROR_FAILED_TO_FIND_OBJECT", ref)
        if offset + len(content) > disks[ref].size:
            raise Failure("IMPORT_ERROR", f"{ref} has more than its record says")
        disks[ref].write(offset, content)
        taken += len(content)
        progress(taken / total)
    with world.lock:
        for vdi in making.disks.values():
            remeasure(world, vdi)


def _tell(exchange: Exchange, vms: list[Object]) -> None:
    refs = "".join(f"<value>{escape(vm.ref)}</value>" for vm in vms if vm.ref != NULL)
    exchange.result(f"<value><array><data>{refs}</data></array></value>")
