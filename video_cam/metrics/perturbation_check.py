"""Does the score depend on the region that the map marks? Blur it, score again, and compare.

The perturbation check of one clip: a tenth of the voxels of one window is blurred where the map is
largest, then as many elsewhere at random, then where frames differ most. The drops of the logit are
compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.analysis.window_input import read_input
from video_cam.config import ExplainConfig
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.batch_size import fitting_batch
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.explanation.target_selection import rivals_of
from video_cam.layers.alignment import interpolate
from video_cam.layers.axes import run_network
from video_cam.layers.output_reading import centred
from video_cam.layers.outputs import class_scores
from video_cam.metrics.faithfulness import rank_voxels
from video_cam.models.classifier import Classifier
from video_cam.perturbation.alterations import Replace
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.scoring import Score, scores_of_altered
from video_cam.utils.devices import on_cpu, sent
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip

MASKED_SHARE = 0.1  # of a window's voxels
FULL_FORWARDS, SHORT_FORWARDS = 16, 6  # forward passes of a check
OTHER_FORWARDS = 3  # of them: unchanged, the map's region, where frames differ most
BATCH = 4  # clips in one forward pass
# Of the logit: from here on, what is marked carries the score, and not a part of it.
MAIN_DROP = 0.5
# Of the logit. A region with a smaller drop does not carry the score, however small the drops of
# random regions are.
MIN_DROP = 0.05
# A random region overlaps the map's by at most this share, if MAX_DRAWS draws find one.
MAX_OVERLAP, MAX_DRAWS = 0.25, 20
# A change between frames spreads this far, in pixels of a frame of 64: maps are coarse as well.
DIFFERENCE_REACH = 4


@dataclass(frozen=True)
class Drops:
    """How far the logit drops when a region is blurred, as a share of the logit.

    Attributes:
        logit: of the unchanged clip, above 0.
        drop: for the region that the map marks.
        random: for regions of the same shape elsewhere.
        frame_difference: for the region where frames differ most; None for a still image.
    """

    logit: float
    drop: float
    random: tuple[float, ...]
    frame_difference: float | None

    @property
    def random_drop(self) -> float:
        """The mean over the random regions."""
        return float(np.mean(self.random))

    @property
    def carries(self) -> bool:
        """Whether the map's drop is at least MIN_DROP and larger than every random one."""
        return self.drop >= MIN_DROP and self.drop > max(self.random)


def run_perturbation_check(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    config: ExplainConfig,
    progress: Progress = silent,
    *,
    always: bool = False,
) -> dict[str, Any] | None:
    """Check the first map, in the window with the highest score of its class.

    A map with ``contrast`` is checked with the difference of the two logits.

    Args:
        config: what the explanation was made with.
        always: make FULL_FORWARDS forward passes; else only as many as take no longer than
            explaining took.

    Returns:
        Entries of summary.json, among them "sentence" and "carries"; None where not even
        SHORT_FORWARDS passes can be afforded.

    Raises:
        CheckNotApplicable: where the logit is not above 0, or the map is not of one class.
    """
    series = explanation.maps[0]
    if series.class_id is None or series.class_ids:
        raise CheckNotApplicable("the first map is not of one class")
    window = int(explanation.window_scores(series).argmax())
    x = read_input(clip, model, explanation, window)
    rivals = rivals_of(explanation, config.contrast)[window : window + 1]
    frames = explanation.frame_indices[window].tolist()
    in_window = partial(model.input_layout.in_window, clip, frames)
    logit = _logit(model, series.class_id, rivals, config.precision, in_window)
    seconds = explanation.seconds["explain"]
    forwards = FULL_FORWARDS if always else _affordable_forwards(logit, x, seconds)
    if not forwards:
        return None
    with progress("check", 1) as step:
        volume = _on_input_grid(series, window, x)
        batch, _ = fitting_batch(clip, model, (), x.shape[1:], BATCH)
        drops = measure_drops(logit, x, volume, forwards, batch)
        step(1)
    if drops is None:
        raise CheckNotApplicable(
            f"the logit of {series.label} is not above 0, so a drop is no share of it"
        )
    return _entries(drops, series, forwards, window)


def measure_drops(
    logit: Score, x: Tensor, volume: Tensor, forwards: int = FULL_FORWARDS, batch: int = BATCH
) -> Drops | None:
    """Blur regions of one clip and compare the drops of the logit.

    The random regions are the same in every call; no global random state is used.

    Args:
        logit: clips (N, C, T, H, W) -> (N,).
        x: one clip, (C, T, H, W).
        volume: its map, (T, H, W); MASKED_SHARE of the voxels are its region.
        forwards: forward passes, more than OTHER_FORWARDS.
        batch: clips in one forward pass.

    Returns:
        The drops; None where the logit of the clip is not above 0.
    """
    marked = rank_voxels(volume.to(x.device)) < MASKED_SHARE
    changing = rank_voxels(frame_difference(x)) < MASKED_SHARE
    # On the CPU, where the overlaps of random regions are known at once.
    region, changing = on_cpu([marked, changing])
    regions = [region, changing, *shifted_regions(region, forwards - OTHER_FORWARDS)]
    blurred = baseline_of(x, "blur")
    with torch.no_grad():
        unchanged = float(logit(x[None]))
        if unchanged <= 0:
            return None
        altered = ((x, Replace(sent(region[None], x.device), blurred)) for region in regions)
        scores = list(scores_of_altered(logit, altered, BatchHalving(batch)))
    drop, difference, *random = (
        (unchanged - score) / unchanged for score in torch.cat(scores).tolist()
    )
    return Drops(unchanged, drop, tuple(random), difference if x.shape[1] > 1 else None)


