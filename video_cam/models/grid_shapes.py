"""The layers of a network whose outputs are grids, for lists that people choose from."""

from __future__ import annotations

import torch

from video_cam.models.classifier import Classifier


def grid_shapes(model: Classifier, size: tuple[int, int, int]) -> dict[str, torch.Size]:
    """Shapes of the outputs that are grids, in the order in which the layers run.

    Modules that run several times are left out: their outputs are not those of one layer.

    Args:
        size: (T, H, W) of the input.

    Returns:
        Module name -> (1, K, T', H', W').
    """
    seen, grids = model.trace(size)
    return {
        name: fold(torch.empty(seen[name].shape, device="meta")).shape
        for name, fold in grids.items()
        if seen[name].calls == 1
    }
