"""What the groups of a domain's verbs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hvsdk._deadline import Deadline
from hvsdk._operation import CONFIG, Doing, operate
from hvsdk.capability import Capability

if TYPE_CHECKING:
    from hvsdk._driver.base import Driver
    from hvsdk._driver.task import Task
    from hvsdk._host import Host
    from hvsdk._verbs import Outcome
    from hvsdk.models import DomainInfo

__all__ = ["Handle"]

T = TypeVar("T")


class Handle:
    """A domain on a host: the base of the groups of verbs."""

    __slots__ = ("_host", "_info")

    _host: Host
    _info: DomainInfo

    @property
    def host(self) -> Host:
        """The host it is on."""
        return self._host

    @property
    def info(self) -> DomainInfo:
        """The record it was last seen with."""
        return self._info

    def refresh(self) -> Self:
        """Ask the host for everything about the domain again, and return the handle.

        Raises:
            DomainNotFoundError: It is gone.
        """
        self._info = self._host._get(self._info.native_id, self._info)
        return self

    def _change(
        self,
        verb: str,
        call: Callable[[Driver, Deadline], T | Task[T]],
        *,
        needs: tuple[Capability, ...] = (),
        arguments: Mapping[str, Any] | None = None,
        timeout: float | None = 60.0,
        before: Callable[[Doing], None] | None = None,
        after: Callable[[Doing, Outcome[T]], DomainInfo] | None = None,
        reached: Callable[[DomainInfo], bool] | None = None,
        **how: Any,
    ) -> T | None:
        """Carry out a changing verb, leave the record fresh, and return what the driver made of it.

        Args:
            before: Looks at preconditions.
            after: Returns the fresh record, where reading it once is not enough.
            reached: See `carry_out`, which gets `how` too.
        """
        from hvsdk._power import RULES
        from hvsdk._verbs import carry_out

        capabilities = (Capability(verb), *needs)
        with operate(
            self._host, verb, needs=capabilities, info=self._info, arguments=arguments, timeout=timeout
        ) as doing:
            if before is not None:
                before(doing)
            outcome = carry_out(doing, call, rule=RULES.get(verb), reached=reached, **how)
            if after is not None:
                info = after(doing, outcome)
            elif outcome.info is not None:
                info = outcome.info
            else:
                info = doing.look(CONFIG, late=True)
            doing.info = self._info = info.without("guest")
            return outcome.result
