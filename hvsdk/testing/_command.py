"""`hvsdk conformance URL`: the kit from the shell, and the matrix that it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from hvsdk.testing._matrix import Matrix

if TYPE_CHECKING:
    from hvsdk._host import Host

__all__ = ["Wishes", "conformance_command"]


@attrs.frozen(kw_only=True)
class Wishes:
    """What the command line says."""

    url: str
    domain: str | None = None
    create: bool = False
    username: str | None = None
    secret: str | None = None
    ask: bool = False
    verify: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    patience: float = 60.0
    guest_obeys: bool = False
    guest_agent: bool = False
    image: str | None = None
    disk: str | None = None
    pool: str | None = None
    network: str | None = None
    memory: str = "64MiB"
    firmware: Literal["bios", "uefi"] = "bios"

    def connect(self, **more: Any) -> Host:
        """Connect as the command line says."""
        import hvsdk

        password: Any = hvsdk.ASK if self.ask else hvsdk.SecretRef(self.secret) if self.secret else None
        verify: Any = True
        if self.verify:
            verify = False if self.verify == ("no",) else self.verify[0] if len(self.verify) == 1 else self.verify
        options: dict[str, Any] = dict(option.partition("=")[::2] for option in self.options)
        return hvsdk.connect(self.url, username=self.username, password=password, verify=verify, **options, **more)


def conformance_command(argv: Sequence[str]) -> int:
    """Hold a live host to the contract, print the matrix and return the exit code.

    Returns:
        0 when nothing failed, 1 when something did, 2 when the kit could not run: no pytest, nobody at the URL.
    """
    from hvsdk.errors import HvsdkError

    chosen = _parser().parse_args(list(argv))
    fields = [field.name for field in attrs.fields(Wishes)]
    wishes = Wishes(**{name: value for name, value in vars(chosen).items() if name in fields})
    try:
        from hvsdk.testing._run import run
    except ImportError:
        print("hvsdk conformance needs pytest. Try: pip install 'hvsdk[testing]'", file=sys.stderr)
        return 2
    try:
        with wishes.connect() as host:
            matrix = Matrix.begin(host)
            if wishes.domain is not None:
                host.domain(wishes.domain)
    except (HvsdkError, ValueError, TypeError) as exc:
        print(f"hvsdk conformance: {exc}", file=sys.stderr)
        return 2
    code = run(wishes, matrix, chosen.only, verbose=chosen.verbose)
    if code not in (0, 1):
        print(f"hvsdk conformance: pytest ended with {code}; --verbose shows what it says", file=sys.stderr)
        return 2
    if chosen.json:
        print(json.dumps(matrix.to_dict(), indent=2))
    else:
        print(matrix.markdown() if chosen.markdown else matrix.text())
    return 1 if matrix.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hvsdk conformance",
        description="Hold a host to hvsdk's contract. Only reads, unless given --domain or --create.",
    )
    add = parser.add_argument
    add("url", help="what hvsdk.connect takes")
    add(
        "--domain",
        metavar="NAME",
        help="a domain that may be driven in every way but delete, and is brought back after",
    )
    add("--create", action="store_true", help="make, drive and remove domains and volumes named kit-…")
    add("--username")
    add("--secret", metavar="REF", help="where the password is: env:NAME, file:/path or keyring:service/user")
    add("--ask", action="store_true", help="ask for the password")
    add("--verify", action="append", default=[], metavar="CA|PIN|no", help="a CA file, a sha256: pin, or no")
    add("--option", action="append", default=[], dest="options", metavar="NAME=VALUE", help="an option of the backend")
    add("--patience", type=float, default=60.0, metavar="SECONDS", help="how long one verb may take (60)")
    add("--guest-obeys", action="store_true", help="the guest switches off when it is asked to")
    add("--guest-agent", action="store_true", help="an agent runs in the guest")
    add("--image", metavar="ISO", help="a CD-ROM image that may be inserted")
    add("--disk", metavar="VOLUME", help="a volume that new domains boot a copy of")
    add("--pool", help="where new disks lie")
    add("--network", help="what new adapters are on")
    add("--memory", default="64MiB", help="what new domains get (64MiB)")
    add("--firmware", choices=("bios", "uefi"), default="bios", help="of new domains (bios)")
    add("-k", dest="only", metavar="EXPRESSION", help="only tests whose names match, as in pytest")
    add("--json", action="store_true")
    add("--markdown", action="store_true")
    add("-v", "--verbose", action="store_true", help="show what pytest says, on stderr")
    return parser
