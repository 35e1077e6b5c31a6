"""A clip read as the command reads it. Imports no PyTorch, so that a child starts quickly."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

from video_cam.explanation.sampling import sample_windows, span_of
from video_cam.video.clip import Clip

MAX_FRAMES = 200  # read of one clip


def read_clip(path: Path) -> str:
    """Read a clip's header, its windows and its first frames; how many there are, in words."""
    clip = Clip.open(path)
    windows = sample_windows(
        clip.timeline,
        span_of(clip.timeline, None, None),
        num_frames=16,
        frame_rate=Fraction(16),
        window_stride=8,
    )
    with clip.frames() as reader:
        frames = [frame.rgb().shape for frame in islice(reader, MAX_FRAMES)]
    return f"{len(frames)} frames, {len(windows)} windows"
