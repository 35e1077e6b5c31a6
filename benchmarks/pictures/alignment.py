"""The picture of docs/alignment.png: where the cells of a layer are in time, by three alignments.

python -m benchmarks.pictures.alignment docs/alignment.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure

from models3d.motion3d import load_trained
from video_cam import compute_cams

NUM_FRAMES, SIZE, LAYER = 16, 64, "layer4"
ROWS = {
    "half-pixel": "half-pixel\n(as other tools)",
    "receptive-field": "arithmetic of\nreceptive fields",
    "probe": "measured\n(default)",
}


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    net = load_trained()
    x = torch.randn(1, 3, NUM_FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    figure = Figure(figsize=(6.4, 2.0), layout="constrained")
    axes = figure.subplots()
    for row, align in enumerate(ROWS):
        [cam] = compute_cams(net, x, layers=[LAYER], targets=[0], align=align)
        centres = cam.centres.t
        print(f"{align:16}", *(f"{centre:.2f}" for centre in centres))
        axes.plot(centres, [row] * len(centres), "o", markersize=10)
    axes.set(
        xlabel="frame of the window",
        xlim=(-0.6, NUM_FRAMES - 0.4),
        xticks=range(NUM_FRAMES),
        ylim=(len(ROWS) - 0.5, -0.5),
        yticks=range(len(ROWS)),
        yticklabels=list(ROWS.values()),
    )
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(output, dpi=130)


if __name__ == "__main__":
    main()
