"""The checks before an operation on a VM, in the product's order, and what each answers when it refuses.

`Situation` holds all that the checks look at and is hashable, so VMs in the same situation share one computation of
`allowed_operations`: a pool of ten thousand has a few dozen situations.
"""

from collections.abc import Callable
from functools import lru_cache

import attrs

from hvsdk_simulators.xapi.vm import states

Refusal = tuple[str, ...]
"""Error code and its parameters; `SELF` stands for the VM's reference."""

SELF = "\0self"

_SUSPENDING = frozenset({"suspend", "checkpoint", "pool_migrate", "migrate_send"})
_SNAPSHOTTING = frozenset({"checkpoint", "snapshot", "suspend", "snapshot_with_quiesce"})


@attrs.frozen(kw_only=True)
class Situation:
    """Everything about one VM that decides what may be done with it."""

    api: tuple[int, int]
    power_state: str
    template: bool = False
    default_template: bool = False
    snapshot: bool = False
    control_domain: bool = False
    dom0: bool = False
    system_domain: bool = False
    blocked: tuple[tuple[str, str], ...] = ()
    current: tuple[tuple[str, str], ...] = ()
    booted_pv: bool = False
    pv_drivers: bool = False
    features: frozenset[str] = frozenset()
    cant_suspend: str = ""
    immobile: bool = False
    nested_virt: bool = False
    resets_on_boot: bool = False
    caches_reset: bool = False
    pcis: bool = False
    vgpus: bool = False
    vusbs: bool = False
    vtpms: int = 0
    appliance: str = ""
    schedule: str = ""


def refusal(now: Situation, op: str, *, strict: bool = True) -> Refusal | None:
    """The first reason against the operation, or None when it may begin.

    Args:
        now: The VM as it is.
        op: A value of the enumeration `vm_operations`.
        strict: Also ask that the guest says it can do its part. A forced migration does not.
    """
    return next((found for check in _CHECKS if (found := check(now, op, strict)) is not None), None)


@lru_cache(maxsize=4096)
def allowed(now: Situation) -> tuple[str, ...]:
    """The operations that `allowed_operations` lists in this situation."""
    return tuple(op for op, since in states.ADVERTISED if since <= now.api and refusal(now, op) is None)


def _blocked(now: Situation, op: str, _strict: bool) -> Refusal | None:
    for name, reason in now.blocked:
        if name == op:
            return ("OPERATION_BLOCKED", SELF, reason)
    return None


def _power_state(now: Situation, op: str, _strict: bool) -> Refusal | None:
    expected = states.states_for(op, control_domain=now.control_domain, snapshot=now.snapshot, api=now.api)
    if now.power_state in expected:
        return None
    return ("VM_BAD_POWER_STATE", SELF, ", ".join(expected).lower(), now.power_state.lower())


