"""Which of hvsdk's errors each of XAPI's codes is. A code that is not here is an `OperationFailedError`."""

from __future__ import annotations

from typing import Final

from hvsdk.driver import errors

__all__ = ["GUEST_NOT_YET", "HINTS", "LASTING", "TABLE"]

TABLE: Final[dict[str, type[errors.HvsdkError]]] = {}
for _error, _codes in (
    (
        errors.NotFoundError,
        "HANDLE_INVALID UUID_INVALID OBJECT_NOLONGER_EXISTS CERTIFICATE_DOES_NOT_EXIST ROLE_NOT_FOUND",
    ),
    (errors.VolumeNotFoundError, "VDI_MISSING VDI_LOCATION_MISSING"),
    (errors.StoragePoolNotFoundError, "DEFAULT_SR_NOT_FOUND"),
    (
        errors.AlreadyExistsError,
        "DB_UNIQUENESS_CONSTRAINT_VIOLATION DUPLICATE_VM DEVICE_ALREADY_EXISTS VM_DUPLICATE_VBD_DEVICE SR_UUID_EXISTS "
        "PBD_EXISTS MAP_DUPLICATE_KEY DOMAIN_EXISTS LOCATION_NOT_UNIQUE MAC_STILL_EXISTS",
    ),
    (
        errors.PowerStateError,
        "VM_BAD_POWER_STATE OPERATION_NOT_ALLOWED VM_IS_TEMPLATE VM_IS_SNAPSHOT VM_IS_PROTECTED HOST_DISABLED "
        "HOST_NOT_DISABLED SR_HAS_PBD SR_NOT_EMPTY DEVICE_ALREADY_ATTACHED DEVICE_ALREADY_DETACHED VM_HALTED VM_CRASHED",
    ),
    (errors.PermissionDeniedError, "OPERATION_BLOCKED"),
    (
        errors.GuestAgentError,
        "VM_MISSING_PV_DRIVERS VM_LACKS_FEATURE VM_LACKS_FEATURE_SHUTDOWN VM_LACKS_FEATURE_SUSPEND "
        "VM_LACKS_FEATURE_VCPU_HOTPLUG VM_LACKS_FEATURE_STATIC_IP_SETTING VM_OLD_PV_DRIVERS "
        "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT VM_FAILED_SUSPEND_ACKNOWLEDGMENT",
    ),
    (
        errors.AuthenticationError,
        "SESSION_AUTHENTICATION_FAILED SESSION_INVALID AUTH_SERVICE_ERROR USER_IS_NOT_LOCAL_SUPERUSER "
        "HOST_USER_REQUIRED USER_MUST_CHANGE_PASSWORD",
    ),
    (
        errors.PermissionDeniedError,
        "RBAC_PERMISSION_DENIED PERMISSION_DENIED SESSION_AUTHORIZATION_FAILED LICENCE_RESTRICTION FEATURE_RESTRICTED",
    ),
    (
        errors.ConnectionLostError,
        "CANNOT_CONTACT_HOST HOST_OFFLINE HOST_NOT_LIVE TLS_CONNECTION_FAILED HOST_STILL_BOOTING "
        "HOST_IN_EMERGENCY_MODE HOST_IS_SLAVE",
    ),
    (
        errors.OperationTimeoutError,
        "VM_SHUTDOWN_TIMEOUT VM_SUSPEND_TIMEOUT DEVICE_ATTACH_TIMEOUT DEVICE_DETACH_TIMEOUT "
        "VM_MEMORY_TARGET_WAIT_TIMEOUT",
    ),
    (
        errors.UnsupportedError,
        "MESSAGE_METHOD_UNKNOWN MESSAGE_REMOVED NOT_IMPLEMENTED SR_OPERATION_NOT_SUPPORTED UNIMPLEMENTED_IN_SM_BACKEND "
        "VM_HVM_REQUIRED NOT_SUPPORTED_DURING_UPGRADE VM_HOST_INCOMPATIBLE_VERSION SR_DOES_NOT_SUPPORT_MIGRATION "
        "MESSAGE_DEPRECATED",
    ),
    (
        errors.BusyError,
        "OTHER_OPERATION_IN_PROGRESS VDI_IN_USE VIF_IN_USE HOST_IN_USE SR_DEVICE_IN_USE TOO_BUSY TOO_MANY_PENDING_TASKS "
        "SR_VDI_LOCKING_FAILED",
    ),
    (
        errors.InsufficientResourcesError,
        "HOST_NOT_ENOUGH_FREE_MEMORY HOST_NOT_ENOUGH_PCPUS NO_HOSTS_AVAILABLE SR_FULL OUT_OF_SPACE "
        "SR_SOURCE_SPACE_INSUFFICIENT SR_SUSPEND_SPACE_INSUFFICIENT PROVISION_FAILED_OUT_OF_SPACE "
        "VM_HAS_TOO_MANY_SNAPSHOTS PGPU_INSUFFICIENT_CAPACITY_FOR_VGPU SR_BACKEND_FAILURE_44",
    ),
    (
        errors.InvalidSpecError,
        "INVALID_VALUE VALUE_NOT_SUPPORTED FIELD_TYPE_ERROR MESSAGE_PARAMETER_COUNT_MISMATCH "
        "MEMORY_CONSTRAINT_VIOLATION VM_TOO_MANY_VCPUS VM_NO_VCPUS INVALID_DEVICE MAC_INVALID VDI_TOO_SMALL "
        "VDI_TOO_LARGE XMLRPC_UNMARSHAL_FAILURE VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE",
    ),
    (errors.CancelledError, "TASK_CANCELLED"),
):
    TABLE.update(dict.fromkeys(_codes.split(), _error))

