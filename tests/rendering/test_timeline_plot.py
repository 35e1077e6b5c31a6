"""The timeline: class scores, map mass, contributions."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_hex

from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.explained_targets import colours_of_targets
from video_cam.rendering.timeline_plot import draw_timeline, timeline_figure
from video_cam.video.timeline import Timeline


def labels(panel) -> list[str]:
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_the_best_classes_have_their_scores_at_the_windows_middles(explanation) -> None:
    scores, *_ = timeline_figure(BlendedMaps(explanation)).axes
    assert labels(scores) == [p.label for p in explanation.predictions(5)]
    line = scores.containers[0].lines[0]
    assert line.get_xdata() == pytest.approx([15 / 32, 31 / 32, 47 / 32])
    best = explanation.predictions(1)[0].class_id
    assert line.get_ydata() == pytest.approx(explanation.probabilities[:, best])
    assert scores.get_ylabel() == "class probability"


def test_the_axis_says_what_the_scores_are(explanation: Explanation) -> None:
    for changes, name in ({"shares": True}, "share of places"), ({"score": "raw"}, "score"):
        other = replace(explanation, model=replace(explanation.model, **changes))
        assert timeline_figure(BlendedMaps(other)).axes[0].get_ylabel() == name


def test_the_mass_of_each_target_in_the_first_kind_of_map_is_drawn(explanation) -> None:
    maps = tuple(
        replace(m, target=ClassTarget(c), label=f"${c}$", values=m.values * (c + 1))
        for c in (1, 4)
        for m in explanation.maps
    )
    blended = BlendedMaps(replace(explanation, maps=maps))
    masses = timeline_figure(blended).axes[1]
    assert labels(masses) == [r"\$1\$", r"\$4\$"]
    for line, index in zip(masses.lines, (0, 4), strict=True):
        assert line.get_xdata() == pytest.approx(np.arange(32) / 16)
        assert line.get_ydata() == pytest.approx(blended[index].mass)
    assert masses.get_title("left") == "gradcam of layer4"


def test_complete_maps_have_a_bar_for_each_frame(explanation: Explanation) -> None:
    _, _, contributions = timeline_figure(BlendedMaps(explanation)).axes
    [bars] = contributions.collections
    assert len(bars.get_paths()) == 32
    incomplete = replace(explanation, maps=(replace(explanation.maps[0], bias=None),))
    assert len(timeline_figure(BlendedMaps(incomplete)).axes) == 2


def test_scores_of_single_frames_are_drawn_at_the_frames(explanation: Explanation) -> None:
    frame_scores = np.linspace(0, 1, 3 * 16, dtype=np.float32).reshape(3, 16)
    one = replace(explanation, maps=(replace(explanation.maps[0], frame_scores=frame_scores),))
    scores = timeline_figure(BlendedMaps(one)).axes[0]
    assert scores.lines[0].get_xdata() == pytest.approx(np.arange(32) / 16)


def test_the_png_is_as_large_as_its_panels_and_notes_need(explanation, tmp_path: Path) -> None:
    draw_timeline(tmp_path / "t.png", BlendedMaps(explanation))
    noted = replace(explanation, notes=("a note about this clip",))
    draw_timeline(tmp_path / "n.png", BlendedMaps(noted))
    image, with_note = (cv2.imread(str(tmp_path / name)) for name in ("t.png", "n.png"))
    assert image.shape[1] == 1100 and with_note.shape[0] > image.shape[0] > 700


def repeated(explanation: Explanation, num_windows: int) -> Explanation:
    """A long clip: the windows of an explanation again and again, 8 frames apart."""
    starts = 8 * np.arange(num_windows)
    timeline = Timeline(np.arange(starts[-1] + 16), Fraction(1, 16), 1)
    shape = explanation.maps[0].values.shape[1:]
    maps = tuple(
        replace(m, values=np.resize(m.values, (num_windows, *shape))) for m in explanation.maps[:1]
    )
    classes = len(explanation.labels)
    return replace(
        explanation,
        timeline=timeline,
        span=(0, timeline.num_frames),
        frame_indices=starts[:, None] + np.arange(16),
        num_padded=np.zeros(num_windows, int),
        probabilities=np.resize(explanation.probabilities, (num_windows, classes)),
        maps=maps,
    )


def test_bars_of_overlapping_windows_do_not_overlap(explanation: Explanation) -> None:
    scores = timeline_figure(BlendedMaps(explanation)).axes[0]
    for container in scores.containers:
        (bars,) = container.lines[2]
        ends = [(bar[0, 0], bar[1, 0]) for bar in bars.get_segments()]
        assert ends[0][0] == pytest.approx(0) and ends[-1][1] == pytest.approx(31 / 16)
        for before, after in pairwise(ends):
            assert before[1] == pytest.approx(after[0])


def test_a_class_has_one_colour_in_all_panels_and_no_other_class_has_it(explanation) -> None:
    second = replace(explanation.maps[0], target=ClassTarget(4), label=explanation.labels[4])
    two = replace(explanation, maps=(explanation.maps[0], second))
    scores, masses, contributions = timeline_figure(BlendedMaps(two)).axes
    colours = {
        label: to_hex(handle.get_color())
        for handle, label in zip(scores.get_legend().legend_handles, labels(scores), strict=True)
    }
    assert len(set(colours.values())) == len(colours) >= 5
    for series, line in zip(two.maps, masses.lines, strict=True):
        assert to_hex(line.get_color()) == colours[series.label]
    bars = {to_hex(colour) for colour in contributions.collections[0].get_facecolors()}
    assert bars & set(colours.values()) == {colours[two.maps[0].label]}


@pytest.mark.parametrize("num_windows", [61, 1200])
def test_a_long_clip_has_a_lane_for_each_class_and_few_points(explanation, num_windows) -> None:
    figure = timeline_figure(BlendedMaps(repeated(explanation, num_windows)))
    scores, masses, contributions = figure.axes
    assert len(scores.collections) == 5 and len(scores.containers) == 0
    for lane, filled in enumerate(scores.collections):
        low, high = filled.get_paths()[0].vertices[:, 1].min(), filled.get_paths()[0].vertices
        assert low == pytest.approx(-lane) and high[:, 1].max() <= -lane + 0.9 + 1e-6
        assert len(high) < 1000
    assert len(masses.lines[0].get_xdata()) <= 600
    assert len(contributions.collections[0].get_paths()) <= 300
    is_long = num_windows == 1200
    assert contributions.get_xlabel() == ("minutes:seconds" if is_long else "seconds")
    assert ("mean of 8 windows" in scores.get_title("left")) == is_long


@pytest.mark.parametrize("num_windows", [3, 1200])
def test_no_text_is_cut(explanation: Explanation, num_windows: int) -> None:
    """Names are shortened, and small numbers have their room."""
    long = tuple(f"{label} and so on, more words than fit anywhere" for label in explanation.labels)
    series = replace(explanation.maps[0], label=long[0], values=explanation.maps[0].values / 1e4)
    named = replace(explanation, labels=long, maps=(series,))
    figure = timeline_figure(BlendedMaps(repeated(named, num_windows)))
    figure.canvas.draw()
    whole = figure.bbox
    for panel in figure.axes:
        texts = [panel.yaxis.label, panel.xaxis.label, *panel.get_yticklabels()]
        texts += [panel._left_title]
        if panel.get_legend():
            texts += panel.get_legend().get_texts()
            assert all(text.get_text().endswith("…") for text in panel.get_legend().get_texts())
        for text in texts:
            box = text.get_window_extent()
            assert not text.get_text() or (box.x0 >= 0 and box.x1 <= whole.x1), text


def test_many_classes_have_a_colour_each(explanation: Explanation) -> None:
    maps = tuple(replace(explanation.maps[0], target=ClassTarget(c)) for c in range(60))
    wide = replace(
        explanation,
        labels=tuple(map(str, range(60))),
        probabilities=np.full((3, 60), 1 / 60, np.float32),
        maps=maps,
    )
    colours = colours_of_targets(wide, 5)
    assert len(colours) == len(set(colours.values())) == 60
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours.values())
