"""Precision and recall of what finds cuts, on clips joined at known frames.

    python -m benchmarks.truth.cuts CLIP ... [--sequences 300] [--skip CLIP=FROM-TO ...]

The clips must be continuous; ``--skip`` leaves out seconds in which they are not. Half of the
sequences are one part of a clip, the others three parts of 4 to 40 frames from any of the clips, so
that each has two cuts. Pictures have the size of a network's input, at 15 frames per second and at
the clip's own rate. A cut is found if its first frame is named exactly, and every other frame that
is named is a false alarm. PySceneDetect's detectors have their own default values.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scenedetect import FrameTimecode, detectors

from video_cam.explanation.sampling import FrameSpan, sample_windows
from video_cam.explanation.scenes import HardCutDetector
from video_cam.video.clip import Clip

SIDE = 112  # pixels, of most video networks
RATES = (Fraction(15), None)  # frames per second; None for the clip's own
PART_LENGTHS = (4, 40)  # frames
LEAST_DISTANCE = 30  # frames between two parts of one clip, where a cut lies between them


@dataclass(frozen=True)
class Footage:
    """A continuous clip: uint8 (SIDE, SIDE, 3) frames, and whether each may be used."""

    name: str
    frames: list[np.ndarray]
    is_usable: list[bool]


@dataclass(frozen=True)
class Part:
    """Frames [first, stop) of a clip."""

    footage: Footage
    first: int
    stop: int


Finder = Callable[[Sequence[np.ndarray]], set[int]]  # frames -> first frames after a cut


def read_footage(
    path: Path, rate: Fraction | None, skipped: Sequence[tuple[float, float]]
) -> Footage:
    """A clip's frames at ``rate``, their middle as a square."""
    clip = Clip.open(path)
    whole = FrameSpan(0, clip.timeline.num_frames)
    windows = sample_windows(clip.timeline, whole, num_frames=1, frame_rate=rate, window_stride=1)
    wanted = {window.frame_indices[0] for window in windows}
    with clip.frames() as reader:
        pictures = {frame.index: _square(frame.rgb()) for frame in reader if frame.index in wanted}
    seconds = [float(clip.timeline.pts_seconds(index)) for index in pictures]
    usable = [not any(start <= s <= end for start, end in skipped) for s in seconds]
    return Footage(path.name, list(pictures.values()), usable)


def _square(rgb: np.ndarray) -> np.ndarray:
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    middle = rgb[top : top + side, left : left + side]
    return cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def draw_sequences(
    footage: Sequence[Footage], count: int, seed: int = 0
) -> list[tuple[list[np.ndarray], set[int]]]:
    """Frames and the indices of the first frames after a cut, of ``count`` sequences."""
    rng = np.random.default_rng(seed)
    sequences: list[tuple[list[np.ndarray], set[int]]] = []
    while len(sequences) < count:
        num_parts = 1 if len(sequences) % 2 else 3
        parts = [_draw_part(footage, rng) for _ in range(num_parts)]
        if all(_is_cut(*pair) for pair in pairwise(parts)):
            frames = [f for part in parts for f in part.footage.frames[part.first : part.stop]]
            ends = accumulate(part.stop - part.first for part in parts[:-1])
            sequences.append((frames, set(ends)))
    return sequences


def _draw_part(footage: Sequence[Footage], rng: np.random.Generator) -> Part:
    while True:
        one = footage[int(rng.integers(len(footage)))]
        length = int(rng.integers(*PART_LENGTHS))
        if length < len(one.frames):
            first = int(rng.integers(len(one.frames) - length))
            if all(one.is_usable[first : first + length]):
                return Part(one, first, first + length)


def _is_cut(one: Part, other: Part) -> bool:
    return one.footage is not other.footage or abs(one.stop - other.first) >= LEAST_DISTANCE


def hint(frames: Sequence[np.ndarray]) -> set[int]:
    """What the note on cuts names."""
    detector = HardCutDetector()
    for index, frame in enumerate(frames):
        detector.add(index, frame)
    return set(detector.cuts())


def scene_detector(make: Callable[..., Any], frames: Sequence[np.ndarray]) -> set[int]:
    """What one of PySceneDetect's detectors finds."""
    detector = make(min_scene_len=2)
    found: list[Any] = []
    for index, frame in enumerate(frames):
        picture = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        found += detector.process_frame(FrameTimecode(index, 25.0), picture)
    found += detector.post_process(FrameTimecode(len(frames) - 1, 25.0))
    return {cut if isinstance(cut, int) else cut.frame_num for cut in found} - {0}


FINDERS: dict[str, Finder] = {
    "the note on cuts": hint,
    "PySceneDetect ContentDetector": partial(scene_detector, detectors.ContentDetector),
    "PySceneDetect AdaptiveDetector": partial(scene_detector, detectors.AdaptiveDetector),
    "PySceneDetect HistogramDetector": partial(scene_detector, detectors.HistogramDetector),
    "PySceneDetect HashDetector": partial(scene_detector, detectors.HashDetector),
}


def measure(find: Finder, sequences: Sequence[tuple[list[np.ndarray], set[int]]]) -> list[str]:
    """Cuts found, missed and false, precision and recall."""
    hits = misses = alarms = 0
    for frames, cuts in sequences:
        found = find(frames)
        hits, misses = hits + len(found & cuts), misses + len(cuts - found)
        alarms += len(found - cuts)
    precision = f"{hits / (hits + alarms):.3f}" if hits + alarms else "-"
    return [str(hits), str(misses), str(alarms), precision, f"{hits / (hits + misses):.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--sequences", type=int, default=300)
    parser.add_argument("--skip", nargs="*", default=[], metavar="CLIP=FROM-TO")
    options = parser.parse_args()
    skipped: dict[str, list[tuple[float, float]]] = {}
    for text in options.skip:
        name, _, times = text.partition("=")
        start, _, end = times.partition("-")
        skipped.setdefault(name, []).append((float(start), float(end)))
    for rate in RATES:
        footage = [read_footage(p, rate, skipped.get(p.name, [])) for p in options.clips]
        sequences = draw_sequences(footage, options.sequences)
        print(f"{rate or 'own'} frames per second, {sum(len(f) for f, _ in sequences)} frames")
        print(
            "| detector | found | missed | false | precision | recall |\n|---|---|---|---|---|---|"
        )
        for name, find in FINDERS.items():
            print(f"| {' | '.join([name, *measure(find, sequences)])} |")


if __name__ == "__main__":
    main()
