"""The time of a folder of clips, divided by the sum of the times of its clips.

    python -m benchmarks.speed.folder [--clips 40] [--model motion3d]

The folder is given to one command; its time is counted from when the network is loaded. The single
clips are processed in a process that is warm. The start-up is printed by itself: from the command
to the loaded network, and the CPU time of --help.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

import video_cam
from clips.make_clips import write_video
from models3d.drawn_clips import draw_clip
from video_cam.batch.network import NetworkExplainer
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.models.classifier import Classifier
from video_cam.pipeline import process_clip

ROOT = Path(__file__).parents[2]
SECONDS, FRAME_RATE, SIZE = 10, 16, 256


def main() -> None:
    """Print the durations and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--model", default="motion3d")
    parsed = parser.parse_args()
    model = video_cam.load_model(parsed.model, "none" if parsed.model != "motion3d" else None)
    with tempfile.TemporaryDirectory() as folder:
        clips = _draw(Path(folder) / "clips", parsed.clips)
        words = ["--model", model.name, "--weights", model.weights]
        words += ["--clip", str(clips[0].parent), "--output-dir", str(Path(folder) / "together")]
        whole, started = folder_seconds(words, len(clips))
        single = _singles(clips, model, Path(folder) / "singly")
    print(f"{len(clips)} clips of {SECONDS} s, {SIZE}x{SIZE}, {model.name}, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    print(f"folder without start-up: {whole:.1f} s; sum of single clips: {single:.1f} s; "
          f"ratio {whole / single:.2f}")  # fmt: skip
    print(f"start-up, command to network: {started:.1f} s")
    help_seconds = _cpu_seconds([str(ROOT / "run_video_cam.py"), "--help"])
    print(f"--help: {help_seconds:.2f} s of CPU; import torch: "
          f"{_cpu_seconds(['-c', 'import torch']):.2f} s")  # fmt: skip


def _draw(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    clips = []
    for seed in range(count):
        clips.append(folder / f"{seed:03d}.mp4")
        drawn = draw_clip(seed, num_frames=SECONDS * FRAME_RATE, size=SIZE)
        write_video(clips[-1], drawn.frames, FRAME_RATE)
    return clips


def folder_seconds(words: list[str], count: int) -> tuple[float, float]:
    """Time one command that processes several clips.

    Args:
        words: the command's arguments.
        count: how many clips these are.

    Returns:
        Seconds from the loaded network to the end, and from the command to the loaded network.

    Raises:
        RuntimeError: not all clips were processed.
    """
    program = [sys.executable, str(ROOT / "run_video_cam.py"), "--json", *words]
    began = time.perf_counter()
    started = ended = 0.0
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "message" and event["text"].startswith("model "):
                started = time.perf_counter()
            if event["event"] == "end":
                ended = time.perf_counter()
                if event["done"] != count:
                    raise RuntimeError(f"the command processed not all clips: {event}")
    return ended - started, started - began


def _singles(clips: list[Path], model: Classifier, out: Path) -> float:
    """Seconds of all clips, one by one, after the first one was processed once to warm up."""
    explainer = NetworkExplainer(model)
    process_clip(clips[0], out / "warm", explainer, ExplainConfig(), RenderConfig())
    began = time.perf_counter()
    for clip in clips:
        process_clip(clip, out / clip.stem, explainer, ExplainConfig(), RenderConfig())
    return time.perf_counter() - began


def _cpu_seconds(arguments: list[str]) -> float:
    """The smallest CPU time of three runs of Python with these arguments, in seconds."""
    least = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = min(least, used)
    return least


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
