"""Single samples of a network's input, and several altered ones joined to an input again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.layers.axes import has_pixels
from video_cam.utils.nested import map_tensors, sample_rows, tensors_in

# From a clip (C, T, H, W), and the same clip of further samples, to one of the same shape.
ChangeClip = Callable[..., Tensor]


def samples_of(x: Any, count: int) -> list[Any]:
    """The samples of an input, each of which is an input of one sample.

    Args:
        x: tensors (N, ...) in any container; with more rows than N, the frames of each sample are
            folded into the first axis. Tensors without rows of single samples are in all of them.
        count: N.
    """
    return [
        map_tensors(partial(sample_rows, samples=count, sample=index, copies=1), x)
        for index in range(count)
    ]


def change_clips(change: ChangeClip, sample: Any, *others: Any) -> Any:
    """A sample with its clips changed; of a sample without clips its images.

    What else a network takes beside them, such as sound, stays as it is.

    Args:
        change: called with (C, T, H, W), of ``sample`` and of each of ``others``; T is 1 for a
            still image, and the number of frames where these are folded into the first axis.
        sample: one sample's input.
        others: of the same structure.

    Raises:
        UsageError: for a sample with several clips in its first axis.
    """
    axes = max((tensor.ndim for tensor in tensors_in(sample) if has_pixels(tensor)), default=0)

    beside = [tensors_in(other) for other in others]

    def changed(tensor: Tensor) -> Tensor:
        several = [tensor, *map(next, beside)]
        if axes and (tensor.ndim != axes or not tensor.is_floating_point()):
            return tensor
        if tensor.ndim == 5 and len(tensor) == 1:
            return change(*(one[0] for one in several))[None]
        if tensor.ndim == 4:
            return change(*(one.transpose(0, 1) for one in several)).transpose(0, 1)
        raise UsageError(
            f"one sample's input has shape {tuple(tensor.shape)}, expected (1, C, T, H, W) or "
            "(F, C, H, W): only clips and images can be altered"
        )

    return map_tensors(changed, sample)


def join_samples(samples: Sequence[Any]) -> Any:
    """Samples of the same structure as one input: their rows one after the other."""
    rows = zip(*(tensors_in(sample) for sample in samples), strict=True)
    joined = (parts[0] if parts[0].ndim == 0 else torch.cat(parts) for parts in rows)
    return map_tensors(lambda _: next(joined), samples[0])
