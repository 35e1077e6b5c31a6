"""What is explained: from a network's outputs to one score per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.outputs import class_scores

Target = int | Sequence[int] | Callable[[Any], Tensor] | None

SIMILAR_CLASSES = 3


def target_scores(outputs: Any, target: Target) -> tuple[Tensor, Tensor | None]:
    """The (N,) scores a target names in the network's outputs, and its class ids.

    A target is None (each sample's best class), a class id, one id per sample, or a function from
    the outputs to the scores, which has no class ids. Class scores are found as ``class_scores``
    finds them.
    """
    if callable(target):
        return _function_scores(target, outputs), None
    outputs = class_scores(outputs)
    batch, classes = outputs.shape
    if target is None:
        class_ids = outputs.detach().argmax(1)
    else:
        ids = (
            [int(target)] * batch
            if isinstance(target, int | Integral)
            else [int(i) for i in target]
        )
        if len(ids) != batch:
            raise UsageError(f"{len(ids)} class ids for {batch} samples: give one per sample")
        wrong = [i for i in ids if not 0 <= i < classes]
        if wrong:
            raise UsageError(f"class id {wrong[0]} is outside 0 ... {classes - 1}")
        class_ids = torch.tensor(ids, device=outputs.device)
    return outputs.gather(1, class_ids[:, None])[:, 0], class_ids


def finer_scores(outputs: Any, class_ids: Tensor | None) -> Tensor:
    """Finer-CAM's scores (N,): how far the class stands out from those most like it.

    The mean of y_c - y_d over the SIMILAR_CLASSES classes d whose scores are nearest to y_c,
    weighted by their probabilities (Zhang et al. 2025, eq. 6).
    """
    outputs = class_scores(outputs)
    if class_ids is None:
        raise UsageError("finercam compares classes: give the target as a class id")
    if outputs.shape[1] < 2:
        raise UsageError("finercam compares classes, and this network has one score only")
    own = outputs.gather(1, class_ids[:, None])  # (N, 1)
    order = (outputs - own).detach().abs().argsort(dim=1, stable=True)
    others = order[:, 1 : 1 + SIMILAR_CLASSES]
    weights = outputs.softmax(1).gather(1, others)
    differences = own - outputs.gather(1, others)
    return (weights * differences).sum(1) / (weights.sum(1) + 1e-9)


def _function_scores(target: Callable[[Any], Tensor], outputs: Any) -> Tensor:
    scores = target(outputs)
    if isinstance(scores, Tensor) and scores.ndim == 0:
        return scores.unsqueeze(0)  # of one sample
    if not isinstance(scores, Tensor) or scores.ndim != 1:
        made = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        name = getattr(target, "__name__", "target")
        raise UsageError(
            f"target {name} made {made} of the network's output, expected (N,) scores, one for "
            "each sample"
        )
    return scores
