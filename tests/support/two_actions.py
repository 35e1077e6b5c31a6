"""A clip of two drawn actions, one after the other, with a hard cut between them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from clips.make_clips import SAMPLES, draw_sample
from tests.support.media import write_clip

FIRST, SECOND = list(SAMPLES)[:2]  # names of the drawings
FIRST_CLASS, SECOND_CLASS = (SAMPLES[name][1] for name in (FIRST, SECOND))
CUT = 32  # index of the second drawing's first frame
NUM_FRAMES = 64
FRAME_RATE = 16


def write_two_actions(path: Path) -> Path:
    """Write the clip; returns ``path``."""
    frames = [frame for name in (FIRST, SECOND) for frame in draw_sample(name).frames]
    return write_clip(path, frames, time_base=Fraction(1, FRAME_RATE), options={"crf": "10"})
