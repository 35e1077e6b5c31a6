"""Clips of colour patches with tags: encoded here, in float64, as the recommendations say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

# Levels of BT.709 as a screen shows them.
PATCHES = (
    *((235, 235, 235), (255, 255, 255), (20, 20, 20), (224, 172, 138), (120, 80, 60)),
    *((90, 140, 70), (100, 150, 220), (220, 30, 30), (30, 200, 30), (30, 30, 220)),
)
SIDE = 16  # pixels of a patch
LUMA = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
    "chroma-derived-nc": (0.2627, 0.0593),  # of the primaries of BT.2020
}
GAMMAS = {"gamma22": 2.2, "gamma28": 2.8}
# Light of BT.2020 -> LMS, and PQ levels of LMS -> ICtCp: BT.2100, table 7.
LMS = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
ICTCP = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096
# Light of BT.709 -> light of these primaries: Rec. ITU-R BT.2087, and SMPTE EG 432-1 by RP 177.
OF_BT709 = {
    "bt709": np.eye(3),
    "bt2020": np.array(
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    ),
    "smpte432": np.array(
        [[0.8225, 0.1774, 0.0000], [0.0332, 0.9669, 0.0000], [0.0171, 0.0724, 0.9108]]
    ),
}


@dataclass(frozen=True)
class Tags:
    """As FFmpeg names them; None leaves the tag out."""

    matrix: str | None = "bt709"
    primaries: str | None = "bt709"
    curve: str | None = "bt709"
    value_range: str | None = "tv"

    @property
    def options(self) -> dict[str, str]:
        """The encoder's options."""
        named = {
            "colorspace": self.matrix,
            "color_primaries": self.primaries,
            "color_trc": self.curve,
            "color_range": self.value_range,
        }
        return {name: value for name, value in named.items() if value is not None}


def pq_level(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, the inverse of the screen's curve."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_level(light: np.ndarray) -> np.ndarray:
    """BT.2100, table 5: from the scene's light, 0 to 1."""
    high = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), high)


def levels(patch: tuple[int, int, int], tags: Tags) -> np.ndarray:
    """The level (3,) that means this colour in the tagged primaries and curve; of LMS for ICtCp."""
    gamma = GAMMAS.get(tags.curve or "", 2.4)
    light = OF_BT709[tags.primaries or "bt709"] @ (np.array(patch) / 255) ** gamma
    if tags.matrix == "ictcp":
        return pq_level(203 * LMS @ light)
    if tags.curve == "smpte2084":
        return pq_level(203 * light)
    if tags.curve == "arib-std-b67":
        shown = light * 203 / 1000
        luminance = shown @ [0.2627, 0.6780, 0.0593]
        return hlg_level(shown * luminance ** (1 / 1.2 - 1))
    return light ** (1 / gamma)


def codes(level: np.ndarray, tags: Tags, bits: int) -> np.ndarray:
    """Y, U and V (3,) of a level as whole numbers of so many bits, or its planes of RGB."""
    red, green, blue = level
    if tags.matrix == "rgb":  # FFmpeg's planes are green, blue, red
        return np.rint(((1 << bits) - 1) * np.array([green, blue, red]))
    if tags.matrix == "ictcp":
        luma, *differences = ICTCP @ level
    elif tags.matrix == "ycgco":
        differences = [-red / 4 + green / 2 - blue / 4, red / 2 - blue / 2]
        luma = red / 4 + green / 2 + blue / 4
    else:
        weight_red, weight_blue = LUMA[tags.matrix or "bt470bg"]
        luma = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
        differences = [(blue - luma) / 2 / (1 - weight_blue), (red - luma) / 2 / (1 - weight_red)]
    scale, middle = 1 << bits - 8, 1 << bits - 1
    if tags.value_range == "pc":
        full = (1 << bits) - 1
        return np.rint([full * luma, *(middle + full * np.array(differences))])
    chroma = 219 if tags.matrix == "ycgco" else 224
    return np.rint([scale * (16 + 219 * luma), *(middle + scale * chroma * np.array(differences))])


def write_patches(
    path: Path,
    tags: Tags,
    pix_fmt: str = "yuv444p12le",
    written: Tags | None = None,
    codec: str = "ffv1",
) -> Path:
    """A clip of one frame, as a rule without loss: the patches side by side.

    The matrix "rgb" stands for RGB. An alpha plane is 0 everywhere.

    Args:
        tags: how the patches are encoded.
        written: the tags of the file, where they are others.
    """
    quality = {} if codec == "ffv1" else {"crf": "1"}
    options = (written or tags).options | quality
    height = SIDE if codec == "ffv1" else 4 * SIDE  # not all encoders take less
    frame = VideoFrame(SIDE * len(PATCHES), height, pix_fmt)
    bits = frame.format.components[0].bits
    columns = [[*codes(levels(patch, tags), tags, bits), 0] for patch in PATCHES]
    for number, plane in enumerate(frame.planes):
        size = 1 if bits == 8 else 2
        values = np.uint8 if bits == 8 else np.uint16
        padded = np.zeros((plane.height, plane.line_size // size), values)
        row = np.repeat([int(column[number]) for column in columns], plane.width // len(PATCHES))
        padded[:, : len(row)] = row
        plane.update(padded.tobytes())
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pix_fmt
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def largest_error(picture: np.ndarray) -> int:
    """The largest difference to PATCHES, in levels, of a picture of ``write_patches``' size."""
    found = picture[SIDE // 2, SIDE // 2 :: SIDE].astype(int)
    return int(np.abs(found - np.array(PATCHES)).max())
