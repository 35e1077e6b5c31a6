"""The result of the frame test as a file holds it, checked when it is read."""

from __future__ import annotations

from typing import Annotated

import msgspec

Index = Annotated[int, msgspec.Meta(ge=0)]


class WindowsTest(msgspec.Struct):
    """What is read of the windows' part."""

    contributions: list[float]
    sufficient_windows: list[Index]
    kept_share: float | None

    def __post_init__(self) -> None:
        if max(self.sufficient_windows, default=-1) >= len(self.contributions):
            raise ValueError("a sufficient window is not among the windows")


class FrameTest(msgspec.Struct):
    """What is read of the result of the frame test."""

    sentence: str
    label: str
    window: Index
    score: float | None
    blank_score: float | None
    frame_indices: list[Index]
    pts_seconds: list[float]
    contributions: list[float]
    standard_errors: list[float]
    sufficient_frames: list[Index]
    kept_share: float | None
    is_exact: bool
    frames_per_group: Index
    windows: WindowsTest | None

    def __post_init__(self) -> None:
        frames = self.frame_indices
        lists = (self.pts_seconds, self.contributions, self.standard_errors)
        if any(len(one) != len(frames) for one in lists):
            raise ValueError("the frames of the frame test and their contributions do not fit")
        if sorted(set(frames)) != frames:
            raise ValueError("the frames of the frame test are not in order of time")
        if not set(self.sufficient_frames) <= set(frames):
            raise ValueError("a sufficient frame is not among the frames")


def share_text(kept_share: float) -> str:
    """The kept share as text; a part of the frames can have a higher score than all of them."""
    percent = round(100 * kept_share)
    return "more than all" if percent > 100 else f"{percent} %"
