"""Convert frames of high dynamic range or wide gamut to full-range 8-bit RGB of BT.709.

FFmpeg's swscale converts matrices, but maps primaries and curves for a pleasant look, and PyAV's
FFmpeg is built without zscale. So levels become light, light of other primaries becomes light of
BT.709, and that becomes levels again, as the recommendations say:

- SDR levels are shown with a power of 2.4 (Rec. ITU-R BT.1886), unless tagged otherwise, and get
  levels by the same curve again: a grey stays as it is.
- PQ: SMPTE ST 2084. HLG: Rec. ITU-R BT.2100 for a screen of 1000 cd/m2. A diffuse white is 203
  cd/m2 (Rep. ITU-R BT.2408); it becomes white, and what is brighter is clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from video_cam.video.color_tags import (
    BT709,
    BT2020,
    DERIVED,
    FULL_RANGE,
    GAMMAS,
    HLG,
    ICTCP,
    LINEAR,
    PQ,
    PRIMARIES,
    SRGB_CURVE,
    YCGCO,
    ColorTags,
    tags_of,
)

WHITE_NITS = 203.0  # cd/m2 of a diffuse white in BT.2100 signals: BT.2408, table 1
HLG_PEAK_NITS, HLG_GAMMA = 1000.0, 1.2  # of the screen that BT.2100 assumes
DISPLAY_GAMMA = 2.4  # BT.1886
TABLE_SIZE = 1 << 16
STRIP_PIXELS = 1 << 18  # converted at a time, so that the intermediate values take few megabytes

# Weights of red and blue in luma: H.273, table 4.
LUMA_WEIGHTS = {
    **{1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114)},
    **{7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)},
}
BT2020_WEIGHTS = (0.2627, 0.6780, 0.0593)
# BT.2100, table 7: light of BT.2020 -> LMS, and levels of LMS -> ICtCp, for PQ.
LMS_OF_BT2020 = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
ICTCP_OF_LMS = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

Strip = np.ndarray  # float32 (h, w, 3)


@dataclass(frozen=True)
class _Conversion:
    """The steps from a frame's stored values to levels of BT.709.

    Attributes:
        decoding: float64 (3, 4): stored 16-bit values and 1 -> levels, 0 to 1.
        light: float32 (TABLE_SIZE,): level -> light, 1 for white; None to keep levels.
        is_hlg: light is the scene's, and the screen's depends on its luminance.
        gamut: float64 (3, 3): light -> light of BT.709.
        levels: uint8 (TABLE_SIZE,): square root of light -> level.
    """

    decoding: np.ndarray
    light: np.ndarray | None
    is_hlg: bool
    gamut: np.ndarray
    levels: np.ndarray

    def __call__(self, stored: Strip) -> np.ndarray:
        levels = cv2.transform(stored, self.decoding)
        if self.light is None:
            return np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
        light = self.light[_indices(levels)]
        if self.is_hlg:
            luminance = cv2.transform(light, np.array([BT2020_WEIGHTS]))
            light *= luminance.reshape(*light.shape[:2], 1) ** (HLG_GAMMA - 1)
        shown = cv2.transform(light, self.gamut)
        return self.levels[_indices(np.sqrt(np.maximum(shown, 0)))]


def to_bt709(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """The frame's pixels as stored (not turned upright), as a screen of BT.709 shows them.

    Returns:
        uint8 (H, W, 3) full-range RGB, (H, W, 4) with straight alpha where the frame has it.
    """
    planes = _planes(frame, reformatter)
    convert = _conversion(tags_of(frame), frame.format.name, frame.height)
    result = np.empty((frame.height, frame.width, len(planes)), np.uint8)
    rows = max(1, STRIP_PIXELS // frame.width)
    for top in range(0, frame.height, rows):
        part = slice(top, top + rows)
        stored = cv2.merge([plane[part] for plane in planes[:3]]).astype(np.float32)
        result[part, :, :3] = convert(stored)
        for alpha in planes[3:]:
            result[part, :, 3] = alpha[part] >> 8
    return result


def _planes(frame: VideoFrame, reformatter: VideoReformatter) -> list[np.ndarray]:
    """uint16 (H, W) each: Y, U and V, or R, G and B, and alpha; only shifted to 16 bits."""
    if _is_gray(frame.format):
        luma = reformatter.reformat(frame, format="gray16le").to_ndarray()
        neutral = np.full_like(luma, 1 << 15)
        return [luma, neutral, neutral]
    has_alpha = any(component.is_alpha for component in frame.format.components)
    if frame.format.is_rgb:
        name = "rgba64le" if has_alpha else "rgb48le"
    else:
        name = "yuva444p16le" if has_alpha else "yuv444p16le"
    # The same matrix and range on both sides: nothing is converted. "MPEG" on both sides, as
    # swscale stretches some formats of full range.
    wide = reformatter.reformat(
        frame,
        format=name,
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.MPEG,
    )
    if frame.format.is_rgb:
        return list(cv2.split(wide.to_ndarray()))
    planes = [np.frombuffer(memoryview(plane), np.uint16) for plane in wide.planes]
    return [
        values.reshape(frame.height, plane.line_size // 2)[:, : frame.width]
        for values, plane in zip(planes, wide.planes, strict=True)
    ]


@lru_cache(maxsize=8)
def _conversion(tags: ColorTags, format_name: str, height: int) -> _Conversion:
    is_rgb = VideoFormat(format_name).is_rgb
    # Where only the curve is tagged, HDR comes with the primaries of BT.2020.
    primaries = tags.primaries
    if primaries not in PRIMARIES:
        primaries = BT2020 if tags.is_hdr else BT709
    gamut = _gamut(primaries)
    if tags.matrix == ICTCP and not is_rgb:
        gamut = _gamut(BT2020) @ np.linalg.inv(LMS_OF_BT2020)
    if is_rgb:
        decoding = np.hstack([np.eye(3) / (TABLE_SIZE - 1), np.zeros((3, 1))])
    else:
        matrix = _yuv_matrix(tags, primaries, height)
        decoding = _yuv_decoding(tags, VideoFormat(format_name), matrix)
    keeps_levels = primaries == BT709 and not tags.is_hdr and tags.transfer != LINEAR
    light, levels = _tables(tags.transfer)
    return _Conversion(
        decoding, None if keeps_levels else light, tags.transfer == HLG, gamut, levels
    )


def _yuv_decoding(tags: ColorTags, form: VideoFormat, matrix: np.ndarray) -> np.ndarray:
    """(3, 4): 16-bit values and 1 -> levels of RGB, or of LMS for ICtCp."""
    bits = form.components[0].bits
    if tags.value_range == FULL_RANGE:
        black, luma, chroma = 0, (1 << bits) - 1, (1 << bits) - 1
    else:
        black, luma, chroma = 16 << bits - 8, 219 << bits - 8, 224 << bits - 8
        if tags.matrix == YCGCO:  # made from RGB that is itself of limited range: H.273, 8.3
            chroma = luma
    # One step of a stored value; swscale stretches gray to the whole of 16 bits.
    step = (TABLE_SIZE - 1) / ((1 << bits) - 1) if _is_gray(form) else 1 << (16 - bits)
    scaled = matrix / (step * np.array([luma, chroma, chroma]))
    return np.hstack([scaled, -scaled @ [[black * step], [1 << 15], [1 << 15]]])


def _yuv_matrix(tags: ColorTags, primaries: int, height: int) -> np.ndarray:
    """(3, 3): luma in 0 to 1 and colour differences in -0.5 to 0.5 -> levels."""
    if tags.matrix == YCGCO:
        return np.array([[1.0, -1, 1], [1, 1, 0], [1, -1, -1]])
    if tags.matrix == ICTCP:
        return np.linalg.inv(ICTCP_OF_LMS)
    if tags.matrix == DERIVED:
        red, _, blue = _xyz_of_rgb(primaries)[1]
    else:
        usual = BT2020 if primaries == BT2020 else BT709 if height >= 720 else 5
        red, blue = LUMA_WEIGHTS.get(tags.matrix, LUMA_WEIGHTS[usual])
    green = 1 - red - blue
    return np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green],
            [1, 2 * (1 - blue), 0],
        ]
    )


def _gamut(primaries: int) -> np.ndarray:
    """(3, 3): light of these primaries -> light of BT.709, white to white (Bradford)."""
    source, target = _xyz_of_rgb(primaries), _xyz_of_rgb(BT709)
    white, wanted = BRADFORD @ source.sum(1), BRADFORD @ target.sum(1)
    adapted = np.linalg.inv(BRADFORD) @ np.diag(wanted / white) @ BRADFORD
    return np.linalg.inv(target) @ adapted @ source


def _xyz_of_rgb(primaries: int) -> np.ndarray:
    """(3, 3): light of these primaries -> CIE XYZ, Y 1 for white (SMPTE RP 177)."""
    columns = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in PRIMARIES[primaries]]
    colours = np.stack(columns[:3], axis=1)
    return colours * np.linalg.solve(colours, columns[3])


def _tables(transfer: int) -> tuple[np.ndarray, np.ndarray]:
    """Level -> light as float32, and square root of light -> level as uint8."""
    scale = np.linspace(0, 1, TABLE_SIZE)
    to_light, to_level = _curves(transfer)
    levels = np.rint(to_level(scale**2) * 255).astype(np.uint8)
    return to_light(scale).astype(np.float32), levels


Curve = Callable[[np.ndarray], np.ndarray]


def _curves(transfer: int) -> tuple[Curve, Curve]:
    gamma = GAMMAS.get(transfer, DISPLAY_GAMMA)
    if transfer == PQ:
        return _pq_light, lambda light: light ** (1 / DISPLAY_GAMMA)
    if transfer == HLG:
        return _hlg_light, lambda light: light ** (1 / DISPLAY_GAMMA)
    if transfer == LINEAR:
        return lambda level: level, _srgb_level
    if transfer == SRGB_CURVE:
        return _srgb_light, _srgb_level
    return lambda level: level**gamma, lambda light: light ** (1 / gamma)


def _pq_light(level: np.ndarray) -> np.ndarray:
    """ST 2084, equation 4.1: the screen's light in units of WHITE_NITS."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = level ** (1 / m2)
    light = np.maximum(power - c1, 0) / (c2 - c3 * power)
    return 10_000 / WHITE_NITS * light ** (1 / m1)


def _hlg_light(level: np.ndarray) -> np.ndarray:
    """BT.2100, table 5: the scene's light, scaled so that its OOTF gives units of WHITE_NITS."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    # The OOTF multiplies by luminance ** (gamma - 1), which is scaled as well.
    return light * (HLG_PEAK_NITS / WHITE_NITS) ** (1 / HLG_GAMMA)


def _srgb_light(level: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _srgb_level(light: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _is_gray(form: VideoFormat) -> bool:
    return form.name.startswith("gray")


def _indices(values: Strip) -> np.ndarray:
    """uint16: places in a table of values from 0 to 1; what is outside takes the ends."""
    scaled = np.clip(values, 0, 1) * np.float32(TABLE_SIZE - 1)
    return np.rint(scaled).astype(np.uint16)
