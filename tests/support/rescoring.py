"""Weights of Ablation-CAM and Score-CAM from a recorded pass, and naive references for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tests.support.networks import PoolLinear
from tests.support.replay_networks import replay
from video_cam.attribution import rescoring
from video_cam.layers.axes import Unpack, to_grid, unpacked


def ablation_weights(
    model: nn.Module, x: Any, layer: str, score: rescoring.ScoreFunction, **options: Any
) -> Tensor:
    """``rescoring.ablation_weights`` of a pass recorded here."""
    with replay(model, x, layer, samples=options.pop("samples", None)) as recorded:
        return rescoring.ablation_weights(recorded, score, **options)


def score_weights(
    model: nn.Module,
    x: Any,
    layer: str,
    score: rescoring.ScoreFunction,
    *,
    unpack: Unpack = to_grid,
    samples: int | None = None,
    **options: Any,
) -> Tensor:
    """``rescoring.score_weights`` for the layer's output in a pass made here."""
    with replay(model, x, layer, samples=samples) as recorded:
        channels = unpacked(unpack, recorded.activation, layer)
    return rescoring.score_weights(model, x, channels, score, **options)


def score_of(class_id: int) -> Callable[[Any, int], Tensor]:
    """The score function of one class for all samples."""
    return lambda outputs, sample: outputs[:, class_id]


def scores_of(class_ids: list[int]) -> Callable[[Any, int], Tensor]:
    """The score function of one class for each sample."""
    return lambda outputs, sample: outputs[:, class_ids[sample]]


def output_of(model: nn.Module, x: Any, layer: str) -> Tensor:
    """A layer's output in a full pass."""
    found: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda *a: found.append(a[2].clone()))
    with torch.no_grad():
        model(x)
    handle.remove()
    return found[0]


def row_counts(model: nn.Module, layer: str) -> list[int]:
    """A list to which every later call of a module adds the number of its rows."""
    rows: list[int] = []
    model.get_submodule(layer).register_forward_hook(lambda *a: rows.append(len(a[2])))
    return rows


def score_without(model: nn.Module, x: Tensor, layer: str, channel: int, class_id: int) -> float:
    """The score of one sample in a full pass with one channel of a layer set to 0."""

    def zero(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, channel] = 0
        return output

    handle = model.get_submodule(layer).register_forward_hook(zero)
    with torch.no_grad():
        score = model(x)[0, class_id].item()
    handle.remove()
    return score


def naive_ablation(model: nn.Module, x: Tensor, layer: str, class_ids: list[int]) -> np.ndarray:
    """Weights of Ablation-CAM by a loop over full passes."""
    channels = output_of(model, x, layer).shape[1]
    weights = np.zeros((len(x), channels))
    for n, class_id in enumerate(class_ids):
        with torch.no_grad():
            y = model(x[n : n + 1])[0, class_id].item()
        for k in range(channels):
            y_k = score_without(model, x[n : n + 1], layer, k, class_id)
            weights[n, k] = (y - y_k) / y
    return weights


def naive_score_cam(
    model: nn.Module, x: Tensor, A: Tensor, class_ids: list[int], mode: str = "trilinear"
) -> np.ndarray:
    """Weights of Score-CAM by a loop over channels."""
    raw = np.zeros(A.shape[:2])
    for n, class_id in enumerate(class_ids):
        for k in range(A.shape[1]):
            mask = interpolate(A[n, k][None, None], x.shape[2:], mode=mode, align_corners=True)
            mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            with torch.no_grad():
                raw[n, k] = model(x[n : n + 1] * mask)[0, class_id].item()
    powers = np.exp(raw - raw.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


class WithConstantChannels(PoolLinear):
    """In layer ``changed`` channel 1 is 0, channel 2 is 3, and channel 4 is a copy of channel 0."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = nn.Sequential(self.conv2, _SetChannels())

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.changed(self.conv1(x).tanh())).mean((2, 3, 4)))


class _SetChannels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 1], x[:, 2], x[:, 4] = 0, 3, x[:, 0]
        return x
