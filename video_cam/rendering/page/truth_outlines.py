"""The outlines of the ground truth's masks, for the pictures of a clip's page."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from video_cam.errors import ClipError
from video_cam.truth.clip_truth import Mask
from video_cam.truth.pixels import region_pixels

MAX_MASKS = 1000  # one of 1920x1080 pixels takes about 3 ms
_TOLERANCE = 0.003  # of an outline, as a share of the frame's shorter side; at least half a pixel

# frame_index, and x, y, x, y, ... of the corners in source pixels
Outline = tuple[int, list[float]]


def outlines_of(masks: Sequence[Mask], height: int, width: int) -> list[Outline]:
    """The outlines of masks, a closed line for each part and each hole.

    Args:
        masks: none of which need be readable.
        height, width: of the source frame.

    Returns:
        Nothing where a mask cannot be read or does not fit the frame, which ``clip_answer`` notes,
        and of more than MAX_MASKS masks.
    """
    if len(masks) > MAX_MASKS:
        return []
    try:
        return [
            (mask.frame_index, line)
            for mask in masks
            for line in _lines(region_pixels(mask, height, width))
        ]
    except ClipError:
        return []


def _lines(pixels: np.ndarray) -> list[list[float]]:
    tolerance = max(0.5, _TOLERANCE * min(pixels.shape))
    found, _ = cv2.findContours(pixels.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    corners = (cv2.approxPolyDP(line, tolerance, True).reshape(-1) for line in found)
    # OpenCV's corners are numbers of pixels; pixel i covers [i, i + 1).
    return [(line + 0.5).tolist() for line in corners]
