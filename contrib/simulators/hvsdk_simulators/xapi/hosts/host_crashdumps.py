"""What hosts leave behind when they crash."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.messages import message


@message("host_crashdump.destroy(host_crashdump ref self) -> void", role="pool-operator")
def destroy(call: Call, self: Object) -> None:
    """Remove a crash dump from its host's disk."""
    call.world.db.delete(self)
