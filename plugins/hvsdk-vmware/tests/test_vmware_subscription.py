"""What the server tells of changes, as it is understood."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hvsdk import EventKind
from hvsdk.driver import Change

from hvsdk_vmware._subscription import Subscription, updates_in


def told(*updates: tuple[str, str, str, dict[str, str | None]]) -> ElementTree.Element:
    ns = "{urn:vim25}"
    root = ElementTree.Element(ns + "returnval")
    part = ElementTree.SubElement(root, ns + "filterSet")
    for event, kind, key, values in updates:
        one = ElementTree.SubElement(part, ns + "objectSet")
        ElementTree.SubElement(one, ns + "kind").text = event
        mo = ElementTree.SubElement(one, ns + "obj", {"type": kind})
        mo.text = key
        for name, value in values.items():
            change = ElementTree.SubElement(one, ns + "changeSet")
            ElementTree.SubElement(change, ns + "name").text = name
            ElementTree.SubElement(change, ns + "op").text = "assign" if value is not None else "indirectRemove"
            if value is not None:
                ElementTree.SubElement(change, ns + "val").text = value
    return root


ONE: dict[str, str | None] = {
    "name": "a",
    "runtime.powerState": "poweredOn",
    "summary.config.numCpu": "2",
    "config.changeVersion": "1",
}


def seen(*updates: tuple[str, str, str, dict[str, str | None]]) -> list[Change]:
    subscription = Subscription(None, 1)
    subscription.see(updates_in(told(("enter", "VirtualMachine", "vm-1", ONE))))
    assert [(change.native_id, change.kind) for change in subscription.changes()] == [("vm-1", None)]
    subscription.see(updates_in(told(*updates)))
    return subscription.changes()


@pytest.mark.parametrize("event", ["enter", "modify"])
def test_what_is_known_already_is_not_told_again(event: str) -> None:
    assert seen((event, "VirtualMachine", "vm-1", ONE)) == []


@pytest.mark.parametrize("name", ["summary.config.numCpu", "summary.config", "summary"])
def test_what_is_not_set_any_more_is_gone(name: str) -> None:
    (change,) = seen(("modify", "VirtualMachine", "vm-1", {name: None}))
    assert change.info is not None
    assert (change.info.vcpus, change.info.name) == (None, "a")


def test_a_part_of_something_watched_is_a_change() -> None:
    (change,) = seen(("modify", "VirtualMachine", "vm-1", {"runtime.question.text": "really?"}))
    assert change.kind == EventKind.CHANGED


def test_what_nobody_asked_for_is_no_change() -> None:
    assert seen(("modify", "VirtualMachine", "vm-1", {"config.other": "x"}), ("enter", "Folder", "f-1", {})) == []


def test_a_domain_that_came_and_went_in_between_is_gone() -> None:
    new = ("enter", "VirtualMachine", "vm-2", ONE)
    (change,) = seen(new, ("leave", "VirtualMachine", "vm-2", {}), ("leave", "VirtualMachine", "vm-3", {}))
    assert (change.native_id, change.info) == ("vm-2", None)


def test_a_renamed_host_is_told_of_all_its_domains() -> None:
    subscription = Subscription(None, 1)
    subscription.see(
        updates_in(
            told(
                ("enter", "HostSystem", "host-1", {"name": "old"}),
                ("enter", "VirtualMachine", "vm-1", {"name": "a", "runtime.host": "host-1"}),
                ("enter", "VirtualMachine", "vm-2", {"name": "b"}),
            )
        )
    )
    subscription.changes()
    subscription.see(updates_in(told(("modify", "HostSystem", "host-1", {"name": "new%2fer"}))))
    (change,) = subscription.changes()
    assert change.info is not None
    assert (change.native_id, change.info.node, change.kind) == ("vm-1", "new/er", None)
