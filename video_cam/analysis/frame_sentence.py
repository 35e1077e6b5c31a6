"""The result of the frame test in one line, for people who do not know what a logit is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from video_cam.explanation.frame_test_fields import share_text

MAX_NAMED = 4  # frames whose times are in the sentence


def sentence(entries: Mapping[str, Any], is_probability: bool) -> str:
    """How few frames, and how few windows, keep the score.

    Args:
        entries: as ``frame_test.run_frame_test`` returns them.
        is_probability: of what the kept share is a share; see ``score_share.ScoreShare``.
    """
    score = "score" if is_probability else "difference to a blurred still picture"
    text = _frames(entries, score)
    windows = entries["windows"]
    if windows is None or not windows["sufficient_windows"] or not entries["frame_indices"]:
        return text
    chosen, total = len(windows["sufficient_windows"]), len(windows["contributions"])
    text = f"in the strongest window, {text}; of the whole clip,"
    if chosen == total:
        return f"{text} {_all_of(total)} windows are needed"
    enough = f"{chosen} of {total} windows {'is' if chosen == 1 else 'are'} enough"
    keep = "keeps" if chosen == 1 else "keep"
    return f"{text} {enough}, and {keep} {share_text(windows['kept_share'])}"


def _frames(entries: Mapping[str, Any], score: str) -> str:
    total, label = len(entries["frame_indices"]), entries["label"]
    frames = entries["sufficient_frames"]
    if not total:
        return f"the strongest window of {label} shows one frame"
    if entries["kept_share"] is None:
        return f"the frames do not raise the score of {label}: no few of them are enough for it"
    keep = f"{share_text(entries['kept_share'])} of the {score}"
    if not frames:
        return f"no single frame is needed for {label}: a blurred still picture keeps {keep}"
    if len(frames) == total:
        return f"{_all_of(total)} frames are needed for {label}"
    seconds = dict(zip(entries["frame_indices"], entries["pts_seconds"], strict=True))
    times = [f"{seconds[frame]:.2f}" for frame in frames]
    if len(frames) == 1:
        return f"1 of {total} frames is enough for {label}: the one at {times[0]} s keeps {keep}"
    named = f"at {', '.join(times[:-1])} and {times[-1]} s"
    if len(frames) > MAX_NAMED:
        named = f"between {times[0]} and {times[-1]} s"
    return f"{len(frames)} of {total} frames are enough for {label}: those {named} keep {keep}"


def _all_of(total: int) -> str:
    return "both" if total == 2 else f"all {total}"
