"""Masters, dead hosts and certificates as clients meet them."""

from __future__ import annotations

import hashlib
import ssl
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hvsdk_simulators import Running, start


@pytest.fixture
def pool() -> Iterator[Running]:
    with start("xapi", domains=6, hosts=3, duration_scale=0.2) as running:
        yield running


def certificate(member: dict[str, Any]) -> str:
    return ssl.get_server_certificate(("127.0.0.1", int(member["port"])), timeout=10)


def fingerprint(pem: str) -> str:
    return f"sha256:{hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()}"


class Client:
    """Calls to one member, each on a connection of its own."""

    def __init__(self, pool: Running, member: int = 0) -> None:
        self._pool = pool
        self._url = f"https://127.0.0.1:{pool.members[member]['port']}"
        self._context = ssl.create_default_context(cadata=certificate(pool.members[member]))
        self.session = ""

    def answer(self, name: str, *arguments: Any) -> Any:
        with xmlrpc.client.ServerProxy(self._url, context=self._context) as server:
            return getattr(server, name)(*arguments)

    def call(self, name: str, *arguments: Any) -> Any:
        answer = self.answer(name, self.session, *arguments)
        assert answer["Status"] == "Success", answer
        return answer["Value"]

    def log_in(self, how: str = "session.login_with_password") -> Any:
        answer = self.answer(how, self._pool.username, self._pool.password)
        self.session = answer.get("Value", "")
        return answer


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError):
            if true():
                return
        time.sleep(0.05)
    pytest.fail("it did not become true")


def test_sessions_end_with_the_master_and_the_new_one_takes_logins(pool: Running) -> None:
    old, new = Client(pool), Client(pool, 1)
    old.log_in()

    told = pool.act("change-master")

    assert told["address"] == pool.members[1]["address"]
    assert old.answer("VM.get_all", old.session)["ErrorDescription"][0] in ("HOST_IS_SLAVE", "SESSION_INVALID")
    assert old.log_in()["ErrorDescription"] == ["HOST_IS_SLAVE", pool.members[1]["address"]]
    assert new.log_in()["Status"] == "Success"
    new.call("VM.get_all")


def test_a_designated_master_takes_over(pool: Running) -> None:
    old, new = Client(pool), Client(pool, 2)
    old.log_in()
    host = old.call("host.get_by_uuid", pool.members[2]["uuid"])

    old.call("pool.designate_new_master", host)

    wait_until(lambda: new.log_in()["Status"] == "Success")


def test_a_member_is_made_master_when_the_master_is_dead(pool: Running) -> None:
    heir = Client(pool, 1)
    pool.act("kill-host", host=pool.members[0]["uuid"])
    assert heir.log_in("session.slave_local_login_with_password")["Status"] == "Success"

    heir.call("pool.emergency_transition_to_master")

    wait_until(lambda: heir.log_in()["Status"] == "Success")
    dead = heir.call("host.get_by_uuid", pool.members[0]["uuid"])
    assert heir.call("host_metrics.get_live", heir.call("host.get_metrics", dead)) is False
    assert len(heir.call("pool.recover_slaves")) == 1


def test_vms_of_a_dead_member_start_elsewhere_once_it_is_declared_dead(pool: Running) -> None:
    client = Client(pool)
    client.log_in()
    host = client.call("host.get_by_uuid", pool.members[1]["uuid"])
    records = client.call("VM.get_all_records")
    vm = next(
        ref
        for ref, one in records.items()
        if one["resident_on"] == host and one["power_state"] == "Running" and not one["is_control_domain"]
    )
    pool.act("kill-host", host=pool.members[1]["uuid"])
    assert client.call("VM.get_power_state", vm) == "Running"

    client.call("host.declare_dead", host)
    client.call("VM.start", vm, False, False)

    assert client.call("VM.get_resident_on", vm) not in (host, "OpaqueRef:NULL")


def test_a_renewed_certificate_is_shown_and_recorded(pool: Running) -> None:
    member = pool.members[1]
    before = certificate(member)

    told = pool.act("renew-certificate", host=member["uuid"])

    shown = certificate(member)
    assert fingerprint(before) == member["fingerprint"]
    assert fingerprint(shown) == told["fingerprint"] != member["fingerprint"]
    client = Client(pool)
    client.log_in()
    host = client.call("host.get_by_uuid", member["uuid"])
    records = [client.call("Certificate.get_record", ref) for ref in client.call("host.get_certificates", host)]
    recorded = next(one["fingerprint"] for one in records if one["type"] == "host")
    assert recorded.replace(":", "").lower() == told["fingerprint"].removeprefix("sha256:")
    assert client.call("host.get_server_certificate", host).strip() == shown.strip()


def test_each_members_record_tells_the_certificate_that_it_shows(pool: Running) -> None:
    client = Client(pool)
    client.log_in()
    hosts = client.call("host.get_all_records")
    told = {
        hosts[one["host"]]["uuid"]: one["fingerprint"].replace(":", "").lower()
        for one in client.call("Certificate.get_all_records").values()
        if one["type"] == "host"
    }
    shown = {member["uuid"]: fingerprint(certificate(member)).removeprefix("sha256:") for member in pool.members}
    assert told == shown
    assert len(set(shown.values())) == len(pool.members)


def test_only_a_certificate_with_its_key_is_installed(pool: Running) -> None:
    client = Client(pool)
    client.log_in()
    host = client.call("host.get_by_uuid", pool.members[0]["uuid"])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def refused(*arguments: str) -> list[str]:
        answer = client.answer("host.install_server_certificate", client.session, host, *arguments)
        return list(answer["ErrorDescription"])

    assert refused("none", "none", "") == ["SERVER_CERTIFICATE_KEY_INVALID"]
    assert refused("none", pem, "") == ["SERVER_CERTIFICATE_INVALID"]
    assert refused(certificate(pool.members[0]), pem, "") == ["SERVER_CERTIFICATE_KEY_MISMATCH"]
    assert fingerprint(certificate(pool.members[0])) == pool.fingerprint
