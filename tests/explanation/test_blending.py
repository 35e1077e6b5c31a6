"""Overlapping windows become one map: weights sum to 1, time stamps count, signs are kept."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.explanation.blending import WindowBlender


def blend(*starts: float, cells=(0.0, 1.0, 2.0, 3.0)) -> WindowBlender:
    """Windows of four samples, 0.1 s apart, that start at these seconds."""
    seconds = np.array(starts)[:, None] + 0.1 * np.arange(4)
    return WindowBlender(seconds, np.array(cells))


def test_shares_sum_to_one_where_there_is_a_window() -> None:
    overlapping = blend(0.0, 0.2, 0.4)
    for instant in np.linspace(0, 0.7, 57):
        weights = overlapping.weights(instant)
        assert sum(one.share for one in weights) == pytest.approx(1)
        assert min(one.share for one in weights) > 0
        assert all(one.cells.sum() == pytest.approx(1) for one in weights)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # Samples 0 ... 3 are at 1/5 ... 4/5 of a window with its tapers.
        (0.2, {0: np.sin(np.pi * 3 / 5) ** 2, 1: np.sin(np.pi / 5) ** 2}),
        (0.25, {0: np.sin(np.pi * 3.5 / 5) ** 2, 1: np.sin(np.pi * 1.5 / 5) ** 2}),
        (0.35, {0: np.sin(np.pi * 4.5 / 5) ** 2, 1: np.sin(np.pi * 2.5 / 5) ** 2}),
        (0.05, {0: 1.0}),
    ],
)
def test_the_taper_is_a_squared_sine(seconds, expected) -> None:
    shares = {one.window: one.share for one in blend(0.0, 0.2).weights(seconds)}
    total = sum(expected.values())
    assert shares == pytest.approx({window: taper / total for window, taper in expected.items()})


def test_a_constant_map_stays_constant_and_keeps_its_sign() -> None:
    overlapping = blend(0.0, 0.15, 0.4, 0.8)
    values = np.full((4, 4, 2, 3), -2.5, np.float32)
    for instant in np.linspace(0, 1.1, 40):
        np.testing.assert_allclose(overlapping.at(values, instant), -2.5, rtol=1e-6)


def test_a_map_linear_in_time_is_reproduced_between_the_cells() -> None:
    overlapping = blend(0.0, 0.2, cells=(0.0, 3.0))
    seconds = np.array([[0.0, 0.3], [0.2, 0.5]])
    values = (10 * seconds - 1).astype(np.float32)[:, :, None, None]
    # Times of one window and of both; not those where one has ended and its weight falls to 0.
    for instant in (0.0, 0.04, 0.1, 0.2, 0.23, 0.3, 0.4, 0.46, 0.5):
        assert overlapping.at(values, instant)[0, 0] == pytest.approx(10 * instant - 1, abs=1e-5)


def test_with_nearest_cells_a_map_is_constant_around_each_cell() -> None:
    seconds = np.array([[0.0, 0.1, 0.2, 0.3]])
    values = np.array([1, 2, 3, 4], np.float32)[None, :, None, None]
    nearest = WindowBlender(seconds, np.arange(4.0), nearest=True)
    assert [nearest.at(values, t)[0, 0] for t in (0.0, 0.04, 0.06, 0.24, 0.26)] == [1, 1, 2, 3, 4]


def test_the_taper_does_not_change_a_single_window() -> None:
    single = blend(1.0)
    values = np.arange(4, dtype=np.float32)[None, :, None, None]
    blended = [single.at(values, t)[0, 0] for t in (1.0, 1.05, 1.1, 1.3)]
    assert blended == pytest.approx([0, 0.5, 1, 3])


def test_there_is_no_map_where_no_window_is() -> None:
    gap = blend(0.0, 1.0)
    values = np.ones((2, 4, 1, 1), np.float32)
    assert gap.at(values, 0.7) is None
    assert gap.at(values, 0.3) is not None and gap.at(values, 1.0) is not None


def test_windows_side_by_side_leave_no_gap() -> None:
    side_by_side = blend(0.0, 0.4)
    values = np.stack([np.zeros((4, 1, 1)), np.ones((4, 1, 1))]).astype(np.float32)
    assert side_by_side.at(values, 0.35)[0, 0] == pytest.approx(0.5)


def test_a_repeated_frame_is_at_the_middle_of_its_samples() -> None:
    seconds = np.array([[0.0, 0.0, 0.1, 0.2, 0.2, 0.2]])
    repeated = WindowBlender(seconds, np.arange(6.0))
    values = np.arange(6, dtype=np.float32)[None, :, None, None]
    assert [repeated.at(values, t)[0, 0] for t in (0.0, 0.1, 0.2)] == pytest.approx([0.5, 2, 4])


def test_a_variable_rate_follows_the_time_stamps() -> None:
    seconds = np.array([[0.0, 0.1, 1.0, 1.1]])
    values = np.arange(4, dtype=np.float32)[None, :, None, None]
    assert WindowBlender(seconds, np.arange(4.0)).at(values, 0.55)[0, 0] == pytest.approx(1.5)


def test_a_still_image_is_one_map_at_any_time() -> None:
    still = WindowBlender(np.zeros((1, 4)), np.array([0.0, 2.0]))
    values = np.array([1.0, 3.0], np.float32)[None, :, None, None]
    assert still.at(values, 0.0)[0, 0] == still.at(values, 5.0)[0, 0] == pytest.approx(2.5)


def test_windows_of_one_frame_are_interpolated_between_neighbours() -> None:
    frames = WindowBlender(np.array([[0.0], [1.0], [2.0]]), np.array([0.0]))
    values = np.array([0.0, 10.0, 20.0], np.float32)[:, None, None, None]
    assert frames.at(values, 1.0)[0, 0] == pytest.approx(10)
    assert frames.at(values, 0.5)[0, 0] == pytest.approx(5)
    assert [w for w, _, _ in frames.weights(0.5)] == [0, 1]


def test_a_held_frame_does_not_reach_back_in_time() -> None:
    """A recording that stands still: windows that repeat one frame all have its time stamp."""
    held = np.full((5, 8), 0.8)
    moving = 0.1 * np.arange(8)
    after = 10 + 0.1 * np.arange(8)
    paused = WindowBlender(np.stack([moving, *held, after]), np.array([0.0, 4.0]), step_seconds=0.1)
    for instant in moving[:-1]:
        assert [w for w, _, _ in paused.weights(instant)] == [0]
    # Less than a sample before the held frame its windows begin to count.
    [(first, share, _), *_] = paused.weights(0.71)
    assert first == 0 and share > 0.9
    assert {w for w, _, _ in paused.weights(0.8)} == {1, 2, 3, 4, 5}
    assert paused.weights(5.0) == []
    assert [w for w, _, _ in paused.weights(10.0)] == [6]


def test_a_gap_within_a_window_does_not_widen_its_taper() -> None:
    gap = WindowBlender(
        np.array([[4.7, 4.8, 4.9, 5.0], [5.0, 9.0, 9.1, 9.2]]), np.arange(4.0), step_seconds=0.1
    )
    # Four seconds lie between the second window's first two samples, but none before the first.
    assert [[w for w, _, _ in gap.weights(t)] for t in (4.8, 5.0, 9.0)] == [[0], [0, 1], [1]]


def test_a_window_has_no_weight_beyond_its_limits() -> None:
    limits = np.array([[0.0, 0.35], [0.35, np.inf]])
    seconds = np.array([[0.0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6, 0.7]])
    cut = WindowBlender(seconds, np.arange(4.0), limits=limits)
    assert [[w for w, _, _ in cut.weights(t)] for t in (0.3, 0.34, 0.36, 0.4)] == [
        [0],
        [0],
        [1],
        [1],
    ]


def test_a_slow_source_does_not_stretch_a_window_over_frames_it_has_not_seen() -> None:
    # One frame per second, sampled at 15: a window holds one frame or two.
    rows = [[0.0] * 16, [0.0] * 8 + [1.0] * 8, [1.0] * 16]
    slow = WindowBlender(np.array(rows), np.array([0.0, 8.0]))
    assert [w for w, _, _ in slow.weights(0.0)] == [0, 1]
    assert [w for w, _, _ in slow.weights(1.0)] == [1, 2]
    assert slow.weights(3.0) == []
