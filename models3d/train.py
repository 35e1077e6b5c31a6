"""Train ``Motion3D`` on clips drawn as it goes: ``python -m models3d.train``.

The curriculum matters: on the full drawing from the first step the network stays at chance, so
it begins with a lone sprite on a plain colour, and the rest is faded in.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from models3d.actions import EVENT_FRAMES
from models3d.drawn_clips import CLASSES, EVENTS, NOTHING, DrawnClip, Frames, draw_batch, draw_clip
from models3d.motion3d import MEAN, NUM_FRAMES, SIZE, STD, WEIGHTS_FILE, Motion3D, motion3d

FIRST_TRAINING_SEED = 1_000_000  # below it, every seed is held out
SEEDS_PER_RUN = 1_000_000_000  # clips one training seed may draw before it meets the next one's
CHECKPOINT_EVERY = 100
SHOWN_FRAMES = 5  # of an event that the clip cuts off, at least
# Those that are the last to be told apart, in the first cycle and in the others.
SLOW_CLASSES = (("grow", "shrink"), ("spin", "blink"))


@dataclass(frozen=True)
class Recipe:
    """All that decides the trained weights."""

    seed: int = 0
    cycles: tuple[int, ...] = (1500, 800, 2000)  # steps of each rise and fall of the learning rate
    batch_size: int = 16
    learning_rate: float = 2e-3  # at its height in the first cycle
    later_rate: float = 1e-3  # in the others
    weight_decay: float = 1e-2
    plain_until: float = 0.15  # share of the first cycle before anything is faded in
    full_from: float = 0.5  # share of a cycle after which clips are drawn at full difficulty
    later_difficulty: tuple[float, ...] = (0.4, 1.0)  # at the start of the other cycles
    precision: str = "fp32"  # or bf16: the forward pass under autocast
    threads: int = 1  # on the CPU; another number adds up in another order

    def __post_init__(self) -> None:
        for name in ("batch_size", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be 1 or more")
        if not self.cycles or min(self.cycles) < 1:
            raise ValueError(f"cycles {self.cycles} must be 1 step or more each")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed {self.seed} must lie in 0 ... 2147483647")

    @property
    def steps(self) -> int:
        """Of all cycles."""
        return sum(self.cycles)

    def place(self, step: int) -> tuple[int, int]:
        """(cycle, step within it)."""
        cycle = 0
        while step >= self.cycles[cycle]:
            step -= self.cycles[cycle]
            cycle += 1
        return cycle, step

    def difficulty(self, step: int) -> float:
        """From 0 to 1 between ``plain_until`` and ``full_from``; later cycles begin in between."""
        cycle, done = self.place(step)
        share = done / self.cycles[cycle]
        if cycle > 0:
            start = self.later_difficulty[min(cycle, len(self.later_difficulty)) - 1]
            return min(start + (1 - start) * share / self.full_from, 1.0)
        faded = (share - self.plain_until) / (self.full_from - self.plain_until)
        return min(max(faded, 0.0), 1.0)

    def clip_seeds(self, step: int) -> range:
        """Seeds of the clips of one step; none is drawn twice in a run, none is held out."""
        first = FIRST_TRAINING_SEED + self.seed * SEEDS_PER_RUN + step * self.batch_size
        return range(first, first + self.batch_size)

    def clips(self, step: int) -> list[DrawnClip]:
        """The clips of one step, each by its place in the batch.

        Two in sixteen are drawn without the event, two with all but the event held still, and
        two with an event that hangs over the clip's first or last frame. Until clips are at full
        difficulty half of them are of the slow classes, which would otherwise still be confused
        when the scene gets crowded.
        """
        difficulty = self.difficulty(step)
        names = SLOW_CLASSES[min(self.place(step)[0], 1)]
        slow = [CLASSES.index(name) if difficulty < 1 else None for name in names]
        class_ids = [None, *slow, None, None, *slow, None]
        versions = {0: "without event", 4: "event alone"}
        return [
            draw_clip(
                seed,
                class_id=class_ids[i % 8],
                difficulty=difficulty,
                version=versions.get(i % 8, "whole"),
                event=overhanging_event(seed) if i % 8 == 7 else None,
            )
            for i, seed in enumerate(self.clip_seeds(step))
        ]


def overhanging_event(seed: int) -> tuple[int, int]:
    """[start, end) of an event of which the clip shows ``SHOWN_FRAMES`` or more, but not all."""
    rng = np.random.default_rng([seed, 4])
    length = int(rng.integers(EVENT_FRAMES[0], EVENT_FRAMES[1] + 1))
    hidden = int(rng.integers(1, length - SHOWN_FRAMES + 1))
    start = -hidden if rng.random() < 0.5 else NUM_FRAMES - length + hidden
    return start, start + length


class DrawnBatches(Dataset[tuple[Tensor, Tensor]]):
    """Item ``step`` is that step's batch: uint8 (N, T, H, W, 3) and int64 (N,)."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        clips = self.recipe.clips(step)
        frames = torch.from_numpy(np.stack([clip.frames for clip in clips]))
        return frames, torch.tensor([clip.class_id for clip in clips])


