"""Layouts by measurement: tokens in any order, time alone, and outputs that are no grid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import ImageNetwork, Nonlinear, seeded
from tests.support.odd_layers import (
    HalvedFrames,
    Quarters,
    TemporalConvolution,
    TimeLast,
    Tokens,
    TokensOfTimes,
)
from video_cam import UsageError, compute_cams, load_model
from video_cam.layers.layout import Fold, layouts
from video_cam.layers.measured_layout import settled_folds
from video_cam.layers.trace import example, trace

SIZE = (8, 32, 32)


def settle(
    network: nn.Module, *layers: str, x: Any = None, size: tuple[int, int, int] = SIZE
) -> dict[str, Fold]:
    found = layouts(trace(network, example(network, size)).modules.values(), size)
    return settled_folds(network, found, layers, size, x)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("space_first", [False, True])
@pytest.mark.parametrize(("before", "behind"), [(0, 0), (1, 0), (0, 1), (3, 0)])
def test_the_order_of_tokens(space_first: bool, before: int, behind: int, seed: int) -> None:
    network = seeded(Tokens, seed, space_first=space_first, before=before, behind=behind)
    expected = Fold("tokens", (4, 4, 4), 0, before, space_first, behind)
    assert settle(network, "block", "block.norm1") == {"block": expected, "block.norm1": expected}


@pytest.mark.parametrize("seed", range(12))
def test_the_fold_that_leaves_out_fewer_tokens(seed: int) -> None:
    """13 tokens are 2x3x2 cells and one more, or 1x3x2 cells and seven more."""
    network = seeded(Tokens, seed, behind=1, patch=16)
    expected = Fold("tokens", (2, 3, 2), 0, extra_behind=1)
    found = settle(network, "block", "block.linear2", size=(4, 48, 32))
    assert found["block"] == expected and found.get("block.linear2", expected) == expected


def test_channels_are_no_places() -> None:
    """64 channels of a temporal convolution and of the ReLU behind it are not 4x4x4 tokens."""
    network = seeded(TemporalConvolution)
    expected = Fold("time", (8, 1, 1))
    assert settle(network, "time.0", "time.1", "time") == {
        "time.0": expected,
        "time.1": expected,
        "time": expected,
    }


def test_a_map_in_time_alone_is_on_the_frame_that_counts() -> None:
    network = seeded(TemporalConvolution)
    nn.init.ones_(network.fc.weight)
    x = torch.zeros(1, 3, *SIZE, dtype=torch.float64)
    x[:, :, 5] = 3
    [cam] = compute_cams(network, x, layers=["time"], methods=["hirescam"], targets=[0])
    assert cam.values.shape == (1, 8, 1, 1)
    assert abs(int(cam.values[0, :, 0, 0].argmax()) - 5) <= 1


@pytest.mark.parametrize("given", [False, True])
def test_axes_in_another_order_are_refused(given: bool) -> None:
    """(N, K, H', W', T') fits as (T', H', W') into the input, too."""
    network = seeded(TimeLast)
    x = torch.randn(1, 3, *SIZE).double() if given else None
    assert settle(network, "conv", x=x) == {}
    with pytest.raises(UsageError, match=r"'conv' has no grid of places: .* unpack="):
        compute_cams(network, torch.randn(1, 3, *SIZE).double(), layers=["conv"])
    model = load_model(network.float(), num_frames=8, size=(32, 32), frame_rate=8)
    with pytest.raises(UsageError, match="'conv' has no grid of places"):
        model.layers(SIZE, ["conv"])


@pytest.mark.parametrize("channels", [4, 8])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_when_shapes_refute_the_likely_order_needs_its_own_confirmation(
    channels: int, seed: int
) -> None:
    """(N, 4, H', W', T') may also be four times and T' channels."""
    assert settle(seeded(TimeLast, seed, channels=channels), "block", "conv") == {}


def test_convolutions_are_confirmed() -> None:
    network = seeded(Nonlinear)
    assert settle(network, "layer1", "layer3") == {
        "layer1": Fold("first", (8, 16, 16)),
        "layer3": Fold("first", (4, 8, 8)),
    }


def test_inputs_in_containers_are_disturbed_as_they_are() -> None:
    class Listed(Nonlinear):
        def forward(self, x: list[Tensor]) -> Tensor:
            x[0] = super().forward(x[0])
            return x[0]

    network, x = seeded(Listed), [torch.randn(1, 3, *SIZE).double()]
    kept = x[0].clone()
    [cam] = compute_cams(network, x, layers=["layer3"])
    assert cam.values.shape == (1, 4, 8, 8) and torch.equal(x[0], kept)


def test_images_have_no_time() -> None:
    x = torch.randn(1, 3, 16, 16).double()
    [cam] = compute_cams(seeded(ImageNetwork), x, layers=["conv"])
    assert cam.values.shape == (1, 1, 8, 8)


def test_measured_once_and_the_network_is_left_as_it_was() -> None:
    network, passes = seeded(Tokens).train(), []
    network.fc.register_forward_hook(lambda *_: passes.append(1))
    before = state_of(network)
    first = settle(network, "block")
    count = len(passes)
    assert settle(network, "block") == first and len(passes) == count
    assert_same_state(before, network)


@pytest.mark.parametrize("space_first", [False, True])
def test_the_default_layer_of_a_network_with_tokens(space_first: bool) -> None:
    network = seeded(Tokens, space_first=space_first, before=1).float()
    model = load_model(network, num_frames=8, size=(32, 32), frame_rate=8)
    fold = model.layers(SIZE).folds[model.layer]
    assert fold == Fold("tokens", (4, 4, 4), 0, 1, space_first)


@pytest.mark.parametrize("space_first", [False, True])
def test_tokens_that_look_everywhere_are_in_the_order_of_the_others(space_first: bool) -> None:
    """With keys of 0 attention is the same for all tokens, and so is its output."""
    network = seeded(Tokens, space_first=space_first, before=1)
    nn.init.zeros_(network.block.self_attn.in_proj_weight[:32])
    expected = Fold("tokens", (4, 4, 4), 0, 1, space_first)
    assert settle(network, "block.dropout1") == {"block.dropout1": expected}


@pytest.mark.parametrize("over_time", [False, True])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("apart", [False, True])
def test_tokens_with_a_sample_for_each_time(apart: bool, before: int, over_time: bool) -> None:
    """(N x T', L, K) and (N, T', L, K), with a time for every two frames."""
    network = seeded(TokensOfTimes, apart=apart, before=before, over_time=over_time)
    expected = Fold("tokens", (4, 4, 4), 4, before)
    assert settle(network, "norm", "block") == {"norm": expected, "block": expected}


@pytest.mark.parametrize("apart", [False, True])
def test_the_map_of_tokens_of_times_is_where_and_when_the_input_counts(apart: bool) -> None:
    network = seeded(TokensOfTimes, apart=apart, before=1).eval()
    x = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1)).double()
    [cam] = compute_cams(network, x, layers=["norm"], methods=["hirescam"], targets=[0])
    kept: list[Tensor] = []
    network.norm.register_forward_hook(lambda *given: kept.append(given[2]))
    score = network(x.requires_grad_())[:, 0].sum()
    product = (kept[0] * torch.autograd.grad(score, kept[0])[0]).sum(-1)
    by_hand = product.reshape(2, 4, 17)[..., 1:].unflatten(2, (4, 4)).detach()
    torch.testing.assert_close(cam.values, by_hand.to(cam.values))
    assert [round(float(t), 1) for t in cam.centres.t] == [0.5, 2.5, 4.5, 6.5]


def test_half_as_many_samples_as_frames() -> None:
    expected = Fold("first", (4, 8, 8), 4)
    assert settle(seeded(HalvedFrames), "second") == {"second": expected}


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("seed", range(8))
def test_quarters_of_the_picture_are_no_times(seed: int, stride: int) -> None:
    """Places of few cells that look everywhere rise with their indices by chance."""
    assert settle(seeded(Quarters, seed, stride=stride), "conv") == {}


def test_a_layer_of_parts_of_the_picture_is_refused() -> None:
    network = seeded(Quarters)
    with pytest.raises(UsageError, match="'conv' has no grid of places"):
        compute_cams(network, torch.randn(1, 3, *SIZE).double(), layers=["conv"])


@pytest.mark.parametrize("apart", [False, True])
def test_the_default_layer_of_a_network_with_tokens_of_times(apart: bool) -> None:
    network = seeded(TokensOfTimes, apart=apart, before=1, over_time=True).float()
    model = load_model(network, num_frames=8, size=(32, 32), frame_rate=8)
    assert model.layer == "norm"
    assert model.layers(SIZE).folds["norm"] == Fold("tokens", (4, 4, 4), 4, 1)
