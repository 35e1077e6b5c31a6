"""Explanations of clips, and what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

import video_cam
from video_cam import Classifier, Explanation
from video_cam.video.clip import Clip

# An alignment that need not be measured, and maps as they are in the layer.
PLAIN = {"align": "half-pixel", "detail": "none"}


def explain(path: Path, model: Classifier, **options: Any) -> Explanation:
    return video_cam.explain(path, model, **PLAIN | options)


def inputs(path: Path, explanation: Explanation, model: Classifier) -> Tensor:
    """The network's inputs (W, 3, N, H, W), from all frames of the clip decoded in order."""
    with Clip.open(path).frames() as reader:
        frames = [model.preprocess.frame(frame.rgb()) for frame in reader]
    return model.preprocess.tensor(
        np.stack([[frames[i] for i in window] for window in explanation.frame_indices])
    )


def cams(path: Path, explanation: Explanation, model: Classifier, **options: Any) -> list[Any]:
    """What compute_cams makes of the frames that the explanation says the network saw."""
    x = inputs(path, explanation, model)
    maps = video_cam.compute_cams(model.module, x, **{"layers": ["layer4"]} | PLAIN | options)
    return [cam.values for cam in maps]


def assert_close(values: np.ndarray, expected: Any) -> None:
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)


def ends(explanation: Explanation) -> list[list[int]]:
    """First and last frame of each window."""
    return explanation.frame_indices[:, [0, -1]].tolist()
