"""FullGrad: components that sum to the score, in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video import r3d_18

from tests.support.bias_networks import (
    FrameLoop,
    FramesAndClips,
    OverPlaces,
    PartlyDetached,
    TimeFirst,
    WithPositions,
)
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


def by_hand(network: nn.Module, x: Tensor, grids: dict[str, Callable[[Tensor], Tensor]]) -> Tensor:
    """FullGrad's map of class 1, channel by channel, with the layers' grids given."""
    outputs: dict[str, Tensor] = {}
    for name in grids:
        layer = network.get_submodule(name)
        layer.register_forward_hook(lambda *a, name=name: outputs.__setitem__(name, a[2]))
    x = x.clone().requires_grad_()
    score = network(x)[:, 1].sum()
    of_input, *gradients = torch.autograd.grad(score, [x, *outputs.values()])
    components = [x.detach() * of_input]
    for name, gradient in zip(outputs, gradients, strict=True):
        bias = implicit_bias(network.get_submodule(name))
        component = torch.stack([b * gradient[:, k] for k, b in enumerate(bias)], 1)
        components.append(grids[name](component))
    total = torch.zeros(len(x), 1, *x.shape[2:], dtype=x.dtype)
    for component in components:
        for n, k in torch.cartesian_prod(torch.arange(len(x)), torch.arange(component.shape[1])):
            channel = component[n, k].abs()
            low, high = channel.min(), channel.max()
            if high > low:
                scaled = ((channel - low) / (high - low))[None, None]
                options = {"size": x.shape[2:], "mode": "trilinear"}
                total[n] += nn.functional.interpolate(scaled, **options)[0]
    return total


@pytest.mark.parametrize("batch", [1, 2])
def test_every_bias_is_at_its_place_and_time(batch: int) -> None:
    network, x = seeded(FramesAndClips).eval(), clip(batch=batch, size=(4, 12, 12))
    found = full_gradient(network, x, 1)
    torch.testing.assert_close(found, by_hand(network, x, FramesAndClips.grids(4)))


@pytest.mark.parametrize("size", [(4, 8, 8), (4, 4, 16)])
def test_a_layer_over_other_axes_is_refused(size: tuple[int, int, int]) -> None:
    """(N, C, T, H W) was taken for frames; (1, 4, 4, 16) also has the shape of a grid."""
    with pytest.raises(UsageError, match="layer 'time' has no grid of places") as error:
        full_gradient(seeded(OverPlaces).eval(), clip(size=size), 1)
    assert "choose another method" in str(error.value) and "\n" not in str(error.value)


def test_a_layer_that_runs_for_each_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="layer 'conv' runs 4 times in a forward pass"):
        full_gradient(seeded(FrameLoop).eval(), clip(size=(4, 8, 8)), 1)


def test_frames_of_several_clips_time_first_are_refused() -> None:
    network, x = seeded(TimeFirst).eval(), clip(size=(4, 8, 8))
    with pytest.raises(UsageError, match="give one clip at a time"):
        full_gradient(network, x, 1)

    def grid(frames: Tensor) -> Tensor:
        return frames.transpose(0, 1)[None]

    torch.testing.assert_close(
        full_gradient(network, x[:1], 1), by_hand(network, x[:1], {"conv": grid})
    )


def test_a_branch_that_does_not_see_the_clip_has_no_place_in_it() -> None:
    network, x = seeded(WithPositions).eval(), clip(size=(4, 12, 12))
    expected = by_hand(network, x, {"conv": lambda grid: grid})
    torch.testing.assert_close(full_gradient(network, x, 1), expected)


def test_a_branch_of_the_clip_without_a_gradient_is_refused() -> None:
    with pytest.raises(UsageError, match="the input through layer 'second' by a gradient"):
        full_gradient(seeded(PartlyDetached).eval(), clip(size=(4, 12, 12)), 1)
