"""Where credentials come from, asked anew at each login: argument, hooks, environment, keyring."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

from hvsdk.credentials import AskType, Credentials, KerberosCredentials, KeyCredentials, PasswordCredentials, SecretRef
from hvsdk.errors import AuthenticationError

if TYPE_CHECKING:
    from hvsdk._driver.target import Target

__all__ = ["Given", "ask", "find_credentials", "read_secret"]

KEYRING_SERVICE = "hvsdk"
COMMAND_SECONDS = 30.0
MAX_BYTES = 65536
"""A larger file is no secret but a wrong path."""


class Given:
    """What `connect` was given to log in with. It is not shown."""

    __slots__ = ("value",)

    def __init__(self, value: str | SecretRef | Credentials | AskType) -> None:
        self.value = value

    @property
    def reference(self) -> SecretRef | Credentials | None:
        """What may be pickled of it: a reference, or credentials without a secret in them."""
        value = self.value
        if isinstance(value, (SecretRef, KerberosCredentials)):
            return value
        return value if isinstance(value, KeyCredentials) and value.passphrase is None else None

    @property
    def literal(self) -> bool:
        """Whether it holds the secret itself."""
        return self.reference is None

    def asked(self, shown: str) -> Given:
        """Return this, or what was typed for it."""
        return Given(ask(shown)) if isinstance(self.value, AskType) else self

    def credentials(self, username: str | None) -> Credentials:
        """Return the credentials it stands for; references are read now."""
        value = self.value
        if isinstance(value, SecretRef):
            value = read_secret(value)
        assert not isinstance(value, AskType)  # asked by `connect`, once
        return PasswordCredentials(username=username, password=value) if isinstance(value, str) else value


def find_credentials(given: Given | None, target: Target) -> Credentials | None:
    """Return the credentials for a target from the first place that has some."""
    if given is not None:
        return given.credentials(target.username)
    from hvsdk import _hook_calls

    return _hook_calls.credentials(target) or _from_environment(target) or _from_keyring(target)


def ask(shown: str) -> str:
    """Ask for a password at the terminal.

    Raises:
        AuthenticationError: There is no terminal that could hide what is typed.
    """
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass(f"Password for {shown}: ")
    except (GetPassWarning, EOFError, OSError) as exc:
        raise AuthenticationError(
            f"there is no terminal to ask for the password of {shown}",
            hint="give a SecretRef or set it in the environment or the keyring",
        ) from exc


def read_secret(reference: SecretRef) -> str:
    """Read what a `SecretRef` stands for.

    Raises:
        AuthenticationError: It is not there, or a file that others can read.
    """
    kind, _, rest = reference.reference.partition(":")
    found: str | None
    if kind == "env":
        found = os.environ.get(rest)
    elif kind == "file":
        found = _read_file(rest)
    elif kind == "command":
        found = _ask_command(rest)
    else:
        service, _, user = rest.partition("/")
        found = _ask_keyring(service, user, required=True)
    if found is None:
        raise AuthenticationError(f"there is no secret at {reference.reference}", hint=_missing(kind, rest))
    if not found:
        raise AuthenticationError(
            f"the secret at {reference.reference} is empty",
            hint="the host was not asked; where an empty password is meant, give password=''",
        )
    return found


def _missing(kind: str, rest: str) -> str | None:
    """Return what to do where nothing is."""
    if kind == "env":
        return f"set the environment variable {rest} where this process is started; the host was not asked"
    if kind == "keyring":
        return f"keyring set {rest.replace('/', ' ', 1)}; the host was not asked"
    return None


def _read_file(path: str) -> str:
    path = os.path.expanduser(path)
    try:
        # Not to hang on a pipe that nobody writes to; it is refused below.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as exc:
        raise AuthenticationError(f"the secret's file {path} cannot be read: {exc.strerror}") from exc
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise AuthenticationError(f"the secret's file {path} is no regular file")
        if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
            raise AuthenticationError(f"the secret's file {path} can be read by others", hint=f"chmod 600 {path}")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise AuthenticationError(f"the secret's file {path} is too large for a secret")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise AuthenticationError(f"the secret's file {path} is not UTF-8 text") from None


def _ask_command(line: str) -> str:
    """Run a command, split as a shell would split it, and return the one line that it prints.

    What it prints goes into no message: it may be part of the secret.
    """
    import shlex
    import subprocess

    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise AuthenticationError(f"the secret's command cannot be read: {exc}") from None
    name = words[0] if words else ""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError) as exc:
        raise AuthenticationError(f"the secret's command {name!r} cannot be run: {type(exc).__name__}") from None
    except subprocess.TimeoutExpired:
        raise AuthenticationError(f"the secret's command {name!r} took more than {COMMAND_SECONDS:.0f} s") from None
    if done.returncode:
        raise AuthenticationError(f"the secret's command {name!r} failed with exit code {done.returncode}")
    try:
        return done.stdout.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise AuthenticationError(f"the secret's command {name!r} printed no UTF-8 text") from None


def _from_environment(target: Target) -> Credentials | None:
    prefix = "HVSDK_" + re.sub(r"\W", "_", target.backend, flags=re.ASCII).upper()
    password = os.environ.get(f"{prefix}_PASSWORD")
    username = os.environ.get(f"{prefix}_USERNAME")
    if not password or (username and target.username and username != target.username):
        return None  # none, also by a variable that was emptied; one for another user than the URL's is not tried
    return PasswordCredentials(username=target.username or username or None, password=password)


def _from_keyring(target: Target) -> Credentials | None:
    if not target.username or not target.hostname:
        return None
    found = _ask_keyring(KEYRING_SERVICE, f"{target.username}@{target.hostname}", required=False)
    return None if found is None else PasswordCredentials(username=target.username, password=found)


def _ask_keyring(service: str, user: str, *, required: bool) -> str | None:
    """Ask the `keyring` package; it is no dependency, so it is looked for when it is needed."""
    from importlib import import_module

    try:
        keyring: Any = import_module("keyring")
    except ImportError as exc:
        if required:
            raise AuthenticationError("the secret is in a keyring", hint="pip install keyring") from exc
        return None
    try:
        found = keyring.get_password(service, user)
    except keyring.errors.KeyringError as exc:  # locked, or none on this machine
        if required:
            raise AuthenticationError(
                f"the keyring cannot be asked for {service}/{user}: {type(exc).__name__}"
            ) from exc
        return None
    return found if isinstance(found, str) else None
