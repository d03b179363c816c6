"""Helpers of the tests of connections: the members' URLs and pins."""

from __future__ import annotations

WRONG = "sha256:" + "0" * 64
LOGIN = "session.login_with_password"


def at(pool, number: int) -> str:
    """Return the URL of a member instead of the master's."""
    first, other = (f"127.0.0.1:{pool.members[i]['port']}" for i in (0, number))
    return pool.url.replace(f"@{first}", f"@{other}", 1)


def pins(pool, *numbers: int) -> list[str]:
    return [pool.members[number]["fingerprint"] for number in numbers]
