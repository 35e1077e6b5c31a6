"""What the numbers of a decoded TIFF picture mean: alpha, order of channels, white as 0.

OpenCV hands the numbers of most pictures on as they are stored. Pictures of 8 bits come through
libtiff's own conversion, which turns gray whose smallest value is white, and multiplies colours by
alpha that is marked as not yet multiplied (TIFF 6.0, section 18).
"""

from __future__ import annotations

import numpy as np

from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.video.color import over_black
from video_cam.video.levels import opaque_alpha
from video_cam.video.tiff_pages import Page

WHITE_IS_ZERO = 0  # of PHOTOMETRIC
GRAY = (WHITE_IS_ZERO, 1)
MULTIPLIED, NOT_MULTIPLIED = 1, 2  # of EXTRA_SAMPLES
CONVERTIBLE = (np.uint8, np.uint16)  # by OpenCV


def is_over_black(page: Page, dtype: np.dtype) -> bool:
    """Whether the colours of a picture that OpenCV decoded are multiplied by its alpha already."""
    by_libtiff = dtype == np.uint8 and page.extra == NOT_MULTIPLIED
    return by_libtiff or page.extra == MULTIPLIED


def check_page(page: Page, stored: np.ndarray, path: StrPath) -> None:
    """Check that OpenCV decodes what the page holds.

    Args:
        page: what the file says of it.
        stored: what OpenCV decoded.
        path: of the file, for the message.

    Raises:
        ClipError: for gray with a second number, of which OpenCV drops the alpha or reads wrong
            values, and for gray of more than 8 bits whose smallest value is white.
    """
    if page.photometric not in GRAY:
        return
    if page.samples == 2:
        raise ClipError(
            f"{printable_path(path)}: a gray TIFF with two numbers for each pixel, such as alpha, "
            "which is not read: save it without the second one, or as PNG"
        )
    if page.photometric == WHITE_IS_ZERO and stored.dtype != np.uint8:
        raise ClipError(
            f"{printable_path(path)}: a TIFF of more than 8 bits whose smallest value is white, "
            "which is not read: save it with black as 0"
        )


def rgb_values(page: Page, stored: np.ndarray) -> np.ndarray:
    """The colours of a picture over black, (H, W, 3) RGB of the stored type.

    Args:
        page: what the file says of it.
        stored: what OpenCV decoded, gray, BGR or BGRA.
    """
    channels = stored if stored.ndim == 3 else stored[..., None]
    if channels.shape[2] == 4 and not is_over_black(page, stored.dtype):
        return np.ascontiguousarray(_over_black(channels)[..., ::-1])
    three = channels[..., :3] if channels.shape[2] >= 3 else np.repeat(channels[..., :1], 3, axis=2)
    return np.ascontiguousarray(three[..., ::-1])


def _over_black(bgra: np.ndarray) -> np.ndarray:
    if bgra.dtype in CONVERTIBLE:
        return over_black(bgra)
    alpha = bgra[..., 3:]
    shown = bgra[..., :3] * (alpha / opaque_alpha(float(np.nanmax(alpha))))
    return shown.astype(bgra.dtype)
