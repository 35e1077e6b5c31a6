"""From a decoded frame to upright 8-bit RGB: colour space, range, alpha, rotation, size."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

# FFmpeg's AVColorSpace values that swscale has a matrix for. An unspecified one goes by size.
COLORSPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
}
HD_HEIGHT = 720  # from here on untagged video is BT.709, below BT.601, as players take it
AVCOL_RANGE_JPEG = 2

# (a, b, c, d) of a display matrix: a decoded pixel (x, y) is shown at (a x + c y, b x + d y).
Orientation = tuple[int, int, int, int]
UPRIGHT: Orientation = (1, 0, 0, 1)

# A reformatter keeps its swscale tables between frames, but serves one thread at a time.
_reformatters = threading.local()


def to_rgb(frame: VideoFrame, turned: Orientation) -> np.ndarray:
    """The frame as uint8 (H, W, 3) RGB, contiguous; what is transparent is black.

    turned: the ``orientation`` of the clip's first frame, by which it is made upright. Asking a
    frame for its own ties it to what it answers: it would stay in memory until Python looks for
    such knots, hundreds of frames later.
    """
    has_alpha = frame.format.has_palette or any(c.is_alpha for c in frame.format.components)
    converted = _reformatter().reformat(
        frame,
        format="rgba" if has_alpha else "rgb24",
        src_colorspace=None if frame.format.is_rgb else _colorspace(frame),
        src_color_range=_color_range(frame),
        dst_color_range=ColorRange.JPEG,
    )
    pixels = np.ascontiguousarray(converted.to_ndarray())  # without FFmpeg's padding of the rows
    return turn_upright(over_black(pixels) if has_alpha else pixels, turned)


def _reformatter() -> VideoReformatter:
    if not hasattr(_reformatters, "value"):
        _reformatters.value = VideoReformatter()
    return _reformatters.value


def _colorspace(frame: VideoFrame) -> Colorspace:
    untagged = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    return COLORSPACES.get(frame.colorspace, untagged)


def _color_range(frame: VideoFrame) -> ColorRange:
    """Full range where tagged or implied by the format (JPEG's yuvj, gray, RGB), else limited."""
    name = frame.format.name
    full = name.startswith(("yuvj", "gray", "ya")) or frame.format.is_rgb
    return ColorRange.JPEG if full or frame.color_range == AVCOL_RANGE_JPEG else ColorRange.MPEG


def over_black(rgba: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 4) with straight alpha, laid over black: uint8 (H, W, 3)."""
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    # +127 rounds to the nearest level; opaque and fully transparent pixels come out exact.
    return ((rgba[..., :3].astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def orientation(frame: VideoFrame) -> Orientation:
    """The axis-aligned display matrix nearest to the one the frame carries."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return UPRIGHT
    # int32 (3, 3) in 16.16 fixed point: [[a, b, u], [c, d, v], [x, y, w]].
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (_sign(a), 0, 0, _sign(d))
    return (0, _sign(b), _sign(c), 0)


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def swaps_axes(matrix: Orientation) -> bool:
    """Whether width and height change places (a quarter turn, mirrored or not)."""
    return matrix[0] == 0


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """(width, height) of the frame once it is turned upright."""
    if swaps_axes(orientation(frame)):
        return frame.height, frame.width
    return frame.width, frame.height


def turn_upright(pixels: np.ndarray, matrix: Orientation) -> np.ndarray:
    """The pixels (H, W, 3) as the display matrix shows them, contiguous."""
    a, b, c, d = matrix
    if swaps_axes(matrix):
        pixels = cv2.transpose(pixels)
    mirror_x, mirror_y = a + c < 0, b + d < 0
    if mirror_x and mirror_y:
        return cv2.flip(pixels, -1)
    if mirror_x:
        return cv2.flip(pixels, 1)
    return cv2.flip(pixels, 0) if mirror_y else pixels


def fit(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The pixels at this size; for clips whose pictures change size on the way."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
