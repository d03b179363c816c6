"""Changes as vSphere pushes them: a collector of our own waits at the server for what is newer than a version."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from hvsdk.driver import Change, Deadline, DomainInfo, Target
from pyVmomi import vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._bulk import object_spec, paths_of
from hvsdk_vmware._calls import CLOSE_SECONDS, FAILURES
from hvsdk_vmware._fields import NS, Element, child
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._stub import within
from hvsdk_vmware._subscription import WATCHED, Subscription, updates_in
from hvsdk_vmware._views import way_into_view

__all__ = ["WatchReads"]

Collector = vmodl.query.PropertyCollector
_METHOD: Any = Collector.WaitForUpdatesEx
_WAIT = _METHOD.info
_SPARE_SECONDS = 5.0
_GONE = (vmodl.fault.ManagedObjectNotFound, vmodl.query.InvalidCollectorVersion, vmodl.query.InvalidProperty)
"""What the server says of a collector that went with its session, and of a version that it does not know."""
_CUT = (ConnectionError, http.client.HTTPException)
"""An answer that was lost may have had changes in it: whether the server tells them again depends on the server."""


class WatchReads(ListingReads):
    """`watch`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._subscription: Subscription | None = None
        self._closing = threading.Event()

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[Iterable[Change], Any]:
        """Return what has changed.

        All is to be listed again when the session ended, or the connection broke while an answer was under way.
        """
        if token is None:
            return (), self._subscribe(deadline)
        subscription: Subscription = token
        if subscription is not self._subscription or subscription.generation != self.stub.generation:
            return (), None
        try:
            self._take_updates(subscription, seconds, deadline)
        except vmodl.fault.RequestCanceled:
            pass  # by `close`
        except (*_GONE, *_CUT):
            return (), None
        return subscription.changes(), subscription

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains; the first time after subscribing, those that the subscription began with: no call."""
        subscription = self._subscription
        if subscription is not None and subscription.fresh and not include:
            subscription.fresh = False
            return subscription.listing()
        return super().list_domains(include, deadline=deadline)

    def close(self) -> None:
        """End a call that waits at the server, and all else."""
        self._closing.set()
        subscription, self._subscription = self._subscription, None
        stub = self._stub
        if stub is not None and subscription is not None and subscription.waiting:
            stub.renew = None
            with contextlib.suppress(*FAILURES):
                limit = Deadline(min(CLOSE_SECONDS, self.target.timeout))
                self.call(subscription.collector.CancelWaitForUpdates, deadline=limit)
        super().close()

    def abandon(self) -> None:
        self._subscription = None
        super().abandon()

    # ---- inside ------------------------------------------------------------------------------------------

    def _subscribe(self, deadline: Deadline) -> Subscription:
        """Begin to collect changes, and read all that there is."""
        self._end_watch(deadline)
        for last in (False, True):
            try:
                return self._begin_watch(deadline)
            except _GONE:  # the session ended meanwhile
                if last:
                    raise
        raise AssertionError("unreachable")

    def _begin_watch(self, deadline: Deadline) -> Subscription:
        collector = self.call(self.content.propertyCollector.CreatePropertyCollector, deadline=deadline)
        subscription = Subscription(collector, self.stub.generation)
        view = self.view_of(tuple(WATCHED), deadline)
        wish = Collector.FilterSpec(
            propSet=paths_of(WATCHED), objectSet=[object_spec(view, [way_into_view()], skip=True)]
        )
        self.call(collector.CreateFilter, wish, False, deadline=deadline)
        self._take_updates(subscription, 0.0, deadline)
        subscription.changes()
        self._subscription = subscription
        return subscription

    def _end_watch(self, deadline: Deadline) -> None:
        """Give up the collector of a subscription before this one, if it is still there."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and subscription.generation == self.stub.generation:
            with contextlib.suppress(vmodl.MethodFault):
                self.call(subscription.collector.DestroyPropertyCollector, deadline=deadline)

    def _take_updates(self, subscription: Subscription, seconds: float, deadline: Deadline) -> None:
        """Take note of what is new; wait for it so many seconds if there is nothing."""
        limit = min(seconds, deadline.remaining() - min(_SPARE_SECONDS, self.target.timeout / 2))
        whole = max(0, round(limit))
        if not whole and limit > 0:
            self._closing.wait(limit)  # the server counts whole seconds
        more = True
        while more:
            answer = self._ask_updates(subscription, whole, deadline)
            if answer is None:
                return
            subscription.see(updates_in(answer))
            subscription.version = child(answer, "version")
            more, whole = child(answer, "truncated") == "true", 0
        self._tell_fenced(subscription, deadline)

    def _tell_fenced(self, subscription: Subscription, deadline: Deadline) -> None:
        """Tell the templates among what has changed from the domains that a fence made such."""
        touched = subscription.touched_templates()
        subscription.fenced = subscription.fenced - set(touched) | self.fenced_among(touched, deadline)

    def _ask_updates(self, subscription: Subscription, seconds: int, deadline: Deadline) -> Element | None:
        """Ask once; `None` when nothing is new."""
        stub = self.stub
        size = max(1, int(self.target.options.get("page_size") or 1000))
        options = Collector.WaitOptions(maxWaitSeconds=seconds, maxObjectUpdates=size)
        body = stub.write(subscription.collector, _WAIT, (subscription.version, options))
        subscription.waiting = seconds > 0
        try:
            with within(deadline):
                answer = stub.send(_WAIT.wsdlName, body, _WAIT.result, again=False)
        finally:
            subscription.waiting = False
        if answer.is_fault:
            stub.decode(answer, _WAIT.result)
        try:
            root = ElementTree.fromstring(answer.body)
        except ElementTree.ParseError as exc:
            raise AnswerError("the server's answer is no XML") from exc
        return root.find(f"*/{NS}WaitForUpdatesExResponse/{NS}returnval")
