"""Source frames -> the network's input, and the way back: an input box in source pixels.

Coordinates are continuous: pixel i covers [i, i + 1), so a frame of width W runs from 0 to W.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

Frame = np.ndarray  # uint8 (H, W, 3) RGB

INTERPOLATION = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


@dataclass(frozen=True)
class Geometry:
    """How source pixels lie on the network's input: resize to (height, width), then a crop."""

    source_height: int
    source_width: int
    resized_height: int
    resized_width: int
    crop_top: int
    crop_left: int
    crop_height: int
    crop_width: int

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """A point of the source in the network's input; outside the crop it lies outside."""
        return (
            x * self.resized_width / self.source_width - self.crop_left,
            y * self.resized_height / self.source_height - self.crop_top,
        )

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        """A point of the network's input in the source: the inverse of ``to_input``."""
        return (
            (x + self.crop_left) * self.source_width / self.resized_width,
            (y + self.crop_top) * self.source_height / self.resized_height,
        )

    @property
    def seen_box(self) -> tuple[float, float, float, float]:
        """The part of the source the network saw: left, top, right, bottom in source pixels."""
        return *self.to_source(0, 0), *self.to_source(self.crop_width, self.crop_height)


@dataclass(frozen=True)
class Preprocess:
    """Resize, centre crop, scale to [0, 1], normalise.

    resize: (height, width), or the length of the shorter side. crop: (height, width).
    mean, std: per channel of an RGB frame in [0, 1]. interpolation: a key of INTERPOLATION.
    """

    resize: tuple[int, int] | int
    crop: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"

    def geometry(self, height: int, width: int) -> Geometry:
        """The geometry for source frames of this size."""
        resized_height, resized_width = self._resized(height, width)
        crop_height, crop_width = self.crop
        # Half a pixel is rounded as torchvision's center_crop rounds it: to the even number.
        top = round((resized_height - crop_height) / 2)
        left = round((resized_width - crop_width) / 2)
        return Geometry(
            height, width, resized_height, resized_width, top, left, crop_height, crop_width
        )

    def frame(self, rgb: Frame) -> Frame:
        """uint8 (H, W, 3) RGB -> uint8 (crop height, crop width, 3), resized and cropped."""
        geometry = self.geometry(*rgb.shape[:2])
        size = (geometry.resized_width, geometry.resized_height)
        resized = cv2.resize(rgb, size, interpolation=INTERPOLATION[self.interpolation])
        top, left = geometry.crop_top, geometry.crop_left
        return resized[top : top + geometry.crop_height, left : left + geometry.crop_width]

    def tensor(self, frames: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """uint8 (N, T, H, W, 3) of ``frame`` results -> normalised float32 (N, 3, T, H, W)."""
        x = torch.from_numpy(frames)
        if torch.device(device).type == "cuda":
            x = x.pin_memory()  # so that the copy need not be waited for
        x = x.to(device, non_blocking=True).permute(0, 4, 1, 2, 3).float()
        mean = torch.tensor(self.mean, device=device).reshape(3, 1, 1, 1)
        std = torch.tensor(self.std, device=device).reshape(3, 1, 1, 1)
        return (x / 255 - mean) / std

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        shorter = min(height, width)
        # The longer side is rounded down, as torchvision's resize does.
        return self.resize * height // shorter, self.resize * width // shorter
