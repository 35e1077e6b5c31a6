"""Choose what is explained: candidates while the clip is read, then classes and functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from video_cam.attribution.targets import Target
from video_cam.config import ExplainConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapTarget
from video_cam.utils.names import function_name

# In the first pass, each window is explained for its own best classes and this many more, besides
# the best classes of the clip so far. Mostly the clip's best classes are among them, and a second
# pass is not needed. With detail none is spared: each class then costs a backward pass to the finer
# layers or to the input, and not only through the layers behind the mapped one.
SPARE_CANDIDATES = 1


@dataclass(frozen=True)
class ExplainedTarget:
    """What one series of maps explains in every window.

    Attributes:
        targets: one per window.
        label: the target's name for people.
        rivals: the class it is contrasted with, one per window; empty without contrast.
        is_constant: whether the target is the same in every window.
    """

    targets: tuple[MapTarget, ...]
    label: str
    rivals: tuple[ClassTarget, ...] = ()
    is_constant: bool = True

    def needed(self, window: int) -> set[MapTarget]:
        """The targets whose maps a window has to have."""
        return {self.targets[window], *self.rivals[window : window + 1]}


def candidates(
    logits: Tensor, config: ExplainConfig, asked: Sequence[int], leading: Sequence[int] | None
) -> Sequence[Target]:
    """The targets to explain in a batch of windows, before the clip's best classes are known.

    Args:
        logits: float32 (N, classes) of the batch.
        config: which classes and functions are wanted.
        asked: class ids that the user named.
        leading: the best classes of the clip so far, best first; None where the batch is the whole
            clip.

    Returns:
        Class ids, lists of one class id per window, and functions; see ``targets.Target``.
    """
    functions = list(config.targets)
    if asked or functions:
        return [*asked, *functions]
    classes = logits.shape[1]
    wanted = min(num_candidates(config), classes)
    if config.class_scope == "window":
        worst = [logits.argmin(1).tolist()] if config.worst else []
        return [*_ranked(logits, wanted), *worst]
    if leading is None:
        return _ranked(logits, wanted)
    spare = 0 if config.attribution().makes_finer else SPARE_CANDIDATES
    own = _ranked(logits, min(wanted + spare, classes))
    per_window = [set(ids) for ids in zip(*own, strict=True)]
    missing = [c for c in leading[:wanted] if not all(c in ids for ids in per_window)]
    return [*own, *missing]


def num_candidates(config: ExplainConfig) -> int:
    """How many of the best classes may be needed: with contrast one more, the rival."""
    return config.num_best + config.contrast


def explained_targets(
    probabilities: np.ndarray, labels: Sequence[str], config: ExplainConfig, asked: Sequence[int]
) -> list[ExplainedTarget]:
    """What is explained in the whole clip, in the order of its maps.

    Args:
        probabilities: float32 (W, classes) of all windows.
        labels: class names.
        config: which classes and functions are wanted.
        asked: class ids that the user named; empty for the best classes.
    """
    num_windows = len(probabilities)
    functions = [
        ExplainedTarget((FunctionTarget(number),) * num_windows, function_name(function))
        for number, function in enumerate(config.targets)
    ]
    if config.class_scope == "window":
        ranks = [*range(min(config.num_best, probabilities.shape[1])), *[-1] * config.worst]
        own = [_own_class(probabilities, rank, config.contrast) for rank in ranks]
        return [*own, *functions]
    class_ids = list(asked) or ([] if functions else best_classes(probabilities, config.num_best))
    if config.worst:
        class_ids.append(int(probabilities.mean(0).argmin()))
    classes = [
        _one_class(class_id, probabilities, labels, config.contrast)
        for class_id in dict.fromkeys(class_ids)
    ]
    return [*classes, *functions]


def best_classes(probabilities: np.ndarray, count: int) -> list[int]:
    """The ``count`` class ids with the highest mean over the windows, best first.

    Args:
        probabilities: float32 (W, classes).
        count: there are fewer where the network has fewer classes.
    """
    return np.argsort(-probabilities.mean(0), kind="stable")[:count].tolist()


def rivals_of(explanation: Explanation, contrast: bool) -> tuple[int, ...]:
    """For each window the class id that the explanation's first map is contrasted with.

    Args:
        explanation: its first map explains one class throughout.
        contrast: whether there is a contrast; empty without one.
    """
    class_id = explanation.maps[0].class_id
    if class_id is None or not contrast:
        return ()
    chosen = _one_class(class_id, explanation.probabilities, explanation.labels, contrast)
    return tuple(rival.class_id for rival in chosen.rivals)


def _one_class(
    class_id: int, probabilities: np.ndarray, labels: Sequence[str], contrast: bool
) -> ExplainedTarget:
    """One class for the whole clip; its rival is the best other class of the clip."""
    targets, label = (ClassTarget(class_id),) * len(probabilities), labels[class_id]
    if not contrast:
        return ExplainedTarget(targets, label)
    ranked = best_classes(probabilities, probabilities.shape[1])
    rival = next(other for other in ranked if other != class_id)
    return ExplainedTarget(
        targets, f"{label} rather than {labels[rival]}", (ClassTarget(rival),) * len(targets)
    )


def _own_class(probabilities: np.ndarray, rank: int, contrast: bool) -> ExplainedTarget:
    """Each window's own class of this rank (0 the best, -1 the least probable)."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    label = {0: "each window's best class", -1: "each window's worst class"}.get(
        rank, f"each window's class {rank + 1}"
    )
    rivals: tuple[ClassTarget, ...] = ()
    if contrast:
        label += f" rather than its {'next' if rank == 0 else 'best'}"
        rivals = tuple(map(ClassTarget, ranked[:, 1 if rank == 0 else 0].tolist()))
    targets = tuple(map(ClassTarget, ranked[:, rank].tolist()))
    return ExplainedTarget(targets, label, rivals, is_constant=False)


def _ranked(logits: Tensor, count: int) -> list[list[int]]:
    """The best class of each window, then the second best of each, and so on."""
    return list(logits.topk(count, 1).indices.T.tolist())
