"""A run with two clips that the network saw in part, and with a ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from tests.support.media import write_clip
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.explanation.map_series import ClassTarget
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.rendering.renderer import render_with
from video_cam.video.clip import Clip

TRUTH = {
    **{"name": "bee", "label": "bee", "rank": 2, "correct": False, "num_classes": 3},
    "given": {"spans": [[0.05, 0.2]]},
}


def explanation_of(clip: Path) -> Explanation:
    """Two maps of 2 x 3 cells on a clip of 6 frames, of which the network saw the middle."""
    opened = Clip.open(clip)
    # 48 x 64 pixels are resized to 24 x 32; a crop of 20 x 20 begins at (2, 6).
    geometry = Geometry(48, 64, 24, 32, 2, 6, 20, 20)
    cells = CellCentres(np.array([0.5, 2.5]), np.array([4.5, 14.5]), np.array([2.0, 9.5, 17.0]))
    values = np.random.default_rng(1).normal(size=(2, 2, 2, 3)).astype(np.float32)
    series = replace(map_series([[0, 0], [0, 0]], [0.5, 2.5]), values=values, centres=cells)
    other = replace(
        series, values=values[::-1], target=ClassTarget(1), label="bee", layer="early/1"
    )
    return make_explanation(
        clip=opened.info, timeline=opened.timeline, geometry=geometry, maps=(series, other)
    )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run; not to be changed."""
    root = tmp_path_factory.mktemp("run")
    for name in ("one", "two"):
        clip = write_clip(tmp_path_factory.mktemp("clips") / f"{name}.mp4", 6)
        config = RenderConfig(max_keyframes=2)
        truth = {"truth": TRUTH} if name == "one" else None
        render_with(Clip.open(clip), explanation_of(clip), root / name, config, extra_summary=truth)
    return root


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "out"
