"""Source frames to the network's input, and points of the input back to the source frame.

Coordinates are continuous: pixel i covers [i, i + 1), so a frame of width W covers [0, W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.models.channels import MIN_FLOW_SIDE, flow_pictures, normalization
from video_cam.models.resizing import resized
from video_cam.utils.devices import sent
from video_cam.video.color import RGBImage


@dataclass(frozen=True)
class Geometry:
    """The coordinate map between a source frame and the network's input: resize, then crop.

    Attributes:
        source_height, source_width: size of the source frame in pixels.
        resized_height, resized_width: its size after the resize.
        crop_top, crop_left: upper left corner of the crop in the resized frame.
        crop_height, crop_width: size of the network's input in pixels.
    """

    source_height: int
    source_width: int
    resized_height: int
    resized_width: int
    crop_top: int
    crop_left: int
    crop_height: int
    crop_width: int

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """A point of the source frame in pixels of the input; it may lie outside the input."""
        return (
            x * self.resized_width / self.source_width - self.crop_left,
            y * self.resized_height / self.source_height - self.crop_top,
        )

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        """A point of the input in pixels of the source frame: the inverse of ``to_input``."""
        return (
            (x + self.crop_left) * self.source_width / self.resized_width,
            (y + self.crop_top) * self.source_height / self.resized_height,
        )

    @property
    def seen_box(self) -> tuple[float, float, float, float]:
        """The part of the source frame in the input: left, top, right, bottom in its pixels."""
        return *self.to_source(0, 0), *self.to_source(self.crop_width, self.crop_height)


@dataclass(frozen=True)
class Preprocess:
    """Resize, centre crop, optical flow where it is wanted, scale to [0, value range], normalise.

    Attributes:
        resize: (height, width) in pixels, or the length of the shorter side.
        crop: (height, width) in pixels.
        mean, std: for each of a clip's three channels, for values in [0, value_range].
        interpolation: of the resize, of ``resizing.INTERPOLATIONS``.
        antialias: the resize takes all pixels into account, as Pillow's does.
        floored_crop: the crop's corner is rounded down, as transformers does, and not half a pixel
            to the even number, as torchvision does.
        value_range: what 255 in a picture becomes before mean and std are applied.
        flow: the clip is the optical flow from each frame to the next, instead of its colours.
    """

    resize: tuple[int, int] | int
    crop: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    antialias: bool = False
    floored_crop: bool = False
    value_range: float = 1.0
    flow: bool = False

    def __post_init__(self) -> None:
        if self.flow and min(self.crop) < MIN_FLOW_SIDE:
            raise UsageError(
                f"size {self.crop} is too small for optical flow: give at least {MIN_FLOW_SIDE} "
                "pixels for height and width"
            )

    def geometry(self, height: int, width: int) -> Geometry:
        """The coordinate map for source frames of ``height`` by ``width`` pixels."""
        resized_height, resized_width = self._resized(height, width)
        crop_height, crop_width = self.crop
        whole = math.floor if self.floored_crop else round  # round() takes the even number
        top = whole((resized_height - crop_height) / 2)
        left = whole((resized_width - crop_width) / 2)
        return Geometry(
            height, width, resized_height, resized_width, top, left, crop_height, crop_width
        )

    def frame(self, rgb: RGBImage) -> RGBImage:
        """Resize and crop one frame: uint8 (H, W, 3) RGB -> uint8 (crop height, crop width, 3)."""
        geometry = self.geometry(*rgb.shape[:2])
        size = (geometry.resized_height, geometry.resized_width)
        whole = resized(rgb, size, self.interpolation, self.antialias)
        top, left = geometry.crop_top, geometry.crop_left
        return whole[top : top + geometry.crop_height, left : left + geometry.crop_width]

    def tensor(self, frames: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """Normalise frames that were resized and cropped; of flow, compute and normalise it.

        Args:
            frames: uint8 (N, T, H, W, 3) RGB.
            device: where the result is wanted.

        Returns:
            float32 (N, 3, T, H, W), contiguous, as a loader gives it: forwards use ``view``; of
            flow, as ``channels`` describes such a clip.
        """
        x = torch.from_numpy(flow_pictures(frames) if self.flow else frames)
        return self.normalized(sent(x, device))

    def normalized(self, pictures: Tensor) -> Tensor:
        """Normalise frames, or pictures of flow, where they are.

        Args:
            pictures: (N, T, H, W, 3) in [0, 255], on any device.

        Returns:
            float32 (N, 3, T, H, W), as ``tensor`` returns it.
        """
        x = pictures.permute(0, 4, 1, 2, 3).float()
        mean, std = (
            sent(torch.tensor(values), x.device).reshape(3, 1, 1, 1)
            for values in (self.mean, self.std)
        )
        return ((x / 255 * self.value_range - mean) / std).contiguous()

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        shorter = min(height, width)
        # torchvision's resize rounds the longer side down.
        return self.resize * height // shorter, self.resize * width // shorter


def adjusted(preprocess: Preprocess, input_config: InputConfig) -> Preprocess:
    """``preprocess`` with what ``input_config`` replaces; the crop keeps its share of the frame."""
    size = input_config.size or preprocess.crop
    mean, std = normalization((preprocess.mean, preprocess.std), input_config)
    return replace(
        preprocess,
        resize=_resize_for(preprocess, size),
        crop=size,
        mean=mean,
        std=std,
        value_range=input_config.value_range or preprocess.value_range,
        flow=input_config.channels == "flow",
    )


def _resize_for(preprocess: Preprocess, size: tuple[int, int]) -> tuple[int, int] | int:
    """The resize that goes with a crop of ``size`` as the present one goes with its crop."""
    scale = [new / old for new, old in zip(size, preprocess.crop, strict=True)]
    if isinstance(preprocess.resize, tuple):
        return round(preprocess.resize[0] * scale[0]), round(preprocess.resize[1] * scale[1])
    return round(preprocess.resize * max(scale))
