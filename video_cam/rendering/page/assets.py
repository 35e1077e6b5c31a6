"""Templates, scripts and styles of the pages. Nothing heavy is imported here."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

FOLDER = "page"

ENVIRONMENT = Environment(
    loader=PackageLoader("video_cam.rendering.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["url"] = quote


def read_asset(name: str) -> str:
    """A script or style of the pages as it is."""
    return (files("video_cam.rendering.page") / "static" / name).read_text(encoding="utf-8")
