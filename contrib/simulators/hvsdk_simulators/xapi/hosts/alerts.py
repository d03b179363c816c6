"""Messages to whoever looks after the pool: made, read, dismissed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.query import matcher

Records = dict[Object, Object]

_CLASSES = {"Host": "host", "Pool": "pool"}
"""The classes that messages name otherwise than the API does."""


@message(
    "message.create(string name, int priority, enum cls cls, string obj_uuid, string body) -> message ref",
    role="pool-operator",
    since="1.3",
)
def create(call: Call, name: str, priority: int, cls: str, obj_uuid: str, body: str) -> Object:
    """Leave a message about an object that there is."""
    db = call.world.db
    db.find(_CLASSES.get(cls, cls), obj_uuid)
    return db.create(
        "message", name=name, priority=priority, cls=cls, obj_uuid=obj_uuid, body=body, timestamp=call.world.now()
    )


@message("message.destroy(message ref self) -> void", role="pool-operator", since="1.3")
def destroy(call: Call, self: Object) -> None:
    """Dismiss a message."""
    call.world.db.delete(self)


@message("message.destroy_many(message ref set messages) -> void", role="pool-operator", since="2.20")
def destroy_many(call: Call, messages: list[Object]) -> None:
    """Dismiss several messages."""
    for one in messages:
        call.world.db.delete(one)


@message("message.get_all() -> message ref set", since="1.3")
def get_all(call: Call) -> list[Object]:
    """All messages, the newest first."""
    return list(_newest_first(call.world.db.all("message")))


@message("message.get_all_records() -> (message ref -> message record) map", since="1.3")
def get_all_records(call: Call) -> Records:
    """All messages with what they say."""
    return _records(call.world.db.all("message"))


@message("message.get_all_records_where(string expr) -> (message ref -> message record) map", since="1.3")
def get_all_records_where(call: Call, expr: str) -> Records:
    """The messages for which an expression is true."""
    test = matcher(expr)
    return _records(one for one in call.world.db.all("message") if test(call.world, one))


@message("message.get_by_uuid(string uuid) -> message ref", since="1.3")
def get_by_uuid(call: Call, uuid: str) -> Object:
    """The message with a UUID."""
    return call.world.db.find("message", uuid)


@message("message.get_record(message ref self) -> message record", since="1.3")
def get_record(call: Call, self: Object) -> Object:
    """What a message says."""
    return self


@message("message.get_since(datetime since) -> (message ref -> message record) map", since="1.3")
def get_since(call: Call, since: datetime) -> Records:
    """Messages that are newer than a time."""
    return _records(one for one in call.world.db.all("message") if one["timestamp"] > since)


@message(
    "message.get(enum cls cls, string obj_uuid, datetime since) -> (message ref -> message record) map", since="1.3"
)
def get(call: Call, cls: str, obj_uuid: str, since: datetime) -> Records:
    """Messages about one object that are newer than a time."""
    about = (one for one in call.world.db.all("message") if one["cls"] == cls and one["obj_uuid"] == obj_uuid)
    return _records(one for one in about if one["timestamp"] > since)


def _records(messages: Iterable[Object]) -> Records:
    return {one: one for one in _newest_first(messages)}


def _newest_first(messages: Iterable[Object]) -> list[Object]:
    return sorted(messages, key=lambda one: one["timestamp"], reverse=True)
