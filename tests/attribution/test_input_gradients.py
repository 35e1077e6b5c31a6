"""Guided backpropagation and SmoothGrad against passes written by hand and by brute force."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.model_state import assert_same, fingerprint
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import UsageError
from video_cam.attribution.input_gradients import (
    guided_backprop,
    guided_cam,
    smooth_gradient,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The convolutions here are so small that two threads would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Rule(torch.autograd.Function):
    """The rule of the paper, as a function of its own: the reference."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * (x > 0) * (g > 0)


class Gated(nn.Module):
    """Convolutions with ``rectify`` behind each, one of them in a residual branch."""

    def __init__(self, rectify: Callable[[Tensor], Tensor] = Rule.apply) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.conv2 = nn.Conv3d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv3d(4, 5, 2)
        self.fc = nn.Linear(5, 4)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(self.conv1(x))
        x = self.rectify(x + self.conv2(x))
        x = self.rectify(self.conv3(x))
        return self.fc(x.tanh().mean((2, 3, 4)))


def plain_gradient(model: nn.Module, x: Tensor, ids: list[int]) -> Tensor:
    x = x.clone().requires_grad_()
    scores = model.eval()(x)[range(len(x)), ids].sum()
    return torch.autograd.grad(scores, x)[0]


def relu_of_a_part(x: Tensor) -> Tensor:
    x = x * 1
    x[:, :2].relu_()
    return torch.cat([x[:, :2], x[:, 2:].relu()], 1)


SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "one module used often": nn.ReLU(),
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


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("seed", range(2))
def test_every_spelling_of_relu_follows_the_rule(spelling: str, seed: int) -> None:
    x, ids = clip(seed), [1, 3]
    expected = plain_gradient(seeded(Gated, seed), x, ids)
    network = seeded(Gated, seed, rectify=SPELLINGS[spelling])
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


def test_where_nothing_is_clipped_it_is_the_gradient() -> None:
    network, x = seeded(Gated, rectify=nn.ReLU()), clip().abs()
    for parameter in network.parameters():
        parameter.data.abs_()
    assert torch.equal(guided_backprop(network, x, 0), plain_gradient(network, x, [0, 0]))
    smooth = seeded(Gated, rectify=torch.tanh)
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
                setattr(parent, name, RuleModule())
    expected = plain_gradient(reference, x, [1])
    scale = float(expected.abs().max())
    torch.testing.assert_close(guided_backprop(network, x, 1) / scale, expected / scale)


class RuleModule(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Rule.apply(x)


@pytest.mark.parametrize("form", ["none", "int", "ids", "function"])
def test_targets_are_those_of_compute_cams(form: str) -> None:
    network, x = seeded(Gated, rectify=nn.ReLU()), clip()
    best = network(x).argmax(1).tolist()
    target, ids = {
        "none": (None, best),
        "int": (2, [2, 2]),
        "ids": ([2, 0], [2, 0]),
        "function": (lambda outputs: outputs[:, 1], [1, 1]),
    }[form]
    expected = plain_gradient(seeded(Gated), x, ids)
    torch.testing.assert_close(guided_backprop(network, x, target), expected)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("compute", [guided_backprop, smooth_gradient])
def test_it_works_where_the_caller_has_gradients_switched_off(context, compute) -> None:
    network = seeded(Nonlinear)
    expected = compute(network, clip())
    with context():
        gradient = compute(network, clip())
    assert torch.equal(gradient, expected) and not gradient.is_inference()


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
    network = seeded(Gated, rectify=activation)
    before = fingerprint(network)
    with pytest.raises(UsageError, match=f"this network has {name}: use smooth_gradient"):
        guided_backprop(network, clip())
    assert_same(before, fingerprint(network))
    assert smooth_gradient(network, clip(), samples=2).shape == clip().shape


def test_gates_that_are_not_rectifiers_keep_their_gradient() -> None:
    for function in (torch.sigmoid, torch.tanh, F.hardsigmoid, F.hardtanh, lambda x: F.glu(x, 2)):
        network, x = seeded(Gated, rectify=function), clip(size=(12, 12, 10))
        assert torch.equal(guided_backprop(network, x, 0), plain_gradient(network, x, [0, 0]))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_networks_are_refused_and_compiled_ones_run_as_written() -> None:
    network = seeded(PoolLinear).requires_grad_(False)
    scripted = torch.jit.script(network)
    for _ in range(3):  # the first passes are profiled and run as they are written
        scripted(clip().requires_grad_())
    with pytest.raises(UsageError, match=r"before torch\.compile"):
        guided_backprop(scripted, clip(), 0)
    assert smooth_gradient(scripted, clip(), 0, samples=1).shape == clip().shape
    compiled = torch.compile(network, backend="aot_eager")
    for gradient in (guided_backprop, smooth_gradient):
        assert torch.equal(gradient(compiled, clip(), 0), gradient(network, clip(), 0))


class Failing(Gated):
    def __init__(self) -> None:
        super().__init__(nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm3d(3)
        self.fail = False

    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(self.norm(self.dropout(x)))
        if self.fail:
            raise ZeroDivisionError
        return outputs


def compute_everything(network: nn.Module, x: Tensor, target: Any) -> None:
    guided_backprop(network, x, target)
    smooth_gradient(network, x, target, samples=3, guided=True)


@pytest.mark.parametrize("where", ["nowhere", "forward", "target", "backward"])
def test_model_and_input_are_left_as_found(where: str) -> None:
    network = seeded(Failing).train()
    network.conv2.eval()
    network.conv1.bias.requires_grad_(False)
    network(clip()).sum().backward()
    x = clip().requires_grad_()
    x.sum().backward()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    def fail_backward(outputs: Tensor) -> Tensor:
        outputs.register_hook(fail)
        return outputs[:, 0]

    network.fail = where == "forward"
    target = {"target": fail, "backward": fail_backward}.get(where, 1)
    before = fingerprint(network)
    if where == "nowhere":
        compute_everything(network, x, target)
    else:
        for compute in (guided_backprop, smooth_gradient):
            with pytest.raises(ZeroDivisionError):
                compute(network, x, target)
    assert_same(before, fingerprint(network))
    assert x.requires_grad and torch.equal(x.grad, torch.ones_like(x)) and torch.equal(x, clip())
    # Nothing of the rule is left behind: a backward pass is an ordinary one again.
    y = torch.tensor([1.0], requires_grad=True)
    assert torch.autograd.grad(-y.relu(), y)[0].item() == -1


def test_frozen_networks_and_networks_that_begin_in_place() -> None:
    network = seeded(lambda: nn.Sequential(nn.ReLU(inplace=True), Gated(nn.ReLU())))
    x = clip()
    gradient = guided_backprop(network.requires_grad_(False), x, 0)
    assert torch.equal(x, clip()) and not any(p.requires_grad for p in network.parameters())
    reference = seeded(lambda: nn.Sequential(RuleModule(), Gated()))
    torch.testing.assert_close(gradient, plain_gradient(reference, x, [0, 0]))


def test_a_network_that_changes_a_saved_tensor_in_place() -> None:
    def rude(x: Tensor) -> Tensor:
        x = x.relu()
        x += 1  # relu saved its output for the backward pass
        return x

    expected = plain_gradient(seeded(Gated, rectify=lambda x: Rule.apply(x) + 1), clip(), [1, 1])
    gradient = guided_backprop(seeded(Gated, rectify=rude), clip(), 1)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 99])
