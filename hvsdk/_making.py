"""Making, copying, moving and removing domains."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from hvsdk._deadline import Deadline
from hvsdk._driver.base import Driver
from hvsdk._operation import CONFIG, Doing, check_allowed, check_capability, operate
from hvsdk._power import RULES
from hvsdk._verbs import carry_out
from hvsdk._while_running import refuse_running
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import (
    AlreadyExistsError,
    ConnectError,
    DomainNotFoundError,
    HvsdkError,
    InvalidSpecError,
    OperationFailedError,
    OperationTimeoutError,
    OutcomeUnknownError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._waiting import Cancel, Progress, Undo
    from hvsdk.models import DomainInfo, DomainSpec

__all__ = ["clone", "create", "delete", "migrate"]


def create(
    host: Host, spec: DomainSpec, *, timeout: float | None, progress: Progress | None, cancel: Cancel | None
) -> Domain:
    """Make a domain."""
    from hvsdk.models import DomainSpec

    if not isinstance(spec, DomainSpec):
        raise InvalidSpecError(f"create_domain takes a DomainSpec, not {spec!r}")
    arguments = {"name": spec.name, "vcpus": spec.vcpus, "memory_bytes": spec.memory_bytes, "uuid": spec.uuid}
    needs = [Capability.CREATE_DOMAIN]
    needs += [Capability.UEFI] if spec.firmware == "uefi" else []
    needs += [Capability.SECURE_BOOT] if spec.secure_boot else []
    needs += [Capability.CLOUD_INIT] if spec.cloud_init is not None else []
    needs += [Capability.CREATE_WITH_UUID] if spec.uuid is not None else []
    with operate(host, "create_domain", needs=tuple(needs), arguments=arguments, timeout=timeout) as doing:
        try:
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.create_domain(spec, deadline=limit),
                creates=True,
                undo=_undo_of(spec),
                progress=progress,
                cancel=cancel,
            )
        except AlreadyExistsError as exc:
            _confirm_taken(doing, exc, spec.name, spec.uuid)
            raise
        return _made(doing, outcome.result)


def _confirm_taken(doing: Doing, exc: AlreadyExistsError, *keys: str | None) -> None:
    """Look whether the name or UUID is really taken, where the product can be asked; several things have one code."""
    if doing.door.driver_class.find_domains is Driver.find_domains:
        return
    for key in keys:
        if key is not None and doing.read(lambda d, limit, key=key: list(d.find_domains(key, deadline=limit))):  # type: ignore[misc]
            return
    raise OperationFailedError(
        f"{doing.operation.verb} was refused as if something were there already: {exc.message}",
        backend=exc.backend,
        host=exc.host,
        native_code=exc.native_code,
    ) from exc


def _made(doing: Doing, info: DomainInfo | None) -> Domain:
    assert info is not None
    host = doing.host
    if not info.has("config"):
        native_id = info.native_id
        with suppress(ConnectError, OperationTimeoutError):  # it is made: what cannot be read of it now is not loaded
            info = doing.read(lambda d, limit: d.get_domain(native_id, CONFIG, deadline=limit), _a_moment(doing))
    doing.info = info = info.without("guest")
    return host._handle(info)


def _a_moment(doing: Doing) -> Deadline:
    return Deadline(max(doing.deadline.remaining(), min(1.0, doing.door.timeout)))


def _undo_of(spec: DomainSpec) -> Undo[DomainInfo] | None:
    """Return what removes the new domain and its new volumes, but none that was there before."""
    theirs = [disk.source is not None and not disk.copy for disk in spec.disks if disk.device == "disk"]
    if any(theirs) and not all(theirs):
        return None  # no delete tells the ones from the others: it stays whole, and the message says so
    disks: Literal["keep", "delete"] = "keep" if any(theirs) else "delete"
    return lambda driver, info, limit: driver.delete(info.native_id, disks=disks, deadline=limit)


def delete(
    domain: Domain,
    *,
    disks: Literal["keep", "delete"],
    timeout: float | None,
    progress: Progress | None,
    cancel: Cancel | None,
) -> None:
    """Remove a domain."""
    native_id = domain.native_id
    arguments = {"disks": disks}
    with operate(
        domain.host, "delete", needs=(Capability.DELETE,), info=domain.info, arguments=arguments, timeout=timeout
    ) as doing:
        try:
            carry_out(
                doing,
                lambda driver, limit: driver.delete(native_id, disks=disks, deadline=limit),
                rule=RULES["delete"],
                power=True,
                progress=progress,
                cancel=cancel,
            )
        except OutcomeUnknownError as unknown:
            if not _is_gone(doing, native_id):
                raise
            if disks == "delete":
                unknown.hint = "the domain is gone; look whether its volumes are"
                raise


def _is_gone(doing: Doing, native_id: str) -> bool:
    try:
        doing.read(lambda d, limit: d.get_domain(native_id, frozenset(), deadline=limit), _a_moment(doing))
    except DomainNotFoundError:
        return True
    except HvsdkError:
        return False
    return False


def clone(
    domain: Domain,
    name: str,
    *,
    linked: bool,
    timeout: float | None,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Domain:
    """Copy a domain."""
    native_id = domain.native_id
    needs = (Capability.CLONE, Capability.CLONE_LINKED) if linked else (Capability.CLONE,)
    arguments = {"name": name, "linked": linked}
    with operate(domain.host, "clone", needs=needs, info=domain.info, arguments=arguments, timeout=timeout) as doing:
        refuse_running(doing)
        try:
            outcome = carry_out(
                doing,
                lambda driver, limit: driver.clone(native_id, name, linked=linked, deadline=limit),
                rule=RULES["clone"],
                creates=True,
                undo=lambda driver, info, limit: driver.delete(info.native_id, disks="delete", deadline=limit),
                progress=progress,
                cancel=cancel,
            )
        except AlreadyExistsError as exc:
            _confirm_taken(doing, exc, name)
            raise
        made = _made(doing, outcome.result)
        with suppress(ConnectError, OperationTimeoutError):
            domain._info = domain._host._get_config(domain.info)
        return made


def migrate(
    domain: Domain,
    to: Host,
    *,
    node: str | None,
    pool: str | None,
    live: bool,
    timeout: float | None,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Domain:
    """Move a domain to another host, node or storage pool."""
    for host in (domain.host, to):
        check_allowed(host, "migrate", changes=True)
    needs = [Capability.MIGRATE]
    needs += [Capability.MIGRATE_NODE] if node is not None else []
    needs += [Capability.MIGRATE_STORAGE] if pool is not None else []
    for capability in needs:
        check_capability(domain.host, capability, domain.info)
    if to is domain.host and node is None and pool is None:
        raise InvalidSpecError(
            f"{domain.host._words(domain.info)} is on that host already", hint="give node= or pool= to move it there"
        )
    if to._door.driver_class is not domain.host._door.driver_class:
        raise UnsupportedError(
            f"{domain.host._words(domain.info)} cannot migrate to {to.url}: that is another product",
            capability=Capability.MIGRATE,
            hint="migrate stays within one product",
        )
    arguments = {"to": to.url, "node": node, "pool": pool, "live": live}
    where = ", ".join(
        [to.url] * (to is not domain.host)
        + [f"node {node!r}"] * (node is not None)
        + [f"storage pool {pool!r}"] * (pool is not None)
    )
    native_id = domain.native_id
    with operate(
        domain.host, "migrate", needs=tuple(needs), info=domain.info, arguments=arguments, timeout=timeout
    ) as doing:
        there = None if to is domain.host else to._door.open(doing.deadline).driver
        info = doing.look(CONFIG)
        if live and info.power_state is not PowerState.SHUTOFF:
            check_capability(domain.host, Capability.MIGRATE_LIVE, info)
        reason = doing.read(
            lambda driver, limit: driver.check_migrate(
                native_id, there or driver, node=node, pool=pool, live=live, deadline=limit
            )
        )
        if reason is not None:
            raise UnsupportedError(
                f"{doing.subject} cannot migrate to {where}: {reason}",
                capability=Capability.MIGRATE,
                backend=domain.host.backend,
                host=domain.host.url,
            )
        outcome: Any = carry_out(
            doing,
            lambda driver, limit: driver.migrate(
                native_id, there or driver, node=node, pool=pool, live=live, deadline=limit
            ),
            rule=RULES["migrate"],
            creates=True,
            progress=progress,
            cancel=cancel,
        )
        moved = to._handle(to._get(outcome.result).without("guest"))
        doing.info = moved.info
        return moved
