"""Pictures of screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from vmware_files import files_below
from vmware_support import Raw, connect, domain_calls, opened, soon

PNG = b"\x89PNG\r\n\x1a\n"
NO_WAY = "/screen:http-500:9"


@pytest.fixture
def running(domain: hvsdk.Domain) -> hvsdk.Domain:
    domain.start()
    return domain


def pictures(raw: Raw) -> set[str]:
    """Return the pictures in all datastores."""
    return {path for path in files_below(raw) if path.endswith(".png")}


def test_a_screenshot_is_one_request(center: Running, running: hvsdk.Domain, raw: Raw) -> None:
    center.reset_counts()
    assert running.screenshot().startswith(PNG)
    assert {name: count for name, count in center.counts().items() if count} == {"/screen": 1}
    assert pictures(raw) == set()


def test_a_server_without_the_short_way_is_asked_for_a_file_which_is_removed(
    center: Running, running: hvsdk.Domain, raw: Raw
) -> None:
    direct = running.screenshot()
    center.fault(NO_WAY)
    calls = domain_calls(center, lambda: pictures_equal(running.screenshot(), direct))
    assert calls["CreateScreenshot_Task"] == calls["DeleteDatastoreFile_Task"] == 1
    assert pictures(raw) == set()


def pictures_equal(one: bytes, other: bytes) -> None:
    assert one == other


def test_an_esxi_host_has_both_ways(esxi: Running) -> None:
    with connect(esxi) as host:
        domain = next(one for one in host.domains() if one.power_state == "running")
        direct = domain.screenshot()
        esxi.fault(NO_WAY)
        assert domain.screenshot() == direct
        raw = Raw(esxi)
        assert pictures(raw) == set()
        raw.close()


@pytest.mark.parametrize("fault", ["/folder:http-500:1", "/folder:half-answer:9", "/folder:drop-before:9"])
def test_the_file_is_removed_when_it_cannot_be_read(
    center: Running, running: hvsdk.Domain, raw: Raw, fault: str
) -> None:
    center.fault(NO_WAY)
    center.fault(fault)
    with pytest.raises((errors.OperationFailedError, errors.ConnectionLostError)):
        running.screenshot()
    center.clear_faults()
    assert pictures(raw) == set()


def test_who_may_not_remove_the_file_has_the_picture_all_the_same(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=10, fault=[NO_WAY, "DeleteDatastoreFile_Task:error=NoPermission,no:1"])
    with connect(center) as host:
        assert next(iter(host.domains(state="running"))).screenshot().startswith(PNG)


def test_a_domain_that_is_off_or_suspended_has_no_screen(domain: hvsdk.Domain) -> None:
    with pytest.raises(errors.PowerStateError, match="start it first"):
        domain.screenshot()
    domain.start()
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.screenshot()


def test_a_domain_that_is_gone(host: hvsdk.Host, raw: Raw) -> None:
    made = host.domain(raw.make_vm("goes"))
    raw.remove_vm(made.native_id)
    with pytest.raises(errors.DomainNotFoundError):
        made.screenshot()


def test_what_is_refused_is_said(center: Running, running: hvsdk.Domain) -> None:
    center.fault(NO_WAY)
    center.fault("CreateScreenshot_Task:error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        running.screenshot()
    center.fault("CreateScreenshot_Task:task-error=NoDiskSpace,full:1")
    with pytest.raises(errors.InsufficientResourcesError):
        running.screenshot()


def test_an_expired_session_is_renewed(make_center: Callable[..., Running]) -> None:
    center = make_center(domains=10)
    with connect(center) as host:
        domain = next(iter(host.domains(state="running")))
        center.act("expire-sessions")
        center.reset_counts()
        assert domain.screenshot().startswith(PNG)
        assert center.counts().get("CreateScreenshot_Task", 0) == 0


@pytest.mark.parametrize("fault", ["drop-before", "drop-after", "half-answer"])
def test_a_lost_connection_is_asked_again(center: Running, running: hvsdk.Domain, fault: str) -> None:
    center.fault(f"/screen:{fault}:1")
    assert running.screenshot().startswith(PNG)


def test_names_that_need_quoting(center: Running, host: hvsdk.Host, raw: Raw) -> None:
    made = raw.make_vm("a & b 'c' \"d\" <e> ? # ü + 100%25 %252f;%2f=")
    domain = host.domain(made)
    assert "/a & b 'c'" in domain.details["vmware.path"].replace("] ", "/"), (
        "its files are called as it was called first"
    )
    domain.start()
    center.fault(NO_WAY)
    assert domain.screenshot().startswith(PNG)
    assert pictures(raw) == set()
    raw.remove_vm(made)


def test_a_frozen_server_costs_the_time_of_one_answer(center: Running, running: hvsdk.Domain) -> None:
    with opened(center) as driver:
        center.fault("/screen:freeze:9")
        with pytest.raises(TimeoutError):
            driver.screenshot(running.native_id, deadline=soon(1.0))


def test_no_secret_is_in_what_is_said(center: Running, running: hvsdk.Domain) -> None:
    center.fault(NO_WAY)
    center.fault("/folder:http-500:9")
    with pytest.raises(errors.OperationFailedError) as caught:
        running.screenshot()
    told: Any = f"{caught.value} {caught.value!r} {caught.value.hint}"
    assert center.password not in told
    assert "vmware_soap_session" not in told
