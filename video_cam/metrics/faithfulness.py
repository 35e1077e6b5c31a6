"""Does the network depend on what the map marks? Altered clips are scored again.

A score is any function from clips (N, C, T, H, W) to (N,), such as
``lambda x: model(x).softmax(1)[:, 3]``. Negative values of a map count as 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.perturbation.alterations import Replace
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.scoring import Score, scores_of_altered
from video_cam.utils.devices import sent
from video_cam.utils.memory import BatchHalving
from video_cam.utils.names import check_names

UNITS = ("voxels", "frames", "tubes")
STEPS = 10
BATCH = 16  # altered clips in one forward pass


def deletion(
    score: Score,
    x: Tensor,
    volume: Tensor,
    *,
    unit: str = "voxels",
    baseline: str = "blur",
    steps: int = STEPS,
) -> float:
    """Area under the score while the clip is replaced by a baseline; lower is more faithful.

    Petsiuk et al. 2018 ("RISE", section 4.2), in video: the voxels with the largest values are
    replaced first. The score is taken with 0, 1/steps, ..., 1 of the clip replaced, and the area
    computed by the trapezoidal rule.

    Args:
        score: clips (N, C, T, H, W) -> (N,).
        x: one clip, (C, T, H, W).
        volume: its map, (T, H, W).
        unit: what is replaced at a time, of UNITS: single "voxels"; whole "frames", ranked by the
            sum of their values; or "tubes", one pixel in all frames, ranked likewise.
        baseline: what replaces it, of ``baselines.BASELINES``.
        steps: number of steps.

    Returns:
        The area; in [0, 1] where the score is a probability.

    Raises:
        UsageError: where the shapes do not match or the map is not finite.
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
    """Area under the score while a baseline is replaced by the clip; higher is more faithful.

    Petsiuk et al. 2018 ("RISE", section 4.2), in video: the voxels with the largest values are
    put back first. Arguments, result and errors are those of ``deletion``.
    """
    return _area(_scores(score, x, volume, unit, baseline, steps, inserting=True))


def average_drop(score: Score, x: Tensor, volume: Tensor) -> tuple[float, float]:
    """The drop and the increase of the score when the clip is multiplied by its map.

    Chattopadhay et al. 2018 ("Grad-CAM++", section 4.1): drop = max(0, Y - O) / Y and increase =
    1 if O > Y else 0, where Y is the score of the clip and O that of the clip times the map in
    [0, 1]. Their means over clips are the "average drop" and the "average increase" (there in
    percent). A map of ones has a drop of 0, so report the mean map of many clips beside it.

    Args:
        score: clips (N, C, T, H, W) -> (N,).
        x: one clip, (C, T, H, W), normalised, so that 0 is the mean colour.
        volume: its map, (T, H, W).

    Returns:
        (drop in [0, 1], increase 0 or 1); NaN where Y is not positive.

    Raises:
        UsageError: where the shapes do not match or the map is not finite.
    """
    _check_map(x, volume)
    positive = volume.clamp(min=0).to(x)
    mask = positive / positive.max().clamp(min=torch.finfo(x.dtype).tiny)
    with torch.no_grad():
        original, masked = score(torch.stack([x, x * mask])).tolist()
    if original <= 0:
        return float("nan"), float("nan")
    return max(0.0, original - masked) / original, float(masked > original)


def rank_voxels(volume: Tensor, unit: str = "voxels") -> Tensor:
    """Each voxel's rank by its value, largest first, as a fraction of the clip.

    Args:
        volume: a map, (T, H, W).
        unit: of UNITS; the voxels of one frame or tube share a rank, by the sum of their values.

    Returns:
        float32 (T, H, W) in [0, 1); 0 is the largest value.

    Raises:
        UsageError: for another unit.
    """
    check_names("unit", [unit], UNITS)
    positive = volume.clamp(min=0)
    units = {"voxels": positive, "frames": positive.sum((1, 2)), "tubes": positive.sum(0)}[unit]
    flat = units.flatten()
    # Equal values are ordered at random, the same way every time: in reading order a constant map
    # would begin with the top of the first frame.
    generator = torch.Generator().manual_seed(0)
    shuffled = sent(torch.randperm(len(flat), generator=generator), flat.device)
    order = shuffled[flat[shuffled].argsort(descending=True, stable=True)]
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
    """(steps + 1,) scores with more and more of the largest values replaced, or put back."""
    _check_map(x, volume)
    if steps < 1:
        raise UsageError(f"steps={steps} must be 1 or more")
    ranks, replacement = rank_voxels(volume, unit).to(x.device), baseline_of(x, baseline)
    before, after = (replacement, x) if inserting else (x, replacement)
    fractions = torch.arange(steps + 1, device=x.device) / steps
    altered = ((before, Replace(ranks < part, after)) for part in fractions)
    scores = scores_of_altered(score, altered, BatchHalving(BATCH))
    return torch.cat(list(scores)).double()


def _check_map(x: Tensor, volume: Tensor) -> None:
    if volume.shape != x.shape[1:]:
        raise UsageError(
            f"the map is {tuple(volume.shape)} and the clip {tuple(x.shape)}: expected (T, H, W) "
            "and (C, T, H, W) of one size; upsample brings a map to the clip's size"
        )
    if not volume.isfinite().all():
        raise UsageError("the map contains values that are not finite")


def _area(scores: Tensor) -> float:
    return float(torch.trapezoid(scores, dx=1 / (len(scores) - 1)))
