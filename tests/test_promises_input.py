"""Whatever a public method is given, it answers with one of hvsdk's errors, and changes nothing."""

from __future__ import annotations

import math

import pytest

import hvsdk
from hvsdk import DiskSpec, DomainSpec, NicSpec, errors
from hvsdk.testing.fake import control


@pytest.fixture
def host():
    with hvsdk.connect("fake://demo?domains=4&snapshots=1") as host:
        yield host


@pytest.fixture
def web(host):
    return host.domains(state="shutoff", full=True)[0]


ODD = [None, 7, b"bytes", "", object()]


def refuses(call) -> None:
    with pytest.raises(errors.HvsdkError) as caught:
        call()
    assert isinstance(caught.value, (errors.InvalidSpecError, errors.NotFoundError)), caught.value
    assert "attribute" not in str(caught.value)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_host_refuses_what_makes_no_sense(host, odd):
    refuses(lambda: host.domain(odd))
    refuses(lambda: host.network(odd))
    refuses(lambda: host.storage_pool(odd))
    refuses(lambda: host.create_domain(odd))
    refuses(lambda: host.storage_pools()[0].create_volume(odd))
    refuses(lambda: host.storage_pools()[0].volume(odd))
    refuses(lambda: host.supports(odd))
    refuses(lambda: host.why_not(odd))


@pytest.mark.parametrize(
    "filters",
    [{"name": 7}, {"tag": 7}, {"hypervisor": b"kvm"}, {"where": 7}, {"include": 7}, {"include": "x"}, {"state": 7}],
    ids=str,
)
def test_a_listing_refuses_filters_that_make_no_sense(host, filters):
    refuses(lambda: host.domains(**filters))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_domain_refuses_what_makes_no_sense(web, odd):
    before = web.refresh().info
    for verb in (web.attach_disk, web.detach_disk, web.attach_nic, web.detach_nic, web.snapshot, web.rename):
        refuses(lambda verb=verb: verb(odd))
    for verb in (web.insert_media, web.create_snapshot, web.clone, web.migrate, web.fence, web.wait_for, web.why_not):
        refuses(lambda verb=verb: verb(odd))
    refuses(lambda: web.resize_disk(odd, "10GiB"))
    refuses(lambda: web.open_disk(odd))
    refuses(lambda: web.set_nic_link(odd, True))
    refuses(lambda: web.set_nic_link(web.nics[0], odd))
    refuses(lambda: web.set_metadata(odd))
    refuses(lambda: web.set_autostart(odd))
    refuses(lambda: web.shutdown(then=odd))
    refuses(lambda: web.delete(disks=odd))
    assert web.refresh().info == before


@pytest.mark.parametrize("odd", [None, 7, "text", [None], [7], [""]], ids=repr)
def test_tags_are_several_texts(web, odd):
    refuses(lambda: web.set_tags(odd))


@pytest.mark.parametrize("timeout", [-1, math.nan, -math.inf, "5", True, object()], ids=repr)
def test_a_time_that_is_none_is_refused_before_anything_is_done(host, web, timeout):
    control(host).reset_counts()
    for verb in (web.start, web.shutdown, web.power_off, web.delete, lambda **more: web.set_notes("x", **more)):
        with pytest.raises(errors.InvalidSpecError, match="timeout"):
            verb(timeout=timeout)
    assert control(host).round_trips() == 0


def test_no_time_at_all_is_a_timeout_with_nothing_done(host, web):
    control(host).reset_counts()
    with pytest.raises(errors.OperationTimeoutError, match="not begun"):
        web.start(timeout=0)
    assert control(host).calls.get("start", 0) == 0


@pytest.mark.parametrize("timeout", [1e9, 1e308, math.inf])
def test_all_the_time_in_the_world_is_fine(web, timeout):
    web.start(timeout=timeout)
    web.power_off(timeout=timeout)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e308])
@pytest.mark.parametrize("name", ["timeout", "deadline"])
def test_connect_takes_times_that_end(name, seconds):
    with pytest.raises(ValueError, match=name):
        hvsdk.connect("fake://demo", **{name: seconds})


def test_a_disk_of_another_domain_is_not_mistaken_for_ones_own(host):
    one, other = host.domains(state="shutoff", full=True)[:2]
    assert one.disks[0].source != other.disks[0].source
    with pytest.raises(errors.DiskNotFoundError):
        one.detach_disk(other.disks[0])
    with pytest.raises(errors.DiskNotFoundError):
        one.resize_disk(other.disks[0], "900GiB")
    with pytest.raises(errors.HvsdkError):
        one.open_disk(other.disks[0])
    with pytest.raises(errors.NicNotFoundError):
        one.detach_nic(other.nics[0])
    assert len(one.refresh().disks) == len(other.refresh().disks)


def test_a_snapshot_of_another_domain_is_refused(host):
    one, other = host.domains(state="shutoff", full=True)[:2]
    snapshot, foreign = one.snapshots()[0], other.snapshots()[0]
    with pytest.raises(errors.InvalidSpecError, match="another"):
        one.open_disk(one.disks[0], snapshot=foreign)
    with pytest.raises(errors.InvalidSpecError, match="earlier snapshot"):
        snapshot.changed_blocks(foreign, one.disks[0])


def test_a_closed_host_takes_no_domain(host, web):
    other = hvsdk.connect("fake://other")
    other.close()
    with pytest.raises(errors.HostClosedError):
        web.migrate(other)
    assert web.refresh().host is host


@pytest.mark.parametrize(
    "make",
    [
        lambda: DiskSpec(size="1GiB", pool=7),
        lambda: DiskSpec(source=7),
        lambda: NicSpec(network=7),
        lambda: DomainSpec(name="a", memory="1GiB", disks=["1GiB"]),
        lambda: DomainSpec(name="a", memory="1GiB", nics=["lan"]),
        lambda: DomainSpec(name="a", memory="1GiB", media=7),
        lambda: DomainSpec(name="a", memory="1GiB", tags="one"),
        lambda: DomainSpec(name="a", memory="1GiB", vcpus=True),
    ],
)
def test_a_spec_refuses_what_makes_no_sense(make):
    refuses(make)


def test_readers_and_writers_take_bytes_and_whole_numbers(host, web):
    with web.open_disk(web.disks[0]) as reader:
        for offset, length in ((0.5, 1), ("0", 1), (-1, 1), (reader.size, 1), (0, None)):
            refuses(lambda offset=offset, length=length: reader.read(offset, length))
    with host.storage_pools()[0].create_volume(name="data", size="1MiB").open_writer() as writer:
        for data in ("text", 7, None):
            refuses(lambda data=data: writer.write(0, data))
        writer.write(0, memoryview(b"ab" * 8)[::2])


def test_a_reader_of_a_closed_host_says_so_and_closes_without_a_word():
    host = hvsdk.connect("fake://demo?domains=4")
    web = host.domains(state="shutoff", full=True)[0]
    with web.open_disk(web.disks[0]) as reader:
        host.close()
        with pytest.raises(errors.HostClosedError):
            reader.read(0, 1)
