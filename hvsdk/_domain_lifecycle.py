"""Power, and the beginning and end of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from hvsdk._handle import Handle
from hvsdk._operation import CONFIG, STATE, check_allowed
from hvsdk.enums import PowerState
from hvsdk.errors import InvalidSpecError
from hvsdk.models._checks import check_name

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._operation import Doing
    from hvsdk._storage import StoragePool
    from hvsdk._waiting import Cancel, Progress
    from hvsdk.models import DomainInfo, Node

__all__ = ["LifecycleVerbs"]


def _id_of(what: str, value: str | Node | StoragePool | None) -> str | None:
    """Return the text by which the driver finds a node or pool."""
    key = value if value is None or isinstance(value, str) else getattr(value, "id", None)
    if value is not None and not isinstance(key, str):
        raise InvalidSpecError(f"{what} is a name, an id or one from host.{what}s(), not {value!r}")
    return key


class LifecycleVerbs(Handle):
    """The power verbs, and delete, clone and migrate."""

    __slots__ = ()

    def start(self, *, timeout: float = 60.0, progress: Progress | None = None, cancel: Cancel | None = None) -> None:
        """Switch on; a suspended domain gets its saved memory back.

        Returns once the product says that it runs. A guest that switches itself off at once is reported as it is then.

        Raises:
            PowerStateError: It is paused or crashed.
            InsufficientResourcesError: The host has not enough memory.
        """
        self._power("start", timeout=timeout, progress=progress, cancel=cancel)

    def shutdown(self, *, timeout: float = 300.0, then: Literal["fail", "power_off"] = "fail") -> None:
        """Ask the guest to switch itself off, again and again while waiting, since a booting guest misses the first.

        Never cuts the power unless `then="power_off"`: then it is cut when the guest cannot be asked, has not obeyed in
        `timeout` seconds, or when the domain is paused or crashed.

        Raises:
            GuestAgentError: Shutting down needs guest tools that are absent or disabled.
            OperationTimeoutError: The guest did not obey in time.
            PowerStateError: It is paused, suspended or crashed.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     web = host.domains(state="running")[0]
            ...     web.shutdown(timeout=120, then="power_off")
            ...     print(web.power_state)
            shutoff
        """
        from hvsdk._power_verbs import shutdown

        shutdown(self._domain, timeout=timeout, then=then)

    def power_off(self, *, discard_memory: bool = False, timeout: float = 60.0) -> None:
        """Cut the domain's power at once.

        The guest is not told and loses what it had not written; `shutdown` asks it first.
        Does nothing when the domain is already off.

        Args:
            discard_memory: Also give up the saved memory of a suspended domain.
            timeout: Seconds to wait until the host reports `PowerState.SHUTOFF`.

        Raises:
            PowerStateError: It is suspended and `discard_memory` was not given.
            OperationTimeoutError: It was still on when the time ran out.
        """
        from hvsdk._power_verbs import power_off

        power_off(self._domain, discard_memory=discard_memory, timeout=timeout)

    def reboot(self, *, timeout: float = 60.0) -> None:
        """Ask the guest to restart; returns when the product has taken the request. The domain stays the same."""
        self._power("reboot", timeout=timeout)

    def reset(self, *, timeout: float = 60.0) -> None:
        """Press the reset button: the guest is not told. Runs afterwards; also ends a crash."""
        self._power("reset", timeout=timeout)

    def pause(self, *, timeout: float = 60.0) -> None:
        """Stop the vCPUs; the memory stays where it is and `unpause` goes on."""
        self._power("pause", timeout=timeout)

    def unpause(self, *, timeout: float = 60.0) -> None:
        """Let a paused domain go on."""
        self._power("unpause", timeout=timeout)

    def suspend(self, *, timeout: float = 60.0, progress: Progress | None = None, cancel: Cancel | None = None) -> None:
        """Save the memory to disk and free it; `resume` goes on where the guest was.

        Large memories take longer than the default `timeout`; when it runs out the product goes on saving.
        """
        self._power("suspend", timeout=timeout, progress=progress, cancel=cancel)

    def resume(self, *, timeout: float = 60.0, progress: Progress | None = None, cancel: Cancel | None = None) -> None:
        """Bring a suspended domain back from its saved memory."""
        self._power("resume", timeout=timeout, progress=progress, cancel=cancel)

    def wait_for(self, state: PowerState | str, *, timeout: float = 60.0) -> None:
        """Wait until the domain is in a state, whoever brings it there.

        Raises:
            OperationTimeoutError: It was not in time; `last_seen` has the state then.
        """
        try:
            wanted = PowerState(state)
        except ValueError as exc:
            raise InvalidSpecError(f"{exc}", hint=f"there are: {', '.join(PowerState)}") from None
        self._info = self._host._reading(
            "wait_for",
            lambda doing: _await_state(doing, wanted),
            info=self._info,
            timeout=timeout,
        ).without("guest")

    def delete(
        self,
        *,
        disks: Literal["keep", "delete"] = "keep",
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Remove the definition and its snapshots; with `disks="delete"` its own volumes too.

        Kept disks hold what the domain last saw: snapshots are merged, not lost with their files. ISO images are never
        removed, nor a volume that backs another one or is attached elsewhere, as far as this connection can see: then
        the whole verb is refused.

        Raises:
            PowerStateError: It is not shut off.
            BusyError: A volume is in use elsewhere; nothing was changed.
        """
        from hvsdk._making import delete

        if disks not in ("keep", "delete"):
            raise InvalidSpecError(f"disks= is 'keep' or 'delete', not {disks!r}")
        delete(self._domain, disks=disks, timeout=timeout, progress=progress, cancel=cancel)

    def clone(
        self,
        name: str,
        *,
        linked: bool = False,
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Domain:
        """Make a copy that is shut off, with a new UUID and new MACs.

        Args:
            linked: Let the copy's disks lie on the original's in place of copies of them. Where those stay the original's
                own (libvirt) they must not change, and cannot be deleted before the copy; where the product keeps what
                both share by itself (XAPI) the copy outlives its original.

        Raises:
            PowerStateError: The product cannot clone it in this state.
        """
        from hvsdk._making import clone

        check_name(name)
        return clone(self._domain, name, linked=linked, timeout=timeout, progress=progress, cancel=cancel)

    def migrate(
        self,
        to: Host | None = None,
        *,
        node: str | Node | None = None,
        pool: str | StoragePool | None = None,
        live: bool = True,
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Domain:
        """Move the domain within one product, running if it runs, and return it as it is there.

        What stands against it is found out first and nothing is changed then.

        Args:
            to: The host to move to; its own one, for a move to another node or storage pool of it, when left out.
            node: The node there, by name or id; the product chooses one when left out. Needs `MIGRATE_NODE`.
            pool: The storage pool there that takes its disks, by name or id. Needs `MIGRATE_STORAGE`.
            live: Keep a running domain running; with `False` it must be shut off.

        Raises:
            UnsupportedError: Something stands against it, and the message says what.
        """
        from hvsdk._making import migrate

        there = self._domain.host if to is None else to
        if not isinstance(there, type(self._domain.host)):
            raise InvalidSpecError(f"migrate takes the host to move to, not {to!r}", hint="a node goes in as node=…")
        check_allowed(there, "migrate", changes=True)
        return migrate(
            self._domain,
            there,
            node=_id_of("node", node),
            pool=_id_of("storage_pool", pool),
            live=live,
            timeout=timeout,
            progress=progress,
            cancel=cancel,
        )

    def _power(
        self, verb: str, *, timeout: float, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> None:
        from hvsdk._power_verbs import power

        power(self._domain, verb, timeout=timeout, progress=progress, cancel=cancel)

    @property
    def _domain(self) -> Domain:
        return cast("Domain", self)


def _await_state(doing: Doing, wanted: PowerState) -> DomainInfo:
    from hvsdk._waiting import await_info

    await_info(doing, STATE, lambda info: info.power_state is wanted, str(wanted), requested=False)
    return doing.look(CONFIG, late=True)
