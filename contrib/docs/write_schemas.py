"""Write the JSON Schema of every record to docs/schema; with --check only say whether they are up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hvsdk import models
from hvsdk._event import Event
from hvsdk._inventory.records import DomainChange, HostOutcome, InventorySnapshot
from hvsdk._schema import json_schema
from hvsdk.models._base import Record

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schema"


def record_classes() -> list[type[Record]]:
    """Return the public record classes."""
    public = [getattr(models, name) for name in models.__all__]
    return [
        *(cls for cls in public if isinstance(cls, type) and issubclass(cls, Record)),
        Event,
        DomainChange,
        HostOutcome,
        InventorySnapshot,
    ]


def schemas() -> dict[str, str]:
    """Return file names and contents."""
    return {
        f"{cls.__name__}.json": json.dumps(json_schema(cls), indent=2, ensure_ascii=False) + "\n"
        for cls in record_classes()
    }


def main() -> int:
    """Write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = schemas()
    present = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    if check and wanted != present:
        differ = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        print(
            f"docs/schema is not up to date ({', '.join(differ)}); run contrib/docs/write_schemas.py", file=sys.stderr
        )
        return 1
    if not check:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in present.keys() - wanted.keys():
            (FOLDER / name).unlink()
        for name, text in wanted.items():
            (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
