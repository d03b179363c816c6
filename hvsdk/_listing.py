"""Listing and finding domains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from hvsdk._domain import Domain
from hvsdk._domain_list import DomainList
from hvsdk._driver.base import Driver
from hvsdk._names import did_you_mean
from hvsdk._operation import CONFIG, STATE
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.errors import AmbiguousNameError, DomainNotFoundError, InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._host import Host
    from hvsdk._operation import Doing
    from hvsdk.models import DomainInfo

__all__ = ["Filter", "domains", "find", "get", "groups", "uuid_spellings"]

EVERYTHING = frozenset({"config", "guest"})
SHOWN_CANDIDATES = 20


def groups(include: Iterable[str], *, full: bool, tag: str | None) -> frozenset[str]:
    """Return the field groups that a listing has to load.

    Raises:
        InvalidSpecError: There is no such group.
    """
    if not isinstance(include, Iterable):
        raise InvalidSpecError(f"include= takes names of field groups, not {include!r}")
    asked = frozenset([include] if isinstance(include, str) else include)
    unknown = asked - EVERYTHING
    if unknown:
        raise InvalidSpecError(
            f"there is no field group {', '.join(sorted(map(repr, unknown)))}", hint="there are 'config' and 'guest'"
        )
    return EVERYTHING if full else asked | ({"config"} if tag is not None else set())


def _states(value: PowerState | str | Iterable[PowerState | str] | None) -> frozenset[PowerState] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise InvalidSpecError(f"state= is a state or several, not {value!r}")
    texts = [value] if isinstance(value, str) else list(value)
    try:
        return frozenset(map(PowerState, texts))
    except ValueError as exc:
        raise InvalidSpecError(f"{exc}", hint=f"there are: {', '.join(PowerState)}") from None


def _text(instance: object, attribute: Any, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidSpecError(f"{attribute.name}= is a text, not {value!r}")


def _predicate(instance: object, attribute: Any, value: object) -> None:
    if value is not None and not callable(value):
        raise InvalidSpecError(f"where= is a function that takes a DomainInfo, not {value!r}")


@attrs.frozen(kw_only=True)
class Filter:
    """Which domains a listing keeps."""

    name: str | None = attrs.field(default=None, validator=_text)
    state: frozenset[PowerState] | None = attrs.field(default=None, converter=_states)
    tag: str | None = attrs.field(default=None, validator=_text)
    hypervisor: str | None = attrs.field(default=None, validator=_text)
    where: Callable[[DomainInfo], bool] | None = attrs.field(default=None, validator=_predicate)
    templates: bool = False
    control: bool = False
    superseded: bool = False

    def keep(self, infos: Iterable[DomainInfo], *, config: bool) -> list[DomainInfo]:
        """Return those that pass; the predicate comes last."""
        found = infos if isinstance(infos, list) else list(infos)
        if not (self.templates and self.control):
            found = [
                info
                for info in found
                if (self.templates or not info.is_template) and (self.control or not info.is_control)
            ]
        if self.name is not None:
            found = _named(found, self.name)
        if self.state is not None:
            states = self.state
            found = [info for info in found if info.power_state in states]
        if self.hypervisor is not None:
            found = [info for info in found if info.hypervisor == self.hypervisor]
        if not self.superseded and config:
            found = [info for info in found if info.superseded_by is None]
        if self.tag is not None:
            found = [info for info in found if self.tag in info.tags]
        if self.where is not None:
            found = [info for info in found if self.where(info)]
        return found


def _named(infos: Iterable[DomainInfo], pattern: str) -> list[DomainInfo]:
    import re
    from fnmatch import translate

    fits = re.compile(translate(pattern)).match
    return [info for info in infos if fits(info.name)]


def domains(host: Host, wanted: Filter, include: frozenset[str]) -> DomainList:
    """List domains."""
    asked = _told(host, include)
    infos = host._reading(
        "list_domains",
        lambda doing: doing.read(lambda driver, limit: list(driver.list_domains(asked, deadline=limit))),
    )
    if include != asked:
        infos = [_without_guest(info) for info in infos]
    return DomainList([Domain(host, info) for info in wanted.keep(infos, config="config" in include)])


def get(host: Host, native_id: str, include: frozenset[str], info: DomainInfo | None = None) -> DomainInfo:
    """Read one domain."""
    asked = _told(host, include)

    def body(doing: Doing) -> DomainInfo:
        return doing.read(lambda driver, limit: driver.get_domain(native_id, asked, deadline=limit))

    found = host._reading("get_domain", body, info=info, arguments={"key": native_id} if info is None else None)
    return found if include == asked else _without_guest(found)


def _told(host: Host, include: frozenset[str]) -> frozenset[str]:
    """Return the groups that the driver is asked for: not those that it cannot tell."""
    if "guest" in include and not host.supports(Capability.GUEST_INFO):
        return include - {"guest"}
    return include


def _without_guest(info: DomainInfo) -> DomainInfo:
    """What a backend cannot tell is `None`."""
    return info.replace(addresses=(), guest_hostname=None, guest_os=None, agent=None)


def uuid_spellings(key: str) -> frozenset[str]:
    """Return a UUID in both byte orders, lower case; nothing when `key` is none.

    Which one a guest shows depends on the version of its SMBIOS.
    """
    from uuid import UUID

    if len(key) not in (32, 36):
        return frozenset()
    try:
        value = UUID(key)
    except ValueError:
        return frozenset()
    return frozenset({str(value), str(UUID(bytes=value.bytes_le))})


def key_text(key: object) -> str:
    """Return what `domain()` was asked for as a text; a `UUID` object will do.

    Raises:
        InvalidSpecError: It is something else.
    """
    if isinstance(key, str):
        return key
    if type(key).__name__ == "UUID":
        return str(key)
    raise InvalidSpecError(f"domain() takes a native id, a UUID or a name, not {key!r}")


def find(host: Host, key: str) -> Domain:
    """Find one domain: by native id, UUID or name, in this order."""
    if not key:
        raise InvalidSpecError("domain() takes a native id, a UUID or a name, not an empty text")
    info = host._reading("find_domain", lambda doing: _find(doing, key), arguments={"key": key})
    return Domain(host, info)


def _find(doing: Doing, key: str) -> DomainInfo:
    host = doing.host
    if doing.door.driver_class.could_be_native_id(key):
        try:
            return get(host, key, EVERYTHING)
        except DomainNotFoundError:
            pass  # it may be a UUID or a name
    found, names = _candidates(doing, key)
    where = {"backend": host.backend, "host": host.url}
    if not found:
        hint = did_you_mean(key, names) or "domains() lists what is there"
        raise DomainNotFoundError(f"no domain {key!r} on {host.url}", hint=hint, **where)
    if len(found) > 1:
        shown = [get(host, native_id, CONFIG) for native_id in found[:SHOWN_CANDIDATES]]
        raise AmbiguousNameError(
            f"{len(found)} domains are called {key!r}: "
            + ", ".join(
                f"{info.uuid or info.native_id} on {info.node or 'an unknown node'}"
                + (f" in folder {info.folder}" if info.folder else "")
                for info in shown
            ),
            candidates=[(info.native_id, info.uuid, info.node) for info in shown],
            hint="ask by UUID or native id",
            **where,
        )
    return get(host, found[0], EVERYTHING)


def _candidates(doing: Doing, key: str) -> tuple[list[str], list[str]]:
    """Return the native ids of the domains that fit: those with that UUID, else those with that name.

    And the names of all domains, where they had to be read.
    """
    if doing.door.driver_class.find_domains is not Driver.find_domains:
        found = doing.read(lambda driver, limit: list(driver.find_domains(key, deadline=limit)))
        return list(dict.fromkeys(found)), []
    infos = doing.read(lambda driver, limit: list(driver.list_domains(STATE, deadline=limit)))
    spellings = uuid_spellings(key)
    by_uuid = [info.native_id for info in infos if info.uuid in spellings]
    by_name = [info.native_id for info in infos if info.name == key]
    return by_uuid or by_name, [info.name for info in infos]
