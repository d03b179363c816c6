"""Setting memory, vCPUs, firmware and maps: what is refused, what it changes beside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.guest import ABSENT
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def test_all_memory_limits_are_set_at_once_in_order(pool: Pool) -> None:
    vm = pool.vm()
    pool.call("VM.set_memory_limits", vm, GIB, 4 * GIB, 2 * GIB, 3 * GIB)
    names = ("memory_static_min", "memory_dynamic_min", "memory_dynamic_max", "memory_static_max")
    assert [vm[name] for name in names] == [GIB, 2 * GIB, 3 * GIB, 4 * GIB]
    with refused("MEMORY_CONSTRAINT_VIOLATION_ORDER"):
        pool.call("VM.set_memory_limits", vm, 2 * GIB, 4 * GIB, GIB, 3 * GIB)
    assert [vm[name] for name in names] == [GIB, 2 * GIB, 3 * GIB, 4 * GIB]


def test_one_number_of_bytes_is_set_for_all_but_the_static_minimum(pool: Pool) -> None:
    vm = pool.vm()
    pool.call("VM.set_memory", vm, 2 * GIB)
    assert {vm[name] for name in ("memory_dynamic_min", "memory_dynamic_max", "memory_static_max")} == {2 * GIB}


def test_a_running_vm_takes_a_dynamic_range_within_its_static_one(pool: Pool) -> None:
    vm = pool.vm("Running")
    with refused("VM_BAD_POWER_STATE", vm.ref, "halted", "running"):
        pool.call("VM.set_memory_static_range", vm, GIB, 2 * GIB)
    with refused("MEMORY_CONSTRAINT_VIOLATION_ORDER"):
        pool.call("VM.set_memory_dynamic_range", vm, GIB, 2 * GIB)
    pool.call("VM.set_memory_dynamic_range", vm, GIB // 2, GIB // 2)
    assert pool.world.db.get("VM_metrics", vm["metrics"])["memory_actual"] == GIB // 2


def test_a_running_vm_does_not_grow_beyond_its_host(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.world.db.update(vm, memory_static_max=10**15)
    with refused("HOST_NOT_ENOUGH_FREE_MEMORY"):
        pool.call("VM.set_memory_dynamic_range", vm, 10**14, 10**15)


def test_the_most_memory_that_fits_leaves_room_for_the_overhead(pool: Pool) -> None:
    vm = pool.vm()
    most = pool.call("VM.maximise_memory", vm, 8 * GIB, False)
    assert 7 * GIB < most < 8 * GIB
    assert pool.call("VM.maximise_memory", vm, 8 * GIB, True) < most
    assert pool.call("VM.compute_memory_overhead", vm) == vm["memory_overhead"]


def test_vcpus_keep_their_order(pool: Pool) -> None:
    vm = pool.vm()
    with refused("INVALID_VALUE"):
        pool.call("VM.set_VCPUs_at_startup", vm, 4)
    pool.call("VM.set_VCPUs_max", vm, 4)
    pool.call("VM.set_VCPUs_at_startup", vm, 4)
    with refused("INVALID_VALUE"):
        pool.call("VM.set_VCPUs_max", vm, 2)
    with refused("INVALID_VALUE"):
        pool.call("VM.set_VCPUs_max", vm, 0)


def test_vcpus_are_plugged_into_a_guest_that_can_take_them(pool: Pool) -> None:
    vm = pool.vm("Running", vcpus=4, VCPUs_at_startup=1)
    pool.call("VM.set_VCPUs_number_live", vm, 3)
    assert pool.world.db.get("VM_metrics", vm["metrics"])["VCPUs_number"] == 3
    with refused("INVALID_VALUE"):
        pool.call("VM.set_VCPUs_number_live", vm, 5)
    dumb = pool.vm("Running", guest=Guest(tools=ABSENT))
    with refused("VM_LACKS_FEATURE", dumb.ref):
        pool.call("VM.set_VCPUs_number_live", dumb, 1)
    with refused("VM_BAD_POWER_STATE", vm.ref, "halted", "running"):
        pool.call("VM.set_VCPUs_max", vm, 8)


def test_domain_type_and_boot_policy_follow_each_other(pool: Pool) -> None:
    vm = pool.vm()
    pool.call("VM.set_domain_type", vm, "pv")
    assert vm["HVM_boot_policy"] == ""
    pool.call("VM.set_HVM_boot_policy", vm, "BIOS order")
    assert vm["domain_type"] == "hvm"


def test_bios_strings_are_set_once_and_checked(pool: Pool) -> None:
    vm = pool.vm(bios_strings={})
    with refused("INVALID_VALUE", "colour"):
        pool.call("VM.set_bios_strings", vm, {"colour": "blue"})
    with refused("INVALID_VALUE", "bios-vendor"):
        pool.call("VM.set_bios_strings", vm, {"bios-vendor": "x" * 513})
    pool.call("VM.set_bios_strings", vm, {"bios-vendor": "ACME"})
    assert vm["bios_strings"]["bios-vendor"] == "ACME"
    with refused("VM_BIOS_STRINGS_ALREADY_SET"):
        pool.call("VM.copy_bios_strings", vm, pool.hosts[0])


def test_a_key_that_is_there_is_not_added_again(pool: Pool) -> None:
    vm = pool.vm()
    for field, message in (("other_config", "VM.add_to_other_config"), ("platform", "VM.add_to_platform")):
        pool.call(message, vm, "key", "value")
        with refused("MAP_DUPLICATE_KEY", "VM", field, vm["uuid"], "key"):
            pool.call(message, vm, "key", "other")
    pool.call("VM.add_to_blocked_operations", vm, "start", "held")
    with refused("MAP_DUPLICATE_KEY", "VM", "blocked_operations", vm["uuid"], "start"):
        pool.call("VM.add_to_blocked_operations", vm, "start", "held")


def test_shadow_memory_is_at_least_what_is_needed(pool: Pool) -> None:
    vm = pool.vm()
    before = vm["memory_overhead"]
    pool.call("VM.set_HVM_shadow_multiplier", vm, 4.0)
    assert vm["memory_overhead"] > before
    with refused("INVALID_VALUE"):
        pool.call("VM.set_HVM_shadow_multiplier", vm, 0.5)


def test_nvram_changes_only_while_the_vm_is_off(pool: Pool) -> None:
    vm = pool.vm("Running")
    with refused("VM_BAD_POWER_STATE", vm.ref, "halted", "running"):
        pool.call("VM.set_NVRAM", vm, {"EFI-variables": "AA=="})
    pool.call("VM.hard_shutdown", vm)
    pool.call("VM.add_to_NVRAM", vm, "EFI-variables", "AA==")
    assert vm["NVRAM"] == {"EFI-variables": "AA=="}


def test_secure_boot_is_ready_once_the_firmware_has_keys(pool: Pool) -> None:
    bios, uefi = pool.vm(), pool.vm(HVM_boot_params={"firmware": "uefi"}, platform={"secureboot": "true"})
    assert pool.call("VM.get_secureboot_readiness", bios) == "not_supported"
    assert pool.call("VM.get_secureboot_readiness", uefi) == "first_boot"
    pool.call("VM.set_uefi_mode", uefi, "user")
    assert pool.call("VM.get_secureboot_readiness", uefi) == "ready"


def test_free_positions_are_those_without_a_device(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    free = pool.call("VM.get_allowed_VBD_devices", vm)
    assert (free[0], "3" in free, len(free)) == ("2", False, 252)
    assert pool.call("VM.get_allowed_VIF_devices", vm)[0] == "1"
    assert len(pool.call("VM.get_allowed_VBD_devices", pool.vm(paravirtual=True, disks=0))) == 15


def test_data_sources_have_values_while_the_vm_runs(pool: Pool) -> None:
    vm = pool.vm("Running")
    names = {source["name_label"] for source in pool.call("VM.get_data_sources", vm)}
    assert "cpu0" in names
    assert 0.0 <= pool.call("VM.query_data_source", vm, "cpu0") <= 1.0
    pool.call("VM.hard_shutdown", vm)
    with refused("VM_BAD_POWER_STATE", vm.ref, "paused, running", "halted"):
        pool.call("VM.query_data_source", vm, "cpu0")


def test_what_the_product_does_not_do_is_refused_as_it_refuses_it(pool: Pool) -> None:
    vm = pool.vm("Running")
    with refused("NOT_IMPLEMENTED", "send_sysrq"):
        pool.call("VM.send_sysrq", vm, "b")
    with refused("XENAPI_MISSING_PLUGIN", "mine"):
        pool.call("VM.call_plugin", vm, "mine", "fn", {})
    with refused("FEATURE_RESTRICTED"):
        pool.call("VM.call_plugin", vm, "guest-agent-operation", "run-script", {})
    with refused("NOT_SYSTEM_DOMAIN", vm.ref):
        pool.call("VM.query_services", vm)
    with refused("MESSAGE_REMOVED"):
        pool.call("VM.set_protection_policy", vm, None)
    with refused("XENAPI_MISSING_PLUGIN", "conversion"):
        pool.call("VM.import_convert", "vmware", "user", "secret", pool.shared, {})
