"""Which frames made the network decide? Contributions of frames and windows, and which suffice.

Shapley values of frames: Price and Damen 2020 ("Play Fair: Frame Attributions in Video Models"),
who give a network fewer frames. Few networks can take fewer, so a frame that is left out is
replaced by the nearest one that is kept: the network gets the clip at a lower rate, and no picture
that is not in it. Without any frame it gets the mean of all, blurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from video_cam.analysis.frame_sentence import sentence
from video_cam.analysis.kept_frames import KeptFrames
from video_cam.analysis.kept_windows import keep_windows
from video_cam.analysis.motion_test import tested_window
from video_cam.analysis.shapley import Players, Shapley, exact_shapley, sampled_shapley
from video_cam.analysis.sufficient_set import pruned, sufficient_set
from video_cam.analysis.window_scores import WindowScores
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import MapTarget
from video_cam.utils.progress import Progress, silent

MAX_FORWARDS = 150  # for the frames of one window, where not all sets of them are scored
MAX_EXACT = 10  # frames of which all sets are scored: 1024
# More frames are grouped: with more players, fewer permutations could be afforded.
MAX_PLAYERS = 16
SEARCH_PER_PLAYER = 1.5  # forward passes that are left for the search of a sufficient set
MIN_PAIRS = 2  # of permutations
STAGE = "frame test"
_NO_FRAMES: dict[str, Any] = {
    **dict.fromkeys(("score", "blank_score", "kept_share")),
    **{"is_exact": True, "frames_per_group": 1, "sufficient_frames": []},
    **{"frame_indices": [], "pts_seconds": [], "contributions": [], "standard_errors": []},
}


def run_frame_test(
    scores: WindowScores, explanation: Explanation, progress: Progress = silent
) -> dict[str, Any]:
    """Test the frames of the strongest window of the first map's target, and all windows.

    Args:
        scores: of the clip that was explained.
        explanation: of the clip.
        progress: is told how many clips have been scored.

    Returns:
        Entries of summary.json, among them "sentence", "frame_indices", "contributions",
        "standard_errors", "sufficient_frames" and "kept_share"; see docs/questions.md.

    Raises:
        CheckNotApplicable: where the network sees one frame, or windows of one frame are explained
            each by its own class.
    """
    series = explanation.maps[0]
    window, target = tested_window(explanation, series)
    frames = np.unique(explanation.frame_indices[window])
    if len(np.unique(explanation.frame_indices)) == 1:
        raise CheckNotApplicable("the network sees one frame of the clip, and needs it")
    if len(frames) == 1 and series.class_ids:
        raise CheckNotApplicable("the windows show one frame each, and each has its own class")
    windows = None if series.class_ids else keep_windows(scores, explanation, target, STAGE)
    entries, forwards = _NO_FRAMES, 0
    if len(frames) > 1:
        entries, forwards = _test_frames(scores, explanation, target, window, progress)
    elif explanation.frame_indices.shape[1] == 1 and windows is not None:
        entries = _frames_of_windows(explanation, windows)
    result = {"window": window, "label": explanation.label(target), **entries, "windows": windows}
    return {
        "sentence": sentence(result, explanation.is_probability(target)),
        **result,
        "forwards": forwards,
    }


def most_forwards(num_frames: int) -> int:
    """How many altered clips are scored at most for a window of so many frames."""
    return 2**num_frames if num_frames <= MAX_EXACT else MAX_FORWARDS


def cost(num_frames: int) -> str:
    """One line about how often the network will run."""
    of_windows = "for each window of a clip that has several"
    if num_frames == 1:
        return f"frame test: 2 forward passes {of_windows}"
    return (
        f"frame test: at most {most_forwards(num_frames)} forward passes for the frames of a "
        f"clip's strongest window, and 2 {of_windows}"
    )


@dataclass(frozen=True)
class MeasuredFrames:
    """What was found for the frames of one window.

    Attributes:
        contributions: float64 (F,), what each frame adds to the score; neighbours that were tested
            together share equally what they add together.
        standard_errors: float64 (F,), those of sampling, shared likewise; zeros where the
            contributions are exact.
        is_exact: whether every set of frames was scored.
        frames_per_group: how many frames were tested together, at most.
        sufficient: the smallest set of frames that was found to be enough; None where the score
            does not come from the frames.
    """

    contributions: np.ndarray
    standard_errors: np.ndarray
    is_exact: bool
    frames_per_group: int
    sufficient: Players | None


def measure_frames(kept: KeptFrames) -> MeasuredFrames:
    """Contributions of frames, or of groups of neighbours where there are more than MAX_PLAYERS."""
    num_frames = len(kept.frame_indices)
    groups = np.array_split(np.arange(num_frames), min(num_frames, MAX_PLAYERS))
    shapley, is_exact = _contributions(kept, groups)
    order = shapley.contributions if is_exact else _smoothed(shapley.contributions)
    sizes = np.array([len(group) for group in groups])
    return MeasuredFrames(
        np.repeat(shapley.contributions / sizes, sizes),
        np.repeat(shapley.standard_errors / sizes, sizes),
        is_exact,
        int(sizes.max()),
        _sufficient(kept, groups, kept.shares.sign * order),
    )


def _test_frames(
    scores: WindowScores,
    explanation: Explanation,
    target: MapTarget,
    window: int,
    progress: Progress,
) -> tuple[dict[str, Any], int]:
    """The entries of one window's frames, and the number of clips that were scored."""
    frames = explanation.frame_indices[window]
    most = most_forwards(len(frames))
    with progress(STAGE, most) as step:
        kept = KeptFrames(
            scores,
            target,
            window,
            frames,
            is_probability=explanation.is_probability(target),
            most_forwards=most,
            step=step,
        )
        found = measure_frames(kept)
        step(most - kept.num_forwards)
    indices = kept.frame_indices
    return {
        "score": kept.score,
        "blank_score": kept.blank_score,
        "kept_share": None if found.sufficient is None else kept.share(found.sufficient),
        "is_exact": found.is_exact,
        "frames_per_group": found.frames_per_group,
        "sufficient_frames": indices[sorted(found.sufficient or ())].tolist(),
        "frame_indices": indices.tolist(),
        "pts_seconds": [float(explanation.timeline.pts_seconds(i)) for i in indices],
        "contributions": found.contributions.tolist(),
        "standard_errors": found.standard_errors.tolist(),
    }, kept.num_forwards


