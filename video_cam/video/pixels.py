"""The pixels of a clip's frames: upright, and all of the first frame's size."""

from __future__ import annotations

from collections.abc import Callable

import cv2
from av.video.frame import VideoFrame

from video_cam.utils.files import StrPath
from video_cam.video.color import RGBImage, to_rgb
from video_cam.video.levels import Levels
from video_cam.video.orientation import Orientation, turn_upright


def video_pixels(
    picture: VideoFrame,
    orientation: Orientation,
    size: tuple[int, int],
    levels: Levels | None,
    path: StrPath,
) -> RGBImage:
    """A decoded picture as uint8 (H, W, 3), turned upright.

    Args:
        size: (width, height) of the result.
        levels: which stored values are black and white; None for the format's own.
        path: of the clip, for messages.
    """
    return _resized(turn_upright(to_rgb(picture, levels, path), orientation), size)


def stored_pixels(picture: Callable[[], RGBImage], size: tuple[int, int]) -> RGBImage:
    """A picture of a file that is no video as uint8 (H, W, 3); ``size`` is (width, height)."""
    return _resized(picture(), size)


def _resized(pixels: RGBImage, size: tuple[int, int]) -> RGBImage:
    """The pixels at (width, height); pictures of one clip may differ in size."""
    width, height = size
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
