"""Class scores in whatever a network returns, and scores as they are shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from video_cam.errors import UsageError

# Attributes and keys that hold the scores, in the order in which they are tried.
SCORE_NAMES = (
    *("logits", "cls_score", "cls_scores", "class_scores", "cls_logits", "class_logits"),
    *("pred_logits", "scores", "cls", "output", "out", "predictions", "prediction", "pred", "y"),
)


@dataclass(frozen=True)
class ClassOutput:
    """A network's output in another form, with the class scores that were found in it.

    Attributes:
        scores: (N, classes), or (N, T, classes) of a network that scores frames.
        shares: float32 (N, classes), for each class the share of places where it is predicted; None
            for a network that does not score places.
        original: what the network itself put out.
    """

    scores: Tensor
    shares: Tensor | None
    original: Any


def original_output(outputs: Any) -> Any:
    """What the network itself put out."""
    return outputs.original if isinstance(outputs, ClassOutput) else outputs


def class_shares(outputs: Any) -> Tensor | None:
    """The share of places where each class is predicted (N, classes); see ``ClassOutput``."""
    return outputs.shares if isinstance(outputs, ClassOutput) else None


def class_scores(outputs: Any) -> Tensor:
    """Scores (N, classes) of clips; where a network scores every frame, the mean over frames.

    Args:
        outputs: a floating-point tensor (N, classes), (N, classes, 1, 1, 1), (N, T, classes), or
            (N,) for one class; alone, in a tuple or list (the first tensor counts), in a dict, or
            as an attribute named logits (scores, output, out, ...); or a ClassOutput.

    Raises:
        UsageError: for anything else.
    """
    scores = raw_scores(outputs)
    return scores.mean(1) if scores.ndim == 3 else scores


def frame_scores(outputs: Any) -> Tensor | None:
    """Scores (N, T, classes) of a network that scores every frame, else None.

    Raises:
        UsageError: as ``class_scores``.
    """
    scores = raw_scores(outputs)
    return scores if scores.ndim == 3 else None


def raw_scores(outputs: Any) -> Tensor:
    """Scores (N, classes) or (N, T, classes), taken out of their container.

    Raises:
        UsageError: as ``class_scores``.
    """
    if isinstance(outputs, ClassOutput):
        return outputs.scores
    tensor = scores_by_name(outputs)
    if tensor is None:
        raise no_class_axis(type(outputs).__name__)
    if not tensor.is_floating_point():
        raise _without_gradient(tensor)
    if tensor.ndim > 3 and tensor.shape[2:].numel() == 1:
        tensor = tensor.flatten(1)
    if tensor.ndim == 1:
        tensor = tensor.unsqueeze(1)
    if tensor.ndim not in (2, 3) or tensor.shape[-1] == 0:
        raise no_class_axis(f"{tuple(tensor.shape)} {tensor.dtype}".replace("torch.", ""))
    return tensor


def shown_scores(scores: Tensor, kind: str) -> Tensor:
    """Scores (..., classes) as results show them.

    Args:
        scores: logits, or any numbers.
        kind: "softmax" for probabilities that sum to 1 over the classes, "sigmoid" for one
            probability per class, "raw" for the scores themselves.
    """
    if kind == "softmax":
        return scores.softmax(-1)
    return scores.sigmoid() if kind == "sigmoid" else scores


def default_score_kind(classes: int) -> str:
    """How scores are shown by default: "sigmoid" for a single score, else "softmax"."""
    return "softmax" if classes > 1 else "sigmoid"


def scores_by_name(outputs: Any) -> Tensor | None:
    """The tensor that counts as the scores: by its name, the only one, or the first of a tuple."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, tuple | list):
        found = (scores_by_name(item) for item in outputs)
        return next((tensor for tensor in found if tensor is not None), None)
    for name in SCORE_NAMES:
        value = outputs.get(name) if isinstance(outputs, Mapping) else getattr(outputs, name, None)
        if isinstance(value, Tensor):
            return value
    if isinstance(outputs, Mapping):
        tensors = [value for value in outputs.values() if isinstance(value, Tensor)]
        return tensors[0] if len(tensors) == 1 else None
    return None


def no_class_axis(found: str) -> UsageError:
    """The error for an output that holds no class scores; ``found`` says what it is."""
    return UsageError(
        f"the network's output is {found}, expected (N, classes) or (N, T, classes) scores: give "
        "the target as a function from its output to (N,) scores, or wrap the network in one that "
        "returns scores"
    )


def _without_gradient(tensor: Tensor) -> UsageError:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return UsageError(
        f"the network's output is {tuple(tensor.shape)} {dtype}, whole numbers such as class ids, "
        "which have no gradient: return the scores that they are chosen from, as before argmax"
    )
