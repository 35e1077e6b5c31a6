"""The timeline: class scores, map mass, contributions."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering import timeline_plot as timeline_plot_module
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.explained_targets import colours_of_targets
from video_cam.rendering.plot import Area, Bars, Curve, Panel, Spans
from video_cam.rendering.plot_drawing import draw_plot
from video_cam.rendering.timeline_plot import draw_timeline, timeline_plot
from video_cam.utils.notes import Note
from video_cam.video.timeline import Timeline


def panels(explanation: Explanation) -> tuple[Panel, ...]:
    return timeline_plot(BlendedMaps(explanation)).panels


def names(panel: Panel) -> list[str]:
    return [name for _, name in panel.legend]


def marks(panel: Panel, kind: type) -> list:
    return [mark for mark in panel.marks if isinstance(mark, kind)]


def test_the_best_classes_have_their_scores_at_the_windows_middles(explanation) -> None:
    scores, *_ = panels(explanation)
    assert names(scores) == [p.label for p in explanation.predictions(5)]
    curve = marks(scores, Curve)[0]
    assert curve.x == pytest.approx([15 / 32, 31 / 32, 47 / 32])
    best = explanation.predictions(1)[0].class_id
    assert curve.y == pytest.approx(explanation.probabilities[:, best])
    assert scores.name == "class probability" and scores.limits == (-0.03, 1.03)


def test_the_axis_says_what_the_scores_are(explanation: Explanation) -> None:
    for changes, name in ({"shares": True}, "share of places"), ({"score": "raw"}, "score"):
        other = replace(explanation, model=replace(explanation.model, **changes))
        assert panels(other)[0].name == name


def test_the_mass_of_each_target_in_the_first_kind_of_map_is_drawn(explanation) -> None:
    maps = tuple(
        replace(m, target=ClassTarget(c), label=f"${c}$", values=m.values * (c + 1))
        for c in (1, 4)
        for m in explanation.maps
    )
    blended = BlendedMaps(replace(explanation, maps=maps))
    masses = timeline_plot(blended).panels[1]
    assert names(masses) == ["$1$", "$4$"]
    for curve, index in zip(marks(masses, Curve), (0, 4), strict=True):
        assert curve.x == pytest.approx(np.arange(32) / 16)
        assert curve.y == pytest.approx(blended[index].mass)
    assert masses.title == "gradcam of layer4"
    assert masses.limits == (0, pytest.approx(1.05 * blended[4].mass.max()))


def test_complete_maps_have_a_bar_for_each_frame(explanation: Explanation) -> None:
    _, _, contributions = panels(explanation)
    [bars] = marks(contributions, Bars)
    assert len(bars.height) == 32
    plot = timeline_plot(BlendedMaps(explanation))
    assert plot.span[0] < bars.left.min() and plot.span[1] > bars.right.max()
    incomplete = replace(explanation, maps=(replace(explanation.maps[0], bias=None),))
    assert len(panels(incomplete)) == 2


def test_scores_of_single_frames_are_drawn_at_the_frames(explanation: Explanation) -> None:
    frame_scores = np.linspace(0, 1, 3 * 16, dtype=np.float32).reshape(3, 16)
    one = replace(explanation, maps=(replace(explanation.maps[0], frame_scores=frame_scores),))
    scores, *_ = panels(one)
    assert marks(scores, Curve)[0].x == pytest.approx(np.arange(32) / 16)


def test_a_clip_without_heat_and_one_frame_can_be_drawn(explanation: Explanation) -> None:
    series = explanation.maps[0]
    empty = replace(explanation, maps=(replace(series, values=0 * series.values, bias=0.0),))
    _, masses, contributions = panels(empty)
    assert masses.limits[0] == 0 < masses.limits[1] and contributions.limits == (-1, 1)
    still = replace(
        explanation,
        timeline=Timeline(np.zeros(1, int), Fraction(1, 16), 1),
        span=(0, 1),
        frame_indices=np.zeros((1, 16), int),
        num_padded=np.array([15]),
        probabilities=explanation.probabilities[:1],
        maps=tuple(replace(m, values=m.values[:1]) for m in explanation.maps),
    )
    plot = timeline_plot(BlendedMaps(still))
    assert plot.time_name == "one frame" and plot.ticks == ()
    assert draw_plot(plot).std() > 0


def test_the_png_is_as_large_as_its_panels_and_notes_need(explanation, tmp_path: Path) -> None:
    draw_timeline(tmp_path / "t.png", BlendedMaps(explanation))
    noted = replace(explanation, notes=(Note("a note about this clip"),))
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
    for spans in marks(panels(explanation)[0], Spans):
        assert spans.left[0] == pytest.approx(0) and spans.right[-1] == pytest.approx(31 / 16)
        assert spans.right[:-1] == pytest.approx(spans.left[1:])


def test_a_class_has_one_colour_in_all_panels_and_no_other_class_has_it(explanation) -> None:
    second = replace(explanation.maps[0], target=ClassTarget(4), label=explanation.labels[4])
    two = replace(explanation, maps=(explanation.maps[0], second))
    scores, masses, contributions = panels(two)
    colours = {name: colour for colour, name in scores.legend}
    assert len(set(colours.values())) == len(colours) >= 5
    for series, curve in zip(two.maps, marks(masses, Curve), strict=True):
        assert curve.colour == colours[series.label]
    [bars] = marks(contributions, Bars)
    assert set(bars.colours) & set(colours.values()) == {colours[two.maps[0].label]}


@pytest.mark.parametrize("num_windows", [61, 1200])
def test_a_long_clip_has_a_lane_for_each_class_and_few_points(explanation, num_windows) -> None:
    plot = timeline_plot(BlendedMaps(repeated(explanation, num_windows)))
    scores, masses, contributions = plot.panels
    lanes = marks(scores, Area)
    assert len(lanes) == 5 and not marks(scores, Curve) and not scores.has_values
    for number, lane in enumerate(lanes):
        assert (lane.low == -number).all() and lane.high.max() <= -number + 0.9 + 1e-6
        assert (np.diff(lane.x) >= 0).all() and len(lane.x) < 1000
    assert len(marks(masses, Curve)[0].x) <= 600
    assert len(marks(contributions, Bars)[0].height) <= 300
    is_long = num_windows == 1200
    assert plot.time_name == ("minutes:seconds" if is_long else "seconds")
    assert ("mean of 8 windows" in scores.title) == is_long
    if is_long:
        assert plot.ticks[1] == (60, "1:00")


def test_bars_far_from_the_clip_do_not_multiply_the_ticks(explanation, monkeypatch) -> None:
    far = Bars(np.array([-1e9]), np.array([1e9]), np.ones(1), ("#000000",))
    panel = Panel("far", (far,), (0.0, 1.0))
    monkeypatch.setattr(timeline_plot_module, "_contribution_panel", lambda *_: panel)
    plot = timeline_plot(BlendedMaps(repeated(explanation, 1200)))
    assert plot.time_name == "minutes:seconds" and 10 <= len(plot.ticks) <= 15


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
