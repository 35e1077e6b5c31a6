"""Input gradients of every keyframe, as the network saw it: --guided and --smoothgrad.

Input gradients are as large as the clip, so they are no part of an explanation: they are made
window by window, drawn, and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from video_cam.attribution.input_gradients import (
    gradient_picture,
    guided_backprop,
    guided_cam,
    smooth_gradient,
)
from video_cam.attribution.targets import Target
from video_cam.explanation.explanation import Explanation, function_number
from video_cam.explanation.sampling import Window
from video_cam.explanation.window_reader import read_windows
from video_cam.layers.alignment import interpolate
from video_cam.models.classifier import Classifier
from video_cam.rendering.overlay import save_picture, stitch
from video_cam.utils.progress import Progress, silent
from video_cam.video.reader import FrameReader

NOISY_COPIES = 16


def write_gradients(
    path: str,
    model: Classifier,
    explanation: Explanation,
    kinds: Sequence[str],
    functions: Sequence[Target],
    folder: Path,
    progress: Progress = silent,
) -> dict[str, list[str]]:
    """Write KIND/NNNNNN.png for the first map and each of ``kinds``, the keys of PICTURES.

    NNNNNN is the source frame index. A frame in several windows is shown in the one whose middle
    it is nearest to. functions: of the network's outputs, those that were asked for beside classes.
    Returns each kind's file names relative to ``folder``.
    """
    files: dict[str, list[str]] = {kind: [] for kind in kinds}
    for kind in kinds:
        (folder / kind).mkdir()
    owners = _owners(explanation.frame_indices)
    windows = [Window(tuple(row)) for row in explanation.frame_indices.tolist()]
    with (
        FrameReader(path, stop_index=explanation.span[1]) as reader,
        progress("gradients", len(windows)) as step,
    ):
        for index, frames in enumerate(read_windows(iter(reader), windows, model.preprocess)):
            x = model.preprocess.tensor(frames[None], model.device)
            target = _target(explanation, functions, index)
            for kind in kinds:
                panels = PICTURES[kind](model, x, target, explanation, index)
                for position, row in enumerate(zip(frames, *panels, strict=True)):
                    frame_index = windows[index].frame_indices[position]
                    if owners[frame_index] == (index, position):
                        files[kind].append(f"{kind}/{frame_index:06d}.png")
                        picture = stitch([np.ascontiguousarray(panel) for panel in row])
                        save_picture(folder / files[kind][-1], picture)
            step(1)
    return {kind: sorted(names) for kind, names in files.items()}


Pictures = list[np.ndarray]  # each (T, H, W, 3) uint8: the panels beside the network's input


def _target(explanation: Explanation, functions: Sequence[Target], index: int) -> Target:
    """What the first map explains in a window."""
    series = explanation.maps[0]
    if series.class_id < 0:
        return functions[function_number(series.class_id)]
    return series.class_ids[index] if series.class_ids else series.class_id


def _guided(
    model: Classifier, x: Tensor, target: Target, explanation: Explanation, index: int
) -> Pictures:
    """Guided backprop, guided Grad-CAM."""
    gradient = guided_backprop(model.module, x, target).cpu()
    product = guided_cam(gradient, _heat(explanation, index, x.shape[2:]))
    return [gradient_picture(gradient[0]), gradient_picture(product[0])]


def _smooth(
    model: Classifier, x: Tensor, target: Target, explanation: Explanation, index: int
) -> Pictures:
    """SmoothGrad."""
    gradient = smooth_gradient(model.module, x, target, samples=NOISY_COPIES)
    return [gradient_picture(gradient[0].cpu())]


PICTURES: dict[str, Callable[[Classifier, Tensor, Target, Explanation, int], Pictures]] = {
    "guided": _guided,
    "smoothgrad": _smooth,
}


def _owners(frame_indices: np.ndarray) -> dict[int, tuple[int, int]]:
    """Frame index -> the (window, position) in which it is nearest to the window's middle."""
    middle = (frame_indices.shape[1] - 1) / 2
    owners: dict[int, tuple[int, int]] = {}
    for (window, position), frame in np.ndenumerate(frame_indices):
        best = owners.get(int(frame))
        if best is None or abs(position - middle) < abs(best[1] - middle):
            owners[int(frame)] = (window, position)
    return owners


def _heat(explanation: Explanation, index: int, size: torch.Size) -> Tensor:
    """The first map of one window on the network's input, (1, T, H, W), 1 at the clip's peak."""
    series = explanation.maps[0]
    values = torch.from_numpy(series.values[index : index + 1])
    peak = max(float(series.values.max()), 1e-12)
    return interpolate(values, series.centres, size, size).clamp(min=0) / peak
