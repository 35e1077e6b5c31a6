"""Images from heat: colours, blending, cropping and stitching. No files, no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from video_cam.config import RenderConfig
from video_cam.rendering.contours import Box, Heat, draw_contours
from video_cam.video.color import RGBImage

COLORMAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "turbo": cv2.COLORMAP_TURBO,
    "jet": cv2.COLORMAP_JET,
    "hot": cv2.COLORMAP_HOT,
}
OPAQUE_HEAT = 0.7
# Brightness is compared with its mean over this many cells of the picture's shorter side.
DETAIL_CELLS = 24
_UNSEEN_BRIGHTNESS, _UNSEEN_GREY = 0.4, 64
_BAND_ROWS = 64  # that are drawn at a time, so that intermediate images take little memory
# What remains of 255 after it is multiplied twice by 1 - d / 255.
_REMAINING_TWICE = np.rint(255 * (1 - np.arange(256) / 255) ** 2).astype(np.uint8)


def opacity_share(heat: np.ndarray) -> np.ndarray:
    """How opaque heat is, as a share of full heat's opacity; heat.js has the same curve.

    A smooth step: medium heat can be seen on bright pictures, where a straight line leaves little
    of it, and little heat does not veil the picture. From OPAQUE_HEAT on it is 1.

    Args:
        heat: in [0, 1], of any shape.
    """
    x = np.minimum(heat / OPAQUE_HEAT, 1)
    return x * x * (3 - 2 * x)


class Palette:
    """How heat is drawn: colours and opacity as tables over 256 levels of heat, contour lines.

    The opacity of a pixel is ``alpha`` times ``opacity_share`` of its heat: without heat the source
    shows as it is. The contrast that opacity takes from the source's details is given back.
    """

    def __init__(self, colormap: str, alpha: float, contours: Sequence[float] = ()) -> None:
        """Compute the tables.

        Args:
            colormap: a key of COLORMAPS.
            alpha: opacity of full heat, in [0, 1].
            contours: levels of heat at which lines are drawn, each between 0 and 1.
        """
        self.contours = tuple(contours)
        levels = np.arange(256, dtype=np.uint8)[:, None]
        self._colours = cv2.cvtColor(
            cv2.applyColorMap(levels, COLORMAPS[colormap]), cv2.COLOR_BGR2RGB
        )
        opacity = alpha * opacity_share(levels / 255.0)[:, :, None]
        self._premultiplied = np.rint(self._colours * opacity).astype(np.uint8)
        self._remaining = np.rint(255 * (1 - opacity)).astype(np.uint8).repeat(3, axis=2)
        self._opacity = np.rint(255 * opacity[:, :, 0]).astype(np.uint8)

    @classmethod
    def of(cls, config: RenderConfig) -> Palette:
        """The palette that the options of drawing ask for."""
        return cls(config.colormap, config.alpha, config.contours)

    @property
    def colours(self) -> np.ndarray:
        """uint8 (256, 3) RGB: the colours of all levels, from no heat to full heat."""
        return self._colours[:, 0]

    def colour(self, heat: Heat) -> RGBImage:
        """The colours of the heat, without a source."""
        return cv2.applyColorMap(_levels(heat), self._colours)

    def blend(self, image: RGBImage, heat: Heat) -> RGBImage:
        """The heat over an image. Smaller heat is coloured first, then enlarged."""
        levels = _levels(heat)
        drawn = _enlarged(cv2.applyColorMap(levels, self._remaining), image.shape)
        cv2.multiply(image, drawn, dst=drawn, scale=1 / 255)
        colours = _enlarged(cv2.applyColorMap(levels, self._premultiplied), image.shape)
        cv2.add(drawn, colours, dst=drawn)
        _draw_detail(drawn, image, _enlarged(cv2.LUT(levels, self._opacity), image.shape))
        return drawn


def overlay(image: RGBImage, heat: Heat | None, box: Box, palette: Palette) -> RGBImage:
    """A frame with heat over the part that the network saw; the rest is grey and dark.

    Args:
        image: uint8 (H, W, 3) RGB.
        heat: (box height, box width) or smaller; None where the network did not see the frame.
        box: what the network saw.
        palette: colours and opacity.
    """
    if heat is None:
        return unseen(image)
    if box == (0, 0, image.shape[1], image.shape[0]):
        drawn = palette.blend(image, heat)
    else:
        drawn = _in_box(unseen(image), box, lambda: palette.blend(crop(image, box), heat))
    return draw_contours(drawn, heat, box, palette.contours)


def heat_map(image: RGBImage, heat: Heat | None, box: Box, palette: Palette) -> RGBImage:
    """The colours of the heat alone, in the size of ``image``.

    What the network did not see is grey, so that it differs from black, which is no heat.
    """
    grey = np.full_like(image, _UNSEEN_GREY)
    if heat is None:
        return grey
    left, top, right, bottom = box
    size = (bottom - top, right - left)
    return _in_box(grey, box, lambda: _enlarged(palette.colour(heat), size))


def unseen(image: RGBImage) -> RGBImage:
    """Grey and dark: what the network did not see."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dark = cv2.convertScaleAbs(grey, alpha=_UNSEEN_BRIGHTNESS)
    return cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)


