"""What a plugin says about itself before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from hvsdk.models._mapping import EMPTY, frozen

__all__ = ["Backend", "Option"]


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Option:
    """An option of `connect`, as a keyword or in the URL's query."""

    help: str
    type: type = str
    """`str`, `int`, `float` or `bool` (`true yes on 1`, `false no off 0`): texts from the URL are turned into it."""
    default: Any = None
    choices: tuple[Any, ...] | None = None


@attrs.frozen(kw_only=True)
class Backend:
    """One kind of hypervisor, as the hook `hvsdk_backends` returns it.

    The driver is named by a string, `"package.module:Class"`, so that listing backends imports no vendor library.
    """

    name: str
    """Such as `"kvm"`."""
    schemes: tuple[str, ...] = attrs.field(converter=_texts)
    """URL schemes without transports: `"qemu"` stands for `qemu+ssh` too when `transports` is set."""
    driver: str
    summary: str = ""
    transports: bool = False
    """Whether `scheme+transport://` is the backend's own business, as it is for libvirt."""
    options: Mapping[str, Option] = attrs.field(default=EMPTY, converter=frozen)
    """Options of `connect` that it understands; an unknown one is a `TypeError` naming these."""
    pass_query: bool = False
    """Whether unknown query parameters of the URL are left in place for the client library (libvirt's own)."""
    tls_schemes: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """Schemes that take `verify=` and `tls=`; for the others these are refused unless left alone."""
    pins: bool = True
    """Whether it can check certificates against `sha256:` pins."""
    tls_hint: str = ""
    """What to do where `verify=` or `tls=` is refused, such as libvirt's `pkipath`."""
    loopback_only: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """Schemes without TLS, allowed on loopback only, elsewhere with `verify=False`."""
    default_ports: Mapping[str, int] = attrs.field(default=EMPTY, converter=frozen)
    """Port by scheme, where the URL names none."""
