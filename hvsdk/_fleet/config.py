"""The file that names the hosts of a fleet: read, checked, and complained about with line numbers."""

from __future__ import annotations

import os
import re
import tomllib
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from hvsdk._fleet.lines import line_of
from hvsdk._names import did_you_mean
from hvsdk._registry import EXTRAS
from hvsdk._url import parse_url
from hvsdk.credentials import SecretRef
from hvsdk.errors import BackendError, InvalidSpecError
from hvsdk.models._mapping import FrozenDict, frozen

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend

__all__ = ["Endpoint", "read_file", "read_text"]

_NUMBER = (int, float)
_TEXTS = (str, list)
_ARGUMENTS: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "username": (str,),
    "secret": (str,),
    "password": (str,),
    "verify": (bool, str, list),
    "tls": (str,),
    "timeout": _NUMBER,
    "deadline": _NUMBER,
    "readonly": (bool,),
    "allow": _TEXTS,
    "backend": (str,),
    "port": (int,),
    "tags": (list,),
}
"""What a host may have beside the options of its backend, and of which type each is."""
_WORDS = {bool: "true or false", str: "a text", int: "a whole number", float: "a number", list: "a list of texts"}
_ONLY_HOSTS = frozenset({"url"})
_REFER = 'refer to it instead: secret = "env:NAME", "keyring:…", "file:…" or "command:…"'
_OTHER_DIGEST = re.compile(r"(?!sha256:)\w+:[0-9A-Fa-f:]+", re.ASCII)
"""What looks like a pin and is none; a file has another name."""


@attrs.frozen(kw_only=True)
class Endpoint:
    """One host of a fleet: what `connect` is given for it, and what the fleet calls it."""

    name: str
    url: str
    arguments: FrozenDict[str, Any] = attrs.field(default=FrozenDict(), converter=frozen, repr=False)
    """Of `connect`, without the URL; `password` is a `SecretRef` unless it was written into the file."""
    tags: frozenset[str] = frozenset()

    def __attrs_post_init__(self) -> None:
        if "://" in self.name and _has_password(self.name):
            raise InvalidSpecError(
                "a host's name is shown and recorded, and one of these is a URL with a password in it",
                hint="name it otherwise, or leave the password out of the name",
            )


def _has_password(name: str) -> bool:
    try:
        return parse_url(name).password is not None
    except ValueError:  # whatever it is: what stands before an @ is not shown
        return "@" in name


def read_file(path: str | os.PathLike[str]) -> list[Endpoint]:
    """Read a fleet's file.

    Raises:
        InvalidSpecError: It is no TOML, or not what a fleet's file has; the message names the line.
        OSError: It cannot be read.
    """
    return read_text(Path(path).read_text("utf-8"), str(path))


