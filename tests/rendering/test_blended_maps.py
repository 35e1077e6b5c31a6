"""Blended maps: the values of the time blend, computed once and shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import video_cam
from video_cam import Explanation
from video_cam.rendering import blended_maps
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps, seconds_of

RATE = 16  # frames per second of the sample clip


def first_window_only(explanation: Explanation) -> Explanation:
    """The same clip, of which the network saw the first second only."""
    series = explanation.maps[0]
    return replace(
        explanation,
        frame_indices=explanation.frame_indices[:1],
        num_padded=explanation.num_padded[:1],
        probabilities=explanation.probabilities[:1],
        maps=(replace(series, values=series.values[:1]),),
    )


@pytest.mark.parametrize("keep_cells", [True, False])
def test_cells_are_those_of_the_time_blend(explanation: Explanation, keep_cells: bool) -> None:
    blended, blend = BlendedMap(explanation, 2, keep_cells), explanation.blend(2)
    for frame in range(32):
        expected = blend.at(explanation.maps[2].values, frame / RATE)
        np.testing.assert_array_equal(blended.cells(frame), expected)
        assert blended.mass[frame] == pytest.approx(expected.clip(min=0).mean())
    cells = np.stack([blended.cells(frame) for frame in range(32)])
    assert blended.peak == cells.max()


def test_scores_and_peaks_are_means_weighted_by_the_windows_shares(
    explanation: Explanation,
) -> None:
    blended, blend = BlendedMap(explanation, 1), explanation.blend(1)
    series = explanation.maps[1]
    probabilities = explanation.probabilities[:, series.class_id]
    peaks = series.values.max((1, 2, 3)).clip(min=0)
    for frame in range(32):
        weights = blend.weights(frame / RATE)
        score = sum(share * probabilities[window] for window, share, _ in weights)
        assert blended.score(frame) == pytest.approx(float(score), rel=1e-6)
        peak = sum(share * peaks[window] for window, share, _ in weights)
        assert blended.window_peaks[frame] == pytest.approx(float(peak), rel=1e-6)


def test_frames_are_counted_from_the_start_of_the_clip(bundled, sample_clip) -> None:
    part = video_cam.explain(sample_clip, bundled, start=0.5, end=1.75)
    assert part.span == (8, 28)
    blended = BlendedMap(part, 0)
    assert len(blended.mass) == 20
    expected = part.blend().at(part.maps[0].values, 20 / RATE)
    np.testing.assert_array_equal(blended.cells(20), expected)
    assert blended.mass[20 - 8] == pytest.approx(expected.clip(min=0).mean())


def test_a_frame_that_no_window_covers_has_no_cells_and_no_score(explanation: Explanation) -> None:
    blended = BlendedMap(first_window_only(explanation), 0)
    assert blended.cells(8) is not None and blended.score(8) is not None
    assert blended.cells(30) is None and blended.score(30) is None
    assert blended.mass[30] == blended.window_peaks[30] == 0
    assert blended.label(30) == explanation.maps[0].label


def test_the_label_is_that_of_the_nearest_window(explanation: Explanation) -> None:
    classes = (3, 5, 3)
    series = replace(explanation.maps[0], class_ids=classes)
    blended = BlendedMap(replace(explanation, maps=(series,)), 0)
    for window, class_id in enumerate(classes):
        middle = int(explanation.frame_indices[window].mean())
        assert blended.label(middle) == explanation.labels[class_id]


def test_score_curves_of_any_class(explanation: Explanation) -> None:
    maps, blend = BlendedMaps(explanation), explanation.blend()
    for class_id, curve in zip((0, 4), maps.score_curves([0, 4]), strict=True):
        expected = [
            sum(s * explanation.probabilities[w, class_id] for w, s, _ in blend.weights(t / RATE))
            for t in range(32)
        ]
        np.testing.assert_allclose(curve, expected, rtol=1e-5)


def test_large_grids_are_not_kept_and_give_the_same_values(explanation, monkeypatch) -> None:
    whole = BlendedMaps(explanation)
    size = 4 * 32 * np.prod(explanation.maps[0].values.shape[2:])
    monkeypatch.setattr(blended_maps, "MAX_KEPT_BYTES", 2 * size)
    limited = BlendedMaps(explanation)
    kept = [blended._kept is not None for blended in limited]
    assert kept == [True, True, False, False]  # layer3 has four times as many cells
    assert limited[2] is limited[2]
    for one, other in zip(whole, limited, strict=True):
        for frame in (0, 13, 31):
            np.testing.assert_array_equal(one.cells(frame), other.cells(frame))
        np.testing.assert_array_equal(one.mass, other.mass)


def test_seconds_are_those_of_the_time_stamps(explanation: Explanation) -> None:
    assert seconds_of(explanation, [4, 20]).tolist() == [0.25, 1.25]
