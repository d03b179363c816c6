"""Which backends there are: scheme → `Backend` → driver class, and what could not be loaded."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hvsdk._driver.backend import Backend
from hvsdk._plugins import CORE_NAME, Implementation, Plugin, plugins
from hvsdk.errors import BackendLoadError, UnknownBackendError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hvsdk._backend_status import BackendStatus
    from hvsdk._driver.base import Driver

__all__ = ["backends", "find_backend", "known_backends", "load_driver", "register", "unregister"]

API_VERSIONS = (1,)
"""Versions of the driver contract that this core can drive."""
EXTRAS = {
    "qemu": "kvm",
    "xen": "kvm",
    "test": "kvm",
    "kvm": "kvm",
    "xenapi": "xen",
    "vmware": "vmware",
    "vsphere": "vmware",
    "esxi": "vmware",
    "hyperv": "hyperv",
}
"""The extra of `hvsdk` that brings a scheme."""


def register(plugin: Any, name: str | None = None) -> None:
    """Add a plugin to this process, without an entry point.

    It comes before installed plugins, after those registered earlier. Its hooks count from now on, for hosts that are
    already connected too.

    Args:
        plugin: A module or an object with functions marked with `hvsdk.hookimpl`.
        name: How errors and logs call it; by default the name of the module or class.

    Raises:
        ValueError: It is registered already, has no hook or a misspelt one, or has hook wrappers.
    """
    plugins.register(plugin, name)


def unregister(plugin: Any) -> None:
    """Take back what `register` did.

    Raises:
        ValueError: It is not registered.
    """
    plugins.unregister(plugin)


def backends() -> list[BackendStatus]:
    """Return the backends that are there, also those that cannot be used, and why. Imports no vendor library."""
    found = [
        _status(implementation.plugin, backend)
        for implementation in plugins.implementations("hvsdk_backends")
        for backend in _backends_of(implementation)
    ]
    failed = [_status(plugin) for plugin in plugins.failures()]
    return sorted(found + failed, key=lambda status: status.name)


def known_backends() -> list[Backend]:
    """Return the backends that the plugins bring, as far as these can be loaded."""
    return [
        backend
        for implementation in plugins.implementations("hvsdk_backends")
        for backend in _backends_of(implementation)
    ]


def find_backend(scheme: str, name: str | None = None) -> Backend:
    """Return the backend that takes a scheme, with or without a transport such as `+ssh`.

    Args:
        name: The backend's name, where two plugins claim the scheme.

    Raises:
        UnknownBackendError: None takes it, or more than one.
        BackendLoadError: The plugin that would is installed but broken.
    """
    own = scheme == CORE_NAME and name in (None, CORE_NAME)
    asked = plugins.without_scan("hvsdk_backends") if own else plugins.implementations("hvsdk_backends")
    claims = [(impl.plugin, backend) for impl in asked for backend in _backends_of(impl) if _takes(backend, scheme)]
    if name is not None:
        claims = [(plugin, backend) for plugin, backend in claims if backend.name == name]
    if len(claims) == 1:
        return claims[0][1]
    if claims:
        raise _ambiguous(scheme, claims)
    wanted = {name} if name is not None else {scheme, _base(scheme), EXTRAS.get(_base(scheme))}
    _raise_failure(wanted)
    raise _unknown(scheme, name, [backend for impl in asked for backend in _backends_of(impl)])


def load_driver(backend: Backend) -> type[Driver]:
    """Import a backend's driver, and the vendor's library with it.

    Raises:
        BackendLoadError: It cannot be imported, is no driver, or was written for another version of the contract.
    """
    from hvsdk._driver.base import Driver

    module, _, attribute = backend.driver.partition(":")
    try:
        driver = getattr(import_module(module), attribute)
    except Exception as exc:  # a vendor's library may fail in any way while it is imported
        raise BackendLoadError(
            f"the driver of backend {backend.name} could not be loaded: {_said(exc)}",
            backend=backend.name,
            hint=_missing(exc),
        ) from exc
    if not (isinstance(driver, type) and issubclass(driver, Driver)):
        raise BackendLoadError(f"{backend.driver} is not a hvsdk.driver.Driver", backend=backend.name)
    if driver.api not in API_VERSIONS:
        raise BackendLoadError(
            f"backend {backend.name} was written for version {driver.api} of the driver contract, "
            f"this hvsdk has {', '.join(map(str, API_VERSIONS))}",
            backend=backend.name,
            hint="upgrade " + ("hvsdk" if driver.api > max(API_VERSIONS) else "the plugin"),
        )
    _check_names(driver, backend)
    return driver


def _check_names(driver: type[Driver], backend: Backend) -> None:
    """Refuse a misspelt name, which would guard or offer nothing without a word."""
    from hvsdk.capability import Capability

    _refuse_others(backend, "variants", driver.variants, frozenset(Capability), "no capability")
    if driver.unguarded:
        from hvsdk._power import RULES  # which most first connections can do without

        _refuse_others(backend, "unguarded", driver.unguarded, frozenset(RULES), "no verb with a rule of states")


def _refuse_others(backend: Backend, what: str, names: Iterable[str], known: frozenset[str], are: str) -> None:
    wrong = sorted(frozenset(names) - known)
    if wrong:
        from hvsdk._names import did_you_mean

        raise BackendLoadError(
            f"{backend.driver} lists {wrong[0]!r} in {what}, which is {are}",
            backend=backend.name,
            hint=did_you_mean(wrong[0], known) or f"there are: {', '.join(sorted(known))}",
        )


def _backends_of(implementation: Implementation) -> tuple[Backend, ...]:
    plugin = implementation.plugin
    if plugin.backends is None:
        try:
            plugin.backends = _checked(implementation.call())
        except Exception as exc:  # a broken plugin breaks itself only
            plugin.failure = exc
            plugin.backends = ()
    return plugin.backends


def _checked(answer: Iterable[Any]) -> tuple[Backend, ...]:
    found = tuple(answer)
    for backend in found:
        if not isinstance(backend, Backend):
            raise TypeError(f"hvsdk_backends returns Backend records, not {type(backend).__name__}")
    return found


def _status(plugin: Plugin, backend: Backend | None = None) -> BackendStatus:
    from hvsdk._backend_status import BackendStatus

    distribution = plugin.distribution
    return BackendStatus(
        name=plugin.name if backend is None else backend.name,
        schemes=() if backend is None else backend.schemes,
        summary="" if backend is None else backend.summary,
        version=None if distribution is None else distribution.version,
        distribution=None if distribution is None else distribution.name,
        error=None if plugin.failure is None else _said(plugin.failure),
    )


def _base(scheme: str) -> str:
    return scheme.partition("+")[0]


def _takes(backend: Backend, scheme: str) -> bool:
    return scheme in backend.schemes or (backend.transports and _base(scheme) in backend.schemes)


def _said(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"


def _missing(exc: BaseException) -> str | None:
    return f"its module {exc.name} is not installed" if isinstance(exc, ModuleNotFoundError) and exc.name else None


def _raise_failure(names: Iterable[str | None]) -> None:
    for plugin in plugins.failures():
        if plugin.name in names and plugin.failure is not None:
            raise BackendLoadError(
                f"backend {plugin.name} is installed but could not be loaded: {_said(plugin.failure)}",
                backend=plugin.name,
                hint=_missing(plugin.failure),
            ) from plugin.failure


def _unknown(scheme: str, name: str | None, known: list[Backend]) -> UnknownBackendError:
    names = ", ".join(sorted({backend.name for backend in known})) or "none"
    broken = ", ".join(plugin.name for plugin in plugins.failures())
    installed = f"installed: {names}" + (f"; could not be loaded: {broken}" if broken else "")
    same_name = [backend for backend in known if backend.name == name]
    if same_name:
        return UnknownBackendError(
            f"backend {name} does not take {scheme}://; it takes {_schemes(same_name)}", backend=name
        )
    if name is not None:
        return UnknownBackendError(f"no backend is named {name!r}; {installed}")
    same_base = [backend for backend in known if _base(scheme) in map(_base, backend.schemes)]
    if same_base:
        return UnknownBackendError(f"no backend for {scheme}://; close to it are {_schemes(same_base)}")
    extra = EXTRAS.get(_base(scheme))
    from hvsdk._names import did_you_mean

    near = did_you_mean(scheme, {one for backend in known for one in backend.schemes} | set(EXTRAS))
    hint = near or "hvsdk backends, or python -m hvsdk, lists them with their schemes"
    if extra:
        hint = f"try: pip install 'hvsdk[{extra}]'"
    return UnknownBackendError(f"no backend for {scheme}://; {installed}", hint=hint)


def _schemes(known: Iterable[Backend]) -> str:
    return ", ".join(f"{scheme}://" for backend in known for scheme in backend.schemes)


def _ambiguous(scheme: str, claims: list[tuple[Plugin, Backend]]) -> UnknownBackendError:
    names = [backend.name for _, backend in claims]
    who = ", ".join(f"{backend.name} (plugin {plugin.name})" for plugin, backend in claims)
    if len(set(names)) < len(names):
        hint = "their names are the same: uninstall or unregister one"
    else:
        hint = "say which one: " + " or ".join(f'backend="{name}"' for name in names)
    return UnknownBackendError(f"{len(claims)} backends take {scheme}://: {who}", hint=hint)
