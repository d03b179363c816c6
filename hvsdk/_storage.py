"""`StoragePool` and `Volume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from hvsdk._disk_io import VolumeWriter
from hvsdk._fields import Field
from hvsdk._operation import operate
from hvsdk._verbs import carry_out
from hvsdk.capability import Capability
from hvsdk.errors import AmbiguousNameError, InvalidSpecError, StoragePoolNotFoundError, VolumeNotFoundError
from hvsdk.models._spec import VolumeSpec

if TYPE_CHECKING:
    from hvsdk._host import Host
    from hvsdk._waiting import Cancel, Progress
    from hvsdk.models import StoragePoolInfo, VolumeInfo

__all__ = ["StoragePool", "Volume"]


class StoragePool:
    """A place for volumes: a handle with the record it was last seen with."""

    __slots__ = ("_host", "_info")

    id: Field[str] = Field()
    name: Field[str] = Field()
    type: Field[str | None] = Field()
    active: Field[bool | None] = Field()
    capacity_bytes: Field[int | None] = Field()
    allocated_bytes: Field[int | None] = Field()
    free_bytes: Field[int | None] = Field()
    path: Field[str | None] = Field()

    def __init__(self, host: Host, info: StoragePoolInfo) -> None:
        self._host = host
        self._info = info

    @property
    def host(self) -> Host:
        """The host it is on."""
        return self._host

    @property
    def info(self) -> StoragePoolInfo:
        """The record it was last seen with."""
        return self._info

    def refresh(self) -> Self:
        """Ask again, and return the handle.

        Raises:
            StoragePoolNotFoundError: It is gone.
        """
        found = next((one for one in self._host.storage_pools() if one.id == self.id), None)
        found = found or self._host._unlisted_pool(self.id)
        if found is None:
            raise StoragePoolNotFoundError(
                f"storage pool {self.name!r} is gone", backend=self._host.backend, host=self._host.url
            )
        self._info = found.info
        return self

    def volumes(self) -> list[Volume]:
        """Return its volumes."""
        from hvsdk._record_list import RecordList

        pool_id = self._info.id
        found = self._host._ask("list_volumes", lambda d, limit: list(d.list_volumes(pool_id, deadline=limit)))
        return RecordList([Volume(self, info) for info in found])

    def volume(self, key: str) -> Volume:
        """Return one volume by id, name or path.

        Raises:
            VolumeNotFoundError: There is none.
            AmbiguousNameError: Several have that name.
        """
        volumes = self.volumes()
        for name in ("id", "path", "name"):
            found = [volume for volume in volumes if getattr(volume.info, name) == key]
            if len(found) == 1:
                return found[0]
            if found:
                raise AmbiguousNameError(
                    f"storage pool {self._info.name!r} has {len(found)} volumes {key!r}",
                    candidates=[(volume.id, None, None) for volume in found],
                    hint="ask by id",
                    backend=self._host.backend,
                    host=self._host.url,
                )
        raise VolumeNotFoundError(
            f"storage pool {self._info.name!r} has no volume {key!r}",
            hint="volumes() lists them",
            backend=self._host.backend,
            host=self._host.url,
        )

    def create_volume(
        self,
        spec: VolumeSpec | None = None,
        *,
        name: str | None = None,
        size: int | str | None = None,
        format: str | None = None,
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Volume:
        """Make an empty volume, from a spec or from `name` and `size` (bytes or a text such as `"40GiB"`).

        Raises:
            AlreadyExistsError: The pool has a volume of that name.
            InsufficientResourcesError: The pool has not enough space.
            InvalidSpecError: The pool cannot hold such a volume.
        """
        if spec is None:
            if name is None or size is None:
                raise InvalidSpecError("a volume needs a name and a size")
            spec = VolumeSpec(name=name, size=size, format=format)
        elif not isinstance(spec, VolumeSpec):
            raise InvalidSpecError(f"create_volume takes a VolumeSpec, or name= and size=, not {spec!r}")
        elif name is not None or size is not None or format is not None:
            raise InvalidSpecError("give a spec, or name and size, not both")
        wanted, pool_id = spec, self._info.id
        arguments = {"pool": self._info.name, "name": spec.name, "size_bytes": spec.size_bytes}
        with operate(
            self._host, "create_volume", needs=(Capability.CREATE_VOLUME,), arguments=arguments, timeout=timeout
        ) as doing:
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.create_volume(pool_id, wanted, deadline=limit),
                creates=True,
                undo=lambda driver, info, limit: driver.delete_volume(pool_id, info.id, deadline=limit),
                progress=progress,
                cancel=cancel,
            )
            assert outcome.result is not None
            return Volume(self, outcome.result)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoragePool):
            return NotImplemented
        return self._host is other._host and self._info.id == other._info.id

    def __hash__(self) -> int:
        return hash((id(self._host), self._info.id))

    def __repr__(self) -> str:
        return f"<StoragePool {self._info.name!r}>"


class Volume:
    """A volume in a storage pool: a handle with the record it was last seen with."""

    __slots__ = ("_info", "_pool")

    id: Field[str] = Field()
    name: Field[str] = Field()
    capacity_bytes: Field[int | None] = Field()
    allocated_bytes: Field[int | None] = Field()
    format: Field[str | None] = Field()
    path: Field[str | None] = Field()
    backing: Field[str | None] = Field()

    def __init__(self, pool: StoragePool, info: VolumeInfo) -> None:
        self._pool = pool
        self._info = info

    @property
    def pool(self) -> StoragePool:
        """The pool it is in."""
        return self._pool

    @property
    def info(self) -> VolumeInfo:
        """The record it was last seen with."""
        return self._info

    def open_writer(self) -> VolumeWriter:
        """Open it for writing; no domain may use it.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     volume = host.storage_pools()[0].create_volume(name="data", size="1GiB")
            ...     with volume.open_writer() as writer:
            ...         writer.write(0, b"hello")
        """
        host, pool_id, volume_id = self._pool.host, self._pool.id, self._info.id
        arguments = {"pool": self._pool.name, "volume": self._info.name}
        with operate(host, "open_volume", needs=(Capability.OPEN_VOLUME,), arguments=arguments) as doing:
            connection = doing.door.open(doing.deadline)
            writer: Any = doing.door.on(
                connection,
                doing.operation,
                lambda driver, limit: driver.open_volume(pool_id, volume_id, deadline=limit),
                doing.deadline,
            )
            return VolumeWriter(host, connection, doing.operation, writer)

    def delete(self, *, timeout: float | None = None) -> None:
        """Remove it with what it holds.

        Raises:
            BusyError: A domain uses it or another volume lies on it, as far as this connection can see.
        """
        host, pool_id, volume_id = self._pool.host, self._pool.id, self._info.id
        arguments = {"pool": self._pool.name, "volume": self._info.name}
        with operate(
            host, "delete_volume", needs=(Capability.DELETE_VOLUME,), arguments=arguments, timeout=timeout
        ) as doing:
            carry_out(doing, lambda driver, limit: driver.delete_volume(pool_id, volume_id, deadline=limit))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Volume):
            return NotImplemented
        return self._pool == other._pool and self._info.id == other._info.id

    def __hash__(self) -> int:
        return hash((self._pool, self._info.id))

    def __repr__(self) -> str:
        return f"<Volume {self._info.name!r} in {self._pool.name!r}>"
