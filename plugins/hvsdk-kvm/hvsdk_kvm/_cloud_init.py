"""The NoCloud disk: user-data for cloud-init on a small ISO image named `cidata`."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pycdlib
from hvsdk.driver import CloudInit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["seed_image", "seed_name"]

_LABEL = "cidata"


def seed_name(uuid: str) -> str:
    """Return the name of the volume that holds a domain's seed. Only hvsdk makes volumes of this name."""
    return f"hvsdk-seed-{uuid}.iso"


def seed_image(cloud_init: CloudInit, *, name: str, uuid: str) -> bytes:
    """Return an ISO 9660 image with Joliet and Rock Ridge names, as cloud-init's NoCloud source expects it.

    Args:
        name: Becomes the guest's host name where no meta-data is given, as far as it can be one.
        uuid: Becomes the instance id, so that another domain counts as a new machine.
    """
    files = {
        "user-data": cloud_init.user_data,
        "meta-data": cloud_init.meta_data if cloud_init.meta_data is not None else _meta_data(name, uuid),
        "network-config": cloud_init.network_config,
    }
    return _iso({file: text.encode() for file, text in files.items() if text is not None})


def _meta_data(name: str, uuid: str) -> str:
    """Return meta-data as JSON, which is YAML too and cannot be broken by a name."""
    labels = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")[:63].strip("-")
    return json.dumps({"instance-id": uuid, "local-hostname": labels or f"vm-{uuid[:8]}"}, indent=1) + "\n"


def _iso(files: Mapping[str, bytes]) -> bytes:
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
