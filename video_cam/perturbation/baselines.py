"""What replaces a clip, or a part of it, that is taken away."""

from __future__ import annotations

import torch
from torch import Tensor

from video_cam.utils.names import check_names

BASELINES = ("blur", "mean", "before")
BLUR_SHARE = 1 / 8  # standard deviation of the blur, as a share of the frame's shorter side
EARLIER_SHARE = 1 / 4  # of the clip's frames, how far "before" goes back


def baseline_of(x: Tensor, name: str) -> Tensor:
    """What replaces a clip, or a part of it, that is taken away.

    Args:
        x: clips, (..., C, T, H, W).
        name: "blur": each frame blurred by a Gaussian whose standard deviation is BLUR_SHARE of
            the shorter side; "mean": the mean of each channel; "before": the frame that was shown
            EARLIER_SHARE of the clip earlier (at its start, that much later), which keeps what
            stands still and takes away motion alone.

    Returns:
        Of the shape of ``x``.

    Raises:
        UsageError: for another name.
    """
    check_names("baseline", [name], BASELINES)
    if name == "mean":
        return x.mean((-3, -2, -1), keepdim=True).expand_as(x)
    if name == "before":
        return _earlier(x)
    sigma = BLUR_SHARE * min(x.shape[-2:])
    for axis in (-2, -1):
        x = _blur_axis(x, sigma, axis)
    return x


def _earlier(x: Tensor) -> Tensor:
    """Each frame replaced by an earlier one; the first ones by as much later ones."""
    frames = x.shape[-3]
    distance = max(round(EARLIER_SHARE * frames), 1)
    sources = [
        t - distance if t >= distance else min(t + distance, frames - 1) for t in range(frames)
    ]
    return torch.stack([x.select(-3, source) for source in sources], -3)


def _blur_axis(x: Tensor, sigma: float, axis: int) -> Tensor:
    """A Gaussian blur along one axis; the border pixels continue beyond the frame."""
    length = x.shape[axis]
    reach = max(round(3 * sigma), 1)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2).to(x)
    positions = torch.arange(length, device=x.device)[:, None]
    sources = (positions + offsets).clamp(0, length - 1)  # (length, kernel)
    matrix = torch.zeros(length, length, device=x.device, dtype=x.dtype)
    matrix.scatter_add_(1, sources, (kernel / kernel.sum()).expand(length, -1))
    return torch.tensordot(x, matrix, dims=([axis], [1])).movedim(-1, axis)
