"""The contact sheet: keyframes of one size in rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from video_cam.models.preprocessing import Frame
from video_cam.rendering.overlay import save_picture, stack, stitch

_GAP = 4  # pixels between pictures


def contact_sheet(path: Path, pictures: Sequence[Frame]) -> None:
    """Write uint8 (H, W, 3) RGB pictures of one size as one JPEG, read like a text."""
    columns = _columns(len(pictures))
    padded = [
        np.pad(picture, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for picture in pictures
    ]
    blank = np.full_like(padded[0], 255)
    padded += [blank] * (-len(padded) % columns)
    rows = [stitch(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    save_picture(path, stack(rows))


def _columns(count: int) -> int:
    """About one and a half times as many columns as rows."""
    return min(count, math.ceil(math.sqrt(1.5 * count)))
