"""The cost of attention methods on a network as large as VideoMAE-base, in inference forwards.

    python -m benchmarks.speed.attention [--rounds 3] [--blocks 12] [--only METHOD ...]

One 16x224x224 clip on the CPU in fp32, one class, random weights: 1,568 tokens and 12 heads in each
block. What the network attends between is found before, once. Each row's time is the median ratio
to a forward just before it, both in seconds of the processor, so that other work on the machine
counts less. Its memory is the peak above that of a plain forward, in another process whose C
library returns every large block as soon as it is freed. The row "backward pass" is a forward and a
backward pass from the score to the clip, which keep the graph of all blocks.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.speed.methods import peak_mb
from video_cam import compute_cams
from video_cam.choice_names import ATTENTION_METHOD_NAMES

HEADS, TOKENS = 12, 1568
BACKWARD = "backward pass"
ROWS = (BACKWARD, *ATTENTION_METHOD_NAMES, "gradcam")
# Of glibc: larger blocks are returned to the system when they are freed.
EXACT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def videomae(blocks: int) -> nn.Module:
    """VideoMAE-base with random weights."""
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(0)
    model = VideoMAEForVideoClassification(VideoMAEConfig(num_hidden_layers=blocks))
    return model.eval().requires_grad_(False)


def seconds(run: Callable[[], object]) -> float:
    """Seconds of the processor that a call takes."""
    began = time.process_time()
    run()
    return time.process_time() - began


def backward(model: nn.Module, x: Tensor) -> None:
    """A forward and a backward pass from a score to the clip."""
    x = x.clone().requires_grad_()
    torch.autograd.grad(model(x).logits[0, 1], x)


def call_of(row: str, model: nn.Module, x: Tensor, blocks: int) -> Callable[[], object]:
    """What a row of ROWS runs."""
    if row == BACKWARD:
        return partial(backward, model, x)
    if row in ATTENTION_METHOD_NAMES:
        return partial(compute_cams, model, x, methods=[row], targets=[1])
    layer = f"videomae.encoder.layer.{blocks - 1}"
    return partial(compute_cams, model, x, layers=[layer], targets=[1], align="receptive-field")


def measure(row: str, blocks: int, rounds: int, of_memory: bool) -> str:
    """The forwards that a row takes, or its megabytes above a forward."""
    torch.set_num_threads(1)  # threads that wait for each other count as busy
    model, x = videomae(blocks), torch.randn(1, 16, 3, 224, 224)

    @torch.inference_mode()
    def forward() -> None:
        model(x)

    run = call_of(row, model, x, blocks)
    run()  # what is found once
    if of_memory:
        gc.collect()  # graphs that refer to themselves
        plain = peak_mb(forward)
        return f"{peak_mb(run) - plain:.0f}"
    costs = []
    for _ in range(rounds):
        unit = seconds(forward)
        costs.append(seconds(run) / unit)
    return f"{statistics.median(costs):.2f}"


def measured_in_process(row: str, blocks: int, rounds: int, of_memory: bool) -> str:
    """``measure`` in a new process."""
    program = [sys.executable, "-m", "benchmarks.speed.attention", "--row", row]
    program += ["--blocks", str(blocks), "--rounds", str(rounds)]
    if of_memory:
        program.append("--memory")
    environment = os.environ | (EXACT_MEMORY if of_memory else {})
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def main() -> None:
    """Print the table, or one number of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--memory-only", action="store_true", help="leave the forwards out")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.row:
        print(measure(parsed.row, parsed.blocks, parsed.rounds, parsed.memory))
        return
    for row in parsed.only:
        memory = measured_in_process(row, parsed.blocks, parsed.rounds, True)
        cost = (
            ""
            if parsed.memory_only
            else measured_in_process(row, parsed.blocks, parsed.rounds, False) + " forwards, "
        )
        print(f"{row}: {cost}{memory} MB above a forward", flush=True)
    weights = parsed.blocks * HEADS * TOKENS**2 * 4 / 1e6
    print(f"all weights of attention: {weights:.0f} MB")


if __name__ == "__main__":
    main()
