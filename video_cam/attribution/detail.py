"""Maps on finer grids than their layer's: a class activation map times finer evidence.

A CAM of a deep layer is of the class and coarse; what is found nearer to the input is fine and
less of the class. Where both agree is what the network looked at. Two sources of finer evidence:

"layers": finer layers of the same forward and backward pass. With M the map of the layer, the map
is a geometric mean of shares,

    sign(M) P (|M| / P  F_1 / max F_1 ... F_n / max F_n)^(1 / (n + 1)),    F = sum_k relu(+-g_k A_k)

P is the largest |M| of the sample with the same sign, g the gradient at a finer layer averaged over
the 3 x 3 x 3 cells around each cell, and the sign in F is that of M. F without the average is
LayerCAM (Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for
Localization", eq. 6; there the maps of layers are fused by their maximum, section III-C), also for
activations that are not positive. The average lies between LayerCAM, which takes the gradient of
every cell as it is, and Grad-CAM, which takes one for all cells: gradients of single cells are
noisy. On drawn clips it raised average precision from 0.57 to 0.59; the map alone has 0.42. The
root keeps more than single cells visible. Without P, it would also make windows with little
evidence nearly as strong as those with much.

"input": M D / max D with an attribution D at the input (see ``path_gradients``), where M is the map
of "layers" (the layer's own where there are no finer ones). On drawn clips average precision was
0.71 with it and 0.68 with the layer's own map, and 0.50 instead of 0.38 of the mass lay on the
event; on clips in which a distractor acts beside the actor, 0.61 and 0.60, 0.46 and 0.37. Guided
Grad-CAM multiplies a map with an input gradient, too (Selvaraju et al. 2017, section 3.2), and XRAI
(Kapishnikov et al. 2019) sums integrated gradients over regions. The product is linear in M, so
signs stay, and windows with little evidence keep it.

Both are signed; ReLU and normalisation come after blending, as for all maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from video_cam.attribution.cam_methods import Axes
from video_cam.layers.alignment import CellCentres, onto_centres
from video_cam.utils.devices import sent


@dataclass(frozen=True)
class Evidence:
    """Finer evidence for and against the target.

    Attributes:
        positive, negative: (N, T', H', W'), not negative.
        centres: of the cells.
    """

    positive: Tensor
    negative: Tensor
    centres: CellCentres

    def onto(self, centres: CellCentres) -> Evidence:
        """The same at other centres."""
        positive, negative = (
            onto_centres(values, self.centres, centres) for values in (self.positive, self.negative)
        )
        return Evidence(positive, negative, centres)


def layer_evidence(A: Tensor, G: Tensor, axes: Axes, centres: CellCentres) -> Evidence:
    """The positive and the negative contributions of a layer's cells.

    Args:
        A: activations (N, K, T', H', W').
        G: the gradient of the score with respect to them.
        axes: the pooled axes, of ``cam_methods.POOLING``; gradients are averaged along these.
        centres: of the layer's cells.
    """
    for axis in axes:
        G = _neighbours_mean(G, axis)
    terms = G * A
    total, absolute = terms.sum(1), terms.abs().sum(1)
    positive, negative = ((absolute + sign * total).clamp(min=0) / 2 for sign in (1, -1))
    return Evidence(positive, negative, centres)


def _neighbours_mean(values: Tensor, axis: int) -> Tensor:
    """The mean of each cell and its one or two neighbours along an axis."""
    others = values.shape[axis] - 1
    if not others:
        return values
    total = values.clone()
    total.narrow(axis, 1, others).add_(values.narrow(axis, 0, others))
    total.narrow(axis, 0, others).add_(values.narrow(axis, 1, others))
    counts = torch.full((others + 1, *[1] * (values.ndim - axis - 1)), 3, dtype=values.dtype)
    counts[0] = counts[-1] = 2
    return total / sent(counts, values.device)


def geometric_mean(values: Tensor, evidence: Sequence[Evidence]) -> Tensor:
    """sign(M) P (|M| / P  F_1 / max F_1 ... F_n / max F_n)^(1 / (n + 1)).

    P is the largest |M| of the same sign, and max F that of evidence of either sign, both of the
    sample.

    Args:
        values: M, signed (N, T, H, W).
        evidence: F of n layers, on the same grid.

    Returns:
        Signed, in the shape of ``values``; zeros for a sample without evidence.
    """
    root = 1 / (len(evidence) + 1)
    negative = values < 0
    peak = torch.where(negative, _peak(-values), _peak(values))
    result = peak * _share(values.abs(), peak) ** root
    for one in evidence:
        of_sign = torch.where(negative, one.negative, one.positive)
        result = result * _share(of_sign, _peak(torch.maximum(one.negative, one.positive))) ** root
    return result * values.sign()


def times_share(values: Tensor, attribution: Tensor) -> Tensor:
    """M D / max D, with the maximum of each sample.

    Args:
        values: M, signed (N, T, H, W).
        attribution: D, not negative, on the same grid.

    Returns:
        Signed, in the shape of ``values``; zeros for a sample without attribution.
    """
    return values * _share(attribution, _peak(attribution))


def _peak(values: Tensor) -> Tensor:
    """(N, 1, 1, 1), each sample's largest value."""
    return values.flatten(1).amax(1).reshape(-1, 1, 1, 1)


def _share(values: Tensor, peak: Tensor) -> Tensor:
    """Values that are not negative as shares of a peak; 0 where the peak is."""
    return torch.where(peak > 0, values / peak, torch.zeros_like(values))
