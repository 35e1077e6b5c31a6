"""What each frame adds to the class score, where the map adds up to it.

Grad-CAM and HiResCAM of a layer that is averaged over its cells and followed by a linear head are
complete: the sum over all cells, plus the head's bias, is the class's logit. The weights are then
those of the head divided by the number of cells (Zhou et al. 2016, "Learning Deep Features for
Discriminative Localization", section 2).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from video_cam.explanation.explanation import Explanation
from video_cam.layers.alignment import CellCentres, interpolation_matrix

TOLERANCE = 1e-3  # of the largest logit: rounding errors of float32


def complete_bias(sums: np.ndarray, logits: np.ndarray, bias: float | None) -> float | None:
    """The head's bias where maps are complete, else None.

    Maps are complete if in every window the sum over all cells plus the bias is the logit.

    Args:
        sums: (W, T') or (W, T', H', W'), of the maps on their layer's cells.
        logits: float32 (W,), of the class that the maps explain.
        bias: of this class in the network's linear head; None without one.
    """
    if bias is None:
        return None
    rest = logits - sums.reshape(len(sums), -1).sum(1, dtype=np.float64)
    allowed = TOLERANCE * max(1.0, float(np.abs(logits).max()))
    return bias if float(np.abs(rest - bias).max()) <= allowed else None


def head_biases(module: nn.Module, classes: int) -> np.ndarray | None:
    """The biases of the last linear layer that has one output per class.

    A convolution with a kernel of one cell counts as linear: the mean over the cells follows it.

    Returns:
        float64 (classes,), zeros for a layer without bias; None where there is no such layer.
    """
    heads = [child for child in module.modules() if _num_outputs(child) == classes]
    if not heads:
        return None
    bias = heads[-1].bias
    if not isinstance(bias, Tensor):
        return np.zeros(classes)
    return bias.detach().cpu().double().numpy()


def _num_outputs(child: nn.Module) -> int | None:
    """The number of outputs of a layer that is linear in each cell; None for other layers."""
    if isinstance(child, nn.Linear):
        return child.out_features
    if isinstance(child, nn.Conv2d | nn.Conv3d) and set(child.kernel_size) == {1}:
        return child.out_channels
    return None


def frame_contributions(explanation: Explanation, index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What each frame adds to the mean logit of the windows, by a complete map.

    The value of a cell is divided among the frames from whose times it is interpolated. A frame in
    few windows, such as those at the clip's ends, adds less to the mean.

    Args:
        index: of a map in ``explanation.maps`` whose ``bias`` is known.

    Returns:
        Source frame indices int64 (F,), rising, and float64 (F,): their sum plus the bias is the
        mean logit.
    """
    series = explanation.maps[index]
    frame_indices = explanation.frame_indices  # (W, N)
    per_sample = series.contributions
    if per_sample is None:
        sums = np.asarray(series.values).sum((2, 3), dtype=np.float64)
        per_sample = sample_contributions(sums, series.centres, frame_indices.shape[1])
    frames, position = np.unique(frame_indices, return_inverse=True)
    return frames, np.bincount(position.reshape(-1), per_sample.ravel()) / len(frame_indices)


def sample_contributions(
    sums: np.ndarray, layer_centres: CellCentres, num_samples: int
) -> np.ndarray:
    """What each sample of each window adds to the logit, by complete maps.

    Args:
        sums: float64 (W, T'), of the maps on their layer's cells, over space.
        layer_centres: of these cells.
        num_samples: N, of a window.

    Returns:
        float64 (W, N); the sum over the samples is the sum over the cells.
    """
    return np.asarray(sums @ _shares_of_cells(layer_centres, num_samples).T)


def _shares_of_cells(layer_centres: CellCentres, num_samples: int) -> np.ndarray:
    """(N, T'): the share of each cell that each sample of a window gets; columns sum to 1."""
    positions, centres = np.arange(num_samples), layer_centres.t
    matrix = interpolation_matrix(centres, positions, layer_centres.nearest)
    # A cell far outside the window, which no sample is interpolated from, goes to the nearest one.
    for cell in np.flatnonzero(matrix.sum(0) == 0):
        matrix[np.abs(positions - centres[cell]).argmin(), cell] = 1
    return matrix / matrix.sum(0)
