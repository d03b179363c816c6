"""What every command works with: the hosts that are meant, and the way to print."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from hvsdk._cli.output import Format, Output
from hvsdk._fleet.find import meaning
from hvsdk.errors import DomainNotFoundError, InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._fleet.fleet import Fleet
    from hvsdk._fleet.result import FleetDomains

__all__ = ["Session"]


class Session:
    """One run of the command line.

    Args:
        fleet: The fleet's file; `HVSDK_FLEET` without it.
        urls: Hosts in place of a fleet; `HVSDK_URL` when there is neither.
        hosts: Names or patterns of hosts of the fleet.
        host_tags: Tags that hosts are to have.
        ask: Whether to ask for a password at the terminal.
    """

    def __init__(
        self,
        *,
        fleet: str | None,
        urls: list[str],
        hosts: list[str],
        host_tags: list[str],
        ask: bool,
        verify: str | None,
        readonly: bool,
        format: Format,
    ) -> None:
        self.output = Output(format)
        self._path = fleet or (os.environ.get("HVSDK_FLEET") if not urls else None)
        self._urls = urls or ([os.environ["HVSDK_URL"]] if not self._path and os.environ.get("HVSDK_URL") else [])
        self.hosts: list[str] | None = hosts or None
        self.host_tags: list[str] | None = host_tags or None
        self._ask = ask
        self._verify = verify
        self._readonly = readonly

    @cached_property
    def fleet(self) -> Fleet:
        """The hosts.

        Raises:
            InvalidSpecError: None is named, or the fleet's file is wrong.
        """
        from hvsdk._fleet.config import read_file
        from hvsdk._fleet.fleet import Fleet

        if self._urls:
            return Fleet(self._named())
        if not self._path:
            raise InvalidSpecError(
                "no host is named", hint="give --url, or --fleet FILE, or set HVSDK_FLEET or HVSDK_URL"
            )
        try:
            endpoints = read_file(self._path)
        except OSError as exc:
            raise InvalidSpecError(
                f"the fleet's file {self._path} cannot be read: {exc.strerror or exc}",
                hint="--fleet names it, or HVSDK_FLEET",
            ) from exc
        if self._readonly:
            endpoints = [attrs.evolve(one, arguments={**one.arguments, "readonly": True}) for one in endpoints]
        return Fleet(endpoints)

    def _named(self) -> dict[str, dict[str, Any]]:
        """Return the hosts of `--url` by their URLs as they may be shown."""
        from hvsdk._url import parse_url

        found: dict[str, dict[str, Any]] = {}
        for url in dict.fromkeys(self._urls):
            name = attrs.evolve(parse_url(url), password=None).text()
            if name in found:
                raise InvalidSpecError(f"--url names {name} twice, with two passwords")
            found[name] = self._arguments(url)
        return found

    def _arguments(self, url: str) -> dict[str, Any]:
        arguments: dict[str, Any] = {"url": url, "readonly": self._readonly}
        if self._verify is not None:
            arguments["verify"] = self._verify
        if self._ask:
            from hvsdk._secrets import ask
            from hvsdk._url import parse_url

            location = parse_url(url)
            arguments["password"] = ask(f"{location.username}@{location.hostname}")
        return arguments

    def chosen(self, keys: Iterable[str], **filters: Any) -> FleetDomains:
        """Return the domains that are named, each by name, pattern, UUID, MAC, IP address or id, or that filters choose.

        Raises:
            DomainNotFoundError: One of the keys fits none.
            InvalidSpecError: Neither keys nor filters were given: a verb is not for all domains by accident.
        """
        keys = list(keys)
        wanted = {name: value for name, value in filters.items() if value}
        if not keys and not wanted:
            raise InvalidSpecError("no domain is named", hint="name some, or choose with --name, --state, --tag")
        if not keys:
            return self.listed(**wanted)
        meanings = {key: meaning(key) for key in keys}
        found = self.listed(include={group for groups, _ in meanings.values() for group in groups}, **wanted)
        kept: set[int] = set()
        for key, (_, fits) in meanings.items():
            numbers = {number for number, domain in enumerate(found) if fits(domain.info)}
            if not numbers:
                raise DomainNotFoundError(f"no domain fits {key!r}", hint=self._silent(found))
            kept |= numbers
        order = sorted(kept)
        chosen = type(found)(found[number] for number in order)
        chosen.hosts = tuple(found.hosts[number] for number in order)
        chosen.answered, chosen.failures = found.answered, found.failures
        return chosen

    def listed(self, **wanted: Any) -> FleetDomains:
        """Return domains of the hosts that are meant."""
        return self.fleet.domains(hosts=self.hosts, host_tags=self.host_tags, **wanted)

    @staticmethod
    def _silent(found: FleetDomains) -> str | None:
        names = ", ".join(failure.host for failure in found.failures)
        return f"these hosts did not answer: {names}" if names else None

    def close(self) -> None:
        """Close all connections."""
        if "fleet" in vars(self):
            self.fleet.close()