def _others_running(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if states.may_join(op, tuple(running for _, running in now.current)):
        return None
    tasks, running = (_one_or_set(names) for names in zip(*now.current, strict=True))
    if now.api >= (2, 22):
        return ("OTHER_OPERATION_IN_PROGRESS", "VM", SELF, running, tasks)
    return ("OTHER_OPERATION_IN_PROGRESS", f"VM.{running}", SELF)


def _one_or_set(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else "{" + ",".join(names) + "}"


def _template(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if not now.template or now.snapshot or op in states.ON_TEMPLATE:
        return None
    if op in states.ON_CUSTOM_TEMPLATE and not now.default_template:
        return None
    if op == "destroy":
        return ("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", SELF)
    return ("VM_IS_TEMPLATE", SELF, op)


def _snapshot(now: Situation, op: str, _strict: bool) -> Refusal | None:
    return ("VM_IS_SNAPSHOT", SELF, op) if now.snapshot and op not in states.ON_SNAPSHOT else None


def _provision(now: Situation, op: str, _strict: bool) -> Refusal | None:
    return ("PROVISION_ONLY_ALLOWED_ON_TEMPLATE",) if op == "provision" and not now.template else None


def _revert(now: Situation, op: str, _strict: bool) -> Refusal | None:
    return ("REVERT_ONLY_ALLOWED_ON_SNAPSHOT",) if op == "revert" and not now.snapshot else None


def _immobile(now: Situation, op: str, strict: bool) -> Refusal | None:
    return ("VM_IS_IMMOBILE", SELF) if strict and now.immobile and op in _SUSPENDING else None


def _nested_virt(now: Situation, op: str, strict: bool) -> Refusal | None:
    refused = op == "changing_dynamic_range" and strict and now.nested_virt
    return ("VM_IS_USING_NESTED_VIRT", SELF) if refused else None


def _control_domain(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if now.dom0 and op in states.NEVER_ON_DOM0:
        return ("OPERATION_NOT_ALLOWED", "This operation is not allowed on dom0")
    if now.control_domain and op not in states.ON_CONTROL_DOMAIN:
        return ("OPERATION_NOT_ALLOWED", "This operation is not allowed on a control domain")
    return None


def _guest(now: Situation, op: str, strict: bool) -> Refusal | None:
    if now.power_state != states.RUNNING or now.booted_pv:
        return None
    if now.api < (2, 4):
        needs_drivers = op in ("clean_shutdown", "clean_reboot", "changing_VCPUs_live")
        return ("VM_MISSING_PV_DRIVERS", SELF) if needs_drivers and not now.pv_drivers else None
    if op in _SUSPENDING and now.cant_suspend:
        return ("VM_NON_SUSPENDABLE", SELF, now.cant_suspend)
    if now.pv_drivers:
        return None
    wanted = _wanted_features(op, strict)
    return ("VM_LACKS_FEATURE", SELF) if wanted and not wanted & now.features else None


def _wanted_features(op: str, strict: bool) -> frozenset[str]:
    """The features of which the guest must have told at least one; empty when it takes none."""
    if op == "changing_VCPUs_live":
        return frozenset({"feature-vcpu-hotplug"})
    if not strict:
        return frozenset()
    if op == "clean_shutdown":
        return frozenset({"feature-shutdown", "feature-poweroff"})
    if op == "clean_reboot":
        return frozenset({"feature-shutdown", "feature-reboot"})
    return frozenset({"feature-suspend"}) if op in _SUSPENDING else frozenset()


def _quiesce(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if op != "snapshot_with_quiesce":
        return None
    able = now.api < (2, 14) and now.features & {"feature-quiesce", "feature-snapshot"}
    return None if able else ("VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", SELF, "VSS is not supported by this VM")


def _reset_on_boot(now: Situation, op: str, _strict: bool) -> Refusal | None:
    refused = (now.resets_on_boot and op in _SNAPSHOTTING) or (now.caches_reset and op == "pool_migrate")
    return ("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",) if refused else None


def _attached_hardware(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if now.pcis and op in _SUSPENDING:
        return ("VM_HAS_PCI_ATTACHED", SELF)
    if now.vgpus and op in _SUSPENDING and not _vgpu_at_rest(now, op):
        return ("VM_HAS_VGPU", SELF)
    if now.vusbs and op in (_SUSPENDING | {"snapshot"}):
        return ("VM_HAS_VUSBS", SELF)
    return None


def _vgpu_at_rest(now: Situation, op: str) -> bool:
    """Whether the vGPU has no state that the operation would have to carry along."""
    return (op, now.power_state) in {("migrate_send", states.HALTED), ("checkpoint", states.SUSPENDED)}


def _memberships(now: Situation, op: str, _strict: bool) -> Refusal | None:
    if op != "make_into_template":
        return None
    if now.appliance:
        return ("VM_IS_PART_OF_AN_APPLIANCE", SELF, now.appliance)
    return ("VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE", SELF, now.schedule) if now.schedule else None


def _system_domain(now: Situation, op: str, _strict: bool) -> Refusal | None:
    return ("NOT_SYSTEM_DOMAIN", SELF) if op == "query_services" and not now.system_domain else None


def _one_vtpm(now: Situation, op: str, _strict: bool) -> Refusal | None:
    return ("VTPM_MAX_AMOUNT_REACHED", str(now.vtpms)) if op == "create_vtpm" and now.vtpms else None


_CHECKS: tuple[Callable[[Situation, str, bool], Refusal | None], ...] = (
    _blocked,
    _power_state,
    _others_running,
    _template,
    _snapshot,
    _provision,
    _revert,
    _immobile,
    _nested_virt,
    _control_domain,
    _guest,
    _quiesce,
    _reset_on_boot,
    _attached_hardware,
    _memberships,
    _system_domain,
    _one_vtpm,
)
