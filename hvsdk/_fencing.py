"""Fencing: by the product where it can, by a marker that hvsdk obeys elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hvsdk import _context
from hvsdk._operation import CONFIG, Doing, operate
from hvsdk._verbs import carry_out
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import HvsdkError
from hvsdk.models._hardware import FenceMark
from hvsdk.models._marks import FENCE_KEY, write_mark

if TYPE_CHECKING:
    from hvsdk._handle import Handle

__all__ = ["fence", "unfence"]


def fence(domain: Handle, reason: str, timeout: float) -> None:
    """Fence it."""
    by_product = Capability.FENCE in domain.host.capabilities
    needs = (Capability.FENCE,) if by_product else (Capability.FENCE_MARK,)
    arguments = {"reason": reason}
    with operate(domain.host, "fence", needs=needs, info=domain.info, arguments=arguments, timeout=timeout) as doing:
        native_id = domain.info.native_id
        if by_product:
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.fence(native_id, reason, deadline=limit),
                reached=lambda info: info.fenced is not None,
            )
            domain._info = outcome.info or doing.look(CONFIG, late=True)
        else:
            _mark(domain, doing, reason)


def unfence(domain: Handle, timeout: float) -> None:
    """Take it back."""
    by_product = Capability.UNFENCE in domain.host.capabilities
    needs = (Capability.UNFENCE,) if by_product else (Capability.FENCE_MARK,)
    with operate(domain.host, "unfence", needs=needs, info=domain.info, timeout=timeout) as doing:
        native_id = domain.info.native_id
        if by_product:
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.unfence(native_id, deadline=limit),
                reached=lambda info: info.fenced is None,
            )
            domain._info = outcome.info or doing.look(CONFIG, late=True)
        else:
            mark = doing.look(CONFIG).fenced
            if mark is not None:
                _restore(doing, mark)
            domain._info = doing.look(CONFIG, late=True)


def _mark(domain: Handle, doing: Doing, reason: str) -> None:
    """Leave the marker first: what is switched off afterwards can be found in it, whatever happens."""
    info = doing.look(CONFIG)
    if info.fenced is not None:
        domain._info = info
        return
    host = doing.host
    # The devices of a suspended domain cannot change, and the mark keeps it from running.
    suspended = info.power_state is PowerState.SUSPENDED
    links = () if suspended else tuple(nic.id for nic in info.nics if nic.link_up is not False)
    mark = FenceMark(
        reason=reason,
        at=datetime.now(UTC),
        by=_context.actor(),
        autostart=bool(info.autostart) and host.supports(Capability.SET_AUTOSTART),
        links=links if host.supports(Capability.SET_NIC_LINK) else (),
    )
    _store(doing, write_mark(mark))
    try:
        _switch(doing, mark, on=False)
    except HvsdkError:
        _restore(doing, mark)
        raise
    domain._info = doing.look(CONFIG, late=True)


def _restore(doing: Doing, mark: FenceMark) -> None:
    _switch(doing, mark, on=True)
    _store(doing, None)


def _switch(doing: Doing, mark: FenceMark, *, on: bool) -> None:
    native_id = doing.operation.native_id
    assert native_id is not None
    present = {nic.id for nic in doing.look(CONFIG).nics}
    for link in mark.links:
        if link in present:
            carry_out(doing, lambda d, limit, link=link: d.set_nic_link(native_id, link, on, deadline=limit))  # type: ignore[misc]
    if mark.autostart:
        carry_out(doing, lambda driver, limit: driver.set_autostart(native_id, on, deadline=limit))


def _store(doing: Doing, text: str | None) -> None:
    native_id = doing.operation.native_id
    assert native_id is not None
    carry_out(
        doing,
        lambda driver, limit: driver.set_metadata(native_id, {FENCE_KEY: text}, deadline=limit),
        reached=lambda info: info.metadata.get(FENCE_KEY) == text,
    )
