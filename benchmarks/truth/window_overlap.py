"""How much overlapping windows improve when a map begins and ends, on drawn clips.

    python -m benchmarks.truth.window_overlap [--clips 80] [--method gradcam] [--layers NAME ...]
        [--detail none]

Held-out clips of 48 frames with one event, and the bundled network, whose input is 16 frames. The
table has, for each layer and each distance between windows:

- forward passes per clip
- temporal IoU of the event and the frames in which the map's mass is above half its peak
- the error of the onset, in frames
- how often the frame with the largest mass lies in the event
- the lag of the map's centroid behind the event's, in frames

The first two layers are also fused, as their product.
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
from models3d.residual3d import FRAME_RATE, NUM_FRAMES, SIZE
from video_cam import Classifier
from video_cam.attribution_config import AttributionConfig
from video_cam.choice_names import DETAIL_NAMES
from video_cam.explanation.blending import WindowBlender
from video_cam.explanation.sampling import FrameSpan, Window, sample_windows
from video_cam.layers.alignment import Positions
from video_cam.models.registry import BUNDLED
from video_cam.video.timeline import Timeline

FIRST_SEED = 20_000  # held out
LENGTH = 48  # frames of a clip
STRIDES = (16, 8, 4, 2, 1)
ALIGNMENTS = ("half-pixel", "receptive-field", "probe")

Setting = tuple[str, str, int]  # layer, alignment, stride


@dataclass(frozen=True)
class TemporalErrors:
    """How well one clip's mass over time shows when the event is.

    Attributes:
        iou: temporal IoU, in [0, 1].
        onset: onset of the map minus that of the event, in frames.
        peak: whether the frame with the largest mass lies in the event.
        lag: centroid of the map minus middle of the event, in frames.
    """

    iou: float
    onset: float
    peak: bool
    lag: float


def windows_of(stride: int) -> list[Window]:
    """The windows of a clip of LENGTH frames; the last one ends on the last frame."""
    timeline = Timeline(np.arange(LENGTH), Fraction(1, FRAME_RATE), 1)
    return sample_windows(
        timeline, FrameSpan(0, LENGTH), num_frames=NUM_FRAMES, frame_rate=None, window_stride=stride
    )


@dataclass(frozen=True)
class LayerMaps:
    """One layer's maps of the windows that start at frame 0, 1, 2 ...

    Attributes:
        values: (windows, T', H', W'), signed.
        centres: (T',) temporal cell centres, in frames of a window.
    """

    values: np.ndarray
    centres: Positions


def maps_of_all_windows(
    model: Classifier, clip: DrawnClip, layers: Sequence[str], config: AttributionConfig
) -> list[LayerMaps]:
    """The maps of each layer.

    Args:
        model: the network.
        clip: of LENGTH frames.
        layers: names.
        config: with one method.
    """
    starts = range(LENGTH - NUM_FRAMES + 1)
    x = model.preprocess.tensor(np.stack([clip.frames[s : s + NUM_FRAMES] for s in starts]))
    cams = video_cam.compute_cams(
        model.module,
        x,
        layers=layers,
        methods=config.methods,
        targets=[[clip.class_id] * len(x)],
        align=config.align,
        detail=config.detail,
    )
    return [LayerMaps(cam.values.numpy(), cam.centres.t) for cam in cams]


def mass_over_time(maps: np.ndarray, centres: Positions, windows: Sequence[Window]) -> np.ndarray:
    """(LENGTH,) mean positive value, in each frame, of the blended maps of some windows.

    Args:
        maps: (windows, T', H', W') of the windows that start at frame 0, 1, 2 ...
        centres: (T',) temporal cell centres.
        windows: those that are blended.
    """
    frame_indices = np.array([window.frame_indices for window in windows], float)
    values = maps[[window.frame_indices[0] for window in windows]]
    blend = WindowBlender(frame_indices, centres)
    blended = [blend.at(values, t) for t in range(LENGTH)]
    return np.array([0.0 if m is None else m.clip(min=0).mean() for m in blended])


def temporal_errors(mass: np.ndarray, event: tuple[int, int]) -> TemporalErrors:
    """Compare a clip's mass over time (T,) with its event [start, end)."""
    in_event = np.zeros(len(mass), bool)
    in_event[slice(*event)] = True
    marked = mass >= mass.max() / 2
    # The onset is that of the interval around the peak, not that of a second, smaller peak.
    peak = int(mass.argmax())
    onset = peak
    while onset > 0 and marked[onset - 1]:
        onset -= 1
    centroid = (mass * np.arange(len(mass))).sum() / max(mass.sum(), 1e-12)
    return TemporalErrors(
        float((marked & in_event).sum() / (marked | in_event).sum()),
        float(onset - event[0]),
        bool(in_event[peak]),
        float(centroid - (event[0] + event[1] - 1) / 2),
    )


def fused(masses: Sequence[np.ndarray]) -> np.ndarray:
    """The product of several layers' masses, each divided by its peak."""
    shares = [mass / max(mass.max(), 1e-12) for mass in masses]
    return np.prod(shares, axis=0)


def is_correct(model: Classifier, clip: DrawnClip) -> bool:
    """Whether the network classifies the window around the event correctly."""
    start = min(max(sum(clip.event) // 2 - NUM_FRAMES // 2, 0), LENGTH - NUM_FRAMES)
    x = model.preprocess.tensor(clip.frames[None, start : start + NUM_FRAMES])
    with torch.no_grad():
        return int(model.module(x).argmax()) == clip.class_id


def measure_clip(
    clip: DrawnClip, layers: Sequence[str], maps: dict[str, list[LayerMaps]]
) -> dict[Setting, TemporalErrors]:
    """The errors of one clip for every layer, alignment and stride.

    Args:
        clip: with its event.
        layers: names.
        maps: alignment -> of each layer, from ``maps_of_all_windows``.
    """
    errors = {}
    for align, of_layers in maps.items():
        for stride in STRIDES:
            masses = [
                mass_over_time(one.values, one.centres, windows_of(stride)) for one in of_layers
            ]
            named = dict(zip(layers, masses, strict=True))
            named["+".join(layers[:2])] = fused(masses[:2])
            for layer, mass in named.items():
                errors[layer, align, stride] = temporal_errors(mass, clip.event)
    return errors


def print_table(rows: dict[Setting, list[TemporalErrors]]) -> None:
    """Print one line for each setting, sorted."""
    print("| layer | cells in time | stride | forwards | IoU | onset: median (abs.) | peak | lag |")
    print("|---|---|---|---|---|---|---|---|")
    for (layer, align, stride), errors in sorted(rows.items(), key=lambda row: row[0]):
        onsets = np.array([error.onset for error in errors])
        print(
            f"| {layer} | {align} | {stride} | {len(windows_of(stride))} "
            f"| {_mean([error.iou for error in errors])} "
            f"| {np.median(onsets):+.1f} ({np.median(abs(onsets)):.1f}) "
            f"| {np.mean([error.peak for error in errors]):.0%} "
            f"| {np.mean([error.lag for error in errors]):+.2f} |"
        )


def _mean(values: Sequence[float]) -> str:
    """The mean, and half the width of its 95 % interval."""
    half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.inf
    return f"{np.mean(values):.2f} ± {half:.2f}"


def main() -> None:
    """Print the table, and the IoU of each event."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--method", default="gradcam")
    parser.add_argument("--layers", nargs="+", default=["layer4", "layer3", "layer2"])
    parser.add_argument("--detail", default=AttributionConfig.detail, choices=DETAIL_NAMES)
    parser.add_argument("--align", nargs="+", default=ALIGNMENTS, choices=ALIGNMENTS)
    options = parser.parse_args()
    model = video_cam.load_model(BUNDLED)
    layers: list[str] = options.layers
    configs = {
        align: AttributionConfig((options.method,), detail=options.detail, align=align)
        for align in options.align
    }
    rows: dict[Setting, list[TemporalErrors]] = {}
    by_event: dict[str, list[float]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + options.clips):
        clip = draw_clip(seed, num_frames=LENGTH, size=SIZE)
        if not is_correct(model, clip):
            continue
        maps = {
            align: maps_of_all_windows(model, clip, layers, config)
            for align, config in configs.items()
        }
        errors = measure_clip(clip, layers, maps)
        for setting, error in errors.items():
            rows.setdefault(setting, []).append(error)
        iou = errors[layers[0], options.align[-1], NUM_FRAMES // 2].iou
        by_event.setdefault(CLASSES[clip.class_id], []).append(iou)
    number = len(next(iter(rows.values()), []))
    print(
        f"{number} clips that the network classifies correctly, {options.method}, "
        f"detail {options.detail}"
    )
    print_table(rows)
    print(f"IoU of {layers[0]}, {options.align[-1]}, by event:")
    for label, ious in sorted(by_event.items()):
        print(f"  {label}: {_mean(ious)} of {len(ious)} clips")


if __name__ == "__main__":
    main()
