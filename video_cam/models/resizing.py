"""Resizes one picture as the library does that a network's own preprocessing was written with."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from video_cam.video.color import RGBImage

INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
}
ANTIALIASED = ("bilinear", "bicubic")


def resized(rgb: RGBImage, size: tuple[int, int], interpolation: str, antialias: bool) -> RGBImage:
    """A picture at another size.

    Args:
        rgb: uint8 (H, W, 3).
        size: (height, width) in pixels.
        interpolation: of INTERPOLATIONS.
        antialias: where the picture becomes smaller, the filter is widened to all pixels that one
            of the result stands for, as in Pillow; only with ANTIALIASED.

    Returns:
        uint8 (height, width, 3). With ``antialias`` the same numbers as torchvision's ``resize``
        of a uint8 tensor; Pillow's differ by 1, with "bicubic" by up to 2.
    """
    height, width = size
    if not antialias or interpolation not in ANTIALIASED:
        return cv2.resize(rgb, (width, height), interpolation=INTERPOLATIONS[interpolation])
    # A view, channels last, for which PyTorch has a fast kernel of integers. A copy where others
    # hold the pixels for reading alone, which PyTorch warns of.
    x = torch.from_numpy(np.require(rgb, requirements=["C", "W"])).permute(2, 0, 1)[None]
    y = F.interpolate(x, size, mode=interpolation, antialias=True)
    return y[0].permute(1, 2, 0).contiguous().numpy()
