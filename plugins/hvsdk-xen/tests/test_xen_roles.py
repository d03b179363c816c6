"""What each role of the pool suffices for: as the page of the backend says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk.driver import PowerState, errors
from hvsdk_simulators import Running
from xen_support import MIB, Raw, connect

SHARED = "NFS virtual disk storage"


@pytest.fixture
def as_role(pool: Running, make_vm: Callable[..., str]) -> Iterator[Callable[[str], hvsdk.Domain]]:
    """Connects as a user with a role, and returns a domain that is off: `as_role("vm-admin")`."""
    hosts: list[hvsdk.Host] = []

    def make(role: str) -> hvsdk.Domain:
        hosts.append(connect(pool, username=f"{role}@example.com"))
        return hosts[-1].domain(make_vm())

    yield make
    for host in hosts:
        host.close()


def test_read_only_reads_all_but_disks(pool: Running, make_vm: Callable[..., str]):
    uuid = make_vm()
    with connect(pool, username="read-only@example.com", readonly=True, allow={"open_disk"}) as host:
        domain = host.domain(uuid)
        assert host.domains(full=True)
        assert host.nodes()
        assert host.networks()
        assert [pool.volumes() for pool in host.storage_pools()]
        assert host.info().uuid
        host.stats()
        domain.snapshots()
        with pytest.raises((errors.PermissionDeniedError, errors.UnsupportedError)):
            domain.open_disk(domain.disks[0])


def test_vm_operator_runs_domains(as_role):
    domain = as_role("vm-operator")
    domain.set_tags({"seen"})
    domain.start()
    domain.pause()
    domain.unpause()
    domain.power_off()
    with pytest.raises(errors.HvsdkError, match="role"):
        domain.rename("no")


def test_vm_admin_makes_changes_and_removes_domains_and_their_disks(as_role, raw: Raw):
    domain = as_role("vm-admin")
    host = domain.host
    domain.rename("xen-roles")
    domain.set_notes("mine")
    domain.set_metadata({"team.owner": "me"})
    domain.fence("moved")
    domain.unfence()
    with domain.open_disk(domain.disks[0]) as reader:
        assert reader.read(0, 512)
    domain.resize_disk(domain.disks[0], 32 * MIB)
    domain.reconfigure(vcpus=2)
    copy = domain.clone("xen-roles-copy")
    copy.delete(disks="delete")
    volume = host.storage_pool(SHARED).create_volume(name="xen-roles", size=MIB)
    with volume.open_writer() as writer:
        writer.write(0, b"written")
    volume.delete()
    made = host.create_domain(hvsdk.DomainSpec(name="xen-roles", memory="128MiB", disks=[hvsdk.DiskSpec(size="1MiB")]))
    made.delete(disks="delete")
    with pytest.raises(errors.HvsdkError, match="role"):
        domain.create_snapshot("no")


def test_vm_power_admin_goes_back_and_moves_domains(as_role):
    domain = as_role("vm-power-admin")
    snapshot = domain.create_snapshot("one")
    snapshot.revert()
    snapshot.delete()
    domain.reconfigure(memory=256 * MIB)
    local = next(pool for pool in domain.host.storage_pools() if pool.name == "Local storage")
    domain.start()
    node = next(node.name for node in domain.host.nodes() if node.name != domain.refresh().node and node.state == "up")
    domain = domain.migrate(node=node)
    assert domain.node == node
    domain = domain.migrate(pool=local.id, node=local.info.details["xen.nodes"][0])
    assert domain.power_state is PowerState.RUNNING
    domain.power_off()


def test_pool_operator_cuts_links_and_switches_the_pools_autostart_on(as_role, raw: Raw):
    (ref,) = raw("pool.get_all")
    raw("pool.remove_from_other_config", ref, "auto_poweron")
    admin, operator = as_role("vm-admin"), as_role("pool-operator")
    for change in (lambda one: one.set_autostart(True), lambda one: one.set_nic_link(one.nics[0], False)):
        with pytest.raises(errors.HvsdkError, match="role"):
            change(admin)
        change(operator)
    admin.set_autostart(True)
