"""The database of the pool, kept in an SR as well."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

from .connections import assert_attached
from .space import disks_of
from .sr import assert_generates_config


@message("SR.assert_supports_database_replication(SR ref sr) -> void", role="pool-operator", since="1.9")
def assert_supports_database_replication(call: Call, sr: Object) -> None:
    """Raise why the pool's database cannot be kept in an SR as well."""
    assert_attached(call.world, sr)
    assert_generates_config(call.world, sr)


@message("SR.enable_database_replication(SR ref sr) -> void", role="pool-operator", since="1.9")
def enable_database_replication(call: Call, sr: Object) -> None:
    """Keep the pool's database in an SR as well, in a disk made for it."""
    world = call.world
    assert_supports_database_replication(call, sr)
    if not _metadata(world, sr):
        name = "Metadata for DR"
        world.storage.create_vdi(sr, 256 << 20, type="metadata", name=name, metadata_of_pool=world.pool.ref)


@message("SR.disable_database_replication(SR ref sr) -> void", role="pool-operator", since="1.9")
def disable_database_replication(call: Call, sr: Object) -> None:
    """Keep the pool's database in an SR no longer, and destroy its disk."""
    for vdi in _metadata(call.world, sr):
        call.world.storage.destroy_vdi(vdi)


@message("VDI.read_database_pool_uuid(VDI ref self) -> string", since="1.9")
def read_database_pool_uuid(call: Call, vdi: Object) -> str:
    """The UUID of the pool whose database a disk holds; empty when it holds none."""
    pool = call.world.db.lookup("pool", vdi["metadata_of_pool"])
    return pool["uuid"] if pool is not None and vdi["type"] == "metadata" else ""


@message("VDI.open_database(VDI ref self) -> session ref", role="pool-operator", since="1.9")
def open_database(call: Call, vdi: Object) -> Object:
    """Refuse: only databases of other pools are opened, and no disk holds one."""
    if vdi["type"] != "metadata":
        raise Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, vdi["type"])
    raise Failure("VDI_CONTAINS_METADATA_OF_THIS_POOL", vdi.ref, vdi["metadata_of_pool"])


def _metadata(world: World, sr: Object) -> list[Object]:
    pool = world.pool.ref
    return [vdi for vdi in disks_of(world, sr) if vdi["type"] == "metadata" and vdi["metadata_of_pool"] == pool]
