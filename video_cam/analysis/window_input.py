"""The network's inputs in windows of a clip that has been explained, read from the clip again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.sampling import Window
from video_cam.explanation.window_inputs import WindowInputs
from video_cam.explanation.window_reader import read_windows
from video_cam.models.classifier import Classifier
from video_cam.video.clip import Clip


def read_inputs(
    clip: Clip, model: Classifier, explanation: Explanation, windows: Sequence[int]
) -> Iterator[Tensor]:
    """Read some windows in one pass over the clip.

    Args:
        clip: the clip that was explained; only frames from the first window to the last one are
            decoded, where the container allows to seek.
        windows: indices in ``explanation.frame_indices``, rising.

    Yields:
        For each window (C, T, H, W), normalised, of the network's dtype and on its device.
    """
    if not np.array_equal(clip.timeline.pts, explanation.timeline.pts):
        # The file is damaged: fewer frames decode than its packets announce, and indices count
        # decoded frames.
        clip = replace(clip, can_seek=False)
    wanted = [Window(tuple(explanation.frame_indices[window].tolist())) for window in windows]
    frames = [index for window in wanted for index in window.frame_indices]
    inputs = WindowInputs(model.preprocess, model.device)
    with clip.frames(min(frames), max(frames) + 1) as reader:
        read = read_windows(iter(reader), wanted, model.preprocess)
        # A damaged file may end before the last window.
        for window, pixels in zip(wanted, read, strict=False):
            yield inputs([window.frame_indices], [pixels])[0].to(model.dtype)


def read_input(clip: Clip, model: Classifier, explanation: Explanation, window: int) -> Tensor:
    """The network's input (C, T, H, W) in one window, as ``read_inputs`` yields it."""
    [x] = read_inputs(clip, model, explanation, [window])
    return x
