"""What overlapping windows buy: when does an event begin and end, on drawn clips that tell.

    python -m benchmarks.truth.overlap [--clips 80] [--method gradcam] [--layers NAME ...]

Held-out clips of 48 frames with one event, the bundled network of 16. For each layer and distance
between windows: forward passes per clip, the share of the event that the map covers and the map
that the event covers (temporal IoU, the map being where its mass is above half its peak), the
error of the onset, how often the hottest frame lies in the event, and how late the map's centroid
is, in frames. Several layers named with a + are fused.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

import video_cam
from models3d import CLASSES, DrawnClip, draw_clip
from models3d.motion3d import FRAME_RATE, NUM_FRAMES, SIZE
from video_cam import Classifier
from video_cam.explanation.blending import WindowBlender
from video_cam.explanation.sampling import FrameSpan, Window, sample_windows
from video_cam.layers.alignment import Positions
from video_cam.models.registry import BUNDLED
from video_cam.video.timeline import Timeline

FIRST_SEED = 20_000  # of the held-out seeds, all below 1,000,000
LENGTH = 48
STRIDES = (16, 8, 4, 2, 1)
ALIGNMENTS = ("half-pixel", "receptive-field", "probe")


@dataclass(frozen=True)
class Figures:
    """How well one clip's mass over time tells when its event is. onset, lag: frames."""

    iou: float
    onset: float
    peak: bool
    lag: float


def windows_of(stride: int) -> list[Window]:
    """The windows of a clip of LENGTH frames, the last one ending on its last frame."""
    timeline = Timeline(np.arange(LENGTH), Fraction(1, FRAME_RATE), 1)
    return sample_windows(
        timeline, FrameSpan(0, LENGTH), num_frames=NUM_FRAMES, frame_rate=None, window_stride=stride
    )


def centres_in_time(model: Classifier, layers: Sequence[str], align: str) -> list[Positions]:
    """Where each layer's cells sit in a window, in frames."""
    x = torch.zeros(1, 3, NUM_FRAMES, SIZE, SIZE)
    return [
        cam.centres.t for cam in video_cam.compute_cams(model.module, x, layers=layers, align=align)
    ]


def every_window(
    model: Classifier, clip: DrawnClip, layers: Sequence[str], method: str
) -> list[np.ndarray]:
    """Each layer's maps of the windows that begin at frame 0, 1, 2 ..."""
    starts = range(LENGTH - NUM_FRAMES + 1)
    x = model.preprocess.tensor(np.stack([clip.frames[s : s + NUM_FRAMES] for s in starts]))
    targets = [[clip.class_id] * len(x)]
    return [
        cam.values.numpy()
        for cam in video_cam.compute_cams(
            model.module, x, layers=layers, methods=[method], targets=targets
        )
    ]


def mass_over_time(every: np.ndarray, centres: Positions, windows: Sequence[Window]) -> np.ndarray:
    """(LENGTH,) mean positive value of the blended map in each frame."""
    seconds = np.array([window.frame_indices for window in windows], float)
    values = every[[window.frame_indices[0] for window in windows]]
    blend = WindowBlender(seconds, centres)
    maps = [blend.at(values, t) for t in range(LENGTH)]
    return np.array([0.0 if m is None else m.clip(min=0).mean() for m in maps])


def figures(mass: np.ndarray, event: tuple[int, int]) -> Figures:
    """Compare a clip's mass over time with its event [start, end)."""
    truth = np.zeros(len(mass), bool)
    truth[slice(*event)] = True
    found = mass >= mass.max() / 2
    # The bout around the peak, so that a second, smaller one does not set the onset.
    peak = int(mass.argmax())
    first = peak
    while first > 0 and found[first - 1]:
        first -= 1
    centroid = (mass * np.arange(len(mass))).sum() / max(mass.sum(), 1e-12)
    return Figures(
        float((found & truth).sum() / (found | truth).sum()),
        float(first - event[0]),
        bool(truth[peak]),
        float(centroid - (event[0] + event[1] - 1) / 2),
    )


def fused(masses: Sequence[np.ndarray]) -> np.ndarray:
    """The product of several layers' masses, each as a share of its peak."""
    shares = [mass / max(mass.max(), 1e-12) for mass in masses]
    return np.prod(shares, axis=0)


def _mean(values: Sequence[float]) -> str:
    """The mean and the half of its 95 % interval."""
    half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.inf
    return f"{np.mean(values):.2f} ± {half:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--method", default="gradcam")
    parser.add_argument("--layers", nargs="+", default=["layer4", "layer3", "layer2"])
    parsed = parser.parse_args()
    model = video_cam.load_model(BUNDLED)
    rows: dict[tuple[str, str, int], list[Figures]] = {}
    by_class: dict[str, list[float]] = {}
    placed = {align: centres_in_time(model, parsed.layers, align) for align in ALIGNMENTS}
    for seed in range(FIRST_SEED, FIRST_SEED + parsed.clips):
        clip = draw_clip(seed, num_frames=LENGTH, size=SIZE)
        with torch.no_grad():
            around = min(max(sum(clip.event) // 2 - NUM_FRAMES // 2, 0), LENGTH - NUM_FRAMES)
            x = model.preprocess.tensor(clip.frames[None, around : around + NUM_FRAMES])
            if int(model.module(x).argmax()) != clip.class_id:
                continue
        every = every_window(model, clip, parsed.layers, parsed.method)
        for align in ALIGNMENTS:
            for stride in STRIDES:
                masses = [
                    mass_over_time(maps, where, windows_of(stride))
                    for maps, where in zip(every, placed[align], strict=True)
                ]
                named = dict(zip(parsed.layers, masses, strict=True))
                named["+".join(parsed.layers[:2])] = fused(masses[:2])
                for layer, mass in named.items():
                    key = (layer, align, stride)
                    rows.setdefault(key, []).append(figures(mass, clip.event))
                    if key == (parsed.layers[0], "probe", NUM_FRAMES // 2):
                        by_class.setdefault(CLASSES[clip.class_id], []).append(rows[key][-1].iou)
    print(f"{len(next(iter(rows.values())))} clips the network gets right, {parsed.method}")
    print("| layer | cells in time | stride | forwards | IoU | onset: median (abs.) | peak | lag |")
    print("|---|---|---|---|---|---|---|---|")
    for (layer, align, stride), found in sorted(rows.items(), key=lambda row: (row[0][0], row[0])):
        onsets = np.array([f.onset for f in found])
        print(
            f"| {layer} | {align} | {stride} | {len(windows_of(stride))} "
            f"| {_mean([f.iou for f in found])} "
            f"| {np.median(onsets):+.1f} ({np.median(abs(onsets)):.1f}) "
            f"| {np.mean([f.peak for f in found]):.0%} | {np.mean([f.lag for f in found]):+.2f} |"
        )
    print(f"IoU of {parsed.layers[0]}, probe, by what happened:")
    for label, ious in sorted(by_class.items()):
        print(f"  {label}: {_mean(ious)} of {len(ious)} clips")


if __name__ == "__main__":
    main()
