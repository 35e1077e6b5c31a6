"""Ablation-CAM and Score-CAM against loops over full forward passes, and against closed forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_grad_cam import ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.video import r3d_18

from tests.support.model_state import assert_same, fingerprint
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from tests.support.replaying import (
    Folded,
    Pathways,
    Residual,
    Tokens,
    ablation_weights,
    inputs,
    one_thread,
    score_weights,
    settled,
)
from video_cam import UsageError

__all__ = ["one_thread"]  # a fixture that every test of this file uses

SEEDS = (0, 1, 2)


def class_scores(class_id: int) -> Callable[[Any, int], Tensor]:
    return lambda outputs, sample: outputs[:, class_id]


def own_classes(class_ids: list[int]) -> Callable[[Any, int], Tensor]:
    return lambda outputs, sample: outputs[:, class_ids[sample]]


def output_of(model: nn.Module, x: Any, layer: str) -> Tensor:
    """A layer's output in a full pass."""
    found: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda *a: found.append(a[2].clone()))
    with torch.no_grad():
        model(x)
    handle.remove()
    return found[0]


def score_without(
    model: nn.Module, x: Tensor, layer: str, channel: int, class_id: int, axis: int = 1
) -> float:
    """The score of one sample in a full pass with one channel of a layer set to 0."""

    def zero(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output.select(axis, channel).zero_()
        return output

    handle = model.get_submodule(layer).register_forward_hook(zero)
    with torch.no_grad():
        score = model(x)[0, class_id].item()
    handle.remove()
    return score


def naive_ablation(model: nn.Module, x: Tensor, layer: str, class_ids: list[int]) -> np.ndarray:
    channels = output_of(model, x, layer).shape[1]
    weights = np.zeros((len(x), channels))
    for n, class_id in enumerate(class_ids):
        with torch.no_grad():
            y = model(x[n : n + 1])[0, class_id].item()
        for k in range(channels):
            y_k = score_without(model, x[n : n + 1], layer, k, class_id)
            weights[n, k] = (y - y_k) / y
    return weights


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (PoolLinear, "conv1"),
        (PoolLinear, "conv2"),
        *[(Nonlinear, name) for name in ("layer1", "layer2", "layer2.1", "layer3")],
        *[(Residual, name) for name in ("layer1", "layer2", "layer3", "layer1.1.conv2")],
        (Folded, "layer"),
    ],
)
@pytest.mark.parametrize("batch_size", [2, 16])
def test_ablation_equals_a_loop_over_full_passes(
    build: type[nn.Module], layer: str, batch_size: int
) -> None:
    network, x, class_ids = settled(build), clip(), [3, 1]

    def unpack(output: Tensor) -> Tensor:
        if output.ndim == 4:  # four frames of each sample
            output = output.unflatten(0, (-1, 4)).transpose(1, 2)
        return output

    weights = ablation_weights(
        network, x, layer, own_classes(class_ids), unpack=unpack, batch_size=batch_size
    )
    expected = naive_ablation(network, x, layer, class_ids)
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-10, atol=1e-12)
    assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_ablation_in_front_of_a_pool_and_linear_head_has_a_closed_form(seed: int) -> None:
    network, x, class_id = seeded(PoolLinear, seed).eval(), clip(seed), 2
    A = output_of(network, x, "relu")
    with torch.no_grad():
        y = network(x)[:, class_id, None]
        expected = network.fc.weight[class_id] * A.mean((2, 3, 4)) / y
    weights = ablation_weights(network, x, "relu", class_scores(class_id))
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-12)


def test_ablation_of_r3d_18() -> None:
    network = r3d_18(weights=None).eval()
    x = clip(batch=1, size=(4, 32, 32)).float()
    weights = ablation_weights(network, x, "layer4.0.conv1", class_scores(7), batch_size=64)
    assert weights.shape == (1, 512)
    with torch.no_grad():
        y = network(x)[0, 7].item()
    for k in (0, 100, 511):
        expected = (y - score_without(network, x, "layer4.0.conv1", k, 7)) / y
        assert weights[0, k].item() == pytest.approx(expected, abs=2e-5)


def test_tokens_are_ablated_where_unpack_takes_them_from() -> None:
    network, x = settled(Tokens), clip()

    def unpack(tokens: Tensor) -> Tensor:  # (N, 1 + T' H' W', K), the class token in front
        return tokens[:, 1:].unflatten(1, (2, 3, 2)).movedim(-1, 1)

    weights = ablation_weights(network, x, "blocks.0", class_scores(0), unpack=unpack)
    tokens = output_of(network, x, "blocks.0")
    for n in range(2):
        for k in range(8):
            altered = tokens[n : n + 1].clone()
            altered[:, 1:, k] = 0
            with torch.no_grad():
                y, y_k = (
                    network.fc(network.blocks[1](t)[:, 0])[0, 0].item()
                    for t in (tokens[n : n + 1], altered)
                )
            assert weights[n, k].item() == pytest.approx((y - y_k) / y, rel=1e-9)


