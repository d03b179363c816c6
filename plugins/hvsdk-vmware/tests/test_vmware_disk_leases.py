"""Leases of disks that are read: how they are kept, shared, lost and ended."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Callable, Iterator

import attrs
import pytest
from hvsdk.driver import TLSOptions, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_disks import MIB, PIECES, SIZE, called, disk_of, expected, same, whole, write
from vmware_support import Raw, opened, soon

from hvsdk_vmware import _lease


@pytest.fixture
def filled(either: Running) -> Iterator[str]:
    """A domain that is off, whose first disk has the pieces."""
    raw = Raw(either)
    made = raw.make_vm("with a disk")
    raw.close()
    write(either, made, PIECES)
    yield made
    either.clear_faults()
    raw = Raw(either)  # a test may have cut all connections
    raw.remove_vm(made)
    raw.close()


def test_empty_parts_are_not_sent_by_a_lease(either: Running, filled: str) -> None:
    with opened(either, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, filled)
        either.reset_counts()
        reader = driver.open_disk(filled, disk, snapshot_id=None, deadline=soon())
        same(whole(reader), expected())
        extents = list(reader.extents())
        reader.close()
    assert either.bytes_sent()["/nfc"] < 600 * 1024
    assert [(one.offset, one.length) for one in extents if not one.zero] == [
        (0, 65536),
        (MIB, 131072),
        (SIZE - 65536, 65536),
    ]
    assert sum(one.length for one in extents) == SIZE


def test_a_lease_ends_with_its_reader(either: Running, filled: str) -> None:
    with opened(either, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, filled)
        either.reset_counts()
        reader = driver.open_disk(filled, disk, snapshot_id=None, deadline=soon())
        reader.read(0, 10)
        reader.close()
        assert either.counts()["HttpNfcLeaseAbort"] == 1
        reader = driver.open_disk(filled, disk, snapshot_id=None, deadline=soon())
        whole(reader)
        reader.close()
        assert either.counts()["HttpNfcLeaseComplete"] == 1


def test_readers_of_a_domain_share_a_lease(either: Running, filled: str) -> None:
    with opened(either, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, filled)
        either.reset_counts()
        readers = [driver.open_disk(filled, disk, snapshot_id=None, deadline=soon()) for _ in range(3)]
        for reader in readers:
            same(whole(reader), expected())
            reader.close()
        assert either.counts()["ExportVm"] == 1
        assert either.counts()["HttpNfcLeaseComplete"] == 1
        driver.open_disk(filled, disk, snapshot_id=None, deadline=soon()).close()
        assert either.counts()["ExportVm"] == 2


def test_a_reader_that_is_forgotten_gives_its_lease_back(center: Running, raw: Raw) -> None:
    made = raw.make_vm("forgotten")
    write(center, made, PIECES)
    with opened(center, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, made)
        center.reset_counts()
        driver.open_disk(made, disk, snapshot_id=None, deadline=soon()).read(0, 1)
        gc.collect()
        called(center, "HttpNfcLeaseAbort")
    raw.remove_vm(made)


def test_a_lease_is_kept_while_nobody_reads(center: Running, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lease, "_LONGEST_BEAT", 0.05)
    made = raw.make_vm("kept")
    write(center, made, PIECES)
    with opened(center, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(made, disk_of(driver, made), snapshot_id=None, deadline=soon())
        center.reset_counts()
        called(center, "HttpNfcLeaseProgress", 2)
        same(whole(reader), expected())
        reader.close()
        center.reset_counts()
        threading.Event().wait(0.6)
        assert "HttpNfcLeaseProgress" not in center.counts()
    raw.remove_vm(made)


def test_a_lease_that_was_taken_back_is_told_as_such(center: Running, raw: Raw) -> None:
    made = raw.make_vm("taken back")
    write(center, made, {0: hashlib.shake_256(b"seed").digest(12 * MIB)})
    with opened(center, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(made, disk_of(driver, made), snapshot_id=None, deadline=soon())
        reader.read(0, MIB)
        (share,) = driver._leases._shares.values()
        assert share.lease is not None
        driver.call(share.lease._lease.Abort, deadline=soon())
        center.act("hang-up")
        with pytest.raises(errors.ConnectionLostError, match="the lease has ended"):
            reader.read(MIB, SIZE - MIB)
        reader.close()
    other = Raw(center)
    other.remove_vm(made)
    other.close()


def test_leases_are_asked_for_well_before_they_end() -> None:
    assert [_lease._beat_seconds(one) for one in (300, 100, 4, 0, -5, None)] == [60.0, 25.0, 1.0, 0.25, 0.25, 0.25]


def test_a_lease_that_is_refused_says_why_and_is_aborted(center: Running, raw: Raw) -> None:
    made = raw.make_vm("refused")
    with opened(center, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, made)
        center.fault("ExportVm:error=FileLocked")
        with pytest.raises(vim.fault.FileLocked):
            driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        center.clear_faults()
        center.fault("/nfc:http-500")
        center.reset_counts()
        with pytest.raises(errors.OperationFailedError, match="HTTP 500"):
            driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        assert center.counts()["HttpNfcLeaseAbort"] == 1
        center.clear_faults()
        driver.open_disk(made, disk, snapshot_id=None, deadline=soon()).close()
    raw.remove_vm(made)


def test_a_connection_that_is_closed_ends_its_leases(either: Running, filled: str) -> None:
    with opened(either, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        either.reset_counts()
    assert either.counts()["HttpNfcLeaseAbort"] == 1
    with pytest.raises(errors.OperationFailedError, match="closed"):
        reader.read(0, 1)
    reader.close()


def test_a_stream_that_breaks_in_the_middle_is_begun_anew(either: Running, filled: str) -> None:
    noise = hashlib.shake_256(b"seed").digest(4 * MIB)
    write(either, filled, {2 * MIB: noise})
    with opened(either, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        found = [reader.read(0, 3 * MIB)]
        either.act("hang-up")
        found.append(reader.read(3 * MIB, SIZE - 3 * MIB))
        reader.close()
    content = bytearray(expected())
    content[2 * MIB : 6 * MIB] = noise
    same(b"".join(found), bytes(content))


@pytest.fixture
def mislead(center: Running) -> Iterator[Callable[..., None]]:
    """Lets exports lead elsewhere: `mislead(server="127.0.0.1:1", thumbprint="")`."""
    yield lambda **told: center.act("lease-address", **told)
    center.act("lease-address")


@pytest.mark.parametrize("digits", [40, 64])
def test_the_host_of_a_lease_has_to_show_the_certificate_that_was_announced(
    center: Running, raw: Raw, mislead: Callable[..., None], digits: int
) -> None:
    made = raw.make_vm("certificate")
    mislead(thumbprint=":".join(["00"] * (digits // 2)))
    with opened(center, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, made)
        center.reset_counts()
        with pytest.raises(errors.CertificateError, match="not the one that the server announced"):
            driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        assert "/nfc" not in center.counts()
        assert center.counts()["HttpNfcLeaseAbort"] == 1
    raw.remove_vm(made)


def test_an_address_without_a_thumbprint_is_held_to_the_connections_rules(
    center: Running, raw: Raw, mislead: Callable[..., None]
) -> None:
    made = raw.make_vm("no thumbprint")
    mislead(thumbprint="")
    with opened(center, options={"disk_io": "lease"}) as driver:
        disk = disk_of(driver, made)
        driver.open_disk(made, disk, snapshot_id=None, deadline=soon()).close()
        driver.target = attrs.evolve(driver.target, tls=TLSOptions(pins=("sha256:" + "0" * 64,)))
        with pytest.raises(errors.CertificateError):
            driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
    raw.remove_vm(made)


@pytest.mark.parametrize(("way", "works"), [("auto", True), ("lease", False)])
def test_hosts_that_cannot_be_reached_from_here_leave_the_file(
    center: Running, raw: Raw, mislead: Callable[..., None], way: str, works: bool
) -> None:
    made = raw.make_vm("behind a firewall")
    write(center, made, PIECES)
    mislead(server="127.0.0.1:1")
    with opened(center, options={"disk_io": way}) as driver:
        disk = disk_of(driver, made)
        center.reset_counts()
        if works:
            reader = driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
            same(whole(reader), expected())
            reader.close()
        else:
            with pytest.raises(errors.OperationFailedError, match="cannot be reached"):
                driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        assert center.counts()["HttpNfcLeaseAbort"] == 1
    raw.remove_vm(made)


def test_a_domain_that_something_is_done_to_is_left_alone(center: Running, raw: Raw) -> None:
    made = raw.make_vm("busy")
    with opened(center) as driver:
        disk = disk_of(driver, made)
        center.fault("ExportVm:error=ConcurrentAccess")
        center.reset_counts()
        with pytest.raises(vim.fault.ConcurrentAccess):
            driver.open_disk(made, disk, snapshot_id=None, deadline=soon())
        assert "/folder" not in center.counts()
        center.clear_faults()
    raw.remove_vm(made)


def test_a_forked_child_lets_go_without_a_word(center: Running, raw: Raw) -> None:
    made = raw.make_vm("forked")
    write(center, made, PIECES)
    others = [one["session"] for one in center.sessions()]
    with opened(center, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(made, disk_of(driver, made), snapshot_id=None, deadline=soon())
        (session,) = (one["session"] for one in center.sessions() if one["session"] not in others)
        center.reset_counts()
        driver.abandon()
        with pytest.raises(errors.OperationFailedError, match="closed"):
            reader.read(0, 1)
        del reader
        gc.collect()
    assert set(center.counts()) <= {"Logout"}, "a connection of the test before may be ending"
    assert session in [one["session"] for one in center.sessions()]
    center.act("expire-sessions", session=session)  # the lease of the parent's holds the domain as long
    raw.remove_vm(made)


def test_going_back_begins_a_stream_anew(either: Running, filled: str) -> None:
    content = expected()
    with opened(either, options={"disk_io": "lease"}) as driver:
        reader = driver.open_disk(filled, disk_of(driver, filled), snapshot_id=None, deadline=soon())
        for offset, length in ((SIZE - 5, 5), (MIB, 4096), (0, 512), (MIB + 100, 3), (7, 0), (2 * MIB, MIB)):
            assert reader.read(offset, length) == content[offset : offset + length]
        reader.close()
