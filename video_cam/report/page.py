"""index.html: everything about one clip on one page that needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=PackageLoader("video_cam", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["url"] = quote


def write_page(path: Path, summary: dict[str, Any]) -> None:
    """Write the page of one clip from its summary; names and labels are escaped."""
    text = _ENVIRONMENT.get_template("page.html").render(
        summary=summary,
        title=Path(summary["clip"]["path"]).name,
        style=_ENVIRONMENT.get_template("page.css").render(),
    )
    path.write_text(text, encoding="utf-8")