def preprocess(frames: Tensor) -> Tensor:
    """uint8 (N, T, H, W, 3) -> normalised float32 (N, 3, T, H, W), on the same device."""
    mean, std = (torch.tensor(values, device=frames.device) for values in (MEAN, STD))
    return ((frames.float() / 255 - mean) / std).permute(0, 4, 1, 2, 3)


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
    recipe: Recipe, output: Path, device: torch.device, resume: bool = False, workers: int = 1
) -> tuple[Motion3D, list[float]]:
    """Run the recipe; returns the network, in eval mode, and the loss of every step it ran.

    Every ``CHECKPOINT_EVERY`` steps, and behind the last one, network and optimiser go to
    ``state_file(output)``; ``resume`` goes on from there. ``workers``: processes that draw clips;
    the weights do not depend on it.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    # Channels last is half again as fast on a CPU.
    net = motion3d().to(device).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(
        net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    parts: dict[str, Any] = {"net": net, "optimizer": optimizer}
    first = _restore(state_file(output), parts, recipe) if resume else 0
    schedule = _schedule(optimizer, recipe, min(first, recipe.steps - 1))

    losses: list[float] = []
    progress = tqdm(_batches(recipe, first, workers), initial=first, total=recipe.steps)
    for step, (frames, class_ids) in enumerate(progress, start=first):
        if step > first and recipe.place(step)[1] == 0:
            schedule = _schedule(optimizer, recipe, step)
        generator = torch.Generator().manual_seed(recipe.clip_seeds(step).start)
        x = augment(preprocess(frames.to(device)), recipe.difficulty(step), generator)
        # The same sums on a GPU every time.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
                loss = F.cross_entropy(net(x), class_ids.to(device))
            losses.append(_learn(net, optimizer, loss))
        schedule.step()
        progress.set_postfix(
            refresh=False,
            loss=f"{np.mean(losses[-20:]):.3f}",
            difficulty=f"{recipe.difficulty(step):.2f}",
        )
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == recipe.steps:
            _save_state(state_file(output), parts, recipe, step + 1)
    return net.eval(), losses


def state_file(output: Path) -> Path:
    """Where a run keeps what it takes to go on, beside the weights it will write."""
    return output.with_suffix(".resume.pt")


def _schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, step: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """The cycle that ``step`` is in, as far as it has come."""
    cycle, done = recipe.place(step)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate if cycle == 0 else recipe.later_rate,
        total_steps=recipe.cycles[cycle],
        pct_start=0.05,
        last_epoch=done - 1,
    )


def _learn(net: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
    """One optimiser step; returns the loss before it."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _batches(recipe: Recipe, first: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches from step ``first`` on, in order, drawn ahead in ``workers`` processes."""
    steps = range(first, recipe.steps)
    loader = DataLoader(
        DrawnBatches(recipe), None, sampler=steps, num_workers=workers, prefetch_factor=4
    )
    return iter(loader)


