"""The training recipes: learning rates, curriculum, and which clips are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from models3d.actions import EVENT_FRAMES
from models3d.drawn_clips import CLASSES, DrawnClip, draw_clip
from models3d.light_clips import draw_light_clip
from models3d.motion3d import Motion3D
from models3d.residual3d import NUM_FRAMES, Residual3D
from models3d.texture3d import Texture3D
from models3d.texture_clips import draw_texture_clip
from models3d.transformer3d import Transformer3D

FIRST_TRAINING_SEED = 1_000_000  # all seeds below are held out
SEEDS_PER_RUN = 1_000_000_000  # clips that one training seed may draw before the next one's begin
SHOWN_FRAMES = 5  # at least, of an event that is cut off by the clip's start or end
# The classes that are learned last, in the first cycle and in the later ones.
SLOW_CLASSES = (("grow", "shrink"), ("spin", "blink"))


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the trained weights of ``Motion3D``.

    A cycle is one rise and fall of the learning rate. Clips begin as a lone actor on a plain
    colour and reach full difficulty in the course of the first cycle.

    Attributes:
        seed: of the initial weights and of the clips.
        cycles: steps of each cycle.
        batch_size: clips in one step.
        learning_rate: highest value in the first cycle.
        later_rate: highest value in the later cycles.
        weight_decay: of AdamW.
        plain_until: share of the first cycle with difficulty 0.
        full_from: share of a cycle after which clips have difficulty 1.
        later_difficulty: at the start of each later cycle; the last one holds for all that follow.
        precision: of the forward pass, "fp32" or "bf16".
        threads: CPU threads; another number sums in another order.
        frames: of a clip in each cycle; the last number holds for all that follow.
        network: that is trained, of ``tasks.TASKS``.
    """

    seed: int = 0
    cycles: tuple[int, ...] = (1500, 800, 2000)
    batch_size: int = 16
    learning_rate: float = 2e-3
    later_rate: float = 1e-3
    weight_decay: float = 1e-2
    plain_until: float = 0.15
    full_from: float = 0.5
    later_difficulty: tuple[float, ...] = (0.4, 1.0)
    precision: str = "fp32"
    threads: int = 1
    frames: tuple[int, ...] = (NUM_FRAMES,)
    network: str = "motion3d"

    def __post_init__(self) -> None:
        for name in ("batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be 1 or more")
        if not self.cycles or min(self.cycles) < 1:
            raise ValueError(f"cycles {self.cycles} must be 1 step or more each")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed {self.seed} must be 0 to 2147483647")

    @property
    def steps(self) -> int:
        """Number of steps of all cycles together."""
        return sum(self.cycles)

    def build(self) -> nn.Module:
        """The network with random weights."""
        return Motion3D()

    def begin_cycle(self, cycle: int, net: nn.Module) -> None:
        """Prepare the network for a cycle."""

    @staticmethod
    def precision_on(device: torch.device) -> str:
        """The ``precision`` that is chosen where none is given."""
        return fast_precision(device)

    def cycle_of(self, step: int) -> tuple[int, int]:
        """(index of the cycle, step within it) of a step."""
        cycle = 0
        while step >= self.cycles[cycle]:
            step -= self.cycles[cycle]
            cycle += 1
        return cycle, step

    def rate(self, cycle: int) -> float:
        """The highest learning rate of a cycle."""
        return self.learning_rate if cycle == 0 else self.later_rate

    def frames_in(self, cycle: int) -> int:
        """Frames of the clips of a cycle."""
        return self.frames[min(cycle, len(self.frames) - 1)]

    def difficulty(self, step: int) -> float:
        """Difficulty of a step's clips, in [0, 1].

        In the first cycle it rises from 0 to 1 between ``plain_until`` and ``full_from``, in a
        later one from its entry of ``later_difficulty`` to 1 until ``full_from``.
        """
        cycle, done = self.cycle_of(step)
        share = done / self.cycles[cycle]
        if cycle > 0:
            start = self.later_difficulty[min(cycle, len(self.later_difficulty)) - 1]
            return min(start + (1 - start) * share / self.full_from, 1.0)
        faded = (share - self.plain_until) / (self.full_from - self.plain_until)
        return min(max(faded, 0.0), 1.0)

    def clip_seeds(self, step: int) -> range:
        """Seeds of a step's clips; no clip is drawn twice in a run, and none is held out."""
        first = FIRST_TRAINING_SEED + self.seed * SEEDS_PER_RUN + step * self.batch_size
        return range(first, first + self.batch_size)

    def clips(self, step: int) -> list[DrawnClip]:
        """Draw the clips of a step; the kind of a clip depends on its index in the batch.

        Of sixteen clips two are drawn without the event, two with the event alone, and two with an
        event that is cut off by the clip's start or end. Below full difficulty half of the clips
        are of the classes that are learned last; otherwise these would still be confused when the
        difficulty rises.
        """
        difficulty = self.difficulty(step)
        names = SLOW_CLASSES[min(self.cycle_of(step)[0], 1)]
        slow = [CLASSES.index(name) if difficulty < 1 else None for name in names]
        class_ids = [None, *slow, None, None, *slow, None]
        versions = {0: "without event", 4: "event alone"}
        return [
            draw_clip(
                seed,
                class_id=class_ids[i % 8],
                difficulty=difficulty,
                version=versions.get(i % 8, "whole"),
                event=cut_off_event(seed) if i % 8 == 7 else None,
            )
            for i, seed in enumerate(self.clip_seeds(step))
        ]


