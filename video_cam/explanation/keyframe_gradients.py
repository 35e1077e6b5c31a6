"""Input gradients of every window, for --guided and --smoothgrad.

Input gradients are as large as the clip, so an explanation does not hold them: they are computed
window by window, drawn, and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.attribution.input_gradients import guided_backprop, guided_cam, smooth_gradient
from video_cam.attribution.targets import Target
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import FunctionTarget
from video_cam.explanation.quantised_maps import window_peaks
from video_cam.explanation.sampling import Window
from video_cam.explanation.window_inputs import WindowInputs
from video_cam.explanation.window_reader import read_windows
from video_cam.layers.alignment import interpolate
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip

NOISY_COPIES = 16


@dataclass(frozen=True)
class WindowGradients:
    """The input gradients of one window.

    Attributes:
        frames: uint8 (N, height, width, 3) RGB, the network's input before normalisation.
        gradients: kind -> float32 tensors (channels, N, height, width) on the CPU, signed.
    """

    frames: np.ndarray
    gradients: dict[str, list[Tensor]]


def keyframe_gradients(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    kinds: Sequence[str],
    functions: Sequence[Target] = (),
    progress: Progress = silent,
) -> Iterator[WindowGradients]:
    """Compute the gradients of the first map's target in every window, one window at a time.

    Args:
        clip: the clip that was explained, with the explanation's time stamps.
        model: the network that was explained.
        explanation: its windows, its first map and that map's target are used.
        kinds: keys of GRADIENTS.
        functions: the targets that are functions, as they were given to the explanation.
        progress: called with "gradients" and the number of windows.

    Yields:
        The windows in the order of ``explanation.frame_indices``.
    """
    windows = [Window(tuple(row)) for row in explanation.frame_indices.tolist()]
    inputs = WindowInputs(model.preprocess, model.device)
    with (
        clip.frames(*explanation.span) as reader,
        progress("gradients", len(windows)) as step,
    ):
        for index, frames in enumerate(read_windows(iter(reader), windows, model.preprocess)):
            x = inputs([windows[index].frame_indices], [frames])
            target = _window_target(explanation, functions, index)
            heat = _window_heat(explanation, index, x.shape[2:])
            with model.input_layout.in_window(clip, windows[index].frame_indices):
                gradients = {kind: GRADIENTS[kind](model, x, target, heat) for kind in kinds}
            yield WindowGradients(frames, gradients)
            step(1)


def _guided(model: Classifier, x: Tensor, target: Target, heat: Tensor) -> list[Tensor]:
    """Guided backpropagation, guided Grad-CAM."""
    gradient = guided_backprop(model.module, x, target).cpu()
    return [gradient[0], guided_cam(gradient, heat)[0]]


def _smooth(model: Classifier, x: Tensor, target: Target, heat: Tensor) -> list[Tensor]:
    """SmoothGrad."""
    return [smooth_gradient(model.module, x, target, samples=NOISY_COPIES)[0].cpu()]


# Kind -> (model, x (1, C, N, height, width), target, heat (1, N, height, width)) -> gradients.
GRADIENTS: dict[str, Callable[[Classifier, Tensor, Target, Tensor], list[Tensor]]] = {
    "guided": _guided,
    "smoothgrad": _smooth,
}


def _window_target(explanation: Explanation, functions: Sequence[Target], index: int) -> Target:
    """What the first map explains in window ``index``."""
    series = explanation.maps[0]
    if isinstance(series.target, FunctionTarget):
        return functions[series.target.number]
    return series.class_ids[index] if series.class_ids else series.class_id


def _window_heat(explanation: Explanation, index: int, size: Sequence[int]) -> Tensor:
    """The first map of one window on the input's pixels, (1, N, height, width) in [0, 1].

    1 is the largest value in the clip.
    """
    series = explanation.maps[0]
    values = torch.from_numpy(series.values[index][None])
    peak = max(float(window_peaks(series.values).max()), 1e-12)
    return interpolate(values, series.centres, size, size).clamp(min=0) / peak
