"""Which of hvsdk's errors each of XAPI's codes is. A code of which nothing here tells is an `OperationFailedError`."""

from __future__ import annotations

import re
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
    (errors.DiskNotFoundError, "VBD_MISSING VM_NO_EMPTY_CD_VBD"),
    (
        errors.AlreadyExistsError,
        "DB_UNIQUENESS_CONSTRAINT_VIOLATION DUPLICATE_VM DEVICE_ALREADY_EXISTS VM_DUPLICATE_VBD_DEVICE SR_UUID_EXISTS "
        "PBD_EXISTS MAP_DUPLICATE_KEY DOMAIN_EXISTS LOCATION_NOT_UNIQUE MAC_STILL_EXISTS DUPLICATE_MAC_SEED "
        "BRIDGE_NAME_EXISTS",
    ),
    (
        errors.PowerStateError,
        "VM_BAD_POWER_STATE OPERATION_NOT_ALLOWED VM_IS_TEMPLATE VM_IS_SNAPSHOT VM_IS_PROTECTED HOST_DISABLED "
        "HOST_NOT_DISABLED SR_HAS_PBD SR_NOT_EMPTY DEVICE_ALREADY_ATTACHED DEVICE_ALREADY_DETACHED VM_HALTED VM_CRASHED",
    ),
    (errors.PermissionDeniedError, "OPERATION_BLOCKED VM_CANNOT_DELETE_DEFAULT_TEMPLATE SR_INDESTRUCTIBLE"),
    (
        errors.GuestAgentError,
        "VM_MISSING_PV_DRIVERS VM_LACKS_FEATURE VM_LACKS_FEATURE_SHUTDOWN VM_LACKS_FEATURE_SUSPEND "
        "VM_LACKS_FEATURE_VCPU_HOTPLUG VM_LACKS_FEATURE_STATIC_IP_SETTING VM_OLD_PV_DRIVERS "
        "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT VM_FAILED_SUSPEND_ACKNOWLEDGMENT VMS_FAILED_TO_COOPERATE "
        "VM_SNAPSHOT_WITH_QUIESCE_PLUGIN_DEOS_NOT_RESPOND XEN_VSS_REQ_ERROR_PROV_NOT_LOADED",
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
        "HOST_IN_EMERGENCY_MODE HOST_IS_SLAVE HOST_HAS_NO_MANAGEMENT_IP HOST_MASTER_CANNOT_TALK_BACK HOST_UNKNOWN_TO_MASTER",
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
        "MESSAGE_DEPRECATED FEATURE_REQUIRES_HVM VM_IS_IMMOBILE VM_NON_SUSPENDABLE VM_HAS_PCI_ATTACHED VM_HAS_VGPU "
        "VM_HAS_SRIOV_VIF VM_HAS_VUSBS VM_IS_USING_NESTED_VIRT VGPU_SUSPENSION_NOT_SUPPORTED SR_UNKNOWN_DRIVER "
        "VM_HOST_INCOMPATIBLE_VERSION_MIGRATE VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION "
        "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION VDI_INCOMPATIBLE_TYPE "
        "VDI_IS_A_PHYSICAL_DEVICE BALLOONING_DISABLED VBD_NOT_UNPLUGGABLE XENAPI_MISSING_PLUGIN SR_NOT_SHARABLE",
    ),
    (
        errors.BusyError,
        "OTHER_OPERATION_IN_PROGRESS VDI_IN_USE VIF_IN_USE HOST_IN_USE SR_DEVICE_IN_USE TOO_BUSY TOO_MANY_PENDING_TASKS "
        "DEVICE_DETACH_REJECTED SR_VDI_LOCKING_FAILED VBD_TRAY_LOCKED VM_CALL_PLUGIN_RATE_LIMIT TOO_MANY_STORAGE_MIGRATES",
    ),
    (
        errors.InsufficientResourcesError,
        "HOST_NOT_ENOUGH_FREE_MEMORY HOST_NOT_ENOUGH_PCPUS NO_HOSTS_AVAILABLE SR_FULL OUT_OF_SPACE "
        "SR_SOURCE_SPACE_INSUFFICIENT SR_SUSPEND_SPACE_INSUFFICIENT PROVISION_FAILED_OUT_OF_SPACE "
        "VM_HAS_TOO_MANY_SNAPSHOTS PGPU_INSUFFICIENT_CAPACITY_FOR_VGPU SR_BACKEND_FAILURE_44 "
        "VM_REQUIRES_SR VM_REQUIRES_NETWORK VM_REQUIRES_GPU VM_REQUIRES_IOMMU VM_REQUIRES_VGPU VM_REQUIRES_VDI "
        "VM_REQUIRES_VUSB VM_INCOMPATIBLE_WITH_THIS_HOST SR_HAS_NO_PBDS HOST_CANNOT_SEE_SR HOST_CANNOT_ATTACH_NETWORK "
        "NO_LOCAL_STORAGE VM_NO_SUSPEND_SR VM_PCI_BUS_FULL GPU_GROUP_CONTAINS_NO_PGPUS TOO_MANY_VUSBS "
        "VTPM_MAX_AMOUNT_REACHED NETWORK_SRIOV_INSUFFICIENT_CAPACITY",
    ),
    (
        errors.InvalidSpecError,
        "VDI_READONLY VDI_NOT_MANAGED NETWORK_UNMANAGED "
        "INVALID_VALUE VALUE_NOT_SUPPORTED FIELD_TYPE_ERROR MESSAGE_PARAMETER_COUNT_MISMATCH "
        "MEMORY_CONSTRAINT_VIOLATION VM_TOO_MANY_VCPUS VM_NO_VCPUS INVALID_DEVICE MAC_INVALID VDI_TOO_SMALL "
        "VDI_TOO_LARGE XMLRPC_UNMARSHAL_FAILURE VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE "
        "ILLEGAL_VBD_DEVICE DISK_VBD_MUST_BE_READWRITE_FOR_HVM VBD_CDS_MUST_BE_READONLY VBD_NOT_REMOVABLE_MEDIA "
        "VDI_IS_NOT_ISO VM_MEMORY_SIZE_TOO_LOW VLAN_TAG_INVALID HOST_NAME_INVALID UNKNOWN_BOOTLOADER",
    ),
    (errors.CancelledError, "TASK_CANCELLED"),
):
    TABLE.update(dict.fromkeys(_codes.split(), _error))

