"""What runs have measured, by name: a JSON file that each run adds to."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Ledger:
    """Records by name, the newest of each; kept in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = json.loads(path.read_text()) if path.exists() else {}

    def put(self, name: str, record: Record) -> None:
        """Set a record and write the file."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        self.records[name] = _without_nan({"when": now, **record})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.records, indent=2) + "\n")

    def when(self) -> str:
        """Return when the records were measured."""
        times = sorted(record["when"] for record in self.records.values())
        return f"measured from {times[0]} to {times[-1]} UTC" if times else "nothing is measured"


def _without_nan(value: Any) -> Any:
    """Return a value as JSON knows it: it has no NaN."""
    match value:
        case dict():
            return {key: _without_nan(each) for key, each in value.items()}
        case list() | tuple():
            return [_without_nan(each) for each in value]
        case float() if math.isnan(value):
            return None
        case _:
            return value


def restored(record: Record, *, numbers: tuple[str, ...]) -> Record:
    """Return a record's fields with NaN where JSON has none."""
    missing = {name: math.nan for name in numbers if record[name] is None}
    return {**record, **missing}
