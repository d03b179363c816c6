"""Values as text, by their declared types: in JSON and in XML-RPC.

Whole records are kept as text until the object changes. Large answers come in pieces, and the world is locked for one
piece at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from .database import Object
from .records import settle, show
from .schema import SCHEMA, Kind, kind_of
from .world import World

__all__ = ["JSON", "XML", "Format", "stamp"]

_AT_ONCE = 64
"""Records that are made into text while the world is locked."""
_STRING = kind_of("string")
_INT = kind_of("int")
_EVENT = kind_of("event record")


def stamp(moment: datetime) -> str:
    """Return a time as the product writes it."""
    return moment.strftime("%Y%m%dT%H:%M:%SZ")


def field_kind(cls: str, name: str) -> Kind:
    """Return the type of a member of a record."""
    known = SCHEMA.get(cls)
    found = known.fields.get(name) if known is not None else None
    return found.kind if found is not None else _STRING


class Format:
    """How values are written."""

    name = ""
    opening, closing, comma = b"", b"", b""
    member: tuple[bytes, bytes] = (b"", b"")
    """What stands before and after one more member of a structure, with a place for its name."""
    batch: tuple[bytes, bytes, bytes, bytes] = (b"", b"", b"", b"")
    """What stands before the events of a batch, after them, before the counts' value and the token's, and at the end."""

    def text(self, world: World, kind: Kind, value: Any) -> bytes:
        """Write a value."""
        raise NotImplementedError

    def pair(self, ref: str, record: bytes) -> bytes:
        """Write one entry of a map of records."""
        raise NotImplementedError

    def record(self, world: World, obj: Object) -> bytes:
        """Write an object's record, or take it as it was written before."""
        settle(world, obj)
        found = obj.texts.get(self.name)
        if found is None:
            found = obj.texts[self.name] = self.text(world, Kind("record", obj.cls), show(world, obj))
        return found

    def pieces(self, world: World, kind: Kind, value: Any) -> Iterator[bytes]:
        """Write a value that may be large."""
        if kind.name == "map" and kind.item is not None and kind.item.name == "record":
            yield self.opening
            yield from self._joined(world, map(partial(self._entry, world, kind.item), value.items()))
            yield self.closing
        elif kind.name == "batch":
            yield from self._batch(world, value)
        else:
            yield self.text(world, kind, value)

    def _entry(self, world: World, kind: Kind, entry: tuple[Any, Any]) -> Callable[[], bytes]:
        key, value = entry
        ref = key.ref if isinstance(key, Object) else str(key)
        if isinstance(value, Object):
            return lambda: self.pair(ref, self.record(world, value))
        return lambda: self.pair(ref, self.text(world, kind, value))

    def _event(self, world: World, event: dict[str, Any]) -> bytes:
        """Write an event, with the text of its record as it is kept."""
        snapshot = event.get("snapshot")
        text = self.text(world, _EVENT, {name: item for name, item in event.items() if name != "snapshot"})
        if not isinstance(snapshot, Object):
            return text
        before, after = self.member
        return (
            text.removesuffix(self.closing) + before % b"snapshot" + self.record(world, snapshot) + after + self.closing
        )

    def _batch(self, world: World, value: dict[str, Any]) -> Iterator[bytes]:
        before, after, middle, end = self.batch
        yield before
        yield from self._joined(world, (partial(self._event, world, one) for one in value["events"]))
        yield after + self.text(world, Kind("map", key=_STRING, item=_INT), value["valid_ref_counts"])
        yield middle + self.text(world, _STRING, value["token"]) + end

    def _joined(self, world: World, writers: Iterable[Callable[[], bytes]]) -> Iterator[bytes]:
        rest = iter(writers)
        first = True
        while group := list(islice(rest, _AT_ONCE)):
            with world.lock:
                texts = [write() for write in group]
            yield (b"" if first else self.comma) + self.comma.join(texts)
            first = False


