"""Gradients at the input: targets, the network's state, SmoothGrad against a loop, mistakes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.guided_networks import Rectified, plain_gradient
from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import Nonlinear, clip, seeded
from video_cam import UsageError
from video_cam.attribution.input_gradients import (
    guided_backprop,
    guided_cam,
    smooth_gradient,
)


@pytest.mark.parametrize("form", ["none", "int", "ids", "function"])
def test_targets_are_those_of_compute_cams(form: str) -> None:
    network, x = seeded(Rectified, rectify=nn.ReLU()), clip()
    best = network(x).argmax(1).tolist()
    target, ids = {
        "none": (None, best),
        "int": (2, [2, 2]),
        "ids": ([2, 0], [2, 0]),
        "function": (lambda outputs: outputs[:, 1], [1, 1]),
    }[form]
    expected = plain_gradient(seeded(Rectified), x, ids)
    torch.testing.assert_close(guided_backprop(network, x, target), expected)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("compute", [guided_backprop, smooth_gradient])
def test_it_works_where_the_caller_has_disabled_gradients(context, compute) -> None:
    network = seeded(Nonlinear)
    expected = compute(network, clip())
    with context():
        gradient = compute(network, clip())
    assert torch.equal(gradient, expected) and not gradient.is_inference()


class _Failing(Rectified):
    """Has layers that training changes, and fails on request."""

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
def test_model_and_input_are_left_as_they_were(where: str) -> None:
    network = seeded(_Failing).train()
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
    before = state_of(network)
    if where == "nowhere":
        compute_everything(network, x, target)
    else:
        for compute in (guided_backprop, smooth_gradient):
            with pytest.raises(ZeroDivisionError):
                compute(network, x, target)
    assert_same_state(before, network)
    assert x.requires_grad and torch.equal(x.grad, torch.ones_like(x)) and torch.equal(x, clip())
    # Later backward passes are ordinary ones.
    y = torch.tensor([1.0], requires_grad=True)
    assert torch.autograd.grad(-y.relu(), y)[0].item() == -1


@pytest.mark.parametrize("batch_size", [1, 2, 5, 99])
@pytest.mark.parametrize("guided", [False, True])
def test_smooth_gradient_is_the_mean_over_noisy_inputs(batch_size: int, guided: bool) -> None:
    network, x, ids = seeded(Rectified, rectify=nn.ReLU()), clip(), [1, 2]
    x[1] *= 9  # its noise is nine times as strong
    generator = torch.Generator().manual_seed(7)
    expected = torch.zeros_like(x)
    for _ in range(5):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        sigma = torch.stack([0.2 * (one.max() - one.min()) for one in x])
        noisy = x + noise * sigma[:, None, None, None, None]
        expected += plain_gradient(seeded(Rectified) if guided else network, noisy, ids) / 5
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


def test_the_best_class_is_that_of_the_input_without_noise() -> None:
    network, x = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(1440, 4))), clip()
    best = network(x).argmax(1).tolist()
    options = {"samples": 6, "noise": 3.0}
    found = smooth_gradient(network, x, None, **options)
    assert torch.equal(found, smooth_gradient(network, x, best, **options))
    best_of_noisy = smooth_gradient(network, x, lambda outputs: outputs.amax(1), **options)
    assert not torch.allclose(found, best_of_noisy, atol=0)  # with so much noise other classes win


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
