"""A VM's record read into what the rules look at, and the fields that follow from the rules."""

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.vm import rules, states
from hvsdk_simulators.xapi.vm.rules import Situation
from hvsdk_simulators.xapi.world import World

DEFAULT_TEMPLATE = "default_template"
"""Key of `other_config` by which products before the field `is_default_template` mark their templates."""

_FEATURE = "feature-"
_PARAVIRTUAL = frozenset({"pv", "pv_in_pvh", "pvh"})


def situation(world: World, vm: Object) -> Situation:
    """What decides which operations the VM takes."""
    resets, caches = _disks_that_reset(world, vm)
    guest = _guest_metrics(world, vm)
    told: dict[str, str] = guest["other"] if guest else {}
    return Situation(
        api=world.options.api,
        power_state=vm["power_state"],
        template=vm["is_a_template"],
        default_template=is_default_template(vm),
        snapshot=vm["is_a_snapshot"],
        control_domain=vm["is_control_domain"],
        dom0=is_dom0(vm),
        system_domain=_is_true(vm["other_config"].get("is_system_domain")),
        blocked=tuple(vm["blocked_operations"].items()),
        current=tuple(vm["current_operations"].items()),
        booted_pv=_domain_type_now(world, vm) in _PARAVIRTUAL,
        pv_drivers=bool(guest and guest["PV_drivers_version"]),
        features=frozenset(key for key, value in told.items() if key.startswith(_FEATURE) and value == "1"),
        cant_suspend=told.get("data-cant-suspend-reason", ""),
        immobile=_is_true(vm["platform"].get("nomigrate")) or _is_true(vm["platform"].get("nested-virt")),
        nested_virt=_is_true(vm["platform"].get("nested-virt")),
        resets_on_boot=resets,
        caches_reset=caches,
        pcis=bool(vm["attached_PCIs"]),
        vgpus=bool(vm["VGPUs"]),
        vusbs=bool(vm["VUSBs"]),
        vtpms=len(vm["VTPMs"]),
        appliance="" if vm["appliance"] == NULL else vm["appliance"],
        schedule="" if vm["snapshot_schedule"] == NULL else vm["snapshot_schedule"],
    )


def refusal(world: World, vm: Object, op: str, *, strict: bool = True) -> Failure | None:
    """The error that the product answers to the operation now, or None when it may begin."""
    found = rules.refusal(situation(world, vm), op, strict=strict)
    if found is None:
        return None
    code, *parameters = found
    return Failure(code, *(vm.ref if text == rules.SELF else text for text in parameters))


def assert_allowed(world: World, vm: Object, op: str, *, strict: bool = True) -> None:
    """Raise the error that the product answers when the operation may not begin now."""
    if (failure := refusal(world, vm, op, strict=strict)) is not None:
        raise failure


def assert_state(vm: Object, *expected: str) -> None:
    """Raise when the VM is not in one of these power states."""
    if vm["power_state"] not in expected:
        names = [name for name in states.ALL_STATES if name in expected]
        raise Failure("VM_BAD_POWER_STATE", vm.ref, ", ".join(names).lower(), vm["power_state"].lower())


def allowed_operations(world: World, vm: Object) -> list[str]:
    """The field of this name."""
    return list(rules.allowed(situation(world, vm)))


def is_default_template(vm: Object) -> bool:
    """Whether the VM is one of the templates that came with the product."""
    return bool(vm["is_default_template"]) or _is_true(vm["other_config"].get(DEFAULT_TEMPLATE))


def is_dom0(vm: Object) -> bool:
    """Whether this is a host's own domain, not just one that serves the pool."""
    return bool(vm["is_control_domain"]) and vm["domid"] == 0


def _domain_type_now(world: World, vm: Object) -> str:
    """What the domain was booted as; before the field existed, what it is set to boot as."""
    metrics = world.db.lookup("VM_metrics", vm["metrics"])
    booted: str = metrics["current_domain_type"] if metrics else "unspecified"
    if booted != "unspecified" or vm["power_state"] == states.HALTED:
        return booted
    return "hvm" if vm["HVM_boot_policy"] else "pv"


def _guest_metrics(world: World, vm: Object) -> Object | None:
    return world.db.lookup("VM_guest_metrics", vm["guest_metrics"])


def _disks_that_reset(world: World, vm: Object) -> tuple[bool, bool]:
    resets = caches = False
    for ref in vm["VBDs"]:
        vbd = world.db.lookup("VBD", ref)
        vdi = world.db.lookup("VDI", vbd["VDI"]) if vbd else None
        if vdi is not None and vdi["on_boot"] == "reset":
            resets, caches = True, caches or bool(vdi["allow_caching"])
    return resets, caches


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() in ("1", "true")
