"""Occlusion against its definition: linear networks, fills, batches, containers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import Nonlinear, clip, seeded
from video_cam import ActivationMap, UsageError, compute_cams
from video_cam.attribution import occlusion as occlusion_module
from video_cam.choice_names import FILL_NAMES
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.boxes import BoxGrid

BATCHES: list[int] = []  # what a network keeps on itself is restored after each pass


class LinearNetwork(nn.Module):
    """Scores that are weighted sums of all values: (N, 3, 6, 8, 8) -> (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, 6, 8, 8))
        self.room = 1000

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.room:
            raise MemoryError
        BATCHES.append(len(x))
        return torch.einsum("ncthw,kcthw->nk", x, self.weight)


@pytest.fixture
def network() -> LinearNetwork:
    return seeded(LinearNetwork)


@pytest.fixture(autouse=True)
def few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion_module, "CELLS", (3, 4, 4))


GRID = BoxGrid((3, 4, 4), (2, 2, 2))
X = torch.randn(2, 3, 6, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def occluded(network: nn.Module, x: Tensor = X, **options) -> list[ActivationMap]:
    return compute_cams(network, x, methods=["occlusion"], **{"targets": [1]} | options)


@pytest.mark.parametrize("fill", FILL_NAMES)
def test_of_a_linear_network_it_is_the_sum_over_each_box(fill: str, network: LinearNetwork) -> None:
    [cam] = occluded(network, fill=fill)
    terms = (network.weight[1] * (X - baseline_of(X, fill))).sum(1).detach()  # (N, T, H, W)
    drops = torch.stack(
        [box.filled(torch.zeros_like(terms), terms).sum((1, 2, 3)) for box in GRID.boxes()], 1
    )
    torch.testing.assert_close(cam.values, GRID.means_of_cells(drops).float())
    assert cam.values.shape == (2, 3, 4, 4) and cam.values.min() < 0 < cam.values.max()
    assert cam.centres.t.tolist() == [0.5, 2.5, 4.5]
    assert cam.centres.x.tolist() == [0.5, 2.5, 4.5, 6.5]


def test_every_target_is_scored_in_the_same_passes(network: LinearNetwork) -> None:
    BATCHES.clear()
    functions = [lambda outputs: outputs.sum(1), lambda outputs: outputs[:, 0] - outputs[:, 1]]
    own, both, function, fixed, difference = occluded(
        network, targets=[None, [0, 1], functions[0], 1, functions[1]], batch_size=8
    )
    # One pass for the scores; those that find how the network takes its input come before.
    assert BATCHES[-5:] == [8] * 4 + [4] and BATCHES[-6] == 2
    [zero] = occluded(network, targets=[0])
    for row in range(2):
        expected = (zero, fixed)[int(own.class_ids[row])]
        torch.testing.assert_close(own.values[row], expected.values[row])
    torch.testing.assert_close(both.values[0], zero.values[0])
    torch.testing.assert_close(both.values[1], fixed.values[1])
    torch.testing.assert_close(function.values, zero.values + fixed.values)
    torch.testing.assert_close(difference.values, zero.values - fixed.values, atol=1e-5, rtol=1e-5)


def test_batches_samples_and_memory_do_not_change_a_map(network: LinearNetwork) -> None:
    [expected] = occluded(network, batch_size=4)
    state = torch.get_rng_state()
    for options in ({"batch_size": 1}, {"batch_size": 7}):
        [found] = occluded(network, **options)
        torch.testing.assert_close(found.values, expected.values, rtol=1e-6, atol=1e-6)
    [alone] = occluded(network, X[1:])
    torch.testing.assert_close(alone.values[0], expected.values[1])
    assert torch.equal(torch.get_rng_state(), state)
    network.room = 3
    with pytest.warns(UserWarning, match=r"out of memory .* continued with batches of 2"):
        [found] = occluded(network, batch_size=8)
    torch.testing.assert_close(found.values, expected.values)


def test_the_network_is_left_as_found() -> None:
    network, x = seeded(Nonlinear).train(), clip()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kept = x.clone()
    occluded(network, x, targets=[0])
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert torch.equal(x, kept)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


class Pathways(nn.Module):
    """Takes [every other frame, every frame]; reads one pixel of each."""

    def forward(self, pathways: list[Tensor]) -> Tensor:
        slow, fast = pathways
        return torch.stack([slow[:, 0, 1, 2, 2], fast[:, 0, 4, 6, 6]], 1)


def test_pathways_are_hidden_at_the_same_times_and_places() -> None:
    x = torch.zeros(1, 3, 6, 8, 8)
    x[:, 0, 2, 2, 2] = x[:, 0, 4, 6, 6] = 1
    slow, fast = occluded(Pathways(), [x[:, :, ::2], x], targets=[0, 1], fill="mean")
    assert slow.values[0, 1, 1, 1] == slow.values.max() > 0.9
    assert slow.values[0, 0, 3, 3] == 0
    assert fast.values[0, 2, 3, 3] == fast.values.max() > 0.9


class Pictures(nn.Module):
    """Scores of images (N, 3, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 0, 1, 1], x[:, 0, 6, 6]], 1)


def test_images_have_maps_of_one_frame_and_no_moment_before() -> None:
    x = torch.zeros(2, 3, 8, 8)
    x[:, 0, 1, 1] = 1
    [cam] = occluded(Pictures(), x, targets=[0])
    assert cam.values.shape == (2, 1, 4, 4) and (cam.values.flatten(1).argmax(1) == 0).all()
    with pytest.raises(UsageError, match=r"fill=before .* single frame: set fill to blur or mean"):
        occluded(Pictures(), x, targets=[0], fill="before")


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_only_the_network_itself_runs_in_bf16(method: str) -> None:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found, expected = (
        compute_cams(Pictures(), x, methods=[method], masks=50, precision=precision)[0].values
        for precision in ("bf16", "fp32")
    )
    # It picks single values, which bf16 does not change: blur, masks and means would be changed.
    assert torch.equal(found, expected)


def test_what_no_clip_is_made_of_is_refused_in_one_line() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(UsageError, match="only clips and images can be altered"):
        occluded(network, torch.randn(2, 12), targets=[0])
