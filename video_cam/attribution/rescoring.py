"""Weights from scores of altered activations or inputs: Ablation-CAM and Score-CAM.

Neither needs a gradient. A score is a function of the network's outputs and of the number of the
sample they belong to, so that each sample can have its own class; with one class for all,
``lambda outputs, sample: outputs[:, class_id]``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from video_cam.attribution.replay import Replay
from video_cam.errors import UsageError
from video_cam.layers.axes import Unpacks, run, time_axis, to_grid, unpacked
from video_cam.layers.hooks import frozen_evaluation
from video_cam.utils.nested import map_tensors, sample_rows
from video_cam.utils.progress import Progress, Step, silent

Score = Callable[[Any, int], Tensor]  # (the network's outputs for B altered ones, sample) -> (B,)


def ablation_weights(
    recorded: Replay,
    score: Score,
    *,
    unpack: Unpacks = to_grid,
    batch_size: int = 16,
    progress: Progress = silent,
) -> Tensor:
    """Ablation-CAM: w_k = (y - y_k) / y, signed (N, K) (Desai and Ramaswamy 2020, eq. 3).

    y is a sample's score and y_k its score with channel k of the recorded layer set to 0. Only
    what follows the layer runs, on ``batch_size`` altered activations at most. ``unpack`` brings
    the layer's output to (N, K, T', H', W') by moving elements alone: those it leaves out, such as
    a class token, are not ablated.

    Raises UsageError for an ``unpack`` or ``score`` of the wrong shape.
    """
    _check_positive("batch_size", batch_size)
    cells = _cells(recorded.sample_activation(0), unpack, recorded.layer)
    with progress("ablate", recorded.samples * len(cells)) as step:
        rows = [
            _ablation_row(recorded, sample, cells, score, batch_size, step)
            for sample in range(recorded.samples)
        ]
    return torch.stack(rows)


def score_weights(
    model: nn.Module,
    x: Any,
    channels: Tensor,
    score: Score,
    *,
    batch_size: int = 16,
    max_channels: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Score-CAM: w = softmax over channels of the score of x * H_k, (N, K) (Wang et al. 2020).

    H_k is channel k of ``channels`` (N, K, T', H', W'), a layer's output for ``x``, upsampled to
    the input (corners on corners), brought to [0, 1] by its own minimum and maximum: all 0 where
    the channel is constant. The paper subtracts the score of a baseline, which no softmax notices.
    Channels with the same H_k run once, and ``batch_size`` masked inputs at most at a time.

    max_channels: how many channels run, those that vary most over time and space; the softmax is
    over them and the others weigh 0. ``x``: tensors (N, C, T, H, W) or (N, C, H, W); where there
    are more rows than N, frames are folded into the first axis, and they are the mask's time.
    """
    _check_positive("batch_size", batch_size)
    if max_channels is not None:
        _check_positive("max_channels", max_channels)
    samples = len(channels)
    count = channels.shape[1] if max_channels is None else min(max_channels, channels.shape[1])
    with (
        frozen_evaluation(model),
        torch.inference_mode(),
        progress("score", samples * count) as step,
    ):
        rows = []
        for sample, own in enumerate(channels):
            clip = map_tensors(partial(sample_rows, samples=samples, sample=sample, copies=1), x)
            rows.append(_score_row(model, clip, own, sample, score, batch_size, count, step))
    return torch.stack(rows)


def _ablation_row(
    recorded: Replay, sample: int, cells: Tensor, score: Score, batch_size: int, step: Step
) -> Tensor:
    """The weights (K,) of one sample. ``cells`` (K, P): where each channel's elements lie."""
    activation = recorded.sample_activation(sample)
    flat = activation.flatten()
    [y] = _scores(score, recorded.sample_outputs(sample), sample, 1)
    weights = y.new_zeros(len(cells))
    # A channel of zeros is its own ablation: weight 0. A drop relative to a score of 0 is not
    # defined, and 0 leaves the map empty where a quotient would fill it with infinities.
    alive = (flat[cells] != 0).any(1).nonzero()[:, 0] if y != 0 else cells.new_empty(0)
    step(len(cells) - len(alive))
    for chunk in alive.split(batch_size):
        altered = flat.repeat(len(chunk), 1).scatter_(1, cells[chunk], 0)
        altered = altered.reshape(-1, *activation.shape[1:])  # (B, F x ...) -> (B x F, ...)
        y_k = _scores(score, recorded.rerun(altered, sample), sample, len(chunk))
        weights[chunk] = (y - y_k) / y
        step(len(chunk))
    return weights


