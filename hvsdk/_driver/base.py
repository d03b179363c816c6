"""`Driver`: what a backend implements.

Every method that talks takes the keyword `deadline`, the moment by which it must be back; the core gives up on the
instance when it is not. Ids are the product's own, as texts.

============================  ==========================================================  ==========================
method                        arguments                                                   result
============================  ==========================================================  ==========================
open, close                                                                               None
host_info                                                                                 HostInfo
host_limits                                                                               {Capability: Unsupported}
domain_limits (no I/O)        info                                                        {Capability: Unsupported}
list_domains                  include: a set of "config", "guest"                         Iterable[DomainInfo]
get_domain                    native_id, include                                          DomainInfo
find_domains                  key: a UUID or a name                                       Iterable[native id]
start … resume                native_id                                                   DomainInfo | Task | None
power_off                     native_id, discard_memory                                   DomainInfo | Task | None
create_domain                 spec: DomainSpec                                            DomainInfo | Task of it
delete                        native_id, disks: "keep" | "delete"                         Task | None
clone                         native_id, name, linked                                     DomainInfo | Task of it
check_migrate                 native_id, target: Driver, node, pool, live                 reason | None
migrate                       native_id, target: Driver, node, pool, live                 native id there | Task of it
reconfigure                   native_id, changes: Changes                                 Applied | Task of it
attach_disk                   native_id, disk: DiskSpec                                   Disk.id | Task of it
detach_disk                   native_id, disk_id                                          Task | None
resize_disk                   native_id, disk_id, size_bytes                              Task | None
attach_nic                    native_id, nic: NicSpec                                     Nic.id | Task of it
detach_nic                    native_id, nic_id                                           Task | None
set_nic_link                  native_id, nic_id, up                                       None
insert_media                  native_id, source, drive: Disk.id | None                    Disk.id
eject_media                   native_id, drive: Disk.id | None                            None
list_snapshots                native_id                                                   Iterable[SnapshotInfo]
create_snapshot               native_id, name, memory, quiesce, description               SnapshotInfo | Task of it
revert_snapshot               native_id, snapshot_id                                      DomainInfo | Task | None
delete_snapshot               native_id, snapshot_id, children                            Task | None
changed_blocks                native_id, disk_id, snapshot_id, since_id                   Iterable[Extent]
rename                        native_id, name                                             DomainInfo | None
set_notes                     native_id, notes                                            None
set_tags                      native_id, tags: frozenset                                  None
set_metadata                  native_id, changes: {key: value | None}                     None
set_autostart                 native_id, enabled                                          None
fence, unfence                native_id; fence: reason                                    None
console                       native_id                                                   Console
screenshot                    native_id                                                   PNG bytes
stats                         native_ids | None for all that run                          Iterable[DomainStats]
open_disk                     native_id, disk_id, snapshot_id | None                      DiskReader
list_networks, list_nodes                                                                 Iterable[Network | Node]
list_storage_pools                                                                        Iterable[StoragePoolInfo]
find_storage_pool             key: an id or a name that is not listed                     StoragePoolInfo | None
list_volumes                  pool_id                                                     Iterable[VolumeInfo]
create_volume                 pool_id, spec: VolumeSpec                                   VolumeInfo | Task of it
delete_volume                 pool_id, volume_id                                          Task | None
open_volume                   pool_id, volume_id                                          DiskWriter
watch                         token | None, seconds                                       (Iterable[Change], token)
native                                                                                    the client library's object
============================  ==========================================================  ==========================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import attrs

from hvsdk._driver.task import Task
from hvsdk.capability import Capability
from hvsdk.enums import EventKind
from hvsdk.errors import HvsdkError, UnsupportedError

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.disk_io import DiskReader, DiskWriter
    from hvsdk._driver.operation import Operation
    from hvsdk._driver.target import Target
    from hvsdk.models import (
        Applied,
        Changes,
        Console,
        DiskSpec,
        DomainInfo,
        DomainSpec,
        DomainStats,
        Extent,
        HostInfo,
        Network,
        NicSpec,
        Node,
        SnapshotInfo,
        StoragePoolInfo,
        VolumeInfo,
        VolumeSpec,
    )

__all__ = [
    "Change",
    "Driver",
    "Result",
    "Unsupported",
]

T = TypeVar("T")
Result: TypeAlias = T | Task[T]
"""What a verb returns: its result at once, or a task for it."""


@attrs.frozen
class Unsupported:
    """Why something cannot be done on this connection or domain, in words that complete "not possible: …"."""

    reason: str


@attrs.frozen(kw_only=True)
class Change:
    """What `Driver.watch` tells of one domain. The core compares it with what it knew and makes the events."""

    native_id: str
    info: DomainInfo | None
    """The domain now (its summary), or `None` when it is gone."""
    kind: EventKind | None = None
    """Set it to `CHANGED` for a change that the summary does not show, and to `MIGRATED` or `CRASHED` where the product
    says so; else the core tells the kind from before and after."""


class Driver(ABC):
    """A connection to one endpoint of one product.

    A capability is a method that a subclass overrides or a variant that it lists, minus what `host_limits` and
    `domain_limits` take away. There are no try/except for translation, no waiting loops and no logging set-up in a
    driver: vendor errors pass through to the core, which asks `translate`.

    Attributes:
        api: Version of this contract that the driver was written for; another one is refused when it is loaded.
        max_in_flight: How many calls the core makes at once on one instance. Leave it at 1 unless the client library
            is safe to share between threads; what waits for its turn waits within its own time limit.
        variants: What methods alone cannot say, such as `Capability.SNAPSHOT_MEMORY`.
        unguarded: Verbs that the product carries out in states where the table of `docs/power-states.md` says error,
            such as `"clone"` or `"reconfigure"` of a suspended domain: the core reads the state before it calls these,
            which costs a round trip. A name without a rule of states is refused when the driver is loaded.
        reopens: Whether a new connection finds the same world; `False` for worlds that end with their connection. An
            instance may say so too, once it is open.
    """

    api: ClassVar[int] = 1
    max_in_flight: ClassVar[int] = 1
    variants: ClassVar[frozenset[Capability]] = frozenset()
    unguarded: ClassVar[frozenset[str]] = frozenset()
    reopens: bool = True

    def __init__(self, target: Target) -> None:
        """Keep the target. No I/O."""
        self.target = target

    # ---- required ----------------------------------------------------------------------------------------

    @abstractmethod
    def open(self, *, deadline: Deadline) -> None:
        """Connect and log in.

        Called again on the same instance when a call raised `SessionExpiredError`: log in anew then, and keep what other
        calls and tasks use meanwhile. What fails half-way is closed by the core.
        """

    @abstractmethod
    def close(self) -> None:
        """Log out and disconnect; twice, or without `open`, is harmless."""

    @abstractmethod
    def host_info(self, *, deadline: Deadline) -> HostInfo:
        """Say what is at the other end."""

    @abstractmethod
    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains, templates and control domains too, in a constant number of round trips."""

    @abstractmethod
    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain, or raise what translates to `DomainNotFoundError`."""

    @staticmethod
    @abstractmethod
    def translate(exc: BaseException, operation: Operation) -> HvsdkError | None:
        """Return one of our errors for a vendor's, or `None` for "not mine", and the exception passes unchanged.

        Give `native_code`, leave the cause alone. A call that got no answer, also within its time limit, is a
        `ConnectionLostError`: the core tells which of both it was. An ambiguous code on a power verb may become
        `PowerStateError`: the core confirms it by reading the state. `AlreadyExistsError` is confirmed by a look-up where
        `find_domains` exists.
        """

    # ---- what is possible --------------------------------------------------------------------------------

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        """Say which capabilities of the class this connection lacks, and why. Called once after each `open`."""
        return {}

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        """Say what cannot be done with this domain whatever its state, from its record alone. No I/O.

        Fields that are not loaded limit nothing.
        """
        return {}

    @classmethod
    def offers(cls) -> frozenset[Capability]:
        """Return the capabilities of the class."""
        methods = {c for c in Capability if getattr(cls, c.value, None) is not getattr(Driver, c.value, None)}
        return frozenset(methods) | cls.variants

    @staticmethod
    def could_be_native_id(key: str) -> bool:
        """Return whether `key` has the form of a native id; `False` saves a look-up. No I/O."""
        return True

    def sibling(self) -> Driver:
        """Return a new instance for `watch`; override it where one connection can do both."""
        return type(self)(self.target)

    def abandon(self) -> None:
        """Drop sockets without a word to the server: called in a forked child. It must not block."""

    # ---- optional: reading -------------------------------------------------------------------------------

    def find_domains(self, key: str, *, deadline: Deadline) -> Iterable[str]:
        """Return the native ids of domains whose UUID (in either byte order) or name is `key`."""
        raise _absent("find_domains")

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        """Say where its console is."""
        raise _absent("console")

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        """Return a PNG."""
        raise _absent("screenshot")

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> Iterable[DomainStats]:
        """Return figures of these domains, or of all that run, in one bulk call."""
        raise _absent("stats")

    def list_networks(self, *, deadline: Deadline) -> Iterable[Network]:
        """Return the networks."""
        raise _absent("list_networks")

    def list_nodes(self, *, deadline: Deadline) -> Iterable[Node]:
        """Return the physical machines."""
        raise _absent("list_nodes")

    def list_storage_pools(self, *, deadline: Deadline) -> Iterable[StoragePoolInfo]:
        """Return the storage pools."""
        raise _absent("list_storage_pools")

    def find_storage_pool(self, key: str, *, deadline: Deadline) -> StoragePoolInfo | None:
        """Return a pool that `list_storage_pools` leaves out, such as a folder that nothing uses yet; `None` for none.

        For products where anything of a kind can be one. Only what is not listed is asked for.
        """
        raise _absent("find_storage_pool")

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> Iterable[VolumeInfo]:
        """Return the volumes of a pool."""
        raise _absent("list_volumes")

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[Iterable[Change], Any]:
        """Return what changed since `token`, waiting up to `seconds` for something, and the next token.

        With `None` subscribe and return at once: the core lists afterwards, so that nothing falls in between. A token of
        `None` in the answer says that changes were lost: the core subscribes and lists again.
        """
        raise _absent("watch")

    def native(self, *, deadline: Deadline) -> Any:
        """Return the client library's own connection object."""
        raise _absent("native")

    # ---- optional: power ---------------------------------------------------------------------------------

    def start(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Switch on, or restore the saved memory of a suspended domain and let it run."""
        raise _absent("start")

    def shutdown(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Ask the guest to switch off, and return; the core waits and repeats the request."""
        raise _absent("shutdown")

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> Result[DomainInfo | None]:
        """Cut the power. On a suspended domain only with `discard_memory`, which gives up the saved memory."""
        raise _absent("power_off")

    def reboot(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Ask the guest to restart, and return when the product has taken the request."""
        raise _absent("reboot")

    def reset(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Cut and restart; the domain runs afterwards, with the same UUID."""
        raise _absent("reset")

    def pause(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Stop the vCPUs; memory stays."""
        raise _absent("pause")

    def unpause(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Let the vCPUs go on."""
        raise _absent("unpause")

    def suspend(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Save memory to disk and free it."""
        raise _absent("suspend")

    def resume(self, native_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Restore the saved memory and run."""
        raise _absent("resume")

    # ---- optional: making and changing -------------------------------------------------------------------

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Result[DomainInfo]:
        """Make a domain, shut off. What was made is removed again when it fails half-way."""
        raise _absent("create_domain")

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Result[None]:
        """Remove the definition and its snapshots, and with `"delete"` its own volumes; never ISO images."""
        raise _absent("delete")

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Result[DomainInfo]:
        """Copy a domain, with a new UUID and new MACs; `linked` disks lie on the original's."""
        raise _absent("clone")

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        """Say why it cannot be moved to where `target`, an open driver of the same class, is connected.

        For a move within the connection `target` is this driver itself.
        """
        return None

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Result[str]:
        """Move it there, and return its native id there.

        `node` and `pool` are names or ids at the target; without them the product chooses, and a move within the
        connection leaves that as it is. They are given only with `MIGRATE_NODE` and `MIGRATE_STORAGE`.
        """
        raise _absent("migrate")

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Result[Applied]:
        """Change vCPUs and memory, live where possible. What can be done in no way raises before anything changes."""
        raise _absent("reconfigure")

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> Result[str]:
        """Add a disk, and return its id; a new volume is removed again when the domain does not take it."""
        raise _absent("attach_disk")

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> Result[None]:
        """Ask for a disk to be taken out; the core waits until the record no longer shows it. The volume stays."""
        raise _absent("detach_disk")

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> Result[None]:
        """Grow a disk. The core has refused shrinking where the present size is known."""
        raise _absent("resize_disk")

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> Result[str]:
        """Add an adapter, and return its id."""
        raise _absent("attach_nic")

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> Result[None]:
        """Ask for an adapter to be taken out; the core waits until the record no longer shows it."""
        raise _absent("detach_nic")

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        """Plug or unplug its cable: down means that no frame passes."""
        raise _absent("set_nic_link")

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> Result[str]:
        """Put an image into a CD-ROM drive (the first one without `drive`), and return the drive's id."""
        raise _absent("insert_media")

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> Result[None]:
        """Empty a CD-ROM drive; an empty one is left as it is."""
        raise _absent("eject_media")

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Give it another name."""
        raise _absent("rename")

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        """Store the notes exactly, whatever their length and characters."""
        raise _absent("set_notes")

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        """Store the tags, exactly these."""
        raise _absent("set_tags")

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        """Store these keys, remove those whose value is `None`, and leave all others alone."""
        raise _absent("set_metadata")

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts with its node."""
        raise _absent("set_autostart")

    def fence(self, native_id: str, reason: str, *, deadline: Deadline) -> None:
        """Make the product refuse start, resume and revert to every client, and leave a `FenceMark`."""
        raise _absent("fence")

    def unfence(self, native_id: str, *, deadline: Deadline) -> None:
        """Take that back."""
        raise _absent("unfence")

    # ---- optional: snapshots -----------------------------------------------------------------------------

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> Iterable[SnapshotInfo]:
        """Return its snapshots, parents before children."""
        raise _absent("list_snapshots")

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Result[SnapshotInfo]:
        """Make exactly the kind that is asked for, one that can be reverted here, or raise before anything changes."""
        raise _absent("create_snapshot")

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Go back to it: running from one with memory, else shut off. The core re-applies name, notes, tags, metadata."""
        raise _absent("revert_snapshot")

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Result[None]:
        """Remove it, with those made on it only when `children` is set; the domain's present state stays."""
        raise _absent("delete_snapshot")

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> Iterable[Extent]:
        """Return what differs on a disk between two snapshots."""
        raise _absent("changed_blocks")

    # ---- optional: disks and volumes ---------------------------------------------------------------------

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        """Open a disk of a domain that is off or suspended, or of one of its snapshots, for reading."""
        raise _absent("open_disk")

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> Result[VolumeInfo]:
        """Make an empty volume."""
        raise _absent("create_volume")

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> Result[None]:
        """Remove a volume; one that a domain uses or another volume lies on is refused, as far as the product can see."""
        raise _absent("delete_volume")

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        """Open a volume that no domain uses for writing."""
        raise _absent("open_volume")


def _absent(method: str) -> UnsupportedError:
    return UnsupportedError(f"this backend has no {method}", capability=method)
