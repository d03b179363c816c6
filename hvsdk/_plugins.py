"""The plugins of this process: entry points, registered ones, and the implementations of hooks they bring."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from hvsdk import hooks

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

    from hvsdk._driver.backend import Backend

__all__ = ["Implementation", "Plugin", "PluginSet", "installed", "plugins"]

CORE_NAME = "fake"
CORE_MODULE = "hvsdk.testing.fake"
"""The core's own plugin. It is found without a scan, which would cost more than all else that `fake://` needs."""
KNOWN_HOOKS = frozenset(name for name in vars(hooks) if name.startswith("hvsdk_"))


class Plugin:
    """One plugin, or what is known of one that could not be loaded.

    Attributes:
        implementor: The module or object with the hooks; `None` when it could not be loaded.
        backends: What its `hvsdk_backends` returned; `None` before it was asked.
        failure: Why it could not be loaded, or why it could not say what backends it has.
    """

    __slots__ = ("backends", "distribution", "failure", "implementor", "name", "origin")

    def __init__(
        self,
        name: str,
        origin: Literal["registered", "core", "installed"],
        implementor: Any = None,
        distribution: Distribution | None = None,
    ) -> None:
        self.name = name
        self.origin = origin
        self.implementor = implementor
        self.distribution = distribution
        self.backends: tuple[Backend, ...] | None = None
        self.failure: Exception | None = None


class Implementation:
    """One plugin's function for one hook."""

    __slots__ = ("argnames", "function", "plugin")

    def __init__(self, plugin: Plugin, function: Callable[..., Any], argnames: tuple[str, ...]) -> None:
        self.plugin = plugin
        self.function = function
        self.argnames = argnames

    def call(self, **arguments: Any) -> Any:
        """Call it with those of the arguments that it takes."""
        return self.function(*[arguments[name] for name in self.argnames])


