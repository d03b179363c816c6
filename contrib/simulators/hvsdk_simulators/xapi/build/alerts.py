"""Messages that have come up before anybody looked: of the pool, of hosts, of VMs."""

from __future__ import annotations

from datetime import timedelta

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.world import World


def make_alerts(world: World, hosts: list[Object], vms: list[Object]) -> None:
    """Make a few messages, the oldest first."""
    _alert(world, "LICENSE_EXPIRES_SOON", 2, "Pool", world.pool, "The licence expires in 30 days.", hours=700)
    for host in hosts:
        _alert(world, "PIF_NOW_CARRYING", 3, "Host", host, "eth1", hours=600)
    for vm in vms[:5]:
        _alert(world, "VM_STARTED", 5, "VM", vm, f"VM '{vm['name_label']}' started", hours=24)


def _alert(world: World, name: str, priority: int, cls: str, about: Object, body: str, *, hours: int) -> None:
    world.db.create(
        "message",
        name=name,
        priority=priority,
        cls=cls,
        obj_uuid=about["uuid"],
        timestamp=world.now() - timedelta(hours=hours),
        body=body,
    )
