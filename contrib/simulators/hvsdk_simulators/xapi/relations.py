"""Which field of one class is the other side of a field of another class."""

from __future__ import annotations

from typing import NamedTuple


class Inverse(NamedTuple):
    """The set field in which the object referred to names those that refer to it."""

    cls: str
    field: str


_PAIRS = """
    VBD.VM VM.VBDs / VBD.VDI VDI.VBDs / VIF.VM VM.VIFs / VIF.network network.VIFs / PIF.network network.PIFs
    PIF.host host.PIFs / VDI.SR SR.VDIs / PBD.SR SR.PBDs / PBD.host host.PBDs / console.VM VM.consoles
    VM.resident_on host.resident_VMs / VM.snapshot_of VM.snapshots / VDI.snapshot_of VDI.snapshots
    VM.parent VM.children / VM.appliance VM_appliance.VMs / VM.protection_policy VMPP.VMs
    VM.snapshot_schedule VMSS.VMs / VGPU.VM VM.VGPUs / VUSB.VM VM.VUSBs / VTPM.VM VM.VTPMs
    crashdump.VM VM.crash_dumps / crashdump.VDI VDI.crash_dumps / PCI.host host.PCIs / PGPU.host host.PGPUs
    PUSB.host host.PUSBs / PGPU.GPU_group GPU_group.PGPUs / VGPU.GPU_group GPU_group.VGPUs
    VGPU.resident_on PGPU.resident_VGPUs / PUSB.USB_group USB_group.PUSBs / VUSB.USB_group USB_group.VUSBs
    host_cpu.host host.host_CPUs / host_crashdump.host host.crashdumps / Certificate.host host.certificates
    Feature.host host.features / Bond.master PIF.bond_master_of / PIF.bond_slave_of Bond.slaves
    VLAN.tagged_PIF PIF.VLAN_slave_of / tunnel.access_PIF PIF.tunnel_access_PIF_of
    tunnel.transport_PIF PIF.tunnel_transport_PIF_of / network_sriov.physical_PIF PIF.sriov_physical_PIF_of
    network_sriov.logical_PIF PIF.sriov_logical_PIF_of / task.subtask_of task.subtasks
    Cluster_host.cluster Cluster.cluster_hosts / PVS_server.site PVS_site.servers / PVS_proxy.site PVS_site.proxies
    PVS_cache_storage.site PVS_site.cache_storage / host_patch.host host.patches
"""


def _read() -> dict[tuple[str, str], Inverse]:
    found = {}
    words = _PAIRS.replace("/", " ").split()
    for one, other in zip(words[::2], words[1::2], strict=True):
        cls, _, name = one.partition(".")
        found[cls, name] = Inverse(*other.split("."))
    return found


INVERSE = _read()
"""By class and field of the side that is written."""

KEPT = frozenset(INVERSE.values())
"""The sides that the database writes."""
