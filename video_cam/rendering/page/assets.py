"""Templates, scripts and styles of the pages, and their folder. Imports nothing heavy."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from video_cam.utils.text import for_page, unbroken

PAGE_FOLDER = "page"  # in a clip's folder
CLIP_THUMBNAIL = f"{PAGE_FOLDER}/thumbnail.jpg"


def _shown(value: Any) -> Any:
    """What a template writes of a value, before it is escaped: text is cleaned, scripts are not."""
    return for_page(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def address(path: str) -> str:
    """A relative path as an address of a link, which never leads to another host."""
    try:
        quoted = quote(os.fsencode(path))
    except UnicodeEncodeError:  # halves of surrogate pairs, from a damaged list of results
        quoted = quote(path.encode("utf-8", "replace"))
    return f".{quoted}" if quoted.startswith("/") else quoted


ENVIRONMENT = Environment(
    loader=PackageLoader("video_cam.rendering.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_shown,
)
ENVIRONMENT.filters["url"] = address
ENVIRONMENT.filters["unbroken"] = unbroken


def read_asset(name: str) -> str:
    """The text of a script or style in static/."""
    return (files("video_cam.rendering.page") / "static" / name).read_text(encoding="utf-8")
