"""The volume that holds a domain's NoCloud disk."""

from __future__ import annotations

__all__ = ["seed_name"]


def seed_name(uuid: str) -> str:
    """Return the name of the volume that holds a domain's seed. Only hvsdk makes volumes of this name."""
    return f"hvsdk-seed-{uuid}.iso"
