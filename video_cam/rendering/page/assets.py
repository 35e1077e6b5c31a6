"""Templates, scripts and styles of the pages, and their folder. Imports nothing heavy."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

PAGE_FOLDER = "page"  # in a clip's folder
CLIP_THUMBNAIL = f"{PAGE_FOLDER}/thumbnail.jpg"

ENVIRONMENT = Environment(
    loader=PackageLoader("video_cam.rendering.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["url"] = quote


def read_asset(name: str) -> str:
    """The text of a script or style in static/."""
    return (files("video_cam.rendering.page") / "static" / name).read_text(encoding="utf-8")
