"""What a file says about its colours: matrix, primaries, transfer curve and value range.

The numbers are those of Rec. ITU-T H.273, which FFmpeg's AVColorSpace, AVColorPrimaries and
AVColorTransferCharacteristic share.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from av.video.frame import VideoFrame

UNKNOWN = 2
RGB_MATRIX, BT709, YCGCO, BT2020, BT2020_CONSTANT, DERIVED, ICTCP = 0, 1, 8, 9, 10, 12, 14
PQ, HLG = 16, 18  # SMPTE ST 2084 and ARIB STD-B67, the transfer curves of Rec. ITU-R BT.2100
LINEAR, SRGB_CURVE = 8, 13
GAMMAS = {4: 2.2, 5: 2.8}  # transfer curves that are a plain power
FULL_RANGE, LIMITED_RANGE = 2, 1  # AVColorRange: 0 to 255, 16 to 235

# (x, y) of red, green, blue and white: Rec. ITU-T H.273, table 2. Those of BT.601 (5, 6, 7 and 22)
# are so near to BT.709 that players show them as they are, and so does this project.
PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), (0.3127, 0.3290)),
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), (0.3100, 0.3160)),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.3100, 0.3160)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3140, 0.3510)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
}
WIDE = {4: "NTSC 1953", 8: "film", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}


class Tagged(Protocol):
    """A frame or a decoder of PyAV."""

    @property
    def colorspace(self) -> int: ...
    @property
    def color_primaries(self) -> int: ...
    @property
    def color_trc(self) -> int: ...
    @property
    def color_range(self) -> int: ...


class ColorTags(NamedTuple):
    """The tags of a picture, UNKNOWN where it has none.

    Attributes:
        matrix: how luma and colour differences are made from RGB.
        primaries: which red, green, blue and white are meant.
        transfer: how levels become light.
        value_range: FULL_RANGE, LIMITED_RANGE, or 0 where unknown.
    """

    matrix: int
    primaries: int
    transfer: int
    value_range: int

    @property
    def is_hdr(self) -> bool:
        """Whether levels mean more light than a white page gives."""
        return self.transfer in (PQ, HLG)

    @property
    def is_plain(self) -> bool:
        """Whether swscale's matrices suffice: primaries and curve of ordinary video."""
        return not (
            self.is_hdr
            or self.primaries in WIDE
            or self.transfer == LINEAR
            or self.matrix in (YCGCO, ICTCP, DERIVED)
        )


def tags_of(source: Tagged) -> ColorTags:
    """The tags of a frame or a decoder."""
    return ColorTags(
        int(source.colorspace),
        int(source.color_primaries),
        int(source.color_trc),
        int(source.color_range),
    )


def conversion_notes(frame: VideoFrame) -> tuple[str, ...]:
    """One line on how the colours are converted; none for ordinary ones."""
    tags = tags_of(frame)
    if tags.is_hdr:
        curve = "PQ" if tags.transfer == PQ else "HLG"
        return (
            f"high dynamic range ({curve}) is shown as SDR BT.709: 203 cd/m2 is white, what is "
            "brighter is clipped",
        )
    if tags.matrix == BT2020_CONSTANT:
        return ("BT.2020 with constant luminance is read as if its luminance were not constant",)
    if name := WIDE.get(tags.primaries):
        return (f"colours are converted from {name} to BT.709; those that it lacks are clipped",)
    return ("linear light is shown with the curve of sRGB",) if tags.transfer == LINEAR else ()