GUEST_NOT_YET: Final = frozenset(("VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", "VM_FAILED_SUSPEND_ACKNOWLEDGMENT"))
"""The guest has tools, and did not answer this time."""

PATTERNS: Final[tuple[tuple[re.Pattern[str], type[errors.HvsdkError]], ...]] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        ("_IN_PROGRESS$|_IN_USE(_|$)", errors.BusyError),
        ("^MEMORY_CONSTRAINT_VIOLATION|^INVALID_", errors.InvalidSpecError),
        ("_ALREADY_EXISTS$", errors.AlreadyExistsError),
        ("_NOT_FOUND$|_DOES_NOT_EXIST$", errors.NotFoundError),
        ("^LICEN[CS]E_|_PERMISSION_DENIED$|^NOT_ALLOWED_", errors.PermissionDeniedError),
        ("_OUT_OF_SPACE$|_SPACE_INSUFFICIENT$", errors.InsufficientResourcesError),
        ("_TIMEOUT(_|$)", errors.OperationTimeoutError),
        ("_NOT_SUPPORTED$|_NOT_IMPLEMENTED$", errors.UnsupportedError),
    )
)
"""What the words of a code that is not in the table tell."""

LASTING: Final = re.compile("_IN_USE(_|$)|^DEVICE_DETACH_REJECTED$")
"""What does not pass by itself."""

HINTS: Final[dict[str, str]] = {
    "OPERATION_BLOCKED": "somebody has blocked it on this object (its blocked_operations): ask who, and why",
    "VM_IS_TEMPLATE": "it is a template: clone() it",
    "SESSION_AUTHENTICATION_FAILED": "check the user's name (root, user@domain, DOMAIN\\user) and the password",
    "USER_MUST_CHANGE_PASSWORD": "the password has to be changed first, at the host's console",
    "RBAC_PERMISSION_DENIED": "ask for a role that includes it: see the pool's subjects and their roles",
    "LICENCE_RESTRICTION": "the pool's licence does not include it",
    "FEATURE_RESTRICTED": "the pool's licence does not include it",
    "NO_HOSTS_AVAILABLE": "no host of the pool can run it: see memory, storage, networks and disabled hosts",
    "HOST_NOT_ENOUGH_FREE_MEMORY": "stop something on that host, or start it elsewhere",
    "DEFAULT_SR_NOT_FOUND": "name a storage pool, or set the pool's default SR",
    "SR_BACKEND_FAILURE_44": "the storage pool is full",
    "DEVICE_DETACH_REJECTED": "the guest uses it: unmount it, or take it down, in the guest first",
    "SR_HAS_NO_PBDS": "no host has this storage plugged",
    "TASK_CANCELLED": "somebody cancelled the task at the pool",
    "HOST_OFFLINE": "see nodes(): one is down; once it is without power for certain, host.declare_dead frees its domains",
    "HOST_NOT_LIVE": "see nodes(): one is down; once it is without power for certain, host.declare_dead frees its domains",
    "CANNOT_CONTACT_HOST": "see whether all nodes() are up, and whether they reach each other",
    "TLS_CONNECTION_FAILED": "see whether all nodes() are up, and whether they accept each other's certificates",
    "HOST_STILL_BOOTING": "try again when the host's toolstack is up",
    "HOST_IN_EMERGENCY_MODE": "the member has lost its master: ask another member, or see the pool's state",
    "MESSAGE_METHOD_UNKNOWN": "this version of the product does not have it",
    "OTHER_OPERATION_IN_PROGRESS": "something else is being done to it; try again later",
}
"""What to do next, by code."""
