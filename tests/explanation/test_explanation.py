"""What is read from an explanation: scores, names, times. No network, no file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from video_cam import UsageError
from video_cam.explanation import explanation as module
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, Prediction

FUNCTION = {
    "functions": ("first", "margin"),
    "function_scores": np.array([[0, 12.345], [0, 20.0]], np.float32),
}


def test_predictions_are_means_over_the_windows_best_first() -> None:
    best, second = make_explanation().predictions(top_k=2)
    assert best == Prediction(0, "ant", pytest.approx(0.4))
    assert second == Prediction(2, "cat", pytest.approx(0.35))
    assert len(make_explanation().predictions()) == 3


def test_scores_of_classes_and_functions() -> None:
    explanation = make_explanation(**FUNCTION)
    for target in (2, ClassTarget(2)):
        np.testing.assert_allclose(explanation.class_scores(target), [0.1, 0.6])
        assert explanation.score(target) == pytest.approx(0.35)
        assert explanation.label(target) == "cat"
        assert explanation.is_probability(target)
        assert explanation.score_text(target, 0.351) == "35%"
    function = FunctionTarget(1)
    assert explanation.score(function) == pytest.approx((12.345 + 20) / 2)
    assert explanation.label(function) == "margin"
    assert not explanation.is_probability(function)
    assert explanation.score_text(function, 12.345) == "12.3"


def test_raw_scores_are_no_probabilities() -> None:
    explanation = make_explanation()
    raw = dataclasses.replace(
        explanation, model=dataclasses.replace(explanation.model, score="raw")
    )
    assert not raw.is_probability(0) and raw.score_text(0, 0.5) == "0.5"


def test_the_scores_of_a_series_in_each_window() -> None:
    own = map_series([[1, 2], [3, 4]], [0.5, 2.5], class_ids=(0, 2))
    one = map_series([[1, 2], [3, 4]], [0.5, 2.5], target=ClassTarget(1))
    function = map_series([[1, 2], [3, 4]], [0.5, 2.5], target=FunctionTarget(1))
    explanation = make_explanation(maps=(own, one, function), **FUNCTION)
    scores = [explanation.window_scores(series).tolist() for series in explanation.maps]
    assert scores == [pytest.approx(e) for e in ([0.7, 0.6], [0.2, 0.3], [12.345, 20.0])]
    assert [series.class_id for series in explanation.maps] == [0, 1, None]


def test_a_frame_in_two_windows_has_the_mean_of_its_scores() -> None:
    scores = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.float32)
    series = map_series([[1, 2], [3, 4]], [0.5, 2.5], frame_scores=scores)
    explanation = make_explanation(maps=(series,))
    assert explanation.scores_of_frames() == {0: 0, 1: 1, 2: 3, 3: 4, 4: 6, 5: 7}
    assert make_explanation().scores_of_frames() == {}


def test_windows_samples_and_keyframes() -> None:
    explanation = make_explanation(frame_indices=np.array([[0, 1, 2, 4], [2, 4, 5, 5]]))
    assert explanation.num_windows == 2
    np.testing.assert_allclose(
        explanation.sample_seconds, [[0, 0.1, 0.2, 0.4], [0.2, 0.4, 0.5, 0.5]]
    )
    assert explanation.keyframes() == [0, 1, 2, 4, 5]


def test_blending_knows_the_cells_and_the_networks_rate() -> None:
    explanation = make_explanation()
    values = explanation.maps[0].values
    # Cells at samples 0.5 and 2.5 of windows that start at 0.0 and 0.2 s: the first alone at 0 s.
    assert explanation.blend().at(values, 0.0)[0, 0] == pytest.approx(1)
    assert explanation.blend().at(values, 0.1)[0, 0] == pytest.approx(1.25)
    assert [one.window for one in explanation.blend().weights(0.59)] == [1]
    # Two samples per second: the taper reaches half a second further than the last sample.
    slow = dataclasses.replace(
        explanation, model=dataclasses.replace(explanation.model, frame_rate=2)
    )
    assert [one.window for one in slow.blend().weights(0.59)] == [0, 1]


@pytest.mark.parametrize(
    ("scenes", "expected"),
    [
        ((), [{0}, {0, 1}, {0, 1}, {0, 1}, {1}, {1}]),
        (((0, 6),), [{0}, {0, 1}, {0, 1}, {0, 1}, {1}, {1}]),
        (((0, 2), (2, 6)), [{0}, {0}, {1}, {1}, {1}, {1}]),  # cut where the second window starts
        (((0, 3), (3, 6)), [{0}, {0, 1}, {0, 1}, set(), set(), set()]),
    ],
)
def test_windows_end_where_their_scene_does(scenes, expected) -> None:
    """Windows at 0.0 ... 0.3 s and 0.2 ... 0.5 s, each with a taper of 0.1 s on both sides."""
    blend = make_explanation(scenes=scenes).blend()
    halfway = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55]
    assert [{one.window for one in blend.weights(seconds)} for seconds in halfway] == expected


def test_showing_takes_a_registered_display(monkeypatch) -> None:
    explanation = make_explanation()
    shown = []
    monkeypatch.setattr(module, "DISPLAYS", {})
    assert explanation._repr_html_() is None
    with pytest.raises(UsageError, match=r"use video_cam\.Explanation"):
        explanation.show()
    monkeypatch.setattr(
        module,
        "DISPLAYS",
        {"show": lambda *args, **options: shown.append((args, options)), "html": lambda one: "<p>"},
    )
    explanation.show(alpha=0.5)
    explanation.show("moved.mp4")
    assert shown == [((explanation, "clip.mp4"), {"alpha": 0.5}), ((explanation, "moved.mp4"), {})]
    assert explanation._repr_html_() == "<p>"
