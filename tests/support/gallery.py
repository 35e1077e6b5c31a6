"""The rows of a folder's index.html, read back from the data in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def gallery_rows(page: Path) -> list[dict[str, Any]]:
    """One dictionary for each clip, with its class and status as text and its whole path."""
    [text] = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    data = json.loads(text)
    rows = [
        dict(zip(data["rows"], values, strict=True))
        for values in zip(*data["rows"].values(), strict=True)
    ]
    for row in rows:
        for field, table in (("label", "labels"), ("status", "statuses"), ("folder", "folders")):
            row[field] = data[table][row[field]] if row[field] >= 0 else None
        row["clip"] = row["folder"] + row["name"]
    return rows
