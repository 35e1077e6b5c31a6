"""The font of captions and plots."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

_IN_MATPLOTLIB = "mpl-data/fonts/ttf"


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which has most alphabets of Unicode, in ``size`` pixels."""
    return ImageFont.truetype(str(_font_folder() / "DejaVuSans.ttf"), size)


def _font_folder() -> Path:
    """Where matplotlib keeps its fonts; found without importing it, which takes long."""
    spec = find_spec("matplotlib")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        if (Path(folder) / _IN_MATPLOTLIB).is_dir():
            return Path(folder) / _IN_MATPLOTLIB
    import matplotlib  # some Linux distributions keep its data elsewhere

    return Path(matplotlib.get_data_path()) / "fonts/ttf"
