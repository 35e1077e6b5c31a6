"""Does the network answer by motion, or by what things look like?

The scores of one window are compared with those of altered versions of it: frozen, shuffled,
reversed, slower, faster. Freezing and shuffling clips to find out what a video network uses:
Huang et al. 2018 ("What Makes a Video a Video"), Kowal et al. 2022 ("A Deeper Dive Into What Deep
Spatiotemporal Networks Encode").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from video_cam.analysis.window_scores import WindowScores
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapSeries, MapTarget
from video_cam.models.classifier import Classifier
from video_cam.perturbation.alterations import (
    Alteration,
    at_speed,
    backwards,
    blurred_still,
    frozen,
    shuffled,
    unaltered,
)

MAX_FROZEN = 16  # frames that are frozen in turn, evenly spaced where a window has more
SHUFFLE_SEEDS = (0, 1, 2)
SLOW, FAST = 0.5, 2.0
MAX_TARGETS = 4  # each in its own strongest window, which bounds the cost
STAGE = "motion test"
# Above and below these shares the sentence names one of the two.
MOSTLY_MOTION, MOSTLY_APPEARANCE = 0.75, 0.25
# Of the logit, against the blurred still picture: below it the odds change by less than a factor e,
# and the sentence says that the share means little.
MIN_EFFECT = 1.0
ROUNDING = 1e-5  # of the scores: smaller differences are those of float32


def num_forwards(num_frames: int) -> int:
    """Forward passes for one target in one window of ``num_frames`` frames."""
    return len(versions(num_frames))


def frozen_frames(num_frames: int) -> list[int]:
    """The frames of a window that are frozen in turn: all of them, or MAX_FROZEN evenly spaced."""
    count = min(num_frames, MAX_FROZEN)
    return np.linspace(0, num_frames - 1, count).round().astype(int).tolist()


def motion_share(score: float, frozen_score: float, still_score: float) -> float | None:
    """How much of the score is due to motion.

    The score differs from that of a blurred still picture, which shows neither motion nor what
    things look like. A part of this difference is left when one frame is shown all the time; the
    share of the rest is the motion share, (score - frozen) / (score - still), cut off at 0 and 1.

    Args:
        score: of the window.
        frozen_score: of the window frozen at the frame that keeps most, see ``best_frozen``.
        still_score: of the mean of all frames, blurred.

    Returns:
        In [0, 1]: exactly 0 for a mean of scores of single frames, exactly 1 for a network that
        sees nothing but differences between frames. None where the score is that of the blurred
        still picture.
    """
    largest = max(map(abs, (score, frozen_score, still_score)))
    whole, motion = score - still_score, score - frozen_score
    if abs(whole) <= ROUNDING * largest:
        return None
    if abs(motion) <= ROUNDING * largest:
        return 0.0
    return float(np.clip(motion / whole, 0, 1))


def best_frozen(score: float, frozen_scores: Sequence[float], still_score: float) -> float:
    """The score of the frozen window that keeps most of the difference to the still picture.

    The best frame, and not the mean: a network that one good frame is enough for needs no motion,
    however little its other frames show. Where the clip lowers the score, it is the lowest one.
    """
    return float(max(frozen_scores) if score > still_score else min(frozen_scores))


def check_applies(model: Classifier, explanation: Explanation) -> None:
    """Raise CheckNotApplicable for clips and networks without motion to take away."""
    if model.preprocess.flow:
        raise CheckNotApplicable(
            "the network is given optical flow, and frozen flow is still motion"
        )
    if explanation.frame_indices.shape[1] == 1:
        raise CheckNotApplicable(
            "the network is given one frame at a time, so there is no motion to take away"
        )
    first, stop = explanation.span
    if stop - first == 1:
        raise CheckNotApplicable("there is one frame, so there is no motion to take away")


def tested_window(explanation: Explanation, series: MapSeries) -> tuple[int, MapTarget]:
    """The window where the score of a series' target is highest, and its target there."""
    window = int(explanation.window_scores(series).argmax())
    return window, ClassTarget(series.class_ids[window]) if series.class_ids else series.target


def run_motion_test(scores: WindowScores, explanation: Explanation) -> dict[str, Any]:
    """Test the explained targets, each in the window where its score is highest.

    Args:
        scores: of the clip; what is known already is not scored again.
        explanation: its first MAX_TARGETS targets are tested.

    Returns:
        Entries of summary.json: those of the first target as ``docs/questions.md`` lists them, and
        under "others" the main numbers of each further target.
    """
    firsts: dict[tuple[MapTarget, tuple[int, ...]], MapSeries] = {}
    for series in explanation.maps:
        firsts.setdefault((series.target, series.class_ids), series)
    entries = [_entries(scores, explanation, one) for one in [*firsts.values()][:MAX_TARGETS]]
    others = [{name: one[name] for name in _OF_OTHERS} for one in entries[1:]]
    return entries[0] | {"others": others}


_OF_OTHERS = (
    *("class_id", "label", "window", "score", "frozen", "shuffled", "reversed", "slow", "fast"),
    *("still", "motion_share", "sentence"),
)


def versions(num_frames: int) -> list[Alteration]:
    """The altered versions of a window that the test scores.

    As it is, reversed, slow, fast, blurred and still; shuffled by each seed; frozen at each frame.
    """
    return [
        unaltered(num_frames),
        backwards(num_frames),
        at_speed(num_frames, SLOW),
        at_speed(num_frames, FAST),
        blurred_still(),
        *(shuffled(num_frames, seed) for seed in SHUFFLE_SEEDS),
        *(frozen(num_frames, frame) for frame in frozen_frames(num_frames)),
    ]