def _save_state(path: Path, parts: dict[str, Any], recipe: Recipe, step: int) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    with _written_beside(path) as temporary:
        torch.save({"step": step, "recipe": asdict(recipe), **states}, temporary)


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
    state = {name: value.cpu().contiguous() for name, value in net.state_dict().items()}
    with _written_beside(path) as temporary:
        temporary.write_bytes(save(state, metadata))


@contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """A temporary path that replaces ``path`` when the block succeeds."""
    temporary = path.with_name(path.name + ".part")
    yield temporary
    temporary.replace(path)


@torch.inference_mode()
def predict(net: nn.Module, frames: Frames, batch_size: int = 32) -> np.ndarray:
    """Best class of each clip: uint8 (N, T, H, W, 3) -> int64 (N,)."""
    device = next(net.parameters()).device
    batches = preprocess(torch.from_numpy(frames)).split(batch_size)
    return np.concatenate([net(x.to(device)).argmax(1).cpu().numpy() for x in batches])


def evaluate(net: nn.Module, num_clips: int) -> dict[str, float]:
    """Accuracy over all and per class on the first ``num_clips`` held-out seeds.

    "all" is over the events; "nothing" is over the same clips drawn without theirs.
    """
    _check_held_out(num_clips)
    frames, class_ids, _ = draw_batch(range(num_clips), num_frames=NUM_FRAMES, size=SIZE)
    right = predict(net, frames) == class_ids
    drawn = [(name, right[class_ids == i]) for i, name in enumerate(EVENTS)]
    per_class = {name: float(found.mean()) for name, found in drawn if len(found)}
    empty, _, _ = draw_batch(range(num_clips), version="without event")
    nothing = float((predict(net, empty) == NOTHING).mean())
    return {"all": float(right.mean()), **per_class, CLASSES[NOTHING]: nothing}


def _check_held_out(num_clips: int) -> None:
    if not 0 < num_clips <= FIRST_TRAINING_SEED:
        raise ValueError(
            f"{num_clips} clips: give 1 to {FIRST_TRAINING_SEED}, so many seeds are held out"
        )


def fast_precision(device: torch.device) -> str:
    """bf16 where the device computes with it, else fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text(encoding="utf-8").split() if cpu.exists() else []
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"


def _spare_cores() -> int:
    """All but the one that trains."""
    return max((os.cpu_count() or 2) - 1, 1)


def main(arguments: list[str] | None = None) -> int:
    """Train, evaluate on held-out clips, and write the weights with what was measured.

    Returns the exit status: 0 done, 2 wrong arguments, 130 interrupted.
    """
    options = _parse(arguments)
    try:
        _run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {state_file(options.output)} and --resume go on", file=sys.stderr)
        return 130
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models3d.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--cycles", type=int, nargs="+", default=Recipe.cycles, metavar="STEPS")
    parser.add_argument("--batch-size", type=int, default=Recipe.batch_size)
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="default: what is fast")
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument(
        "--workers", type=int, default=_spare_cores(), help="processes that draw clips"
    )
    parser.add_argument("--output", type=Path, default=WEIGHTS_FILE)
    parser.add_argument("--device", type=_device, help="default: CUDA where there is one")
    parser.add_argument("--held-out", type=int, default=800, help="clips to evaluate on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args(arguments)


def _device(text: str) -> torch.device:
    try:
        return torch.empty(0, device=text).device
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be used here") from error


def _run(options: argparse.Namespace) -> None:
    device = options.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = Recipe(
        options.seed,
        tuple(options.cycles),
        options.batch_size,
        precision=options.precision or fast_precision(device),
        threads=options.threads,
    )
    _check_held_out(options.held_out)
    if options.output.is_dir():
        raise ValueError(f"{options.output} is a folder: name a file in it")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    net, _ = train(recipe, options.output, device, options.resume, options.workers)
    accuracy = evaluate(net, options.held_out)
    measured = {f"accuracy {name}": f"{value:.4f}" for name, value in accuracy.items()}
    settings = {name: str(value) for name, value in asdict(recipe).items()}
    metadata = {**settings, "held-out clips": str(options.held_out), **measured}
    save_weights(net, options.output, metadata)
    state_file(options.output).unlink(missing_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in metadata.items()))


if __name__ == "__main__":
    sys.exit(main())
