"""Blobs: files that clients leave with objects of the pool. Their content, which is sent over HTTP, is not taken here."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

_ROLE = "pool-operator"
_TYPE = "application/octet-stream"


@message("blob.create(string mime_type, bool public = false) -> blob ref", role=_ROLE, since="1.3")
def create(call: Call, mime_type: str, public: bool) -> Object:
    """Make an empty one that belongs to nothing."""
    return call.world.db.create("blob", mime_type=mime_type or _TYPE, public=public, last_updated=call.world.now())


@message("blob.destroy(blob ref self) -> void", role=_ROLE, since="1.3")
def destroy(call: Call, self: Object) -> None:
    """Remove one."""
    call.world.db.delete(self)


@message(
    "host.create_new_blob(host ref host, string name, string mime_type, bool public = false) -> blob ref",
    role=_ROLE,
    since="1.3",
)
def create_for_host(call: Call, host: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make one that belongs to a host."""
    return _create_for(call, host, name, mime_type, public=public)


@message(
    "pool.create_new_blob(pool ref pool, string name, string mime_type, bool public = false) -> blob ref",
    role=_ROLE,
    since="1.3",
)
def create_for_pool(call: Call, pool: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make one that belongs to the pool."""
    return _create_for(call, pool, name, mime_type, public=public)


@message(
    "network.create_new_blob(network ref network, string name, string mime_type, bool public = false) -> blob ref",
    role=_ROLE,
    since="1.3",
)
def create_for_network(call: Call, network: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make one that belongs to a network."""
    return _create_for(call, network, name, mime_type, public=public)


@message(
    "SR.create_new_blob(SR ref sr, string name, string mime_type, bool public = false) -> blob ref",
    role=_ROLE,
    since="1.3",
)
def create_for_sr(call: Call, sr: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make one that belongs to an SR."""
    return _create_for(call, sr, name, mime_type, public=public)


@message(
    "VM.create_new_blob(VM ref vm, string name, string mime_type, bool public = false) -> blob ref",
    role="vm-power-admin",
    since="1.3",
)
def create_for_vm(call: Call, vm: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make one that belongs to a VM, such as an icon, and goes with it."""
    return _create_for(call, vm, name, mime_type, public=public)


def _create_for(call: Call, owner: Object, name: str, mime_type: str, *, public: bool) -> Object:
    if name in owner["blobs"]:
        raise Failure("MAP_DUPLICATE_KEY", owner.cls, "blobs", owner["uuid"], name)
    made = create(call, mime_type, public)
    call.world.db.update(owner, blobs=owner["blobs"] | {name: made.ref})
    return made
