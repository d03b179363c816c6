"""Leases: addresses that can be trusted, streams that cannot, and users that share one."""

from __future__ import annotations

import hashlib
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hvsdk.connections import Endpoint, Pool
from hvsdk.driver import Deadline, TLSOptions, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_liar import Liar, Session, answer, liars
from vmware_support import eventually, opened, soon

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._lease import LeaseShares
from hvsdk_vmware._lease_url import LeasedFile, Slot, file_of, slot_of
from hvsdk_vmware._readers import LeaseStream
from hvsdk_vmware._vmdk import GRAIN, BrokenVmdkError
from hvsdk_vmware._vmdk_writer import vmdk_pieces

MIB = 1 << 20
Url = vim.HttpNfcLease.DeviceUrl
GRAINS = {number: bytes([number % 251 + 1]) * GRAIN for number in (0, 1, 5, 9, 63)}
STREAM = b"".join(vmdk_pieces(4 * MIB, GRAINS.items()))


def plain() -> bytes:
    content = bytearray(4 * MIB)
    for number, data in GRAINS.items():
        content[number * GRAIN : (number + 1) * GRAIN] = data
    return bytes(content)


# ---- addresses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("/vm-4681/ParaVirtualSCSIController0:1", Slot("scsi", 0, 1)),
        ("/vm-42/VirtualLsiLogicController3:15", Slot("scsi", 3, 15)),
        ("/vm-42/VirtualIDEController1:0", Slot("ide", 1, 0)),
        ("/vm-42/VirtualAHCIController0:2", Slot("sata", 0, 2)),
        ("/vm-42/VirtualNVMEController0:0", Slot("nvme", 0, 0)),
        ("/vm-42/nvram", None),
        ("disk-0.vmdk", None),
        ("", None),
        ("/vm-1/Controller99999999:0", None),
    ],
)
def test_a_key_names_a_place_on_a_controller(key: str, slot: Slot | None) -> None:
    assert slot_of(key) == slot


def test_a_star_is_the_server_that_was_asked(center: Running) -> None:
    with opened(center) as driver:
        own = driver.stub.pool.endpoint
        found = file_of(driver, Url(url="https://*/ha-nfc/52f3/disk-0.vmdk"))
        assert (found.endpoint.host, found.endpoint.port, found.ours) == (own.host, own.port, True)
        assert found.path == "/ha-nfc/52f3/disk-0.vmdk"
        other = file_of(driver, Url(url="https://esx-1.example/nfc/52f3/disk-0.vmdk?a=b%20c"))
        assert (other.endpoint.host, other.endpoint.port, other.ours) == ("esx-1.example", 443, False)
        assert other.path == "/nfc/52f3/disk-0.vmdk?a=b%20c"
        assert "52f3" not in repr(other)
        assert file_of(driver, Url(url="https://[2001:db8::1]:8443/nfc/x")).endpoint.host == "2001:db8::1"


@pytest.mark.parametrize(
    "url",
    [
        *("http://esx-1.example/nfc/x", "ftp://esx/nfc/x", "https:///nfc/x", "https://esx", "nfc/x", ""),
        *(
            "https://esx:99999/x",
            "https://esx/nfc/x y",
            "https://esx/nfc/\r\nX: y",
            "https://esx/größe",
            "https://[::1/x",
        ),
    ],
)
def test_an_address_that_cannot_be_trusted_is_refused(center: Running, url: str) -> None:
    with opened(center) as driver, pytest.raises(AnswerError):
        file_of(driver, Url(url=url))


def test_a_thumbprint_is_what_the_certificate_is_held_to(center: Running) -> None:
    certificate = ssl.get_server_certificate(("127.0.0.1", int(center.url.rpartition(":")[2].partition("/")[0])))
    der = ssl.PEM_cert_to_DER_cert(certificate)
    colons = ":".join(f"{byte:02X}" for byte in hashlib.sha1(der).digest())
    with opened(center) as driver:
        found = file_of(driver, Url(url="https://*/x", sslThumbprint=colons))
        assert found.thumbprint == hashlib.sha1(der).hexdigest()
        whole = Url(url="https://*/x", sslThumbprint=colons)
        object.__setattr__(whole, "sslCertificate", certificate)
        assert file_of(driver, whole).thumbprint == hashlib.sha256(der).hexdigest()
        assert file_of(driver, Url(url="https://*/x")).thumbprint is None
        for wrong in ("AB:CD", "zz" * 20, "00" * 21):
            with pytest.raises(AnswerError, match="thumbprint"):
                file_of(driver, Url(url="https://*/x", sslThumbprint=wrong))
        driver.target = attrs.evolve(driver.target, tls=TLSOptions(verify=False))
        assert file_of(driver, Url(url="https://*/x", sslThumbprint=colons)).thumbprint is None


# ---- streams ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def liar() -> Iterator[Callable[..., Liar]]:
    with liars() as start:
        yield start


class Given:
    """Counts what is given back."""

    lease = None

    def __init__(self) -> None:
        self.given: list[bool] = []

    def give_back(self, share: Any, *, complete: bool) -> None:
        self.given.append(complete)


