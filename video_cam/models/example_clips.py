"""Clips drawn for people who have none at hand; no bundled network was trained on them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from models3d.drawn_clips import CLASSES, draw_clip
from models3d.residual3d import FRAME_RATE
from video_cam.utils.files import atomic_path
from video_cam.video.writer import write_clip

EXAMPLES = {"dash right": 185, "spin": 369, "grow": 117}  # what a shape does -> seed
_NUM_FRAMES, _EVENT, _SIZE = 32, (11, 21), 256


def write_example(path: Path, action: str) -> None:
    """Draw a clip of two seconds in which a shape does something, and others do something else.

    Args:
        path: the file; its folder must exist.
        action: a key of EXAMPLES.

    Raises:
        OSError: where the file cannot be written.
    """
    drawn = draw_clip(
        EXAMPLES[action],
        class_id=CLASSES.index(action),
        num_frames=_NUM_FRAMES,
        event=_EVENT,
        size=_SIZE,
    )
    with atomic_path(path) as partial:
        write_clip(partial, drawn.frames, Fraction(FRAME_RATE))
