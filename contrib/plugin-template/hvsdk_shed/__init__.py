"""Shed as a backend of hvsdk. Imported whenever backends are listed, so it imports nothing heavy."""

from __future__ import annotations

from hvsdk.driver import Backend, Option, hookimpl

__all__ = ["hvsdk_backends"]


@hookimpl
def hvsdk_backends() -> list[Backend]:
    """Tell hvsdk about `shed://`."""
    return [
        Backend(
            name="shed",
            schemes=("shed",),
            summary="a directory of JSON files",
            driver="hvsdk_shed._driver:ShedDriver",
            options={"create": Option(type=bool, default=False, help="make the directory when it is not there")},
        )
    ]
