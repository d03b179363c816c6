"""Hosts and the pool: life and death, settings, devices, statistics, consoles, and who may do what."""

from hvsdk_simulators.xapi.hosts import (
    abilities,
    access,
    alerts,
    certificates,
    clusters,
    consoles,
    evacuation,
    facts,
    graphics,
    life,
    masters,
    pools,
    rrd_handlers,
    settings,
    tpm,
    usb,
)

__all__ = [
    "abilities",
    "access",
    "alerts",
    "certificates",
    "clusters",
    "consoles",
    "evacuation",
    "facts",
    "graphics",
    "life",
    "masters",
    "pools",
    "rrd_handlers",
    "settings",
    "tpm",
    "usb",
]
