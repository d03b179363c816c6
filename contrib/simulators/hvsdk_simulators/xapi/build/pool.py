"""The whole pool, put together."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from hvsdk_simulators.xapi.build.access import make_access
from hvsdk_simulators.xapi.build.alerts import make_alerts
from hvsdk_simulators.xapi.build.domains import MEMORY, Place, make_domains
from hvsdk_simulators.xapi.build.hardware import attach_hardware, make_hardware
from hvsdk_simulators.xapi.build.hosts import cpu_info, make_control_domain, make_host
from hvsdk_simulators.xapi.build.networks import connect_host, make_networks
from hvsdk_simulators.xapi.build.snapshots import make_snapshots
from hvsdk_simulators.xapi.build.storage import Storage, make_storage
from hvsdk_simulators.xapi.build.templates import make_templates
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.storage.drivers import register_drivers
from hvsdk_simulators.xapi.storage.service import install
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.world import Member, World


def build(world: World) -> None:
    """Fill an empty world. With no domains asked for there is all but VMs.

    The members are made here too; what listens gives them their ports and certificates.
    """
    with world.lock, _without_collector():
        install(world)
        register_drivers(world)
        hosts = [make_host(world, number, _memory_each(world)) for number in range(world.options.hosts)]
        world.members.extend(Member(host, host["address"]) for host in hosts)
        networks = make_networks(world)
        for number, host in enumerate(hosts):
            connect_host(world, networks, host, number)
            make_control_domain(world, host)
        storage = make_storage(world, hosts, room=world.options.domains * 64 * GIB)
        _make_pool(world, hosts, storage)
        make_access(world)
        make_hardware(world, hosts)
        make_templates(world, networks, storage)
        vms = make_domains(world, Place(hosts, networks, storage))
        make_snapshots(world, vms, storage)
        attach_hardware(world, vms)
        _make_appliance(world, vms)
        make_alerts(world, hosts, vms)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from looking through a growing pool, in which there is no garbage, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _memory_each(world: World) -> int:
    """Bytes of memory per host: enough for all VMs with one host down."""
    needed = world.options.domains * (MEMORY + GIB // 8) // max(1, world.options.hosts - 1)
    return max(128 * GIB, needed + 16 * GIB)


def _make_pool(world: World, hosts: list[Object], storage: Storage) -> None:
    world.db.create(
        "pool",
        name_label="Simulated pool",
        name_description="",
        master=hosts[0].ref,
        default_SR=storage.nfs.ref,
        suspend_image_SR=storage.nfs.ref,
        crash_dump_SR=storage.nfs.ref,
        other_config={
            "cpuid_feature_mask": "",
            "memory-ratio-hvm": "0.25",
            "memory-ratio-pv": "0.25",
            "auto_poweron": "true",
        },
        restrictions={"restrict_cbt": "false", "restrict_nbd": "false", "restrict_checkpoint": "false"},
        cpu_info=cpu_info(),
        redo_log_vdi=NULL,
        tags=[],
    )
    for host in hosts:
        world.db.update(host, suspend_image_sr=storage.nfs.ref, crash_dump_sr=storage.local[host.ref].ref)


def _make_appliance(world: World, vms: list[Object]) -> None:
    if len(vms) < 3:
        return
    appliance = world.db.create("VM_appliance", name_label="Shop", name_description="Starts the database first")
    for order, vm in enumerate(vms[:3]):
        world.db.update(vm, appliance=appliance.ref, order=order, start_delay=order)
