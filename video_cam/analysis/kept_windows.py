"""What a clip's score is made of: the windows' contributions, and which windows suffice."""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.analysis.score_share import ENOUGH, ScoreShare
from video_cam.analysis.window_scores import WindowScores
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import FunctionTarget, MapTarget
from video_cam.perturbation.alterations import Alteration, blurred_still, unaltered


def keep_windows(
    scores: WindowScores, explanation: Explanation, target: MapTarget, stage: str
) -> dict[str, Any] | None:
    """Contributions of the windows to the clip's score, their mean.

    A window that is left out is replaced by its blank one. The clip's score is then a sum over
    windows, so a window's Shapley value is the difference that it makes by itself.

    Args:
        scores: of the clip.
        explanation: of the clip.
        target: one for all windows.
        stage: name of the work.

    Returns:
        "score" and "blank_score" of the clip, as ``WindowScores.differences`` returns them;
        "contributions", one for each window; "sufficient_windows", numbers of windows, and their
        "kept_share". None for a clip of one window.
    """
    num_windows, num_frames = explanation.frame_indices.shape
    if num_windows == 1:
        return None
    windows = range(num_windows)
    alterations: list[Alteration] = [unaltered(num_frames), blurred_still()]
    values = scores.differences(target, windows, alterations, stage)
    shown = scores.probabilities(target, windows, alterations, stage)
    classes = scores.all_probabilities(windows, alterations, stage)
    whole, blank = shown.mean(0).tolist()
    is_function = isinstance(target, FunctionTarget)
    shares = ScoreShare(whole, blank, explanation.is_probability(target), is_function)
    chosen, share = _sufficient(shares, shown, classes)
    score, blank_score = values.mean(0).tolist()
    return {
        "score": score,
        "blank_score": blank_score,
        "contributions": ((values[:, 0] - values[:, 1]) / num_windows).tolist(),
        "sufficient_windows": chosen,
        "kept_share": share,
    }


def _sufficient(
    shares: ScoreShare, shown: np.ndarray, classes: np.ndarray
) -> tuple[list[int], float | None]:
    """The fewest windows that are enough, and the share that they keep.

    The windows that add most come first, so no other set of as many keeps more.

    Args:
        shares: of the clip's shown score.
        shown: float64 (W, 2), the target's shown scores, as they are and blank.
        classes: float64 (W, 2, classes), those of all classes.
    """
    if not shares.is_there:
        return [], None
    order = np.argsort(shares.sign * (shown[:, 1] - shown[:, 0]), kind="stable")
    kept = shares.of(_with_more_and_more(shown[order]))
    is_enough = kept >= ENOUGH
    if classes.shape[2]:
        predicted = _with_more_and_more(classes[order]).argmax(1)
        is_enough &= predicted == predicted[-1]
    count = int(is_enough.argmax())  # all windows together are enough
    if count and shares.is_lowered:
        return [], None
    return sorted(order[:count].tolist()), float(kept[count])


def _with_more_and_more(values: np.ndarray) -> np.ndarray:
    """(W, 2, ...) -> (W + 1, ...): the mean with the first 0, 1, ..., W windows as they are."""
    added = np.concatenate([values[:1, 0] * 0, (values[:, 0] - values[:, 1]).cumsum(0)])
    return np.asarray(values[:, 1].mean(0) + added / len(values))
