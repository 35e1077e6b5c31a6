"""Regions of a frame where a map is high."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from video_cam.errors import UsageError
from video_cam.rendering.heat import HeatMapper
from video_cam.utils.names import check_names, check_positive

MEASURES = ("peak", "mass")
_CONNECTIVITY = 8  # pixels that touch at a corner belong together


@dataclass(frozen=True)
class Threshold:
    """Which pixels of a frame belong to regions.

    Attributes:
        share: between 0 and 1.
        of: "peak": pixels with at least this share of the map's peak in the whole video; "mass":
            the smallest set of pixels that holds this share of the frame's heat.
        min_area: in pixels; smaller regions are left out.
    """

    share: float = 0.5
    of: str = "peak"
    min_area: int = 16

    def __post_init__(self) -> None:
        check_names("share of", [self.of], MEASURES)
        check_positive(self, ("min_area",))
        if not 0 < self.share < 1:
            raise UsageError(f"threshold {self.share} must lie between 0 and 1")

    def selected(self, heat: np.ndarray) -> np.ndarray:
        """bool (H, W): the pixels that belong to regions; none of a frame without heat.

        Args:
            heat: (H, W) in [0, 1], where 1 is the peak in the video.
        """
        if self.of == "peak":
            return heat >= self.share
        values = np.sort(heat, axis=None)[::-1].astype(np.float64)
        sums = values.cumsum()
        if not sums[-1] > 0:
            return np.zeros(heat.shape, bool)
        number = int(np.searchsorted(sums, self.share * sums[-1]))
        return heat >= values[min(number, len(values) - 1)]


@dataclass(frozen=True)
class Region:
    """Pixels that belong together.

    Attributes:
        left, top, width, height: of the smallest box around them, in source pixels.
        mask: bool (height, width), the pixels in this box.
        peak: the largest heat in it, in [0, 1].
    """

    left: int
    top: int
    width: int
    height: int
    mask: np.ndarray
    peak: float

    @property
    def area(self) -> int:
        """The number of pixels."""
        return int(np.count_nonzero(self.mask))


def regions_of(mapper: HeatMapper, frame_index: int, threshold: Threshold) -> list[Region]:
    """The regions of a frame in source pixels, those with the highest peak first."""
    heat = mapper.heat(frame_index)
    if heat is None or not heat.size:
        return []
    left, top, _, _ = mapper.box
    found = find_regions(heat, threshold)
    return [
        Region(one.left + left, one.top + top, one.width, one.height, one.mask, one.peak)
        for one in found
    ]


def find_regions(heat: np.ndarray, threshold: Threshold) -> list[Region]:
    """The connected regions of selected pixels, those with the highest peak first.

    Args:
        heat: (H, W) in [0, 1].
        threshold: which pixels are selected.
    """
    selected = threshold.selected(heat).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(
        selected, None, None, None, _CONNECTIVITY
    )
    regions = []
    for number in range(1, count):  # 0 is what is not selected
        left, top, width, height, area = boxes[number].tolist()
        if area < threshold.min_area:
            continue
        place = np.s_[top : top + height, left : left + width]
        mask = labels[place] == number
        peak = min(float(heat[place][mask].max()), 1.0)
        regions.append(Region(left, top, width, height, mask, peak))
    return sorted(regions, key=lambda region: -region.peak)
