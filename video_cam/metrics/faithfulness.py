"""Does the network need what the map marks? Altered clips are scored again.

A score is any function from clips (N, C, T, H, W) to (N,), such as
``lambda x: model(x).softmax(1)[:, 3]``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.utils.names import check_names

Score = Callable[[Tensor], Tensor]
UNITS = ("voxels", "frames", "tubes")
BASELINES = ("blur", "mean")
BLUR_SHARE = 1 / 8  # standard deviation of the blur, of the picture's shorter side
STEPS = 10
BATCH = 16  # altered clips in one pass


def deletion(
    score: Score,
    x: Tensor,
    volume: Tensor,
    *,
    unit: str = "voxels",
    baseline: str = "blur",
    steps: int = STEPS,
) -> float:
    """Area under the score as the hottest is replaced first: lower is more faithful.

    Petsiuk et al. 2018 ("RISE", section 4.2), in video. x: one clip (C, T, H, W). volume: its map
    (T, H, W). unit, of UNITS: "voxels" one by one, whole "frames" by their heat, or "tubes", a
    pixel in all frames by its heat over time. baseline, of BASELINES: what replaces it, a blurred
    picture or the clip's mean colour. The score is taken at 0, 1/steps ... 1 of the clip, and
    the area is the trapezoids'. A score of probabilities gives 0 ... 1.
    """
    return _area(_scores(score, x, volume, unit, baseline, steps, inserting=False))


def insertion(
    score: Score,
    x: Tensor,
    volume: Tensor,
    *,
    unit: str = "voxels",
    baseline: str = "blur",
    steps: int = STEPS,
) -> float:
    """Area under the score as the hottest comes back first: higher is more faithful.

    As ``deletion``, from the replaced clip to the clip (Petsiuk et al. 2018).
    """
    return _area(_scores(score, x, volume, unit, baseline, steps, inserting=True))


def average_drop(score: Score, x: Tensor, volume: Tensor) -> tuple[float, float]:
    """(drop, increase) of the score where the clip is multiplied by its map in [0, 1].

    Chattopadhay et al. 2018 ("Grad-CAM++", section 4.1): drop = max(0, Y - O) / Y and increase =
    1 where O > Y, Y being the score of the clip and O that of the clip times the map. x: one
    clip (C, T, H, W) whose 0 is the mean colour, as networks take it. Means over clips are the
    "average drop" and the "average increase" (there in percent). A map of ones scores perfectly:
    hold the mean map of many clips beside it. NaN where Y is not positive.
    """
    _check_map(x, volume)
    positive = volume.clamp(min=0).to(x)
    heat = positive / positive.max().clamp(min=torch.finfo(x.dtype).tiny)
    with torch.no_grad():
        whole, shown = score(torch.stack([x, x * heat])).tolist()
    if whole <= 0:
        return float("nan"), float("nan")
    return max(0.0, whole - shown) / whole, float(shown > whole)


def baseline_of(x: Tensor, name: str) -> Tensor:
    """What is put in a clip's place: (..., C, T, H, W), each frame blurred, or the mean colour.

    The blur's standard deviation is BLUR_SHARE of the shorter side.
    """
    check_names("baseline", [name], BASELINES)
    if name == "mean":
        return x.mean((-3, -2, -1), keepdim=True).expand_as(x)
    sigma = BLUR_SHARE * min(x.shape[-2:])
    for axis in (-2, -1):
        x = _blur_axis(x, sigma, axis)
    return x


def rank_voxels(volume: Tensor, unit: str = "voxels") -> Tensor:
    """Each voxel's place in the order of heat, hottest 0, as a share of the clip in [0, 1).

    Voxels of one frame or tube share theirs. Equal heat is ordered by lot, the same every time:
    in reading order a flat map would begin with the first frame's upper rim.
    """
    check_names("unit", [unit], UNITS)
    heat = volume.clamp(min=0)
    units = {"voxels": heat, "frames": heat.sum((1, 2)), "tubes": heat.sum(0)}[unit]
    flat = units.flatten()
    lot = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0)).to(flat.device)
    order = lot[flat[lot].argsort(descending=True, stable=True)]
    ranks = torch.empty(len(flat), device=flat.device)
    ranks[order] = torch.arange(len(flat), device=flat.device) / len(flat)
    shape = {"voxels": volume.shape, "frames": (-1, 1, 1), "tubes": (1, *volume.shape[1:])}[unit]
    return ranks.reshape(shape).expand(volume.shape)


def _scores(
    score: Score,
    x: Tensor,
    volume: Tensor,
    unit: str,
    baseline: str,
    steps: int,
    inserting: bool,
) -> Tensor:
    """(steps + 1,) scores with ever more of the hottest replaced, or put back."""
    _check_map(x, volume)
    if steps < 1:
        raise UsageError(f"steps={steps} must be 1 or more")
    ranks, other = rank_voxels(volume, unit).to(x.device), baseline_of(x, baseline)
    before, after = (other, x) if inserting else (x, other)
    shares = torch.arange(steps + 1, device=x.device) / steps
    with torch.no_grad():
        return torch.cat(
            [
                score(torch.stack([torch.where(ranks < share, after, before) for share in part]))
                for part in shares.split(BATCH)
            ]
        ).double()


def _check_map(x: Tensor, volume: Tensor) -> None:
    if volume.shape != x.shape[1:]:
        raise UsageError(
            f"the map is {tuple(volume.shape)} and the clip {tuple(x.shape)}: expected (T, H, W) "
            "and (C, T, H, W) of one size"
        )
    if not volume.isfinite().all():
        raise UsageError("the map holds values that are not finite")


def _area(scores: Tensor) -> float:
    return float(torch.trapezoid(scores, dx=1 / (len(scores) - 1)))


def _blur_axis(x: Tensor, sigma: float, axis: int) -> Tensor:
    """A Gaussian along one axis; beyond the rim the picture goes on as it ends."""
    length = x.shape[axis]
    reach = max(round(3 * sigma), 1)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2).to(x)
    places = torch.arange(length, device=x.device)[:, None]
    sources = (places + offsets).clamp(0, length - 1)  # (length, kernel)
    matrix = torch.zeros(length, length, device=x.device, dtype=x.dtype)
    matrix.scatter_add_(1, sources, (kernel / kernel.sum()).expand(length, -1))
    return torch.tensordot(x, matrix, dims=([axis], [1])).movedim(-1, axis)