def _cells(activation: Tensor, unpack: Unpacks, layer: str) -> Tensor:
    """Which elements of one sample's flat activation make up each channel: int64 (K, P)."""
    # What unpack does to the elements' numbers it does to the elements. float64 holds them all.
    numbers = torch.arange(activation.numel(), dtype=torch.float64).reshape(activation.shape)
    grid = unpacked(unpack, numbers, layer)[0]  # (K, T', H', W')
    cells = grid.flatten(1).long()
    distinct = cells.unique()  # sorted
    if (
        not torch.equal(cells, grid.flatten(1))
        or len(distinct) < cells.numel()
        or not 0 <= distinct[0] <= distinct[-1] < numbers.numel()
    ):
        raise UsageError(
            f"unpack computes with the output of layer {layer!r}: to ablate channels it must only "
            "move elements (reshape, permute, index)"
        )
    return cells.to(activation.device)


def _score_row(
    model: nn.Module,
    x: Any,
    channels: Tensor,
    sample: int,
    score: Score,
    batch_size: int,
    count: int,
    step: Step,
) -> Tensor:
    """The weights (K,) of one sample from its input and its channels (K, T', H', W')."""
    flat = channels.to(torch.promote_types(channels.dtype, torch.float32)).flatten(1)
    chosen = flat.var(1, correction=0).argsort(descending=True, stable=True)[:count]
    constant = flat.amax(1, keepdim=True) == flat.amin(1, keepdim=True)
    flat = flat.masked_fill(constant, 0)[chosen]  # one mask for all constant channels
    distinct, place = torch.unique(flat, dim=0, return_inverse=True)
    step(count - len(distinct))
    scores = []
    for part in distinct.split(batch_size):
        masks = part.reshape(-1, 1, *channels.shape[1:])
        outputs = run(model, map_tensors(partial(masked_inputs, channels=masks), x))
        scores.append(_scores(score, outputs, sample, len(part)))
        step(len(part))
    raw = torch.cat(scores)
    return raw.new_zeros(len(channels)).index_copy_(0, chosen, raw[place].softmax(0))


def masked_inputs(x: Tensor, channels: Tensor) -> Tensor:
    """One sample's input times each of B channels, upsampled and brought to [0, 1].

    x is (1, C, T, H, W), (1, T, 3, H, W), or (F, C, H, W): F frames of one clip, or a still image
    with F = 1. channels: (B, 1, T', H', W'). Returns (B, C, T, H, W), (B, T, 3, H, W) or
    (B x F, C, H, W).
    """
    if x.ndim not in (4, 5) or (x.ndim == 5 and len(x) != 1):
        raise UsageError(
            f"one sample's input has shape {tuple(x.shape)}, expected (1, C, T, H, W) or "
            "(F, C, H, W): Score-CAM masks clips and images only"
        )
    # (C, T, H, W)
    clip = x[0].movedim(time_axis(x) - 1, 1) if x.ndim == 5 else x.transpose(0, 1)
    size = list(clip.shape[1:])
    H = interpolate(channels, size, mode="trilinear", align_corners=True)
    low, high = H.amin((2, 3, 4), keepdim=True), H.amax((2, 3, 4), keepdim=True)
    masked = clip * ((H - low) / (high - low + 1e-8)).to(clip.dtype)  # (B, C, T, H, W)
    if x.ndim == 5:
        return masked.movedim(2, time_axis(x))
    return masked.transpose(1, 2).flatten(0, 1)


def _scores(score: Score, outputs: Any, sample: int, batch: int) -> Tensor:
    """The scores (batch,), in float32 at least: differences of them are what counts."""
    scores = score(outputs, sample)
    if scores.shape != (batch,):
        raise UsageError(
            f"score made {tuple(scores.shape)} of the outputs for {batch} inputs, expected "
            f"({batch},): give one number for each"
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise UsageError(f"{name} is {value}: give 1 or more")
