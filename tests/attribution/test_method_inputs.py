"""What methods need besides activations: the Hessian's product, the head's weights, each once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import UsageError, compute_cams
from video_cam.attribution import method_inputs
from video_cam.attribution.method_inputs import TargetPass


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(3, 8, 2, stride=2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.layer(x).flatten(2).transpose(1, 2)[:, None]
        return self.fc(scaled_dot_product_attention(tokens, tokens, tokens)[:, 0].mean(1)).tanh()


def test_the_hessian_of_attention() -> None:
    """Fused kernels of attention have no second derivative."""
    network, x = seeded(_Attention).float().eval(), clip(batch=1, size=(6, 16, 20)).float()
    [found] = compute_cams(network, x, layers=["layer"], methods=["shapleycam"], targets=[2])
    A = network.layer(x).detach().requires_grad_()

    def score(A: Tensor) -> Tensor:
        tokens = A.flatten(2).transpose(1, 2)[:, None]
        weights = (tokens @ tokens.transpose(-1, -2) / 8**0.5).softmax(-1)
        return network.fc((weights @ tokens)[:, 0].mean(1)).tanh()[0, 2]

    G = torch.autograd.functional.jacobian(score, A)
    _, HA = torch.autograd.functional.hvp(score, A, A.detach())
    weights = (G - HA / 2).mean((2, 3, 4), keepdim=True)
    expected = (weights * A.detach()).sum(1)
    assert HA.abs().max() > 0
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-3 * float(expected.max()))


def test_cam_is_refused_where_the_head_is_not_linear_in_the_layer() -> None:
    with pytest.raises(UsageError, match="cam needs scores that are a linear function"):
        compute_cams(
            seeded(Nonlinear), clip(), layers=["layer3"], methods=["cam"], align="half-pixel"
        )


class _WithPrior(PoolLinear):
    """A linear score plus a constant; or plus ``slope`` times the mean of the input."""

    slope = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.arange(4) + self.slope * x.mean((1, 2, 3, 4))[:, None]


def test_a_constant_beside_a_linear_score_does_not_change_its_map() -> None:
    options = {"layers": ["relu"], "methods": ["cam"], "targets": [1], "align": "half-pixel"}
    [expected] = compute_cams(seeded(PoolLinear), clip(), **options)
    [found] = compute_cams(seeded(_WithPrior), clip(), **options)
    torch.testing.assert_close(found.values, expected.values)
    network = seeded(_WithPrior)
    network.slope = 5.0
    with pytest.raises(UsageError, match="cam needs scores that are a linear function"):
        compute_cams(network, clip(), **options)


def test_cam_is_refused_for_a_function() -> None:
    with pytest.raises(UsageError, match="cam needs scores that are a linear function"):
        compute_cams(
            seeded(PoolLinear),
            clip(),
            layers=["relu"],
            methods=["cam"],
            targets=[lambda outputs: outputs[:, 0]],
            align="half-pixel",
        )


def test_what_several_methods_need_is_computed_once_per_target(monkeypatch) -> None:
    counts: dict[str, int] = {}

    def counted(name: str, compute: Any) -> Any:
        def call(one: TargetPass) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return compute(one)

        return call

    for table in (method_inputs.FROM_THE_GRAPH, method_inputs.AFTER_THE_PASS):
        for name, compute in table.items():
            monkeypatch.setitem(table, name, counted(name, compute))
    compute_cams(
        seeded(PoolLinear),
        clip(),
        layers=["conv2", "relu"],
        methods=["gradcam", "layercam", "shapleycam", "ablationcam"],
        targets=[0, 1],
        align="half-pixel",
    )
    assert counts == {"gradient": 2, "hessian_product": 2, "ablation": 2}