@dataclass(frozen=True)
class TextureRecipe(Recipe):
    """Everything that determines the trained weights of ``Texture3D``.

    The class can be read from any frame, so clips have only one before the last cycle.

    Attributes:
        whole_clips_rate: highest learning rate where clips have more than one frame.
    """

    cycles: tuple[int, ...] = (1000, 1500, 1200, 30)
    later_difficulty: tuple[float, ...] = (1.0,)
    frames: tuple[int, ...] = (1, 1, 1, NUM_FRAMES)
    whole_clips_rate: float = 1e-5
    network: str = "texture3d"

    def build(self) -> nn.Module:
        """The network with random weights."""
        return Texture3D()

    def rate(self, cycle: int) -> float:
        """As for ``Recipe``; the last cycle, with whole clips, settles the batch statistics only.

        For taps that had no gradient before, AdamW's steps are several times the rate: with
        ``later_rate`` the loss rose from 0.6 to 2.
        """
        return self.whole_clips_rate if self.frames_in(cycle) > 1 else super().rate(cycle)

    def begin_cycle(self, cycle: int, net: nn.Module) -> None:
        """Spread the kernels over time when clips begin to have more than one frame."""
        if cycle > 0 and self.frames_in(cycle) > self.frames_in(cycle - 1) == 1:
            assert isinstance(net, Residual3D)
            net.spread_over_time()

    @staticmethod
    def precision_on(device: torch.device) -> str:
        """Full precision: in bf16 on a CPU the loss became NaN within 50 steps."""
        return "fp32"

    def clips(self, step: int) -> list[DrawnClip]:
        """Draw the clips of a step; of sixteen two are without the texture, and two frozen."""
        cycle = self.cycle_of(step)[0]
        versions = {0: "without texture", 4: "frozen"}
        return [
            draw_texture_clip(
                seed,
                num_frames=self.frames_in(cycle),
                difficulty=self.difficulty(step),
                version=versions.get(i % 8, "whole"),
            )
            for i, seed in enumerate(self.clip_seeds(step))
        ]


@dataclass(frozen=True)
class TransformerRecipe(Recipe):
    """Everything that determines the trained weights of ``Transformer3D``."""

    cycles: tuple[int, ...] = (1500,)
    learning_rate: float = 1e-3
    weight_decay: float = 5e-2
    full_from: float = 0.6
    network: str = "transformer3d"

    def build(self) -> nn.Module:
        """The network with random weights."""
        return Transformer3D()

    @staticmethod
    def precision_on(device: torch.device) -> str:
        """Full precision: the network is small."""
        return "fp32"

    def clips(self, step: int) -> list[DrawnClip]:
        """Draw the clips of a step; of sixteen four are without the change, and two it alone."""
        versions = {0: "without change", 4: "change alone", 6: "without change"}
        return [
            draw_light_clip(
                seed,
                difficulty=self.difficulty(step),
                version=versions.get(i % 8, "whole"),
            )
            for i, seed in enumerate(self.clip_seeds(step))
        ]


# Name of the network -> its recipe.
RECIPES: dict[str, type[Recipe]] = {
    "motion3d": Recipe,
    "texture3d": TextureRecipe,
    "transformer3d": TransformerRecipe,
}


def fast_precision(device: torch.device) -> str:
    """ "bf16" where the device computes in bf16, else "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text(encoding="utf-8").split() if cpu.exists() else []
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"


def cut_off_event(seed: int) -> tuple[int, int]:
    """[start, end) of an event that begins before the clip or ends after it.

    The clip shows SHOWN_FRAMES or more of its frames, but not all.
    """
    rng = np.random.default_rng([seed, 4])
    length = int(rng.integers(EVENT_FRAMES[0], EVENT_FRAMES[1] + 1))
    hidden = int(rng.integers(1, length - SHOWN_FRAMES + 1))
    start = -hidden if rng.random() < 0.5 else NUM_FRAMES - length + hidden
    return start, start + length


class DrawnBatches(Dataset[tuple[Tensor, Tensor]]):
    """Item ``step`` is that step's batch: frames uint8 (N, T, H, W, 3), class ids int64 (N,)."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        clips = self.recipe.clips(step)
        frames = torch.from_numpy(np.stack([clip.frames for clip in clips]))
        return frames, torch.tensor([clip.class_id for clip in clips])
