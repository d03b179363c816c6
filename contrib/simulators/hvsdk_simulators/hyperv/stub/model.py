"""The model of the Hyper-V module that the stand-in is made from: which cmdlets, parameters, types and enums there are.

It is reference data that is no part of this distribution. It is looked for in `HVSDK_REFERENCE`, a directory, and else in
`../shared/reference` beside the repository.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["MissingReferenceError", "load", "reference"]

_NAME = "hyperv-model.json.gz"


class MissingReferenceError(Exception):
    """The model is not there; the text says where it was looked for."""


def reference() -> Path:
    """Return the file.

    Raises:
        MissingReferenceError: There is none.
    """
    named = os.environ.get("HVSDK_REFERENCE")
    places = [Path(named)] if named else [up / "shared" / "reference" for up in Path(__file__).resolve().parents]
    for place in places:
        if (place / _NAME).is_file():
            return place / _NAME
    text = f"the engine 'powershell' needs {_NAME}: set HVSDK_REFERENCE to its directory, or use the engine 'python'"
    raise MissingReferenceError(text)


@functools.cache
def load() -> dict[str, Any]:
    """Return the model: `types`, `enums` and `cmdlets` by name.

    Raises:
        MissingReferenceError: There is none.
    """
    with gzip.open(reference()) as file:
        model: dict[str, Any] = json.load(file)
    return model
