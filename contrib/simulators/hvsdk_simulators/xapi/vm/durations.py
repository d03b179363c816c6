"""How long an operation takes, in seconds, before the scale that the options set."""

from hvsdk_simulators.xapi.call import Call

START = 0.04
PAUSE = 0.005
SHUTDOWN = 0.02
SAVE = 0.06
RESTORE = 0.05
DISK = 0.005
"""One disk cloned or snapshotted."""
COPY = 0.05
"""One disk copied in full."""
MIGRATE = 0.08

_STEPS = 4


def work(call: Call, seconds: float, *, begin: float = 0.0, end: float = 1.0) -> None:
    """Let the time pass that an operation takes, and its task tell how far it is.

    The world is not locked meanwhile, and a cancelled task ends it: what was found before has to be looked at again.
    """
    scaled = seconds * call.world.options.duration_scale
    for step in range(1, _STEPS + 1):
        call.wait(scaled / _STEPS)
        call.progress(begin + (end - begin) * step / _STEPS)
