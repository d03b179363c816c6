"""Name, notes, tags, metadata and autostart.

vSphere has fields for the first two. Metadata lie in `extraConfig`, each key by itself: the server merges what is written
with what others have there. Tags lie there where the server has none of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Deadline, DomainInfo, Task, errors, finish
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._extra_config import METADATA_PREFIX, TAGS_KEY, write_tags, write_value
from hvsdk_vmware._fields import options, text
from hvsdk_vmware._names import written
from hvsdk_vmware._tags import TagReads

__all__ = ["LabelVerbs"]

Autostart = vim.host.AutoStartManager
_BY_DEFAULT = -1


class LabelVerbs(TagReads):
    """`rename` to `set_autostart`."""

    def rename(self, native_id: str, name: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Give it another name; its files keep theirs. In one folder each name is there once."""
        return self.start_task(self.vm(native_id).Rename_Task, written(name), deadline=deadline)

    def set_notes(self, native_id: str, notes: str, *, deadline: Deadline) -> None:
        self.write_config(native_id, vim.vm.ConfigSpec(annotation=notes), deadline)

    def set_tags(self, native_id: str, tags: frozenset[str], *, deadline: Deadline) -> None:
        """Give it these tags; vCenter's of other categories than hvsdk's stay, unless the option says otherwise.

        Those that lie in `extraConfig` move to vCenter, where it has tags of its own.
        """
        if not self.keeps_tags(deadline):
            self.write_extra_config(native_id, {TAGS_KEY: write_tags(tags)}, deadline)
            return
        before = self._emulated_tags(native_id, deadline)
        if before:
            self.write_extra_config(native_id, {TAGS_KEY: ""}, deadline)
        try:
            self.write_tags_of(native_id, tags, deadline)
        except BaseException:
            with contextlib.suppress(*FAILURES):
                self.write_extra_config(native_id, {TAGS_KEY: before} if before else {}, self.soon())
            raise

    def set_metadata(self, native_id: str, changes: Mapping[str, str | None], *, deadline: Deadline) -> None:
        entries = {METADATA_PREFIX + key: "" if value is None else write_value(value) for key, value in changes.items()}
        self.write_extra_config(native_id, entries, deadline)

    def set_autostart(self, native_id: str, enabled: bool, *, deadline: Deadline) -> None:
        """Say whether it starts with its host.

        The host has a switch of its own, without which no domain's is obeyed: it is switched on with the first domain's,
        and left alone afterwards. In a cluster with high availability hosts do not obey it.
        """
        manager = self._autostart_of(native_id, deadline)
        entry = Autostart.AutoPowerInfo(
            key=self.vm(native_id),
            startOrder=_BY_DEFAULT,
            startDelay=_BY_DEFAULT,
            waitForHeartbeat="systemDefault",
            startAction="powerOn" if enabled else "none",
            stopAction="systemDefault",
            stopDelay=_BY_DEFAULT,
        )
        defaults = Autostart.SystemDefaults(enabled=True) if enabled else None
        spec = Autostart.Config(defaults=defaults, powerInfo=[entry])
        self.call(manager.ReconfigureAutostart, spec, deadline=deadline)

    # ---- for the other parts -----------------------------------------------------------------------------

    def write_config(self, native_id: str, spec: vim.vm.ConfigSpec, deadline: Deadline) -> None:
        """Change a domain's configuration, and return once that is done."""
        finish(self.start_task(self.vm(native_id).ReconfigVM_Task, spec, deadline=deadline), deadline.remaining())

    def write_extra_config(self, native_id: str, entries: Mapping[str, str], deadline: Deadline) -> None:
        """Write these keys of a domain's `extraConfig`, remove those whose value is empty, and touch no other."""
        if entries:
            pairs = [vim.option.OptionValue(key=key, value=value) for key, value in entries.items()]
            self.write_config(native_id, vim.vm.ConfigSpec(extraConfig=pairs), deadline)

    def _emulated_tags(self, native_id: str, deadline: Deadline) -> str:
        """Return the tags that lie in a domain's `extraConfig`, as they are stored there.

        Raises:
            DomainNotFoundError: There is no such domain.
        """
        wish: dict[type, tuple[str, ...]] = {vim.VirtualMachine: ("config.extraConfig",)}
        found = self.read_all([object_spec(self.vm(native_id))], wish, deadline=deadline)
        if not found:
            raise errors.DomainNotFoundError(f"there is no domain {native_id}")
        return dict(options(found[0].values, "config.extraConfig")).get(TAGS_KEY, "")

    def _autostart_of(self, native_id: str, deadline: Deadline) -> Any:
        """Return what starts domains on the host of this one."""
        wish: dict[type, tuple[str, ...]] = {vim.VirtualMachine: ("runtime.host",)}
        found = self.read_all([object_spec(self.vm(native_id))], wish, deadline=deadline)
        if not found:
            raise errors.DomainNotFoundError(f"there is no domain {native_id}")
        host = vim.HostSystem(text(found[0].values, "runtime.host"), self.stub)
        managers = self.read_all(
            [object_spec(host)], {vim.HostSystem: ("configManager.autoStartManager",)}, deadline=deadline
        )
        manager = text(managers[0].values, "configManager.autoStartManager") if managers else ""
        if not manager:
            raise errors.UnsupportedError("the domain's host has nothing that starts domains with it")
        return Autostart(manager, self.stub)
