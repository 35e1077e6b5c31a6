"""The error of Score-CAM when only the channels with the highest variance are run.

    python -m benchmarks.speed.max_channels [--clips 8]

The bundled network on held-out drawn clips; layer4 and layer3 have 128 channels each. The map of N
channels is compared with that of all channels, after each map is divided by its largest absolute
value: correlation over the cells, and largest absolute difference.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor, nn

from models3d.drawn_clips import draw_clip
from models3d.motion3d import load_trained
from models3d.residual3d import preprocess
from video_cam import compute_cams

CHANNELS = (8, 16, 32, 64)


def score_cam(net: nn.Module, x: Tensor, layer: str, class_id: int, channels: int | None) -> Tensor:
    """The map (T', H', W') of so many channels, None for all; its largest absolute value is 1."""
    [cam] = compute_cams(
        net,
        x,
        layers=[layer],
        methods=["scorecam"],
        targets=[class_id],
        max_channels=channels,
        align="half-pixel",  # has no effect on the values
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
        errors: dict[int, list[tuple[float, float]]] = {n: [] for n in CHANNELS}
        for seed in range(count):
            clip = draw_clip(seed)
            x = preprocess(torch.from_numpy(clip.frames[None]))
            exact = score_cam(net, x, layer, clip.class_id, None)
            for n in CHANNELS:
                some = score_cam(net, x, layer, clip.class_id, n)
                correlation = torch.corrcoef(torch.stack([exact.flatten(), some.flatten()]))[0, 1]
                errors[n].append((float(correlation), float((exact - some).abs().max())))
        for n, pairs in errors.items():
            correlations, differences = zip(*pairs, strict=True)
            print(
                f"| {layer} | {n} | {statistics.median(correlations):.3f} "
                f"({min(correlations):.3f}) | "
                f"{statistics.median(differences):.2f} ({max(differences):.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
