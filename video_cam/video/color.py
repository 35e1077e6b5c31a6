"""Convert decoded frames to 8-bit RGB: colour space, value range, alpha."""

from __future__ import annotations

import threading

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from video_cam.utils.files import StrPath
from video_cam.video.color_tags import FULL_RANGE, LIMITED_RANGE, tags_of
from video_cam.video.levels import FULL_16_BIT, Levels, to_levels
from video_cam.video.wide_color import to_bt709

RGBImage = np.ndarray  # uint8 (H, W, 3)

# FFmpeg's AVColorSpace values for which swscale has a conversion matrix. Where the value is
# missing, the frame's height decides.
COLORSPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,  # with constant luminance, which swscale lacks
}
HD_HEIGHT = 720  # untagged video from this height on is BT.709, smaller is BT.601, as in players

# To start swscale's threads takes 0.15 ms of CPU time, to wake them for a picture 0.06 ms; one of
# half this size is converted in 0.03 to 0.25 ms without them.
THREADED_PIXELS = 640 * 480

# A reformatter keeps its swscale tables between frames, but is not thread-safe.
_reformatters = threading.local()


def to_rgb(frame: VideoFrame, levels: Levels | None = None, path: StrPath = "") -> RGBImage:
    """The frame's pixels as stored (not turned upright), transparent parts over black.

    Args:
        levels: which stored values of 16 bits are black and white; None for the whole range.
        path: of the clip, for the message.

    Raises:
        ClipError: for values beyond ``levels``, where these do not clip.

    Returns:
        uint8 (H, W, 3) full-range RGB, contiguous.
    """
    if levels is not None and levels.white < FULL_16_BIT:  # swscale converts the whole range
        values = stored_values(frame)
        if values is not None:
            return to_levels(values, levels, path)
    has_alpha = _has_alpha(frame)
    if not tags_of(frame).is_plain or _is_limited_gray(frame):
        pixels = to_bt709(frame, _reformatter())
        return over_black(pixels) if has_alpha else pixels
    # swscale leaves out columns when it makes RGBA of this format.
    is_separate = frame.format.name == "yuva420p"
    converted = _reformatter().reformat(
        frame,
        format="rgba" if has_alpha and not is_separate else "rgb24",
        src_colorspace=None if frame.format.is_rgb else _colorspace(frame),
        src_color_range=_color_range(frame),
        dst_color_range=ColorRange.JPEG,
        threads=conversion_threads(frame.width * frame.height),
    )
    pixels = np.ascontiguousarray(converted.to_ndarray())  # drops FFmpeg's padding of the rows
    if is_separate:
        pixels = np.dstack([pixels, _alpha_plane(frame)])
    return over_black(pixels) if has_alpha else pixels


def conversion_threads(num_pixels: int) -> int:
    """How many threads swscale has for pictures of this size; 0 leaves the number to FFmpeg."""
    return 1 if num_pixels < THREADED_PIXELS else 0


def stored_values(frame: VideoFrame) -> np.ndarray | None:
    """uint16 (H, W, 3) RGB of a gray or RGB frame of 16 bits, over black; None for other frames.

    Such streams hold scientific pictures, of 10 to 16 bits of data. YUV always uses all its bits.
    """
    form = frame.format
    is_gray = form.name.startswith("gray16") and frame.color_range != LIMITED_RANGE
    is_rgb = form.is_rgb and {component.bits for component in form.components} == {16}
    if not (is_gray or (is_rgb and "f" not in form.name and tags_of(frame).is_plain)):
        return None
    if is_gray:
        gray = _reformatter().reformat(frame, format="gray16le").to_ndarray()
        return np.repeat(gray[..., None], 3, axis=2)
    pixels = _reformatter().reformat(frame, format="rgba64le" if _has_alpha(frame) else "rgb48le")
    return over_black(pixels.to_ndarray()) if _has_alpha(frame) else pixels.to_ndarray()


def over_black(rgba: np.ndarray) -> np.ndarray:
    """Blend a picture with straight alpha over black.

    Args:
        rgba: uint8 or uint16 (H, W, 4).

    Returns:
        (H, W, 3) of the same type, contiguous; opaque pixels are unchanged.
    """
    alpha, opaque = rgba[..., 3:], np.iinfo(rgba.dtype).max
    if alpha.min() == opaque:
        return np.ascontiguousarray(rgba[..., :3])
    wider = np.uint16 if rgba.dtype == np.uint8 else np.uint32
    # Adding half of the divisor rounds to the nearest level.
    return ((rgba[..., :3].astype(wider) * alpha + opaque // 2) // opaque).astype(rgba.dtype)


def _alpha_plane(frame: VideoFrame) -> np.ndarray:
    """uint8 (H, W): the last plane of a planar frame of 8 bits."""
    plane = frame.planes[-1]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _has_alpha(frame: VideoFrame) -> bool:
    return frame.format.has_palette or any(c.is_alpha for c in frame.format.components)


def _reformatter() -> VideoReformatter:
    if not hasattr(_reformatters, "value"):
        _reformatters.value = VideoReformatter()
    return _reformatters.value


def _colorspace(frame: VideoFrame) -> Colorspace:
    untagged = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    return COLORSPACES.get(frame.colorspace, untagged)


def _color_range(frame: VideoFrame) -> ColorRange:
    """Full range where tagged, else limited.

    swscale by itself takes gray, RGB and JPEG's yuvj formats as full range.
    """
    return ColorRange.JPEG if frame.color_range == FULL_RANGE else ColorRange.MPEG


def _is_limited_gray(frame: VideoFrame) -> bool:
    """Whether it is gray that swscale takes as full range although it is tagged otherwise."""
    return frame.color_range == LIMITED_RANGE and frame.format.name.startswith("gray")
