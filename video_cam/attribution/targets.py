"""Targets: from a network's outputs to the one score per sample that is explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.layers.outputs import class_scores, original_output
from video_cam.utils.devices import sent

Target = int | Sequence[int] | Callable[[Any], Tensor] | None

SIMILAR_CLASSES = 3  # that Finer-CAM compares with


def target_scores(outputs: Any, target: Target) -> tuple[Tensor, Tensor | None]:
    """The scores of a target, and its class ids.

    Args:
        outputs: of the network; class scores are taken from them by ``class_scores``.
        target: None for each sample's best class, a class id, one id per sample, or a function
            from the outputs to (N,) scores.

    Returns:
        Scores (N,), part of the outputs' graph, and class ids int64 (N,), None for a function.

    Raises:
        UsageError: for a class that does not exist, a wrong number of ids, or a function with a
            wrong result.
    """
    if callable(target):
        return _function_scores(target, outputs), None
    outputs = class_scores(outputs)
    batch, classes = outputs.shape
    if target is None:
        class_ids = outputs.detach().argmax(1)
    else:
        ids = _class_ids(target, batch)
        if len(ids) != batch:
            raise UsageError(f"{len(ids)} class ids for {batch} samples: give one per sample")
        wrong = [i for i in ids if not 0 <= i < classes]
        if wrong:
            raise UsageError(f"class id {wrong[0]} is outside 0 ... {classes - 1}")
        class_ids = sent(torch.tensor(ids), outputs.device)
    return outputs.gather(1, class_ids[:, None])[:, 0], class_ids


def fixed_target(target: Target, class_ids: Tensor | None) -> Target:
    """A target for altered inputs: the function, or the class ids that were found, as a list.

    Args:
        target: as in ``target_scores``.
        class_ids: what ``target_scores`` returned for it. Read only where the target is None.
    """
    if class_ids is None:
        return target
    return class_ids.tolist() if target is None else _class_ids(target, len(class_ids))


def _class_ids(target: Any, batch: int) -> list[int]:
    if isinstance(target, Tensor | np.ndarray):
        target = target.tolist()
    if isinstance(target, Integral):
        return [int(target)] * batch
    if isinstance(target, str) or not isinstance(target, Sequence):
        raise UsageError(
            f"target {target!r} must be None, a class id, one id per sample, or a function"
        )
    wrong = [i for i in target if not isinstance(i, Integral | Tensor)]
    if wrong:
        raise UsageError(f"class id {wrong[0]!r} must be a whole number")
    return [int(i) for i in target]


def finer_scores(outputs: Any, class_ids: Tensor | None) -> Tensor:
    """Finer-CAM's scores (N,), the difference between a class and the classes most similar to it.

    The mean of y_c - y_d over the SIMILAR_CLASSES classes d whose scores are nearest to y_c,
    weighted by their probabilities (Zhang et al. 2025, eq. 6).

    Raises:
        UsageError: without class ids, and for a network with a single score.
    """
    outputs = class_scores(outputs)
    if class_ids is None:
        raise UsageError("finercam compares classes: give the target as a class id")
    if outputs.shape[1] < 2:
        raise UsageError("finercam compares classes, and this network has one score only")
    own = outputs.gather(1, class_ids[:, None])  # (N, 1)
    distances = (outputs - own).detach().abs()
    # -1 sorts the class itself first, also where another one has the same score.
    order = distances.scatter(1, class_ids[:, None], -1.0).argsort(dim=1, stable=True)
    others = order[:, 1 : 1 + SIMILAR_CLASSES]
    weights = outputs.softmax(1).gather(1, others)
    differences = own - outputs.gather(1, others)
    return (weights * differences).sum(1) / (weights.sum(1) + 1e-9)


def _function_scores(target: Callable[[Any], Tensor], outputs: Any) -> Tensor:
    scores = target(original_output(outputs))
    if isinstance(scores, Tensor) and scores.ndim == 0:
        scores = scores.unsqueeze(0)  # the score of a single sample
    samples = _samples(outputs)
    is_vector = isinstance(scores, Tensor) and scores.ndim == 1
    if not is_vector or (samples is not None and len(scores) != samples):
        made = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        name = getattr(target, "__name__", "target")
        raise UsageError(
            f"target {name} made {made} of the network's output, expected (N,) scores, one for "
            "each sample"
        )
    return scores


def _samples(outputs: Any) -> int | None:
    """The number of samples, where the outputs are class scores."""
    try:
        return len(class_scores(outputs))
    except UsageError:
        return None
