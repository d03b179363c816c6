"""`GET /export` and `GET /export_metadata`: VMs as XVA archives, with the content of their disks or without."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from hvsdk_simulators.xapi.call import assert_allowed
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.derived import DERIVED
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.world import World

from .disk import Disk
from .transfers import Progress, assert_content, find, parameters
from .xva import MEMBER_OF_RECORDS, disk_members, end, file_member, write_document

_SUGGESTED = {"Content-Type": "application/octet-stream", "Content-Disposition": 'attachment; filename="export.xva"'}
_COMPRESSED = ("true", "gzip")


@handler("GET", "/export", role="vm-admin")
def export(exchange: Exchange) -> None:
    """Send a VM with its disks."""
    world = exchange.world
    asked = parameters(exchange)
    with ExitStack() as held:
        with world.lock:
            vm = find(exchange, "VM", asked.get("uuid") or asked.get("ref", ""))
            assert_allowed(world, vm, "export")
            objects = _related(world, [vm])
            disks = _disks(exchange, objects)
            for obj in objects:
                if obj.ref in disks:
                    held.enter_context(world.storage.readers.opened(obj))
            document = _document(world, objects)
        exchange.start(200, _SUGGESTED)
        pieces = _pieces(document, objects, disks, Progress(exchange))
        for piece in _gzip(pieces) if asked.get("use_compression") in _COMPRESSED else pieces:
            exchange.write(piece)


@handler("GET", "/export_metadata", role="vm-admin")
def export_metadata(exchange: Exchange) -> None:
    """Send the records of one VM, or of all."""
    world = exchange.world
    asked = parameters(exchange)
    with world.lock:
        if asked.get("all") == "true":
            dom0 = asked.get("include_dom0") == "true"
            kept = [vm for vm in world.db.all("VM") if not vm["is_default_template"] and not vm["is_a_snapshot"]]
            vms = [vm for vm in kept if dom0 or not vm["is_control_domain"]]
        else:
            vms = [find(exchange, "VM", asked.get("uuid") or asked.get("ref", ""))]
            assert_allowed(world, vms[0], "metadata_export")
        content = file_member(MEMBER_OF_RECORDS, _document(world, _related(world, vms))) + end()
    exchange.start(200, _SUGGESTED | {"Content-Length": str(len(content))})
    exchange.write(content)


def _related(world: World, vms: list[Object]) -> list[Object]:
    """The VMs, and what their records are not whole without."""
    found: dict[str, Object] = {}

    def add(cls: str, *refs: str) -> list[Object]:
        objects = [obj for ref in refs if (obj := world.db.lookup(cls, ref)) is not None]
        found.update((obj.ref, obj) for obj in objects)
        return objects

    for vm in vms:
        add("VM", vm.ref)
        add("VM_guest_metrics", vm["guest_metrics"])
        vbds = add("VBD", *vm["VBDs"])
        vdis = add("VDI", *(vbd["VDI"] for vbd in vbds), vm["suspend_VDI"])
        add("SR", *(vdi["SR"] for vdi in vdis))
        add("network", *(vif["network"] for vif in add("VIF", *vm["VIFs"])))
    return list(found.values())


def _disks(exchange: Exchange, objects: list[Object]) -> dict[str, Disk]:
    """The content of the disks, media left out."""
    world = exchange.world
    drives = {obj["VDI"] for obj in objects if obj.cls == "VBD" and obj["type"] == "Disk"}
    saved = {obj["suspend_VDI"] for obj in objects if obj.cls == "VM"}
    wanted = [obj for obj in objects if obj.cls == "VDI" and obj.ref in (drives | saved) - {NULL}]
    for vdi in wanted:
        assert_content(exchange, vdi, "RO")
    return {vdi.ref: world.storage.disk(vdi) for vdi in wanted}


def _document(world: World, objects: list[Object]) -> bytes:
    return write_document(_version(world), [(obj, _shown(world, obj)) for obj in objects])


def _shown(world: World, obj: Object) -> dict[str, Any]:
    return obj.fields | {name: derive(world, obj) for name, derive in DERIVED.get(obj.cls, {}).items()}


def _version(world: World) -> dict[str, str]:
    software: dict[str, str] = world.master["software_version"]
    major, minor = world.options.api
    return {
        "hostname": world.master["hostname"],
        "date": software.get("date", ""),
        "product_version": software.get("product_version", ""),
        "product_brand": software.get("product_brand", ""),
        "build_number": software.get("build_number", ""),
        "xapi_major": str(major),
        "xapi_minor": str(minor),
        "export_vsn": "2",
    }


def _pieces(document: bytes, objects: list[Object], disks: dict[str, Disk], progress: Progress) -> Iterator[bytes]:
    yield file_member(MEMBER_OF_RECORDS, document)
    total, sent = max(sum(disk.written_bytes for disk in disks.values()), 1), 0
    for number, obj in enumerate(objects):
        for piece in disk_members(f"Ref:{number}", disks[obj.ref]) if obj.ref in disks else ():
            yield piece
            sent += len(piece)
            progress(sent / total)
    yield end()


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    deflate = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        if packed := deflate.compress(piece):
            yield packed
    yield deflate.flush()
