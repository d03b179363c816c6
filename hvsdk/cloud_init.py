"""The NoCloud disk, for drivers: user-data for cloud-init on a small ISO image named `cidata`.

Needs `pycdlib`, which a backend that uses it requires. See https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

from hvsdk.models import CloudInit

__all__ = ["seed_image"]

_LABEL = "cidata"


def seed_image(cloud_init: CloudInit, *, name: str, instance: str) -> bytes:
    """Return an ISO 9660 image with Joliet and Rock Ridge names, as cloud-init's NoCloud source expects it.

    Args:
        name: Becomes the guest's host name where no meta-data is given, as far as it can be one.
        instance: The instance id, so that another domain counts as a new machine.
    """
    files = {
        "user-data": cloud_init.user_data,
        "meta-data": cloud_init.meta_data if cloud_init.meta_data is not None else _meta_data(name, instance),
        "network-config": cloud_init.network_config,
    }
    return _iso({file: text.encode() for file, text in files.items() if text is not None})


def _meta_data(name: str, instance: str) -> str:
    """Return meta-data as JSON, which is YAML too and cannot be broken by a name."""
    host = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:63].strip("-")
    return json.dumps({"instance-id": instance, "local-hostname": host or f"vm-{instance[:8]}"}, indent=1) + "\n"


def _iso(files: Mapping[str, bytes]) -> bytes:
    import pycdlib  # dear to import, and seldom needed

    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, vol_ident=_LABEL, joliet=3, rock_ridge="1.09")
    try:
        for number, (name, data) in enumerate(files.items()):
            image.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
        out = io.BytesIO()
        image.write_fp(out)
    finally:
        image.close()
    return out.getvalue()
