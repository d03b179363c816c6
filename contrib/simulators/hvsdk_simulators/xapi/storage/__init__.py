"""Storage: repositories and what connects hosts to them, disks and drives, changed blocks, exports and imports, NBD."""

from . import (
    actions,
    cbt,
    drivers,
    nbd_info,
    pbd,
    raw_export,
    raw_import,
    sr,
    sr_make,
    sr_measures,
    sr_rules,
    vbd,
    vbd_create,
    vdi,
    vdi_copy,
    xva_export,
    xva_import,
)
from .service import Storage, install

__all__ = [
    "Storage",
    "actions",
    "cbt",
    "drivers",
    "install",
    "nbd_info",
    "pbd",
    "raw_export",
    "raw_import",
    "sr",
    "sr_make",
    "sr_measures",
    "sr_rules",
    "vbd",
    "vbd_create",
    "vdi",
    "vdi_copy",
    "xva_export",
    "xva_import",
]
