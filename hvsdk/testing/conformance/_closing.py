"""After `close()` there is no host any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.testing.conformance._fixtures import Kit

if TYPE_CHECKING:
    from hvsdk._host import Host

__all__ = ["Closing"]

ASKED: Final[dict[str, Callable[[Host], object]]] = {
    "domains": lambda host: host.domains(),
    "domain": lambda host: host.domain("kit"),
    "info": lambda host: host.info(),
    "watch": lambda host: host.watch(),
}


class Closing(Kit):
    """Closing, twice and by `with`."""

    def test_closing_twice_is_harmless(self, spare_host: Host) -> None:
        assert not spare_host.closed
        spare_host.close()
        assert spare_host.closed
        spare_host.close()

    def test_a_host_that_was_never_used_can_be_closed(self, spare_host: Host) -> None:
        with spare_host:
            pass
        assert spare_host.closed

    @pytest.mark.parametrize("question", ASKED)
    def test_a_closed_host_answers_nothing(self, spare_host: Host, question: str) -> None:
        spare_host.domains()
        spare_host.close()
        with pytest.raises(errors.HostClosedError) as closed:
            ASKED[question](spare_host)
        assert closed.value.backend == spare_host.backend

    def test_a_domain_of_a_closed_host_answers_nothing(self, spare_host: Host) -> None:
        listed = spare_host.domains(templates=True, control=True)
        spare_host.close()
        if not listed:
            pytest.skip("the host has no domain")
        with pytest.raises(errors.HostClosedError):
            listed[0].refresh()
        assert listed[0].name
        assert repr(listed[0])

    def test_a_closed_host_can_still_be_shown(self, spare_host: Host) -> None:
        url = spare_host.url
        spare_host.close()
        assert spare_host.url == url
        assert repr(spare_host)