def test_a_score_of_zero_gives_weights_of_zero() -> None:
    network = settled(PoolLinear)
    weights = ablation_weights(network, clip(), "conv2", lambda outputs, _: outputs[:, 0] * 0)
    assert torch.equal(weights, torch.zeros(2, 5, dtype=torch.float64))


def naive_score_cam(
    model: nn.Module, x: Tensor, A: Tensor, class_ids: list[int], mode: str
) -> np.ndarray:
    raw = np.zeros(A.shape[:2])
    for n, class_id in enumerate(class_ids):
        for k in range(A.shape[1]):
            mask = interpolate(A[n, k][None, None], x.shape[2:], mode=mode, align_corners=True)
            mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            with torch.no_grad():
                raw[n, k] = model(x[n : n + 1] * mask)[0, class_id].item()
    powers = np.exp(raw - raw.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("batch_size", [2, 16])
@pytest.mark.parametrize(
    ("build", "layer"), [(PoolLinear, "conv1"), (Nonlinear, "layer3"), (Residual, "layer2")]
)
def test_score_cam_equals_a_loop_over_channels(
    build: type[nn.Module], layer: str, batch_size: int
) -> None:
    network, x, class_ids = settled(build), clip() * 4, [3, 1]
    weights = score_weights(network, x, layer, own_classes(class_ids), batch_size=batch_size)
    A = output_of(network, x, layer)
    expected = naive_score_cam(network, x, A, class_ids, "trilinear")
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-9)
    assert expected.std() > 1e-4


class Flat(nn.Module):
    """A 2D network on still images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 6, 3, 2, 1)
        self.last = nn.Conv2d(6, 5, 3, 2, 1)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.last(self.layer(x).relu()).tanh().amax((2, 3)))


def test_score_cam_equals_pytorch_grad_cam_on_images() -> None:
    network = settled(Flat).float()
    x, class_ids = clip(size=(1, 21, 18))[:, :, 0].float() * 3, [2, 0]
    weights = score_weights(network, x, "layer", own_classes(class_ids))
    A = output_of(network, x, "layer")
    with ScoreCAM(network, [network.layer]) as peer:
        expected = peer.get_cam_weights(
            x, network.layer, [ClassifierOutputTarget(c) for c in class_ids], A.numpy(), None
        )
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-5)
    loop = naive_score_cam(network, x, A, class_ids, "bilinear")
    np.testing.assert_allclose(weights.numpy(), loop, atol=1e-6)


def test_score_cam_masks_every_pathway_at_its_own_size() -> None:
    network = settled(Pathways)
    slow, fast = inputs(Pathways, 1)
    weights = score_weights(network, [slow, fast], "pair.conv", lambda outputs, _: outputs[0][:, 1])
    A = output_of(network, [slow.clone(), fast.clone()], "pair.conv")
    raw = []
    for k in range(A.shape[1]):
        masked = []
        for path in (slow, fast):
            mask = interpolate(
                A[:, k : k + 1], path.shape[2:], mode="trilinear", align_corners=True
            )
            masked.append(path * (mask - mask.min()) / (mask.max() - mask.min() + 1e-8))
        with torch.no_grad():
            raw.append(network(masked)[0][0, 1])
    torch.testing.assert_close(weights[0], torch.stack(raw).softmax(0), rtol=1e-9, atol=0)


def test_score_cam_of_frames_folded_in_the_input() -> None:
    class Frames(Folded):
        def forward(self, x: Tensor) -> Tensor:  # (N x 4, C, H, W)
            return super().forward(x.unflatten(0, (-1, 4)).transpose(1, 2))

    def unpack(output: Tensor) -> Tensor:
        return output.unflatten(0, (-1, 4)).transpose(1, 2)

    x = clip()
    folded, example = (clip(batch=batch).transpose(1, 2).flatten(0, 1) for batch in (2, 3))
    weights = score_weights(
        settled(Frames, example), folded, "layer", class_scores(1), samples=2, unpack=unpack
    )
    expected = score_weights(settled(Folded), x, "layer", class_scores(1), unpack=unpack)
    torch.testing.assert_close(weights, expected)


class WithDeadChannels(PoolLinear):
    """Channel 1 is 0, channel 2 is 3 everywhere, channel 4 is channel 0 again."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.altered(self.conv1(x).tanh())).mean((2, 3, 4)))

    def __init__(self) -> None:
        super().__init__()
        self.altered = nn.Sequential(self.conv2, Altered())


