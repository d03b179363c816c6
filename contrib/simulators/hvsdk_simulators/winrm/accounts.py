"""Users, their passwords, and what keeps a user out although the password is right."""

from __future__ import annotations

import hmac
import os
import tempfile
import threading
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

__all__ = ["AccountState", "Accounts", "Refusal"]


class AccountState(Enum):
    """What Windows says of an account, with the NTSTATUS that it has for that."""

    NORMAL = ("normal", 0)
    LOCKED = ("locked", 0xC0000234)
    DISABLED = ("disabled", 0xC0000072)
    EXPIRED = ("expired", 0xC0000193)
    PASSWORD_EXPIRED = ("password-expired", 0xC0000071)
    MUST_CHANGE = ("must-change", 0xC0000224)

    def __init__(self, word: str, status: int) -> None:
        self.word = word
        self.status = status


class Refusal(Exception):
    """The user is not let in.

    Attributes:
        status: The NTSTATUS; most ways to log in keep it to themselves.
    """

    def __init__(self, status: int = 0xC000006D) -> None:
        super().__init__(f"NTSTATUS {status:#x}")
        self.status = status


class Accounts:
    """All users. NTLM's side reads them from a file, as its library wants it. All threads may use it."""

    def __init__(self, passwords: Mapping[str, str], directory: Path) -> None:
        self._lock = threading.Lock()
        self._passwords = dict(passwords)
        self._states: dict[str, AccountState] = {}
        descriptor, self._path = tempfile.mkstemp(dir=directory)
        os.close(descriptor)
        self._write()
        os.environ["NTLM_USER_FILE"] = self._path

    def check(self, name: str, password: str) -> str:
        """Return the proper name of the user with this password.

        Raises:
            Refusal: There is none, or the account is closed.
        """
        proper = self._find(name)
        with self._lock:
            right = proper is not None and hmac.compare_digest(self._passwords[proper].encode(), password.encode())
        if proper is None or not right:
            raise Refusal
        return self.admit(proper)

    def admit(self, principal: str) -> str:
        """Return the proper name of a user who has proved who it is: `DOMAIN\\name`, `name@REALM` or a name alone.

        Raises:
            Refusal: There is none, or the account is closed.
        """
        proper = self._find(principal)
        if proper is None:
            raise Refusal
        state = self._states.get(proper, AccountState.NORMAL)
        if state is not AccountState.NORMAL:
            raise Refusal(state.status)
        return proper

    def change(self, user: str, *, state: str | None = None, password: str | None = None) -> None:
        """Close or open an account, or give it another password; who is logged in stays so.

        Raises:
            ValueError: There is no such user or state.
        """
        proper = self._find(user)
        if proper is None:
            raise ValueError(f"there is no user {user}")
        if state is not None:
            known = {one.word: one for one in AccountState}
            if state not in known:
                raise ValueError(f"an account is {', '.join(known)}, not {state}")
            self._states[proper] = known[state]
        if password is not None:
            with self._lock:
                self._passwords[proper] = password
            self._write()

    def _find(self, principal: str) -> str | None:
        name = principal.rpartition("\\")[2].partition("@")[0].lower()
        return next((one for one in self._passwords if one.lower() == name), None)

    def _write(self) -> None:
        with self._lock, open(self._path, "w", encoding="utf-8") as file:
            file.writelines(f":{name}:{password}\n" for name, password in self._passwords.items())
