"""Where things made once are kept: below `$XDG_CACHE_HOME/hvsdk-testbed`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache directory, made if it was not there."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base, "hvsdk-testbed")
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(*parts: bytes) -> str:
    """Return a short name for these inputs; others give another name."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()[:16]


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the directory `name` in the cache, filled by `make` the first time.

    `make` gets an empty directory that is moved into place when it is done, so several processes may do this
    at once, and a process that dies halfway leaves no half-filled directory under that name.
    """
    final = cache_dir() / name
    if final.is_dir():
        return final
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache_dir()))
    try:
        make(work)
        work.chmod(0o755)
        try:
            work.rename(final)
        except OSError:
            if not final.is_dir():  # else somebody else was quicker, and theirs is as good
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
