"""The clips that count: held out, read rightly, and read from the event alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models3d import draw_batch
from models3d.train import FIRST_TRAINING_SEED
from video_cam.errors import UsageError
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent

FIRST_SEED = 100_000  # clear of the seeds that tests and model card use
SEEDS_PER_RUN = 10_000
BATCH = 16
MOST_DRAWN = 10  # times the clips wanted, before the network is given up


@dataclass(frozen=True)
class Yardstick:
    """x: float32 (N, C, T, H, W). class_ids: (N,). masks: bool (N, T, H, W). drawn: tried clips.

    frames: uint8 (N, T, H, W, 3), what x was made from.
    """

    x: Tensor
    class_ids: list[int]
    masks: np.ndarray
    frames: np.ndarray
    drawn: int

    def __len__(self) -> int:
        return len(self.class_ids)

    def batches(self) -> Iterator[tuple[Tensor, list[int]]]:
        """Inputs and class ids, some clips at a time."""
        for start in range(0, len(self), BATCH):
            part = slice(start, start + BATCH)
            yield self.x[part], self.class_ids[part]

    def first(self, count: int) -> Yardstick:
        """The first ``count`` clips."""
        part = slice(count)
        return Yardstick(
            self.x[part], self.class_ids[part], self.masks[part], self.frames[part], self.drawn
        )


def draw_yardstick(
    model: Classifier, clips: int, seed: int = 0, progress: Progress = silent
) -> Yardstick:
    """``clips`` held-out clips that pass ``counts``; every ``seed`` has seeds of its own."""
    first = FIRST_SEED + seed * SEEDS_PER_RUN
    most = min(SEEDS_PER_RUN, FIRST_TRAINING_SEED - first)
    if not 0 < clips <= most // MOST_DRAWN or seed < 0:
        raise UsageError(
            f"{clips} clips with seed {seed}: expected 1 to {SEEDS_PER_RUN // MOST_DRAWN} clips "
            f"and a seed of 0 to {(FIRST_TRAINING_SEED - FIRST_SEED) // SEEDS_PER_RUN - 1}"
        )
    found: list[tuple[Tensor, int, np.ndarray, np.ndarray]] = []
    drawn = 0
    with progress("draw", clips) as step:
        while len(found) < clips and drawn < clips * MOST_DRAWN:
            seeds = range(first + drawn, first + drawn + BATCH)
            frames, class_ids, masks = draw_batch(seeds)
            x = model.preprocess.tensor(frames)
            kept = np.flatnonzero(counts(model, x, seeds, class_ids))
            found += [(x[i], int(class_ids[i]), masks[i], frames[i]) for i in kept]
            drawn += BATCH
            step(len(kept))
    if len(found) < clips:
        raise UsageError(
            f"of {drawn} drawn clips the network reads only {len(found)} from the event alone: "
            "its maps cannot be measured against the truth"
        )
    inputs, ids, truths, pictures = zip(*found[:clips], strict=True)
    return Yardstick(torch.stack(inputs), list(ids), np.stack(truths), np.stack(pictures), drawn)


def counts(model: Classifier, x: Tensor, seeds: range, class_ids: np.ndarray) -> np.ndarray:
    """(N,) bool: does the network need the event, and nothing but the event, for its answer?

    It is right on the clip; drawn without the event, the clip's class is no more probable than
    chance; and it is right where everything but the event is held still.
    """
    rows = np.arange(len(class_ids))
    without, _, _ = draw_batch(seeds, version="without event")
    alone, _, _ = draw_batch(seeds, version="event alone")
    whole, empty, event = (
        probabilities(model, clips)
        for clips in (x, model.preprocess.tensor(without), model.preprocess.tensor(alone))
    )
    right = (whole.argmax(1) == class_ids) & (event.argmax(1) == class_ids)
    return np.asarray(right & (empty[rows, class_ids] <= 1 / empty.shape[1]))


@torch.no_grad()
def probabilities(model: Classifier, x: Tensor) -> np.ndarray:
    """(N, classes) class probabilities of inputs (N, C, T, H, W)."""
    return model.module(x.to(model.device)).softmax(1).cpu().numpy()
