"""Volumes: made, found, refused, removed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import attrs
import hvsdk
import pytest
from hvsdk.driver import DiskSpec, DomainSpec, VolumeInfo, VolumeSpec, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, domain_calls, finished, opened, soon

from hvsdk_vmware._driver import VmwareDriver

MIB = 1 << 20
_numbers = itertools.count()
Make = Callable[..., VolumeInfo]


@pytest.fixture
def each(either: Running) -> Iterator[VmwareDriver]:
    """An open driver on a vCenter, then on an ESXi host."""
    with opened(either) as driver:
        yield driver


@pytest.fixture
def pool(each: VmwareDriver) -> str:
    return next(iter(each.list_storage_pools(deadline=soon()))).id


@pytest.fixture
def make(each: VmwareDriver, pool: str, either: Running) -> Iterator[Make]:
    """Makes volumes, which are removed afterwards."""
    made: list[VolumeInfo] = []

    def volume(name: str | None = None, **more: object) -> VolumeInfo:
        wishes: dict[str, object] = {"name": name or f"volume {next(_numbers)}", "size": 4 * MIB} | more
        made.append(finished(each.create_volume(pool, VolumeSpec(**wishes), deadline=soon())))  # type: ignore[arg-type]
        return made[-1]

    yield volume
    either.clear_faults()
    for one in made:
        try:
            finished(each.delete_volume(one.pool, one.id, deadline=soon()))
        except errors.VolumeNotFoundError:
            continue


def listed(driver: VmwareDriver, pool: str) -> dict[str, VolumeInfo]:
    return {one.id: one for one in driver.list_volumes(pool, deadline=soon())}


def test_a_volume_is_made_where_it_says_and_removed(each: VmwareDriver, pool: str, make: Make) -> None:
    one = make("web 1", size=8 * MIB)
    assert one.name == "web 1"
    assert one.id.endswith("] hvsdk/web 1.vmdk")
    assert (one.pool, one.format, one.capacity_bytes) == (pool, "vmdk", 8 * MIB)
    assert listed(each, pool)[one.id].name == one.name
    finished(each.delete_volume(pool, one.id, deadline=soon()))
    assert one.id not in listed(each, pool)
    with pytest.raises(errors.VolumeNotFoundError):
        finished(each.delete_volume(pool, one.id, deadline=soon()))


def test_sizes_are_rounded_up_to_what_vsphere_counts(make: Make) -> None:
    assert make(size=MIB + 1).capacity_bytes == MIB + 1024


def test_a_name_is_not_given_twice(each: VmwareDriver, pool: str, make: Make) -> None:
    one = make("twin")
    with pytest.raises(vim.fault.FileAlreadyExists):
        make("twin")
    assert one.id in listed(each, pool)


@pytest.mark.parametrize("name", ["twice.vmdk", "it's $(reboot) & ;x", "größe", "100%2f", "a.b", "%5c;--"])
def test_odd_names_are_kept(each: VmwareDriver, pool: str, make: Make, name: str) -> None:
    one = make(name)
    assert one.name == name
    assert listed(each, pool)[one.id].name == name
    each.open_volume(pool, one.id, deadline=soon()).abort()


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".", "../up", "a\\b", "x]", "[y] z", "line\nfeed", " led", "trail ", "a" * 101, "web-flat", "q?"],
)
def test_names_that_no_file_has_are_refused(make: Make, name: str) -> None:
    with pytest.raises(errors.InvalidSpecError):
        make(name)


def test_other_formats_and_unknown_hints_are_refused(make: Make) -> None:
    with pytest.raises(errors.InvalidSpecError, match="qcow2"):
        make(format="qcow2")
    with pytest.raises(errors.InvalidSpecError):
        make(hints={"vmware.nothing": "x"})
    assert make(hints={"vmware.provisioning": "thick", "kvm.type": "x"}).details["vmware.thin"] is False


@pytest.mark.parametrize(
    "volume",
    [
        *("", "x", "[other] hvsdk/a.vmdk", "[STORE] ", "[STORE] hvsdk/gone.vmdk", "[STORE] no such/dir/a.vmdk"),
        *(
            "[STORE] hvsdk/a-flat.vmdk",
            "[STORE] ../../etc/passwd",
            "[STORE] hvsdk/../a.vmdk",
            "[STORE] a.vmx",
            "[STORE] <x>'.iso",
        ),
    ],
)
def test_what_is_no_volume_is_not_found(each: VmwareDriver, pool: str, make: Make, volume: str) -> None:
    there = make().id
    asked = volume.replace("[STORE]", there.partition(" hvsdk/")[0])
    with pytest.raises(errors.VolumeNotFoundError):
        finished(each.delete_volume(pool, asked, deadline=soon()))
    with pytest.raises(errors.VolumeNotFoundError):
        each.open_volume(pool, asked, deadline=soon())
    assert there in listed(each, pool)


def test_a_pool_that_is_not_there_is_not_found(each: VmwareDriver) -> None:
    for call in (
        lambda: each.create_volume("datastore-999999", VolumeSpec(name="x", size=MIB), deadline=soon()),
        lambda: each.delete_volume("datastore-999999", "[x] a.vmdk", deadline=soon()),
        lambda: each.open_volume("datastore-999999", "[x] a.vmdk", deadline=soon()),
    ):
        with pytest.raises(errors.StoragePoolNotFoundError):
            call()


@pytest.mark.parametrize("way", ["] ", "]", "]/", "] /", "] ./", "] .//./"])
def test_a_disk_of_a_domain_is_neither_removed_nor_written_however_its_path_is_written(
    each: VmwareDriver, either: Running, way: str
) -> None:
    raw = Raw(either)
    made = raw.make_vm("owner")
    disk = each.get_domain(made, frozenset(("config",)), deadline=soon()).disks[0]
    assert disk.pool
    assert disk.volume
    path = disk.volume.replace("] ", way).replace("/", "//")
    with pytest.raises(errors.BusyError, match="owner") as caught:
        each.delete_volume(disk.pool, path, deadline=soon())
    assert caught.value.lasting
    with pytest.raises(errors.BusyError, match="owner"):
        each.open_volume(disk.pool, path, deadline=soon())
    spec = DomainSpec(name="second owner", memory="64MiB", disks=[DiskSpec(source=path)])
    with pytest.raises(errors.BusyError, match="owner"):
        each.create_domain(spec, deadline=soon())
    raw.remove_vm(made)
    raw.close()


@pytest.mark.parametrize("name", ["a]b", "[ds] x", "a] [b"])
def test_a_directory_with_brackets_in_its_name_is_told_from_a_datastore(
    each: VmwareDriver, either: Running, name: str
) -> None:
    raw = Raw(either)
    made = raw.make_vm(name)
    disk = each.get_domain(made, frozenset(("config",)), deadline=soon()).disks[0]
    assert disk.pool
    assert disk.volume in listed(each, disk.pool)
    with pytest.raises(errors.BusyError):
        each.delete_volume(disk.pool, disk.volume or "", deadline=soon())
    raw.remove_vm(made)
    raw.close()


def test_a_volume_may_be_that_of_a_domain_where_directories_have_ids(each: VmwareDriver, either: Running) -> None:
    raw = Raw(either)
    made = raw.make_vm("owner of an object")
    disk = each.get_domain(made, frozenset(("config",)), deadline=soon()).disks[0]
    store = attrs.evolve(each.store(disk.pool or "", soon()), plain_folders=False)
    name = (disk.volume or "").rpartition("/")[2]
    with pytest.raises(errors.BusyError, match="owner of an object"):
        each.refuse_used(store, store.path(f"what people call it/{name}"), soon())
    each.refuse_used(store, store.path(f"what people call it/other-{name}"), soon())
    each.refuse_used(store, store.path(f"52e0a8b3-9e3b-4d3f-8d3a-0050569a1b2c/{name}"), soon())
    raw.remove_vm(made)
    raw.close()


def test_a_volume_takes_few_calls(each: VmwareDriver, either: Running, pool: str, make: Make) -> None:
    make()
    calls = domain_calls(either, make)
    assert calls["CreateVirtualDisk_Task"] == 1
    assert calls["MakeDirectory"] == 1
    assert sum(calls.values()) <= 16


def test_what_fails_in_the_task_leaves_nothing(each: VmwareDriver, pool: str, make: Make, either: Running) -> None:
    before = listed(each, pool)
    either.fault("CreateVirtualDisk_Task:task-error=NoDiskSpace:1")
    with pytest.raises(vim.fault.NoDiskSpace):
        make("full")
    assert listed(each, pool) == before


def test_the_public_api_makes_and_removes_volumes(host: hvsdk.Host) -> None:
    pool = host.storage_pools()[0]
    volume = pool.create_volume(VolumeSpec(name="public", size="4MiB"))
    with pytest.raises(errors.AlreadyExistsError):
        pool.create_volume(VolumeSpec(name="public", size="4MiB"))
    volume.delete()
    with pytest.raises(errors.VolumeNotFoundError):
        volume.delete()
