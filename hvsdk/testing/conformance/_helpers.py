"""What the tests of the kit share: skipping with a reason, reaching a state, finding a domain's volumes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import FIELD_GROUPS

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import StoragePool, Volume
    from hvsdk.models import Disk, DomainInfo

__all__ = [
    "UNREACHABLE",
    "CancelMeanwhile",
    "Names",
    "check_loaded",
    "needs",
    "own_volume",
    "reach",
    "remove",
    "stands_in",
    "unchecked",
    "until",
    "wait_seconds",
]

UNREACHABLE = (PowerState.CRASHED, PowerState.CHANGING, PowerState.UNKNOWN)
"""States that no verb leads to; the fixture `force_state` brings them about where it is given."""

CONCERNS = "hvsdk-capabilities"
"""Name of the user property of a test that lists the capabilities it is about."""
SUBJECTS = {"Asked": Capability.CREATE_DOMAIN, "Create": Capability.CREATE_DOMAIN, "Watching": Capability.WATCH}
"""Classes of the kit whose tests are all about one capability."""
_concerned: ContextVar[list[str]] = ContextVar("hvsdk_kit_concerned")

ForceState = Callable[["Domain", PowerState], None]


def unchecked(reason: str) -> NoReturn:
    """Skip, and say that a guarantee was not checked because the test package does not offer what it takes."""
    pytest.skip(f"NOT CHECKED: {reason}")


def concerns(*capabilities: Capability) -> None:
    """Note which capabilities the test is about, for the matrix of `hvsdk conformance`."""
    _concerned.get().extend(capability.value for capability in capabilities)


def begin(test: pytest.Function) -> None:
    """Begin to note what a test is about, among its user properties."""
    subject = SUBJECTS.get(test.function.__qualname__.partition(".")[0])
    noted: list[str] = [] if subject is None else [subject.value]
    _concerned.set(noted)
    test.user_properties.append((CONCERNS, noted))


def needs(host: Host, *capabilities: Capability) -> None:
    """Skip unless the host has all of these, which the test is about."""
    concerns(*capabilities)
    requires(host, *capabilities)


def requires(host: Host, *capabilities: Capability) -> None:
    """Skip unless the host has all of these, which it takes to prepare a test."""
    for capability in capabilities:
        if not host.supports(capability):
            pytest.skip(f"{host.backend} has no {capability.value}: {host.why_not(capability)}")


class CancelMeanwhile:
    """What a verb takes as `cancel`, set as soon as it has been begun: whoever looks first sees nothing of it yet."""

    def __init__(self) -> None:
        self._looks = 0

    def is_set(self) -> bool:
        """Return whether to stop: from the second look on."""
        self._looks += 1
        return self._looks > 1


class Names:
    """Names of one test: all begin with the same random text, so that what it made can be found and removed."""

    def __init__(self) -> None:
        self.token: str = f"kit-{secrets.token_hex(4)}"

    def __call__(self, rest: str = "domain") -> str:
        return f"{self.token}-{rest}"

    def owns(self, name: str) -> bool:
        """Whether something of that name was made by this test, or renamed by it."""
        return self.token in name


def reach(domain: Domain, state: PowerState, *, patience: float, force: ForceState | None = None) -> Domain:
    """Bring a domain to a state by the shortest way that the backend has, or skip where there is none."""
    if state in UNREACHABLE:
        if force is None:
            unchecked(f"no fixture force_state: nothing brings a domain to {state.name}")
        force(domain, state)
        return domain.refresh()
    if domain.refresh().power_state is state:
        return domain
    if state is not PowerState.SHUTOFF and domain.power_state is not PowerState.RUNNING:
        _run(domain, patience)
    steps = {PowerState.PAUSED: "pause", PowerState.SUSPENDED: "suspend", PowerState.SHUTOFF: "power_off"}
    if state in steps:
        requires(domain.host, Capability(steps[state]))
        more: dict[str, Any] = {"discard_memory": True} if state is PowerState.SHUTOFF else {}
        getattr(domain, steps[state])(timeout=patience, **more)
    assert domain.refresh().power_state is state, f"{steps.get(state, 'start')} did not lead to {state.name}"
    return domain


def _run(domain: Domain, patience: float) -> None:
    verb = "unpause" if domain.power_state is PowerState.PAUSED else "start"
    requires(domain.host, Capability(verb))
    getattr(domain, verb)(timeout=patience)


def remove(domain: Domain, *, patience: float, force: ForceState | None = None) -> None:
    """Remove a domain and its volumes, whatever state it is in."""
    try:
        info = domain.refresh().info
        if info.power_state in UNREACHABLE and force is not None:
            force(domain, PowerState.SHUTOFF)
            info = domain.refresh().info
        if info.fenced is not None:
            domain.unfence()
        if info.power_state is not PowerState.SHUTOFF:
            domain.power_off(discard_memory=True, timeout=patience)
        try:
            domain.delete(disks="delete", timeout=patience)
        except errors.DomainNotFoundError:
            raise
        except errors.HvsdkError:
            domain.delete(disks="keep", timeout=patience)
    except errors.DomainNotFoundError:
        return


def until(condition: Callable[[], bool], *, patience: float, pause: float = 0.02) -> bool:
    """Return whether `condition` came true in time."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def wait_seconds(patience: float) -> float:
    """Return how long a wait in vain should take: longer with slow hosts, whose answers have to come within it."""
    return min(3.0, max(min(1.0, patience / 10), patience / 20))


def own_volume(host: Host, disk: Disk) -> Volume:
    """Return the volume that a disk lies on, or skip where the product does not tell."""
    found = find_volume(host.storage_pools(), disk)
    if found is None:
        pytest.skip(f"{host.backend} does not tell which volume disk {disk.id} lies on")
    return found


def find_volume(pools: Iterable[StoragePool], disk: Disk) -> Volume | None:
    """Return the volume with a disk's ids or path."""
    for pool in pools:
        if disk.pool is not None and disk.pool not in (pool.id, pool.name):
            continue
        for volume in pool.volumes():
            if (disk.volume is not None and volume.id == disk.volume) or (
                disk.source is not None and volume.path == disk.source
            ):
                return volume
    return None


def check_loaded(info: DomainInfo, *groups: str) -> None:
    """Assert that a record has all fields of these groups."""
    for group in groups:
        missing = [name for name in FIELD_GROUPS[group] if name not in info.loaded]
        share = "part" if len(missing) < len(FIELD_GROUPS[group]) else "nothing"
        assert not missing, f"record of {info.name!r} has {share} of group {group}; missing: {', '.join(missing)}"


def stands_in(domain: Domain) -> Domain:
    """Return another handle of the same domain, asked for anew: what a second user would see."""
    return domain.host.domain(domain.native_id)
