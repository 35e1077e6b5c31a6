"""Text in plots: names from files are data for matplotlib, too."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from video_cam.utils.text import for_picture


def plot_text(text: str, max_letters: int) -> str:
    """Text for matplotlib, on one line: dollar signs are not read as mathematics.

    Args:
        text: of any length and any characters.
        max_letters: what is longer is cut, with an ellipsis.
    """
    return for_picture(text, max_letters).replace("$", r"\$")


@contextmanager
def boxes_for_missing_letters() -> Iterator[None]:
    """While text is measured and drawn: a letter that the font lacks is a box, and no warning.

    Nobody can act on the warning, and it would be printed for every label in Chinese.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield
