"""How disks take their space: thin unless something else is said, copies as their originals, whoever tells of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk import DiskSpec, DomainSpec, VolumeSpec
from hvsdk_simulators import Running
from vmware_support import connect

_numbers = itertools.count(1)
Make = Callable[..., hvsdk.Domain]


@pytest.fixture
def make(either: Running) -> Iterator[Make]:
    """Makes domains with such disks; they are removed afterwards."""
    name = f"space-{next(_numbers)}-"
    with connect(either) as host:

        def made(*disks: DiskSpec) -> hvsdk.Domain:
            return host.create_domain(DomainSpec(name=f"{name}{next(_numbers)}", memory="64MiB", disks=disks))

        yield made
        for one in host.domains():
            if one.name.startswith(name):
                one.refresh().delete(disks="delete")


def thin(domain: hvsdk.Domain) -> list[Any]:
    return [disk.details.get("vmware.thin") for disk in domain.refresh().disks]


def disk(**more: Any) -> DiskSpec:
    return DiskSpec(**{"size": "16MiB"} | more)


THICK = {"vmware.provisioning": "thick"}


def test_new_disks_are_thin_unless_something_else_is_said(make: Make) -> None:
    assert thin(make(disk(), disk(hints=THICK))) == [True, False]


def test_a_volume_that_is_attached_is_as_it_was_made(make: Make) -> None:
    domain = make(disk())
    pool = domain.host.storage_pools()[0]
    for hints, expected in (({}, True), (THICK, False)):
        volume = pool.create_volume(VolumeSpec(name=f"space-{next(_numbers)}", size="16MiB", hints=hints))
        domain.attach_disk(DiskSpec(source=volume.id))
        assert thin(domain)[-1] is expected


def test_a_disk_that_is_detached_and_attached_is_as_it_was(make: Make) -> None:
    domain = make(disk())
    (one,) = domain.disks
    domain.detach_disk(one.id)
    domain.attach_disk(DiskSpec(source=one.source))
    assert thin(domain) == [True]


def test_a_copy_is_as_its_source_or_as_the_hint_says(make: Make) -> None:
    source = make(disk()).disks[0].source
    assert thin(make(DiskSpec(source=source, copy=True), DiskSpec(source=source, copy=True, hints=THICK))) == [
        True,
        False,
    ]
    wish = {"vmware.provisioning": "thin"}
    thick = make(disk(hints=THICK)).disks[0].source
    assert thin(make(DiskSpec(source=thick, copy=True, hints=wish))) == [True]


def test_a_clone_has_disks_as_its_original_has(make: Make) -> None:
    domain = make(disk(), disk(hints=THICK))
    assert thin(domain.clone(domain.name + "-copy")) == [True, False]
