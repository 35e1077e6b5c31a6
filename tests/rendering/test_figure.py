"""Figures for papers: keyframes, maps, files."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import video_cam
from tests.support.media import write_clip
from tests.support.pages import Rendered
from video_cam import UsageError
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.figure import chosen_frames
from video_cam.video.clip import Clip


def pictures(figure) -> list[list[np.ndarray]]:
    """The images of a figure, row by row."""
    grid = [axes for axes in figure.axes if axes.images]
    columns = len({round(axes.get_position().x0, 3) for axes in grid})
    shown = [np.asarray(axes.images[0].get_array()) for axes in grid]
    return [shown[i : i + columns] for i in range(0, len(shown), columns)]


def test_a_figure_has_keyframes_across_and_maps_down(explanation, sample_clip, tmp_path) -> None:
    figure = video_cam.figure(sample_clip, explanation, tmp_path / "strip.png", frames=[20, 4])
    rows = pictures(figure)
    assert len(rows) == 5 and len(rows[0]) == 2  # the frames, and two layers x two methods
    made = Rendered(sample_clip, explanation, tmp_path)
    np.testing.assert_array_equal(rows[0], made.overlay([4, 20], alpha=0))
    for index, row in enumerate(rows[1:]):
        np.testing.assert_array_equal(row, made.overlay([4, 20], index))
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    scale = "colours of heat over grey; heat 1 is each row's largest value in the video"
    assert {"0.25 s", "1.25 s", "heat"} <= set(texts)
    assert scale in [text.replace("\n", " ") for text in texts]
    assert f"{explanation.maps[0].label}\ngradcam\nlayer4" in texts
    assert cv2.imread(str(tmp_path / "strip.png")) is not None
    assert [p.name for p in tmp_path.iterdir()] == ["strip.png"]


def test_the_columns_are_the_peaks_of_the_maps_that_are_drawn(explanation, sample_clip) -> None:
    first, last = (series.values.copy() for series in explanation.maps[:2])
    first[1:], last[:-1] = -1, -1  # something happens in the first or in the last window only
    maps = tuple(
        replace(series, values=values)
        for series, values in zip(explanation.maps, (first, last), strict=False)
    )
    events = replace(explanation, maps=maps)
    peaks = [int(blended.mass.argmax()) for blended in BlendedMaps(events)]
    assert peaks[0] < 12 and peaks[1] > 20

    def columns(**wanted) -> list[str]:
        drawn = video_cam.figure(sample_clip, events, source=False, **wanted)
        return [axes.get_title() for axes in drawn.axes if axes.get_title()]

    for series, peak in zip(maps, peaks, strict=True):
        assert columns(frames=1, methods=series.method) == [f"{peak / 16:.2f} s"]
    assert {f"{peak / 16:.2f} s" for peak in peaks} <= set(columns(frames=4))
    assert columns(frames=[30, 1]) == ["0.06 s", "1.88 s"]  # those that were asked for


def test_which_maps_and_frames(explanation, sample_clip, tmp_path) -> None:
    def rows(**wanted) -> int:
        return len(pictures(video_cam.figure(sample_clip, explanation, source=False, **wanted)))

    assert rows() == 4
    assert rows(methods="layercam") == 2
    assert rows(methods=["layercam"], layers=["layer3"]) == 1
    assert rows(class_ids=explanation.maps[0].class_id) == 4
    for wanted, words in [
        ({"methods": ["eigencam"]}, "method 'eigencam' was not explained; there is gradcam"),
        ({"class_ids": [5]}, "class_id 5"),
        ({"frames": [32]}, "frame 32 lies outside"),
        ({"frames": 0}, "1 or more"),
        ({"frames": []}, "empty"),
        ({"colormap": "jett"}, "did you mean jet"),
        ({"path": tmp_path / "strip.doc"}, "end it in .pdf"),
    ]:
        with pytest.raises(UsageError, match=words):
            video_cam.figure(sample_clip, explanation, **wanted)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_figures(explanation, sample_clip, tmp_path) -> None:
    one = replace(explanation, maps=explanation.maps[:1])
    summary = video_cam.render(sample_clip, one, tmp_path / "out", figure=True, max_keyframes=1)
    assert summary["files"]["figures"] == ["figure.pdf", "figure.png"]
    assert (tmp_path / "out" / "figure.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "out" / "figure.png") as picture:
        assert picture.width > 1500
    assert "figure.pdf" in (tmp_path / "out" / "index.html").read_text()


def test_a_figure_seeks_to_its_frames(explanation, sample_clip, monkeypatch) -> None:
    asked = []
    frames = Clip.frames
    monkeypatch.setattr(
        Clip,
        "frames",
        lambda clip, *span: asked.append((span, clip.can_seek)) or frames(clip, *span),
    )
    video_cam.figure(sample_clip, explanation, frames=[24, 20], methods="gradcam")
    assert asked == [((20, 25), True)]


def test_a_failed_save_leaves_the_earlier_file(explanation, sample_clip, tmp_path, monkeypatch):
    path = tmp_path / "strip.png"
    figure = video_cam.figure(sample_clip, explanation, path, frames=1, methods="gradcam")
    before = path.read_bytes()

    def fail(file, **_) -> None:
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="full"):
        figure.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["strip.png"]


def test_another_clip_is_refused(explanation, tmp_path) -> None:
    other = write_clip(tmp_path / "other.mp4", 40)
    with pytest.raises(UsageError, match="is not the clip that was explained"):
        video_cam.figure(other, explanation, frames=[1])


@pytest.mark.parametrize("frames", [np.array([1, 4]), torch.tensor([4, 1]), (np.int64(1), 4)])
def test_frames_may_be_numbers_of_other_libraries(frames, explanation) -> None:
    maps = BlendedMaps(explanation)
    assert chosen_frames(maps, frames) == [1, 4]
    assert chosen_frames(maps, np.int32(3)) == chosen_frames(maps, 3)


@pytest.mark.parametrize("frames", [2.5, "3", None, [1.5], ["a"], True, np.array([[1]]), [None]])
def test_frames_that_are_no_whole_numbers_are_told(frames, explanation) -> None:
    with pytest.raises(UsageError, match="must be a whole number, or a list of source frames"):
        chosen_frames(BlendedMaps(explanation), frames)


def test_one_contour_level_needs_no_list(explanation, sample_clip) -> None:
    """As in render, where one value stands for a tuple of one."""
    one, listed = (
        pictures(video_cam.figure(sample_clip, explanation, frames=[4], contours=levels))
        for levels in (0.5, [0.5])
    )
    np.testing.assert_array_equal(one, listed)
    with pytest.raises(UsageError, match="must be a list, each of it a number"):
        video_cam.figure(sample_clip, explanation, frames=[4], contours="half")
