"""Integrated gradients at the input, and how they are brought to cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError
from video_cam.attribution.path_gradients import (
    attribution_cells,
    attribution_on_cells,
    blurred,
    input_attribution,
    integrated_gradients,
)
from video_cam.layers.alignment import interpolate


class Linear(nn.Module):
    """One weight for each number of the input and class."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 4 * 12 * 10, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.flatten(1))


class Pathways(nn.Module):
    """The mean of two pathways' features."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = (nn.Conv3d(3, 4, 3, padding=1) for _ in range(2))
        self.fc = nn.Linear(4, 3)

    def forward(self, x: list[Tensor]) -> Tensor:
        slow, fast = self.slow(x[0]).relu(), self.fast(x[1]).relu()
        return self.fc(slow.mean((2, 3, 4)) + fast.mean((2, 3, 4)))


def test_of_a_linear_network_they_are_weight_times_input_minus_baseline():
    network, x = seeded(Linear), clip()
    baseline = blurred(x)
    [found] = integrated_gradients(network, x, [1, 3], baseline)
    weights = network.fc.weight[[1, 3]].reshape(x.shape)
    torch.testing.assert_close(found, weights * (x - baseline), rtol=0, atol=1e-12)


def test_they_add_up_to_the_difference_of_the_scores():
    network, x = seeded(Nonlinear).eval(), 3 * clip()
    baseline = torch.zeros_like(x)
    [found] = integrated_gradients(network, x, 2, baseline, steps=32)
    difference = (network(x) - network(baseline))[:, 2]
    torch.testing.assert_close(found.flatten(1).sum(1), difference, rtol=0.02, atol=0)


def test_the_baseline_keeps_what_does_not_change_and_blurs_in_space_and_time():
    constant = torch.full((1, 3, 8, 20, 30), 0.7, dtype=torch.float64)
    torch.testing.assert_close(blurred(constant), constant, rtol=0, atol=1e-6)
    dot = torch.zeros(1, 3, 8, 21, 31)
    dot[0, :, 4, 10, 15] = 1
    spread = blurred(dot)[0, 0]
    assert spread.argmax() == dot[0, 0].argmax()
    assert spread[3, 10, 15] > 0 and spread[4, 10, 17] > 0 and spread.max() < 0.1


def test_pathways_are_added_at_the_frames_that_they_hold():
    network, fast = seeded(Pathways), clip(batch=1, size=(8, 12, 10))
    slow = fast[:, :, [1, 5]]
    found = integrated_gradients(network, [slow, fast], 0, blurred([slow, fast]))
    assert [part.shape for part in found] == [slow.shape, fast.shape]
    only_slow = [torch.zeros_like(found[0]), torch.zeros_like(found[1])]
    only_slow[0][:, :, 1] = 1
    on_cells = attribution_on_cells(only_slow, [slow, fast], (8, 12, 10))
    assert on_cells.sum((0, 2, 3)).argmax() == 5


@pytest.mark.parametrize("size", [(16, 64, 64), (4, 112, 150), (1, 30, 41)])
def test_one_bright_place_stays_where_it_is(size):
    place = tuple(length // 3 for length in size)
    attributions = torch.zeros(1, 3, *size)
    attributions[(0, slice(None), *place)] = -1
    cells = attribution_cells(size)
    on_cells = attribution_on_cells([attributions], [attributions], size)
    assert on_cells.shape[1:] == cells.grid
    whole = interpolate(on_cells, cells, size, size)[0]
    peak = np.array(np.unravel_index(int(whole.argmax()), size))
    assert np.abs(peak - place).max() <= max(1, size[1] // 28)


def test_the_network_is_left_as_found():
    network, x = seeded(Nonlinear).train(), clip()
    before, given = state_of(network), x.clone()
    input_attribution(network, x, 1, x.shape[2:])
    assert_same_state(before, network)
    assert torch.equal(x, given)


def test_a_score_without_a_gradient_at_the_input_is_refused():
    class Detached(Nonlinear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    with pytest.raises(UsageError, match="does not depend on the input"):
        input_attribution(seeded(Detached), clip(), 1, (4, 12, 10))
