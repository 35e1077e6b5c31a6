"""Clips, explanations and rendered folders for the tests of pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import video_cam
from tests.support.hostile import TEXTS
from tests.support.media import corners, moving_square, read_frames, turn_mp4, write_clip
from video_cam import Classifier, Explanation
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.overlay import Palette, overlay

# Steps of 33 to 200 ms, in milliseconds.
UNEVEN = np.cumsum([0] + [33, 34, 50, 33, 200, 40, 33, 34, 33, 100] * 4)[:40].tolist()
CLOSE = 3  # mean difference of a page's pixels from those of render, of 255
HOSTILE = TEXTS["markup"]


@dataclass(frozen=True)
class Rendered:
    """A clip, its explanation, and the folder that render wrote."""

    clip: Path
    explanation: Explanation
    folder: Path

    @property
    def frames(self) -> range:
        """The source frames on the page."""
        return range(*self.explanation.span)

    def overlay(
        self,
        frames: Sequence[int],
        index: int = 0,
        *,
        normalize: str = "video",
        alpha: float = 0.7,
        colormap: str = "inferno",
        contours: tuple[float, ...] = (),
    ) -> list[np.ndarray]:
        """The overlays that render draws of these frames, without captions."""
        blended = BlendedMap(self.explanation, index)
        mapper = HeatMapper(blended, self.explanation.geometry, normalize)
        images = {f.index: f.rgb() for f in read_frames(self.clip) if f.index in set(frames)}
        palette = Palette(colormap, alpha, contours)
        return [overlay(images[i], mapper.heat(i), mapper.box, palette) for i in frames]


def wandering_corners() -> list[np.ndarray]:
    """uint8 (H, W, 3) frames of strong colours, each different from the ones beside it."""
    return [np.roll(corners(96, 64), 5 * i, axis=1) for i in range(30)]


def make_clip(kind: str, folder: Path) -> Path:
    """A clip whose copy for the page is remuxed ("h264", "turned"), a webm or encoded."""
    match kind:
        case "h264":  # B-frames, uneven time stamps, a name that must be escaped
            return write_clip(
                folder / "50% <b>odd & #1 ?.mp4",
                moving_square(40, 96, 64),
                time_base=Fraction(1, 1000),
                pts=UNEVEN,
                options={"bf": "2", "g": "9"},
            )
        case "turned":
            clip = write_clip(folder / "turned.mp4", moving_square(20, 96, 64))
            turn_mp4(clip, (0, 1, -1, 0))
            return clip
        case "webm":
            return write_clip(folder / "v.webm", moving_square(20, 96, 64), codec="libvpx")
        case "avi":  # its packets are stamped in the order of decoding
            options = {"bf": "3", "b-pyramid": "normal"}
            frames, audio = wandering_corners(), "pcm_s16le"
            return write_clip(folder / "b.avi", frames, options=options, audio=audio)
        case "range":  # full range and a matrix, but no primaries
            options = {"x264-params": "fullrange=on:colormatrix=bt470bg"}
            return write_clip(folder / "range.mp4", wandering_corners(), options=options)
        case "encoded":  # an odd size, and wide pixels
            return write_clip(
                folder / "odd.mkv",
                moving_square(20, 75, 49),
                codec="ffv1",
                pix_fmt="yuv444p",
                sample_aspect_ratio=Fraction(4, 3),
            )
    raise ValueError(kind)


def render_page(clip: Path, model: Classifier, folder: Path, **options: Any) -> Rendered:
    """Explain and render, with a label that is markup if it is not escaped."""
    explanation = video_cam.explain(clip, model, **options)
    first = explanation.maps[0].class_id
    labels = [*explanation.labels]
    labels[first] = HOSTILE
    maps = tuple(
        replace(series, label=HOSTILE) if series.class_id == first else series
        for series in explanation.maps
    )
    explanation = replace(explanation, labels=tuple(labels), maps=maps)
    video_cam.render(clip, explanation, folder)
    return Rendered(clip, explanation, folder)