def read_text(text: str, source: str) -> list[Endpoint]:
    """Read what stands in a fleet's file; `source` is what messages call it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise InvalidSpecError(f"{source} is no TOML: {exc}") from None
    reader = _Reader(text, source)
    reader.table((), content, ("defaults", "hosts"))
    defaults = reader.mapping(content.get("defaults", {}), ("defaults",))
    hosts = reader.mapping(content.get("hosts", {}), ("hosts",))
    if not hosts:
        raise InvalidSpecError(f"{source} names no hosts", hint='write [hosts.xen-1] and below it url = "xenapi://…"')
    reader.defaults(defaults)
    return [reader.endpoint(name, hosts[name], defaults) for name in hosts]


class _Reader:
    """Checks the parts of one file."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source

    def wrong(self, path: tuple[str, ...], message: str, hint: str | None = None) -> InvalidSpecError:
        line = line_of(self._text, path)
        where = self._source if line is None else f"{self._source}, line {line}"
        return InvalidSpecError(f"{where}: {message}", hint=hint)

    def mapping(self, value: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(path, f"{'.'.join(path)} is a table, written [{'.'.join(path)}]")
        return value

    def table(self, path: tuple[str, ...], content: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Refuse what is none of the names that are known."""
        for name in content:
            if name not in known:
                raise self.wrong((*path, name), f"there is no {name!r} here", did_you_mean(name, known))

    def defaults(self, defaults: Mapping[str, Any]) -> None:
        """Check what holds for all hosts, and, in tables of their own, for those of one backend."""
        backends = _installed()
        for name, value in defaults.items():
            path = ("defaults", name)
            if isinstance(value, dict):
                known = {*backends, *EXTRAS.values()}
                if name not in known:
                    near = did_you_mean(name, known)
                    if near is not None:
                        raise self.wrong(path, f"no backend is named {name!r}", near)
                    self._warn(path, f"no backend is named {name!r} here: what stands there is for nobody")
                for inner, content in value.items():
                    self._default((*path, inner), inner, content, backends.get(name))
            else:
                self._default(path, name, value, None)

    def _default(self, path: tuple[str, ...], name: str, value: Any, backend: Backend | None) -> None:
        if name in _ONLY_HOSTS:
            raise self.wrong(path, f"{name} is each host's own")
        if name in _ARGUMENTS:
            self._argument(path, name, value)
        elif len(path) == 2:
            hint = "options of one backend go into a table of their own, such as [defaults.xen]"
            raise self.wrong(path, f"there is no argument {name!r}", did_you_mean(name, _ARGUMENTS) or hint)
        elif backend is not None:
            self._option(path, name, backend)

    def endpoint(self, name: str, given: Any, defaults: Mapping[str, Any]) -> Endpoint:
        """Read one host."""
        path = ("hosts", name)
        own = self.mapping(given, path)
        if "url" not in own:
            near = get_close_matches("url", own, 1)
            raise self.wrong((*path, *near), f"the host {name!r} has no url" + (f", but {near[0]!r}" if near else ""))
        for key, value in own.items():
            if key in _ARGUMENTS:
                self._argument((*path, key), key, value)
        url = self._url(path, own["url"])
        backend = self._backend(path, url, own.get("backend"))
        for key in own:
            if key not in _ARGUMENTS and backend is not None:
                self._option((*path, key), key, backend)
        common = {key: value for key, value in defaults.items() if not isinstance(value, dict)}
        special = defaults.get(backend.name, {}) if backend is not None else {}
        merged = _merged(common, special, own)
        tags = frozenset(tag for layer in (common, special, own) for tag in layer.get("tags", ()))
        arguments = self._arguments(path, merged)
        return Endpoint(name=name, url=url, arguments=arguments, tags=tags)

    def _arguments(self, path: tuple[str, ...], merged: dict[str, Any]) -> dict[str, Any]:
        arguments = {key: value for key, value in merged.items() if key not in ("url", "secret", "tags")}
        if "secret" in merged and "password" in merged:
            raise self.wrong((*path, "password"), "a host has a secret or a password, not both")
        if "secret" in merged:
            arguments["password"] = SecretRef(merged["secret"])
        return arguments

    def _url(self, path: tuple[str, ...], url: str) -> str:
        try:
            location = parse_url(url)
        except ValueError as exc:
            raise self.wrong((*path, "url"), str(exc)) from None
        if location.password is not None:
            self._warn((*path, "url"), f"the URL has a password in it; {_REFER}")
        return url

    def _backend(self, path: tuple[str, ...], url: str, name: str | None) -> Backend | None:
        """Return the host's backend; one that is not installed here is told when somebody asks the host."""
        from hvsdk._registry import find_backend

        try:
            return find_backend(parse_url(url).scheme, name)
        except BackendError:
            return None

    def _argument(self, path: tuple[str, ...], name: str, value: Any) -> None:
        kinds = _ARGUMENTS[name]
        plain = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not plain or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise self.wrong(path, f"{name} is {' or '.join(_WORDS[kind] for kind in kinds)}")
        if name == "secret":
            try:
                SecretRef(value)
            except ValueError as exc:
                raise self.wrong(path, str(exc)) from None
        if name == "password":
            self._warn(path, f"a password stands in the file; {_REFER}")
        if name == "verify" and isinstance(value, str) and _OTHER_DIGEST.fullmatch(value):
            raise self.wrong(
                path, f"verify has no digest {value.partition(':')[0]!r}", 'a certificate is pinned by "sha256:…"'
            )

    def _option(self, path: tuple[str, ...], name: str, backend: Backend) -> None:
        if name not in backend.options:
            known = (*backend.options, *_ARGUMENTS)
            hint = did_you_mean(name, known) or f"{backend.name} has: {', '.join(sorted(backend.options)) or 'none'}"
            raise self.wrong(path, f"{backend.name} has no option {name!r}", hint)

    def _warn(self, path: tuple[str, ...], message: str) -> None:
        line = line_of(self._text, path)
        where = self._source if line is None else f"{self._source}, line {line}"
        warnings.warn(f"{where}: {message}", UserWarning, stacklevel=2)


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay tables over each other, the last one on top; whoever names a secret takes back a password below, and so on."""
    merged: dict[str, Any] = {}
    for layer in layers:
        if "secret" in layer or "password" in layer:
            merged.pop("secret", None)
            merged.pop("password", None)
        merged.update(layer)
    return merged


def _installed() -> dict[str, Backend]:
    from hvsdk._registry import known_backends

    return {backend.name: backend for backend in known_backends()}
