"""Window results and explanations made by hand, for tests that run no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.hostile import TEXTS
from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget, MapParts, MapSeries, MapTarget, ModelInfo
from video_cam.explanation.window_result import WindowResult
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.utils.notes import Note
from video_cam.video.clip import Clip
from video_cam.video.scan import ClipInfo
from video_cam.video.source_files import source_digest
from video_cam.video.timeline import Timeline

LABELS = ("ant", "bee", "cat")

# A motion test of the first window of ``make_explanation``, frozen at two of its frames.
MOTION_TEST: dict[str, Any] = {
    "sentence": "Without motion the score falls from 5.0 to 2.0: the network answers by motion",
    "motion_share": 0.75,
    **{"score": 5.0, "frozen": 1.5, "frozen_best": 2.0, "shuffled": 0.5, "reversed": -1.0},
    **{"slow": 4.0, "fast": 3.0, "still": 1.0},
    "frozen_scores": [1.0, 2.0],
    "frozen_frame_indices": [0, 3],
    "frozen_pts_seconds": [0.0, 0.3],
    "shuffled_scores": [0.0, 0.5, 1.0],
    "standard_deviations": {"frozen": 0.5, "shuffled": 0.4},
    "shown": {"score": "70%", "frozen": "20%"},
    "probabilities": {"score": 0.7, "frozen": 0.2},
    **{"forwards": 10, "window": 0, "class_id": 0, "label": "ant", "others": []},
}
FRAME_TEST: dict[str, Any] = {
    "sentence": "2 of 4 frames are enough for ant: those at 0.10 and 0.30 s keep 94 % of the score",
    **{"window": 0, "label": "ant", "score": 5.0, "blank_score": 1.0},
    "frame_indices": [0, 1, 2, 3],
    "pts_seconds": [0.0, 0.1, 0.2, 0.3],
    "contributions": [-0.5, 2.5, 0.5, 1.5],
    "standard_errors": [0.1, 0.2, 0.1, 0.3],
    **{"sufficient_frames": [1, 3], "kept_share": 0.94, "is_exact": False, "frames_per_group": 1},
    "windows": {
        **{"score": 3.0, "blank_score": 1.0, "contributions": [1.75, 0.25]},
        **{"sufficient_windows": [0], "kept_share": 0.91},
    },
    "forwards": 120,
}


def centres(t: Sequence[float], cells: int = 1) -> CellCentres:
    """Cells at these positions in time, and one pixel apart in space."""
    return CellCentres(np.array(t, float), np.arange(float(cells)), np.arange(float(cells)))


def window_result(
    index: int, maps: Mapping[MapTarget, Sequence[Sequence[float]]], **fields: Any
) -> WindowResult:
    """A result whose maps have one cell in space.

    maps: target -> for each layer and method the values of the cells in time.
    """
    arrays = {
        target: tuple(np.array(values, np.float32)[:, None, None] for values in each)
        for target, each in maps.items()
    }
    scores = np.zeros(len(LABELS), np.float32)
    made = {
        "logits": scores,
        "probabilities": scores,
        "function_scores": np.zeros(0, np.float32),
        "frame_scores": {},
    }
    return WindowResult(index=index, maps=arrays, **made | fields)


def map_series(values: Sequence[Sequence[float]], t: Sequence[float], **fields: Any) -> MapSeries:
    """A series with one cell in space; values: for each window those of the cells in time."""
    array = np.array(values, np.float32)[:, :, None, None]
    made = {"target": ClassTarget(0), "label": LABELS[0], "layer": "late", "method": "gradcam"}
    return MapSeries(**made | {"values": array, "centres": centres(t)} | fields)


def make_explanation(**fields: Any) -> Explanation:
    """A network of 4 frames on a clip of 6 frames at 10 per second: windows at frames 0 and 2."""
    made = {
        "clip": ClipInfo("clip.mp4", 8, 8, Fraction(10), 6, 0.6, has_audio=False, is_still=False),
        "model": ModelInfo("net", "random", ("late",), 4, Fraction(10), trained=True),
        "labels": LABELS,
        "geometry": Geometry(8, 8, 8, 8, 0, 0, 8, 8),
        "timeline": Timeline(np.arange(6), Fraction(1, 10), 1),
        "frame_indices": np.array([[0, 1, 2, 3], [2, 3, 4, 5]]),
        "num_padded": np.zeros(2, np.int64),
        "probabilities": np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32),
        "maps": (map_series([[1, 2], [3, 4]], [0.5, 2.5]),),
        "span": (0, 6),
        "options": {"sampling": "windows", "align": "probe"},
        "source_digest": "sha256:",
    }
    if "clip" in fields and Path(fields["clip"].path).exists():
        made["source_digest"] = source_digest(fields["clip"].path)
    return Explanation(**made | fields)


def hostile_explanation(clip: Path) -> Explanation:
    """A map of each class of a network whose names, layers and notes are hostile.

    Args:
        clip: of 6 frames.
    """
    opened = Clip.open(clip)
    width, height = opened.info.width, opened.info.height
    names = tuple(TEXTS.values())
    layer = "".join(TEXTS[name] for name in ("markup", "terminal escape", "newline", "direction"))
    t = [0.5, 2.5]
    maps = tuple(
        map_series([[1 + i, 2], [3, 4]], t, target=ClassTarget(i), label=name, layer=layer)
        for i, name in enumerate(names)
    )
    others = [{"label": name, "sentence": f"{name} falls"} for name in names]
    probabilities = np.linspace(0.2, 0.01, 2 * len(names), dtype=np.float32).reshape(2, -1)
    return make_explanation(
        clip=opened.info,
        model=ModelInfo(names[0], names[8], (layer,), 4, Fraction(25), trained=False),
        geometry=Geometry(height, width, height, width, 0, 0, height, width),
        labels=names,
        timeline=opened.timeline,
        probabilities=probabilities,
        maps=maps,
        notes=tuple(map(Note, names)),
        check={"sentence": names[0] + names[8], "drop": 0.5},
        motion_test=MOTION_TEST | {"label": names[0], "others": others},
        motion_maps=MapParts((1,), tuple(replace(one, values=one.values[:1]) for one in maps[:2])),
    )
