"""What an import will make of an archive's records: decided before anything is made."""

from typing import Any

from attrs import field, frozen

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import NULL
from hvsdk_simulators.xapi.world import World

from ._document import Document

Record = dict[str, Any]


@frozen
class Plan:
    """References within the archive and what they will be here."""

    networks: dict[str, Object]
    media: dict[str, Object] = field(factory=dict)
    """Disks that are here already: media, and all disks of an import of records alone."""
    disks: dict[str, Record] = field(factory=dict)
    """Disks to be made."""
    missing: set[str] = field(factory=set)
    """Disks that are not here and not in the archive; their drives are left out."""


def plan(world: World, document: Document, *, with_content: bool, force: bool) -> Plan:
    """Decide.

    Args:
        world: The pool.
        document: What the archive says.
        with_content: The archive has the disks; without, they must be here.
        force: Leave out disks that are not here.

    Raises:
        Failure: A disk is not here.
    """
    made = Plan({ref: _network(world, record) for ref, record in document.of("network")})
    contents = _contents(document)
    for ref, record in document.of("VDI"):
        if with_content and ref in contents:
            made.disks[ref] = record
            continue
        here = next((vdi for vdi in world.db.all("VDI") if _same(vdi, record)), None)
        if here is not None:
            made.media[ref] = here
        elif ref in contents and not force:
            raise Failure("IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND")
        else:
            made.missing.add(ref)
    return made


def _contents(document: Document) -> set[str]:
    """The disks that are not media."""
    drives = {record["VDI"] for _, record in document.of("VBD") if record["type"] == "Disk"}
    return drives | {record.get("suspend_VDI", NULL) for _, record in document.of("VM")}


def _same(vdi: Object, record: Record) -> bool:
    return bool(vdi["uuid"] == record["uuid"] or (record["location"] and vdi["location"] == record["location"]))


def _network(world: World, record: Record) -> Object:
    known = world.db.all("network")
    for name in ("uuid", "name_label", "bridge"):
        found = next((network for network in known if network[name] == record[name]), None)
        if found is not None:
            return found
    return world.db.create("network", name_label=record["name_label"], MTU=1500, bridge=record["bridge"])
