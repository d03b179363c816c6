"""Making, changing and moving domains of the fake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk import errors
from hvsdk.testing.fake import control

EVERYTHING = hvsdk.DomainSpec(
    name="all of it",
    uuid="6b1f9c7e-1111-4222-8333-444455556666",
    vcpus=4,
    max_vcpus=8,
    memory="2GiB",
    max_memory="4GiB",
    cpu_topology=hvsdk.CpuTopology(sockets=2, cores=2, threads=2),
    firmware="uefi",
    secure_boot=True,
    disks=[
        hvsdk.DiskSpec(size="1GiB", boot_order=1, serial="S1", bus="sata"),
        hvsdk.DiskSpec(size="2GiB", pool="fast", format="raw"),
    ],
    nics=[
        hvsdk.NicSpec(mac="00:16:3e:00:00:01", network="backend", model="e1000e", link_up=False, mtu=9000),
        hvsdk.NicSpec(vlan=7),
    ],
    media="iso/rescue.iso",
    cloud_init=hvsdk.CloudInit(user_data="password: hidden"),
    tags={"a"},
    notes="two\nlines",
    metadata={"team.owner": "x"},
    autostart=True,
    clock="localtime",
    machine="q35",
    guest_os="windows",
    smbios={"serial": "42"},
    pci_order=True,
    hints={"fake.colour": "red", "kvm.cpu_mode": "host-model"},
)


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo", timeout=10.0) as host:
        yield host


@pytest.fixture
def web(host) -> hvsdk.Domain:
    return host.domain("web-1")


def volumes(host: hvsdk.Host) -> int:
    return sum(len(pool.volumes()) for pool in host.storage_pools())


def test_a_domain_has_all_that_its_specification_says(host):
    made = host.create_domain(EVERYTHING).info
    assert (made.uuid, made.vcpus, made.max_vcpus, made.power_state) == (EVERYTHING.uuid, 4, 8, "shutoff")
    assert (made.memory_bytes, made.max_memory_bytes, made.firmware, made.secure_boot) == (2**31, 2**32, "uefi", True)
    one, two, cd = made.disks
    assert (one.bus, one.boot_order, one.serial, one.position, one.format) == ("sata", 1, "S1", 0, "qcow2")
    assert (two.pool, two.format, two.capacity_bytes, two.allocated_bytes) == ("pool-2", "raw", 2**31, 2**31)
    assert (cd.device, cd.source, cd.readonly) == ("cdrom", "/fake/iso/rescue.iso", True)
    first, second = made.nics
    assert (first.mac, first.network, first.model, first.link_up, first.mtu) == (
        "00:16:3e:00:00:01",
        "backend",
        "e1000e",
        False,
        9000,
    )
    assert (second.network, second.vlan) == ("default", 7)
    assert made.cpu_topology == EVERYTHING.cpu_topology
    assert (made.tags, made.notes, made.metadata, made.autostart) == ({"a"}, "two\nlines", {"team.owner": "x"}, True)
    assert made.details["fake.clock"] == "localtime"
    assert made.details["fake.smbios"] == {"serial": "42"}
    assert made.details["fake.colour"] == "red"
    assert "kvm.cpu_mode" not in made.details
    assert "hidden" not in repr(made.to_dict())
    assert control(host).cloud_init("all of it").user_data == "password: hidden"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"uuid": None, "disks": [hvsdk.DiskSpec(size=1), hvsdk.DiskSpec(source="nowhere")]},
            errors.VolumeNotFoundError,
        ),
        ({"disks": [hvsdk.DiskSpec(size=1, pool="nowhere")]}, errors.StoragePoolNotFoundError),
        ({"disks": [hvsdk.DiskSpec(size=1), hvsdk.DiskSpec(size=1, bus="warp")]}, errors.InvalidSpecError),
        ({"disks": [hvsdk.DiskSpec(size=1, format="floppy")]}, errors.InvalidSpecError),
        ({"nics": [hvsdk.NicSpec(network="nowhere")]}, errors.NetworkNotFoundError),
        ({"media": "iso/nothing.iso"}, errors.VolumeNotFoundError),
        ({"template": "nothing"}, errors.DomainNotFoundError),
        ({"name": "x" * 256}, errors.InvalidSpecError),
    ],
)
def test_what_cannot_be_made_leaves_nothing(host, changes, error):
    before = volumes(host)
    with pytest.raises(error):
        host.create_domain(EVERYTHING.replace(**changes))
    assert volumes(host) == before
    assert len(host.domains()) == 10


def test_a_uuid_that_is_taken_is_refused(host, web):
    with pytest.raises(errors.AlreadyExistsError):
        host.create_domain(hvsdk.DomainSpec(name="x", memory="1GiB", uuid=web.uuid))


def test_two_domains_may_have_one_name(host, web):
    host.create_domain(hvsdk.DomainSpec(name="web-1", memory="1GiB"))
    with pytest.raises(errors.AmbiguousNameError) as caught:
        host.domain("web-1")
    assert len(caught.value.candidates) == 2


def test_a_domain_can_be_made_from_a_template():
    with hvsdk.connect("fake://demo?templates=1&domains=1") as host:
        made = host.create_domain(hvsdk.DomainSpec(name="x", memory="1GiB", template="template-1"))
        assert not made.is_template
        template = next(domain for domain in host.domains(templates=True, full=True) if domain.is_template)
        sizes = [[d.capacity_bytes for d in one.disks if d.device == "disk"] for one in (made, template)]
        assert sizes[0] == sizes[1] != []
        assert made.disks[0].source != template.disks[0].source


def test_a_running_domain_takes_some_changes_at_once_and_others_at_its_next_boot(host, web):
    stats = web.stats()
    applied = web.reconfigure(vcpus=web.max_vcpus, memory=web.memory_bytes // 2)
    assert (applied.live, applied.next_boot) == ({"vcpus", "memory"}, set())
    assert web.stats().vcpus == web.vcpus == 2 * stats.vcpus
    applied = web.reconfigure(vcpus=1)
    assert (applied.live, applied.next_boot) == (set(), {"vcpus"})
    assert (web.vcpus, web.stats().vcpus) == (1, 2 * stats.vcpus)
    web.power_off()
    web.start()
    assert web.stats().vcpus == 1


def test_more_than_the_maximum_that_was_given_changes_nothing(web):
    with pytest.raises(errors.InvalidSpecError):
        web.reconfigure(vcpus=64, max_vcpus=32)
    assert web.refresh().vcpus == 2


def test_devices_come_and_go(web):
    disk = web.attach_disk(hvsdk.DiskSpec(size="1GiB", pool="fast"))
    assert web.resize_disk(disk, "2GiB").capacity_bytes == 2**31
    web.detach_disk(disk)
    nic = web.attach_nic(hvsdk.NicSpec(network="dmz"))
    assert (nic.network, nic.vlan, nic.link_up) == ("dmz", 200, True)
    web.set_nic_link(nic, False)
    assert not next(one for one in web.nics if one.id == nic.id).link_up
    web.detach_nic(nic)
    assert nic.id not in [one.id for one in web.nics]
    assert web.attach_nic(hvsdk.NicSpec()).id != nic.id


def test_a_guest_may_not_let_a_device_go(host, web):
    control(host).guest(web, unplug="ignores")
    with pytest.raises(errors.OperationTimeoutError):
        web.detach_nic(web.nics[0], timeout=1.0)
    control(host).guest(web, unplug="obeys")
    web.detach_nic(web.nics[0])


def test_a_clone_has_labels_but_no_marks_of_its_own_kind(host, web):
    web.set_lineage(moved_from=hvsdk.Lineage(uuid="6b1f9c7e-1111-4222-8333-444455556666"))
    clone = web.clone("twin")
    assert (clone.tags, clone.notes, clone.metadata["team.owner"]) == (web.tags, web.notes, web.metadata["team.owner"])
    assert clone.moved_from is None
    assert not {nic.mac for nic in clone.nics} & {nic.mac for nic in web.nics}


@pytest.mark.parametrize("live", [True, False])
def test_a_domain_moves_to_another_fake_host_with_disks_snapshots_and_memory(host, web, live):
    fake = control(host)
    snapshot = web.create_snapshot("s")
    if not live:
        web.power_off()
    with web.open_disk(web.disks[0], snapshot=snapshot) as reader:
        before = reader.read(0, 4096)
    boot = fake.boot_id(web)
    with hvsdk.connect("fake://other") as other:
        moved = web.migrate(other, live=live)
        assert moved.host is other
        assert (moved.uuid, moved.power_state) == (web.uuid, "running" if live else "shutoff")
        assert control(other).boot_id(moved) == boot
        assert web.uuid not in [domain.uuid for domain in host.domains()]
        with moved.open_disk(moved.disks[0], snapshot=moved.snapshots()[0]) as reader:
            assert reader.read(0, 4096) == before


@pytest.mark.parametrize("form", ["name", "record"])
def test_a_domain_moves_to_another_node_and_pool_of_its_own_host(host, web, form):
    node = next(node for node in host.nodes() if node.name != web.node)
    pool = next(pool for pool in host.storage_pools() if pool.id != web.disks[0].pool)
    moved = web.migrate(node=node if form == "record" else node.name, pool=pool if form == "record" else pool.name)
    assert (moved.native_id, moved.node, moved.power_state) == (web.native_id, node.name, "running")
    assert {disk.pool for disk in moved.disks if disk.device == "disk"} == {pool.id}


def test_a_move_to_where_it_is_asks_where_to(host, web):
    with pytest.raises(errors.InvalidSpecError, match="node= or pool="):
        web.migrate()
    with pytest.raises(errors.InvalidSpecError, match=r"storage_pools\(\)"):
        web.migrate(pool=3)
    with pytest.raises(errors.InvalidSpecError, match="node=…"):
        web.migrate("node-1")
    with pytest.raises(errors.UnsupportedError, match=r"node 'gone'.*no such node"):
        web.migrate(node="gone")


def test_a_read_only_connection_takes_no_domain_in(host, web):
    with (
        hvsdk.connect("fake://other", readonly=True) as other,
        pytest.raises(errors.PermissionDeniedError, match="readonly"),
    ):
        web.migrate(other)
    assert web.refresh().power_state == "running"


def test_what_stands_in_the_way_of_a_move_is_said_before_it_begins(host, web):
    with hvsdk.connect("fake://demo") as same, pytest.raises(errors.UnsupportedError, match="has a domain with UUID"):
        web.migrate(same)
    twin = web.clone("twin", linked=True)
    with hvsdk.connect("fake://other") as other:
        with pytest.raises(errors.UnsupportedError, match="linked"):
            twin.migrate(other)
        with pytest.raises(errors.UnsupportedError, match="lies on it"):
            web.migrate(other)
        assert len(other.domains()) == 10


def test_a_move_that_fails_late_leaves_the_domain_where_it_was(host, web):
    control(host).fail("migrate", "task-fails-late")
    with hvsdk.connect("fake://other") as other:
        with pytest.raises(errors.OperationFailedError):
            web.migrate(other)
        assert len(other.domains()) == 10
    assert web.refresh().power_state == "running"


@pytest.mark.parametrize(
    "name", ["a'b\"c", "$(reboot)", "two\nlines", "<b>&amp;</b>", "名前", "x" * 80, "[red]", "..", "%s"]
)
def test_hostile_names_are_kept_as_they_are(host, web, name):
    web.rename(name)
    assert host.domain(name) == web
    assert web.create_snapshot(name).name == name
    assert host.create_domain(hvsdk.DomainSpec(name=name + "!", memory="1GiB")).name == name + "!"