class Altered(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 1], x[:, 2], x[:, 4] = 0, 3, x[:, 0]
        return x


def rows_seen(model: nn.Module, layer: str) -> list[int]:
    """The number of rows in each call of a module."""
    rows: list[int] = []
    model.get_submodule(layer).register_forward_hook(lambda *a: rows.append(len(a[2])))
    return rows


def test_a_dead_channel_is_not_ablated() -> None:
    network, x = settled(WithDeadChannels), clip()
    rows = rows_seen(network, "fc")
    weights = ablation_weights(network, x, "altered", class_scores(0))
    assert rows == [2, 4, 4]  # one pass of both samples, then four of five channels each
    assert weights[:, 1].tolist() == [0, 0]
    expected = naive_ablation(network, x, "altered", [0, 0])
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-10, atol=1e-14)


def test_constant_and_equal_channels_are_scored_once() -> None:
    network, x = settled(WithDeadChannels), clip() * 4
    rows = rows_seen(network, "conv1")
    weights = score_weights(network, x, "altered", class_scores(0))
    assert rows == [2, 3, 3]  # {0, 4}, {1, 2} and 3
    expected = naive_score_cam(network, x, output_of(network, x, "altered"), [0, 0], "trilinear")
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-9)


def test_the_softmax_is_over_the_channels_that_vary_most() -> None:
    network, x = settled(WithDeadChannels), clip() * 4
    rows = rows_seen(network, "conv1")
    weights = score_weights(network, x, "altered", class_scores(0), max_channels=2)
    A = output_of(network, x, "altered")
    every = score_weights(network, x, "altered", class_scores(0))
    for n in range(2):
        chosen = A[n].flatten(1).var(1).argsort(descending=True, stable=True)[:2]
        expected = torch.zeros(5).double()
        expected[chosen] = every[n, chosen] / every[n, chosen].sum()
        torch.testing.assert_close(weights[n], expected)
    assert all(count <= 2 for count in rows[:3])
    assert torch.equal(
        score_weights(network, x, "altered", class_scores(0), max_channels=99), every
    )


@pytest.mark.parametrize("weigh", [ablation_weights, score_weights])
def test_no_more_than_a_batch_runs_at_once_and_the_front_runs_once(weigh: Callable) -> None:
    network, reported = settled(Residual), []

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[Callable[[int], None]]:
        yield reported.append
        assert sum(reported) == total == 10

    stem, fc = rows_seen(network, "stem"), rows_seen(network, "fc")
    weigh(network, clip(), "layer2.conv2", class_scores(0), batch_size=3, progress=progress)
    assert fc == [2, 3, 2, 3, 2]  # five channels of each sample
    assert stem == ([2] if weigh is ablation_weights else fc)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("weigh", [ablation_weights, score_weights])
def test_the_model_is_left_as_found(weigh: Callable, fails: bool) -> None:
    network = seeded(Residual).train()
    network.layer2.eval()
    network.fc.bias.requires_grad_(False)
    network(clip()).sum().backward()
    attributes = [dict(vars(module)) for module in network.modules()]
    before, x = fingerprint(network), clip()

    def score(outputs: Tensor, sample: int) -> Tensor:
        if fails and sample == 1:
            raise ZeroDivisionError
        return outputs[:, 0]

    def use() -> Tensor:
        return weigh(network, x, "layer2", score)

    if fails:
        with pytest.raises(ZeroDivisionError):
            use()
    else:
        assert not use().is_inference()
    assert_same(before, fingerprint(network))
    assert [dict(vars(module)) for module in network.modules()] == attributes
    assert torch.equal(x, clip())


@pytest.mark.parametrize("weigh", [ablation_weights, score_weights])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "layer9"}, "did you mean"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"unpack": lambda output: output[:, 0]}, "unpack made"),
        ({"score": lambda outputs, sample: outputs.sum()}, "score made ()"),
    ],
)
def test_a_mistake_gets_one_clear_line(weigh: Callable, options: dict, words: str) -> None:
    options = {"layer": "layer2", "score": class_scores(0)} | options
    with pytest.raises(UsageError) as caught:
        weigh(settled(Residual), clip(), **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistakes_of_one_method_get_one_clear_line() -> None:
    network, x = settled(Residual), clip()
    with pytest.raises(UsageError, match="only move elements"):
        ablation_weights(network, x, "layer2", class_scores(0), unpack=lambda output: output * 2)
    with pytest.raises(UsageError, match="max_channels is 0"):
        score_weights(network, x, "layer2", class_scores(0), max_channels=0)
    with pytest.raises(UsageError, match="clips and images only"):
        score_weights(
            network.fc,
            torch.ones(2, 9).double(),
            "",
            class_scores(0),
            unpack=lambda o: o[:, :, None, None, None],
        )
