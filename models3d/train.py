"""Train a bundled network on clips that are drawn during training: ``python -m models3d.train``.

The difficulty of the clips rises during training. With clips of full difficulty from the first step
``Motion3D`` stays at chance level.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from models3d.checkpoints import restore_state, save_state, save_weights, state_file
from models3d.evaluation import check_held_out, evaluate
from models3d.recipe import RECIPES, DrawnBatches, Recipe
from models3d.residual3d import preprocess

CHECKPOINT_EVERY = 100  # steps


def augment(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Vary each clip's sharpness, contrast, brightness and tint, and add noise.

    Recorded video is resized and compressed, which makes it slightly blurred and noisy.

    Args:
        x: normalised float32 (N, 3, T, H, W).
        strength: in [0, 1]; 0 changes nothing.
        generator: source of the random numbers, on the CPU.
    """

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        draw = torch.rand(len(x), channels, 1, 1, 1, generator=generator)
        return (low + (high - low) * draw).to(x.device)

    blurred = F.avg_pool3d(x, (1, 3, 3), stride=1, padding=(0, 1, 1), count_include_pad=False)
    varied = torch.lerp(x, blurred, uniform(-0.5, 1.0).clamp(min=0)) * uniform(0.7, 1.25)
    varied = varied + uniform(-0.4, 0.4) + uniform(-0.15, 0.15, channels=3)
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return torch.lerp(x, varied + uniform(0.0, 0.08) * noise, strength)


def train(
    recipe: Recipe, output: Path, device: torch.device, resume: bool = False, workers: int = 1
) -> tuple[nn.Module, list[float]]:
    """Run a recipe. The weights are not written; ``main`` writes them after the evaluation.

    Every CHECKPOINT_EVERY steps, and after the last one, the state of network and optimizer is
    written to ``state_file(output)``.

    Args:
        recipe: determines the weights.
        output: file that the weights will be written to.
        device: to train on.
        resume: continue from ``state_file(output)``.
        workers: processes that draw clips; the weights do not depend on their number.

    Returns:
        net: in eval mode.
        losses: of every step that was run.

    Raises:
        FileNotFoundError: there is no state to resume from.
        ValueError: the state is of another recipe, or the loss is not a finite number.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    # On a CPU training is 1.5 times as fast with the channels last.
    net = recipe.build().to(device).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(
        net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    parts: dict[str, Any] = {"net": net, "optimizer": optimizer}
    first = restore_state(state_file(output), parts, recipe) if resume else 0
    schedule = learning_rate_schedule(optimizer, recipe, min(first, recipe.steps - 1))

    losses: list[float] = []
    progress = tqdm(_batches(recipe, first, workers), initial=first, total=recipe.steps)
    for step, (frames, class_ids) in enumerate(progress, start=first):
        cycle, done = recipe.cycle_of(step)
        if done == 0:
            recipe.begin_cycle(cycle, net)
            if step > first:
                schedule = learning_rate_schedule(optimizer, recipe, step)
        loss = _loss(net, recipe, step, frames.to(device), class_ids.to(device))
        losses.append(_optimizer_step(net, optimizer, loss))
        if not math.isfinite(losses[-1]):
            raise ValueError(
                f"the loss of step {step} is {losses[-1]}: train again with --precision fp32"
            )
        schedule.step()
        progress.set_postfix(
            refresh=False,
            loss=f"{np.mean(losses[-20:]):.3f}",
            difficulty=f"{recipe.difficulty(step):.2f}",
        )
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == recipe.steps:
            save_state(state_file(output), parts, recipe, step + 1)
    return net.eval(), losses


def learning_rate_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, step: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """The schedule of the cycle that contains ``step``, advanced to that step."""
    cycle, done = recipe.cycle_of(step)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.rate(cycle),
        total_steps=recipe.cycles[cycle],
        pct_start=0.05,
        last_epoch=done - 1,
    )


def _loss(net: nn.Module, recipe: Recipe, step: int, frames: Tensor, class_ids: Tensor) -> Tensor:
    """Cross entropy of one step's clips; frames and class ids are on the network's device."""
    generator = torch.Generator().manual_seed(recipe.clip_seeds(step).start)
    x = augment(preprocess(frames), recipe.difficulty(step), generator)
    # Deterministic, so that a run on a GPU can be repeated.
    with (
        torch.backends.cudnn.flags(enabled=True, deterministic=True),
        torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"),
    ):
        return F.cross_entropy(net(x), class_ids)


def _optimizer_step(net: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> float:
    """Update the weights; returns the loss before the update."""
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


def main(arguments: list[str] | None = None) -> int:
    """Train, evaluate on held-out clips, and write the weights with the accuracy as metadata.

    Returns:
        The exit status: 0 done, 2 wrong arguments, 130 interrupted.
    """
    options = _parse(arguments)
    try:
        _run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        state = state_file(options.output)
        print(f"interrupted: --resume continues from {state}", file=sys.stderr)
        return 130
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models3d.train", description=__doc__)
    parser.add_argument("--network", choices=RECIPES, default=Recipe.network)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument(
        "--cycles", type=int, nargs="+", metavar="STEPS", help="default: those of the recipe"
    )
    parser.add_argument("--batch-size", type=int, default=Recipe.batch_size)
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        help="default: for motion3d bf16 where the device has it, else fp32",
    )
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument(
        "--workers",
        type=int,
        default=max((os.cpu_count() or 2) - 1, 1),
        help="processes that draw clips (default: all cores but one)",
    )
    parser.add_argument("--output", type=Path, help="default: the weights beside this file")
    parser.add_argument("--device", type=_device, help="default: CUDA if available")
    parser.add_argument("--held-out", type=int, default=800, help="clips to evaluate on")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.network]
    options.cycles = options.cycles or recipe.cycles
    options.output = options.output or Path(__file__).with_name(f"{options.network}.safetensors")
    return options


def _device(text: str) -> torch.device:
    try:
        return torch.empty(0, device=text).device
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f"device {text!r} is not available") from error


def _run(options: argparse.Namespace) -> None:
    device = options.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = RECIPES[options.network]
    recipe = chosen(
        options.seed,
        tuple(options.cycles),
        options.batch_size,
        precision=options.precision or chosen.precision_on(device),
        threads=options.threads,
    )
    check_held_out(options.held_out)
    if options.output.is_dir():
        raise ValueError(f"--output {options.output} is a folder: name a file in it")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    net, _ = train(recipe, options.output, device, options.resume, options.workers)
    accuracy = evaluate(net, options.held_out, recipe.network)
    measured = {f"accuracy {name}": f"{value:.4f}" for name, value in accuracy.items()}
    settings = {name: str(value) for name, value in asdict(recipe).items()}
    metadata = {**settings, "held-out clips": str(options.held_out), **measured}
    save_weights(net, options.output, metadata)
    state_file(options.output).unlink(missing_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in metadata.items()))


if __name__ == "__main__":
    sys.exit(main())
