"""Messages to the guest itself, most of which the product refuses."""

from collections.abc import Mapping

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import assert_state

_PLUGIN = "guest-agent-operation"
_FUNCTIONS = frozenset({"request-rdp-on", "request-rdp-off", "run-script"})


@message("VM.send_sysrq(VM ref vm, string key) -> void", role="pool-admin", since="1.1")
def send_sysrq(call: Call, vm: Object, key: str) -> None:
    """Refuse: the product has the message, but not what it stands for."""
    with operation(call, vm, "send_sysrq"):
        raise Failure("NOT_IMPLEMENTED", "send_sysrq")


@message("VM.send_trigger(VM ref vm, string trigger) -> void", role="pool-admin", since="1.1")
def send_trigger(call: Call, vm: Object, trigger: str) -> None:
    """Refuse: the product has the message, but not what it stands for."""
    with operation(call, vm, "send_trigger"):
        raise Failure("NOT_IMPLEMENTED", "send_trigger")


@message(
    "VM.call_plugin(VM ref vm, string plugin, string fn, (string -> string) map args) -> string",
    role="vm-operator",
    since="2.4",
)
def call_plugin(call: Call, vm: Object, plugin: str, fn: str, args: Mapping[str, str]) -> str:
    """Ask the guest's agent for something; the guests here have no agent that does it."""
    with operation(call, vm, "call_plugin"):
        if plugin != _PLUGIN:
            raise Failure("XENAPI_MISSING_PLUGIN", plugin)
        if fn not in _FUNCTIONS:
            text = f'The requested fn "{fn}" could not be found in plugin "{plugin}".'
            raise Failure("XENAPI_PLUGIN_FAILURE", "failed to find fn", text, text)
        if fn == "run-script":
            raise Failure("FEATURE_RESTRICTED")
        text = f'The requested fn "{fn}" of plugin "{plugin}" could not be executed for lack of guest agent control feature.'
        raise Failure("XENAPI_PLUGIN_FAILURE", "failed to execute fn", text, text)


@message("VM.query_services(VM ref self) -> (string -> string) map", role="pool-admin", since="1.10")
def query_services(call: Call, self: Object) -> Mapping[str, str]:
    """The services that a system domain offers: none."""
    with operation(call, self, "query_services"):
        return {}


@message("VM.get_boot_record(VM ref self) -> VM record", since="1.1")
def get_boot_record(call: Call, self: Object) -> Object:
    """The record that the VM was booted with, which is its record: the product no longer keeps another."""
    with operation(call, self, "get_boot_record"):
        return self


@message(
    "VM.call_host_plugin(VM ref vm, string plugin, string fn, (string -> string) map args) -> string",
    role="vm-operator",
    since="2.23",
)
def call_host_plugin(call: Call, vm: Object, plugin: str, fn: str, args: Mapping[str, str]) -> str:
    """Run a plugin of the VM's host; the hosts here have none."""
    assert_state(vm, states.RUNNING)
    raise Failure("XENAPI_MISSING_PLUGIN", plugin)


@message("VM.sysprep(VM ref self, string unattend, float timeout) -> void", role="vm-admin", since="2.23")
def sysprep(call: Call, self: Object, unattend: str, timeout: float) -> None:
    """Let a Windows guest forget who it is; the guests here have no agent that does it."""
    with operation(call, self, "sysprep"):
        raise Failure("SYSPREP", self.ref, "VM has no feature-sysprep")


@message("VM.restart_device_models(VM ref self) -> void", role="vm-power-admin", since="2.21")
def restart_device_models(call: Call, self: Object) -> None:
    """Give a running VM new device models, as a move to the host that it is on does."""
    with operation(call, self, "pool_migrate"):
        call.world.db.update(self, requires_reboot=False)
