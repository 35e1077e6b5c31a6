"""Keyframes: the frames the network saw, their images, thumbnails and importance."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

import video_cam
from tests.support.media import read_frames, write_clip
from tests.support.pages import Rendered
from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import Caption
from video_cam.rendering.keyframes import (
    describe_keyframes,
    evenly,
    frames_to_look_at,
    importance,
    keep_keyframes,
    make_folders,
    most_important,
    save_keyframe,
)
from video_cam.rendering.overlay import crop
from video_cam.rendering.panels import Panels


def read_rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (20, list(range(10)))]
)
def test_evenly_spread_items(count: int, expected: list[int]) -> None:
    assert evenly(range(10), count) == expected


class Masses:
    """Maps of which only the mass is known, of a clip whose keyframes are every second frame."""

    def __init__(self, mass: list[float], frame_test: dict[str, Any] | None = None) -> None:
        series = SimpleNamespace(target=ClassTarget(0))
        self.explanation = SimpleNamespace(
            keyframes=lambda: list(range(10, 10 + 2 * len(mass), 2)),
            frame_test=frame_test,
            maps=(series,),
        )
        spread = np.repeat(np.array(mass, float), 2)
        self._map = SimpleNamespace(mass=spread, first=10)

    def __getitem__(self, index: int) -> Any:
        return self._map


def looked_at(mass: list[float], count: int) -> list[int]:
    """The chosen positions among the keyframes."""
    return [(frame - 10) // 2 for frame in frames_to_look_at(Masses(mass), count)]


def test_frames_with_most_heat_are_looked_at_and_the_clip_between() -> None:
    mass = [0.1] * 100
    mass[23], mass[24], mass[70] = 5.0, 4.9, 3.0
    found = looked_at(mass, 6)
    assert {23, 70} <= set(found) and 24 not in found
    assert len(found) == 6 and found == sorted(found)
    gaps = np.diff([-1, *found, 100])
    assert gaps.max() <= 34  # no part of the clip is left out


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_the_frame_with_most_heat_is_always_looked_at(count: int) -> None:
    mass = np.random.default_rng(1).random(97).tolist()
    found = looked_at(mass, count)
    assert int(np.argmax(mass)) in found and len(found) == len(set(found)) == count


def test_without_differences_frames_are_evenly_spread() -> None:
    for mass in ([0.0] * 50, [2.0] * 50):
        assert looked_at(mass, 4) == evenly(range(50), 4)
    assert looked_at([1.0, 3.0, 2.0], 7) == [0, 1, 2]


def test_heat_at_a_single_moment_leaves_the_rest_evenly_spread() -> None:
    found = looked_at([0.0] * 40 + [1.0] + [0.0] * 39, 5)
    assert 40 in found and found[0] == 0 and found[-1] == 79 and len(found) == 5


CAPTION = 18  # pixels below a row of pictures that are 256 pixels high


def frame_test(contributions: list[float], enough: list[int]) -> dict[str, Any]:
    """A frame test of the keyframes from number 20 on; ``enough``: their numbers."""
    frames = [10 + 2 * (20 + number) for number in range(len(contributions))]
    return {
        "frame_indices": frames,
        "contributions": contributions,
        "sufficient_frames": [10 + 2 * number for number in enough],
    }


def test_frames_that_are_enough_are_looked_at_first() -> None:
    mass = np.random.default_rng(1).random(100).tolist()
    test = frame_test([0.5, 3.0, -1.0, 2.0, 2.5], [21, 23, 24])
    found = [(frame - 10) // 2 for frame in frames_to_look_at(Masses(mass, test), 8)]
    assert {21, 23, 24} <= set(found) and len(found) == 8
    # At most half of them: the rest of the clip is not left out.
    few = [(frame - 10) // 2 for frame in frames_to_look_at(Masses(mass, test), 4)]
    assert {21, 24} <= set(few) and 23 not in few and len(few) == 4
    assert [one for one in few if one not in (21, 24)] != []


def test_importance_is_what_frames_add_where_that_was_tested() -> None:
    maps = Masses([1.0] * 30 + [4.0] + [1.0] * 9, frame_test([0.5, 2.0, -1.0], [21]))
    numbers = [19, 20, 21, 22, 30]
    found = importance(maps, [10 + 2 * number for number in numbers])
    assert found == pytest.approx([0.25, 1.25, 2.0, 0.0, 1.0])
    assert most_important(maps, [10 + 2 * number for number in numbers]) == 10 + 2 * 21
    # Frames that add nothing do not hide where the map is strong.
    flat = Masses([1.0] * 30 + [4.0] + [1.0] * 9, frame_test([0.0, 0.0], []))
    assert most_important(flat, [10 + 2 * number for number in numbers]) == 10 + 2 * 30


def test_keyframes_are_the_frames_the_network_saw(results: Path, explanation, sample_clip) -> None:
    saved = sorted(int(p.stem) for p in (results / "keyframes").iterdir())
    assert saved == explanation.keyframes() == list(range(32))
    image = read_rgb(results / "keyframes" / "000013.png")
    assert image.shape == (4 * (256 + CAPTION), 3 * 256, 3)  # one row for each map
    source = [frame.rgb() for frame in read_frames(sample_clip)][13]
    made = Rendered(sample_clip, explanation, results)
    for index in range(4):
        row = image[(256 + CAPTION) * index :][: 256 + CAPTION]
        np.testing.assert_array_equal(row[:256, :256], source)
        (overlay,) = made.overlay([13], index)
        drawn = row[:256, 512:].astype(int)  # nothing is written on it
        assert np.abs(drawn - overlay).mean() < 1.5
        assert np.abs(drawn - source).mean() > 3
        assert row[256:].max() > 200


def test_keyframes_can_be_limited(explanation, sample_clip, tmp_path) -> None:
    summary = video_cam.render(sample_clip, explanation, tmp_path / "out", max_keyframes=5)
    assert [k["frame_index"] for k in summary["keyframes"]] == [0, 8, 16, 23, 31]
    assert len(list((tmp_path / "out" / "keyframes").iterdir())) == 5


def test_thumbnails_show_what_the_network_saw_without_heat(bundled, tmp_path, sample_clip) -> None:
    wide = [np.pad(f.rgb(), ((0, 0), (40, 40), (0, 0))) for f in read_frames(sample_clip)]
    clip = write_clip(tmp_path / "wide.mp4", wide[:16], options={"crf": "5"})
    explanation = video_cam.explain(clip, bundled)
    video_cam.render(clip, explanation, tmp_path / "out", max_keyframes=2)
    thumbnail = read_rgb(tmp_path / "out" / "page" / "keyframes" / "000000.jpg")
    seen = crop(next(iter(read_frames(clip))).rgb(), (40, 0, 296, 256))
    expected = cv2.resize(seen, (160, 160), interpolation=cv2.INTER_AREA)
    assert thumbnail.shape == expected.shape
    assert np.abs(thumbnail.astype(int) - expected).mean() < 3


def test_importance_is_the_share_of_the_largest_mass(explanation: Explanation) -> None:
    maps = BlendedMaps(explanation)
    mass = maps[0].mass
    entries = describe_keyframes(maps, [4, 20])
    assert [e["importance"] for e in entries] == pytest.approx(list(mass[[4, 20]] / mass.max()))
    assert [e["pts_seconds"] for e in entries] == [0.25, 1.25]
    assert [e["contribution"] for e in entries] == [None, None]
    frame_test = {"frame_indices": [4, 5], "contributions": [-1.5, 2.0]}
    other = BlendedMaps(replace(explanation, frame_test=frame_test))
    assert [e["contribution"] for e in describe_keyframes(other, [4, 20])] == [-1.5, None]
    assert [e["file"] for e in entries] == ["keyframes/000004.png", "keyframes/000020.png"]
    assert most_important(maps, list(range(32))) == mass.argmax()
    assert most_important(maps, [4, 20, 31]) == [4, 20, 31][mass[[4, 20, 31]].argmax()]


def test_scores_of_single_frames_are_told(explanation: Explanation) -> None:
    scores = np.linspace(0, 1, 3 * 16, dtype=np.float32).reshape(3, 16)
    series = replace(explanation.maps[0], frame_scores=scores)
    entries = describe_keyframes(BlendedMaps(replace(explanation, maps=(series,))), [0, 31])
    assert [e["score"] for e in entries] == pytest.approx([scores[0, 0], scores[2, 15]])
    assert describe_keyframes(BlendedMaps(explanation), [0])[0]["score"] is None


def test_a_map_without_heat_has_no_importance(explanation: Explanation) -> None:
    cold = replace(explanation.maps[0], values=-np.ones_like(explanation.maps[0].values))
    entries = describe_keyframes(BlendedMaps(replace(explanation, maps=(cold,))), [0, 31])
    assert [e["importance"] for e in entries] == [0, 0]


def test_the_summary_lists_the_keyframes(results: Path) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert max(k["importance"] for k in summary["keyframes"]) == 1
    for keyframe in summary["keyframes"]:
        assert (results / keyframe["file"]).is_file()
        assert keyframe["file"] == f"keyframes/{keyframe['frame_index']:06d}.png"
        assert keyframe["pts_seconds"] == keyframe["frame_index"] / 16


def test_keyframes_have_square_pixels(tmp_path: Path) -> None:
    """480 x 576 shown as 16:9, a small clip twice as wide; the caption is below."""
    make_folders(tmp_path)
    for index, (size, aspect, shape) in enumerate(
        [((576, 480), 64 / 45, (540 + 40, 3 * 640)), ((64, 64), 2.0, (64 + 15, 3 * 128))]
    ):
        image = np.full((*size, 3), 90, np.uint8)
        panels = Panels(image, image, image, Caption(("dash", "97%")))
        save_keyframe(tmp_path, index, [panels], aspect)
        saved = read_rgb(tmp_path / "keyframes" / f"{index:06d}.png")
        assert saved.shape == (*shape, 3)


def test_pictures_of_other_frames_are_removed(tmp_path: Path) -> None:
    (tmp_path / "guided").mkdir()
    for index in range(6):
        (tmp_path / "guided" / f"{index:06d}.png").touch()
    keep_keyframes(tmp_path, [1, 4])
    assert sorted(p.name for p in (tmp_path / "guided").iterdir()) == ["000001.png", "000004.png"]
