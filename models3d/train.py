"""Train ``Motion3D`` on clips drawn as it goes: ``python -m models3d.train``.

The curriculum matters: on the full drawing from the first step the network stays at chance, so
it begins with a lone sprite on a plain colour, and the rest is faded in.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from models3d.drawn_clips import CLASSES, Frames, draw_batch, draw_clip
from models3d.motion3d import MEAN, NUM_FRAMES, SIZE, STD, WEIGHTS_FILE, Motion3D, motion3d

FIRST_TRAINING_SEED = 1_000_000  # below it, every seed is held out
SEEDS_PER_RUN = 1_000_000_000  # clips one training seed may draw before it meets the next one's
CHECKPOINT_EVERY = 200
SLOW_CLASSES = ("grow", "shrink")  # the last to be told apart: both are a faint motion all round


@dataclass(frozen=True)
class Recipe:
    """All that decides the trained weights."""

    seed: int = 0
    steps: int = 1000
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    plain_until: float = 0.25  # share of the steps before anything is faded in
    full_from: float = 0.65  # share of the steps after which clips are drawn at full difficulty

    def difficulty(self, step: int) -> float:
        """0 up to ``plain_until``, 1 after ``full_from``, straight in between."""
        share = step / self.steps
        faded = (share - self.plain_until) / (self.full_from - self.plain_until)
        return min(max(faded, 0.0), 1.0)

    def clip_seeds(self, step: int) -> range:
        """Seeds of the clips of one step; none is drawn twice in a run, none is held out."""
        first = FIRST_TRAINING_SEED + self.seed * SEEDS_PER_RUN + step * self.batch_size
        return range(first, first + self.batch_size)

    def class_ids(self, step: int) -> list[int | None]:
        """Wanted class of each clip; None leaves it to the clip's seed.

        Until clips are at full difficulty every other pair is of the slow classes, which would
        otherwise still be confused when the scene gets crowded.
        """
        slow: list[int | None] = [CLASSES.index(name) for name in SLOW_CLASSES]
        pattern = [*slow, None, None] if self.difficulty(step) < 1 else [None]
        return [pattern[i % len(pattern)] for i in range(self.batch_size)]


class DrawnBatches(Dataset[tuple[Tensor, Tensor]]):
    """Item ``step`` is that step's batch: uint8 (N, T, H, W, 3) and int64 (N,)."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        difficulty = self.recipe.difficulty(step)
        wanted = zip(self.recipe.clip_seeds(step), self.recipe.class_ids(step), strict=True)
        clips = [draw_clip(seed, class_id=id_, difficulty=difficulty) for seed, id_ in wanted]
        frames = torch.from_numpy(np.stack([clip.frames for clip in clips]))
        return frames, torch.tensor([clip.class_id for clip in clips])