def stitch(images: Sequence[RGBImage]) -> RGBImage:
    """Images of one size side by side."""
    return cv2.hconcat(list(images))


def stack(images: Sequence[RGBImage]) -> RGBImage:
    """Images of one width, one below the other."""
    return cv2.vconcat(list(images))


def crop(image: RGBImage, box: Box) -> RGBImage:
    """The pixels of a box, as a view."""
    left, top, right, bottom = box
    return image[top:bottom, left:right]


def fit(image: RGBImage, max_side: int, pixel_aspect: float = 1.0, min_side: int = 1) -> RGBImage:
    """The image with square pixels, its longer side between ``min_side`` and ``max_side``.

    Args:
        image: uint8 (H, W, 3).
        max_side: pixels; what is longer is scaled down.
        pixel_aspect: width of one of its pixels divided by its height.
        min_side: pixels; what is shorter is enlarged.

    Returns:
        The image itself where nothing is to be done.
    """
    height, width = image.shape[:2]
    shown = (width * max(pixel_aspect, 1.0), height / min(pixel_aspect, 1.0))
    scale = min(max(min_side / max(shown), 1.0), max_side / max(shown))
    size = (max(round(shown[0] * scale), 1), max(round(shown[1] * scale), 1))
    if size == (width, height):
        return image
    is_smaller = size[0] * size[1] < width * height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)


def _draw_detail(drawn: RGBImage, image: RGBImage, opacity: np.ndarray) -> None:
    """Draw an image's details of brightness on the heat over it, in place; detail.js does the same.

    Where the image is darker than its surroundings by d, the heat is multiplied twice by 1 - d;
    where it is brighter, the difference from white is ("hard light" of the W3C's Compositing and
    Blending, two times).

    Args:
        drawn: uint8 (H, W, 3), heat over ``image``.
        image: the source, of the same shape.
        opacity: uint8 (H, W) of the heat; d is multiplied by it.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    scale = min(DETAIL_CELLS / min(height, width), 1)
    cells = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(gray, cells, interpolation=cv2.INTER_AREA)
    around = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    left, top, heat_width, heat_height = cv2.boundingRect(opacity)
    for start in range(top, top + heat_height, _BAND_ROWS):
        part = np.s_[start : min(start + _BAND_ROWS, top + heat_height), left : left + heat_width]
        here, there, share, band = gray[part], around[part], opacity[part], drawn[part]
        difference = cv2.multiply(cv2.absdiff(here, there), share, scale=1 / 255)
        remaining = cv2.LUT(difference, _REMAINING_TWICE)
        is_brighter = cv2.compare(here, there, cv2.CMP_GT)
        white = cv2.bitwise_and(cv2.bitwise_not(remaining), is_brighter)
        cv2.multiply(band, _three(remaining), dst=band, scale=1 / 255)
        cv2.add(band, _three(white), dst=band)


def _three(gray: np.ndarray) -> RGBImage:
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)


def _levels(heat: Heat) -> np.ndarray:
    """uint8 (H, W) in 0 ... 255."""
    return cv2.convertScaleAbs(heat, alpha=255)


def _enlarged(image: RGBImage, size: Sequence[int]) -> RGBImage:
    """The image at (height, width, ...)."""
    if image.shape[:2] == tuple(size[:2]):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _in_box(outside: RGBImage, box: Box, inside: Callable[[], RGBImage]) -> RGBImage:
    """``outside``, changed in place: the box holds ``inside()`` unless it is empty."""
    left, top, right, bottom = box
    if right > left and bottom > top:
        outside[top:bottom, left:right] = inside()
    return outside
