"""--list-layers: which layers of a network can be mapped, and how much time each resolves."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from video_cam.models import Classifier
from video_cam.options import Options
from video_cam.sampling import span_of
from video_cam.video import probe
from video_cam.windows import plan_windows


def layer_table(path: str, model: Classifier, options: Options) -> Iterator[str]:
    """Lines of name, output shape and T' for every layer that puts out a grid, input first."""
    _, timeline = probe(path)
    windows = plan_windows(timeline, span_of(timeline, options.start, options.end), model, options)
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    yield f"{'layer':32s} {'output (N, K, T, H, W)':28s} cells in time for {size[0]} frames"
    marks = {model.when: "  <- when", model.layer: "  <- default"}
    grids = model.trace(size)[1]
    for name, shape in grid_shapes(model, size).items():
        tokens = f"  {grids[name]}" if grids[name].axes == "tokens" else ""
        yield f"{name:32s} {tuple(shape)!s:28s} {shape[2]}{tokens}{marks.get(name, '')}"


def grid_shapes(model: Classifier, size: tuple[int, int, int]) -> dict[str, torch.Size]:
    """Module name -> shape (1, K, T', H', W') of its output for a (T, H, W) input, as they run."""
    seen, grids = model.trace(size)
    return {
        name: fold(torch.empty(seen[name].shape, device="meta")).shape
        for name, fold in grids.items()
    }
