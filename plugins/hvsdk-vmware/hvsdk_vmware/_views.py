"""Views: lists of all objects of some kinds, which the server keeps true for as long as the session lasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hvsdk.driver import Deadline, Target
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import Found
from hvsdk_vmware._session import VmwareSession

__all__ = ["ViewReads", "way_into_view"]

Collector = vmodl.query.PropertyCollector


def way_into_view() -> Any:
    """Return the way from a view to all that is in it."""
    return Collector.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)


class ViewReads(VmwareSession):
    """Reads all objects of some kinds. A view is made for the first read, and goes with its session.

    The way from the root folder through all others leads to the same, but the server takes it anew for each read.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._views: dict[tuple[type, ...], tuple[int, vim.view.ContainerView]] = {}

    def read_view(self, properties: Mapping[type, Iterable[str]], *, deadline: Deadline) -> Iterator[list[Found]]:
        """Yield all objects of these kinds, page by page; some again, should the session end meanwhile."""
        kinds = tuple(properties)
        for last in (False, True):
            view = self.view_of(kinds, deadline)
            try:
                begin = [object_spec(view, [way_into_view()], skip=True)]
                yield from self.read(begin, properties, deadline=deadline, leave_out_missing=False)
            except vmodl.fault.ManagedObjectNotFound:
                self._views.pop(kinds, None)  # it went with its session
                if last:
                    raise
            else:
                return

    def view_of(self, kinds: tuple[type, ...], deadline: Deadline) -> Any:
        """Return the view of these kinds, of the present session."""
        generation = self.stub.generation
        known = self._views.get(kinds)
        if known is not None and known[0] == generation:
            return known[1]
        manager = self.content.viewManager
        assert manager is not None, "every server has one"
        view = self.call(manager.CreateContainerView, self.content.rootFolder, list(kinds), True, deadline=deadline)
        self._views[kinds] = generation, view
        return view
