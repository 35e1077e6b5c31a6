"""guided/NNNNNN.png and smoothgrad/NNNNNN.png: input gradients beside the network's input."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.keyframe_gradients import WindowGradients
from video_cam.rendering.image_files import save_image
from video_cam.rendering.overlay import fit, stitch

MAX_PANEL_SIDE = 640  # pixels
_PERCENTILE = 99.5  # of the absolute value; drawn as black or white


def write_gradient_pictures(
    folder: Path, explanation: Explanation, windows: Iterable[WindowGradients]
) -> None:
    """Write KIND/NNNNNN.png for every keyframe and kind of gradient; NNNNNN is the source frame.

    Args:
        folder: exists; the sub-folders of the kinds are created.
        explanation: whose windows they are.
        windows: the gradients of each window, in order. A frame in several windows is drawn from
            the one whose middle it is nearest to.
    """
    chosen = _nearest_windows(explanation.frame_indices)
    aspect = _pixel_aspect(explanation)
    for index, window in enumerate(windows):
        for kind, gradients in window.gradients.items():
            (folder / kind).mkdir(exist_ok=True)
            panels = [window.frames, *(gradient_picture(gradient) for gradient in gradients)]
            for position, frame_index in enumerate(explanation.frame_indices[index].tolist()):
                if chosen[frame_index] == (index, position):
                    row = [
                        fit(np.ascontiguousarray(panel[position]), MAX_PANEL_SIDE, aspect)
                        for panel in panels
                    ]
                    save_image(folder / kind / f"{frame_index:06d}.png", stitch(row))


def gradient_picture(gradient: Tensor) -> np.ndarray:
    """Draw a signed gradient in grey or in colour around 128.

    Args:
        gradient: finite (C, T, H, W) of one sample. Three channels are red, green and blue; any
            other number of channels is summed and drawn in grey.

    Returns:
        uint8 (T, H, W, 3) RGB; 128 is 0. One scale serves all frames, so that they do not flicker:
        the 99.5th percentile of the absolute value is drawn as 1 or 255.

    Raises:
        UsageError: for another shape, or numbers that are not finite.
    """
    values = gradient.detach().float().cpu().numpy()
    if values.ndim != 4 or not np.isfinite(values).all():
        raise UsageError(
            f"a gradient of shape {values.shape} cannot be drawn: give (C, T, H, W) of finite "
            "numbers, one sample"
        )
    if len(values) != 3:
        values = values.sum(0, keepdims=True).repeat(3, axis=0)
    size = np.abs(values)
    # Guided gradients are sparse: where nearly all values are 0, the percentile is 0, too.
    scale = np.percentile(size, _PERCENTILE) or size.max() or 1.0
    picture = np.rint(128 + 127 * np.clip(values / scale, -1, 1)).astype(np.uint8)
    return np.ascontiguousarray(picture.transpose(1, 2, 3, 0))


def _pixel_aspect(explanation: Explanation) -> float:
    """Width of a pixel of the network's input divided by its height, as the clip is shown."""
    left, top, right, bottom = explanation.geometry.seen_box
    across = (right - left) * float(explanation.clip.sample_aspect_ratio)
    geometry = explanation.geometry
    return across / geometry.crop_width * geometry.crop_height / (bottom - top)


def _nearest_windows(frame_indices: np.ndarray) -> dict[int, tuple[int, int]]:
    """Frame index -> the (window, position) in which it is nearest to the window's middle."""
    middle = (frame_indices.shape[1] - 1) / 2
    nearest: dict[int, tuple[int, int]] = {}
    for (window, position), frame in np.ndenumerate(frame_indices):
        best = nearest.get(int(frame))
        if best is None or abs(position - middle) < abs(best[1] - middle):
            nearest[int(frame)] = (window, position)
    return nearest
