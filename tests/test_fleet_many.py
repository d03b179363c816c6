"""Two hundred hosts, of which some are dead, some slow, and some refuse the login; and hosts of every product at once."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk_simulators
import pytest

import hvsdk

ALLOWED = 3.0
"""Seconds that one host may take."""


def two_hundred() -> dict[str, Any]:
    hosts: dict[str, Any] = {}
    for number in range(200):
        url = f"fake://root@h{number}?domains=2&latency=50ms"
        if number % 10 == 0:
            hosts[f"dead-{number}"] = {"url": f"{url}&fault=open:hang*9"}
        elif number % 40 == 1:
            hosts[f"slow-{number}"] = {"url": f"{url}&fault=list_domains:slow=1.5*9"}
        elif number % 40 == 2:
            refusing = url.replace("root", f"user-{number}")
            hosts[f"refusing-{number}"] = {"url": f"{refusing}&login_password=right", "password": "wrong"}
        else:
            hosts[f"good-{number}"] = {"url": url}
    return hosts


def test_the_dead_the_slow_and_the_refusing_cost_no_more_than_what_one_host_may_take() -> None:
    hosts = two_hundred()
    with hvsdk.Fleet(hosts, parallel=200, deadline=ALLOWED) as fleet:
        for name in ("good-3", "good-4"):  # what is loaded once is loaded
            fleet.host(name).domains()
        began = time.monotonic()
        found = fleet.domains()
        took = time.monotonic() - began
    kinds = Counter((failure.host.partition("-")[0], failure.kind) for failure in found.failures)
    assert kinds == {("dead", "OperationTimeout"): 20, ("refusing", "Authentication"): 5}
    assert len(found.answered) == 175
    assert len(found) == 350
    assert took < 1.3 * (ALLOWED + 0.5) + 3.0  # on a machine with other work


@pytest.fixture
def every_product(tmp_path: Any) -> Iterator[dict[str, Any]]:
    """A host of each product, as far as this machine can have one."""
    pytest.importorskip("libvirt")
    hosts: dict[str, Any] = {"fake": {"url": "fake://all?domains=2"}, "libvirt": {"url": "test:///default"}}
    with ExitStack() as stack:
        if os.geteuid() == 0:
            from hvsdk_testbed.embed import prepare_root, temporary_root

            root = stack.enter_context(temporary_root())
            hosts["qemu"] = {"url": prepare_root(root), "virt_type": "qemu"}
        for name, kind in (("xen", "xapi"), ("vmware", "vcsim"), ("hyperv", "hyperv")):
            try:
                server = stack.enter_context(hvsdk_simulators.start(kind, domains=2))
            except hvsdk_simulators.NoGoError:
                if os.environ.get("CI"):
                    raise
                continue
            hosts[name] = {"url": server.url, "password": server.password, "verify": server.fingerprint}
        yield hosts


def test_hosts_of_every_product_are_one_fleet(every_product: dict[str, Any]) -> None:
    with hvsdk.Fleet(every_product) as fleet:
        if "qemu" in every_product:
            spec = hvsdk.DomainSpec(name="made", memory="64MiB")
            fleet.host("qemu").create_domain(spec)
        found = fleet.domains(full=True)
        assert not found.failures
        assert found.answered == tuple(every_product)
        assert all(found.by_host().values()), found.by_host().keys()
        one = {name: domains[0] for name, domains in found.by_host().items()}
        for name, domain in one.items():
            assert domain.native_id in [other.native_id for other in fleet.find(domain.uuid or domain.name)], name
        noted = fleet.run(lambda domain: domain.set_notes("of the fleet"), domains=one.values())
        assert not noted.failures
        assert {domain.refresh().notes for domain in one.values()} == {"of the fleet"}
        assert {type(failure.error) for failure in fleet.stats().failures} <= {hvsdk.errors.UnsupportedError}
