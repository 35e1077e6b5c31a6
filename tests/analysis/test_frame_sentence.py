"""The frame test in one line, for people who do not know what a logit is."""

from __future__ import annotations

from typing import Any

import pytest

from video_cam.analysis.frame_sentence import sentence

ENTRIES = {
    "label": "spin",
    "frame_indices": [8, 9, 10, 11, 12, 13],
    "pts_seconds": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    "sufficient_frames": [9, 11],
    "kept_share": 0.944,
    "windows": None,
}
WINDOWS = {"contributions": [1.0, 2.0, 0.1], "sufficient_windows": [0, 1], "kept_share": 0.97}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {},
            "2 of 6 frames are enough for spin: those at 0.60 and 0.80 s keep 94 % of the score",
        ),
        (
            {"sufficient_frames": [8, 9, 10, 11, 13]},
            "5 of 6 frames are enough for spin: those between 0.50 and 1.00 s keep 94 % of the "
            "score",
        ),
        (
            {"sufficient_frames": [12], "windows": WINDOWS},
            "in the strongest window, 1 of 6 frames is enough for spin: the one at 0.90 s keeps "
            "94 % of the score; of the whole clip, 2 of 3 windows are enough, and keep 97 %",
        ),
        (
            {"sufficient_frames": [], "windows": WINDOWS | {"sufficient_windows": [0, 1, 2]}},
            "in the strongest window, no single frame is needed for spin: a blurred still picture "
            "keeps 94 % of the score; of the whole clip, all 3 windows are needed",
        ),
        (
            {
                "sufficient_frames": ENTRIES["frame_indices"],
                "windows": WINDOWS | {"contributions": [1.0, 2.0], "sufficient_windows": [0, 1]},
            },
            "in the strongest window, all 6 frames are needed for spin; of the whole clip, both "
            "windows are needed",
        ),
        ({"sufficient_frames": ENTRIES["frame_indices"]}, "all 6 frames are needed for spin"),
        (
            {"sufficient_frames": [12], "kept_share": 1.3},
            "1 of 6 frames is enough for spin: the one at 0.90 s keeps more than all of the score",
        ),
    ],
)
def test_the_sentence(changed: dict[str, Any], expected: str) -> None:
    assert sentence(ENTRIES | changed, True) == expected