def stream(liar: Liar, size: int = 4 * MIB) -> tuple[LeaseStream, Given]:
    session: Any = Session(Pool(Endpoint("127.0.0.1", liar.port)))
    shares: Any = Given()
    file = LeasedFile(endpoint=Endpoint("127.0.0.1", liar.port), path="/nfc/1/disk-0.vmdk", ours=False)
    return LeaseStream(session, file, size, shares, shares, soon()), shares


def test_a_stream_is_read_and_given_back_once(liar: Callable[..., Liar]) -> None:
    server = liar(answer("200 OK", STREAM))
    found, shares = stream(server)
    assert found.read(0, 4 * MIB) == plain()
    found.close()
    found.close()
    assert shares.given == [True]
    assert b"Cookie" not in server.asked[0], "another host than the one that the session is with does not get to see it"


@pytest.mark.parametrize("length", [70_000, 66_600, len(STREAM) - 1, len(STREAM) - 600])
def test_a_stream_that_breaks_off_is_begun_anew(liar: Callable[..., Liar], length: int) -> None:
    server = liar(answer("200 OK", STREAM[:length], length=len(STREAM)), answer("200 OK", STREAM))
    found, shares = stream(server)
    assert found.read(0, 4 * MIB) == plain()
    found.close()
    assert shares.given == [True]
    assert len(server.asked) == 2


def test_a_stream_that_always_breaks_ends_as_an_error(liar: Callable[..., Liar]) -> None:
    server = liar(answer("200 OK", STREAM[:66_600], length=len(STREAM)))
    found, shares = stream(server)
    with pytest.raises(errors.ConnectionLostError, match="broke"):
        found.read(0, 4 * MIB)
    assert len(server.asked) == 3
    found.close()
    assert shares.given == [False]


def test_a_reader_is_closed_while_another_thread_waits_on_it(liar: Callable[..., Liar]) -> None:
    server = liar(answer("200 OK", STREAM[:66_600], length=len(STREAM)), ends=False)
    found, shares = stream(server)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            found.read(0, 4 * MIB)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    threading.Event().wait(0.2)
    found.close()
    thread.join(3)
    assert not thread.is_alive()
    assert isinstance(raised[0], errors.HvsdkError)
    assert shares.given == [False]
    assert len(server.asked) == 1


def test_a_stream_that_is_begun_anew_while_its_reader_is_closed_ends(liar: Callable[..., Liar]) -> None:
    server = liar(answer("200 OK", STREAM[:66_600], length=len(STREAM)), answer("200 OK", STREAM), late=True)
    found, _ = stream(server)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            found.read(0, 4 * MIB)
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    assert eventually(lambda: len(server.asked) == 2)
    found.drop()
    server.again.set()
    thread.join(10)
    assert [str(one) for one in raised] == ["the disk was closed, or the connection that it was opened on"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"KDMV",
        b"<html>no disk</html>".ljust(2000),
        STREAM[:12] + struct.pack("<Q", 2**40) + STREAM[20:],
        STREAM[:12] + struct.pack("<Q", 1024) + STREAM[20:],
    ],
)
def test_a_stream_that_is_none_is_not_opened(liar: Callable[..., Liar], body: bytes) -> None:
    with pytest.raises(Exception, match=r"VMDK|IncompleteRead"):
        stream(liar(answer("200 OK", body)))


def test_a_grain_beyond_the_disk_is_not_believed(liar: Callable[..., Liar]) -> None:
    bad = STREAM.replace(struct.pack("<Q", 63 * 128), struct.pack("<Q", 63 * 128 + 2**33))
    assert bad != STREAM
    found, _ = stream(liar(answer("200 OK", bad)))
    with pytest.raises(BrokenVmdkError):
        found.read(0, 4 * MIB)
    found.close()


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "302 Found", "206 Partial Content"])
def test_a_stream_that_is_refused_says_so(liar: Callable[..., Liar], status: str) -> None:
    with pytest.raises(errors.OperationFailedError, match=f"HTTP {status[:3]}"):
        stream(liar(answer(status, STREAM)))


# ---- sharing ---------------------------------------------------------------------------------------------------------------


class Kept:
    """A lease that notes how it ended."""

    def __init__(self) -> None:
        self.ended: list[bool] = []

    def end(self, *, complete: bool, deadline: Deadline | None = None) -> None:
        self.ended.append(complete)


def test_a_lease_ends_with_its_last_user() -> None:
    shares, leases = LeaseShares(), [Kept(), Kept()]
    begin: Any = iter(leases).__next__
    one, two = shares.take("vm-1", begin), shares.take("vm-1", begin)
    assert one is two
    shares.give_back(one, complete=True)
    assert leases[0].ended == []
    shares.give_back(two, complete=False)
    assert leases[0].ended == [False]
    three = shares.take("vm-1", begin)
    assert (three.users, leases[1].ended) == (1, [])
    shares.end_all(soon())
    assert leases[1].ended == [False]


def test_a_lease_that_is_not_given_is_tried_again() -> None:
    shares, lease = LeaseShares(), Kept()
    answers: list[Any] = [errors.BusyError("not now"), lease]

    def begin() -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with pytest.raises(errors.BusyError):
        shares.take("vm-1", begin)
    share = shares.take("vm-1", begin)
    shares.give_back(share, complete=True)
    assert lease.ended == [True]
