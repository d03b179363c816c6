"""Connections are spoiled as asked, and no other way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvsdk_testbed._run import TestbedError
from hvsdk_testbed.proxy import FaultProxy


def echo(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo, args=(listener,), daemon=True)
        thread.start()
        with FaultProxy(listener.getsockname()[1]) as proxy:
            yield proxy
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        yield client


def received(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


def is_broken(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_pass_both_ways_and_are_counted(proxy: FaultProxy, client: socket.socket) -> None:
    data = bytes(range(256)) * 2000
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    assert received(client, len(data)) == data
    assert proxy.bytes_passed == {"to_client": len(data), "to_server": len(data)}
    assert proxy.connections == 1


def test_an_end_on_one_side_reaches_the_other_after_the_answer(client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert received(client, 100) == b"last words"


def test_nothing_passes_while_frozen_and_all_of_it_later(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.freeze()
    client.sendall(b"held")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(5)
    proxy.repair()
    assert received(client, 4) == b"held"


def test_a_frozen_proxy_takes_connections(proxy: FaultProxy) -> None:
    proxy.freeze()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(b"x")
        proxy.repair()
        assert received(client, 1) == b"x"


def test_bytes_trickle(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.trickle(100)
    begin = time.monotonic()
    client.sendall(b"0123456789" * 3)
    assert received(client, 30) == b"0123456789" * 3
    assert time.monotonic() - begin > 0.25


def test_dropped_connections_break_and_new_ones_work(proxy: FaultProxy, client: socket.socket) -> None:
    client.sendall(b"a")
    assert received(client, 1) == b"a"
    proxy.drop()
    assert is_broken(client)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        again.sendall(b"b")
        assert received(again, 1) == b"b"


def test_a_refusing_proxy_breaks_old_and_new_connections(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.refuse()
    assert is_broken(client)
    with socket.socket() as again:
        again.settimeout(5)
        try:
            again.connect(("127.0.0.1", proxy.port))
        except ConnectionError:  # reset, or already a broken pipe
            return
        assert is_broken(again)


def test_an_answer_is_cut_after_so_many_bytes_once(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.cut_after(5)
    client.sendall(b"0123456789")
    assert received(client, 5) == b"01234"
    assert is_broken(client)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        again.sendall(b"0123456789")
        assert received(again, 10) == b"0123456789"


def test_a_request_is_cut_after_so_many_bytes(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.cut_after(3, "to_server")
    client.sendall(b"0123456789")
    assert len(received(client, 10)) <= 3
    assert proxy.bytes_passed["to_server"] == 3


def test_a_unix_socket_has_a_proxy_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "server"))
        listener.listen()
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with FaultProxy(tmp_path / "server") as proxy, socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(proxy.path))
            client.sendall(b"hello")
            assert received(client, 5) == b"hello"
            with pytest.raises(TestbedError, match="a port"):
                _ = proxy.port
            path = proxy.path
        assert not path.parent.exists()
        listener.shutdown(socket.SHUT_RDWR)


def test_a_missing_server_breaks_the_connection(tmp_path: Path) -> None:
    with FaultProxy(tmp_path / "nobody") as proxy, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(proxy.path))
        assert is_broken(client)


def test_closing_leaves_no_thread(proxy: FaultProxy, client: socket.socket) -> None:
    client.sendall(b"a")
    proxy.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "hvsdk-proxy"]
