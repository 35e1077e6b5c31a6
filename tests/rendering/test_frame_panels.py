"""The frame test in timeline.png."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import FRAME_TEST, make_explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_panels import MAX_BARS, OTHERS, frame_panels
from video_cam.rendering.plot import Bars, Curve
from video_cam.rendering.timeline_plot import timeline_plot

COLOUR = "#123456"


def panels(**changes: Any) -> list[Any]:
    return frame_panels(make_explanation(frame_test=FRAME_TEST | changes), COLOUR)


def test_without_the_test_there_is_no_panel() -> None:
    assert frame_panels(make_explanation(), COLOUR) == []


def test_frames_have_bars_with_their_errors_and_those_that_are_enough_a_colour() -> None:
    frames, windows = panels()
    bars, *errors, _ = frames.marks
    assert isinstance(bars, Bars)
    np.testing.assert_allclose((bars.left + bars.right) / 2, [0.0, 0.1, 0.2, 0.3])
    assert bars.height.tolist() == FRAME_TEST["contributions"]
    assert bars.colours == (OTHERS, COLOUR, OTHERS, COLOUR)
    assert all(isinstance(one, Curve) for one in errors)
    assert errors[3].y == pytest.approx([0.9, 2.1]) and errors[3].x == pytest.approx([0.3, 0.3])
    assert frames.limits[0] < -0.7 and frames.limits[1] > 2.9
    assert frames.title.endswith(
        "of ant, what each frame adds to its score; those in colour keep 94 %"
    )
    bars, _ = windows.marks
    np.testing.assert_allclose((bars.left + bars.right) / 2, [0.15, 0.35])
    assert bars.colours == (COLOUR, OTHERS) and bars.height.tolist() == [1.75, 0.25]


def test_what_was_not_found_is_not_drawn() -> None:
    [frames] = panels(windows=None, kept_share=None, sufficient_frames=[])
    assert "in colour" not in frames.title and set(frames.marks[0].colours) == {OTHERS}
    lists = ("frame_indices", "pts_seconds", "contributions", "standard_errors")
    [windows] = panels(sufficient_frames=[], **{name: [] for name in lists})
    assert "window" in windows.title


def test_thousands_of_frames_are_drawn_as_few_bars() -> None:
    many = [float(number) for number in range(2000)]
    result = {
        **{"frame_indices": [*range(2000)], "pts_seconds": many, "contributions": many},
        **{"standard_errors": [0.0] * 2000, "sufficient_frames": [1999], "windows": None},
    }
    [frames] = panels(**result)
    bars = frames.marks[0]
    assert len(bars.height) <= MAX_BARS and bars.colours[-1] == COLOUR
    assert set(bars.colours[:-1]) == {OTHERS}


def test_the_timeline_has_the_panels() -> None:
    explanation = make_explanation()
    plain = timeline_plot(BlendedMaps(explanation)).panels
    tested = timeline_plot(BlendedMaps(replace(explanation, frame_test=FRAME_TEST))).panels
    assert [panel.name for panel in tested] == [*(p.name for p in plain), *2 * ["added logit"]]


def test_scores_that_are_no_logits_are_not_called_so() -> None:
    explanation = make_explanation(frame_test=FRAME_TEST)
    regression = replace(explanation, model=replace(explanation.model, score="raw"))
    assert {panel.name for panel in frame_panels(regression, COLOUR)} == {"added score"}
