"""Where cells should be placed: drawn clips, whose truth is known, decide.

    python -m benchmarks.truth.placement [--clips 160] [--layer layer4] [--method gradcam]

The bundled network on held-out clips it gets right. For each placement of cells in time and in
space: how often the hottest pixel of an event frame lies at the acting sprite, how often the
hottest of the whole clip does (within NEAR pixels, and one frame), and how late the map's centroid
is, in frames.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import torch

import video_cam
from models3d import draw_batch
from models3d.motion3d import NUM_FRAMES, SIZE
from video_cam.layers.alignment import (
    CellCentres,
    arithmetic,
    corners,
    half_pixel,
    interpolate,
    measured,
)
from video_cam.layers.axes import to_grid
from video_cam.layers.cell_positions import find_chains
from video_cam.models.registry import BUNDLED

FIRST_SEED = 5_000  # of the held-out seeds, all below 1,000,000
NEAR = 7  # pixels of SIZE
PLACES = {
    "strides": arithmetic,
    "probe": measured,
    "half-pixel": half_pixel,
    "corners": corners,
}
INPUT_SIZE = (NUM_FRAMES, SIZE, SIZE)


def signed_maps(clips: int, layer: str, method: str) -> tuple[torch.Tensor, np.ndarray]:
    """Maps (N, T', H', W') and truth masks (N, T, H, W) of the clips the network gets right."""
    model = video_cam.load_model(BUNDLED)
    frames, class_ids, masks = draw_batch(range(FIRST_SEED, FIRST_SEED + clips))
    found, right = [], []
    for start in range(0, clips, 32):
        x = model.preprocess.tensor(frames[start : start + 32])
        wanted = class_ids[start : start + 32].tolist()
        [cam] = video_cam.compute_cams(
            model.module, x, layers=[layer], methods=[method], targets=[wanted]
        )
        found.append(cam.values)
        with torch.no_grad():
            right += (model.module(x).argmax(1).numpy() == wanted).tolist()
    return torch.cat(found)[right], masks[right]


def figures(heat: np.ndarray, masks: np.ndarray) -> tuple[float, float, float]:
    """Pointing per event frame, pointing per clip, lag in frames."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    per_frame, per_clip, lags = [], [], []
    for cam, truth in zip(heat, masks, strict=True):
        near = np.stack([cv2.dilate(mask.astype(np.uint8), kernel) for mask in truth])
        event = np.flatnonzero(truth.any((1, 2)))
        for t in event:
            per_frame.append(near[t][np.unravel_index(cam[t].argmax(), cam[t].shape)])
        t, y, x = np.unravel_index(cam.argmax(), cam.shape)
        per_clip.append(near[max(t - 1, 0) : t + 2, y, x].any())
        mass = cam.sum((1, 2))
        lags.append((mass * np.arange(len(cam))).sum() / mass.sum() - event.mean())
    return float(np.mean(per_frame)), float(np.mean(per_clip)), float(np.mean(lags))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--layer", default="layer4")
    parser.add_argument("--method", default="gradcam")
    parsed = parser.parse_args()
    maps, masks = signed_maps(parsed.clips, parsed.layer, parsed.method)
    network = video_cam.load_model(BUNDLED).module
    shape = torch.empty(1, 3, *INPUT_SIZE)
    chains = find_chains(network, shape, [parsed.layer], to_grid, "probe")[parsed.layer]
    print(f"{len(maps)} clips, {parsed.method} of {parsed.layer}; cells measured at")
    for axis, chain in zip("tyx", chains, strict=True):
        print(f"  {axis}:", " ".join(f"{place:.1f}" for place in (chain.measured if chain else ())))
    print("| time | space | hottest of an event frame | of the clip | lag |\n|---|---|---|---|---|")
    for in_time, place_t in PLACES.items():
        for in_space, place_s in PLACES.items():
            places = (place_t, place_s, place_s)
            t, y, x = (
                place(cells, size, chain)
                for place, cells, size, chain in zip(
                    places, maps.shape[1:], INPUT_SIZE, chains, strict=True
                )
            )
            volume = interpolate(maps, CellCentres(t, y, x), INPUT_SIZE, INPUT_SIZE)
            point, clip, lag = figures(volume.clamp(min=0).numpy(), masks)
            print(f"| {in_time} | {in_space} | {point:.2f} | {clip:.2f} | {lag:+.2f} |")


if __name__ == "__main__":
    main()