def shifted_regions(region: Tensor, count: int) -> list[Tensor]:
    """A region shifted cyclically by random distances along every axis.

    Args:
        region: bool (T, H, W).
        count: how many are wanted; the same ones in every call.

    Returns:
        Bool (T, H, W) each, which overlap ``region`` by at most MAX_OVERLAP of it where it is
        compact enough, else as little as MAX_DRAWS draws find.
    """
    generator = np.random.default_rng(0)
    return [_shifted_away(region, generator) for _ in range(count)]


def frame_difference(x: Tensor) -> Tensor:
    """How much each pixel changes between frames: a map made without a network.

    Args:
        x: one clip, (C, T, H, W).

    Returns:
        (T, H, W), the mean absolute difference to the previous frame (of the first frame, to the
        next one), averaged over a neighbourhood; 0 for a still image.
    """
    if x.shape[1] == 1:
        return x.new_zeros(x.shape[1:])
    change = (x[:, 1:] - x[:, :-1]).abs().mean(0)
    change = torch.cat([change[:1], change])
    reach = max(round(DIFFERENCE_REACH * min(x.shape[-2:]) / 64), 1)
    return torch.nn.functional.avg_pool2d(
        change, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False
    )


def sentence(drops: Drops) -> str:
    """The result of a check in one line, for people who do not know what a logit is."""
    marked = f"{round(100 * MASKED_SHARE)} %"
    others = f"blurring a random {marked} {_change(drops.random_drop, 'it')}"
    if drops.frame_difference is not None:
        others += f", blurring the {marked} that move most {_change(drops.frame_difference, 'it')}"
    verdict = "does not carry the score"
    if drops.carries:
        verdict = f"carries {'' if drops.drop >= MAIN_DROP else 'a part of '}the score"
    if drops.carries and drops.random_drop >= 1:  # both are called "the whole score"
        verdict = f"lowers it {drops.drop / drops.random_drop:.1f} times as much and {verdict}"
    return (
        f"Blurring the marked {marked} of the video {_change(drops.drop, 'the score')}; {others}: "
        f"what is marked {verdict}"
    )


def _change(drop: float, score: str) -> str:
    """What a drop of the logit, as a share of it, does to the score, which is called ``score``."""
    percent = round(100 * drop)
    if percent == 0:
        return f"does not change {score}"
    if percent < 0:
        return f"raises {score} by {-percent} %"
    return f"lowers {score} by {percent} %" if percent < 100 else "takes the whole score"


def _logit(
    model: Classifier,
    class_id: int,
    rivals: Sequence[int],
    precision: str,
    in_window: Callable[[], AbstractContextManager[None]],
) -> Score:
    """The logit of a class, less those of its rivals, for versions of a window."""
    device, bf16 = model.device.type, precision == "bf16"

    def logit(clips: Tensor) -> Tensor:
        with in_window(), torch.autocast(device, torch.bfloat16, enabled=bf16):
            scores = class_scores(run_network(model.module, clips)).float()
        scores = centred(scores, model.reading)
        return scores[:, class_id] - sum(scores[:, rival] for rival in rivals)

    return logit


def _affordable_forwards(logit: Score, x: Tensor, seconds: float) -> int:
    """FULL_FORWARDS, SHORT_FORWARDS or 0: the most that take at most ``seconds``."""
    began = time.perf_counter()
    with torch.no_grad():
        logit(x[None]).tolist()  # a device has begun, not finished, until its numbers are read
    one = time.perf_counter() - began
    counts = (FULL_FORWARDS, SHORT_FORWARDS)
    return next((count for count in counts if count * one <= seconds), 0)


def _on_input_grid(series: MapSeries, window: int, x: Tensor) -> Tensor:
    """The map of one window on the grid (T, H, W) of its input."""
    values = sent(torch.from_numpy(series.values[window][None]), x.device)
    size = tuple(x.shape[1:])
    return interpolate(values, series.centres, size, size)[0]


def _shifted_away(region: Tensor, generator: np.random.Generator) -> Tensor:
    best, least = region, float("inf")
    for _ in range(MAX_DRAWS):
        shifts = [int(generator.integers(size)) for size in region.shape]
        shifted = region.roll(shifts, dims=(0, 1, 2))
        overlap = float((shifted & region).sum()) / max(float(region.sum()), 1.0)
        if overlap < least:
            best, least = shifted, overlap
        if least <= MAX_OVERLAP:
            break
    return best


def _entries(drops: Drops, series: MapSeries, forwards: int, window: int) -> dict[str, Any]:
    return {
        "sentence": sentence(drops),
        "carries": drops.carries,
        "drop": drops.drop,
        "random_drop": drops.random_drop,
        "frame_difference_drop": drops.frame_difference,
        "random_drops": list(drops.random),
        "logit": drops.logit,
        "marked_share": MASKED_SHARE,
        "forwards": forwards,
        "window": window,
        "class_id": series.class_id,
        "layer": series.layer,
        "method": series.method,
    }
