"""The maps for the page: one small signed map for each source frame, in chunks.

Windows are blended already. The browser interpolates in space, removes negative values, normalises
and colours, since these steps depend on what the user chooses.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.curves import shorten
from video_cam.rendering.explained_targets import target_number
from video_cam.rendering.heat import spatial_matrices
from video_cam.rendering.page.script_data import pack_levels, write_bytes_script
from video_cam.rendering.peaks import peak_frames

MAX_CHUNK_BYTES = 200_000  # a chunk loads in a few milliseconds
MAX_CURVE_POINTS = 20_000  # eleven minutes at 30 frames per second: a timeline can be zoomed
# Of an integer of 16 bits; of maps that the explanation holds in 8 bits fewer levels than that has,
# which no eye tells apart and which compress to less.
MAX_LEVEL, MAX_SMALL_LEVEL = 32767, 63
_COMPRESSION = 9  # of zlib: the largest files are written once, and kept and sent often
HEAD_BYTES = 12  # of each frame: scale, window peak, score


def write_maps(folder: Path, blended: BlendedMap, index: int) -> None:
    """Write a map as `<folder>/maps/<index>-<chunk>.js`.

    A chunk holds float32 (frames, 3): scale, window peak and score of each frame; then int16, or
    int8 for quantised maps, (frames, H', W'): value = scale * cell. Of every frame but the first
    the difference from the frame before is written, which may overflow; all is deflated. A negative
    scale marks a frame that no window covers.

    Args:
        folder: of the page.
        blended: the map at every frame.
        index: the map's number on the page.
    """
    length = frames_per_chunk(blended)
    stop = blended.first + len(blended.mass)
    for chunk, first in enumerate(range(blended.first, stop, length)):
        frames = range(first, min(first + length, stop))
        data = zlib.compress(_chunk(blended, frames), _COMPRESSION)
        write_bytes_script(folder, f"maps/{index}-{chunk}", data)


def frames_per_chunk(blended: BlendedMap) -> int:
    """How many frames a chunk holds, but for the last one."""
    height, width = blended.series.values.shape[2:]
    return max(1, MAX_CHUNK_BYTES // (_cell_bytes(blended) * height * width + HEAD_BYTES))


def _cell_bytes(blended: BlendedMap) -> int:
    return 1 if isinstance(blended.series.values, QuantisedMaps) else 2


def _chunk(blended: BlendedMap, frames: range) -> bytes:
    height, width = blended.series.values.shape[2:]
    head = np.zeros((len(frames), 3), "<f4")
    is_small = _cell_bytes(blended) == 1
    max_level = MAX_SMALL_LEVEL if is_small else MAX_LEVEL
    cells = np.zeros((len(frames), height, width), "<i1" if is_small else "<i2")
    for i, frame_index in enumerate(frames):
        values = blended.cells(frame_index)
        if values is None:
            head[i, 0] = -1
            continue
        scale = np.float32(np.abs(values).max() / max_level)
        window_peak = blended.window_peaks[frame_index - blended.first]
        head[i] = scale, window_peak, blended.score(frame_index)
        if scale > 0:
            cells[i] = np.rint(values / scale)
    cells[1:] -= cells[:-1].copy()
    return head.tobytes() + cells.tobytes()


def describe_map(explanation: Explanation, blended: BlendedMap) -> dict[str, Any]:
    """What the page knows of a map before its chunks are loaded.

    x, y are the centres of the cells in source pixels; 0 is the centre of the first pixel. Chunks
    hold the frames from "first" to the one before "stop"; others are not seen. "peaks" are source
    frames, strongest first.
    """
    geometry, series = explanation.geometry, blended.series
    _, _, box = spatial_matrices(geometry, series.centres)
    x = [geometry.to_source(float(c) + 0.5, 0)[0] - 0.5 for c in series.centres.x]
    y = [geometry.to_source(0, float(c) + 0.5)[1] - 0.5 for c in series.centres.y]
    return {
        "class_id": target_number(series.target),
        "label": series.label,
        "window_labels": [explanation.labels[c] for c in series.class_ids],
        "layer": series.layer,
        "method": series.method,
        "detail": series.detail,
        "box": box,
        "nearest": series.centres.nearest,
        "x": x,
        "y": y,
        "peak": blended.peak,
        "chunk_frames": frames_per_chunk(blended),
        "cell_bytes": _cell_bytes(blended),
        "first": blended.first,
        "stop": blended.first + len(blended.mass),
        "is_part": False,
        "unseen": "the network did not see this moment",
        "mass": pack_levels(shorten(blended.mass, np.max, MAX_CURVE_POINTS)),
        "peaks": peak_frames(explanation, blended),
    }
