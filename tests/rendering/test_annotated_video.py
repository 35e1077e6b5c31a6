"""The annotated videos: layout, size, exact time stamps, sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import video_cam
from tests.support.media import (
    audio_packets,
    moving_square,
    read_frames,
    stamps_seconds,
    write_clip,
)
from video_cam import Explanation
from video_cam.rendering.annotated_video import video_names
from video_cam.video.scan import probe


@pytest.mark.parametrize(
    ("layout", "panels"),
    [("overlay", [2]), ("side-by-side", [0, 2]), ("strip", [0, 1, 2])],
)
def test_a_layout_shows_these_panels_of_the_keyframe(layout, panels, bundled, tmp_path) -> None:
    clip = write_clip(tmp_path / "v.mp4", moving_square(20, 96, 64), time_base=Fraction(1, 16))
    explanation = video_cam.explain(clip, bundled)
    video_cam.render(clip, explanation, tmp_path / "out", layout=layout)
    frames = [frame.rgb() for frame in read_frames(tmp_path / "out" / "annotated.mp4")]
    assert len(frames) == 20 and frames[0].shape == (64, 96 * len(panels), 3)
    for index in (0, 9):
        keyframe = cv2.imread(str(tmp_path / "out" / "keyframes" / f"{index:06d}.png"))[..., ::-1]
        expected = np.hstack([keyframe[:64, 96 * panel : 96 * (panel + 1)] for panel in panels])
        bare = slice(16, 48)  # between the places of a caption
        assert np.abs(frames[index].astype(float) - expected)[bare].mean() < 4


@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        (Fraction(1001, 30000), list(range(24))),
        (Fraction(1, 90000), [0, 3003, 6006, 20000, 40000, *range(50000, 110000, 4000)]),
    ],
)
def test_time_stamps_and_sound_are_those_of_the_source(time_base, pts, bundled, tmp_path) -> None:
    clip = write_clip(
        tmp_path / "v.mp4",
        moving_square(len(pts), 66, 50),
        time_base=time_base,
        pts=pts,
        audio="aac",
    )
    explanation = video_cam.explain(clip, bundled)
    video_cam.render(clip, explanation, tmp_path / "out")
    annotated = tmp_path / "out" / "annotated.mp4"
    assert stamps_seconds(annotated) == stamps_seconds(clip)
    assert audio_packets(annotated) == audio_packets(clip)
    source, drawn = probe(clip)[1], probe(annotated)[1]
    assert drawn.duration_seconds == source.duration_seconds


def test_odd_sizes_are_made_even(bundled, tmp_path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "still.png"), picture)
    explanation = video_cam.explain(tmp_path / "still.png", bundled)
    video_cam.render(tmp_path / "still.png", explanation, tmp_path / "out")
    info, timeline = probe(tmp_path / "out" / "annotated.mp4")
    assert (info.width, info.height, timeline.num_frames) == (52, 38, 1)


def test_a_part_of_a_clip_starts_at_zero(bundled, sample_clip, tmp_path) -> None:
    explanation = video_cam.explain(sample_clip, bundled, start=0.25, end=1.5)
    video_cam.render(sample_clip, explanation, tmp_path / "out")
    stamps = stamps_seconds(tmp_path / "out" / "annotated.mp4")
    assert stamps == [Fraction(k, 16) for k in range(20)]


def test_every_map_has_a_video_with_a_name_of_its_own(explanation: Explanation, results: Path):
    label = explanation.maps[0].label.replace(" ", "-")
    assert video_names(explanation.maps) == [
        "annotated.mp4",
        f"annotated_2_{label}_layer4_layercam.mp4",
        f"annotated_3_{label}_layer3_gradcam.mp4",
        f"annotated_4_{label}_layer3_layercam.mp4",
    ]
    assert all((results / name).is_file() for name in video_names(explanation.maps))
    long = replace(explanation.maps[1], label="../" * 99)
    assert video_names([explanation.maps[0], long])[1].startswith("annotated_2_..-..-..")
    assert len(video_names([explanation.maps[0], long])[1]) == len("annotated_2_.mp4") + 100
