"""A backend that keeps what `connect` told its driver."""

from __future__ import annotations

from typing import Any, ClassVar

from toy import ToyDriver, World

import hvsdk
from hvsdk.driver import Backend, Capability, Option, Target


class LoginToy(ToyDriver):
    """Asks for credentials in `open`, as drivers do."""

    variants = frozenset({Capability.MULTIPROCESS})
    targets: ClassVar[list[Target]] = []
    logins: ClassVar[list[Any]] = []
    world = World()

    def open(self, *, deadline):
        super().open(deadline=deadline)
        self.targets.append(self.target)
        self.logins.append(self.target.credentials())

    @classmethod
    def forget(cls) -> None:
        cls.targets.clear()
        cls.logins.clear()
        cls.world = World()


class LonelyToy(LoginToy):
    """A world that no second process can attach to."""

    variants = frozenset()


class FutureToy(LoginToy):
    api = 2


class MisspeltVerbToy(LoginToy):
    unguarded = frozenset({"pause", "power_of"})


class MisspeltVariantToy(LoginToy):
    variants = frozenset({"snapshot_memry"})


def backend(**changes: Any) -> Backend:
    return Backend(
        **{
            "name": "toy",
            "schemes": ("toy", "toy+http"),
            "driver": "login_toy:LoginToy",
            "summary": "For tests",
            "options": {
                "size": Option(help="how big", type=int, default=3),
                "ratio": Option(help="how much", type=float),
                "loud": Option(help="whether", type=bool, default=False),
                "color": Option(help="which", choices=("red", "green")),
            },
            "tls_schemes": ("toy",),
            "loopback_only": ("toy+http",),
            "default_ports": {"toy": 4443},
            **changes,
        }
    )


def plugin(*backends: Backend, **hooks: Any) -> Any:
    """Return a plugin object with these backends and hooks."""

    def hvsdk_backends():
        return backends

    functions = {**({"hvsdk_backends": hvsdk_backends} if backends else {}), **hooks}
    marked = {name: staticmethod(hvsdk.hookimpl(function)) for name, function in functions.items()}
    return type("ToyPlugin", (), marked)()
