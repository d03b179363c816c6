"""The hosts of a fleet: made from what the caller named, found by name, pattern and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeGuard

from hvsdk._fleet.circuit import CredentialCircuit
from hvsdk._fleet.config import Endpoint
from hvsdk._fleet.member import Member, credential_key
from hvsdk._names import did_you_mean
from hvsdk.errors import InvalidSpecError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hvsdk._host import Host

__all__ = ["Members"]


class Members:
    """The hosts of a fleet by name, in the order in which they were named.

    Raises:
        InvalidSpecError: A host is named twice, or has no URL.
    """

    def __init__(self, hosts: Mapping[str, str | Mapping[str, Any] | Host] | Iterable[Endpoint]) -> None:
        endpoints = _endpoints(hosts) if isinstance(hosts, Mapping) else list(hosts)
        given = {name: one for name, one in hosts.items() if _is_host(one)} if isinstance(hosts, Mapping) else {}
        credentials: dict[Hashable, CredentialCircuit] = {}
        self._by_name: dict[str, Member] = {}
        for endpoint in endpoints:
            if endpoint.name in self._by_name:
                raise InvalidSpecError(f"the fleet names {endpoint.name!r} twice")
            key = credential_key(endpoint)
            circuit = (
                None if key is None else credentials.setdefault(key, CredentialCircuit(_credential_words(endpoint)))
            )
            self._by_name[endpoint.name] = Member(endpoint, circuit, given.get(endpoint.name))

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(self._by_name)

    def named(self, name: str) -> Member:
        """Return one by its name.

        Raises:
            NotFoundError: There is none.
        """
        found = self._by_name.get(name)
        if found is None:
            raise NotFoundError(f"the fleet has no host {name!r}", hint=did_you_mean(name, self._by_name))
        return found

    def name_of(self, host: Host) -> str:
        """Return what a host is called.

        Raises:
            NotFoundError: It is none of these.
        """
        for member in self:
            if member.has_host and member.host() == host:
                return member.name
        raise NotFoundError(
            f"{host.url} is no host of the fleet", hint="the fleet's own are those of `fleet.host(name)`"
        )

    def select(self, hosts: Iterable[str] | str | None, tags: Iterable[str] | str | None) -> list[Member]:
        """Return those named by any of these patterns that have all these tags; all of them where both are `None`.

        Raises:
            NotFoundError: A pattern fits none, or no host of the fleet has these tags.
        """
        found = list(self)
        if hosts is not None:
            patterns = [hosts] if isinstance(hosts, str) else list(hosts)
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in self._by_name):
                    raise NotFoundError(
                        f"no host of the fleet is named {pattern!r}", hint=did_you_mean(pattern, self._by_name)
                    )
            found = [member for member in found if any(fnmatchcase(member.name, pattern) for pattern in patterns)]
        if tags is not None:
            wanted = frozenset([tags] if isinstance(tags, str) else tags)
            if not any(wanted <= member.endpoint.tags for member in self):
                known = {tag for member in self for tag in member.endpoint.tags}
                raise NotFoundError(
                    f"no host of the fleet has the tags {', '.join(sorted(wanted))}",
                    hint=next((hint for tag in sorted(wanted - known) if (hint := did_you_mean(tag, known))), None),
                )
            found = [member for member in found if wanted <= member.endpoint.tags]
        return found

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


def _is_host(value: object) -> TypeGuard[Host]:
    from hvsdk._host import Host

    return isinstance(value, Host)


def _endpoints(hosts: Mapping[str, str | Mapping[str, Any] | Host]) -> list[Endpoint]:
    found = []
    for name, given in hosts.items():
        if not isinstance(given, (str, Mapping)):
            found.append(_endpoint_of(name, given))
            continue
        arguments: dict[str, Any] = {"url": given} if isinstance(given, str) else dict(given)
        url, tags = arguments.pop("url", None), arguments.pop("tags", ())
        if not isinstance(url, str):
            raise InvalidSpecError(f"the host {name!r} has no url")
        if "secret" in arguments:
            from hvsdk.credentials import SecretRef

            arguments["password"] = SecretRef(arguments.pop("secret"))
        found.append(Endpoint(name=name, url=url, arguments=arguments, tags=frozenset(tags)))
    return found


def _endpoint_of(name: str, host: Host) -> Endpoint:
    """Return how a host that is connected already would be connected to again."""
    arguments = {key: value for key, value in host._recipe.arguments.items() if key not in ("url", "options")}
    arguments |= host._recipe.arguments["options"]
    return Endpoint(name=name, url=host.url, arguments={k: v for k, v in arguments.items() if v is not None})


def _credential_words(endpoint: Endpoint) -> str:
    from hvsdk._url import parse_url

    username = endpoint.arguments.get("username") or parse_url(endpoint.url).username
    return "the credential" if username is None else f"the credential of {username}"
