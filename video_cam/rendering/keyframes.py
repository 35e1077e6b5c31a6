"""Keyframes: their images, their thumbnails, their entries in summary.json."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.captions import captioned
from video_cam.rendering.frame_importance import contributions
from video_cam.rendering.image_files import save_image
from video_cam.rendering.overlay import Box, crop, fit, stack, stitch
from video_cam.rendering.page.assets import PAGE_FOLDER
from video_cam.rendering.panels import Panels
from video_cam.video.color import RGBImage

FOLDER = "keyframes"
MAX_PANEL_SIDE = 640  # pixels
THUMBNAIL_SIDE = 160  # pixels, the longer side


def keyframe_name(frame_index: int) -> str:
    """The path of a keyframe's image, relative to the clip's folder."""
    return f"{FOLDER}/{frame_index:06d}.png"


def thumbnail_name(frame_index: int) -> str:
    """The path of a keyframe's thumbnail for the page, relative to the clip's folder."""
    return f"{PAGE_FOLDER}/{FOLDER}/{frame_index:06d}.jpg"


def make_folders(folder: Path) -> None:
    """Create the folders of keyframes and thumbnails in the clip's folder."""
    for name in (keyframe_name(0), thumbnail_name(0)):
        (folder / name).parent.mkdir(parents=True)


def save_keyframe(
    folder: Path, frame_index: int, rows: Sequence[Panels], pixel_aspect: float = 1.0
) -> None:
    """Write one PNG with a row for each map: source, heat map, overlay, in square pixels.

    The source is in the first row only: it is the same in all of them.
    """
    strips = [_row(row, pixel_aspect, number == 0) for number, row in enumerate(rows)]
    save_image(folder / keyframe_name(frame_index), stack(strips))


def _row(panels: Panels, pixel_aspect: float, with_source: bool) -> RGBImage:
    """The images of a map, with the caption below them; without the source its place is black."""
    heat, overlay = (
        fit(image, MAX_PANEL_SIDE, pixel_aspect) for image in (panels.heat, panels.overlay)
    )
    source = np.zeros_like(heat)
    if with_source:
        source = fit(panels.source, MAX_PANEL_SIDE, pixel_aspect)
    return captioned(stitch([source, heat, overlay]), panels.caption)


def save_thumbnail(folder: Path, frame_index: int, rgb: RGBImage, box: Box) -> None:
    """Write the part of a frame that the network saw as a small JPEG, without heat."""
    save_image(folder / thumbnail_name(frame_index), fit(crop(rgb, box), THUMBNAIL_SIDE))


def keep_keyframes(folder: Path, frame_indices: Collection[int]) -> None:
    """Remove other frames' pictures from the sub-folders, where each is named by its frame."""
    for picture in folder.glob("*/*.png"):
        if int(picture.stem) not in frame_indices:
            picture.unlink()


def describe_keyframes(maps: BlendedMaps, frame_indices: Sequence[int]) -> list[dict[str, Any]]:
    """The entries of summary.json.

    Returns:
        For each keyframe its file, frame_index and pts_seconds; importance: the mass of the first
        map, as a share of its largest mass in the clip; score: what the frame alone gave the
        target, None for a network that scores clips; contribution: what the frame test found that
        the frame adds to the score, None where it was not tested.
    """
    explanation, mass, first = maps.explanation, maps[0].mass, maps[0].first
    largest = mass.max() or 1.0
    scores, added = explanation.scores_of_frames(), contributions(maps, 0)
    return [
        {
            "file": keyframe_name(index),
            "frame_index": index,
            "pts_seconds": float(explanation.timeline.pts_seconds(index)),
            "importance": float(mass[index - first] / largest),
            "score": scores.get(index),
            "contribution": added.get(index),
        }
        for index in frame_indices
    ]
