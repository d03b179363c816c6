"""What vSphere alone has of a domain, as the keys `vmware.…` of `DomainInfo.details`. The page of this backend documents
them."""

from __future__ import annotations

from sys import intern

from hvsdk.driver import FrozenDict, frozen

from hvsdk_vmware._fields import NOTHING, Element, Sharing, Values, child, children, flag, number, text

__all__ = ["DETAIL_PATHS", "MARKED_AS_TEMPLATE", "details", "question_of"]

_TEXTS = {
    "vmware.hardware_version": "config.version",
    "vmware.guest_id": "config.guestId",
    "vmware.guest_os": "config.guestFullName",
    "vmware.path": "config.files.vmPathName",
    "vmware.connection": "runtime.connectionState",
    "vmware.vapp": "parentVApp",
    "vmware.resource_pool": "resourcePool",
    "vmware.tools": "guest.toolsVersionStatus2",
}
MARKED_AS_TEMPLATE = "vmware.marked_as_template"
"""Whether vSphere calls it a template; one that a fence made is the domain that it was."""
_FLAGS = {
    MARKED_AS_TEMPLATE: "summary.config.template",
    "vmware.cpu_hot_add": "config.cpuHotAddEnabled",
    "vmware.memory_hot_add": "config.memoryHotAddEnabled",
    "vmware.change_tracking": "config.changeTrackingEnabled",
    "vmware.consolidation_needed": "runtime.consolidationNeeded",
}
DETAIL_PATHS = (*_TEXTS.values(), *_FLAGS.values(), "config.uuid", "guest.toolsVersion", "runtime.question")
"""The properties that it takes."""


def details(values: Values, sharing: Sharing, no_tags: str | None = None) -> FrozenDict[str, object]:
    """Return the details of a domain.

    Args:
        no_tags: Why vCenter's own tags could not be read, if so.
    """
    found: dict[str, object] = {key: intern(text(values, path)) for key, path in _TEXTS.items()}
    found |= {key: flag(values, path) or None for key, path in _FLAGS.items()}
    found["vmware.bios_uuid"] = text(values, "config.uuid").lower()
    found["vmware.tools_version"] = number(values, "guest.toolsVersion") or None
    found["vmware.question"] = question_of(values.get("runtime.question"))
    found["vmware.tags_unknown"] = no_tags
    return sharing.known(found)


def question_of(asked: Element | None) -> FrozenDict[str, object] | None:
    """Return a question that a domain waits with: its `id`, its `text`, and by their keys the `choices` there are."""
    if asked is None or not child(asked, "id"):
        return None
    choices = next(iter(children(asked, "choice")), NOTHING)
    labels = {child(one, "key"): child(one, "label") for one in children(choices, "choiceInfo")}
    return frozen({"id": child(asked, "id"), "text": child(asked, "text"), "choices": labels})
