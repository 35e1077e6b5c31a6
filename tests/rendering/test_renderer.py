"""The second pass: every frame, its stamp, its size, and heat where the map says."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import video_cam
from tests.support.media import audio_packets, moving_square, stamps_seconds, write_clip
from video_cam import Explanation, UsageError
from video_cam.rendering.heat import MapPainter, spatial_matrices
from video_cam.rendering.overlay import (
    Palette,
    caption,
    font_size,
    heat_map,
    overlay,
    save_picture,
    unseen,
)
from video_cam.video.reader import read_frames
from video_cam.video.scan import probe


def read_rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_the_files_of_the_contract_are_there(results: Path) -> None:
    found = {p.name for p in results.iterdir()}
    assert found >= {
        "annotated.mp4",
        "keyframes",
        "contact_sheet.jpg",
        "timeline.png",
        "index.html",
        "explanation.npz",
        "summary.json",
    }
    assert not [p for p in results.parent.iterdir() if p.name.startswith(".")]


def test_the_summary_tells_the_numbers(results: Path, explanation: Explanation) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert summary["clip"] | {"path": ""} == {
        "path": "",
        "width": 256,
        "height": 256,
        "fps": 16.0,
        "num_frames": 32,
        "duration_seconds": 2.0,
        "has_audio": False,
        "span": [0, 32],
    }
    assert summary["model"]["layers"] == ["layer4", "layer3"]
    assert summary["predictions"][0]["score"] == pytest.approx(explanation.predictions(1)[0].score)
    assert summary["targets"][0]["class_id"] == explanation.maps[0].class_id
    assert [w["start_seconds"] for w in summary["windows"]] == [0, 0.5, 1]
    assert [w["end_seconds"] for w in summary["windows"]] == [1, 1.5, 2]
    assert set(summary["seconds"]) == {"explain", "render"}
    assert max(k["importance"] for k in summary["keyframes"]) == 1
    for keyframe in summary["keyframes"]:
        assert (results / keyframe["file"]).is_file()
        assert keyframe["file"] == f"keyframes/{keyframe['frame_index']:06d}.png"
        assert keyframe["pts_seconds"] == keyframe["frame_index"] / 16


def test_keyframes_are_the_frames_the_network_saw(results: Path, explanation, sample_clip) -> None:
    saved = sorted(int(p.stem) for p in (results / "keyframes").iterdir())
    assert saved == explanation.keyframes() == list(range(32))
    picture = read_rgb(results / "keyframes" / "000020.png")
    assert picture.shape == (4 * 256, 3 * 256, 3)  # one row for each map
    source = [frame.rgb() for frame in read_frames(sample_clip)][20]
    np.testing.assert_array_equal(picture[:256, :256], source)


@pytest.mark.parametrize(
    ("layout", "width"), [("overlay", 96), ("side-by-side", 192), ("strip", 288)]
)
def test_layouts(layout: str, width: int, bundled, tmp_path) -> None:
    clip = write_clip(tmp_path / "v.mp4", moving_square(20, 96, 64), time_base=Fraction(1, 16))
    explanation = video_cam.explain(clip, bundled)
    video_cam.render(clip, explanation, tmp_path / "out", layout=layout, alpha=0)
    frames = [frame.rgb() for frame in read_frames(tmp_path / "out" / "annotated.mp4")]
    assert len(frames) == 20 and frames[0].shape == (64, width, 3)
    if layout != "overlay":
        source = next(iter(read_frames(clip))).rgb()
        assert np.abs(frames[0][:, :96].astype(float) - source).mean() < 4


@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        (Fraction(1001, 30000), list(range(24))),
        (Fraction(1, 90000), [0, 3003, 6006, 20000, 40000, *range(50000, 110000, 4000)]),
    ],
)
def test_stamps_and_sound_are_the_sources_own(time_base, pts, bundled, tmp_path) -> None:
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


def test_the_end_of_a_long_layer_name_is_on_the_picture(explanation, tmp_path, monkeypatch) -> None:
    render, captions = importlib.import_module("video_cam.rendering.renderer"), []
    monkeypatch.setattr(render, "caption", lambda _, lines: captions.append(lines))
    name = "features.denseblock4.denselayer16.conv2"
    maps = (replace(explanation.maps[0], layer=name), *explanation.maps[1:])
    clip = explanation.clip.path
    video_cam.render(clip, replace(explanation, maps=maps), tmp_path / "out", max_keyframes=1)
    ends = {lines[2] for lines in captions}
    assert "gradcam …ock4.denselayer16.conv2" in ends and "layercam layer4" in ends


def test_a_still_image_has_no_seconds(bundled, tmp_path, monkeypatch) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((64, 64, 3), 128, np.uint8))
    captions = []
    render = importlib.import_module("video_cam.rendering.renderer")
    monkeypatch.setattr(render, "caption", lambda _, lines: captions.append(lines))
    explanation = video_cam.explain(tmp_path / "still.png", bundled)
    video_cam.render(tmp_path / "still.png", explanation, tmp_path / "out")
    assert {line.endswith("%") for _, line in captions} == {True}
    facts = (tmp_path / "out" / "index.html").read_text().split('class="facts">')[1]
    assert facts.split("</p>")[0].rstrip().endswith("1 frame")


def test_a_part_of_a_clip_starts_at_zero(bundled, sample_clip, tmp_path) -> None:
    explanation = video_cam.explain(sample_clip, bundled, start=0.25, end=1.5)
    video_cam.render(sample_clip, explanation, tmp_path / "out")
    stamps = stamps_seconds(tmp_path / "out" / "annotated.mp4")
    assert stamps == [Fraction(k, 16) for k in range(20)]


def test_another_clip_is_refused(explanation, bundled, tmp_path) -> None:
    clip = write_clip(tmp_path / "v.mp4", 32, time_base=Fraction(1, 16))
    with pytest.raises(UsageError, match="other frames"):
        video_cam.render(clip, explanation, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_keyframes_can_be_limited(explanation, sample_clip, tmp_path) -> None:
    summary = video_cam.render(sample_clip, explanation, tmp_path / "out", max_keyframes=5)
    assert [k["frame_index"] for k in summary["keyframes"]] == [0, 8, 16, 23, 31]


def test_what_a_file_and_a_label_bring_into_the_page_is_escaped(explanation, sample_clip, tmp_path):
    evil = "<script>alert(1)</script>"
    hostile = replace(
        explanation,
        clip=replace(explanation.clip, path=f"/x/{evil}.mp4"),
        labels=(evil,) * len(explanation.labels),
        notes=(evil,),
    )
    video_cam.render(sample_clip, hostile, tmp_path / "out", max_keyframes=1)
    page = (tmp_path / "out" / "index.html").read_text()
    assert evil not in page and "&lt;script&gt;" in page


def one_hot(explanation: Explanation, cell: tuple[int, int, int]) -> Explanation:
    """The same explanation with one hot cell in every window."""
    series = explanation.maps[0]
    values = np.zeros_like(series.values)
    values[(slice(None), *cell)] = 2.0
    return replace(explanation, maps=(replace(series, values=values),))


@pytest.mark.parametrize("cell", [(1, 1, 2), (2, 2, 1), (0, 1, 1)])
def test_heat_sits_where_the_cell_sits(cell, explanation) -> None:
    hot = one_hot(explanation, cell)
    painter = MapPainter(hot, 0, "frame")
    centres = hot.maps[0].centres
    heat = painter.heat(float(centres.t[cell[0]]) / 16)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    # The cell's centre in the source: 256 pixels for the 64 of the input.
    assert heat.max() == pytest.approx(1, abs=0.05)
    for found, centre in ((y, centres.y[cell[1]]), (x, centres.x[cell[2]])):
        assert abs(found - ((centre + 0.5) * 4 - 0.5)) <= 1


def test_one_normalisation_for_the_video_and_none_negative(explanation) -> None:
    series = explanation.maps[0]
    values = np.zeros_like(series.values)
    values[0], values[1], values[2] = 1.0, -3.0, 4.0
    graded = replace(explanation, maps=(replace(series, values=values),))
    seconds = np.array([0.0, 0.97, 1.94])
    peaks = {}
    for normalize in ("video", "window", "frame"):
        painter = MapPainter(graded, 0, normalize)
        painter.measure(seconds)
        peaks[normalize] = [float(painter.heat(t).max()) for t in seconds]
    assert peaks["video"] == pytest.approx([0.25, 0, 1])
    assert peaks["frame"] == pytest.approx([1, 0, 1])
    assert peaks["window"] == pytest.approx([1, 0, 1])


def test_a_map_without_positive_cells_draws_nothing(explanation) -> None:
    series = replace(explanation.maps[0], values=-np.ones_like(explanation.maps[0].values))
    painter = MapPainter(replace(explanation, maps=(series,)), 0, "video")
    assert painter.measure(np.array([0.0, 1.0])).tolist() == [0, 0]
    assert painter.heat(1.0).max() == 0


def test_the_box_of_the_source_and_what_was_not_seen(explanation) -> None:
    wide = replace(
        explanation.geometry,
        source_width=400,
        source_height=200,
        resized_width=128,
        resized_height=64,
        crop_left=32,
        crop_top=0,
    )
    rows, columns, box = spatial_matrices(wide, explanation.maps[0].centres)
    assert box == (100, 0, 300, 200)
    assert rows.shape[0] == 200 and columns.shape[0] == 200
    frame = np.full((200, 400, 3), (200, 100, 50), np.uint8)
    drawn = overlay(frame, np.zeros((200, 200), np.float32), box, Palette("inferno", 0.7))
    np.testing.assert_array_equal(drawn[:, 100:300], frame[:, 100:300])
    np.testing.assert_array_equal(drawn[:, :100], unseen(frame)[:, :100])
    assert drawn[0, 0].max() < 60 and np.ptp(drawn[0, 0]) == 0
    # In a heat map what was not seen is not what has no heat.
    cold = heat_map(frame, np.zeros((200, 200), np.float32), box, Palette("inferno", 0.7))
    assert (cold[:, :100] == 64).all() and cold[:, 100:300].max() < 10
    assert (heat_map(frame, None, box, Palette("inferno", 0.7)) == 64).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (37, 53), (256, 340)])
def test_a_png_holds_every_pixel(size: tuple[int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    for picture in (noise, noise // 200, np.ascontiguousarray(noise[:, ::-1]), noise[:, ::-1]):
        save_picture(tmp_path / "p.png", picture)
        with Image.open(tmp_path / "p.png") as image:  # which checks the sums
            image.load()
            assert image.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(image), picture)
        read = cv2.imread(str(tmp_path / "p.png"), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(read[..., ::-1], picture)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_blend_is_alpha_times_heat(alpha: float) -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    heat = rng.random((40, 50), dtype=np.float32)
    palette = Palette("viridis", alpha)
    opacity = alpha * heat[:, :, None]
    expected = frame * (1 - opacity) + palette.colour(heat) * opacity
    assert np.abs(palette.blend(frame, heat) - expected).max() <= 2.5


@pytest.mark.parametrize("size", [(48, 64), (128, 96), (720, 1280), (2160, 3840), (30, 20)])
def test_captions_fit_and_can_be_read(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 200, np.uint8)
    caption(picture, ["a very long class name that fits nowhere", "97%   12.34 s"])
    changed = np.flatnonzero((picture != 200).any(axis=(1, 2)))
    assert picture.max() > 200, "no ink"
    assert changed[-1] == size[0] - 1
    assert font_size(size[0]) >= 10
    if size[0] >= 48:
        assert len(changed) <= 0.7 * size[0]


def test_captions_write_more_than_ascii() -> None:
    accented, replacement = (np.zeros((40, 200, 3), np.uint8) for _ in range(2))
    caption(accented, ["Čeština Ελλάς Кино"])
    caption(replacement, ["?eština ????? ????"])
    assert (accented != replacement).any()


@pytest.mark.parametrize("size", [(256, 256), (333, 401)])
def test_what_is_enlarged_looks_like_what_is_drawn_pixel_by_pixel(size, explanation) -> None:
    height, width = size
    geometry = replace(explanation.geometry, source_height=height, source_width=width)
    painter = MapPainter(replace(explanation, geometry=geometry), 0, "video")
    painter.measure(np.array([1.0]))
    fine, coarse = painter.heat(1.0), painter.coarse_heat(1.0)
    assert fine.shape == size and coarse.size < fine.size / 10
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    palette = Palette("inferno", 0.7)
    exact, drawn = (overlay(frame, heat, painter.box, palette) for heat in (fine, coarse))
    difference = np.abs(exact.astype(int) - drawn)
    assert difference.mean() < 1 and np.quantile(difference, 0.999) <= 6
