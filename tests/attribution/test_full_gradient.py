"""FullGrad: components that sum to the score, in one, two and three dimensions."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.video import r3d_18

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import ImageNetwork, Nonlinear, clip, seeded
from video_cam import UsageError, compute_cams, guided_backprop, load_model
from video_cam.attribution.full_gradient import full_gradient, gradient_components, implicit_bias


def piecewise_linear(conv: type, norm: type, inplace: bool) -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        conv(3, 4, 3, padding=1), norm(4), nn.ReLU(inplace), conv(4, 5, 3), nn.ReLU(inplace),
        nn.Flatten(2), nn.AdaptiveAvgPool1d(3), nn.Flatten(1), nn.Linear(15, 4),
    )  # fmt: skip
    network[1].running_mean.normal_()
    network[1].running_var.uniform_(0.5, 2)
    nn.init.normal_(network[1].bias)
    return network.double().eval()


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    ("conv", "norm", "size"),
    [
        (nn.Conv1d, nn.BatchNorm1d, (16,)),
        (nn.Conv2d, nn.BatchNorm2d, (9, 8)),
        (nn.Conv3d, nn.BatchNorm3d, (4, 7, 6)),
    ],
)
def test_the_components_sum_to_the_score(conv: type, norm: type, size, inplace: bool) -> None:
    network = piecewise_linear(conv, norm, inplace)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    found = gradient_components(network, x, 2)
    assert len(found) == 1 + 4  # the input, two convolutions, batch norm, the linear layer
    total = sum(component.flatten(1).sum(1) for component in found)
    torch.testing.assert_close(total, network(x)[:, 2].detach())


def test_the_bias_of_batch_norm_is_its_output_for_zero() -> None:
    norm = piecewise_linear(nn.Conv3d, nn.BatchNorm3d, False)[1]
    zero = norm(torch.zeros(1, 4, 1, 1, 1, dtype=torch.float64)).flatten()
    torch.testing.assert_close(implicit_bias(norm), zero.detach())


def test_the_map_is_the_sum_of_scaled_channels() -> None:
    network, x = piecewise_linear(nn.Conv3d, nn.BatchNorm3d, False), clip(size=(4, 7, 6))
    expected = torch.zeros(2, 1, 4, 7, 6, dtype=torch.float64)
    for component in gradient_components(network, x, 1):
        if component.ndim != 5:
            continue
        for n in range(2):
            for channel in component[n].abs():
                spread = channel.max() - channel.min()
                if spread == 0:
                    continue  # a constant channel
                scaled = (channel - channel.min()) / spread
                expected[n, 0] += nn.functional.interpolate(
                    scaled[None, None], size=(4, 7, 6), mode="trilinear"
                )[0, 0]
    torch.testing.assert_close(full_gradient(network, x, 1), expected)


def test_compute_cams_gathers_the_map_onto_the_layers_grid() -> None:
    network, x = seeded(Nonlinear), clip(size=(4, 12, 12))
    [cam] = compute_cams(
        network, x, layers=["layer2"], methods=["fullgrad"], targets=[1], align="half-pixel"
    )
    assert cam.values.shape[1:] == (2, 3, 3)
    whole = full_gradient(network, x, 1)[:, 0].float()
    # Gathering changes the mean only a little.
    assert cam.values.mean() == pytest.approx(float(whole.mean()), rel=0.05)


def test_r3d_18_is_left_as_it_was() -> None:
    network = r3d_18(num_classes=5).train()
    before = state_of(network)
    found = full_gradient(network, torch.randn(1, 3, 4, 32, 32, generator=torch.Generator()), 2)
    assert found.shape == (1, 1, 4, 32, 32) and found.min() >= 0 and found.max() > 0
    assert_same_state(before, network)


def test_a_network_that_scores_frame_by_frame() -> None:
    network = ImageNetwork().eval()
    model = load_model(network, layout="frames", num_frames=4, size=(16, 16)).module
    x = torch.randn(2, 3, 4, 16, 16)
    [cam] = compute_cams(model, x, layers=["conv"], methods=["fullgrad"], targets=[1])
    assert cam.values.shape == (2, 4, 8, 8)
    assert guided_backprop(model, x, 1).shape == x.shape
    # Frames share nothing, so a frame's map is a quarter of the map of that frame alone.
    options = {"layers": ["conv"], "methods": ["hirescam"], "targets": [1], "align": "half-pixel"}
    [single] = compute_cams(model, x[:, :, 2:3], **options)
    [whole] = compute_cams(model, x, **options)
    assert (single.values != 0).any()
    torch.testing.assert_close(whole.values[:, 2:3] * 4, single.values)


def test_networks_with_several_inputs_are_refused() -> None:
    with pytest.raises(UsageError, match="one input tensor"):
        gradient_components(seeded(Nonlinear), [clip(), clip()])
