"""What Score-CAM loses when only the channels that vary most are run.

    python -m benchmarks.speed.max_channels [--clips 8]

The bundled network on held-out drawn clips, layer4's 128 and layer3's 128 channels: the map of N
channels against the exact one. Correlation over the cells, and the largest difference as a share of
the exact map's largest value, both after each map is divided by its own largest value.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor, nn

from models3d.drawn_clips import draw_clip
from models3d.motion3d import load_trained
from models3d.train import preprocess
from video_cam import compute_cams

CHANNELS = (8, 16, 32, 64)


def score_cam(net: nn.Module, x: Tensor, layer: str, class_id: int, n: int | None) -> Tensor:
    """The map (T', H', W'), its largest value 1."""
    [cam] = compute_cams(
        net, x, layers=[layer], methods=["scorecam"], targets=[class_id], max_channels=n
    )
    return cam.values[0] / cam.values.abs().max().clamp(min=1e-12)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=8)
    count = parser.parse_args().clips
    net = load_trained()
    print("| layer | channels | correlation: median (least) | largest difference: median (most) |")
    print("|---|---|---|---|")
    for layer in ("layer4", "layer3"):
        found: dict[int, list[tuple[float, float]]] = {n: [] for n in CHANNELS}
        for seed in range(count):
            clip = draw_clip(seed)
            x = preprocess(torch.from_numpy(clip.frames[None]))
            exact = score_cam(net, x, layer, clip.class_id, None)
            for n in CHANNELS:
                some = score_cam(net, x, layer, clip.class_id, n)
                alike = torch.corrcoef(torch.stack([exact.flatten(), some.flatten()]))[0, 1]
                found[n].append((float(alike), float((exact - some).abs().max())))
        for n, pairs in found.items():
            likeness, distance = zip(*pairs, strict=True)
            print(
                f"| {layer} | {n} | {statistics.median(likeness):.3f} ({min(likeness):.3f}) | "
                f"{statistics.median(distance):.2f} ({max(distance):.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
