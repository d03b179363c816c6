"""Where a VM can run: storage, networks, memory and CPUs of the hosts."""

from collections.abc import Iterable

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.storage import connections
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.memory_rules import assert_valid_to_boot
from hvsdk_simulators.xapi.world import World


def memory_free(world: World, host: Object, *, without: Object | None = None) -> int:
    """Bytes a new VM could have on the host when all others shrink to their least."""
    metrics = world.db.lookup("host_metrics", host["metrics"])
    total = metrics["memory_total"] if metrics else 0
    leaving = without.ref if without is not None else NULL
    residents = (world.db.lookup("VM", ref) for ref in host["resident_VMs"] if ref != leaving)
    return int(total) - int(host["memory_overhead"]) - sum(least_memory(vm) for vm in residents if vm is not None)


def least_memory(vm: Object) -> int:
    """Bytes that the VM takes at least while it runs."""
    return int(vm["memory_dynamic_min"] + vm["memory_overhead"])


def storage_of(world: World, vm: Object) -> list[str]:
    """References of the SRs that hold the VM's disks, media and saved memory."""
    vbds = (world.db.lookup("VBD", ref) for ref in vm["VBDs"])
    vdi_refs = [vbd["VDI"] for vbd in vbds if vbd is not None and not vbd["empty"]]
    if vm["power_state"] == states.SUSPENDED:
        vdi_refs.append(vm["suspend_VDI"])
    vdis = (world.db.lookup("VDI", ref) for ref in vdi_refs)
    return list(dict.fromkeys(vdi["SR"] for vdi in vdis if vdi is not None))


def sees(world: World, host: Object, sr: str) -> bool:
    """Whether the SR of a reference is plugged into the host."""
    return connections.sees(world, host, world.db.get("SR", sr))


def is_live(world: World, host: Object) -> bool:
    """Whether the host answers its pool."""
    metrics = world.db.lookup("host_metrics", host["metrics"])
    return metrics is not None and bool(metrics["live"])


def assert_answers(world: World, host: Object) -> None:
    """Raise when a host does not answer, whether the pool knows of it by now or not."""
    if not is_live(world, host):
        raise Failure("HOST_OFFLINE", host.ref)
    if any(member.host is host and not member.alive for member in world.members):
        raise Failure("CANNOT_CONTACT_HOST", host.ref)


def assert_sees_storage(world: World, vm: Object, host: Object, srs: Iterable[str]) -> None:
    """Raise VM_REQUIRES_SR for the first SR that is not plugged into the host."""
    for sr in srs:
        if not sees(world, host, sr):
            raise Failure("VM_REQUIRES_SR", vm.ref, sr)


def assert_can_run(world: World, vm: Object, host: Object, *, disks_move: bool = False) -> None:
    """Raise the product's reason why the VM cannot run on the host.

    Args:
        world: The pool.
        vm: The VM, in any power state.
        host: Where it would run.
        disks_move: Its disks are copied with it, so that their SRs need not be there.
    """
    assert_valid_to_boot(vm)
    if not is_live(world, host):
        raise Failure("HOST_NOT_LIVE")
    assert_answers(world, host)
    if not host["enabled"] and not vm["is_control_domain"] and vm["resident_on"] != host.ref:
        raise Failure("HOST_DISABLED", host.ref)
    _assert_hardware_version(vm, host)
    if not disks_move:
        assert_sees_storage(world, vm, host, storage_of(world, vm))
    _assert_networks(world, vm, host)
    _assert_gpus(world, vm, host)
    _assert_memory(world, vm, host)
    _assert_cpus(vm, host)


def possible_hosts(world: World, vm: Object) -> list[Object]:
    """The hosts on which the VM could run now."""
    return [host for host in world.db.all("host") if _can_run(world, vm, host)]


def choose_host(world: World, vm: Object) -> Object:
    """The host to run the VM on: the one it prefers, or the one with the most memory left.

    In a pool of one the reason is told; in a larger one it is only said that no host was found.
    """
    hosts = world.db.all("host")
    if len(hosts) == 1:
        assert_can_run(world, vm, hosts[0])
        return hosts[0]
    able = possible_hosts(world, vm)
    if not able:
        raise Failure("NO_HOSTS_AVAILABLE")
    preferred = [host for host in able if host.ref == vm["affinity"]]
    return max(preferred or able, key=lambda host: memory_free(world, host))


def _can_run(world: World, vm: Object, host: Object) -> bool:
    try:
        assert_can_run(world, vm, host)
    except Failure:
        return False
    return True


def _assert_hardware_version(vm: Object, host: Object) -> None:
    known = host["virtual_hardware_platform_versions"] or [0]
    wanted = vm["hardware_platform_version"]
    if wanted not in known:
        versions = "[" + "; ".join(map(str, known)) + "]"
        code = "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION"
        raise Failure(code, host.ref, versions, vm.ref, str(wanted))


def _assert_networks(world: World, vm: Object, host: Object) -> None:
    """A network with interfaces must have one on the host; one without is made on any."""
    for ref in vm["VIFs"]:
        vif = world.db.lookup("VIF", ref)
        network = world.db.lookup("network", vif["network"]) if vif else None
        if network is None or not network["PIFs"]:
            continue
        pifs = (world.db.lookup("PIF", pif) for pif in network["PIFs"])
        if not any(pif is not None and pif["host"] == host.ref for pif in pifs):
            raise Failure("VM_REQUIRES_NETWORK", vm.ref, network.ref)


def _assert_gpus(world: World, vm: Object, host: Object) -> None:
    """A virtual GPU needs a card of its group in the host."""
    cards = (world.db.lookup("PGPU", ref) for ref in host["PGPUs"])
    groups = {card["GPU_group"] for card in cards if card is not None}
    for ref in vm["VGPUs"]:
        group = world.db.get("VGPU", ref)["GPU_group"]
        if group not in groups:
            raise Failure("VM_REQUIRES_GPU", vm.ref, group)


def _assert_memory(world: World, vm: Object, host: Object) -> None:
    needed, available = least_memory(vm), memory_free(world, host, without=vm)
    if available < needed:
        raise Failure("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(available))


def _assert_cpus(vm: Object, host: Object) -> None:
    count = int(host["cpu_info"].get("cpu_count", vm["VCPUs_max"]))
    if vm["VCPUs_max"] > count and vm["platform"].get("vcpu-unrestricted") != "true":
        raise Failure("HOST_NOT_ENOUGH_PCPUS", str(vm["VCPUs_max"]), str(count))
