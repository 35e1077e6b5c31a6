"""ICC profiles of still images: phones and cameras store Display P3 and Adobe RGB."""

from __future__ import annotations

import warnings
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from video_cam.video.color import RGBImage

CONVERTED = "colours are converted from the profile in the file to sRGB"
# How a profile is announced in JPEG, PNG and WebP. TIFF has a number in a list for it.
_MARKS = (b"ICC_PROFILE", b"iCCP", b"ICCP")
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_SEARCHED = 1 << 16  # bytes: a profile stands before the picture
_UNNOTICED = 2  # levels; profiles of sRGB differ that much from each other


def conversion_of(encoded: bytes) -> ImageCms.ImageCmsTransform | None:
    """The conversion to sRGB that an image file asks for; None where it would change nothing.

    Args:
        encoded: the content of the file.
    """
    start = encoded[:_SEARCHED]
    if not (start.startswith(_TIFF_STARTS) or any(mark in start for mark in _MARKS)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(encoded)) as image:
                profile = image.info.get("icc_profile")
    except Exception:  # a damaged header can make Pillow raise anything; the reader tells
        return None
    return _conversion(profile) if profile else None


def converted(pixels: RGBImage, conversion: ImageCms.ImageCmsTransform) -> RGBImage:
    """The pixels, uint8 (H, W, 3), in sRGB."""
    return np.asarray(conversion.apply(Image.fromarray(pixels)))


@lru_cache(maxsize=8)
def _conversion(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        conversion = ImageCms.ImageCmsTransform(
            source,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (OSError, ValueError):  # damaged, or of gray or CMYK
        return None
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    change = np.abs(converted(grid, conversion).astype(int) - grid).max()
    return conversion if change > _UNNOTICED else None