def _contributions(kept: KeptFrames, groups: Sequence[np.ndarray]) -> tuple[Shapley, bool]:
    """The groups' Shapley values, and whether they are exact."""

    def game(sets: Sequence[Players]) -> np.ndarray:
        return kept.values([_frames_of(one, groups) for one in sets])

    num_players, most = len(groups), kept.most_forwards
    if 2**num_players <= most:
        return exact_shapley(game, num_players), True
    left = most - 2 - SEARCH_PER_PLAYER * num_players
    num_pairs = max(int(left / (2 * (num_players - 1))), MIN_PAIRS)
    return sampled_shapley(game, num_players, num_pairs), False


def _smoothed(contributions: np.ndarray) -> np.ndarray:
    """The mean with both neighbours, which count half.

    A frame that is left out is replaced by a neighbour, so that neighbours add nearly the same, and
    a difference between them is mostly one of the sample.
    """
    ends = np.pad(contributions, 1, mode="edge")
    return np.asarray((ends[:-2] + 2 * ends[1:-1] + ends[2:]) / 4)


def _sufficient(
    kept: KeptFrames, groups: Sequence[np.ndarray], importance: np.ndarray
) -> Players | None:
    """The smallest set of frames that was found to be enough; groups need not stay whole.

    None where the score does not come from the frames.
    """
    if not kept.shares.is_there:
        return None
    if kept.share(frozenset()) is not None:
        return frozenset()
    if kept.shares.is_lowered:
        return None
    order = np.argsort(-importance, kind="stable").tolist()
    chosen = sufficient_set(lambda one: kept.share(_frames_of(one, groups)), order)
    frames = [frame for group in order for frame in groups[group].tolist()]
    return pruned(kept.share, _frames_of(chosen, groups), frames)


def _frames_of(players: Players, groups: Sequence[np.ndarray]) -> Players:
    return frozenset(frame for player in players for frame in groups[player].tolist())


def _frames_of_windows(explanation: Explanation, windows: dict[str, Any]) -> dict[str, Any]:
    """The entries of frames where every window is one frame."""
    frames = explanation.frame_indices[:, 0]
    return {
        **_NO_FRAMES,
        **{name: windows[name] for name in ("score", "blank_score", "kept_share", "contributions")},
        "standard_errors": [0.0] * len(frames),
        "frame_indices": frames.tolist(),
        "pts_seconds": [float(explanation.timeline.pts_seconds(i)) for i in frames],
        "sufficient_frames": frames[windows["sufficient_windows"]].tolist(),
    }
