"""--guided: guided backprop and guided Grad-CAM of every keyframe, as the network saw it.

Input gradients are as large as the clip, so they are no part of an explanation: they are made
window by window, drawn, and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from video_cam.alignment import interpolate
from video_cam.drawing import save_picture, stitch
from video_cam.explanation import Explanation
from video_cam.guided import gradient_picture, guided_backprop, guided_cam
from video_cam.models import Classifier
from video_cam.progress import Progress, silent
from video_cam.sampling import Window
from video_cam.video import FrameReader
from video_cam.windows import read_windows

FOLDER = "guided"


def write_guided(
    path: str,
    model: Classifier,
    explanation: Explanation,
    folder: Path,
    progress: Progress = silent,
) -> list[str]:
    """Write guided/NNNNNN.png for the first map: input | guided backprop | guided Grad-CAM.

    NNNNNN is the source frame index. A frame in several windows is shown in the one whose middle
    it is nearest to. Returns the file names relative to ``folder``.
    """
    (folder / FOLDER).mkdir()
    files = []
    owners = _owners(explanation.frame_indices)
    windows = [Window(tuple(row)) for row in explanation.frame_indices.tolist()]
    with (
        FrameReader(path, stop_index=explanation.span[1]) as reader,
        progress("guided", len(windows)) as step,
    ):
        for index, frames in enumerate(read_windows(iter(reader), windows, model.preprocess)):
            panels = _panels(frames, index, model, explanation)
            for position, row in enumerate(panels):
                frame_index = windows[index].frame_indices[position]
                if owners[frame_index] == (index, position):
                    files.append(f"{FOLDER}/{frame_index:06d}.png")
                    save_picture(folder / files[-1], row)
            step(1)
    return sorted(files)


def _owners(frame_indices: np.ndarray) -> dict[int, tuple[int, int]]:
    """Frame index -> the (window, position) in which it is nearest to the window's middle."""
    middle = (frame_indices.shape[1] - 1) / 2
    owners: dict[int, tuple[int, int]] = {}
    for (window, position), frame in np.ndenumerate(frame_indices):
        best = owners.get(int(frame))
        if best is None or abs(position - middle) < abs(best[1] - middle):
            owners[int(frame)] = (window, position)
    return owners


def _panels(
    frames: np.ndarray, index: int, model: Classifier, explanation: Explanation
) -> Iterator[np.ndarray]:
    """The stitched picture of every frame of one window."""
    series = explanation.maps[0]
    x = model.preprocess.tensor(frames[None], model.device)
    gradient = guided_backprop(model.module, x, series.class_id).cpu()
    heat = _heat(explanation, index, x.shape[2:])
    plain = gradient_picture(gradient[0])
    times_cam = gradient_picture(guided_cam(gradient, heat)[0])
    for frame, guided, product in zip(frames, plain, times_cam, strict=True):
        yield stitch([np.ascontiguousarray(frame), guided, product])


def _heat(explanation: Explanation, index: int, size: torch.Size) -> Tensor:
    """The first map of one window on the network's input, (1, T, H, W), 1 at the clip's peak."""
    series = explanation.maps[0]
    values = torch.from_numpy(series.values[index : index + 1])
    peak = max(float(series.values.max()), 1e-12)
    return interpolate(values, series.centres, size, size).clamp(min=0) / peak
