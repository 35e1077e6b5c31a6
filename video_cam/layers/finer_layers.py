"""The layers before a layer whose grids are finer in space, one for each of their scales."""

from __future__ import annotations

from collections.abc import Mapping

from video_cam.layers.layout import Fold, Grid
from video_cam.layers.trace import ModuleOutput

MAX_SCALES = 2  # finer ones that are used
# Of one side of the grids. Layers that are finer still are near the input: their gradients cost
# most of a whole backward pass, and they made drawn maps no better.
MAX_FINER = 4.5


def finer_layers(
    layer: str, modules: Mapping[str, ModuleOutput], folds: Mapping[str, Fold]
) -> tuple[str, ...]:
    """Names of layers that run before a layer and have more cells in space, coarsest grid first.

    Of each scale the outermost module is taken, such as a stage of blocks, and of several the one
    that runs last. Layers with fewer cells in time are left out.

    Args:
        layer: a module's name.
        modules, folds: of a trace, in the order of execution.
    """
    if layer not in folds or layer not in modules:
        return ()
    own = folds[layer].grid
    names = list(modules)
    chosen: dict[tuple[int, int], str] = {}
    for name in names[: names.index(layer)]:
        if name not in folds or modules[name].calls > 1 or not _is_finer(folds[name].grid, own):
            continue
        scale = folds[name].grid[1:]
        known = chosen.get(scale)
        if known is None or name.count(".") <= known.count("."):
            chosen[scale] = name
    ordered = sorted(chosen, key=lambda scale: scale[0] * scale[1])
    return tuple(chosen[scale] for scale in ordered[:MAX_SCALES])


def no_finer_layer(layer: str) -> str:
    """What is said of a layer without finer ones."""
    return f"no layer before {layer!r} has a finer grid: its maps are as fine as its own grid"


def _is_finer(grid: Grid, own: Grid) -> bool:
    (t, h, w), (own_t, own_h, own_w) = grid, own
    return (
        t >= own_t
        and own_h <= h <= MAX_FINER * own_h
        and own_w <= w <= MAX_FINER * own_w
        and h * w > own_h * own_w > 1
    )
