"""Looking at a VM's screen, as a viewer and as one picture."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import HANDLERS
from hvsdk_simulators.xapi.hosts import screen
from storage_pool import Answer, Pool


class Visit(Answer):
    """A request that takes its connection over."""

    connection: socket.socket

    def upgrade(self) -> socket.socket:
        return self.connection


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=8, hosts=1) as made:
        yield made


@contextmanager
def visiting(pool: Pool, query: Mapping[str, str]) -> Iterator[tuple[Visit, socket.socket]]:
    ours, theirs = socket.socketpair()
    visit = Visit(pool, "CONNECT", "/console", query, b"", {})
    visit.connection = theirs
    thread = threading.Thread(target=HANDLERS["CONNECT", "/console"], args=(visit,))
    thread.start()
    with ours, theirs:
        yield visit, ours
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(30)
        assert not thread.is_alive()


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data)) or pytest.fail("the connection ended")
    return data


def console(pool: Pool, vm: Object, protocol: str) -> Object:
    found = (pool.world.db.get("console", ref) for ref in vm["consoles"])
    return next(one for one in found if one["protocol"] == protocol)


@pytest.mark.parametrize("named", ["uuid", "ref", "vm"])
def test_a_viewer_sees_the_screen(pool: Pool, named: str) -> None:
    vm = pool.vm("Running")
    shown = console(pool, vm, "rfb")
    query = {"uuid": {"uuid": shown["uuid"]}, "ref": {"ref": shown.ref}, "vm": {"ref": vm.ref}}[named]

    with visiting(pool, query) as (visit, viewer):
        assert receive(viewer, 12) == b"RFB 003.008\n"
        viewer.sendall(b"RFB 003.008\n")
        assert receive(viewer, 2) == b"\1\1"
        viewer.sendall(b"\1")
        assert receive(viewer, 4) == bytes(4)
        viewer.sendall(b"\1")
        width, height = struct.unpack(">HH", receive(viewer, 4))
        receive(viewer, 16)
        (length,) = struct.unpack(">I", receive(viewer, 4))
        assert receive(viewer, length).decode() == vm["name_label"]
        viewer.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        kind, count, *rectangle, encoding = struct.unpack(">BxHHHHHi", receive(viewer, 16))
        assert (kind, count, rectangle, encoding) == (0, 1, [0, 0, screen.WIDTH, screen.HEIGHT], 0)
        assert len(set(receive(viewer, width * height * 4))) == 2
    assert visit.status == 200


def test_a_terminal_shows_what_is_typed(pool: Pool) -> None:
    vm = pool.vm("Running")

    with visiting(pool, {"uuid": console(pool, vm, "vt100")["uuid"]}) as (_, terminal):
        assert receive(terminal, len(vm["name_label"]) + 10).endswith(b" login: ")
        terminal.sendall(b"root")
        assert receive(terminal, 4) == b"root"


def test_a_picture_is_a_jpeg(pool: Pool) -> None:
    answer = pool.request("GET", "/vncsnapshot", uuid=pool.vm("Running")["uuid"])

    assert answer.answered["Content-Type"] == "image/jpeg"
    assert (bytes(answer.content[:3]), bytes(answer.content[-2:])) == (b"\xff\xd8\xff", b"\xff\xd9")
    at = answer.content.index(b"\xff\xc0")
    assert struct.unpack(">HH", answer.content[at + 5 : at + 9]) == (screen.HEIGHT, screen.WIDTH)


def test_a_halted_vm_has_no_screen(pool: Pool) -> None:
    answer = pool.request("GET", "/vncsnapshot", uuid=pool.vm("Halted")["uuid"])

    assert (answer.status, answer.failure[0]) == (0, "VM_BAD_POWER_STATE")


def test_other_hosts_do_not_show_the_screen() -> None:
    with Pool(domains=4, hosts=2) as pool:
        vm = pool.vm("Running", resident_on=pool.world.members[1].host.ref)
        query = {"uuid": console(pool, vm, "rfb")["uuid"]}
        with pytest.raises(Failure) as caught:
            HANDLERS["CONNECT", "/console"](Visit(pool, "CONNECT", "/console", query, b"", {}))

    assert caught.value.details == ["VM_NOT_RESIDENT_HERE", vm.ref, pool.world.members[0].host.ref]
