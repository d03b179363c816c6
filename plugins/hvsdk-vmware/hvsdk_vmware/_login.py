"""Logging in: what version the server speaks, and a session for the user."""

from __future__ import annotations

from http.client import BadStatusLine, IncompleteRead

import attrs
from hvsdk.connections import Endpoint
from hvsdk.driver import PasswordCredentials, Target, errors, tls_context, without_frames
from pyVmomi import vim
from pyVmomi.VmomiSupport import versionIdMap

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._stub import BASELINE, Stub

__all__ = ["credentials_of", "endpoint_of", "greet", "log_in", "numbers", "version_for"]

_LOCALE = "en"
"""Messages are for people of whom nothing is known; faults are told apart by their types."""
_BAD_REQUEST = 400
"""What servers answer plain text with that want TLS; some hang up."""
_HUNG_UP = (ConnectionResetError, BrokenPipeError, BadStatusLine, IncompleteRead)


def endpoint_of(target: Target) -> Endpoint:
    """Return where the server is, and how its certificate is checked."""
    context = None if target.scheme.endswith("+http") else tls_context(target.tls)
    port = target.port or (80 if context is None else 443)
    return Endpoint(target.hostname or "localhost", port, context)


def credentials_of(target: Target) -> PasswordCredentials:
    """Return the user's name and password as they are now.

    Raises:
        AuthenticationError: There are none.
    """
    found = target.credentials("password")
    if not isinstance(found, PasswordCredentials):
        raise errors.AuthenticationError(
            "vSphere wants a password, and none was given",
            hint="connect(…, password=…), HVSDK_VMWARE_PASSWORD, or --ask",
        )
    user = found.username or target.username
    if not user:
        raise errors.AuthenticationError(
            "vSphere wants a user's name, and none was given", hint="such as administrator@vsphere.local, or root"
        )
    return attrs.evolve(found, username=user)


def greet(stub: Stub) -> vim.ServiceInstanceContent:
    """Return what the server consists of, and speak the newest version that both sides know from here on."""
    try:
        content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
    except (AnswerError, *_HUNG_UP) as exc:
        if stub.pool.endpoint.context is not None or getattr(exc, "status", _BAD_REQUEST) != _BAD_REQUEST:
            raise
        raise errors.ConnectError(
            f"the server takes no plain text ({exc})", hint="perhaps it speaks TLS there: vmware://, not vmware+http://"
        ) from exc
    if not isinstance(content, vim.ServiceInstanceContent):
        raise AnswerError("the server's answer does not tell what it consists of")
    stub.ComputeVersionInfo(version_for(content.about.apiVersion))  # type: ignore[no-untyped-call]
    return content


def version_for(told: str) -> str:
    """Return pyvmomi's name of the newest version that a server of this version speaks.

    Args:
        told: The server's `apiVersion`, such as `8.0.2.0`.
    """
    server = numbers(told)
    known = {numbers(number): name for name, number in versionIdMap.items() if name.startswith("vim.version.")}
    usable = [number for number in known if number and number <= server]
    return str(known[max(usable)]) if usable and max(usable) >= numbers("6.5") else BASELINE


def numbers(text: str) -> tuple[int, ...]:
    """Return a version as numbers; an empty tuple for what is none, such as one that is under development."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def log_in(manager: vim.SessionManager, who: PasswordCredentials) -> None:
    """Log in; what fails has no frame in its traceback whose variables show the password."""
    try:
        manager.Login(who.username or "", who.password, _LOCALE)
    except Exception as exc:
        raise without_frames(exc)  # noqa: B904
