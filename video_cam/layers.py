"""--list-layers: which layers of a network can be mapped, and how much time each resolves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.capture import frozen_evaluation
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
    for name, shape in grid_shapes(model, size).items():
        mark = "  <- default" if name == model.layer else ""
        yield f"{name:32s} {tuple(shape)!s:28s} {shape[2]}{mark}"


def grid_shapes(model: Classifier, size: tuple[int, int, int]) -> dict[str, torch.Size]:
    """Module name -> shape (1, K, T', H', W') of its output for a (T, H, W) input, as they run."""
    shapes: dict[str, torch.Size] = {}

    def note(name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim in (4, 5):
            shapes[name] = model.unpack(output).shape

    names = {module: name for name, module in model.module.named_modules() if name}
    handles = [module.register_forward_hook(_noting(note, name)) for module, name in names.items()]
    try:
        with frozen_evaluation(model.module), torch.inference_mode():
            model.module(torch.zeros(1, 3, *size, device=model.device))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _noting(note: Any, name: str) -> Any:
    def hook(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
        note(name, output)

    return hook
