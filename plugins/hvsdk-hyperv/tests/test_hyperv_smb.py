"""Disks read by SMB, from a real Samba: the same bytes as through WinRM, held still while they are read, or an error."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_simulators import Running
from hyperv_disks import path_of, poke, spare_domain
from hyperv_samba import PATH, Samba, another_client, files_of, is_writable, put, workers
from hyperv_support import connect, eventually, opened, target_of
from test_hyperv_disk_io import MIB, head, made_by_qemu

from hvsdk_hyperv._disk_chain import ChainReader, open_chain
from hvsdk_hyperv._host_files import Range
from hvsdk_hyperv._smb_files import SmbFiles

a_domain = contextmanager(spare_domain)


@pytest.fixture
def by_smb(server: Running, share: Samba) -> Iterator[hvsdk.Host]:
    with connect(server, disk_io="smb", smb_port=share.port) as host:
        yield host


@pytest.fixture
def spare(server: Running, by_smb: hvsdk.Host) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(by_smb, "shared")


# ---- bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subformat", ["dynamic", "fixed"])
@pytest.mark.parametrize("format", ["vhdx", "vpc"])
def test_disks_are_read_as_qemu_made_them(
    server: Running, share: Samba, tmp_path: Path, format: str, subformat: str
) -> None:
    disk, content = made_by_qemu(tmp_path, format, subformat)
    share.place(PATH).write_bytes(disk.read_bytes())
    chain = open_chain(files_of(server, share), PATH)
    assert (chain.size, chain.read(0, chain.size) == content) == (len(content), True)
    chain.close()


def test_ranges_come_back_in_the_order_in_which_they_were_asked_for(server: Running, share: Samba) -> None:
    content = put(share, 24 * MIB)
    files = files_of(server, share)
    file = files.open(PATH)
    assert file.size == len(content)
    places = [(0, 24 * MIB), (5, 0), (7 * MIB + 3, 3 * MIB), *((n * 40_001, n + 1) for n in range(500))]
    found = files.read([Range(file, offset, length) for offset, length in places])
    assert all(data == content[at : at + length] for data, (at, length) in zip(found, places, strict=True))
    files.close([file])


def test_several_threads_read_one_disk(server: Running, share: Samba) -> None:
    content = put(share, 8 * MIB)
    files = files_of(server, share)
    file = files.open(PATH)
    right = []

    def read(at: int) -> None:
        right.append(files.read([Range(file, at, MIB)]) == [content[at : at + MIB]])

    threads = [threading.Thread(target=read, args=(at * MIB,)) for at in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert right == [True] * 8
    files.close([file])


def test_a_disk_and_its_snapshots_are_read_also_while_the_domain_runs(
    server: Running, share: Samba, spare: hvsdk.Domain
) -> None:
    disk = spare.info.disks[0].id
    poke(server, path_of(spare), b"before", 4096)
    old = spare.create_snapshot("old")
    poke(server, path_of(spare), b"between", 8192)
    new = spare.create_snapshot("new")
    poke(server, path_of(spare), b"after", 16384)
    share.publish()
    with spare.open_disk(disk) as reader:
        assert [head(reader, at) for at in (4096, 8192, 16384)] == [b"before", b"between", b"after"]
    spare.start()
    with spare.open_disk(disk, snapshot=new) as reader:
        assert [head(reader, at) for at in (4096, 8192, 16384)] == [b"before", b"between", b""]
    assert [(one.offset, one.length) for one in new.changed_blocks(old, disk)] == [(8192, 512)]
    assert eventually(lambda: not workers())


def test_both_ways_read_the_same(server: Running, share: Samba, spare: hvsdk.Domain, host: hvsdk.Host) -> None:
    poke(server, path_of(spare), b"first")
    poke(server, path_of(spare), b"far", 40 * MIB)
    share.publish()
    disk = spare.info.disks[0].id
    with spare.open_disk(disk) as one, host.domain(spare.native_id).open_disk(disk) as other:
        assert one.extents() == other.extents()
        assert list(one.chunks()) == list(other.chunks())


def test_linked_clones_are_read_with_what_they_lie_on(server: Running, share: Samba, spare: hvsdk.Domain) -> None:
    poke(server, path_of(spare), b"original")
    copy = spare.clone("linked", linked=True)
    try:
        share.publish()
        with copy.open_disk(copy.info.disks[0]) as reader:
            assert head(reader) == b"original"
    finally:
        copy.delete(disks="delete")


# ---- nobody writes meanwhile ----------------------------------------------------------------------------


def test_a_file_that_somebody_writes_is_busy(server: Running, share: Samba) -> None:
    put(share)
    with another_client(server, share) as write:
        held = write()
        with pytest.raises(errors.BusyError, match="open for writing elsewhere"):
            files_of(server, share).open(PATH)
        held.close()


def test_nobody_writes_a_file_while_it_is_read(server: Running, share: Samba) -> None:
    put(share)
    files = files_of(server, share)
    file = files.open(PATH)
    with another_client(server, share) as write:
        assert not is_writable(write)
        files.close([file])
        files.close([file])
        assert is_writable(write)


def test_of_two_files_one_is_let_go(server: Running, share: Samba) -> None:
    put(share)
    content = put(share, path="C:\\disks\\other.vhdx")
    files = files_of(server, share)
    one, other = files.open(PATH), files.open("C:\\disks\\other.vhdx")
    with another_client(server, share) as write:
        files.close([one])
        assert is_writable(write)
        assert files.read([Range(other, 0, 512)]) == [content[:512]]
    files.close([other])


def test_a_disk_that_was_forgotten_is_let_go(server: Running, share: Samba) -> None:
    put(share)
    files = files_of(server, share)
    files.open(PATH)
    with another_client(server, share) as write:
        assert not is_writable(write)
        del files
        gc.collect()
        assert eventually(lambda: is_writable(write))
    assert eventually(lambda: not workers())


def test_closing_the_connection_closes_what_was_opened_on_it(
    server: Running, share: Samba, spare: hvsdk.Domain
) -> None:
    share.publish()
    path = path_of(spare)
    with another_client(server, share, path) as write:
        with opened(server, options={"disk_io": "smb", "smb_port": share.port}) as driver:
            files = driver.host_files()
            file = files.open(path)
            assert not is_writable(write)
        assert eventually(lambda: is_writable(write))
        with pytest.raises(errors.ConnectError, match="open the disk again"):
            files.read([Range(file, 0, 512)])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_leaves_the_connection_to_its_parent(server: Running, share: Samba) -> None:
    content = put(share)
    files = files_of(server, share)
    file = files.open(PATH)
    child = os.fork()
    if not child:
        files.cut()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert files.read([Range(file, 0, 512)]) == [content[:512]]
    files.close([file])


def test_the_file_of_another_machine_is_not_read(server: Running, share: Samba, spare: hvsdk.Domain) -> None:
    share.publish()
    place = share.place(path_of(spare))
    content = place.read_bytes()
    place.unlink()
    place.write_bytes(content + bytes(512))
    with pytest.raises(errors.ConnectError, match="another file than through WinRM"):
        spare.open_disk(spare.info.disks[0])
    place.write_bytes(content)
    os.utime(place, (1_000_000_000, 1_000_000_000))
    with pytest.raises(errors.ConnectError, match="another file than through WinRM"):
        spare.open_disk(spare.info.disks[0])
    assert eventually(lambda: not workers())


# ---- a server that goes away ----------------------------------------------------------------------------


def test_nobody_listens(server: Running) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        files = SmbFiles(target_of(server, options={"disk_io": "smb", "smb_port": port}))
        with pytest.raises(errors.ConnectError, match="refused") as caught:
            files.open(PATH)
    assert f"port {port}" in (caught.value.hint or "")
    assert "winrm" in (caught.value.hint or "")


def test_a_server_that_is_killed_ends_the_reader_and_not_the_host(
    server: Running, make_samba: Callable[..., Samba]
) -> None:
    running = make_samba()
    with connect(server, disk_io="smb", smb_port=running.port) as host:
        logins = server.counts().get("Create", 0)
        with a_domain(host, "killed") as spare:
            poke(server, path_of(spare), b"there")
            running.publish()
            reader = spare.open_disk(spare.info.disks[0])
            assert head(reader) == b"there"
            running.send(signal.SIGKILL)
            for _ in range(2):
                with pytest.raises(errors.ConnectError, match="open the disk again"):
                    reader.read(0, 512)
            reader.close()
        assert server.counts().get("Create", 0) == logins  # what goes through WinRM went on
    assert eventually(lambda: not workers())


def test_a_frozen_server_is_not_waited_for(server: Running, make_samba: Callable[..., Samba]) -> None:
    running = make_samba()
    put(running)
    files = files_of(server, running, timeout=2.0)
    file = files.open(PATH)
    running.send(signal.SIGSTOP)
    for act in (
        lambda: files.read([Range(file, 0, MIB)]),
        lambda: files_of(server, running, timeout=2.0).open(PATH),
    ):
        begun = time.monotonic()
        with pytest.raises(errors.ConnectError, match="did not answer in time"):
            act()
        assert time.monotonic() - begun < 6
    files.close([file])
    assert eventually(lambda: not workers())


def test_a_server_that_freezes_is_left_when_a_disk_is_closed(server: Running, make_samba: Callable[..., Samba]) -> None:
    running = make_samba()
    put(running)
    files = files_of(server, running, timeout=2.0)
    file = files.open(PATH)
    running.send(signal.SIGSTOP)
    begun = time.monotonic()
    files.close([file])
    assert time.monotonic() - begun < 6
    assert eventually(lambda: not workers())


# ---- the option -----------------------------------------------------------------------------------------


def test_it_is_asked_for_in_the_url_as_well(server: Running, share: Samba) -> None:
    url = f"{server.url}?disk_io=smb&smb_port={share.port}"
    with (
        hvsdk.connect(url, password=server.password, verify=server.fingerprint) as host,
        a_domain(host, "by url") as spare,
    ):
        poke(server, path_of(spare), b"there")
        share.publish()
        with spare.open_disk(spare.info.disks[0]) as reader:
            sends = server.counts().get("Send", 0)
            assert (head(reader), server.counts().get("Send", 0)) == (b"there", sends)


WITHOUT = """
import sys
sys.modules["smbprotocol"] = None
import hvsdk
try:
    hvsdk.connect(sys.argv[1], password="x", disk_io="smb", verify="sha256:" + "0" * 64)
except hvsdk.errors.UnsupportedError as exc:
    print(exc.hint)
"""


def test_without_the_library_it_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "hyperv://a@127.0.0.1:9"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "pip install 'hvsdk-hyperv[smb]'"


def test_the_driver_does_not_import_the_library() -> None:
    script = "import sys, hvsdk_hyperv._driver; print('smbprotocol' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_reader_of_a_chain_closes_its_connection(server: Running, share: Samba, tmp_path: Path) -> None:
    disk, _ = made_by_qemu(tmp_path, "vhdx", "dynamic")
    share.place(PATH).write_bytes(disk.read_bytes())
    reader = ChainReader(open_chain(files_of(server, share), PATH))
    assert workers() == 1
    reader.close()
    assert eventually(lambda: not workers())
