"""How a VM boots, and what its firmware tells the guest."""

from collections.abc import Mapping

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import assert_state

BIOS_ORDER = "BIOS order"

GENERIC_STRINGS = {
    "bios-vendor": "Xen",
    "bios-version": "",
    "system-manufacturer": "Xen",
    "system-product-name": "HVM domU",
    "system-version": "",
    "system-serial-number": "",
    "baseboard-manufacturer": "",
    "baseboard-product-name": "",
    "baseboard-version": "",
    "baseboard-serial-number": "",
    "baseboard-asset-tag": "",
    "baseboard-location-in-chassis": "",
    "enclosure-asset-tag": "",
    "hp-rombios": "",
    "oem-1": "Xen",
    "oem-2": "MS_VM_CERT/SHA1/bdbeb6e0a816d43fa6d3fe8aaef04c2bad9d3e3d",
}
_SETTABLE_STRINGS = frozenset(name for name in GENERIC_STRINGS if not name.startswith(("oem-", "hp-")))
_LONGEST_STRING = 512
_VARIABLES = "EFI-variables"
_KEYS_OF_THE_POOL = "UEsgS0VLIGRiIGRieA=="


@message("VM.set_HVM_boot_policy(VM ref self, string value) -> void", role="vm-admin", since="1.1")
def set_boot_policy(call: Call, self: Object, value: str) -> None:
    """Say whether the VM has a firmware (any text) or is paravirtual (none); `domain_type` follows."""
    call.world.db.update(self, HVM_boot_policy=value, domain_type="hvm" if value else "pv")


@message("VM.set_domain_type(VM ref self, enum domain_type value) -> void", role="vm-admin", since="2.10")
def set_domain_type(call: Call, self: Object, value: str) -> None:
    """Say as what the VM boots; `HVM_boot_policy` follows."""
    if value == "unspecified":
        value = "hvm" if self["HVM_boot_policy"] else "pv"
    call.world.db.update(self, domain_type=value, HVM_boot_policy=BIOS_ORDER if value == "hvm" else "")


@message("VM.set_HVM_shadow_multiplier(VM ref self, float value) -> void", role="vm-power-admin", since="1.7")
def set_shadow_multiplier(call: Call, self: Object, value: float) -> None:
    """Set by how much more shadow memory the VM gets than it is computed to need."""
    with operation(call, self, "changing_shadow_memory"):
        _set_multiplier(call, self, value)


@message("VM.set_shadow_multiplier_live(VM ref self, float multiplier) -> void", role="vm-power-admin", since="1.1")
def set_shadow_multiplier_live(call: Call, self: Object, multiplier: float) -> None:
    """The same while the VM runs."""
    with operation(call, self, "changing_shadow_memory_live"):
        _set_multiplier(call, self, multiplier)


@message("VM.set_bios_strings(VM ref self, (string -> string) map value) -> void", role="vm-admin", since="2.8")
def set_bios_strings(call: Call, self: Object, value: Mapping[str, str]) -> None:
    """Set what the firmware tells the guest of its maker, once."""
    _assert_no_strings(self)
    for name, text in value.items():
        if name not in _SETTABLE_STRINGS:
            raise Failure("INVALID_VALUE", name, "Unknown key")
        if not text or len(text) > _LONGEST_STRING or not text.isprintable() or not text.isascii():
            raise Failure("INVALID_VALUE", name, text)
    call.world.db.update(self, bios_strings=GENERIC_STRINGS | dict(value))


@message("VM.copy_bios_strings(VM ref vm, host ref host) -> void", role="vm-admin", since="1.7")
def copy_bios_strings(call: Call, vm: Object, host: Object) -> None:
    """Let the VM's firmware tell what the host's tells, once."""
    _assert_no_strings(vm)
    call.world.db.update(vm, bios_strings=GENERIC_STRINGS | dict(host["bios_strings"]))


@message("VM.set_has_vendor_device(VM ref self, bool value) -> void", role="vm-admin", since="2.5")
def set_has_vendor_device(call: Call, self: Object, value: bool) -> None:
    """Show the guest the device by which Windows finds its drivers, or not; only while it is off."""
    assert_state(self, states.HALTED)
    version = max(2, self["hardware_platform_version"]) if value else self["hardware_platform_version"]
    call.world.db.update(self, has_vendor_device=value, hardware_platform_version=version)


@message("VM.set_actions_after_crash(VM ref self, enum on_crash_behaviour value) -> void", role="vm-admin", since="1.1")
def set_actions_after_crash(call: Call, self: Object, value: str) -> None:
    """Say what is done when the guest crashes."""
    call.world.db.update(self, actions_after_crash=value)


@message("VM.set_uefi_mode(VM ref self, enum vm_uefi_mode mode) -> string", role="pool-admin", since="2.21")
def set_uefi_mode(call: Call, self: Object, mode: str) -> str:
    """Let the firmware of a VM take new keys at its next boot, or take the pool's keys now."""
    if not _is_uefi(self):
        raise Failure("INVALID_VALUE", "mode", mode)
    with operation(call, self, "changing_NVRAM"):
        kept = {name: text for name, text in self["NVRAM"].items() if name != _VARIABLES}
        call.world.db.update(self, NVRAM=kept if mode == "setup" else kept | {_VARIABLES: _KEYS_OF_THE_POOL})
    return ""


@message("VM.get_secureboot_readiness(VM ref self) -> enum vm_secureboot_readiness", role="pool-admin", since="2.21")
def get_secureboot_readiness(call: Call, self: Object) -> str:
    """Whether the VM would boot with Secure Boot."""
    if not _is_uefi(self):
        return "not_supported"
    if self["platform"].get("secureboot") not in ("true", "auto"):
        return "disabled"
    if not self["NVRAM"]:
        return "first_boot"
    return "ready" if _VARIABLES in self["NVRAM"] else "setup_mode"


@message("VM.update_secureboot_certificates_on_boot(VM ref self, bool mark) -> void", role="vm-admin", since="2.23")
def update_secureboot_certificates(call: Call, self: Object, mark: bool) -> None:
    """Let a VM with UEFI take the pool's newest keys at its next boot; they are the newest here."""
    if not _is_uefi(self):
        raise Failure("OPERATION_NOT_ALLOWED", "The VM has no UEFI firmware")


def _is_uefi(vm: Object) -> bool:
    return bool(vm["HVM_boot_params"].get("firmware") == "uefi")


def _set_multiplier(call: Call, vm: Object, value: float) -> None:
    if value < 1.0:
        raise Failure("INVALID_VALUE", "multiplier", str(value))
    call.world.db.update(vm, HVM_shadow_multiplier=value)
    call.world.db.update(vm, memory_overhead=overhead(vm))


def _assert_no_strings(vm: Object) -> None:
    if vm["bios_strings"]:
        raise Failure("VM_BIOS_STRINGS_ALREADY_SET")
