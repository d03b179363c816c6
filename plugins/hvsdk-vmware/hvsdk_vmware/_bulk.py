"""Reading properties of many objects at once: one call, and one more for each further page."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from hvsdk.driver import BackgroundTask, Deadline, finish
from pyVmomi import vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._calls import FAILURES, SessionCalls
from hvsdk_vmware._fields import NS, Element, Found
from hvsdk_vmware._stub import within

__all__ = ["BulkReads", "object_spec", "paths_of"]

Collector = vmodl.query.PropertyCollector
_OBJECTS, _SET, _NAME, _VAL = NS + "objects", NS + "propSet", NS + "name", NS + "val"
_OBJ, _TOKEN = NS + "obj", NS + "token"
_FIRST, _NEXT = "RetrievePropertiesEx", "ContinueRetrievePropertiesEx"
_ANSWERS = (f"{NS}{_FIRST}Response", f"{NS}{_NEXT}Response")
_RETURNED = NS + "returnval"
_EARLY_TOKEN = re.compile(rb"<returnval(?: [^<>]*)?>\s*<token>([^<>&]+)</token>")
_HEAD = 4096
"""Bytes of an answer in which its token is, if it has one."""
_SLICE = 256 << 10
"""Bytes that are parsed before another thread gets its turn: the one that takes the next page off the wire."""


def object_spec(mo: Any, through: Sequence[Any] = (), *, skip: bool = False) -> Any:
    """Return where a read begins, and by which properties it goes on to other objects."""
    return Collector.ObjectSpec(obj=mo, skip=skip, selectSet=list(through))


def paths_of(properties: Mapping[type, Iterable[str]]) -> list[Any]:
    """Return which properties are read of which kind of object."""
    return [Collector.PropertySpec(type=kind, all=False, pathSet=list(paths)) for kind, paths in properties.items()]


class BulkReads(SessionCalls):
    """Reads with the server's property collector, without making pyvmomi's objects of the answers."""

    def read(
        self,
        objects: Sequence[Any],
        properties: Mapping[type, Iterable[str]],
        *,
        deadline: Deadline,
        leave_out_missing: bool = True,
    ) -> Iterator[list[Found]]:
        """Yield the objects that are found, page by page; each once for each way that leads to it.

        Args:
            objects: Where to begin, see `object_spec`.
            properties: Paths of properties by kind; objects of other kinds are only passed through.
            leave_out_missing: What is not there is no error.
        """
        wish = Collector.FilterSpec(
            propSet=paths_of(properties), objectSet=list(objects), reportMissingObjectsInResults=leave_out_missing
        )
        size = max(1, int(self.target.options.get("page_size") or 1000))
        body: bytes | None = self._fetch_page(_FIRST, ([wish], Collector.RetrieveOptions(maxObjects=size)), deadline)
        while body is not None:
            early = _EARLY_TOKEN.search(body, 0, _HEAD)
            ahead = self._next_page(early[1].decode(), deadline) if early else None
            try:
                page = _parse(body)
                token = page.findtext(_TOKEN) if page is not None and ahead is None else None
                if token:
                    ahead = self._next_page(token, deadline)
                yield [_found(element) for element in page.iterfind(_OBJECTS)] if page is not None else []
            except BaseException:
                if ahead is not None:
                    self._give_up_pages(ahead)
                raise
            body = finish(ahead) if ahead is not None else None

    def read_all(
        self, objects: Sequence[Any], properties: Mapping[type, Iterable[str]], *, deadline: Deadline
    ) -> list[Found]:
        """Return the objects that are found, as `read` does, each once."""
        found: dict[tuple[str, str], Found] = {}
        for page in self.read(objects, properties, deadline=deadline):
            found.update(((one.kind, one.id), one) for one in page)
        return list(found.values())

    def _next_page(self, token: str, deadline: Deadline) -> BackgroundTask[bytes]:
        """Ask for the next page, which the server makes while this one is read."""
        return BackgroundTask(lambda: self._fetch_page(_NEXT, (token,), deadline))

    def _fetch_page(self, method: str, arguments: tuple[Any, ...], deadline: Deadline) -> bytes:
        """Return an answer that is no fault, as it came."""
        stub, collector = self.stub, self.content.propertyCollector
        info = getattr(Collector, method).info
        with within(deadline):
            answer = stub.send(method, stub.write(collector, info, arguments), info.result)
        if answer.is_fault:
            stub.decode(answer, info.result)
        return answer.body

    def _give_up_pages(self, ahead: BackgroundTask[bytes]) -> None:
        """Tell the server that what comes after the page that is on its way is not wanted; some do not know how."""
        with contextlib.suppress(*FAILURES):
            page = _parse(finish(ahead))
            token = page.findtext(_TOKEN) if page is not None else None
            if token:
                cancel = self.content.propertyCollector.CancelRetrievePropertiesEx
                self.call(cancel, token, deadline=Deadline(self.target.timeout))


def _parse(body: bytes) -> Element | None:
    """Return what a call returned; `None` for nothing."""
    parser: ElementTree.XMLParser[Element] = ElementTree.XMLParser()
    try:
        with memoryview(body) as view:
            for start in range(0, len(body), _SLICE):
                parser.feed(view[start : start + _SLICE])
        root = parser.close()
    except ElementTree.ParseError as exc:
        raise AnswerError("the server's answer is no XML") from exc
    for answer in root.iterfind("*/*"):
        if answer.tag in _ANSWERS:
            return answer.find(_RETURNED)
    return None


def _found(element: Element) -> Found:
    mo = element.find(_OBJ)
    if mo is None:
        raise AnswerError("the server's answer has an object without an id")
    values: dict[str, Element] = {}
    for entry in element.iterfind(_SET):
        value = entry.find(_VAL)
        if value is not None:  # pages may name a property that is not set
            values[entry.findtext(_NAME) or ""] = value
    return Found(mo.get("type", ""), mo.text or "", values)
