"""The guided backward pass against references, for every way to write a ReLU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.guided_networks import (
    GuidedReLU,
    GuidedReLUModule,
    Rectified,
    plain_gradient,
)
from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import PoolLinear, clip, seeded
from video_cam import UsageError
from video_cam.attribution.input_gradients import guided_backprop, smooth_gradient


def relu_of_a_part(x: Tensor) -> Tensor:
    x = x * 1
    x[:, :2].relu_()
    return torch.cat([x[:, :2], x[:, 2:].relu()], 1)


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "one module used several times": nn.ReLU(),
    "one module in place": nn.ReLU(inplace=True),
    "a module each time": lambda x: nn.ReLU()(x),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.relu_(),
    "in place on a view": lambda x: x.transpose(1, 2).relu_().transpose(1, 2),
    "in place on a part": relu_of_a_part,
    "threshold": lambda x: F.threshold(x, 0, 0),
    "ReLU6": nn.ReLU6(),
    "ReLU6 in place": nn.ReLU6(inplace=True),
    "rewritten": lambda x: (x.relu() + 0).mul_(1),
}


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("seed", range(2))
def test_every_way_to_write_a_relu_follows_the_rule(relu: str, seed: int) -> None:
    x, ids = clip(seed), [1, 3]
    expected = plain_gradient(seeded(Rectified, seed), x, ids)
    network = seeded(Rectified, seed, rectify=RELUS[relu])
    gradient = guided_backprop(network, x, ids)
    assert gradient.shape == x.shape and gradient.dtype == x.dtype and not gradient.requires_grad
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)
    assert not torch.allclose(gradient, plain_gradient(network, x, ids), atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_an_mlp_by_hand(seed: int) -> None:
    network = seeded(lambda: nn.Sequential(*mlp()), seed)
    x = torch.randn(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    W1, W2, W3 = (network[i].weight.detach().numpy() for i in (0, 2, 4))
    b1, b2 = (network[i].bias.detach().numpy() for i in (0, 2))
    for sample, gradient in zip(x, guided_backprop(network, x, 2), strict=True):
        h1 = W1 @ sample.numpy() + b1
        h2 = W2 @ np.maximum(h1, 0) + b2
        g2 = W3[2] * (h2 > 0) * (W3[2] > 0)
        g1 = W2.T @ g2 * (h1 > 0) * (W2.T @ g2 > 0)
        np.testing.assert_allclose(gradient.numpy(), W1.T @ g1, rtol=1e-12, atol=1e-15)


def mlp() -> list[nn.Module]:
    return [nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)]


def test_a_convolution_by_hand() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Conv2d(3, 4, 2)))
    x = clip(size=(1, 4, 5))[:1, :2, 0]
    gradient = guided_backprop(network, x, lambda outputs: outputs[:, 1].sum((1, 2)))
    hidden = network[0](x)[0].detach().numpy()
    g = back_through_conv(np.ones((1, 2, 3)), network[2].weight[1:2].detach().numpy())
    g = g * (hidden > 0) * (g > 0)
    g = back_through_conv(g, network[0].weight.detach().numpy())
    np.testing.assert_allclose(gradient[0].numpy(), g, rtol=1e-12, atol=1e-15)


def back_through_conv(g: np.ndarray, weight: np.ndarray) -> np.ndarray:
    out, into, height, width = weight.shape
    result = np.zeros((into, g.shape[1] + height - 1, g.shape[2] + width - 1))
    for o, i, y, x in product(range(out), range(into), range(g.shape[1]), range(g.shape[2])):
        result[i, y : y + height, x : x + width] += g[o, y, x] * weight[o, i]
    return result


def test_the_same_as_pytorch_grad_cam_on_images() -> None:
    pytorch_grad_cam = pytest.importorskip("pytorch_grad_cam")
    network = seeded(
        lambda: nn.Sequential(
            *[nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)],
            *[nn.Sequential(nn.Conv2d(6, 8, 3), nn.ReLU()), nn.Conv2d(8, 6, 3), nn.ReLU()],
            *[nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5)],
        )
    ).eval()
    x = clip(size=(1, 16, 14))[:1, :, 0]
    for target in (None, 3):
        peer = pytorch_grad_cam.GuidedBackpropReLUModel(copy.deepcopy(network), "cpu")
        expected = peer(x.clone(), target)  # (H, W, C)
        gradient = guided_backprop(network, x, target)[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_without_negative_gradients_or_relus_it_is_the_gradient() -> None:
    network, x = seeded(Rectified, rectify=nn.ReLU()), clip().abs()
    for parameter in network.parameters():
        parameter.data.abs_()
    assert torch.equal(guided_backprop(network, x, 0), plain_gradient(network, x, [0, 0]))
    smooth = seeded(Rectified, rectify=torch.tanh)
    assert torch.equal(guided_backprop(smooth, x, 0), plain_gradient(smooth, x, [0, 0]))


def test_a_torchvision_video_network() -> None:
    video = pytest.importorskip("torchvision.models.video")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = video.r3d_18(weights=None, num_classes=5).eval()
    x = clip(batch=1, size=(4, 24, 24)).float()
    reference = copy.deepcopy(network)
    for parent in reference.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU):
                setattr(parent, name, GuidedReLUModule())
    expected = plain_gradient(reference, x, [1])
    scale = float(expected.abs().max())
    torch.testing.assert_close(guided_backprop(network, x, 1) / scale, expected / scale)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (nn.GELU(), "GELU"),
        (nn.GELU("tanh"), "GELU"),
        (nn.SiLU(inplace=True), "SiLU"),
        (F.leaky_relu, "LeakyReLU"),
        (nn.PReLU(), "PReLU"),
        (nn.RReLU(), "RReLU"),
        (nn.ELU(), "ELU, SELU or CELU"),
        (torch.selu, "ELU, SELU or CELU"),
        (F.celu, "ELU, SELU or CELU"),
        (nn.Hardswish(), "Hardswish"),
        (nn.Mish(), "Mish"),
        (nn.Softplus(), "Softplus"),
        (lambda x: F.silu(F.gelu(x).relu()), "GELU, SiLU"),
    ],
)
def test_other_activations_are_named_and_refused(activation, name: str) -> None:
    network = seeded(Rectified, rectify=activation)
    before = state_of(network)
    with pytest.raises(UsageError, match=f"this network has {name}: use .*--smoothgrad"):
        guided_backprop(network, clip())
    assert_same_state(before, network)
    assert smooth_gradient(network, clip(), samples=2).abs().max() > 0


def test_gates_that_are_not_rectifiers_keep_their_gradient() -> None:
    for function in (torch.sigmoid, torch.tanh, F.hardsigmoid, F.hardtanh, lambda x: F.glu(x, 2)):
        network, x = seeded(Rectified, rectify=function), clip(size=(12, 12, 10))
        assert torch.equal(guided_backprop(network, x, 0), plain_gradient(network, x, [0, 0]))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_parts_are_refused_and_compiled_networks_run_uncompiled() -> None:
    network = seeded(PoolLinear).requires_grad_(False)
    scripted = torch.jit.script(network)
    for _ in range(3):  # the first passes are profiled, and run uncompiled
        scripted(clip().requires_grad_())
    torch.testing.assert_close(
        guided_backprop(scripted, clip(), 0), guided_backprop(network, clip(), 0)
    )
    with pytest.raises(UsageError, match=r"before torch\.compile"):
        guided_backprop(nn.Sequential(scripted), clip(), 0)
    expected = smooth_gradient(network, clip(), 0, samples=1)
    torch.testing.assert_close(smooth_gradient(scripted, clip(), 0, samples=1), expected)
    compiled = torch.compile(network, backend="aot_eager")
    for gradient in (guided_backprop, smooth_gradient):
        assert torch.equal(gradient(compiled, clip(), 0), gradient(network, clip(), 0))


def test_frozen_networks_and_networks_that_begin_in_place() -> None:
    network = seeded(lambda: nn.Sequential(nn.ReLU(inplace=True), Rectified(nn.ReLU())))
    x = clip()
    gradient = guided_backprop(network.requires_grad_(False), x, 0)
    assert torch.equal(x, clip()) and not any(p.requires_grad for p in network.parameters())
    reference = seeded(lambda: nn.Sequential(GuidedReLUModule(), Rectified()))
    torch.testing.assert_close(gradient, plain_gradient(reference, x, [0, 0]))


def test_a_network_that_changes_a_saved_tensor_in_place() -> None:
    def relu_plus_one(x: Tensor) -> Tensor:
        x = x.relu()
        x += 1  # relu saved its output for the backward pass
        return x

    expected = plain_gradient(
        seeded(Rectified, rectify=lambda x: GuidedReLU.apply(x) + 1), clip(), [1, 1]
    )
    gradient = guided_backprop(seeded(Rectified, rectify=relu_plus_one), clip(), 1)
    torch.testing.assert_close(gradient, expected)
