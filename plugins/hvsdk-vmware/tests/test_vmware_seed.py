"""The image for cloud-init: a copy has none of its original's, and none goes that another domain has in a drive."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import hvsdk
import pytest
from hvsdk import CloudInit, DiskSpec, DomainSpec
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect

_numbers = itertools.count(1)
Make = Callable[..., hvsdk.Domain]


@pytest.fixture
def seeded(either: Running) -> Iterator[Make]:
    """Makes domains with an image for cloud-init; what bears their names is removed afterwards."""
    name = f"seeded-{next(_numbers)}-"
    with connect(either) as host:

        def make(more: str = "one") -> hvsdk.Domain:
            init = CloudInit(user_data="#cloud-config\npassword: hidden-7\n")
            return host.create_domain(
                DomainSpec(name=name + more, memory="64MiB", disks=[DiskSpec(size="16MiB")], cloud_init=init)
            )

        yield make
        for one in host.domains(templates=True):
            if one.name.startswith(name):
                one.refresh().delete(disks="delete")


def drive(domain: hvsdk.Domain) -> hvsdk.DiskInfo:
    return next(disk for disk in domain.refresh().disks if disk.device == "cdrom")


def has(host: hvsdk.Host, path: str) -> bool:
    return any(volume.id == path for pool in host.storage_pools() for volume in pool.volumes())


@pytest.mark.parametrize("linked", [False, True], ids=["full", "linked"])
def test_a_clone_has_no_image_of_its_originals(seeded: Make, linked: bool) -> None:
    one = seeded()
    if linked and not one.host.supports("clone_linked"):
        pytest.skip("an ESXi host has no linked clones")
    image = drive(one).source
    copy = one.clone(one.name + "-copy", linked=linked)
    assert drive(copy).source is None
    assert drive(one).source == image
    copy.start()
    copy.power_off()
    copy.delete(disks="delete")
    assert has(one.host, str(image))


def test_a_clone_of_a_domain_that_runs_has_no_image_of_its_originals(raw: Raw, center: Running) -> None:
    with connect(center) as host:
        init = CloudInit(user_data="#cloud-config\n")
        one = host.create_domain(DomainSpec(name=f"runs-{next(_numbers)}", memory="64MiB", cloud_init=init))
        one.start()
        copy = one.clone(one.name + "-copy")
        assert drive(copy).source is None
        assert "hvsdk-seed" not in {entry.key for entry in raw.vm(copy.native_id).config.extraConfig}
        one.power_off()
        one.delete()
        copy.start()
        copy.power_off()
        copy.delete()


def test_a_template_keeps_its_image_to_itself(raw: Raw, center: Running) -> None:
    with connect(center) as host:
        init = CloudInit(user_data="#cloud-config\npassword: hidden-7\n")
        one = host.create_domain(DomainSpec(name=f"template-{next(_numbers)}", memory="64MiB", cloud_init=init))
        raw.vm(one.native_id).MarkAsTemplate()
        plain = one.refresh().clone(one.name + "-copy")
        named = DomainSpec(name=one.name + "-named", memory="64MiB", template=one.native_id)
        made, seeded = host.create_domain(named), None
        seeded = host.create_domain(
            DomainSpec(name=one.name + "-seeded", memory="64MiB", template=one.native_id, cloud_init=init)
        )
        assert drive(plain).source is drive(made).source is None
        sources = [disk.source for disk in seeded.refresh().disks if disk.device == "cdrom" and disk.source]
        assert [source.endswith(f"hvsdk-seed-{seeded.uuid}.iso") for source in sources] == [True]
        for each in (one, plain, made, seeded):
            each.delete(disks="delete")
        assert not has(host, sources[0])


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_an_image_that_another_domain_has_in_a_drive_stays(seeded: Make, disks: Literal["keep", "delete"]) -> None:
    one, other = seeded(), seeded("other")
    image = str(drive(one).source)
    other.insert_media(image)
    one.delete(disks=disks)
    assert has(other.host, image)
    other.start()
    other.power_off()


def test_an_image_of_a_name_like_one_stays_in_the_drive(seeded: Make, either: Running) -> None:
    one = seeded()
    client = Raw(either)
    path = "[" + str(one.disks[0].source)[1:].partition("]")[0] + "]"
    devices = client.vm(one.native_id).config.hardware.device
    device: Any = next(each for each in devices if isinstance(each, vim.vm.device.VirtualCdrom))
    device.backing.fileName = f"{path} my-hvsdk-seed-{one.uuid}.iso"
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=device)
    try:
        client.done(client.vm(one.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
        assert drive(one.clone(one.name + "-copy")).source == device.backing.fileName
    finally:
        client.close()
