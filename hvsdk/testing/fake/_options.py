"""What can be said in the URL or to `connect`, and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hvsdk._driver.backend import Option
from hvsdk.errors import InvalidSpecError

__all__ = ["OPTIONS", "Settings", "seconds"]

OPTIONS = {
    "seed": Option(help="the same seed and URL make the same world", type=int, default=0),
    "domains": Option(help="how many domains there are", type=int, default=10),
    "templates": Option(help="how many templates there are besides", type=int, default=0),
    "control": Option(help="whether each node shows its control domain", type=bool, default=False),
    "nodes": Option(help="how many physical machines there are", type=int, default=2),
    "snapshots": Option(help="how many snapshots each domain starts with", type=int, default=0),
    "hypervisor": Option(help="what its domains say they run on", default="fake"),
    "latency": Option(help="what each round trip takes: 20ms, 0.5s", default="0"),
    "boot_seconds": Option(help="how long a guest boots, deaf to requests", type=float, default=0.0),
    "shutdown_seconds": Option(help="how long a guest takes to switch off when asked", type=float, default=0.0),
    "tasks": Option(help="whether long verbs answer with a task", type=bool, default=False),
    "task_steps": Option(help="how often a task is polled until it is done", type=int, default=3),
    "fault": Option(help="what goes wrong: verb:kind[=seconds][*times], several with commas", default=""),
    "history": Option(help="how many changes are kept for a watch that falls behind", type=int, default=10_000),
    "durable": Option(help="whether the world survives its connection", type=bool, default=True),
    "clock_offset": Option(help="how many seconds the host's clock is ahead of ours", type=float, default=0.0),
    "login_password": Option(help="refuse to log in with another password than this", default=None),
}
"""The options of `fake://`."""

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "us": 0.000_001}


def seconds(text: str | float) -> float:
    """Return a time such as `"20ms"`, `"0.5s"` or `2` in seconds.

    Raises:
        InvalidSpecError: It is no time.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|ms|us|)\s*", str(text))
    if match is None:
        raise InvalidSpecError(f"{text!r} is not a time", hint="write it as 20ms, 0.5s or 2")
    return float(match[1]) * _UNITS[match[2]]


class Settings:
    """The options of one connection, with their defaults."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        chosen = {name: options.get(name, option.default) for name, option in OPTIONS.items()}
        self.seed: int = chosen["seed"]
        self.domains: int = chosen["domains"]
        self.templates: int = chosen["templates"]
        self.control: bool = chosen["control"]
        self.nodes: int = chosen["nodes"]
        self.snapshots: int = chosen["snapshots"]
        self.hypervisor: str = chosen["hypervisor"]
        self.latency: float = seconds(chosen["latency"])
        self.boot_seconds: float = chosen["boot_seconds"]
        self.shutdown_seconds: float = chosen["shutdown_seconds"]
        self.tasks: bool = chosen["tasks"]
        self.task_steps: int = chosen["task_steps"]
        self.fault: str = chosen["fault"]
        self.history: int = chosen["history"]
        self.durable: bool = chosen["durable"]
        self.clock_offset: float = chosen["clock_offset"]
        self.login_password: str | None = chosen["login_password"]
        if min(self.domains, self.templates, self.snapshots) < 0 or min(self.nodes, self.task_steps, self.history) < 1:
            raise InvalidSpecError("fake:// has no negative numbers of things, and at least one node, step and change")