def installed() -> list[EntryPoint]:
    """Return the entry points of group `hvsdk` by name."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group="hvsdk"), key=lambda point: (point.name, point.value))


class PluginSet:
    """Registered plugins and, from the first time that something needs them, the installed ones.

    Safe to share between threads. Plugins are imported under a lock of its own, which `register` does not take: a plugin
    that registers another one while it is being imported elsewhere blocks nobody.
    """

    def __init__(self, find: Callable[[], Iterable[EntryPoint]] = installed) -> None:
        self._find = find
        self._lock = threading.RLock()
        self._scan_lock = threading.RLock()
        self._scanned = False
        self._scanning = False
        self._manager = pluggy.PluginManager("hvsdk")
        self._manager.add_hookspecs(hooks)
        self._plugins: tuple[Plugin, ...] = ()
        self._implementations: Mapping[str, tuple[Implementation, ...]] = {}

    def register(self, implementor: Any, name: str | None = None) -> None:
        """Add a plugin; see `hvsdk.register`."""
        with self._lock:
            taken = {plugin.name for plugin in self._plugins if plugin.origin == "registered"}
            if name in taken and not self._manager.is_registered(implementor):
                raise ValueError(f"another plugin is already registered as {name}")
            unique = name or _unused(_name_of(implementor), taken)
            self._add(Plugin(name=unique, origin="registered", implementor=implementor))

    def unregister(self, implementor: Any) -> None:
        """Take a plugin away; see `hvsdk.unregister`."""
        with self._lock:
            if not self._manager.is_registered(implementor):
                raise ValueError(f"{_name_of(implementor)} is not registered")
            self._manager.unregister(implementor)
            self._plugins = tuple(plugin for plugin in self._plugins if plugin.implementor is not implementor)
            self._collect()

    def implementations(self, hook: str) -> tuple[Implementation, ...]:
        """Return who implements a hook, in the order in which they are called."""
        if not self._scanned:
            self.scan()
        return self._implementations.get(hook, ())

    def without_scan(self, hook: str) -> tuple[Implementation, ...]:
        """Return the registered and the core's own implementations of a hook, whether or not others were scanned."""
        self._load_core()
        found = self._implementations.get(hook, ())
        return tuple(implementation for implementation in found if implementation.plugin.origin != "installed")

    def failures(self) -> list[Plugin]:
        """Return the plugins that could not be loaded or asked."""
        self.scan()
        return [plugin for plugin in self._plugins if plugin.failure is not None]

    def scan(self) -> None:
        """Load the entry points, each by itself, once."""
        with self._scan_lock:
            if self._scanned or self._scanning:  # a plugin that asks for backends while imported sees those so far
                return
            self._scanning = True
            try:
                self._load_core()
                for point in self._find():
                    self._load_point(point)
                self._scanned = True
            finally:
                self._scanning = False

    def _load_point(self, point: EntryPoint) -> None:
        if point.value.partition(":")[0].strip() == CORE_MODULE:
            self._core().distribution = point.dist
        else:
            self._load(Plugin(name=point.name, origin="installed", distribution=point.dist), point.load)

    def _core(self) -> Plugin:
        return next(plugin for plugin in self._plugins if plugin.origin == "core")

    def _load_core(self) -> None:
        with self._scan_lock:
            if not any(plugin.origin == "core" for plugin in self._plugins):
                self._load(Plugin(name=CORE_NAME, origin="core"), lambda: import_module(CORE_MODULE))

    def _load(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        try:
            plugin.implementor = load()
            if self._manager.is_registered(plugin.implementor):
                return
            self._add(plugin)
        except Exception as exc:  # whatever a plugin does while it is imported, it breaks itself only
            plugin.failure = exc
            with self._lock:
                self._plugins += (plugin,)

    def _add(self, plugin: Plugin) -> None:
        with self._lock:
            if self._manager.is_registered(plugin.implementor):
                raise ValueError(f"{plugin.name} is already registered")
            _check(self._manager, plugin)
            try:
                self._manager.register(plugin.implementor, name=f"{plugin.name}#{id(plugin)}")
            except pluggy.PluginValidationError as exc:
                if self._manager.is_registered(plugin.implementor):  # not all versions of pluggy take it back
                    self._manager.unregister(plugin.implementor)
                raise ValueError(f"plugin {plugin.name} cannot be used: {exc}") from exc
            self._plugins += (plugin,)
            self._collect()

    def _collect(self) -> None:
        rank = {id(plugin.implementor): (_ORIGINS.index(plugin.origin), n) for n, plugin in enumerate(self._plugins)}
        by_implementor = {id(plugin.implementor): plugin for plugin in self._plugins}
        collected = {}
        for hook in KNOWN_HOOKS:
            found = getattr(self._manager.hook, hook).get_hookimpls()
            found.sort(key=lambda impl: (-impl.tryfirst, impl.trylast, rank[id(impl.plugin)]))
            collected[hook] = tuple(
                Implementation(by_implementor[id(impl.plugin)], impl.function, tuple(impl.argnames)) for impl in found
            )
        self._implementations = collected


_ORIGINS = ("registered", "core", "installed")


def _name_of(implementor: Any) -> str:
    name = getattr(implementor, "__name__", None)
    return name if isinstance(name, str) else f"{type(implementor).__module__}.{type(implementor).__qualname__}"


def _unused(name: str, taken: set[str]) -> str:
    """Return a name for one of several objects of the same class."""
    candidates = (name if number == 1 else f"{name}#{number}" for number in count(1))
    return next(candidate for candidate in candidates if candidate not in taken)


def _check(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    """Refuse what would silently never be called, or could not be called by itself."""
    any_hook = False
    for attribute in dir(plugin.implementor):
        options = manager.parse_hookimpl_opts(plugin.implementor, attribute)
        if options is None:
            continue
        any_hook = True
        hook = options["specname"] or attribute
        if options["wrapper"] or options["hookwrapper"]:
            raise ValueError(
                f"plugin {plugin.name}: {attribute} is a hook wrapper, which hvsdk does not take: "
                "every implementation runs by itself"
            )
        if hook not in KNOWN_HOOKS and not options["optionalhook"]:
            raise ValueError(
                f"plugin {plugin.name}: there is no hook {hook}; there are {', '.join(sorted(KNOWN_HOOKS))} "
                "(mark one for other versions of hvsdk with optionalhook=True)"
            )
    if not any_hook:
        raise ValueError(f"plugin {plugin.name} has no hook; mark its functions with @hvsdk.hookimpl")


plugins = PluginSet()


def _new_locks() -> None:
    """In a forked child: another thread of the parent may have held them."""
    plugins._lock, plugins._scan_lock, plugins._scanning = threading.RLock(), threading.RLock(), False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_locks)
