"""What each frame adds to the class score, where the map accounts for all of it.

Behind a layer that is averaged over its cells and fed to a linear head, the logit is the sum of
the map's cells plus the head's bias, exactly (Zhou et al. 2016, section 2; for Grad-CAM and
HiResCAM, whose weights are there the head's own over the number of cells).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from video_cam.explanation.blending import Maps
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import MapSeries
from video_cam.layers.alignment import interpolation_matrix

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


def head_biases(module: nn.Module, classes: int) -> np.ndarray | None:
    """float64 (classes,): biases of the last linear layer with one output per class.

    A convolution whose kernel is one cell counts as linear: the mean over cells follows it. None
    where the network has no such layer.
    """
    heads = [child for child in module.modules() if _outputs(child) == classes]
    if not heads:
        return None
    bias = heads[-1].bias
    if not isinstance(bias, Tensor):
        return np.zeros(classes)
    return bias.detach().double().cpu().numpy()


def _outputs(child: nn.Module) -> int | None:
    """How many outputs a layer that is linear in every cell has; None of any other."""
    if isinstance(child, nn.Linear):
        return child.out_features
    if isinstance(child, nn.Conv2d | nn.Conv3d) and set(child.kernel_size) == {1}:
        return child.out_channels
    return None


def frame_contributions(explanation: Explanation, index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(source frames (F,), what each adds to the mean logit of the windows (F,)).

    A cell's share goes to the frames that interpolation would give it to. The shares and the bias
    add up to the mean logit: a frame that few windows hold, as at the clip's ends, adds less to it.
    """
    series = explanation.maps[index]
    per_cell = series.values.sum((2, 3), dtype=np.float64)  # (W, T')
    frames = explanation.frame_indices
    shares = per_cell @ _shares_of_cells(series, frames.shape[1]).T  # (W, N)
    held, place = np.unique(frames, return_inverse=True)
    return held, np.bincount(place.reshape(-1), shares.ravel()) / len(frames)


def _shares_of_cells(series: MapSeries, num_samples: int) -> Maps:
    """(N, T'): how much of each cell a window's samples get; columns sum to 1."""
    positions, centres = np.arange(num_samples), series.centres.t
    matrix = interpolation_matrix(centres, positions, series.centres.nearest)
    # Cells that lie so far outside that no sample interpolates from them belong to the nearest.
    for cell in np.flatnonzero(matrix.sum(0) == 0):
        matrix[np.abs(positions - centres[cell]).argmin(), cell] = 1
    return matrix / matrix.sum(0)