class _Json(Format):
    name = "json"
    opening, closing, comma = b"{", b"}", b","
    member = (b',"%b":', b"")
    batch = (b'{"events":[', b'],"valid_ref_counts":', b',"token":', b"}")

    def text(self, world: World, kind: Kind, value: Any) -> bytes:
        return json.dumps(self._plain(world, kind, value), ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )

    def pair(self, ref: str, record: bytes) -> bytes:
        return b'"%b":%b' % (ref.encode(), record)

    def _plain(self, world: World, kind: Kind, value: Any) -> Any:
        match kind.name:
            case "datetime":
                return stamp(value)
            case "void":
                return ""
            case "ref":
                return value.ref if isinstance(value, Object) else value
            case "float":
                return float(value)
            case "set":
                return [self._plain(world, kind.inner, item) for item in value]
            case "map":
                return {
                    item_key.ref if isinstance(item_key, Object) else str(item_key): self._plain(
                        world, kind.inner, item
                    )
                    for item_key, item in value.items()
                }
            case "option":
                return None if value is None else self._plain(world, kind.inner, value)
            case "record":
                return self._record(world, kind.target, value)
            case "batch":
                return json.loads(b"".join(self.pieces(world, kind, value)))
        return value

    def _record(self, world: World, cls: str, value: Any) -> dict[str, Any]:
        if isinstance(value, Object):
            return self._record(world, value.cls, show(world, value))
        return {name: self._plain(world, field_kind(cls, name), item) for name, item in value.items()}


class _Xml(Format):
    name = "xml"
    opening, closing = b"<value><struct>", b"</struct></value>"
    member = (b"<member><name>%b</name>", b"</member>")
    batch = (
        b"<value><struct><member><name>events</name><value><array><data>",
        b"</data></array></value></member><member><name>valid_ref_counts</name>",
        b"</member><member><name>token</name>",
        b"</member></struct></value>",
    )

    def text(self, world: World, kind: Kind, value: Any) -> bytes:
        return self._text(world, kind, value).encode("utf-8", "replace")

    def pair(self, ref: str, record: bytes) -> bytes:
        return b"<member><name>%b</name>%b</member>" % (ref.encode(), record)

    def _text(self, world: World, kind: Kind, value: Any) -> str:
        match kind.name:
            case "bool":
                return f"<value><boolean>{int(value)}</boolean></value>"
            case "float":
                return f"<value><double>{float(value)!r}</double></value>"
            case "datetime":
                return f"<value><dateTime.iso8601>{stamp(value)}</dateTime.iso8601></value>"
            case "void":
                return "<value></value>"
            case "ref":
                return f"<value>{value.ref if isinstance(value, Object) else value}</value>"
            case "set":
                return _array([self._text(world, kind.inner, item) for item in value])
            case "map":
                named = (
                    (key.ref if isinstance(key, Object) else str(key), self._text(world, kind.inner, item))
                    for key, item in value.items()
                )
                return _struct(named)
            case "option":
                return "<value></value>" if value is None else self._text(world, kind.inner, value)
            case "record":
                return self._record(world, kind.target, value)
            case "batch":
                return b"".join(self.pieces(world, kind, value)).decode()
        return f"<value>{escape(str(value))}</value>"

    def _record(self, world: World, cls: str, value: Any) -> str:
        if isinstance(value, Object):
            return self._record(world, value.cls, show(world, value))
        named = ((name, self._text(world, field_kind(cls, name), item)) for name, item in value.items())
        return _struct(named)


def _array(texts: Sequence[str]) -> str:
    return f"<value><array><data>{''.join(texts)}</data></array></value>"


def _struct(named: Iterable[tuple[str, str]]) -> str:
    members = "".join(f"<member><name>{escape(name)}</name>{text}</member>" for name, text in named)
    return f"<value><struct>{members}</struct></value>"


JSON: Format = _Json()
XML: Format = _Xml()