def preprocess(frames: Tensor) -> Tensor:
    """uint8 (N, T, H, W, 3) -> normalised float32 (N, 3, T, H, W)."""
    pixels = frames.float() / 255
    return ((pixels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 4, 1, 2, 3)


def augment(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Vary each normalised clip's sharpness, contrast, brightness and tint, and add noise.

    ``strength`` in [0, 1] fades it in. Real video comes resized and compressed: slightly soft,
    slightly noisy.
    """

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        draw = torch.rand(len(x), channels, 1, 1, 1, generator=generator)
        return (low + (high - low) * draw).to(x.device)

    soft = F.avg_pool3d(x, (1, 3, 3), stride=1, padding=(0, 1, 1), count_include_pad=False)
    varied = torch.lerp(x, soft, uniform(-0.5, 1.0).clamp(min=0)) * uniform(0.7, 1.25)
    varied = varied + uniform(-0.4, 0.4) + uniform(-0.15, 0.15, channels=3)
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return torch.lerp(x, varied + uniform(0.0, 0.08) * noise, strength)


def train(
    recipe: Recipe, output: Path, device: torch.device, resume: bool = False
) -> tuple[Motion3D, list[float]]:
    """Run the recipe; returns the network, in eval mode, and the loss of every step it ran.

    Every ``CHECKPOINT_EVERY`` steps the weights so far go to ``output`` and the optimiser's state
    beside it; ``resume`` goes on from there.
    """
    torch.manual_seed(recipe.seed)
    # Channels last is half again as fast on a CPU.
    net = motion3d().to(device).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(
        net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.05
    )
    state_file = output.with_suffix(".resume.pt")
    parts: dict[str, Any] = {"net": net, "optimizer": optimizer, "schedule": schedule}
    first = _restore(state_file, parts, recipe) if resume else 0

    losses: list[float] = []
    progress = tqdm(_batches(recipe, first), initial=first, total=recipe.steps)
    for step, (frames, class_ids) in enumerate(progress, start=first):
        generator = torch.Generator().manual_seed(recipe.clip_seeds(step).start)
        x = augment(preprocess(frames), recipe.difficulty(step), generator)
        losses.append(_learn(net, optimizer, x.to(device), class_ids.to(device)))
        schedule.step()
        progress.set_postfix(
            refresh=False,
            loss=f"{np.mean(losses[-20:]):.3f}",
            difficulty=f"{recipe.difficulty(step):.2f}",
        )
        if (step + 1) % CHECKPOINT_EVERY == 0 and step + 1 < recipe.steps:
            save_weights(net, output, {"step": str(step + 1)})
            _save_state(state_file, parts, recipe, step + 1)
    state_file.unlink(missing_ok=True)
    return net.eval(), losses


def _learn(net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, class_ids: Tensor) -> float:
    """One optimiser step; returns the loss before it."""
    loss = F.cross_entropy(net(x), class_ids)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _batches(recipe: Recipe, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches from step ``first`` on, drawn ahead in a process of their own."""
    steps = range(first, recipe.steps)
    return iter(
        DataLoader(DrawnBatches(recipe), None, sampler=steps, num_workers=1, prefetch_factor=4)
    )


def _save_state(path: Path, parts: dict[str, Any], recipe: Recipe, step: int) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    beside = path.with_name(path.name + ".part")
    torch.save({"step": step, "recipe": asdict(recipe), **states}, beside)
    beside.replace(path)


def _restore(path: Path, parts: dict[str, Any], recipe: Recipe) -> int:
    """Load the states saved beside the weights; returns the step to go on from."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: nothing to resume; leave --resume away to start anew")
    saved = torch.load(path, weights_only=True)
    if saved["recipe"] != asdict(recipe):
        raise ValueError(f"{path} was begun with another recipe: {saved['recipe']}")
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def save_weights(net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file; ``path`` holds either the old file or the whole new one."""
    beside = path.with_name(path.name + ".part")
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, beside, metadata)
    beside.replace(path)


@torch.inference_mode()
def predict(net: nn.Module, frames: Frames, batch_size: int = 32) -> np.ndarray:
    """Best class of each clip: uint8 (N, T, H, W, 3) -> int64 (N,)."""
    device = next(net.parameters()).device
    batches = preprocess(torch.from_numpy(frames)).split(batch_size)
    return np.concatenate([net(x.to(device)).argmax(1).cpu().numpy() for x in batches])


def evaluate(net: nn.Module, num_clips: int) -> dict[str, float]:
    """Accuracy over all and per class on the first ``num_clips`` held-out seeds."""
    if num_clips > FIRST_TRAINING_SEED:
        raise ValueError(f"{num_clips} clips: only {FIRST_TRAINING_SEED} seeds are held out")
    frames, class_ids, _ = draw_batch(range(num_clips), num_frames=NUM_FRAMES, size=SIZE)
    right = predict(net, frames) == class_ids
    per_class = {name: float(right[class_ids == i].mean()) for i, name in enumerate(CLASSES)}
    return {"all": float(right.mean()), **per_class}


def main(arguments: list[str] | None = None) -> None:
    """Train, evaluate on held-out clips, and write the weights with what was measured."""
    parser = argparse.ArgumentParser(prog="python -m models3d.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch-size", type=int, default=Recipe.batch_size)
    parser.add_argument("--output", type=Path, default=WEIGHTS_FILE)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--held-out", type=int, default=800, help="clips to evaluate on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    options = parser.parse_args(arguments)

    recipe = Recipe(options.seed, options.steps, options.batch_size)
    net, _ = train(recipe, options.output, options.device, options.resume)
    accuracy = evaluate(net, options.held_out)
    measured = {f"accuracy {name}": f"{value:.4f}" for name, value in accuracy.items()}
    settings = {name: str(value) for name, value in asdict(recipe).items()}
    metadata = {**settings, "held-out clips": str(options.held_out), **measured}
    save_weights(net, options.output, metadata)
    print("\n".join(f"{name}: {value}" for name, value in metadata.items()))


if __name__ == "__main__":
    main()
