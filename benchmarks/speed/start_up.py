"""From the command to the first forward, in units of importing PyTorch and loading the weights.

    python -m benchmarks.speed.start_up [--rounds 5]

The unit is a process that imports torch and torchvision, builds ``r3d_18`` and loads its weights.
Beside it runs the command with these weights on a second of 340x256, for at least the second
time, up to its first forward. Both run in turn with one thread for computing, and their CPU time
is compared, as other work on the machine adds less to it than to the time that passes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import video_cam
from benchmarks.speed.pipeline import make_clip
from benchmarks.speed.ratios import Ratio
from video_cam.layers.cache import FOLDER_VARIABLE

ROOT = Path(__file__).parents[2]
UNIT = """
import sys, time
import torch, torchvision
model = torchvision.models.get_model("r3d_18")
model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
print(time.process_time())
"""
# The module of the first forward is changed when it has been imported, so that nothing is imported
# earlier than in the command.
COMMAND = """
import os, sys, time
from importlib.machinery import PathFinder

class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name != "video_cam.attribution.attributor":
            return None
        spec = PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module
        def run(module):
            execute(module)
            module.Attributor.__call__ = first_forward
        spec.loader.exec_module = run
        return spec

def first_forward(*arguments, **named):
    print(time.process_time(), flush=True)
    os._exit(0)

sys.meta_path.insert(0, Finder)
from video_cam.cli.main import run_process
run_process()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        unit, command = start_ups(Path(name), rounds)
    ratio = Ratio.of([whole / part for whole, part in zip(command, unit, strict=True)])
    print(
        f"start-up: {ratio} of importing torch and torchvision and loading the weights\n"
        f"  CPU seconds, medians of {rounds}: {statistics.median(command):.2f} and "
        f"{statistics.median(unit):.2f}"
    )


def start_ups(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    """CPU seconds of the unit and of the command's start-up, in each round."""
    clip, weights = folder / "clip.mp4", folder / "weights.pth"
    make_clip(clip, 1, 340, 256)
    torch.save(video_cam.load_model("r3d_18", "none").module.state_dict(), weights)
    words = ["--clip", str(clip), "--model", "r3d_18", "--weights", str(weights)]
    words += ["--output-dir", str(folder / "out"), "--quiet"]
    # A complete run fills the cache and compiles the modules, as the first run of a user does.
    subprocess.run(
        [sys.executable, "-m", "video_cam", *words], check=True, cwd=ROOT, env=_environment(folder)
    )
    pairs = [
        (
            _cpu_seconds(folder, "-c", UNIT, str(weights)),
            _cpu_seconds(folder, "-c", COMMAND, *words, "--overwrite"),
        )
        for _ in range(rounds)
    ]
    unit, command = zip(*pairs, strict=True)
    return list(unit), list(command)


def _cpu_seconds(folder: Path, *words: str) -> float:
    """What a Python process prints."""
    done = subprocess.run(
        [sys.executable, *words],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=_environment(folder),
    )
    return float(done.stdout)


def _environment(folder: Path) -> dict[str, str]:
    own = {FOLDER_VARIABLE: str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    # An installed package has compiled modules.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | own


if __name__ == "__main__":
    main()
