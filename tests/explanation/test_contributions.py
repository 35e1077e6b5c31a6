"""Complete maps: the cells and the bias add up to the logit, and so do the frames."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from torch import nn

from video_cam import Explanation
from video_cam.explanation.contributions import complete_bias, frame_contributions, head_biases
from video_cam.layers.alignment import CellCentres


def test_cells_and_bias_are_the_logit(bundled, explanation: Explanation) -> None:
    by_layer = {(m.layer, m.method): m for m in explanation.maps}
    complete = by_layer["layer4", "gradcam"]
    bias = bundled.module.fc.bias[complete.class_id].item()
    assert complete.bias == pytest.approx(bias)
    cells = complete.values.sum((1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(cells + bias, complete.logits, atol=1e-3)
    # Maps of earlier layers, or with other weights, are not complete.
    assert by_layer["layer3", "gradcam"].bias is None
    assert by_layer["layer3", "layercam"].bias is None
    assert by_layer["layer4", "layercam"].bias is None


def test_the_frames_of_a_window_and_the_bias_are_its_logit(explanation: Explanation) -> None:
    for window in range(explanation.num_windows):
        one = dataclasses.replace(
            explanation,
            frame_indices=explanation.frame_indices[window : window + 1],
            maps=tuple(
                dataclasses.replace(m, values=m.values[window : window + 1])
                for m in explanation.maps
            ),
        )
        frames, added = frame_contributions(one)
        assert frames.tolist() == sorted(set(explanation.frame_indices[window].tolist()))
        series = explanation.maps[0]
        assert added.sum() + series.bias == pytest.approx(series.logits[window], abs=2e-3)


def test_a_cell_is_divided_among_the_frames_it_is_interpolated_to(explanation: Explanation) -> None:
    # Two windows of four frames, two apart; cells at frames 0 and 3 of each.
    series = dataclasses.replace(
        explanation.maps[0],
        values=np.array([[3.0, 6.0], [9.0, -3.0]], np.float32)[:, :, None, None],
        centres=CellCentres(np.array([0.0, 3.0]), np.zeros(1), np.zeros(1)),
    )
    tiny = dataclasses.replace(
        explanation, frame_indices=np.array([[0, 1, 2, 3], [2, 3, 4, 4]]), maps=(series,)
    )
    # A window's frames get 1, 2/3, 1/3, 0 of cell 0, divided by their sum; of cell 1 the reverse.
    first, second = np.array([3, 2, 1, 0]) / 6, np.array([0, 1, 2, 3]) / 6
    one = 3 * first + 6 * second
    two = 9 * first - 3 * second
    frames, added = frame_contributions(tiny)
    assert frames.tolist() == [0, 1, 2, 3, 4]
    expected = [one[0], one[1], one[2] + two[0], one[3] + two[1], two[2] + two[3]]
    np.testing.assert_allclose(added, np.array(expected) / 2, rtol=1e-5)


def test_all_frames_and_the_bias_are_the_mean_logit(explanation: Explanation) -> None:
    series = explanation.maps[0]
    assert explanation.num_windows > 1
    _, added = frame_contributions(explanation)
    assert added.sum() + series.bias == pytest.approx(series.logits.mean(), abs=2e-3)


def test_cells_far_outside_belong_to_the_nearest_frame(explanation: Explanation) -> None:
    """Causal networks, which are padded on one side only, have such cells."""
    series = dataclasses.replace(
        explanation.maps[0],
        values=np.array([[3.0, 6.0, 2.0]], np.float32)[:, :, None, None],
        centres=CellCentres(np.array([-3.0, -1.5, 1.0]), np.zeros(1), np.zeros(1)),
    )
    tiny = dataclasses.replace(explanation, frame_indices=np.array([[0, 1, 2]]), maps=(series,))
    _, added = frame_contributions(tiny)
    # Cells at -3 and -1.5 belong to frame 0, the cell at 1 to frame 1 and, by interpolation, 2.
    assert added.sum() == pytest.approx(11) and added[0] == pytest.approx(9, abs=0.5)


def test_maps_whose_rest_is_not_the_bias_are_not_complete() -> None:
    values = np.ones((2, 1, 2, 2), np.float32)
    assert complete_bias(values, np.array([4.5, 4.5]), 0.5) == 0.5
    assert complete_bias(values, np.array([4.5, 4.6]), 0.5) is None
    assert complete_bias(values, np.array([4.5, 4.5]), None) is None


def test_the_head_is_the_last_linear_layer_with_one_output_per_class() -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 5), nn.Linear(5, 2))
    assert head_biases(net, 5).tolist() == net[1].bias.tolist()
    assert head_biases(net, 4) is None
    assert head_biases(nn.Sequential(nn.Linear(3, 5, bias=False)), 5).tolist() == [0] * 5
    convolution = nn.Sequential(nn.Conv3d(3, 5, 1), nn.AdaptiveAvgPool3d(1))
    assert head_biases(convolution, 5).tolist() == convolution[0].bias.tolist()
    # With more than one cell in its kernel, a convolution is not linear in each cell.
    assert head_biases(nn.Sequential(nn.Conv3d(3, 5, 3)), 5) is None
