"""What each frame adds to the class score, where the map accounts for all of it.

Behind a layer that is averaged over its cells and fed to a linear head, the logit is the sum of
the map's cells plus the head's bias, exactly (Zhou et al. 2016, section 2; for Grad-CAM and
HiResCAM, whose weights are there the head's own over the number of cells).
"""

from __future__ import annotations

import numpy as np
from torch import nn

from video_cam.alignment import interpolation_matrix
from video_cam.blending import Maps
from video_cam.explanation import Explanation

TOLERANCE = 1e-3  # of the largest logit: what float32 loses on the way


def complete_bias(values: Maps, logits: np.ndarray, bias: float | None) -> float | None:
    """``bias`` where in every window the cells' sum and the bias are the logit, else None.

    values: (W, T', H', W'). logits: (W,).
    """
    if bias is None:
        return None
    rest = logits - values.sum((1, 2, 3), dtype=np.float64)
    allowed = TOLERANCE * max(1.0, float(np.abs(logits).max()))
    return bias if float(np.abs(rest - bias).max()) <= allowed else None


def head_bias(module: nn.Module, class_id: int, classes: int) -> float | None:
    """The class's bias in the last linear layer with one output per class; None without one."""
    heads = [
        child
        for child in module.modules()
        if isinstance(child, nn.Linear) and child.out_features == classes
    ]
    if not heads:
        return None
    return float(heads[-1].bias[class_id].detach()) if heads[-1].bias is not None else 0.0


def frame_contributions(explanation: Explanation, index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(source frames (F,), what each adds to the logit (F,)), the mean over its windows.

    A cell's share goes to the frames that interpolation would give it to; within one window the
    frames' shares and the bias add up to the logit.
    """
    series = explanation.maps[index]
    per_cell = series.values.sum((2, 3), dtype=np.float64)  # (W, T')
    frames = explanation.frame_indices
    matrix = interpolation_matrix(series.centres.t, np.arange(frames.shape[1]))  # (N, T')
    shares = per_cell @ (matrix / matrix.sum(0)).T  # (W, N)
    held, place = np.unique(frames, return_inverse=True)
    place = place.reshape(-1)
    # A frame that pads a window counts for all its repetitions there.
    windows = np.array([len(np.unique(np.argwhere(frames == frame)[:, 0])) for frame in held])
    return held, np.bincount(place, shares.ravel()) / windows
