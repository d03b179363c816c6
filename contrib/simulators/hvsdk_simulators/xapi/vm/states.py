"""What may be done with a VM in which power state, and which operations may run side by side.

Tables only: the order of checks, and the answers, are in `rules`.
"""

HALTED = "Halted"
PAUSED = "Paused"
RUNNING = "Running"
SUSPENDED = "Suspended"

ALL_STATES = (HALTED, PAUSED, SUSPENDED, RUNNING)

_BY_STATES: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("import",),
    (HALTED,): (
        "changing_VCPUs",
        "changing_static_range",
        "changing_memory_limits",
        "changing_shadow_memory",
        "changing_NVRAM",
        "make_into_template",
        "provision",
        "start",
        "start_on",
        "clone",
        "copy",
        "create_vtpm",
    ),
    (PAUSED,): ("unpause",),
    (SUSPENDED,): ("csvm", "resume", "resume_on"),
    (RUNNING,): (
        "awaiting_memory_live",
        "call_plugin",
        "clean_reboot",
        "clean_shutdown",
        "changing_memory_live",
        "changing_shadow_memory_live",
        "changing_VCPUs_live",
        "data_source_op",
        "pause",
        "pool_migrate",
        "send_sysrq",
        "send_trigger",
        "snapshot_with_quiesce",
        "suspend",
        "sysprep",
    ),
    (HALTED, RUNNING): ("changing_dynamic_range",),
    (HALTED, SUSPENDED): ("create_template", "destroy", "export"),
    (PAUSED, RUNNING): ("hard_reboot",),
    (PAUSED, SUSPENDED, RUNNING): ("checkpoint", "get_boot_record", "shutdown", "hard_shutdown"),
    (HALTED, SUSPENDED, RUNNING): ("migrate_send",),
    ALL_STATES: (
        "assert_operation_valid",
        "metadata_export",
        "power_state_reset",
        "revert",
        "reverting",
        "snapshot",
        "update_allowed_operations",
        "query_services",
    ),
}

STATES: dict[str, tuple[str, ...]] = {op: states for states, ops in _BY_STATES.items() for op in ops}
"""Operation → the power states it may begin in, in the order in which an error names them."""

LIVE_ON_CONTROL_DOMAIN = frozenset({"changing_VCPUs", "changing_static_range", "changing_memory_limits"})
"""Changes that a running control domain takes too; they count from its next boot on."""

ADVERTISED: tuple[tuple[str, tuple[int, int]], ...] = (
    ("sysprep", (2, 23)),
    ("create_vtpm", (2, 22)),
    ("changing_NVRAM", (2, 12)),
    ("changing_dynamic_range", (1, 7)),
    ("changing_shadow_memory", (1, 7)),
    ("changing_static_range", (1, 7)),
    ("make_into_template", (1, 1)),
    ("migrate_send", (1, 10)),
    ("pool_migrate", (1, 1)),
    ("changing_VCPUs_live", (1, 1)),
    ("provision", (1, 1)),
    ("destroy", (1, 1)),
    ("export", (1, 1)),
    ("metadata_export", (2, 22)),
    ("resume_on", (1, 1)),
    ("resume", (1, 1)),
    ("suspend", (1, 1)),
    ("hard_reboot", (1, 1)),
    ("hard_shutdown", (1, 1)),
    ("clean_reboot", (1, 1)),
    ("clean_shutdown", (1, 1)),
    ("unpause", (1, 1)),
    ("pause", (1, 1)),
    ("start_on", (1, 1)),
    ("start", (1, 1)),
    ("snapshot_with_quiesce", (1, 3)),
    ("checkpoint", (1, 7)),
    ("revert", (1, 3)),
    ("clone", (1, 1)),
    ("copy", (1, 1)),
    ("snapshot", (1, 3)),
)
"""What `allowed_operations` may list, in its order, and since which API it does. The other operations can be
done and blocked, but are not listed."""

ON_TEMPLATE = frozenset(
    {
        "changing_dynamic_range",
        "changing_static_range",
        "changing_memory_limits",
        "changing_shadow_memory",
        "changing_VCPUs",
        "changing_NVRAM",
        "clone",
        "copy",
        "export",
        "metadata_export",
        "provision",
    }
)
ON_CUSTOM_TEMPLATE = frozenset({"destroy", "migrate_send"})
"""More that may be done with a template which did not come with the product."""

ON_SNAPSHOT = frozenset({"revert", "clone", "copy", "export", "destroy", "hard_shutdown", "metadata_export"})

ON_CONTROL_DOMAIN = frozenset(
    {
        "data_source_op",
        "changing_memory_live",
        "awaiting_memory_live",
        "metadata_export",
        "changing_dynamic_range",
        "changing_memory_limits",
        "changing_static_range",
        "start",
        "start_on",
        "changing_VCPUs",
        "destroy",
    }
)
NEVER_ON_DOM0 = frozenset({"changing_VCPUs", "destroy"})

_TOGETHER = (
    frozenset({"clone", "copy", "export"}),
    frozenset({"get_boot_record"}),
    frozenset({"snapshot", "checkpoint"}),
)
_DURING: dict[tuple[str, ...], frozenset[str]] = {
    ("snapshot_with_quiesce",): frozenset({"snapshot"}),
    ("migrate_send",): frozenset({"metadata_export", "clean_shutdown", "clean_reboot"}),
}


def states_for(op: str, *, control_domain: bool, snapshot: bool, api: tuple[int, int]) -> tuple[str, ...]:
    """The power states in which an operation may begin on such a VM."""
    if op == "migrate_send" and api < (2, 3):
        return (RUNNING,)
    states = STATES[op]
    if op in LIVE_ON_CONTROL_DOMAIN and control_domain:
        return (*states, RUNNING)
    if op in ("clone", "copy") and snapshot:
        return (*states, SUSPENDED)
    return states


def may_join(op: str, running: tuple[str, ...]) -> bool:
    """Whether an operation may begin while others are under way on the same VM."""
    if not running:
        return True
    if any(op in group and group.issuperset(running) for group in _TOGETHER):
        return True
    if op == "hard_shutdown":
        return op not in running
    if op == "hard_reboot":
        return not {"hard_shutdown", "hard_reboot"}.intersection(running)
    return op in _DURING.get(running, ())
