"""Which alignment of a layer's cells is best, in time and in space, on drawn clips?

    python -m benchmarks.truth.compare_alignments [--clips 160] [--layer layer4] [--method gradcam]

The maps are of the bundled network, on held-out clips that it classifies correctly. The table has,
for each alignment in time and in space: how often the maximum of an event's frame lies on the
actor, how often the maximum of the clip does (both within NEAR pixels, the latter also within one
frame), and the lag of the map's centroid behind the event's, in frames.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import torch

import video_cam
from models3d import draw_batch
from models3d.residual3d import NUM_FRAMES, SIZE
from video_cam import metrics
from video_cam.layers.alignment import (
    CellCentres,
    arithmetic,
    corners,
    half_pixel,
    interpolate,
    measured,
)
from video_cam.layers.axes import to_grid
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.models.registry import BUNDLED

FIRST_SEED = 5_000  # held out
NEAR = 7  # pixels of SIZE
BATCH = 32
ALIGNMENTS = {
    "strides": arithmetic,
    "probe": measured,
    "half-pixel": half_pixel,
    "corners": corners,
}
INPUT_SIZE = (NUM_FRAMES, SIZE, SIZE)


def signed_maps(clips: int, layer: str, method: str) -> tuple[torch.Tensor, np.ndarray]:
    """Maps and ground truth of the clips that the network classifies correctly.

    Returns:
        maps: float32 (N, T', H', W'), signed.
        masks: bool (N, T, H, W).
    """
    model = video_cam.load_model(BUNDLED)
    frames, class_ids, masks = draw_batch(range(FIRST_SEED, FIRST_SEED + clips))
    maps, correct = [], []
    for start in range(0, clips, BATCH):
        x = model.preprocess.tensor(frames[start : start + BATCH])
        targets = class_ids[start : start + BATCH].tolist()
        [cam] = video_cam.compute_cams(
            model.module,
            x,
            layers=[layer],
            methods=[method],
            targets=[targets],
            align="half-pixel",  # has no effect on the values
        )
        maps.append(cam.values)
        with torch.no_grad():
            correct += (model.module(x).argmax(1).numpy() == targets).tolist()
    return torch.cat(maps)[correct], masks[correct]


def localization(volumes: np.ndarray, masks: np.ndarray) -> tuple[float, float, float]:
    """How well maps locate the events.

    Args:
        volumes: float (N, T, H, W), not negative.
        masks: bool (N, T, H, W).

    Returns:
        Mean over all events' frames of the pointing game, mean over clips of the pointing game in
        space and time, and mean lag in frames.
    """
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    per_frame, per_clip, lags = [], [], []
    for volume, mask in zip(volumes, masks, strict=True):
        near = np.stack([cv2.dilate(frame.astype(np.uint8), kernel) for frame in mask])
        for t in np.flatnonzero(mask.any((1, 2))):
            per_frame.append(near[t][np.unravel_index(volume[t].argmax(), volume[t].shape)])
        t, y, x = np.unravel_index(volume.argmax(), volume.shape)
        per_clip.append(near[max(t - 1, 0) : t + 2, y, x].any())
        lags.append(metrics.lag(volume, mask))
    return float(np.mean(per_frame)), float(np.mean(per_clip)), float(np.mean(lags))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--layer", default="layer4")
    parser.add_argument("--method", default="gradcam")
    options = parser.parse_args()
    maps, masks = signed_maps(options.clips, options.layer, options.method)
    network = video_cam.load_model(BUNDLED).module
    x = torch.empty(1, 3, *INPUT_SIZE)
    fields = find_receptive_fields(network, x, [options.layer], to_grid, "probe")[options.layer]
    print(f"{len(maps)} clips, {options.method} of {options.layer}; measured cell centres")
    for axis, field in zip("tyx", fields, strict=True):
        print(f"  {axis}:", " ".join(f"{at:.1f}" for at in (field.measured if field else ())))
    print("| time | space | maximum of an event's frame | of the clip | lag |")
    print("|---|---|---|---|---|")
    for in_time, align_time in ALIGNMENTS.items():
        for in_space, align_space in ALIGNMENTS.items():
            t, y, x_centres = (
                align(cells, size, field)
                for align, cells, size, field in zip(
                    (align_time, align_space, align_space),
                    maps.shape[1:],
                    INPUT_SIZE,
                    fields,
                    strict=True,
                )
            )
            volumes = interpolate(maps, CellCentres(t, y, x_centres), INPUT_SIZE, INPUT_SIZE)
            frame, clip, lag = localization(volumes.clamp(min=0).numpy(), masks)
            print(f"| {in_time} | {in_space} | {frame:.2f} | {clip:.2f} | {lag:+.2f} |")


if __name__ == "__main__":
    main()
