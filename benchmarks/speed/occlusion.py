"""The time of an occlusion map of r3d_18 beside the plain loop that does the same, at equal batch.

    python -m benchmarks.speed.occlusion [--rounds 5] [--batch-size 4]

One 16x112x112 clip on the CPU in fp32, random weights, and few boxes, so that a round is short. The
loop scores the clip, copies it, fills a box, and runs batches of such copies; no hooks, no checks.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from torchvision.models.video import r3d_18

from benchmarks.speed.ratios import ratios
from video_cam import compute_cams
from video_cam.attribution import occlusion
from video_cam.perturbation.baselines import baseline_of
from video_cam.perturbation.boxes import BoxGrid

CELLS = (3, 4, 4)
CLASS_ID = 7


def plain_loop(model: torch.nn.Module, x: Tensor, grid: BoxGrid, batch_size: int) -> Tensor:
    """The drop of the score with each box filled, one number per box."""
    fill, scores, waiting = baseline_of(x[0], "blur"), [], []
    boxes = grid.boxes()
    with torch.inference_mode():
        own = model(x)[0, CLASS_ID]
        for number, box in enumerate(boxes, start=1):
            waiting.append(box.filled(x[0], fill))
            if len(waiting) == batch_size or number == len(boxes):
                scores.append(model(torch.stack(waiting))[:, CLASS_ID])
                waiting = []
    return own - torch.cat(scores)


def main() -> None:
    """Print the ratio, and the number of boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=4)
    parsed = parser.parse_args()
    torch.manual_seed(0)
    model, x = r3d_18().eval(), torch.randn(1, 3, 16, 112, 112)
    occlusion.CELLS = CELLS
    grid = occlusion.box_grid(x.shape[2:])

    def ours() -> None:
        compute_cams(
            model, x, methods=["occlusion"], targets=[CLASS_ID], batch_size=parsed.batch_size
        )

    def loop() -> None:
        plain_loop(model, x, grid, parsed.batch_size)

    found = ratios(loop, {"video_cam": ours}, parsed.rounds)["video_cam"]
    print(f"{grid.num_boxes} boxes in batches of {parsed.batch_size}: {found} of the plain loop")


if __name__ == "__main__":
    main()
