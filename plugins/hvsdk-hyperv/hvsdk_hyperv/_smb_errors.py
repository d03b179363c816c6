"""The errors of SMB in hvsdk's words. A lost line is a `ConnectError`: what goes through WinRM goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hvsdk.driver import errors
from smbprotocol.exceptions import (
    SMBAuthenticationError,
    SMBLinkRedirectionError,
    SMBResponseException,
)

from hvsdk_hyperv._login_errors import LoginRefusedError, translated
from hvsdk_hyperv._smb_paths import OTHER_WAY

__all__ = ["no_line", "of_files", "of_logins"]

_ABSENT: Final = frozenset(
    (0xC000000F, 0xC0000033, 0xC0000034, 0xC0000039, 0xC000003A, 0xC000003B, 0xC0000056, 0xC00000BA)
)
"""No such file or path, a name that cannot be, one that is being removed, a folder."""
_NO_SHARE: Final = 0xC00000CC
_DENIED: Final = frozenset((0xC0000022, 0xC0000061, 0xC00000CA))
_HELD: Final = frozenset((0xC0000043, 0xC0000054))
"""A sharing violation, a lock."""
_ELSEWHERE: Final = frozenset((0x8000002D, 0xC0000257))
"""A symbolic link, a path of DFS."""
_GONE: Final = frozenset((0xC00000C9, 0xC0000128, 0xC0000203, 0xC000035C))
"""The share, the file's handle, the session went away."""
_FULL: Final = frozenset((0xC000009A, 0xC00000D0, 0xC0000205))
"""The host has no room for one more session."""
_SHARES: Final = "see Get-SmbShare there, and AutoShareServer in the registry"
_RIGHTS: Final = (
    "C$ and its like are for administrators of the host: Hyper-V Administrators alone are none, nor are local accounts "
    "other than Administrator without LocalAccountTokenFilterPolicy; or " + OTHER_WAY
)
_TICKETS: Final = (
    "klist shows whether there is a ticket, kinit gets one; the URL needs the host's full name, which the domain knows as "
    "cifs/name or HOST/name, and the clocks must agree"
)


def no_line(told: str, hostname: str, port: int) -> errors.ConnectError:
    """Return what to say where SMB does not get through."""
    return errors.ConnectError(
        f"SMB with {hostname}, port {port}: {told}",
        hint=f"see whether a firewall lets TCP port {port} through, and open the disk again; or {OTHER_WAY}",
    )


@contextmanager
def of_logins(transport: str, hostname: str, port: int) -> Iterator[None]:
    """Tell of a login what went wrong with it."""
    try:
        yield
    except SMBResponseException as exc:
        if exc.status in _FULL:
            raise errors.ConnectError("the host takes no more SMB sessions now", native_code=exc.status) from exc
        told, hint = "Windows refused the credentials, on SMB", _TICKETS if transport == "kerberos" else None
        raise translated(LoginRefusedError(told, transport=transport, status=exc.status, hint=hint)) from exc
    except SMBAuthenticationError as exc:
        if transport == "kerberos":
            raise errors.AuthenticationError(
                f"Kerberos gave no ticket for cifs/{hostname}, which SMB wants", hint=_TICKETS
            ) from exc
        raise errors.AuthenticationError(f"SMB did not log in to {hostname}: {exc}") from exc
    except errors.HvsdkError:
        raise
    except Exception as exc:  # the library lets through what it stumbles over in an answer
        raise _broken(exc, hostname, port) from exc


@contextmanager
def of_files(path: str, hostname: str, port: int) -> Iterator[None]:
    """Tell of a file what went wrong with it."""
    try:
        yield
    except SMBResponseException as exc:
        raise _refused(exc.status, path, hostname, port) from exc
    except SMBLinkRedirectionError as exc:
        raise errors.UnsupportedError(f"{path} is a link that leads off its share", hint=OTHER_WAY) from exc
    except errors.HvsdkError:
        raise
    except Exception as exc:  # as above
        raise _broken(exc, hostname, port) from exc


def _broken(exc: Exception, hostname: str, port: int) -> errors.ConnectError:
    cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
    if isinstance(cause, OSError) and cause.strerror:
        return no_line(cause.strerror, hostname, port)
    return no_line(f"the connection broke off ({type(exc).__name__})", hostname, port)


def _refused(status: int, path: str, hostname: str, port: int) -> errors.HvsdkError:
    """Return what a status of a file or its share says."""
    if status in _GONE:
        return no_line("the host gave up the session", hostname, port)
    if status in _ABSENT:
        return errors.NotFoundError(f"there is no file {path}", native_code=status)
    if status == _NO_SHARE:
        told = f"the host has no share that {path} is in"
        hint = f"{_SHARES}; or {OTHER_WAY}"
        return errors.NotFoundError(told, native_code=status, hint=hint)
    if status in _DENIED:
        return errors.PermissionDeniedError(f"this user may not read {path} by SMB", native_code=status, hint=_RIGHTS)
    if status in _HELD:
        told = f"{path} is open for writing elsewhere: a domain that runs has it, or another program"
        return errors.BusyError(told, lasting=True, native_code=status)
    if status in _ELSEWHERE:
        return errors.UnsupportedError(f"{path} leads off the share", native_code=status, hint=OTHER_WAY)
    return errors.OperationFailedError(f"SMB did not read {path}: NTSTATUS 0x{status:08x}", native_code=status)
