"""Does what the map marks carry the score? Blur it, score again, and compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.config import ExplainConfig
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.explanation.sampling import Window
from video_cam.explanation.target_selection import rivals_of
from video_cam.explanation.window_reader import read_windows
from video_cam.layers.alignment import interpolate
from video_cam.layers.outputs import class_scores
from video_cam.metrics.faithfulness import baseline_of, rank_voxels
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent
from video_cam.video.reader import FrameReader

MARKED_SHARE = 0.1  # of the window's voxels: the hottest
FULL_CHECK, SHORT_CHECK = 16, 6  # forward passes
BATCH = 4  # clips in one of them
NOT_RANDOM = 3  # of them: the window as it is, the map's marks, the frame difference's
LEAST_DROP = 0.05  # of the logit: less is no carrying, whatever random marks do
MOST_OVERLAP, TRIES = 0.25, 20  # of moved marks with those of the map, where so many draws avoid it
DIFFERENCE_REACH = 4  # pixels at 64 that a change spreads to, as the maps themselves are coarse

Logit = Callable[[Tensor], Tensor]  # clips (N, C, T, H, W) -> (N,)


class CannotCheck(Exception):
    """A map that the check is not for; the message says why."""


@dataclass(frozen=True)
class Drops:
    """How much of the logit goes when marks are blurred, as a share of it.

    random: the same marks moved elsewhere, several times. forwards: passes it took.
    """

    logit: float
    drop: float
    random: tuple[float, ...]
    frame_difference: float | None  # None of a still image

    @property
    def random_drop(self) -> float:
        """The mean over the random marks."""
        return float(np.mean(self.random))

    @property
    def carries(self) -> bool:
        """Does the map's drop stand out from nothing, and from every random one?"""
        return self.drop >= LEAST_DROP and self.drop > max(self.random)


def measure_drops(
    logit: Logit, x: Tensor, volume: Tensor, forwards: int = FULL_CHECK, batch: int = BATCH
) -> Drops | None:
    """Blur a tenth of a clip: what the map marks, as much elsewhere, as much that moves most.

    x: one clip (C, T, H, W). volume: its map (T, H, W). None where the logit is not above 0, and
    a share of it means nothing. Nothing random is used up: the moves are the same every time.
    """
    marks = rank_voxels(volume.to(x.device)) < MARKED_SHARE
    moved = rank_voxels(frame_difference(x)) < MARKED_SHARE
    everywhere = [marks, moved, *moves(marks, forwards - NOT_RANDOM)]
    blurred = baseline_of(x, "blur")
    with torch.no_grad():
        whole = float(logit(x[None]))
        if whole <= 0:
            return None
        found: list[float] = []
        for start in range(0, len(everywhere), batch):
            part = torch.stack(everywhere[start : start + batch])[:, None]
            found += logit(torch.where(part, blurred, x)).tolist()
    drop, difference, *random = ((whole - score) / whole for score in found)
    return Drops(whole, drop, tuple(random), difference if x.shape[1] > 1 else None)


def moves(marks: Tensor, count: int) -> list[Tensor]:
    """The marks moved by random distances on every axis, coming in again at the far rim.

    They keep clear of the marks themselves, or they would be no comparison; marks that are spread
    too far for that come as far away as TRIES draws find.
    """
    draw = np.random.default_rng(0)
    return [_moved_away(marks, draw) for _ in range(count)]


def _moved_away(marks: Tensor, draw: np.random.Generator) -> Tensor:
    best, least = marks, float("inf")
    for _ in range(TRIES):
        moved = marks.roll([int(draw.integers(size)) for size in marks.shape], dims=(0, 1, 2))
        overlap = float((moved & marks).sum()) / max(float(marks.sum()), 1.0)
        if overlap < least:
            best, least = moved, overlap
        if least <= MOST_OVERLAP:
            break
    return best


