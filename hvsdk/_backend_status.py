"""What `hvsdk.backends()` lists."""

from __future__ import annotations

import attrs

__all__ = ["BackendStatus"]


@attrs.frozen(kw_only=True)
class BackendStatus:
    """One backend, or one plugin that could not be loaded, as `hvsdk.backends()` lists it.

    Attributes:
        schemes: URL schemes that it takes; unknown (empty) when the plugin could not be loaded.
        version: Of the distribution that brings it.
        distribution: What to give to `pip`; `None` for a plugin given to `hvsdk.register`.
        error: Why it cannot be used; `None` when it can.
    """

    name: str
    schemes: tuple[str, ...] = ()
    summary: str = ""
    version: str | None = None
    distribution: str | None = None
    error: str | None = None
