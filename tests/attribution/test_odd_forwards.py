"""Checkpointed, detached, quantised, wrapped and half precision networks: right, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams, guided_backprop, load_model
from video_cam.attribution.full_gradient import full_gradient
from video_cam.layers.receptive_field import trace_receptive_fields

LAYERS = ["layer2", "layer3"]
WITHOUT_GRADIENT = ["ablationcam", "scorecam"]


class Checkpointed(Nonlinear):
    reentrant = False

    def forward(self, x: Tensor) -> Tensor:
        def inner(x: Tensor) -> Tensor:
            return self.layer3(self.layer2(x))

        x = checkpoint(inner, self.layer1(x), use_reentrant=self.reentrant)
        return self.fc(x.tanh().mean((2, 3, 4)))


class Reentrant(Checkpointed):
    reentrant = True


class WithoutGraph(Nonlinear):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Frozen(Nonlinear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.tanh().mean((2, 3, 4)))


class Twice(nn.Module):
    """Returns the same tensor twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.inner(x)
        return x, x


class BothUsed(Nonlinear):
    def __init__(self) -> None:
        super().__init__()
        self.layer3 = Twice(self.layer3)

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.layer3(self.layer2(self.layer1(x)))
        return self.fc((one.tanh() + other.square()).mean((2, 3, 4)))


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = seeded(Nonlinear).float().eval()
        return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, torch.qint8)


def maps(network: nn.Module, x: Tensor, *methods: str, layers: list[str] = LAYERS) -> list[Tensor]:
    options = {"methods": methods, "targets": [1], "align": "half-pixel"}
    return [cam.values for cam in compute_cams(network, x, layers=layers, **options)]


def gradcam_by_hand(head: Callable[[Tensor], Tensor], A: Tensor) -> Tensor:
    A = A.detach().requires_grad_()
    (G,) = torch.autograd.grad(head(A)[:, 1].sum(), A)
    return (G.mean((2, 3, 4), keepdim=True) * A).sum(1).detach().float()


def test_a_layer_in_a_checkpointed_part_has_its_map() -> None:
    methods = ["gradcam", "hirescam", "shapleycam", *WITHOUT_GRADIENT]
    found = maps(seeded(Checkpointed), clip(), *methods)
    for one, other in zip(found, maps(seeded(Nonlinear), clip(), *methods), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_receptive_fields_in_a_checkpointed_part_are_known() -> None:
    plain = trace_receptive_fields(seeded(Nonlinear), clip(), LAYERS)
    assert None not in plain["layer3"]
    assert trace_receptive_fields(seeded(Checkpointed), clip(), LAYERS) == plain


@pytest.mark.parametrize("build", [Reentrant, WithoutGraph, Frozen])
def test_scores_without_a_gradient_are_refused_with_what_works(build: type[nn.Module]) -> None:
    network = seeded(build)
    with pytest.raises(UsageError, match=r"depend on layer 'layer2'.* by a gradient.*ablationcam"):
        maps(network, clip(), "gradcam")
    with pytest.raises(UsageError, match="by a gradient"):
        full_gradient(network, clip(), 1)
    with pytest.raises(UsageError, match="does not depend on the input"):
        guided_backprop(network, clip(), 1)
    model = load_model(seeded(build).float(), num_frames=4, size=(12, 10), frame_rate=8)
    with pytest.raises(UsageError, match="no gradient, because the forward runs under"):
        model.layers((4, 12, 10))
    expected = maps(seeded(Nonlinear), clip(), *WITHOUT_GRADIENT)
    for one, other in zip(maps(network, clip(), *WITHOUT_GRADIENT), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_quantised_networks_are_loaded_without_a_warning_of_pytorch() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        load_model(quantised(), num_frames=clip().shape[2], size=tuple(clip().shape[3:]))
    assert [str(one.message) for one in heard if "autograd kernel" in str(one.message)] == []


def test_quantised_layers_are_refused_where_a_gradient_is_needed() -> None:
    network, x = quantised(), clip().float()
    for run in (
        lambda: maps(network, x, "gradcam"),
        lambda: full_gradient(network, x, 1),
        lambda: guided_backprop(network, x, 1),
    ):
        with pytest.raises(UsageError, match=r"layer 'fc' is quantised, .*ablationcam or scorecam"):
            run()
    found = maps(network, x, *WITHOUT_GRADIENT)
    for one, other in zip(found, maps(seeded(Nonlinear), clip(), *WITHOUT_GRADIENT), strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1 * float(other.abs().max()))


def test_a_tensor_that_a_layer_returns_twice_counts_twice() -> None:
    network = seeded(BothUsed)
    A = network.layer3.inner(network.layer2(network.layer1(clip())))
    expected = gradcam_by_hand(lambda A: network.fc((A.tanh() + A.square()).mean((2, 3, 4))), A)
    [found, ablated] = maps(network, clip(), "gradcam", "ablationcam", layers=["layer3"])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    [inner] = maps(network, clip(), "ablationcam", layers=["layer3.inner"])
    torch.testing.assert_close(ablated, inner, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_networks(dtype: torch.dtype) -> None:
    found = maps(seeded(Nonlinear).to(dtype), clip().to(dtype), "gradcam", "layercam")
    for one, other in zip(
        found, maps(seeded(Nonlinear), clip(), "gradcam", "layercam"), strict=True
    ):
        tolerance = 0.02 if dtype is torch.float16 else 0.1
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * float(other.abs().max()))


@pytest.mark.parametrize(
    "wrap", [lambda m: nn.DataParallel(m).cpu(), lambda m: torch.compile(m, backend="eager")]
)
def test_wrapped_networks(wrap) -> None:
    found = maps(wrap(seeded(Nonlinear)), clip(), "gradcam")
    for one, other in zip(found, maps(seeded(Nonlinear), clip(), "gradcam"), strict=True):
        assert torch.equal(one, other)
