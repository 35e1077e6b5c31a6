"""CPU time of the whole command, in units of the work that cannot be avoided.

    python -m benchmarks.speed.cpu_units [--seconds 10] [--size 340 256]

The unit is decoding once, the forward passes, and decoding and encoding once, as in
``benchmarks.speed.pipeline``, which compares the time that passes. CPU time says how much more work
is done, also where other work slows the machine; the time that passes is shorter, as stages run
side by side. One thread computes, so that none counts as busy while it waits. Without start-up the
command runs in this process; with start-up in one of its own, for the second time.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

import video_cam
from benchmarks.speed.pipeline import decode, encode, forwards, inputs_of, make_clip, run_command
from benchmarks.speed.stage_times import measured
from video_cam.batch.network import NetworkExplainer
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.pipeline import process_clip
from video_cam.utils.allocator import keep_freed_memory

DETAILS = ("none", "layers")
MIN_SHOWN = 0.01  # of the unit


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--size", type=int, nargs=2, default=(340, 256), metavar=("W", "H"))
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the command
    keep_freed_memory()  # as the command does
    torch.set_num_threads(1)
    torch.manual_seed(0)  # other random weights can need a second pass over other windows
    model = video_cam.load_model("r3d_18", "none")
    explainer = NetworkExplainer(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, first = folder / "clip.mp4", folder / "first.mp4"
        make_clip(first, 1, *options.size)
        weights = folder / "weights.pth"
        torch.save(model.module.state_dict(), weights)
        network = ("--model", "r3d_18", "--weights", str(weights))
        for detail in DETAILS:  # to find what is found once for a network
            _run(first, folder, explainer, detail)
            run_command(first, folder, *network, "--detail", detail)
        make_clip(clip, options.seconds, *options.size)
        inputs = inputs_of(clip, model)
        parts = {
            "decode": cpu_seconds(partial(decode, clip)),
            "forwards": cpu_seconds(partial(forwards, model, inputs)),
            "decode, encode": cpu_seconds(partial(encode, clip, folder / "encoded.mp4")),
        }
        unit = sum(parts.values())
        print("unit:", ", ".join(f"{name} {part:.2f} s" for name, part in parts.items()))
        for detail in DETAILS:
            with measured("cpu") as times:
                whole = cpu_seconds(partial(_run, clip, folder, explainer, detail))
            print(f"--detail {detail}: {whole / unit:.2f} units of CPU time")
            for (of_pass, stage), one in sorted(times.stages.items(), key=lambda s: -s[1].cpu):
                if one.cpu >= MIN_SHOWN * unit:
                    print(f"  {of_pass}: {stage:24s} {one.cpu / unit:.3f}")
            before = _cpu_of_children()
            run_command(clip, folder, *network, "--detail", detail)
            print(f"  with start-up: {(_cpu_of_children() - before) / unit:.2f} units")


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU time of one call, of all threads."""
    before = time.process_time()
    function()
    return time.process_time() - before


def _cpu_of_children() -> float:
    """CPU time of the processes that this one has started and that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(clip: Path, folder: Path, explainer: NetworkExplainer, detail: str) -> None:
    config = ExplainConfig(check=False, detail=(detail,))
    process_clip(clip, folder / "out", explainer, config, RenderConfig())


if __name__ == "__main__":
    main()
