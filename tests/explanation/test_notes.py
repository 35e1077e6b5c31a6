"""Each note appears where it applies, and only there."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import map_series, window_result
from video_cam.config import ExplainConfig
from video_cam.explanation.damage import damage_of
from video_cam.explanation.map_series import ClassTarget
from video_cam.explanation.notes import DEINTERLACED, notes, notes_on_maps
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.models.registry import UNTRAINED
from video_cam.utils.notes import INFORMATION, WARNING, Note
from video_cam.video.timeline import Timeline

FULL = Window((0, 1, 2, 3))
PADDED = Window((0, 1, 1, 1), num_padded=2)


def plan(**fields: Any) -> Any:
    """What notes read of a ClipPlan: 100 frames at 10 per second, nothing unusual."""
    made = {
        "trained": True,
        "model_notes": (),
        "batch_note": None,
        "declared_frames": 100,
        "num_jumps": 0,
        "conversions": (),
        "problems": (),
        "rate_note": "",
        "detail_note": "",
        "is_interlaced": False,
        "num_video_streams": 1,
        "windows": (FULL, FULL),
        "scenes": (FrameSpan(0, 100),),
    } | fields
    return SimpleNamespace(
        model=SimpleNamespace(trained=made["trained"]),
        model_notes=made["model_notes"],
        batch_note=made["batch_note"],
        rate_note=made["rate_note"],
        detail_note=made["detail_note"],
        clip=SimpleNamespace(
            info=SimpleNamespace(
                declared_frames=made["declared_frames"],
                num_jumps=made["num_jumps"],
                conversions=made["conversions"],
                problems=made["problems"],
                is_interlaced=made["is_interlaced"],
                num_video_streams=made["num_video_streams"],
                video_stream=None,
            ),
            timeline=Timeline(np.arange(100), Fraction(1, 10), 1),
        ),
        map_keys=(("late", "gradcam", "none"), ("input", "rise", "none")),
        windows=made["windows"],
        scenes=made["scenes"],
    )


def written(
    results: list[dict[str, Any]] | None = None, options: Any = None, **fields: Any
) -> list[Note]:
    made = [window_result(i, {}, **one) for i, one in enumerate(results or [{}, {}])]
    planned = plan(**fields)
    damage = damage_of(planned.clip, made)
    return list(notes(planned, ExplainConfig(**options or {}), made, damage))


def test_interlaced_frames_later_in_the_clip_are_noted() -> None:
    assert written([{}, {"has_interlaced": True}]) == [Note(f"a part of the clip {DEINTERLACED}")]


@pytest.mark.parametrize("declared", [100, 99, 0, None])
def test_there_is_nothing_to_note(declared) -> None:
    assert written(declared_frames=declared) == []


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"trained": False}, Note(UNTRAINED, WARNING)),
        ({"model_notes": (Note("another network", WARNING),)}, Note("another network", WARNING)),
        ({"batch_note": "batches hold 2"}, "batches hold 2"),
        ({"conversions": ("HDR is shown as SDR",)}, "HDR is shown as SDR"),
        (
            {"declared_frames": 120},
            Note("decoded 100 of 120 frames: the file is incomplete", WARNING),
        ),
        ({"problems": ("pages are missing",)}, Note("pages are missing", WARNING)),
        ({"is_interlaced": True}, f"the clip {DEINTERLACED}"),
        (
            {"num_video_streams": 2},
            "the file has 2 video streams: the one that FFmpeg takes for the best is explained; "
            "--video-stream 0 takes the first",
        ),
        ({"rate_note": "a picture every 10 s"}, "a picture every 10 s"),
        ({"detail_note": "no finer layer"}, "no finer layer"),
        (
            {"num_jumps": 2},
            "the clip's time stamps jump 2 times: its parts are joined without a gap, and times "
            "are counted from its first frame",
        ),
        # The largest count: each part of a clip counts what it has read.
        (
            {"results": [{"num_damaged": 1}, {"num_damaged": 3}]},
            Note("3 damaged packets were skipped", WARNING),
        ),
        (
            {"results": [{"corrupt_frames": (12,)}, {}]},
            Note(
                "1 corrupt frame, frame 12 at 1.20 s: parts of its picture are guessed, also in "
                "frames after it up to the next key frame",
                WARNING,
            ),
        ),
        ({"results": [{}, {"memory_note": "out of memory"}]}, "out of memory"),
        (
            {"windows": (PADDED,)},
            "the clip gives 2 of the 4 frames the network takes: its last frame is repeated",
        ),
        (
            {"windows": (PADDED,), "options": {"sampling": "uniform"}},
            "the clip gives 2 of the 4 frames the network takes: frames are repeated",
        ),
        ({"options": {"split_scenes": True}}, "1 scene; no window runs across a cut"),
        (
            {
                "options": {"split_scenes": True},
                "scenes": (FrameSpan(0, 2), FrameSpan(2, 100)),
                "windows": (PADDED, FULL),
            },
            "2 scenes; no window runs across a cut; 1 of them is shorter than a window",
        ),
        (
            {
                "options": {"split_scenes": True},
                "scenes": (FrameSpan(0, 2), FrameSpan(2, 4)),
                "windows": (PADDED, PADDED),
            },
            "2 scenes; no window runs across a cut; 2 of them are shorter than a window",
        ),
    ],
)
def test_one_note(fields, note) -> None:
    """A text alone is information."""
    assert written(**fields) == [note if isinstance(note, Note) else Note(note)]


def test_cuts_are_listed_in_order_each_once() -> None:
    results = [{"cuts": (20,)}, {"cuts": (5, 20)}]
    [note] = written(results)
    assert note.text.startswith("windows run across what looks like a hard cut at 0.50 s, 2.00 s: ")
    assert "--split-scenes" in note.text and note.kind == WARNING
    [note] = written([{"cuts": tuple(range(10, 80, 10))}])
    assert "at 1.00 s, 2.00 s, 3.00 s, 4.00 s, 5.00 s and 2 more: " in note.text
    # What the scene detector did not split is not a matter of --split-scenes any more.
    assert written(results, {"split_scenes": True}) == [
        Note("1 scene; no window runs across a cut")
    ]


def test_notes_on_memory_are_given_once_for_each_worker() -> None:
    results = [{"memory_note": note} for note in ("halved", "halved", "halved twice", None)]
    assert written(results) == [Note("halved"), Note("halved twice")]


def test_why_there_is_no_detail_is_said_once() -> None:
    assert written([{"map_note": "no gradient"}] * 3) == [Note("no gradient")]


def test_how_many_masks_maps_are_made_of_and_how_precise_they_are() -> None:
    first, second = ClassTarget(0), ClassTarget(1)
    results = [
        {"sampling": {first: {1: (256, 0.05)}, second: {1: (256, 0.09)}}},
        {"sampling": {first: {1: (1000, 0.1)}}},
    ]
    [note] = written(results)
    assert note.text == (
        "rise: 256 to 1,000 random masks for each map; the standard error of a cell is 8 % of the "
        "largest value of its map, at most 10 %; --masks draws more"
    )
    [note] = written([{"sampling": {first: {1: (64, 0.02)}}}] * 2)
    assert "rise: 64 random masks for each map" in note.text and "--masks" not in note.text


def test_all_notes_in_order() -> None:
    results = [{"num_damaged": 2, "memory_note": "out of memory", "cuts": (20,)}]
    fields = {"trained": False, "model_notes": (Note("loaded"),), "batch_note": "batches hold 2"}
    found = written(results, declared_frames=120, windows=(PADDED,), **fields)
    starts = [UNTRAINED, "loaded", "decoded", "2 damaged", "batches", "out of", "the clip gives"]
    starts.append("windows")
    assert len(found) == len(starts)
    assert all(note.text.startswith(start) for note, start in zip(found, starts, strict=True))


def test_maps_without_positive_values() -> None:
    positive = map_series([[-1, 2], [-3, -4]], [0, 1])
    assert not list(notes_on_maps([positive]))
    empty = [map_series([[-1, 0], [-3, -4]], [0, 1], label=label) for label in "abcd"]
    [note] = notes_on_maps([empty[0], positive])
    assert note.text.startswith("no heat in the maps of a (gradcam late): ")
    assert note.kind == INFORMATION
    [note] = notes_on_maps([*empty, positive])
    assert "of a (gradcam late), b (gradcam late), c (gradcam late) and 1 more: " in note.text
