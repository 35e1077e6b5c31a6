"""Scale pictures down until a file is as small as it was asked to be."""

from __future__ import annotations

import math

MIN_SIDE = 96  # pixels of the longer side; smaller pictures show nothing
_MARGIN = 0.95  # of the size that is aimed at: sizes do not follow the number of pixels exactly
_SLOWEST = 0.9  # each attempt is at least so much smaller


def next_scale(scale: float, num_bytes: int, max_bytes: int) -> float:
    """The scale to try after one that gave too large a file.

    Args:
        scale: of the sides of the pictures, at most 1.
        num_bytes: of the file at this scale.
        max_bytes: of the file that is wanted.
    """
    return scale * min(_SLOWEST, _MARGIN * math.sqrt(max(max_bytes, 0) / num_bytes))


def size_text(num_bytes: int) -> str:
    """20971520 -> "20.0 MB", 51200 -> "50 kB", in the units of ``--max-size``."""
    if num_bytes < 2**20:
        return f"{num_bytes / 2**10:.0f} kB"
    return f"{num_bytes / 2**20:.1f} MB"
