"""The bars of the motion test, and its panel of timeline.png."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.explanations import MOTION_TEST, make_explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.motion_bars import VERSIONS, motion_bars, motion_panel
from video_cam.rendering.plot import Bars, Spans
from video_cam.rendering.timeline_plot import timeline_plot


def test_bars_begin_at_the_line_of_zero() -> None:
    bars = {bar.name: bar for bar in motion_bars(MOTION_TEST)}
    assert list(bars) == [name for name, _ in VERSIONS.values()]
    # Scores lie between -1 and 5.
    assert (bars["as it is"].left, bars["as it is"].width) == pytest.approx((1 / 6, 5 / 6))
    assert (bars["reversed"].left, bars["reversed"].width) == pytest.approx((0, 1 / 6))
    assert bars["shuffled"].spread == pytest.approx((1 / 6, 1 / 6))
    assert bars["as it is"].spread is None and bars["as it is"].is_clip
    assert (bars["as it is"].text, bars["as it is"].shown) == ("5.0", "70%")
    zeros = MOTION_TEST | dict.fromkeys(VERSIONS, 0.0)
    zeros |= {"frozen_scores": [0.0], "shuffled_scores": [0.0]}
    assert {bar.width for bar in motion_bars(zeros)} == {0.0}


def test_the_panel_has_a_bar_for_each_frozen_frame_and_a_line_for_the_others() -> None:
    explanation = make_explanation(motion_test=MOTION_TEST)
    panel = motion_panel(explanation, "#123456")
    bars = next(mark for mark in panel.marks if isinstance(mark, Bars))
    assert bars.height.tolist() == [1.0, 2.0]
    assert ((bars.left + bars.right) / 2).tolist() == pytest.approx([0.0, 0.3])
    lines = {mark.colour: float(mark.y[0]) for mark in panel.marks if isinstance(mark, Spans)}
    assert lines["#123456"] == 5.0 and len(lines) == len(VERSIONS) - 1
    assert panel.limits[0] < -1 and panel.limits[1] > 5
    assert "motion share of ant: 0.75" in panel.title
    undefined = replace(explanation, motion_test=MOTION_TEST | {"motion_share": None})
    assert "undefined" in motion_panel(undefined, "#123456").title


def test_the_timeline_has_the_panel_only_where_the_test_ran() -> None:
    plain, tested = make_explanation(), make_explanation(motion_test=MOTION_TEST)
    names = [len(timeline_plot(BlendedMaps(one)).panels) for one in (plain, tested)]
    assert names[1] == names[0] + 1
