"""Moves to another pool: what goes along, and what a move that fails leaves where."""

from __future__ import annotations

import base64
import threading

import hvsdk_simulators
import pytest
from hvsdk.driver import PowerState, errors
from xen_support import Raw, connect, eventually


@pytest.fixture(scope="module")
def far_pool():
    """The pool that domains are sent to: two hosts that know nothing of the first pool."""
    with hvsdk_simulators.start("xapi", domains=1, hosts=2, seed=7) as running:
        yield running


@pytest.fixture
def far_raw(far_pool):
    """Another client of that pool; the domains that a test leaves there are removed."""
    with Raw(far_pool) as client:
        before = set(client("VM.get_all"))
        yield client
        far_pool.clear_faults()
        for ref, record in client("VM.get_all_records").items():
            if ref not in before and not record["is_a_snapshot"]:
                client.remove_vm(record["uuid"])


@pytest.fixture
def far(far_pool, far_raw):
    with connect(far_pool) as host:
        yield host


def content(pool, domain):
    """The digests of a domain's disks."""
    return [pool.act("disk", vdi=disk.volume)["sha256"] for disk in domain.disks if disk.device == "disk"]


def write(pool, domain, text):
    data = base64.b64encode(text).decode()
    for disk in domain.disks:
        if disk.device == "disk":
            pool.act("disk", vdi=disk.volume, write=data, offset=1 << 20)


@pytest.mark.parametrize("state", ["shutoff", "running"])
def test_a_domain_arrives_with_its_disks_snapshots_and_memory(pool, far_pool, far, make_domain, raw, state):
    domain = make_domain(disks=2)
    write(pool, domain, b"before")
    before = content(pool, domain)
    snapshot = domain.create_snapshot("before")
    write(pool, domain, b"after")
    raw.reach(domain.native_id, state)
    domain.refresh()
    macs, after = [nic.mac for nic in domain.nics], content(pool, domain)
    boots = pool.act("guest", vm=domain.native_id)["boots"]
    held = pool.act("vdis")["count"]
    moved = domain.migrate(far)
    assert (moved.native_id, moved.power_state) == (domain.native_id, PowerState(state))
    assert ([nic.mac for nic in moved.nics], content(far_pool, moved)) == (macs, after)
    assert far_pool.act("guest", vm=moved.native_id)["boots"] == boots
    assert pool.act("vdis")["count"] == held - 4
    assert [one.name for one in moved.snapshots()] == [snapshot.name]
    if state == "running":
        moved.power_off()
    moved.snapshots()[0].revert()
    assert content(far_pool, moved.refresh()) == before


def test_a_domain_moves_to_the_node_and_pool_that_were_named(far, make_domain):
    node = far.nodes()[1]
    places = [one for one in far.storage_pools() if one.active and one.type in ("nfs", "lvmoiscsi", "smb")]
    place = next(one for one in places if not one.info.details.get("xen.is_default"))
    domain = make_domain()
    domain.start()
    moved = domain.migrate(far, node=node.name, pool=place)
    assert (moved.node, {disk.pool for disk in moved.disks if disk.device == "disk"}) == (node.name, {place.id})


@pytest.mark.parametrize("state", ["shutoff", "running"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("VDI.create:error=SR_FULL,1,0:1", "SR_FULL"),
        ("VDI.create:drop-after:1", "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED"),
        ("/services/SM:drop-before:1", "MIRROR_FAILED"),
    ],
)
def test_a_move_that_fails_leaves_the_domain_where_it_was(pool, far_pool, far, make_domain, raw, state, fault, code):
    domain = make_domain(disks=2)
    raw.reach(domain.native_id, state)
    disks, before = content(pool, domain.refresh()), (pool.act("vdis"), far_pool.act("vdis"))
    far_pool.fault(fault)
    with pytest.raises(errors.HvsdkError) as caught:
        domain.migrate(far)
    assert caught.value.native_code == code
    assert (pool.act("vdis"), far_pool.act("vdis")) == before
    assert domain.refresh().power_state == PowerState(state)
    assert (content(pool, domain), [one.uuid for one in far.domains() if one.uuid == domain.uuid]) == (disks, [])
    assert not isinstance(caught.value, errors.ConnectionLostError)
    assert domain.migrate(far).host is far


def test_a_move_that_is_cancelled_leaves_the_domain_where_it_was(pool, far_pool, far, make_domain):
    domain = make_domain()
    domain.start()
    disks, before = content(pool, domain), (pool.act("vdis"), far_pool.act("vdis"))
    far_pool.reset_counts()
    far_pool.fault("/services/SM:freeze:1")
    stop = threading.Event()

    def look(_share: float | None) -> None:
        if far_pool.counts().get("/services/SM"):
            stop.set()

    with pytest.raises(errors.CancelledError):
        domain.migrate(far, progress=look, cancel=stop)
    assert eventually(lambda: (pool.act("vdis"), far_pool.act("vdis")) == before)
    assert (domain.refresh().power_state, content(pool, domain)) == (PowerState.RUNNING, disks)


def test_what_stands_in_the_way_is_said_before_anything_is_sent(pool, far_pool, far_raw, far, make_domain, raw):
    domain = make_domain()
    network = raw("network.get_name_label", raw("VIF.get_network", raw("VM.get_VIFs", ref(raw, domain))[0]))
    (there,) = far_raw("network.get_by_name_label", network)
    far_pool.reset_counts()
    far_raw("network.set_name_label", there, "renamed")
    try:
        with pytest.raises(errors.UnsupportedError, match="no network"):
            domain.migrate(far)
        twins = [far_raw("network.create", {"name_label": network, "name_description": ""}) for _ in range(2)]
        with pytest.raises(errors.UnsupportedError, match="several networks"):
            domain.migrate(far)
        for twin in twins:
            far_raw("network.destroy", twin)
    finally:
        far_raw("network.set_name_label", there, network)
    with pytest.raises(errors.UnsupportedError, match="no storage pool 'nowhere'"):
        domain.migrate(far, pool="nowhere")
    with pytest.raises(errors.UnsupportedError, match="no node 'nowhere'"):
        domain.migrate(far, node="nowhere")
    assert "VDI.create" not in far_pool.counts()


def test_a_domain_that_is_in_the_other_pool_already_does_not_move_there(far_pool, far, make_domain):
    moved = make_domain().migrate(far)
    with connect(far_pool) as again, pytest.raises(errors.UnsupportedError, match="say node= or pool="):
        moved.migrate(again)


def test_the_other_pools_session_is_in_no_error(far_pool, far, make_domain):
    domain = make_domain()
    sessions = {session["ref"] for session in far_pool.sessions()}
    far_pool.fault("/services/SM:drop-before:1")
    with pytest.raises(errors.HvsdkError) as caught:
        domain.migrate(far)
    told = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert not [session for session in sessions if session in told]


def ref(raw, domain):
    return raw("VM.get_by_uuid", domain.native_id)
