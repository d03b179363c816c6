"""What goes wrong on the wire, over HTTPS with basic logins and over HTTP with NTLM and encrypted messages.

Reads go on in a new shell or over a new connection. What changes something is carried out once or not at all, and where
nobody can say which, the error says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import hvsdk_simulators
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from hyperv_support import connect, eventually, requests_of

VERBS: dict[str, tuple[str, str, Callable[[hvsdk.Domain], Any]]] = {
    "start": ("Off", "Running", lambda domain: domain.start()),
    "pause": ("Running", "Paused", lambda domain: domain.pause()),
    "reset": ("Running", "Running", lambda domain: domain.reset()),
}
STATES = {"Off": "shutoff", "Running": "running", "Paused": "paused"}
HARMLESS = (
    *("Send:unauthorized:1", "Receive:unauthorized:1", "Receive:error=operation-timeout:3", "Receive:slow=0.2:1"),
    *("Receive:garbage:2", "Receive:progress:2", "Receive:trickle:1", "Send:shell-gone:1"),
    *("Send:error=quota-operations:1", "Receive:error=quota-operations:1"),
)
"""After which a request is answered as if nothing had been: it had reached nobody, or its answer was still to come."""
DEADLY = (
    *("Send:drop-before:1", "Send:drop-after:1", "Send:half-answer:1", "Send:http-500:1", "Send:process-gone:1"),
    *("Receive:drop-before:1", "Receive:drop-after:1", "Receive:half-answer:1", "Receive:http-500:1"),
    *("Receive:shell-gone:1", "Receive:process-gone:1", "Receive:error=aborted:1", "Receive:error=no-command:1"),
)
"""After which nobody may be able to tell what came of a request."""


@pytest.fixture(scope="module", params=[True, False], ids=["https-basic", "http-ntlm"])
def wire(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A host of this module's own, on either transport."""
    with hvsdk_simulators.start("hyperv", domains=2, engine="python", tls=request.param) as running:
        yield running


@pytest.fixture
def host(wire: Running) -> Iterator[hvsdk.Host]:
    """A connection over which something has been asked already."""
    wire.clear_faults()
    with connect(wire, transport="basic" if wire.fingerprint else "ntlm") as host:
        host.networks()
        yield host
        wire.clear_faults()
    assert eventually(lambda: not wire.sessions(), 5), "a shell was left"


@pytest.fixture
def domain(host: hvsdk.Host) -> hvsdk.Domain:
    """One of the host's machines."""
    return sorted(host.domains(), key=lambda domain: domain.name)[0]


def put(wire: Running, domain: hvsdk.Domain, state: str) -> int:
    """Bring a machine into a state, and return how often it has been booted."""
    wire.act("state", vm=domain.uuid, state=state)
    boots: int = wire.act("guest", vm=domain.uuid)["boots"]
    return boots


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_read_goes_on(wire: Running, host: hvsdk.Host, fault: str) -> None:
    names = {domain.name for domain in host.domains()}
    wire.fault(fault)
    assert {domain.name for domain in host.domains()} == names
    assert [one["taken"] for one in wire.faults()] == [int(fault[-1])] or "garbage" in fault or "progress" in fault
    wire.clear_faults()
    assert requests_of(wire, host.domains) == {"Send": 1, "Receive": 1}


@pytest.mark.parametrize("fault", DEADLY)
def test_a_read_is_repeated(wire: Running, host: hvsdk.Host, fault: str) -> None:
    names = {domain.name for domain in host.domains()}
    wire.fault(fault)
    assert {domain.name for domain in host.domains()} == names
    assert [one["taken"] for one in wire.faults()] == [1]


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_change_goes_on(wire: Running, domain: hvsdk.Domain, fault: str) -> None:
    boots = put(wire, domain, "Running")
    domain.refresh()
    wire.fault(fault)
    domain.reset()
    assert wire.act("guest", vm=domain.uuid)["boots"] == boots + 1


