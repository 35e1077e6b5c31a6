"""The clip that an explanation is drawn on: whether it is the one that was explained."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.utils.field_types import check_is
from video_cam.utils.names import printable_path
from video_cam.video.clip import Clip
from video_cam.video.source_files import source_digest
from video_cam.video.timeline import Timeline


def as_explained(clip: Clip, explanation: Explanation) -> Clip:
    """The clip with the explanation's time stamps and levels: both count and show the same frames.

    A damaged clip decodes to other frames than its packets promise. The explanation then has the
    time stamps of the decoded frames, and frames are counted from the start instead of sought.
    """
    if clip.info.levels != explanation.clip.levels:
        clip = replace(clip, info=replace(clip.info, levels=explanation.clip.levels))
    own, explained = clip.timeline, explanation.timeline
    if own.time_base == explained.time_base and np.array_equal(own.pts, explained.pts):
        return clip
    return replace(clip, timeline=explanation.timeline, can_seek=False)


def check_explanation(explanation: Any) -> None:
    """Check that a public function was given an explanation.

    Raises:
        UsageError: for a value of another type.
    """
    check_is(
        "the explanation", explanation, Explanation, "what explain or Explanation.load returns"
    )


def check_clip(clip: Clip, explanation: Explanation) -> None:
    """Check that a clip, as it was opened, is the one that was explained, wherever it is now.

    Raises:
        UsageError: where its content is another one, or its frames are read differently here.
        ClipError: where it cannot be read.
    """
    if source_digest(clip.path) != explanation.source_digest:
        raise UsageError(_other_content(clip.path, explanation.clip.path))
    size, explained = (clip.info.width, clip.info.height), explanation.clip
    is_known = size == (explained.width, explained.height) and (
        _holds(clip.timeline, explanation.timeline)
        or _holds(clip.decoded().timeline, explanation.timeline)
    )
    if not is_known:
        raise UsageError(
            f"{clip.path!r} is the clip that was explained, and its frames are read differently "
            "here: explain it again"
        )


def _other_content(path: str, explained: str) -> str:
    """The message for a file that is not the one that was explained."""
    now, before = printable_path(path), printable_path(explained)
    if os.path.realpath(path) == os.path.realpath(explained):
        return f"{now} has changed since it was explained: explain it again"
    return (
        f"{now} is not the clip that was explained, {before}: its content differs, as that of a "
        "re-encoded copy does; give the explained clip, or explain this one"
    )


def _holds(timeline: Timeline, other: Timeline) -> bool:
    """Whether every time stamp of ``other`` is in ``timeline``."""
    return timeline.time_base == other.time_base and bool(np.isin(other.pts, timeline.pts).all())
