"""Connecting: certificates, credentials, sessions that expire, connections that break."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import hvsdk
import pytest
from hvsdk.driver import Deadline, errors
from hvsdk_simulators import Running
from vmware_support import Raw, connect, opened, soon

import hvsdk_vmware
from hvsdk_vmware import hvsdk_backends


def test_the_backend_is_found_without_pyvmomi() -> None:
    code = (
        "import hvsdk, sys; assert 'vmware' in [b.name for b in hvsdk.backends()]; assert 'pyVmomi' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_backend_names_its_schemes() -> None:
    (backend,) = hvsdk_backends()
    assert backend.schemes == ("vmware", "vsphere", "esxi", "vmware+http")
    assert set(backend.options) == {"detach_other_tags", "disk_io", "keep_alive", "page_size"}


def test_both_products_say_what_they_are(center: Running, esxi: Running) -> None:
    with connect(center) as host:
        info = host.info()
        assert (info.details["vmware.kind"], info.api_version) == ("vcenter", "8.0.2.0")
        assert info.details["vmware.spoken"] == "8.0.2.0"
    with connect(esxi) as host:
        assert (host.info().details["vmware.kind"], host.info().details["vmware.spoken"]) == ("esxi", "6.5")


def test_another_certificate_than_the_pinned_one_is_refused_with_its_fingerprint(center: Running) -> None:
    with pytest.raises(errors.CertificateError) as caught:
        connect(center, verify="sha256:" + "0" * 64)
    assert caught.value.fingerprint == center.fingerprint


def test_a_certificate_that_nobody_vouches_for_is_refused(center: Running) -> None:
    with pytest.raises(errors.CertificateError, match="sha256:"):
        connect(center, verify=True)


def test_the_pin_is_checked_on_every_connection(center: Running, driver: object) -> None:
    """pyvmomi's own check is skipped from the second connection of a context on."""
    with opened(center) as one:
        one.stub.pool.close()
        one.stub.pool._closed = False
        one.stub.pool.endpoint.context.pins = frozenset({"sha256:" + "0" * 64})  # type: ignore[union-attr]
        with pytest.raises(errors.CertificateError):
            one.host_info(deadline=soon())


def test_a_wrong_password_is_an_authentication_error_that_does_not_show_it(center: Running) -> None:
    with pytest.raises(errors.AuthenticationError) as caught:
        connect(center, password="not the password 4711")
    assert "4711" not in str(caught.value)
    own = str(Path(hvsdk_vmware.__file__).parent)
    for exc in (caught.value, caught.value.__cause__):
        for frame, _ in traceback.walk_tb(exc.__traceback__ if exc else None):
            if frame.f_code.co_filename.startswith(own):
                assert "4711" not in repr(frame.f_locals)


def test_no_password_is_an_authentication_error(center: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HVSDK_PASSWORD", raising=False)
    with pytest.raises(errors.AuthenticationError, match="password"):
        hvsdk.connect(center.url, verify=center.fingerprint)


def test_what_is_no_vsphere_is_a_connect_error(center: Running) -> None:
    control = center.control.removeprefix("http://")
    with pytest.raises(errors.ConnectError, match=r"vCenter|answer"):
        hvsdk.connect(f"vmware+http://root@{control}", password="x", timeout=5)


def test_nothing_listening_is_a_connect_error() -> None:
    with pytest.raises(errors.ConnectError):
        hvsdk.connect("vmware+http://root@127.0.0.1:1", password="x", timeout=5)


def test_closing_logs_out(make_center: Callable[..., Running]) -> None:
    center = make_center()
    with connect(center) as host:
        host.domains()
        assert len(center.sessions()) == 1
    assert center.sessions() == []


def test_an_expired_session_is_renewed_once_for_all_threads(make_center: Callable[..., Running]) -> None:
    center = make_center()
    with opened(center) as driver:
        center.act("expire-sessions")
        center.reset_counts()
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(len(list(driver.list_domains(frozenset(), deadline=soon())))))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(set(found)) == 1
        assert len(found) == 6
        assert center.counts()["Login"] == 1


def test_a_changing_call_is_repeated_in_the_new_session(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("PowerOnVM_Task:session-expired:1")
    domain.start()
    assert domain.power_state == "running"


def test_a_renewed_session_that_is_refused_is_not_asked_for_again(make_center: Callable[..., Running]) -> None:
    center = make_center()
    with opened(center) as driver:
        center.act("expire-sessions")
        center.fault("Login:error=InvalidLogin")
        for _ in range(3):
            with pytest.raises(Exception):  # noqa: B017, PT011  # the first is the server's, the others ours
                driver.host_info(deadline=soon()) and list(driver.list_domains(frozenset(), deadline=soon()))
        assert center.counts()["Login"] == 2  # the first of all, and one that was refused


def test_a_read_is_repeated_when_its_connection_breaks(center: Running, host: hvsdk.Host) -> None:
    center.fault("RetrievePropertiesEx:drop-after:1")
    assert len(host.domains(templates=True)) >= 20


def test_a_changing_call_without_an_answer_is_sent_once(center: Running, domain: hvsdk.Domain) -> None:
    center.fault("PowerOnVM_Task:drop-after:1")
    center.reset_counts()
    domain.start()  # its state, which was read then, told that it had been done
    assert center.counts()["PowerOnVM_Task"] == 1


def test_a_server_that_trickles_is_given_up_in_time(center: Running) -> None:
    with connect(center, timeout=1.0) as host:
        center.fault("RetrievePropertiesEx:trickle")
        began = time.monotonic()
        with pytest.raises(errors.OperationTimeoutError):
            host.domains()
        assert time.monotonic() - began < 5


def test_a_driver_call_ends_by_its_deadline(center: Running) -> None:
    with opened(center) as driver:
        center.fault("RetrievePropertiesEx:freeze:1")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            list(driver.list_domains(frozenset(), deadline=Deadline(0.5)))
        assert time.monotonic() - began < 5


def test_an_idle_session_is_kept_alive(center: Running) -> None:
    with opened(center, options={"keep_alive": 0.1}) as driver:
        center.reset_counts()
        deadline = soon(10)
        while center.counts().get("CurrentTime", 0) < 2:
            assert not deadline.expired
            time.sleep(0.05)
        assert driver.stub.session is not None


def test_connections_are_kept_and_used_again(center: Running, driver: object) -> None:
    with opened(center) as one:
        first = one.stub.pool._open.copy()
        for _ in range(5):
            one.host_info(deadline=soon())
        assert one.stub.pool._open == first


def test_connecting_takes_three_round_trips(make_center: Callable[..., Running]) -> None:
    center = make_center()  # of its own: nobody else logs out there
    with opened(center):
        pass
    counts = {name: count for name, count in center.counts().items() if count and "/" not in name}
    assert counts == {"RetrieveServiceContent": 1, "Login": 1, "Logout": 1}


def test_the_client_library_is_reached_with_our_session(center: Running, host: hvsdk.Host, raw: Raw) -> None:
    with connect(center, allow={"native"}) as other:
        service = other.native()
        assert service.RetrieveContent().about.instanceUuid == raw.content.about.instanceUuid
        assert service.CurrentTime() is not None


def test_plain_text_to_a_port_that_speaks_tls_says_so(center: Running) -> None:
    with pytest.raises(errors.ConnectError) as caught:
        hvsdk.connect(center.url.replace("vmware:", "vmware+http:"), password=center.password, timeout=20)
    assert "vmware://" in str(caught.value.hint)
