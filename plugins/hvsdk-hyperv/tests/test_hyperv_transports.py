"""Each way to log in, on hosts that let one in so: what works, what is refused, and what is told of it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import hvsdk
import pytest
from hvsdk.driver import errors
from hyperv_logins import KERBEROS, PASSPHRASE, PASSWORD, USER, WAYS, WRONG, Way, started

SECRETS = (PASSWORD, WRONG, PASSPHRASE)
CLOSED = {"locked": "locked out", "disabled": "disabled", "expired": "expired", "must-change": "must change"}
"""States of an account, and CredSSP's word for each."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.full if name in KERBEROS else ()) for name in WAYS],
)
def shared_way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with started(request.param, tmp_path_factory.mktemp("login")) as way:
        yield way


@pytest.fixture
def way(shared_way: Way) -> Iterator[Way]:
    """A way to log in; faults and what was done to the account are taken back."""
    shared_way.server.reset_counts()
    yield shared_way
    shared_way.server.clear_faults()
    shared_way.server.act("account", user=USER, state="normal", password=PASSWORD)


def refused(way: Way, **more: object) -> errors.AuthenticationError:
    """Connect, and return the error that this ends with."""
    with pytest.raises(errors.AuthenticationError) as caught:
        way.connect(**more)
    return caught.value


def refusals(way: Way) -> int:
    return way.server.counts().get("/logins/refused", 0)


def test_domains_are_listed_started_and_powered_off(way: Way) -> None:
    with way.connect() as host:
        assert len(host.domains()) == 3
        domain = host.domain("app-1")
        domain.power_off(discard_memory=True)
        domain.start()
        assert domain.power_state is hvsdk.PowerState.RUNNING
        domain.power_off()


def test_one_login_is_enough(way: Way) -> None:
    with way.connect() as host:
        host.networks()
        logins = way.server.counts()["/logins"]
        host.networks()
        each_time = way.transport in ("basic", "certificate")
        assert way.server.counts()["/logins"] == (logins + 2 if each_time else 1)


def test_answers_of_any_length_come_through(way: Way) -> None:
    text = "\u00e4\u20ac" * 9_000
    with way.connect() as host:
        domain = host.domain("web-1")
        domain.set_notes(text)
        assert domain.notes == text
        domain.set_notes("")


def test_wrong_credentials_are_told_and_tried_once(way: Way) -> None:
    error = refused(way, password=way.wrong())
    assert error.hint
    assert refusals(way) <= 1  # the next ones might lock the account
    assert way.server.counts().get("Create", 0) == 0


@pytest.mark.parametrize("state", CLOSED)
def test_a_closed_account_is_told_as_far_as_windows_tells(way: Way, state: str) -> None:
    way.server.act("account", user=USER, state=state)
    error = refused(way)
    told = str(error) if way.transport == "credssp" else str(error.hint)
    assert (CLOSED[state] if way.transport == "credssp" else "locked, disabled") in told
    assert refusals(way) == (3 if way.transport == "kerberos" else 1)  # tickets lock nobody out


def test_a_readonly_host_changes_nothing(way: Way) -> None:
    with way.connect(readonly=True) as host:
        domain = host.domains()[0]
        with pytest.raises(errors.PermissionDeniedError):
            domain.start()


@pytest.mark.parametrize("action", ["Send", "Receive"])
def test_a_login_that_expires_is_made_anew_once(way: Way, action: str) -> None:
    with way.connect() as host:
        host.networks()
        before = way.server.counts()
        way.server.fault(f"{action}:unauthorized:1")
        assert host.networks()
        after = way.server.counts()
        if way.transport not in ("basic", "certificate"):
            assert after["/logins"] == before["/logins"] + 1
        assert after["/connections"] == before["/connections"] + 1


def test_a_connection_that_broke_is_made_anew(way: Way) -> None:
    with way.connect() as host:
        host.networks()
        way.server.fault("Receive:drop-after:1")
        assert host.networks()


def test_a_connection_that_was_idle_for_too_long_is_made_anew(way: Way) -> None:
    with way.connect() as host:
        host.networks()
        session = host.native().transport.session
        session.adapters["https://" if way.secure else "http://"].cut()
        assert host.networks()
        assert refusals(way) == 0


def test_a_connection_that_nobody_used_for_long_is_not_used_again(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    with way.connect() as host:
        host.networks()
        before = way.server.counts()["/connections"]
        assert host.networks()
        assert way.server.counts()["/connections"] == before
        monkeypatch.setattr("hvsdk_hyperv._wsman.IDLE_SECONDS", 0.0)
        assert host.networks()
        assert way.server.counts()["/connections"] > before
        assert refusals(way) == 0


def test_a_password_that_was_changed_meanwhile_is_tried_once_for_each_login(way: Way) -> None:
    with way.connect() as host:
        host.networks()
        way.server.act("account", user=USER, password="another")
        way.server.fault("Send:unauthorized:1")
        before = refusals(way)
        if way.transport in ("certificate", "kerberos"):
            assert host.networks()
            assert refusals(way) == before
            return
        with pytest.raises(errors.AuthenticationError):
            host.networks()
        # Basic has it in each request, also in the one that showed that it was changed.
        assert refusals(way) - before == (2 if way.transport == "basic" else 1)


def test_a_certificate_that_is_not_the_pinned_one_is_sent_no_credentials(way: Way) -> None:
    if not way.secure:
        pytest.skip("there is no certificate without TLS")
    with pytest.raises(errors.CertificateError):
        way.connect(verify="sha256:" + "0" * 64)
    counts = way.server.counts()
    assert (counts.get("/authorization", 0), counts.get("/wsman", 0)) == (0, 0)


def test_no_secret_is_shown(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with way.connect() as host:
        shown = [repr(host), repr(host.native()), repr(vars(host.native().transport).get("session"))]
        host.networks()
    error = refused(way, password=way.wrong())
    shown += [repr(error), str(error.hint), caplog.text, *frames_of(error)]
    for secret in SECRETS:
        assert secret not in "".join(shown)
    assert not [
        record.name for record in caplog.records if record.name.startswith("spnego") and record.levelno < logging.INFO
    ]


def test_who_asks_for_the_messages_of_logins_gets_them(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="spnego")
    with way.connect() as host:
        host.networks()
    if way.transport in ("ntlm", "credssp", "kerberos"):
        assert "step output" in caplog.text


def frames_of(error: BaseException) -> Iterator[str]:
    """Yield what a traceback with local variables shows of an error and of all that led to it."""
    yield "".join(traceback.format_exception(error))
    at: BaseException | None = error
    while at is not None:
        for frame, _ in traceback.walk_tb(at.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                yield repr(frame.f_locals)
        at = at.__cause__ or at.__context__


def test_all_ways_of_the_backend_are_tried() -> None:
    from hvsdk_hyperv import OPTIONS

    assert {name.partition("-")[0] for name in WAYS} == set(OPTIONS["transport"].choices or ()) - {"auto"}
    assert set(KERBEROS) < set(WAYS)
