"""The order that a VM's memory and vCPU numbers must keep."""

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.units import MIB


def overhead(vm: Object) -> int:
    """Bytes the hypervisor needs beside the guest's own: one MiB per vCPU, one MiB per 128 of memory, and a base."""
    shadow = vm["memory_static_max"] // (128 * MIB) + vm["VCPUs_max"]
    return int(MIB * (shadow * max(1.0, vm["HVM_shadow_multiplier"]) + (2 if vm["HVM_boot_policy"] else 1)))


def assert_order(static_min: int, dynamic_min: int, dynamic_max: int, static_max: int) -> None:
    """Raise unless 0 <= static_min <= dynamic_min <= dynamic_max <= static_max."""
    if not 0 <= static_min <= dynamic_min <= dynamic_max <= static_max:
        raise Failure("MEMORY_CONSTRAINT_VIOLATION_ORDER")


def assert_valid_to_boot(vm: Object) -> None:
    """Raise when the numbers in the record are ones that no domain can be built from.

    A record may hold such numbers: creation does not look at them, only the start does.
    """
    if vm["VCPUs_max"] < 1:
        raise Failure("INVALID_VALUE", "VCPUs_max", str(vm["VCPUs_max"]))
    if vm["VCPUs_at_startup"] < 1:
        raise Failure("INVALID_VALUE", "VCPUs-at-startup", str(vm["VCPUs_at_startup"]))
    if vm["VCPUs_at_startup"] > vm["VCPUs_max"]:
        count = str(vm["VCPUs_at_startup"])
        raise Failure("VALUE_NOT_SUPPORTED", "VCPUs-at-startup", count, "value greater than VCPUs-max")
    if vm["memory_static_min"] > vm["memory_static_max"]:
        raise Failure("MEMORY_CONSTRAINT_VIOLATION", "static_min is above static_max")
    _assert_dynamic_range_fits(vm)
    if vm["HVM_shadow_multiplier"] < 1.0:
        raise Failure("INVALID_VALUE", "HVM_shadow_multiplier", str(vm["HVM_shadow_multiplier"]))


def _assert_dynamic_range_fits(vm: Object) -> None:
    within = vm["memory_static_min"] <= vm["memory_dynamic_min"] <= vm["memory_dynamic_max"] <= vm["memory_static_max"]
    if not within:
        raise Failure("MEMORY_CONSTRAINT_VIOLATION", "the dynamic range is not within the static one")