def _entries(scores: WindowScores, explanation: Explanation, series: MapSeries) -> dict[str, Any]:
    window, target = tested_window(explanation, series)
    frames = explanation.frame_indices[window]
    altered = versions(len(frames))
    numbers = numbers_of(scores.differences(target, [window], altered, STAGE)[0])
    score, best, still = (numbers[name] for name in ("score", "frozen_best", "still"))
    shown = _by_version(scores.probabilities(target, [window], altered, STAGE)[0])
    chosen = frames[frozen_frames(len(frames))].tolist()
    kept = shown["frozen"][numbers["frozen_scores"].index(best)]
    in_words = [explanation.score_text(target, one) for one in (shown["score"][0], kept)]
    # The probability of a class depends on the others, too: it can rise where the score falls.
    agrees = (kept - shown["score"][0]) * (best - score) >= 0
    has_words = explanation.is_probability(target) and agrees
    return {
        "sentence": sentence(
            score,
            best,
            still,
            numbers["motion_share"],
            in_words if has_words else None,
            isinstance(target, ClassTarget) and explanation.model.score != "raw",
        ),
        **numbers,
        "frozen_frame_indices": chosen,
        "frozen_pts_seconds": [float(explanation.timeline.pts_seconds(i)) for i in chosen],
        "shown": {
            name: explanation.score_text(target, float(np.mean(of_version)))
            for name, of_version in shown.items()
        },
        "probabilities": {name: float(np.mean(of_version)) for name, of_version in shown.items()}
        if explanation.is_probability(target)
        else None,
        "forwards": len(altered),
        "window": window,
        "class_id": None if isinstance(target, FunctionTarget) else target.class_id,
        "label": explanation.label(target),
    }


def numbers_of(scores: np.ndarray) -> dict[str, Any]:
    """The numbers of one motion test.

    Args:
        scores: float64 (versions,), in the order of ``versions``.

    Returns:
        "motion_share"; "score", "reversed", "slow", "fast", "still" and the means "shuffled" and
        "frozen"; "frozen_best"; the single "frozen_scores" and "shuffled_scores"; and their
        "standard_deviations".
    """
    values = _by_version(scores)
    means = {name: float(np.mean(of_version)) for name, of_version in values.items()}
    best = best_frozen(means["score"], values["frozen"], means["still"])
    several = ("frozen", "shuffled")
    return {
        "motion_share": motion_share(means["score"], best, means["still"]),
        **means,
        "frozen_best": best,
        **{f"{name}_scores": values[name] for name in several},
        "standard_deviations": {name: float(np.std(values[name])) for name in several},
    }


def _by_version(values: np.ndarray) -> dict[str, list[float]]:
    """The numbers of ``versions`` by the names of their entries."""
    single = [[value] for value in values[:5].tolist()]
    last = 5 + len(SHUFFLE_SEEDS)
    several = [values[5:last].tolist(), values[last:].tolist()]
    names = ("score", "reversed", "slow", "fast", "still", "shuffled", "frozen")
    return dict(zip(names, [*single, *several], strict=True))


def sentence(
    score: float,
    frozen_score: float,
    still_score: float,
    share: float | None,
    probabilities: Sequence[str] | None = None,
    is_class: bool = True,
) -> str:
    """The result in one line, for people who do not know what a logit is.

    Args:
        score, frozen_score, still_score, share: as ``motion_share`` takes and returns them.
        probabilities: of the first two, as text; None where they are none.
        is_class: whether the scores are logits of a class.
    """
    before, after, still = _texts(score, frozen_score, still_score)
    if share is None or (is_class and abs(score - still_score) < MIN_EFFECT):
        return (
            f"The score, {before}, hardly differs from that of a blurred still picture, {still}, "
            "so its motion share means little"
        )
    if is_class and score < still_score:
        return (
            f"The score, {before}, is below that of a blurred still picture, {still}: nothing in "
            "the clip speaks for it, so its motion share means little"
        )
    verb = "falls" if frozen_score < score else "rises"
    change = f"stays at {before}" if before == after else f"{verb} from {before} to {after}"
    if probabilities:
        change += f" (probability {' to '.join(dict.fromkeys(probabilities))})"
    return f"Without motion the score {change}: {_verdict(share, score > still_score)}"


def _verdict(share: float, is_raised: bool) -> str:
    """What the share means, for a score that is above or below that of the still picture."""
    if not is_raised:
        return _pick(
            share,
            "it is motion that lowers it",
            "what things look like lowers it, and hardly needs motion for that",
            "both motion and what things look like lower it",
        )
    return _pick(
        share,
        "the network answers by motion",
        "the network answers by what things look like, and hardly needs motion",
        "the network uses both motion and what things look like",
    )


def _pick(share: float, motion: str, appearance: str, both: str) -> str:
    if share >= MOSTLY_MOTION:
        return motion
    return appearance if share <= MOSTLY_APPEARANCE else both


def _texts(*values: float) -> Sequence[str]:
    """With one decimal; with three digits where the largest is below 1."""
    small = max(map(abs, values)) < 1
    return [f"{value:.3g}" if small else f"{value:.1f}" for value in values]
