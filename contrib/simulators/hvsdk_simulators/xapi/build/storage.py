"""Storage repositories: local and shared, thick and thin, media and tools."""

from __future__ import annotations

from attrs import frozen

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.storage.space import remeasure
from hvsdk_simulators.xapi.units import GIB, MIB, TIB
from hvsdk_simulators.xapi.world import World

_ISOS = ("debian-12.iso", "windows-server-2019.iso", "gparted live.iso")


@frozen
class Storage:
    """The SRs of a pool."""

    nfs: Object
    iscsi: Object
    isos: Object
    tools: Object
    local: dict[str, Object]
    """By reference of the host."""

    @property
    def for_disks(self) -> list[Object]:
        """Those that disks of VMs which move are in."""
        return [self.nfs, self.iscsi]


def make_storage(world: World, hosts: list[Object], room: int) -> Storage:
    """Make all SRs and plug them into the hosts.

    Args:
        world: The pool.
        hosts: Its hosts.
        room: Bytes that the shared SRs, and the local ones together, shall have at least.
    """
    server = "198.18.255.10"
    nfs = _sr(world, "NFS virtual disk storage", "nfs", size=max(8 * TIB, room), shared=True)
    iscsi = _sr(world, "iSCSI virtual disk storage", "lvmoiscsi", size=max(8 * TIB, 2 * room), shared=True)
    isos = _sr(world, "ISO library", "iso", size=500 * GIB, shared=True, content="iso")
    tools = _sr(world, "XenServer Tools", "iso", size=-1, shared=True, content="iso")
    config = {"xensource_internal": "true", "xenserver_tools_sr": "true", "i18n-key": "xenserver-tools"}
    world.db.update(tools, other_config=config, sm_config={"xs-tools": "true"}, is_tools_sr=True)
    for host in hosts:
        _pbd(world, nfs, host, server=server, serverpath="/export/vms")
        _pbd(
            world,
            iscsi,
            host,
            target=server,
            targetIQN="iqn.2024-01.example:vms",
            SCSIid="36001405d1b5e4f2",
            port="3260",
        )
        _pbd(world, isos, host, location=f"{server}:/export/iso", type="nfs_iso")
        _pbd(world, tools, host, location="/opt/xensource/packages/iso", legacy_mode="true")
    local = {host.ref: _make_local(world, host, number, room // len(hosts)) for number, host in enumerate(hosts)}
    for name in _ISOS:
        make_vdi(world, isos, name, 600 * MIB, location=name, read_only=True, sharable=True)
    name = "xs-tools.iso" if world.options.api < (2, 15) else "guest-tools.iso"
    make_vdi(world, tools, name, 8 * MIB, location=name, read_only=True, sharable=True, is_tools_iso=True)
    return Storage(nfs, iscsi, isos, tools, local)


def make_vdi(world: World, sr: Object, name: str, size: int, *, share: float = 0.0, **fields: object) -> Object:
    """Make a disk, of which a share has content that follows from its UUID."""
    uuid = world.db.new_uuid()
    values = {"type": "user", "location": uuid, "managed": True} | fields
    if share:
        world.disks.plan(uuid, uuid, share)
    vdi = world.db.create("VDI", uuid=uuid, SR=sr.ref, name_label=name, virtual_size=size, **values)
    remeasure(world, vdi)
    return vdi


def _make_local(world: World, host: Object, number: int, room: int) -> Object:
    kind = "lvm" if number % 2 == 0 else "ext"
    local = _sr(world, "Local storage", kind, size=max(400 * GIB, room))
    world.db.update(
        local, other_config={"i18n-key": "local-storage", "i18n-original-value-name_label": "Local storage"}
    )
    _pbd(world, local, host, device="/dev/disk/by-id/scsi-36001405aa-part3")
    dvd = _sr(world, "DVD drives", "udev", size=0, content="iso")
    world.db.update(dvd, other_config={"i18n-key": "local-hotplug-cd"}, sm_config={"type": "cd"})
    _pbd(world, dvd, host, location="/dev/xapi/cd")
    make_vdi(world, dvd, "SCSI 0:0:0:0", 0, location="/dev/xapi/cd/sr0", read_only=True)
    removable = _sr(world, "Removable storage", "udev", size=0, content="disk")
    world.db.update(removable, other_config={"i18n-key": "local-hotplug-disk"}, sm_config={"type": "block"})
    _pbd(world, removable, host, location="/dev/xapi/block")
    return local


def _sr(world: World, name: str, kind: str, *, size: int, shared: bool = False, content: str = "user") -> Object:
    return world.db.create(
        "SR", name_label=name, type=kind, physical_size=size, shared=shared, content_type=content, sm_config={}
    )


def _pbd(world: World, sr: Object, host: Object, **device_config: str) -> None:
    world.db.create("PBD", SR=sr.ref, host=host.ref, device_config=device_config, currently_attached=True)
