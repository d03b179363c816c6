"""Events: what has changed since a token, waited for without holding others up; and the older way by registration."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

from attrs import field, frozen, mutable

from .call import Call
from .database import Database, Deleted, Object
from .failure import Failure
from .messages import message
from .records import settle_all
from .schema import SCHEMA, Api
from .world import World

SILENT = frozenset({"session", "event", "role", "VTPM"})
"""Classes whose objects cause no events."""
GATHER_SECONDS = 0.05
"""How long a call that has waited goes on gathering, so that changes which belong together come together."""
_CLASSES = {name.lower(): name for name, cls in SCHEMA.items() if name not in SILENT and "uuid" in cls.fields}


Event = dict[str, Any]
"""One change of one object. Its `snapshot` is the object, whose record goes with the event unless it is gone."""


@frozen(slots=False)
class Subscription:
    """What a caller wants to hear of."""

    texts: frozenset[str]

    @cached_property
    def classes(self) -> frozenset[str]:
        """Classes of which every object counts, in lower case."""
        if "*" in self.texts:
            return frozenset(_CLASSES)
        return frozenset(text.lower() for text in self.texts if "/" not in text)

    @cached_property
    def refs(self) -> frozenset[tuple[str, str]]:
        """Single objects: class in lower case, and reference."""
        parts = (text.partition("/") for text in self.texts)
        return frozenset((cls.lower(), ref) for cls, slash, ref in parts if slash)

    def fits(self, cls: str, ref: str) -> bool:
        """Whether it is about an object."""
        name = cls.lower()
        return name in _CLASSES and (name in self.classes or (name, ref) in self.refs)


def subscribe(texts: Iterable[str]) -> Subscription:
    """Read `*`, `class` and `class/reference`.

    Raises:
        Failure: EVENT_SUBSCRIPTION_PARSE_FAILURE.
    """
    found = frozenset(texts)
    for text in found:
        cls, slash, ref = text.partition("/")
        if not cls or (slash and not ref):
            raise Failure("EVENT_SUBSCRIPTION_PARSE_FAILURE", text)
    return Subscription(found)


def token_of(generation: int) -> str:
    """Return a token; a later one is greater as a text, too."""
    return f"{generation:020d},{0:020d}"


def read_token(text: str) -> int:
    """Return the generation that a token stands for.

    Raises:
        Failure: EVENT_FROM_TOKEN_PARSE_FAILURE.
    """
    if not text:
        return 0
    parts = text.split(",")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Failure("EVENT_FROM_TOKEN_PARSE_FAILURE", text)
    return int(parts[0])


def changes(world: World, subscription: Subscription, since: int) -> list[Event]:
    """Return what has changed since a generation: one event for each object, those that are gone at the end."""
    settle_all(world)
    db, api, now = world.db, world.options.api, world.now()
    changed = [obj for obj in _changed(db, subscription, since) if _shown(obj.cls, api)]
    changed.sort(key=attrgetter("generation"))
    events = [
        _event(now, "add" if obj.created > since else "mod", obj, str(obj.fields.get("uuid", ""))) | {"snapshot": obj}
        for obj in changed
    ]
    gone = [
        _event(now, "del", one, one.uuid)
        for one in db.deleted
        if one.created <= since < one.generation and _shown(one.cls, api) and subscription.fits(one.cls, one.ref)
    ]
    return events + gone


def _event(now: datetime, operation: str, what: Object | Deleted, uuid: str) -> Event:
    return {
        "id": what.generation,
        "timestamp": now,
        "class": what.cls.lower(),
        "operation": operation,
        "ref": what.ref,
        "obj_uuid": uuid,
    }


def _changed(db: Database, subscription: Subscription, since: int) -> Iterator[Object]:
    """The objects that have changed since, of those that are wanted."""
    if not subscription.classes:
        # Whoever waits for a task asks for one object, often: that must not cost a look at all.
        named = (db.lookup(_CLASSES[cls], ref) for cls, ref in subscription.refs if cls in _CLASSES)
        yield from (obj for obj in named if obj is not None and obj.generation > since)
        return
    for obj in reversed(db.changed.values()):
        if obj.generation <= since:
            return
        if subscription.fits(obj.cls, obj.ref):
            yield obj


def _shown(cls: str, api: Api) -> bool:
    return SCHEMA[cls].exists_at(api)


def counts(world: World) -> dict[str, int]:
    """Return how many objects there are of each class, by its name in lower case."""
    api = world.options.api
    return {low: world.db.count(name) for low, name in _CLASSES.items() if _shown(name, api)}


def _assert_kept(db: Database, since: int) -> None:
    if since and since < db.lost_before:
        raise Failure("EVENTS_LOST")


def _wait_for_changes(call: Call, wanted: Callable[[], Subscription], since: int, seconds: float) -> list[Event]:
    """Return changes; none when the time is over before there are any. What is wanted may become more meanwhile."""
    session, world = call.session, call.world
    assert session is not None
    found: list[Event] = []
    looked = -1

    def look() -> bool:
        nonlocal found, looked, since
        if world.db.lookup("session", session.ref) is None:
            raise Failure("SESSION_INVALID", session.ref)
        if looked != world.db.generation or world.db.touched:
            _assert_kept(world.db, since)
            found = changes(world, wanted(), since)
            looked = world.db.generation
            if not found:
                since = looked  # what there was up to now need not be looked at again
        return bool(found)

    if not look() and call.wait_for(look, seconds):
        call.wait(GATHER_SECONDS * min(1.0, world.options.duration_scale))
        look()
    return found


@message(
    "event.from(string set classes, string token, float timeout) -> an event batch", since="1.9", asynchronous=False
)
def events_from(call: Call, classes: list[str], token: str, timeout: float) -> dict[str, Any]:
    """Answer at once when something has changed since the token, otherwise when it does or the time is over."""
    since = read_token(token)
    subscription = subscribe(classes)
    found = _wait_for_changes(call, lambda: subscription, since, timeout)
    return {"events": found, "valid_ref_counts": counts(call.world), "token": token_of(call.world.db.generation)}


@message("event.inject(string class, string ref) -> string", since="1.10", asynchronous=False)
def inject(call: Call, cls: str, ref: str) -> str:
    """Make an event of an object that has not changed. The token is older than that of any call that tells of it."""
    db = call.world.db
    name = _CLASSES.get(cls.lower())
    if name is None:
        raise Failure("HANDLE_INVALID", cls, ref)
    obj = db.get(name, ref)
    before = db.generation
    db.bump(obj)
    return token_of(before)


@message("event.get_current_id() -> int", asynchronous=False)
def get_current_id(call: Call) -> int:
    """The number that the next change will have."""
    return call.world.db.generation + 1


@mutable
class _Registration:
    """What a session has registered for, and how far it has read."""

    read: int
    texts: set[str] = field(factory=set)


_REGISTERED: weakref.WeakKeyDictionary[Object, _Registration] = weakref.WeakKeyDictionary()
"""By session."""


@message("event.register(string set classes) -> void", asynchronous=False)
def register(call: Call, classes: list[str]) -> None:
    """Let `event.next` tell the session of classes, from now on."""
    assert call.session is not None
    subscribe(classes)
    settle_all(call.world)
    registration = _REGISTERED.setdefault(call.session, _Registration(call.world.db.generation))
    registration.texts.update(classes)


@message("event.unregister(string set classes) -> void", asynchronous=False)
def unregister(call: Call, classes: list[str]) -> None:
    """Let `event.next` tell the session of classes no longer."""
    assert call.session is not None
    subscribe(classes)
    if (registration := _REGISTERED.get(call.session)) is not None:
        registration.texts.difference_update(classes)


@message("event.next() -> event record set", asynchronous=False)
def next_events(call: Call) -> list[Event]:
    """Wait until something happens that the session has registered for."""
    assert call.session is not None
    registration = _REGISTERED.get(call.session)
    if registration is None:
        raise Failure("SESSION_NOT_REGISTERED", call.session.ref)
    db = call.world.db
    since = registration.read
    if since < db.lost_before:
        # Who registers anew, as one must then, hears of what happens from now on.
        registration.read = db.generation
    found: list[Event] = []
    while not found:
        found = _wait_for_changes(call, lambda: subscribe(registration.texts), since, 3600.0)
    registration.read = db.generation
    return found
