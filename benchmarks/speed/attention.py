"""The cost of attention methods on a network as large as VideoMAE-base, in inference forwards.

    python -m benchmarks.speed.attention [--rounds 3] [--blocks 12]

One 16x224x224 clip on the CPU in fp32, one class, random weights: 1,568 tokens and 12 heads in each
block. What the network attends between is found before, once. Each row's time is the median ratio
to a forward just before it, both in seconds of the processor, so that other work on the machine
counts less; its memory is the peak above that of a plain forward.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from benchmarks.speed.methods import peak_mb
from video_cam import compute_cams
from video_cam.choice_names import ATTENTION_METHOD_NAMES

HEADS, TOKENS = 12, 1568


def videomae(blocks: int) -> nn.Module:
    """VideoMAE-base with random weights."""
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(0)
    return VideoMAEForVideoClassification(VideoMAEConfig(num_hidden_layers=blocks)).eval()


def seconds(run: Callable[[], object]) -> float:
    """Seconds of the processor that a call takes."""
    began = time.process_time()
    run()
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=12)
    parsed = parser.parse_args()
    torch.set_num_threads(1)  # threads that wait for each other count as busy
    model = videomae(parsed.blocks)
    x = torch.randn(1, 16, 3, 224, 224)

    @torch.inference_mode()
    def forward() -> None:
        model(x)

    runs = {
        method: partial(compute_cams, model, x, methods=[method], targets=[1])
        for method in ATTENTION_METHOD_NAMES
    }
    layer = f"videomae.encoder.layer.{parsed.blocks - 1}"
    runs["gradcam"] = partial(
        compute_cams, model, x, layers=[layer], targets=[1], align="receptive-field"
    )
    forward()
    plain = peak_mb(forward)
    compute_cams(model, x, methods=ATTENTION_METHOD_NAMES[:1])  # finds the structure
    print(f"one forward: {seconds(forward):.1f} s", flush=True)
    for name, run in runs.items():
        run()  # what is found once
        costs, peaks = [], []
        for _ in range(parsed.rounds):
            unit = seconds(forward)
            began = time.process_time()
            peaks.append(peak_mb(run))
            costs.append((time.process_time() - began) / unit)
        cost, memory = statistics.median(costs), max(max(peaks) - plain, 0)
        print(f"{name}: {cost:.2f} forwards, {memory:.0f} MB above a forward", flush=True)
    weights = parsed.blocks * HEADS * TOKENS**2 * 4 / 1e6
    print(f"all weights of attention: {weights:.0f} MB")


if __name__ == "__main__":
    main()
