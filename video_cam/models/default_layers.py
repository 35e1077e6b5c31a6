"""The layers that are mapped where nobody names one: the last ones that all of a score needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.layers.bypass import last_cut
from video_cam.layers.differentiable import WITHOUT_GRADIENT
from video_cam.layers.layout import Fold, layouts
from video_cam.layers.measured_layout import refusal, settled_folds
from video_cam.layers.reachability import (
    MAX_TESTED_LAYERS,
    gradients_are_zero,
    layers_affecting_scores,
)
from video_cam.layers.selection import default_candidates, frame_loop_message, min_cells_in_time
from video_cam.layers.trace import ModuleOutput
from video_cam.models.spec import ModelSpec

_NO_LAYER = "no layer of the network puts out a grid of places that leads to its scores"


def likely_grids(
    module: nn.Module,
    seen: Mapping[str, ModuleOutput],
    size: Sequence[int],
    spec: ModelSpec,
    library_name: str,
) -> dict[str, Fold]:
    """How outputs become grids; of what may be the default layer, confirmed where not certain."""
    possible = layouts(seen.values(), size, spec.space_first)
    grids = {name: layout.folds[0] for name, layout in possible.items()}
    if spec.where_layer:
        return grids
    candidates = default_candidates(seen, grids)[:MAX_TESTED_LAYERS]
    doubtful = [name for name in candidates if not possible[name].certain]
    if not doubtful or candidates[0] not in doubtful:
        return grids
    settled = settled_folds(module, possible, doubtful, size, identity=library_name)
    kept = {name: fold for name, fold in grids.items() if name not in doubtful}
    return {name: (settled | kept)[name] for name in grids if name in settled or name in kept}


def default_layer(
    module: nn.Module,
    size: Sequence[int],
    seen: Mapping[str, ModuleOutput],
    grids: Mapping[str, Fold],
    check: bool,
) -> tuple[str, float]:
    """The default layer, and the share of the scores' gradient that goes round it."""
    names = default_candidates(seen, grids)
    if check or any(grids[name].axes == "tokens" for name in names[:1]):
        # A head that reads only the class token does not depend on the last blocks' grids.
        names = layers_affecting_scores(module, size, names, grids)
        if names:
            return last_cut(module, size, names)
    return (names[0] if names else ""), 0.0


def layer_in_time(
    where: str,
    module: nn.Module,
    size: Sequence[int],
    seen: Mapping[str, ModuleOutput],
    grids: Mapping[str, Fold],
    check: bool,
) -> str:
    """``where`` if it has enough cells in time, else the last layer that has, else ``where``.

    With ``check`` one that all of the gradient goes through, if there is one.
    """
    enough = min_cells_in_time(size[0])
    fine = [name for name in default_candidates(seen, grids) if grids[name].grid[0] >= enough]
    if where in fine or not fine:
        return where
    return last_cut(module, size, fine)[0] if check and where else fine[0]


def no_default_layer(
    module: nn.Module,
    size: Sequence[int],
    seen: Mapping[str, ModuleOutput],
    grids: Mapping[str, Fold],
) -> UsageError:
    """The error for a network without a default layer: what is the matter with the best one."""
    per_frame = [one for one in seen.values() if one.calls == size[0] > 1]
    images = [one for one in per_frame if len(one.shape) == 4]
    if images:
        return UsageError(frame_loop_message(images[-1]))
    candidates = default_candidates(seen, grids)
    if not candidates:
        return UsageError(
            f"{_NO_LAYER}: a map of a layer needs one, such as a convolution's output; --layer "
            f"names one, and --method {' or '.join(SCORE_METHOD_NAMES)} needs none"
        )
    best = candidates[0]
    possible = layouts(seen.values(), size)
    if not possible[best].certain and best not in settled_folds(module, possible, [best], size):
        return refusal(best, seen[best].shape, possible[best])
    if gradients_are_zero(module, size, candidates):
        return UsageError(
            f"{_NO_LAYER}: at layer {best!r} their gradient is 0 everywhere, as where the head's "
            "weights are 0: are the weights loaded?"
        )
    return UsageError(
        f"{_NO_LAYER}: at layer {best!r} they have no gradient, because {WITHOUT_GRADIENT}"
    )
