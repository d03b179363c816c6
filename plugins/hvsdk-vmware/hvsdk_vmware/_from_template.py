"""What a specification changes of a template that a domain is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hvsdk.driver import Deadline, DomainSpec, errors
from pyVmomi import vim

from hvsdk_vmware._extra_config import PLACE_KEY, of_one_domain
from hvsdk_vmware._hardware import HardwareReads, Subject
from hvsdk_vmware._listing import ListingReads

__all__ = ["TemplateSources", "card_changes", "keep_of_template"]

Spec = vim.vm.device.VirtualDeviceSpec
_FULL = "moveAllDiskBackingsAndDisallowSharing"


class TemplateSources(HardwareReads, ListingReads):
    """Finds templates, and copies them."""

    def find_template(self, key: str, deadline: Deadline) -> Subject:
        """Return the template with this id, UUID or name; what a fence made one is none.

        Raises:
            DomainNotFoundError: There is none.
            AmbiguousNameError: There are several.
            UnsupportedError: The server has no templates.
        """
        if not self.is_vcenter:
            raise errors.UnsupportedError("an ESXi host has no templates: it takes a vCenter to make domains from them")
        ids = list(self.find_domains(key, deadline=deadline))
        ids += [key] if not ids and self.could_be_native_id(key) else []
        subjects = (self.subject(each, deadline) for each in ids)
        found = [one for one in subjects if one.is_template and not one.extra_config.get(PLACE_KEY)]
        if not found:
            raise errors.DomainNotFoundError(f"there is no template {key!r}")
        if len(found) > 1:
            candidates = [(one.native_id, one.uuid, None) for one in found]
            raise errors.AmbiguousNameError(f"{len(found)} templates are called {key!r}", candidates=candidates)
        return found[0]

    def copy_of(
        self, template: Subject, config: vim.vm.ConfigSpec, *, pool: Any, host: Any, store: Any
    ) -> vim.vm.CloneSpec:
        """Return how a template is copied in full, and what is changed of the copy; marks of the template's are not."""
        told = {one.key for one in config.extraConfig}
        config.extraConfig += [
            vim.option.OptionValue(key=key, value="")
            for key in template.extra_config
            if of_one_domain(key) and key not in told
        ]
        where = vim.vm.RelocateSpec(pool=pool, host=host, datastore=store, diskMoveType=_FULL)
        return vim.vm.CloneSpec(location=where, config=config, template=False, powerOn=False)


def keep_of_template(config: vim.vm.ConfigSpec, spec: DomainSpec, hints: Mapping[str, Any]) -> None:
    """Leave to the template what the specification says nothing of."""
    config.files = None
    if spec.guest_os is None and "guest_id" not in hints:
        config.guestId = None
    if spec.firmware == "bios":  # which is what a specification says without being asked
        config.firmware = None
    for field, told in (
        ("cpuHotAddEnabled", spec.max_vcpus is not None or "cpu_hot_add" in hints),
        ("memoryHotAddEnabled", spec.max_memory_bytes is not None or "memory_hot_add" in hints),
    ):
        if not told:
            setattr(config, field, None)


def card_changes(devices: Iterable[Any], new: Sequence[Any]) -> list[Any]:
    """Return what becomes of a template's adapters: new ones take their place, else each gets a MAC of its own."""
    cards = [device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    if new:
        return [*(Spec(operation="remove", device=card) for card in cards), *new]
    by_hand = [card for card in cards if str(card.addressType or "").lower() == "manual"]
    for card in by_hand:
        card.addressType, card.macAddress = "generated", ""
    return [Spec(operation="edit", device=card) for card in by_hand]
