"""What connections and domains cannot do, and that the reason is given."""

from __future__ import annotations

import subprocess
import sys

import hvsdk
import pytest
from hvsdk import Capability, errors
from hvsdk_testbed.domainxml import domain_xml
from kvm_support import OpenDriver, soon

from hvsdk_kvm._driver import KvmDriver


def test_the_test_driver_names_what_it_lacks(test_host: hvsdk.Host) -> None:
    assert not test_host.supports(Capability.MIGRATE)
    assert "test driver" in str(test_host.why_not(Capability.ATTACH_DISK))
    for capability in (
        Capability.START,
        Capability.SUSPEND,
        Capability.SET_TAGS,
        Capability.SCREENSHOT,
        Capability.WATCH,
    ):
        assert test_host.supports(capability)


def test_a_verb_that_is_missing_is_refused_with_the_reason(test_host: hvsdk.Host) -> None:
    with pytest.raises(errors.UnsupportedError, match="test driver"):
        test_host.stats()
    one = test_host.domain("one")
    with pytest.raises(errors.UnsupportedError, match="test driver"):
        one.console()


def test_an_embedded_driver_has_pools_networks_and_no_second_process(embed_host: hvsdk.Host) -> None:
    assert embed_host.supports(Capability.LIST_STORAGE_POOLS)
    assert embed_host.supports(Capability.LIST_NETWORKS)
    assert "this process" in str(embed_host.why_not(Capability.MULTIPROCESS))
    assert "daemon" in str(embed_host.why_not(Capability.MIGRATE))


def test_a_daemon_limits_none_of_what_qemu_can(daemon: KvmDriver) -> None:
    limits = daemon.host_limits(deadline=soon())
    assert not limits.keys() & {Capability.MIGRATE, Capability.MULTIPROCESS, Capability.WATCH, Capability.STATS}


def test_every_limit_has_words(open_driver: OpenDriver) -> None:
    driver = open_driver("test:///default")
    for capability, limit in driver.host_limits(deadline=soon()).items():
        assert isinstance(capability, Capability)
        assert limit.reason
        assert not limit.reason.endswith(".")


def test_fields_that_are_not_loaded_limit_nothing(embed: KvmDriver) -> None:
    made = embed.connection.defineXML(domain_xml("d"))
    summary = embed.get_domain(made.UUIDString(), frozenset(), deadline=soon())
    full = embed.get_domain(made.UUIDString(), frozenset(("config",)), deadline=soon())
    assert Capability.SCREENSHOT not in embed.domain_limits(summary)
    assert Capability.SCREENSHOT in embed.domain_limits(full)
    assert Capability.SNAPSHOT_QUIESCE not in embed.domain_limits(
        full
    )  # that is GuestAgentError, not a lack of libvirt


def test_listing_backends_imports_no_libvirt() -> None:
    program = (
        "import sys, hvsdk; names = [b.name for b in hvsdk.backends()];"
        "assert 'kvm' in names, names; assert 'libvirt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_open_connection_does_not_keep_the_interpreter_from_ending() -> None:
    program = "import hvsdk; h = hvsdk.connect('test:///default'); w = h.watch(); print(len(h.domains()))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_forked_child_says_why_it_cannot_watch() -> None:
    program = """
import os, warnings, hvsdk
h = hvsdk.connect("test:///default"); h.domains()
if (child := os.fork()) == 0:
    try:
        with hvsdk.connect("test:///default") as other:
            ok = len(other.domains()) == 1 and "fork" in str(other.why_not("watch"))
        os._exit(0 if ok else 1)
    finally:
        os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=30)
