"""comparison.png: the maps of one keyframe side by side, a row for each layer, a column a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from video_cam.explanation.explanation import MapSeries
from video_cam.models.preprocessing import Frame
from video_cam.rendering.overlay import save_picture, stack, stitch


def write_comparison(
    path: Path, maps: Sequence[MapSeries], source: Frame, overlays: Sequence[Frame]
) -> None:
    """Write the source and, beside it, the overlay of every map.

    source and overlays: uint8 (H, W, 3) RGB of one size, the overlays in the order of ``maps``.
    Classes keep the order in which they were chosen: the best first, the worst last.
    """
    classes = list(dict.fromkeys(series.class_id for series in maps))
    kinds = list(dict.fromkeys((series.layer, series.method) for series in maps))
    places = {
        (series.layer, series.method, series.class_id): overlay
        for series, overlay in zip(maps, overlays, strict=True)
    }
    blank = np.full_like(source, 255)
    rows = [
        stitch([source, *(places.get((*kind, class_id), blank) for class_id in classes)])
        for kind in kinds
    ]
    save_picture(path, stack(rows))