@pytest.mark.parametrize("guided", [False, True])
def test_smooth_gradient_is_the_mean_over_noisy_inputs(batch_size: int, guided: bool) -> None:
    network, x, ids = seeded(Gated, rectify=nn.ReLU()), clip(), [1, 2]
    x[1] *= 9  # its noise is nine times as strong
    generator = torch.Generator().manual_seed(7)
    expected = torch.zeros_like(x)
    for _ in range(5):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        sigma = torch.stack([0.2 * (one.max() - one.min()) for one in x])
        noisy = x + noise * sigma[:, None, None, None, None]
        expected += plain_gradient(seeded(Gated) if guided else network, noisy, ids) / 5
    options = {"samples": 5, "noise": 0.2, "seed": 7, "guided": guided, "batch_size": batch_size}
    for target in (ids, lambda outputs: outputs[range(2), ids]):
        gradient = smooth_gradient(network, x, target, **options)
        torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-14)


def test_smooth_gradient_without_noise_or_of_a_linear_network_is_the_gradient() -> None:
    network, x = seeded(Nonlinear), clip()
    expected = plain_gradient(network, x, [1, 1])
    assert torch.equal(smooth_gradient(network, x, 1, samples=1, noise=0), expected)
    linear = seeded(lambda: nn.Sequential(nn.Conv3d(3, 2, 3), nn.Flatten(), nn.Linear(320, 4)))
    smooth = smooth_gradient(linear, x, 1, samples=16)
    torch.testing.assert_close(smooth, plain_gradient(linear, x, [1, 1]), rtol=1e-14, atol=0)


def test_smooth_gradient_decides_the_best_class_once_on_the_clean_input() -> None:
    network, x = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(1440, 4))), clip()
    best = network(x).argmax(1).tolist()
    options = {"samples": 6, "noise": 3.0}
    decided = smooth_gradient(network, x, None, **options)
    assert torch.equal(decided, smooth_gradient(network, x, best, **options))
    anew = smooth_gradient(network, x, lambda outputs: outputs.amax(1), **options)
    assert not torch.allclose(decided, anew, atol=0)  # with so much noise other classes win


def test_guided_cam_is_the_product_channel_by_channel() -> None:
    gradient, cam = clip(), torch.rand(2, 4, 12, 10, dtype=torch.float64)
    product_ = guided_cam(gradient, cam)
    for channel in range(3):
        assert torch.equal(product_[:, channel], gradient[:, channel] * cam)
    image = guided_cam(gradient[:, :, 0], cam[:, :1])
    assert torch.equal(image, product_[:, :, 0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, x: guided_backprop(net, [x, x]), "the input is list, expected"),
        (lambda net, x: guided_backprop(net, x.int()), "torch.int32 (2, 3, 4, 12, 10)"),
        (lambda net, x: smooth_gradient(net, [x], 0), "the input is list, expected"),
        (lambda net, x: guided_backprop(net, x, 9), "class id 9 is outside 0 ... 3"),
        (lambda net, x: smooth_gradient(net, x, [1]), "1 class ids for 2 samples"),
        (lambda net, x: guided_backprop(net, x, lambda o: o[:, 0].detach()), "does not depend"),
        (lambda net, x: smooth_gradient(net, x, lambda o: net.fc.bias[:2]), "does not depend"),
        (lambda net, x: smooth_gradient(net, x, samples=0), "samples=0"),
        (lambda net, x: smooth_gradient(net, x, noise=-0.1), "noise=-0.1"),
        (lambda net, x: smooth_gradient(net, x, batch_size=0), "batch_size=0"),
        (lambda net, x: guided_cam(x, x[:, 0, :2]), "(2, 2, 12, 10) do not fit"),
        (lambda net, x: guided_cam(x[:, :, 0], x[:, 0]), "do not fit"),
    ],
)
def test_a_mistake_gets_one_clear_line(call, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        call(seeded(Nonlinear), clip())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
