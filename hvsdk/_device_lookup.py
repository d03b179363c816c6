"""Which disk or adapter of a domain is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk.errors import DiskNotFoundError, InvalidSpecError, NicNotFoundError

if TYPE_CHECKING:
    from hvsdk._handle import Handle
    from hvsdk.models import Disk, DomainInfo, Nic

__all__ = ["disk_id_of", "find_disk", "find_nic", "id_of", "must_be", "nic_id_of", "no_disk", "say_that_it_is_a_drive"]


def must_be(value: object, kind: type, what: str) -> None:
    """Raise `InvalidSpecError` unless `value` is of a type; `what` says what is taken."""
    if not isinstance(value, kind):
        raise InvalidSpecError(f"{what}, not {value!r}")


def find_disk(info: DomainInfo, disk_id: str) -> Disk | None:
    """Return the disk of that id."""
    return next((disk for disk in info.disks if disk.id == disk_id), None)


def find_nic(info: DomainInfo, key: str) -> Nic | None:
    """Return the adapter of that id or MAC."""
    mac = key.lower()
    return next((nic for nic in info.nics if nic.id == key or nic.mac == mac), None)


def disk_id_of(domain: Handle, disk: Disk | str) -> str:
    """Return the id of a disk that the domain has, reading the domain again before it says that there is none.

    Raises:
        DiskNotFoundError: It has none of that id, or the record is of another disk: ids such as `vda` repeat.
    """
    from hvsdk.models import Disk

    if isinstance(disk, Disk):
        return _own_disk(domain, disk)
    must_be(disk, str, "a disk is named by its record or its id")
    if "disks" in domain.info.loaded and find_disk(domain.info, disk) is None:
        domain.refresh()
        if find_disk(domain.info, disk) is None:
            raise no_disk(domain, disk)
    return disk


def id_of(disk: Disk | str) -> str:
    """Return the id in a disk's name, whoever has it.

    Raises:
        InvalidSpecError: It is neither a record nor an id.
    """
    if isinstance(disk, str):
        return disk
    from hvsdk.models import Disk

    must_be(disk, Disk, "a disk is named by its record or its id")
    return disk.id


def _own_disk(domain: Handle, disk: Disk) -> str:
    if "disks" in domain.info.loaded and _same(find_disk(domain.info, disk.id), disk):
        return disk.id
    domain.refresh()
    mine = find_disk(domain.info, disk.id)
    if mine is None:
        raise no_disk(domain, disk.id)
    if not _same(mine, disk):
        error = no_disk(domain, disk.id)
        error.message += f" that lies on {disk.source!r}: its own lies on {mine.source!r}"
        error.hint = "take the record from domain.disks again: a snapshot may have moved the disk; or give its id"
        raise error
    return disk.id


def _same(mine: Disk | None, disk: Disk) -> bool:
    return mine is not None and (mine.device != "disk" or mine.source == disk.source)


def nic_id_of(domain: Handle, nic: Nic | str) -> str:
    """Return the id of an adapter that the domain has, named by its record, id or MAC.

    Raises:
        NicNotFoundError: It has none of that id.
    """
    from hvsdk.models import Nic

    if not isinstance(nic, Nic):
        must_be(nic, str, "an adapter is named by its record, its id or its MAC")
    key = nic if isinstance(nic, str) else nic.id
    if "nics" not in domain.info.loaded or find_nic(domain.info, key) is None:
        domain.refresh()
    found = find_nic(domain.info, key)
    foreign = isinstance(nic, Nic) and found is not None and found.mac != nic.mac
    if found is None or foreign:
        host = domain.host
        raise NicNotFoundError(
            f"{host._words(domain.info)} has no adapter {key!r}",
            hint=f"it has: {', '.join(nic.id for nic in domain.info.nics) or 'none'}",
            backend=host.backend,
            host=host.url,
        )
    return found.id


def say_that_it_is_a_drive(domain: Handle, disk_id: str, error: DiskNotFoundError) -> None:
    """Reword the error for a disk that is not there, where the domain has a drive for media of that id."""
    found = find_disk(domain.info, disk_id) if "disks" in domain.info.loaded else None
    if found is None or found.device == "disk":
        return
    disks = ", ".join(disk.id for disk in domain.info.disks if disk.device == "disk")
    error.message = (
        f"{disk_id!r} of {domain.host._words(domain.info)} is a {found.device} drive, with no disk to be read"
    )
    error.hint = f"its disks are: {disks or 'none'}"


def no_disk(domain: Handle, disk_id: str) -> DiskNotFoundError:
    """Return the error for a disk that the domain does not have."""
    host = domain.host
    return DiskNotFoundError(
        f"{host._words(domain.info)} has no disk {disk_id!r}",
        hint=f"it has: {', '.join(disk.id for disk in domain.info.disks) or 'none'}",
        backend=host.backend,
        host=host.url,
    )
