"""What is said of damaged clips, and that --strict refuses them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.explained_clips import explain
from tests.support.explanations import window_result
from tests.support.media import damage_packets, flip_bits, moving_texture, write_clip
from video_cam import ClipError
from video_cam.explanation.damage import Damage, damage_of, is_undamaged, refuse_damage
from video_cam.utils.notes import WARNING
from video_cam.video.clip import Clip
from video_cam.video.scan import ClipInfo
from video_cam.video.timeline import Timeline

TIMELINE = Timeline(np.arange(100), Fraction(1, 10), 1)


def clip(declared_frames: int | None = 100) -> Clip:
    """100 frames at 10 per second."""
    fields = {"has_audio": False, "is_still": False, "declared_frames": declared_frames}
    return Clip(ClipInfo("a.mp4", 8, 8, Fraction(10), 100, 10.0, **fields), TIMELINE)


@pytest.mark.parametrize("declared", [100, 99, 0, None])
def test_an_undamaged_clip(declared: int | None) -> None:
    damage = damage_of(clip(declared), [window_result(0, {})])
    assert damage == Damage()
    assert list(damage.sentences(100)) == []
    refuse_damage(clip(declared), damage)


def test_all_kinds_of_damage_are_counted() -> None:
    results = [
        window_result(0, {}, num_damaged=1, corrupt_frames=(12, 13)),
        window_result(1, {}),
        # Another worker, which has read some frames again.
        window_result(2, {}, num_damaged=3, corrupt_frames=(13, 40)),
    ]
    damage = damage_of(clip(120), results)
    assert damage == Damage(20, 3, 3, 12, 1.2)
    assert list(damage.sentences(100)) == [
        "decoded 100 of 120 frames: the file is incomplete",
        "3 damaged packets were skipped",
        "3 corrupt frames, the first is frame 12 at 1.20 s: parts of their pictures are guessed, "
        "also in frames after them up to the next key frame",
    ]
    with pytest.raises(ClipError, match=r"^a\.mp4: decoded .*; 3 damaged .* frame 12 at 1\.20 s"):
        refuse_damage(clip(120), damage)


def test_a_single_corrupt_frame() -> None:
    [sentence] = Damage(
        corrupt_frames=1, first_corrupt_frame=7, first_corrupt_seconds=0.7
    ).sentences(9)
    assert sentence.startswith("1 corrupt frame, frame 7 at 0.70 s: parts of its picture ")


def test_what_a_summary_says() -> None:
    assert is_undamaged({"damage": {"missing_frames": 0, "first_corrupt_frame": None}})
    assert not is_undamaged({"damage": {"missing_frames": 1, "first_corrupt_frame": None}})
    assert not is_undamaged({})  # of an earlier version


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """48 frames at 16 per second; frame 20 is damaged, and those predicted from it."""
    options = {"g": "24", "sc_threshold": "1000000000"}
    pictures = moving_texture(48)
    path = tmp_path / "a.mp4"
    write_clip(path, pictures, codec="mpeg4", time_base=Fraction(1, 16), options=options)
    flip_bits(path, [20])
    return path


def test_corrupt_frames_are_told(damaged: Path, bundled) -> None:
    explanation = explain(damaged, bundled)
    assert explanation.damage == Damage(0, 0, 1, 20, 1.25)
    [note] = explanation.notes
    assert note.text.startswith("1 corrupt frame, frame 20 at 1.25 s: ") and note.kind == WARNING
    # Frames from 1.375 s on are predicted from frame 20, those from the key frame at 1.5 s not.
    assert explain(damaged, bundled, start=1.375).damage == explanation.damage
    assert explain(damaged, bundled, start=1.5).damage == Damage()
    assert explain(damaged, bundled, end=1.25).damage == Damage()


def test_strict_refuses_damaged_clips_only(damaged: Path, sample_clip: Path, bundled) -> None:
    with pytest.raises(ClipError) as error:
        explain(damaged, bundled, strict=True)
    assert str(error.value).startswith(f"{damaged}: 1 corrupt frame, frame 20 at 1.25 s: ")
    assert str(error.value).endswith("; leave out --strict to explain the clip as it is")
    damage_packets(damaged, [40])
    with pytest.raises(ClipError, match=r"; 1 damaged packets were skipped; 1 corrupt frame, "):
        explain(damaged, bundled, strict=True)
    undamaged = explain(sample_clip, bundled, strict=True)
    assert undamaged.damage == Damage() and "strict" not in undamaged.options
