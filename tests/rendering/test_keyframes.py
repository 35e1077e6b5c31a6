"""Keyframes: their images, their thumbnails, their entries in the summary."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import video_cam
from tests.support.media import read_frames, write_clip
from tests.support.pages import Rendered
from video_cam import Explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import Caption
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.frame_importance import most_important
from video_cam.rendering.keyframes import (
    describe_keyframes,
    keep_keyframes,
    make_folders,
    save_keyframe,
)
from video_cam.rendering.overlay import crop
from video_cam.rendering.panels import Panels


def read_rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


CAPTION = 18  # pixels below a row of pictures that are 256 pixels high


def test_keyframes_are_the_frames_the_network_saw(results: Path, explanation, sample_clip) -> None:
    saved = sorted(int(p.stem) for p in (results / "keyframes").iterdir())
    assert saved == explanation.keyframes() == list(range(32))
    image = read_rgb(results / "keyframes" / "000013.png")
    assert image.shape == (4 * (256 + CAPTION), 3 * 256, 3)  # one row for each map
    source = [frame.rgb() for frame in read_frames(sample_clip)][13]
    made = Rendered(sample_clip, explanation, results)
    for index in range(4):
        row = image[(256 + CAPTION) * index :][: 256 + CAPTION]
        if index == 0:
            np.testing.assert_array_equal(row[:256, :256], source)
        else:  # the source is the same for all maps, and there once
            assert not row[:256, :256].any()
        (overlay,) = made.overlay([13], index)
        drawn = row[:256, 512:].astype(int)  # nothing is written on it
        assert np.abs(drawn - overlay).mean() < 1.5
        assert np.abs(drawn - source).mean() > 3
        assert row[256:].max() > 200


def test_keyframes_can_be_limited(explanation, sample_clip, tmp_path) -> None:
    maps = BlendedMaps(explanation)
    kept = frames_to_look_at(maps, 5)
    summary = video_cam.render(sample_clip, explanation, tmp_path / "out", max_keyframes=5)
    assert [k["frame_index"] for k in summary["keyframes"]] == kept
    assert most_important(maps, list(range(32))) in kept
    assert summary["num_network_frames"] == 32
    for name in ("keyframes", "page/keyframes"):
        files = sorted((tmp_path / "out" / name).iterdir())
        assert [int(file.stem) for file in files] == kept


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
