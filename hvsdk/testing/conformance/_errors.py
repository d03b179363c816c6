"""Errors: ours, whole, and with the vendor's as their cause."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, needs, unchecked

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Errors"]

ON_GONE: Final[dict[str, Callable[[Domain, Names], object]]] = {
    "refresh": lambda domain, names: domain.refresh(),
    "start": lambda domain, names: domain.start(),
    "power_off": lambda domain, names: domain.power_off(),
    "shutdown": lambda domain, names: domain.shutdown(timeout=5),
    "pause": lambda domain, names: domain.pause(),
    "suspend": lambda domain, names: domain.suspend(),
    "delete": lambda domain, names: domain.delete(),
    "clone": lambda domain, names: domain.clone(names("clone")),
    "reconfigure": lambda domain, names: domain.reconfigure(vcpus=2),
    "create_snapshot": lambda domain, names: domain.create_snapshot(names("snapshot")),
    "list_snapshots": lambda domain, names: domain.snapshots(),
    "set_notes": lambda domain, names: domain.set_notes("x"),
    "set_tags": lambda domain, names: domain.set_tags(["x"]),
    "set_metadata": lambda domain, names: domain.set_metadata({"kit.key": "x"}),
    "set_autostart": lambda domain, names: domain.set_autostart(True),
    "rename": lambda domain, names: domain.rename(names("renamed")),
    "console": lambda domain, names: domain.console(),
    "screenshot": lambda domain, names: domain.screenshot(),
    "stats": lambda domain, names: domain.stats(),
}


class Errors(Kit):
    """What is raised tells what happened, where and what to do."""

    @pytest.fixture
    def gone(self, host: Host, make_domain: MakeDomain) -> Domain:
        """Return a handle of a domain that is not there any more."""
        needs(host, Capability.DELETE)
        domain = make_domain()
        domain.host.domain(domain.native_id).delete(disks="delete")
        return domain

    @pytest.mark.parametrize("verb", ON_GONE)
    def test_a_domain_that_is_gone_is_not_found(self, host: Host, gone: Domain, names: Names, verb: str) -> None:
        if verb != "refresh":
            needs(host, Capability(verb))
        with pytest.raises(errors.DomainNotFoundError) as missing:
            ON_GONE[verb](gone, names)
        assert missing.value.backend == host.backend
        assert missing.value.host == host.url

    def test_an_error_survives_pickle(self, gone: Domain) -> None:
        with pytest.raises(errors.DomainNotFoundError) as missing:
            gone.refresh()
        error = missing.value
        same = pickle.loads(pickle.dumps(error))
        assert type(same) is type(error)
        assert str(same) == str(error)
        for name in ("backend", "host", "hint", "native_code", "message"):
            assert getattr(same, name) == getattr(error, name)

    def test_the_vendors_error_is_the_cause(self, gone: Domain) -> None:
        if not self.vendor_errors:
            unchecked("no vendor_errors: the client library's classes of errors are not known")
        with pytest.raises(errors.DomainNotFoundError) as missing:
            gone.refresh()
        assert isinstance(missing.value.__cause__, self.vendor_errors)

    def test_a_refusal_by_state_says_where(self, host: Host, running: Domain) -> None:
        needs(host, Capability.DELETE)
        with pytest.raises(errors.PowerStateError) as refused:
            running.delete()
        error = refused.value
        assert (error.backend, error.host) == (host.backend, host.url)
        assert running.name in str(error)
        assert error.hint
        assert pickle.loads(pickle.dumps(error)).state is error.state

    def test_every_error_is_one_of_ours(self, host: Host, domain: Domain, names: Names) -> None:
        with pytest.raises(errors.HvsdkError):
            host.domain(names("nobody"))
        with pytest.raises(errors.HvsdkError):
            domain.why_not("no_such_verb")
