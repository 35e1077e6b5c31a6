"""Turn frames upright as their display matrix says: phones store rotated pictures.

The display matrix is FFmpeg's AV_FRAME_DATA_DISPLAYMATRIX. Only its axis-aligned part counts:
quarter turns and reflections.
"""

from __future__ import annotations

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

from video_cam.video.color import RGBImage

# (a, b, c, d): a stored pixel (x, y) is shown at (a x + c y, b x + d y); each is -1, 0 or 1.
Orientation = tuple[int, int, int, int]
UPRIGHT: Orientation = (1, 0, 0, 1)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The axis-aligned orientation nearest to the frame's display matrix; UPRIGHT without one.

    Reading the side data creates a reference cycle that keeps the frame in memory until Python's
    garbage collector runs, so ask one frame of a clip, not each of them.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return UPRIGHT
    # int32 (3, 3) in 16.16 fixed point: [[a, b, u], [c, d, v], [x, y, w]].
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (_sign(a), 0, 0, _sign(d))
    return (0, _sign(b), _sign(c), 0)


def swaps_axes(orientation: Orientation) -> bool:
    """Whether width and height are exchanged: a quarter turn, mirrored or not."""
    return orientation[0] == 0


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """(width, height) of the frame in pixels after it is turned upright."""
    if swaps_axes(orientation_of(frame)):
        return frame.height, frame.width
    return frame.width, frame.height


def turn_upright(pixels: RGBImage, orientation: Orientation) -> RGBImage:
    """Rotate and mirror stored pixels as they are to be shown.

    Args:
        pixels: uint8 (H, W, 3), as stored.
        orientation: as ``orientation_of`` returns it.

    Returns:
        uint8 (H, W, 3), or (W, H, 3) where the axes are swapped; contiguous if ``pixels`` is.
    """
    a, b, c, d = orientation
    if swaps_axes(orientation):
        pixels = cv2.transpose(pixels)
    mirror_x, mirror_y = a + c < 0, b + d < 0
    if mirror_x and mirror_y:
        return cv2.flip(pixels, -1)
    if mirror_x:
        return cv2.flip(pixels, 1)
    return cv2.flip(pixels, 0) if mirror_y else pixels


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
