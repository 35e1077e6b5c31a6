"""The clips of the benchmark: held out, classified correctly, and because of the event alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models3d.drawn_clips import DrawnClip, stack_clips
from models3d.recipe import FIRST_TRAINING_SEED
from models3d.tasks import TASKS, Task
from video_cam.errors import UsageError
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent

FIRST_SEED = 100_000  # none of the seeds that the tests and models3d/README.md use
SEEDS_PER_RUN = 10_000
BATCH = 16
MAX_DRAWN = 10  # give up after drawing so many times the wanted number of clips


@dataclass(frozen=True)
class BenchmarkClips:
    """Clips with their ground truth.

    Attributes:
        x: float32 (N, C, T, H, W), the network's input.
        class_ids: N target classes.
        masks: bool (N, T, H, W), true where the event is.
        distractors: bool (N, T, H, W), true where a distractor acts.
        frames: uint8 (N, T, H, W, 3), RGB, from which ``x`` was made.
        drawn: number of clips that were drawn to find these.
    """

    x: Tensor
    class_ids: list[int]
    masks: np.ndarray
    distractors: np.ndarray
    frames: np.ndarray
    drawn: int

    def __len__(self) -> int:
        return len(self.class_ids)

    def batches(self) -> Iterator[tuple[Tensor, list[int]]]:
        """Inputs (up to BATCH, C, T, H, W) and their class ids, in order."""
        for start in range(0, len(self), BATCH):
            part = slice(start, start + BATCH)
            yield self.x[part], self.class_ids[part]

    def first(self, count: int) -> BenchmarkClips:
        """The first ``count`` clips, or all where there are fewer."""
        part = slice(count)
        return BenchmarkClips(
            self.x[part],
            self.class_ids[part],
            self.masks[part],
            self.distractors[part],
            self.frames[part],
            self.drawn,
        )


def draw_benchmark_clips(
    model: Classifier,
    clips: int,
    seed: int = 0,
    progress: Progress = silent,
    crowded: bool = False,
) -> BenchmarkClips:
    """Draw held-out clips until ``clips`` of them pass ``needs_only_the_event``.

    Args:
        model: the network whose maps are measured, of ``models3d.tasks.TASKS``.
        clips: wanted number.
        seed: each value has its own range of clip seeds.
        progress: receives the number of clips found.
        crowded: a distractor that moves as much as the actor lies near it.

    Raises:
        UsageError: ``clips`` or ``seed`` is out of range, or the network classifies too few clips.
    """
    first = FIRST_SEED + seed * SEEDS_PER_RUN
    available = min(SEEDS_PER_RUN, FIRST_TRAINING_SEED - first)
    if not 0 < clips <= available // MAX_DRAWN or seed < 0:
        raise UsageError(
            f"{clips} clips with seed {seed}: expected 1 to {SEEDS_PER_RUN // MAX_DRAWN} clips "
            f"and a seed of 0 to {(FIRST_TRAINING_SEED - FIRST_SEED) // SEEDS_PER_RUN - 1}"
        )
    task = TASKS[model.name]
    found: list[tuple[Tensor, DrawnClip]] = []
    drawn = 0
    with progress("draw", clips) as step:
        while len(found) < clips and drawn < clips * MAX_DRAWN:
            seeds = range(first + drawn, first + drawn + BATCH)
            batch = [task.draw(clip_seed, crowded=crowded) for clip_seed in seeds]
            frames, class_ids, _ = stack_clips(batch)
            x = model.preprocess.tensor(frames)
            kept = np.flatnonzero(needs_only_the_event(model, x, seeds, class_ids, task, crowded))
            found += [(x[i], batch[i]) for i in kept]
            drawn += BATCH
            step(len(kept))
    if len(found) < clips:
        raise UsageError(
            f"of {drawn} drawn clips the network classifies only {len(found)} because of their "
            "event: its maps cannot be compared with the ground truth"
        )
    inputs, drawn_clips = zip(*found[:clips], strict=True)
    frames, class_ids, masks = stack_clips(drawn_clips)
    distractors = np.stack([clip.distractor_masks.any(0) for clip in drawn_clips])
    return BenchmarkClips(
        torch.stack(inputs), class_ids.tolist(), masks, distractors, frames, drawn
    )


def needs_only_the_event(
    model: Classifier,
    x: Tensor,
    seeds: range,
    class_ids: np.ndarray,
    task: Task,
    crowded: bool = False,
) -> np.ndarray:
    """Whether the network's answer depends on what names the class, and on nothing else.

    The network must classify the whole clip correctly, also when nothing but the event moves (of
    textures: when nothing moves); and in the clip drawn without the event, or the texture, the
    class must have at most the probability of chance.

    Args:
        model: the network.
        x: float32 (N, C, T, H, W), the clips.
        seeds: of the clips.
        class_ids: int (N,).
        task: that the clips are drawn for.
        crowded: how they are drawn.

    Returns:
        bool (N,).
    """
    rows = np.arange(len(class_ids))
    without_event, _, _ = task.draw_batch(seeds, version=task.without, crowded=crowded)
    event_alone, _, _ = task.draw_batch(seeds, version=task.alone, crowded=crowded)
    whole, without, alone = (
        class_probabilities(model, clips)
        for clips in (
            x,
            model.preprocess.tensor(without_event),
            model.preprocess.tensor(event_alone),
        )
    )
    correct = (whole.argmax(1) == class_ids) & (alone.argmax(1) == class_ids)
    return np.asarray(correct & (without[rows, class_ids] <= 1 / without.shape[1]))


@torch.no_grad()
def class_probabilities(model: Classifier, x: Tensor) -> np.ndarray:
    """Float32 (N, C, T, H, W) -> float32 (N, classes), softmax of the logits."""
    return model.module(x.to(model.device)).softmax(1).cpu().numpy()
