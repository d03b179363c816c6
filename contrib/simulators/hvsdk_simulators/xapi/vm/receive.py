"""A VM that comes from another pool: where it is to be sent, and taking it in."""

import json
from collections.abc import Mapping
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.services import reply
from hvsdk_simulators.xapi.storage.drivers import features
from hvsdk_simulators.xapi.storage.xva import read_document
from hvsdk_simulators.xapi.vm import hosts, states
from hvsdk_simulators.xapi.vm.arrival import Arrival
from hvsdk_simulators.xapi.vm.parcel import Parcel
from hvsdk_simulators.xapi.vm.records import MAC_SEED
from hvsdk_simulators.xapi.world import World

Record = dict[str, Any]


@message(
    "host.migrate_receive(host ref host, network ref network, (string -> string) map options) -> (string -> string) map",
    role="vm-power-admin",
    since="1.10",
)
def migrate_receive(call: Call, host: Object, network: Object, options: Mapping[str, str]) -> Mapping[str, str]:
    """Get a host ready to receive a VM with its disks, and say where it is to be sent.

    The places are those where the members listen, not the invented addresses of their records.
    """
    world = call.world
    ref = call.session.ref if call.session is not None else NULL
    base = f"{_place(world, host, _address(world, host, network))}/services"
    return {
        "SM": f"{base}/SM?session_id={ref}",
        "host": host.ref,
        "xenops": f"{base}/xenops?session_id={ref}",
        "session_id": ref,
        "master": f"{_place(world, world.master, world.master['address'])}/",
    }


@handler("PUT", "/services/xenops", role="vm-power-admin")
def take_vm(exchange: Exchange) -> None:
    """Make a VM whose disks are here already, and let it run on if it does; a rehearsal only says whether it could."""
    content = bytearray()
    while piece := exchange.read(1 << 20):
        content += piece
    reply(exchange, lambda: _take(exchange.world, content))


def _take(world: World, content: bytes | bytearray) -> str:
    try:
        parcel = Parcel(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise Failure("INTERNAL_ERROR", f"what came is no VM: {error}") from error
    document = read_document(parcel.records.encode())
    with world.lock:
        host = world.db.get("host", parcel.host)
        records = dict(document.of("VM"))
        _assert_fits(world, parcel, host, records)
        if parcel.rehearsal:
            return NULL
        arrival = Arrival(world, parcel, document)
        try:
            return arrival.make(host).ref
        except BaseException:
            arrival.undo()
            raise


def _assert_fits(world: World, parcel: Parcel, host: Object, records: dict[str, Record]) -> None:
    """Raise why the VM cannot be here."""
    hosts.assert_answers(world, host)
    if not host["enabled"]:
        raise Failure("HOST_DISABLED", host.ref)
    guest = Object("VM", parcel.source, records[parcel.vm] | {"VGPUs": [], "resident_on": NULL})
    srs = [world.db.get("SR", ref) for ref in parcel.repositories]
    hosts.assert_sees_storage(world, guest, host, [sr.ref for sr in srs])
    for sr in srs:
        if "VDI_MIRROR" not in features(world, sr):
            raise Failure("SR_DOES_NOT_SUPPORT_MIGRATION", sr.ref)
    for group in parcel.groups.values():
        world.db.get("GPU_group", group)
    for ref in parcel.networks.values():
        _assert_network(world, guest, host, world.db.get("network", ref))
    _assert_new(world, parcel, records)
    if guest["power_state"] == states.RUNNING:
        hosts.assert_can_run(world, guest, host, disks_move=True)


def _assert_network(world: World, guest: Object, host: Object, network: Object) -> None:
    """A network with interfaces must have one on the host, for a VM that runs there."""
    pifs = [world.db.get("PIF", ref) for ref in network["PIFs"]]
    if guest["power_state"] == states.RUNNING and pifs and not any(pif["host"] == host.ref for pif in pifs):
        raise Failure("VM_REQUIRES_NETWORK", guest.ref, network.ref)


def _assert_new(world: World, parcel: Parcel, records: dict[str, Record]) -> None:
    """Raise when a VM of this identity is here already."""
    known = {vm["uuid"]: vm for vm in world.db.all("VM")}
    for name, record in records.items():
        uuid = parcel.uuids.get(name, record["uuid"])
        if uuid in known:
            raise Failure("DUPLICATE_VM", known[uuid].ref)
    seed = records[parcel.vm]["other_config"].get(MAC_SEED)
    if not parcel.copies and seed and any(vm["other_config"].get(MAC_SEED) == seed for vm in known.values()):
        raise Failure("DUPLICATE_MAC_SEED", seed)


def _place(world: World, host: Object, address: str) -> str:
    port = world.member_of(host).port
    scheme = "https" if world.options.tls else "http"
    return f"{scheme}://127.0.0.1:{port}" if port else f"{scheme}://{address}"


def _address(world: World, host: Object, network: Object) -> str:
    for ref in network["PIFs"]:
        pif = world.db.lookup("PIF", ref)
        if pif is not None and pif["host"] == host.ref and pif["IP"]:
            return str(pif["IP"])
    return str(host["address"])