@pytest.mark.parametrize("fault", DEADLY)
@pytest.mark.parametrize(
    "verb", ["reset", *(pytest.param(verb, marks=pytest.mark.full) for verb in sorted(VERBS) if verb != "reset")]
)
def test_a_change_is_carried_out_once_or_not_at_all(wire: Running, domain: hvsdk.Domain, verb: str, fault: str) -> None:
    state, goal, call = VERBS[verb]
    boots = put(wire, domain, state)
    domain.refresh()
    wire.fault(fault)
    done = False
    with contextlib.suppress(errors.OutcomeUnknownError):
        call(domain)
        done = True
    found = domain.refresh().power_state
    assert found == STATES[goal] if done else found in (STATES[state], STATES[goal])
    assert wire.act("guest", vm=domain.uuid)["boots"] <= boots + 1


@pytest.mark.parametrize("fault", ["Receive:drop-after:1", "Receive:half-answer:1"])
@pytest.mark.parametrize("verb", ["start", "pause"])
def test_a_change_that_shows_is_known_though_its_answer_was_lost(
    wire: Running, domain: hvsdk.Domain, verb: str, fault: str
) -> None:
    state, goal, call = VERBS[verb]
    put(wire, domain, state)
    domain.refresh()
    wire.fault(fault)
    call(domain)
    assert domain.power_state == STATES[goal]


def test_a_change_is_known_though_the_next_questions_are_lost_as_well(wire: Running, domain: hvsdk.Domain) -> None:
    put(wire, domain, "Running")
    domain.refresh()
    wire.fault("Send:drop-after:3")
    domain.pause(timeout=30)
    assert domain.power_state is hvsdk.PowerState.PAUSED
    assert [one["taken"] for one in wire.faults()] == [3]


def test_a_real_powershell_that_dies_is_replaced_and_nothing_is_done_twice(powershell_server: Running) -> None:
    server = powershell_server
    with connect(server, transport="ntlm") as host:
        domain = sorted(host.domains(), key=lambda domain: domain.name)[0]
        for fault in ("Receive:process-gone:1", "Receive:shell-gone:1"):
            boots = put(server, domain, "Running")
            domain.refresh()
            server.fault(fault)
            with contextlib.suppress(errors.OutcomeUnknownError):
                domain.reset()
            assert domain.refresh().power_state == "running"
            assert server.act("guest", vm=domain.uuid)["boots"] <= boots + 1


def test_a_quota_of_shells_says_what_to_raise(wire: Running) -> None:
    wire.fault("Create:error=quota-shells:1")
    with pytest.raises(errors.HvsdkError, match="MaxShellsPerUser"):
        connect(wire)
    assert wire.sessions() == []


def test_shells_of_others_fill_the_quota_and_none_is_left(wire: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connect(wire))
        with pytest.raises(errors.HvsdkError, match="30 concurrent shells"):
            connect(wire)
    assert eventually(lambda: not wire.sessions(), 10)


@pytest.mark.parametrize("fault", ["Create:unauthorized", "Command:unauthorized"])
def test_a_login_that_is_refused_again_and_again_is_told(wire: Running, fault: str) -> None:
    wire.fault(fault)
    with pytest.raises(errors.AuthenticationError):
        connect(wire)
    wire.clear_faults()
    assert eventually(lambda: not wire.sessions(), 5)


def test_a_machine_that_vanished_is_said_to_be_gone(wire: Running, host: hvsdk.Host) -> None:
    domain = max(host.domains(), key=lambda domain: domain.name)
    wire.act("remove-vm", vm=domain.uuid)
    for call in (domain.start, domain.refresh, domain.power_off, lambda: domain.rename("new")):
        with pytest.raises(errors.DomainNotFoundError):
            call()
    assert domain.uuid not in {one.uuid for one in host.domains()}


def test_a_user_without_rights_is_told_so_and_leaves_no_shell(wire: Running) -> None:
    wire.act("rights", hyperv=False)
    try:
        with pytest.raises(errors.PermissionDeniedError, match="Hyper-V Administrators"):
            connect(wire)
    finally:
        wire.act("rights", hyperv=True)
    assert eventually(lambda: not wire.sessions(), 5)
