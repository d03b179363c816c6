"""From a URL to a host: `Backend`, `Target`, `Recipe`, driver class."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Literal

import attrs

from hvsdk._deadline import Deadline
from hvsdk._driver.target import Target, TLSOptions
from hvsdk._options import read_options
from hvsdk._recipe import Recipe, remember
from hvsdk._registry import find_backend, load_driver
from hvsdk._tls import check_tls, tls_options
from hvsdk._url import Location, parse_url

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend
    from hvsdk._host import Host
    from hvsdk._secrets import Given
    from hvsdk.credentials import Credentials

__all__ = ["make_endpoint", "open_endpoint", "take"]

GUARDED = frozenset({"console", "open_disk", "native"})


def take(url: str, password: Any) -> tuple[Location, Given | None] | Exception:
    """Read the URL, put what is secret where no repr shows it, and say what is wrong."""
    if not isinstance(url, str):
        return TypeError(f"the URL is a text, not a {type(url).__name__}")
    try:
        location = parse_url(url)
    except ValueError as exc:
        return exc
    if password is None:
        password = location.password
    return _without_password(location, password)


def _without_password(location: Location, password: Any) -> tuple[Location, Given | None] | Exception:
    if password is None:
        return location, None
    from hvsdk._secrets import Given
    from hvsdk.credentials import AskType, Credentials, SecretRef

    if not isinstance(password, (str, AskType, SecretRef, Credentials)):
        return TypeError(f"password= is a text, hvsdk.ASK, a SecretRef or credentials, not a {type(password).__name__}")
    return attrs.evolve(location, password=None), Given(password)


def open_endpoint(location: Location, given: Given | None, **arguments: Any) -> Host:
    """Do what `connect` says, once its URL is taken apart."""
    host = make_endpoint(location, given, **arguments)
    try:
        host._door.open(Deadline(arguments["deadline"], "deadline= of connect"))
    except BaseException:
        host._door.closed = True
        raise
    return host


def make_endpoint(
    location: Location,
    given: Given | None,
    *,
    username: str | None,
    verify: Any,
    tls: Literal["legacy"] | None,
    timeout: float,
    deadline: float | None,
    readonly: bool,
    allow: Iterable[str],
    backend: str | None,
    options: dict[str, Any],
) -> Host:
    """Return the host of an endpoint, which is connected to when something is first asked of it."""
    chosen = find_backend(location.scheme, backend)
    options = dict(options)
    port = options.pop("port", None)
    found, query = read_options(chosen, location.query, options)
    location = _settled(location.without(chosen.options), username, port)
    security = tls_options(verify, tls)
    doubt = check_tls(chosen, location.scheme, location.hostname, security)
    if doubt is not None:
        warnings.warn(doubt, UserWarning, stacklevel=4)
    seconds = _seconds("timeout", timeout)
    limit = None if deadline is None else _seconds("deadline", deadline)
    allowed = _allowed(allow)
    driver = load_driver(chosen)
    given = given and given.asked(_whose(location))
    target = _target(chosen, location, found, query, security, seconds, readonly, given)
    arguments = {
        "url": target.url,
        "password": given and given.reference,
        "verify": _again(security),
        "tls": tls,
        "timeout": seconds,
        "deadline": limit,
        "readonly": readonly,
        "allow": allowed,
        "backend": chosen.name,
        "options": found,
    }
    recipe = Recipe(arguments, literal_secret=given is not None and given.literal)
    from hvsdk._host import unopened_host

    host = unopened_host(chosen, driver, target, recipe, operation_deadline=limit, readonly=readonly, allow=allowed)
    remember(host, recipe)
    return host


def _settled(location: Location, username: str | None, port: Any) -> Location:
    if username is not None:
        location = attrs.evolve(location, username=username or None)
    if port is None:
        return location
    if isinstance(port, bool) or not isinstance(port, (int, str)) or not str(port).isdecimal():
        raise TypeError("port= is a number")
    if not 0 < int(port) < 65536:
        raise ValueError("port= is a number from 1 to 65535")
    if location.hostname is None:
        raise ValueError("port= makes no sense where the URL names no host")
    return attrs.evolve(location, port=int(port))


def _target(
    backend: Backend,
    location: Location,
    given_options: dict[str, Any],
    query: dict[str, str],
    security: TLSOptions,
    timeout: float,
    readonly: bool,
    given: Given | None,
) -> Target:
    def credentials() -> Credentials | None:
        from hvsdk._secrets import find_credentials

        return find_credentials(given, target)

    target = Target(
        url=location.text(),
        scheme=location.scheme,
        hostname=location.hostname,
        port=location.port or backend.default_ports.get(location.scheme),
        path=location.path,
        query=query,
        username=location.username,
        options={name: given_options.get(name, option.default) for name, option in backend.options.items()},
        tls=security,
        timeout=timeout,
        readonly=readonly,
        backend=backend.name,
        credentials=credentials,
    )
    return target


def _again(security: TLSOptions) -> bool | str | tuple[str, ...]:
    """Return the `verify=` that gives the same."""
    return security.pins or security.ca_file or security.verify


def _whose(location: Location) -> str:
    return f"{location.username}@{location.hostname}" if location.username else location.text()


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}= is a number of seconds")
    if not 0 < value <= TIMEOUT_MAX:
        raise ValueError(f"{name}= is a number of seconds above 0, and not without end")
    return float(value)


def _allowed(allow: Iterable[str]) -> frozenset[str]:
    names = frozenset({allow} if isinstance(allow, str) else allow)
    if names - GUARDED:
        raise ValueError(
            f"allow= takes {', '.join(sorted(GUARDED))}, not {', '.join(sorted(map(str, names - GUARDED)))}"
        )
    return names
