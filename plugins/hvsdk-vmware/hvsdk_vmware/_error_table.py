"""Which of hvsdk's errors each of vSphere's faults is.

Faults are classes: one that is not here is what the nearest class above it is, and an `OperationFailedError` when nothing
above it is here either.
"""

from __future__ import annotations

from typing import Final

from hvsdk.driver import errors

__all__ = ["HINTS", "LASTING", "NOT_YET", "OF_KIND", "TABLE"]

TABLE: Final[dict[str, type[errors.HvsdkError]]] = {}
for _error, _faults in (
    (errors.NotFoundError, "vmodl.fault.ManagedObjectNotFound vim.fault.NotFound vim.fault.FileNotFound"),
    (errors.StoragePoolNotFoundError, "vim.fault.InvalidDatastore"),
    (
        errors.AlreadyExistsError,
        "vim.fault.DuplicateName vim.fault.AlreadyExists vim.fault.FileAlreadyExists "
        "vim.fault.DuplicateVsanNetworkInterface",
    ),
    (
        errors.PowerStateError,
        "vim.fault.InvalidPowerState vim.fault.InvalidState vim.fault.InvalidHostState vim.fault.SnapshotFault "
        "vim.fault.InvalidHostConnectionState vim.fault.InvalidVmState",
    ),
    (
        errors.AuthenticationError,
        "vim.fault.InvalidLogin vim.fault.NotAuthenticated vim.fault.PasswordExpired vim.fault.NoClientCertificate "
        "vim.fault.SSPIChallenge vim.fault.InvalidLocale",
    ),
    (
        errors.PermissionDeniedError,
        "vim.fault.NoPermission vmodl.fault.SecurityError vim.fault.MethodDisabled "
        "vim.fault.AuthMinimumAdminPermission",
    ),
    (
        errors.ConnectionLostError,
        "vim.fault.HostConnectFault vmodl.fault.HostCommunication vmodl.fault.HostNotConnected "
        "vmodl.fault.HostNotReachable",
    ),
    (errors.OperationTimeoutError, "vim.fault.Timedout"),
    (
        errors.UnsupportedError,
        "vmodl.fault.NotSupported vmodl.fault.MethodNotFound vmodl.fault.InvalidType vmodl.fault.NotImplemented "
        "vim.fault.MigrationFeatureNotSupported vim.fault.RestrictedVersion vim.fault.LicenseRestricted "
        "vim.fault.NotSupportedHost vim.fault.VirtualHardwareVersionNotSupported vim.fault.InaccessibleVFlashSource "
        "vim.fault.FeatureRequirementsNotMet vim.fault.VirtualHardwareCompatibilityIssue "
        "vim.fault.LicenseExpired vim.fault.NoLicenseServerConfigured vim.fault.CpuIncompatible "
        "vim.fault.DeviceNotSupported vim.fault.DeviceHotPlugNotSupported vim.fault.DisallowedMigrationDeviceAttached "
        "vim.fault.DisallowedOperationOnFailoverHost vim.fault.SnapshotIncompatibleDeviceInVm "
        "vim.fault.MemorySnapshotOnIndependentDisk vim.fault.CloneFromSnapshotNotSupported",
    ),
    (
        errors.GuestAgentError,
        "vim.fault.ToolsUnavailable vim.fault.GuestOperationsUnavailable vim.fault.ApplicationQuiesceFault "
        "vim.fault.FilesystemQuiesceFault vim.fault.ToolsInstallationInProgress",
    ),
    (
        errors.BusyError,
        "vim.fault.TaskInProgress vim.fault.ResourceInUse vim.fault.ConcurrentAccess vim.fault.FileLocked "
        "vim.fault.QuestionPending vim.fault.SnapshotLocked vim.fault.RecordReplayDisabled "
        "vim.fault.ReplicationVmInProgressFault",
    ),
    (
        errors.InsufficientResourcesError,
        "vim.fault.InsufficientResourcesFault vim.fault.NoDiskSpace vim.fault.DatastoreNotWritableOnHost "
        "vim.fault.LimitExceeded vim.fault.NoCompatibleHost vim.fault.NoCompatibleDatastore "
        "vim.fault.TooManyHosts vim.fault.TooManySnapshotLevels vim.fault.InaccessibleDatastore "
        "vim.fault.NoActiveHostInCluster vim.fault.VmLimitLicense vim.fault.TooManyConcurrentNativeClones "
        "vmodl.fault.NotEnoughLicenses vim.fault.CannotAccessNetwork vim.fault.CannotAccessVmComponent "
        "vim.fault.FileTooLarge",
    ),
    (
        errors.InvalidSpecError,
        "vmodl.fault.InvalidArgument vmodl.fault.InvalidRequest vmodl.query.InvalidProperty vim.fault.InvalidName "
        "vim.fault.VmConfigFault vim.fault.InvalidVmConfig vim.fault.OutOfBounds vim.fault.InvalidDeviceSpec "
        "vim.fault.InvalidDatastorePath vim.fault.InvalidController "
        "vim.fault.CannotModifyConfigCpuRequirements vim.fault.DisallowedDiskModeChange",
    ),
    (errors.CancelledError, "vmodl.fault.RequestCanceled"),
):
    TABLE.update(dict.fromkeys(_faults.split(), _error))

OF_KIND: Final[dict[str, type[errors.HvsdkError]]] = {
    "vim.VirtualMachine": errors.DomainNotFoundError,
    "vim.vm.Snapshot": errors.SnapshotNotFoundError,
    "vim.Datastore": errors.StoragePoolNotFoundError,
    "vim.Network": errors.NetworkNotFoundError,
    "vim.dvs.DistributedVirtualPortgroup": errors.NetworkNotFoundError,
    "vim.HostSystem": errors.NodeNotFoundError,
    "vim.Task": errors.ConnectionLostError,  # it went on, and nobody knows how it ended
}
"""What is not there, by the kind of object."""

LASTING: Final = frozenset(
    ("vim.fault.ResourceInUse", "vim.fault.FileLocked", "vim.fault.QuestionPending", "vim.fault.SnapshotLocked")
)
"""What does not pass by itself."""

NOT_YET: Final = frozenset(("vim.fault.ToolsInstallationInProgress",))
"""Tools that are about to come."""

HINTS: Final[dict[str, str]] = {
    "vim.fault.InvalidLogin": "check the user's name (root, user@domain, DOMAIN\\user) and the password",
    "vim.fault.PasswordExpired": "the password has to be changed first",
    "vim.fault.NoPermission": "the user's role there does not include it: docs/backends/vmware.md has what each verb needs",
    "vim.fault.RestrictedVersion": "the host's licence (ESXi free edition) makes its API read-only",
    "vim.fault.ToolsUnavailable": "VMware Tools do not run in the guest: install open-vm-tools, or wait until they run",
    "vim.fault.QuestionPending": "hvsdk_vmware.answer(domain, choice) answers the question that its details have",
    "vim.fault.TaskInProgress": "something else is being done to it; try again later",
    "vim.fault.ConcurrentAccess": "somebody else changed it at the same moment; try again",
    "vim.fault.FileLocked": "another host or a backup holds the file",
    "vim.fault.NoDiskSpace": "the datastore is full",
    "vim.fault.MethodDisabled": "another product has disabled it on this object, such as a backup or a replication",
    "vmodl.fault.MethodNotFound": "this version of the product does not have it",
}
"""What to do next, by fault."""
