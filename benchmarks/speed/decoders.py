"""PyAV as this project uses it, against torchcodec: the same frames, and what they cost.

    pip install torchcodec        (it needs FFmpeg's shared libraries)
    python -m benchmarks.speed.decoders [CLIP ...] [--rounds 3]

For each clip, and for two drawn ones of 3 s, 1280x720 and 1920x1080:

- whether torchcodec gives as many frames at the same times, and how far its colours are from
  PyAV's, in levels of 255;
- the CPU time and the wall time that it takes to decode and convert every frame, in units of
  PyAV's, with FFmpeg's own number of threads and with one. With a CUDA device also on NVDEC.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.speed.pipeline import make_clip
from video_cam.errors import VideoCamError, first_line
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe

DRAWN = ((1280, 720), (1920, 1080))
SECONDS = 3


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        drawn = [Path(name) / f"{width}x{height}.mp4" for width, height in DRAWN]
        for path, size in zip(drawn, DRAWN, strict=True):
            make_clip(path, SECONDS, *size)
        for path in [*parsed.clips, *drawn]:
            try:
                print(f"{path.name}: {difference(path)}", flush=True)
                costs(path, parsed.rounds)
            # Of a library that is only measured, for a file that it cannot read.
            except (RuntimeError, ValueError, VideoCamError) as error:
                print(f"{path.name}: {type(error).__name__}: {first_line(error)}", flush=True)


def with_pyav(path: Path, threads: int = 0) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and uint8 (H, W, 3) of every frame, in order; the packets are read once before."""
    _, timeline = probe(path)
    with FrameReader(path, known_timeline=timeline, num_threads=threads) as reader:
        for frame in reader:
            yield float(frame.pts_seconds), frame.rgb()


def with_torchcodec(
    path: Path, threads: int = 0, device: str = "cpu"
) -> Iterator[tuple[float, np.ndarray]]:
    """The same, of torchcodec in its exact mode, which reads the packets once before, too."""
    from torchcodec.decoders import VideoDecoder

    decoder: Any = VideoDecoder(
        path,
        dimension_order="NHWC",
        num_ffmpeg_threads=threads,
        device=device,
        seek_mode="exact",
    )
    for index in range(len(decoder)):
        frame = decoder.get_frame_at(index)
        yield frame.pts_seconds, frame.data.cpu().numpy()


def difference(path: Path) -> str:
    """How torchcodec's frames differ from PyAV's."""
    ours, theirs = list(with_pyav(path)), list(with_torchcodec(path))
    text = f"{len(ours)} frames and {len(theirs)}"
    pairs = list(zip(ours, theirs, strict=False))
    late = max(abs(one[0] - other[0]) for one, other in pairs)
    if any(one[1].shape != other[1].shape for one, other in pairs):
        return f"{text}, times within {late:.6f} s, {ours[0][1].shape} and {theirs[0][1].shape}"
    levels = [np.abs(one[1].astype(int) - other[1]) for one, other in pairs]
    return (
        f"{text}, times within {late:.6f} s, levels within {max(part.max() for part in levels)}, "
        f"in the mean {np.mean([part.mean() for part in levels]):.2f}"
    )


def costs(path: Path, rounds: int) -> None:
    """Print what torchcodec takes in units of PyAV."""
    for name, threads in (("threads chosen by FFmpeg", 0), ("one thread", 1)):
        unit = partial(with_pyav, path, threads)
        line = ratio(unit, partial(with_torchcodec, path, threads), rounds)
        print(f"  {name}: {line}", flush=True)
    if torch.cuda.is_available():
        unit = partial(with_pyav, path)
        line = ratio(unit, partial(with_torchcodec, path, device="cuda"), rounds)
        print(f"  NVDEC against PyAV with threads chosen by FFmpeg: {line}", flush=True)


def ratio(
    unit: Callable[[], Iterator[object]], other: Callable[[], Iterator[object]], rounds: int
) -> str:
    """CPU and wall time of the other in units of the unit, run in turn."""
    found = []
    for _ in range(rounds):
        one, two = times(unit), times(other)
        found.append([b / a for a, b in zip(one, two, strict=True)])
    cpu, wall = zip(*found, strict=True)
    return f"CPU time {of_rounds(cpu)}, wall time {of_rounds(wall)}"


def of_rounds(values: Sequence[float]) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} - {max(values):.2f})"


def times(run: Callable[[], Iterator[object]]) -> tuple[float, float]:
    """CPU seconds of all threads and wall seconds, of reading every frame."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in run():
        pass
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    main()