GUEST_NOT_YET: Final = frozenset(("VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", "VM_FAILED_SUSPEND_ACKNOWLEDGMENT"))
"""The guest has tools, and did not answer this time."""

LASTING: Final = frozenset(("VDI_IN_USE", "VIF_IN_USE", "SR_DEVICE_IN_USE", "HOST_IN_USE"))
"""What does not pass by itself."""

HINTS: Final[dict[str, str]] = {
    "OPERATION_BLOCKED": "somebody has blocked it on this object (VM.blocked_operations); if hvsdk did: unfence()",
    "VM_IS_TEMPLATE": "it is a template: clone() it",
    "VM_MISSING_PV_DRIVERS": "install the XenServer tools (xe-guest-utilities) in the guest",
    "VM_LACKS_FEATURE": "install the XenServer tools (xe-guest-utilities) in the guest, or wait until they run",
    "SESSION_AUTHENTICATION_FAILED": "check the user's name (root, user@domain, DOMAIN\\user) and the password",
    "USER_MUST_CHANGE_PASSWORD": "the password has to be changed first, at the host's console",
    "RBAC_PERMISSION_DENIED": "the user's role does not include it; most verbs need vm-admin, some pool-operator",
    "LICENCE_RESTRICTION": "the pool's licence does not include it",
    "FEATURE_RESTRICTED": "the pool's licence does not include it",
    "NO_HOSTS_AVAILABLE": "no host of the pool can run it: see memory, storage, networks and disabled hosts",
    "HOST_NOT_ENOUGH_FREE_MEMORY": "stop something on that host, or start it elsewhere",
    "DEFAULT_SR_NOT_FOUND": "name a storage pool, or set the pool's default SR",
    "SR_BACKEND_FAILURE_44": "the storage pool is full",
    "TASK_CANCELLED": "somebody cancelled the task at the pool",
    "HOST_STILL_BOOTING": "try again when the host's toolstack is up",
    "HOST_IN_EMERGENCY_MODE": "the member has lost its master: ask another member, or see the pool's state",
    "MESSAGE_METHOD_UNKNOWN": "this version of the product does not have it",
    "OTHER_OPERATION_IN_PROGRESS": "something else is being done to it; try again later",
}
"""What to do next, by code."""
