"""Moves within the pool, and what stands in their way."""

from __future__ import annotations

import pytest
from hvsdk.driver import PowerState, errors
from xen_support import Raw, connect


def another_node(host, domain):
    return next(node for node in host.nodes() if node.name != domain.node and node.state == "up")


def test_a_running_domain_moves_to_the_node_that_was_named(host, domain, reach, pool):
    reach("running")
    node = another_node(host, domain)
    pool.reset_counts()
    moved = domain.migrate(node=node)
    assert (moved.node, moved.power_state) == (node.name, PowerState.RUNNING)
    assert pool.counts()["Async.VM.pool_migrate"] == 1


def test_a_domain_that_is_off_starts_on_the_node_that_was_named(host, domain):
    node = another_node(host, domain)
    domain.migrate(node=node)
    domain.start()
    assert domain.node == node.name


def test_a_node_or_pool_that_is_not_there_is_named_with_those_that_are(host, domain):
    with pytest.raises(errors.UnsupportedError, match=host.nodes()[0].name):
        domain.migrate(node="no-such-node")
    with pytest.raises(errors.UnsupportedError, match="no storage pool 'no-such-pool'"):
        domain.migrate(pool="no-such-pool")


def test_a_paused_domain_is_not_moved(host, domain, reach):
    reach("running")
    node = another_node(host, domain)
    reach("paused")
    with pytest.raises(errors.PowerStateError):
        domain.migrate(node=node)


def test_a_domain_without_tools_is_told_what_helps_it_to_move(host, domain, reach, pool):
    reach("running")
    node = another_node(host, domain)
    pool.act("guest", vm=domain.native_id, tools=False)
    with pytest.raises(errors.HvsdkError) as refused:
        domain.migrate(node=node)
    assert isinstance(refused.value, (errors.UnsupportedError, errors.GuestAgentError))
    assert "install the" in str(refused.value)
    assert "off, it moves without" in str(refused.value)


def test_a_fenced_domain_is_not_moved(host, domain, reach):
    reach("running")
    node = another_node(host, domain)
    domain.fence("stays")
    with pytest.raises(errors.UnsupportedError, match="OPERATION_BLOCKED"):
        domain.migrate(node=node)


def test_a_fenced_domain_that_is_off_is_not_moved_either(host, domain):
    domain.fence("stays")
    for place in ({"node": another_node(host, domain)}, {"pool": other_storage(host, domain)}):
        with pytest.raises(errors.UnsupportedError, match=r"OPERATION_BLOCKED.*stays"):
            domain.migrate(**place)


def other_storage(host, domain):
    """Return a pool that has room, beside the one that the disk is in."""
    (disk,) = domain.disks
    fitting = [pool for pool in host.storage_pools() if pool.type not in ("iso", "udev") and pool.info.id != disk.pool]
    return max(fitting, key=lambda pool: pool.info.free_bytes or 0)


@pytest.fixture
def old_pool(make_pool):
    """A pool of the time before XAPI moved the disks of domains that are off, and a domain on it."""
    pool = make_pool(api="2.0", hosts=2)
    with Raw(pool) as client, connect(pool) as host:
        yield pool, host, host.domain(client.make_vm("xen-test")), client


def test_an_old_version_has_the_disks_of_a_domain_that_is_off_carried(old_pool):
    _, host, domain, client = old_pool
    place = other_storage(host, domain)
    before = set(client("VDI.get_all"))
    domain = domain.migrate(pool=place)
    (disk,) = domain.disks
    assert disk.pool == place.info.id
    assert len(set(client("VDI.get_all")) - before) == len(before - set(client("VDI.get_all"))) == 1
    domain.start()
    assert domain.power_state is PowerState.RUNNING


@pytest.mark.parametrize("method", ["Async.VDI.copy", "VBD.destroy", "VBD.create"])
def test_disks_that_cannot_be_carried_stay_where_they_are(old_pool, method):
    pool, host, domain, client = old_pool
    before, place = set(client("VDI.get_all")), domain.disks[0].pool
    pool.fault(f"{method}:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.OperationFailedError):
        domain.migrate(pool=other_storage(host, domain))
    assert set(client("VDI.get_all")) == before
    assert domain.refresh().disks[0].pool == place
