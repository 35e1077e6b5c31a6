"""The whole command in units of the work that cannot be avoided.

    python -m benchmarks.command [--seconds 10] [--size 340x256] [--rounds 3]

The unit: decode the clip once, run the network on every window without gradients, then decode,
draw and encode once. The command is timed as a process of its own, start-up included, and again
without start-up. r3d_18 with random weights: time does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

import video_cam
from benchmarks.timing import ratios, seconds
from models3d.drawn_clips import draw_clip
from video_cam.drawing import Palette, overlay
from video_cam.look import Look
from video_cam.models import Classifier
from video_cam.options import Options
from video_cam.pipeline import process
from video_cam.sampling import span_of
from video_cam.video import FrameReader, VideoWriter, probe
from video_cam.windows import batches, plan_windows, read_windows

ROOT = Path(__file__).parent.parent


def make_clip(path: Path, length_seconds: float, width: int, height: int) -> None:
    """A moving, textured clip at 28 frames per second."""
    import cv2

    rate = 28
    frames = draw_clip(0, num_frames=48, size=256).frames
    with VideoWriter(
        path, width, height, time_base=Fraction(1, rate), frame_rate=Fraction(rate)
    ) as writer:
        for index in range(round(length_seconds * rate)):
            position = index % 94
            frame = frames[min(position, 94 - position)]  # forwards and back again
            writer.write(cv2.resize(frame, (width, height)), index, 1)


def decode(path: Path) -> None:
    """Decode and convert every frame."""
    with FrameReader(path) as reader:
        for frame in reader:
            frame.rgb()


def forwards(path: Path, model: Classifier) -> None:
    """The network on every window, no gradients; includes what it takes to read the windows."""
    options = Options()
    _, timeline = probe(path)
    windows = plan_windows(timeline, span_of(timeline), model, options)
    with FrameReader(path) as reader, torch.inference_mode():
        inputs = read_windows(iter(reader), windows, model.preprocess)
        for batch in batches(inputs, options.batch_size):
            model.module(model.preprocess.tensor(np.stack(batch)))


def draw(path: Path, target: Path) -> None:
    """Decode, lay one heat map over every frame, encode."""
    info, timeline = probe(path)
    palette, box = Palette("inferno", 0.7), (0, 0, info.width, info.height)
    heat = np.linspace(0, 1, info.width * info.height, dtype=np.float32)
    heat = heat.reshape(info.height, info.width)
    with (
        FrameReader(path) as reader,
        VideoWriter(
            target,
            info.width,
            info.height,
            time_base=timeline.time_base,
            frame_rate=info.frame_rate,
        ) as writer,
    ):
        for frame in reader:
            picture = overlay(frame.rgb(), heat, box, palette)
            writer.write(picture, frame.pts, timeline.duration_ticks(frame.index))


def main() -> None:
    """Print the parts of the unit and the two ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--size", default="340x256")
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    width, height = map(int, parsed.size.split("x"))
    model = video_cam.load_model("r3d_18", "none")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(clip, parsed.seconds, width, height)

        def unit() -> None:
            # read_windows decodes the clip once and converts only what the network needs.
            forwards(clip, model)
            draw(clip, Path(folder) / "drawn.mp4")

        def in_process() -> None:
            process(clip, Path(folder) / "out", model, Options(), Look())

        def as_command() -> None:
            program = [sys.executable, str(ROOT / "run_video_cam.py"), "--clip", str(clip)]
            options = ["--model", "r3d_18", "--weights", "none", "--output-dir", f"{folder}/out"]
            subprocess.run(
                [*program, *options],
                check=True,
                capture_output=True,
            )

        found = ratios(unit, {"without start-up": in_process, "command": as_command}, parsed.rounds)
        print(f"{parsed.seconds:g} s of {parsed.size}, {torch.get_num_threads()} threads")
        print(f"decode once: {seconds(lambda: decode(clip)):.2f} s")
        print(f"decode + forwards: {seconds(lambda: forwards(clip, model)):.2f} s")
        print(f"decode, draw, encode: {seconds(lambda: draw(clip, Path(folder) / 'd.mp4')):.2f} s")
        print(
            "stages of the last run:",
            json.loads((Path(folder) / "out" / "clip" / "summary.json").read_text())["seconds"],
        )
        for name, ratio in found.items():
            print(f"{name}: {ratio} units")


if __name__ == "__main__":
    main()
