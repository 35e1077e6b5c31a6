"""RISE against its definition, the terms of additive networks, and its own standard errors."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import seeded
from video_cam import ActivationMap, compute_cams
from video_cam.attribution import rise as rise_module
from video_cam.attribution.rise import estimate, is_precise
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.soft_masks import KEPT, MaskDrawing

SIZE = (3, 4, 4)


class Additive(nn.Module):
    """A weighted sum of all values, and another one with a product of two halves."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, *SIZE))

    def forward(self, x: Tensor) -> Tensor:
        terms = x * self.weight
        total = terms.sum((1, 2, 3, 4))
        return torch.stack([total, terms[:, 0].sum((1, 2, 3)) * terms[:, 1].sum((1, 2, 3))], 1)


X = torch.randn(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def risen(network: nn.Module, x: Tensor = X, **options) -> ActivationMap:
    given = {"targets": [0], "fill": "mean", "batch_size": 64, "mask_error": 0.0, "masks": 300}
    [cam] = compute_cams(network, x, methods=["rise"], **given | options)
    return cam


@pytest.fixture
def network() -> Additive:
    return seeded(Additive)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rise_module, "CELLS", (1, 2, 2))


def test_of_an_additive_network_it_is_the_terms_within_its_errors(network: Additive) -> None:
    x = X[:1]
    cam = risen(network, x, masks=1600)
    terms = (network.weight * (x - baseline_of(x, "mean"))).sum(1).detach().float()
    assert cam.values.shape == (1, *SIZE) and cam.sampling.masks == (1600,)
    z = (cam.values - terms) / cam.sampling.errors
    assert z.abs().max() < 4.5 and 0.7 < z.square().mean() < 1.4
    # The estimate becomes better as its errors say, and these are not large beside the terms.
    assert cam.sampling.errors.max() < 0.15 * terms.abs().max()
    few = risen(network, x, masks=400)
    assert few.sampling.errors.mean() / cam.sampling.errors.mean() == pytest.approx(2, rel=0.1)


def test_the_definition_in_loops(network: Additive, coarse: None) -> None:
    masks = 40
    cam = risen(network, masks=masks, targets=[1])
    assert cam.values.shape == (2, 2, 4, 4) and cam.centres.t.tolist() == [0.25, 1.75]
    drawn = MaskDrawing((1, 2, 2), SIZE, 0).draw(masks)
    fill = baseline_of(X, "mean")
    for sample in range(2):
        scores = torch.stack(
            [network(one.blended(X[sample], fill[sample])[None])[0, 1] for one in drawn]
        ).detach()
        mean = scores.mean()
        for cell in product(range(2), range(4), range(4)):
            kept = [float(one.over((2, 4, 4))[cell]) for one in drawn]
            products = torch.stack(
                [(s - mean) * (m - KEPT) for s, m in zip(scores, kept, strict=True)]
            )
            scale = KEPT * (1 - KEPT)
            value = products.sum() / (masks - 1) / scale
            torch.testing.assert_close(cam.values[(sample, *cell)], value.float())
            error = products.std() / masks**0.5 / scale
            found = cam.sampling.errors[(sample, *cell)]
            torch.testing.assert_close(found, error.float(), rtol=0.05, atol=1e-6)


def test_it_stops_where_its_error_is_small_enough_and_says_after_how_many(
    network: Additive, coarse: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rise_module, "FIRST_ROUND", 32)
    noisy = torch.cat([X[:1], X[1:] * torch.tensor([1.0, -1.0]).repeat(2)], 0)
    cam = risen(network, noisy, mask_error=0.15, masks=5000, targets=[[0, 1]])
    for row, masks in enumerate(cam.sampling.masks):
        assert masks in (32, 64, 128, 256, 512, 1024, 2048)
        values, errors = cam.values[row].double(), cam.sampling.errors[row].double()
        assert errors.square().mean().sqrt() <= 0.15 * values.abs().max()
        x, targets = noisy[row : row + 1], [row]
        alone = risen(network, x, mask_error=0.15, masks=5000, targets=targets)
        assert alone.sampling.masks == (masks,)
        torch.testing.assert_close(alone.values[0], cam.values[row])
        # Half as many were not enough.
        before = risen(network, x, masks=masks // 2, targets=targets)
        assert before.sampling.errors.square().mean().sqrt() > 0.15 * before.values.abs().max()
    assert cam.sampling.masks == (128, 256)  # each sample by itself
    all_masks = risen(network, mask_error=0.0001, masks=80)
    assert all_masks.sampling.masks == (80, 80)


def test_batches_and_other_targets_do_not_change_a_map(network: Additive, coarse: None) -> None:
    state = torch.get_rng_state()
    expected = risen(network, batch_size=4)
    found = risen(network, batch_size=1)
    torch.testing.assert_close(found.values, expected.values, rtol=1e-6, atol=1e-6)
    several = compute_cams(
        network, X, methods=["rise"], targets=[1, 0], fill="mean", mask_error=0, masks=300
    )
    torch.testing.assert_close(several[1].values, expected.values, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(risen(network, seed=1).values, expected.values)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_score_without_any_effect_has_a_map_of_zeros_and_needs_one_round() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.full((len(x), 2), 3.0)

    cam = risen(Constant(), mask_error=0.1, masks=1000)
    assert not cam.values.any() and cam.sampling.masks == (rise_module.FIRST_ROUND,) * 2


def test_the_rule_of_stopping_by_hand() -> None:
    values = torch.tensor([[[[4.0, 0.0]]]])
    errors = torch.tensor([[[[0.3, 0.5]]]])
    size = ((0.3**2 + 0.5**2) / 2) ** 0.5
    assert is_precise(values, errors, size / 4 + 1e-4)
    assert not is_precise(values, errors, size / 4 - 1e-4)
    assert not is_precise(values, torch.zeros_like(errors), 0.0)
    masks = torch.tensor([[[[1.0]]], [[[0.0]]], [[[1.0]]], [[[0.0]]]], dtype=torch.float64)
    value, _ = estimate(masks, torch.tensor([[3.0, 1.0, 3.0, 1.0]], dtype=torch.float64))
    # (4 x 1/2) / (3 x 1/4): with the mean of four scores itself uncertain
    assert float(value) == pytest.approx(2 / 0.75)
