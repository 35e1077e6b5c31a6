"""The pixels of a clip's frames: upright, and all of the first frame's size."""

from __future__ import annotations

from pathlib import Path

import cv2
from av.video.frame import VideoFrame

from video_cam.config import LimitsConfig
from video_cam.video.color import RGBImage, to_rgb
from video_cam.video.images import read_image
from video_cam.video.orientation import Orientation, turn_upright


def video_pixels(picture: VideoFrame, orientation: Orientation, size: tuple[int, int]) -> RGBImage:
    """A decoded picture as uint8 (H, W, 3), turned upright; ``size`` is (width, height)."""
    return _resized(turn_upright(to_rgb(picture), orientation), size)


def image_pixels(image: Path, limits: LimitsConfig, size: tuple[int, int]) -> RGBImage:
    """An image file as uint8 (H, W, 3); ``size`` is (width, height).

    Raises:
        ClipError: if the image cannot be read or has too many pixels.
    """
    return _resized(read_image(image, limits), size)


def _resized(pixels: RGBImage, size: tuple[int, int]) -> RGBImage:
    """The pixels at (width, height); pictures of one clip may differ in size."""
    width, height = size
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
