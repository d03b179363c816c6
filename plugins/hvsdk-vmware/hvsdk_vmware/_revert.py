"""Going back to a snapshot, and keeping what is written on the domain.

vSphere rolls back a domain's notes, its `extraConfig`, where tags and metadata are, and its name, with the disks.
"""

from __future__ import annotations

from hvsdk.driver import FENCE_KEY, Capability, Deadline, DomainInfo, Steps, Task, errors, in_background, read_marks
from pyVmomi import vim

from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._extra_config import METADATA_PREFIX, TAGS_KEY, metadata_in
from hvsdk_vmware._fields import Values, options, text
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._making import is_lost, look_for
from hvsdk_vmware._names import shown
from hvsdk_vmware._snapshot_tree import TREE_PATHS, TreeReads, find

__all__ = ["RevertVerbs"]

_STATE, _NOTES, _EXTRA, _TEMPLATE = "runtime.powerState", "config.annotation", "config.extraConfig", "config.template"
_LABELS = ("name", _NOTES, _EXTRA)


class RevertVerbs(TreeReads, LabelVerbs):
    """`revert_snapshot`."""

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Go back. Once begun it comes to its end, whoever waits for it: what is written on the domain is not lost.

        A snapshot that somebody made of a suspended domain leaves it suspended; it is resumed then.
        """
        before = self.read_vm(native_id, (*TREE_PATHS, *_LABELS, _TEMPLATE), deadline).values
        find(before, native_id, snapshot_id)
        _refuse_fenced(before)
        return in_background(self._revert(native_id, snapshot_id, before, deadline))

    def _revert(self, native_id: str, snapshot_id: str, before: Values, deadline: Deadline) -> Steps[None]:
        back = self.snapshot(snapshot_id).Revert
        try:
            yield self.start_task(back, None, False, deadline=deadline, asking=native_id)
        except FAILURES as exc:
            rolled_back = look_for(lambda: self._rolled_back(native_id, before)) if is_lost(exc) else None
            if rolled_back is not None:
                yield from self._keep(native_id, before, rolled_back)
            raise
        try:
            now = self.read_vm(native_id, (*_LABELS, _STATE), self.soon()).values
            yield from self._keep(native_id, before, now)
        except FAILURES as exc:
            exc.add_note("hvsdk: the revert itself is done; what is written on the domain was rolled back with it")
            raise
        if text(now, _STATE) == "suspended":
            yield self.start_task(self.vm(native_id).PowerOn, deadline=self.soon(), asking=native_id)

    def _rolled_back(self, native_id: str, before: Values) -> Values | None:
        """Return what is written on the domain when it is not what was; `None` when it is."""
        now = self.read_vm(native_id, _LABELS, self.soon()).values
        same = all(text(before, path) == text(now, path) for path in ("name", _NOTES)) and _ours(before) == _ours(now)
        return None if same else now

    def _keep(self, native_id: str, before: Values, now: Values) -> Steps[None]:
        """Write again what was rolled back, and nothing that is as it was."""
        spec = vim.vm.ConfigSpec()
        if text(before, _NOTES) != text(now, _NOTES):
            spec.annotation = text(before, _NOTES)
        changes = _changes(_ours(before), _ours(now))
        spec.extraConfig = [vim.option.OptionValue(key=key, value=value) for key, value in changes.items()]
        if changes or spec.annotation is not None:
            yield self.start_task(self.vm(native_id).ReconfigVM_Task, spec, deadline=self.soon())
        if text(before, "name") != text(now, "name"):
            yield self.start_task(self.vm(native_id).Rename_Task, text(before, "name"), deadline=self.soon())


def _ours(values: Values) -> dict[str, str]:
    """Return the entries of `extraConfig` that a domain keeps: the others belong to its hardware."""
    return {
        key: value
        for key, value in options(values, _EXTRA)
        if value and (key.startswith(METADATA_PREFIX) or key == TAGS_KEY)
    }


def _changes(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    changes = dict.fromkeys((key for key in new if key not in old), "")
    return changes | {key: value for key, value in old.items() if new.get(key) != value}


def _refuse_fenced(values: Values) -> None:
    """Refuse for templates, in hvsdk's words for those that a fence made such."""
    if text(values, _TEMPLATE) != "true":
        return
    metadata = metadata_in(dict(options(values, _EXTRA)))
    mark = read_marks(metadata)["fenced"] if FENCE_KEY in metadata else None
    name = shown(text(values, "name"))
    if mark is not None:
        raise errors.PermissionDeniedError(
            f"revert is refused: {name!r} is fenced: {mark.reason}", hint="unfence() it when that no longer holds"
        )
    raise errors.UnsupportedError(
        f"revert_snapshot is not possible: {name!r} is a template", capability=Capability.REVERT_SNAPSHOT
    )
