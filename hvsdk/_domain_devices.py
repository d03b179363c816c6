"""Hardware of a domain: vCPUs and memory, disks, adapters, media."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hvsdk._device_lookup import disk_id_of, find_disk, find_nic, must_be, nic_id_of, no_disk
from hvsdk._handle import Handle
from hvsdk._operation import CONFIG, Doing
from hvsdk._while_running import refuse_running
from hvsdk.errors import InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._verbs import Outcome
    from hvsdk.models import Applied, CpuTopology, Disk, DiskSpec, DomainInfo, Nic, NicSpec

__all__ = ["DeviceVerbs"]


class DeviceVerbs(Handle):
    """Verbs that change the hardware. Each returns when the device is really there or gone."""

    __slots__ = ()

    def reconfigure(
        self,
        *,
        vcpus: int | None = None,
        max_vcpus: int | None = None,
        memory: int | str | None = None,
        max_memory: int | str | None = None,
        cpu_topology: CpuTopology | None = None,
        hints: Mapping[str, Any] | None = None,
        timeout: float = 60.0,
    ) -> Applied:
        """Change vCPUs and memory, at once where the product can and else for the next boot.

        Args:
            memory: What it boots with: bytes or a text such as `"8GiB"`.
            hints: Settings of one product under its documented keys.

        Returns:
            Which settings are in effect (`live`) and which wait until the domain is shut off and started (`next_boot`).

        Raises:
            InvalidSpecError: The settings contradict each other or the product's limits; nothing was changed.
            PowerStateError: The product can do it neither now nor at the next boot; nothing was changed.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     host.domains(state="shutoff")[0].reconfigure(vcpus=4, memory="8GiB").live == {"vcpus", "memory"}
            True
        """
        from hvsdk.models import Applied, Changes

        changes = Changes(
            vcpus=vcpus,
            max_vcpus=max_vcpus,
            memory=memory,
            max_memory=max_memory,
            cpu_topology=cpu_topology,
            hints=hints or {},
        )
        if not changes.asked:
            raise InvalidSpecError("reconfigure was asked to change nothing", hint="give vcpus=, memory=, …")
        arguments: dict[str, Any] = {
            name: value for name, value in changes.to_dict().items() if value not in (None, {})
        }
        applied = self._change(
            "reconfigure",
            lambda driver, limit: driver.reconfigure(self._info.native_id, changes, deadline=limit),
            arguments=arguments,
            timeout=timeout,
        )
        return applied if applied is not None else Applied()

    def attach_disk(self, disk: DiskSpec, *, timeout: float = 60.0) -> Disk:
        """Add a disk, and return it as the domain now has it.

        Raises:
            PowerStateError: The product cannot plug this disk into a running domain.
            InvalidSpecError: The product has no such bus, format or pool.
        """
        from hvsdk.models import DiskSpec

        found: list[Disk] = []
        must_be(disk, DiskSpec, "attach_disk takes a DiskSpec")
        self._change(
            "attach_disk",
            lambda driver, limit: driver.attach_disk(self._info.native_id, disk, deadline=limit),
            arguments={"size_bytes": disk.size_bytes, "source": disk.source, "pool": disk.pool},
            timeout=timeout,
            before=refuse_running,
            after=_until(lambda info, made: find_disk(info, made), found, "there"),
        )
        return found[0]

    def detach_disk(self, disk: Disk | str, *, timeout: float = 60.0) -> None:
        """Take a disk out, and return when the guest has let it go. The volume stays.

        Raises:
            DiskNotFoundError: The domain has no such disk.
            OperationTimeoutError: The guest did not let it go in time; the disk is still there, the request stands.
        """
        disk_id = disk_id_of(self, disk)
        self._change(
            "detach_disk",
            lambda driver, limit: driver.detach_disk(self._info.native_id, disk_id, deadline=limit),
            arguments={"disk": disk_id},
            timeout=timeout,
            before=refuse_running,
            reached=lambda info: find_disk(info, disk_id) is None,
            after=_gone(lambda info: find_disk(info, disk_id) is None, f"rid of disk {disk_id}"),
        )

    def resize_disk(self, disk: Disk | str, size: int | str, *, timeout: float | None = None) -> Disk:
        """Grow a disk to `size` (bytes or a text such as `"80GiB"`), and return it.

        Raises:
            InvalidSpecError: It would shrink, and lose what is at its end.
        """
        from hvsdk._units import parse_size

        disk_id, size_bytes = disk_id_of(self, disk), parse_size(size)

        def check(doing: Doing) -> None:
            refuse_running(doing)
            now = find_disk(doing.look(CONFIG), disk_id)
            if now is None:
                raise no_disk(self, disk_id)
            if now.capacity_bytes is not None and size_bytes < now.capacity_bytes:
                raise InvalidSpecError(
                    f"disk {disk_id} of {doing.subject} has {now.capacity_bytes} bytes; {size_bytes} would cut it"
                )

        self._change(
            "resize_disk",
            lambda driver, limit: driver.resize_disk(self._info.native_id, disk_id, size_bytes, deadline=limit),
            arguments={"disk": disk_id, "size_bytes": size_bytes},
            timeout=timeout,
            before=check,
        )
        resized = find_disk(self._info, disk_id)
        if resized is None:
            raise no_disk(self, disk_id)
        return resized

    def attach_nic(self, nic: NicSpec, *, timeout: float = 60.0) -> Nic:
        """Add a network adapter, and return it as the domain now has it."""
        from hvsdk.models import NicSpec

        found: list[Nic] = []
        must_be(nic, NicSpec, "attach_nic takes a NicSpec")
        self._change(
            "attach_nic",
            lambda driver, limit: driver.attach_nic(self._info.native_id, nic, deadline=limit),
            arguments={"network": nic.network, "mac": nic.mac},
            timeout=timeout,
            before=refuse_running,
            after=_until(lambda info, made: find_nic(info, made), found, "there"),
        )
        return found[0]

    def detach_nic(self, nic: Nic | str, *, timeout: float = 60.0) -> None:
        """Take an adapter (or its id or MAC) out, and return when the guest has let it go.

        Raises:
            NicNotFoundError: The domain has no such adapter.
            OperationTimeoutError: The guest did not let it go in time; the request stands.
        """
        nic_id = nic_id_of(self, nic)
        self._change(
            "detach_nic",
            lambda driver, limit: driver.detach_nic(self._info.native_id, nic_id, deadline=limit),
            arguments={"nic": nic_id},
            timeout=timeout,
            before=refuse_running,
            reached=lambda info: find_nic(info, nic_id) is None,
            after=_gone(lambda info: find_nic(info, nic_id) is None, f"rid of adapter {nic_id}"),
        )

    def set_nic_link(self, nic: Nic | str, up: bool, *, timeout: float = 60.0) -> None:
        """Plug or unplug an adapter's cable. Down means that no frame passes, and no carrier where the product can."""
        must_be(up, bool, "up is True or False")
        nic_id = nic_id_of(self, nic)
        self._change(
            "set_nic_link",
            lambda driver, limit: driver.set_nic_link(self._info.native_id, nic_id, up, deadline=limit),
            arguments={"nic": nic_id, "up": up},
            timeout=timeout,
            reached=lambda info: getattr(find_nic(info, nic_id), "link_up", None) is up,
        )

    def insert_media(self, source: str, *, drive: Disk | str | None = None, timeout: float = 60.0) -> Disk:
        """Put an image into a CD-ROM drive (the first one without `drive`), and return the drive.

        Args:
            source: The image's path on the host, or `pool/volume`.
        """
        if not isinstance(source, str) or not source:
            raise InvalidSpecError(f"insert_media takes the image's path, or pool/volume, not {source!r}")
        drive_id = None if drive is None else disk_id_of(self, drive)
        found: list[Disk] = []
        self._change(
            "insert_media",
            lambda driver, limit: driver.insert_media(self._info.native_id, source, drive=drive_id, deadline=limit),
            arguments={"source": source, "drive": drive_id},
            timeout=timeout,
            after=_until(lambda info, made: find_disk(info, made), found, "there"),
        )
        return found[0]

    def eject_media(self, *, drive: Disk | str | None = None, timeout: float = 60.0) -> None:
        """Empty a CD-ROM drive (the first one without `drive`); an empty one is left as it is."""
        drive_id = None if drive is None else disk_id_of(self, drive)
        self._change(
            "eject_media",
            lambda driver, limit: driver.eject_media(self._info.native_id, drive=drive_id, deadline=limit),
            arguments={"drive": drive_id},
            timeout=timeout,
        )


def _until(
    find: Callable[[DomainInfo, str], Any], found: list[Any], what: str
) -> Callable[[Doing, Outcome[str]], DomainInfo]:
    """Return what waits until the device that was made is in the record, and puts it into `found`."""
    from hvsdk._waiting import await_info

    def after(doing: Doing, outcome: Outcome[str]) -> DomainInfo:
        device_id = outcome.result
        assert device_id is not None
        info = await_info(doing, CONFIG, lambda now: find(now, device_id) is not None, f"given {device_id}")
        found.append(find(info, device_id))
        return info

    return after


def _gone(reached: Callable[[DomainInfo], bool], what: str) -> Callable[[Doing, Outcome[None]], DomainInfo]:
    """Return what waits until the device is out of the record."""
    from hvsdk._waiting import await_info

    def after(doing: Doing, outcome: Outcome[None]) -> DomainInfo:
        if outcome.info is not None and reached(outcome.info):
            return outcome.info
        return await_info(doing, CONFIG, reached, what)

    return after
