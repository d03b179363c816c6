"""URLs taken apart, by rules that never show a password, and put together again without it.

`urllib.parse.urlsplit` is not used: it drops control characters silently, and its errors quote what they found where the
port should be, which is part of the password when that has a `/` in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

__all__ = ["Location", "is_loopback", "parse_url"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_NOT_IN_HOST = re.compile(r"[\x00-\x20\x7f-\x9f/?#@\[\]\\<>\"'`{}|^]")
_SAFE_IN_USER = "!$&'()*+,;=~"


@attrs.frozen(kw_only=True)
class Location:
    """What a URL says."""

    scheme: str
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    hostname: str | None = None
    port: int | None = None
    raw_path: str = ""
    raw_query: tuple[str, ...] = ()
    """The query's items as they were written: client libraries read theirs in their own way."""

    @property
    def path(self) -> str:
        """The path, decoded."""
        return _decoded(self.raw_path)

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query's items, decoded."""
        return tuple(_item(raw) for raw in self.raw_query)

    def without(self, names: Iterable[str]) -> Location:
        """Return the same without these parameters of the query."""
        dropped = set(names)
        return attrs.evolve(self, raw_query=tuple(raw for raw in self.raw_query if _item(raw)[0] not in dropped))

    def text(self) -> str:
        """Return the URL without the password."""
        user = "" if self.username is None else _encoded(self.username) + "@"
        host = self.hostname or ""
        if ":" in host:
            host = "[" + host.replace("%", "%25") + "]"
        port = "" if self.port is None else f":{self.port}"
        query = "?" + "&".join(self.raw_query) if self.raw_query else ""
        return f"{self.scheme}://{user}{host}{port}{self.raw_path}{query}"


def parse_url(url: str) -> Location:
    """Take a URL apart. User names may contain `@` and `\\`, as `user@domain` and `DOMAIN\\user` do.

    Raises:
        ValueError: It is no URL of the form `scheme://[user[:password]@][host[:port]][/path][?query]`. The message shows
            nothing of it, since any part may turn out to be one of a password.
    """
    match = _SCHEME.fullmatch(url)
    if match is None:
        raise ValueError(
            "a host is named by a URL such as qemu:///system or xenapi://root@xcp-1; this has no scheme://"
        )
    rest = match[2]
    if _CONTROL.search(rest):
        raise ValueError("the URL contains spaces or control characters; write them percent-encoded")
    if "#" in rest:
        raise ValueError("the URL contains a #; write it as %23")
    end = min((n for n in (rest.find("/"), rest.find("?")) if n >= 0), default=len(rest))
    authority, (raw_path, _, raw_query) = rest[:end], rest[end:].partition("?")
    items = tuple(raw for raw in raw_query.split("&") if raw)
    _refuse_stray_at(authority, raw_path, items)
    userinfo, at, hostport = authority.rpartition("@")
    username, colon, password = userinfo.partition(":")
    hostname, port = _host_and_port(hostport)
    return Location(
        scheme=match[1].lower(),
        username=_decoded(username) if at and username else None,
        password=_decoded(password) if colon else None,
        hostname=hostname,
        port=port,
        raw_path=raw_path,
        raw_query=items,
    )


def is_loopback(hostname: str | None) -> bool:
    """Whether a connection to this name stays on this machine. Names other than `localhost` are not looked up."""
    if hostname in (None, "", "localhost"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(str(hostname)).is_loopback
    except ValueError:
        return False


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote  # which imports much: most URLs can do without

    return unquote(text)


def _encoded(username: str) -> str:
    if username.isascii() and username.isalnum():
        return username
    from urllib.parse import quote

    return quote(username, safe=_SAFE_IN_USER)


def _refuse_stray_at(authority: str, raw_path: str, items: tuple[str, ...]) -> None:
    """Refuse `scheme://root:pa/ss@host`: read by the book, its host is "root" and the rest of the password is shown."""
    names = (raw.partition("=")[0] for raw in items)
    if ":" in authority and "@" not in authority and any("@" in part for part in (raw_path, *names)):
        raise ValueError("the URL has an @ after its host; in a password write / ? # @ and : percent-encoded")


def _host_and_port(text: str) -> tuple[str | None, int | None]:
    if text.startswith("["):
        inside, bracket, after = text[1:].partition("]")
        hostname = _ipv6(_decoded(inside)) if bracket else ""
        colon, port = after[:1], after[1:]
        if not hostname or colon not in ("", ":"):
            raise ValueError("the URL's host is no IPv6 address in brackets, such as [2001:db8::1]:443")
    else:
        name, colon, port = text.partition(":")
        if ":" in port:
            raise ValueError("the URL's host has several colons; an IPv6 address goes in brackets: [2001:db8::1]:443")
        hostname = _decoded(name).lower()
    # A leading hyphen would be an option to the programs that some transports start, such as ssh.
    if _NOT_IN_HOST.search(hostname) or hostname.startswith("-"):
        raise ValueError("the URL's host has characters in it that no host name has")
    return hostname or None, _port(port) if colon and port else None


def _ipv6(text: str) -> str:
    from ipaddress import IPv6Address

    try:
        IPv6Address(text)
    except ValueError:
        return ""
    return text.lower()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(
            "the URL's port is no number from 1 to 65535 (in a password write / ? # @ and : percent-encoded)"
        )
    return int(text)


def _item(raw: str) -> tuple[str, str]:
    name, _, value = raw.partition("=")
    return _decoded(name), _decoded(value)
