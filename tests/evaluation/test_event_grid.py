"""A map and its ground truth on one grid, and what is measured there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from video_cam import Explanation
from video_cam.evaluation.clip_answer import clip_answer, map_measures, rank_of
from video_cam.evaluation.event_grid import event_grid
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.truth.clip_truth import Box, ClipTruth, Mask

# A clip of 6 frames at 10 per second, of 8 x 8 pixels, seen whole.


def explanation(cells: np.ndarray, t: list[float], **fields: Any) -> Explanation:
    """One window on all frames; cells: (T', 2, 2), the quarters of the picture."""
    quarters = CellCentres(np.array(t), np.array([1.5, 5.5]), np.array([1.5, 5.5]))
    values = cells[None].astype(np.float32)
    series = replace(map_series([[0] * len(t)], t), values=values, centres=quarters)
    return make_explanation(
        frame_indices=np.arange(6)[None],
        num_padded=np.zeros(1, np.int64),
        probabilities=np.array([[0.2, 0.5, 0.3]], np.float32),
        maps=(series,),
        **fields,
    )


@pytest.fixture
def late_corner() -> Explanation:
    """All heat in the upper left quarter, in the last frames."""
    cells = np.zeros((6, 2, 2))
    cells[4:, 0, 0] = 1.0
    return explanation(cells, [0, 1, 2, 3, 4, 5])


def test_spans_count_in_seconds(late_corner: Explanation) -> None:
    grid = event_grid(late_corner, 0, ClipTruth(spans=((0.1, 0.3), (0.5, 0.6))))
    np.testing.assert_allclose(grid.seconds, np.arange(6) / 10 + 0.05)
    assert grid.step_seconds == pytest.approx(0.1) and grid.volume.shape == (6, 8, 8)
    assert grid.event.all((1, 2)).tolist() == [False, True, True, False, False, True]
    assert (grid.event.any((1, 2)) == grid.event.all((1, 2))).all()
    short = event_grid(late_corner, 0, ClipTruth(spans=((0.26, 0.27),)))
    assert short.event.any((1, 2)).tolist() == [False, False, True, False, False, False]


def test_boxes_hold_until_the_next_annotated_frame(late_corner: Explanation) -> None:
    every_second = tuple(Box(frame, 2, 1, 5, 3) for frame in (0, 2))
    grid = event_grid(late_corner, 0, ClipTruth(boxes=every_second))
    assert grid.event.any((1, 2)).tolist() == [True, True, True, True, False, False]
    expected = np.zeros((8, 8), bool)
    expected[1:3, 2:5] = True
    np.testing.assert_array_equal(grid.event[0], expected)
    alone = event_grid(late_corner, 0, ClipTruth(boxes=every_second[:1], spans=((0, 0.6),)))
    assert alone.event.any((1, 2)).tolist() == [True, False, False, False, False, False]


def test_only_what_the_network_saw_is_compared() -> None:
    seen = Geometry(8, 16, 8, 16, 0, 4, 8, 8)  # the middle half
    found = explanation(np.ones((1, 2, 2)), [2.5], geometry=seen)
    left_edge, middle = (Box(0, x, 0, x + 4, 8) for x in (0, 4))
    assert not event_grid(found, 0, ClipTruth(boxes=(left_edge,))).event.any()
    grid = event_grid(found, 0, ClipTruth(boxes=(middle,)))
    assert grid.event[0].all(0).tolist() == [True] * 4 + [False] * 4


def test_measures_of_a_map_on_the_event_and_beside_it(late_corner: Explanation) -> None:
    on = tuple(Box(frame, 0, 0, 4, 4) for frame in (4, 5))
    found = map_measures(late_corner, ClipTruth(boxes=on))
    # Heat spreads linearly between the cells' centres, and from frame to frame.
    assert found["event_share"] == pytest.approx(2 / 6 / 4)
    assert found["mass"] > 0.5 and found["iou"] > 0.5 and found["pointing"] == 1
    assert found["temporal_hit"] == 1 and found["temporal_iou"] == 1
    assert abs(found["lag_seconds"]) < 0.06
    beside = map_measures(late_corner, ClipTruth(boxes=(Box(0, 6, 6, 8, 8),)))
    assert beside["mass"] == beside["iou"] == beside["temporal_hit"] == beside["temporal_iou"] == 0
    assert beside["lag_seconds"] == pytest.approx(0.4, abs=0.06)


def test_measures_that_do_not_apply_are_left_out(late_corner: Explanation) -> None:
    only_when = map_measures(late_corner, ClipTruth(spans=((0.4, 0.6),)))
    assert "pointing" not in only_when and only_when["temporal_iou"] == 1
    all_of_it = map_measures(late_corner, ClipTruth(spans=((0, 0.6),)))
    assert set(all_of_it) == {"mass", "event_share"} and all_of_it["mass"] == 1
    moments = map_measures(late_corner, ClipTruth(key_times=(("ES", 0.15), ("ED", 0.55))))
    assert set(moments) == {"peak_distance_seconds"}
    assert moments["peak_distance_seconds"] == pytest.approx(0.15, abs=0.06)


def test_the_answer_of_a_clip(late_corner: Explanation) -> None:
    answer = clip_answer(late_corner, ClipTruth("CAT", spans=((0.4, 0.6),)))
    assert (answer["class_id"], answer["label"], answer["rank"]) == (2, "cat", 2)
    assert answer["correct"] is False and answer["num_classes"] == 3
    assert clip_answer(late_corner, ClipTruth("bee"))["correct"] is True
    assert clip_answer(late_corner, ClipTruth("bee"))["measures"] is None
    assert clip_answer(late_corner, ClipTruth("eel"))["correct"] is None
    assert [rank_of(late_corner, class_id) for class_id in range(3)] == [3, 1, 2]


def test_a_mask_that_cannot_be_used_is_a_note(late_corner: Explanation) -> None:
    answer = clip_answer(late_corner, ClipTruth("bee", masks=(Mask(0, picture="missing.png"),)))
    assert answer["measures"] is None and "cannot be read" in answer["note"]


def test_a_digest_changes_with_the_truth() -> None:
    digests = {
        ClipTruth("a").digest(),
        ClipTruth("b").digest(),
        ClipTruth("a", spans=((0, 1),)).digest(),
        ClipTruth("a", masks=(Mask(0, picture="m.png"),)).digest(),
    }
    assert len(digests) == 4