def frame_difference(x: Tensor) -> Tensor:
    """(C, T, H, W) -> (T, H, W): how much a place changes from the frame before, spread a little.

    The first frame has the change that follows it.
    """
    change = (x[:, 1:] - x[:, :-1]).abs().mean(0) if x.shape[1] > 1 else x.new_zeros(x.shape[1:])
    if x.shape[1] > 1:
        change = torch.cat([change[:1], change])
    reach = max(round(DIFFERENCE_REACH * min(x.shape[-2:]) / 64), 1)
    return torch.nn.functional.avg_pool2d(
        change, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False
    )


def check_explanation(
    path: str,
    model: Classifier,
    explanation: Explanation,
    options: ExplainConfig,
    progress: Progress = silent,
    *,
    always: bool = False,
) -> dict[str, Any] | None:
    """The check of the first map, in the window that scores its class highest.

    A map with contrast is checked by the logit's lead over the other class's. FULL_CHECK forward
    passes; unless ``always``, only as many as take no longer than explaining did, or None where
    SHORT_CHECK would. Raises CannotCheck where the logit is not above 0, and where the map is not
    of one class.
    """
    series = explanation.maps[0]
    if series.class_id is None or series.class_ids:
        raise CannotCheck("the first map is not of one class")
    window = int(explanation.window_scores(series).argmax())
    x = read_window(path, model, explanation, window)
    device, bf16 = model.device.type, options.precision == "bf16"
    rivals = rivals_of(explanation, options.contrast)[window : window + 1]

    def logit(clips: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            scores = class_scores(model.module(clips)).float()
        return scores[:, series.class_id] - scores[:, list(rivals)].sum(1)

    forwards = FULL_CHECK if always else _affordable(logit, x, explanation.seconds["explain"])
    if not forwards:
        return None
    with progress("check", 1) as step:
        volume = on_window(series, window, x)
        drops = measure_drops(logit, x, volume, forwards, model.batch(BATCH))
        step(1)
    if drops is None:
        raise CannotCheck(f"the logit of {series.label} is not above 0: there is nothing to carry")
    return {
        "sentence": sentence(drops),
        "carries": drops.carries,
        "drop": drops.drop,
        "random_drop": drops.random_drop,
        "frame_difference_drop": drops.frame_difference,
        "random_drops": list(drops.random),
        "logit": drops.logit,
        "marked_share": MARKED_SHARE,
        "forwards": forwards,
        "window": window,
        **{name: getattr(series, name) for name in ("class_id", "layer", "method")},
    }


def sentence(drops: Drops) -> str:
    """What was found, in one line for everybody."""
    verdict = "carries" if drops.carries else "does not carry"
    others = f"random {drops.random_drop:.2f}"
    if drops.frame_difference is not None:
        others += f", frame difference {drops.frame_difference:.2f}"
    return f"marked region {verdict} the score: {drops.drop:.2f} of the logit ({others})"


def read_window(path: str, model: Classifier, explanation: Explanation, window: int) -> Tensor:
    """The network's input (C, T, H, W) in one window, read from the clip again."""
    indices = tuple(explanation.frame_indices[window].tolist())
    with FrameReader(path, stop_index=indices[-1] + 1) as reader:
        [frames] = read_windows(iter(reader), [Window(indices)], model.preprocess)
    return model.preprocess.tensor(frames[None], model.device)[0]


def on_window(series: MapSeries, window: int, x: Tensor) -> Tensor:
    """A map of one window on the grid of its input, (T, H, W)."""
    values = torch.from_numpy(series.values[window : window + 1]).to(x.device)
    size = tuple(x.shape[1:])
    return interpolate(values, series.centres, size, size)[0]


def _affordable(logit: Logit, x: Tensor, seconds: float) -> int:
    """How many forward passes fit into ``seconds``: FULL_CHECK, SHORT_CHECK or none."""
    began = time.perf_counter()
    with torch.no_grad():
        logit(x[None])
    one = time.perf_counter() - began
    return next((count for count in (FULL_CHECK, SHORT_CHECK) if count * one <= seconds), 0)
