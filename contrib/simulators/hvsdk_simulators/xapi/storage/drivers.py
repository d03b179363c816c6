"""The storage drivers of a pool: what each type of SR can do, and how it keeps disks."""

from attrs import frozen

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.schema import Api
from hvsdk_simulators.xapi.world import World

CBT_SINCE: Api = (2, 8)
"""The first API version with changed block tracking."""

_BLOCKS = (
    "SR_PROBE SR_UPDATE SR_SUPPORTS_LOCAL_CACHING SR_TRIM VDI_CREATE VDI_DELETE VDI_ATTACH VDI_DETACH VDI_RESIZE "
    "VDI_CLONE VDI_SNAPSHOT VDI_MIRROR VDI_UPDATE VDI_ACTIVATE VDI_DEACTIVATE VDI_GENERATE_CONFIG VDI_INTRODUCE "
    "VDI_CONFIG_CBT ATOMIC_PAUSE"
)
_FILES = _BLOCKS + " VDI_RESET_ON_BOOT THIN_PROVISIONING"
_MEDIA = "VDI_CREATE VDI_DELETE VDI_INTRODUCE VDI_ATTACH VDI_DETACH SR_UPDATE ATOMIC_PAUSE"
_DRIVES = "VDI_INTRODUCE VDI_ATTACH VDI_DETACH VDI_UPDATE SR_UPDATE"
_LUNS = "SR_PROBE VDI_CREATE VDI_DELETE VDI_INTRODUCE VDI_ATTACH VDI_DETACH VDI_GENERATE_CONFIG"


@frozen
class Driver:
    """One type of SR.

    Attributes:
        type: Its name.
        label: What people read.
        features: What it can do.
        thin: Disks take the room of what is written to them.
        shared: Its SRs are for the whole pool.
        required: Keys that a connection must be configured with.
    """

    type: str
    label: str
    features: frozenset[str]
    thin: bool = False
    shared: bool = False
    required: tuple[str, ...] = ()

    def can(self, feature: str) -> bool:
        """Whether it can do something."""
        return feature in self.features


def _driver(
    kind: str, label: str, features: str, required: str = "", *, thin: bool = False, shared: bool = False
) -> Driver:
    return Driver(kind, label, frozenset(features.split()), thin, shared, tuple(required.split()))


DRIVERS = {
    one.type: one
    for one in (
        _driver("lvm", "Local LVM", _BLOCKS, "device"),
        _driver("ext", "Local EXT3", _FILES, "device", thin=True),
        _driver("lvmoiscsi", "LVM over iSCSI", _BLOCKS, "target targetIQN SCSIid", shared=True),
        _driver("lvmohba", "LVM over FC", _BLOCKS, "SCSIid", shared=True),
        _driver("hba", "Hardware HBA", _LUNS, shared=True),
        _driver("nfs", "NFS VHD", _FILES, "server serverpath", thin=True, shared=True),
        _driver("smb", "SMB", _FILES, "server", thin=True, shared=True),
        _driver("iso", "ISO", _MEDIA, "location", shared=True),
        _driver("udev", "udev", _DRIVES, "location"),
        _driver("dummy", "dummy", _MEDIA),
    )
}
"""By type."""


def driver_of(sr: Object) -> Driver:
    """The driver of an SR; one of an unknown type can do nothing."""
    return DRIVERS.get(sr["type"]) or Driver(sr["type"], sr["type"], frozenset())


def features(world: World, sr: Object) -> frozenset[str]:
    """What can be done with an SR on a server of this version."""
    found = driver_of(sr).features
    return found if world.options.api >= CBT_SINCE else found - {"VDI_CONFIG_CBT"}


def register_drivers(world: World) -> None:
    """Put the record of each driver into the pool."""
    with_cbt = world.options.api >= CBT_SINCE
    for one in DRIVERS.values():
        names = sorted(one.features if with_cbt else one.features - {"VDI_CONFIG_CBT"})
        world.db.create(
            "SM",
            name_label=one.label,
            name_description=f"SR plugin which represents disks as kept by {one.label}",
            type=one.type,
            vendor="Citrix Systems Inc",
            copyright="(C) the vendor",
            version="3.0",
            required_api_version="1.0",
            configuration={key: f"{key} of the storage" for key in one.required},
            capabilities=names,
            features=dict.fromkeys(names, 1) | ({"VDI_RESET_ON_BOOT": 2} if "VDI_RESET_ON_BOOT" in names else {}),
            driver_filename=f"/opt/xensource/sm/{one.type.upper()}SR",
        )
