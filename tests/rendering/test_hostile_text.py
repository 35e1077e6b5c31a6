"""Hostile names of clips, classes and layers in every picture and file of a result."""

from __future__ import annotations

import json
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import video_cam
from tests.support.explanations import hostile_explanation
from tests.support.hostile import TEXTS
from tests.support.media import write_clip
from tests.support.plots import panel_edges
from video_cam import Explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import draw_caption
from video_cam.rendering.figure import MAX_NAME_LETTERS
from video_cam.rendering.notebook import summary_html
from video_cam.rendering.plot_drawing import draw_plot
from video_cam.rendering.timeline_plot import timeline_plot
from video_cam.utils.notes import Note

CLIP_NAME = os.fsdecode(b"\x1b[31m<b>\xe9\xe2\x80\xae\n.mp4")


@pytest.fixture(scope="module")
def explanation(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    return hostile_explanation(write_clip(tmp_path_factory.mktemp("clips") / CLIP_NAME, 6))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_captions(text: str) -> None:
    image = np.full((48, 64, 3), 200, np.uint8)
    began = time.perf_counter()
    draw_caption(image, [text, "50 %"])
    assert time.perf_counter() - began < 2  # 10,000 letters took minutes
    assert image.min() < 200 < image.max()


def test_a_cut_caption_is_as_long_as_fits() -> None:
    image = np.zeros((40, 300, 3), np.uint8)
    draw_caption(image, ["W" * 10_000])
    columns = np.flatnonzero(image.max(axis=(0, 2)) > 100)
    assert 280 < columns[-1] < 300


def test_the_timeline_has_every_name_and_room_for_its_curves(explanation: Explanation) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot = timeline_plot(BlendedMaps(explanation))
        picture = draw_plot(plot)
    for panel in plot.panels[:2]:  # the others have fixed names
        assert len(panel.legend) == len(TEXTS)
    left, right = panel_edges(picture)
    assert right - left >= 0.2 * plot.width


def test_the_figure(explanation: Explanation) -> None:
    few = replace(explanation, maps=explanation.maps[::8])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = video_cam.figure(few.clip.path, few, frames=1)
        assert drawn.pixels().std() > 20
    for axes in drawn.axes[1:-1]:
        assert len(axes.get_ylabel()) <= MAX_NAME_LETTERS and "\x1b" not in axes.get_ylabel()


def test_every_file_of_a_result(explanation: Explanation, tmp_path: Path) -> None:
    few = replace(explanation, maps=explanation.maps[::5])
    clip, out = few.clip.path, tmp_path / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        video_cam.render(clip, few, out, max_keyframes=1)
    names = [path.name for path in out.iterdir()]
    assert all(name.isascii() and name.isprintable() for name in names)
    assert sum(name.endswith(".mp4") for name in names) == len(few.maps)
    text = (out / "summary.json").read_text("utf-8")
    assert all(line.isprintable() or "\u200c" in line for line in text.split("\n"))
    summary = json.loads(text)
    assert (
        summary["clip"]["path"] == clip
        and tuple(Note(**note) for note in summary["notes"]) == few.notes
    )
    assert [target["label"] for target in summary["targets"]] == [one.label for one in few.maps]
    assert Explanation.load(out / "explanation.npz").labels == tuple(TEXTS.values())
    for html in ((out / "index.html").read_text("utf-8"), summary_html(few)):
        assert TEXTS["markup"] not in html and "&lt;img src=x" in html
        assert not {"\x1b", "\u202e", "\0", "\u2028"} & set(html)
        assert html.encode().decode() == html
