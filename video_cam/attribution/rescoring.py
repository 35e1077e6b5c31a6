"""Channel weights from scores of ablated activations (Ablation-CAM) or masked inputs (Score-CAM).

No gradient is needed. A score function takes the network's outputs and the index of the sample that
they belong to, so each sample can have its own class; with one class for all samples it is
``lambda outputs, sample: outputs[:, class_id]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from video_cam.attribution.replay import Replay
from video_cam.errors import UsageError
from video_cam.layers.axes import Unpacks, run_network, to_grid, unpacked
from video_cam.layers.hooks import frozen_evaluation
from video_cam.perturbation.samples import change_clips, join_samples, samples_of
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.devices import on_cpu, sent
from video_cam.utils.memory import BatchHalving
from video_cam.utils.nested import strided_like, tensors_in
from video_cam.utils.progress import Progress, Step, silent

# (outputs of the network for B variants of a sample, index of the sample) -> scores (B,)
ScoreFunction = Callable[[Any, int], Tensor]


def ablation_weights(
    replay: Replay,
    score: ScoreFunction,
    *,
    unpack: Unpacks = to_grid,
    batch_size: int = 16,
    progress: Progress = silent,
    filled: Tensor | None = None,
) -> Tensor:
    """Ablation-CAM: w_k = (y - y_k) / y (Desai and Ramaswamy 2020, eq. 3).

    y is the sample's score, y_k its score with channel k of the layer set to 0. Only what follows
    the layer runs. A channel of zeros has weight 0; where y is 0, all weights are 0.

    Args:
        replay: of the layer, from a recorded forward pass.
        score: the score function.
        unpack: brings the layer's output to (N, K, T', H', W'), only by moving elements. Elements
            that it leaves out, such as a class token, are not ablated.
        batch_size: ablated activations in one pass.
        progress: reports the number of scored channels.
        filled: of ``filled_channels``, on the CPU; None to find them.

    Returns:
        Signed (N, K), float32 or float64.

    Raises:
        UsageError: for an ``unpack`` or ``score`` with a wrong result.
    """
    _check_positive("batch_size", batch_size)
    elements = _channel_elements(replay.sample_activation(0), unpack, replay.layer)
    if filled is None:
        [filled] = on_cpu([filled_channels(replay, unpack)])
    with progress("ablate", replay.samples * len(elements)) as step:
        rows = [
            _ablation_row(replay, sample, elements, own.nonzero()[:, 0], score, batch_size, step)
            for sample, own in enumerate(filled)
        ]
    return torch.stack(rows)


def filled_channels(replay: Replay, unpack: Unpacks = to_grid) -> Tensor:
    """The channels with a value other than 0: ablating others changes nothing.

    Args:
        replay, unpack: as in ``ablation_weights``.

    Returns:
        bool (N, K), on the device of the layer's output.

    Raises:
        UsageError: for an ``unpack`` with a wrong result.
    """
    elements = _channel_elements(replay.sample_activation(0), unpack, replay.layer)
    rows = [replay.sample_activation(sample).flatten() for sample in range(replay.samples)]
    return torch.stack([(row[elements] != 0).any(1) for row in rows])


def score_weights(
    model: nn.Module,
    x: Any,
    channels: Tensor,
    score: ScoreFunction,
    *,
    batch_size: int = 16,
    max_channels: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Score-CAM: w = softmax over channels k of the score of x * H_k (Wang et al. 2020).

    H_k is channel k upsampled to the input, with aligned corners, and scaled to [0, 1] by its own
    minimum and maximum; a constant channel gives 0. The paper subtracts the score of a baseline
    input, which does not change a softmax. Channels with the same H_k run once.

    Args:
        model: the network.
        x: its input: tensors (N, C, T, H, W) or (N, C, H, W). With more rows than N, the frames of
            each sample are folded into the first axis.
        channels: (N, K, T', H', W'), the layer's output for ``x``, on any device.
        score: the score function.
        batch_size: masked inputs in one pass.
        max_channels: run only this many channels, those with the largest variance; the softmax is
            over them, and the others have weight 0. None runs all.
        progress: reports the number of scored channels.

    Returns:
        (N, K), float32 or float64, not negative; each row sums to 1.

    Raises:
        UsageError: for inputs that are no clips or images, and for wrong options.
    """
    _check_positive("batch_size", batch_size)
    if max_channels is not None:
        _check_positive("max_channels", max_channels)
    count = channels.shape[1] if max_channels is None else min(max_channels, channels.shape[1])
    # How many masks there are decides what runs, so they are made where that is known at once.
    [channels] = on_cpu([channels])
    with (
        frozen_evaluation(model),
        torch.inference_mode(),
        progress("score", len(channels) * count) as step,
    ):
        rows = [
            _score_row(model, clip, own, sample, score, batch_size, count, step)
            for sample, (clip, own) in enumerate(
                zip(samples_of(x, len(channels)), channels, strict=True)
            )
        ]
    return torch.stack(rows)


