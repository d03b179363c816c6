"""Domains from templates: found by UUID or name, copied, told what they shall be, and provisioned."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Deadline, DomainSpec, Steps, errors

from hvsdk_xen._fence import FenceVerbs, is_fenced
from hvsdk_xen._labels import METADATA_PREFIX
from hvsdk_xen._login import code_of
from hvsdk_xen._making import MARK, Making
from hvsdk_xen._store import Named, StoreReads, is_uuid
from hvsdk_xen._values import NULL, as_int
from hvsdk_xen._vm_record import boot_params, labels_config, memory_limits, platform_changes, vcpu_params

__all__ = ["Template", "TemplateVerbs"]

DISKS = "disks"
"""Key of a template's `other_config` with the disks that it asks for, as XML."""
_NOT_ITS_OWN = frozenset((MARK, "default_template", "import_task", "base_template_name"))


@attrs.frozen
class Template(Named):
    """A template."""

    @property
    def disks_asked(self) -> str:
        """The XML of the disks that it asks for."""
        return str(self.record.get("other_config", {}).get(DISKS, ""))


class TemplateVerbs(FenceVerbs, StoreReads):
    """Makes the VM of a new domain from a template."""

    def find_template(self, key: str, deadline: Deadline) -> Template:
        """Return the template of a UUID or name.

        Raises:
            DomainNotFoundError: There is none.
            AmbiguousNameError: Several have that name.
            InvalidSpecError: It is a domain or a snapshot.
        """
        if is_uuid(key):
            try:
                ref = str(self.call("VM.get_by_uuid", key.lower(), deadline=deadline))
            except XenAPI.Failure as exc:
                if code_of(exc) != "UUID_INVALID":
                    raise
            else:
                return _checked(Template(ref, self.call("VM.get_record", ref, deadline=deadline)))
        refs = self.call("VM.get_by_name_label", key, deadline=deadline)
        named = [Template(ref, self.call("VM.get_record", ref, deadline=deadline)) for ref in refs]
        found = [one for one in named if _is_template(one)]
        if len(found) == 1:
            return found[0]
        if found:
            raise errors.AmbiguousNameError(
                f"{len(found)} templates are called {key!r}: {', '.join(sorted(one.uuid for one in found))}",
                candidates=[(one.uuid, one.uuid, None) for one in found],
                hint="name it by its UUID",
            )
        if named:
            return _checked(named[0])
        raise errors.DomainNotFoundError(f"there is no template {key!r}", hint="domains(templates=True) lists them")

    def make_from_template(
        self, making: Making, template: Template, spec: DomainSpec, hints: Mapping[str, Any], affinity: str
    ) -> Steps[str]:
        """Copy a template and make the copy a domain as the specification says; return its reference."""
        message, *more = ("VM.copy", NULL) if hints.get("template_copy") else ("VM.clone",)
        name = making.working_name
        vm = yield from making.run("VM", message, template.ref, name, *more, name=name)
        self.call("VM.set_name_label", vm, spec.name, deadline=self.soon())
        self._set_up_copy(vm, template, spec, hints)
        if affinity != NULL:
            self.call("VM.set_affinity", vm, affinity, deadline=self.soon())
        making.check()
        yield self.start_task("VM.provision", vm, deadline=self.soon())
        if spec.nics:
            for vif in self.call("VM.get_VIFs", vm, deadline=self.soon()):
                self.call("VIF.destroy", vif, deadline=self.soon())
        return vm

    def _set_up_copy(self, vm: str, template: Template, spec: DomainSpec, hints: Mapping[str, Any]) -> None:
        record, limit = template.record, self.soon()
        if is_fenced(record):
            self.unblock(vm, record, limit)
        config = self._template_config(template, spec)
        self.call("VM.set_other_config", vm, config, deadline=limit)
        self.call("VM.set_name_description", vm, spec.notes, deadline=limit)
        self.call("VM.set_tags", vm, sorted(spec.tags), deadline=limit)
        limits = memory_limits(spec, hints)
        present = tuple(as_int(record.get(f"memory_{name}")) for name in ("static_max", "dynamic_min", "dynamic_max"))
        if limits[1:] != present:  # a role may make domains, and not change memory
            self.call("VM.set_memory_limits", vm, *limits, deadline=limit)
        self.set_vcpus(vm, record, spec.vcpus, spec.max_vcpus or spec.vcpus, limit)
        params = vcpu_params(hints)
        if params:
            self.call("VM.set_VCPUs_params", vm, {**record.get("VCPUs_params", {}), **params}, deadline=limit)
        platform = platform_changes(spec, hints)
        if platform:
            self.call("VM.set_platform", vm, {**record.get("platform", {}), **platform}, deadline=limit)
        if spec.firmware == "uefi":
            now = record.get("HVM_boot_params", {})
            params = {**now, **boot_params(spec, now.get("order", "cdn"))}
            self.call("VM.set_HVM_boot_params", vm, params, deadline=limit)

    def set_vcpus(self, vm: str, record: Mapping[str, Any], vcpus: int, most: int, limit: Deadline) -> None:
        """Set both numbers, the larger side first, so that at no moment more are booted than are possible."""
        now = as_int(record.get("VCPUs_at_startup")) or 1, as_int(record.get("VCPUs_max")) or 1
        steps = [("VM.set_VCPUs_max", most, now[1]), ("VM.set_VCPUs_at_startup", vcpus, now[0])]
        for method, value, present in steps if most >= now[0] else reversed(steps):
            if value != present:
                self.call(method, vm, value, deadline=limit)

    def _template_config(self, template: Template, spec: DomainSpec) -> dict[str, str]:
        """Return the new domain's `other_config`: the template's, without what is the template's own."""
        config = {
            key: value
            for key, value in template.record.get("other_config", {}).items()
            if key not in _NOT_ITS_OWN and not key.startswith(METADATA_PREFIX) and key != "mac_seed"
        }
        if template.record.get("is_default_template"):
            config["base_template_name"] = template.name
        if spec.disks:
            config.pop(DISKS, None)
        elif template.disks_asked:
            config[DISKS] = self._with_places(template)
        return config | labels_config(spec)

    def _with_places(self, template: Template) -> str:
        """Return the XML of the disks that a template asks for, each with a place: XAPI wants one named."""
        try:
            if "<!" in template.disks_asked:
                raise ET.ParseError("it defines entities, or has parts left out")
            root = ET.fromstring(template.disks_asked)
        except ET.ParseError as exc:
            raise errors.InvalidSpecError(
                f"the template {template.name!r} asks for disks in a way that cannot be read",
                hint="name disks= yourself",
            ) from exc
        loose = [disk for disk in root.iter("disk") if not disk.get("sr")]
        uuid = self.find_sr(None, self.soon()).uuid if loose else ""
        for disk in loose:
            disk.set("sr", uuid)
        return ET.tostring(root, encoding="unicode")


def _is_template(one: Template) -> bool:
    return bool(one.record.get("is_a_template")) and not one.record.get("is_a_snapshot")


def _checked(one: Template) -> Template:
    if not _is_template(one):
        what = "a snapshot" if one.record.get("is_a_snapshot") else "a domain"
        raise errors.InvalidSpecError(f"{one.name!r} is {what}, not a template", hint="clone() it")
    return one
