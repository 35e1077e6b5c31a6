"""Networks that fold a clip into images by ``view``, in another order of axes than it is given.

Such a network runs without an error, on images whose colours come from three different frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.trace import input_dtype

_SAME = 0.9  # correlation of two planes that differ only by a normalisation


class _Seen(Exception):
    """The input of the first convolution has been seen; the rest of the pass is not needed."""


def refuse_mixed_frames(module: nn.Module, size: Sequence[int], layout: str) -> None:
    """Run the network up to its first convolution, and compare what that gets with the frames.

    Args:
        module: takes (N, 3, T, H, W).
        size: (T, H, W) of the input.
        layout: in which its own forward is given a clip, for the message.

    Raises:
        UsageError: where the three channels of an image come from different frames.
    """
    generator = torch.Generator().manual_seed(0)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    x = torch.randn(1, 3, *size, generator=generator)
    seen = _input_of_first_convolution(module, x.to(device, input_dtype(module)))
    if seen is None or seen.ndim != 4 or seen.shape[1] != 3 or seen.shape[2:] != x.shape[3:]:
        return
    likeness = _unit(seen[0].float().cpu()) @ _unit(x[0].flatten(0, 1)).T  # (3, 3 T)
    best = likeness.abs().max(1)
    frames = {int(plane) % size[0] for plane in best.indices}
    if float(best.values.min()) > _SAME and len(frames) > 1:
        other = "NTCHW" if layout == "NCTHW" else "NCTHW"
        raise UsageError(
            "the network folds the clip into images so that the three channels of one image come "
            f"from frames {', '.join(map(str, sorted(frames)))}: give --layout-in {other}"
        )


def _unit(planes: Tensor) -> Tensor:
    """Planes (n, H, W) as rows of mean 0 and length 1."""
    rows = planes.flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)


def _input_of_first_convolution(module: nn.Module, x: Tensor) -> Tensor | None:
    found: list[Tensor] = []

    def keep(_part: nn.Module, arguments: tuple[Any, ...]) -> None:
        found.extend(one for one in arguments[:1] if isinstance(one, Tensor))
        raise _Seen

    parts = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Conv3d)]
    if not parts:
        return None
    handles = [part.register_forward_pre_hook(keep) for part in parts]
    try:
        with torch.no_grad(), frozen_evaluation(module):
            run_network(module, x)
    except _Seen:
        return next(iter(found), None)
    except Exception:  # the network's own code may raise anything; its run on the clip tells
        return None
    finally:
        for handle in handles:
            handle.remove()
    return None