def _ablation_row(
    replay: Replay,
    sample: int,
    elements: Tensor,
    ablated: Tensor,
    score: ScoreFunction,
    batch_size: int,
    step: Step,
) -> Tensor:
    """The weights (K,) of one sample.

    ``elements`` (K, P) are positions of each channel's elements, ``ablated`` channels, on the CPU.
    """
    activation = replay.sample_activation(sample)
    flat = activation.flatten()
    [y] = _scores(score, replay.sample_outputs(sample), sample, 1)
    weights = y.new_zeros(len(elements))
    step(len(elements) - len(ablated))
    for part in ablated.split(batch_size):
        chunk = sent(part, flat.device)
        without = flat.repeat(len(chunk), 1).scatter_(1, elements[chunk], 0)
        without = without.reshape(-1, *activation.shape[1:])  # (B, F x ...) -> (B x F, ...)
        without = strided_like(without, activation)
        y_k = _scores(score, replay.rerun(without, sample), sample, len(chunk))
        # Relative to a score of 0 a drop is not defined: weights of 0 leave the map empty, a
        # quotient would fill it with infinities.
        weights[chunk] = torch.where(y != 0, (y - y_k) / y, torch.zeros_like(y_k))
        step(len(chunk))
    return weights


def _channel_elements(activation: Tensor, unpack: Unpacks, layer: str) -> Tensor:
    """Positions of each channel's elements in one sample's flat activation: int64 (K, P)."""
    # ``unpack`` moves the elements' indices as it moves the elements. float64 holds them exactly.
    indices = torch.arange(activation.numel(), dtype=torch.float64).reshape(activation.shape)
    grid = unpacked(unpack, indices, layer)[0]  # (K, T', H', W')
    elements = grid.flatten(1).long()
    distinct = elements.unique()  # sorted
    if (
        not torch.equal(elements, grid.flatten(1))
        or len(distinct) < elements.numel()
        or not 0 <= distinct[0] <= distinct[-1] < indices.numel()
    ):
        raise UsageError(
            f"unpack computes with the output of layer {layer!r}: to ablate channels it must only "
            "move elements (reshape, permute, index)"
        )
    return sent(elements, activation.device)


def _score_row(
    model: nn.Module,
    x: Any,
    channels: Tensor,
    sample: int,
    score: ScoreFunction,
    batch_size: int,
    count: int,
    step: Step,
) -> Tensor:
    """The weights (K,) of one sample from its input and its channels (K, T', H', W') on the CPU."""
    device = next(tensors_in(x)).device
    flat = channels.to(torch.promote_types(channels.dtype, torch.float32)).flatten(1)
    chosen = flat.var(1, correction=0).argsort(descending=True, stable=True)[:count]
    constant = flat.amax(1, keepdim=True) == flat.amin(1, keepdim=True)
    flat = flat.masked_fill(constant, 0)[chosen]  # so that all constant channels have one mask
    distinct, mask_of = torch.unique(flat, dim=0, return_inverse=True)
    step(count - len(distinct))
    masks = sent(distinct, device).reshape(-1, 1, 1, *channels.shape[1:])
    altered = ((x, partial(change_clips, partial(masked_clip, channel=mask))) for mask in masks)

    def scores(several: Sequence[Any]) -> Tensor:
        outputs = run_network(model, join_samples(several))
        return _scores(score, outputs, sample, len(several))

    halving = BatchHalving(batch_size)
    raw = torch.cat([*scores_of_altered(scores, altered, halving, step, join=list)])
    weights = raw[sent(mask_of, device)].softmax(0)
    return raw.new_zeros(len(channels)).index_copy_(0, sent(chosen, device), weights)


def masked_clip(clip: Tensor, channel: Tensor) -> Tensor:
    """A clip times a channel that is upsampled and scaled to [0, 1].

    Args:
        clip: (C, T, H, W).
        channel: (1, 1, T', H', W').

    Returns:
        (C, T, H, W).
    """
    H = interpolate(channel, list(clip.shape[1:]), mode="trilinear", align_corners=True)[0]
    low, high = H.amin(), H.amax()
    return clip * ((H - low) / (high - low + 1e-8)).to(clip.dtype)


def _scores(score: ScoreFunction, outputs: Any, sample: int, batch: int) -> Tensor:
    """The scores (batch,), at least in float32, because small differences between them matter."""
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
