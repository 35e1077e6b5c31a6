"""Whether frames could be resized on the device, and what that would save.

    python -m benchmarks.speed.device_resize [CLIP ...] [--rounds 20]

The resize of ``models/resizing.py`` works in whole levels on the CPU, as the libraries do that
networks were trained with. A device would resize in floating point and round. For each clip and
each way to resize: the share of numbers that differ, and by how many levels at most. Then, for a
frame of 1280x720: the CPU time of the resize, and the bytes that are copied to the device when the
frame is resized before it and after it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from models3d.drawn_clips import draw_clip
from video_cam.models.resizing import ANTIALIASED, INTERPOLATIONS, resized
from video_cam.video.clip import Clip

WAYS = [(mode, False) for mode in INTERPOLATIONS] + [(mode, True) for mode in ANTIALIASED]
SIDE, CROP = 128, 112  # pixels: the shorter side of r3d_18's resize, and its crop
FRAMES = 5  # of each clip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parsed = parser.parse_args()
    large = cv2.resize(draw_clip(0, num_frames=8, size=256).frames[0], (1280, 720))
    frames = {path.name: list(frames_of(path)) for path in parsed.clips}
    frames["a drawn frame of 1280x720"] = [large]
    for way in WAYS:
        for name, of_clip in frames.items():
            print(f"{words(*way)}, {name}: {difference(of_clip, *way)}", flush=True)
    for way in WAYS:
        spent = milliseconds(partial(resized, large, smaller(large), *way), parsed.rounds)
        print(f"{words(*way)}: {spent:.2f} ms of CPU for a frame of 1280x720")
    print(f"bytes to copy: {CROP * CROP * 3:,} after resize and crop, {large.nbytes:,} before")


def words(mode: str, antialias: bool) -> str:
    """The name of a way to resize."""
    return f"{mode}, antialiased" if antialias else mode


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """Some frames of a clip, uint8 (H, W, 3)."""
    with Clip.open(path).frames() as reader:
        for frame in reader:
            if frame.index == FRAMES:
                return
            yield frame.rgb()


def smaller(frame: np.ndarray) -> tuple[int, int]:
    """(height, width) with a shorter side of SIDE."""
    height, width = frame.shape[:2]
    return SIDE * height // min(height, width), SIDE * width // min(height, width)


def difference(frames: list[np.ndarray], mode: str, antialias: bool) -> str:
    """How far a resize in floating point, rounded, is from that of the CPU."""
    found = [
        np.abs(
            on_device(one, mode, antialias).astype(int)
            - resized(one, smaller(one), mode, antialias)
        )
        for one in frames
    ]
    values = np.concatenate([one.ravel() for one in found])
    return f"{(values > 0).mean():.2%} differ, by {values.max()} at most"


def on_device(frame: np.ndarray, mode: str, antialias: bool) -> np.ndarray:
    """The resize as a device would do it: uint8 (height, width, 3)."""
    options = (
        {} if mode in ("area", "nearest") else {"antialias": antialias, "align_corners": False}
    )
    x = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    y = F.interpolate(x, smaller(frame), mode=mode, **options).round().clamp(0, 255)
    return y[0].permute(1, 2, 0).to(torch.uint8).numpy()


def milliseconds(run: Callable[[], object], rounds: int) -> float:
    """CPU time of one call in this thread, the median."""
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        run()
        spent.append(time.thread_time() - began)
    return 1e3 * statistics.median(spent)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    main()
