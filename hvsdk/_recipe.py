"""How a host is made again: what a pickle of one holds, and how it finds the live one."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from hvsdk.capability import Capability
from hvsdk.errors import UnsupportedError
from hvsdk.models._mapping import FrozenDict, frozen

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hvsdk._host import Host

__all__ = ["Recipe", "attach", "live_host", "reduce_host", "remember"]


class Recipe:
    """The arguments of the `connect` that made a host, without any secret.

    Attributes:
        arguments: They include `url`, and `options` in a mapping; `password` is a reference, or credentials without a
            secret in them.
        literal_secret: Whether the host was given the secret itself, so that nobody else can make it again.
        token: Names this one host, in all processes.
    """

    def __init__(self, arguments: Mapping[str, Any], *, literal_secret: bool) -> None:
        self.arguments: FrozenDict[str, Any] = frozen(arguments)
        self.literal_secret = literal_secret
        self.token: str = os.urandom(16).hex()

    def __repr__(self) -> str:
        return f"<Recipe for {self.url}>"

    @property
    def url(self) -> str:
        """The host's URL, without secrets."""
        return str(self.arguments["url"])

    @property
    def key(self) -> Hashable:
        """What two hosts have in common when one can stand for the other."""
        return (_hashable(self.arguments), self.token if self.literal_secret else None)

    def connect(self) -> Host:
        """Make the host again."""
        from hvsdk._connect import connect

        arguments = dict(self.arguments)
        options = arguments.pop("options")
        return connect(**arguments, **options)


_lock = threading.Lock()
_by_token: WeakValueDictionary[str, Host] = WeakValueDictionary()
_by_key: WeakValueDictionary[Hashable, Host] = WeakValueDictionary()
_opening: WeakValueDictionary[Hashable, _Opening] = WeakValueDictionary()


class _Opening:
    """Lets one thread at a time connect for a key, so that a pickled list of domains makes one host."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def remember(host: Host, recipe: Recipe) -> None:
    """Let pickles of hosts and domains find this one, as long as somebody holds it."""
    with _lock:
        _by_token[recipe.token] = host
        _by_key[recipe.key] = host


def live_host(recipe: Recipe) -> Host | None:
    """Return the open host of this process that this recipe made, or one of the same key."""
    return _live(recipe, same_key=True)


def refuse_pickle(what: str, instead: str) -> NoReturn:
    """Say that something belongs to this process, and what to pickle in its place.

    Raises:
        TypeError: Always, as Python does for files and locks.
    """
    raise TypeError(f"{what} cannot be pickled or copied: it lives on a connection of this process; {instead}")


def reduce_host(host: Host) -> tuple[Any, ...]:
    """Return what `Host.__reduce__` returns.

    Raises:
        PicklingError: The host was given a literal secret, which does not go into a pickle.
    """
    from pickle import PicklingError

    recipe = host._recipe
    if recipe.literal_secret:
        raise PicklingError(
            f"{host.url} was given its secret itself, which does not go into a pickle; connect with "
            "hvsdk.SecretRef('env:NAME'), set it in the environment or the keyring, or use the hook hvsdk_credentials"
        )
    return attach, (recipe, Capability.MULTIPROCESS in host.capabilities)


def attach(recipe: Recipe, shared: bool) -> Host:
    """Return the host of a pickle: the live one, or a new connection.

    Args:
        shared: Whether a second process can attach to the same host.

    Raises:
        UnsupportedError: It cannot, and the host is not one of this process.
    """
    found = _live(recipe, same_key=shared)
    if found is not None:
        return found
    if not shared:
        raise UnsupportedError(
            f"{recipe.url} was pickled in another process, or closed since, and a second connection would not see the same",
            capability=Capability.MULTIPROCESS,
            backend=recipe.arguments["backend"],
            host=recipe.url,
            hint="send names and records instead of hosts and domains",
        )
    with _lock:
        opening = _opening.setdefault(recipe.key, _Opening())
    with opening.lock:
        return _live(recipe, same_key=True) or recipe.connect()


def _live(recipe: Recipe, *, same_key: bool) -> Host | None:
    with _lock:
        found = _by_token.get(recipe.token)
        if (found is None or found.closed) and same_key:
            found = _by_key.get(recipe.key)
    return None if found is None or found.closed else found


def _hashable(value: Any) -> Hashable:
    if isinstance(value, Mapping):
        return tuple((name, _hashable(inner)) for name, inner in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_hashable, value))
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value  # type: ignore[no-any-return]


def _new_locks() -> None:
    """In a forked child: another thread of the parent may have held them."""
    global _lock
    _lock = threading.Lock()
    _opening.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_locks)
