"""Disks read by NBD: with TLS, by those who have a session, as XenServer serves them."""

import datetime
import ipaddress
import shutil
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.hosts.life import cut
from hvsdk_simulators.xapi.storage.nbd import LIMIT, NbdServer
from hvsdk_simulators.xapi.storage.nbd_info import serve_nbd
from hvsdk_simulators.xapi.units import GIB, MIB
from storage_nbd_client import GO, LIST, NAME, STARTTLS, Client
from storage_pool import Pool


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `ca-cert.pem` and `key.pem` of one certificate that signs itself."""
    directory = tmp_path_factory.mktemp("keys")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "ca-cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return directory


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


@pytest.fixture
def sent() -> list[int]:
    """The lengths of what was read."""
    return []


@pytest.fixture
def server(pool: Pool, keys: Path, sent: list[int]) -> Iterator[NbdServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "ca-cert.pem", keys / "key.pem")
    member = pool.world.members[0]
    member.certificate = (keys / "ca-cert.pem").read_text()
    running = serve_nbd(pool.world, member, context, sent.append)
    yield running
    running.stop()


@pytest.fixture
def vdi(pool: Pool) -> Object:
    made = pool.vdi(size=2 * GIB)
    pool.world.storage.disk(made).write(GIB - 3, b"content")
    return made


def export_name(pool: Pool, vdi: Object) -> str:
    (told,) = pool.call("VDI.get_nbd_info", vdi)
    return str(told["exportname"])


def test_the_pool_tells_where_a_disk_is_served(pool: Pool, server: NbdServer, vdi: Object) -> None:
    member = pool.world.members[0]
    assert pool.call("VDI.get_nbd_info", vdi) == [
        {
            "exportname": f"/{vdi['uuid']}?session_id={pool.session.ref}",
            "address": member.address,
            "port": server.port,
            "cert": member.certificate,
            "subject": NAME,
        }
    ]
    network = next(one for one in pool.world.db.all("network") if "nbd" in one["purpose"])
    pool.world.db.update(network, purpose=[])
    assert pool.call("VDI.get_nbd_info", vdi) == []


def test_a_disk_is_read_in_any_order(pool: Pool, server: NbdServer, vdi: Object, keys: Path, sent: list[int]) -> None:
    with Client(server.port) as client:
        assert client.greet() == 1
        client.start_tls(keys)
        assert client.open(export_name(pool, vdi)) == (2 * GIB, 3)
        assert client.request(0, GIB - 512, 1024) == 0
        assert client.take(1024)[509:516] == b"content"
        assert client.request(0, 2 * GIB - 512, 512) == 0
        assert client.take(512) == bytes(512)
    assert sent == [1024, 512]


def test_a_snapshot_is_read_while_its_disk_goes_on(pool: Pool, server: NbdServer, vdi: Object, keys: Path) -> None:
    taken = pool.call("VDI.snapshot", vdi, {})
    pool.world.storage.disk(vdi).write(GIB - 3, b"changed")
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        client.open(export_name(pool, taken))
        assert client.request(0, GIB - 512, 1024) == 0
        assert client.take(1024)[509:516] == b"content"


def test_nothing_is_told_before_tls(pool: Pool, server: NbdServer, vdi: Object) -> None:
    with Client(server.port) as client:
        client.greet()
        assert client.ask(LIST) == 0x80000005
        assert client.ask(GO, b"\0\0\0\0\0\0") == 0x80000005
        with pytest.raises((EOFError, ConnectionError)):
            client.open(export_name(pool, vdi))


def test_newer_options_are_unsupported(pool: Pool, server: NbdServer, keys: Path) -> None:
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        assert client.ask(GO, b"\0\0\0\0\0\0") == 0x80000001
        assert client.ask(8) == 0x80000001
        assert client.ask(LIST) == 0x80000002
        assert client.ask(STARTTLS) == 0x80000003


@pytest.mark.parametrize("wrong", ["no session", "dead session", "lesser role", "no disk", "in use"])
def test_who_may_not_have_a_disk_is_hung_up_on(
    pool: Pool, server: NbdServer, vdi: Object, keys: Path, wrong: str
) -> None:
    name = export_name(pool, vdi)
    if wrong == "no session":
        name = f"/{vdi['uuid']}"
    elif wrong == "dead session":
        pool.world.db.delete(pool.session)
    elif wrong == "lesser role":
        name = name.replace(pool.session.ref, pool.login("vm-operator").ref)
    elif wrong == "no disk":
        name = name.replace(vdi["uuid"], pool.world.master["uuid"])
    else:
        drive = pool.drive(pool.vm("Running"), vdi)
        pool.call("VBD.plug", drive)
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            client.open(name)


@pytest.mark.parametrize(("command", "offset", "length"), [(1, 0, 512), (0, 1, 512), (0, 0, 100), (0, 2 * GIB, 512)])
def test_what_cannot_be_read_is_an_error(
    pool: Pool, server: NbdServer, vdi: Object, keys: Path, command: int, offset: int, length: int
) -> None:
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        client.open(export_name(pool, vdi))
        assert client.request(command, offset, length) == 22


def test_a_disk_that_is_read_is_not_destroyed(pool: Pool, server: NbdServer, vdi: Object, keys: Path) -> None:
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        client.open(export_name(pool, vdi))
        assert "destroy" not in pool.allowed(vdi)
        client.stream.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 2, 0, 0, 0))
    pool.call("VDI.destroy", vdi)


def test_a_network_for_insecure_nbd_is_served_without_tls(pool: Pool, server: NbdServer, vdi: Object) -> None:
    network = next(one for one in pool.world.db.all("network") if "nbd" in one["purpose"])
    pool.world.db.update(network, purpose=["insecure_nbd"])
    with Client(server.port) as client:
        client.greet()
        assert client.ask(STARTTLS) == 0x80000002
        assert client.open(export_name(pool, vdi)) == (2 * GIB, 3)
    pool.world.db.update(network, purpose=[])
    with Client(server.port) as client, pytest.raises((EOFError, ConnectionError)):
        client.greet()


def test_a_dead_host_serves_nobody(pool: Pool, server: NbdServer, vdi: Object, keys: Path) -> None:
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        client.open(export_name(pool, vdi))
        pool.world.members[0].alive = False
        cut(pool.world.members[0])
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            client.request(0, 0, 512)
    with Client(server.port) as client, pytest.raises((EOFError, ConnectionError)):
        client.greet()


def test_a_client_that_was_cut_off_comes_back(pool: Pool, server: NbdServer, vdi: Object, keys: Path) -> None:
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        client.open(export_name(pool, vdi))
        assert ACTIONS["hang-up-nbd"](pool.world) == 1
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            client.request(0, 0, 512)
    with Client(server.port) as client:
        client.greet()
        client.start_tls(keys)
        assert client.open(export_name(pool, vdi)) == (2 * GIB, 3)


def test_there_is_a_limit_of_clients(server: NbdServer) -> None:
    clients = [Client(server.port) for _ in range(LIMIT)]
    try:
        for client in clients:
            client.greet()
        with Client(server.port) as one_more, pytest.raises((EOFError, ConnectionError)):
            one_more.greet()
    finally:
        for client in clients:
            client.stream.close()


@pytest.mark.skipif(shutil.which("nbdcopy") is None, reason="nbdcopy of libnbd is not installed")
def test_libnbd_reads_the_same_bytes(pool: Pool, server: NbdServer, keys: Path, tmp_path: Path) -> None:
    vdi = pool.vdi(size=8 * MIB)
    disk = pool.world.storage.disk(vdi)
    disk.write(MIB - 2, b"content")
    copy = tmp_path / "copy.raw"
    name = quote(export_name(pool, vdi), safe="")
    source = f"nbds://127.0.0.1:{server.port}/{name}?tls-certificates={keys}"
    subprocess.run(["nbdcopy", source, str(copy)], check=True, timeout=60)
    assert copy.read_bytes() == disk.read(0, disk.size)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_qemu_is_denied_the_list_that_it_insists_on(pool: Pool, server: NbdServer, vdi: Object, keys: Path) -> None:
    credentials = f"tls-creds-x509,id=tls,dir={keys},endpoint=client"
    where = f"driver=nbd,server.type=inet,server.host=127.0.0.1,server.port={server.port},tls-hostname={NAME}"
    source = f"{where},tls-creds=tls,export={export_name(pool, vdi)}"
    command = ["qemu-img", "info", "--object", credentials, "--image-opts", source]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Denied by server for option 3 (list)" in ran.stderr
